"""`elm11 run`: start a run on a board, follow it or leave it, go on where it was broken off."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click

from ..._text import duration
from ...board import calibration, firmware_sync, run_registry
from ...board.run_registry import RunRecord
from ...engines import BoardEngine
from ...engines.scheduler import single_groups
from ...jobs.checkpoint import Checkpoint, missing
from ...jobs.histogram import Histogram, block_ranges
from ...jobs.job import Job
from ...jobs.storage import StoppingRule
from ...levels import stopping
from ...planning import memory as memory_plan
from ...planning.deadlines import RunBudget
from ...protocol.commands import job_name
from ...transport.base import VIRTUAL
from .._board_options import Where, board_options
from .._errors import FailureError
from .._job_options import job_options, simulation_options, target_option
from .._messages import Meter, confirm, say, warn
from .._options import yes_option
from .._output import plot_option
from .._runs import follow, output_option, output_path, print_result
from ..entry import INTERRUPTED

if TYPE_CHECKING:
    from pathlib import Path

    from ...board.board import Board, Run, RunProgress

_N_BLOCKS: Final = 16


@click.command("run", short_help="Have a board compute significance levels.")
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
    where: Where,
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
    kept = _continued(path, job, StoppingRule(level, target_standard_error), yes=yes)
    if target_standard_error is not None and stopping.spans_groups(kept.histogram):
        msg = f"--target-standard-error: {path} has blocks of several groups; finish it without, or name another file"
        raise ValueError(msg)
    started = time.time()
    histogram = _stopped_early(kept.histogram, target_standard_error, level) or kept.histogram
    if not histogram.is_complete:
        with where.open_paced() as board:
            _prepare(board, upload_first=upload_first, quiet=quiet)
            record = RunRecord(job, path.absolute(), level, started)
            _collect(board, record, kept, yes=yes, by_group=target_standard_error is not None)
            if detach:
                _detach(board, record, kept.histogram, as_json=as_json)
                return
            histogram = _compute(board, record, kept, target_standard_error, quiet=quiet)
    print_result(histogram, level, path, time.time() - started, target_standard_error, as_json=as_json, plot=plot)


def _continued(path: Path, job: Job, rule: StoppingRule, *, yes: bool) -> Checkpoint:
    """The file, with what it holds of the job already.

    Raises:
        FailureError: it holds something else, and the user wants to keep it.
    """
    kept = Checkpoint.open(path, job, rule, confirm_overwrite=lambda what: confirm(f"{what}. Overwrite it", yes=yes))
    if kept.histogram.n_simulations:
        say(f"{path} holds {kept.histogram.n_simulations} of {job.n_simulations} simulations already")
    return kept


def _prepare(board: Board, *, upload_first: bool, quiet: bool) -> None:
    """See to it that the board's programs are this driver's."""
    if upload_first:
        with Meter("uploading", "programs", show=not quiet) as meter:
            before = firmware_sync.check(board)
            due = [name for name, state in before.states.items() if state is not firmware_sync.ScriptState.SAME]
            begun: list[str] = []

            def note(name: str, sent: int, total: int) -> None:
                if name not in begun:
                    begun.append(name)
                meter.update(len(begun) - (sent < total), len(due), name)

            firmware_sync.upload(board, before=before, on_progress=note)
    board.handshake()


def _collect(board: Board, record: RunRecord, kept: Checkpoint, *, yes: bool, by_group: bool) -> None:
    """Save results that the board holds from being overwritten: fetch those of this job, ask about others.

    Raises:
        FailureError: the board holds another's results, and the user wants to keep them.
    """
    status = board.status()
    if status is None or not status.job or not status.done or not status.is_usable:
        return
    if status.job != job_name(record.job):
        theirs = run_registry.load(status.job)
        if theirs is None or not theirs.fetched:
            confirm(
                f"The board holds {status.done} simulations of another job ({status.job}) that have not been fetched. "
                "Overwrite them",
                yes=yes,
            )
        return
    done = range(status.first, status.first + status.done)
    if not _is_new(kept.histogram, done) or (by_group and len(single_groups(record.job, [done])) > 1):
        return
    kept.add(board.attach(record.job).fetch(fewer=True), BoardEngine.name, None)
    run_registry.mark_fetched(record)
    say(f"fetched simulations {done.start} to {done.stop - 1}, which the board had computed before")


def _is_new(histogram: Histogram, simulations: range) -> bool:
    """Whether these simulations can be added."""
    try:
        Histogram.check_range(histogram.job, simulations)
    except ValueError:
        return False
    return not any(simulations.start < have.stop and have.start < simulations.stop for have in histogram.ranges)


def _tell_plan(board: Board, job: Job, n: int) -> None:
    """Say how long it will take, where that is known."""
    known = calibration.load_all()
    found = known.get(board.identity()[3]) if known else None
    if found is None:
        say(
            f"{n} simulations; how long they take is not known (elm11 calibrate measures the board), "
            f"{duration(RunBudget.of(job, n).run_s / 3)} on the slowest"
        )
    else:
        say(f"{n} simulations, about {duration(found.seconds_for(job, n))} on this board")


def _compute(board: Board, record: RunRecord, kept: Checkpoint, target: float | None, *, quiet: bool) -> Histogram:
    """Compute what is missing, block by block; the file has every block that is done."""
    job = record.job
    left = sum(map(len, missing(kept.histogram)))
    if left:
        _tell_plan(board, job, left)
    with Meter("run", "simulations", show=not quiet) as meter:
        for stop in stopping.stops(job, target):
            gaps = missing(kept.histogram, stop)
            blocks = (
                single_groups(job, gaps)
                if target is not None
                else [block for gap in gaps for block in block_ranges(job, gap, _N_BLOCKS)]
            )
            for block in blocks:
                _compute_block(board, record, block, kept, meter)
            found = _stopped_early(kept.histogram, target, record.level)
            if found is not None:
                return found
    return kept.histogram


def _compute_block(board: Board, record: RunRecord, block: range, kept: Checkpoint, meter: Meter) -> None:
    run_registry.save(record)
    run = None
    started_s = time.monotonic()
    try:
        run = board.start(record.job, block)
        follow(run, meter, kept.histogram.n_simulations, record.job.n_simulations)
        piece = run.fetch()
    except KeyboardInterrupt:
        _stop_run(board, run, kept.histogram, record.output)
    kept.add(piece, BoardEngine.name, time.monotonic() - started_s)
    run_registry.mark_fetched(record)


def _stopped_early(histogram: Histogram, target: float | None, level: float) -> Histogram | None:
    """The result, if what is there reaches the target; None otherwise."""
    if target is not None:
        for stop in stopping.check_numbers(histogram.job):
            found = stopping.stopped_at(histogram, stop, target, level)
            if found is not None:
                return found
    return None


def _stop_run(board: Board, run: Run | None, histogram: Histogram, path: Path) -> NoReturn:
    """Stop the board after Ctrl-C, wait for its prompt, and tell what is left.

    Raises:
        FailureError: always, with the exit code of an interruption.
        KeyboardInterrupt: Ctrl-C came again.
    """
    say("stopping the board ... (Ctrl-C again leaves at once)")
    try:
        if run is None:  # Ctrl-C came while it was being started
            board.interrupt()
            stopped = "the board is at its prompt"
        else:
            stopped = _stopped(run.cancel())
    except KeyboardInterrupt:
        warn("left at once; the run on the board may go on: elm11 attach follows it, elm11 cancel stops it")
        raise
    kept = (
        f"{path} holds {histogram.n_simulations} simulations" if histogram.n_simulations else f"{path} holds none yet"
    )
    msg = f"interrupted; {stopped}; {kept}, and the same command goes on with the rest"
    raise FailureError(msg, INTERRUPTED)


def _stopped(progress: RunProgress) -> str:
    done = f"the board has stopped after {progress.done} of {progress.count} simulations"
    if not progress.usable:
        return f"{done} and in the midst of one, so that these are lost"
    return f"{done}, which can be fetched (elm11 attach --partial)" if progress.done else done


def _detach(board: Board, record: RunRecord, histogram: Histogram, *, as_json: bool) -> None:
    """Start what is missing as one block, and leave it."""
    gaps = missing(histogram)
    if not gaps:
        say(f"nothing is missing in {record.output}")
        return
    block = block_ranges(record.job, gaps[0], 1)[0]
    _tell_plan(board, record.job, len(block))
    run_registry.save(record)
    board.start(record.job, block)
    if as_json:
        document = {
            "job": json.loads(record.job.to_json()),
            "job_name": job_name(record.job),
            "first": block.start,
            "count": len(block),
            "port": board.transport.name,
            "output": str(record.output),
        }
        click.echo(json.dumps(document, indent=2))
    else:
        click.echo(f"started simulations {block.start} to {block.stop - 1} of job {job_name(record.job)}")
    say(f"The board computes on its own now. elm11 attach --port {board.transport.name} follows and fetches it.")
