"""A board on an open port: one line at a time, listening to what runs, and the pace of the bytes."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Self, TypeVar

from ..errors import LuaError, ProtocolError
from ..protocol.repl.recovery import Recovery
from ..protocol.repl.session import ReplSession
from ..protocol.repl.state import ExecutionResult, ReplSettings
from ..protocol.repl.tokenizer import Line, PromptKind, command_body
from ..transport.base import Transport, hold
from ..transport.serial import SerialTransport

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from ..protocol.repl.execution import Execution

COMMAND_TIMEOUT_S = 10.0

TRIES = 10
"""How often an answer is asked for again when its line was damaged. With 20 % of lines damaged, one in 10^7 fails."""

_POLL_S = 0.1
_Answer = TypeVar("_Answer")


class BoardLines:
    """A board on an open port, one line at a time: at Lua's prompt, or in command mode.

    Args:
        transport: the port; closed with the board.

    Attributes:
        transport: the port.

    Raises:
        LuaError: a line that the driver needs has failed on the board; `BoardStoppedError` if its memory ran out.
        BoardTimeoutError: the board did not answer in time.
        BoardBusyError: the board runs something, or does not stop talking.
        BoardRebootedError: the board started anew.
        ProtocolError: what came was damaged more often than can be mended, or is no answer.
        UnpluggedError: the port has gone.
    """

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self._session = ReplSession(ReplSettings(byte_time_s=transport.byte_time_s))

    def close(self) -> None:
        """Give the port back. What runs on the board goes on."""
        self.transport.close()

    @property
    def last_bytes(self) -> bytes:
        """The last bytes that came from the board, for error messages."""
        return self._session.last_bytes

    def __enter__(self) -> Self:
        """Use it in a ``with`` statement."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Give the port back."""
        self.close()

    # ---- pacing ---------------------------------------------------------------------------------------------

    @property
    def tx_delay_s(self) -> float | None:
        """From the start of one byte to the start of the next; None where there is no wire to pace."""
        return self.transport.tx_delay_s if isinstance(self.transport, SerialTransport) else None

    def set_tx_delay(self, tx_delay_s: float) -> None:
        """Pace the bytes otherwise from now on. Does nothing where there is no wire.

        Args:
            tx_delay_s: seconds from the start of one byte to the start of the next, >= 0.

        Raises:
            ValueError: `tx_delay_s` is negative.
        """
        if not tx_delay_s >= 0:
            raise ValueError(f"tx_delay_s must be 0 or more seconds, not {tx_delay_s}")
        if isinstance(self.transport, SerialTransport):
            self.transport.tx_delay_s = tx_delay_s
            self._session.settings = dataclasses.replace(self._session.settings, byte_time_s=self.transport.byte_time_s)

    # ---- one line -------------------------------------------------------------------------------------------

    def _require_no_run(self) -> None:
        """Before a line is typed: nothing of this driver's may be going on.

        Raises:
            BoardBusyError: something is.
        """

    def _enter(self, mode: PromptKind) -> None:
        """Come to that prompt, whatever state the board is in; a program that runs is not disturbed."""
        self._require_no_run()
        session = self._session
        for _ in range(TRIES):
            if session.mode is mode:
                return
            if session.mode not in {PromptKind.LUA, PromptKind.COMMAND}:
                hold(Recovery(session, want=None), self.transport)
            else:
                line = "cmd" if mode is PromptKind.COMMAND else "exit"
                hold(session.execute(line, timeout_s=COMMAND_TIMEOUT_S, repeatable=True), self.transport)
        raise ProtocolError(
            f"the board did not come to its {mode} prompt.",
            state="changing the prompt",
            next_step="Reset the board, then try again.",
            last_bytes=session.last_bytes,
        )

    def _line(
        self,
        line: str,
        timeout_s: float,
        *,
        repeatable: bool = True,
        expect_reboot: bool = False,
        on_event: Callable[[Any], None] | None = None,
    ) -> ExecutionResult:
        """One line at the Lua prompt.

        Raises:
            LuaError: it failed.
        """
        self._enter(PromptKind.LUA)
        execution = self._session.execute(line, timeout_s=timeout_s, repeatable=repeatable, expect_reboot=expect_reboot)
        hold(execution, self.transport, on_event)
        result = execution.result
        assert result is not None
        if result.error is not None:
            result.error.state = result.error.state or f"running {line[:60]!r}"
            result.error.output = result.text
            raise result.error
        return result

    def _command_lines(self, line: str, timeout_s: float) -> list[Line]:
        self._enter(PromptKind.COMMAND)
        execution = self._session.execute(line, timeout_s=timeout_s, repeatable=True)
        hold(execution, self.transport)
        assert execution.result is not None
        return command_body(list(execution.result.lines))

    def _command(self, line: str) -> str:
        return "\n".join(one.text for one in self._command_lines(line, COMMAND_TIMEOUT_S))

    def _twice(self, ask: Callable[[], _Answer]) -> _Answer:
        """An answer that came twice: nothing else shows that a line without a CRC is undamaged."""
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
            last_bytes=self._session.last_bytes,
        )

    # ---- listening ------------------------------------------------------------------------------------------

    def _read_what_has_come(self) -> None:
        """Before anything is asked of a board: boot text that waited for somebody to open the port is no error.

        A prompt among it is not believed either: more may have happened since.
        """
        if self._session.in_step:
            return
        for _ in range(TRIES):
            data = self.transport.read(0.0)
            self._session.receive(data)
            if not data:
                break
        self._session.mode = None

    def _attach_to_output(self) -> Execution:
        """Listen, and see whether a line feed brings a prompt; while Lua runs it does nothing."""
        execution = self._session.attach(timeout_s=1e6)
        self.transport.write(b"\n")
        self._session.may_be_stray = True
        return execution

    def _listen(
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
                self.step(execution, end_s, on_event)
            except LuaError:
                # A former connection had left an unfinished statement; it is gone now.
                if self._session.mode is None:
                    raise
            if execution.done or self._session.mode in {PromptKind.LUA, PromptKind.COMMAND}:
                return True
        return False

    def step(self, execution: Execution, until_s: float, on_event: Callable[[object], None] | None) -> bool:
        """Let a conversation go on for a moment, at most until that time; whether bytes came.

        Args:
            execution: the conversation.
            until_s: when to come back, on the transport's clock.
            on_event: called with each event.

        Returns:
            Whether bytes came.
        """
        transport = self.transport
        out = execution.bytes_to_write(transport.now_s())
        if out:
            transport.write(out)
        now_s = transport.now_s()
        deadline_s = execution.next_deadline_s()
        wait_s = min(_POLL_S, until_s - now_s, _POLL_S if deadline_s is None else deadline_s - now_s)
        data = transport.read(max(wait_s, 0.0))
        for event in execution.receive(data, transport.now_s()):
            if on_event is not None:
                on_event(event)
        return bool(data)
