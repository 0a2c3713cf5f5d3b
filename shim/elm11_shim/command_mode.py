"""The board's command mode: three questions for the terminal's size, commands, redraws, uploads."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .line_editor import LINE_END, LineEditor
from .program_store import MAX_NAME_LENGTH, ProgramStore, StoreFullError
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
_LONGEST_SIZE_ANSWER = 16
_ROWS = re.compile(rb"\[(\d{1,4})")
_ROWS_FOR_A_LISTING = 20
_LONGEST_LISTED_LINE = 255
_EXPAND = (
    _RED
    + b"Error: expand console height to minimum "
    + _GREY
    + f"{_ROWS_FOR_A_LISTING} rows to view program code.".encode()
    + LINE_END
)
_NO_SLOT = b"Error, no available memory locations for new program\n\rError, failed to create new program entry\n\r"
_PROGRAM_ARGUMENT = re.compile(r'(\w+)\("(.*)"\)')
COMMANDS = (
    "delete|all_programs",
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
        remember: Callable[[bytes], None],
    ) -> None:
        """Enter, with the first of the three questions.

        Args:
            send: takes bytes for the host.
            store: the programs.
            heap: gives figures of the heap; None where the overlay has no memory trace.
            clock_mhz: what ``list|clk_freq`` says.
            remember: called with each command: the board keeps what was typed on Lua's heap.
        """
        self._send = send
        self._store = store
        self._heap = heap
        self._clock_mhz = clock_mhz
        self._remember = remember
        self._rows = 1
        self._editor = LineEditor(separator_echo=_GREY + b"|" + _CYAN)
        self._size_answer = bytearray()
        # What is to be done with each answer that is still to come.
        self._after_size: list[Callable[[], None]] = []
        # What is to be done with the one byte that answers a question.
        self._after_byte: Callable[[int], None] | None = None
        self._upload: UploadDialogue | None = None
        self._begin(PROMPT)

    def receive(self, byte: int) -> Leave | Run | None:
        """Take one byte from the host; says so when command mode is over.

        Args:
            byte: 0 to 255.

        Returns:
            How command mode ends, if it does; None while it goes on.
        """
        if self._after_size:
            self._receive_size(byte)
        elif self._after_byte is not None:
            answered, self._after_byte = self._after_byte, None
            answered(byte)
        elif self._upload is not None:
            self._receive_upload(self._upload, byte)
        else:
            typed = self._editor.type(byte)
            self._send(typed.echo)
            if typed.line is not None:
                return self._command(typed.line.decode("ascii"))
        return None

    # ---- the terminal's size -------------------------------------------------------------------------------

    def _begin(self, prompt: bytes) -> None:
        """Enter command mode: three questions, then the title."""
        self._after_size = [
            lambda: self._send(_CLEAR + _ASK_SIZE),
            lambda: self._send(_ASK_SIZE),
            lambda: self._title(prompt),
        ]
        self._send(_ASK_SIZE)

    def _receive_size(self, byte: int) -> None:
        """Anything up to an R is taken for an answer. What a mangled one says of the rows is a guess here."""
        self._size_answer.append(byte)
        if byte != ord("R") and len(self._size_answer) < _LONGEST_SIZE_ANSWER:
            return
        rows = _ROWS.search(self._size_answer)
        self._rows = int(rows[1]) if rows else 0
        self._size_answer.clear()
        self._after_size.pop(0)()

    def _title(self, prompt: bytes) -> None:
        self._send(_HOME + LINE_END * max(self._rows - 1, 0))
        self._send(_GREEN_INVERSE + _TITLE + b"\x1b[0m" + prompt)

    # ---- commands ------------------------------------------------------------------------------------------

    def _command(self, line: str) -> Leave | Run | None:
        if line:
            self._remember(line.encode("ascii"))
        if line == "exit":
            self._send(_GREY + _CLEAR + _HOME + _YELLOW)
            return Leave()
        self._send(_GREY)
        self._redraw()
        verb, _, rest = line.partition("|")
        with_argument = _PROGRAM_ARGUMENT.fullmatch(rest)
        if with_argument:
            return self._program_command(f"{verb}|{with_argument[1]}", with_argument[2], line)
        if line in {"list|commands", "list|help"}:
            self._after_size = [self._list_commands]
            self._send(_ASK_SIZE)
        elif line == "delete|all_programs":
            self._after_byte = self._answer_delete_all
            self._send(b"Delete all programs, are you sure? y/n (default: n): ")
        elif line == "reset|start_on_boot_program":
            self._store.start_on_boot = None
            self._reply()
        else:
            body = self._plain_body(line)
            self._reply(_error("unrecognised device command: ", line) if body is None else body)
        return None

    def _redraw(self) -> None:
        self._send(_HOME + (_CLEAR_LINE + LINE_END) * max(self._rows - 1, 0) + _HOME + LINE_END * 2)

    def _answer_delete_all(self, byte: int) -> None:
        if byte != ord("y"):
            self._reply(LINE_END + b"Delete aborted!")
            return
        self._store.delete_all()
        self._reply(LINE_END + b"Deleting all programs" + b"." * 20 + b"done!" + LINE_END)

    def _program_command(self, command: str, name: str, line: str) -> Run | None:
        if command == "upload|program":
            self._begin_upload(name)
            return None
        body = b""
        exists = name in self._store
        match command:
            case "run|program":
                if self._store.text(name) is not None:
                    self._send(_CLEAR + _HOME + _YELLOW)
                    return Run(name)
                body = _error("unable to load program: ", name)
            case "delete|program":
                if not self._store.delete(name):
                    body = _error("failed to delete program, err=", 6)
            case "list|program_code":
                if exists:
                    self._after_size = [lambda: self._program_code(name)]
                    self._send(_ASK_SIZE)
                    return None
                body = _error("failed to print program, err=", 1)
            case "set|start_on_boot_program":
                if exists:
                    self._store.start_on_boot = name
                else:
                    body = _error("failed to set program to start on boot, err=", 2)
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
        return f"  Number of saved programs: {self._store.n_uploads}".encode() + LINE_END

    def _start_on_boot(self) -> bytes:
        return (self._store.start_on_boot_text or b"No start-on-boot program configured.") + LINE_END

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

    def _list_commands(self) -> None:
        if self._rows < _ROWS_FOR_A_LISTING:
            self._send(_EXPAND + _CLEAR + _HOME)
            self._redraw()
            self._reply()
        else:
            self._reply(b"".join(b"  " + command.encode() + LINE_END for command in COMMANDS))

    def _list_programs(self) -> bytes:
        lines = bytearray()
        for number, name in enumerate(self._store.listed, start=1):
            lines += _BLUE + f"  Program {number}.\t: ".encode() + _GREY + name
            if name == (self._store.start_on_boot or "").encode("latin-1"):
                lines += b"\t\t<- start on boot"
            lines += LINE_END
        return bytes(lines)

    def _program_code(self, name: str) -> None:
        """The program line by line, to the first line that the board's buffer cannot hold; then a new beginning."""
        if self._rows < _ROWS_FOR_A_LISTING:
            self._send(_EXPAND)
        else:
            body = bytearray((_CLEAR + _HOME + _GREY) * 2 + LINE_END * 2)
            content = self._store.content(name) or b""
            for line in re.findall(rb"[^\n]*\n|[^\n]+", content.partition(b"\0")[0]):
                shown = line.removesuffix(b"\n")
                if len(shown) > _LONGEST_LISTED_LINE:
                    break
                body += _GREY + b"  " + shown + LINE_END
            self._send(bytes(body) + _GREY)
        self._begin(_HOME + PROMPT)

    def _reply(self, body: bytes = b"") -> None:
        self._send(body + PROMPT)

    # ---- upload --------------------------------------------------------------------------------------------

    def _begin_upload(self, name: str) -> None:
        if len(name) > MAX_NAME_LENGTH:
            self._reply(f"Program names are limited to {MAX_NAME_LENGTH} characters".encode() + LINE_END)
        elif name in self._store:
            self._after_byte = lambda byte: self._answer_overwrite(name, byte)
            self._send(b"Program already exists, overwrite? y/n (default: n): ")
        else:
            self._open_upload(name)

    def _answer_overwrite(self, name: str, byte: int) -> None:
        if byte != ord("y"):
            self._reply(LINE_END + b"Upload aborted!" + LINE_END)
            return
        # The old program goes first, even where the new one will find no slot.
        self._store.delete(name)
        self._send(LINE_END + b"Overwriting, please proceed with upload.")
        self._open_upload(name)

    def _open_upload(self, name: str) -> None:
        try:
            self._store.create(name)
        except StoreFullError:
            self._send(_NO_SLOT)
            self._end_upload(Refusal.NO_SLOT)
            return
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
