"""What a plan consists of: parts, their rows, and the scales that they are made for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from .weights import TINY, nearest

if TYPE_CHECKING:
    from ..experiment import Experiment
    from ..types import IntArray

PADDING: Final = 2.2
"""Zeros beyond the series, in largest scales, where the exact pipeline has at least as many; else as many as it has."""


class Scales:
    """The scales of an experiment in samples, and which of them a scale box sums.

    Args:
        experiment: the parameters.

    Attributes:
        experiment: the parameters.
        sigma: shape (J + 1,), in samples.
        box: weights of the scale box, whole numbers.
        centre: how many rows the box reaches up from its own.
        first_usable: shape (J + 1,), first sample inside the cone of influence.
        padding: zeros after a whole series, in samples.
    """

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment
        self.sigma: list[float] = experiment.sigma.tolist()
        box = experiment.box.weights
        unit = 2 if all(abs(2 * weight - nearest(2 * weight)) < TINY for weight in box) else 256
        self.box = tuple(nearest(unit * weight) for weight in box)
        self.centre = experiment.box.centre
        self.first_usable: list[int] = experiment.first_usable.tolist()
        self.padding = min(experiment.n_padded - experiment.n_samples, PADDING * self.sigma[-1])

    def reach(self, i: int) -> tuple[int, int]:
        """First and last row that the box around row i needs.

        Args:
            i: number of the row, 0 to J.

        Returns:
            Two numbers of rows, 0 to J.
        """
        return max(0, i + self.centre - len(self.box) + 1), min(self.experiment.J, i + self.centre)

    def usable(self, j: int) -> int:
        """Samples of scale j inside the cone of influence; negative if there are none.

        Args:
            j: number of the scale, 0 to J.
        """
        return self.experiment.n_samples - 2 * self.first_usable[j]


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
        """True if it counts the same outputs of as many pairs as the next larger scale: sums can run on from there.

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
        """True if either kind is autocorrelated, as sampled here."""
        return self.lag1 != (0, 0)

    @property
    def period(self) -> float:
        """Length of the transform, in samples of the experiment."""
        return self.n * self.step

    def row(self, j: int) -> Row:
        """The row of scale j.

        Args:
            j: number of the scale, 0 to J, computed in this part.
        """
        return self.rows[j - self.rows[0].j]
