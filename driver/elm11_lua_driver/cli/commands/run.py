"""`elm11 run`: run a job on a board, follow it or leave it, go on where it was broken off."""

from __future__ import annotations

import json
import shlex
import time
from typing import TYPE_CHECKING, Any, NoReturn

import click

from ..._progress import progress_bar
from ..._text import duration
from ...board import calibration, firmware_sync, run_registry
from ...board.run_registry import RunRecord
from ...engines import BoardEngine
from ...jobs.checkpoint import Checkpoint
from ...jobs.job import Job
from ...jobs.storage import StoppingRule
from ...levels.levels import Significance
from ...levels.runner import run
from ...planning import memory as memory_plan
from ...planning.deadlines import RunBudget
from ...protocol.commands import job_name
from ...transport.base import VIRTUAL
from .._board_options import BoardOptions, board_options
from .._errors import FailureError
from .._job_options import job_options, simulation_options, target_option
from .._messages import confirm, echo, echo_json, info, warn
from .._options import yes_option
from .._output import plot_option
from .._runs import BlockMeter, output_option, output_path, print_result
from ..entry import INTERRUPTED

if TYPE_CHECKING:
    from pathlib import Path

    from ...board.board import Board, Run, RunProgress
    from ...jobs.histogram import Histogram
    from ...protocol.commands import BoardStatus


class _DetachedError(Exception):
    """Ends a run on this computer once its first block has started on the board."""


@click.command("run", short_help="Compute significance levels on a board.")
@job_options
@output_option
@click.option("--detach", is_flag=True, help="Start the run and leave; elm11 attach fetches its results.")
@click.option("--upload", "upload_first", is_flag=True, help="Bring the programs on the board up to date first.")
@plot_option
@simulation_options
@target_option
@board_options
@yes_option
def run_command(
    lag1: tuple[float, float],
    level: float,
    simulations: int,
    output: str | None,
    plot: str | None,
    target_standard_error: float | None,
    where: BoardOptions,
    *,
    detach: bool,
    upload_first: bool,
    as_json: bool,
    quiet: bool,
    yes: bool,
    **options: Any,  # noqa: ANN401  what is left makes the job
) -> None:
    """Run a significance test on a board, follow it, and keep its histogram in a file.

    The simulations are computed in up to 16 blocks; each is fetched and added to the file when it is done. When the
    cable is pulled or this computer goes to sleep, the board finishes its block: elm11 attach fetches it, and the same
    command again goes on with what is missing (so does elm11 resume, with any engine). Ctrl-C stops the board; a second
    one leaves at once.

    With --detach all simulations are one block, and this computer may be switched off. (One block does not show how
    much simulations scatter, so there are no standard errors.) Of the fast pipeline a block holds some 300; the same
    command after elm11 attach starts the next one.

    \b
    Examples:
      elm11 run --lag1 0.72 0.72 --dt 0.25 --dj 0.25 --s0 0.5 --scales 10 --port /dev/ttyUSB1
      elm11 run ... --detach       in the evening, and in the morning:
      elm11 attach
    """  # noqa: D301
    job = Job(*lag1, n_simulations=simulations, **options)
    memory_plan.plan(job).check()
    path = output_path(output, job)
    if detach and (where.port or "").startswith(VIRTUAL):
        msg = f"--detach: {VIRTUAL} ends with this command; start one that stays with elm11 virtual, and name its port"
        raise ValueError(msg)
    if detach and plot is not None:
        raise ValueError("--plot: a detached run has no levels yet; give --plot to elm11 attach")
    if detach and target_standard_error is not None:
        raise ValueError("--detach: nobody is there to look at the standard errors; leave --target-standard-error out")
    started = time.time()
    rule = StoppingRule(level, target_standard_error)
    checkpoint = Checkpoint.open(
        path, job, rule, confirm_overwrite=lambda what: confirm(f"{what}. Overwrite it", yes=yes)
    )
    record = RunRecord(job, path.absolute(), level, started)

    def prepare(board: Board) -> None:
        where.pace(board)
        if upload_first:
            _upload(board, quiet=quiet)

    with _RunObserver(record, path, detach=detach, yes=yes, show=not quiet) as observer:
        engine = BoardEngine(
            where.port,
            where.hw_id,
            where.tx_delay_s,
            trace=where.trace,
            upload=False,
            n_blocks=1 if detach else 16,
            on_open=prepare,
            observer=observer,
        )
        try:
            histogram = run(
                job,
                engine,
                observer,
                checkpoint=checkpoint,
                target_standard_error=target_standard_error,
                level=level,
            )
        except _DetachedError:
            _print_detached(engine.board, observer.block, record, as_json=as_json)
            return
        finally:
            engine.close()
    result = Significance.from_histogram(
        histogram,
        level,
        engine=engine.name,
        seconds=time.time() - started,
        target_standard_error=target_standard_error,
    )
    print_result(result, path, as_json=as_json, plot=plot)


def _upload(board: Board, *, quiet: bool) -> None:
    """Bring the board's programs up to date."""
    with progress_bar("uploading", "programs", show=not quiet, lines=True) as update:
        before = firmware_sync.check(board)
        outdated = [name for name, state in before.states.items() if state is not firmware_sync.ScriptState.SAME]
        begun: list[str] = []

        def note(name: str, sent: int, total: int) -> None:
            if name not in begun:
                begun.append(name)
            update(len(begun) - (sent < total), len(outdated), name)

        firmware_sync.upload(board, before=before, on_progress=note)


class _RunObserver(BlockMeter):
    """Keeps the record of a run, shows its progress, asks before results are lost, and stops the board after Ctrl-C.

    Args:
        record: of the run.
        path: the histogram's file, as the user names it.
        detach: leave as soon as the first block has started.
        yes: results on the board may be overwritten.
        show: False for no progress.

    Attributes:
        block: the simulations that were started last.
    """

    def __init__(self, record: RunRecord, path: Path, *, detach: bool, yes: bool, show: bool) -> None:
        super().__init__(show=show)
        self.block = range(0)
        self._record = record
        self._path = path
        self._detach = detach
        self._yes = yes
        self._has_estimated = False

    def started(self, job: Job, finished: int) -> None:
        """Say what the file holds."""
        super().started(job, finished)
        if finished:
            info(f"{self._path} holds {finished} of {job.n_simulations} simulations already")

    def overwriting(self, status: BoardStatus) -> None:
        """Ask, unless this computer has fetched the results."""
        theirs = run_registry.load(status.job)
        if theirs is None or not theirs.fetched:
            confirm(
                f"The board holds {status.done} simulations of another job ({status.job}) that have not been fetched. "
                "Overwrite them",
                yes=self._yes,
            )

    def recovered(self, piece: Histogram) -> None:
        """Say what was fetched."""
        run_registry.mark_fetched(self._record)
        (found,) = piece.ranges
        info(f"fetched simulations {found.start} to {found.stop - 1}, which the board had computed before")

    def block_starting(self, board: Board, block: range) -> None:
        """Estimate the time, and remember the run."""
        super().block_starting(board, block)
        self.block = block
        if not self._has_estimated:
            self._has_estimated = True
            _say_estimate(board, self._record.job, len(block) if self._detach else self.wanted - self.finished)
        run_registry.save(self._record)

    def block_started(self, run: Run) -> None:
        """Leave, if that is wanted."""
        if self._detach:
            raise _DetachedError
        super().block_started(run)

    def piece_finished(self, piece: Histogram) -> None:
        """Remember that the block is fetched."""
        del piece
        run_registry.mark_fetched(self._record)

    def interrupted(self, board: Board, run: Run | None) -> NoReturn:
        """Stop the board, and wait for its prompt."""
        info("stopping the board ... (Ctrl-C again leaves at once)")
        try:
            if run is None:  # Ctrl-C came while it was being started
                board.interrupt()
                stopped = "the board is at its prompt"
            else:
                stopped = _stopped(run.cancel())
        except KeyboardInterrupt:
            warn("left at once; the run on the board may go on: elm11 attach follows it, elm11 cancel stops it")
            raise
        path, finished = self._path, self.saved
        kept = f"{path} holds {finished} simulations" if finished else f"{path} holds none yet"
        msg = f"interrupted; {stopped}; {kept}, and the same command goes on with the rest"
        raise FailureError(msg, INTERRUPTED)


def _say_estimate(board: Board, job: Job, n: int) -> None:
    """Say how long it will take, where that is known."""
    known = calibration.load_all()
    found = known.get(board.identity()[3]) if known else None
    if found is None:
        info(
            f"{n} simulations; how long they take is not known (elm11 calibrate measures the board), "
            f"{duration(RunBudget.of(job, n).run_s / 3)} on the slowest"
        )
    else:
        info(f"{n} simulations, about {duration(found.seconds_for(job, n))} on this board")


def _stopped(progress: RunProgress) -> str:
    done = f"the board has stopped after {progress.done} of {progress.count} simulations"
    if not progress.usable:
        return f"{done} and while it computed another, so that these are lost"
    return f"{done}, which can be fetched (elm11 attach --partial)" if progress.done else done


def _print_detached(board: Board, block: range, record: RunRecord, *, as_json: bool) -> None:
    """Print which simulations the board computes now."""
    if as_json:
        document = {
            "job": json.loads(record.job.to_json()),
            "job_name": job_name(record.job),
            "first": block.start,
            "count": len(block),
            "port": board.transport.name,
            "output": str(record.output),
        }
        echo_json(document)
    else:
        echo(f"started simulations {block.start} to {block.stop - 1} of job {job_name(record.job)}")
    port = shlex.quote(board.transport.name)
    info(f"The board computes on its own now. elm11 attach --port {port} follows and fetches it.")
