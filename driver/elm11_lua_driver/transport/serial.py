"""A serial port, or one behind a network connection, through pyserial."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING, Any, Self

import serial

from ..protocol.wire import BAUD_RATE, DEFAULT_TX_DELAY_S, WIRE_BYTE_S
from .port_errors import translated

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from .trace import Trace

_POLL_S = 0.01
_MAX_READ = 65536
_WRITE_TIMEOUT_S = 5.0


class SerialTransport:
    """A port through pyserial.

    Args:
        url: the port's name, or a URL that pyserial knows.
        tx_delay_s: from the start of one byte to the start of the next; 0 for no pacing.
        exclusive: refuse a port that another program has locked, and lock it.
        low_latency: have the USB adapter hand over bytes at once, where the system can.
        trace: gets a copy of what crosses.
        clock: gives the time.
        sleep: waits.

    Raises:
        BoardNotFoundError: there is no such port.
        PortBusyError: another program has it.
        PortPermissionError: this user may not open it.
        PortError: the name is not one of a port.
        ValueError: `tx_delay_s` is negative.
    """

    def __init__(
        self,
        url: str,
        *,
        tx_delay_s: float = DEFAULT_TX_DELAY_S,
        exclusive: bool = True,
        low_latency: bool = True,
        trace: Trace | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if not tx_delay_s >= 0:
            raise ValueError(f"tx_delay_s must be 0 or more seconds, not {tx_delay_s}")
        self.name = url
        self.tx_delay_s = tx_delay_s
        self.trace = trace
        self._clock = clock
        self._sleep = sleep
        self._next_byte_s = clock()
        with translated(url, opening=True):
            # "exclusive" is for systems that have it: Windows opens no port twice anyway.
            options: dict[str, object] = {"exclusive": True} if exclusive and os.name == "posix" else {}
            self._port: Any = serial.serial_for_url(
                url, baudrate=BAUD_RATE, timeout=_POLL_S, write_timeout=_WRITE_TIMEOUT_S, **options
            )
        self.low_latency = low_latency and self._ask_for_low_latency()

    @property
    def byte_time_s(self) -> float:
        """How long one byte takes to leave, pacing included."""
        return max(self.tx_delay_s, WIRE_BYTE_S)

    def _ask_for_low_latency(self) -> bool:
        try:
            self._port.set_low_latency_mode(True)
        except (AttributeError, NotImplementedError, ValueError, OSError):
            return False  # an adapter or a system without it: answers take up to 16 ms longer
        return True

    def now_s(self) -> float:
        """The time."""
        return self._clock()

    def write(self, data: bytes) -> None:
        """Send bytes, each `tx_delay_s` after the one before, also across calls."""
        if self.trace is not None:
            self.trace.note("to_board", data)
        with translated(self.name):
            if not self.tx_delay_s:
                self._port.write(data)
                return
            for place in range(len(data)):
                wait_s = self._next_byte_s - self._clock()
                if wait_s > 0:
                    self._sleep(wait_s)
                # From a schedule, not from the last byte: a sleep that is too long does not add up.
                self._next_byte_s = max(self._next_byte_s, self._clock() - self.tx_delay_s) + self.tx_delay_s
                self._port.write(data[place : place + 1])

    def read(self, timeout_s: float) -> bytes:
        """Bytes that have come; waits for the first one at most this long."""
        # The port's own time-out stays what it is: changing it sets the port up again, over the network at worst.
        end_s = self._clock() + timeout_s
        data = b""
        with translated(self.name):
            while not data and not self._port.in_waiting:
                left_s = end_s - self._clock()
                if left_s <= 0:
                    return b""
                if left_s < _POLL_S:
                    self._sleep(left_s)
                else:
                    data = self._port.read(1)
            while len(data) < _MAX_READ and (waiting := self._port.in_waiting):
                data += self._port.read(waiting)
        if data and self.trace is not None:
            self.trace.note("from_board", data)
        return data

    def close(self) -> None:
        """Give the port back."""
        # A port that has gone may fail to close; its lock has gone with it.
        with contextlib.suppress(OSError):
            self._port.close()
        if self.trace is not None:
            self.trace.close()

    def __enter__(self) -> Self:
        """Use it in a ``with`` statement."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give the port back."""
        self.close()
