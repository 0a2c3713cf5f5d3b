"""Lua text on its way to the board and back: pieces for the prompt, and comparing what is read back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .repl.tokenizer import MAX_LINE

if TYPE_CHECKING:
    from collections.abc import Iterator

_PIECE_LINE = 'elm11_code[{number}]="{text}"'
_LINE_CHARACTERS = MAX_LINE - 1  # a doubled byte must not fill the line


def code_lines(code: bytes) -> Iterator[str]:
    """Lines for the prompt that put code into the table ``elm11_code``, in pieces from index 1.

    Index 0 holds ``return ``, for a first try to compile the code as an expression, as the prompt does. Each line may
    be typed twice, and its beginnings do nothing.
    """
    yield 'elm11_code={[0]="return "}'
    number, text = 1, ""
    for byte in code:
        written = _written(byte)
        if len(_PIECE_LINE.format(number=number, text=text + written)) > _LINE_CHARACTERS:
            yield _PIECE_LINE.format(number=number, text=text)
            number, text = number + 1, ""
        text += written
    yield _PIECE_LINE.format(number=number, text=text)


def _written(byte: int) -> str:
    """A byte inside a Lua string in quotes."""
    character = chr(byte)
    if character == "\n":
        return "\\n"
    if character in {'"', "\\"}:
        return "\\" + character
    return character if 0x20 <= byte <= 0x7E else f"\\x{byte:02x}"


def listed_lines(text: str) -> list[str]:
    """The lines that the board lists for a program: without line ends, CR and LF alike."""
    return text.replace("\r", "").removesuffix("\n").split("\n")


def read_back_faults(text: str) -> str:
    """Why a text cannot be read back, or nothing."""
    for number, line in enumerate(listed_lines(text), start=1):
        if len(line) > MAX_LINE:
            return f"line {number} has {len(line)} characters, and the board lists at most {MAX_LINE}"
    return ""


class Comparison:
    """Compares a text with what is read back, over several reads that the wire may have damaged."""

    def __init__(self, text: str) -> None:
        self._wanted = [line.rstrip() for line in listed_lines(text)]
        self._unseen = set(range(len(self._wanted)))
        self._others: list[list[str]] = []

    def read(self, lines: list[str]) -> bool | None:
        """Take one read.

        Returns:
            True when every line has been read as it should be, in a read with as many lines; False when one and the
            same other text was read twice (damage does not strike twice alike); None to read again.
        """
        found = [line.rstrip() for line in lines]
        if len(found) == len(self._wanted):
            self._unseen -= {place for place in self._unseen if found[place] == self._wanted[place]}
            if not self._unseen:
                return True
        if found in self._others:
            return False
        self._others.append(found)
        return None
