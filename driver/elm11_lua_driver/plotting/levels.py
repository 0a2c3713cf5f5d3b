"""Figures of a significance test: the levels, the histogram behind them, and their convergence."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from ..analysis.coherence import DEFAULT_UNIT
from ..levels.convergence import track_convergence
from ..levels.levels import Significance
from .axes import LOOKS, axes_or_new, drawable, light_grid, period_axis, plain_number, short

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from ..jobs.histogram import Histogram

_SIZE: Final = (5.2, 3.6)
# More rows make a speckled map, and are finer than print shows.
_MAP_ROWS: Final = 100
_MARKED_SCALES: Final = 40  # markers of more of them hide the line between
_LABEL_LETTERS: Final = 48  # of a curve's name, so that the legend is not wider than the axes


def plot_significance(
    result: Significance, ax: Axes | None = None, *, time_unit: str = "", label: str | None = None
) -> Axes:
    """Significance levels over period, with bars of one standard error to both sides.

    Call it again with the same axes to compare results; each has its own colour, marker and stroke.

    Args:
        result: levels and standard errors, shape (J + 1,), squared coherence without a unit, and the job, whose
            periods have the unit of dt. Scales without a level (NaN) and unknown errors are left out.
        ax: axes to draw on; None for those of a new figure.
        time_unit: unit of dt, for the axis; empty for "unit of dt".
        label: name of the curve, for `ax.legend()`; None for the level, number of simulations and engine.

    Returns:
        The axes.

    Examples:
        >>> from elm11_lua_driver import Job, significance
        >>> from elm11_lua_driver.plotting.coherence import plot_significance
        >>> job = Job(lag1_x=0.72, lag1_y=0.72, dt=0.25, dj=0.25, s0=0.5, J=4, n_simulations=32)
        >>> plot_significance(significance(job), time_unit="years").get_xlabel()
        'Period (years)'
    """
    ax = axes_or_new(ax, _SIZE)
    histogram, job = result.histogram, result.histogram.job
    if label is None:
        n = histogram.n_simulations
        label = f"{100 * result.level:g} % level, {n} simulation{'s' * (n != 1)}, {result.engine}"
    before = ax.get_xlim() if ax.containers else None
    colour, marker, stroke = LOOKS[len(ax.containers) % len(LOOKS)]
    ax.errorbar(
        job.periods,
        result.significance,
        yerr=np.nan_to_num(result.standard_error),
        color=colour,
        marker=marker,
        linestyle=stroke,
        markersize=4,
        linewidth=1.2,
        elinewidth=1.1,
        capsize=2.5,
        label=short(label, _LABEL_LETTERS),
    )
    if not np.isfinite(ax.dataLim.y1):
        ax.set_ylim(0, 1)  # an empty figure keeps the usual axis
    period_axis(ax, job, drawable(time_unit) or DEFAULT_UNIT)
    if before is not None:
        ax.set_xlim(min(before[0], ax.get_xlim()[0]), max(before[1], ax.get_xlim()[1]))
    ax.set_ylabel("Squared coherence")
    light_grid(ax)
    return ax


def plot_histogram(
    histogram: Histogram, ax: Axes | None = None, *, level: float | None = 0.95, time_unit: str = ""
) -> Axes:
    """Histogram of the squared coherence of noise at each scale: a map, with the level as a line.

    Args:
        histogram: counts, shape (J + 1, n_bins), and the job. Each scale is drawn as its probability density (per
            unit of squared coherence), so that the number of samples does not matter. Above a hundred bins, neighbours
            are merged.
        ax: axes to draw on; None for those of a new figure. The colour bar takes a part of them.
        level: the level to draw, 0 < level < 1; None for none.
        time_unit: unit of dt, for the axis; empty for "unit of dt".

    Returns:
        The axes of the map.

    Examples:
        >>> from elm11_lua_driver import Job, run
        >>> from elm11_lua_driver.plotting.coherence import plot_histogram
        >>> job = Job(lag1_x=0.72, lag1_y=0.72, dt=0.25, dj=0.25, s0=0.5, J=4, n_simulations=32)
        >>> plot_histogram(run(job)).get_ylabel()
        'Squared coherence'
    """
    ax = axes_or_new(ax, _SIZE)
    job, counts = histogram.job, histogram.counts
    merged = max(1, -(-counts.shape[1] // _MAP_ROWS))
    borders = np.arange(0, counts.shape[1], merged)
    edges = np.append(borders, counts.shape[1]) / counts.shape[1]
    totals = counts.sum(axis=1, keepdims=True)
    share = np.add.reduceat(counts, borders, axis=1) / np.where(totals, totals, 1)
    density = np.ma.masked_where(np.broadcast_to(totals == 0, share.shape), share / np.diff(edges))
    half = 2.0 ** (job.dj / 2) if job.J else 2.0**0.5
    sides = np.append(job.periods / half, job.periods[-1] * half)
    image = ax.pcolormesh(
        sides,
        edges,
        density.T,
        cmap="cividis",
        vmin=0,
        vmax=float(np.quantile(density.compressed(), 0.995)) if density.count() else 1.0,
        rasterized=True,  # vector formats would hold every cell
    )
    if level is not None:
        (line,) = ax.plot(
            job.periods,
            Significance.from_histogram(histogram, level, with_errors=False).significance,
            "o-" if job.J <= _MARKED_SCALES else "-",
            color="white",
            markersize=3.5,
            linewidth=1.4,
            label="level",
        )
        line.set_path_effects([withStroke(linewidth=3, foreground="black")])
        line.set_gid("level")
    period_axis(ax, job, drawable(time_unit) or DEFAULT_UNIT)
    ax.set_ylim(0, 1)
    ax.set_ylabel("Squared coherence")
    figure = ax.get_figure(root=True)
    assert figure is not None  # axes that were drawn on belong to one
    bar = figure.colorbar(image, ax=ax, pad=0.02, aspect=25, extend="max")
    bar.set_label("Probability density")
    return ax


def plot_convergence(
    histogram: Histogram,
    ax: Axes | None = None,
    *,
    level: float = 0.95,
    scales: Sequence[int] | None = None,
    time_unit: str = "",
) -> Axes:
    """Levels of some scales over the number of simulations, with a band of one standard error to both sides.

    Args:
        histogram: the counts by groups of simulations, which are added in the order of their simulations.
        ax: axes to draw on; None for those of a new figure.
        level: the level, 0 < level < 1.
        scales: indices of at most six scales, 0 ... J; None for four, from the smallest to the largest.
        time_unit: unit of dt, for the legend; empty for "unit of dt".

    Returns:
        The axes.

    Raises:
        ValueError: the histogram has no simulations, or a scale is outside 0 ... J.

    Examples:
        >>> from elm11_lua_driver import Job, run
        >>> from elm11_lua_driver.plotting.coherence import plot_convergence
        >>> job = Job(lag1_x=0.72, lag1_y=0.72, dt=0.25, dj=0.25, s0=0.5, J=4, n_simulations=32)
        >>> plot_convergence(run(job)).get_xlabel()
        'Simulations (number)'
    """
    job = histogram.job
    if scales is None:
        scales = sorted({round(position) for position in np.linspace(0, job.J, 4).tolist()})
    if not 0 < len(scales) <= len(LOOKS) or not all(0 <= scale <= job.J for scale in scales):
        msg = f"scales must be 1 to {len(LOOKS)} numbers from 0 to {job.J}, not {list(scales)}"
        raise ValueError(msg)
    settling = track_convergence(histogram, level)
    ax = axes_or_new(ax, _SIZE)
    unit = drawable(time_unit) or DEFAULT_UNIT
    for scale, (colour, marker, stroke) in zip(scales, LOOKS, strict=False):
        levels, errors = settling.levels[:, scale], settling.standard_errors[:, scale]
        ax.fill_between(settling.simulations, levels - errors, levels + errors, color=colour, alpha=0.18, linewidth=0)
        ax.plot(
            settling.simulations,
            levels,
            color=colour,
            marker=marker,
            linestyle=stroke,
            markersize=4,
            linewidth=1.2,
            label=plain_number(float(f"{job.periods[scale]:.3g}")),
        )
    ax.set_xscale("log")
    first, last = int(settling.simulations[0]), int(settling.simulations[-1])
    ax.set_xlim(first / 1.1, last * 1.1)
    ax.xaxis.set_major_locator(FixedLocator(_round_numbers(first, last)))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:g}"))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlabel("Simulations (number)")
    ax.set_ylabel("Squared coherence")
    legend = ax.legend(
        title=f"Period ({unit})",
        ncols=4,
        fontsize="small",
        title_fontsize="small",
        loc="lower center",
        bbox_to_anchor=(0.5, 1),
        frameon=False,
        handlelength=2.6,
    )
    legend.get_title().set_parse_math(False)
    light_grid(ax)
    return ax


def _round_numbers(low: int, high: int) -> list[float]:
    """1, 2 and 5 times the powers of ten between two numbers; fewer over many decades; the ends if there are none."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    factors = (1, 2, 5) if high < 1000 * low else (1,)
    found = [float(factor * 10**decade) for decade in decades for factor in factors]
    inside = [number for number in found if low <= number <= high]
    return inside if len(inside) > 1 else sorted({float(low), float(high)})
