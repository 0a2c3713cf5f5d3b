"""The fast pipeline in integers: counts of coherence from its `plan`, bit for bit those of `fast.lua`.

One part of one simulation, with m series of either kind:

1. **Innovations.** One series of either kind comes from one stream of words, two bytes of each word for each series; a
   byte is a number of `deviate_table`. The series are red noise; what is transformed are their innovations
   (`innovations`), which are white, so that no frequency is lost in rounding. The noise's spectrum is in the filters.
2. **Transform** of x + i y, separated into X and Y by symmetry.
3. **Rows**, from the largest scale down: the filtered band is folded onto the row's grid and transformed back;
   |W1|^2 and |W2|^2 of all series and W1 W2* of all m^2 pairs are smoothed in time, at output points only.
4. **Box.** Sums over neighbouring rows, as soon as they are complete; coherence, bin, count, for every pair.

Here simulations, series and pairs run side by side, in the last axes, in 32-bit integers as on the board. Shifts to the
right round down.

Source: the method and its evidence are in `docs/fast-pipeline.md`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ..exact import rednoise
from . import integer_fft
from .formats import LARGEST_POWER
from .noise import deviate_table
from .plan import plan_of
from .schedule import CYCLE, cycle_slot

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from ..experiment import Experiment
    from ..types import IntArray
    from .parts import Part, Row
    from .plan import FastPlan

    Integers = NDArray[np.int32]

SERIES: Final = 1 << 30
"""Number of the fast pipeline's first random series: part p uses `SERIES + (p << 16)`."""

BATCH_POINTS: Final = 1 << 18
"""Transform points per batch (simulations times transform length): arrays of a megabyte. With a quarter of that NumPy's
calls cost as much as what they compute; with more, arrays leave the processor's caches."""


def deviates(seed: int, simulations: IntArray, part: Part) -> tuple[Integers, Integers]:
    """Normal deviates of all series of both kinds, times 64 sqrt(2).

    Args:
        seed: of the experiment.
        simulations: shape (n_simulations,).
        part: gives the numbers of samples and series.

    Returns:
        Two arrays of shape (part.n_samples, part.n_series * n_simulations), all simulations of one series together.
    """
    series = tuple(SERIES + (part.number << 16) + of_kind for of_kind in range(part.n_series))
    words = rednoise.random_words(seed, simulations, part.n_samples, series)
    words = words.transpose(2, 1, 0).reshape(part.n_samples, -1)
    table = deviate_table().astype(np.int32)
    x = table[words & 255] + table[words >> 8 & 255]
    y = table[words >> 16 & 255] + table[words >> 24]
    return x, y


def innovations(part: Part, series: int, e: Integers) -> Integers:
    """Innovations of red noise that is cut at both ends: the series without its AR(1) filter.

    Of `y[t] = A y[t-1] + e[t]` for t = 1 ... n - 1, zero elsewhere, `y[t] - A y[t-1]` is `y[0]`, `e[1]`, ...,
    `e[n-1]`, `-A y[n-1]`. `y[0] = e[0] / sqrt(1 - A^2)` makes the series stationary from its first sample.

    Args:
        part: gives A and the gain of `y[0]`, in 1/4096.
        series: 0 or 1.
        e: shape (n_samples, n_columns).

    Returns:
        Shape (n, n_columns), int32, zeros after the series. It goes around if the series fills the transform.
    """
    lag1 = part.lag1[series]
    u = np.zeros((part.n, e.shape[1]), np.int32)
    u[: part.n_samples] = e
    u[0] = e[0] * part.start_gain[series] >> 12
    if lag1:
        y = u[0].copy()
        for sample in e[1:]:
            y = (y * lag1 >> 12) + sample
        u[part.n_samples % part.n] += -(y * lag1) >> 12
    return u


def spectra(
    part: Part, x: Integers, y: Integers, scratch: Integers | None = None
) -> tuple[tuple[Integers, Integers], ...]:
    """Twice the spectra of two series, at the frequencies of the part's filters: ((re, im), (re, im)).

    Args:
        part: gives n, frequencies, and the response that makes noise of innovations.
        x: innovations of the first kind, shape (n, n_columns).
        y: of the second one, of the same shape.
        scratch: for the transform, shape and kind as `integer_fft.transform` says.

    Returns:
        Four arrays of shape (n_frequencies, n_columns), from part.first_frequency on.
    """
    order = integer_fft.reversed_bits(part.n)
    re, im = x[order], y[order]
    integer_fft.transform(re, im, scratch)
    # Frequency -f is at n - f, that is, at -f of a numbering that goes around.
    last = max(row.first_frequency + row.filter.size for row in part.rows)
    up = np.arange(part.first_frequency, last)
    r, s, u, v = re[up], im[up], re[-up], im[-up]
    white = (r + u, s - v), (s + v, u - r)
    if not part.noise:
        return white
    red = []
    for (a, b), response in zip(white, part.noise, strict=True):
        c, d = (each.astype(np.int32)[:, None] for each in response)
        red.append((a * c - b * d >> 11, a * d + b * c >> 11))
    return tuple(red)


def wavelet_transform(
    part: Part, row: Row, series: int, re: Integers, im: Integers, scratch: Integers | None = None
) -> tuple[Integers, Integers]:
    """One row of the wavelet transform at its grid points, clamped.

    Args:
        part: gives the shifts.
        row: gives filter, grid and clamps.
        series: 0 or 1: the kind, whose filter is taken.
        re: real part of the spectra, shape (n_frequencies of the part, n_columns).
        im: imaginary part, of the same shape.
        scratch: for the transform, shape and kind as `integer_fft.transform` says.

    Returns:
        Real and imaginary part, each shape (row.n_points, n_columns).
    """
    places = integer_fft.reversed_bits(row.n)[np.arange(row.filter.size) + row.first_frequency & row.n - 1]
    first = row.first_frequency - part.first_frequency
    frequencies = slice(first, first + row.filter.size)
    weights = row.filter.astype(np.int32)[:, None]
    shift = part.filter_shifts[series]
    w_re = np.zeros((row.n, re.shape[1]), np.int32)
    w_im = np.zeros_like(w_re)
    w_re[places] = re[frequencies] * weights >> shift
    w_im[places] = im[frequencies] * weights >> shift
    integer_fft.transform(w_im, w_re, scratch)
    points = np.arange(row.first_point, row.first_point + row.n_points) % row.n
    limit = 1 << row.clamps[series]
    return np.clip(w_re[points], -limit, limit - 1), np.clip(w_im[points], -limit, limit - 1)


def powers(row: Row, w1: tuple[Integers, Integers], w2: tuple[Integers, Integers], m: int = 1) -> list[Integers]:
    """|W1|^2, |W2|^2 and real and imaginary part of W1 W2* at the grid points, 18 bits.

    Args:
        row: gives the shifts, and the weights at the series' ends.
        w1: real and imaginary part, shape (row.n_points, m * n_simulations).
        w2: of the other kind, of the same shape.
        m: how many series of either kind there are.

    Returns:
        Two arrays of that shape, and two of shape (row.n_points, m * m * n_simulations): for every series of the first
        kind all of the second.
    """
    (r, s), (u, v) = w1, w2
    shift_1, shift_2, shift_cross = row.power_shifts
    half_1, half_2, half_cross = (1 << shift >> 1 for shift in row.power_shifts)
    n_points = r.shape[0]
    a, b = (each.reshape(n_points, m, 1, -1) for each in (r, s))
    c, d = (each.reshape(n_points, 1, m, -1) for each in (u, v))
    products = [
        r * r + s * s + half_1 >> shift_1,
        u * u + v * v + half_2 >> shift_2,
        (a * c + b * d + half_cross >> shift_cross).reshape(n_points, -1),
        (b * c - a * d + half_cross >> shift_cross).reshape(n_points, -1),
    ]
    for end, weight in zip((0, -1), row.end_weights, strict=True):
        for product in products:
            product[end] = product[end] * weight + 128 >> 8
    return products


def _guarded(row: Row, product: Integers, guard: int, *, wraps: bool) -> Integers:
    """A product with `guard` more points on both sides: zeros, or what is there once around the period."""
    n_points = product.shape[0]
    guarded = np.zeros((n_points + 2 * guard, product.shape[1]), np.int32)
    guarded[guard : guard + n_points] = product
    if wraps:
        for distance in range(1, guard + 1):
            if row.n - distance < n_points:
                guarded[guard - distance] = product[row.n - distance]
            if n_points + distance > row.n:
                guarded[guard + n_points + distance - 1] = product[n_points + distance - 1 - row.n]
    return guarded


def smooth(row: Row, product: Integers, shift: int, *, wraps: bool = False) -> Integers:
    """A product smoothed in time, at the row's outputs.

    Args:
        row: gives kernels and outputs.
        product: shape (row.n_points, n_columns).
        shift: by which the sums are shifted to the right, in bits.
        wraps: see `Part.wraps`.

    Returns:
        Shape (row.length, n_columns).
    """
    whole = row.kernels[0]
    reach = len(whole) - 1
    guarded = _guarded(row, product, reach + 1, wraps=wraps)
    smoothed = np.zeros((row.length, product.shape[1]), np.int32)
    dense = len(row.kernels) == 2

    def add(outputs: slice, first: int, stride: int, weights: tuple[int, ...], *, is_half: bool) -> None:
        """Sums around grid points `first`, `first + stride`, ..., or half a step after them."""
        target = smoothed[outputs]
        count = target.shape[0]
        if not count:
            return

        def points(distance: int) -> Integers:
            # Beyond the guard there are only zeros as well.
            start = first - row.first_point + reach + 1 + distance
            low = max(0, -(start // stride))
            high = min(count, -((start - guarded.shape[0]) // stride))
            if low == 0 and high == count:
                return guarded[start : start + stride * (count - 1) + 1 : stride]
            values = np.zeros_like(target)
            if low < high:
                values[low:high] = guarded[start + stride * low : start + stride * (high - 1) + 1 : stride]
            return values

        if is_half:
            for distance, weight in enumerate(weights):
                target += (points(-distance) + points(distance + 1)) * np.int32(weight)
        else:
            target += points(0) * np.int32(weights[0])
            for distance, weight in enumerate(weights[1:], start=1):
                target += (points(-distance) + points(distance)) * np.int32(weight)

    first = row.first_output
    if dense:
        odd = first % 2
        add(slice(odd, None, 2), (first + odd) // 2, 1, whole, is_half=False)
        add(slice(1 - odd, None, 2), (first + 1 - odd) // 2, 1, row.kernels[1], is_half=True)
    else:
        stride = row.n // row.n_outputs
        add(slice(None), first * stride, stride, whole, is_half=False)
    smoothed >>= shift
    return smoothed


def bins(row: Row, sums: list[Integers], n_bins: int) -> Integers:
    """Histogram bin of the coherence of every pair, from sums over scales.

    Args:
        row: gives the shifts.
        sums: of the powers of either kind, shapes (n_outputs, m, 1, n_simulations) and
            (n_outputs, 1, m, n_simulations), and of both parts of the products, shape (n_outputs, m, m, n_simulations).
        n_bins: of the histogram.

    Returns:
        Shape (n_outputs, m * m * n_simulations).
    """
    shift_1, shift_2, shift_cross = row.box_shifts
    p, q = sums[0] + (1 << shift_1 >> 1) >> shift_1, sums[1] + (1 << shift_2 >> 1) >> shift_2
    c, d = sums[2] >> shift_cross, sums[3] >> shift_cross
    for power in (p, q):
        large = power > LARGEST_POWER
        while large.any():
            power[large] >>= 2
            halved = np.broadcast_to(large, c.shape)
            c[halved] >>= 1
            d[halved] >>= 1
            large = power > LARGEST_POWER
    unit = np.maximum((p * q + (n_bins >> 1)) // n_bins, 1)
    found: Integers = np.minimum((c * c + d * d) // unit, n_bins - 1).reshape(c.shape[0], -1)
    return found


class _Histogram:
    """Counts by group and scale."""

    def __init__(self, n_groups: int, experiment: Experiment) -> None:
        self.counts = np.zeros((n_groups, experiment.J + 1, experiment.n_bins), np.int64)

    def add(self, j: int, found: Integers, weights: tuple[int, ...], group_of: IntArray) -> None:
        n_bins = self.counts.shape[2]
        low, high = int(group_of.min()), int(group_of.max())
        slots = found + (group_of - low) * n_bins
        # Sums of whole numbers far below 2^53 are exact as doubles.
        weighted = np.repeat(np.array(weights, float), found.shape[1])
        counts = np.bincount(slots.ravel(), weighted, (high - low + 1) * n_bins)
        self.counts[low : high + 1, j] += counts.astype(np.int64).reshape(-1, n_bins)


def run_part(
    plan: FastPlan, part: Part, simulations: IntArray, lowest: IntArray, group_of: IntArray, histogram: _Histogram
) -> None:
    """Count one part of some simulations.

    Args:
        plan: of the experiment.
        part: one of the plan's.
        simulations: shape (n_simulations,), in ascending order of `lowest`.
        lowest: shape (n_simulations,), the smallest scale that each of them counts.
        group_of: shape (n_simulations,), where each of them is counted.
        histogram: what is added to.
    """
    experiment, centre, n_box, m = plan.experiment, plan.centre, len(plan.box), part.n_series
    pair = deviates(experiment.seed, simulations, part)
    scratch = integer_fft.scratch_for(part.n, m * simulations.size)
    both = [
        [values.reshape(len(values), m, -1) for values in of_kind]
        for of_kind in spectra(part, innovations(part, 0, pair[0]), innovations(part, 1, pair[1]), scratch)
    ]
    smoothed: dict[int, list[Integers]] = {}
    box_sums = _BoxSums(plan, part)
    next_counted = part.highest
    for row in reversed(part.rows):
        # Fewer and fewer simulations go on to the smaller scales.
        below = n_box - 1 - centre  # rows that a box reaches down
        n_needed = int(np.searchsorted(lowest, row.j + below, side="right"))
        if not n_needed:
            break
        if row.length:
            w1, w2 = (
                wavelet_transform(part, row, kind, *_columns(of_kind, row.n_series, n_needed), scratch)
                for kind, of_kind in enumerate(both)
            )
            shifts = (*row.sum_shifts, row.sum_shifts[2])
            m = row.n_series
            products = powers(row, w1, w2, m)
            smoothed[row.j] = [
                smooth(row, product, shift, wraps=part.wraps).reshape(row.length, *of_pairs, n_needed)
                for product, shift, of_pairs in zip(products, shifts, ((m, 1), (1, m), (m, m), (m, m)), strict=True)
            ]
        while next_counted >= part.lowest and max(0, next_counted - below) >= row.j:
            counted = part.row(next_counted)
            n_active = int(np.searchsorted(lowest, next_counted, side="right"))
            if counted.is_counted and n_active:
                sums = box_sums.of(counted, smoothed, n_active)
                groups = np.tile(group_of[:n_active], counted.n_paired**2)
                histogram.add(next_counted, bins(counted, sums, experiment.n_bins), counted.weights, groups)
            smoothed.pop(next_counted + centre, None)
            next_counted -= 1


def _columns(of_kind: list[Integers], n_series: int, n_simulations: int) -> tuple[Integers, Integers]:
    """Real and imaginary part of the spectra of a kind: of its first series, in the first simulations."""
    re, im = (each[:, :n_series, :n_simulations].reshape(len(each), -1) for each in of_kind)
    return re, im


class _BoxSums:
    """Sums over the rows of the box at the counted outputs of a part's scales, from the largest scale down.

    The rows between the outer two have one weight. Their sums run on from the scale above where that has the same
    outputs: one row comes in, and the one that is outer now goes out.
    """

    def __init__(self, plan: FastPlan, part: Part) -> None:
        self._plan = plan
        self._part = part
        self._above: Row | None = None
        self._inner: list[Integers] = []

    def of(self, row: Row, smoothed: dict[int, list[Integers]], n_active: int) -> list[Integers]:
        """Weighted sums of the four quantities, for the first `n_active` simulations.

        Args:
            row: the counted scale.
            smoothed: the rows that the box reaches; those that are missing are zeros.
            n_active: not more than at the scale above.
        """
        box, highest = self._plan.box, row.j + self._plan.centre
        lowest = highest - len(box) + 1
        outer = [self._at_outputs(row, smoothed, j, n_active) for j in {highest, lowest}]
        if self._above is not None and row.counts_as(self._above) and len(box) > 2:
            self._inner = [values[..., :n_active] for values in self._inner]
            _combine(np.subtract, self._inner, self._at_outputs(row, smoothed, highest, n_active))
            _combine(np.add, self._inner, self._at_outputs(row, smoothed, lowest + 1, n_active))
        else:
            m = row.n_paired
            shapes = ((m, 1), (1, m), (m, m), (m, m))
            self._inner = [np.zeros((len(row.weights), *shape, n_active), np.int32) for shape in shapes]
            for j in range(lowest + 1, highest):
                _combine(np.add, self._inner, self._at_outputs(row, smoothed, j, n_active))
        self._above = row
        sums = [values * np.int32(box[len(box) // 2]) for values in self._inner]
        for one in outer:
            _combine(np.add, sums, [values * np.int32(box[0]) for values in one])
        return sums

    def _at_outputs(self, row: Row, smoothed: dict[int, list[Integers]], j: int, n_active: int) -> list[Integers]:
        """The four quantities of row j at the outputs of `row`; nothing where they are zeros."""
        if j not in smoothed:
            return []
        other, m = self._part.row(j), row.n_paired
        stride = other.n_outputs // row.n_counted
        start = row.first_counted * stride - other.first_output
        points = slice(start, start + stride * len(row.weights), stride)
        return [values[points, :m, :m, :n_active] for values in smoothed[j]]


def _combine(ufunc: np.ufunc, totals: list[Integers], row: list[Integers]) -> None:
    """In place; a row of zeros is an empty list."""
    for total, values in zip(totals, row, strict=len(row) > 0):
        ufunc(total, values, out=total)


def simulate(experiment: Experiment, simulations: range, on_batch: Callable[[int], None] | None = None) -> IntArray:
    """Counts of consecutive simulations.

    Args:
        experiment: the parameters.
        simulations: simulation numbers.
        on_batch: called after every batch with the number of simulations in it.

    Returns:
        Shape (J + 1, n_bins), int64; each row has `fast_plan.FastPlan.expected_counts` counts.

    Raises:
        ValueError: the fast pipeline cannot do this experiment.
    """
    total: IntArray = simulate_groups(experiment, simulations, max(simulations.stop, 1), on_batch).sum(axis=0)
    return total


def simulate_groups(
    experiment: Experiment, simulations: range, group_size: int, on_batch: Callable[[int], None] | None = None
) -> IntArray:
    """Counts of consecutive simulations, group by group.

    Args:
        experiment: the parameters.
        simulations: simulation numbers.
        group_size: simulation i belongs to group `i // group_size`.
        on_batch: called after every batch with the number of simulations in it.

    Returns:
        Shape (n_groups, J + 1, n_bins), int64, for the groups that have simulations, in their order.

    Raises:
        ValueError: the fast pipeline cannot do this experiment.
    """
    plan = plan_of(experiment)
    first_group = simulations.start // group_size
    n_groups = (simulations.stop - 1) // group_size - first_group + 1 if simulations else 0
    histogram = _Histogram(n_groups, experiment)
    for start in range(0, len(simulations), PORTION):
        portion = np.asarray(simulations[start : start + PORTION], np.int64)
        _count_portion(plan, portion, portion // group_size - first_group, histogram)
        if on_batch is not None:
            on_batch(portion.size)
    return histogram.counts


PORTION: Final = 2048
"""Simulations whose parts are sorted together."""


def _count_portion(plan: FastPlan, simulations: IntArray, group_of: IntArray, histogram: _Histogram) -> None:
    """All parts of some simulations."""
    slots = np.array([cycle_slot(number) for number in range(CYCLE)])[simulations % CYCLE]
    # Slots beyond the last active one have no main part.
    mains = [*plan.main_parts, *[(-1, 0)] * (CYCLE - len(plan.main_parts))]
    numbers, lowest = (np.array(values)[slots] for values in zip(*mains, strict=True))
    for part in plan.parts:
        is_main = part.number < plan.n_main
        chosen = np.flatnonzero(numbers == part.number if is_main else slots < plan.active_simulations[part.lowest])
        low = lowest if is_main else np.full(simulations.size, part.lowest)
        size = max(16, BATCH_POINTS // (part.n * part.n_series))
        for start in range(0, chosen.size, size):
            batch = chosen[start : start + size]
            batch = batch[np.argsort(low[batch], kind="stable")]
            run_part(plan, part, simulations[batch], low[batch], group_of[batch], histogram)
