"""Cut simulations into chunks, and stream any engine's results chunk by chunk."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Final

from ..errors import EngineError
from ..jobs.histogram import group_ranges
from .base import StreamingEngine

if TYPE_CHECKING:
    import threading
    from collections.abc import Generator, Iterator, Sequence

    from ..jobs.histogram import Histogram
    from ..jobs.job import Job
    from .base import Engine, Progress

FIRST_CHUNK: Final = 16
"""Simulations of the first chunk, before the speed is known; little work even for a slow board."""

CHUNK_S: Final = 1.0
"""Time for a chunk: what may be lost at worst. A hundred times the cost of dispatching and saving it."""


class WorkQueue:
    """Simulations that are still to be computed, taken in chunks, each of which can be one `Part`."""

    def __init__(self, job: Job, simulations: Sequence[range]) -> None:
        self._job = job
        self._free = [part for part in simulations if part]

    def __len__(self) -> int:
        """Number of simulations that are left."""
        return sum(map(len, self._free))

    def take(self, wanted: int, *, one_group: bool = False) -> range:
        """Take the next chunk."""
        free, size, end = self._free[0], self._job.group_size, self._job.n_simulations
        wanted = max(1, wanted)
        stop = free.start
        if not one_group and free.start % size == 0:
            stop = min(free.start + wanted // size * size, free.stop)
            # The job's end ends the last group; what is left at any other place is less than a group.
            stop = end if free.start + wanted >= end == free.stop else stop - stop % size
        if stop <= free.start:
            stop = min(free.start + wanted, free.start - free.start % size + size, free.stop)
        if stop == free.stop:
            del self._free[0]
        else:
            self._free[0] = range(stop, free.stop)
        return range(free.start, stop)

    def rest(self) -> list[range]:
        """Take all that is left."""
        rest, self._free = self._free, []
        return rest


def stream(
    engine: Engine, job: Job, simulations: Sequence[range], progress: Progress, *, by_group: bool = False
) -> Generator[Histogram]:
    """Results of any engine, chunk by chunk; see `StreamingEngine.stream`."""
    if isinstance(engine, StreamingEngine):
        yield from engine.stream(job, simulations, progress, by_group=by_group)
        return
    work, wanted = WorkQueue(job, simulations), FIRST_CHUNK
    one_group = by_group and joins_groups(engine)
    while work:
        chunk = work.take(wanted, one_group=one_group)
        started = time.perf_counter()
        histogram = engine.simulate(job, chunk, progress)
        seconds = time.perf_counter() - started
        # At most eight times as much as before: the set-up of the first chunks, or a page fault, is no measure.
        wanted = round(len(chunk) * min(8.0, CHUNK_S / max(seconds, 1e-9)))
        yield histogram


def joins_groups(engine: Engine) -> bool:
    """True if the engine's parts may span several groups."""
    return bool(getattr(engine, "joins_groups", False))


def single_groups(job: Job, simulations: Sequence[range]) -> list[range]:
    """The same simulations, cut at the borders of the job's groups."""
    return [group for part in simulations for group in group_ranges(job, part)]


@contextlib.contextmanager
def exclusive(lock: threading.Lock, name: str) -> Iterator[None]:
    """Refuse a second call of an engine whose members or port the first one still uses, as from another thread."""
    if not lock.acquire(blocking=False):
        raise EngineError(
            f"this engine ({name}) is running a job already", next_step="Make one engine for each thread, or wait."
        )
    try:
        yield
    finally:
        lock.release()
