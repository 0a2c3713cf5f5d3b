"""Fourier transforms: NumPy and Lua against the sum by definition, exact cases and round trips."""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest
from elm11_host_ref.exact import fft
from elm11_shim import FirmwareLua, ShimInterface
from hypothesis import given
from hypothesis import strategies as st

if TYPE_CHECKING:
    from elm11_host_ref.types import ComplexArray

LENGTHS = [1 << bits for bits in range(15)]  # to 16 384, sixteen of the board's chunks

# Rounding of a transform of n points: at most some log2(n) units of 1.1e-16 of the largest value.
TOLERANCE = 3e-15


@cache
def interface(mode: str) -> ShimInterface:
    return ShimInterface(mode)


def noise(n: int, seed: int = 1) -> ComplexArray:
    rng = np.random.default_rng(seed)
    complex_noise: ComplexArray = rng.normal(size=n) + 1j * rng.normal(size=n)
    return complex_noise


def largest_error(result: ComplexArray, expected: ComplexArray) -> float:
    return float(np.abs(result - expected).max() / np.abs(expected).max())


@pytest.mark.parametrize("mode", ["python", "lua"])
@pytest.mark.parametrize("n", [1, 2, 4, 8, 16, 32, 64, 128, 256])
def test_transform_is_the_sum_of_its_definition(n: int, mode: str) -> None:
    x = noise(n)
    t = np.arange(n)
    matrix = np.exp(-2j * np.pi * (np.outer(t, t) % n) / n)
    assert largest_error(interface(mode).compute_fft(x), matrix @ x) < TOLERANCE
    assert largest_error(interface(mode).compute_ifft(x), matrix.conj() @ x / n) < TOLERANCE


@pytest.mark.parametrize("n", LENGTHS)
def test_lua_agrees_with_numpy(n: int) -> None:
    x = noise(n)
    assert largest_error(interface("lua").compute_fft(x), np.fft.fft(x)) < TOLERANCE
    assert largest_error(interface("lua").compute_ifft(x), np.fft.ifft(x)) < TOLERANCE
    assert largest_error(interface("python").compute_fft(x), np.fft.fft(x)) < TOLERANCE


@pytest.mark.parametrize("n", [1 << bits for bits in range(20)])
def test_numpys_transforms_are_those_of_scipy_bit_for_bit(n: int) -> None:
    """Version 0.1.0 used SciPy's: its counts are still reached, whatever the batch and however the result is stored."""
    scipy_fft = pytest.importorskip("scipy.fft")
    for shape in ((n,), (2, max(1, min(5, 4096 // n)), n)):
        series = noise(2 * n * math.prod(shape[:-1]))[: math.prod(shape)].reshape(shape)
        for name in ("fft", "ifft"):
            for norm in ("backward", "forward"):
                expected = getattr(scipy_fft, name)(series, norm=norm)
                in_place = series.copy()
                getattr(np.fft, name)(in_place, norm=norm, out=in_place)
                np.testing.assert_array_equal(getattr(np.fft, name)(series, norm=norm), expected)
                np.testing.assert_array_equal(in_place, expected)
        short = series[..., : n - n // 3]
        np.testing.assert_array_equal(fft.forward(short, n), scipy_fft.fft(short, n))
        np.testing.assert_array_equal(fft.forward(short.real, n), scipy_fft.fft(short.real.astype(complex), n))
    np.testing.assert_array_equal(fft.angular_frequencies(n), 2 * np.pi * scipy_fft.fftfreq(n))


@pytest.mark.parametrize("mode", ["python", "lua"])
@pytest.mark.parametrize("n", [1, 3, 5, 68, 1025, 3000])
def test_other_lengths_are_padded_with_zeros(n: int, mode: str) -> None:
    x = noise(n).real
    padded = 1 << (n - 1).bit_length()
    assert largest_error(interface(mode).compute_fft(x), np.fft.fft(x, padded)) < TOLERANCE


@pytest.mark.parametrize("mode", ["python", "lua"])
@pytest.mark.parametrize("n", [64, 512, 4096])
@pytest.mark.parametrize("f", [0, 1, 5, 31, 32, 63])
def test_one_frequency_is_one_line(n: int, f: int, mode: str) -> None:
    x = np.exp(2j * np.pi * (f * np.arange(n) % n) / n)
    expected = np.zeros(n)
    expected[f] = n
    assert np.abs(interface(mode).compute_fft(x) - expected).max() < 1e-12 * n


@pytest.mark.parametrize("mode", ["python", "lua"])
@pytest.mark.parametrize("n", [8, 1024, 2048])
def test_an_impulse_has_all_frequencies(n: int, mode: str) -> None:
    impulse = np.zeros(n)
    impulse[0] = 1
    assert (interface(mode).compute_fft(impulse) == 1).all()


@pytest.mark.parametrize("mode", ["python", "lua"])
@pytest.mark.parametrize("n", [128, 512, 8192])
def test_power_is_kept(n: int, mode: str) -> None:
    """Parseval's theorem."""
    x = noise(n)
    spectrum = interface(mode).compute_fft(x)
    assert (np.abs(spectrum) ** 2).sum() / n == pytest.approx((np.abs(x) ** 2).sum(), rel=1e-14)


@given(bits=st.integers(0, 12), seed=st.integers(0, 2**32))
def test_the_inverse_undoes_the_transform(bits: int, seed: int) -> None:
    x = noise(1 << bits, seed)
    for mode in ("python", "lua"):
        assert largest_error(interface(mode).compute_ifft(interface(mode).compute_fft(x)), x) < TOLERANCE


@pytest.mark.parametrize("n", [2, 4, 64, 1024, 2048, 4096, 16384])
def test_two_real_series_separate(n: int) -> None:
    z = noise(n)
    x, y = fft.separate(np.fft.fft(z))
    assert largest_error(x, np.fft.fft(z.real)) < TOLERANCE
    assert largest_error(y, np.fft.fft(z.imag)) < TOLERANCE
    half = n // 2
    lua = FirmwareLua()
    module = lua.run_program("fft.lua")
    plan = lua.call(module.plan, n)
    chunks = plan.n_chunks
    re, im = (lua.table(lua.table(chunk.tolist()) for chunk in part.reshape(chunks, -1)) for part in (z.real, z.imag))
    lua.call(module.forward, plan, re, im)
    lua.call(module.separate, plan, re, im)

    def at(f: int) -> complex:
        chunk, index = lua.call(module.place, plan, f)
        return complex(re[chunk][index], im[chunk][index])

    for f in [*range(1, min(half, 40)), *range(max(half - 40, 1), half)]:
        assert at(f) == pytest.approx(2 * x[f], abs=1e-12 * n)
        assert at(-f) == pytest.approx(2 * y[f], abs=1e-12 * n)
    for f in (0, half):
        assert at(f) == pytest.approx(2 * complex(x[f].real, y[f].real), abs=1e-12 * n)


def test_the_place_of_a_frequency() -> None:
    lua = FirmwareLua()
    module = lua.run_program("fft.lua")
    for n in (8, 1024, 4096):
        plan = lua.call(module.plan, n)
        chunks = max(n // 1024, 1)
        places = [lua.call(module.place, plan, f) for f in range(n)]
        assert places == [(f % chunks + 1, f // chunks + 1) for f in range(n)]
        assert lua.call(module.place, plan, -1) == places[-1]


@pytest.mark.parametrize("n", [128, 512, 1024, 2048])
def test_a_transform_makes_no_garbage(n: int) -> None:
    lua = FirmwareLua()
    module = lua.run_program("fft.lua")
    plan = lua.call(module.plan, n)
    arguments = (plan, lua.call(module.zeros, plan), lua.call(module.zeros, plan))
    grown = lua.execute(
        """
        return function(count, transform, ...)
            collectgarbage()
            collectgarbage("stop")
            local before = collectgarbage("count")
            for _ = 1, count do
                transform(...)
            end
            local grown = collectgarbage("count") - before
            collectgarbage("restart")
            return grown
        end
        """
    )
    for transform in (module.forward, module.inverse):
        # The collection has shrunk the stack, which grows again by less than 2 KB; 200 tables would be 11 KB.
        assert lua.call(grown, 200, transform, *arguments) < 2
