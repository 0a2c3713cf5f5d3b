"""Bytes through a port: pyserial, a virtual board in memory, or a trace that is played back.

A `Transport` is all that the driver knows of a port. `open_transport` makes one from a port's name:

======================================  ========================================================================
name                                    what it is
======================================  ========================================================================
``/dev/ttyUSB1``, ``COM4``              a serial port
``socket://host:7000``                  a port behind a TCP connection
``rfc2217://host:7000``                 a port behind a TCP connection that also carries its settings
``spy:///dev/ttyUSB1?file=trace.txt``   a serial port, with pyserial's own log
``virtual://``                          a virtual board in this process (``virtual://?seed=1&lua=emblua``)
======================================  ========================================================================

pyserial's errors are translated here, once, into errors that say what to do next.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import json
import logging
import os
import re
import sys
import time
import warnings
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, Protocol, Self
from urllib.parse import parse_qsl, urlsplit

import serial

from elm11_lua_driver.errors import (
    BoardNotFoundError,
    BoardTimeoutError,
    Elm11Error,
    PortBusyError,
    PortError,
    PortPermissionError,
    ProtocolError,
    UnpluggedError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType

_log = logging.getLogger(__name__)

BAUD_RATE = 115_200
WIRE_BYTE_S = 10 / BAUD_RATE
"""One byte on the wire: start bit, eight bits, stop bit."""

DEFAULT_TX_DELAY_S = 0.001
"""From the start of one byte to the start of the next: what the vendor's tools use."""

VIRTUAL = "virtual://"
_SLICE_S = 0.1  # a wait is cut into slices, so that Ctrl-C is heard on Windows too
_POLL_S = 0.01
_MAX_READ = 65536
_WRITE_TIMEOUT_S = 5.0


class Transport(Protocol):
    """A port that is open."""

    @property
    def name(self) -> str:
        """The port's name, as the user knows it."""

    @property
    def byte_time_s(self) -> float:
        """How long one byte takes to leave, pacing included."""

    def now_s(self) -> float:
        """The time, in seconds from any fixed moment."""

    def write(self, data: bytes) -> None:
        """Send bytes, paced.

        Args:
            data: any bytes.
        """

    def read(self, timeout_s: float) -> bytes:
        """Bytes that have come; waits for the first one at most this long. Empty when none came.

        Args:
            timeout_s: longest wait for the first byte, seconds.
        """

    def close(self) -> None:
        """Give the port back. May be called twice."""


class Dialogue(Protocol):
    """A machine that bytes and time drive, such as `repl.Execution` and `upload.Upload`."""

    @property
    def done(self) -> bool:
        """Whether it has come to its end."""

    def receive(self, data: bytes, now_s: float) -> Iterable[object]:
        """Take bytes, or none when a deadline has come; give events.

        Args:
            data: bytes, in pieces of any length; empty when only time has passed.
            now_s: the time on the caller's clock.

        Returns:
            What happened, in order.
        """

    def bytes_to_write(self, now_s: float) -> bytes:
        """What to write now.

        Args:
            now_s: the time, in seconds from any fixed moment.
        """

    def next_deadline_s(self) -> float | None:
        """When `receive` is to be called at the latest."""


def hold(dialogue: Dialogue, transport: Transport, on_event: Callable[[Any], None] | None = None) -> None:
    """Lead a dialogue over a transport to its end.

    Args:
        dialogue: the machine; its errors pass through.
        transport: the port.
        on_event: called with each event as it comes.

    Raises:
        Elm11Error: the dialogue failed, or the port did.
    """
    while not dialogue.done:
        out = dialogue.bytes_to_write(transport.now_s())
        if out:
            transport.write(out)
        deadline_s = dialogue.next_deadline_s()
        now_s = transport.now_s()
        # A machine that waits has a deadline; should one not, it is looked at again after a slice.
        wait_s = _SLICE_S if deadline_s is None else min(max(deadline_s - now_s, 0.0), _SLICE_S)
        data = transport.read(wait_s)
        for event in dialogue.receive(data, transport.now_s()):
            if on_event is not None:
                on_event(event)


# ---- byte trace ---------------------------------------------------------------------------------------------

Direction = Literal["to_board", "from_board"]
_DIRECTIONS: dict[str, Direction] = {"to_board": "to_board", "from_board": "from_board"}


@dataclass(frozen=True)
class TraceEntry:
    """Some bytes that crossed the port together.

    Args:
        time_s: when, in seconds since the trace began.
        direction: which way.
        data: the bytes.
    """

    time_s: float
    direction: Direction
    data: bytes

    def to_json(self) -> str:
        """One JSON object; bytes are characters of the same number, so that text stays readable."""
        text = self.data.decode("latin-1")
        return json.dumps({"time_s": round(self.time_s, 6), "direction": self.direction, "bytes": text})


class Trace:
    """Writes what crosses a port to a file, one JSON object per line, as it happens.

    A file that cannot be written, or a disk that is full, ends the trace with one warning: what is traced goes on.

    Args:
        path: the file; it is made anew.
        clock: gives the time.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._start_s = clock()
        self._file: IO[str] | None = None
        try:
            self._file = path.open("w", encoding="ascii", newline="\n")
        except OSError as error:
            self._give_up(error)

    def note(self, direction: Direction, data: bytes) -> None:
        """Write one line, at once: a trace is for the time when something dies.

        Args:
            direction: who sent them.
            data: the bytes.
        """
        if not data or self._file is None:
            return
        entry = TraceEntry(self._clock() - self._start_s, direction, data)
        try:
            self._file.write(entry.to_json() + "\n")
            self._file.flush()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self.close()
        warnings.warn(
            f"the byte trace {self._path} ends here: {error.strerror or error}; everything else goes on.", stacklevel=4
        )

    def close(self) -> None:
        """Close the file. May be called twice."""
        file, self._file = self._file, None
        if file is not None:
            # What a full disk did not take fails once more.
            with contextlib.suppress(OSError):
                file.close()


def read_trace(path: Path) -> list[TraceEntry]:
    """Read what a `Trace` has written. A last line without its end, as a full disk leaves it, is left out.

    Args:
        path: the file.

    Returns:
        Its entries, in order.

    Raises:
        ProtocolError: a line is not one of a trace; the error names it.
    """
    entries = []
    text = path.read_text(encoding="ascii", errors="replace")
    for number, line in enumerate(text[: text.rfind("\n") + 1].splitlines(), start=1):
        try:
            fields = json.loads(line)
            direction = _DIRECTIONS[fields["direction"]]
            entries.append(TraceEntry(float(fields["time_s"]), direction, fields["bytes"].encode("latin-1")))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ProtocolError(
                f"line {number} of {path} is not part of a byte trace: {line[:60]!r}.", state="reading a trace"
            ) from error
    return entries


class ReplayTransport:
    """Plays a trace back: gives the board's bytes, and insists on the host's. Its time is that of the trace.

    Args:
        entries: what crossed the port.
    """

    name = "replay://"
    byte_time_s = 0.0

    def __init__(self, entries: Iterable[TraceEntry]) -> None:
        self._entries = deque(entry for entry in entries if entry.data)
        self._now_s = 0.0

    def now_s(self) -> float:
        """The time of the last entry, or of the wait after it."""
        return self._now_s

    @property
    def finished(self) -> bool:
        """Whether all of the trace has been played."""
        return not self._entries

    def write(self, data: bytes) -> None:
        """Take the host's bytes.

        Args:
            data: any bytes.

        Raises:
            ProtocolError: they are not those of the trace.
        """
        while data:
            place = next((n for n, entry in enumerate(self._entries) if entry.direction == "to_board"), None)
            expected = b"" if place is None else self._entries[place].data
            n_same = min(len(data), len(expected))
            if place is None or data[:n_same] != expected[:n_same]:
                raise ProtocolError(
                    f"the host wrote {data[:60]!r}, but the trace goes on with {expected[:60]!r}.",
                    state="playing a trace back",
                    next_step="The driver no longer speaks as it did when the trace was written.",
                )
            self._now_s = max(self._now_s, self._entries[place].time_s)
            if n_same == len(expected):
                del self._entries[place]
            else:
                rest = self._entries[place]
                self._entries[place] = TraceEntry(rest.time_s, rest.direction, expected[n_same:])
            data = data[n_same:]

    def read(self, timeout_s: float) -> bytes:
        """What the board sent before the host's next bytes, if that was within the time.

        Args:
            timeout_s: longest wait, seconds.
        """
        if (
            self._entries
            and self._entries[0].direction == "from_board"
            and self._entries[0].time_s <= self._now_s + timeout_s
        ):
            entry = self._entries.popleft()
            self._now_s = max(self._now_s, entry.time_s)
            return entry.data
        self._now_s += timeout_s
        return b""

    def close(self) -> None:
        """Nothing to give back."""


# ---- a virtual board in memory ------------------------------------------------------------------------------


class BoardInMemory(Protocol):
    """What a virtual board offers to its host."""

    def write(self, data: bytes, /) -> None:
        """Bytes from the host.

        Args:
            data: any bytes.
        """

    def read(self) -> bytes:
        """Bytes for the host that are there now; does not wait."""


class MemoryTransport:
    """A board in this process. At full speed: nothing is paced.

    Args:
        board: the board; closed with the transport if it can be.
        name: the port's name.
        trace: gets a copy of what crosses.
        clock: gives the time.
        sleep: waits.
    """

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
        """Give bytes to the board.

        Args:
            data: any bytes.
        """
        if self._trace is not None:
            self._trace.note("to_board", data)
        with _translated(self.name):
            self.board.write(data)

    def read(self, timeout_s: float) -> bytes:
        """Bytes from the board; looks again and again until the time is over.

        Args:
            timeout_s: longest wait, seconds.

        Returns:
            What has come; empty when the time is over.
        """
        end_s = self._clock() + timeout_s
        pause_s = 0.0002
        while True:
            with _translated(self.name):
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
    """Real time, and on top of it the time for which nobody had to wait.

    Args:
        clock: gives real time.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._skipped_s = 0.0

    def __call__(self) -> float:
        """The time, in seconds from any fixed moment."""
        return self._clock() + self._skipped_s

    def skip(self, seconds: float) -> None:
        """Let time pass at once.

        Args:
            seconds: how much time, >= 0.
        """
        self._skipped_s += seconds


class VirtualBoardInMemory(BoardInMemory, Protocol):
    """What `elm11_shim.VirtualBoard` offers beyond reading and writing."""

    def read(self, timeout_s: float = 0.0) -> bytes:
        """Bytes for the host; waits for the first one at most that long.

        Args:
            timeout_s: longest wait, seconds.
        """

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

    Args:
        board: the virtual board.
        clock: the clock that the board was given.
        name: the port's name.
        trace: gets a copy of what crosses.
    """

    def __init__(
        self, board: VirtualBoardInMemory, clock: SkippingClock, *, name: str = VIRTUAL, trace: Trace | None = None
    ) -> None:
        super().__init__(board, name=name, trace=trace, clock=clock, sleep=clock.skip)
        self._virtual_board = board
        self._skipping_clock = clock

    def read(self, timeout_s: float) -> bytes:
        """Bytes from the board; waits only while Lua runs.

        Args:
            timeout_s: longest wait, seconds.

        Returns:
            What has come; empty when the time is over.
        """
        end_s = self._clock() + timeout_s
        board = self._virtual_board
        while True:
            with _translated(self.name):
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


# ---- pyserial -----------------------------------------------------------------------------------------------


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
        with _translated(url, opening=True):
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
        """Send bytes, each `tx_delay_s` after the one before, also across calls.

        Args:
            data: any bytes.

        Raises:
            UnpluggedError: the port has gone.
            BoardTimeoutError: the system takes no more bytes.
        """
        if self.trace is not None:
            self.trace.note("to_board", data)
        with _translated(self.name):
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
        """Bytes that have come; waits for the first one at most this long.

        Args:
            timeout_s: longest wait, seconds.

        Raises:
            UnpluggedError: the port has gone.
        """
        # The port's own time-out stays what it is: changing it sets the port up anew, over the network at worst.
        end_s = self._clock() + timeout_s
        data = b""
        with _translated(self.name):
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


def open_transport(port: str, *, tx_delay_s: float = DEFAULT_TX_DELAY_S, trace_path: Path | None = None) -> Transport:
    """Open a port by its name; see the top of this module.

    Args:
        port: the name.
        tx_delay_s: from the start of one byte to the start of the next (not for ``virtual://``).
        trace_path: a file for a byte trace, or None.

    Returns:
        The port, open; the caller closes it.

    Raises:
        Elm11Error: as `SerialTransport`.
    """
    if port.startswith(VIRTUAL):
        clock = SkippingClock()
        board = _virtual_board(port, clock)
        _log.info("switched a virtual board on: %s", port)
        return VirtualTransport(board, clock, name=port, trace=Trace(trace_path) if trace_path else None)
    transport = SerialTransport(port, tx_delay_s=tx_delay_s)
    _log.info(
        "opened %s, %g ms from byte to byte, low latency %s",
        port,
        1000 * tx_delay_s,
        "set" if transport.low_latency else "not available",
    )
    transport.trace = Trace(trace_path) if trace_path else None
    return transport


def _virtual_board(port: str, clock: Callable[[], float]) -> VirtualBoardInMemory:
    """The board that ``virtual://`` names, with the options ``lua``, ``store``, ``faults``, ``seed``."""
    query = port.removeprefix(VIRTUAL)
    options: dict[str, Any] = dict(parse_qsl(query.removeprefix("?"), keep_blank_values=True))
    try:
        if "seed" in options:
            options["seed"] = int(options["seed"])
        if "store" in options:
            options["store"] = Path(options["store"])
        if not query.startswith("?") and query:
            raise ValueError(f"{query!r} is not a list of options")  # noqa: TRY301  # translated with the others
        # The virtual board brings a Lua engine; nobody else needs it.
        board: VirtualBoardInMemory = importlib.import_module("elm11_shim").VirtualBoard(clock=clock, **options)
    except (ValueError, TypeError, KeyError, RuntimeError, OSError) as error:
        # RuntimeError is emblua that is not built, OSError a store that cannot be read or written.
        raise PortError(
            f"{port} is not a virtual board: {error}.",
            port=port,
            state=f"opening {port}",
            next_step="Options follow a question mark: virtual://?lua=emblua&store=flash.json&faults=...&seed=1",
        ) from error
    return board


# ---- errors of the system, translated -----------------------------------------------------------------------

_BUSY_TEXT = re.compile(r"exclusively lock|resource busy|access is denied|in use", re.IGNORECASE)
_MISSING_TEXT = re.compile(
    r"no such file|cannot find|FileNotFound|refused|not known|unreachable|timed out", re.IGNORECASE
)


class _translated:  # noqa: N801  # reads as a word: with _translated(port):
    """Turns the errors of pyserial and of the system into ours."""

    def __init__(self, port: str, *, opening: bool = False) -> None:
        self._port = port
        self._opening = opening

    def __enter__(self) -> None:
        """Nothing to do."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Translate.

        Raises:
            Elm11Error: instead of the error.
        """
        if not isinstance(error, (OSError, ValueError)) or isinstance(error, Elm11Error):
            return
        translated = opening_error(self._port, error) if self._opening else using_error(self._port, error)
        raise translated from error


_NO_PORT_TEXT = re.compile(r"inappropriate ioctl|is a directory", re.IGNORECASE)
_NETWORK = ("socket://", "rfc2217://")


def _has_address(url: str) -> bool:
    """Whether a URL has a host and a port number."""
    try:
        parts = urlsplit(url)
        return bool(parts.hostname and parts.port)
    except ValueError:  # the port number is too large, or none
        return False


def opening_error(port: str, error: OSError | ValueError) -> Elm11Error:
    """The error for a port that cannot be opened.

    Args:
        port: the port's name.
        error: what pyserial or the system said.
    """
    number = getattr(error, "errno", None)
    text = str(error)
    state = f"opening {port}"
    if number in {errno.EBUSY, errno.EAGAIN, errno.EWOULDBLOCK} or _BUSY_TEXT.search(text):
        holders = port_holders(port)
        who = f" by {', '.join(holders)}" if holders else ""
        return PortBusyError(
            f"port {port} is in use{who}.",
            port=port,
            holders=holders,
            state=state,
            next_step="Close that program."
            if holders
            else "Close the program that uses it (a terminal? another elm11?).",
        )
    if number in {errno.EACCES, errno.EPERM}:
        return _permission_error(port, state)
    if number in {errno.ENOENT, errno.ENODEV, errno.ENXIO} or _MISSING_TEXT.search(text):
        return BoardNotFoundError(f"there is no port {port}.", port=port, state=state, next_step=_missing_hint(port))
    if _NO_PORT_TEXT.search(text):
        text = "it is not a serial port"
    if port.startswith(_NETWORK) and not _has_address(port):
        return PortError(
            f"port {port} names no host and port number.",
            port=port,
            state=state,
            next_step="Write it as socket://HOST:PORT, such as socket://127.0.0.1:7000.",
        )
    return PortError(
        f"port {port} cannot be opened: {text}.",
        port=port,
        state=state,
        next_step="See which ports there are: elm11 detect.",
    )


def using_error(port: str, error: OSError | ValueError) -> Elm11Error:
    """The error for a port that fails while it is in use.

    Args:
        port: the port's name.
        error: what pyserial or the system said.
    """
    state = f"using {port}"
    if isinstance(error, serial.SerialTimeoutException):
        return BoardTimeoutError(
            f"port {port} takes no more bytes.",
            state=state,
            next_step="Unplug the board and plug it in again.",
        )
    # Whatever else a port says while it is open, it can no longer be used.
    return UnpluggedError(
        f"port {port} has gone ({error}).",
        port=port,
        state=state,
        next_step="Plug the board in again. A program that was running may go on; attach to it: elm11 attach.",
    )


def _permission_error(port: str, state: str) -> PortPermissionError:
    group = _group_of(Path(port))
    if group and group != "root":
        step = f"Join the group {group}: sudo usermod -aG {group} $USER, then log out and in again."
        what = f"you may not open port {port}: it belongs to group {group}, and you are not in it."
    else:
        step = "Ask whoever runs this computer for access to the port, or add a udev rule for it."
        what = f"you may not open port {port}."
    return PortPermissionError(what, port=port, group=group, state=state, next_step=step)


def _group_of(path: Path) -> str:
    try:
        return path.group()
    except (OSError, KeyError, NotImplementedError, AttributeError):
        return ""  # Windows, or a group without a name


def _missing_hint(port: str) -> str:
    if "://" in port and not port.startswith("spy://"):
        return "Check host and port number, and that the server is running (elm11 virtual --tcp PORT makes one)."
    hint = "Plug the board in, with a cable that carries data; see which ports there are: elm11 detect."
    if sys.platform == "win32":
        return hint + " If none appears, install FTDI's driver (VCP)."
    if sys.platform.startswith("linux"):
        return hint + " If none appears, load the driver: sudo modprobe ftdi_sio."
    return hint


def port_holders(port: str, proc: Path = Path("/proc")) -> tuple[str, ...]:
    """The programs that have a port open, as ``"picocom (process 4711)"``; empty where the system does not tell.

    Args:
        port: the port's name.
        proc: where the system lists its processes (Linux).

    Returns:
        One text per program.
    """
    try:
        wanted = Path(port).resolve()
    except OSError:
        return ()
    holders = []
    for process in _processes(proc):
        try:
            is_open = any(handle.resolve() == wanted for handle in (process / "fd").iterdir())
        except OSError:
            continue  # another user's process, or one that has just ended
        if is_open:
            try:
                name = (process / "comm").read_text(encoding="utf-8", errors="replace").strip()
            except OSError:
                name = "a program"
            holders.append(f"{name} (process {process.name})")
    return tuple(holders)


def _processes(proc: Path) -> Iterator[Path]:
    try:
        yield from sorted((entry for entry in proc.iterdir() if entry.name.isdecimal()), key=lambda e: int(e.name))
    except OSError:
        return
