"""The fast pipeline's plan: which scales are computed in which simulation, on which grids, with which integers.

A plan follows from the experiment alone. `fast_plan.lua` makes the same plan on the board, number for number; here
it is explained. `fast.py` and `fast.lua` carry it out; the numbers it is made of are in `fast_weights.py`.

The fast pipeline does not repeat the exact one sample for sample. It draws from the same distribution of coherence,
scale by scale, with as little work as that takes:

1. **Pairs.** A part draws m series of either kind, and counts the coherence of all m^2 pairs. Pairs that share a
   series are nearly independent (`INFORMATION`), and most of the work is the series', not the pairs'.
2. **Due.** A small scale has hundreds of independent samples in one simulation, the largest about two. Scale j is
   due in `due[j]` of 256 simulations, so that no standard error exceeds that of the largest scale, and that one is what
   one pair in every simulation would give. In most simulations nothing is due.
3. **Parts.** A simulation runs one *main part*, which covers the due scales from the largest down, and, when they are
   due, *short parts*, one per octave of the smallest scales, where a main part would be too long. A part has a series
   of its own, sampled just finely enough for its smallest scale, and, if short, just long enough for its edges and a
   piece of its interior.
4. **Grids.** Wavelet transform and output are evaluated on grids of a power of two of points per period, in steps of
   at most `GRID_STEP` and `OUTPUT_STEP` scales.
5. **End weights.** Sums over samples (the Gaussian's, cut at the ends of the series, and the histogram's, cut at the
   cone of influence) become sums over grid points, whose last weights make good for what lies between them
   (`fast_weights.point_weights`, `fast_weights.output_weights`).

Formats (checked by `tests/host_ref/fast/test_run.py` at their extremes): see `Part` and `Row`. Every shift is chosen
from a bound that holds whatever the random numbers are, so no sum can leave 32 bits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from .weights import (
    GAUSSIAN_UNIT,
    KERNEL_SUM,
    TINY,
    bits,
    down,
    gaussian_table,
    kernel,
    least_power,
    nearest,
    output_weights,
    point_weights,
    rounded,
    trimmed,
    up,
)

if TYPE_CHECKING:
    from ..experiment import Experiment
    from ..types import IntArray

CYCLE: Final = 256
"""Simulations after which the pattern of due scales repeats."""

SPREAD: Final = 145
"""Distance, modulo 256, of the places of two simulations that follow each other: chosen so that every number of
simulations, from the first on, has its share of due ones within two, and 300 within one."""

DUE_MARGIN: Final = 1.48
"""A scale needs the information of so many pairs per simulation, times its length in largest scales: the variance per
pair falls like `sigma[j] / sigma[J]`, divided by 0.8 to 1.0."""

WIDE_MARGIN: Final = 1.8
"""The same where outputs are `WIDE_OUTPUT_STEP` apart, and so fewer."""

NARROW: Final = 4.2
"""Where the usable samples span fewer scales, a scale needs less in proportion to them."""

LEAST_DUE: Final = 6
"""A scale is due in 6 of 256 simulations at least: in 7 or 8 of 300, few but enough for a standard error."""

INFORMATION: Final = {1: 10, 2: 38, 4: 150}
"""How many tenths of an independent pair all pairs of m series with m others are worth: `docs/fast-pipeline.md` has
what was measured, and on which jobs these were settled."""

PAIR_ROOM: Final = 31_000
"""Smoothed rows of all pairs of a part may have so many points in all, if all its points were outputs."""

LARGEST_SHARED: Final = 256
"""Transform length up to which a part has more than one series of either kind."""

FEW_BINS: Final = 11_700
"""A histogram with more bins in all leaves a board less memory: half of the room, a quarter from twice as many bins on,
hardly any beyond two and a half times as many."""

FEW_BINS_OF_SMALL: Final = 17_500
"""The same for series of few samples, whose parts take little beside it."""

SMALL: Final = 128
"""That is, whose transform in the exact pipeline has so many points at most."""

LARGEST_MAIN: Final = 512
"""Longest transform of a main part. Scales that would need a longer one go to short parts."""

LEAST_MAIN: Final = 128
"""Shortest transform of a main part, unless the finest is shorter: what a shorter one saves in a job of some hundred
simulations is less than planning it takes."""

SHORT_LENGTH: Final = 45.0
"""Length of a short part in scales, about: eight times its edges. With more than 2.2 times `FEW_BINS` it is as short as
can be, so that it fits a board's memory, and due more often."""

GRID_STEP: Final = 1.2
"""Largest step of the wavelet transform's grid, in scales."""

LEAST_GRID: Final = 16
"""Points of a grid, at least: of the largest scale there would be few in the series."""

OUTPUT_STEP: Final = 0.9
"""Largest step between output points, in scales, where the usable samples are few."""

WIDE_OUTPUT_STEP: Final = 2.0
"""The same where the usable samples span `WIDE_FROM` scales and more: coherence is correlated over about two scales."""

WIDE_FROM: Final = 14

SHORT_SERIES: Final = 64
"""A shorter series has outputs half as far apart at all scales: there are few, and most are near its ends."""

SPARSE_OUTPUT_STEP: Final = 2.4
"""The same where a scale has `SPARSE_SURPLUS` times the information that it needs, and so enough with a wider step."""

SPARSE_SURPLUS: Final = 1.3

BAND: Final = 3.1
"""The wavelet's spectrum is used where |sigma omega - 6| <= 3.1; beyond, its power is below 7e-5 of the peak. Since 3.1
is less than pi, it is folded onto a grid of step 1 without overlapping itself; on a wider grid it has less room, 2.6 at
least."""

KERNEL_REACH: Final = 2.9
"""The smoothing kernel ends at 2.9 scales or further, half a step beyond its last weight, which is corrected so that it
averages as much as the whole one."""

LONG_KERNEL_REACH: Final = 3.9
"""The same where the experiment's highest frequency cuts the wavelet's band: its products are alike over longer times
than that correction supposes."""

DECIMATION: Final = 3.0
"""Samples per smallest scale of a part: the highest frequency is then 3 pi = 6 + 3.4 for that scale."""

PADDING: Final = 2.2
"""Zeros beyond the series, in largest scales, where the exact pipeline has at least as many; else as many as it has."""

EDGE: Final = 6.0
"""A short part's interior begins 6 of its largest scales from its ends; further in, the ends cannot be felt."""

INTERIOR: Final = 8.0
"""Interior of a short part, in scales, at least."""

LARGEST_TRANSFORM: Final = 1024
MAX_LAG1: Final = 0.998
"""Beyond, the last sample's bound leaves too few bits for the others."""

LARGEST_FILTER: Final = 2047  # 11 bits
LARGEST_NOISE: Final = 2047  # in 1/2048: a spectrum below 2^20 stays below
POWER_BITS: Final = 18  # of a product of two transforms before it is smoothed: 2^18 * 4096 = 2^30
END_UNIT: Final = 256
COHERENCE_BITS: Final = 13  # of a smoothed power, on average, before it is divided
LARGEST_POWER: Final = 32767  # of a smoothed power when it is divided: the product of two is below 2^30
WEIGHT: Final = 64  # of an output step of OUTPUT_STEP scales in the histogram
MEAN_COUNT: Final = 185  # counts per simulation and scale, at most: a board's run of 300 stays below 2^16
_REACH_OF_CLAMP: Final = 5.7  # standard deviations; a normal deviate lies beyond with probability 1e-8


_UPPER_DEVIATES: Final = (
    0,
    1,
    2,
    2,
    3,
    3,
    4,
    5,
    5,
    6,
    7,
    7,
    8,
    8,
    9,
    10,
    10,
    11,
    12,
    12,
    13,
    13,
    14,
    15,
    15,
    16,
    17,
    17,
    18,
    19,
    19,
    20,
    21,
    21,
    22,
    23,
    23,
    24,
    25,
    25,
    26,
    27,
    27,
    28,
    29,
    29,
    30,
    31,
    31,
    32,
    33,
    33,
    34,
    35,
    36,
    36,
    37,
    38,
    39,
    39,
    40,
    41,
    42,
    42,
    43,
    44,
    45,
    46,
    46,
    47,
    48,
    49,
    50,
    51,
    51,
    52,
    53,
    54,
    55,
    56,
    57,
    58,
    59,
    60,
    61,
    62,
    63,
    64,
    65,
    66,
    67,
    68,
    69,
    70,
    72,
    73,
    74,
    75,
    76,
    78,
    79,
    81,
    82,
    83,
    85,
    86,
    88,
    90,
    92,
    93,
    95,
    97,
    99,
    101,
    104,
    106,
    109,
    112,
    115,
    118,
    122,
    126,
    131,
    136,
    143,
    151,
    164,
    189,
)


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


@dataclass
class Row:
    """One scale in one part.

    Attributes:
        j: number of the scale.
        n_series: how many series of either kind are transformed at this scale: the first ones.
        n: grid points per period of the part.
        first_frequency: lowest frequency of the filter, in 1 / period.
        filter: shape (n_frequencies,): the wavelet's spectrum, 0 to 2047.
        n_outputs: output points per period at which the row is smoothed; 0 if no scale needs it.
        first_output, length: the outputs that are needed.
        first_point, n_points: grid points whose power belongs to the series, some beyond its ends in part.
        end_weights: of the first and the last of them, in 1/256; those between have 1.
        kernels: smoothing weights in 1/4096 at distances 0, 1, 2, ... from a grid point, and, if the outputs are
            twice as dense as the grid, at 1/2, 3/2, ...
        clamps: log2 of the largest transform of each series; 5.7 standard deviations or more.
        power_shifts: of |W1|^2, |W2|^2 and W1 W2*, which brings them to 18 bits.
        sum_shifts: of the same, smoothed: after it all rows of a part have the same unit.
        is_counted: whether the scale goes to the histogram; then
        n_paired: how many series of either kind are paired: the first ones,
        n_counted: output points per period that are counted,
        first_counted: the first of them,
        weights: what each adds to the histogram,
        box_shifts: of the sums over scales, which brings powers to about 13 bits.
    """

    j: int
    n_series: int = 0
    n: int = 0
    first_frequency: int = 0
    filter: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    n_outputs: int = 0
    first_output: int = 0
    length: int = 0
    first_point: int = 0
    n_points: int = 0
    end_weights: tuple[int, int] = (256, 256)
    kernels: tuple[tuple[int, ...], ...] = ()
    clamps: tuple[int, int] = (0, 0)
    power_shifts: tuple[int, int, int] = (0, 0, 0)
    sum_shifts: tuple[int, int, int] = (0, 0, 0)
    is_counted: bool = False
    n_paired: int = 0
    n_counted: int = 0
    first_counted: int = 0
    weights: tuple[int, ...] = ()
    box_shifts: tuple[int, int, int] = (0, 0, 0)

    def counts_as(self, above: Row) -> bool:
        """Whether it counts the same outputs of as many pairs as the next larger scale: sums can run on from there.

        Args:
            above: the row that was counted before it.
        """
        return (
            above.j == self.j + 1
            and (above.n_counted, above.first_counted) == (self.n_counted, self.first_counted)
            and (len(above.weights), above.n_paired) == (len(self.weights), self.n_paired)
        )


@dataclass
class Part:
    """A pair of series, and the scales computed from it.

    Attributes:
        number: 0, 1, ...; keys its random numbers.
        n: transform length, a power of two.
        n_series: how many series of either kind are drawn: 1, 2 or 4.
        n_samples: samples of the series; zeros follow.
        step: sampling interval, in samples of the experiment; 1 or more.
        length: of the series, in samples of the experiment; shorter than the experiment's if the part is short.
        lowest, highest: the scales it counts.
        rows: what it computes, from the smallest scale.
        lag1: of both kinds of series, as sampled here, -4095 to 4095 in 1/4096.
        start_gain: of the first sample, 1 / sqrt(1 - lag1^2), in 1/4096.
        wraps: whether the kernel reaches around the period to the other end, as the exact pipeline's transforms do: the
            part has the exact pipeline's period.
        first_frequency: lowest frequency of all filters.
        noise: of each kind of series, real and imaginary part of the noise's response to its innovations, without a
            unit, in 1/2048, each of shape (n_frequencies,), from that frequency to the highest one of all filters;
            nothing if both kinds are white.
        filter_shifts: of a spectrum times a filter, per kind.
    """

    number: int
    n: int
    n_series: int
    n_samples: int
    step: float
    length: float
    lowest: int
    highest: int
    rows: list[Row] = field(default_factory=list)
    lag1: tuple[int, int] = (0, 0)
    start_gain: tuple[int, int] = (4096, 4096)
    first_frequency: int = 1
    noise: tuple[tuple[IntArray, IntArray], ...] = ()
    filter_shifts: tuple[int, int] = (0, 0)
    wraps: bool = False

    @property
    def is_red(self) -> bool:
        """Whether either kind is autocorrelated, as sampled here."""
        return self.lag1 != (0, 0)

    @property
    def period(self) -> float:
        """Length of the transform, in samples of the experiment."""
        return self.n * self.step

    def row(self, j: int) -> Row:
        """The row of scale j.

        Args:
            j: number of the scale.
        """
        return self.rows[j - self.rows[0].j]


class FastPlan:
    """What the fast pipeline does for an experiment.

    Args:
        experiment: the parameters.

    Attributes:
        box: weights of the scale box, whole numbers.
        due: shape (J + 1,): in how many of 256 simulations each scale is counted.
        parts: main parts first, from the coarsest; then short ones, from the largest scales.
        n_main: how many main parts there are.

    Raises:
        ValueError: the fast pipeline cannot do it: another wavelet than Morlet, s0 < dt, or |lag1| > 0.998.
    """

    def __init__(self, experiment: Experiment) -> None:
        check(experiment)
        self.experiment = experiment
        box = experiment.box.weights
        unit = 2 if all(abs(2 * weight - nearest(2 * weight)) < TINY for weight in box) else 256
        self.box = tuple(nearest(unit * weight) for weight in box)
        self.centre = experiment.box.centre
        self._sigma = [float(sigma) for sigma in experiment.sigma]
        self.due = [0] * (experiment.J + 1)
        self._paired = [1] * (experiment.J + 1)  # how many series of either kind each scale pairs, if a part has them
        self._pairs = [0] * (experiment.J + 1)  # that are counted in a cycle
        self._is_sparse = [False] * (experiment.J + 1)
        padding = min(experiment.n_padded - experiment.n_samples, PADDING * self._sigma[-1])
        mains = []
        i = experiment.J
        while i >= 0:
            n, n_samples, step = self._main_size(i, padding)
            if n > LARGEST_MAIN:
                break
            while i > 0 and self._main_size(i - 1, padding)[0] == n:
                i -= 1
            mains.append((n, n_samples, step, i))
            i -= 1
        self.lowest_main = i + 1
        while len(mains) > 1 and mains[0][0] < LEAST_MAIN:
            del mains[0]
        self._set_due([(lowest, n) for n, _, _, lowest in mains])
        self.parts: list[Part] = []
        above = experiment.J + 1
        for n, n_samples, step, lowest in mains:
            # The smallest scale at which a simulation ends that this part is for, if there is one.
            before = [0] * (self.lowest_main == lowest) + self.due[max(0, lowest - 1) : above]
            first = next((j for j in range(lowest, above) if self.due[j] > before[j - lowest]), None)
            if first is not None:
                self._add(n, n_samples, step, first, experiment.J, None)
            above = lowest
        self.n_main = len(self.parts)
        while i >= 0:
            lowest = i
            # An octave; and what is sampled at the full rate anyway.
            while lowest > 0 and (
                self._sigma[lowest - 1] > self._sigma[i] / 2 * (1 + TINY)
                or self._sigma[self._reach(lowest)[0]] <= DECIMATION
            ):
                lowest -= 1
            self._add_short(lowest, i, padding)
            i = lowest - 1

    def _is_wide(self, j: int) -> bool:
        usable = self.experiment.n_samples - 2 * int(self.experiment.first_usable[j])
        return usable >= WIDE_FROM * self._sigma[j]

    def _output_step(self, j: int) -> float:
        """Largest step between the outputs of scale j, in scales."""
        if self.experiment.n_samples < SHORT_SERIES:
            return OUTPUT_STEP / 2
        if not self._is_wide(j):
            return OUTPUT_STEP
        return SPARSE_OUTPUT_STEP if self._is_sparse[j] else WIDE_OUTPUT_STEP

    def _needed(self, j: int) -> float:
        """The information that scale j needs from a cycle, in tenths of a pair."""
        usable = (self.experiment.n_samples - 2 * int(self.experiment.first_usable[j])) / self._sigma[j]
        margin = WIDE_MARGIN if self._is_wide(j) else DUE_MARGIN * min(1.0, usable / NARROW)
        return 10 * CYCLE * margin * self._sigma[j] / self._sigma[-1]

    def _has_bins(self, tenths: int) -> bool:
        """Whether the histogram has so many tenths of `FEW_BINS` at most."""
        few = FEW_BINS_OF_SMALL if self.experiment.n_padded <= SMALL else FEW_BINS
        return 10 * len(self.due) * self.experiment.n_bins <= tenths * few

    def _n_series(self, n: int) -> int:
        """How many series of either kind a part of n points has."""
        if n > LARGEST_SHARED:
            return 1
        share = next((of for tenths, of in ((10, 1), (20, 2), (25, 4)) if self._has_bins(tenths)), 16)
        room = PAIR_ROOM // share // (n * len(self.box))
        return next((m for m in (4, 2) if 2 * m * (m + 1) <= room), 1)

    def _set_due(self, mains: list[tuple[int, int]]) -> None:
        """In how many simulations of a cycle each scale of the main parts is due, and with how many series.

        From the smallest scale up: a simulation in which a smaller one is due has all larger ones as well. Each scale
        takes as few series as give what it needs; where all do not, it is due more often.

        Args:
            mains: smallest counted scale and transform length of every main part, the coarsest first.
        """
        series = [self._n_series(n) for _, n in mains]
        often = [0] * len(mains)  # how many simulations run each part
        for j in range(self.lowest_main, self.experiment.J + 1):
            own = next(part for part, (lowest, _) in enumerate(mains) if lowest <= j)
            often[own] += max(0, LEAST_DUE - sum(often))
            for m in (1, 2, 4):
                known = sum(times * INFORMATION[min(m, most)] for times, most in zip(often, series, strict=True))
                self._paired[j] = m
                if known >= self._needed(j) - TINY:
                    break
            else:
                often[own] += min(CYCLE - sum(often), up((self._needed(j) - known) / INFORMATION[series[own]]))
            self.due[j] = sum(often)
            self._is_sparse[j] = known >= SPARSE_SURPLUS * self._needed(j)
            self._pairs[j] = sum(
                times * min(self._paired[j], most) ** 2 for times, most in zip(often, series, strict=True)
            )

    def _reach(self, i: int) -> tuple[int, int]:
        """First and last row that the box around row i needs."""
        return max(0, i + self.centre - len(self.box) + 1), min(self.experiment.J, i + self.centre)

    def _main_size(self, i: int, padding: float) -> tuple[int, int, float]:
        """Transform length, samples and sampling interval of a main part whose smallest counted scale is i."""
        n_samples = self.experiment.n_samples
        step = self._sigma[self._reach(i)[0]] / DECIMATION
        if step > 1 + TINY:
            n = least_power((n_samples + padding) / step)
            step = (n_samples + padding) / n
            if step > 1 + TINY:
                coarse = nearest(n_samples / step)
                return n, coarse, n_samples / coarse
        return self.experiment.n_padded, n_samples, 1.0

    def _add_short(self, lowest: int, highest: int, padding: float) -> None:
        """A part for scales lowest to highest, as short as their standard errors and its edges allow."""
        experiment, sigma = self.experiment, self._sigma
        step = max(1.0, sigma[self._reach(lowest)[0]] / DECIMATION)
        if step <= 1 + TINY:
            step = 1.0
        widest = sigma[self._reach(highest)[1]]
        edge: float | None = EDGE * widest
        needed = 2 * EDGE * widest + INTERIOR * sigma[highest]
        if self._has_bins(22):
            needed = max(SHORT_LENGTH * sigma[highest], needed)
        zeros = min(experiment.n_padded - experiment.n_samples, 8 * widest)
        n = least_power((needed + zeros) / step)
        if n * step < experiment.n_samples + padding - TINY and n < experiment.n_padded:
            n_samples = n - up(zeros / step)
        else:
            n, n_samples, step = self._main_size(lowest, padding)
            edge = None
        # As often as the largest of its scales needs it. Samples of weights w are worth (sum w)^2 / sum w^2 equal ones.
        often = self._needed(highest)
        if edge is not None:
            outside, interior = 2 * int(experiment.first_usable[highest]), n_samples * step - 2 * edge
            ratio = (experiment.n_samples - 2 * edge) / interior
            often *= (interior * ratio * ratio + 2 * edge - outside) / (experiment.n_samples - outside)
        most = self._n_series(n)
        for j in range(lowest, highest + 1):
            self.due[j] = min(CYCLE, max(LEAST_DUE, up(often / INFORMATION[most])))
            needed = often * sigma[j] / sigma[highest] - TINY
            m = next((m for m in (1, 2) if self.due[j] * INFORMATION[m] >= needed), most)
            self._paired[j] = min(m, most)
            self._pairs[j] = self.due[j] * self._paired[j] ** 2
            self._is_sparse[j] = self.due[j] * INFORMATION[self._paired[j]] >= SPARSE_SURPLUS * needed
        self._add(n, n_samples, step, lowest, highest, edge)

    def _add(self, n: int, n_samples: int, step: float, lowest: int, highest: int, edge: float | None) -> None:
        if n > LARGEST_TRANSFORM:
            msg = (
                f"the fast pipeline would need a transform of {n} points for scales {lowest} to {highest}, more than "
                f"{LARGEST_TRANSFORM}; use pipeline exact"
            )
            raise ValueError(msg)
        part = Part(len(self.parts), n, self._n_series(n), n_samples, step, n_samples * step, lowest, highest)
        # Half a percent: a coarse part's period differs by what its whole number of samples asks for.
        part.wraps = edge is None and part.period > 0.995 * self.experiment.n_padded
        part.rows = [Row(j) for j in range(self._reach(lowest)[0], self._reach(highest)[1] + 1)]
        for row in part.rows:
            row.n_paired = min(part.n_series, self._paired[row.j])
        self.parts.append(part)
        for row in part.rows:
            self._set_grid(part, row)
        for row in part.rows[lowest - part.rows[0].j : highest + 1 - part.rows[0].j]:
            if 2 * int(self.experiment.first_usable[row.j]) < self.experiment.n_samples:
                self._set_counts(part, row, edge)
        for row in part.rows:
            self._set_outputs(part, row)
        self._set_filters(part)
        self._set_shifts(part, self._set_noise(part))

    def _nyquist_weight(self, part: Part) -> float:
        """Weight of the highest frequency in a short part's filters; 0 if it is not used.

        A wavelet of small scale is cut at that frequency. The exact pipeline leaves it out, and with it half a bin,
        1 / (2 n_padded), of the band; of a shorter transform's wider bin only as much must be missing.
        """
        if part.step != 1 or part.n == self.experiment.n_padded:
            return 0.0
        return math.sqrt((1 - part.n / self.experiment.n_padded) / 2)

    def _set_grid(self, part: Part, row: Row) -> None:
        """The filter's band, and a grid on which the folded band does not overlap itself."""
        sigma, period = self._sigma[row.j], part.period
        k = 2 * math.pi * sigma / period
        row.n = min(part.n, max(LEAST_GRID, least_power(period / (GRID_STEP * sigma))))
        band = min(BAND, (row.n - 1) * k / 2)
        row.first_frequency = max(1, up((6 - band) / k))
        highest = part.n // 2 if self._nyquist_weight(part) else part.n // 2 - 1
        last = min(highest, down((6 + band) / k))
        row.filter = np.zeros(max(1, last - row.first_frequency + 1), np.int64)

    def _set_counts(self, part: Part, row: Row, edge: float | None) -> None:
        """The output points that are counted, and their weights."""
        experiment, sigma = self.experiment, self._sigma[row.j]
        first = int(experiment.first_usable[row.j])
        origin = part.step / 2 - 0.5
        row.is_counted = True
        usable = experiment.n_samples - 2 * first
        longest = self._output_step(row.j) * sigma
        row.n_counted = min(part.n, max(4, least_power(part.period / longest)))
        step = part.period / row.n_counted
        low, weights = output_weights(first - 0.5, part.length - 0.5 - first, origin, step, sigma)
        if edge is not None:
            # The interior of the whole series is so much longer than this part's.
            ratio = (experiment.n_samples - 2 * edge) / (part.length - 2 * edge)
            inner, values = output_weights(edge - 0.5, part.length - 0.5 - edge, origin, step, sigma)
            for place, value in enumerate(values, start=inner - low):
                if 0 <= place < len(weights):
                    weights[place] += (ratio - 1) * value
        mean = usable / longest * self._pairs[row.j] / CYCLE
        unit = min(float(WEIGHT), MEAN_COUNT / mean)
        # Whole inside where it can be, so that only the ends are rounded.
        unit *= step / longest
        unit = float(math.floor(unit)) if unit >= 1 else unit
        whole = rounded([unit * weight for weight in weights])
        row.first_counted, counts = trimmed(low, whole)
        row.weights = tuple(counts)

    def _set_outputs(self, part: Part, row: Row) -> None:
        """Where the row is smoothed: on the densest grid of the scales whose box it is in."""
        n_box = len(self.box)
        users = [
            part.row(i)
            for i in range(
                max(part.lowest, row.j - self.centre), min(part.highest, row.j - self.centre + n_box - 1) + 1
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
        step, sigma = part.period / row.n, self._sigma[row.j]
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

    def _set_filters(self, part: Part) -> None:
        """The wavelet's spectrum at the frequencies of every row."""
        nyquist = nearest(GAUSSIAN_UNIT * self._nyquist_weight(part))
        gaussian = gaussian_table()
        turn = 2 * math.pi / part.period
        for row in part.rows:
            # sigma omega per frequency, in 2^-20: the product with a frequency below 512 has 24 bits.
            k = nearest(turn * self._sigma[row.j] * (1 << 20))
            for place in range(row.filter.size):
                f = row.first_frequency + place
                distance = abs(f * k - (6 << 20)) + (1 << 12) >> 13
                value = gaussian[distance] * LARGEST_FILTER >> 15
                row.filter[place] = value * nyquist >> 15 if f == part.n // 2 else value
        part.first_frequency = min(row.first_frequency for row in part.rows)

    def _set_noise(self, part: Part) -> list[_Innovations]:
        """What makes noise of innovations: the series' parameters, and the response at every frequency.

        The response is that of the series as it is sampled here, which ends where it does, times what its power lacks
        to be that of the experiment's noise.

        Returns:
            The innovations' bounds and variance, per kind.
        """
        last = max(row.first_frequency + row.filter.size - 1 for row in part.rows)
        found, noise = [], []
        for of_series in self.experiment.noise_lag1:
            coarse = coarse_lag1(of_series, part.step)
            lag1, gain = nearest(4096 * coarse), nearest(4096 / math.sqrt(1 - coarse * coarse))
            innovations = _Innovations(part.n, part.n_samples, lag1, gain, abs(coarse) / (1 - abs(coarse)))
            found.append(innovations)
            # So that its product with any spectrum, at most twice the sum of all innovations, is below 2^31.
            peak = min(LARGEST_NOISE, math.floor((2**31 - 1) / (2 * _ROUNDING * innovations.sum)))
            noise.append(_response(part, of_series, coarse, range(part.first_frequency, last + 1), peak))
        part.lag1, part.start_gain = (found[0].lag1, found[1].lag1), (found[0].gain, found[1].gain)
        if part.is_red:
            part.noise = tuple(noise)
        return found

    def _set_shifts(self, part: Part, innovations: list[_Innovations]) -> None:
        """Shifts that keep every sum below 2^31 and as large as that allows."""
        shifts: list[int] = []
        deviations: list[list[float]] = []
        for kind, of_kind in enumerate(innovations):
            squares = [self._squares(part, row, kind) for row in part.rows]
            # Below 2^20, so that its product with a twiddle of 11 bits is below 2^31.
            bound = of_kind.bound * math.sqrt(max(self._most_squares(part, row, kind) for row in part.rows))
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
        box_bits = bits(sum(self.box))
        total_x = max(row.power_shifts[0] for row in part.rows) + box_bits
        total_y = max(row.power_shifts[1] for row in part.rows) + box_bits
        total_y += (total_x + total_y) % 2
        for row in part.rows:
            x, y, cross = row.power_shifts
            row.sum_shifts = total_x - x, total_y - y, (total_x + total_y) // 2 - cross
        # Of the sums over the box, if all its rows were like the one in the middle; between 2^12.5 and 2^13.5.
        unit = math.sqrt(2) * (1 << COHERENCE_BITS)
        mean_x, mean_y = (sum(self.box) * (2 * KERNEL_SUM) / (1 << total) / unit for total in (total_x, total_y))
        for row, dx, dy in zip(part.rows, *deviations, strict=True):
            if row.is_counted:
                x, y = bits(dx * dx * mean_x), bits(dy * dy * mean_y)
                y += (x + y) % 2
                row.box_shifts = x, y, (x + y) // 2

    def _response_at_ends(self, part: Part, row: Row, kind: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """The noise's response at a row's lowest and highest frequency; its modulus is largest at one of them."""
        first = row.first_frequency - part.first_frequency
        last = first + row.filter.size - 1
        re, im = part.noise[kind]
        return (int(re[first]), int(im[first])), (int(re[last]), int(im[last]))

    def _squares(self, part: Part, row: Row, kind: int) -> float:
        """Sum over frequencies of |wavelet times noise|^2, in units of 2^-22: from eight of them or some more.

        Of a Gaussian eight suffice; where the wavelet is cut, the sum is up to a fifth off. Noise of negative lag1
        peaks at the highest frequency: there all are needed.
        """
        stride = 1 if part.lag1[kind] < 0 else max(1, row.filter.size // 8)
        places = np.arange(stride // 2, row.filter.size, stride)
        weights = row.filter[places]
        if not part.noise:
            return float(stride * int((weights**2).sum()))
        re, im = (each[places + row.first_frequency - part.first_frequency] for each in part.noise[kind])
        # Eleven bits, whatever the noise's power in the row's band is.
        shift = bits(max(c + abs(d) for c, d in self._response_at_ends(part, row, kind)))
        re, im = weights * re >> shift, weights * np.abs(im) >> shift
        return float(stride * int((re * re + im * im).sum())) * (1 << shift) * (1 << shift) / (1 << 22)

    def _most_squares(self, part: Part, row: Row, kind: int) -> float:
        """What the sum over all frequencies of the same cannot exceed.

        The sum over whole f of exp(-(k f - 6)^2), a single peak, is at most its integral and its largest term.
        """
        largest = 2048.0 * 2048.0
        if part.noise:
            largest = float(max(c * c + d * d for c, d in self._response_at_ends(part, row, kind)))
        k = 2 * math.pi / part.period * self._sigma[row.j]
        return largest * (math.sqrt(math.pi) / k + 1)

    @cached_property
    def main_parts(self) -> list[tuple[int, int]]:
        """For the place of a simulation in its cycle (`place`): its main part and lowest counted scale.

        As many as have one: places from `due[J]` on have none.
        """
        found = []
        for place in range(self.due[-1] if self.n_main else 0):
            lowest = next(i for i in range(self.lowest_main, len(self.due)) if self.due[i] > place)
            number = next(part.number for part in self.parts[: self.n_main] if part.lowest <= lowest)
            found.append((number, lowest))
        return found

    @cached_property
    def cycle_counts(self) -> IntArray:
        """Counts of each simulation of a cycle: shape (256, J + 1), indexed by the simulation number modulo 256."""
        counts = np.zeros((CYCLE, len(self.due)), np.int64)
        for simulation in range(CYCLE):
            at = place(simulation)
            for part, low in self.parts_at(at):
                for j in range(low, part.highest + 1):
                    counts[simulation, j] += part.row(j).n_paired ** 2 * sum(part.row(j).weights)
        return counts

    def parts_at(self, at: int) -> list[tuple[Part, int]]:
        """The parts that run at a place of the cycle, and the lowest scale that each counts there.

        Args:
            at: the place, 0 to 255.
        """
        mains = [(self.parts[number], lowest) for number, lowest in self.main_parts[at : at + 1]]
        short = [(part, part.lowest) for part in self.parts[self.n_main :] if at < self.due[part.lowest]]
        return mains + short

    def expected_counts(self, simulations: range) -> IntArray:
        """How many counts each scale has after these simulations, shape (J + 1,).

        Args:
            simulations: their numbers.
        """
        cycles, rest = divmod(len(simulations), CYCLE)
        numbers = np.arange(simulations.start, simulations.start + rest) % CYCLE
        counts: IntArray = cycles * self.cycle_counts.sum(axis=0) + self.cycle_counts[numbers].sum(axis=0)
        return counts

    @property
    def longest_run(self) -> int:
        """How many simulations can follow each other, from any on, before a count on the board could reach 2^16.

        A multiple of eight.
        """
        mean = int(self.cycle_counts.sum(axis=0).max()) / CYCLE
        length = 8 * int(0xFFFF / max(1.0, mean) // 8)
        until = np.cumsum(np.tile(self.cycle_counts, (2 + length // CYCLE, 1)), axis=0)
        while (until[length : length + CYCLE] - until[:CYCLE]).max() > 0xFFFF:
            length -= 8
        return length


_ROUNDING: Final = 1.05
"""For what rounding adds to a bound."""

LARGEST_DEVIATE: Final = 2 * int(deviate_table()[-1])
DEVIATE_VARIANCE: Final = 2 * float((deviate_table() ** 2).mean())


@dataclass(frozen=True)
class _Innovations:
    """Innovations of one kind: a series' first and last are larger than the others (`fast.innovations`).

    Attributes:
        n, n_samples: as of the part.
        lag1, gain: of the series, in 1/4096.
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


def place(simulation: int) -> int:
    """Place of a simulation in its cycle: due simulations, those of the lowest places, are spread evenly.

    Args:
        simulation: its number, from 0.
    """
    return simulation * SPREAD % CYCLE


def simulation_at(at: int) -> int:
    """The simulation of the first cycle that has a place.

    Args:
        at: the place, 0 to 255.
    """
    return at * pow(SPREAD, -1, CYCLE) % CYCLE


def check(experiment: Experiment) -> None:
    """Do nothing if the fast pipeline can do this experiment.

    Args:
        experiment: the parameters.

    Raises:
        ValueError: it cannot; the message says why.
    """
    advice = "; use pipeline exact"
    if experiment.wavelet != "morlet":
        msg = f"the fast pipeline knows the Morlet wavelet only, not {experiment.wavelet}{advice}"
        raise ValueError(msg)
    if experiment.sigma[0] < 1 - TINY:
        msg = f"the fast pipeline needs s0 >= dt, not {experiment.s0:g} with dt = {experiment.dt:g}{advice}"
        raise ValueError(msg)
    for name, lag1 in zip(("lag1_x", "lag1_y"), experiment.noise_lag1, strict=True):
        if abs(lag1) > MAX_LAG1:
            msg = f"the fast pipeline needs |{name}| <= {MAX_LAG1}, not {lag1!r}{advice}"
            raise ValueError(msg)


@lru_cache(maxsize=16)
def plan(experiment: Experiment) -> FastPlan:
    """The plan of an experiment; see `FastPlan`. The last 16 are kept.

    Args:
        experiment: the parameters.
    """
    return FastPlan(experiment)
