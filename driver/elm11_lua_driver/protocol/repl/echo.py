"""The line that is typed and its echo: pieces to type, comparison, erasing, leaving an unfinished statement."""

from __future__ import annotations

from enum import Enum

from .tokenizer import MAX_LINE

_ESC, _BRACKET, _BACKSPACE = b"\x1b[\b"
# A backspace for each place of a full line and then some: whatever was there is gone.
_ALWAYS_EMPTY = MAX_LINE + 8
# Each line is a syntax error outside strings and comments, so the unfinished statement is thrown away,
# silently. The others first end a long string or comment.
_ABORT_SEQUENCES = (b"!", b"!", b"]]!", b"]=]!", b"]==]!", b"]===]!")


class Verdict(Enum):
    """What an echo is so far: equal to what was typed, its beginning, or something else."""

    EQUAL = "equal"
    PARTIAL = "partial"
    DAMAGED = "damaged"


class LineEcho:
    """One line on its way to the prompt, and what the board has echoed of it.

    Attributes:
        line: what is typed.
        echo: visible bytes that came back in this attempt.
        noise: visible bytes that came instead of the echo of the line feed.
    """

    def __init__(self, line: str, piece: int) -> None:
        if len(line) > MAX_LINE:
            raise ValueError(f"line must have at most {MAX_LINE} characters, this one has {len(line)}")
        if line and not (line.isascii() and line.isprintable()):
            raise ValueError(f"line must be printable ASCII, not {line!r}")
        self.line = line.encode("ascii")
        self.echo = bytearray()
        self.noise = bytearray()
        self._piece = piece
        self._sent = 0
        self._erased = 0
        self._erase_echo = bytearray()
        self._in_escape = 0
        self._aborts: list[bytes] = []

    def is_visible(self, byte: int) -> bool:
        """Take the next byte of the stream; False if it belongs to a colour code or cursor move."""
        if byte == _ESC:
            self._in_escape = 1
        elif self._in_escape == 1:
            self._in_escape = 2 if byte == _BRACKET else 0
        elif self._in_escape:
            self._in_escape = 0 if 0x40 <= byte <= 0x7E else 2  # the final byte of a code
        else:
            return byte != 0
        return False

    def restart(self) -> None:
        """Type the line from its first character."""
        self._sent = 0
        self.echo.clear()

    def next_piece(self) -> bytes:
        """What to type next; empty when all is typed."""
        # A doubled byte must not fill the line: its 255th character would submit it.
        room = (MAX_LINE - self._sent) // 2
        piece = self.line[self._sent : self._sent + max(1, min(self._piece, room))]
        self._sent += len(piece)
        return piece

    def compare(self, byte: int) -> Verdict:
        """Take a visible byte of the echo, and compare all of it with what was typed."""
        self.echo.append(byte)
        expected = self.line[: self._sent]
        if self.echo == expected:
            return Verdict.EQUAL
        return Verdict.PARTIAL if expected.startswith(self.echo) else Verdict.DAMAGED

    @property
    def length(self) -> int:
        """Characters that may stand on the board's line."""
        return max(self._sent, len(self.echo))

    def erase(self, n: int, *, more: bool = False) -> bytes:
        """Backspaces for that many characters and a few."""
        n = min(n, MAX_LINE) + 4
        self._erased = n + (self._erased if more else 0)
        self._erase_echo.clear()
        return bytes([_BACKSPACE]) * n

    def erasing(self, byte: int) -> None:
        """Take a visible byte that came while a line is erased."""
        self._erase_echo.append(byte)

    def left_to_erase(self) -> int | None:
        """Characters to erase after the last backspaces; None when the line is empty, -1 when it stays full."""
        only_erasures = not self._erase_echo.replace(b"\b \b", b"")
        if not self._erase_echo or (only_erasures and self._erased >= _ALWAYS_EMPTY):
            return None
        if self._erased >= 4 * _ALWAYS_EMPTY:
            return -1
        # Erase until nothing is left to echo, in ever longer steps: a board may echo backspaces on an empty line too.
        return self._erased // 2 if only_erasures else len(self._erase_echo)

    def start_abort(self) -> None:
        """Begin with the first way out of an unfinished statement."""
        self._aborts = list(_ABORT_SEQUENCES)

    def next_abort(self) -> bytes:
        """The line to try next; empty when all have been tried."""
        return self._aborts.pop(0) + b"\n" if self._aborts else b""
