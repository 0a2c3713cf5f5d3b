"""Pictures of time: engines over the size of the job, instructions of the board by stage."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from elm11_lua_driver.plotting.axes import LOOKS, axes_or_new, drawable, light_grid
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

_MILLISECONDS: Final = "_ms"
_HEIGHT_POINTS: Final = 200  # of the axes, about
_LINE_POINTS: Final = 12


def plot_engine_scaling(
    times: Sequence[Mapping[str, Any]] | Mapping[str, Mapping[int, float]], ax: Axes | None = None
) -> Axes:
    """Time per simulation over the size of the job, engine by engine, both ends named.

    Args:
        times: what `tools/bench/bench.py --json` prints, a row for each J with the milliseconds of each engine as
            `<engine>_ms`; or for each engine a dict of J to milliseconds.
        ax: axes to draw on; None for those of a new figure.

    Returns:
        The axes; time in milliseconds on a logarithmic scale, J (the number of scales less one) without a unit.

    Raises:
        ValueError: there are no times, more than 6 engines, too many to distinguish, or a time is not above 0.

    Examples:
        >>> from study.performance import plot_engine_scaling
        >>> ax = plot_engine_scaling([{"J": 10, "pycwt_ms": 2.1, "numpy_ms": 0.08}, {"J": 20, "pycwt_ms": 22.0}])
        >>> ax.get_ylabel()
        'Time per simulation (ms)'
    """
    curves = dict(times) if isinstance(times, Mapping) else _curves(times)
    curves = {name: curve for name, curve in curves.items() if curve}
    if not 0 < len(curves) <= len(LOOKS):
        msg = f"times must be of 1 to {len(LOOKS)} engines, not {len(curves)}"
        raise ValueError(msg)
    if any(not value > 0 for curve in curves.values() for value in curve.values()):
        raise ValueError("times must be greater than 0 ms")
    ax = axes_or_new(ax, (5.2, 3.6))
    for (name, curve), (colour, marker, stroke) in zip(curves.items(), LOOKS, strict=False):
        sizes = sorted(curve)
        ax.plot(
            sizes,
            [curve[size] for size in sizes],
            color=colour,
            marker=marker,
            linestyle=stroke,
            markersize=5,
            linewidth=1.4,
            label=drawable(name),
        )
    _name_the_ends(ax, curves)
    ax.set_yscale("log")
    ax.yaxis.set_major_locator(LogLocator(subs=(1.0,)))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.yaxis.set_minor_formatter(lambda *_: "")
    ax.set_xticks(sorted({size for curve in curves.values() for size in curve}))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_xlabel("J, number of scales less one")
    ax.set_ylabel("Time per simulation (ms)")
    light_grid(ax)
    return ax


def _name_the_ends(ax: Axes, curves: Mapping[str, Mapping[int, float]]) -> None:
    """Write each curve's name at its end: no legend to search, and grey print needs no colours."""
    values = [value for curve in curves.values() for value in curve.values()]
    points_per_decade = _HEIGHT_POINTS / max(1.0, math.log10(max(values) / min(values)))
    lowest = -math.inf
    colours = {name: look[0] for name, look in zip(curves, LOOKS, strict=False)}
    for name in sorted(curves, key=lambda name: curves[name][max(curves[name])]):
        size = max(curves[name])
        place = math.log10(curves[name][size]) * points_per_decade
        lowest = max(place, lowest + _LINE_POINTS)
        ax.annotate(
            drawable(name),
            (size, curves[name][size]),
            xytext=(7, lowest - place),  # names of curves that end together stand one above the other
            textcoords="offset points",
            va="center",
            color=colours[name],
            parse_math=False,
            annotation_clip=False,
        )


def _curves(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[int, float]]:
    """Milliseconds by engine and J."""
    names = dict.fromkeys(key for row in rows for key in row if key.endswith(_MILLISECONDS))
    return {
        name.removesuffix(_MILLISECONDS): {int(row["J"]): float(row[name]) for row in rows if name in row}
        for name in names
    }


def plot_instruction_budget(stages: Mapping[str, float], ax: Axes | None = None) -> Axes:
    """Instructions of the board by stage: a bar for each stage, with its number and its share.

    Args:
        stages: name of each stage to its instructions per simulation, >= 0, in the order of the work.
        ax: axes to draw on; None for those of a new figure, which is higher for more stages.

    Returns:
        The axes; the first stage is on top, instructions are in millions.

    Raises:
        ValueError: there are no stages, a number is negative, or all are 0.

    Examples:
        >>> from study.performance import plot_instruction_budget
        >>> ax = plot_instruction_budget({"noise": 4.1e6, "transform": 9.7e6, "coherence": 2.0e6})
        >>> [label.get_text() for label in ax.get_yticklabels()]
        ['noise', 'transform', 'coherence']
    """
    numbers = np.array(list(stages.values()), float)
    if not numbers.size or not (numbers >= 0).all() or numbers.sum() == 0:
        raise ValueError("stages must be names with numbers of instructions, none negative and not all 0")
    ax = axes_or_new(ax, (5.2, 1.1 + 0.32 * numbers.size))
    rows = np.arange(numbers.size)
    ax.barh(rows, numbers / 1e6, height=0.7, color=LOOKS[0][0])
    labels = [f"{_millions(number)} ({_percent(number / numbers.sum())})" for number in numbers.tolist()]
    for row, number, label in zip(rows.tolist(), numbers.tolist(), labels, strict=True):
        ax.annotate(
            label,
            (number / 1e6, row),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize="small",
        )
    ax.set_yticks(rows, [drawable(name) for name in stages], parse_math=False)
    ax.yaxis.set_minor_locator(NullLocator())
    ax.invert_yaxis()
    # Room for the numbers beside the longest bar.
    ax.set_xlim(0, max(1.32, 1 + 0.034 * max(map(len, labels))) * numbers.max() / 1e6)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}" if value < 1e6 else f"{value:,.0f}"))
    ax.set_xlabel(f"Instructions per simulation (millions)\nall together {_millions(numbers.sum())} million")
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(axis="y", length=0)
    light_grid(ax)
    ax.grid(visible=False, axis="y")
    return ax


def _millions(number: float) -> str:
    """Millions with three digits, as people write them."""
    millions = number / 1e6
    if 0 < millions < 0.01:
        return "< 0.01"
    return f"{millions:,.0f}" if millions >= 100 else f"{millions:.3g}"


def _percent(share: float) -> str:
    """A share in whole per cent; one that would be rounded to nothing says that it is less."""
    return "< 1 %" if 0 < share < 0.005 else f"{100 * share:.0f} %"
