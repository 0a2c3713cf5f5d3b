"""The board engine: an ELM11 on a port, or a virtual one."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Final

from .._text import duration
from ..board import firmware_sync
from ..board.board import Board
from ..errors import BoardTimeoutError, Elm11Error, EngineError, VersionMismatchError
from ..jobs.histogram import Histogram, block_ranges
from ..planning.memory import plan
from ..protocol.commands import job_name
from .base import AbandonedError
from .scheduler import exclusive, single_groups

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from ..board.board import Run, RunProgress
    from ..jobs.job import Job
    from ..protocol.commands import BoardStatus
    from .base import Progress

HEARTBEAT_INTERVAL_S: Final = 1.0
"""Longest time between two calls of `BoardObserver.heartbeat`."""


class BoardObserver:
    """Follows the blocks of a job on a board. Every method does nothing: override those that you need.

    `overwriting`: the board holds results of another job, which the first block will overwrite. `block_starting`,
    `block_started`, `block_ended`: before a block is started, when the board computes it, and before it is fetched.
    `heartbeat`: at least every `HEARTBEAT_INTERVAL_S` seconds of a block. `interrupted`: Ctrl-C during a block (run is
    None while it is being started); unless this stops it, the board goes on. An error that a method raises ends the
    run on this computer; a block on the board goes on.
    """

    def overwriting(self, status: BoardStatus) -> None: ...  # noqa: D102
    def block_starting(self, board: Board, block: range) -> None: ...  # noqa: D102
    def block_started(self, run: Run) -> None: ...  # noqa: D102
    def heartbeat(self, run: Run, progress: RunProgress) -> None: ...  # noqa: D102
    def block_ended(self, run: Run) -> None: ...  # noqa: D102
    def interrupted(self, board: Board, run: Run | None) -> None: ...  # noqa: D102


def follow(run: Run, heartbeat: Callable[[RunProgress], None], stall_s: float | None = None) -> None:
    """Wait for the end of a run on a board.

    Args:
        run: the run.
        heartbeat: called at least every `HEARTBEAT_INTERVAL_S` seconds.
        stall_s: longest silence of the board; by default three times what the slowest board would take.

    Raises:
        BoardTimeoutError: the board was silent for too long.
        Elm11Error: the run failed; the kinds are those of `Run.progress`.
    """
    limit_s = run.budget.silence_s if stall_s is None else stall_s
    while True:
        progress = run.progress(wait_s=HEARTBEAT_INTERVAL_S)
        heartbeat(progress)
        if not progress.running:
            return
        if progress.age_s >= limit_s:
            raise BoardTimeoutError(
                f"the run has stalled: the last heartbeat came {duration(progress.age_s)} ago.",
                state=f"waiting for simulations {run.first} to {run.first + run.count - 1}",
                next_step="It may go on: elm11 attach. If it does not, switch the board off and on, and repeat the "
                "command: what is in the file stays.",
            )


class BoardEngine:
    """An ELM11. The port is opened at the first use, missing programs are uploaded then.

    A job is cut into about 16 blocks of whole groups. Each is run, followed by the progress that the board pushes, and
    fetched: a cable that is pulled costs one block, and standard errors follow from the blocks.

    Args:
        port: the port's name; ``virtual://`` for a virtual board. By default ``ELM11_PORT``, or the only board found.
        hw_id: the board's hardware id.
        tx_delay_s: from the start of one byte to the start of the next; 1 ms if None.
        trace: a file for a byte trace.
        stall_s: longest silence of the board; by default three times what the slowest board would take.
        upload: upload programs that are missing or differ; otherwise they are an error.
        n_blocks: how many blocks a whole job is cut into, at most.
        memory_bytes: what may be used of the board's memory. More than the default may stop a real board for good.
        on_open: called with the board when its port is open, before anything is asked of it.
        observer: follows the blocks. With an observer, results that the board holds of the job are fetched first.
    """

    name = "board"
    joins_groups = True

    def __init__(
        self,
        port: str | None = None,
        hw_id: str | None = None,
        tx_delay_s: float | None = None,
        *,
        trace: Path | None = None,
        stall_s: float | None = None,
        upload: bool = True,
        n_blocks: int = 16,
        memory_bytes: int | None = None,
        on_open: Callable[[Board], None] | None = None,
        observer: BoardObserver | None = None,
    ) -> None:
        self._port = port
        self._hw_id = hw_id
        self._tx_delay_s = tx_delay_s
        self._trace = trace
        self._stall_s = stall_s
        self._upload = upload
        self._n_blocks = n_blocks
        self._memory_bytes = memory_bytes
        self._on_open = on_open
        self._looks_for_results = observer is not None
        self._observer = BoardObserver() if observer is None else observer
        self._board: Board | None = None
        self._in_use = threading.Lock()

    @property
    def board(self) -> Board:
        """The board, its port open and this driver's programs in it.

        Raises:
            Elm11Error: as `Board.open` and `Board.handshake`.
        """
        if self._board is None:
            board = Board.open(self._port, self._hw_id, self._tx_delay_s, self._trace)
            try:
                self._prepare(board)
            except BaseException:
                board.close()
                raise
            self._board = board
        return self._board

    def _prepare(self, board: Board) -> None:
        if self._on_open is not None:
            self._on_open(board)
        try:
            board.handshake()
        except VersionMismatchError:
            if not self._upload:
                raise
            firmware_sync.upload(board)
            board.handshake()

    def simulate(self, job: Job, simulations: range, progress: Progress) -> Histogram:
        """See `Engine.simulate`. After Ctrl-C the board goes on with its block; `Board.attach` finds it."""
        return Histogram(job, [part for block in self.stream(job, [simulations], progress) for part in block.parts])

    def stream(
        self, job: Job, simulations: Sequence[range], progress: Progress, *, by_group: bool = False
    ) -> Iterator[Histogram]:
        """See `StreamingEngine.stream`. When the board fails, its port is closed; the next use opens it again."""
        plan(job, self._memory_bytes).check()  # before a port is opened
        ranges = single_groups(job, simulations) if by_group else simulations
        blocks = [block for one in ranges for block in block_ranges(job, one, self._n_blocks)]
        with exclusive(self._in_use, self.name):
            for block in blocks:
                with self._closed_on_failure():
                    histogram = self._block(job, block, progress)
                yield histogram

    def recover(self, job: Job, is_missing: Callable[[range], bool]) -> Histogram | None:
        """See `RecoveringEngine.recover`. Without an observer nothing is looked for."""
        if not self._looks_for_results:
            return None
        plan(job, self._memory_bytes).check()  # before a port is opened
        with exclusive(self._in_use, self.name), self._closed_on_failure():
            status = self.board.status()
            if status is None or not status.job or not status.done or not status.is_usable:
                return None
            if status.job != job_name(job):
                self._observer.overwriting(status)
                return None
            if not is_missing(range(status.first, status.first + status.done)):
                return None
            return self.board.attach(job).fetch(fewer=True)

    @contextlib.contextmanager
    def _closed_on_failure(self) -> Iterator[None]:
        """Close the port when the board fails; the next use opens it again."""
        try:
            yield
        except Elm11Error:
            with contextlib.suppress(Elm11Error):
                self.close()
            raise

    def _block(self, job: Job, block: range, progress: Progress) -> Histogram:
        board, observer = self.board, self._observer
        run: Run | None = None
        reported = 0

        def heartbeat(state: RunProgress) -> None:
            nonlocal reported
            if state.done > reported:
                progress(state.done - reported)
                reported = state.done
            assert run is not None
            observer.heartbeat(run, state)

        try:
            observer.block_starting(board, block)
            run = board.start(job, block, memory_bytes=self._memory_bytes)
            observer.block_started(run)
            follow(run, heartbeat, self._stall_s)
            observer.block_ended(run)
            return run.fetch()
        except AbandonedError:  # the result is not wanted, and the next run needs a free board
            if run is not None:
                run.cancel()
            raise
        except KeyboardInterrupt:
            observer.interrupted(board, run)
            raise

    def close(self) -> None:
        """Close the port."""
        board, self._board = self._board, None
        if board is not None:
            board.close()


class AttachedEngine:
    """A run that a board computes or has computed: waits for its end and fetches it, and computes nothing else.

    For `run(..., fetch_only=True)`.

    Args:
        run: from `Board.attach`, with its job.
        observer: follows it.
        partial: take the finished part of a run that was stopped.
    """

    name = BoardEngine.name

    def __init__(self, run: Run, observer: BoardObserver, *, partial: bool = False) -> None:
        self._run = run
        self._observer = observer
        self._partial = partial

    def recover(self, job: Job, is_missing: Callable[[range], bool]) -> Histogram | None:
        """See `RecoveringEngine.recover`."""
        del job
        follow(self._run, lambda progress: self._observer.heartbeat(self._run, progress))
        self._observer.block_ended(self._run)
        histogram = self._run.fetch(fewer=self._partial)
        return histogram if all(map(is_missing, histogram.ranges)) else None

    def simulate(self, job: Job, simulations: range, progress: Progress) -> Histogram:
        """See `Engine.simulate`: refuses."""
        del job, progress
        raise EngineError(
            f"this run on the board has no simulations {simulations.start} to {simulations.stop - 1}",
            next_step="Compute them with a BoardEngine.",
        )

    def close(self) -> None:
        """Nothing is held: the caller closes the board."""
