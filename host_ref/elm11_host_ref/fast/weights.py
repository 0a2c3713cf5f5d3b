"""Numbers that the fast pipeline's plan is made of: weights of grid points and outputs, kernels, tables, rounding.

`fast_weights.lua` makes the same ones on the board, bit for bit; so there are recurrences where a library's
exponentials would do, whose last bits differ from one to the next.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final

FALL: Final = 1.25
CURVE: Final = 0.2
"""From the cone of influence inwards, what the interior has less of coherence above a level falls off like
`exp(-FALL t - CURVE t^2)`, t in scales (`tools/research/fast_end_weights.py`)."""

FALL_INTEGRAL: Final = 0.672152895
"""The integral of that, from the cone of influence on."""

FALL_FROM: Final = -1.25
"""Outputs may be half of the widest step outside."""

NEAREST: Final = 0.65
"""The last grid point of a series is the one at most so many steps inside its end; its weight may differ from 1."""

APART: Final = 2.5
"""Padding, in scales, across which the two ends of a series do not feel each other."""

KERNEL_SUM: Final = 4096
GAUSSIAN_STEPS: Final = 128  # table entries per unit of sigma omega
GAUSSIAN_UNIT: Final = 32768
FALL_UNIT: Final = 32768
TINY: Final = 1e-9  # two numbers closer than this are equal: powers differ in their last bits from library to library
_LEAST_RHO: Final = 1e-4  # of correlations that count for a kernel's width


def least_power(x: float) -> int:
    """The least power of two that is not below x.

    Args:
        x: any number.
    """
    n = 1
    while n < x - TINY:
        n *= 2
    return n


def bits(x: float) -> int:
    """The least b >= 0 with x <= 2^b.

    Args:
        x: any number.
    """
    b, power = 0, 1.0
    while power < x * (1 - TINY):
        b, power = b + 1, power * 2
    return b


def down(x: float) -> int:
    """The largest whole number that is not above x.

    Args:
        x: any number.
    """
    return math.floor(x + TINY)


def up(x: float) -> int:
    """The least whole number that is not below x.

    Args:
        x: any number.
    """
    return math.ceil(x - TINY)


def nearest(x: float) -> int:
    """The nearest whole number; of two, the larger one.

    Args:
        x: any number.
    """
    return math.floor(x + 0.5)


def point_weights(
    start: float, stop: float, origin: float, step: float, scale: float, padding: float
) -> tuple[int, int, tuple[float, float]]:
    """Weights of grid points, so that averages of products over them are those over the samples of a series.

    Products of two transforms are alike over about one scale, and beyond the ends they cease, within about one scale as
    well: what is asked of the weights is that averages near an end have the variance of averages over all samples.
    One weight at each end, a cubic of the point's place, does that within some 0.001 for steps of up to 1.2 scales.
    Where the padding is short, products go on beyond the ends, into the other one; then it is averages over a part of
    something that goes on whose variance is asked for.

    Args:
        start: half a sample before the first sample.
        stop: half a sample after the last one.
        origin: place of grid point 0.
        step: of the grid, in samples; 1 or more.
        scale: in samples; the step is at most 1.2 scales.
        padding: of the series, in samples.

    Returns:
        The first point and the last, which may be a third of a step beyond the end, and their weights; points between
        have 1.

    Source: the coefficients are fitted by `tools/research/fast_end_weights.py`.
    """
    first, last = up((start - origin) / step - 1 + NEAREST), down((stop - origin) / step + 1 - NEAREST)
    length, apart = step / scale, padding / (APART * scale)
    apart = apart * apart if apart < 1 else 1.0
    found = []
    for x in (first - (start - origin) / step, (stop - origin) / step - last):
        cubic = _STILL[0] + x * (_STILL[1] + x * _STILL[2])
        # Samples have a distance too: where they are the grid, all weights are to be 1.
        cubic += apart * (_FALLING[0] + x * x * (_FALLING[1] + x * _FALLING[2]))
        cubic += (1 + apart) * _SAMPLED / (step * step)
        found.append(0.5 + x + length * cubic)
    return first, last, (found[0], found[1])


_STILL: Final = (0.045, -0.1, -0.09)
_FALLING: Final = (0.133, -1.22, 1.16)
_SAMPLED: Final = 0.0275


def output_weights(start: float, stop: float, origin: float, step: float, scale: float) -> tuple[int, list[float]]:
    """Weights of output points, so that their sum stands for the sum over samples at distance 1.

    The two last weights at each end make it right for what does not change from point to point, and for what falls off
    from the ends like `exp(-FALL t - CURVE t^2)`, t in scales.

    Args:
        start: of the interval, half a sample before the first sample.
        stop: half a sample after the last one.
        origin: place of output 0.
        step: between outputs, 1 or more.
        scale: in samples.

    Returns:
        The first output, at most half a step outside, and the weights from it on: 1 inside, others at the ends.
    """
    first, last = up((start - origin) / step), down((stop - origin) / step)
    before, after = first - (start - origin) / step, (stop - origin) / step - last
    low, high = min(first, last) - 2, max(first, last) + 2
    weights = [1.0 if first <= point <= last else 0.0 for point in range(low, high + 1)]
    for point, inwards, place in ((first, 1, before), (last, -1, after)):
        one, other = _end_weights(max(place, 0.0), step / scale, 1 / scale)
        end = point - low
        if place >= _OUTSIDE:
            end -= inwards
        weights[end] += one if place >= _OUTSIDE else one - 1
        weights[end + inwards] += other - 1
    return low, weights


_OUTSIDE: Final = 0.5


def _end_weights(place: float, step: float, sample: float) -> tuple[float, float]:
    """Weights of the last two outputs of a sum.

    Args:
        place: of the last point inside, in steps from the end; half a step or more away from it, the last output is the
            point outside.
        step: between outputs, in scales.
        sample: sampling interval, in scales.
    """
    if place >= _OUTSIDE:
        place -= 1
    table = fall_table()
    t, apart = nearest(((place * step) - FALL_FROM) * 4096), nearest(4096 * step)
    one, other = _at(table, t), _at(table, t + apart)
    # The sum over samples, by Euler and Maclaurin, less that over the outputs further in.
    further = sum(_at(table, inside) for inside in range(t + 2 * apart, (len(table) - 1) * 256, apart))
    rest = FALL_UNIT * ((FALL_INTEGRAL - FALL / 24 * (sample * sample)) / step) - further
    both = place + 1.5
    weight = (rest - both * other) / (one - other)
    return weight, both - weight


def _at(table: list[int], t: int) -> int:
    """Linear interpolation in `fall_table`, for a distance in 1/4096 scales from the first one on."""
    i, part = t >> 8, t & 255
    return table[i] + ((table[i + 1] - table[i]) * part >> 8)


def rounded(weights: list[float]) -> list[int]:
    """Whole numbers instead, so that every sum from an end inwards, up to the middle, is right within 1/2.

    Args:
        weights: >= 0.
    """
    found = [0] * len(weights)
    middle = (len(weights) + 1) // 2
    for places in (range(middle), range(len(weights) - 1, middle - 1, -1)):
        left = 0.0
        for place in places:
            left += weights[place]
            found[place] = max(0, nearest(left + TINY))  # both weights of an end often add up to a half
            left -= found[place]
    return found


def trimmed(first: int, weights: list[int]) -> tuple[int, list[int]]:
    """Weights without the zeros at both ends.

    Args:
        first: place of the first of them.
        weights: whole numbers.

    Returns:
        The place of the first that is left, and the weights.
    """
    while weights and weights[-1] == 0:
        weights.pop()
    lead = 0
    while lead < len(weights) and weights[lead] == 0:
        lead += 1
    return first + lead, weights[lead:]


def kernel(step: float, reach: float) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Smoothing weights in 1/4096 at whole and at half distances.

    Args:
        step: of the grid, in scales.
        reach: where the kernel ends, half a step beyond its last weight, or further, in scales.

    Returns:
        Weights at distances 0, 1, 2, ... steps, and at 1/2, 3/2, ...
    """
    longest = reach / step
    whole = _cut_gaussian(step, up(longest - 0.5), is_half=False)
    half = _cut_gaussian(step, up(longest) - 1, is_half=True)
    return whole, half


def _cut_gaussian(step: float, reach: int, *, is_half: bool) -> tuple[int, ...]:
    """Weights of a cut Gaussian at distances 0, 1, ..., reach or, if half, at 1/2, 3/2, ..., reach + 1/2.

    A Gaussian that is cut averages over less than the whole one. What is cut off on each side is given to the last
    weight there, as much as makes the average leave of the products' variance what the whole Gaussian would: products
    of a Morlet transform at distance t are correlated like `exp(-(t / scale)^2 / 2)`, and averaging them leaves
    1 / sqrt(3). What rounding has changed is then put right by the weight in the middle, or the two. (A wider Gaussian
    would average as much, but wrongly so near the series' ends, where one side is missing anyway.)
    """
    target = 1 / math.sqrt(3)
    weights = _gaussian(step, KERNEL_SUM * step / math.sqrt(2 * math.pi), reach, is_half=is_half)
    for place in (reach, 0):
        alike = 2 if is_half or place else 1
        variance, beside, total = _variance_left(weights, step, place, is_half=is_half)
        # To first order in the change of weights that are alike.
        weights[place] += nearest((target * (total * total) - variance) / (2 * alike * (beside - target * total)))
    return tuple(weights)


def _variance_left(weights: list[int], step: float, place: int, *, is_half: bool) -> tuple[float, float, float]:
    """Variance of the products that an average leaves.

    Returns:
        The sum of `w[k] w[l] rho` over all pairs of points, rho being the correlation of products at their distance;
        the sum of `w[l] rho` over the distances from the point of weights[place]; and that of all weights.
    """
    both = [*weights[::-1], *weights[not is_half :]]
    point = len(weights) - 1 - place
    ratio = math.exp(-0.5 * step * step)
    rho, square, variance, beside = 1.0, ratio * ratio, 0.0, 0.0
    for distance in range(len(both)):
        if rho <= _LEAST_RHO:
            break
        pairs = sum(one * other for one, other in zip(both, both[distance:], strict=False))
        neighbours = both[point - distance] if distance and point >= distance else 0
        neighbours += both[point + distance] if point + distance < len(both) else 0
        variance += rho * (2 * pairs if distance else pairs)
        beside += rho * neighbours
        rho *= ratio
        ratio *= square
    return variance, beside, float(sum(both))


def _gaussian(step: float, unit: float, reach: int, *, is_half: bool) -> list[int]:
    """`unit exp(-(m step)^2 / 2)`, rounded, for reach + 1 values of m from 0, or from 1/2."""
    ratio = math.exp(-0.5 * step * step)
    square = ratio * ratio
    if is_half:
        return _falling(unit * math.exp(-0.125 * step * step), square, square, reach + 1)
    return _falling(unit, ratio, square, reach + 1)


@lru_cache(maxsize=1)
def gaussian_table() -> list[int]:
    """`exp(-(i / 128)^2 / 2)` in units of 2^-15, i = 0 ... 511."""
    ratio = math.exp(-0.5 / GAUSSIAN_STEPS**2)
    return _falling(float(GAUSSIAN_UNIT), ratio, ratio * ratio, 4 * GAUSSIAN_STEPS)


@lru_cache(maxsize=1)
def fall_table() -> list[int]:
    """`exp(-FALL t - CURVE t^2)` in units of 2^-15, t = FALL_FROM + i / 16, down to 2e-5."""
    first = FALL_UNIT * math.exp(-FALL_FROM * (FALL + CURVE * FALL_FROM))
    step = 1 / 16
    ratio = math.exp(-step * (FALL + CURVE * (FALL_FROM + FALL_FROM + step)))
    return _falling(first, ratio, math.exp(-2 * CURVE * step * step), 100)


def _falling(value: float, factor: float, square: float, length: int) -> list[int]:
    """Rounded: each is the one before times a factor that itself shrinks."""
    table = []
    for _ in range(length):
        table.append(nearest(value))
        value *= factor
        factor *= square
    return table
