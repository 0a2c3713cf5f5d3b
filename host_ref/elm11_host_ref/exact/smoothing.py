"""Smoothing of wavelet spectra in time and over scales, before they are divided into a coherence.

Source: Torrence & Webster (1999), *Interdecadal changes in the ENSO-monsoon system*, J. Climate 12, and Grinsted,
Moore & Jevrejeva (2004), *Application of the cross wavelet transform and wavelet coherence*, Nonlin. Processes
Geophys. 11, section 3.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..names import SCALE_BOXES
from . import fft

if TYPE_CHECKING:
    from ..types import AnyArray, FloatArray
    from .wavelet import Wavelet


@dataclass(frozen=True, slots=True)
class ScaleBox:
    """Weights of the smoothing over scales.

    Row i of the result is `sum_m weights[m] * row[i + centre - m]`, rows outside the table being zero.

    Attributes:
        weights: from m = 0; not normalised, since coherence does not depend on their sum.
        centre: how far the box reaches beyond row i; a box of even length reaches one row further back.
    """

    weights: tuple[float, ...]
    centre: int


def scale_box(dj: float, wavelet: Wavelet, kind: str = "pycwt") -> ScaleBox:
    """The box that smooths over scales.

    `pycwt`: `L = round(2 * width / dj)` points (half to even), the outer two with weight 1/2, width being the
    wavelet's decorrelation length in octaves. `grinsted`: with `h = width / (2 dj)`, a row at distance d counts fully
    for `d + 1/2 <= h`, and with the fraction `h mod 1` for the next one outside; 1.6 to 2.9 times narrower.

    Args:
        dj: spacing of the scales in octaves.
        wavelet: the mother wavelet.
        kind: "pycwt" or "grinsted".

    Returns:
        The box; a single weight where the width is below one point.

    Raises:
        ValueError: `kind` is not a known box.

    Source: pycwt 0.5.0b0 `Morlet.smooth`; Grinsted's `smoothwavelet.m`.
    """
    if kind == "pycwt":
        length = round(wavelet.scale_decorrelation / dj * 2)
        # Two halves are an even box; one point, or none, is no smoothing.
        weights = (0.5, *(1.0,) * (length - 2), 0.5) if length > 2 else (1.0,) * max(length, 1)
        return ScaleBox(weights, (len(weights) - 1) // 2)
    if kind == "grinsted":
        half_width = wavelet.scale_decorrelation / (2 * dj)
        reach = int(half_width + 0.5)  # rows on each side, the fractional one included
        fraction = half_width % 1
        if reach == 0:
            return ScaleBox((1.0,), 0)
        return ScaleBox((fraction, *(1.0,) * (2 * reach - 1), fraction), reach)
    msg = f"scale_box must be one of {', '.join(SCALE_BOXES)}, not {kind!r}"
    raise ValueError(msg)


def smooth_time(rows: AnyArray, sigma: FloatArray) -> AnyArray:
    """Gaussian of standard deviation sigma over time, through the zero-padded spectrum.

    Args:
        rows: shape (n_scales, n_samples), real or complex.
        sigma: shape (n_scales,), scales in samples.

    Returns:
        The same shape and kind. The ends are not corrected: what lies beyond them counts as zero.

    Source: Torrence & Webster (1999); Grinsted, Moore & Jevrejeva (2004), section 3.3.
    """
    n_samples = rows.shape[-1]
    n_padded = fft.padded_length(n_samples)
    gaussian = np.exp(-0.5 * (sigma[:, None] * fft.angular_frequencies(n_padded)) ** 2)
    smoothed = fft.inverse(fft.forward(rows, n_padded) * gaussian)[:, :n_samples]
    return smoothed if np.iscomplexobj(rows) else smoothed.real


def smooth_scales(rows: AnyArray, box: ScaleBox) -> AnyArray:
    """Weighted sum over neighbouring scales, normalised to the sum of all weights also at the first and last scale.

    Args:
        rows: shape (n_scales, n_samples).
        box: from `scale_box`.

    Returns:
        The same shape.

    Source: Torrence & Webster (1999); Grinsted, Moore & Jevrejeva (2004), section 3.3.
    """
    n_scales = rows.shape[0]
    result = np.zeros_like(rows)
    for m, weight in enumerate(box.weights):
        shift = box.centre - m  # result[i] += weight * rows[i + shift]
        to, from_ = max(0, -shift), max(0, shift)
        count = n_scales - abs(shift)
        if count > 0:
            result[to : to + count] += weight / sum(box.weights) * rows[from_ : from_ + count]
    return result


def smooth(rows: AnyArray, sigma: FloatArray, box: ScaleBox) -> AnyArray:
    """Smoothing in time, then over scales: `smooth_scales(smooth_time(rows, sigma), box)`.

    Args:
        rows: shape (n_scales, n_samples), real or complex.
        sigma: shape (n_scales,), scales in samples.
        box: from `scale_box`.

    Returns:
        The shape and kind of `rows`, in their unit.

    Source: Torrence & Webster (1999); Grinsted, Moore & Jevrejeva (2004), section 3.3.
    """
    return smooth_scales(smooth_time(rows, sigma), box)
