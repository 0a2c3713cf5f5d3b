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

    Args:
        wavelet: a name, in any case, or `pycwt.Morlet(6)`, `Paul(4)`, `DOG(2)`, `MexicanHat()`.

    Raises:
        ValueError: it is another wavelet; smoothing lengths are known only for these four.

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
    msg = f"wavelet must be one of {', '.join(WAVELETS)} (Morlet(6), Paul(4), DOG(2)), not {given}"
    raise ValueError(msg)


def check_series(name: str, values: ArrayLike) -> FloatArray:
    """A series as doubles.

    Args:
        name: of the argument, for the error.
        values: shape (n_samples,), the series, any unit, at least 3 samples.

    Returns:
        Shape (n_samples,), finite doubles in the unit of `values`.

    Raises:
        ValueError: it is not one-dimensional, has fewer than 3 samples, is constant, or has values that are not
            finite numbers.

    Source: this project: what the method of Grinsted, Moore & Jevrejeva (2004) needs.
    """
    try:
        series = np.asarray(values, dtype=float)
    except (TypeError, ValueError) as error:
        msg = f"{name} must be a series of numbers: {error}"
        raise ValueError(msg) from error
    if series.ndim != 1 or series.size < 3:
        msg = f"{name} must have one dimension and at least 3 samples; its shape is {series.shape}"
        raise ValueError(msg)
    wrong = np.flatnonzero(~np.isfinite(series))
    if wrong.size:
        msg = f"{name} must have finite values only; sample {wrong[0]} is {series[wrong[0]]}"
        raise ValueError(msg)
    if np.ptp(series) == 0:
        msg = f"{name} must not be constant; all {series.size} samples are {series[0]}"
        raise ValueError(msg)
    return series


def default_scales(
    n_samples: int, dt: float, dj: float, mother: Wavelet, s0: float | None, J: int | None
) -> tuple[float, int]:
    """Smallest scale and number of scales less one, where they are not given.

    Args:
        n_samples: length of the series.
        dt: sampling interval, in any unit of time, > 0.
        dj: spacing of the scales in octaves, > 0.
        mother: the wavelet.
        s0: smallest scale, in the unit of dt; None takes the one whose Fourier period is 2 dt.
        J: number of scales less one; None goes up to the length of the series.

    Returns:
        `(s0, J)`: s0 in the unit of dt.

    Raises:
        ValueError: dt, dj or s0 is not greater than 0.

    Source: Torrence & Compo (1998), Eqs. (9) and (10), with s0 as pycwt chooses it.
    """
    for name, value in (("dt", dt), ("dj", dj), ("s0", 1 if s0 is None else s0)):
        if real(name, value) <= 0:
            msg = f"{name} must be greater than 0, not {value!r}"
            raise ValueError(msg)
    if s0 is None:
        s0 = 2 * dt / mother.fourier_factor
    if J is None:
        J = max(0, round(np.log2(n_samples * dt / s0) / dj))
    return s0, J
