"""The exact pipeline, one simulation at a time, to be read. `vectorised.py` gives the same counts quickly.

Source: Grinsted, Moore & Jevrejeva (2004), section 3.4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from . import coherence, rednoise

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..experiment import Experiment
    from ..types import AnyArray, FloatArray, IntArray


def surrogate_coherence(experiment: Experiment, simulation: int) -> FloatArray:
    """Squared coherence of one pair of surrogates.

    Args:
        experiment: the parameters.
        simulation: simulation number, 0 to 2**31 - 1.

    Returns:
        Shape (J + 1, n_samples), no unit.

    Source: Grinsted, Moore & Jevrejeva (2004), section 3.4.
    """
    pair = rednoise.surrogate_pairs(experiment.seed, [simulation], *experiment.noise_lag1, experiment.n_samples)[0]
    squared, _ = coherence.coherence(pair[0], pair[1], experiment.sigma, experiment.mother, experiment.box)
    return squared


def count_coherence(experiment: Experiment, squared: AnyArray) -> IntArray:
    """Histogram of the samples inside the cone of influence, scale by scale.

    Args:
        experiment: the parameters.
        squared: shape (J + 1, n_samples), squared coherence.

    Returns:
        Shape (J + 1, n_bins), counts. Bin b holds `b <= R2 * n_bins < b + 1`; the last also holds R2 >= 1,
        the first R2 < 0 (both only where scales lie below 0.75 samples).

    Source: this project: docs/method.md, steps 5 and 6.
    """
    counts = np.zeros((experiment.J + 1, experiment.n_bins), np.int64)
    for row, first, of_scale in zip(counts, experiment.first_usable, squared, strict=True):
        usable = of_scale[first : experiment.n_samples - first]
        bins = np.clip(np.floor(usable * experiment.n_bins), 0, experiment.n_bins - 1)
        np.add.at(row, bins.astype(np.int64), 1)
    return counts


def simulate(experiment: Experiment, simulations: Iterable[int]) -> IntArray:
    """Counts of some simulations.

    Args:
        experiment: the parameters.
        simulations: simulation numbers.

    Returns:
        Shape (J + 1, n_bins), counts.

    Source: Grinsted, Moore & Jevrejeva (2004), section 3.4; the random streams are this project's
    (docs/random-streams.md).
    """
    counts = np.zeros((experiment.J + 1, experiment.n_bins), np.int64)
    for simulation in simulations:
        counts += count_coherence(experiment, surrogate_coherence(experiment, simulation))
    return counts
