"""Checks of a series and of the wavelet's arguments that every analysis makes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from elm11_host_ref.names import WAVELETS, real

if TYPE_CHECKING:
    from elm11_host_ref.exact.wavelet import Wavelet
    from elm11_host_ref.types import FloatArray
    from numpy.typing import ArrayLike

_PARAMETERS: Final = {"Morlet": ("f0", 6, "morlet"), "Paul": ("m", 4, "paul"), "DOG": ("m", 2, "dog")}


def wavelet_name(wavelet: object) -> str:
    """Name of a wavelet given by name or as one of pycwt's instances.

    Source: this project: pycwt's classes, by the names of Torrence & Compo (1998), Table 1.
    """
    if isinstance(wavelet, str):
        name = wavelet.lower().replace(" ", "")
        if name in WAVELETS:
            return name
    kind = type(wavelet).__name__
    if kind == "MexicanHat":
        return "mexicanhat"
    if kind in _PARAMETERS:
        attribute, value, name = _PARAMETERS[kind]
        if getattr(wavelet, attribute, None) == value:
            return name
        given = f"{kind}({getattr(wavelet, attribute, '?')})"
    else:
        given = repr(wavelet)
    raise ValueError(f"wavelet must be one of {', '.join(WAVELETS)} (Morlet(6), Paul(4), DOG(2)), not {given}")


def check_series(name: str, values: ArrayLike) -> FloatArray:
    """A series as doubles.

    Args:
        values: shape (n_samples,), the series, any unit, at least 3 samples.

    Returns:
        Shape (n_samples,), finite doubles in the unit of `values`.

    Source: this project: what the method of Grinsted, Moore & Jevrejeva (2004) needs.
    """
    try:
        series = np.asarray(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be a series of numbers: {error}") from error
    if series.ndim != 1 or series.size < 3:
        raise ValueError(f"{name} must have one dimension and at least 3 samples; its shape is {series.shape}")
    wrong = np.flatnonzero(~np.isfinite(series))
    if wrong.size:
        raise ValueError(f"{name} must have finite values only; sample {wrong[0]} is {series[wrong[0]]}")
    if np.ptp(series) == 0:
        raise ValueError(f"{name} must not be constant; all {series.size} samples are {series[0]}")
    return series


def default_scales(
    n_samples: int, dt: float, dj: float, mother: Wavelet, s0: float | None, J: int | None
) -> tuple[float, int]:
    """Smallest scale and number of scales less one, where they are not given.

    Args:
        dt: sampling interval, in any unit of time, > 0.
        s0: smallest scale, in the unit of dt; None takes the one whose Fourier period is 2 dt.
        J: number of scales less one; None goes up to the length of the series.

    Returns:
        `(s0, J)`: s0 in the unit of dt.

    Source: Torrence & Compo (1998), Eqs. (9) and (10), with s0 as pycwt chooses it.
    """
    for name, value in (("dt", dt), ("dj", dj), ("s0", 1 if s0 is None else s0)):
        if real(name, value) <= 0:
            raise ValueError(f"{name} must be greater than 0, not {value!r}")
    if s0 is None:
        s0 = 2 * dt / mother.fourier_factor
    if J is None:
        J = max(0, round(np.log2(n_samples * dt / s0) / dj))
    return s0, J
