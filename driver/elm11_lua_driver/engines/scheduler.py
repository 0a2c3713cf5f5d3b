"""Cut simulations into pieces that can be handed out, and get an engine's results piece by piece."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from ..jobs.histogram import group_ranges
from .base import StreamingEngine

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from ..jobs.histogram import Histogram
    from ..jobs.job import Job
    from .base import Engine, Progress

FIRST_PIECE: Final = 16
"""Simulations of the first piece, before the speed is known. It is small on a slow board as well."""

PIECE_S: Final = 1.0
"""Time for a piece: what may be lost at worst. A hundred times what handing out and keeping it take."""


class Pieces:
    """Simulations that are still to be handed out. Every piece can be one `Part`.

    Args:
        job: gives the groups.
        simulations: ranges, ascending, none twice.
    """

    def __init__(self, job: Job, simulations: Sequence[range]) -> None:
        self._job = job
        self._free = [part for part in simulations if part]

    def __len__(self) -> int:
        """How many simulations are left."""
        return sum(map(len, self._free))

    def take(self, wanted: int, *, one_group: bool = False) -> range:
        """The next piece.

        Args:
            wanted: how many simulations; at most so many are given, at least 1.
            one_group: whether the piece must lie in one group.

        Returns:
            Some simulations of one group, or several whole groups.
        """
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
        """All that is left. It is handed out then."""
        rest, self._free = self._free, []
        return rest


def stream(
    engine: Engine, job: Job, simulations: Sequence[range], progress: Progress, *, by_group: bool = False
) -> Generator[Histogram]:
    """Results piece by piece, from any engine; see `StreamingEngine.stream`.

    Args:
        engine: who computes.
        job: what to compute.
        simulations: ranges of simulation numbers, ascending, none twice.
        progress: called as simulations are finished.
        by_group: whether every part must lie in one group of the job.
    """
    if isinstance(engine, StreamingEngine):
        yield from engine.stream(job, simulations, progress, by_group=by_group)
        return
    pieces, wanted = Pieces(job, simulations), FIRST_PIECE
    one_group = by_group and joins_groups(engine)
    while pieces:
        piece = pieces.take(wanted, one_group=one_group)
        started = time.perf_counter()
        histogram = engine.simulate(job, piece, progress)
        seconds = time.perf_counter() - started
        # At most eight times as much as before: the first pieces' set-up, or a page fault, is no measure.
        wanted = round(len(piece) * min(8.0, PIECE_S / max(seconds, 1e-9)))
        yield histogram


def joins_groups(engine: Engine) -> bool:
    """Whether the engine's parts may span several groups.

    Args:
        engine: any engine.
    """
    return bool(getattr(engine, "joins_groups", False))


def single_groups(job: Job, simulations: Sequence[range]) -> list[range]:
    """The same simulations, cut at the borders of the job's groups.

    Args:
        job: what is computed.
        simulations: ranges of simulation numbers, ascending.
    """
    return [group for part in simulations for group in group_ranges(job, part)]
