"""The figures of docs/performance.md and docs/comparison.md, drawn from the data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from elm11_host_ref.exact import wavelet as wavelets
from elm11_lua_driver.plotting.coherence import save_figure
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from study import libraries, transforms

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from matplotlib.axes import Axes

# Okabe & Ito (2008); markers and strokes differ as the colours do, for grey print.
LOOKS: Final = (
    ("#0072B2", "o", "-"),
    ("#D55E00", "s", "--"),
    ("#009E73", "^", "-."),
    ("#CC79A7", "D", ":"),
    ("#E69F00", "v", "-"),
    ("#56B4E9", "P", "--"),
    ("#000000", "X", "-."),
    ("#7F7F7F", "*", ":"),
    # Colours return with another marker and stroke.
    ("#0072B2", "<", "--"),
    ("#D55E00", ">", "-."),
    ("#009E73", "h", ":"),
    ("#CC79A7", "p", "-"),
)
_FOURIER_FACTOR: Final = wavelets.WAVELETS["morlet"].fourier_factor
_MEMORIES_GB: Final = (16, 64)


def _figure(width: float, height: float) -> Figure:
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _tidy(axes: Axes) -> None:
    axes.grid(color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", labelsize=8)


# The legend where no curve is.
BELOW: Final[dict[str, Any]] = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.16), "ncols": 2}


def _legend(axes: Axes, **options: Any) -> None:  # noqa: ANN401  matplotlib's own
    if axes.get_legend_handles_labels()[0]:
        axes.legend(**{"frameon": False, "fontsize": 7.5, **options})


def _plain_log(axes: Axes, which: str) -> None:
    """Plain numbers at powers of two on one axis."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(LogLocator(base=2, numticks=12))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())


def scaling(data: dict[str, Any]) -> Figure:
    """Time and memory of pycwt's cwt and wct over the length of the series."""
    figure = _figure(7.2, 5.4)
    panels = figure.subplots(2, 2, sharex=True)
    for column, function in enumerate(("cwt", "wct")):
        rows = [row for row in data["cells"] if row["function"] == function]
        time, memory = panels[0][column], panels[1][column]
        for (colour, marker, stroke), n_scales in zip(LOOKS, sorted({row["n_scales"] for row in rows}), strict=False):
            mine = [row for row in rows if row["n_scales"] == n_scales]
            n = [row["n_samples"] for row in mine]
            low = [row["wall"]["median"] - row["wall"]["low"] for row in mine]
            high = [row["wall"]["high"] - row["wall"]["median"] for row in mine]
            look = {"color": colour, "marker": marker, "linestyle": stroke, "markersize": 4, "linewidth": 1}
            label = f"{n_scales} scales"
            time.errorbar(n, [row["wall"]["median"] for row in mine], yerr=[low, high], capsize=2, label=label, **look)
            seen = [row for row in mine if row["peak_bytes"] > 0]
            memory.plot([row["n_samples"] for row in seen], [row["peak_bytes"] / 2**30 for row in seen], **look)
        for gigabytes in _MEMORIES_GB:
            memory.axhline(gigabytes, color="0.3", linewidth=0.8)
            memory.annotate(
                f"{gigabytes} GB", (0.02, gigabytes), xycoords=("axes fraction", "data"), fontsize=7.5, va="bottom"
            )
        time.set_title(f"pycwt.{function}", fontsize=10)
        for axes, label in ((time, "Time of a call (s)"), (memory, "Peak memory (GB)")):
            axes.set_xscale("log")
            axes.set_yscale("log")
            axes.set_ylabel(label, fontsize=9)
            _tidy(axes)
        memory.set_ylim(top=200)
        memory.set_xlabel("Length of the series (samples)", fontsize=9)
        _legend(time)
    return figure


def transform_times(data: dict[str, Any]) -> Figure:
    """Time by library over the length of the series; gain and error by scale."""
    figure = _figure(7.2, 4.0)
    time, error = figure.subplots(1, 2)
    looks = dict(zip(libraries.TRANSFORMS, LOOKS, strict=False))
    for key in dict.fromkeys(row["key"] for row in data["timing"]):
        colour, marker, stroke = looks[key]
        mine = [row for row in data["timing"] if row["key"] == key]
        median = np.array([row["wall"]["median"] for row in mine])
        bars = [
            median - [row["wall"]["low"] for row in mine],
            np.array([row["wall"]["high"] for row in mine]) - median,
        ]
        time.errorbar(
            [row["n_samples"] for row in mine],
            1e3 * median,
            yerr=1e3 * np.array(bars),
            color=colour,
            marker=marker,
            linestyle=stroke,
            markersize=4,
            linewidth=1,
            capsize=2,
            label=libraries.TRANSFORMS[key].label,
        )
    periods = _FOURIER_FACTOR * np.array(data["sigma"])
    for key, row in data["agreement"].items():
        if key == "ssq_kept":  # its coefficients are those of ssqueezepy without kept filters
            continue
        colour, marker, stroke = looks[key]
        error.plot(
            periods,
            np.maximum(row["relative_error"], 1e-17),
            color=colour,
            marker=marker,
            markevery=6,
            linestyle=stroke,
            markersize=4,
            linewidth=1,
        )
    for axes in (time, error):
        axes.set_xscale("log")
        axes.set_yscale("log")
        _tidy(axes)
    error.set_xscale("log", base=2)
    _plain_log(error, "x")
    time.set_xlabel("Length of the series (samples)", fontsize=9)
    time.set_ylabel("Time of a transform (ms)", fontsize=9)
    time.set_title(f"{transforms.N_SCALES} scales, one core", fontsize=10)
    error.set_xlabel("Period (samples)", fontsize=9)
    error.set_ylabel("RMS of the difference from pycwt\nover RMS of the scale (no unit)", fontsize=8)
    error.set_title(f"{data['compared_samples']} samples, inside the cone", fontsize=10)
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=7.5)
    return figure


def difference_map(n_samples: int) -> Figure | None:
    """Where each library's coefficients differ from pycwt's, over time and period; None without other libraries."""
    sigma = transforms.sigma_for(n_samples)
    found = {key: pair for key, pair in transforms.differences(n_samples).items() if key != "ssq_kept"}
    if not found:
        return None
    n_columns = 3
    n_rows = -(-len(found) // n_columns)
    figure = _figure(7.2, 1.0 + 1.9 * n_rows)
    panels = np.atleast_2d(figure.subplots(n_rows, n_columns, sharex=True, sharey=True))
    periods = _FOURIER_FACTOR * sigma
    cone = wavelets.cone_of_influence(n_samples, 1.0, wavelets.WAVELETS["morlet"])
    columns = np.linspace(0, n_samples - 1, 400).round().astype(int)
    image = None
    for axes, (key, (W, reference)) in zip(panels.flat, found.items(), strict=False):
        rms = np.sqrt((np.abs(reference) ** 2).mean(axis=1, keepdims=True))
        relative = np.maximum(np.abs(W - reference) / rms, 1e-17)[:, columns]
        image = axes.pcolormesh(
            columns, periods, relative, norm=LogNorm(1e-8, 1), cmap="viridis", shading="nearest", rasterized=True
        )
        axes.plot(np.arange(n_samples), cone, color="white", linewidth=2)
        axes.plot(np.arange(n_samples), cone, color="black", linewidth=1, linestyle="--")
        axes.set_yscale("log", base=2)
        _plain_log(axes, "y")
        axes.set_ylim(periods[-1], periods[0])
        axes.set_xlim(0, n_samples - 1)
        axes.tick_params(labelsize=8)
        axes.set_title(libraries.TRANSFORMS[key].label, fontsize=9)
    for axes in panels.flat[len(found) :]:
        axes.set_visible(False)
    figure.supxlabel("Time (samples)", fontsize=9)
    figure.supylabel("Period (samples)", fontsize=9)
    assert image is not None
    bar = figure.colorbar(image, ax=panels, extend="both", aspect=30)
    bar.set_label("|difference from pycwt| / RMS of the scale (no unit)", fontsize=8)
    bar.ax.tick_params(labelsize=8)
    return figure


def hybrid(data: dict[str, Any]) -> Figure:
    """What other coefficients do to the levels, and what they save."""
    figure = _figure(7.2, 3.8)
    levels, time = figure.subplots(1, 2)
    rows = data["levels"]
    looks = dict(zip(libraries.TRANSFORMS, LOOKS, strict=False))
    for shift, (key, row) in enumerate(rows["libraries"].items()):
        if key == "pycwt":
            continue
        colour, marker, _ = looks[key]
        levels.errorbar(
            np.array(rows["periods"]) * 2 ** (0.02 * (shift - 2)),  # side by side, not on top of each other
            row["difference"],
            yerr=2 * np.array(row["standard_error"]),
            color=colour,
            marker=marker,
            linestyle="none",
            markersize=3,
            linewidth=0.8,
            label=libraries.TRANSFORMS[key].label,
        )
    levels.axhline(0, color="black", linewidth=0.8)
    levels.set_xscale("log", base=2)
    _plain_log(levels, "x")
    levels.set_xlabel("Period (unit of dt = 0.25)", fontsize=9)
    levels.set_ylabel("95 % level less that with pycwt's\ntransform (squared coherence)", fontsize=8)
    levels.set_title(f"{rows['n_simulations']} simulations, bars: 2 standard errors", fontsize=9)
    _tidy(levels)
    largest = max(row["n_samples"] for row in data["timing"])
    times = {row["what"]: row["wall"] for row in data["timing"] if row["n_samples"] == largest}
    whole = {what: one for what, one in times.items() if not what.endswith(" transforms")}
    names = [_label(what) for what in whole]
    for position, (what, one) in enumerate(whole.items()):
        part = times.get(f"{what} transforms")
        both = part["median"] if part else 0.0
        time.barh(position, both, color="#0072B2", hatch="//", edgecolor="white")
        time.barh(position, one["median"] - both, left=both, color="#E69F00" if part else "#7F7F7F")
        time.errorbar(
            one["median"],
            position,
            xerr=[[one["median"] - one["low"]], [one["high"] - one["median"]]],
            color="black",
            capsize=2,
            linewidth=0.8,
        )
    time.barh(0, 0, color="#0072B2", hatch="//", edgecolor="white", label="both transforms")
    time.barh(0, 0, color="#E69F00", label="the rest: mostly smoothing")
    time.barh(0, 0, color="#7F7F7F", label="not taken apart")
    time.set_yticks(range(len(names)), names)
    time.invert_yaxis()
    time.set_xlabel("Time of a coherence (s)", fontsize=9)
    time.xaxis.set_major_locator(MaxNLocator(5))
    time.set_title(f"{largest} samples, one core", fontsize=9)
    _tidy(time)
    figure.legend(
        *(
            [*left, *right]
            for left, right in zip(levels.get_legend_handles_labels(), time.get_legend_handles_labels(), strict=True)
        ),
        loc="outside lower center",
        ncols=4,
        frameon=False,
        fontsize=7,
    )
    return figure


def _label(key: str) -> str:
    """Of a transform, or what else was timed; broken where it is long."""
    known = libraries.TRANSFORMS.get(key)
    return (known.label if known else key).replace(", ", ",\n")


def engines(data: dict[str, Any]) -> Figure:
    """Whole runs over simulations, and scaling over workers."""
    figure = _figure(7.2, 4.3)
    whole, workers = figure.subplots(1, 2)
    for (colour, marker, stroke), row in zip(LOOKS, data["overhead"], strict=False):
        n = np.array([point["n_simulations"] for point in row["points"]])
        walls = [point["wall"] for point in row["points"]]
        median = np.array([wall["median"] for wall in walls])
        bars = [median - [wall["low"] for wall in walls], np.array([wall["high"] for wall in walls]) - median]
        whole.errorbar(
            n,
            median,
            yerr=bars,
            color=colour,
            marker=marker,
            linestyle="none",
            markersize=4,
            capsize=2,
            label=f"{row['label']} ({row['n_workers']} process{'es' * (row['n_workers'] > 1)})",
        )
        dense = np.geomspace(n.min(), n.max(), 60)
        line = row["start_s"] + row["per_simulation_s"] * dense
        whole.plot(dense[line > 0], line[line > 0], color=colour, linestyle=stroke, linewidth=1)
    whole.set_xscale("log")
    whole.set_yscale("log")
    whole.set_xlabel("Simulations", fontsize=9)
    whole.set_ylabel("Time of a whole run (s)", fontsize=9)
    whole.set_title("From making the engine to closing it", fontsize=9)
    _tidy(whole)
    _legend(whole, fontsize=7, **BELOW)
    rows = [row for row in data["scaling"] if row["kind"] != "reference"]
    for (colour, marker, stroke), (label, kind) in zip(
        LOOKS, dict.fromkeys((row["label"], row["kind"]) for row in rows), strict=False
    ):
        mine = [row for row in rows if (row["label"], row["kind"]) == (label, kind)]
        speed_up = np.array([row["speed_up"] for row in mine])
        workers.errorbar(
            [row["n_workers"] for row in mine],
            speed_up,
            yerr=[
                speed_up - [row["speed_up_low"] for row in mine],
                np.array([row["speed_up_high"] for row in mine]) - speed_up,
            ],
            capsize=2,
            color=colour,
            marker=marker,
            linestyle=stroke,
            markersize=5,
            linewidth=1,
            label=f"{label}, {kind}",
        )
    most = max([row["n_workers"] for row in rows], default=2)
    workers.plot([1, most], [1, most], color="0.6", linewidth=0.8, label="ideal")
    workers.xaxis.set_major_locator(MaxNLocator(integer=True))
    workers.set_ylim(bottom=0)
    workers.set_xlabel("Worker processes", fontsize=9)
    workers.set_ylabel("Work per time against one process (no unit)", fontsize=8)
    workers.set_title("Processes running", fontsize=9)
    _tidy(workers)
    _legend(workers, fontsize=7, **BELOW)
    return figure


def decision(data: dict[str, Any], pays_off_s: dict[str, float | None]) -> Figure:
    """Seconds of a test with 300 simulations over the length of the data."""
    figure = _figure(5.6, 3.8)
    axes = figure.add_subplot()
    simulations = data["simulations"]
    labels = list(dict.fromkeys(row["label"] for row in data["costs"]))
    for (colour, marker, stroke), label in zip(LOOKS, labels, strict=False):
        mine = [row for row in data["costs"] if row["label"] == label]
        axes.plot(
            [row["n_samples"] for row in mine],
            [simulations * row["wall"]["median"] / row["n_simulations"] for row in mine],
            color=colour,
            marker=marker,
            linestyle="none",
            markersize=5,
            label=label if label == "pycwt" else f"this project: {label}",
        )
        predicted = [(row["n_samples"], row["test_s"][label]) for row in data["table"] if label in row["test_s"]]
        axes.plot(*zip(*predicted, strict=True), color=colour, linestyle=stroke, linewidth=1)
    for pipeline, limit in pays_off_s.items():
        if limit is not None and limit > 0:
            axes.axhline(limit, color="0.4", linewidth=0.8)
            axes.annotate(
                f"above: pool ({pipeline})",
                (0.98, limit),
                xycoords=("axes fraction", "data"),
                fontsize=7,
                va="bottom",
                ha="right",
            )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("Length of the data (samples), pycwt's default scales", fontsize=9)
    axes.set_ylabel(f"Time of {simulations} simulations, one core (s)", fontsize=9)
    axes.set_title("Markers: measured; lines: fitted and extended", fontsize=9)
    _tidy(axes)
    _legend(axes)
    return figure


def false_alarms(data: dict[str, Any]) -> Figure:
    """How often independent red noise exceeds each tool's level, by period."""
    figure = _figure(5.6, 3.4)
    axes = figure.add_subplot()
    for (colour, marker, stroke), (tool, row) in zip(LOOKS, data["tools"].items(), strict=False):
        periods = data["periods"][: len(row["percent_by_scale"])]
        axes.plot(
            periods,
            row["percent_by_scale"],
            color=colour,
            marker=marker,
            linestyle=stroke,
            markersize=4,
            linewidth=1,
            label=tool,
        )
    axes.axhline(5, color="black", linewidth=1, label="5 %: as promised")
    axes.set_xscale("log", base=2)
    _plain_log(axes, "x")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("Period (unit of dt = 0.25)", fontsize=9)
    axes.set_ylabel("Independent red noise above the\n95 % level (% of the samples)", fontsize=9)
    _tidy(axes)
    _legend(axes)
    return figure


def draw(data: dict[str, Any], folder: Path) -> list[Path]:
    """Draw every figure whose data are there.

    Args:
        data: of the study.
        folder: where the PNG files go; it is made.

    Returns:
        The files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drawn: dict[str, Figure | None] = {}
    if "scaling" in data:
        drawn["performance-scaling"] = scaling(data["scaling"])
    if "transforms" in data:
        drawn["performance-transforms"] = transform_times(data["transforms"])
        drawn["performance-difference-map"] = difference_map(data["transforms"]["compared_samples"])
    if "hybrid" in data:
        drawn["performance-hybrid"] = hybrid(data["hybrid"])
    if "engines" in data:
        drawn["performance-engines"] = engines(data["engines"])
    if "decision" in data:
        drawn["performance-decision"] = decision(data["decision"], data.get("engines", {}).get("pays_off_s", {}))
    if "comparison" in data:
        drawn["comparison-false-alarms"] = false_alarms(data["comparison"]["false_alarms"])
    return _save(((name, figure) for name, figure in drawn.items() if figure is not None), folder)


def _save(drawn: Iterable[tuple[str, Figure]], folder: Path) -> list[Path]:
    files = []
    for name, figure in drawn:
        path = folder / f"{name}.png"
        save_figure(figure, path)
        files.append(path)
    return files
