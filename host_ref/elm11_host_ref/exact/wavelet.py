"""Continuous wavelet transform after Torrence & Compo (1998), *A practical guide to wavelet analysis*, BAMS 79.

A scale is a length of time, as `dt` is; `sigma = scale / dt` is the same scale in samples.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from . import fft

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..types import AnyArray, ComplexArray, FloatArray, IntArray


def _morlet(k: FloatArray) -> FloatArray:
    # Table 1, omega_0 = 6. No Heaviside step: negative frequencies carry up to exp(-18), as in pycwt.
    spectrum: FloatArray = math.pi**-0.25 * np.exp(-0.5 * (k - 6.0) ** 2)
    return spectrum


def _paul(k: FloatArray) -> FloatArray:
    # Table 1, m = 4: 2**m / sqrt(m (2m-1)!) H(k) k**m exp(-k). The step is taken first: exp(-k) would overflow.
    positive = np.maximum(k, 0.0)
    spectrum: FloatArray = 16 / math.sqrt(4 * math.factorial(7)) * positive**4 * np.exp(-positive)
    return spectrum


def _dog(k: FloatArray) -> FloatArray:
    # Table 1, m = 2: -(i**m) / sqrt(Gamma(m + 1/2)) k**m exp(-k**2 / 2); -(i**2) = 1, so it is real.
    spectrum: FloatArray = 1 / math.sqrt(math.gamma(2.5)) * k**2 * np.exp(-0.5 * k**2)
    return spectrum


@dataclass(frozen=True, slots=True)
class Wavelet:
    """A mother wavelet.

    Attributes:
        name: as in `Experiment.wavelet`.
        spectrum: its Fourier transform psi(k), a function from `k = sigma * angular frequency` (radians, any shape)
            to values of the same shape, real for all wavelets here.
        fourier_factor: Fourier period = `fourier_factor * scale` (Table 1).
        e_folding: a sample at distance d from the nearer end of the series is safe from edge effects at scales up
            to `e_folding * d`; the reciprocal of the e-folding time in scales (Table 1).
        scale_decorrelation: width of the scale box in octaves, delta j0 (Table 2).
    """

    name: str
    spectrum: Callable[[FloatArray], FloatArray]
    fourier_factor: float
    e_folding: float
    scale_decorrelation: float


WAVELETS: Final[dict[str, Wavelet]] = {
    "morlet": Wavelet("morlet", _morlet, 4 * math.pi / (6 + math.sqrt(38)), 1 / math.sqrt(2), 0.60),
    "paul": Wavelet("paul", _paul, 4 * math.pi / 9, math.sqrt(2), 1.50),
    "dog": Wavelet("dog", _dog, 2 * math.pi / math.sqrt(2.5), 1 / math.sqrt(2), 1.40),
    # The Mexican hat is the DOG wavelet with m = 2, which is the DOG wavelet here; pycwt knows it by both names.
    "mexicanhat": Wavelet("mexicanhat", _dog, 2 * math.pi / math.sqrt(2.5), 1 / math.sqrt(2), 1.40),
}


def scales(s0: float, dj: float, J: int) -> FloatArray:
    """The scales `s0 * 2**(j * dj)`, j = 0 ... J: shape (J + 1,), in the unit of `s0`.

    Args:
        s0: smallest scale, > 0, in any unit of time.
        dj: spacing in octaves, > 0.
        J: number of scales less one.

    Source: Torrence & Compo (1998), Eq. (9).
    """
    result: FloatArray = s0 * 2.0 ** (np.arange(J + 1, dtype=np.float64) * dj)
    return result


def filters(sigma: FloatArray, n_padded: int, wavelet: Wavelet) -> FloatArray:
    """Frequency response of the wavelet at every scale.

    Args:
        sigma: shape (n_scales,), scales in samples.
        n_padded: transform length.
        wavelet: the mother wavelet.

    Returns:
        Shape (n_scales, n_padded), no unit: `sqrt(2 pi sigma) psi(sigma k)`.

    Source: Torrence & Compo (1998), Eq. (6).
    """
    column = sigma[:, None]
    response: FloatArray = np.sqrt(2 * np.pi * column) * wavelet.spectrum(column * fft.angular_frequencies(n_padded))
    return response


def transform(series: AnyArray, sigma: FloatArray, wavelet: Wavelet) -> ComplexArray:
    """Wavelet transform of a series, zero-padded to a power of two.

    Args:
        series: shape (n_samples,), real, evenly spaced, any unit.
        sigma: shape (n_scales,), scales in samples.
        wavelet: the mother wavelet.

    Returns:
        Shape (n_scales, n_samples), complex, in the unit of the series.

    Source: Torrence & Compo (1998), Eq. (4).
    """
    n_padded = fft.padded_length(series.size)
    product = fft.forward(series, n_padded) * filters(sigma, n_padded, wavelet)
    return fft.inverse(product)[:, : series.size]


def cone_of_influence(n_samples: int, dt: float, wavelet: Wavelet) -> FloatArray:
    """Longest Fourier period at each time that the ends of the series do not disturb.

    Args:
        n_samples: length of the series.
        dt: sampling interval, in any unit of time.
        wavelet: the mother wavelet.

    Returns:
        Shape (n_samples,), periods in the unit of `dt`; a triangle, half a sample high at the ends.

    Source: Torrence & Compo (1998), section 3g.
    """
    distance = n_samples / 2 - np.abs(np.arange(n_samples) - (n_samples - 1) / 2)
    longest: FloatArray = wavelet.fourier_factor * wavelet.e_folding * dt * distance
    return longest


def first_usable(sigma: FloatArray, wavelet: Wavelet) -> IntArray:
    """First sample of each scale inside the cone of influence; the last is as far from the other end.

    Sample t is usable at a scale when `sigma <= e_folding * (t + 1/2)`. Equality counts as usable, whatever rounding
    says: 1e-12 is far above the rounding error of sigma and far below any difference that is meant.

    Args:
        sigma: shape (n_scales,), scales in samples.
        wavelet: the mother wavelet.

    Returns:
        Shape (n_scales,), sample numbers.

    Source: Torrence & Compo (1998), section 3g, solved for the sample.
    """
    first: IntArray = np.ceil(sigma / wavelet.e_folding * (1 - 1e-12) - 0.5).astype(np.int64)
    return np.maximum(first, 0)
