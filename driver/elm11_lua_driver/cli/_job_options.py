"""Options for a job and its engine; the engine and the progress that follow from them."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import click
from elm11_host_ref.names import MAX_SCALES, MAX_SEED, MAX_SIMULATIONS, SCALE_BOXES, SURROGATES, WAVELETS

from .. import board as boards
from .. import engines, jobs, planning
from .._files.atomic import check_writable
from .._progress import progress_bar
from .._text import duration
from ..config import FileName, Number, Source, Whole
from ..errors import Elm11Error
from ._board_options import BoardOptions, board_options
from ._errors import FailureError
from ._messages import info, quiet_option, warn
from ._options import configured, json_option, options, setting
from .entry import INTERRUPTED, InterruptGuard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .._progress import Update
    from ..engines import Engine
    from ..jobs.job import Job

LONG_S: Final = 60
"""What takes longer is announced before it begins, and prints lines of progress where there is no terminal."""

positive = Number(0, min_open=True)
level_type = Number(0, 1, min_open=True, max_open=True)

level_option = click.option(
    "--level", type=level_type, default="0.95", show_default=True, help="Confidence of the significance levels."
)
simulations_option = click.option(
    "--simulations",
    type=Whole(1, MAX_SIMULATIONS),
    default="300",
    show_default=True,
    help="Pairs of random series; four times as many halve the standard error.",
)
seed_option = click.option(
    "--seed", type=Whole(0, MAX_SEED), default="1", show_default=True, help="The same seed gives the same result."
)
target_option = click.option(
    "--target-standard-error",
    type=level_type,
    metavar="NUMBER",
    help="Stop when no scale's level has a larger standard error; --simulations is then the maximum.",
)
_checkpoint = click.option(
    "--checkpoint",
    type=FileName(),
    metavar="FILE",
    help="Save finished simulations here, .npz or .json; the same command, or elm11 resume, continues from it.",
)
_wavelet = click.option(
    "--wavelet",
    type=click.Choice(WAVELETS, case_sensitive=False),
    default="morlet",
    show_default=True,
    help="Mother wavelet.",
)
_pipeline = configured(
    "--pipeline",
    default="exact",
    show_default=True,
    help="exact computes as pycwt does; fast uses integers and a small part of the work. Their levels agree within "
    "the standard errors.",
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

job_options = options(
    click.option(
        "--lag1",
        type=Number(-1, 1, min_open=True, max_open=True),
        nargs=2,
        required=True,
        metavar="X Y",
        help="Lag-1 autocorrelations of the two series, each between -1 and 1.",
    ),
    click.option("--dt", type=positive, required=True, help="Sampling interval, in any unit."),
    click.option("--dj", type=positive, default="1/12", show_default=True, help="Spacing of the scales in octaves."),
    click.option(
        "--s0", type=positive, required=True, help="Smallest scale, in the unit of dt; at least 2 dt is advised."
    ),
    click.option(
        "--scales",
        "J",
        type=Whole(0, MAX_SCALES),
        required=True,
        help="J, the number of scales less one: 20 gives the 21 scales s0 * 2**(j * dj), j = 0 ... 20.",
    ),
)
"""What to compute, for commands without series."""

simulation_options = options(
    _wavelet,
    level_option,
    simulations_option,
    seed_option,
    _pipeline,
    _surrogates,
    _scale_box,
    json_option,
    quiet_option,
)
"""How to compute it, and what to print."""

planned_options = options(_wavelet, simulations_option, seed_option, _pipeline, _surrogates, _scale_box)
"""How it would be computed."""

_WITH_WORKERS: Final = frozenset({"pool", "auto"})


@dataclass(frozen=True)
class EngineOptions:
    """Which engine, and its options.

    Attributes:
        engine: the engine's name.
        where: which board.
        workers: how many processes, or None for one per core.
        dask_address: the scheduler's address, or None.
        fleet: the fleet's engines as they were typed, or None.
    """

    engine: str
    where: BoardOptions = field(default_factory=BoardOptions)
    workers: int | None = None
    dask_address: str | None = None
    fleet: str | None = None

    def check(self) -> None:
        """Do nothing if every option belongs to the engine."""
        if self.where.given() and self.engine != "board":
            msg = f"--port, --hw-id, --tx-delay and --trace are for --engine board, not for --engine {self.engine}"
            raise ValueError(msg)
        if self.workers is not None and self.engine not in _WITH_WORKERS:
            msg = f"--workers is for --engine pool and --engine auto, not for --engine {self.engine}"
            raise ValueError(msg)
        if self.dask_address is not None and self.engine != "dask":
            msg = f"--dask-address is for --engine dask, not for --engine {self.engine}"
            raise ValueError(msg)
        if self.fleet is not None and self.engine != "fleet":
            msg = f"--fleet is for --engine fleet, not for --engine {self.engine}"
            raise ValueError(msg)


def engine_options(default: str) -> Callable[[Any], Any]:
    """Add the options that choose an engine; the command gets them as one argument, `chosen`."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def with_engine(
            *args: Any,  # noqa: ANN401  click's arguments pass through
            engine: str,
            where: BoardOptions,
            workers: int | None,
            dask_address: str | None,
            fleet: str | None,
            **rest: Any,  # noqa: ANN401
        ) -> Any:  # noqa: ANN401
            is_given = setting(click.get_current_context(), "workers").source is Source.COMMAND_LINE
            if not is_given and engine not in _WITH_WORKERS:
                workers = None  # the setting is for engines with several processes
            chosen = EngineOptions(engine, where, workers, dask_address, fleet)
            chosen.check()
            if rest.get("checkpoint") is not None:
                _check_checkpoint(rest["checkpoint"])
            with InterruptGuard():
                engines.create  # noqa: B018  NumPy and all engines, which --help does not load
            return command(*args, chosen=chosen, **rest)

        decorated: Callable[..., Any] = options(
            configured(
                "--engine",
                default=default,
                show_default=True,
                help="The engine that runs the simulations; the result does not depend on it. numpy: this process; "
                "pool: all cores; auto: the better of the two; dask: a cluster; board: the one that --port or --hw-id "
                "names; fleet: several engines together; lua: the board's programs in this process.",
            ),
            configured(
                "--workers",
                metavar="N",
                help="Processes of the engines pool and auto.  [default: one per core]",
            ),
            click.option(
                "--dask-address",
                metavar="ADDRESS",
                help="The Dask scheduler, such as tcp://10.0.0.1:8786.  [default: a cluster on this computer, one "
                "process per core]",
            ),
            click.option(
                "--fleet",
                metavar="LIST",
                help="The fleet's engines: numpy, pool, lua, board=PORT and dask=ADDRESS, joined by commas.  "
                "[default: pool and every board found]",
            ),
            board_options,
        )(with_engine)
        return decorated

    return decorate


def _check_checkpoint(path: str) -> None:
    """Do nothing if the file can be written."""
    try:
        jobs.storage.check_suffix(path)
        check_writable(path)
    except ValueError as error:
        msg = f"--checkpoint: {error}"
        raise ValueError(msg) from error


def _board_engine(where: BoardOptions) -> Engine:
    where.announce()
    return engines.BoardEngine(where.port, where.hw_id, where.tx_delay_s, trace=where.trace, on_open=where.pace)


@contextlib.contextmanager
def engine_of(chosen: EngineOptions) -> Iterator[Engine]:
    """The engine that the options choose, closed afterwards."""
    with contextlib.closing(_make(chosen)) as engine:
        yield engine


def _make(chosen: EngineOptions) -> Engine:
    if chosen.engine == "board":
        return _board_engine(chosen.where)
    if chosen.engine == "dask":
        engine = engines.DaskEngine(chosen.dask_address)
        if engine.dashboard is not None:
            info(f"the cluster's dashboard: {engine.dashboard}")
        return engine
    if chosen.engine == "fleet":
        return engines.FleetEngine(_fleet(chosen.fleet))
    if chosen.engine in _WITH_WORKERS:
        return engines.create(chosen.engine, n_workers=chosen.workers)
    return engines.create(chosen.engine)


def _fleet(text: str | None) -> list[Engine]:
    """The engines of a fleet."""
    if text is None:
        found = [board.port for board in boards.detect.detect_boards()[0] if board.is_board]
        return [engines.PoolEngine(), *(_board_engine(BoardOptions(port=port)) for port in found)]
    members: list[Engine] = []
    for item in text.split(","):
        name, _, argument = item.strip().partition("=")
        if name in {"numpy", "lua", "pool"} and not argument:
            members.append(engines.create(name))
        elif name == "board" and argument:
            members.append(_board_engine(BoardOptions(port=argument)))
        elif name == "dask" and argument:
            members.append(engines.DaskEngine(argument))
        else:
            msg = f"--fleet: must be numpy, pool, lua, board=PORT or dask=ADDRESS, joined by commas, not {item!r}"
            raise ValueError(msg)
    return members


@contextlib.contextmanager
def report_checkpoint_on_exit(checkpoint: str | None) -> Iterator[None]:
    """Report after a failure or Ctrl-C what the checkpoint holds, and how to continue."""
    try:
        yield
    except KeyboardInterrupt:
        held = _checkpoint_state(checkpoint)
        raise FailureError(f"interrupted; {held}" if held else "interrupted", INTERRUPTED) from None
    except (Elm11Error, OSError, MemoryError):
        held = _checkpoint_state(checkpoint)
        if held:
            warn(held)
        raise


def _checkpoint_state(checkpoint: str | None) -> str:
    if checkpoint is None:
        return ""
    try:
        histogram = jobs.storage.load(checkpoint)
    except (OSError, ValueError):
        return f"{checkpoint} holds nothing yet"
    n, wanted = histogram.n_simulations, histogram.job.n_simulations
    return f"{checkpoint} holds {n} of {wanted} simulations: elm11 resume {shlex.quote(checkpoint)} continues"


computation = options(
    _wavelet,
    level_option,
    simulations_option,
    seed_option,
    _pipeline,
    _surrogates,
    _scale_box,
    target_option,
    _checkpoint,
    json_option,
    quiet_option,
    engine_options("numpy"),
)
"""How to compute it, on which engine, and what to print."""


@contextlib.contextmanager
def progress(label: str, engine: str, job: Job, *, quiet: bool) -> Iterator[Update]:
    """Show progress: a bar on a terminal; for long work, also an estimate, and lines where there is no terminal."""
    is_elsewhere = engine in {"board", "fleet", "dask"}
    is_long = is_elsewhere or _seconds_here(job, engine) > LONG_S
    if is_long and not is_elsewhere and not quiet:
        info(time_estimate(job, engine))
    with progress_bar(label, "simulations", show=not quiet, lines=is_long) as update:
        yield update


def _seconds_here(job: Job, engine: str) -> float:
    """Estimated seconds; engines of several processes use all cores."""
    one_core = planning.seconds_here(job, engine if engine == "lua" else "numpy")
    return one_core if engine in {"numpy", "lua"} else one_core / (os.cpu_count() or 1)


def time_estimate(job: Job, engine: str) -> str:
    """Estimated time of a job on an engine of this computer, and ways to shorten it."""
    seconds = _seconds_here(job, engine)
    ways = ["--checkpoint saves finished simulations", "fewer --simulations or a wider --dj take less"]
    fast = max(_seconds_here(dataclasses.replace(job, pipeline="fast"), engine), 1.0)  # starting takes that much
    if fast < seconds / 2:
        ways.insert(0, f"{duration(fast)} with --pipeline fast")
    size = f"{job.n_simulations} simulations of {job.n_samples} samples"
    return f"{size} will take about {duration(seconds)} ({', '.join(ways)})"
