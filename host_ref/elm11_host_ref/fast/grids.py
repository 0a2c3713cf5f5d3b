"""Idea 4, grids: a wavelet transform needs few points per period, a power of two of them, so its band is folded."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from .weights import GAUSSIAN_UNIT, down, gaussian_table, least_power, nearest, up

if TYPE_CHECKING:
    from .parts import Part, Row, Scales

GRID_STEP: Final = 1.2
"""Largest step of the wavelet transform's grid, in scales."""

LEAST_GRID: Final = 16
"""Points of a grid, at least: of the largest scale there would be few in the series."""

BAND: Final = 3.1
"""The wavelet's spectrum is used where |sigma omega - 6| <= 3.1; beyond, its power is below 7e-5 of the peak. Since 3.1
is less than pi, it is folded onto a grid of step 1 without overlapping itself; on a wider grid it has less room, 2.6 at
least."""

LARGEST_FILTER: Final = 2047  # 11 bits


def nyquist_weight(scales: Scales, part: Part) -> float:
    """Weight of the highest frequency in a short part's filters; 0 if it is not used.

    A wavelet of small scale is cut at that frequency. The exact pipeline leaves it out, and with it half a bin,
    1 / (2 n_padded), of the band; of a shorter transform's wider bin only as much must be missing.

    Args:
        scales: of the experiment, in samples.
        part: the part, for its length and step.
    """
    if part.step != 1 or part.n == scales.experiment.n_padded:
        return 0.0
    return math.sqrt((1 - part.n / scales.experiment.n_padded) / 2)


def set_grid(scales: Scales, part: Part, row: Row) -> None:
    """Choose the filter's band, and a grid on which the folded band does not overlap itself.

    Args:
        scales: of the experiment, in samples.
        part: the part, for its period in samples.
        row: gets grid, first frequency and an empty filter.
    """
    sigma, period = scales.sigma[row.j], part.period
    k = 2 * math.pi * sigma / period
    row.n = min(part.n, max(LEAST_GRID, least_power(period / (GRID_STEP * sigma))))
    band = min(BAND, (row.n - 1) * k / 2)
    row.first_frequency = max(1, up((6 - band) / k))
    highest = part.n // 2 if nyquist_weight(scales, part) else part.n // 2 - 1
    last = min(highest, down((6 + band) / k))
    row.filter = np.zeros(max(1, last - row.first_frequency + 1), np.int64)


def set_filters(scales: Scales, part: Part) -> None:
    """Make the wavelet's spectrum at the frequencies of every row.

    Args:
        scales: of the experiment, in samples.
        part: its rows get their filters; they have grids.

    Source: Torrence & Compo (1998), Table 1: the Morlet wavelet with omega_0 = 6.
    """
    nyquist = nearest(GAUSSIAN_UNIT * nyquist_weight(scales, part))
    gaussian = np.array(gaussian_table())
    turn = 2 * math.pi / part.period
    for row in part.rows:
        # sigma omega per frequency, in 2^-20: the product with a frequency below 512 has 24 bits.
        k = nearest(turn * scales.sigma[row.j] * (1 << 20))
        frequencies = np.arange(row.first_frequency, row.first_frequency + row.filter.size)
        distances = abs(frequencies * k - (6 << 20)) + (1 << 12) >> 13
        row.filter = gaussian[distances] * LARGEST_FILTER >> 15
        if frequencies[-1] == part.n // 2:
            row.filter[-1] = int(row.filter[-1]) * nyquist >> 15
    part.first_frequency = min(row.first_frequency for row in part.rows)
