"""Running Lua code on a board, stopping it, and asking the board who it is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import BoardNotFoundError, BoardStoppedError, LuaError, ProtocolError
from ..protocol.program_text import code_lines
from ..protocol.repl.tokenizer import MAX_LINE, Line
from ..protocol.upload_plan import MAX_PROGRAM_BYTES
from ..transport.base import hold
from .console import COMMAND_TIMEOUT_S, TRIES, BoardLines

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..protocol.repl.state import ExecutionResult


EXECUTE_TIMEOUT_S = 10.0
_INTERRUPT_LISTEN_S = 2.0  # a prompt would have come: what has not given one by then is running
_CHECK_CODE = (
    'import("load")local c=elm11_code local function g()c.i=c.i+1 return c[c.i]end c.i=-1 c.f=load(g,"=stdin")'
    'if not c.f then c.i=0 c.f,c.e=load(g,"=stdin")end print(c.f and"ok"or"syntax "..c.e)'
)
_IDENTITY = "print(_VERSION,_sW,_fW,_hW,_cI)"
_IDENTITY_WORDS = 5
_CLOCK = re.compile(r"([0-9]+(?:\.[0-9]+)?) *[Mm][Hh]z")
_BYTES = re.compile(r"([0-9]+) bytes")


def plain_name(name: str) -> str:
    """A program's name, if it can stand between quotes.

    Args:
        name: of the program.

    Raises:
        ValueError: it cannot.
    """
    if not (name.isascii() and name.isprintable()) or '"' in name or "\\" in name:
        raise ValueError(f"name must be printable ASCII without quotes and backslashes, not {name!r}")
    return name


@dataclass(frozen=True)
class BoardInfo:
    """What a board says of itself.

    Attributes:
        port: the port it is on.
        lua_version: such as "Lua 5.4".
        software: `_sW`, the firmware's build.
        firmware: `_fW`, the overlay's version.
        hw_id: `_hW`, the hardware's identity.
        core: `_cI`, the core that Lua runs on.
        clock_mhz: its clock; None if it does not say.
        memory_free: bytes of free heap; None where the overlay does not count them.
    """

    port: str
    lua_version: str
    software: str
    firmware: str
    hw_id: str
    core: str
    clock_mhz: float | None
    memory_free: int | None


class BoardCode(BoardLines):
    """A board that runs Lua code, and tells who it is.

    Args:
        transport: the port; closed with the board.

    Raises:
        LuaError: a line that the driver needs has failed on the board; `BoardStoppedError` if its memory ran out.
        BoardTimeoutError: the board did not answer in time.
        BoardBusyError: the board runs something, or does not stop talking.
        BoardRebootedError: the board started anew.
        ProtocolError: what came was damaged more often than can be mended, or is no answer.
        UnpluggedError: the port has gone.
    """

    def type_line(self, line: str, timeout_s: float = EXECUTE_TIMEOUT_S) -> ExecutionResult:
        """Run one line and tell how it went; unlike `execute`, without asking why it printed nothing.

        Args:
            line: at most 254 printable ASCII characters; it may run twice if the wire is bad.
            timeout_s: longest time until the prompt is back.

        Returns:
            What the line printed, and how it ended.

        Raises:
            LuaError: it failed.
        """
        return self._line(line, timeout_s)

    def execute(
        self, lua: str, timeout_s: float = EXECUTE_TIMEOUT_S, *, on_line: Callable[[str], None] | None = None
    ) -> str:
        """Run Lua code at the prompt.

        A single line is typed, each piece compared with its echo before the line feed is sent. Longer code is given in
        pieces and run as one chunk. As at the prompt, the values of an expression are printed.

        Args:
            lua: the code, at most 24 575 bytes.
            timeout_s: longest time until the prompt is back.
            on_line: called with each line that the board prints, as it comes; those of an error, too.

        Returns:
            What it printed, lines separated by LF.

        Raises:
            LuaError: its syntax is wrong, or it failed; with Lua's message.
            BoardTimeoutError: it did not end in time. It goes on; `interrupt` stops it.
            BoardBusyError: a run of this board's is going on.
            ValueError: the code is longer.
        """
        code = lua.encode("utf-8")
        if len(code) > MAX_PROGRAM_BYTES:
            raise ValueError(
                f"lua must have at most {MAX_PROGRAM_BYTES} bytes, not {len(code)}: upload it as a program"
            )

        def note(event: object) -> None:
            if on_line is not None and isinstance(event, Line):
                on_line(event.text)

        line = lua.strip()
        if len(line) < MAX_LINE and line.isascii() and line.isprintable():
            result = self._line(line, timeout_s, repeatable=False, on_event=note)
            if not result.text:
                # A syntax error prints nothing, and neither does most code that is right.
                self._check_syntax(code)
            return result.text
        self._check_syntax(code, keep=True)
        try:
            text = self._line("return elm11_code.f()", timeout_s, on_event=note).text
        except BoardStoppedError:
            raise
        except LuaError:
            self._line("elm11_code=nil", EXECUTE_TIMEOUT_S)
            raise
        self._line("elm11_code=nil", EXECUTE_TIMEOUT_S)
        return text

    def run_program(self, name: str, timeout_s: float = EXECUTE_TIMEOUT_S) -> str:
        """Run a stored program.

        Args:
            name: its name.
            timeout_s: longest time until the prompt is back.

        Returns:
            What it printed, and the values it returned.

        Raises:
            LuaError: there is no such program, its syntax is wrong, or it failed.
            ValueError: the name has characters that a program's name cannot have.
        """
        return self._line(f'run_program("{plain_name(name)}")', timeout_s).text

    def interrupt(self) -> bool:
        """Stop what runs, with `q`.

        Returns:
            Whether something was running.

        Raises:
            BoardTimeoutError: it did not stop.
        """
        self._read_what_has_come()
        if self._session.mode is not None:
            return False
        if self._listen(self._attach_to_output(), _INTERRUPT_LISTEN_S):
            return False
        execution = self._attach_to_output()
        execution.interrupt(self.transport.now_s())
        hold(execution, self.transport)
        return True

    def reboot(self) -> None:
        """Start the board anew. Programs stay; what is in memory is lost.

        Raises:
            BoardTimeoutError: its prompt did not come back.
        """
        self._line("reboot()", COMMAND_TIMEOUT_S, expect_reboot=True)

    # ---- identity -------------------------------------------------------------------------------------------

    def identity(self) -> tuple[str, ...]:
        """`_VERSION`, `_sW`, `_fW`, `_hW`, `_cI` as text.

        Returns:
            Five texts.

        Raises:
            ProtocolError: the answer is none of an ELM11.
        """

        def ask() -> tuple[str, ...]:
            return tuple(self._line(_IDENTITY, EXECUTE_TIMEOUT_S).text.split("\t"))

        words = self._twice(ask)
        if len(words) != _IDENTITY_WORDS:
            raise ProtocolError(
                f"the board answered {words!r} when it was asked who it is.",
                state="asking for the board's identity",
                next_step="Is this an ELM11? See elm11 detect.",
            )
        return words

    def require_hw_id(self, hw_id: str) -> None:
        """Do nothing if this is the board with that hardware id.

        Args:
            hw_id: the hardware id wanted.

        Raises:
            BoardNotFoundError: it is another.
        """
        found = self.identity()[3]
        if found != hw_id:
            raise BoardNotFoundError(
                f"the board on {self.transport.name} has hardware id {found!r}, not {hw_id!r}.",
                port=self.transport.name,
                state="opening a board",
                next_step="See which boards there are: elm11 detect.",
            )

    def info(self) -> BoardInfo:
        """What the board says of itself."""
        lua_version, software, firmware, hw_id, core = self.identity()
        clock = _CLOCK.search(self._twice(lambda: self._command("list|clk_freq")))
        memory = _BYTES.search(self._twice(lambda: self._command("memory|free")))
        return BoardInfo(
            self.transport.name,
            lua_version,
            software,
            firmware,
            hw_id,
            core,
            float(clock[1]) if clock else None,
            int(memory[1]) if memory else None,
        )

    # ---- helpers --------------------------------------------------------------------------------------------

    def _check_syntax(self, code: bytes, *, keep: bool = False) -> None:
        """Have the board compile code.

        Raises:
            LuaError: its syntax is wrong.
        """
        for line in code_lines(code):
            self._line(line, EXECUTE_TIMEOUT_S)
        for _ in range(TRIES):
            answer = self._line(_CHECK_CODE, EXECUTE_TIMEOUT_S).text
            if answer == "ok":
                break
            if answer.startswith("syntax "):
                self._line("elm11_code=nil", EXECUTE_TIMEOUT_S)
                raise LuaError(answer.removeprefix("syntax "), state="compiling")
        if not keep:
            self._line("elm11_code=nil", EXECUTE_TIMEOUT_S)
