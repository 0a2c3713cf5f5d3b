"""Parts of the commands about runs on a board: the histogram's file, the progress, the result."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import click

from .._files.atomic import check_writable
from .._progress import progress_bar
from .._text import duration
from ..config import FileName
from ..engines.board import BoardObserver
from ..jobs import storage
from ..levels.runner import Observer
from ..protocol.commands import job_name
from ._messages import info, warn
from ._output import print_levels

if TYPE_CHECKING:
    from .._progress import Update
    from ..board.board import Board, Run, RunProgress
    from ..jobs.job import Job
    from ..levels.levels import Significance

_WARNING_PART: Final = 0.5  # of the longest silence, before there is a warning

output_option = click.option(
    "--output",
    "--checkpoint",
    "output",
    type=FileName(),
    metavar="FILE",
    help="Keep the histogram here, block by block: .npz or .json.  [default: elm11-run-... of the job, .npz]",
)


def output_path(output: str | None, job: Job) -> Path:
    """The file for the histogram, if it can be written."""
    path = Path(output) if output is not None else Path(f"elm11-run-{job_name(job)[:8]}.npz")
    try:
        storage.check_suffix(path)
        check_writable(path)
    except ValueError as error:
        msg = f"--output: {error}"
        raise ValueError(msg) from error
    return path


class BlockMeter(Observer, BoardObserver):
    """Shows the progress of a job on a board, and warns of a long silence.

    A context manager. Nothing is shown before the first block, so that questions stand on lines of their own.

    Args:
        show: False for no progress.

    Attributes:
        wanted: simulations of the job.
        finished: how many are finished, on the board or in the file.
        saved: how many the file holds.
    """

    def __init__(self, *, show: bool) -> None:
        self.wanted = self.finished = self.saved = 0
        self._show = show
        self._stack = contextlib.ExitStack()
        self._bar: Update | None = None
        self._has_warned = False

    def started(self, job: Job, finished: int) -> None:
        """See `Observer.started`."""
        self.wanted, self.finished, self.saved = job.n_simulations, finished, finished

    def progressed(self, finished: int, wanted: int) -> None:
        """See `Observer.progressed`."""
        self.wanted, self.finished = wanted, finished

    def block_starting(self, board: Board, block: range) -> None:
        """See `BoardObserver.block_starting`."""
        del board, block
        self.saved = self.finished
        self._has_warned = False

    def block_started(self, run: Run) -> None:
        """See `BoardObserver.block_started`."""
        del run
        self._update("")

    def heartbeat(self, run: Run, progress: RunProgress) -> None:
        """See `BoardObserver.heartbeat`."""
        age, limit_s = duration(progress.age_s), run.budget.silence_s
        self._update(f"last heartbeat {age} ago")
        if progress.running and _WARNING_PART * limit_s <= progress.age_s < limit_s and not self._has_warned:
            self._has_warned = True
            warn(f"no heartbeat for {age}; giving up after {duration(limit_s)}")

    def _update(self, note: str) -> None:
        if self._bar is None:
            self._bar = self._stack.enter_context(progress_bar("run", "simulations", show=self._show, lines=True))
        self._bar(self.finished, self.wanted, note)

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the bar."""
        self._stack.close()


def print_result(result: Significance, path: Path, *, as_json: bool, plot: str | None) -> None:
    """Print the levels of a board's histogram, its file, and what is missing in it."""
    histogram = result.histogram
    n, wanted = histogram.n_simulations, histogram.job.n_simulations
    more = {"file": str(path), "simulations_done": n, "complete": histogram.is_complete}
    print_levels(result, as_json=as_json, more=more, plot=plot)
    info(f"histogram: {path}")
    if n < wanted:
        warn(f"{n} of {wanted} simulations; elm11 run goes on with the rest")
    elif n > wanted:
        warn(f"{n} simulations, which is more than the {wanted} that were asked for: others of the same job were there")
