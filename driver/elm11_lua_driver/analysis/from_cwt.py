"""Wavelet coherence from transforms that another library computed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from elm11_host_ref.exact import coherence as host_coherence
from elm11_host_ref.exact import smoothing
from elm11_host_ref.exact import wavelet as wavelets
from elm11_host_ref.names import MIN_DJ, one_of, real

from ..series.checks import wavelet_name

if TYPE_CHECKING:
    from elm11_host_ref.types import FloatArray
    from numpy.typing import ArrayLike, NDArray

NORMS: Final = ("l2", "l1")

# Libraries that keep scales in single precision are off by 1e-7; a wrong dj is off by far more.
_SPACING_TOLERANCE_OCTAVES: Final = 1e-4


def coherence_from_cwt(
    W1: ArrayLike,
    W2: ArrayLike,
    scales: ArrayLike,
    dt: float,
    dj: float,
    *,
    wavelet: object = "morlet",
    norm: str = "l2",
    scale_box: str = "pycwt",
) -> tuple[FloatArray, FloatArray]:
    """Squared wavelet coherence and phase from two continuous wavelet transforms of any library.

    `R2 = |<W1 W2* / s>|**2 / (<|W1|**2 / s> <|W2|**2 / s>)`, `<>` being a Gaussian of standard deviation s over time
    and then a box over scales. Squared coherence does not change when a whole transform is multiplied by a constant,
    nor when both are turned by the same phase; it does change when the *rows* of a transform are weighted differently,
    since the box adds neighbouring scales. So the norm of the wavelet matters.

    The levels of `wct_significance` are those of the transform of Torrence & Compo, padded with zeros. They hold for
    another library's transform as far as that agrees inside the cone of influence; docs/performance.md shows
    measurements for PyWavelets and ssqueezepy.

    Args:
        W1: shape (n_scales, n_samples), transform of the first series, any unit; smallest scale first.
        W2: shape (n_scales, n_samples), transform of the second series, by the same library with the same arguments.
        scales: shape (n_scales,), in the unit of dt, each `2**dj` times the one before, as Torrence & Compo define
            them: a Morlet wavelet of scale s is `exp(-(t/s)**2 / 2)` wide and turns by 6 / s radians per unit of time.
        dt: sampling interval, in any unit of time, > 0.
        dj: spacing of the scales in octaves, at least 0.01.
        wavelet: a name or one of pycwt's instances (`wavelet_name`); the width of the box over scales depends on it.
        norm: "l2" where all wavelets have the same energy (pycwt, PyWavelets, ssqueezepy with `l1_norm=False`); "l1"
            where an oscillation has the same amplitude at every scale (ssqueezepy's default).
        scale_box: "pycwt" or "grinsted"; take the same for the levels.

    Returns:
        `(squared coherence, phase)`, each of shape (n_scales, n_samples). Squared coherence: no unit, 0 to 1 up to
        rounding; NaN where a transform is zero. Phase of `W1 W2*`: radians, positive where the first series leads.

    Raises:
        ValueError: an argument is outside its range, or shapes and spacing do not fit together.

    Source: Torrence & Webster (1999), Eq. (9); Grinsted, Moore & Jevrejeva (2004), Eq. (8).

    Example:
        >>> import numpy as np
        >>> import pycwt
        >>> from elm11_lua_driver import coherence_from_cwt
        >>> x, y = np.random.default_rng(1).standard_normal((2, 200))
        >>> W1, scales, *_ = pycwt.cwt(x, dt=0.5, dj=0.25, s0=1.0, J=12, wavelet="morlet")
        >>> W2, *_ = pycwt.cwt(y, dt=0.5, dj=0.25, s0=1.0, J=12, wavelet="morlet")
        >>> squared, phase = coherence_from_cwt(W1, W2, scales, dt=0.5, dj=0.25)
        >>> squared.shape
        (13, 200)
    """
    first, second = _transform("W1", W1), _transform("W2", W2)
    if first.shape != second.shape:
        raise ValueError(f"W1 and W2 must have the same shape, not {first.shape} and {second.shape}")
    for name, value, least in (("dt", dt, 0.0), ("dj", dj, MIN_DJ)):
        if real(name, value) <= 0 or value < least:
            raise ValueError(f"{name} must be {f'at least {least:g}' if least else 'greater than 0'}, not {value!r}")
    one_of("norm", norm, NORMS)
    mother = wavelets.WAVELETS[wavelet_name(wavelet)]
    box = smoothing.scale_box(dj, mother, scale_box)
    sigma = _scales(scales, first.shape[0], dj) / dt
    if norm == "l1":
        root = np.sqrt(sigma)[:, None]
        first, second = first * root, second * root
    with np.errstate(invalid="ignore", divide="ignore"):
        squared = host_coherence.coherence_from_transforms(first, second, sigma, box)
    phase: FloatArray = np.angle(first * second.conj())
    return squared, phase


def _transform(name: str, values: ArrayLike) -> NDArray[Any]:
    """The transform in double precision, complex."""
    try:
        table = np.asarray(values, dtype=complex)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be an array of numbers: {error}") from error
    if table.ndim != 2 or 0 in table.shape:
        raise ValueError(f"{name} must have the shape (n_scales, n_samples), not {table.shape}")
    wrong = np.argwhere(~np.isfinite(table))
    if wrong.size:
        row, sample = wrong[0].tolist()
        raise ValueError(
            f"{name} must have finite values only; at scale {row}, sample {sample} it is {table[row, sample]}"
        )
    return table


def _scales(scales: ArrayLike, n_scales: int, dj: float) -> FloatArray:
    """The scales as doubles."""
    try:
        column = np.asarray(scales, dtype=float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"scales must be an array of numbers: {error}") from error
    if column.shape != (n_scales,):
        raise ValueError(f"scales must be as many as rows of W1, {n_scales}, not of shape {column.shape}")
    if not (np.isfinite(column).all() and (column > 0).all()):
        raise ValueError(f"scales must be finite and greater than 0, not {column}")
    spacing = np.diff(np.log2(column))
    wrong = np.flatnonzero(np.abs(spacing - dj) > _SPACING_TOLERANCE_OCTAVES)
    if wrong.size:
        j = int(wrong[0])
        raise ValueError(
            f"scales must grow by dj = {dj:g} octaves from row to row; from scale {j} ({column[j]:g}) to scale {j + 1} "
            f"({column[j + 1]:g}) it is {spacing[j]:.6g} octaves"
        )
    return column
