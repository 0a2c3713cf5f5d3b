"""How the pages write numbers, tables and paragraphs."""

from __future__ import annotations

import math
import re
import textwrap
from typing import TYPE_CHECKING, Final

from study import libraries

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_WIDTH: Final = 120
_BULLET: Final = re.compile(r"- |\d+\. ")


def number(value: float, n: int = 3) -> str:
    """The value with n significant digits, without an exponent for usual sizes."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else str(value)
    if not 1e-3 <= abs(value) < 1e6:
        return f"{value:.{n - 1}e}"
    return f"{value:.{max(0, n - 1 - math.floor(math.log10(abs(value))))}f}"


def seconds(value: float) -> str:
    """A time in a fitting unit."""
    for unit, size in (("us", 1e-6), ("ms", 1e-3), ("s", 1.0), ("min", 60.0), ("h", 3600.0)):
        if value < {"us": 1e-3, "ms": 1.0, "s": 120.0, "min": 7200.0, "h": 172_800.0}[unit]:
            return f"{number(value / size)} {unit}"
    return f"{number(value / 86_400)} days"


def gigabytes(value: float) -> str:
    """Bytes in a fitting unit."""
    return f"{number(value / 2**30)} GB" if value >= 2**29 else f"{number(value / 2**20)} MB"


def grouped(value: int) -> str:
    """A whole number in groups that no line end parts: 1 000 000."""
    return f"{value:,}".replace(",", "\u00a0")


def spread(interval: dict[str, float], factor: float = 1.0) -> str:
    """A median with its interval."""
    return (
        f"{seconds(interval['median'] * factor)} ({seconds(interval['low'] * factor)} to "
        f"{seconds(interval['high'] * factor)})"
    )


def between(estimate: Sequence[float]) -> str:
    """An extrapolated time with its interval, `(value, low, high)`."""
    value, low, high = estimate
    return f"{seconds(value)}, {seconds(low)} to {seconds(high)}"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def wrapped(text: str) -> str:
    """The page with its paragraphs filled, tables, headings and pictures left as they are, and no two empty lines.

    What a template says is broken where it was written, before its numbers were put in, so lines are joined first.
    """
    blocks: list[str] = []
    open_block = False  # whether the next line of text belongs to the last block
    for line in text.splitlines():
        alone = not line.strip() or line.startswith(("|", "#", "!"))
        if alone or not open_block or _BULLET.match(line):
            blocks.append(line)
        else:
            blocks[-1] += " " + line.strip()
        open_block = not alone
    lines: list[str] = []
    for block in blocks:
        if block.startswith(("|", "#", "!")) or not block.strip():
            lines.append(block.rstrip())
            continue
        bullet = _BULLET.match(block)
        indent = " " * len(bullet[0]) if bullet else ""
        lines += textwrap.wrap(block, _WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines).rstrip() + "\n")


def bullets(sentences: Iterable[str]) -> str:
    """A Markdown list."""
    return "\n".join(f"- {sentence}" for sentence in sentences)


def library(key: str) -> str:
    """A library's name."""
    one = libraries.TRANSFORMS.get(key)
    return one.label if one else {"numpy engine": "this project's NumPy engine"}.get(key, key)
