"""Continuous wavelet transforms of several libraries, brought to one convention.

The convention is that of Torrence & Compo (1998), which pycwt and this project share: Morlet wavelet with omega_0 = 6,
scales in samples, every wavelet with the energy of the first (L2 norm), series padded with zeros.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import math
import warnings
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
from elm11_host_ref.exact import wavelet as wavelets

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
        return _why_missing(self.package)


@cache
def _why_missing(package: str) -> str | None:
    """Why a package cannot be imported, or None: being installed is not enough where it wants a system library too."""
    if importlib.util.find_spec(package) is None:
        return f"{package} is not installed"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            importlib.import_module(package)
    except (ImportError, OSError) as error:
        return f"{package} cannot be loaded: {error}"
    return None


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


def _frequencies(sigma: FloatArray) -> FloatArray:
    """Centre of each scale's wavelet, cycles per sample."""
    result: FloatArray = OMEGA0 / (2 * math.pi * sigma)
    return result


def _mne(sigma: FloatArray) -> Callable[[FloatArray], ComplexArray]:
    from mne.time_frequency import tfr_array_morlet  # noqa: PLC0415

    # `n_cycles` is 2 pi f times the standard deviation in time: omega_0. Its wavelet has the energy 2.
    def transform(series: FloatArray) -> ComplexArray:
        with warnings.catch_warnings():
            # Of wavelets longer than the series: what comes of them is what the study measures.
            warnings.simplefilter("ignore", UserWarning)
            W: ComplexArray = tfr_array_morlet(
                series[None, None],
                1.0,
                _frequencies(sigma),
                n_cycles=OMEGA0,
                zero_mean=False,
                output="complex",
                verbose=False,
            )
        return W.reshape(sigma.size, series.size) / math.sqrt(2)

    return transform


def _obspy(sigma: FloatArray) -> Callable[[FloatArray], ComplexArray]:
    from obspy.signal.tf_misfit import cwt  # noqa: PLC0415

    lowest, *_, highest = sorted(_frequencies(sigma))  # it spaces what lies between evenly in the logarithm, as we do

    def transform(series: FloatArray) -> ComplexArray:
        W: ComplexArray = cwt(series, 1.0, OMEGA0, lowest, highest, nf=sigma.size)
        return W[::-1]

    return transform


def _elephant(sigma: FloatArray) -> Callable[[FloatArray], ComplexArray]:
    from elephant.signal_processing import wavelet_transform  # noqa: PLC0415

    # The standard deviation in time is n_cycles / 6 f; its Gaussian has sqrt(2 pi f) for Torrence & Compo's
    # pi**(-1/4) sqrt(2 pi / s).
    factor = math.pi**-0.25 * math.sqrt(2 * math.pi / OMEGA0)

    def transform(series: FloatArray) -> ComplexArray:
        W: ComplexArray = wavelet_transform(
            series, frequency=_frequencies(sigma), n_cycles=6 * OMEGA0 / (2 * math.pi), sampling_frequency=1.0
        )
        W *= factor
        return W

    return transform


def _fcwt(sigma: FloatArray) -> Callable[[FloatArray], ComplexArray]:
    import fcwt  # noqa: PLC0415

    # The library keeps a bare pointer to the wavelet: the function below has to keep the object alive.
    wavelet = fcwt.Morlet(OMEGA0 / (2 * math.pi))
    lowest, *_, highest = sorted(_frequencies(sigma).tolist())
    scales = fcwt.Scales(wavelet, fcwt.FCWT_LOGSCALES, 1, lowest, highest, sigma.size)
    engine = fcwt.FCWT(wavelet, 1, False, True)  # noqa: FBT003  one thread, no search for FFTW plans, normalised
    factor = np.sqrt(sigma)[:, None].astype(np.float32)

    def transform(series: FloatArray, _kept: object = wavelet) -> ComplexArray:
        W = np.zeros((sigma.size, series.size), np.complex64)
        engine.cwt(series.astype(np.float32), scales, W)
        W *= factor
        return cast("ComplexArray", W)  # of half the precision, which nobody who takes it minds

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
        Transform(
            "fcwt",
            "fCWT",
            "fcwt",
            _fcwt,
            "`Morlet(6 / 2 pi)`, `FCWT_LOGSCALES`, one thread, single precision (it has no other); times s^(1/2)",
        ),
        Transform(
            "mne",
            "MNE-Python",
            "mne",
            _mne,
            "`tfr_array_morlet` with `n_cycles=6`, `zero_mean=False`, `output='complex'`; times 2^(-1/2)",
        ),
        Transform(
            "obspy",
            "ObsPy",
            "obspy",
            _obspy,
            "`signal.tf_misfit.cwt` with `w0=6`; times 1",
        ),
        Transform(
            "elephant",
            "Elephant",
            "elephant",
            _elephant,
            "`wavelet_transform` with `n_cycles=36 / 2 pi`; times pi^(-1/4) (2 pi / 6)^(1/2)",
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
