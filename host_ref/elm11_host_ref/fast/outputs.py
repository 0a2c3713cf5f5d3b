"""Idea 5, end weights: sums over samples become sums over few output points, whose last weights make up for the rest.

The sums are that of the smoothing Gaussian, cut at the ends of the series, and that of the histogram, cut at the cone
of influence. The weights themselves are made in `weights`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from .grids import BAND
from .schedule import CYCLE
from .weights import kernel, least_power, nearest, output_weights, point_weights, rounded, trimmed

if TYPE_CHECKING:
    from .parts import Part, Row, Scales
    from .schedule import Schedule

KERNEL_REACH: Final = 2.9
"""The smoothing kernel ends at 2.9 scales or further, half a step beyond its last weight, which is corrected so that it
averages as much as the whole one."""

LONG_KERNEL_REACH: Final = 3.9
"""The same where the experiment's highest frequency cuts the wavelet's band: its products are alike over longer times
than that correction supposes."""

END_UNIT: Final = 256
WEIGHT: Final = 64  # of an output step of OUTPUT_STEP scales in the histogram
MEAN_COUNT: Final = 185  # counts per simulation and scale, at most: a board's run of 300 stays below 2^16


def set_counts(scales: Scales, schedule: Schedule, part: Part, row: Row, edge: float | None) -> None:
    """Choose the output points that are counted, and their weights.

    Args:
        scales: of the experiment, in samples.
        schedule: gives the step between outputs and the pairs.
        part: the part.
        row: gets its counted outputs and their weights.
        edge: samples at each end that are not interior, in a short part; None in a main part.
    """
    experiment, sigma = scales.experiment, scales.sigma[row.j]
    first = scales.first_usable[row.j]
    origin = part.step / 2 - 0.5
    row.is_counted = True
    usable = scales.usable(row.j)
    longest = schedule.output_step(row.j) * sigma
    row.n_counted = min(part.n, max(4, least_power(part.period / longest)))
    step = part.period / row.n_counted
    low, weights = output_weights(first - 0.5, part.length - 0.5 - first, origin, step, sigma)
    if edge is not None:
        # The interior of the whole series is so much longer than this part's.
        ratio = (experiment.n_samples - 2 * edge) / (part.length - 2 * edge)
        inner, values = output_weights(edge - 0.5, part.length - 0.5 - edge, origin, step, sigma)
        for output, value in enumerate(values, start=inner - low):
            if 0 <= output < len(weights):
                weights[output] += (ratio - 1) * value
    mean = usable / longest * schedule.pairs[row.j] / CYCLE
    unit = min(float(WEIGHT), MEAN_COUNT / mean)
    # Whole inside where it can be, so that only the ends are rounded.
    unit *= step / longest
    unit = float(math.floor(unit)) if unit >= 1 else unit
    whole = rounded([unit * weight for weight in weights])
    row.first_counted, counts = trimmed(low, whole)
    row.weights = tuple(counts)


def set_outputs(scales: Scales, part: Part, row: Row) -> None:
    """Choose where the row is smoothed: on the densest grid of the scales whose box it is in.

    Args:
        scales: of the experiment, in samples.
        part: the part; its rows know what they count.
        row: gets outputs, kernels and end weights.
    """
    n_box = len(scales.box)
    users = [
        part.row(i)
        for i in range(
            max(part.lowest, row.j - scales.centre), min(part.highest, row.j - scales.centre + n_box - 1) + 1
        )
        if part.row(i).is_counted
    ]
    if not users:
        return
    row.n_series = max(user.n_paired for user in users)
    row.n_outputs = max(user.n_counted for user in users)
    row.n = max(row.n, row.n_outputs // 2)
    row.first_output = min(user.first_counted * (row.n_outputs // user.n_counted) for user in users)
    last = max((user.first_counted + len(user.weights) - 1) * (row.n_outputs // user.n_counted) for user in users)
    row.length = last - row.first_output + 1
    step, sigma = part.period / row.n, scales.sigma[row.j]
    is_cut = sigma * math.pi < 6 + BAND
    whole, half = kernel(step / sigma, LONG_KERNEL_REACH if is_cut else KERNEL_REACH)
    row.kernels = (whole, half) if row.n_outputs > row.n else (whole,)
    origin, padding = part.step / 2 - 0.5, part.period - part.length
    row.first_point, last_point, weights = point_weights(-0.5, part.length - 0.5, origin, step, sigma, padding)
    row.n_points = last_point + 1 - row.first_point
    first, last = (nearest(END_UNIT * weight) for weight in weights)
    if part.wraps and row.n_points > row.n:  # both are the same point of the period, which belongs to both ends
        first = last = first + last
    row.end_weights = first, last
