"""Wavelet transforms: NumPy against exact cases and definitions, Lua against NumPy."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import pytest
from elm11_host_ref.exact import wavelet
from elm11_shim import FirmwareLua, ShimInterface

NAMES = list(wavelet.WAVELETS)


@cache
def interface(mode: str) -> ShimInterface:
    return ShimInterface(mode)


@cache
def lua_module() -> tuple[FirmwareLua, Any]:
    lua = FirmwareLua()
    return lua, lua.run_program("wavelet.lua")


def psi_hat(name: str, k: float) -> float:
    """Torrence & Compo (1998), Table 1, for one number."""
    if name == "morlet":
        return math.exp(-((k - 6) ** 2) / 2) / math.sqrt(math.sqrt(math.pi))
    if name == "paul":
        return 16 / math.sqrt(4 * math.factorial(7)) * math.pow(max(k, 0.0), 4) * math.exp(-k)
    return 1 / math.sqrt(math.gamma(2.5)) * k * k * math.exp(-(k * k) / 2)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("mode", ["python", "lua"])
@pytest.mark.parametrize("n", [256, 2048])
def test_a_cosine_gives_the_wavelets_own_response(n: int, mode: str, name: str) -> None:
    """A cosine of whole periods in a power of two of samples has two lines: the transform is known exactly."""
    cycles = 16
    omega = 2 * np.pi * cycles / n
    t = np.arange(n)
    W = interface(mode).compute_cwt(3 * np.cos(omega * t + 0.4), dt=0.5, dj=0.5, s0=1.5, J=8, wavelet=name)
    assert W.shape == (9, n)
    for j, row in enumerate(W):
        sigma = 3 * 2 ** (j / 2)
        norm = math.sqrt(2 * math.pi * sigma)
        positive = psi_hat(name, sigma * omega) * np.exp(1j * (omega * t + 0.4))
        negative = psi_hat(name, -sigma * omega) * np.exp(-1j * (omega * t + 0.4))
        np.testing.assert_allclose(row, 1.5 * norm * (positive + negative), rtol=0, atol=1e-12 * norm)


@pytest.mark.parametrize("name", NAMES)
def test_wavelets_have_unit_energy(name: str) -> None:
    """Torrence & Compo (1998), Eq. (7): the squared filter sums to n, so that scales can be compared.

    For a complex wavelet; the sum is an integral in steps so small that only its ends are left out.
    """
    n = 4096
    for sigma in (8.0, 50.0):
        energy = (wavelet.filters(np.array([sigma]), n, wavelet.WAVELETS[name]) ** 2).sum()
        assert energy == pytest.approx(n, rel=1e-6)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n", [2, 3, 5, 68, 121, 384, 1025, 1536, 3000])
def test_lua_agrees_with_numpy(n: int, name: str) -> None:
    series = np.random.default_rng(n).normal(size=n)
    arguments = (series, 0.25, 0.5, 0.5, 10, name)
    expected = interface("python").compute_cwt(*arguments)
    result = interface("lua").compute_cwt(*arguments)
    # The board's filter values are within 1e-13; a row that is smaller than the series by far loses to rounding.
    size = np.maximum(np.abs(expected).max(axis=1), 1e-3)
    assert (np.abs(result - expected).max(axis=1) < 2e-13 * size).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("s0", "J"), [(0.0025, 4), (0.125, 4), (0.5, 20), (40.0, 3)])
def test_lua_agrees_at_very_small_and_very_large_scales(s0: float, J: int, name: str) -> None:
    series = np.random.default_rng(3).normal(size=200)
    arguments = (series, 0.25, 0.5, s0, J, name)
    expected = interface("python").compute_cwt(*arguments)
    error = np.abs(interface("lua").compute_cwt(*arguments) - expected).max(axis=1)
    assert (error <= 1e-12 * np.abs(expected).max(axis=1) + 1e-18).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("step", [0.003, 0.1, 0.9, 7.0])
def test_lua_filter_values_are_those_of_the_formula(name: str, step: float) -> None:
    lua, module = lua_module()
    mother = module.mothers[name]
    first, last = max(mother.lowest, -10.0), mother.highest
    count = min(int((last - first) / step) + 1, 1024)
    values = lua.table([0.0] * count)
    lua.call(mother.response, values, count, first, step)
    x = first + step * np.arange(count)
    expected = wavelet.WAVELETS[name].spectrum(x) / mother.factor
    np.testing.assert_allclose(lua.elements(values), expected, rtol=2e-13, atol=1e-30)


@pytest.mark.parametrize("name", NAMES)
def test_lua_leaves_out_only_what_is_negligible(name: str) -> None:
    _, module = lua_module()
    mother = module.mothers[name]
    spectrum = wavelet.WAVELETS[name].spectrum
    inside = np.linspace(mother.lowest, mother.highest, 100_001)
    peak = np.abs(spectrum(inside)).max()
    beyond = np.concatenate([mother.highest + np.linspace(0, 50, 5001), mother.lowest - np.linspace(1e-9, 50, 5001)])
    assert np.abs(spectrum(beyond)).max() < 1e-20 * peak


@pytest.mark.parametrize("name", NAMES)
def test_lua_knows_the_same_wavelets(name: str) -> None:
    _, module = lua_module()
    mother, expected = module.mothers[name], wavelet.WAVELETS[name]
    assert mother.scale_decorrelation == expected.scale_decorrelation
    assert mother.e_folding == pytest.approx(expected.e_folding, rel=1e-15)
    assert mother.fourier_factor == pytest.approx(expected.fourier_factor, rel=1e-15)


@pytest.mark.parametrize("name", NAMES)
def test_first_usable_is_the_first_sample_inside_the_cone(name: str) -> None:
    lua, module = lua_module()
    mother = wavelet.WAVELETS[name]
    sigma = np.concatenate([np.geomspace(0.3, 90, 500), np.arange(1, 200) / 2 * mother.e_folding])
    first = wavelet.first_usable(sigma, mother)
    for scale, sample in zip(sigma.tolist(), first.tolist(), strict=True):
        reach = mother.e_folding * (np.arange(400) + 0.5)
        assert sample == np.flatnonzero(scale <= reach * (1 + 1e-11))[0]
        assert lua.call(module.first_usable, module.mothers[name], scale) == sample


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n", [68, 121])
def test_the_cone_and_the_first_usable_sample_agree(n: int, name: str) -> None:
    mother = wavelet.WAVELETS[name]
    dt, sigma = 0.25, np.geomspace(1.03, 20, 40)
    cone = wavelet.cone_of_influence(n, dt, mother)
    usable = mother.fourier_factor * sigma[:, None] * dt <= cone
    first = wavelet.first_usable(sigma, mother)
    t = np.arange(n)
    assert (usable == ((t >= first[:, None]) & (t <= n - 1 - first[:, None]))).all()


@pytest.mark.parametrize("mode", ["python", "lua"])
@pytest.mark.parametrize("name", NAMES)
def test_a_series_is_padded_with_zeros_to_a_power_of_two(name: str, mode: str) -> None:
    series = np.random.default_rng(4).normal(size=100)
    padded = np.concatenate([series, np.zeros(28)])
    result = interface(mode).compute_cwt(series, 1, 0.5, 2, 8, name)
    assert (result == interface(mode).compute_cwt(padded, 1, 0.5, 2, 8, name)[:, :100]).all()
