"""The board's command mode: three questions for the terminal's size, commands, redraws, uploads."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .line_editor import LINE_END, MAX_LINE_LENGTH, LineEditor
from .program_store import MAX_NAME_LENGTH, MAX_PROGRAMS, ProgramStore
from .upload_dialogue import Refusal, UploadDialogue

if TYPE_CHECKING:
    from collections.abc import Callable

    from .board_lua import HeapFigures

HEAP_BYTES = 1048576
STACK_BYTES = 8192
_STACK_LOW_WATER_MARK = 5360  # as a board reported it
_BYTES_PER_UNIT = 128

_RED, _GREEN_INVERSE = b"\x1b[31m", b"\x1b[32m\x1b[7m"
_BLUE, _CYAN, _GREY, _YELLOW = b"\x1b[38;5;75m", b"\x1b[36m", b"\x1b[38;5;252m", b"\x1b[38;5;222m"
_HOME, _CLEAR, _CLEAR_LINE = b"\x1b[0;0H", b"\x1b[2J\x1b[3J", b"\x1b[K"
_ASK_SIZE = b"\x1b[9999;9999H\x1b[6n"
PROMPT = _HOME + _YELLOW + _GREY + b"/ " + _BLUE
_TITLE = (
    b"COMMAND MODE | Type 'exit' to return to REPL | Type 'list|commands' to print a short-list of commands"
    b" | Type 'list|help' to print a detailed list of commands"
)
_SIZE_ANSWER = re.compile(rb"\x1b\[(\d{1,4});(\d{1,4})R$")
_LONGEST_SIZE_ANSWER = len(b"\x1b[9999;9999R")
_PROGRAM_ARGUMENT = re.compile(r'(\w+)\("(.*)"\)')
COMMANDS = (
    "delete|program",
    "list|clk_freq",
    "list|commands",
    "list|help",
    "list|program_code",
    "list|program_count",
    "list|programs",
    "list|start_on_boot_program",
    "list|timer_cfg",
    "memory|free",
    "memory|low_water_mark",
    "memory|total",
    "reset|start_on_boot_program",
    "run|program",
    "set|start_on_boot_program",
    "stack|low_water_mark",
    "stack|total",
    "upload|program",
)


@dataclass(frozen=True, slots=True)
class Leave:
    """Back to the Lua prompt."""


@dataclass(frozen=True, slots=True)
class Run:
    """Back to the Lua prompt by running a program.

    Attributes:
        name: of the program.
    """

    name: str


def _error(text: str, detail: object) -> bytes:
    return _RED + f"Error, {text}".encode() + _GREY + str(detail).encode("latin-1") + LINE_END


class CommandMode:
    """From ``cmd`` to ``exit`` or ``run``. Sends through a callback, so that replies keep their order."""

    def __init__(
        self,
        send: Callable[[bytes], None],
        store: ProgramStore,
        heap: Callable[[], HeapFigures] | None,
        clock_mhz: int,
    ) -> None:
        """Enter, with the first of the three questions.

        Args:
            send: takes bytes for the host.
            store: the programs.
            heap: gives figures of the heap; None where the overlay has no memory trace.
            clock_mhz: what ``list|clk_freq`` says.
        """
        self._send = send
        self._store = store
        self._heap = heap
        self._clock_mhz = clock_mhz
        self._rows = 1
        self._editor = LineEditor(separator_echo=_GREY + b"|" + _CYAN)
        self._size_answer = bytearray()
        # What is to be done with each answer that is still to come.
        self._after_size: list[Callable[[], None]] = [
            lambda: send(_CLEAR + _ASK_SIZE),
            lambda: send(_ASK_SIZE),
            self._title,
        ]
        self._overwriting: str | None = None
        self._upload: UploadDialogue | None = None
        send(_ASK_SIZE)

    def receive(self, byte: int) -> Leave | Run | None:
        """Take one byte from the host; says so when command mode is over.

        Args:
            byte: 0 to 255.

        Returns:
            How command mode ends, if it does; None while it goes on.
        """
        if self._after_size:
            self._receive_size(byte)
        elif self._overwriting is not None:
            self._answer_overwrite(self._overwriting, byte)
        elif self._upload is not None:
            self._receive_upload(self._upload, byte)
        else:
            typed = self._editor.type(byte)
            self._send(typed.echo)
            if typed.line is not None:
                return self._command(typed.line.decode("ascii"))
        return None

    # ---- the terminal's size -------------------------------------------------------------------------------

    def _receive_size(self, byte: int) -> None:
        self._size_answer.append(byte)
        del self._size_answer[:-_LONGEST_SIZE_ANSWER]
        answer = _SIZE_ANSWER.search(self._size_answer)
        if answer is None:
            return
        self._rows = int(answer.group(1))
        self._size_answer.clear()
        self._after_size.pop(0)()

    def _title(self) -> None:
        self._send(_HOME + LINE_END * max(self._rows - 1, 0))
        self._send(_GREEN_INVERSE + _TITLE + b"\x1b[0m" + PROMPT)

    # ---- commands ------------------------------------------------------------------------------------------

    def _command(self, line: str) -> Leave | Run | None:
        if line == "exit":
            self._send(_GREY + _CLEAR + _HOME + _YELLOW)
            return Leave()
        self._send(_GREY + _HOME + (_CLEAR_LINE + LINE_END) * max(self._rows - 1, 0))
        self._send(_HOME + LINE_END * 2)
        verb, _, rest = line.partition("|")
        with_argument = _PROGRAM_ARGUMENT.fullmatch(rest)
        if with_argument:
            return self._program_command(f"{verb}|{with_argument[1]}", with_argument[2], line)
        if line in {"list|commands", "list|help"}:
            self._after_size = [lambda: self._reply(self._list_commands())]
            self._send(_ASK_SIZE)
        elif line == "reset|start_on_boot_program":
            self._store.start_on_boot = None
            self._reply()
        else:
            body = self._plain_body(line)
            self._reply(_error("unrecognised device command: ", line) if body is None else body)
        return None

    def _program_command(self, command: str, name: str, line: str) -> Run | None:
        if command == "upload|program":
            self._begin_upload(name)
            return None
        body = b""
        exists = name in self._store
        missing = _error("unable to load program: ", name)
        match command:
            case "run|program":
                if exists:
                    self._send(_CLEAR + _HOME + _YELLOW)
                    return Run(name)
                body = missing
            case "delete|program":
                if not self._store.delete(name):
                    body = _error("failed to delete program, err=", 6)
            case "list|program_code":
                body = self._program_code(name) if exists else missing
            case "set|start_on_boot_program":
                if exists:
                    self._store.start_on_boot = name
                else:
                    body = missing
            case _:
                body = _error("unrecognised device command: ", line)
        self._reply(body)
        return None

    def _plain_body(self, command: str) -> bytes | None:
        bodies: dict[str, Callable[[], bytes]] = {
            "": lambda: b"",
            "list|clk_freq": lambda: f"{self._clock_mhz} Mhz".encode() + LINE_END,
            "list|program_count": self._count_programs,
            "list|programs": self._list_programs,
            "list|start_on_boot_program": self._start_on_boot,
            "list|timer_cfg": self._timers,
        }
        return bodies[command]() if command in bodies else self._memory_body(command)

    def _count_programs(self) -> bytes:
        return f"  Number of saved programs: {len(self._store.names)}".encode() + LINE_END

    def _start_on_boot(self) -> bytes:
        name = self._store.start_on_boot
        text = f"Start-on-boot program: {name}" if name else "No start-on-boot program configured."
        return text.encode("latin-1") + LINE_END

    def _timers(self) -> bytes:
        enabled = b"\t: " + _BLUE + b"enabled" + _GREY + LINE_END
        return b"General Timer\t" + enabled + b"Performance Timer" + enabled

    def _memory_body(self, command: str) -> bytes | None:
        kind, _, what = command.partition("|")
        if kind not in {"memory", "stack"} or what not in {"free", "total", "low_water_mark"}:
            return None
        if kind == "stack" and what == "free":
            return None
        if self._heap is None:
            return b"Memory trace disabled in firmware!" + LINE_END
        if kind == "stack":
            size = STACK_BYTES if what == "total" else _STACK_LOW_WATER_MARK
        else:
            heap = self._heap()
            used_units = {"free": heap.units_used, "low_water_mark": heap.units_peak, "total": 0}[what]
            size = HEAP_BYTES - used_units * _BYTES_PER_UNIT
        return f"{size} bytes".encode() + LINE_END

    def _list_commands(self) -> bytes:
        return b"".join(b"  " + command.encode() + LINE_END for command in COMMANDS)

    def _list_programs(self) -> bytes:
        return b"".join(
            _BLUE + f"  Program {number}.\t: ".encode() + _GREY + name.encode("latin-1") + LINE_END
            for number, name in enumerate(self._store.names, start=1)
        )

    def _program_code(self, name: str) -> bytes:
        """The program line by line; the board's line buffer ends the listing at a line it cannot hold."""
        text = self._store.text(name) or b""
        body = bytearray()
        for line in text.replace(b"\r", b"").removesuffix(b"\n").split(b"\n") if text else []:
            if len(line) > MAX_LINE_LENGTH:
                break
            body += line + LINE_END
        return bytes(body)

    def _reply(self, body: bytes = b"") -> None:
        self._send(body + PROMPT)

    # ---- upload --------------------------------------------------------------------------------------------

    def _begin_upload(self, name: str) -> None:
        if len(name) > MAX_NAME_LENGTH:
            self._reply(f"Program names are limited to {MAX_NAME_LENGTH} characters".encode() + LINE_END)
        elif name in self._store:
            self._overwriting = name
            self._send(b"Program already exists, overwrite? y/n (default: n): ")
        elif len(self._store.names) >= MAX_PROGRAMS:
            self._end_upload(Refusal.STORE_FULL)
        else:
            self._open_upload(name)

    def _answer_overwrite(self, name: str, byte: int) -> None:
        self._overwriting = None
        if byte != ord("y"):
            self._reply(LINE_END + b"Upload aborted!" + LINE_END)
            return
        self._store.delete(name)
        self._send(LINE_END + b"Overwriting, please proceed with upload.")
        self._open_upload(name)

    def _open_upload(self, name: str) -> None:
        self._store.create(name)
        self._upload = UploadDialogue(self._store, name)

    def _receive_upload(self, upload: UploadDialogue, byte: int) -> None:
        answer = upload.receive(byte)
        self._send(answer.reply)
        if answer.finished:
            self._end_upload(answer.refusal)

    def _end_upload(self, refusal: Refusal | None) -> None:
        self._upload = None
        failed = "failed to create new program entry, err="
        self._reply(b"" if refusal is None else _error(failed, int(refusal)))
