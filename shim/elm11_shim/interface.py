"""Every part of the pipeline as a function on NumPy arrays, computed by NumPy or by the board's Lua."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from elm11_host_ref.exact import fft
from elm11_host_ref.exact import wavelet as wavelets
from elm11_host_ref.exact.rednoise import burn_in
from elm11_host_ref.experiment import Experiment
from elm11_host_ref.names import (
    MAX_BURN_IN,
    MAX_SAMPLES,
    MAX_SIMULATIONS,
    MIN_SIGMA,
    SCALE_BOXES,
    WAVELETS,
    one_of,
    real,
    whole,
)

from .twins import LuaTwin, NumpyTwin

if TYPE_CHECKING:
    from elm11_host_ref.types import AnyArray, ComplexArray, FloatArray, IntArray
    from numpy.typing import ArrayLike

    from .twins import Twin

MODES: Final = ("python", "lua")
MAX_SCALES: Final = 10_000


def _array(name: str, values: ArrayLike, *, ndim: int, is_complex: bool, least: int) -> AnyArray:
    """Numbers as an array of doubles, each dimension at least `least` long (the first: 1), none of them NaN."""
    what = "a series" if ndim == 1 else "a table (scales by samples)"
    try:
        given = np.asarray(values)
        array: AnyArray = given.astype(complex if np.iscomplexobj(given) else float)
    except (TypeError, ValueError):
        msg = f"{name} must be {what} of numbers"
        raise ValueError(msg) from None
    if array.ndim != ndim or not least <= array.shape[-1] <= MAX_SAMPLES or array.size == 0:
        msg = f"{name} must be {what} of {least} to {MAX_SAMPLES} samples, not an array of shape {array.shape}"
        raise ValueError(msg)
    if np.iscomplexobj(array) and not is_complex:
        msg = f"{name} must be real, not complex"
        raise ValueError(msg)
    if not np.isfinite(array).all():
        msg = f"{name} must be finite; element {int(np.flatnonzero(~np.isfinite(array))[0])} is not"
        raise ValueError(msg)
    return array


def _positive(name: str, value: Any) -> float:  # noqa: ANN401  it is the check that makes it a number
    number = real(name, value)
    if number <= 0:
        msg = f"{name} must be greater than 0, not {value!r}"
        raise ValueError(msg)
    return number


def _sigma(dt: float, dj: float, s0: float, J: int) -> FloatArray:
    """The scales in samples."""
    dt, dj, s0 = _positive("dt", dt), _positive("dj", dj), _positive("s0", s0)
    J = whole("J", J, 0, MAX_SCALES)
    if s0 / dt < MIN_SIGMA:
        msg = f"s0 must be at least {MIN_SIGMA} dt = {MIN_SIGMA * dt!r}, not {s0!r}"
        raise ValueError(msg)
    largest = np.log2(s0 / dt) + J * dj
    if largest > np.log2(MAX_SAMPLES):
        msg = f"J * dj must leave the largest scale s0 * 2**(J * dj) at most {MAX_SAMPLES} dt, not 2**{largest:.4g} dt"
        raise ValueError(msg)
    sigma: FloatArray = wavelets.scales(s0, dj, J) / dt
    return sigma


class ShimInterface:
    """The pipeline's parts by one of two twins, with the same arguments and returns.

    Results of the two modes agree: random numbers, red noise and counts exactly (counts: but for samples within 1e-9
    of an edge between bins), everything else within rounding.

    Args:
        mode: "python" for the NumPy reference, "lua" for the board's programs in this process.

    Raises:
        ValueError: there is no such mode.
    """

    def __init__(self, mode: str = "python") -> None:
        one_of("mode", mode, MODES)
        self.mode = mode
        self._twin: Twin = LuaTwin() if mode == "lua" else NumpyTwin()

    def generate_rednoise(
        self, n_samples: int, lag1: float, seed: int = 1, simulation: int = 0, series: int = 0
    ) -> FloatArray:
        """One surrogate series: AR(1) noise driven by normal deviates of standard deviation 1, not normalised.

        Args:
            n_samples: samples to make, 1 to 2**22.
            lag1: lag-1 autocorrelation, -1 < lag1 < 1; 0 gives white noise.
            seed: 0 to 2**64 - 1.
            simulation: number of the simulation whose series it is, 0 to 2**31 - 1.
            series: 0 for x, 1 for y.

        Returns:
            Shape (n_samples,), no unit; standard deviation `(1 - lag1**2)**-0.5`.

        Raises:
            ValueError: an argument is outside its range.

        Source: Torrence & Compo (1998), Eq. (15); xoshiro128**, Blackman & Vigna (2021).
        """
        n_samples = whole("n_samples", n_samples, 1, MAX_SAMPLES)
        lag1 = real("lag1", lag1)
        if not -1 < lag1 < 1 or burn_in(lag1) > MAX_BURN_IN:
            msg = f"lag1 must lie between -1 and 1 and settle within {MAX_BURN_IN} samples, not be {lag1!r}"
            raise ValueError(msg)
        seed = whole("seed", seed, 0, 2**64 - 1)
        simulation = whole("simulation", simulation, 0, MAX_SIMULATIONS - 1)
        return self._twin.red_noise(n_samples, lag1, seed, simulation, whole("series", series, 0, 1))

    def compute_fft(self, series: ArrayLike) -> ComplexArray:
        """Fourier transform of a series, zero-padded to the next power of two, unnormalised.

        Args:
            series: shape (n_samples,), real or complex, 1 to 2**22 samples.

        Returns:
            Shape (n_padded,), complex: `X[k] = sum_t x[t] exp(-2 pi i k t / n_padded)`, as `numpy.fft.fft`.

        Raises:
            ValueError: it is no such series.
        """
        values = _array("series", series, ndim=1, is_complex=True, least=1)
        return self._twin.forward(values, fft.padded_length(values.size))

    def compute_ifft(self, spectrum: ArrayLike) -> ComplexArray:
        """Inverse Fourier transform, what undoes `compute_fft` but for its padding.

        Args:
            spectrum: shape (n_padded,), n_padded a power of two up to 2**22, in the order of `numpy.fft.fft`.

        Returns:
            Shape (n_padded,), complex: `x[t] = 1/n sum_k X[k] exp(2 pi i k t / n)`, as `numpy.fft.ifft`.

        Raises:
            ValueError: it is no such spectrum.
        """
        values = _array("spectrum", spectrum, ndim=1, is_complex=True, least=1)
        if values.size != fft.padded_length(values.size):
            msg = f"spectrum must have a power of two of elements, not {values.size}"
            raise ValueError(msg)
        return self._twin.inverse(values.astype(complex))

    def compute_cwt(
        self, series: ArrayLike, dt: float, dj: float, s0: float, J: int, wavelet: str = "morlet"
    ) -> ComplexArray:
        """Continuous wavelet transform at the scales `s0 * 2**(j * dj)`, the series zero-padded to a power of two.

        Args:
            series: shape (n_samples,), real, evenly spaced, 2 to 2**22 samples.
            dt: sampling interval, in any unit of time, > 0.
            dj: spacing of the scales in octaves, > 0.
            s0: smallest scale, in the unit of dt, at least 0.01 dt.
            J: number of scales less one, 0 to 10 000.
            wavelet: "morlet", "paul", "dog" or "mexicanhat".

        Returns:
            Shape (J + 1, n_samples), complex, in the unit of the series.

        Raises:
            ValueError: an argument is outside its range.

        Source: Torrence & Compo (1998), Eq. (4) and (6).
        """
        values = _array("series", series, ndim=1, is_complex=False, least=2)
        one_of("wavelet", wavelet, WAVELETS)
        return self._twin.transform(values, _sigma(dt, dj, s0, J), wavelet)

    def smooth(
        self,
        rows: ArrayLike,
        dt: float,
        dj: float,
        scales: ArrayLike,
        wavelet: str = "morlet",
        scale_box: str = "pycwt",
    ) -> AnyArray:
        """Smoothing in time by a Gaussian as wide as the scale, then over scales by a box.

        Args:
            rows: shape (n_scales, n_samples), real or complex, n_samples from 2 to 2**22.
            dt: sampling interval, in any unit of time, > 0.
            dj: spacing of the scales in octaves, > 0.
            scales: shape (n_scales,), > 0 and rising, in the unit of dt.
            wavelet: whose box over scales to take.
            scale_box: "pycwt" or "grinsted".

        Returns:
            The shape and kind of `rows`, and their unit.

        Raises:
            ValueError: an argument is outside its range.

        Source: Torrence & Webster (1999); Grinsted et al. (2004), section 3.3.
        """
        table = _array("rows", rows, ndim=2, is_complex=True, least=2)
        sigma = _array("scales", scales, ndim=1, is_complex=False, least=1) / _positive("dt", dt)
        if sigma.size != table.shape[0] or not (np.diff(sigma, prepend=0.0) > 0).all():
            msg = f"scales must be {table.shape[0]} rising numbers above 0, one for each row"
            raise ValueError(msg)
        one_of("wavelet", wavelet, WAVELETS)
        one_of("scale_box", scale_box, SCALE_BOXES)
        return self._twin.smooth(table, sigma, _positive("dj", dj), wavelet, scale_box)

    def compute_coherence(
        self,
        x: ArrayLike,
        y: ArrayLike,
        dt: float,
        dj: float,
        s0: float,
        J: int,
        wavelet: str = "morlet",
        scale_box: str = "pycwt",
    ) -> FloatArray:
        """Squared wavelet coherence of two series at the scales `s0 * 2**(j * dj)`.

        Args:
            x: shape (n_samples,), real, evenly spaced, 2 to 2**22 samples.
            y: shape (n_samples,).
            dt: sampling interval, in any unit of time, > 0.
            dj: spacing of the scales in octaves, > 0.
            s0: smallest scale, in the unit of dt, at least 0.01 dt.
            J: number of scales less one, 0 to 10 000.
            wavelet: "morlet", "paul", "dog" or "mexicanhat".
            scale_box: "pycwt" or "grinsted".

        Returns:
            Shape (J + 1, n_samples), no unit, 0 to 1.

        Raises:
            ValueError: an argument is outside its range.

        Source: Torrence & Webster (1999), Eq. (9); Grinsted et al. (2004), Eq. (8).
        """
        first = _array("x", x, ndim=1, is_complex=False, least=2)
        second = _array("y", y, ndim=1, is_complex=False, least=2)
        if first.size != second.size:
            msg = f"x and y must have the same number of samples, not {first.size} and {second.size}"
            raise ValueError(msg)
        one_of("wavelet", wavelet, WAVELETS)
        one_of("scale_box", scale_box, SCALE_BOXES)
        return self._twin.coherence(first, second, _sigma(dt, dj, s0, J), real("dj", dj), wavelet, scale_box)

    def run_monte_carlo(
        self,
        lag1_x: float,
        lag1_y: float,
        dt: float,
        dj: float,
        s0: float,
        J: int,
        n_simulations: int = 300,
        *,
        first_simulation: int = 0,
        wavelet: str = "morlet",
        n_bins: int = 1000,
        seed: int = 1,
        surrogates: str = "ar1",
        scale_box: str = "pycwt",
    ) -> IntArray:
        """Histogram of the squared coherence of pairs of independent surrogates, scale by scale.

        Args:
            lag1_x: lag-1 autocorrelation of the first surrogate, -1 < lag1_x < 1.
            lag1_y: lag-1 autocorrelation of the second surrogate.
            dt: sampling interval, in any unit of time, > 0.
            dj: spacing of the scales in octaves, > 0.
            s0: smallest scale, in the unit of dt.
            J: number of scales less one.
            n_simulations: pairs of surrogates, 1 to 2**31.
            first_simulation: number of the first of them.
            wavelet: "morlet", "paul", "dog" or "mexicanhat".
            n_bins: bins over 0 ... 1, 2 to 65 536.
            seed: 0 to 2**64 - 1.
            surrogates: "ar1" or "white".
            scale_box: "pycwt" or "grinsted".

        Returns:
            Shape (J + 1, n_bins), int64: samples inside the cone of influence by squared coherence. Counts of
            different simulations add.

        Raises:
            ValueError: an argument is outside its range.

        Source: Grinsted et al. (2004), section 3.4.
        """
        experiment = Experiment(
            lag1_x, lag1_y, dt, dj, s0, J, wavelet, n_bins, seed, surrogates=surrogates, scale_box=scale_box
        )
        start = whole("first_simulation", first_simulation, 0, MAX_SIMULATIONS - 1)
        count = whole("n_simulations", n_simulations, 1, MAX_SIMULATIONS - start)
        return self._twin.counts(experiment, range(start, start + count))

    def sine(self, n_samples: int, period: float, amplitude: float = 1.0, phase: float = 0.0) -> FloatArray:
        """`amplitude * sin(2 pi (t / period + phase))` for t = 0 ... n_samples - 1.

        Args:
            n_samples: samples to make, 1 to 2**22.
            period: in samples, > 0.
            amplitude: any unit.
            phase: in periods; 1/4 is a quarter period ahead.

        Returns:
            Shape (n_samples,), in the unit of the amplitude.

        Raises:
            ValueError: an argument is outside its range.
        """
        return self._signal("sine", n_samples, period, amplitude, phase)

    def square(self, n_samples: int, period: float, amplitude: float = 1.0, phase: float = 0.0) -> FloatArray:
        """`amplitude` in the first half of each period, `-amplitude` in the second; all else as `sine`."""
        return self._signal("square", n_samples, period, amplitude, phase)

    def sawtooth(self, n_samples: int, period: float, amplitude: float = 1.0, phase: float = 0.0) -> FloatArray:
        """Rises from `-amplitude` to `amplitude` in each period; all else as `sine`."""
        return self._signal("sawtooth", n_samples, period, amplitude, phase)

    def triangle(self, n_samples: int, period: float, amplitude: float = 1.0, phase: float = 0.0) -> FloatArray:
        """Rises for half of each period, from `-amplitude`, and falls for the other; all else as `sine`."""
        return self._signal("triangle", n_samples, period, amplitude, phase)

    def _signal(self, shape: str, n_samples: int, period: float, amplitude: float, phase: float) -> FloatArray:
        n_samples = whole("n_samples", n_samples, 1, MAX_SAMPLES)
        period, amplitude = _positive("period", period), real("amplitude", amplitude)
        return self._twin.signal(shape, n_samples, period, amplitude, real("phase", phase))
