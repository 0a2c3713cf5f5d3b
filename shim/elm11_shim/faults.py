"""Faults on the line between host and board: what goes wrong, how often, and a seed to repeat it.

A plan is written as items with commas between them::

    lose=0.001,to:flip=0.01,stall@2000:1.5

======================  ==================================================================================
``lose=RATE``           each byte is lost with this probability
``flip=RATE``           one bit of the byte is inverted
``duplicate=RATE``      the byte comes twice
``swap=RATE``           the byte and its neighbour change places
``delay=RATE:SECONDS``  a piece of the stream comes later; what follows waits behind it
``damage=RATE``         each line of the board's output is hit once by one of the first four
``log=RATE``            a line that begins with ``~`` has a line of log text inside
``split`` ``split=N``   the host gets at most N bytes (1) at a time
``stall@BYTES:SECONDS`` once, after that many bytes from the board, nothing comes for a while
``unplug@BYTES``        once, after that many bytes from the board, the port is gone
``reboot@BYTES``        once, after that many bytes from the board, it restarts
======================  ==================================================================================

The first five hit bytes from the board to the host; with ``to:`` before them, bytes to the board.
"""

from __future__ import annotations

import dataclasses
import re
import sys
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

LOG_TEXT = b"[    12.345] log: a message from elsewhere\n\r"
_LINE_END = b"\n\r"
_BYTE_FAULTS = ("lose", "flip", "duplicate", "swap")
# How each item is written: "=" before a rate or a size, "@" before a place in the stream.
_SIGNS = dict.fromkeys((*_BYTE_FAULTS, "delay", "damage", "log", "split"), "=") | dict.fromkeys(
    ("stall", "unplug", "reboot"), "@"
)
_WITH_SECONDS = ("delay", "stall")
_ITEM = re.compile(r"(?:(to|from):)?([a-z]+)(?:([=@])([^:]+))?(?::(.+))?")


@dataclass(frozen=True, slots=True)
class ByteFaults:
    """Faults of one direction; rates are probabilities per byte, ``delay`` per piece.

    Attributes:
        lose: probability that a byte is lost.
        flip: probability that one of its bits is turned.
        duplicate: probability that it comes twice.
        swap: probability that it changes places with the next one.
        delay: probability that a piece of the stream comes later.
        delay_s: how much later, in seconds.
    """

    lose: float = 0.0
    flip: float = 0.0
    duplicate: float = 0.0
    swap: float = 0.0
    delay: float = 0.0
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """Everything that is to go wrong (the module's text has the meaning of each). Nothing by default.

    Attributes:
        to_board: faults of bytes to the board.
        from_board: faults of bytes to the host.
        damage: probability that a line from the board is hit once.
        log: probability that a result line has log text inside.
        split: the most bytes the host gets at a time, or None.
        stall_at: bytes from the board before the stall, or None.
        stall_s: seconds the stall lasts.
        unplug_at: bytes from the board before the port is gone, or None.
        reboot_at: bytes from the board before it restarts, or None.
    """

    to_board: ByteFaults = field(default_factory=ByteFaults)
    from_board: ByteFaults = field(default_factory=ByteFaults)
    damage: float = 0.0
    log: float = 0.0
    split: int | None = None
    stall_at: int | None = None
    stall_s: float = 0.0
    unplug_at: int | None = None
    reboot_at: int | None = None

    @classmethod
    def parse(cls, spec: str) -> FaultPlan:
        """Read a plan as the module's text describes it; the empty text is a plan without faults.

        Args:
            spec: items with commas between them.

        Returns:
            The plan.

        Raises:
            ValueError: an item is not one of those above; the message names it and says what would be right.
        """
        plan = cls()
        for text in spec.split(","):
            if text.strip():
                plan = _with_item(plan, text.strip())
        return plan


def _number(text: str | None, item: str, highest: float, what: str) -> float:
    try:
        number = float(text or "")
    except ValueError:
        number = -1.0
    if not 0.0 <= number <= highest:
        raise ValueError(f"faults: {item!r} needs {what}")
    return number


def _rate(text: str | None, item: str) -> float:
    return _number(text, item, 1.0, "a probability between 0 and 1, as in 'lose=0.01'")


def _seconds(text: str | None, item: str) -> float:
    return _number(text, item, sys.float_info.max, "seconds behind a colon, as in 'stall@2000:1.5'")


def _count(text: str | None, item: str, least: int) -> int:
    if text is None or not text.isascii() or not text.isdigit() or int(text) < least:
        raise ValueError(f"faults: {item!r} needs a whole number of bytes, at least {least}")
    return int(text)


def _with_item(plan: FaultPlan, item: str) -> FaultPlan:
    parts = _ITEM.fullmatch(item)
    if parts is None:
        raise ValueError(f"faults: cannot read {item!r}; items look like 'lose=0.01' or 'stall@2000:1.5'")
    direction, name, sign, amount, seconds = parts.groups()
    if name not in _SIGNS:
        raise ValueError(f"faults: {name!r} is unknown; there are {', '.join(_SIGNS)}")
    if sign != _SIGNS[name] and not (name == "split" and sign is None):
        raise ValueError(f"faults: {item!r}: write '{name}{_SIGNS[name]}...'")
    if seconds is not None and name not in _WITH_SECONDS:
        raise ValueError(f"faults: {item!r}: {name!r} takes no seconds")
    if name in _BYTE_FAULTS or name == "delay":
        changes = {name: _rate(amount, item)}
        if name == "delay":
            changes["delay_s"] = _seconds(seconds, item)
        if direction == "to":
            return dataclasses.replace(plan, to_board=dataclasses.replace(plan.to_board, **changes))
        return dataclasses.replace(plan, from_board=dataclasses.replace(plan.from_board, **changes))
    if direction is not None:
        raise ValueError(f"faults: {item!r}: only faults of single bytes and delays have a direction")
    return _with_board_fault(plan, name, amount, seconds, item)


def _with_board_fault(plan: FaultPlan, name: str, amount: str | None, seconds: str | None, item: str) -> FaultPlan:
    """Add a fault that has no direction: it strikes what the board sends."""
    match name:
        case "damage":
            return dataclasses.replace(plan, damage=_rate(amount, item))
        case "log":
            return dataclasses.replace(plan, log=_rate(amount, item))
        case "split":
            return dataclasses.replace(plan, split=1 if amount is None else _count(amount, item, 1))
        case "stall":
            at, for_s = _count(amount, item, 0), _seconds(seconds, item)
            return dataclasses.replace(plan, stall_at=at, stall_s=for_s)
        case "unplug":
            return dataclasses.replace(plan, unplug_at=_count(amount, item, 0))
        case _:
            return dataclasses.replace(plan, reboot_at=_count(amount, item, 0))


class FaultyLine:
    """One direction of the line: bytes go in, and come out damaged and late. Knows no clock.

    Args:
        faults: what is to go wrong.
        random_source: where chance comes from.
    """

    def __init__(self, faults: ByteFaults, random_source: random.Random) -> None:
        self._faults = faults
        self._random = random_source
        self._waiting: deque[tuple[float, bytes]] = deque()
        self._not_before_s = float("-inf")
        self._n_waiting = 0

    def feed(self, data: bytes, now_s: float) -> None:
        """Send bytes in at the time ``now_s``.

        Args:
            data: any bytes.
            now_s: the time, seconds on the caller's clock.
        """
        data = self._damaged(data)
        if not data:
            return
        faults = self._faults
        due_s = max(now_s, self._not_before_s)
        if faults.delay and self._random.random() < faults.delay:
            due_s += faults.delay_s
            self._not_before_s = due_s
        self._waiting.append((due_s, data))
        self._n_waiting += len(data)

    def hold_new(self, until_s: float) -> None:
        """Let nothing that is fed from now on come out before ``until_s``.

        Args:
            until_s: when, seconds on the caller's clock.
        """
        self._not_before_s = max(self._not_before_s, until_s)

    def take(self, now_s: float, at_most: int | None = None) -> bytes:
        """What has come out by ``now_s``, ``at_most`` that many bytes.

        Args:
            now_s: the time, seconds on the caller's clock.
            at_most: how many bytes to give; None for all.
        """
        taken = bytearray()
        while self._waiting and self._waiting[0][0] <= now_s and (at_most is None or len(taken) < at_most):
            due_s, data = self._waiting.popleft()
            room = len(data) if at_most is None else at_most - len(taken)
            taken += data[:room]
            if data[room:]:
                self._waiting.appendleft((due_s, data[room:]))
        self._n_waiting -= len(taken)
        return bytes(taken)

    def next_due_s(self) -> float | None:
        """When the next bytes come out, or None when there are none inside."""
        return self._waiting[0][0] if self._waiting else None

    def __len__(self) -> int:
        """How many bytes are inside."""
        return self._n_waiting

    def clear(self) -> None:
        """Drop what is inside."""
        self._waiting.clear()
        self._n_waiting = 0

    def _damaged(self, data: bytes) -> bytes:
        faults = self._faults
        if not (faults.lose or faults.flip or faults.duplicate or faults.swap):
            return data
        out = bytearray(data)
        position = 0
        while position < len(out):
            draw = self._random.random
            if faults.swap and position + 1 < len(out) and draw() < faults.swap:
                _strike("swap", out, position, self._random)
            if faults.flip and draw() < faults.flip:
                _strike("flip", out, position, self._random)
            if faults.lose and draw() < faults.lose:
                _strike("lose", out, position, self._random)
                continue
            if faults.duplicate and draw() < faults.duplicate:
                _strike("duplicate", out, position, self._random)
                position += 1
            position += 1
        return bytes(out)


def _strike(fault: str, data: bytearray, position: int, random_source: random.Random) -> None:
    """Do one fault to one byte, in place."""
    match fault:
        case "lose":
            del data[position]
        case "flip":
            data[position] ^= 1 << random_source.randrange(8)
        case "duplicate":
            data.insert(position, data[position])
        case _:
            other = position + 1 if position + 1 < len(data) else position - 1
            if other >= 0:
                data[position], data[other] = data[other], data[position]


class LineFaults:
    """Faults that need to see whole lines of the board's output: ``damage`` and ``log``.

    A line counts when it arrives in one piece, as the engines send what ``print`` prints; echoes, which come
    byte by byte, and prompts pass unharmed.

    Args:
        plan: what is to go wrong.
        random_source: where chance comes from.
    """

    def __init__(self, plan: FaultPlan, random_source: random.Random) -> None:
        self._plan = plan
        self._random = random_source

    def feed(self, data: bytes) -> bytes:
        """The same bytes, with their faults.

        Args:
            data: any bytes; lines that come in one piece count.
        """
        if not (self._plan.damage or self._plan.log):
            return data
        *lines, rest = data.split(_LINE_END)
        return b"".join(self._line(line) + _LINE_END for line in lines) + rest

    def _line(self, line: bytes) -> bytes:
        if not line:
            return line
        out = bytearray(line)
        if self._plan.damage and self._random.random() < self._plan.damage:
            _strike(self._random.choice(_BYTE_FAULTS), out, self._random.randrange(len(out)), self._random)
        if self._plan.log and line.startswith(b"~") and self._random.random() < self._plan.log:
            place = self._random.randrange(1, max(len(out), 1) + 1)
            out[place:place] = LOG_TEXT
        return bytes(out)
