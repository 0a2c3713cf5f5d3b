"""Squared coherence: NumPy against what it must be, Lua against NumPy."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest
from elm11_host_ref.exact import coherence, smoothing, wavelet
from elm11_host_ref.names import SCALE_BOXES
from elm11_shim import ShimInterface

if TYPE_CHECKING:
    from elm11_host_ref.types import FloatArray

NAMES = list(wavelet.WAVELETS)
AXES: Final = (0.25, 0.25, 0.5, 12)  # dt, dj, s0, J


@cache
def interface(mode: str) -> ShimInterface:
    return ShimInterface(mode)


def pair(n: int, seed: int = 1) -> FloatArray:
    noise: FloatArray = np.random.default_rng(seed).normal(size=(2, n))
    return noise


@pytest.mark.parametrize("mode", ["python", "lua"])
@pytest.mark.parametrize("name", NAMES)
def test_a_series_is_coherent_with_its_own_multiples(name: str, mode: str) -> None:
    x, _ = pair(150)
    for factor in (1.0, -3.0):
        squared = interface(mode).compute_coherence(x, factor * x, *AXES, name)
        np.testing.assert_allclose(squared, 1, rtol=1e-10)


@pytest.mark.parametrize("mode", ["python", "lua"])
@pytest.mark.parametrize("name", NAMES)
def test_coherence_lies_between_0_and_1_and_is_symmetric(name: str, mode: str) -> None:
    x, y = pair(150)
    squared = interface(mode).compute_coherence(x, y, *AXES, name)
    assert (squared >= 0).all()
    assert (squared <= 1 + 1e-12).all()
    np.testing.assert_allclose(interface(mode).compute_coherence(y, x, *AXES, name), squared, atol=1e-11)


@pytest.mark.parametrize("mode", ["python", "lua"])
def test_a_shared_signal_shows_at_its_period(mode: str) -> None:
    x, y = pair(400)
    signal = interface(mode).sine(400, period=20, amplitude=3)
    squared = interface(mode).compute_coherence(x + signal, y + signal, *AXES)
    scale = np.argmin(np.abs(0.5 * 2 ** (np.arange(13) / 4) * wavelet.WAVELETS["morlet"].fourier_factor / 0.25 - 20))
    assert squared[scale, 100:300].min() > 0.9
    assert squared[0, 100:300].mean() < 0.6


def test_without_smoothing_coherence_is_1() -> None:
    """What smoothing is for: of single samples, |W1 W2*|^2 is |W1|^2 |W2|^2."""
    x, y = pair(64)
    sigma = np.array([2.0, 4.0])
    W1, W2 = (wavelet.transform(series, sigma, wavelet.WAVELETS["morlet"]) for series in (x, y))
    box = smoothing.ScaleBox((1.0,), 0)
    unsmoothed = coherence.coherence_from_transforms(W1, W2, sigma * 0 + 1e-9, box)
    np.testing.assert_allclose(unsmoothed, 1, rtol=1e-9)


def test_phase_is_positive_where_x_leads() -> None:
    """cos(omega (t + 3)) leads cos(omega t) by 3 samples: phase 3 omega."""
    omega = 2 * np.pi / 32
    t = np.arange(256)
    sigma = np.array([32 / wavelet.WAVELETS["morlet"].fourier_factor])
    box = smoothing.ScaleBox((1.0,), 0)
    _, phase = coherence.coherence(np.cos(omega * (t + 3)), np.cos(omega * t), sigma, wavelet.WAVELETS["morlet"], box)
    assert np.median(phase) == pytest.approx(3 * omega, abs=1e-3)


@pytest.mark.parametrize("kind", SCALE_BOXES)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n", [68, 121, 384, 1100, 3000])
def test_lua_agrees_with_numpy(n: int, name: str, kind: str) -> None:
    """To 1e-10 relative for the coherence itself, the root.

    Where it is near 0, its square has a larger relative error: what is left where two numbers cancel.
    """
    x, y = pair(n)
    for dj, J in [(1 / 4, 12), (1 / 12, 6), (1 / 2, 6), (1, 4)]:
        arguments = (x, y, 0.25, dj, 0.5, J, name, kind)
        expected = interface("python").compute_coherence(*arguments)
        result = interface("lua").compute_coherence(*arguments)
        assert (np.abs(result - expected) <= 1e-10 * np.sqrt(expected)).all()
        ordinary = expected > 1e-3
        np.testing.assert_allclose(result[ordinary], expected[ordinary], rtol=1e-10)
