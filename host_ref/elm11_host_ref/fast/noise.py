"""Red noise taken apart: innovations, which are white integers, and the noise's response to them, which filters have.

So no frequency is lost in rounding, and one transform serves two series.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from .weights import nearest

if TYPE_CHECKING:
    from ..types import IntArray
    from .parts import Part

MAX_LAG1: Final = 0.998
"""Beyond, the last sample's bound leaves too few bits for the others."""

LARGEST_NOISE: Final = 2047  # in 1/2048: a spectrum below 2^20 stays below

_ROUNDING: Final = 1.05
"""For what rounding adds to a bound."""

# fmt: off
_UPPER_DEVIATES: Final = (
    0, 1, 2, 2, 3, 3, 4, 5, 5, 6, 7, 7, 8, 8, 9, 10, 10, 11, 12, 12,
    13, 13, 14, 15, 15, 16, 17, 17, 18, 19, 19, 20, 21, 21, 22, 23, 23, 24, 25, 25,
    26, 27, 27, 28, 29, 29, 30, 31, 31, 32, 33, 33, 34, 35, 36, 36, 37, 38, 39, 39,
    40, 41, 42, 42, 43, 44, 45, 46, 46, 47, 48, 49, 50, 51, 51, 52, 53, 54, 55, 56,
    57, 58, 59, 60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70, 72, 73, 74, 75, 76, 78,
    79, 81, 82, 83, 85, 86, 88, 90, 92, 93, 95, 97, 99, 101, 104, 106, 109, 112, 115, 118,
    122, 126, 131, 136, 143, 151, 164, 189,
)
# fmt: on


@lru_cache(maxsize=1)
def deviate_table() -> IntArray:
    """256 values whose sum in pairs is nearly normal: one byte each, two bytes make a deviate.

    The middles of 256 equally likely pieces of the normal distribution, bent by the cubic `0.99030175 z + 0.00419326
    z^3`, so that variance and kurtosis of the sum are those of a normal deviate (kurtosis 2.998; the sixth moment is
    14.8, normal 15). None is beyond 4.2 standard deviations.

    Returns:
        Shape (256,), int64, symmetric about zero, standard deviation 64: deviates have 64 sqrt(2).
    """
    upper = np.array(_UPPER_DEVIATES)
    return np.concatenate([-upper[::-1], upper])


LARGEST_DEVIATE: Final = 2 * int(deviate_table()[-1])
DEVIATE_VARIANCE: Final = 2 * float((deviate_table() ** 2).mean())


@dataclass(frozen=True)
class Innovations:
    """Innovations of one kind: a series' first and last are larger than the others (`run.innovations`).

    Attributes:
        n, n_samples: as of the part.
        lag1, gain: of the series, in 1/4096; lag1 between -4095 and 4095, as sampled here.
        end: largest last innovation, in largest deviates.
    """

    n: int
    n_samples: int
    lag1: int
    gain: int
    end: float

    @property
    def sum(self) -> float:
        """Largest sum of moduli."""
        return LARGEST_DEVIATE * (self.n_samples + self.gain / 4096 + self.end)

    @property
    def bound(self) -> float:
        """Largest modulus of a row's transform, and of any sum on the way to it, for a filter whose squares' sum is 1.

        By Cauchy and Schwarz it is at most the root of `sum |X(f)|^2` over the filter's frequencies, X being twice the
        innovations' spectrum; and that sum is at most 4 n times that of their squares, by Parseval.
        """
        start = self.gain / 4096 + self.end  # both at one place if the series fills the transform
        return 2 * _ROUNDING * LARGEST_DEVIATE * math.sqrt(self.n * (self.n_samples - 1 + start * start))

    @property
    def variance(self) -> float:
        """Of one component of X(f) = 2 sum u[t] exp(-i w t): the inner samples, the first and the last."""
        square, lag = self.gain / 4096 * (self.gain / 4096), self.lag1 / 4096
        return 2 * DEVIATE_VARIANCE * (self.n_samples - 1 + square + lag * lag * square)


def coarse_lag1(lag1: float, step: float) -> float:
    """Lag-1 autocorrelation of a process sampled `step` times less often, with the same spectrum at low frequency.

    `A / (1 - A)^2 = lag1 / ((1 - lag1) step)^2`: equal curvature of 1 / spectrum at frequency zero. What then differs
    is corrected in the filter; the series' ends alone depend on A.

    Args:
        lag1: -1 < lag1 < 1.
        step: 1 or more.

    Returns:
        A, of the sign of lag1 and not larger.
    """
    if lag1 == 0 or step == 1:
        return lag1
    root = (1 - lag1) * step
    q = lag1 / (root * root)
    return (2 * q + 1 - math.sqrt(4 * q + 1)) / (2 * q)


def set_noise(noise_lag1: tuple[float, float], part: Part) -> list[Innovations]:
    """Set what makes noise of innovations: the series' parameters, and the response at every frequency.

    The response is that of the series as it is sampled here, which ends where it does, times what its power lacks
    to be that of the experiment's noise.

    Args:
        noise_lag1: of both kinds of series, -1 < lag1 < 1, per sample of the experiment.
        part: gets lag1, gain and response; its rows have filters.

    Returns:
        The innovations' bounds and variance, per kind.
    """
    last = max(row.first_frequency + row.filter.size - 1 for row in part.rows)
    found, noise = [], []
    for of_series in noise_lag1:
        coarse = coarse_lag1(of_series, part.step)
        lag1, gain = nearest(4096 * coarse), nearest(4096 / math.sqrt(1 - coarse * coarse))
        innovations = Innovations(part.n, part.n_samples, lag1, gain, abs(coarse) / (1 - abs(coarse)))
        found.append(innovations)
        # So that its product with any spectrum, at most twice the sum of all innovations, is below 2^31.
        peak = min(LARGEST_NOISE, math.floor((2**31 - 1) / (2 * _ROUNDING * innovations.sum)))
        noise.append(_response(part, of_series, coarse, range(part.first_frequency, last + 1), peak))
    part.lag1, part.start_gain = (found[0].lag1, found[1].lag1), (found[0].gain, found[1].gain)
    if part.is_red:
        part.noise = tuple(noise)
    return found


def _response(part: Part, lag1: float, coarse: float, frequencies: range, peak: int) -> tuple[IntArray, IntArray]:
    """The noise's response to its innovations, with a largest modulus of `peak`.

    Its phase is that of `1 / (1 - A exp(-i w))`, A being the lag-1 autocorrelation as sampled here and w in radians per
    sample here; its modulus is `1 / |1 - lag1 exp(-i v)|`, v in radians per sample of the experiment. Cosines and sines
    come from their recurrence, whose rounding is the same everywhere.
    """
    fine, turn = 2 * math.pi / part.period, 2 * math.pi / part.n
    mean, depth = 1 + lag1 * lag1, 2 * lag1
    coarse_mean = 1 + coarse * coarse
    ends = (mean - depth * math.cos(fine * f) for f in (frequencies[0], frequencies[-1]))
    unit = peak * math.sqrt(min(ends))
    # depth cos(f fine), A cos(f turn), A sin(f turn), and each before it.
    v, v_before, v_step = depth, depth * math.cos(fine), 2 * math.cos(fine)
    c, c_before, s, s_before = coarse, coarse * math.cos(turn), 0.0, -coarse * math.sin(turn)
    step = 2 * math.cos(turn)
    re, im = [], []
    for _ in range(frequencies[-1] + 1):
        inverse = coarse_mean - (c + c)
        if part.step != 1:
            inverse = math.sqrt((mean - v) * inverse)
            v, v_before = v_step * v - v_before, v
        scale = unit / inverse
        re.append(math.floor(scale - scale * c + 0.5))
        im.append(math.floor(0.5 - scale * s))
        c, c_before = step * c - c_before, c
        s, s_before = step * s - s_before, s
    return np.array(re[frequencies[0] :]), np.array(im[frequencies[0] :])
