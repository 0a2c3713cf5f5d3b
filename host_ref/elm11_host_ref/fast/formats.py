"""Integer formats: how far each product and sum is shifted to the right.

Every shift is chosen from a bound that holds whatever the random numbers are, so no sum can leave 32 bits.
`tests/host_ref/fast/test_run.py` checks them at their extremes.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from .weights import KERNEL_SUM, bits

if TYPE_CHECKING:
    from .noise import Innovations
    from .parts import Part, Row

POWER_BITS: Final = 18  # of a product of two transforms before it is smoothed: 2^18 * 4096 = 2^30
COHERENCE_BITS: Final = 13  # of a smoothed power, on average, before it is divided
LARGEST_POWER: Final = 32767  # of a smoothed power when it is divided: the product of two is below 2^30
_REACH_OF_CLAMP: Final = 5.7  # standard deviations; a normal deviate lies beyond with probability 1e-8


def set_shifts(box: tuple[int, ...], sigma: list[float], part: Part, innovations: list[Innovations]) -> None:
    """Choose shifts that keep every sum below 2^31 and as large as that allows.

    Args:
        box: weights of the scale box, whole numbers.
        sigma: shape (J + 1,), the scales in samples.
        part: gets the shifts; its rows have filters, kernels and outputs.
        innovations: bounds of both kinds of series, from `set_noise`.
    """
    shifts: list[int] = []
    deviations: list[list[float]] = []
    for kind, of_kind in enumerate(innovations):
        squares = [squares_of(part, row, kind) for row in part.rows]
        # Below 2^20, so that its product with a twiddle of 11 bits is below 2^31.
        bound = of_kind.bound * math.sqrt(max(most_squares(sigma, part, row, kind) for row in part.rows))
        spread = math.sqrt(of_kind.variance) * math.sqrt(max(squares))
        shift = max(bits(bound / (1 << 20)), bits(_REACH_OF_CLAMP * spread / (1 << 14)))
        shifts.append(shift)
        deviations.append([math.sqrt(of_kind.variance * square) / (1 << shift) for square in squares])
    part.filter_shifts = (shifts[0], shifts[1])
    for row, x, y in zip(part.rows, *deviations, strict=True):
        clamp_x, clamp_y = max(1, bits(_REACH_OF_CLAMP * x)), max(1, bits(_REACH_OF_CLAMP * y))
        row.clamps = clamp_x, clamp_y
        power_x, power_y = max(0, 2 * clamp_x + 1 - POWER_BITS), max(0, 2 * clamp_y + 1 - POWER_BITS)
        power_y += (power_x + power_y) % 2
        row.power_shifts = power_x, power_y, (power_x + power_y) // 2
    box_bits = bits(sum(box))
    total_x = max(row.power_shifts[0] for row in part.rows) + box_bits
    total_y = max(row.power_shifts[1] for row in part.rows) + box_bits
    total_y += (total_x + total_y) % 2
    for row in part.rows:
        x, y, cross = row.power_shifts
        row.sum_shifts = total_x - x, total_y - y, (total_x + total_y) // 2 - cross
    # Of the sums over the box, if all its rows were like the one in the middle; between 2^12.5 and 2^13.5.
    unit = math.sqrt(2) * (1 << COHERENCE_BITS)
    mean_x, mean_y = (sum(box) * (2 * KERNEL_SUM) / (1 << total) / unit for total in (total_x, total_y))
    for row, dx, dy in zip(part.rows, *deviations, strict=True):
        if row.is_counted:
            x, y = bits(dx * dx * mean_x), bits(dy * dy * mean_y)
            y += (x + y) % 2
            row.box_shifts = x, y, (x + y) // 2


def _response_at_ends(part: Part, row: Row, kind: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """The noise's response at a row's lowest and highest frequency; its modulus is largest at one of them."""
    first = row.first_frequency - part.first_frequency
    last = first + row.filter.size - 1
    re, im = part.noise[kind]
    return (int(re[first]), int(im[first])), (int(re[last]), int(im[last]))


def squares_of(part: Part, row: Row, kind: int) -> float:
    """Sum over frequencies of |wavelet times noise|^2, in units of 2^-22: from eight of them or some more.

    Of a Gaussian eight suffice; where the wavelet is cut, the sum is up to a fifth off. Noise of negative lag1
    peaks at the highest frequency: there all are needed.

    Args:
        part: with the noise's response.
        row: one of its rows.
        kind: 0 for x, 1 for y.
    """
    stride = 1 if part.lag1[kind] < 0 else max(1, row.filter.size // 8)
    chosen = np.arange(stride // 2, row.filter.size, stride)
    weights = row.filter[chosen]
    if not part.noise:
        return float(stride * int((weights**2).sum()))
    re, im = (each[chosen + row.first_frequency - part.first_frequency] for each in part.noise[kind])
    # Eleven bits, whatever the noise's power in the row's band is.
    shift = bits(max(c + abs(d) for c, d in _response_at_ends(part, row, kind)))
    re, im = weights * re >> shift, weights * np.abs(im) >> shift
    return float(stride * int((re * re + im * im).sum())) * (1 << shift) * (1 << shift) / (1 << 22)


def most_squares(sigma: list[float], part: Part, row: Row, kind: int) -> float:
    """Upper bound of the same sum over all frequencies.

    The sum over whole f of exp(-(k f - 6)^2), a single peak, is at most its integral and its largest term.

    Args:
        sigma: shape (J + 1,), the scales in samples.
        part: with the noise's response.
        row: one of its rows.
        kind: 0 for x, 1 for y.
    """
    largest = 2048.0 * 2048.0
    if part.noise:
        largest = float(max(c * c + d * d for c, d in _response_at_ends(part, row, kind)))
    k = 2 * math.pi / part.period * sigma[row.j]
    return largest * (math.sqrt(math.pi) / k + 1)
