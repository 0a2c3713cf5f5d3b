"""Levels as quantiles of a histogram's counts, and their standard errors."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from elm11_host_ref.types import FloatArray, IntArray

    from ..jobs.histogram import Histogram


def check_level(level: float) -> float:
    """The level as a float, if it lies between 0 and 1 (no unit).

    Raises:
        ValueError: it does not.

    Source: this project: a level of 0 or 1 has no finite answer.
    """
    try:
        number = float(level)
    except (TypeError, ValueError):
        number = math.nan
    if not 0 < number < 1:
        raise ValueError(f"significance_level must lie between 0 and 1 (both excluded), not {level!r}")
    return number


def quantiles(counts: IntArray, level: float) -> FloatArray:
    """Squared coherence below which the fraction `level` of the samples lies, scale by scale.

    Over the bins that are not empty, `P = (cumsum - 1/2) / total` is taken as the distribution function at the
    bins' centres, and inverted by straight lines.

    Args:
        counts: shape (n_scales, n_bins).

    Source: pycwt 0.5.0b0, `wct_significance`.
    """
    centres = (np.arange(counts.shape[1]) + 0.5) / counts.shape[1]
    result = np.full(counts.shape[0], np.nan)
    for row, of_scale in enumerate(counts):
        filled = of_scale > 0
        if filled.any():
            cumulative = of_scale[filled].cumsum()
            result[row] = np.interp(level, (cumulative - 0.5) / cumulative[-1], centres[filled])
    return result


def standard_errors(histogram: Histogram, level: float) -> FloatArray:
    """Standard error of `quantiles(histogram.counts, level)` from how much groups of simulations differ.

    Its shape is (J + 1,), no unit; NaN where fewer than two groups have counts.

    The share of counts below the level is a ratio of sums over groups, whose standard error follows from the groups;
    the levels of shares that much smaller and larger are two standard errors apart. So no density is taken from single
    bins, which are nearly empty in short runs.

    The groups are those of the job; a part that spans several of them (a board sends such) counts as one, so that the
    result of a board has fewer groups, and the same expectation. Groups may differ in size (the last one often does),
    and the fast pipeline counts a scale in some simulations only: at each scale a group has the weight of its counts
    there, and a group without any is left out.

    Source: Woodruff (1952), *Confidence intervals for medians and other position measures*, Journal of the American
    Statistical Association 47, 635-646; the ratio's error: Cochran (1977), *Sampling techniques*, Eq. (6.9).
    """
    job = histogram.job
    group_counts: dict[int, IntArray] = {}
    for part in histogram.parts:
        group = part.start // job.group_size
        group_counts[group] = group_counts.get(group, 0) + part.counts
    total = histogram.counts
    counts = np.array(list(group_counts.values()))
    below = np.einsum("gjb,jb->gj", counts, _shares_below(quantiles(total, level), total.shape[1]))
    sizes, all_counts = counts.sum(axis=2), total.sum(axis=1)
    n_groups = (sizes > 0).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):  # scales without counts, and of one group
        share = below.sum(axis=0) / all_counts
        squares = ((below - share * sizes) ** 2).sum(axis=0)
        deviation = np.sqrt(squares * n_groups / (n_groups - 1)) / all_counts
    errors = np.full(job.J + 1, np.nan)
    for j in np.flatnonzero(n_groups > 1):
        row = total[j : j + 1]
        # Where there is no level above, twice the distance to the one below stands for both.
        low = quantiles(row, max(share[j] - deviation[j], 0.0))[0]
        middle, high = quantiles(row, share[j])[0], quantiles(row, min(share[j] + deviation[j], 1.0))[0]
        errors[j] = (high - low) / 2 if share[j] + deviation[j] < 1 else middle - low
    return errors


def _shares_below(levels: FloatArray, n_bins: int) -> FloatArray:
    """Which share of every bin is below a level: shape (n_scales, n_bins), 1, 0, and a part of the bin it is in."""
    shares: FloatArray = np.clip(np.nan_to_num(levels)[:, None] * n_bins - np.arange(n_bins), 0.0, 1.0)
    return shares
