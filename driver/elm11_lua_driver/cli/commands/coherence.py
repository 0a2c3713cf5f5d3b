"""Commands that compute on this computer or on any engine: `elm11 coherence`, `elm11 significance`, `elm11 demo`."""

from __future__ import annotations

import dataclasses
import math
import os
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from elm11_host_ref.names import MAX_SCALES, MAX_SIMULATIONS

from ... import analysis, jobs, levels, plotting, series
from ..._files.atomic import atomic_file, check_writable
from ..._progress import progress_bar
from ...config import FileName, Whole
from ...errors import EngineError
from .._job_options import (
    EngineOptions,
    computation,
    engine_of,
    engine_options,
    job_options,
    level_type,
    positive,
    progress,
    report_checkpoint_on_exit,
    seed_option,
    simulations_option,
    target_option,
)
from .._messages import echo, echo_json, info, quiet_option
from .._options import json_option
from .._output import level_table, plot_option, print_levels, simulated

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ...analysis.coherence import CoherenceAnalysis
    from ...jobs.job import Job
    from ...series.pair import SeriesPair


@click.command(short_help="Coherence of two series: figure, table, levels.")
@click.argument("x", metavar="X", type=FileName())
@click.argument("y", metavar="[Y]", type=FileName(), required=False)
@click.option("--dt", type=positive, help="Sampling interval, in any unit; not needed with a time column.")
@click.option(
    "--columns",
    multiple=True,
    metavar="A,B[,C]",
    help="Columns by name or number (from 1): x,y or time,x,y of one file; value or time,value of two files (give the "
    "option twice if they differ).",
)
@click.option(
    "--percentiles",
    type=click.Choice(["x", "y", "both"]),
    help="Turn a series into percentiles first (before it is cut), for values far from normal.",
)
@click.option("--dj", type=positive, default="1/12", show_default=True, help="Spacing of the scales in octaves.")
@click.option("--s0", type=positive, help="Smallest scale, in the unit of dt.  [default: its period is 2 dt]")
@click.option(
    "--scales",
    "J",
    type=Whole(0, MAX_SCALES),
    help="J, the number of scales less one: scales s0 * 2**(j * dj), j = 0 ... J.  [default: up to the series' length]",
)
@computation
@click.option(
    "--pycwt-compatible",
    is_flag=True,
    help="The levels of pycwt, for comparison only: white noise, none at the largest scale.",
)
@click.option("--output", "--plot", type=FileName(), help="Write the picture here: .png, .pdf, .svg, .jpg or .tif.")
@click.option("--table", type=FileName(), help="Write the values by scale here, as CSV.")
@click.option(
    "--names", nargs=2, metavar="X Y", help="Names of the series, for the picture.  [default: from the files]"
)
@click.option(
    "--time-unit",
    default="",
    metavar="TEXT",
    help="Unit of the times, for picture and table.  [default: that of dates: years for months, else days]",
)
@click.option("--title", default="", metavar="TEXT", help="Title of the picture.")
@click.option("--longest-period", type=positive, help="End of the picture's period axis.  [default: what is safe]")
def coherence(x: str, y: str | None, **options: Any) -> None:  # noqa: ANN401  click hands over what is declared above
    """Squared wavelet coherence of two series, and what noise alone would reach.

    The series stand in one file X (two columns, or three with the time first), or in two files X and Y (one column
    each, or two with the time first): comma-, semicolon-, tab- or blank-separated text, # for comments. Two files with
    times are cut to the time they have in common. Times are numbers or dates (1990-01-31, 1990-01); decimal commas, and
    what spreadsheets export as CSV or Unicode text, are read too.

    Existing files given with --output and --table are overwritten.

    \b
    Examples:
      elm11 coherence series.csv --dt 0.25 --output coherence.png
      elm11 coherence ao.dat ice.dat --percentiles y --time-unit years --table levels.csv
    """  # noqa: D301  click's mark for "do not wrap" is the character
    if not x or y == "":
        raise ValueError(f"{'Y' if x else 'X'}: the name is empty; give a file")
    _check_outputs((("--output", options["output"]), ("--table", options["table"])), inputs=(x, y))
    pair = _read(x, y, options["columns"], options["percentiles"], options["dt"])
    unit, chosen = options["time_unit"] or pair.time_unit, options["chosen"]
    with (
        report_checkpoint_on_exit(options["checkpoint"]),
        engine_of(chosen) as engine,
        progress("coherence significance", chosen.engine, _size(pair, options), quiet=options["quiet"]) as advance,
    ):
        result = analysis.analyse(
            pair.x,
            pair.y,
            pair.dt,
            dj=options["dj"],
            s0=options["s0"],
            J=options["J"],
            wavelet=options["wavelet"],
            level=options["level"],
            engine=engine,
            n_simulations=options["simulations"],
            seed=options["seed"],
            pipeline=options["pipeline"],
            surrogates=options["surrogates"],
            scale_box=options["scale_box"],
            pycwt_compatible=options["pycwt_compatible"],
            times=pair.times,
            names=options["names"] or (pair.name_x, pair.name_y),
            progress=advance,
            checkpoint=options["checkpoint"],
            target_standard_error=options["target_standard_error"],
        )
    if options["output"]:
        words = {name: options[name] for name in ("title", "longest_period")}
        _write_picture(result, options["output"], unit, first_day=pair.first_day, **words)
    if options["table"]:
        _write_table(result, options["table"], unit)
    if options["as_json"]:
        more = {"time_unit": unit, "first_day": pair.first_day, "output": options["output"], "table": options["table"]}
        echo_json({**result.to_dict(), **more})
        return
    echo(_summary(result, unit, pair.first_day))
    if not (options["output"] or options["table"]):
        echo()
        echo(level_table(result.by_scale(), unit))
    for name in ("output", "table"):
        if options[name]:
            echo(f"{'picture' if name == 'output' else 'table'}: {options[name]}")


def _size(pair: SeriesPair, options: Mapping[str, Any]) -> Job:
    """A job that is as large as that of two series, for telling how long it will take."""
    mother = jobs.Job(0, 0, 1, 1, 2, 0, wavelet=options["wavelet"]).mother
    s0, J = series.default_scales(pair.x.size, pair.dt, options["dj"], mother, options["s0"], options["J"])
    rest = {name: options[name] for name in ("wavelet", "pipeline", "scale_box")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the job itself will warn
        return jobs.Job(
            0.0, 0.0, dt=pair.dt, dj=options["dj"], s0=s0, J=J, n_simulations=options["simulations"], **rest
        )


@click.command("significance", short_help="Significance levels only.")
@job_options
@computation
@plot_option
def significance_command(
    lag1: tuple[float, float],
    level: float,
    simulations: int,
    chosen: EngineOptions,
    target_standard_error: float | None,
    checkpoint: str | None,
    plot: str | None,
    *,
    as_json: bool,
    quiet: bool,
    **options: Any,  # noqa: ANN401
) -> None:
    """Squared coherence that noise exceeds with probability 1 - LEVEL, scale by scale.

    \b
    Examples:
      elm11 significance --lag1 0.72 0.72 --dt 0.25 --dj 0.25 --s0 0.5 --scales 20 --json
      elm11 significance ... --simulations 100000 --target-standard-error 0.002 --engine auto
      elm11 significance ... --simulations 100000 --checkpoint levels.npz, and after a power cut
      elm11 resume levels.npz
    """  # noqa: D301
    job = jobs.Job(*lag1, n_simulations=simulations, **options)
    _significance(job, level, chosen, checkpoint, target_standard_error, plot, as_json=as_json, quiet=quiet)


def _significance(
    job: Job,
    level: float,
    chosen: EngineOptions,
    checkpoint: str | None,
    target_standard_error: float | None,
    plot: str | None,
    *,
    as_json: bool,
    quiet: bool,
) -> None:
    """Compute, print and draw levels."""
    with (
        report_checkpoint_on_exit(checkpoint),
        engine_of(chosen) as engine,
        progress("coherence significance", chosen.engine, job, quiet=quiet) as advance,
    ):
        result = levels.significance(
            job, level, engine, advance, checkpoint=checkpoint, target_standard_error=target_standard_error
        )
    print_levels(result, as_json=as_json, more=None if checkpoint is None else {"file": checkpoint}, plot=plot)


@click.command("resume", short_help="Finish an interrupted computation.")
@click.argument("file", metavar="FILE", type=FileName())
@click.option("--level", type=level_type, help="Confidence of the significance levels.  [default: as it was begun]")
@target_option
@plot_option
@json_option
@quiet_option
@engine_options("auto")
def resume(
    file: str,
    level: float | None,
    target_standard_error: float | None,
    plot: str | None,
    chosen: EngineOptions,
    *,
    as_json: bool,
    quiet: bool,
) -> None:
    """Compute what is missing in FILE, and print the significance levels.

    FILE is what --checkpoint of significance and coherence named, or the histogram of elm11 run. It holds the job; any
    engine can finish what another has begun. A computation with --target-standard-error keeps its target.

    \b
    Example:
      elm11 resume levels.npz --engine pool
    """  # noqa: D301
    try:
        stored = jobs.storage.load_run(file)
    except OSError as error:
        msg = f"{file} cannot be read: {error.strerror}"
        raise ValueError(msg) from error
    histogram, rule = stored.histogram, stored.rule
    info(f"{file} holds {histogram.n_simulations} of {histogram.job.n_simulations} simulations")
    _significance(
        histogram.job,
        rule.level if level is None else level,
        chosen,
        file,
        rule.target_standard_error if target_standard_error is None else target_standard_error,
        plot,
        as_json=as_json,
        quiet=quiet,
    )


DEMO_SIMULATIONS: Final = 20
"""Simulations of the demo's Lua part: about a second each on a slow core."""


@click.command(short_help="The example of Grinsted et al. (2004), on two engines.")
@click.option(
    "--output-dir",
    type=click.Path(file_okay=False),
    default="demo",
    show_default=True,
    help="Folder for the picture and the table; it is made when it does not exist.",
)
@click.option(
    "--lua-simulations",
    type=Whole(1, MAX_SIMULATIONS),
    default=str(DEMO_SIMULATIONS),
    show_default=True,
    help="Simulations for the comparison of the engines; about a second each.",
)
@simulations_option
@seed_option
@json_option
@quiet_option
def demo(output_dir: str, lua_simulations: int, simulations: int, seed: int, *, as_json: bool, quiet: bool) -> None:
    """Arctic Oscillation and Baltic Sea ice, the example of Grinsted, Moore & Jevrejeva (2004).

    Computes simulations of the significance test in Lua and in NumPy and compares their counts; then draws the picture,
    with the levels of the NumPy engine. The data are those that pycwt brings.

    \b
    Example:
      elm11 demo --output-dir demo
    """  # noqa: D301
    tell = info if as_json else _print
    if not output_dir:
        raise ValueError("--output-dir: the name is empty; give a folder")
    folder = Path(output_dir)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"--output-dir: {output_dir} cannot be made: {error.strerror}; give another folder"
        raise ValueError(msg) from error
    picture, table = (str(folder / f"ao-baltic-coherence{suffix}") for suffix in (".png", ".csv"))
    _check_outputs((("--output-dir", picture), ("--output-dir", table)))
    spec = find_spec("pycwt")  # which does not import it
    assert spec is not None
    assert spec.origin is not None
    samples = Path(spec.origin).parent / "sample"
    pair = _read(str(samples / "jao.dat"), str(samples / "jbaltic.dat"), (), "y", None)
    # Flushed, so that a reader of a pipe sees what is being done before the long part begins.
    tell(
        "Arctic Oscillation in winter and greatest ice extent of the Baltic Sea (as percentiles), "
        f"{pair.times[0]:g} to {pair.times[-1]:g}, {pair.times.size} years (Grinsted et al. 2004)"
    )
    with progress_bar("numpy", show=not quiet) as advance:
        result = analysis.analyse(
            pair.x,
            pair.y,
            pair.dt,
            times=pair.times,
            names=("Arctic Oscillation", "Baltic ice extent (percentiles)"),
            n_simulations=simulations,
            seed=seed,
            progress=advance,
        )
    tell(_summary(result, "years"))
    _write_picture(result, picture, "years")
    _write_table(result, table, "years")
    agreement = _compare_engines(dataclasses.replace(result.job, n_simulations=lua_simulations), tell, quiet=quiet)
    tell(f"table: {table}")
    tell(f"picture: {picture}")
    tell(agreement)
    if as_json:
        document = {**result.to_dict(), "output": picture, "table": table, "agreement": agreement}
        echo_json(document)


def _compare_engines(job: Job, tell: Callable[[str], None], *, quiet: bool) -> str:
    """Compute a job in Lua and in NumPy; say how far the counts agree."""
    size = f"{job.n_simulations} simulations of {job.n_samples} samples and {job.J + 1} scales"
    tell(f"The same test by two engines, {size}:")
    histograms = []
    for engine in ("numpy", "lua"):
        with progress_bar(engine, show=not quiet) as advance:
            histogram = levels.run(job, engine, advance)
        histograms.append(histogram)
        tell(f"  {engine:6} {int(histogram.counts.sum())} samples counted, sha256 {histogram.sha256}")
    ours, theirs = (histogram.counts for histogram in histograms)
    differing, moved = int((ours != theirs).sum()), int(abs(ours - theirs).sum()) // 2
    if moved > 1e-6 * ours.sum():
        raise EngineError(
            f"the engines disagree: {differing} of {ours.size} bins differ, {moved} samples; "
            "rounding moves at most one in a million. Please report it with the output of elm11 --version"
        )
    if differing:
        return (
            f"agreement: {moved} of {ours.sum()} samples lie in a neighbouring bin, by rounding; all others are equal"
        )
    return f"agreement: Lua and NumPy counts are equal in all {ours.size} bins"


def _print(text: str) -> None:
    echo(text)
    sys.stdout.flush()


def _check_outputs(outputs: Sequence[tuple[str, str | None]], inputs: Sequence[str | None] = ()) -> None:
    """Nothing, if all outputs can be written; before the computation, not after it."""
    taken = {os.path.realpath(path): "the input" for path in inputs if path}
    for option, path in outputs:
        if path is None:
            continue
        try:
            if option == "--output":
                plotting.check_suffix(path)
            check_writable(path)
        except ValueError as error:
            msg = f"{option}: {error}"
            raise ValueError(msg) from error
        real = os.path.realpath(path)
        if real in taken:
            msg = f"{option}: {path} would overwrite {taken[real]}; give another name"
            raise ValueError(msg)
        taken[real] = f"what {option} names"


def _read(x: str, y: str | None, columns: Sequence[str], percentiles: str | None, dt: float | None) -> SeriesPair:
    chosen: list[list[str] | None] = [text.split(",") for text in columns] or [None]
    if len(chosen) > (1 if y is None else 2):
        msg = f"--columns is given {len(chosen)} times; once for one file, at most twice for two"
        raise ValueError(msg)
    if y is None:
        series_x, series_y = series.read_both(x, chosen[0])
    else:
        series_x, series_y = series.read_series(x, chosen[0]), series.read_series(y, chosen[-1])
    if percentiles in {"x", "both"}:
        series_x = series_x.as_percentiles()
    if percentiles in {"y", "both"}:
        series_y = series_y.as_percentiles()
    return series.make_pair(series_x, series_y, dt)


def _write_picture(
    result: CoherenceAnalysis,
    path: str,
    time_unit: str,
    **words: Any,  # noqa: ANN401  those of `coherence_figure`
) -> None:
    figure = plotting.coherence_figure(result, time_unit=time_unit, **words)
    plotting.save_figure(figure, path, f"elm11-lua-driver {jobs.provenance.__version__}, job {result.job.to_json()}")


def _write_table(result: CoherenceAnalysis, path: str, time_unit: str) -> None:
    text = result.to_csv(time_unit or analysis.DEFAULT_UNIT, jobs.provenance.__version__)
    with atomic_file(path) as file:
        file.write(text.encode(errors="replace"))  # a file's name, which is a label here, need not be text


def _summary(result: CoherenceAnalysis, time_unit: str, first_day: str = "") -> str:
    """Three lines on the series, the simulations and what was found."""
    job, fraction = result.job, result.significant_fraction
    by_chance = f"{100 * (1 - result.levels.level):.3g} % would by chance"
    found = (
        "no sample is safe from the ends of the series"
        if math.isnan(fraction)
        else f"{100 * fraction:.3g} % of the safe samples are above the level, {by_chance}"
    )
    periods = f"periods {job.periods[0]:.4g} to {job.periods[-1]:.4g} {time_unit}".rstrip()
    times = f"{result.times.size} samples, {result.times[0]:.10g} to {result.times[-1]:.10g}"
    times += f" {time_unit} since {first_day}" if first_day else ""
    return f"{result.names[0]} and {result.names[1]}: {times}, {periods}\n{simulated(result.levels)}\n{found}"
