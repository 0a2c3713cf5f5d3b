"""The result of simulations: integer counts that add."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from elm11_host_ref.types import IntArray

    from .job import Job


@dataclass(frozen=True, eq=False)
class Part:
    """Counts of consecutive simulations: of one group of the job or a part of it, or of several whole groups.

    Several groups in one part are for engines to which moving results is dear, such as a board.

    Attributes:
        start: first simulation.
        stop: first simulation after the part.
        counts: shape (J + 1, n_bins), int64.
    """

    start: int
    stop: int
    counts: IntArray


class Histogram:
    """Counts of squared coherence per scale, and the simulations they come from.

    Args:
        job: what was simulated.
        parts: in any order; each inside one group of `job.group_size` simulations, or several whole groups (the job's
            end ends the last one).

    Raises:
        ValueError: parts overlap, cut a group while they span others, or do not have the job's shape.
    """

    def __init__(self, job: Job, parts: Iterable[Part]) -> None:
        self.job = job
        merged: list[Part] = []
        for part in sorted(parts, key=lambda part: part.start):
            self._check(part)
            if merged and part.start < merged[-1].stop:
                raise ValueError(
                    f"simulations {part.start} to {min(part.stop, merged[-1].stop) - 1} would be counted twice"
                )
            last = merged[-1] if merged else None
            if last and last.stop == part.start and last.start // job.group_size == (part.stop - 1) // job.group_size:
                merged[-1] = Part(last.start, part.stop, last.counts + part.counts)
            else:
                merged.append(part)
        self.parts = tuple(merged)

    @staticmethod
    def check_range(job: Job, simulations: range) -> None:
        """Do nothing if the counts of these simulations can be one part.

        Args:
            job: what is computed.
            simulations: consecutive simulation numbers.

        Raises:
            ValueError: they cannot; see `Part`.
        """
        size, start, stop = job.group_size, simulations.start, simulations.stop
        in_one_group = start // size == (stop - 1) // size
        whole_groups = start % size == 0 and (stop % size == 0 or stop == job.n_simulations)
        if not 0 <= start < stop or simulations.step != 1 or not (in_one_group or whole_groups):
            raise ValueError(
                f"simulations {start} to {stop - 1} are neither in one group of {size} nor several whole groups"
            )

    def _check(self, part: Part) -> None:
        self.check_range(self.job, range(part.start, part.stop))
        shape = (self.job.J + 1, self.job.n_bins)
        if part.counts.shape != shape or part.counts.dtype != np.int64:
            raise ValueError(f"counts must be int64 of shape {shape}, not {part.counts.dtype} of {part.counts.shape}")
        expected = self.job.expected_counts(range(part.start, part.stop))
        if (part.counts < 0).any() or (part.counts.sum(axis=1) != expected).any():
            raise ValueError(
                f"counts of simulations {part.start} to {part.stop - 1} do not add up to the number that pipeline "
                f"{self.job.pipeline} counts in them"
            )

    @property
    def counts(self) -> IntArray:
        """All counts, shape (J + 1, n_bins), int64; bin b holds `b <= R2 * n_bins < b + 1`."""
        total = np.zeros((self.job.J + 1, self.job.n_bins), np.int64)
        for part in self.parts:
            total += part.counts
        return total

    @property
    def ranges(self) -> tuple[range, ...]:
        """The simulations it contains, as few ranges as possible, ascending."""
        joined: list[range] = []
        for part in self.parts:
            if joined and joined[-1].stop == part.start:
                joined[-1] = range(joined[-1].start, part.stop)
            else:
                joined.append(range(part.start, part.stop))
        return tuple(joined)

    @property
    def n_simulations(self) -> int:
        """Number of simulations that it contains."""
        return sum(part.stop - part.start for part in self.parts)

    @property
    def is_complete(self) -> bool:
        """True if it contains every simulation of the job."""
        return self.ranges == (range(self.job.n_simulations),)

    @property
    def sha256(self) -> str:
        """SHA-256 of the counts as little-endian int64, row by row, in hexadecimal."""
        return hashlib.sha256(self.counts.astype("<i8").tobytes()).hexdigest()

    def __add__(self, other: Histogram) -> Histogram:
        """Union of two results of one experiment."""
        if self.job != other.job:
            raise ValueError(f"histograms of different jobs do not add: {self.job.to_json()}, {other.job.to_json()}")
        return Histogram(self.job, self.parts + other.parts)


def group_ranges(job: Job, simulations: range) -> list[range]:
    """Cut consecutive simulations at the borders of the job's groups.

    Args:
        job: gives the group size.
        simulations: step 1.

    Returns:
        Ranges that together are `simulations`, each inside one group.
    """
    borders = range(simulations.start - simulations.start % job.group_size, simulations.stop, job.group_size)
    return [range(max(start, simulations.start), min(start + job.group_size, simulations.stop)) for start in borders]


def block_ranges(job: Job, simulations: range, n_blocks: int = 16) -> list[range]:
    """Cut consecutive simulations into about `n_blocks` ranges, each of which can be one `Part` and one run of a board.

    Args:
        job: gives the groups, and the longest run of a board.
        simulations: step 1.
        n_blocks: how many blocks of whole groups the whole job would give, at most; more if they would be too long.

    Returns:
        Ranges that together are `simulations`: blocks of whole groups, or pieces of one, and at the ends what is less
        than a group.
    """
    n_groups = -(-job.n_simulations // job.group_size)
    longest = job.longest_run
    size = min(-(-n_groups // n_blocks), max(1, longest // job.group_size)) * job.group_size
    ranges: list[range] = []
    for group in group_ranges(job, simulations):
        if len(group) > longest:
            ranges += [group[start : start + longest] for start in range(0, len(group), longest)]
            continue
        is_whole = group.start % job.group_size == 0 and (
            group.stop % job.group_size == 0 or group.stop == job.n_simulations
        )
        last = ranges[-1] if ranges else None
        if (
            last is not None
            and is_whole
            and last.start % job.group_size == 0
            and last.start // size == group.start // size
        ):
            ranges[-1] = range(last.start, group.stop)
        else:
            ranges.append(group)
    return ranges
