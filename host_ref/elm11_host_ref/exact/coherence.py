"""Wavelet coherence of two series.

Source: Torrence & Webster (1999), Eq. (9); Grinsted, Moore & Jevrejeva (2004), Eq. (8).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from . import smoothing, wavelet

if TYPE_CHECKING:
    from ..types import AnyArray, ComplexArray, FloatArray


def coherence_from_transforms(
    W1: ComplexArray, W2: ComplexArray, sigma: FloatArray, box: smoothing.ScaleBox
) -> FloatArray:
    """Squared coherence from two wavelet transforms.

    `R2 = |<W1 W2* / s>|**2 / (<|W1|**2 / s> <|W2|**2 / s>)`, `<>` being the smoothing in time and over scales.

    Args:
        W1: shape (n_scales, n_samples).
        W2: shape (n_scales, n_samples).
        sigma: shape (n_scales,), scales in samples.
        box: the smoothing over scales.

    Returns:
        Shape (n_scales, n_samples), no unit, 0 to 1 (above 1 by rounding, or where scales lie below 0.75 samples).

    Source: Torrence & Webster (1999), Eq. (9); Grinsted, Moore & Jevrejeva (2004), Eq. (8).
    """
    column = sigma[:, None]
    S1 = smoothing.smooth(np.abs(W1) ** 2 / column, sigma, box)
    S2 = smoothing.smooth(np.abs(W2) ** 2 / column, sigma, box)
    S12 = smoothing.smooth(W1 * W2.conj() / column, sigma, box)
    squared: FloatArray = np.abs(S12) ** 2 / (S1 * S2)
    return squared


def coherence(
    x: AnyArray, y: AnyArray, sigma: FloatArray, mother: wavelet.Wavelet, box: smoothing.ScaleBox
) -> tuple[FloatArray, FloatArray]:
    """Squared coherence and phase of two series.

    Args:
        x: shape (n_samples,), real, evenly spaced.
        y: shape (n_samples,).
        sigma: shape (n_scales,), scales in samples.
        mother: the wavelet.
        box: the smoothing over scales.

    Returns:
        `(squared coherence, phase)`, each of shape (n_scales, n_samples). The phase is that of the cross transform
        `W1 W2*`, in radians: positive where x leads y.

    Source: Torrence & Webster (1999), Eq. (9); Grinsted, Moore & Jevrejeva (2004), Eq. (8).
    """
    W1 = wavelet.transform(x, sigma, mother)
    W2 = wavelet.transform(y, sigma, mother)
    phase: FloatArray = np.angle(W1 * W2.conj())
    return coherence_from_transforms(W1, W2, sigma, box), phase
