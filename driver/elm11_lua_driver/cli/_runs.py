"""What the commands about runs on a board share: the histogram's file, watching a run, the result."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from .._files.atomic import check_writable
from .._text import duration
from ..engines import BoardEngine
from ..errors import BoardTimeoutError
from ..jobs import storage
from ..levels.levels import Significance
from ..levels.quantiles import quantiles, standard_errors
from ..protocol.commands import job_name
from ._messages import info, warn
from ._output import print_levels

if TYPE_CHECKING:
    from .._progress import Update
    from ..board.board import Run
    from ..jobs.histogram import Histogram
    from ..jobs.job import Job

_LOOK_S: Final = 1.0  # how often the age of the last sign of life is shown anew
_SILENCE_TOLD: Final = 0.5  # this part of the longest silence is worth a line

output_option = click.option(
    "--output",
    "--checkpoint",
    "output",
    type=click.Path(),
    metavar="FILE",
    help="Keep the histogram here, block by block: .npz or .json.  [default: elm11-run-... of the job, .npz]",
)


def output_path(output: str | None, job: Job) -> Path:
    """The file for the histogram, if it can be written.

    Args:
        output: its name as the user gives it; None for one made from the job's.
        job: what is computed.

    Returns:
        Its path; .npz or .json.

    Raises:
        ValueError: it cannot.
    """
    path = Path(output) if output is not None else Path(f"elm11-run-{job_name(job)[:8]}.npz")
    try:
        storage.check_suffix(path)
        check_writable(path)
    except ValueError as error:
        msg = f"--output: {error}"
        raise ValueError(msg) from error
    return path


def follow(run: Run, update: Update, before: int, total: int) -> None:
    """Show how far a run is, until it has ended.

    Args:
        run: the run.
        update: shows it.
        before: simulations that were finished before it.
        total: simulations of the whole job.

    Raises:
        BoardTimeoutError: there was no sign of life for longer than the slowest board needs.
    """
    limit_s = run.budget.silence_s
    told = False
    update(before, total)
    while True:
        progress = run.progress(wait_s=_LOOK_S)
        update(before + progress.done, total, f"last sign of life {duration(progress.age_s)} ago")
        if not progress.running:
            return
        if progress.age_s >= limit_s:
            raise BoardTimeoutError(
                f"the run has stalled: the last sign of life came {duration(progress.age_s)} ago.",
                state=f"waiting for simulations {run.first} to {run.first + run.count - 1}",
                next_step="It may go on: elm11 attach. If it does not, switch the board off and on; what is in the "
                "file stays, and the same command goes on with the rest.",
            )
        if progress.age_s >= _SILENCE_TOLD * limit_s and not told:
            told = True
            warn(f"no sign of life for {duration(progress.age_s)}; giving up after {duration(limit_s)}")


def print_result(
    histogram: Histogram,
    level: float,
    path: Path,
    seconds: float,
    target: float | None = None,
    *,
    as_json: bool,
    plot: str | None,
) -> None:
    """Print the levels of a board's histogram, and say where it is and what is missing in it.

    Args:
        histogram: what was fetched so far.
        level: of significance, between 0 and 1.
        path: the histogram's file.
        seconds: how long it took.
        target: the standard error at which the computation was to stop, or None.
        as_json: as JSON instead of a table.
        plot: file for a picture of the levels, or None.

    Raises:
        OSError: the picture cannot be written.
    """
    job = histogram.job
    result = Significance(
        histogram,
        level,
        quantiles(histogram.counts, level),
        standard_errors(histogram, level),
        BoardEngine.name,
        seconds,
        target,
    )
    more = {"file": str(path), "simulations_done": histogram.n_simulations, "complete": histogram.is_complete}
    print_levels(result, as_json=as_json, more=more, plot=plot)
    info(f"histogram: {path}")
    n, wanted = histogram.n_simulations, job.n_simulations
    if n < wanted:
        warn(f"{n} of {wanted} simulations; elm11 run goes on with the rest")
    elif n > wanted:
        warn(f"{n} simulations, which is more than the {wanted} that were asked for: others of the same job were there")
