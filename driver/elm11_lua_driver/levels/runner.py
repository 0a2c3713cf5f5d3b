"""Run a job on an engine, from the first simulation to the last, or until its levels are known well enough."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from ..engines.base import RecoveringEngine
from ..engines.registry import create
from ..engines.scheduler import stream
from ..errors import EngineError
from ..jobs.checkpoint import Checkpoint, missing
from ..jobs.histogram import Histogram
from ..jobs.storage import StoppingRule
from . import stopping

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ..engines import Engine
    from ..jobs.job import Job


class Observer:
    """Follows a run. Every method does nothing: override those that you need.

    `started` and `progressed` get numbers of simulations, finished and wanted, `recovered` what the engine held from
    before, `piece_finished` what it has computed (both are in the checkpoint then), `stopped_early` the result when the
    target standard error is reached. An error that a method raises ends the run; the checkpoint keeps what is finished.
    """

    def started(self, job: Job, finished: int) -> None: ...  # noqa: D102
    def progressed(self, finished: int, wanted: int) -> None: ...  # noqa: D102
    def recovered(self, piece: Histogram) -> None: ...  # noqa: D102
    def piece_finished(self, piece: Histogram) -> None: ...  # noqa: D102
    def stopped_early(self, histogram: Histogram) -> None: ...  # noqa: D102


class _Callback(Observer):
    """Passes progress on to a plain function."""

    def __init__(self, progress: Callable[[int, int], None]) -> None:
        self._progress = progress

    def progressed(self, finished: int, wanted: int) -> None:
        self._progress(finished, wanted)


def run(
    job: Job,
    engine: Engine | str = "numpy",
    progress: Observer | Callable[[int, int], None] | None = None,
    *,
    checkpoint: Checkpoint | Path | str | None = None,
    target_standard_error: float | None = None,
    level: float = 0.95,
    fetch_only: bool = False,
) -> Histogram:
    """Compute a job.

    Args:
        job: what to compute.
        engine: an engine or its name. An engine made here is closed here.
        progress: an observer, or a function called with (simulations finished, simulations wanted).
        checkpoint: a file, ``.npz`` or ``.json``, to which finished simulations are saved as they arrive; a run of the
            same experiment goes on from it. Or a `Checkpoint` of this job that is open already.
        target_standard_error: stop as soon as no scale's level has a larger standard error, 0 to 1; checked only after
            certain numbers of simulations (`stopping.check_numbers`), so that the result depends on the job alone.
        level: the confidence of these levels, 0 < level < 1.
        fetch_only: take only what the engine has computed before, such as the run that a board was left with.

    Returns:
        The complete histogram. After an early stop it is that of the same job with fewer simulations:
        `histogram.job.n_simulations` says how many. With `fetch_only` it may be incomplete.

    Raises:
        ValueError: no engine has that name, an argument is outside its range, or the checkpoint is of another job.
        EngineError: the engine failed or returned too little; nothing partial is returned. Finished simulations are in
            the checkpoint.
        OSError: the checkpoint cannot be written.
    """
    if target_standard_error is not None:
        target_standard_error = stopping.check_target(target_standard_error, level)
    if checkpoint is not None and not isinstance(checkpoint, Checkpoint):
        checkpoint = Checkpoint.open(checkpoint, job, StoppingRule(level, target_standard_error))
    with contextlib.ExitStack() as stack:
        if isinstance(engine, str):
            engine = create(engine)
            stack.callback(engine.close)
        work = _Work(job, engine, progress, checkpoint, by_group=target_standard_error is not None)
        if fetch_only:
            work.recover()
            return work.histogram
        if checkpoint is None and target_standard_error is None and not isinstance(engine, RecoveringEngine):
            histogram = engine.simulate(job, range(job.n_simulations), work.advance)
            work.check(histogram, job.n_simulations, exactly=True)
            return histogram
        for stop in stopping.stops(job, target_standard_error):
            work.compute(stop)
            if target_standard_error is None:
                continue
            found = stopping.stopped_at(work.begun(stop), stop, target_standard_error, level)
            if found is not None:
                work.observer.stopped_early(found)
                return found
        return work.histogram


class _Work:
    """The finished simulations of a run, and the engine that adds to them."""

    def __init__(
        self,
        job: Job,
        engine: Engine,
        progress: Observer | Callable[[int, int], None] | None,
        checkpoint: Checkpoint | None,
        *,
        by_group: bool,
    ) -> None:
        self._job = job
        self._engine = engine
        if progress is None:
            progress = Observer()
        self.observer = progress if isinstance(progress, Observer) else _Callback(progress)
        self._checkpoint = checkpoint
        self._by_group = by_group
        self._has_recovered = False
        self.histogram = Histogram(job, []) if checkpoint is None else checkpoint.histogram
        if checkpoint is not None and by_group and stopping.spans_groups(self.histogram):
            raise ValueError(
                f"{checkpoint.path} has blocks of several groups, as boards and longer runs make them, which show "
                "standard errors too roughly for a target; finish it without one, or begin another file"
            )
        self._finished = self.histogram.n_simulations
        self.observer.started(job, self._finished)
        if self._finished:
            self.advance(0)

    def advance(self, simulations: int) -> None:
        """Report progress: so many more simulations are finished."""
        self._finished += simulations
        self.observer.progressed(self._finished, self._job.n_simulations)

    def recover(self) -> None:
        """Add what the engine has computed before, once."""
        if self._has_recovered or not isinstance(self._engine, RecoveringEngine):
            return
        self._has_recovered = True
        piece = self._engine.recover(self._job, self._is_missing)
        if piece is not None:
            self._add(piece, None)  # for how long the engine computed is not known
            self.advance(piece.n_simulations)
            self.observer.recovered(piece)

    def compute(self, stop: int) -> None:
        """Compute what is missing below `stop`."""
        try:
            if missing(self.histogram, stop):
                self.recover()
            gaps = missing(self.histogram, stop)
            if not gaps:
                return
            before_s = time.monotonic()
            results = stream(self._engine, self._job, gaps, self.advance, by_group=self._by_group)
            with contextlib.closing(results) as pieces:
                for piece in pieces:
                    now_s = time.monotonic()
                    self._add(piece, now_s - before_s)
                    self.observer.piece_finished(piece)
                    before_s = now_s
        finally:
            if self._checkpoint is not None:
                self._checkpoint.write()
        self.check(self.histogram, stop)

    def begun(self, stop: int) -> Histogram:
        """The simulations below `stop`, in parts from which standard errors can be estimated."""
        begun = stopping.prefix(self.histogram, stop)
        if begun.ranges != (range(stop),) or stopping.spans_groups(begun):
            raise EngineError(
                f"engine {self._engine.name} was asked for simulations 0 to {stop - 1} by groups of "
                f"{self._job.group_size} and gave back {begun.ranges}; run the job without a target, or on another "
                "engine"
            )
        return begun

    def check(self, histogram: Histogram, stop: int, *, exactly: bool = False) -> None:
        """Do nothing if the histogram has all simulations below `stop`; with `exactly`, and no others."""
        has_all = histogram.ranges == (range(stop),) if exactly else not missing(histogram, stop)
        if not has_all or histogram.job != self._job:
            raise EngineError(
                f"engine {self._engine.name} was given simulations 0 to {stop - 1} and gave back "
                f"{histogram.n_simulations} of them: {histogram.ranges}; run the job again or on another engine"
            )

    def _add(self, piece: Histogram, seconds: float | None) -> None:
        if self._checkpoint is None:
            self.histogram += piece
        else:
            self._checkpoint.add(piece, self._engine.name, seconds)
            self.histogram = self._checkpoint.histogram

    def _is_missing(self, simulations: range) -> bool:
        """True if these simulations can be added as one part."""
        try:
            Histogram.check_range(self._job, simulations)
        except ValueError:
            return False
        size = self._job.group_size
        if self._by_group and (
            simulations.start // size != (simulations.stop - 1) // size or simulations.stop > self._job.n_simulations
        ):
            return False
        return not any(
            simulations.start < have.stop and have.start < simulations.stop for have in self.histogram.ranges
        )
