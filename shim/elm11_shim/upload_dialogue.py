"""The board's side of a program upload, with its defects: whatever arrives as a page is written at once.

The board has no time-outs here, never compares sums, and a page that is sent twice is written twice.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from .program_store import MAX_PROGRAM_BYTES, ProgramStore

_LENGTH_BYTES = 4
_TOO_LONG, _COMPLETE = b"\x10", b"\x11"


class Refusal(enum.IntEnum):
    """The number the board prints as ``err=``."""

    NO_SLOT = 2
    TOO_LONG = 3
    COMPLETE = 4
    """A page was asked for although the announced length is there. What was written stays."""
    UNKNOWN_BYTE = 5


@dataclass(frozen=True, slots=True)
class Answer:
    """What the board does with one byte.

    Attributes:
        reply: bytes sent back.
        finished: the dialogue is over.
        refusal: why it failed, or None.
    """

    reply: bytes = b""
    finished: bool = False
    refusal: Refusal | None = None


class _Expects(enum.Enum):
    COMMAND = enum.auto()
    LENGTH = enum.auto()
    PAGE_COUNT = enum.auto()
    PAGE = enum.auto()


class UploadDialogue:
    """One upload into an entry that exists already: leaving early leaves it broken.

    Args:
        store: where the program goes.
        name: of the entry.
    """

    def __init__(self, store: ProgramStore, name: str) -> None:
        self._store = store
        self._name = name
        self._expects = _Expects.COMMAND
        self._collected = bytearray()
        self._announced = 0
        self._written = 0
        self._page_length = 0

    def receive(self, byte: int) -> Answer:
        """Take one byte from the host.

        Args:
            byte: 0 to 255.

        Returns:
            What the board does with it.
        """
        match self._expects:
            case _Expects.COMMAND:
                return self._command(byte)
            case _Expects.LENGTH:
                return self._length(byte)
            case _Expects.PAGE_COUNT:
                self._page_length = byte + 1
                self._expects = _Expects.PAGE
                return Answer()
            case _Expects.PAGE:
                return self._page(byte)

    def _command(self, byte: int) -> Answer:
        """One loop takes all commands, in any order."""
        match byte:
            case 0x07:
                return Answer(b"\x06")
            case 0x09:
                self._expects = _Expects.LENGTH
                return Answer(b"\x08")
            case 0x0C if self._written >= self._announced:
                return Answer(_COMPLETE, finished=True, refusal=Refusal.COMPLETE)
            case 0x0C:
                self._expects = _Expects.PAGE_COUNT
                return Answer(b"\x0b")
            case 0x0D:
                return Answer(finished=True)
            case _:
                return Answer(finished=True, refusal=Refusal.UNKNOWN_BYTE)

    def _length(self, byte: int) -> Answer:
        self._collected.append(byte)
        if len(self._collected) < _LENGTH_BYTES:
            return Answer()
        self._announced = int.from_bytes(self._collected, "big")
        total = bytes([sum(self._collected) & 0xFF])
        self._collected.clear()
        if self._announced > MAX_PROGRAM_BYTES:
            return Answer(total + _TOO_LONG, finished=True, refusal=Refusal.TOO_LONG)
        self._expects = _Expects.COMMAND
        return Answer(total + b"\n")

    def _page(self, byte: int) -> Answer:
        self._collected.append(byte)
        if len(self._collected) < self._page_length:
            return Answer()
        page = bytes(self._collected)
        self._collected.clear()
        self._store.append(self._name, page)
        self._written += len(page)
        self._expects = _Expects.COMMAND
        return Answer(bytes([sum(page) & 0xFF]))
