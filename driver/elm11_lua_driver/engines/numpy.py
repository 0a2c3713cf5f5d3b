"""The NumPy engine: this process, one core."""

from __future__ import annotations

from typing import TYPE_CHECKING

from elm11_host_ref.exact import vectorised
from elm11_host_ref.fast import run

from ..jobs.histogram import Histogram, Part, group_ranges

if TYPE_CHECKING:
    from ..jobs.job import Job
    from .base import Progress


class NumpyEngine:
    """Batches of simulations in NumPy, in this process."""

    name = "numpy"

    def simulate(self, job: Job, simulations: range, progress: Progress) -> Histogram:
        """See `Engine.simulate`."""
        simulate_groups = run.simulate_groups if job.pipeline == "fast" else vectorised.simulate_groups
        counts = simulate_groups(job.experiment, simulations, job.group_size, on_batch=progress)
        groups = group_ranges(job, simulations)
        return Histogram(job, (Part(group.start, group.stop, rows) for group, rows in zip(groups, counts, strict=True)))

    def close(self) -> None:
        """Nothing is held."""
