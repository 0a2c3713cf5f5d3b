"""A board in this process as a port: a virtual board, or a stand-in of the tests."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from .base import VIRTUAL
from .port_errors import translated

if TYPE_CHECKING:
    from collections.abc import Callable

    from .trace import Trace

_POLL_S = 0.01


class BoardInMemory(Protocol):
    """What a virtual board offers to its host."""

    def write(self, data: bytes, /) -> None:
        """Bytes from the host."""

    def read(self) -> bytes:
        """Bytes for the host that are there now; does not wait."""


class MemoryTransport:
    """A board in this process. At full speed: nothing is paced."""

    byte_time_s = 0.0

    def __init__(
        self,
        board: BoardInMemory,
        *,
        name: str = VIRTUAL,
        trace: Trace | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.name = name
        self.board = board
        self._trace = trace
        self._clock = clock
        self._sleep = sleep
        self._closed = False

    def now_s(self) -> float:
        """The time."""
        return self._clock()

    def write(self, data: bytes) -> None:
        """Give bytes to the board."""
        if self._trace is not None:
            self._trace.note("to_board", data)
        with translated(self.name):
            self.board.write(data)

    def read(self, timeout_s: float) -> bytes:
        """Bytes from the board; looks again and again until the time is over."""
        end_s = self._clock() + timeout_s
        pause_s = 0.0002
        while True:
            with translated(self.name):
                data = self.board.read()
            left_s = end_s - self._clock()
            if data or left_s <= 0:
                if data and self._trace is not None:
                    self._trace.note("from_board", data)
                return data
            self._sleep(min(pause_s, left_s))
            pause_s = min(pause_s * 2, 0.01)

    def close(self) -> None:
        """Close the board."""
        if not self._closed:
            self._closed = True
            close = getattr(self.board, "close", None)
            if close is not None:
                close()
            if self._trace is not None:
                self._trace.close()


class SkippingClock:
    """Real time, and on top of it the time for which nobody had to wait."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._skipped_s = 0.0

    def __call__(self) -> float:
        """The time, in seconds from any fixed moment."""
        return self._clock() + self._skipped_s

    def skip(self, seconds: float) -> None:
        """Let time pass at once."""
        self._skipped_s += seconds


class VirtualBoardInMemory(BoardInMemory, Protocol):
    """What `elm11_shim.VirtualBoard` offers beyond reading and writing."""

    def read(self, timeout_s: float = 0.0) -> bytes:
        """Bytes for the host; waits for the first one at most that long."""

    @property
    def running(self) -> bool:
        """Whether Lua runs."""

    @property
    def idle(self) -> bool:
        """Whether nothing happens until the host writes."""


class VirtualTransport(MemoryTransport):
    """A virtual board in this process. Where a real board's host waits for silence, time is skipped.

    Only Lua takes real time. A pause of the line (the fault ``stall``) takes none either, but is as long as it says on
    the clock that board and host share.
    """

    def __init__(
        self, board: VirtualBoardInMemory, clock: SkippingClock, *, name: str = VIRTUAL, trace: Trace | None = None
    ) -> None:
        super().__init__(board, name=name, trace=trace, clock=clock, sleep=clock.skip)
        self._virtual_board = board
        self._skipping_clock = clock

    def read(self, timeout_s: float) -> bytes:
        """Bytes from the board; waits only while Lua runs."""
        end_s = self._clock() + timeout_s
        board = self._virtual_board
        while True:
            with translated(self.name):
                left_s = end_s - self._clock()
                data = board.read(max(left_s, 0.0) if board.running else 0.0)
                if data or left_s <= 0:
                    if self._trace is not None:
                        self._trace.note("from_board", data)
                    return data
                if board.idle:
                    self._skipping_clock.skip(left_s)
                elif not board.running:
                    self._skipping_clock.skip(min(left_s, _POLL_S))
