"""Stop a run when its levels are known well enough.

After certain numbers of simulations the standard error of every scale's level is estimated from the job's
groups. The numbers, the groups and so the estimates follow from the job alone: whichever engine computes, and
however the work is split, the run stops at the same place with the same counts. They are those of a job that asks for
exactly so many simulations, and that is what the result says it is.
"""

from __future__ import annotations

import dataclasses
import warnings
from typing import TYPE_CHECKING, Final

import numpy as np

from ..jobs.histogram import Histogram
from .quantiles import check_level, standard_errors

if TYPE_CHECKING:
    from ..jobs.job import Job

MIN_GROUPS: Final = 8
"""Before so many groups there is no check: with 7 degrees of freedom a standard error is known to about 27 %."""


def check_target(target_standard_error: float, level: float) -> float:
    """The target as a float, if it lies between 0 and 1, and the level does as well (no unit).

    Raises:
        ValueError: one does not.

    Source: this project: docs/engines.md, "Early stopping".
    """
    check_level(level)
    try:
        number = float(target_standard_error)
    except (TypeError, ValueError):
        number = float("nan")
    if not 0 < number < 1:
        raise ValueError(
            f"target_standard_error must lie between 0 and 1 (both excluded), not {target_standard_error!r}"
        )
    return number


def check_numbers(job: Job) -> list[int]:
    """Numbers of simulations after which to look: 8, 12, 16, 24, 32, 48 groups, and all.

    At most half as much again is computed as would do; more looks would find a small estimate by luck more often.

    Source: this project: docs/engines.md, "Early stopping".
    """
    groups = [size for k in range(3, 7) for size in (1 << k, 3 << (k - 1))]
    inside = [n * job.group_size for n in groups if n >= MIN_GROUPS and n * job.group_size < job.n_simulations]
    return [*inside, job.n_simulations]


def stops(job: Job, target_standard_error: float | None) -> list[int]:
    """Numbers of simulations up to which to compute in one go: the last, and with a target those to look after.

    Args:
        target_standard_error: largest standard error wanted; None for no early stopping.

    Source: this project: docs/engines.md, "Early stopping".
    """
    return [job.n_simulations] if target_standard_error is None else check_numbers(job)


def prefix(histogram: Histogram, stop: int) -> Histogram:
    """The simulations below `stop`, which no part may contain in its midst.

    Source: this project: docs/engines.md, "Early stopping".
    """
    return Histogram(histogram.job, [part for part in histogram.parts if part.stop <= stop])


def shortened(histogram: Histogram, n_simulations: int) -> Histogram:
    """The complete result of a job of so many simulations, from the first ones of a longer job.

    Source: this project: docs/engines.md, "Early stopping".
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the job has given its warnings when it was made
        job = dataclasses.replace(histogram.job, n_simulations=n_simulations)
    return Histogram(job, prefix(histogram, n_simulations).parts)


def stopped_at(histogram: Histogram, stop: int, target: float, level: float) -> Histogram | None:
    """The result, if so many simulations are enough; None if they are not, or not all are there yet.

    Returns:
        A histogram of a job of `stop` simulations, or None.

    Source: this project: docs/engines.md, "Early stopping".
    """
    begun = prefix(histogram, stop)
    if begun.ranges != (range(stop),) or not max_standard_error(begun, level) <= target:
        return None
    return shortened(begun, stop)


def spans_groups(histogram: Histogram) -> bool:
    """True if a part spans several groups, so that the groups' differences cannot be seen.

    Source: this project: docs/engines.md, "Checkpoints".
    """
    size = histogram.job.group_size
    return any(part.start // size != (part.stop - 1) // size for part in histogram.parts)


def max_standard_error(histogram: Histogram, level: float) -> float:
    """The largest standard error of all scales' levels (no unit); NaN where no scale has one.

    Source: this project: `standard_errors` names the estimate's source.
    """
    errors = standard_errors(histogram, level)
    return float(np.nanmax(errors)) if np.isfinite(errors).any() else float("nan")
