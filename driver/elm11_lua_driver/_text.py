"""Columns, times and text of unknown origin, for people to read."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence


_COLOURS: Final = re.compile(r"\x1b\[(?:0|1|22|3[0-79]|9[0-7])?(?:;(?:0|1|22|3[0-79]|9[0-7]))*m")
"""Bold and the colours of letters: all that a terminal is asked to do for a board."""


def printable(text: str) -> str:
    """The text with control characters escaped as in Python, except tabs and ends of lines.

    Text of a board or a file could otherwise retitle a terminal, fill its clipboard or hide what stands there.
    """
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() or letter in "\n\t" else letter.encode("unicode_escape").decode()
        for letter in text
    )


def as_json_text(document: Any, indent: int | None = None) -> str:  # noqa: ANN401  whatever JSON takes
    """The document as JSON without a control character; ``json`` leaves one of them as it is."""
    return json.dumps(document, indent=indent, allow_nan=False).replace("\x7f", "\\u007f")


def coloured(text: str) -> str:
    """As `printable`, but colours pass and end with the text."""
    plain = _COLOURS.split(text)
    if len(plain) == 1:
        return printable(text)
    colours = [*_COLOURS.findall(text), "\x1b[0m"]
    return "".join(printable(part) + colour for part, colour in zip(plain, colours, strict=True))


def table(rows: Sequence[Sequence[str]]) -> str:
    """Columns, each as wide as its widest cell."""
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def duration(seconds: float) -> str:
    """A time for people: "40 s", "12 min", "3 h 20 min", "2 days 4 h"."""
    if seconds < 0.05:
        return "0 s"
    if seconds < 99.5:
        return f"{seconds:.2g} s" if seconds < 9.95 else f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    return f"{hours // 24} days {hours % 24} h"
