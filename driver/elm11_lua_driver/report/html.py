"""A result as one self-contained HTML page, to read, print and share.

Styles and figures (as SVG) are part of the page. Its content security policy forbids the browser to load anything else.
"""

from __future__ import annotations

import io
import re
from html import escape
from typing import TYPE_CHECKING, Final

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from matplotlib import rc_context, style

from .._text import duration
from ..analysis.coherence import DEFAULT_UNIT
from ..engines import BoardEngine
from ..jobs.provenance import versions
from ..levels.levels import Significance
from ..plotting.axes import drawable, fallback_fonts
from ..plotting.coherence import plot_convergence, plot_histogram, plot_significance
from .caveats import caveats
from .reproduce import command, python_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from matplotlib.axes import Axes

    from ..jobs.histogram import Histogram
    from ..jobs.job import Job
    from ..jobs.provenance import Provenance

    _Table = tuple[Sequence[str], Sequence[Sequence[str]]]
    """Heads and rows."""

_FIGURE_DPI: Final = 200  # of the heat map's cells; all else is lines
_NONE: Final = "\N{EN DASH}"  # in a table's cell
_BOXES: Final = {
    "pycwt": "pycwt's box, which is 1.6 to 2.9 times as wide as Grinsted's",
    "grinsted": "Grinsted's box of 0.6 octaves, as in MATLAB and R",
}


def report_html(
    histogram: Histogram,
    *,
    level: float = 0.95,
    sessions: Sequence[Provenance] = (),
    time_unit: str = "",
    title: str = "",
    source: str = "",
    target_standard_error: float | None = None,
) -> str:
    """A page about a histogram and the significance levels that follow from it.

    Args:
        histogram: counts of some or all simulations of its job; not empty.
        level: confidence of the levels, 0 < level < 1.
        sessions: engines, times and versions of the computation, as far as known.
        time_unit: unit of dt; empty for "unit of dt".
        title: heading of the page; empty for one that names the levels.
        source: name of the file that the histogram is from, for the page.
        target_standard_error: at which the computation was to stop; None for all simulations.

    Returns:
        HTML, the same for the same arguments and versions.

    Raises:
        ValueError: the level is outside its range, or the histogram is empty.

    Examples:
        >>> from elm11_lua_driver import Job, run
        >>> from elm11_lua_driver.report.html import report_html
        >>> job = Job(lag1_x=0.72, lag1_y=0.72, dt=0.25, dj=0.25, s0=0.5, J=4, n_simulations=32)
        >>> report_html(run(job), time_unit="years").startswith("<!DOCTYPE html>")
        True
    """
    if not histogram.n_simulations:
        raise ValueError("the histogram is empty: there is nothing to report yet")
    time_unit = drawable(time_unit)
    unit = time_unit or DEFAULT_UNIT
    result = Significance.from_histogram(
        histogram, level, engine=_engines(sessions), target_standard_error=target_standard_error
    )
    level = result.level
    heading = drawable(title) or f"{100 * level:g} % significance levels of squared wavelet coherence"
    job = histogram.job
    page = Environment(
        loader=PackageLoader("elm11_lua_driver", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    ).get_template("page.html.j2")
    return page.render(
        generator=f"elm11-lua-driver {versions()['elm11-lua-driver']}",
        title=heading,
        subtitle=_subtitle(result, sessions, source),
        numbers=_numbers(result, sessions, time_unit),
        caveats=caveats(result, sessions),
        words=_words(result, time_unit),
        figures=_figures(result, time_unit),
        levels=_levels_table(result, unit),
        parameters=_parameters(job, unit),
        counted=_counted(histogram),
        sessions=[_session_row(session) for session in sessions],
        versions=_versions_table(sessions),
        again=_again(result, sessions),
        counts_sha256=histogram.sha256,
        job_sha256=job.sha256,
    )


# ---- text -----------------------------------------------------------------------------------


def _noise(job: Job) -> str:
    if not any(job.noise_lag1):
        return "white noise"
    first, second = job.noise_lag1
    return f"red noise with lag-1 autocorrelations {first:.4g} and {second:.4g}"


def _engines(sessions: Sequence[Provenance]) -> str:
    return ", ".join(dict.fromkeys(session.engine for session in sessions)) or "engine not recorded"


def _time(sessions: Sequence[Provenance]) -> str:
    """The time of all sessions together."""
    known = [session.seconds for session in sessions if session.seconds is not None]
    if not known:
        return "not recorded"
    return ("" if len(known) == len(sessions) else "at least ") + duration(sum(known))


def _per_simulation(session: Provenance) -> str:
    if session.seconds is None or not session.n_simulations:
        return _NONE
    seconds = session.seconds / session.n_simulations
    return f"{1e3 * seconds:.3g} ms" if seconds < 1 else duration(seconds)


def _minute(session: Provenance) -> str:
    """The end of a session, to the minute."""
    return session.ended[:16].replace("T", " ")


def _subtitle(result: Significance, sessions: Sequence[Provenance], source: str) -> str:
    parts = [f"Against {_noise(result.histogram.job)}"]
    if source:
        parts.append(f"from {drawable(source)}")
    if sessions:
        parts.append(f"computed until {_minute(sessions[-1])} UTC")
    return ", ".join(parts)


def _numbers(result: Significance, sessions: Sequence[Provenance], time_unit: str) -> Iterable[tuple[str, str]]:
    histogram, job = result.histogram, result.histogram.job
    total = "" if histogram.is_complete else f" of {job.n_simulations}"
    yield f"{histogram.n_simulations}{total}", "simulations"
    levels = result.significance[np.isfinite(result.significance)]
    if levels.size:
        yield f"{levels.min():.3f} to {levels.max():.3f}", f"{100 * result.level:g} % levels"
    errors = result.standard_error
    if np.isfinite(errors).any():
        worst = int(np.nanargmax(errors))
        yield (
            f"± {errors[worst]:.3f}",
            f"largest standard error, at period {job.periods[worst]:.3g} {time_unit}".rstrip(),
        )
    else:
        yield "unknown", "standard errors"
    yield _time(sessions), f"time ({result.engine})"


def _words(result: Significance, time_unit: str) -> Iterable[str]:
    histogram, job = result.histogram, result.histogram.job
    n = histogram.n_simulations
    unit = f" {time_unit}" if time_unit else ""
    pairs = "One pair" if n == 1 else f"{n} pairs"
    yield (
        f"{pairs} of random series, each series of {job.n_samples} samples at intervals of {job.dt:g}{unit}: "
        f"{_noise(job)}. Of each pair the squared wavelet coherence was computed at {job.J + 1} "
        f"{_scales(job, unit)} with the {job.wavelet} wavelet, smoothed over time and over scales (by "
        f"{_BOXES[job.scale_box]}). Samples inside the cone of influence were counted."
    )
    yield (
        f"The level is the squared coherence that such noise exceeds in {100 * (1 - result.level):.3g} % of these "
        "samples, scale by scale. Coherence of two real series above it, computed with the same wavelet and the same "
        "smoothing, is unlikely to be due to chance at a single sample; of many samples, "
        f"{100 * (1 - result.level):.3g} % lie above it by chance."
    )


def _scales(job: Job, unit: str) -> str:
    """Description of the scales."""
    if not job.J:
        return f"scale (period {job.periods[0]:.4g}{unit})"
    return f"scales (periods {job.periods[0]:.4g} to {job.periods[-1]:.4g}{unit}, {1 / job.dj:.4g} to the octave)"


# ---- figures -----------------------------------------------------------------------------------------------


def _figures(result: Significance, time_unit: str) -> list[dict[str, str]]:
    histogram, level = result.histogram, result.level
    percent = f"{100 * level:g} %"
    known = bool(np.isfinite(result.standard_error).any())
    of_levels = f"Squared coherence that noise exceeds in {100 * (1 - level):.3g} % of the samples. " + (
        "Bars: one standard error to both sides." if known else "Standard errors are not known."
    )
    of_histogram = f"Distribution of the squared coherence of noise at each scale; white: the {percent} level."
    of_convergence = (
        "All simulations are in one block, so only their sum can be shown."
        if len(histogram.parts) == 1
        else f"The {percent} level of some scales as simulations are added, with one standard error to both sides."
    )
    with style.context("default"):  # the page has its own look, whatever the user's matplotlibrc says
        return [
            _figure("levels", plot_significance(result, time_unit=time_unit), "Levels over period.", of_levels),
            _figure(
                "histogram",
                plot_histogram(histogram, level=level, time_unit=time_unit),
                "Histogram.",
                of_histogram,
            ),
            _figure(
                "convergence",
                plot_convergence(histogram, level=level, time_unit=time_unit),
                "Convergence.",
                of_convergence,
            ),
        ]


def _figure(name: str, ax: Axes, heading: str, text: str) -> dict[str, str]:
    figure = ax.get_figure(root=True)
    assert figure is not None
    file = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    # Text stays text: it can be selected, searched, and read aloud. The browser finds the fonts.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": name}), fallback_fonts(figure, warn=False):
        figure.savefig(file, format="svg", dpi=_FIGURE_DPI, metadata=nothing)
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :]
    # Its style sheet would apply to the whole page, which has these two rules for figures.
    svg = re.sub(r"<defs>\s*<style[^>]*>.*?</style>\s*</defs>", "", svg, count=1, flags=re.DOTALL)
    # All figures are in one document, where each id must be unique.
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    svg = svg.replace("<svg", f'<svg role="img" aria-label="{escape(f"{heading} {text}")}"', 1)
    return {"name": name, "svg": Markup(svg), "heading": heading, "text": text}  # noqa: S704  ours, by Matplotlib


# ---- tables and sections ------------------------------------------------------------------------------------


def _levels_table(result: Significance, unit: str) -> _Table:
    job = result.histogram.job

    def cell(value: float) -> str:
        return f"{value:.4f}" if np.isfinite(value) else _NONE

    rows = [
        (f"{period:.4g}", f"{scale:.4g}", cell(level), cell(error), f"{samples:,}".replace(",", " "))
        for period, scale, level, error, samples in zip(
            job.periods.tolist(),
            job.scales.tolist(),
            result.significance.tolist(),
            result.standard_error.tolist(),
            result.histogram.counts.sum(axis=1).tolist(),
            strict=True,
        )
    ]
    heads = (f"Period ({unit})", f"Scale ({unit})", f"{100 * result.level:g} % level", "Std. error", "Samples")
    return heads, rows


def _parameters(job: Job, unit: str) -> Sequence[Sequence[str]]:
    return (
        ("lag1_x", repr(job.lag1_x), "lag-1 autocorrelation of the first series"),
        ("lag1_y", repr(job.lag1_y), "and of the second"),
        ("dt", repr(job.dt), f"sampling interval ({unit})"),
        ("dj", repr(job.dj), "spacing of the scales (octaves)"),
        ("s0", repr(job.s0), f"smallest scale ({unit})"),
        ("J", str(job.J), "number of scales less one"),
        ("wavelet", job.wavelet, "mother wavelet"),
        ("surrogates", job.surrogates, "random series: ar1 is red noise"),
        ("scale_box", job.scale_box, "smoothing over scales"),
        ("pipeline", job.pipeline, "how it is computed"),
        ("n_simulations", str(job.n_simulations), "simulations wanted"),
        ("n_bins", str(job.n_bins), "bins over squared coherence 0 to 1"),
        ("seed", str(job.seed), "of the random numbers"),
    )


def _counted(histogram: Histogram) -> str:
    ranges = ", ".join(f"{part.start} to {part.stop - 1}" for part in histogram.ranges)
    groups = f"{len(histogram.parts)} group{'s' * (len(histogram.parts) != 1)}"
    return f"The file holds simulations {ranges}, in {groups}."


def _session_row(session: Provenance) -> Sequence[str]:
    time = duration(session.seconds) if session.seconds is not None else "not known"
    return session.engine, str(session.n_simulations), time, _per_simulation(session), _minute(session)


def _versions_table(sessions: Sequence[Provenance]) -> _Table:
    """A column for each set of versions."""
    sets: list[Mapping[str, str]] = []
    for session in sessions:
        if session.versions not in sets:
            sets.append(session.versions)
    names = dict.fromkeys(name for of_set in sets for name in of_set)
    rows = [(name, *(of_set.get(name, _NONE) for of_set in sets)) for name in names]
    heads = ["Version"]
    if len(sets) > 1:
        last = {sets.index(session.versions): session for session in sessions}
        heads = [f"Version until {_minute(last[position])}" for position in range(len(sets))]
    return ("Program or library", *heads), rows


def _again(result: Significance, sessions: Sequence[Provenance]) -> Iterable[tuple[str, str]]:
    """Ways to compute it again: what they are, and the code."""
    histogram, job, target = result.histogram, result.histogram.job, result.target_standard_error
    line = command(job, result.level, target_standard_error=target)
    if line is not None:
        partial = "" if histogram.is_complete else f" (all {job.n_simulations} simulations)"
        if target is not None:
            partial = " (until the target standard error is reached)"
        yield f"On this computer{partial}", line
        if any(session.engine == BoardEngine.name for session in sessions):
            on_board = command(job, result.level, "run")
            assert on_board is not None
            yield "On a board", on_board
    yield "In Python, with a check of the counts", python_lines(histogram, result.level)
