"""Checkpoints: a file with the finished simulations of a run, never half-written, from which the run can go on.

A checkpoint is a histogram's file (`storage`). So the result of a run, the blocks that `elm11 run` has fetched from a
board, and the checkpoint of a run that was killed are one and the same kind of file, and each can be finished.
"""

from __future__ import annotations

import contextlib
import glob
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from .._files.atomic import check_writable
from . import storage
from .histogram import Histogram
from .provenance import Provenance, extended

if TYPE_CHECKING:
    from collections.abc import Callable

    from .job import Job
    from .storage import StoppingRule

_LEFT_OVER_S: Final = 60.0
"""Age from which the half-written file of a process that was killed is taken away; writing takes much less."""


class Checkpoint:
    """A file that holds what is finished."""

    def __init__(
        self,
        path: Path | str,
        job: Job,
        stored: Histogram | None = None,
        rule: StoppingRule | None = None,
        provenance: tuple[Provenance, ...] = (),
    ) -> None:
        self.path = Path(path)
        self._rule = rule
        self._provenance = provenance
        self._histogram = of_length(stored, job) if stored is not None else Histogram(job, [])
        is_longer = stored is not None and stored.job.n_simulations > job.n_simulations
        self._longer = stored if is_longer else None
        self._is_written = True
        self._stamp = _stamp(self.path)

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
            ValueError: the file's name has the wrong end, it cannot be written, holds no histogram, is damaged, or
                holds another experiment.
            OSError: it cannot be read.
        """
        storage.check_suffix(path)
        check_writable(path)
        _clear_away(Path(path))
        try:
            found = storage.load_run(path)
        except FileNotFoundError:
            return cls(path, job, rule=rule)
        except ValueError:
            if confirm_overwrite is None:
                raise
            confirm_overwrite(f"{path} is not a histogram")
            return cls(path, job, rule=rule)
        if found.histogram.job.sha256 != job.sha256:
            if confirm_overwrite is not None:
                confirm_overwrite(f"{path} holds the histogram of another job")
                return cls(path, job, rule=rule)
            theirs, ours = asdict(found.histogram.job), asdict(job)
            differing = [name for name in ours if theirs[name] != ours[name] and name != "n_simulations"]
            differences = ", ".join(f"{name} is {theirs[name]!r} there, not {ours[name]!r}" for name in differing)
            raise ValueError(f"{path} holds another job: {differences}; give another file, or delete this one")
        return cls(path, job, found.histogram, rule, found.provenance)

    @property
    def histogram(self) -> Histogram:
        """All that is finished of the job."""
        return self._histogram

    def add(self, piece: Histogram, engine: str, seconds: float | None) -> None:
        """Add finished simulations, and write the file: some 10 ms, for pieces that take a second.

        Args:
            seconds: how long it took; None where that is not known.

        Raises:
            ValueError: it is of another job, or simulations would be counted twice; or another program has written
                another job into the file meanwhile.
            OSError: the file cannot be written.
        """
        self._histogram += piece
        self._provenance = extended(self._provenance, Provenance(engine, piece.n_simulations, seconds))
        if self._longer is not None:
            self._longer += without_overlap(of_length(piece, self._longer.job), self._longer)
        self._is_written = False
        self.write()

    def write(self) -> None:
        """Write what has not been written."""
        if self._is_written:
            return
        if _stamp(self.path) != self._stamp:
            self._refuse_another_job()
        kept = self._histogram if self._longer is None else self._longer
        storage.save(kept, self.path, self._rule, self._provenance)
        self._stamp = _stamp(self.path)
        self._is_written = True

    def _refuse_another_job(self) -> None:
        """Two programs of one job may share a file, since each writes all that it has; those of two jobs may not."""
        try:
            found = storage.load(self.path)
        except (OSError, ValueError):
            return  # it was taken away, or is of no use to anybody
        if found.job.sha256 != self._histogram.job.sha256:
            raise ValueError(
                f"{self.path} has been written by another program meanwhile, with another job; give another file"
            )


def _stamp(path: Path) -> tuple[int, int] | None:
    """What changes whenever a file is written; None without one."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


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


def without_overlap(histogram: Histogram, other: Histogram) -> Histogram:
    """The parts of a histogram of which the other has no simulation."""
    return Histogram(
        histogram.job,
        [
            part
            for part in histogram.parts
            if not any(part.start < have.stop and have.start < part.stop for have in other.ranges)
        ],
    )


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
    """Delete half-written files that killed processes have left beside this one."""
    for left_over in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        with contextlib.suppress(OSError):  # somebody else was faster, or may not be disturbed
            if time.time() - left_over.stat().st_mtime > _LEFT_OVER_S:
                left_over.unlink()
