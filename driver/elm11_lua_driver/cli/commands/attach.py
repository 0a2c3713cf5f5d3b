"""`elm11 attach` and `elm11 cancel`: find a run on a board again, fetch it, stop it."""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..._files.reading import parse_json
from ...board import run_registry
from ...board.run_registry import RunRecord
from ...config import FileName
from ...engines.board import AttachedEngine
from ...errors import Elm11Error
from ...jobs import storage
from ...jobs.checkpoint import Checkpoint
from ...jobs.job import Job
from ...jobs.storage import StoppingRule
from ...levels.levels import Significance
from ...levels.runner import run
from ...protocol.commands import job_name
from .._board_options import BoardOptions, board_options
from .._errors import FailureError
from .._job_options import level_option
from .._messages import echo, echo_json, info, quiet_option, remarks_option
from .._options import json_option
from .._output import plot_option
from .._runs import BlockMeter, output_option, output_path, print_result
from ..entry import INTERRUPTED

if TYPE_CHECKING:
    from ...board.board import Board, Run, RunProgress
    from ...jobs.histogram import Histogram
    from ...protocol.commands import BoardStatus


@click.command(short_help="Find a run on a board, follow it, fetch its results.")
@output_option
@click.option(
    "--job",
    "job_path",
    type=FileName(),
    metavar="FILE",
    help="The job, if another computer started it: a histogram's file, or what --json printed.",
)
@click.option("--partial", is_flag=True, help="Take what is finished of a run that was stopped.")
@click.option("--status", "status_only", is_flag=True, help="Only say how far it is; do not wait, do not fetch.")
@plot_option
@level_option
@json_option
@quiet_option
@board_options
@click.pass_context
def attach(
    ctx: click.Context,
    output: str | None,
    plot: str | None,
    job_path: str | None,
    level: float,
    where: BoardOptions,
    *,
    partial: bool,
    status_only: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Find the run that a board is computing or has computed, wait for its end, fetch and keep its histogram.

    Ctrl-C leaves the run going; elm11 cancel stops it. The results stay on the board until the next run.

    \b
    Examples:
      elm11 attach --status
      elm11 attach --plot levels.png
    """  # noqa: D301
    job = _job_from(job_path) if job_path is not None else None
    with where.open() as board:
        found = board.attach()
        if status_only:
            _print_status(found, as_json=as_json)
            return
        record = _record_for(found, job, output)
        if ctx.get_parameter_source("level") is not click.core.ParameterSource.DEFAULT:
            record = RunRecord(record.job, record.output, level, record.started, record.fetched)
        found.job = record.job
        checkpoint = _checkpoint(record)
        try:
            with _AttachObserver(where, board, show=not quiet) as observer:
                engine = AttachedEngine(found, observer, partial=partial)
                histogram = run(record.job, engine, observer, checkpoint=checkpoint, fetch_only=True)
        except KeyboardInterrupt:
            msg = "left; the run goes on: elm11 attach follows it, elm11 cancel stops it"
            raise FailureError(msg, INTERRUPTED) from None
    if not observer.has_recovered:
        info(f"{record.output} has these simulations already")
    run_registry.mark_fetched(record)
    result = Significance.from_histogram(
        histogram, record.level, engine=engine.name, seconds=time.time() - record.started
    )
    print_result(result, record.output, as_json=as_json, plot=plot)


class _AttachObserver(BlockMeter):
    """Shows the progress of one run, and paces the fetch of its results.

    Args:
        where: which board.
        board: the board.
        show: False for no progress.

    Attributes:
        has_recovered: True once results have been added to the file.
    """

    def __init__(self, where: BoardOptions, board: Board, *, show: bool) -> None:
        super().__init__(show=show)
        self.has_recovered = False
        self._where = where
        self._board = board

    def heartbeat(self, run: Run, progress: RunProgress) -> None:
        """Count the simulations of this run alone."""
        self.finished, self.wanted = progress.done, progress.count
        super().heartbeat(run, progress)

    def block_ended(self, run: Run) -> None:
        """Pace the bytes: a board that computes cannot say which one it is."""
        del run
        self._where.pace(self._board)

    def recovered(self, piece: Histogram) -> None:
        """See `Observer.recovered`."""
        del piece
        self.has_recovered = True


def _job_from(path: str) -> Job:
    """The job in a file."""
    with contextlib.suppress(ValueError, OSError):
        return storage.load(path).job
    try:
        document: Any = parse_json(Path(path).read_bytes())
        if not isinstance(document, dict):
            raise TypeError(f"it is a {type(document).__name__}, not an object")  # noqa: TRY301  told with the others
        values = document.get("job", document)
        return Job.from_json(json.dumps({"format": 1, **values}))
    except OSError as error:
        msg = f"--job: {path} cannot be read: {error.strerror}"
        raise ValueError(msg) from error
    except (ValueError, TypeError, AttributeError) as error:
        msg = f"--job: {path} holds no job: {error}"
        raise ValueError(msg) from error


def _record_for(found: Run, job: Job | None, output: str | None) -> RunRecord:
    """What is known of a run: its job, and where its histogram belongs."""
    if job is not None and job_name(job) != found.job_name:
        msg = f"--job: the board has job {found.job_name}, and this is {job_name(job)}"
        raise ValueError(msg)
    record = run_registry.load(found.job_name)
    if record is None:
        if job is None:
            raise FailureError(
                f"the board has job {found.job_name}, simulations {found.first} to {found.first + found.count - 1}, "
                "which this computer has not started; give the job with --job FILE",
                1,
            )
        record = RunRecord(job, output_path(None, job).absolute(), 0.95, time.time())
    path = output_path(output if output is not None else str(record.output), record.job)
    return RunRecord(job or record.job, path.absolute(), record.level, record.started, record.fetched)


def _checkpoint(record: RunRecord) -> Checkpoint:
    """The run's file, with what it holds of the job."""
    try:
        return Checkpoint.open(record.output, record.job, StoppingRule(record.level))
    except ValueError as error:
        msg = f"--output: {error}"
        raise ValueError(msg) from error


def _print_status(found: Run, *, as_json: bool) -> None:
    progress = found.progress()
    if as_json:
        document = {
            "job_name": found.job_name,
            "first": found.first,
            "count": found.count,
            "done": progress.done,
            "running": progress.running,
            "usable": progress.usable,
            "age_s": round(progress.age_s, 1),
        }
        echo_json(document)
        return
    state = "running" if progress.running else "ended"
    lost = "" if progress.usable else ", unusable: the board was stopped during a simulation"
    echo(f"job {found.job_name}: {state}, {progress.done} of {progress.count} simulations done{lost}")


@click.command(short_help="Stop what runs on a board.")
@board_options
@json_option
@remarks_option
def cancel(where: BoardOptions, *, as_json: bool) -> None:
    """Stop whatever runs on a board, and wait for its prompt. Finished simulations can still be fetched.

    \b
    Example:
      elm11 cancel, and then elm11 attach --partial
    """  # noqa: D301
    with where.open() as board:
        try:
            stopped = board.interrupt()
        except KeyboardInterrupt:
            raise FailureError("left at once; what runs on the board may go on", INTERRUPTED) from None
        status: BoardStatus | None = None
        if stopped:
            with contextlib.suppress(Elm11Error):  # that it has stopped is what matters
                status = board.status()
    if as_json:
        shown = None if status is None or not status.job else status
        document = {
            "stopped": stopped,
            "job_name": shown.job if shown else None,
            "first": shown.first if shown else None,
            "count": shown.count if shown else None,
            "done": shown.done if shown else None,
            "usable": shown.is_usable if shown else None,
        }
        echo_json(document)
    elif not stopped:
        echo("nothing was running")
    elif status is None or not status.job:
        echo("stopped; the board is at its prompt")
    elif not status.is_usable:
        echo(f"stopped during a simulation: the {status.done} that were finished are lost")
    elif status.done:
        partial = " --partial" * (status.done < status.count)
        echo(f"stopped; {status.done} of {status.count} simulations can be fetched: elm11 attach{partial}")
    else:
        echo("stopped before the first simulation was finished")
