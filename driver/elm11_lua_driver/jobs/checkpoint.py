"""Checkpoints: a file with the finished simulations of a run, never half-written, from which the run can go on.

A checkpoint is a histogram's file (`storage`). So the result of a run, the blocks that `elm11 run` has fetched from a
board, and the checkpoint of a run that was killed are one and the same kind of file, and each can be finished.
"""

from __future__ import annotations

import contextlib
import dataclasses
import glob
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self, TypeAlias

from .._files.atomic import check_writable
from .._files.lock import locked
from . import storage
from .histogram import Histogram, Part
from .provenance import Provenance, extended
from .storage import StoppingRule

if TYPE_CHECKING:
    from collections.abc import Callable

    from .job import Job

_LEFT_OVER_S: Final = 60.0
"""Age from which the half-written file of a process that was killed is taken away; writing takes much less."""


class Checkpoint:
    """A file that holds what is finished; it is written at the first `add`.

    Several programs may add to one file, also with other numbers of simulations of the same experiment: each write adds
    to what the file holds then, under a lock, so that the file never holds fewer simulations than it did.
    """

    def __init__(
        self,
        path: Path | str,
        job: Job,
        stored: storage.StoredRun | None = None,
        rule: StoppingRule | None = None,
        stamp: _Stamp | None = None,
    ) -> None:
        self.path = Path(path)
        self._rule = rule
        self._stored = stored  # as of `stamp`
        self._histogram = of_length(stored.histogram, job) if stored is not None else Histogram(job, [])
        self._unwritten: list[Provenance] = []
        self._stamp = stamp

    @classmethod
    def open(
        cls,
        path: Path | str,
        job: Job,
        rule: StoppingRule | None = None,
        *,
        confirm_overwrite: Callable[[str], None] | None = None,
    ) -> Self:
        """The checkpoint of a job; what the file holds of the same experiment is taken over.

        A run of another length goes on from what it can use: all of it, if every part lies in one group of the job or
        is several whole groups, which for a longer run holds of every engine but the board.

        Args:
            confirm_overwrite: called with what the file holds, where that is something else; raises an error to keep
                it. None keeps it.

        Raises:
            ValueError: the file cannot be written, is damaged, or holds another experiment.
            OSError: it cannot be read.
        """
        storage.check_suffix(path)
        check_writable(path)
        _clear_away(Path(path))
        stamp = _stamp(Path(path))  # before it is read: another program may write meanwhile
        try:
            found = storage.load_run(path)
        except FileNotFoundError:
            return cls(path, job, rule=rule, stamp=stamp)
        except ValueError:
            if confirm_overwrite is None:
                raise
            confirm_overwrite(f"{path} is not a histogram")
            return cls(path, job, rule=rule, stamp=stamp)
        if found.histogram.job.sha256 != job.sha256:
            if confirm_overwrite is not None:
                confirm_overwrite(f"{path} holds the histogram of another job")
                return cls(path, job, rule=rule, stamp=stamp)
            theirs, ours = dataclasses.asdict(found.histogram.job), dataclasses.asdict(job)
            differing = [name for name in ours if theirs[name] != ours[name] and name != "n_simulations"]
            differences = ", ".join(f"{name} is {theirs[name]!r} there, not {ours[name]!r}" for name in differing)
            raise ValueError(f"{path} holds another job: {differences}; give another file, or delete this one")
        return cls(path, job, found, rule, stamp)

    @property
    def histogram(self) -> Histogram:
        """All that is finished of the job."""
        return self._histogram

    def add(self, piece: Histogram, engine: str, seconds: float | None) -> None:
        """Add finished simulations, and write the file as `write`: some 10 ms, for pieces that take a second.

        Raises:
            ValueError: it is of another job, or simulations would be counted twice.
        """
        self._histogram += piece
        self._unwritten.append(Provenance(engine, piece.n_simulations, seconds))
        self.write()

    def write(self) -> None:
        """Add what has not been written to what the file holds now.

        Raises:
            ValueError: another program has written another job into the file meanwhile.
            OSError: the file cannot be written, or another program has locked it for 30 s.
        """
        if not self._unwritten:
            return
        with locked(self.path):
            if _stamp(self.path) != self._stamp:
                self._stored = self._found() or self._stored
            stored, rule = self._stored, self._rule
            provenance: tuple[Provenance, ...] = ()
            histogram, left = self._histogram, self._histogram.n_simulations
            if stored is not None:
                histogram, provenance = union(stored.histogram, self._histogram), stored.provenance
                left = histogram.n_simulations - stored.histogram.n_simulations
                if stored.histogram.job == histogram.job != self._histogram.job:
                    rule = stored.rule  # that of the longer run
            for entry in reversed(self._unwritten):  # what others have added meanwhile counts as theirs
                if left > 0:
                    n = min(left, entry.n_simulations)
                    provenance, left = extended(provenance, dataclasses.replace(entry, n_simulations=n)), left - n
            rule = rule or StoppingRule()
            storage.save(histogram, self.path, rule, provenance)
            self._stored, self._stamp = storage.StoredRun(histogram, rule, provenance), _stamp(self.path)
        self._unwritten = []

    def _found(self) -> storage.StoredRun | None:
        """What another program has written into the file; None if that is of no use to anybody."""
        try:
            found = storage.load_run(self.path)
        except (FileNotFoundError, ValueError):
            return None
        if found.histogram.job.sha256 != self._histogram.job.sha256:
            raise ValueError(
                f"{self.path} has been written by another program meanwhile, with another job; give another file"
            )
        return found


_Stamp: TypeAlias = tuple[int, int, int, int]


def _stamp(path: Path) -> _Stamp | None:
    """What changes whenever a file is written; None without one."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size


def union(stored: Histogram, more: Histogram) -> Histogram:
    """As many simulations of both as one histogram can hold, never fewer than `stored` has.

    The two are of one experiment; the result is of the longer job, if it can be. Where their parts overlap, the ones
    with more simulations stay.
    """
    longer, shorter = sorted((stored.job, more.job), key=lambda job: -job.n_simulations)
    best = _joined(of_length(stored, longer), of_length(more, longer))
    if best.n_simulations < stored.n_simulations:  # parts of several groups do not fit into the longer job
        return _joined(of_length(stored, shorter), of_length(more, shorter))
    return best


def _joined(first: Histogram, second: Histogram) -> Histogram:
    """The parts of both; of each cluster of overlapping ones, those of the histogram that has more of it."""
    parts: list[Part] = []
    cluster: tuple[list[Part], list[Part]] = ([], [])
    end = 0
    both = [(part, which) for which, one in enumerate((first, second)) for part in one.parts]
    for part, which in [*sorted(both, key=lambda item: item[0].start), (None, 0)]:
        if part is None or part.start >= end:
            parts += max(cluster, key=lambda side: sum(one.stop - one.start for one in side))
            cluster = ([], [])
        if part is not None:
            cluster[which].append(part)
            end = max(end, part.stop)
    return Histogram(first.job, parts)


def of_length(histogram: Histogram, job: Job) -> Histogram:
    """The parts of a histogram that a job of the same experiment and another number of simulations can use."""
    if histogram.job == job:
        return histogram
    fitting = []
    for part in histogram.parts:
        try:
            Histogram.check_range(job, range(part.start, part.stop))
        except ValueError:
            continue
        if part.stop <= job.n_simulations:
            fitting.append(part)
    return Histogram(job, fitting)


def missing(histogram: Histogram, stop: int | None = None) -> list[range]:
    """The simulations that a histogram lacks, as few ranges as possible.

    Args:
        stop: only simulations below this one are looked at; None for all.
    """
    stop = histogram.job.n_simulations if stop is None else stop
    gaps, start = [], 0
    for have in (*histogram.ranges, range(stop, stop)):
        if start < min(have.start, stop):
            gaps.append(range(start, min(have.start, stop)))
        start = max(start, have.stop)
    return gaps


def _clear_away(path: Path) -> None:
    """Delete half-written files that killed processes have left beside this one.

    Whoever writes holds the lock, so no clock of another computer makes a file look old that is being written.
    """
    left_over = list(path.parent.glob(f".{glob.escape(path.name)}.*.part"))
    if left_over:
        with contextlib.suppress(OSError), locked(path, wait_s=0.0):  # somebody writes, or may not be disturbed
            for part in left_over:
                if time.time() - part.stat().st_mtime > _LEFT_OVER_S:
                    part.unlink()
