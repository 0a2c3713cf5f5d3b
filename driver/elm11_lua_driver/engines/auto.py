"""The engine that chooses: one process for short jobs, all cores for long ones."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from ..jobs.histogram import Histogram
from . import pool
from .numpy import NumpyEngine
from .pool import PoolEngine
from .scheduler import WorkQueue, stream

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..jobs.job import Job
    from .base import Progress

WORTH_S: Final = 4.0
"""The pool is used for at least so much work: its start takes one to two seconds, and two cores then save as much."""

_TRIAL_S: Final = 0.2

_TRIAL_POINTS: Final = 1 << 17
"""Transform points of the first chunk: several of the NumPy engine's batches, 0.3 s at J = 28 (64 simulations). Small
jobs get it whole or half, since less than a batch of theirs would take as long as one."""


class AutoEngine:
    """NumPy in this process for a few seconds of work, the pool for more.

    The first simulations measure the speed of this computer; their counts are used.

    Args:
        n_workers: processes of the pool; None for one per core.
        worth_s: seconds of work left from which the pool is used.
    """

    name = "auto"

    def __init__(self, n_workers: int | None = None, *, worth_s: float = WORTH_S) -> None:
        self._n_workers = pool.n_cores() if n_workers is None else n_workers
        self._worth_s = worth_s
        self._numpy = NumpyEngine()
        # Made at once, so that a wrong number is an error at once; its processes start at its first use.
        self._pool = PoolEngine(self._n_workers)

    def simulate(self, job: Job, simulations: range, progress: Progress) -> Histogram:
        """See `Engine.simulate`."""
        return Histogram(
            job,
            [part for result in self._results(job, [simulations], progress, whole=True) for part in result.parts],
        )

    def stream(
        self, job: Job, simulations: Sequence[range], progress: Progress, *, by_group: bool = False
    ) -> Iterator[Histogram]:
        """See `StreamingEngine.stream`. Every part lies in one group anyway."""
        del by_group
        return self._results(job, simulations, progress, whole=False)

    def _results(
        self, job: Job, simulations: Sequence[range], progress: Progress, *, whole: bool
    ) -> Iterator[Histogram]:
        work, spent_s = WorkQueue(job, simulations), 0.0
        wanted = max(4, min(128, _TRIAL_POINTS // job.n_padded))
        seconds, chunk = 0.0, range(1)
        while work and spent_s < _TRIAL_S:
            chunk = work.take(wanted)
            started = time.perf_counter()
            histogram = self._numpy.simulate(job, chunk, progress)
            seconds = time.perf_counter() - started
            spent_s += seconds
            wanted *= 4
            yield histogram
        left_s = len(work) * seconds / len(chunk)
        if self._n_workers > 1 and left_s > self._worth_s:
            yield from self._pool.stream(job, work.rest(), progress)
        elif whole:
            for rest in work.rest():
                yield self._numpy.simulate(job, rest, progress)
        else:
            yield from stream(self._numpy, job, work.rest(), progress)

    def close(self) -> None:
        """End the pool's processes."""
        self._pool.close()
