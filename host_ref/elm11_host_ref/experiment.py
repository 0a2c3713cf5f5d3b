"""The Monte Carlo experiment: its parameters, and the sizes that follow from them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from .exact import fft, rednoise, smoothing
from .exact import wavelet as wavelets
from .names import (
    MAX_BINS,
    MAX_BURN_IN,
    MAX_SAMPLES,
    MAX_SCALES,
    MAX_SEED,
    MIN_DJ,
    MIN_SIGMA,
    SCALE_BOXES,
    SURROGATES,
    WAVELETS,
    one_of,
    real,
    whole,
)

if TYPE_CHECKING:
    from .types import FloatArray, IntArray


def _check_lag1(name: str, lag1: float) -> None:
    if not -1 < lag1 < 1:
        msg = f"{name} must lie between -1 and 1 (both excluded), not {lag1!r}"
        raise ValueError(msg)
    if rednoise.burn_in(lag1) > MAX_BURN_IN:
        limit = math.exp(-2 / MAX_BURN_IN)
        msg = f"|{name}| must be at most {limit:.6f}: {lag1!r} needs more than {MAX_BURN_IN} samples to settle"
        raise ValueError(msg)


@dataclass(frozen=True)
class Experiment:
    """Parameters of a simulation. Simulation i is a pure function of the experiment and i.

    Attributes:
        lag1_x: lag-1 autocorrelation of the first surrogate, -1 < lag1_x < 1.
        lag1_y: lag-1 autocorrelation of the second surrogate.
        dt: sampling interval, > 0; any unit of time.
        dj: spacing of the scales in octaves, at least 0.01.
        s0: smallest scale, in the unit of dt; at least 2 dt is advised.
        J: number of scales less one.
        wavelet: "morlet", "paul", "dog" or "mexicanhat".
        n_bins: histogram bins over squared coherence 0 ... 1.
        seed: 0 to 2**64 - 1.
        surrogates: "ar1" (red noise) or "white".
        scale_box: "pycwt" or "grinsted".

    Raises:
        ValueError: a parameter is outside its range; the message names it and the range.
    """

    lag1_x: float
    lag1_y: float
    dt: float
    dj: float
    s0: float
    J: int
    wavelet: str = "morlet"
    n_bins: int = 1000
    seed: int = 1
    surrogates: str = "ar1"
    scale_box: str = "pycwt"

    def __post_init__(self) -> None:
        for name in ("lag1_x", "lag1_y", "dt", "dj", "s0"):
            object.__setattr__(self, name, real(name, getattr(self, name)))
        for name in ("lag1_x", "lag1_y"):
            _check_lag1(name, getattr(self, name))
        for name in ("dt", "dj", "s0"):
            if getattr(self, name) <= 0:
                msg = f"{name} must be greater than 0, not {getattr(self, name)!r}"
                raise ValueError(msg)
        one_of("wavelet", self.wavelet, WAVELETS)
        one_of("surrogates", self.surrogates, SURROGATES)
        one_of("scale_box", self.scale_box, SCALE_BOXES)
        for name, low, high in (("J", 0, MAX_SCALES), ("n_bins", 2, MAX_BINS), ("seed", 0, MAX_SEED)):
            object.__setattr__(self, name, whole(name, getattr(self, name), low, high))
        for name, least, described in (
            ("dj", MIN_DJ, f"{MIN_DJ} octaves (1/12 is usual)"),
            ("s0", MIN_SIGMA * self.dt, f"{MIN_SIGMA} dt = {MIN_SIGMA * self.dt!r} (2 dt is advised)"),
        ):
            if getattr(self, name) < least:
                msg = f"{name} must be at least {described}, not {getattr(self, name)!r}"
                raise ValueError(msg)
        largest = math.log2(self.s0 / self.dt) + self.J * self.dj
        if not math.log2(0.5) <= largest <= math.log2(MAX_SAMPLES / 6):
            msg = (
                f"J * dj must leave the largest scale s0 * 2**(J * dj) between 0.5 and {MAX_SAMPLES // 6} dt; "
                f"with s0 / dt = {self.s0 / self.dt:g} and dj = {self.dj:g}, J = {self.J} gives 2**{largest:.4g} dt"
            )
            raise ValueError(msg)

    @property
    def mother(self) -> wavelets.Wavelet:
        """The wavelet that `wavelet` names."""
        return wavelets.WAVELETS[self.wavelet]

    @cached_property
    def n_samples(self) -> int:
        """Samples of a surrogate: `ceil(6 * largest scale / dt)`, so that every scale has samples outside the cone."""
        largest = self.s0 * (2 ** (self.J * self.dj)) / self.dt
        return math.ceil(largest * 6)

    @property
    def n_padded(self) -> int:
        """Length of every transform: the next power of two, not below `n_samples`."""
        return fft.padded_length(self.n_samples)

    @cached_property
    def sigma(self) -> FloatArray:
        """Scales in samples, shape (J + 1,)."""
        return self.scales / self.dt

    @property
    def scales(self) -> FloatArray:
        """Scales in the unit of dt, shape (J + 1,)."""
        return wavelets.scales(self.s0, self.dj, self.J)

    @property
    def periods(self) -> FloatArray:
        """Fourier periods of the scales, in the unit of dt, shape (J + 1,)."""
        return self.mother.fourier_factor * self.scales

    @cached_property
    def first_usable(self) -> IntArray:
        """First sample inside the cone of influence per scale, shape (J + 1,); the last is `n_samples - 1 - first`."""
        return wavelets.first_usable(self.sigma, self.mother)

    @property
    def n_usable(self) -> IntArray:
        """Samples counted per simulation and scale, shape (J + 1,)."""
        return np.maximum(self.n_samples - 2 * self.first_usable, 0)

    @property
    def box(self) -> smoothing.ScaleBox:
        """The smoothing over scales."""
        return smoothing.scale_box(self.dj, self.mother, self.scale_box)

    @property
    def noise_lag1(self) -> tuple[float, float]:
        """Lag-1 autocorrelation of the two surrogates as generated: zero for white ones."""
        return (0.0, 0.0) if self.surrogates == "white" else (self.lag1_x, self.lag1_y)
