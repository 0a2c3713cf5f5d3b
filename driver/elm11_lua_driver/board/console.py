"""The prompt of a board on an open port: lines, code, interruption, identity, and the pace of the bytes."""

from __future__ import annotations

import dataclasses
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import BoardNotFoundError, BoardStoppedError, LuaError, ProtocolError
from ..protocol.program_text import code_lines
from ..protocol.repl.machine import Execution
from ..protocol.repl.recovery import Recovery
from ..protocol.repl.session import OVERHEAD_S, Deadline, ReplSession, ReplSettings
from ..protocol.repl.tokenizer import MAX_LINE, Line, PromptKind, command_body
from ..protocol.upload import MAX_PROGRAM_BYTES
from ..transport.base import ProtocolMachine, Transport, drive, step
from ..transport.serial import SerialTransport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..protocol.repl.session import ExecutionResult

COMMAND_TIMEOUT_S = 10.0
EXECUTE_TIMEOUT_S = 10.0

TRIES = 10
"""How often an answer is asked for again when its line was damaged. With 20 % of lines damaged, one in 10^7 fails."""

_CODE_LINE_S = 2.0  # to give one line of longer code, whose echo may be damaged several times
_INTERRUPT_LISTEN_S = 2.0  # a prompt would have come: what has not given one by then is running
_CHECK_CODE = (
    'import("load")local c=elm11_code local function g()c.i=c.i+1 return c[c.i]end c.i=-1 c.f=load(g,"=stdin")'
    'if not c.f then c.i=0 c.f,c.e=load(g,"=stdin")end print(c.f and"ok"or"syntax "..c.e)'
)
_IDENTITY = "print(_VERSION,_sW,_fW,_hW,_cI)"
_IDENTITY_WORDS = 5
_CLOCK = re.compile(r"([0-9]+(?:\.[0-9]+)?) *[Mm][Hh]z")
_BYTES = re.compile(r"([0-9]+) bytes")
_Answer = TypeVar("_Answer")


def plain_name(name: str) -> str:
    """A program's name, if it can stand between quotes."""
    if not (name.isascii() and name.isprintable()) or '"' in name or "\\" in name:
        raise ValueError(f"name must be printable ASCII without quotes and backslashes, not {name!r}")
    return name


@dataclasses.dataclass(frozen=True)
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


class Console:
    """The prompt of a board on an open port, whether Lua's or that of command mode.

    Attributes:
        transport: the port.
        session: what is known of the prompt.
        before_line: called before a line is typed; raises `BoardBusyError` when a run of this driver's is going on.

    Raises:
        LuaError: a line that the driver needs has failed on the board; `BoardStoppedError` if its memory ran out.
        BoardTimeoutError: the board did not answer in time.
        BoardBusyError: the board runs something, or does not stop talking.
        BoardRebootedError: the board restarted.
        ProtocolError: what came was damaged more often than can be mended, or is no answer.
        UnpluggedError: the port has gone.
    """

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.session = ReplSession(ReplSettings(byte_time_s=transport.byte_time_s))
        self.before_line: Callable[[], None] = lambda: None
        self._deadline: Deadline | None = None

    @property
    def last_bytes(self) -> bytes:
        """The last bytes that came from the board, for error messages."""
        return self.session.last_bytes

    def drive(self, machine: ProtocolMachine, on_event: Callable[[Any], None] | None = None) -> None:
        """Drive a protocol machine over the port to its end, or until the time of `within` is over."""
        drive(machine, self.transport, on_event, self._deadline)

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Limit all that is driven inside to that time and `OVERHEAD_S`, whatever the board sends.

        A limit inside another one cannot extend it.
        """
        outer = self._deadline
        deadline = Deadline(seconds + OVERHEAD_S, self.transport.now_s(), self.session)
        if outer is None or deadline.at_s < outer.at_s:
            self._deadline = deadline
        try:
            yield
        finally:
            self._deadline = outer

    # ---- pacing ---------------------------------------------------------------------------------------------

    @property
    def tx_delay_s(self) -> float | None:
        """From the start of one byte to the start of the next; None where there is no wire to pace."""
        return self.transport.tx_delay_s if isinstance(self.transport, SerialTransport) else None

    def set_tx_delay(self, tx_delay_s: float) -> None:
        """Pace the bytes otherwise from now on. Does nothing where there is no wire."""
        if not tx_delay_s >= 0:
            raise ValueError(f"tx_delay_s must be 0 or more seconds, not {tx_delay_s}")
        if isinstance(self.transport, SerialTransport):
            self.transport.tx_delay_s = tx_delay_s
            self.session.settings = dataclasses.replace(self.session.settings, byte_time_s=self.transport.byte_time_s)

    # ---- one line -------------------------------------------------------------------------------------------

    def enter(self, mode: PromptKind) -> None:
        """Come to that prompt, whatever state the board is in; a program that runs is not disturbed."""
        self.before_line()
        session = self.session
        with self.within(COMMAND_TIMEOUT_S):
            for _ in range(TRIES):
                if session.mode is mode:
                    return
                if session.mode not in {PromptKind.LUA, PromptKind.COMMAND}:
                    self.drive(Recovery(session, want=None))
                else:
                    line = "cmd" if mode is PromptKind.COMMAND else "exit"
                    self.drive(Execution(session, line, timeout_s=COMMAND_TIMEOUT_S, repeatable=True))
        raise ProtocolError(
            f"the board did not come to its {mode} prompt.",
            state="changing the prompt",
            next_step="Reset the board, then try again.",
            last_bytes=session.last_bytes,
        )

    def type_line(
        self,
        line: str,
        timeout_s: float = EXECUTE_TIMEOUT_S,
        *,
        repeatable: bool = True,
        expect_reboot: bool = False,
        on_event: Callable[[Any], None] | None = None,
    ) -> ExecutionResult:
        """Run one line at Lua's prompt; unlike `execute`, without asking why it printed nothing.

        Args:
            line: at most 254 printable ASCII characters.
            timeout_s: longest time until the prompt is back, seconds.
            repeatable: whether it may run twice if the wire is bad.
            expect_reboot: whether the line restarts the board.
            on_event: called with each event of the running line.
        """
        execution = Execution(
            self.session, line, timeout_s=timeout_s, repeatable=repeatable, expect_reboot=expect_reboot
        )
        with self.within(timeout_s + self._typing_s(line)):
            self.enter(PromptKind.LUA)
            self.drive(execution, on_event)
        result = execution.result
        assert result is not None
        if result.error is not None:
            result.error.state = result.error.state or f"running {line[:60]!r}"
            result.error.output = result.text
            raise result.error
        return result

    def command_lines(
        self, line: str, timeout_s: float = COMMAND_TIMEOUT_S, *, lists_program: bool = False
    ) -> list[Line]:
        """The lines that answer a command of command mode."""
        execution = Execution(self.session, line, timeout_s=timeout_s, repeatable=True, lists_program=lists_program)
        with self.within(timeout_s + self._typing_s(line)):
            self.enter(PromptKind.COMMAND)
            self.drive(execution)
        assert execution.result is not None
        return command_body(list(execution.result.lines))

    def _typing_s(self, line: str) -> float:
        settings = self.session.settings
        return 2 * len(line) * settings.byte_time_s * settings.attempts

    def command(self, line: str) -> str:
        """The answer to a command of command mode, as one text."""
        return "\n".join(one.text for one in self.command_lines(line))

    def agreed_answer(self, ask: Callable[[], _Answer]) -> _Answer:
        """The answer that came twice: nothing else shows that a line without a CRC is undamaged."""
        answers: list[_Answer] = []
        while len(answers) < TRIES:
            answer = ask()
            if answer in answers:
                return answer
            answers.append(answer)
        raise ProtocolError(
            f"{TRIES} answers of the board to one question all differ.",
            state="asking the board",
            next_step="Look at the cable, then try again.",
            last_bytes=self.session.last_bytes,
        )

    # ---- listening ------------------------------------------------------------------------------------------

    def read_what_has_come(self) -> None:
        """Before anything is asked of the board: boot text that waited for somebody to open the port is no error.

        A prompt among it is not believed either: more may have happened since.
        """
        if self.session.synchronised:
            return
        for _ in range(TRIES):
            data = self.transport.read(0.0)
            self.session.receive(data)
            if not data:
                break
        self.session.mode = None

    def attach_to_output(self) -> Execution:
        """Listen, and see whether a line feed brings a prompt; while Lua runs it does nothing."""
        execution = Execution(self.session, None, timeout_s=1e6)
        self.transport.write(b"\n")
        self.session.may_be_stray = True
        return execution

    def listen(
        self,
        execution: Execution,
        timeout_s: float,
        on_event: Callable[[object], None] | None = None,
        enough: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Whether a prompt came within that time, or before there was enough."""
        end_s = self.transport.now_s() + timeout_s
        while not enough() and self.transport.now_s() < end_s:
            try:
                step(execution, self.transport, on_event, end_s)
            except LuaError:
                # A former connection had left an unfinished statement; it is gone now.
                if self.session.mode is None:
                    raise
            if execution.done or self.session.mode in {PromptKind.LUA, PromptKind.COMMAND}:
                return True
        return False

    # ---- code -----------------------------------------------------------------------------------------------

    def execute(
        self, lua: str, timeout_s: float = EXECUTE_TIMEOUT_S, *, on_line: Callable[[str], None] | None = None
    ) -> str:
        """Run Lua code at the prompt.

        A single line is typed, each piece compared with its echo before the line feed is sent. Longer code is given in
        pieces and run as one chunk. As at the prompt, the values of an expression are printed.

        Args:
            lua: the code, at most 24 575 bytes.
            timeout_s: longest time until the prompt is back. Reaching the prompt and typing may take 10 s more, and 2 s
                for each 200 bytes of code; nothing that the board sends extends that.
            on_line: called with each line that the board prints, as it comes; those of an error, too.

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

        lines = 2 + sum(1 for _ in code_lines(code))
        with self.within(timeout_s + lines * _CODE_LINE_S):
            return self._execute(lua.strip(), code, timeout_s, note)

    def _execute(self, line: str, code: bytes, timeout_s: float, note: Callable[[object], None]) -> str:
        if len(line) < MAX_LINE and line.isascii() and line.isprintable():
            result = self.type_line(line, timeout_s, repeatable=False, on_event=note)
            if not result.text:
                # A syntax error prints nothing, and neither does most code that is right.
                self._check_syntax(code)
            return result.text
        self._check_syntax(code, keep=True)
        try:
            text = self.type_line("return elm11_code.f()", timeout_s, on_event=note).text
        except BoardStoppedError:
            raise
        except LuaError:
            self.type_line("elm11_code=nil")
            raise
        self.type_line("elm11_code=nil")
        return text

    def run_program(self, name: str, timeout_s: float = EXECUTE_TIMEOUT_S) -> str:
        """Run a stored program.

        Raises:
            LuaError: there is no such program, its syntax is wrong, or it failed.
            ValueError: the name has characters that a program's name cannot have.
        """
        return self.type_line(f'run_program("{plain_name(name)}")', timeout_s).text

    def interrupt(self) -> bool:
        """Stop what runs, with `q`."""
        self.read_what_has_come()
        if self.session.mode is not None:
            return False
        if self.listen(self.attach_to_output(), _INTERRUPT_LISTEN_S):
            return False
        execution = self.attach_to_output()
        execution.interrupt(self.transport.now_s())
        with self.within(0.0):
            self.drive(execution)
        return True

    def reboot(self) -> None:
        """Restart the board. Programs stay; what is in memory is lost."""
        self.type_line("reboot()", COMMAND_TIMEOUT_S, expect_reboot=True)

    # ---- identity -------------------------------------------------------------------------------------------

    def identity(self) -> tuple[str, ...]:
        """`_VERSION`, `_sW`, `_fW`, `_hW`, `_cI` as text."""

        def ask() -> tuple[str, ...]:
            return tuple(self.type_line(_IDENTITY).text.split("\t"))

        with self.within(EXECUTE_TIMEOUT_S):
            words = self.agreed_answer(ask)
        if len(words) != _IDENTITY_WORDS:
            raise ProtocolError(
                f"the board answered {words!r} when it was asked who it is.",
                state="asking for the board's identity",
                next_step="Is this an ELM11? See elm11 detect.",
            )
        return words

    def require_hw_id(self, hw_id: str) -> None:
        """Do nothing if this is the board with that hardware id.

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
        with self.within(COMMAND_TIMEOUT_S):
            clock = _CLOCK.search(self.agreed_answer(lambda: self.command("list|clk_freq")))
            memory = _BYTES.search(self.agreed_answer(lambda: self.command("memory|free")))
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

    def _check_syntax(self, code: bytes, *, keep: bool = False) -> None:
        """Have the board compile code."""
        for line in code_lines(code):
            self.type_line(line)
        for _ in range(TRIES):
            answer = self.type_line(_CHECK_CODE).text
            if answer == "ok":
                break
            if answer.startswith("syntax "):
                self.type_line("elm11_code=nil")
                raise LuaError(answer.removeprefix("syntax "), state="compiling")
        if not keep:
            self.type_line("elm11_code=nil")
