"""What the board's prompt does with each byte that is typed. Bytes in, echo and lines out."""

from __future__ import annotations

from dataclasses import dataclass

LINE_END = b"\n\r"
MAX_LINE_LENGTH = 254
_BACKSPACE = 0x08
_LINE_FEED = 0x0A
_PRINTABLE = range(0x20, 0x7F)


@dataclass(frozen=True, slots=True)
class Typed:
    """What one byte led to.

    Attributes:
        echo: what the board sends back.
        line: the submitted line without its LF, or None.
    """

    echo: bytes = b""
    line: bytes | None = None


class LineEditor:
    """Collects a line. Anything but 0x20 to 0x7E, LF and backspace vanishes without echo."""

    def __init__(self, separator_echo: bytes | None = None) -> None:
        """Start with an empty line.

        Args:
            separator_echo: what ``|`` echoes, where the prompt colours it; None echoes it as it is.
        """
        self._line = bytearray()
        self._separator_echo = separator_echo

    def type(self, byte: int) -> Typed:
        """Take one byte from the host.

        Args:
            byte: 0 to 255.

        Returns:
            Its echo, and the line that it submitted, if it did.
        """
        if byte == _LINE_FEED:
            return Typed(LINE_END, self._submit())
        if byte == _BACKSPACE:
            if not self._line:
                return Typed()
            del self._line[-1]
            return Typed(b"\b \b")
        if byte not in _PRINTABLE:
            return Typed()
        self._line.append(byte)
        echo = bytes([byte])
        if echo == b"|" and self._separator_echo is not None:
            echo = self._separator_echo
        # One character too many submits the line with it, and without the echo of a line end.
        return Typed(echo, self._submit() if len(self._line) > MAX_LINE_LENGTH else None)

    def clear(self) -> None:
        """Forget what was typed."""
        self._line.clear()

    def _submit(self) -> bytes:
        line = bytes(self._line)
        self._line.clear()
        return line
