"""The frame of a conversation with the board: three calls, phases, timers. Bytes in, events out, given the time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import Enum
from typing import TYPE_CHECKING

from ...errors import Elm11Error

if TYPE_CHECKING:
    from .state import ExecutionResult, ReplState
    from .tokenizer import Event


class Phase(Enum):
    """What a conversation is at; the value is for messages."""

    SETTLE = "waiting for the board to pause"
    PROBE = "looking for the prompt"
    ERASE = "erasing a damaged line"
    TYPE = "typing a line"
    MISMATCH = "reading a damaged echo"
    CONFIRM = "making sure that the echo has ended"
    SUBMIT = "waiting for the echo of the line feed"
    RUN = "waiting for the prompt"
    EARLY = "waiting for the prompt after a line that was submitted by a damaged byte"
    LEAVE = "leaving an unfinished statement"
    DONE = "done"


class Conversation(ABC):
    """A line on its way, or what the board runs already; `Execution` is what there is of it.

    Give it bytes and the time with `receive`, also when there are no bytes and `next_deadline_s` has come;
    write what `bytes_to_write` gives; stop when `result` is not None.

    Args:
        session: what is known of the prompt.
        first: what it is at when it begins.
    """

    def __init__(self, session: ReplState, first: Phase) -> None:
        self.result: ExecutionResult | None = None
        self._session = session
        self._settings = session.settings
        self._phase = first
        self._begun = False
        self._failure: Elm11Error | None = None
        self._out = bytearray()
        self._timers: dict[str, float] = {}

    # -- the three calls ------------------------------------------------------------------------------------

    @property
    def done(self) -> bool:
        """Whether `result` is there."""
        return self.result is not None

    @property
    def state(self) -> str:
        """What is being done now, for messages."""
        return self._phase.value

    def receive(self, data: bytes, now_s: float) -> list[Event]:
        """Take bytes from the board (or none, when a deadline has come).

        Args:
            data: the next bytes of the stream.
            now_s: the time, in seconds from any fixed moment.

        Returns:
            The events of the running line: its output as it comes, and its prompt. What came before an error is given
            first; the error is raised by the next call.

        Raises:
            BoardTimeoutError: a deadline has passed, and neither typing again nor a line feed has helped.
            ProtocolError: bytes were damaged too often, or a part of a line that may not be repeated has run.
            BoardBusyError: the board does not stop talking.
            BoardRebootedError: it started anew.
            BoardStoppedError: it ran out of memory.
            LuaError: the line is an unfinished statement.
            Elm11Error: what the call before has put off.
        """
        self._raise_failure()
        if not self._begun:
            self._begin(now_s)
        events: list[Event] = []
        try:
            self._advance(data, now_s, events)
        except Elm11Error as error:
            if not events:
                raise
            self._failure = error
        return events

    def bytes_to_write(self, now_s: float) -> bytes:
        """What to write to the board now; each byte is given once.

        Args:
            now_s: the time, in seconds from any fixed moment.

        Raises:
            Elm11Error: as `Conversation.receive`.
        """
        self._raise_failure()
        if not self._begun:
            self._begin(now_s)
        out = bytes(self._out)
        self._out.clear()
        return out

    def next_deadline_s(self) -> float | None:
        """When `receive` is to be called at the latest; None when the line is done."""
        if self.result is not None:
            return None
        if self._failure is not None:
            return 0.0
        return min(self._timers.values(), default=None)

    # -- what a conversation does ---------------------------------------------------------------------------

    @abstractmethod
    def _begin(self, now_s: float) -> None:
        """Before the first byte."""

    @abstractmethod
    def _take(self, byte: bytes, now_s: float) -> list[Event]:
        """One byte; gives the events of the running line."""

    @abstractmethod
    def _hear(self, now_s: float) -> None:
        """Something came: what waits for a pause waits anew."""

    @abstractmethod
    def _deadline(self, timer: str, now_s: float) -> None:
        """A timer has run out."""

    # -- helpers --------------------------------------------------------------------------------------------

    def _raise_failure(self) -> None:
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure

    def _advance(self, data: bytes, now_s: float, events: list[Event]) -> None:
        """Take bytes and the time; events are added to `events`, also when it ends with an error."""
        session = self._session
        for place in range(len(data)):
            if self.result is not None:
                events += session.receive(data[place:])
                return
            try:
                events += self._take(data[place : place + 1], now_s)
            except Elm11Error as error:
                # The rest of what the board says belongs to this error, not to the next line.
                session.receive(data[place + 1 :])
                error.last_bytes = session.last_bytes
                raise
        if data and self.result is None:
            self._hear(now_s)
        for name in [name for name, time_s in self._timers.items() if now_s >= time_s]:
            if name in self._timers and self.result is None:
                del self._timers[name]
                self._deadline(name, now_s)

    def _write(self, data: bytes) -> None:
        self._out += data

    def _start(self, timer: str, seconds: float, now_s: float) -> None:
        self._timers[timer] = now_s + seconds + len(self._out) * self._settings.byte_time_s

    def _enter(self, phase: Phase, seconds: float, now_s: float) -> None:
        self._phase = phase
        self._timers.clear()
        self._start("phase", seconds, now_s)

    def _fail(self, kind: type[Elm11Error], what: str, next_step: str) -> Elm11Error:
        self._session.mode = None
        return kind(what, state=self.state, next_step=next_step, last_bytes=self._session.last_bytes)
