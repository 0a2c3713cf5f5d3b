"""Result lines: what a program on the board sends, and how a damaged line is found.

A result line is a ``Frame``::

    ~<kind><sequence> <payload>*<CRC-32 as 8 hex digits>

``kind`` is one letter (`FrameKind`), ``sequence`` a decimal number, ``payload`` printable ASCII. The CRC is
`zlib.crc32` of everything between ``~`` and ``*``. A line that is not a frame is log text, also between frames.

A histogram crosses as blocks of `BLOCK_BINS` bins of one row. Block number = row * blocks per row + block
in the row is the sequence number of its frame, so a missing number says which row and bins to ask for
again. Blocks that are all zero are not sent. The payload is ``<row> <first bin> <coded counts>``: the
counts from the first to the last one that is not zero, as text (`encode_counts`). After the data comes an end frame:
how many lines, the CRC-32 of their CRCs, the sum of all counts (see `Summary`).

`firmware_lua/elm11_firmware/frame.lua` is the other end; both give the same bytes.

Counts as text are printable, and short where neighbours differ little. The difference d to the bin before (0 before
the first) folds to a number z >= 0 (z = 2d for d >= 0, -2d - 1 below), written with the 94 characters
``!`` to ``~`` as digits 0 to 93:

==================  ========================================  ==========
z                   characters                                for
==================  ========================================  ==========
0 to 83             one digit                                 -42 to 41
84 to 835           84 + (z - 84) // 94, (z - 84) % 94        -418 to 417
836 to 9671         92, then z - 836 in two digits            -4836 to 4835
above               93, then the count itself in five digits  any count below 2**31
==================  ========================================  ==========

The difference of neighbours in a histogram of 300 simulations has a standard deviation of 30, so nine in ten take one
character.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

BLOCK_BINS = 250
"""Bins in one data line: 290 characters as a rule, so that a lost line costs 25 ms and the rest of it 7 %."""

MAX_LINE_BYTES = 4096
"""The longest frame has 250 counts of six characters and 60 more; what is longer is log text, given out in
pieces."""

_MAX_SEQUENCE_DIGITS = 9

MAX_COUNT = 2**31 - 1
"""The board's integers have 32 bits."""

_FIRST_CHARACTER = 0x21  # no blank inside coded counts: fields are split at blanks
_DIGITS = 94
_ONE = 84  # z below this takes one character
_TWO = _ONE + 8 * _DIGITS  # below this two: eight leading digits are set aside
_THREE = _TWO + _DIGITS * _DIGITS  # below this three
_LEAD_THREE = 92
_LEAD_COUNT = 93
_COUNT_DIGITS = 5  # 94**5 > 2**31


class FrameKind(StrEnum):
    """What a frame is about; the value is its letter on the wire."""

    HELLO = "H"
    PROGRESS = "P"
    DATA = "D"
    END = "E"
    ERROR = "X"


_HEAD = re.compile(r"([HPDEX])(0|[1-9][0-9]{0,8}) ([ -~]*)", re.ASCII)
_TAIL = re.compile(rb"\*[0-9a-f]{8}\Z")


@dataclass(frozen=True)
class Frame:
    """One result line."""

    kind: FrameKind
    sequence: int
    payload: str

    @property
    def crc32(self) -> int:
        """CRC-32 of the text between ``~`` and ``*``."""
        return zlib.crc32(self._body())

    def _body(self) -> bytes:
        return f"{self.kind}{self.sequence} {self.payload}".encode("ascii")

    def fields(self) -> dict[str, str]:
        """The payload's words of the form ``name=value``; other words are left out."""
        pairs = (word.partition("=") for word in self.payload.split(" "))
        return {name: value for name, equals, value in pairs if name and equals}


@dataclass(frozen=True)
class LogLine:
    """A line that is not a frame.

    Args:
        text: its bytes without the line end.
        complete: False for a piece of a line above `MAX_LINE_BYTES` that goes on.
    """

    text: bytes
    complete: bool = True


@dataclass(frozen=True)
class DamagedLine:
    """A line that begins like a frame and is none: damaged on its way, or log text that looks like one."""

    text: bytes


LineEvent = Frame | LogLine | DamagedLine


def encode(frame: Frame) -> bytes:
    """The frame as its line, without the line end."""
    if not 0 <= frame.sequence < 10**_MAX_SEQUENCE_DIGITS:
        raise ValueError(f"sequence must be 0 to 999999999, not {frame.sequence}")
    if not (frame.payload.isascii() and (frame.payload.isprintable())):
        raise ValueError(f"payload must be printable ASCII, not {frame.payload!r}")
    return f"~{frame.kind}{frame.sequence} {frame.payload}*{frame.crc32:08x}".encode("ascii")


def decode(line: bytes) -> Frame | None:
    """The frame that a whole line is, or None."""
    if not line.startswith(b"~") or len(line) > MAX_LINE_BYTES or not _TAIL.search(line):
        return None
    body = line[1:-9]
    if zlib.crc32(body) != int(line[-8:], 16):
        return None
    # The checks below fail only for a sender that is not ours: the CRC has already agreed.
    match = _HEAD.fullmatch(body.decode("latin-1"))
    if match is None:
        return None
    return Frame(FrameKind(match[1]), int(match[2]), match[3])


_FRAME_START = re.compile(rb"~[HPDEX][0-9]{1,9} ")


def decode_line(line: bytes) -> list[LineEvent]:
    """What one line from the board is: a frame, log text, or log text that ran into a frame.

    Returns:
        One event, or two: log text whose own line end was lost, and the frame behind it.
    """
    starts = list(_FRAME_START.finditer(line))
    if _TAIL.search(line):
        for start in starts:
            frame = decode(line[start.start() :])
            if frame is not None:
                before = line[: start.start()]
                return [*_not_a_frame(before), frame] if before else [frame]
    return _not_a_frame(line)


def _not_a_frame(line: bytes) -> list[LineEvent]:
    return [DamagedLine(line) if line.startswith(b"~") else LogLine(line)]


class FrameReader:
    """Bytes in, line events out. Holds at most `MAX_LINE_BYTES`.

    A line ends with LF; one CR behind it belongs to it (the board's line end is LF CR). How the stream is
    cut into calls of `feed` makes no difference.
    """

    def __init__(self) -> None:
        self._line = bytearray()
        self._after_line_end = False

    def feed(self, data: bytes) -> list[LineEvent]:
        """Take the next bytes of the stream and give the events of every line that they end.

        Returns:
            Frames and log text, in order; a line that is too long comes in pieces.
        """
        events: list[LineEvent] = []
        for part in re.split(rb"(\n)", data):
            if part == b"\n":
                events += decode_line(bytes(self._line))
                self._line.clear()
                self._after_line_end = True
            elif part:
                text = part[1:] if self._after_line_end and part[:1] == b"\r" else part
                self._after_line_end = False
                self._line += text
                while len(self._line) > MAX_LINE_BYTES:
                    events.append(LogLine(bytes(self._line[:MAX_LINE_BYTES]), complete=False))
                    del self._line[:MAX_LINE_BYTES]
        return events

    @property
    def pending(self) -> bytes:
        """The unfinished line."""
        return bytes(self._line)


@dataclass(frozen=True)
class Block:
    """The part of one block that is not zero.

    Args:
        row: row of the histogram, from 0.
        first: bin of the first count, from 0.
        counts: the counts; neither the first nor the last is zero.
    """

    row: int
    first: int
    counts: tuple[int, ...]


def blocks_per_row(n_bins: int) -> int:
    """How many blocks a row is cut into."""
    return -(-n_bins // BLOCK_BINS)


def encode_block(row: int, first: int, counts: Sequence[int], sequence: int) -> Frame | None:
    """The data frame of one block, or None when all its counts are zero."""
    used = [place for place, count in enumerate(counts) if count]
    if not used:
        return None
    coded = encode_counts(counts[used[0] : used[-1] + 1])
    return Frame(FrameKind.DATA, sequence, f"{row} {first + used[0]} {coded}")


_BLOCK = re.compile(r"([0-9]{1,9}) ([0-9]{1,9}) ([!-~]+)", re.ASCII)


def decode_block(frame: Frame) -> Block:
    """The block in a data frame."""
    match = _BLOCK.fullmatch(frame.payload)
    if frame.kind is not FrameKind.DATA or match is None:
        raise ProtocolError(f"frame {frame.sequence} is not a data frame: {frame.payload[:40]!r}.")
    counts = tuple(decode_counts(match[3]))
    if not (counts[0] and counts[-1]):
        raise ProtocolError(f"the block in frame {frame.sequence} is not trimmed.")
    return Block(int(match[1]), int(match[2]), counts)


@dataclass(frozen=True)
class Summary:
    """What an end frame says of the data frames before it; its payload is these five, separated by blanks.

    Args:
        first: first block that was asked for.
        last: last block that was asked for.
        n_lines: data frames sent (blocks of zeros are not).
        crc32: CRC-32 of the data frames' CRCs, each as its 8 hex digits, in the order of their numbers.
        total: sum of all counts sent, modulo 2**32.
    """

    first: int
    last: int
    n_lines: int
    crc32: int
    total: int

    def frame(self, sequence: int = 0) -> Frame:
        """The end frame."""
        total = self.total if self.total < 2**31 else self.total - 2**32  # the board's integers are signed
        payload = f"{self.first} {self.last} {self.n_lines} {self.crc32:08x} {total}"
        return Frame(FrameKind.END, sequence, payload)


_SUMMARY = re.compile(r"([0-9]{1,9}) ([0-9]{1,9}) ([0-9]{1,9}) ([0-9a-f]{8}) (-?[0-9]{1,10})", re.ASCII)


def decode_summary(frame: Frame) -> Summary:
    """What an end frame says."""
    match = _SUMMARY.fullmatch(frame.payload)
    if frame.kind is not FrameKind.END or match is None:
        raise ProtocolError(f"frame {frame.sequence} is not an end frame: {frame.payload[:60]!r}.")
    return Summary(int(match[1]), int(match[2]), int(match[3]), int(match[4], 16), int(match[5]) % 2**32)


@dataclass
class HistogramAssembly:
    """Puts a histogram together from data frames, in any order, and knows what is still missing.

    Give every frame to `add`. While `is_complete` says no: ask the board to repeat its end frame if
    `summary` is None, otherwise ask again for each range in `missing`. Neither `counts` nor anything else
    gives a part of the histogram.
    """

    n_rows: int
    n_bins: int
    summary: Summary | None = None
    _blocks: dict[int, tuple[int, Block]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the shape."""
        if self.n_rows < 1 or self.n_bins < 1:
            raise ValueError(f"n_rows and n_bins must be at least 1, not {self.n_rows} and {self.n_bins}")

    @property
    def n_blocks(self) -> int:
        """Blocks in the whole histogram; they are numbered from 0."""
        return self.n_rows * blocks_per_row(self.n_bins)

    def add(self, frame: Frame) -> None:
        """Take a data or an end frame; others are left alone.

        A line that came twice is kept once. The end frame of a part of the histogram is not needed and not
        kept.

        Raises:
            ProtocolError: the frame does not fit into this histogram: it belongs to another job.
        """
        if frame.kind is FrameKind.END:
            summary = decode_summary(frame)
            if (summary.first, summary.last) == (0, self.n_blocks - 1):
                self.summary = summary
        elif frame.kind is FrameKind.DATA:
            block = decode_block(frame)
            row, number = divmod(frame.sequence, blocks_per_row(self.n_bins))
            end = min((number + 1) * BLOCK_BINS, self.n_bins)
            inside = number * BLOCK_BINS <= block.first and block.first + len(block.counts) <= end
            if row >= self.n_rows or block.row != row or not inside:
                raise ProtocolError(
                    f"block {frame.sequence} (row {block.row}, bins {block.first} to "
                    f"{block.first + len(block.counts) - 1}) is not part of a histogram of "
                    f"{self.n_rows} rows and {self.n_bins} bins.",
                    state="fetching results",
                    next_step="The results on the board belong to another job: start the job again.",
                )
            self._blocks[frame.sequence] = (frame.crc32, block)

    @property
    def n_received(self) -> int:
        """Data lines that have arrived undamaged."""
        return len(self._blocks)

    def is_complete(self) -> bool:
        """Whether every line is there, and the CRC and the sum of the whole agree.

        Raises:
            ProtocolError: every line is there and the whole does not agree; the results changed while they
                were fetched, or a damaged line passed its own CRC. `clear` and fetch everything again.
        """
        if self.summary is None or len(self._blocks) < self.summary.n_lines:
            return False
        in_order = [self._blocks[sequence] for sequence in sorted(self._blocks)]
        crc32 = zlib.crc32(b"".join(f"{crc:08x}".encode("ascii") for crc, _ in in_order))
        total = sum(sum(block.counts) for _, block in in_order) % 2**32
        found = Summary(0, self.n_blocks - 1, len(in_order), crc32, total)
        if found != self.summary:
            raise ProtocolError(
                f"the histogram's lines do not agree with the whole: {found}, but the board says {self.summary}.",
                state="fetching results",
                next_step="Fetch all of it again.",
            )
        return True

    def clear(self) -> None:
        """Forget everything that has arrived."""
        self.summary = None
        self._blocks.clear()

    def missing(self) -> list[tuple[int, int]]:
        """Ranges of block numbers (first, last) that have not arrived, blocks of zeros among them."""
        ranges: list[tuple[int, int]] = []
        for sequence in range(self.n_blocks):
            if sequence in self._blocks:
                continue
            if ranges and ranges[-1][1] == sequence - 1:
                ranges[-1] = (ranges[-1][0], sequence)
            else:
                ranges.append((sequence, sequence))
        return ranges

    def counts(self) -> NDArray[np.int64]:
        """The histogram, shape (n_rows, n_bins).

        Raises:
            ProtocolError: it is not complete; a partial histogram is never given out.
        """
        if not self.is_complete():
            expected = "an unknown number of" if self.summary is None else self.summary.n_lines
            raise ProtocolError(
                f"the histogram is not complete: {self.n_received} of {expected} lines have arrived.",
                state="fetching results",
                next_step="Fetch the missing lines again.",
            )
        counts = np.zeros((self.n_rows, self.n_bins), dtype=np.int64)
        for _, block in self._blocks.values():
            counts[block.row, block.first : block.first + len(block.counts)] = block.counts
        return counts


def encode_counts(counts: Iterable[int]) -> str:
    """Counts as text, 1.13 characters each for a histogram of 300 simulations.

    Raises:
        ValueError: a count is outside its range.
    """
    text: list[int] = []
    before = 0
    for count in counts:
        if not 0 <= count <= MAX_COUNT:
            raise ValueError(f"counts must be 0 to {MAX_COUNT}, not {count}")
        difference = count - before
        before = count
        z = 2 * difference if difference >= 0 else -2 * difference - 1
        if z < _ONE:
            text.append(z)
        elif z < _TWO:
            high, low = divmod(z - _ONE, _DIGITS)
            text += (_ONE + high, low)
        elif z < _THREE:
            text += (_LEAD_THREE, *divmod(z - _TWO, _DIGITS))
        else:
            text += (_LEAD_COUNT, *(count // _DIGITS**power % _DIGITS for power in (4, 3, 2, 1, 0)))
    return bytes(_FIRST_CHARACTER + digit for digit in text).decode("ascii")


def decode_counts(text: str) -> list[int]:
    """The counts that `encode_counts` was given.

    Raises:
        ProtocolError: the text is not such a code.
    """
    try:
        digits = [character - _FIRST_CHARACTER for character in text.encode("ascii")]
    except UnicodeEncodeError as error:
        raise ProtocolError(f"coded counts are not ASCII: {text[:40]!r}.") from error
    if digits and not (min(digits) >= 0 and max(digits) < _DIGITS):
        raise ProtocolError(f"coded counts hold a character outside '!' to '~': {text[:40]!r}.")
    counts: list[int] = []
    count = 0
    place = 0
    while place < len(digits):
        lead = digits[place]
        length = 1 if lead < _ONE else 2 if lead < _LEAD_THREE else 3 if lead == _LEAD_THREE else 1 + _COUNT_DIGITS
        rest = digits[place + 1 : place + length]
        place += length
        if len(rest) != length - 1:
            raise ProtocolError(f"coded counts end within a number: {text[-40:]!r}.")
        value = 0
        for digit in rest:
            value = value * _DIGITS + digit
        if lead == _LEAD_COUNT:
            count = value
        else:
            z = lead if lead < _ONE else value + (_ONE + (lead - _ONE) * _DIGITS if lead < _LEAD_THREE else _TWO)
            count += -(z + 1) // 2 if z % 2 else z // 2
        if not 0 <= count <= MAX_COUNT:
            raise ProtocolError(f"coded counts give {count}, which is outside 0 to {MAX_COUNT}.")
        counts.append(count)
    return counts
