"""Convergence: the levels as simulations are added."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from ..jobs.histogram import Histogram
from .quantiles import check_level, quantiles, standard_errors

if TYPE_CHECKING:
    from elm11_host_ref.types import FloatArray, IntArray

_STEPS: Final = 12  # evenly spaced on a logarithmic axis; each costs an estimate from all groups


@dataclass(frozen=True, eq=False)
class Convergence:
    """Levels of the first parts of a histogram.

    Attributes:
        simulations: shape (n_steps,), how many simulations each step holds, ascending; the last holds all.
        levels: shape (n_steps, J + 1), no unit; NaN where no sample was counted.
        standard_errors: shape (n_steps, J + 1), no unit; NaN with fewer than two groups.
    """

    simulations: IntArray
    levels: FloatArray
    standard_errors: FloatArray


def track_convergence(histogram: Histogram, level: float) -> Convergence:
    """Levels and their standard errors as the parts of a histogram are added, in the order of their simulations.

    Args:
        histogram: its parts are the steps; of many parts, about twelve steps are taken, each a constant factor longer.
        level: 0 < level < 1.

    Returns:
        At least one step.

    Raises:
        ValueError: the level is outside its range, or the histogram is empty.

    Source: this project: `quantiles` and `standard_errors` of what has been added so far.
    """
    level = check_level(level)
    parts = histogram.parts
    if not parts:
        raise ValueError("a histogram without simulations has no levels")
    stops = np.unique(np.geomspace(1, len(parts), _STEPS).round().astype(int)).tolist()
    steps = [Histogram(histogram.job, parts[:stop]) for stop in stops]
    return Convergence(
        np.array([step.n_simulations for step in steps], np.int64),
        np.array([quantiles(step.counts, level) for step in steps]),
        np.array([standard_errors(step, level) for step in steps]),
    )
