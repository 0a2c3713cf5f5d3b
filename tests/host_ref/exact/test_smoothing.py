"""Smoothing in time and over scales: NumPy against definitions, Lua against NumPy."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from elm11_host_ref.exact import smoothing, wavelet
from elm11_host_ref.names import SCALE_BOXES
from elm11_shim import FirmwareLua, ShimInterface

if TYPE_CHECKING:
    from elm11_host_ref.types import AnyArray

MORLET = wavelet.WAVELETS["morlet"]
SPACINGS = [1 / 12, 1 / 10, 1 / 8, 1 / 5, 1 / 4, 0.3, 0.4, 0.48, 1 / 2, 0.6, 0.8, 1, 1.2, 2.4, 3]


@cache
def interface(mode: str) -> ShimInterface:
    return ShimInterface(mode)


@cache
def lua_module() -> tuple[FirmwareLua, Any]:
    lua = FirmwareLua()
    return lua, lua.run_program("smoothing.lua")


def noise(*shape: int) -> AnyArray:
    rng = np.random.default_rng(1)
    return rng.normal(size=shape) + 1j * rng.normal(size=shape)


@pytest.mark.parametrize("n", [5, 8, 21])
def test_smoothing_in_time_is_a_sum_with_gaussian_weights(n: int) -> None:
    """By definition: each output is the sum over all inputs, weighted by the Gaussian's own inverse transform."""
    rows, sigma = noise(2, n), np.array([0.8, 2.5])
    padded = 1 << (n - 1).bit_length()
    k = [2 * np.pi * (m if m < padded / 2 else m - padded) / padded for m in range(padded)]
    for row, scale, result in zip(rows, sigma, smoothing.smooth_time(rows, sigma), strict=True):
        for t in range(n):
            expected = 0
            for u in range(n):
                weight = sum(np.exp(-((scale * w) ** 2) / 2 + 1j * w * (t - u)) for w in k) / padded
                expected += weight * row[u]
            assert result[t] == pytest.approx(expected, abs=1e-14)


def test_smoothing_in_time_has_the_width_of_the_scale() -> None:
    impulse = np.zeros((1, 257))
    impulse[0, 128] = 1
    response = smoothing.smooth_time(impulse, np.array([9.0]))[0]
    t = np.arange(257) - 128
    np.testing.assert_allclose(response, np.exp(-(t**2) / 2 / 81) / (9 * np.sqrt(2 * np.pi)), atol=1e-15)


@pytest.mark.parametrize(
    ("dj", "weights"),
    [
        (1 / 12, (0.5, *(1.0,) * 12, 0.5)),
        (1 / 8, (0.5, *(1.0,) * 8, 0.5)),
        (1 / 4, (0.5, 1, 1, 1, 0.5)),
        (0.4, (0.5, 1, 0.5)),
        (0.48, (1, 1)),  # 2.5 points: halves go to the even number
        (1 / 2, (1, 1)),
        (1, (1,)),
        (2.4, (1,)),  # 0.5 points
        (3, (1,)),
    ],
)
def test_the_box_of_pycwt(dj: float, weights: tuple[float, ...]) -> None:
    box = smoothing.scale_box(dj, MORLET, "pycwt")
    assert box == smoothing.ScaleBox(weights, (len(weights) - 1) // 2)


@pytest.mark.parametrize(
    ("dj", "weights"),
    [
        (1 / 12, (0.6, *(1.0,) * 7, 0.6)),
        (1 / 4, (0.2, 1, 0.2)),
        (1 / 2, (0.6, 1, 0.6)),
        (1, (1,)),
    ],
)
def test_the_box_of_grinsted(dj: float, weights: tuple[float, ...]) -> None:
    """A box 0.6 / dj points wide: whole rows, and the fractions of the rows that its ends cut."""
    box = smoothing.scale_box(dj, MORLET, "grinsted")
    assert box.weights == pytest.approx(weights)
    assert box.centre == (len(weights) - 1) // 2


@pytest.mark.parametrize("kind", SCALE_BOXES)
@pytest.mark.parametrize("name", list(wavelet.WAVELETS))
@pytest.mark.parametrize("dj", SPACINGS)
def test_lua_makes_the_same_box(dj: float, name: str, kind: str) -> None:
    lua, module = lua_module()
    mother = wavelet.WAVELETS[name]
    expected = smoothing.scale_box(dj, mother, kind)
    box = lua.call(module.box, dj, mother.scale_decorrelation, kind)
    assert (box.length, box.centre) == (len(expected.weights), expected.centre)
    assert box.end_weight == expected.weights[0]
    assert box.total == pytest.approx(sum(expected.weights), rel=1e-15)


def test_an_unknown_box_is_refused() -> None:
    with pytest.raises(ValueError, match="scale_box must be one of pycwt, grinsted"):
        smoothing.scale_box(0.25, MORLET, "matlab")


@pytest.mark.parametrize("kind", SCALE_BOXES)
@pytest.mark.parametrize("dj", SPACINGS)
@pytest.mark.parametrize("n_scales", [1, 2, 3, 9])
def test_smoothing_over_scales_is_its_definition(n_scales: int, dj: float, kind: str) -> None:
    rows, box = noise(n_scales, 4), smoothing.scale_box(dj, MORLET, kind)
    result = smoothing.smooth_scales(rows, box)
    for i in range(n_scales):
        expected = np.zeros(4, complex)
        for m, weight in enumerate(box.weights):
            if 0 <= i + box.centre - m < n_scales:
                expected += weight / sum(box.weights) * rows[i + box.centre - m]
        np.testing.assert_allclose(result[i], expected, atol=1e-15)


@pytest.mark.parametrize("kind", SCALE_BOXES)
@pytest.mark.parametrize("name", ["morlet", "paul"])
@pytest.mark.parametrize("n", [2, 3, 68, 384, 1100, 2500])
def test_lua_agrees_with_numpy(n: int, name: str, kind: str) -> None:
    for dj, n_scales in [(1 / 4, 9), (1 / 12, 4), (1 / 2, 1), (1 / 2, 5), (1, 3)]:
        scales = 0.4 * 2 ** (np.arange(n_scales) * dj)
        for rows in (noise(n_scales, n), noise(n_scales, n).real):
            arguments = (rows, 0.25, dj, scales, name, kind)
            expected = interface("python").smooth(*arguments)
            result = interface("lua").smooth(*arguments)
            assert result.dtype == expected.dtype
            assert np.abs(result - expected).max() < 2e-13 * np.abs(expected).max()


def test_lua_takes_scales_far_below_a_sample() -> None:
    rows, scales = noise(4, 50), np.array([0.001, 0.01, 0.1, 1])
    expected = interface("python").smooth(rows, 1, 0.25, scales)
    np.testing.assert_allclose(interface("lua").smooth(rows, 1, 0.25, scales), expected, atol=1e-13)
