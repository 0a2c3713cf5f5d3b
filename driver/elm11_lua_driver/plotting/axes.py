"""Shared by all figures: new axes, colours, fonts, the period axis."""

from __future__ import annotations

import contextlib
import math
import re
import warnings
from typing import TYPE_CHECKING, Final

from matplotlib import font_manager
from matplotlib.axis import XAxis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

    from ..jobs.job import Job

LOOKS: Final = (
    ("#0072B2", "o", "-"),
    ("#D55E00", "s", "--"),
    ("#009E73", "^", "-."),
    ("#CC79A7", "D", ":"),
    ("#E69F00", "v", (0, (5, 1))),
    ("#56B4E9", "P", (0, (3, 1, 1, 1))),
)
"""Colour, marker and stroke of each curve: the colours of Okabe & Ito (2008), which colour-blind people can
distinguish; markers and strokes differ as colours do, for grey print."""


_TICK_LETTERS: Final = 36

_FALLBACK_FONTS: Final = (
    *("Noto Sans", "Noto Serif", "WenQuanYi", "Droid Sans Fallback", "IPA", "Takao", "Nanum", "FreeSans", "Unifont"),
    *("Microsoft YaHei", "SimHei", "Yu Gothic", "Malgun Gothic", "Nirmala UI", "Segoe UI", "Tahoma"),
    *("PingFang", "Hiragino Sans", "Apple SD Gothic Neo", "Arial Unicode MS"),
    "STIXGeneral",
)
"""Families (by the beginning of their names) for letters that Matplotlib's own font lacks: those of Linux, Windows and
macOS, and the one that comes with Matplotlib."""
_MAX_NAMED_LETTERS: Final = 12


def plain_number(value: float) -> str:
    """A number for an axis or a legend, short and without an exponent where possible.

    Args:
        value: the number.
    """
    return f"{value:g}" if 1e-3 <= abs(value) < 1e5 else f"{value:.3g}"


def small_enough(text: str, points: float, letters: int) -> float:
    """Font size at which a text fits.

    Args:
        text: the text.
        points: its usual size.
        letters: how many letters of that size fit.

    Returns:
        Points, at least half of the usual size.
    """
    return points * max(0.5, min(1.0, letters / max(len(text), 1)))


def short(text: str, letters: int = 32) -> str:
    """A name made drawable and shortened to fit.

    Args:
        text: the name.
        letters: how many fit.
    """
    text = drawable(text)
    return text if len(text) <= letters else text[: letters - 1] + "\N{HORIZONTAL ELLIPSIS}"


def axes_or_new(ax: Axes | None, size: tuple[float, float]) -> Axes:
    """The given axes, or those of a new figure (made without pyplot, on an Agg canvas).

    Args:
        ax: axes, or None.
        size: width and height of a new figure, inches.
    """
    if ax is not None:
        return ax
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    return figure.add_subplot()


def log2_axis(axis: Axis, low: float, high: float) -> None:
    """Mark the powers of two between two values, or round numbers where there are fewer than two of them.

    Args:
        axis: an axis with a logarithmic scale.
        low: the smallest value shown, > 0.
        high: the largest value shown.
    """
    powers = range(math.ceil(math.log2(low) - 1e-9), math.floor(math.log2(high) + 1e-9) + 1)
    ticks = [2.0**power for power in powers] if len(powers) > 1 else list(MaxNLocator(4).tick_values(low, high))
    # Labels side by side have room for so many letters only.
    letters = sum(len(plain_number(tick)) + 1 for tick in ticks) if isinstance(axis, XAxis) else len(ticks)
    axis.set_major_locator(FixedLocator(ticks[:: max(1, -(-letters // _TICK_LETTERS))]))
    axis.set_major_formatter(FuncFormatter(lambda value, _: plain_number(value)))
    axis.set_minor_locator(NullLocator())


def period_axis(ax: Axes, job: Job, time_unit: str) -> None:
    """Set up the horizontal axis for the job's periods, half a scale wider at both ends.

    Args:
        ax: the axes.
        job: gives the periods.
        time_unit: of dt, for the label.
    """
    margin = 2.0 ** (job.dj / 2) if job.J else 2.0**0.5
    low, high = float(job.periods[0]) / margin, float(job.periods[-1]) * margin
    ax.set_xscale("log", base=2)
    ax.set_xlim(low, high)
    log2_axis(ax.xaxis, low, high)
    label = f"Period ({time_unit})"
    ax.set_xlabel(label, parse_math=False, fontsize=small_enough(label, 10, 56))


def light_grid(ax: Axes) -> None:
    """Draw thin grey grid lines behind the data.

    Args:
        ax: Matplotlib's axes.
    """
    ax.grid(color="0.9", linewidth=0.6)
    ax.set_axisbelow(True)


def drawable(text: str) -> str:
    """The text on one line, without characters that no font has, such as control characters.

    Args:
        text: any text.
    """
    words = " ".join(text.encode(errors="replace").decode().split())
    return "".join(letter if letter.isprintable() else "?" for letter in words)


@contextlib.contextmanager
def fallback_fonts(figure: Figure, *, warn: bool = True) -> Iterator[None]:
    """Save a figure inside this context, and other fonts supply the letters that its own font lacks.

    Args:
        figure: the figure; its texts keep the longer list of fonts.
        warn: False where another program, such as a browser, draws the text in the end.

    Yields:
        Nothing.

    Warns:
        UserWarning: once, if no font has some of the letters. Matplotlib draws boxes for them.
    """
    texts = [text for text in figure.findobj(Text) if isinstance(text, Text) and not text.get_text().isascii()]
    installed = font_manager.get_font_names() if texts else []
    families = [name for start in _FALLBACK_FONTS for name in sorted(installed) if name.startswith(start)]
    for text in texts:  # Matplotlib takes each letter from the first font in the list that has it
        text.set_fontfamily(list(dict.fromkeys([*text.get_fontfamily(), *families])))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    missing = set()
    for one in caught:  # Matplotlib warns of each letter
        glyph = re.match(r"Glyph (\d+) .* missing from font", str(one.message))
        if glyph is None:
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
        else:
            missing.add(chr(int(glyph[1])))
    if missing and warn:
        shown = "".join(sorted(missing)[:_MAX_NAMED_LETTERS])
        more = "\N{HORIZONTAL ELLIPSIS}" * (len(missing) > _MAX_NAMED_LETTERS)
        warnings.warn(
            f"no installed font has the letters {shown}{more} of names or units, so they are drawn as boxes: install "
            "a font that has them (Debian and Ubuntu: fonts-noto-cjk, or another of fonts-noto), or use other letters",
            stacklevel=4,
        )
