"""Figures: coherence over time and period, significance tests, spectra of red noises.

Functions called `plot_...` draw on axes and return them; without axes they make a figure. Those called `..._figure`
make a whole figure. Figures are made without pyplot, so nothing global is touched and no display is needed.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from elm11_host_ref.exact import rednoise
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from .._files.atomic import atomic_file
from ..analysis.coherence import DEFAULT_UNIT
from .axes import axes_or_new, drawable, fallback_fonts, log2_axis, short, small_enough
from .levels import plot_convergence, plot_histogram, plot_significance

if TYPE_CHECKING:
    from elm11_host_ref.types import AnyArray, FloatArray
    from matplotlib.axes import Axes

    from ..analysis.coherence import CoherenceAnalysis

__all__ = [
    "ARROW_COHERENCE",
    "DPI",
    "SUFFIXES",
    "caption",
    "check_suffix",
    "coherence_figure",
    "noise_spectra_figure",
    "plot_coherence",
    "plot_convergence",
    "plot_histogram",
    "plot_significance",
    "save_figure",
]

SUFFIXES: Final = (".png", ".pdf", ".svg", ".jpg", ".jpeg", ".tif", ".tiff")
"""File types of `save_figure`. EPS is not among them: it has no transparency."""

DPI: Final = 200
ARROW_COHERENCE: Final = 0.5
"""The phase of series that are not coherent has no meaning; the limit is that of Grinsted's toolbox."""

# Lightness of this map rises evenly: readable in grey print and with all kinds of colour blindness.
_COLOURS: Final = "viridis"
# More columns cannot be seen at 200 dots per inch.
_MAX_COLUMNS: Final = 2000
# Powers of ten between which times are written out: years and seconds of a day are, seconds since 1970 are not.
_PLAIN_TIMES: Final = (-3, 8)
_ARROW_COLUMNS: Final = 30
_ARROW_ROWS: Final = 18


def check_suffix(path: Path | str) -> None:
    """Check that the suffix of a file is one of `SUFFIXES`.

    Args:
        path: of the figure.

    Raises:
        ValueError: it is another suffix.
    """
    suffix = Path(path).suffix
    if suffix.lower() not in SUFFIXES:
        msg = f"{path}: the name of a picture must end in one of {', '.join(SUFFIXES)}, not {suffix!r}"
        raise ValueError(msg)


def coherence_figure(
    analysis: CoherenceAnalysis,
    *,
    time_unit: str = "",
    first_day: str = "",
    title: str = "",
    longest_period: float | None = None,
) -> Figure:
    """Squared coherence over time and period, as `plot_coherence` draws it, with a caption below.

    Args:
        analysis: the result to draw.
        time_unit: for the axes; empty for "unit of dt".
        first_day: the day from which times are counted, for the time axis; empty for none.
        title: empty for the names of the series.
        longest_period: where the period axis ends, in the unit of dt, as for `plot_coherence`.

    Returns:
        A figure on an Agg canvas, 7.2 by 4.6 inches.
    """
    figure = Figure(figsize=(7.2, 4.6), layout="constrained")
    FigureCanvasAgg(figure)
    plot_coherence(
        analysis,
        figure.add_subplot(),
        time_unit=time_unit,
        first_day=first_day,
        title=title,
        longest_period=longest_period,
    )
    figure.supxlabel(caption(analysis), fontsize=7, x=0.01, ha="left", linespacing=1.4, parse_math=False)
    return figure


def plot_coherence(
    analysis: CoherenceAnalysis,
    ax: Axes | None = None,
    *,
    time_unit: str = "",
    first_day: str = "",
    title: str = "",
    longest_period: float | None = None,
) -> Axes:
    """Squared coherence over time and period, as Grinsted, Moore & Jevrejeva (2004) draw it.

    Small periods are on top. A thick line surrounds what is significant. Outside the cone of influence, where edge
    effects matter, the figure is pale and hatched. Arrows show the phase of samples inside the cone whose squared
    coherence is at least `ARROW_COHERENCE`: to the right in phase, to the left in antiphase, downwards where the first
    series leads by a quarter of the period, upwards where the second does. `caption` explains all this in words.

    Args:
        analysis: coherence and phase, shape (J + 1, n_samples), and their levels.
        ax: axes to draw on; None for those of a new figure. The colour bar takes a part of them.
        time_unit: for the axes; empty for "unit of dt".
        first_day: the day from which times are counted, for the time axis; empty for none.
        title: empty for the names of the series.
        longest_period: end of the period axis, in the unit of dt; None for the first power of two (in units of dt)
            that is not below the longest safe period, since longer periods are all hatched.

    Returns:
        The axes of the picture.

    Examples:
        >>> import numpy as np
        >>> from elm11_lua_driver import analyse
        >>> from elm11_lua_driver.plotting.coherence import plot_coherence
        >>> x, y = np.random.default_rng(1).standard_normal((2, 100))
        >>> plot_coherence(analyse(x, y, dt=1.0, dj=0.5, n_simulations=20), time_unit="years").get_ylabel()
        'Period (years)'
    """
    axes = axes_or_new(ax, (7.2, 4.2))
    unit = drawable(time_unit) or DEFAULT_UNIT
    columns = np.unique(np.linspace(0, analysis.times.size - 1, _MAX_COLUMNS).round().astype(int))
    times, periods = analysis.times[columns], analysis.job.periods
    squared = analysis.coherence[:, columns].clip(0, 1)
    ratio = np.ma.masked_invalid(squared / analysis.levels.significance[:, None])
    if periods.size == 1:  # a single scale is drawn as a band
        periods = periods * np.exp2([-0.5, 0.5])
        squared, ratio = np.repeat(squared, 2, axis=0), np.ma.repeat(ratio, 2, axis=0)
    if longest_period is None:
        dt = analysis.job.dt
        longest_period = dt * 2.0 ** math.ceil(math.log2(analysis.cone_of_influence.max() / dt) - 1e-9)
    top, bottom = float(periods[0]), max(min(longest_period, float(periods[-1])), float(periods[0]) * 1.5)
    image = axes.pcolormesh(
        times,
        periods,
        squared,
        cmap=_COLOURS,
        vmin=0,
        vmax=1,
        shading="gouraud",  # values between samples run straight, as the contour's do
        rasterized=True,  # vector formats would hold every cell
    )
    _draw_edge_effects(axes, analysis, bottom)
    _draw_significance(axes, times, periods, ratio)
    _draw_arrows(axes, analysis, top, bottom)

    axes.set_yscale("log", base=2)
    axes.set_ylim(bottom, top)
    log2_axis(axes.yaxis, top, bottom)
    axes.set_xlim(times[0], times[-1])
    axes.ticklabel_format(axis="x", style="sci", scilimits=_PLAIN_TIMES, useOffset=False)
    since = f" since {drawable(first_day)}" if first_day else ""
    axes.set_xlabel(f"Time ({unit}{since})", parse_math=False)
    label = f"Period ({unit})"
    axes.set_ylabel(label, parse_math=False, fontsize=small_enough(label, 10, 40))
    heading = drawable(title) or f"Wavelet coherence: {short(analysis.names[0])} and {short(analysis.names[1])}"
    axes.set_title(heading, fontsize=small_enough(heading, 11, 64), parse_math=False)
    figure = axes.get_figure(root=True)
    assert figure is not None
    bar = figure.colorbar(image, ax=axes, pad=0.02, aspect=25)
    bar.set_label("Squared coherence")
    return axes


def caption(analysis: CoherenceAnalysis) -> str:
    """Explanation of the lines, hatching and arrows of `coherence_figure`, in four lines.

    Args:
        analysis: the result that is drawn.
    """
    job, first, second = analysis.job, short(analysis.names[0]), short(analysis.names[1])
    lag1 = job.noise_lag1
    noise = f"red noise, lag-1 autocorrelation {lag1[0]:.2f} and {lag1[1]:.2f}" if any(lag1) else "white noise"
    plural = "s" * (job.n_simulations != 1)
    return (
        f"Thick line: {100 * analysis.levels.level:g} % level against {noise} ({job.n_simulations} simulation{plural}, "
        f"seed {job.seed}).\nHatched: affected by edge effects (cone of influence).\n"
        f"Arrows: phase where squared coherence is at least {ARROW_COHERENCE:g}, outside the hatched region; "
        "right: in phase, left: in antiphase,\n"
        f"down: {first} leads by a quarter of the period, up: {second} leads by a quarter of the period."
    )


def _draw_edge_effects(axes: Axes, analysis: CoherenceAnalysis, bottom: float) -> None:
    cone = np.minimum(analysis.cone_of_influence, bottom)
    times = analysis.times
    pale = axes.fill_between(times, cone, bottom, facecolor="white", alpha=0.5, linewidth=0, zorder=2)
    pale.set_gid("edge effects")
    axes.fill_between(
        times, cone, bottom, facecolor="none", edgecolor="0.4", hatch="///", linewidth=0, hatch_linewidth=0.4, zorder=2
    )
    axes.plot(times, cone, color="0.15", linewidth=0.8, linestyle="--", zorder=2)


def _draw_significance(axes: Axes, times: FloatArray, periods: FloatArray, ratio: AnyArray) -> None:
    if not (ratio.min() < 1 < ratio.max()):
        return
    # Long series have many narrow patches, which a thick line would fill.
    width = min(1.8, max(0.8, 1.8 * math.sqrt(500 / times.size)))
    lines = axes.contour(times, periods, ratio, levels=[1.0], colors="black", linewidths=width, zorder=3)
    # A thin light rim makes the black line visible on dark colours.
    lines.set_path_effects([withStroke(linewidth=width + 1, foreground="white", alpha=0.8)])
    lines.set_gid("significance")


def _draw_arrows(axes: Axes, analysis: CoherenceAnalysis, top: float, bottom: float) -> None:
    periods = analysis.job.periods
    # Arrows too near the upper or lower edge would be cut off.
    margin = (bottom / top) ** 0.025
    first, stop = np.searchsorted(periods, (top * margin, bottom / margin)).tolist()
    rows = [first + row for row in _spread(stop - first, _ARROW_ROWS)]
    columns = _spread(analysis.times.size, _ARROW_COLUMNS)
    cells = np.ix_(rows, columns)
    shown = analysis.safe[cells] & (analysis.coherence[cells] >= ARROW_COHERENCE)
    if not shown.any():
        return
    time, period = np.meshgrid(analysis.times[columns], periods[rows])
    phase = analysis.phase[cells][shown]
    arrows = axes.quiver(
        time[shown],
        period[shown],
        np.cos(phase),
        -np.sin(phase),  # a leading first series has a positive phase, and points down
        angles="uv",
        pivot="mid",
        units="inches",
        scale_units="inches",
        scale=6.5,
        width=0.011,
        headwidth=4.2,
        headlength=4.6,
        headaxislength=4.2,
        color="black",
        zorder=4,
    )
    arrows.set_path_effects([withStroke(linewidth=0.8, foreground="white", alpha=0.7)])
    arrows.set_gid("phase arrows")


def _spread(size: int, wanted: int) -> list[int]:
    """About `wanted` of the indices below `size`, evenly spread, half a step away from the first."""
    step = max(1, round(size / wanted))
    return list(range(step // 2, size, step))


def noise_spectra_figure(noises: dict[str, FloatArray], lag1: float) -> Figure:
    """Mean spectra of noises, and the spectrum of the AR(1) process that they should have.

    Args:
        noises: label to series of shape (n_series, n_samples), evenly spaced by one sample.
        lag1: lag-1 autocorrelation of the process, -1 < lag1 < 1.

    Returns:
        A figure on an Agg canvas, 6 by 3.8 inches. Each spectrum has the mean 1, as `rednoise.red_noise_spectrum`.

    Raises:
        ValueError: lag1 is outside its range.
    """
    figure = Figure(figsize=(6.0, 3.8), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    # Markers and strokes differ as colours do, for grey print. The colours are those of Okabe & Ito (2008).
    looks = (("#D55E00", "o"), ("#0072B2", "s"), ("#009E73", "^"), ("#CC79A7", "D"))
    for (label, series), (colour, marker) in zip(noises.items(), looks, strict=False):
        power = (np.abs(np.fft.rfft(series - series.mean(axis=1, keepdims=True), axis=1)) ** 2).mean(axis=0)[1:]
        frequencies = np.fft.rfftfreq(series.shape[1])[1:]
        # Averages of neighbouring frequencies, 32 points over the band, need fewer simulations for a smooth curve;
        # within one of them the AR(1) spectrum is nearly straight.
        bins = np.array_split(np.arange(power.size), min(32, power.size))
        power = np.array([power[part].mean() for part in bins]) / power.mean()
        middle = np.array([frequencies[part].mean() for part in bins])
        axes.plot(middle, power, marker, color=colour, markersize=4.5, markeredgewidth=0, label=label)
    curve = np.linspace(0, 0.5, 501)
    theory = rednoise.red_noise_spectrum(curve, lag1)
    axes.plot(curve, theory, color="black", linewidth=1.2, zorder=1, label=f"AR(1) process, lag-1 = {lag1:g}")
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda power, _: f"{power:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_xlim(0, 0.5)
    axes.set_xlabel("Frequency (cycles per sample)")
    axes.set_ylabel("Power spectral density (mean 1)")
    axes.set_title("Mean spectrum of surrogate noise", fontsize=11)
    axes.legend(frameon=False, fontsize=9)
    axes.grid(color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    return figure


def save_figure(figure: Figure, path: Path | str, description: str = "") -> None:
    """Write a figure atomically; the same figure gives the same bytes.

    Args:
        figure: the figure.
        path: its suffix, one of `SUFFIXES`, sets the format.
        description: text to store in the file, where the format allows it.

    Raises:
        ValueError: the suffix is another one.
        OSError: the file could not be written.

    Warns:
        UserWarning: no installed font has some of the letters.
    """
    check_suffix(path)
    kind = Path(path).suffix.lower()[1:]
    # Without dates, so that a file changes only when the figure does.
    metadata: dict[str, dict[str, Any]] = {
        "png": {"Description": description},
        "pdf": {"Subject": description, "CreationDate": None},
        "svg": {"Description": description, "Date": None},
    }
    # The names of a vector file's parts are random unless they are given a salt.
    with rc_context({"svg.hashsalt": "elm11"}), fallback_fonts(figure), atomic_file(path) as file:
        figure.savefig(file, format=kind, dpi=DPI, metadata=metadata.get(kind))
