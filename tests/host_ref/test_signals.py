"""Test signals: against SciPy's, and Lua against NumPy."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import scipy.signal
from elm11_host_ref import signals
from elm11_shim import ShimInterface

SHAPES = ["sine", "square", "sawtooth", "triangle"]
CASES = [(1, 7.3, 1.0, 0.0), (100, 12.34, 2.5, 0.0), (1024, 10.7, -1.0, 0.3), (2500, 311.3, 0.1, -1.71)]


@cache
def interface(mode: str) -> ShimInterface:
    return ShimInterface(mode)


@pytest.mark.parametrize("mode", ["python", "lua"])
@pytest.mark.parametrize(("n", "period", "amplitude", "phase"), CASES)
def test_signals_are_those_of_scipy(n: int, period: float, amplitude: float, phase: float, mode: str) -> None:
    angle = 2 * np.pi * (np.arange(n) / period + phase)
    expected = {
        "sine": np.sin(angle),
        "square": scipy.signal.square(angle),
        "sawtooth": scipy.signal.sawtooth(angle),
        "triangle": scipy.signal.sawtooth(angle, 0.5),
    }
    for shape in SHAPES:
        made = getattr(interface(mode), shape)(n, period, amplitude, phase)
        np.testing.assert_allclose(made, amplitude * expected[shape], atol=1e-11)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("n", "period", "amplitude", "phase"), CASES)
def test_lua_agrees_with_numpy(n: int, period: float, amplitude: float, phase: float, shape: str) -> None:
    expected = getattr(signals, shape)(n, period, amplitude, phase)
    np.testing.assert_allclose(getattr(interface("lua"), shape)(n, period, amplitude, phase), expected, atol=2e-15)


@pytest.mark.parametrize("mode", ["python", "lua"])
def test_one_period_of_four_samples(mode: str) -> None:
    chosen = interface(mode)
    np.testing.assert_allclose(chosen.sine(4, 4), [0, 1, 0, -1], atol=1e-15)
    assert chosen.square(4, 4).tolist() == [1, 1, -1, -1]
    assert chosen.sawtooth(4, 4).tolist() == [-1, -0.5, 0, 0.5]
    assert chosen.triangle(4, 4).tolist() == [-1, 0, 1, 0]
    np.testing.assert_allclose(chosen.sine(4, 4, 2.0, 0.25), [2, 0, -2, 0], atol=1e-15)
