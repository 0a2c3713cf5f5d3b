"""What all pictures share: axes of their own, colours, the period axis."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from matplotlib.axis import XAxis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

if TYPE_CHECKING:
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
"""Colour, marker and stroke of each curve: the colours of Okabe & Ito (2008), which colour-blind people tell apart;
markers and strokes differ as colours do, for grey print."""


_TICK_LETTERS: Final = 36


def plain_number(value: float) -> str:
    """A number on an axis or in a legend: without an exponent where it needs none, with few digits where it does.

    Args:
        value: the number.
    """
    return f"{value:g}" if 1e-3 <= abs(value) < 1e5 else f"{value:.3g}"


def small_enough(text: str, points: float, letters: int) -> float:
    """Size of the letters of a text, so that it has room.

    Args:
        text: what is written.
        points: its usual size.
        letters: how many letters of that size have room.

    Returns:
        Points, at least half of the usual size.
    """
    return points * max(0.5, min(1.0, letters / max(len(text), 1)))


def short(text: str, letters: int = 32) -> str:
    """A name, drawable, cut where it is longer than there is room for.

    Args:
        text: the name.
        letters: how many have room.
    """
    text = drawable(text)
    return text if len(text) <= letters else text[: letters - 1] + "\N{HORIZONTAL ELLIPSIS}"


def axes_or_new(ax: Axes | None, size: tuple[float, float]) -> Axes:
    """The axes that are given, or the only ones of a new figure (made without pyplot, on an Agg canvas).

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
        low: the smallest value that is shown, > 0.
        high: the largest.
    """
    powers = range(math.ceil(math.log2(low) - 1e-9), math.floor(math.log2(high) + 1e-9) + 1)
    ticks = [2.0**power for power in powers] if len(powers) > 1 else list(MaxNLocator(4).tick_values(low, high))
    # Side by side there is room for so many letters only.
    letters = sum(len(plain_number(tick)) + 1 for tick in ticks) if isinstance(axis, XAxis) else len(ticks)
    axis.set_major_locator(FixedLocator(ticks[:: max(1, -(-letters // _TICK_LETTERS))]))
    axis.set_major_formatter(FuncFormatter(lambda value, _: plain_number(value)))
    axis.set_minor_locator(NullLocator())


def period_axis(ax: Axes, job: Job, time_unit: str) -> None:
    """Make the horizontal axis that of the job's periods, half a scale wider at both ends.

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
    """Thin grey lines behind what is drawn.

    Args:
        ax: Matplotlib's axes.
    """
    ax.grid(color="0.9", linewidth=0.6)
    ax.set_axisbelow(True)


def drawable(text: str) -> str:
    """The text on one line, without what no font has: control characters, bytes of a file's name that are no text.

    Args:
        text: any text.
    """
    words = " ".join(text.encode(errors="replace").decode().split())
    return "".join(letter if letter.isprintable() else "?" for letter in words)
