"""Continuous wavelet transforms of several libraries, brought to one convention.

The convention is that of Torrence & Compo (1998), which pycwt and this project share: Morlet wavelet with omega_0 = 6,
scales in samples, every wavelet with the energy of the first (L2 norm), series padded with zeros.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from elm11_host_ref import wavelet as wavelets

from study.quiet_pycwt import MORLET, pycwt

if TYPE_CHECKING:
    from collections.abc import Callable

    from elm11_host_ref.types import ComplexArray, FloatArray

OMEGA0: Final = 6.0
_PYWT_NAME: Final = f"cmor2.0-{OMEGA0 / (2 * math.pi)!r}"
_PYWT_SUPPORT: Final = 16  # PyWavelets cuts a complex Morlet wavelet at 8 scales on either side


@dataclass(frozen=True)
class Transform:
    """A library's transform in the common convention.

    Attributes:
        key: short name.
        label: for figures and tables.
        package: what must be importable.
        make: gives the transform for some scales in samples (n_scales,), whatever can be kept between series being
            made; the transform takes a series (n_samples,) and returns (n_scales, n_samples), complex.
        convention: how the library's own result becomes this one.
    """

    key: str
    label: str
    package: str
    make: Callable[[FloatArray], Callable[[FloatArray], ComplexArray]]
    convention: str

    @property
    def missing(self) -> str | None:
        """Why it cannot be used, or None."""
        return None if importlib.util.find_spec(self.package) else f"{self.package} is not installed"


def pywt_precision(largest_sigma: float) -> int:
    """`precision` that gives PyWavelets' stored wavelet four points for every sample of the largest scale."""
    return max(12, math.ceil(math.log2(_PYWT_SUPPORT * largest_sigma)) + 2)


def _pycwt(sigma: FloatArray) -> Callable[[FloatArray], ComplexArray]:
    dj = math.log2(sigma[1] / sigma[0]) if sigma.size > 1 else 1.0

    def transform(series: FloatArray) -> ComplexArray:
        W: ComplexArray = pycwt.cwt(series, 1.0, dj, sigma[0], sigma.size - 1, MORLET)[0]
        return W

    return transform


def _ours(sigma: FloatArray) -> Callable[[FloatArray], ComplexArray]:
    return lambda series: wavelets.transform(series, sigma, wavelets.WAVELETS["morlet"])


def _pywavelets(sigma: FloatArray, precision: int) -> Callable[[FloatArray], ComplexArray]:
    import pywt  # noqa: PLC0415  not everybody has it

    # Its wavelet is (pi B)**-1/2 exp(-t**2 / B) exp(2 pi i C t); B = 2, C = 6 / 2 pi is Morlet's but for the factor.
    factor = math.pi**-0.25 * math.sqrt(2 * math.pi)

    def transform(series: FloatArray) -> ComplexArray:
        W: ComplexArray = pywt.cwt(series, sigma, _PYWT_NAME, method="fft", precision=precision)[0]
        W *= factor
        return W

    return transform


def _ssqueezepy(sigma: FloatArray, padding: str, *, keep: bool) -> Callable[[FloatArray], ComplexArray]:
    import ssqueezepy  # noqa: PLC0415

    # In the frequency domain its wavelet is sqrt(2) pi**(1/4) exp(-(w - mu)**2 / 2), and Torrence & Compo's, with the
    # sqrt(2 pi) of their Eq. (6), the same: no factor. Its correction for a zero mean is exp(-18).
    wavelet = ssqueezepy.Wavelet(("morlet", {"mu": OMEGA0}), dtype="float64")

    def transform(series: FloatArray) -> ComplexArray:
        W: ComplexArray = ssqueezepy.cwt(
            series, wavelet, scales=sigma, l1_norm=False, padtype=padding, cache_wavelet=keep, nan_checks=False
        )[0]
        return W

    return transform


TRANSFORMS: Final = {
    transform.key: transform
    for transform in (
        Transform("pycwt", "pycwt", "pycwt", _pycwt, "as it is"),
        Transform("ours", "this project", "elm11_host_ref", _ours, "as it is"),
        Transform(
            "pywt12",
            "PyWavelets, precision 12",
            "pywt",
            lambda sigma: _pywavelets(sigma, 12),
            "`cmor2.0-0.9549` (B = 2, C = 6 / 2 pi), `method='fft'`, the default `precision=12`; "
            "times pi^(-1/4) (2 pi)^(1/2)",
        ),
        Transform(
            "pywt",
            "PyWavelets, precision by scale",
            "pywt",
            lambda sigma: _pywavelets(sigma, pywt_precision(float(sigma[-1]))),
            "as above, with `precision` raised until the stored wavelet has 4 points per sample of the largest scale",
        ),
        Transform(
            "ssq",
            "ssqueezepy",
            "ssqueezepy",
            lambda sigma: _ssqueezepy(sigma, "zero", keep=False),
            "`('morlet', {'mu': 6})` in float64, `l1_norm=False`, `padtype='zero'`, filters made anew; times 1",
        ),
        Transform(
            "ssq_kept",
            "ssqueezepy, filters kept",
            "ssqueezepy",
            lambda sigma: _ssqueezepy(sigma, "zero", keep=True),
            "as above, with the filters of the first call kept (`cache_wavelet=True`)",
        ),
        Transform(
            "ssq_reflect",
            "ssqueezepy, reflected ends",
            "ssqueezepy",
            lambda sigma: _ssqueezepy(sigma, "reflect", keep=False),
            "as above, with its default padding, `padtype='reflect'`",
        ),
    )
}


def available() -> tuple[dict[str, Transform], dict[str, str]]:
    """The transforms that can be used, and why the others cannot."""
    usable = {key: transform for key, transform in TRANSFORMS.items() if transform.missing is None}
    return usable, {key: reason for key, one in TRANSFORMS.items() if (reason := one.missing)}


def silently(function: Callable[[], Any]) -> Any:  # noqa: ANN401  whatever the function returns
    """Call a function of a library that prints, and let nobody hear it."""
    with contextlib.redirect_stdout(io.StringIO()):
        return function()
