"""The byte trace: what crosses a port, as lines of a file, and playing it back without a board."""

from __future__ import annotations

import contextlib
import json
import re
import time
import warnings
from collections import deque
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Final, Literal

from .._files.reading import parse_json
from ..errors import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

Direction = Literal["to_board", "from_board"]
_HEAD: Final = re.compile(rb'{"time_s": [0-9.e-]+, "direction": "(to|from)_board", "bytes": "|[0-9]{6}\.[0-9]{3} [A-Z]')
"""How a trace begins, and how a log of pyserial's ``spy://``."""
_DIRECTIONS: dict[str, Direction] = {"to_board": "to_board", "from_board": "from_board"}


@dataclass(frozen=True)
class TraceEntry:
    """Some bytes that crossed the port together."""

    time_s: float
    direction: Direction
    data: bytes

    def to_json(self) -> str:
        """One JSON object; bytes are characters of the same number, so that text stays readable."""
        text = self.data.decode("latin-1")
        return json.dumps({"time_s": round(self.time_s, 6), "direction": self.direction, "bytes": text})


def check_replaceable(path: Path) -> None:
    """Do nothing if a trace may be written to this file: it is new, empty, a device, or a trace itself.

    Args:
        path: the file; a symbolic link counts only if it leads to a trace.

    Raises:
        ValueError: it is something else, which a trace would destroy.
    """
    if not path.is_symlink() and not path.exists():
        return
    try:
        if not path.is_symlink() and not path.is_file():
            return  # a device keeps nothing
        with path.open("rb") as file:
            head = file.read(80)
        if _HEAD.match(head) or (not head and not path.is_symlink()):
            return
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}; give another name") from error
    raise ValueError(f"{path} is not a byte trace, and is not overwritten; give another name")


class Trace:
    """Writes what crosses a port to a file, one JSON object per line, as it happens.

    A file that cannot be written, or a disk that is full, ends the trace with one warning: what is traced goes on.

    Raises:
        ValueError: the file exists, and is not a trace.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        check_replaceable(path)
        self._path = path
        self._clock = clock
        self._start_s = clock()
        self._file: IO[str] | None = None
        try:
            self._file = path.open("w", encoding="ascii", newline="\n")
        except OSError as error:
            self._give_up(error)

    def note(self, direction: Direction, data: bytes) -> None:
        """Write one line, at once: a trace is for the time when something dies."""
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

    Raises:
        ProtocolError: a line is not one of a trace; the error names it.
    """
    entries = []
    text = path.read_text(encoding="ascii", errors="replace")
    for number, line in enumerate(text[: text.rfind("\n") + 1].splitlines(), start=1):
        try:
            fields = parse_json(line)
            direction = _DIRECTIONS[fields["direction"]]
            entries.append(TraceEntry(float(fields["time_s"]), direction, fields["bytes"].encode("latin-1")))
        except (ValueError, OverflowError, KeyError, TypeError, AttributeError) as error:
            raise ProtocolError(
                f"line {number} of {path} is not part of a byte trace: {line[:60]!r}.", state="reading a trace"
            ) from error
    return entries


class ReplayTransport:
    """Plays a trace back: gives the board's bytes, and insists on the host's. Its time is that of the trace."""

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
        """What the board sent before the host's next bytes, if that was within the time."""
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
