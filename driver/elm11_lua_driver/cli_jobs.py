"""Options that say what to compute, and who is to compute it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import click
from elm11_host_ref.experiment import MAX_SIMULATIONS, SURROGATES
from elm11_host_ref.smoothing import SCALE_BOXES
from elm11_host_ref.wavelet import WAVELETS

from .cli_common import Meter, Number, Where, Whole, board_options, json_option, options, quiet_option
from .engines import ENGINES, BoardEngine
from .job import PIPELINES
from .pycwt_drop_in import progress_bar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .board import Board
    from .engines import Engine

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
_engine = click.option(
    "--engine",
    type=click.Choice(list(ENGINES)),
    default="numpy",
    show_default=True,
    help="Who computes. It does not change the result. The board is the one that --port or --hw-id names.",
)
_wavelet = click.option(
    "--wavelet",
    type=click.Choice(list(WAVELETS), case_sensitive=False),
    default="morlet",
    show_default=True,
    help="Mother wavelet.",
)
_pipeline = click.option(
    "--pipeline",
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

computation = options(
    _wavelet,
    level_option,
    simulations_option,
    seed_option,
    _engine,
    _pipeline,
    _surrogates,
    _scale_box,
    json_option,
    quiet_option,
    board_options,
)
"""How to compute it, on which engine, and how to tell."""


class _PacedBoardEngine(BoardEngine):
    """A board whose bytes are paced as calibration found."""

    def __init__(self, where: Where) -> None:
        super().__init__(where.port, where.hw_id, where.tx_delay_s, trace=where.trace)
        self._where = where

    def _prepare(self, board: Board) -> None:
        self._where.pace(board)
        super()._prepare(board)


@contextlib.contextmanager
def engine_of(name: str, where: Where) -> Iterator[Engine | str]:
    """The engine that is meant, closed afterwards; a name where it needs no arguments.

    Raises:
        ValueError: a board is named, and another engine asked for.
    """
    if name != BoardEngine.name:
        if where != Where():
            msg = f"--port, --hw-id, --tx-delay and --trace are for --engine board, not for --engine {name}"
            raise ValueError(msg)
        yield name
        return
    with contextlib.closing(_PacedBoardEngine(where)) as engine:
        yield engine


@contextlib.contextmanager
def advancing(label: str, engine: str, *, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """Progress: a bar on a terminal; for a board, which takes long, also lines elsewhere.

    Yields:
        The function to call with (simulations finished, simulations wanted).
    """
    if engine == BoardEngine.name:
        with Meter(label, "simulations", show=not quiet) as meter:
            yield meter.update
    else:
        with progress_bar(label, show=not quiet) as advance:
            yield advance
