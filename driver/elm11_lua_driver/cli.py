"""The command line program `elm11`: parse, call, print, exit code.

Results go to standard output, everything else to standard error. Exit codes: 0 done; 1 something failed; 2 a wrong
argument or file; 130 interrupted; other codes are those of the error tree in `errors.py`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import io
import json
import os
import platform
import re
import sys
import warnings
from fractions import Fraction
from importlib import resources
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click
import numpy as np
from elm11_host_ref.experiment import MAX_SIMULATIONS, SURROGATES
from elm11_host_ref.percentiles import percentile_transform
from elm11_host_ref.smoothing import SCALE_BOXES
from elm11_host_ref.wavelet import WAVELETS

from . import series_files
from .analysis import DEFAULT_UNIT, CoherenceAnalysis, analyse
from .atomic_file import atomic_file, check_writable
from .engines import ENGINES
from .errors import Elm11Error, EngineError
from .job import PIPELINES, Job
from .levels import Significance, significance
from .pycwt_drop_in import progress_bar
from .run import run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    NumberType = click.ParamType[float]
    IntegerType = click.ParamType[int]
else:  # older versions of click cannot be subscripted
    NumberType = IntegerType = click.ParamType

OPTION_OF: Final = {
    "J": "--scales",
    "lag1_x": "--lag1",
    "lag1_y": "--lag1",
    "|lag1_x|": "--lag1",
    "|lag1_y|": "--lag1",
    "n_simulations": "--simulations",
    "significance_level": "--level",
    "scale_box": "--scale-box",
}
"""Options whose argument has another name in the library."""

INTERRUPTED: Final = 130
"""Exit code after Ctrl-C: 128 + SIGINT, as a shell reports it."""


class Number(NumberType):
    """A finite number, also as a fraction such as 1/12."""

    name = "number"

    def __init__(self, low: float | None = None, high: float | None = None) -> None:
        """Numbers above `low` and below `high`, both excluded."""
        self._low, self._high = low, high

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:  # noqa: ANN401
        """The number, or a usage error that gives the range."""
        if isinstance(value, (int, float)):
            return float(value)
        low, high = self._low, self._high
        try:
            # Fraction also takes decimals, and no "nan", "inf" or hexadecimal; underscores are not for people.
            number = float(Fraction(value.replace(" ", "").replace("_", "?")))
        except (ValueError, ZeroDivisionError, OverflowError):
            number = None
        if number is None or (low is not None and number <= low) or (high is not None and number >= high):
            bounds = [] if low is None else [f"greater than {low:g}"]
            bounds += [] if high is None else [f"less than {high:g}"]
            self.fail(f"must be a number {' and '.join(bounds)} (such as 0.25 or 1/4), not {value!r}", param, ctx)
        return number


class Whole(IntegerType):
    """A whole number in a range."""

    name = "integer"

    def __init__(self, low: int, high: int) -> None:
        """Numbers from `low` to `high`, both included."""
        self._low, self._high = low, high

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:  # noqa: ANN401
        """The number, or a usage error that gives the range."""
        if isinstance(value, int):
            return value
        if not re.fullmatch(r"[+-]?[0-9]{1,30}", value) or not self._low <= int(value) <= self._high:
            self.fail(f"must be a whole number from {self._low} to {self._high}, not {value!r}", param, ctx)
        return int(value)


class Elm11Group(click.Group):
    """A group of commands that ends every failure with one line on standard error and an exit code."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: FBT001, FBT002  click's interface
        **extra: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        """Parse and run; exits, unless `standalone_mode` is off."""
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        escape_foreign_letters()
        with plain_warnings():
            try:
                super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
                sys.stdout.flush()
            except click.exceptions.NoArgsIsHelpError as error:
                click.echo(error.ctx.get_help() if error.ctx else error.format_message(), err=True)
                sys.exit(error.exit_code)
            except click.ClickException as error:
                _fail(error.format_message(), error.exit_code, getattr(error, "ctx", None))
            except click.Abort:
                _fail("interrupted", INTERRUPTED)
            except Elm11Error as error:
                _fail(str(error), error.exit_code)
            except ValueError as error:
                _fail(_with_option(str(error)), 2)
            except MemoryError:
                _fail("not enough memory; use fewer scales (--scales, --dj) or a shorter series", 1)
            except OSError as error:
                if error.errno == errno.EPIPE:
                    # Whoever read the output has left. The interpreter flushes once more at its end: into nothing.
                    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                    sys.exit(1)
                where = f"{error.filename}: " if error.filename else ""
                _fail(f"{where}{error.strerror or error}", 1)
        return sys.exit(0)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401
        """Run a command. Ctrl-C becomes an abort here, before click prints an empty line for it."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise click.Abort from None


def _fail(message: str, exit_code: int, ctx: click.Context | None = None) -> NoReturn:
    program = ctx.command_path if ctx else "elm11"
    click.echo(f"{program}: {' '.join(message.split())}", err=True)
    sys.exit(exit_code)


def _with_option(message: str) -> str:
    """The message, with the option in front whose argument it names by another name."""
    option = OPTION_OF.get(message.split(" ", 1)[0])
    return f"{option}: {message}" if option else message


def escape_foreign_letters() -> None:
    """Have letters of labels and file names printed as escapes where the terminal's encoding does not have them."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


@contextlib.contextmanager
def plain_warnings() -> Iterator[None]:
    """Warnings meant for users as one line each on standard error, every text once; others not at all."""
    shown = set()

    def show(message: Warning | str, *_: object, **__: object) -> None:
        text = " ".join(str(message).split())
        if text not in shown:
            shown.add(text)
            click.echo(f"elm11: warning: {text}", err=True)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.filterwarnings("always", category=UserWarning)
        warnings.showwarning = show
        yield


def versions() -> str:
    """One line per program and library that a result depends on."""
    lines = [f"elm11-lua-driver {version('elm11-lua-driver')}", f"Python {platform.python_version()}"]
    for name in ("numpy", "scipy", "pycwt", "lupa"):
        try:
            lines.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            lines.append(f"{name} is not installed")
    return "\n".join(lines)


def _print_versions(ctx: click.Context, _: click.Parameter, value: bool) -> None:  # noqa: FBT001  click's interface
    if value and not ctx.resilient_parsing:
        click.echo(versions())
        ctx.exit()


@click.group(
    name="elm11",
    cls=Elm11Group,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_print_versions,
    help="Show the version of this program and of the libraries it computes with, and exit.",
)
def main() -> None:
    """Wavelet coherence of two time series, and its significance levels."""


def _options(*options: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Several options as one decorator, shown in this order."""

    def decorate(command: Any) -> Any:  # noqa: ANN401
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


_level = click.option(
    "--level", type=Number(0, 1), default="0.95", show_default=True, help="Confidence of the significance levels."
)
_simulations = click.option(
    "--simulations",
    type=Whole(1, MAX_SIMULATIONS),
    default="300",
    show_default=True,
    help="Pairs of random series; four times as many halve the standard error.",
)
_seed = click.option(
    "--seed", type=Whole(0, 2**64 - 1), default="1", show_default=True, help="The same seed gives the same result."
)
_engine = click.option(
    "--engine",
    type=click.Choice(list(ENGINES)),
    default="numpy",
    show_default=True,
    help="Who computes. It does not change the result.",
)
_wavelet = click.option(
    "--wavelet",
    type=click.Choice(list(WAVELETS), case_sensitive=False),
    default="morlet",
    show_default=True,
    help="Mother wavelet.",
)
_pipeline = click.option(
    "--pipeline", type=click.Choice(PIPELINES), default="exact", show_default=True, help="How it is computed."
)
_surrogates = click.option(
    "--surrogates",
    type=click.Choice(SURROGATES),
    default="ar1",
    show_default=True,
    help="Random series: ar1 is red noise, white is what pycwt uses.",
)
_scale_box = click.option(
    "--scale-box",
    type=click.Choice(SCALE_BOXES),
    default="pycwt",
    show_default=True,
    help="Smoothing over scales; grinsted makes levels comparable with those of MATLAB and R.",
)
_json = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
_quiet = click.option("--quiet", is_flag=True, help="No progress bar.")
_computation = _options(
    _wavelet, _level, _simulations, _seed, _engine, _pipeline, _surrogates, _scale_box, _json, _quiet
)


@main.command(short_help="Coherence of two series: picture, table, levels.")
@click.argument("x", metavar="X", type=click.Path())
@click.argument("y", metavar="[Y]", type=click.Path(), required=False)
@click.option("--dt", type=Number(0), help="Sampling interval, in any unit; not needed with a time column.")
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
@click.option("--dj", type=Number(0), default="1/12", show_default=True, help="Spacing of the scales in octaves.")
@click.option("--s0", type=Number(0), help="Smallest scale, in the unit of dt.  [default: its period is 2 dt]")
@click.option(
    "--scales",
    "J",
    type=Whole(0, 10_000),
    help="J, the number of scales less one: scales s0 * 2**(j * dj), j = 0 ... J.  [default: up to the series' length]",
)
@_computation
@click.option(
    "--pycwt-compatible",
    is_flag=True,
    help="The levels of pycwt, for comparison only: white noise, none at the largest scale.",
)
@click.option("--output", type=click.Path(), help="Write the picture here: .png, .pdf, .svg, .jpg or .tif.")
@click.option("--table", type=click.Path(), help="Write the values by scale here, as CSV.")
@click.option(
    "--names", nargs=2, metavar="X Y", help="Names of the series, for the picture.  [default: from the files]"
)
@click.option("--time-unit", default="", metavar="TEXT", help="Unit of the times, for picture and table.")
@click.option("--title", default="", metavar="TEXT", help="Title of the picture.")
@click.option("--longest-period", type=Number(0), help="End of the picture's period axis.  [default: what is safe]")
def coherence(x: str, y: str | None, **options: Any) -> None:  # noqa: ANN401  click hands over what is declared above
    """Squared wavelet coherence of two series, and what noise alone would reach.

    The series stand in one file X (two columns, or three with the time first), or in two files X and Y (one column
    each, or two with the time first): comma-, semicolon-, tab- or blank-separated text, # for comments. Two files with
    times are cut to the time they have in common.

    Existing files given with --output and --table are overwritten.

    \b
    Examples:
      elm11 coherence series.csv --dt 0.25 --output coherence.png
      elm11 coherence ao.dat ice.dat --percentiles y --time-unit years --table levels.csv
    """  # noqa: D301  click's mark for "do not wrap" is the character
    _check_outputs((("--output", options["output"]), ("--table", options["table"])), inputs=(x, y))
    pair = _read(x, y, options["columns"], options["percentiles"], options["dt"])
    with progress_bar("coherence significance", show=not options["quiet"]) as advance:
        result = analyse(
            pair.x,
            pair.y,
            pair.dt,
            dj=options["dj"],
            s0=options["s0"],
            J=options["J"],
            wavelet=options["wavelet"],
            level=options["level"],
            engine=options["engine"],
            n_simulations=options["simulations"],
            seed=options["seed"],
            pipeline=options["pipeline"],
            surrogates=options["surrogates"],
            scale_box=options["scale_box"],
            pycwt_compatible=options["pycwt_compatible"],
            times=pair.times,
            names=options["names"] or (pair.name_x, pair.name_y),
            progress=advance,
        )
    if options["output"]:
        _write_picture(result, options["output"], options["time_unit"], options["title"], options["longest_period"])
    if options["table"]:
        _write_table(result, options["table"], options["time_unit"])
    if options["as_json"]:
        files = {"output": options["output"], "table": options["table"]}
        click.echo(json.dumps({**result.to_dict(), **files}, indent=2, allow_nan=False))
        return
    click.echo(_summary(result, options["time_unit"]))
    if not (options["output"] or options["table"]):
        click.echo()
        click.echo(_level_table(result.by_scale(), options["time_unit"]))
    for name in ("output", "table"):
        if options[name]:
            click.echo(f"{'picture' if name == 'output' else 'table'}: {options[name]}")


@main.command("significance", short_help="Only the significance levels.")
@click.option(
    "--lag1",
    type=Number(-1, 1),
    nargs=2,
    required=True,
    metavar="X Y",
    help="Lag-1 autocorrelations of the two series, each between -1 and 1.",
)
@click.option("--dt", type=Number(0), required=True, help="Sampling interval, in any unit.")
@click.option("--dj", type=Number(0), default="1/12", show_default=True, help="Spacing of the scales in octaves.")
@click.option(
    "--s0", type=Number(0), required=True, help="Smallest scale, in the unit of dt; at least 2 dt is advised."
)
@click.option(
    "--scales",
    "J",
    type=Whole(0, 10_000),
    required=True,
    help="J, the number of scales less one: 20 gives the 21 scales s0 * 2**(j * dj), j = 0 ... 20.",
)
@_computation
def significance_command(
    lag1: tuple[float, float],
    level: float,
    engine: str,
    simulations: int,
    **options: Any,  # noqa: ANN401
) -> None:
    """Squared coherence that noise exceeds with probability 1 - LEVEL, scale by scale.

    \b
    Example:
      elm11 significance --lag1 0.72 0.72 --dt 0.25 --dj 0.25 --s0 0.5 --scales 20 --json
    """  # noqa: D301
    as_json, quiet = options.pop("as_json"), options.pop("quiet")
    job = Job(*lag1, n_simulations=simulations, **options)
    with progress_bar("coherence significance", show=not quiet) as advance:
        result = significance(job, level, engine, advance)
    if as_json:
        click.echo(json.dumps(result.to_dict(), indent=2, allow_nan=False))
        return
    click.echo(_simulated(result))
    click.echo()
    columns = {
        "period": job.periods,
        "scale": job.scales,
        "level": result.significance,
        "standard_error": result.standard_error,
    }
    click.echo(_level_table(columns, ""))


DEMO_SIMULATIONS: Final = 20
"""Simulations of the demo's Lua part: about a second each on a slow core."""


@main.command(short_help="The example of Grinsted et al. (2004), by two engines.")
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
@_simulations
@_seed
@_quiet
def demo(output_dir: str, lua_simulations: int, simulations: int, seed: int, *, quiet: bool) -> None:
    """Arctic Oscillation and Baltic Sea ice, the example of Grinsted, Moore & Jevrejeva (2004).

    Computes simulations of the significance test in Lua and in NumPy and compares their counts; then draws the picture,
    with the levels of the NumPy engine. The data are those that pycwt brings.
    """
    folder = Path(output_dir)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"--output-dir: {output_dir} cannot be made: {error.strerror}; give another folder"
        raise ValueError(msg) from error
    picture, table = (str(folder / f"ao-baltic-coherence{suffix}") for suffix in (".png", ".csv"))
    _check_outputs((("--output-dir", picture), ("--output-dir", table)))
    samples = resources.files("pycwt") / "sample"
    with resources.as_file(samples / "jao.dat") as ao, resources.as_file(samples / "jbaltic.dat") as baltic:
        pair = _read(str(ao), str(baltic), (), "y", None)
    # Flushed, so that a reader of a pipe sees what is being done before the long part begins.
    _say(
        "Arctic Oscillation in winter and greatest ice extent of the Baltic Sea (as percentiles), "
        f"{pair.times[0]:g} to {pair.times[-1]:g}, {pair.times.size} years (Grinsted et al. 2004)"
    )
    with progress_bar("numpy", show=not quiet) as advance:
        result = analyse(
            pair.x,
            pair.y,
            pair.dt,
            times=pair.times,
            names=("Arctic Oscillation", "Baltic ice extent (percentiles)"),
            n_simulations=simulations,
            seed=seed,
            progress=advance,
        )
    _say(_summary(result, "years"))
    _write_picture(result, picture, "years")
    _write_table(result, table, "years")
    agreement = _compare_engines(dataclasses.replace(result.job, n_simulations=lua_simulations), quiet=quiet)
    _say(f"table: {table}")
    _say(f"picture: {picture}")
    _say(agreement)


def _compare_engines(job: Job, *, quiet: bool) -> str:
    """Compute a job in Lua and in NumPy; say how far the counts agree.

    Raises:
        EngineError: they differ by more than rounding explains.
    """
    size = f"{job.n_simulations} simulations of {job.n_samples} samples and {job.J + 1} scales"
    _say(f"The same test by two engines, {size}:")
    histograms = []
    for engine in ("numpy", "lua"):
        with progress_bar(engine, show=not quiet) as advance:
            histogram = run(job, engine, advance)
        histograms.append(histogram)
        _say(f"  {engine:6} {int(histogram.counts.sum())} samples counted, sha256 {histogram.sha256}")
    ours, theirs = (histogram.counts for histogram in histograms)
    differing, moved = int((ours != theirs).sum()), int(np.abs(ours - theirs).sum()) // 2
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


def _say(text: str) -> None:
    click.echo(text)
    sys.stdout.flush()


def _check_outputs(outputs: Sequence[tuple[str, str | None]], inputs: Sequence[str | None] = ()) -> None:
    """Nothing, if all outputs can be written; before the computation, not after it."""
    taken = {os.path.realpath(path): "the input" for path in inputs if path}
    for option, path in outputs:
        if path is None:
            continue
        try:
            if option == "--output":
                from .plot import check_suffix  # noqa: PLC0415  matplotlib takes half a second to load

                check_suffix(path)
            check_writable(path)
        except ValueError as error:
            msg = f"{option}: {error}"
            raise ValueError(msg) from error
        real = os.path.realpath(path)
        if real in taken:
            msg = f"{option}: {path} would overwrite {taken[real]}; give another name"
            raise ValueError(msg)
        taken[real] = f"what {option} names"


def _read(
    x: str, y: str | None, columns: Sequence[str], percentiles: str | None, dt: float | None
) -> series_files.SeriesPair:
    chosen: list[list[str] | None] = [text.split(",") for text in columns] or [None]
    if len(chosen) > (1 if y is None else 2):
        msg = f"--columns is given {len(chosen)} times; once for one file, at most twice for two"
        raise ValueError(msg)
    if y is None:
        series_x, series_y = series_files.read_both(x, chosen[0])
    else:
        series_x, series_y = series_files.read_series(x, chosen[0]), series_files.read_series(y, chosen[-1])
    if percentiles in {"x", "both"}:
        series_x = dataclasses.replace(series_x, values=percentile_transform(series_x.values))
    if percentiles in {"y", "both"}:
        series_y = dataclasses.replace(series_y, values=percentile_transform(series_y.values))
    return series_files.pair(series_x, series_y, dt)


def _write_picture(
    result: CoherenceAnalysis, path: str, time_unit: str, title: str = "", longest_period: float | None = None
) -> None:
    from .plot import coherence_figure, save_figure  # noqa: PLC0415  matplotlib takes half a second to load

    figure = coherence_figure(result, time_unit=time_unit, title=title, longest_period=longest_period)
    save_figure(figure, path, f"elm11-lua-driver {version('elm11-lua-driver')}, job {result.job.to_json()}")


def _write_table(result: CoherenceAnalysis, path: str, time_unit: str) -> None:
    text = result.to_csv(time_unit or DEFAULT_UNIT, version("elm11-lua-driver"))
    with atomic_file(path) as file:
        file.write(text.encode(errors="replace"))  # a file's name, which is a label here, need not be text


def _simulated(result: Significance) -> str:
    """One line on the simulations."""
    job = result.histogram.job
    noise = f"lag-1 {job.noise_lag1[0]:.4g} and {job.noise_lag1[1]:.4g}" if any(job.noise_lag1) else "white"
    plural = "s" * (job.n_simulations != 1)
    return (
        f"{100 * result.level:g} % levels against noise ({noise}): {job.n_simulations} simulation{plural} of "
        f"{job.n_samples} samples, seed {job.seed}, engine {result.engine}, {result.seconds:.2g} s"
    )


def _summary(result: CoherenceAnalysis, time_unit: str) -> str:
    """Three lines on the series, the simulations and what was found."""
    job, fraction = result.job, result.significant_fraction
    by_chance = f"{100 * (1 - result.levels.level):.3g} % would by chance"
    found = (
        "no sample is safe from the ends of the series"
        if np.isnan(fraction)
        else f"{100 * fraction:.3g} % of the safe samples are above the level, {by_chance}"
    )
    periods = f"periods {job.periods[0]:.4g} to {job.periods[-1]:.4g} {time_unit}".rstrip()
    times = f"{result.times.size} samples, {result.times[0]:.10g} to {result.times[-1]:.10g}"
    return f"{result.names[0]} and {result.names[1]}: {times}, {periods}\n{_simulated(result.levels)}\n{found}"


def _level_table(columns: dict[str, Any], time_unit: str) -> str:
    """Values by scale, for people."""
    unit = time_unit or DEFAULT_UNIT
    heads = {
        "period": "period",
        "scale": "scale",
        "level": "level",
        "standard_error": "std. error",
        "mean_coherence": "mean coh.",
        "safe_samples": "safe",
        "significant_fraction": "signif.",
    }
    formats = {"period": ".4g", "scale": ".4g", "safe_samples": "d"}
    lines = ["".join(f"{heads[name]:>12}" for name in columns)]
    for row in zip(*columns.values(), strict=True):
        cells = [format(value, formats.get(name, ".4f")) for name, value in zip(columns, row, strict=True)]
        lines.append("".join(f"{cell:>12}" for cell in cells))
    lines.append(f"(period and scale: {unit}; the others have no unit)")
    return "\n".join(lines)
