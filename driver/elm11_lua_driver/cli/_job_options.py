"""Options that say what to compute, and who is to compute it."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import click
from elm11_host_ref.names import MAX_SIMULATIONS, PIPELINES, SCALE_BOXES, SURROGATES, WAVELETS

from .._files.atomic import check_writable
from .._progress import progress_bar
from .._text import duration
from ..board import detect
from ..engines import ENGINES, AutoEngine, BoardEngine, DaskEngine, FleetEngine, LuaEngine, PoolEngine, create
from ..engines.pool import MAX_WORKERS
from ..errors import Elm11Error
from ..jobs import storage
from ..planning.plan import seconds_here
from ._board_options import Where, board_options
from ._errors import FailureError
from ._messages import Meter, quiet_option, say, warn
from ._options import Configured, json_option, options, settings_of
from ._params import Number, Whole
from .entry import INTERRUPTED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..board.board import Board
    from ..engines import Engine
    from ..jobs.job import Job

LONG_S: Final = 60
"""What takes longer is told before it begins, and shows lines of progress also where there is no terminal."""

level_option = click.option(
    "--level", type=Number(0, 1), default="0.95", show_default=True, help="Confidence of the significance levels."
)
simulations_option = click.option(
    "--simulations",
    type=Whole(1, MAX_SIMULATIONS),
    default="300",
    show_default=True,
    help="Pairs of random series; four times as many halve the standard error.",
)
seed_option = click.option(
    "--seed", type=Whole(0, 2**64 - 1), default="1", show_default=True, help="The same seed gives the same result."
)
target_option = click.option(
    "--target-standard-error",
    type=Number(0, 1),
    metavar="NUMBER",
    help="Stop as soon as no scale's level has a larger standard error; --simulations is then the most.",
)
_checkpoint = click.option(
    "--checkpoint",
    type=click.Path(),
    metavar="FILE",
    help="Keep what is finished here, .npz or .json; the same command, or elm11 resume, goes on from it.",
)
_wavelet = click.option(
    "--wavelet",
    type=click.Choice(WAVELETS, case_sensitive=False),
    default="morlet",
    show_default=True,
    help="Mother wavelet.",
)
_pipeline = click.option(
    "--pipeline",
    cls=Configured,
    setting="pipeline",
    type=click.Choice(PIPELINES),
    default="exact",
    show_default=True,
    help="How it is computed: exact as pycwt, fast in integers with a small part of the work. Levels agree within "
    "their standard errors.",
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
        type=Number(-1, 1),
        nargs=2,
        required=True,
        metavar="X Y",
        help="Lag-1 autocorrelations of the two series, each between -1 and 1.",
    ),
    click.option("--dt", type=Number(0), required=True, help="Sampling interval, in any unit."),
    click.option("--dj", type=Number(0), default="1/12", show_default=True, help="Spacing of the scales in octaves."),
    click.option(
        "--s0", type=Number(0), required=True, help="Smallest scale, in the unit of dt; at least 2 dt is advised."
    ),
    click.option(
        "--scales",
        "J",
        type=Whole(0, 10_000),
        required=True,
        help="J, the number of scales less one: 20 gives the 21 scales s0 * 2**(j * dj), j = 0 ... 20.",
    ),
)
"""What to compute, where no series say it."""

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
"""How to compute it, and how to tell."""

planned_options = options(_wavelet, simulations_option, seed_option, _pipeline, _surrogates, _scale_box)
"""How to compute it, where nothing is computed."""

_WITH_WORKERS: Final = frozenset({PoolEngine.name, AutoEngine.name})


@dataclass(frozen=True)
class Who:
    """Who is to compute.

    Attributes:
        engine: the engine's name.
        where: which board.
        workers: how many processes, or None for one per core.
        dask_address: the scheduler's address, or None.
        fleet: the fleet's engines as they were typed, or None.
    """

    engine: str
    where: Where = field(default_factory=Where)
    workers: int | None = None
    dask_address: str | None = None
    fleet: str | None = None

    def check(self) -> None:
        """Do nothing if every option belongs to the engine.

        Raises:
            ValueError: one does not, or one that the engine needs is missing.
        """
        is_named = any(map(self.where.given, ("port", "hw_id", "tx_delay_s", "trace")))
        if is_named and self.engine != BoardEngine.name:
            msg = f"--port, --hw-id, --tx-delay and --trace are for --engine board, not for --engine {self.engine}"
            raise ValueError(msg)
        if self.workers is not None and self.engine not in _WITH_WORKERS:
            msg = f"--workers is for --engine pool and --engine auto, not for --engine {self.engine}"
            raise ValueError(msg)
        if (self.dask_address is not None) != (self.engine == DaskEngine.name):
            msg = (
                "--engine dask needs --dask-address"
                if self.dask_address is None
                else f"--dask-address is for --engine dask, not for --engine {self.engine}"
            )
            raise ValueError(msg)
        if self.fleet is not None and self.engine != FleetEngine.name:
            msg = f"--fleet is for --engine fleet, not for --engine {self.engine}"
            raise ValueError(msg)


def engine_options(default: str) -> Callable[[Any], Any]:
    """The options that say who computes; the command gets them as one argument, `who`.

    Args:
        default: the engine when none is named.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def with_who(
            *args: Any,  # noqa: ANN401  click's arguments pass through
            engine: str,
            where: Where,
            workers: int | None,
            dask_address: str | None,
            fleet: str | None,
            **rest: Any,  # noqa: ANN401
        ) -> Any:  # noqa: ANN401
            if "workers" in settings_of(click.get_current_context()) and engine not in _WITH_WORKERS:
                workers = None  # it is set for the engines that have several
            who = Who(engine, where, workers, dask_address, fleet)
            who.check()
            if rest.get("checkpoint") is not None:
                _check_checkpoint(rest["checkpoint"])
            return command(*args, who=who, **rest)

        decorated: Callable[..., Any] = options(
            click.option(
                "--engine",
                cls=Configured,
                setting="engine",
                type=click.Choice(list(ENGINES)),
                default=default,
                show_default=True,
                help="Who computes. It does not change the result. numpy: this process; pool: all cores; auto: the "
                "better of the two; dask: a cluster; board: the one that --port or --hw-id names; fleet: several "
                "engines together; lua: the board's programs in this process.",
            ),
            click.option(
                "--workers",
                cls=Configured,
                setting="workers",
                type=Whole(1, MAX_WORKERS),
                metavar="N",
                help="Processes of the engines pool and auto.  [default: one per core]",
            ),
            click.option("--dask-address", metavar="ADDRESS", help="The Dask scheduler, such as tcp://10.0.0.1:8786."),
            click.option(
                "--fleet",
                metavar="LIST",
                help="The fleet's engines: numpy, pool, lua, board=PORT and dask=ADDRESS, joined by commas.  "
                "[default: pool and every board found]",
            ),
            board_options,
        )(with_who)
        return decorated

    return decorate


def _check_checkpoint(path: str) -> None:
    """Do nothing if the file can be written.

    Raises:
        ValueError: it cannot, or its name does not say which kind it is.
    """
    try:
        storage.check_suffix(path)
        check_writable(path)
    except ValueError as error:
        msg = f"--checkpoint: {error}"
        raise ValueError(msg) from error


class _PacedBoardEngine(BoardEngine):
    """A board whose bytes are paced as calibration found."""

    def __init__(self, where: Where) -> None:
        super().__init__(where.port, where.hw_id, where.tx_delay_s, trace=where.trace)
        self._where = where

    def _prepare(self, board: Board) -> None:
        self._where.pace(board)
        super()._prepare(board)


@contextlib.contextmanager
def engine_of(who: Who) -> Iterator[Engine]:
    """The engine that is meant, closed afterwards.

    Args:
        who: what the options say.

    Raises:
        ValueError: an argument is wrong.
        Elm11Error: it cannot be made: no scheduler answers, say.
    """
    with contextlib.closing(_made(who)) as engine:
        yield engine


def _made(who: Who) -> Engine:
    if who.engine == BoardEngine.name:
        return _PacedBoardEngine(who.where)
    if who.engine == DaskEngine.name:
        return DaskEngine(who.dask_address)
    if who.engine == FleetEngine.name:
        return FleetEngine(_fleet(who.fleet))
    if who.engine in _WITH_WORKERS:
        return create(who.engine, n_workers=who.workers)
    return create(who.engine)


def _fleet(text: str | None) -> list[Engine]:
    """The engines of a fleet.

    Raises:
        ValueError: the text names something else.
    """
    if text is None:
        boards = [board.port for board in detect.detect_boards()[0] if board.is_board]
        return [PoolEngine(), *(_PacedBoardEngine(Where(port=port)) for port in boards)]
    members: list[Engine] = []
    for item in text.split(","):
        name, _, argument = item.strip().partition("=")
        if name in {"numpy", "lua", "pool"} and not argument:
            members.append(create(name))
        elif name == "board" and argument:
            members.append(_PacedBoardEngine(Where(port=argument)))
        elif name == "dask" and argument:
            members.append(DaskEngine(argument))
        else:
            msg = f"--fleet: must be numpy, pool, lua, board=PORT or dask=ADDRESS, joined by commas, not {item!r}"
            raise ValueError(msg)
    return members


@contextlib.contextmanager
def telling_what_is_kept(checkpoint: str | None) -> Iterator[None]:
    """Say after a failure or Ctrl-C what the checkpoint holds, and how to go on.

    Args:
        checkpoint: the file; None where nothing is kept.

    Yields:
        Nothing; the work is done inside.

    Raises:
        FailureError: Ctrl-C.
        Elm11Error: what the work has raised, once the remark is printed.
    """
    try:
        yield
    except KeyboardInterrupt:
        kept = _kept(checkpoint)
        raise FailureError(f"interrupted; {kept}" if kept else "interrupted", INTERRUPTED) from None
    except Elm11Error:
        kept = _kept(checkpoint)
        if kept:
            warn(kept)
        raise


def _kept(checkpoint: str | None) -> str:
    if checkpoint is None:
        return ""
    try:
        histogram = storage.load(checkpoint)
    except (OSError, ValueError):
        return f"{checkpoint} holds nothing yet"
    n, wanted = histogram.n_simulations, histogram.job.n_simulations
    return f"{checkpoint} holds {n} of {wanted} simulations: elm11 resume {checkpoint} goes on with the rest"


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
"""How to compute it, on which engine, and how to tell."""


@contextlib.contextmanager
def advancing(label: str, engine: str, job: Job, *, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """Progress: a bar on a terminal; for what takes long, also lines elsewhere, and how long it will be.

    Args:
        label: what is being done.
        engine: name of the engine.
        job: what it computes; its lag-1 autocorrelations do not matter.
        quiet: nothing is shown.

    Yields:
        The function to call with (simulations finished, simulations wanted).
    """
    is_elsewhere = engine in {BoardEngine.name, FleetEngine.name, DaskEngine.name}
    seconds = 0.0 if is_elsewhere else _seconds_here(job, engine)
    if seconds > LONG_S and not quiet:
        say(duration_told(job, engine))
    if is_elsewhere or seconds > LONG_S:
        with Meter(label, "simulations", show=not quiet) as meter:
            yield meter.update
    else:
        with progress_bar(label, show=not quiet) as advance:
            yield advance


def _seconds_here(job: Job, engine: str) -> float:
    """Seconds, roughly; the engines of several cores are taken to use all of them."""
    one_core = seconds_here(job, engine if engine == LuaEngine.name else "numpy")
    return one_core if engine in {"numpy", LuaEngine.name} else one_core / (os.cpu_count() or 1)


def duration_told(job: Job, engine: str) -> str:
    """How long a job will be on an engine of this computer, and what to do about it.

    Args:
        job: what is to be computed.
        engine: name of the engine.
    """
    seconds = _seconds_here(job, engine)
    ways = ["--checkpoint keeps what is finished", "fewer --simulations or a wider --dj take less"]
    fast = max(_seconds_here(dataclasses.replace(job, pipeline="fast"), engine), 1.0)  # starting takes that much
    if fast < seconds / 2:
        ways.insert(0, f"{duration(fast)} with --pipeline fast")
    size = f"{job.n_simulations} simulations of {job.n_samples} samples"
    return f"{size} will take about {duration(seconds)} ({', '.join(ways)})"
