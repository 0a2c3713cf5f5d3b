"""Fourier transforms as this project uses them: padded to a power of two, unnormalised forward.

The arithmetic is `numpy.fft`; `fft.lua` is the same transform on the board.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ..types import AnyArray, ComplexArray, FloatArray


def padded_length(n_samples: int) -> int:
    """Next power of two that is not below `n_samples` (at least 1 sample).

    Args:
        n_samples: samples per series.

    Source: pycwt 0.5.0b0, whose transforms are padded so (docs/method.md, step 1).
    """
    return 1 << (n_samples - 1).bit_length()


def forward(series: AnyArray, n_padded: int) -> ComplexArray:
    """`X[k] = sum_t x[t] exp(-2 pi i k t / n)` of zero-padded series, along the last axis.

    Args:
        series: shape (..., n_samples), real or complex, n_samples <= n_padded.
        n_padded: transform length n.

    Returns:
        Shape (..., n_padded), complex128, in the unit of `series`.

    Source: the definition of the discrete Fourier transform, as in Torrence & Compo (1998), Eq. (3), without its 1 / N.
    """
    spectrum: ComplexArray = np.fft.fft(np.asarray(series, complex), n_padded)
    return spectrum


def inverse(spectrum: ComplexArray) -> ComplexArray:
    """`x[t] = 1/n sum_k X[k] exp(2 pi i k t / n)`, along the last axis of shape (..., n_padded).

    Args:
        spectrum: shape (..., n_padded), any unit.

    Returns:
        The same shape, complex, in the unit of the spectrum.

    Source: the definition of the inverse discrete Fourier transform.
    """
    series: ComplexArray = np.fft.ifft(spectrum)
    return series


def angular_frequencies(n_padded: int) -> FloatArray:
    """Angular frequency of every bin: shape (n_padded,), radians per sample, negative in the upper half.

    Args:
        n_padded: transform length.

    Source: Torrence & Compo (1998), Eq. (5), with a sampling interval of 1.
    """
    frequencies: FloatArray = np.multiply(2 * np.pi, np.fft.fftfreq(n_padded))
    return frequencies


def separate(packed: ComplexArray) -> tuple[ComplexArray, ComplexArray]:
    """Spectra of two real series that were transformed as one complex series `x + i y`.

    A real series has `X[-k] = conj(X[k])`, so `X[k] = (Z[k] + conj(Z[-k])) / 2` and
    `Y[k] = (Z[k] - conj(Z[-k])) / 2i`.

    Args:
        packed: shape (..., n_padded), the transform Z of `x + i y`.

    Returns:
        `(X, Y)`, each of the shape and unit of `packed`.

    Source: the symmetry above.
    """
    mirrored = np.conj(np.roll(packed[..., ::-1], 1, axis=-1))
    return (packed + mirrored) / 2, (packed - mirrored) / 2j
