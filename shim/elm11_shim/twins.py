"""The same functions twice: by NumPy, and by the board's Lua. `interface.py` checks arguments before they come here."""

# ruff: noqa: D102  `Twin` documents the methods of both

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from elm11_host_ref import signals
from elm11_host_ref.exact import coherence, fft, rednoise, smoothing, vectorised, wavelet

from .runtime import FirmwareLua
from .simulation import simulate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from elm11_host_ref.experiment import Experiment
    from elm11_host_ref.types import AnyArray, ComplexArray, FloatArray, IntArray


class Twin(Protocol):
    """What both can do. `sigma` are scales in samples; everything else as in `ShimInterface`."""

    def red_noise(self, n_samples: int, lag1: float, seed: int, simulation: int, series: int) -> FloatArray:
        """Shape (n_samples,): one surrogate series.

        Args:
            n_samples: samples to make.
            lag1: lag-1 autocorrelation, -1 < lag1 < 1.
            seed: 0 to 2**64 - 1.
            simulation: simulation number.
            series: 0 for x, 1 for y.
        """
        ...

    def forward(self, series: AnyArray, n_padded: int) -> ComplexArray:
        """Shape (n_padded,): the spectrum of the zero-padded series.

        Args:
            series: shape (n_samples,), n_samples <= n_padded.
            n_padded: transform length, a power of two.
        """
        ...

    def inverse(self, spectrum: ComplexArray) -> ComplexArray:
        """The shape of `spectrum`: its series, normalised.

        Args:
            spectrum: shape (n_padded,).
        """
        ...

    def transform(self, series: FloatArray, sigma: FloatArray, mother: str) -> ComplexArray:
        """Shape (n_scales, n_samples): the wavelet transform.

        Args:
            series: shape (n_samples,).
            sigma: shape (n_scales,), scales in samples.
            mother: name of the wavelet.
        """
        ...

    def smooth(self, rows: AnyArray, sigma: FloatArray, dj: float, mother: str, box: str) -> AnyArray:
        """The shape and kind of `rows`: smoothed in time and over scales.

        Args:
            rows: shape (n_scales, n_samples), real or complex.
            sigma: shape (n_scales,), scales in samples.
            dj: spacing of the scales in octaves.
            mother: name of the wavelet.
            box: "pycwt" or "grinsted".
        """
        ...

    def coherence(
        self, x: FloatArray, y: FloatArray, sigma: FloatArray, dj: float, mother: str, box: str
    ) -> FloatArray:
        """Shape (n_scales, n_samples): squared coherence.

        Args:
            x: shape (n_samples,).
            y: shape (n_samples,).
            sigma: shape (n_scales,), scales in samples.
            dj: spacing of the scales in octaves.
            mother: name of the wavelet.
            box: "pycwt" or "grinsted".
        """
        ...

    def counts(self, experiment: Experiment, simulations: range) -> IntArray:
        """Shape (J + 1, n_bins): the histogram.

        Args:
            experiment: the parameters.
            simulations: consecutive simulation numbers.
        """
        ...

    def signal(self, shape: str, n_samples: int, period: float, amplitude: float, phase: float) -> FloatArray:
        """Shape (n_samples,): a periodic signal, `shape` being the name of its function.

        Args:
            shape: "sine", "square", "sawtooth" or "triangle".
            n_samples: samples to make.
            period: in samples.
            amplitude: any unit.
            phase: in periods.
        """
        ...


class NumpyTwin:
    """By `elm11_host_ref`."""

    def red_noise(self, n_samples: int, lag1: float, seed: int, simulation: int, series: int) -> FloatArray:
        pair = rednoise.surrogate_pairs(seed, [simulation], lag1, lag1, n_samples)
        noise: FloatArray = pair[0, series]
        return noise

    def forward(self, series: AnyArray, n_padded: int) -> ComplexArray:
        return fft.forward(series, n_padded)

    def inverse(self, spectrum: ComplexArray) -> ComplexArray:
        return fft.inverse(spectrum)

    def transform(self, series: FloatArray, sigma: FloatArray, mother: str) -> ComplexArray:
        return wavelet.transform(series, sigma, wavelet.WAVELETS[mother])

    def smooth(self, rows: AnyArray, sigma: FloatArray, dj: float, mother: str, box: str) -> AnyArray:
        return smoothing.smooth(rows, sigma, smoothing.scale_box(dj, wavelet.WAVELETS[mother], box))

    def coherence(
        self, x: FloatArray, y: FloatArray, sigma: FloatArray, dj: float, mother: str, box: str
    ) -> FloatArray:
        its_wavelet = wavelet.WAVELETS[mother]
        squared, _ = coherence.coherence(x, y, sigma, its_wavelet, smoothing.scale_box(dj, its_wavelet, box))
        return squared

    def counts(self, experiment: Experiment, simulations: range) -> IntArray:
        return vectorised.simulate(experiment, simulations)

    def signal(self, shape: str, n_samples: int, period: float, amplitude: float, phase: float) -> FloatArray:
        made: FloatArray = getattr(signals, shape)(n_samples, period, amplitude, phase)
        return made


class LuaTwin:
    """By the programs of `elm11_firmware`, in one Lua state."""

    def __init__(self) -> None:
        self._lua = FirmwareLua()
        self._modules = self._lua.call(self._lua.run_program("monte_carlo.lua").load)
        self._signals = self._lua.run_program("signals.lua")

    # A series is a list of chunks of at most 1024 numbers on the board; its spectrum is interleaved over the chunks.

    def _plan(self, n_padded: int) -> Any:  # noqa: ANN401  a Lua table
        return self._lua.call(self._modules.fft.plan, n_padded)

    def _zeros(self, plan: Any, count: int) -> list[Any]:  # noqa: ANN401
        return [self._lua.call(self._modules.fft.zeros, plan) for _ in range(count)]

    def _series(self, plan: Any, values: FloatArray) -> Any:  # noqa: ANN401
        padded = np.zeros(plan.n)
        padded[: values.size] = values
        return self._lua.table(self._lua.table(chunk.tolist()) for chunk in padded.reshape(plan.n_chunks, -1))

    def _complex_series(self, plan: Any, values: AnyArray) -> tuple[Any, Any]:  # noqa: ANN401
        return self._series(plan, np.real(values)), self._series(plan, np.imag(values))

    def _read(self, chunks: Any) -> FloatArray:  # noqa: ANN401
        """Shape (n_chunks, length)."""
        return np.array([self._lua.elements(chunk) for chunk in self._lua.elements(chunks)], float)

    def _read_complex(self, re: Any, im: Any) -> ComplexArray:  # noqa: ANN401
        return self._read(re) + 1j * self._read(im)

    def red_noise(self, n_samples: int, lag1: float, seed: int, simulation: int, series: int) -> FloatArray:
        module = self._modules.rednoise
        plan = self._plan(fft.padded_length(n_samples))
        (chunks,) = self._zeros(plan, 1)
        tables = self._lua.call(module.plan, self._modules.normal)
        burn_in = self._lua.call(module.burn_in, lag1)
        low, high = seed & 0xFFFFFFFF, seed >> 32
        self._lua.call(module.fill, tables, chunks, n_samples, lag1, burn_in, low, high, simulation, series)
        return self._read(chunks).ravel()[:n_samples]

    def forward(self, series: AnyArray, n_padded: int) -> ComplexArray:
        plan = self._plan(n_padded)
        re, im = self._complex_series(plan, series)
        self._lua.call(self._modules.fft.forward, plan, re, im)
        return self._read_complex(re, im).T.ravel()

    def inverse(self, spectrum: ComplexArray) -> ComplexArray:
        plan = self._plan(spectrum.size)
        interleaved = spectrum.reshape(-1, plan.n_chunks).T.ravel()
        re, im = self._complex_series(plan, interleaved)
        self._lua.call(self._modules.fft.inverse, plan, re, im)
        series: ComplexArray = self._read_complex(re, im).ravel() / plan.n
        return series

    def _spectra(self, plan: Any, x: FloatArray, y: FloatArray) -> tuple[Any, Any]:  # noqa: ANN401
        re, im = self._series(plan, x), self._series(plan, y)
        self._lua.call(self._modules.fft.forward, plan, re, im)
        self._lua.call(self._modules.fft.separate, plan, re, im)
        return re, im

    def transform(self, series: FloatArray, sigma: FloatArray, mother: str) -> ComplexArray:
        lua, module = self._lua, self._modules.wavelet
        plan = self._plan(fft.padded_length(series.size))
        spectra = self._spectra(plan, series, np.zeros_like(series))
        work = self._zeros(plan, 4)
        tables, its_wavelet = lua.call(module.plan, plan), module.mothers[mother]
        rows = np.empty((sigma.size, series.size), complex)
        for row, scale in zip(rows, sigma.tolist(), strict=True):
            lua.call(module.filter, tables, its_wavelet, scale, *spectra, *work)
            lua.call(self._modules.fft.inverse, plan, *work[:2])
            amplitude = lua.call(module.amplitude, tables, its_wavelet, scale)
            row[:] = amplitude * self._read_complex(*work[:2]).ravel()[: series.size]
        return rows

    def _smoother(self, plan: Any, sigma: FloatArray, dj: float, mother: str, box: str) -> tuple[Any, Any]:  # noqa: ANN401
        modules = self._modules
        width = modules.wavelet.mothers[mother].scale_decorrelation
        its_box = self._lua.call(modules.smoothing.box, dj, width, box)
        return its_box, self._lua.call(
            modules.smoothing.plan, modules.fft, modules.wavelet, plan, its_box, sigma.size - 1
        )

    def smooth(self, rows: AnyArray, sigma: FloatArray, dj: float, mother: str, box: str) -> AnyArray:
        lua, modules = self._lua, self._modules
        n_scales, n_samples = rows.shape
        plan = self._plan(fft.padded_length(n_samples))
        its_box, smoother = self._smoother(plan, sigma, dj, mother, box)
        unused = self._zeros(plan, 2)  # the board smooths two complex series at once
        total = self._zeros(plan, 4)
        result = np.empty((n_scales, n_samples), complex)
        for j in range(n_scales + its_box.centre):
            if j < n_scales:
                re, im = self._complex_series(plan, rows[j])
                lua.call(modules.fft.forward, plan, re, im)
                lua.call(modules.smoothing.take, smoother, j, float(sigma[j]), re, im, *unused)
            i = j - its_box.centre
            if i >= 0:
                lua.call(modules.smoothing.sum, smoother, i, *total)
                lua.call(modules.fft.inverse, plan, *total[:2])
                result[i] = self._read_complex(*total[:2]).ravel()[:n_samples] / (plan.n * its_box.total)
        return result if np.iscomplexobj(rows) else result.real

    def coherence(
        self, x: FloatArray, y: FloatArray, sigma: FloatArray, dj: float, mother: str, box: str
    ) -> FloatArray:
        lua, modules = self._lua, self._modules
        n_scales, n_samples = sigma.size, x.size
        plan = self._plan(fft.padded_length(n_samples))
        spectra = self._spectra(plan, x, y)
        its_box, smoother = self._smoother(plan, sigma, dj, mother, box)
        tables, its_wavelet = lua.call(modules.wavelet.plan, plan), modules.wavelet.mothers[mother]
        work, (squared,) = self._zeros(plan, 4), self._zeros(plan, 1)
        halves = (work[:2], work[2:])
        result = np.empty((n_scales, n_samples))
        for j in range(n_scales + its_box.centre):
            if j < n_scales:
                scale = float(sigma[j])
                lua.call(modules.wavelet.filter, tables, its_wavelet, scale, *spectra, *work)
                self._transform(modules.fft.inverse, plan, halves)
                lua.call(modules.coherence.products, n_samples, *work)
                self._transform(modules.fft.forward, plan, halves)
                lua.call(modules.smoothing.take, smoother, j, scale, *work)
            i = j - its_box.centre
            if i >= 0:
                lua.call(modules.smoothing.sum, smoother, i, *work)
                self._transform(modules.fft.inverse, plan, halves)
                lua.call(modules.coherence.squared, n_samples, 0, *work, squared)
                result[i] = self._read(squared).ravel()[:n_samples]
        return result

    def _transform(self, function: Any, plan: Any, series: Sequence[Sequence[Any]]) -> None:  # noqa: ANN401
        for re, im in series:
            self._lua.call(function, plan, re, im)

    def counts(self, experiment: Experiment, simulations: range) -> IntArray:
        return simulate(experiment, simulations)

    def signal(self, shape: str, n_samples: int, period: float, amplitude: float, phase: float) -> FloatArray:
        (chunks,) = self._zeros(self._plan(fft.padded_length(n_samples)), 1)
        self._lua.call(self._signals[shape], chunks, n_samples, period, amplitude, phase)
        return self._read(chunks).ravel()[:n_samples]
