"""Fourier transform of integers in fixed point, many series side by side; the twin of `integer_fft.lua`.

Decimation in time, radix 4, in place, forward, unnormalised. Twiddles have 11 bits; a product with one is shifted back
by 11 bits towards minus infinity. Nothing else is rounded and nothing is scaled between stages, so that a sum grows
with the length: what comes in must be small enough (`fast_plan.Part` says how that is made sure).
"""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .types import IntArray

TWIDDLE_BITS: Final = 11
_HALF_ROOT: Final = 1448  # sqrt(1/2) in 2^-11


@cache
def reversed_bits(n: int) -> IntArray:
    """For each i below n, a power of two: the number whose log2(n) bits are those of i in reverse.

    Args:
        n: a power of two.

    Returns:
        Shape (n,).
    """
    places = np.zeros(1, np.int64)
    while places.size < n:
        places = np.concatenate([2 * places, 2 * places + 1])
    return places


@cache
def twiddles(n: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Cosine and sine of `2 pi k / n`, k = 0 ... 3 n / 4 - 1, rounded, in 2^-11.

    Args:
        n: of the transform.

    Returns:
        Two arrays of shape (3 n / 4,).
    """
    cosine, sine = [], []
    turn = 2 * math.pi / n
    # By their recurrence, whose rounding is the same on every machine; that of a library's cosine need not be.
    c, before, step = 1.0, math.cos(turn), 2 * math.cos(turn)
    s, s_before = 0.0, -math.sin(turn)
    for _ in range(max(1, 3 * n // 4)):
        cosine.append(math.floor(2048 * c + 0.5))
        sine.append(math.floor(2048 * s + 0.5))
        c, before = step * c - before, c
        s, s_before = step * s - s_before, s
    return np.array(cosine, np.int32), np.array(sine, np.int32)


def _butterflies(re: list[NDArray[np.int32]], im: list[NDArray[np.int32]]) -> tuple[list[NDArray[np.int32]], ...]:
    """Transform of four, given in bit-reversed order: 0, 2, 1, 3."""
    sum_r, sum_i, difference_r, difference_i = re[0] + re[1], im[0] + im[1], re[0] - re[1], im[0] - im[1]
    other_r, other_i, turn_r, turn_i = re[2] + re[3], im[2] + im[3], re[2] - re[3], im[2] - im[3]
    return (
        [sum_r + other_r, difference_r + turn_i, sum_r - other_r, difference_r - turn_i],
        [sum_i + other_i, difference_i - turn_r, sum_i - other_i, difference_i + turn_r],
    )


def _first_of_four(re: NDArray[np.int32], im: NDArray[np.int32]) -> None:
    x, y = re.reshape(-1, 4, re.shape[1]), im.reshape(-1, 4, im.shape[1])
    new_re, new_im = _butterflies([x[:, q] for q in range(4)], [y[:, q] for q in range(4)])
    for q in range(4):
        x[:, q], y[:, q] = new_re[q], new_im[q]


def _first_of_eight(re: NDArray[np.int32], im: NDArray[np.int32]) -> None:
    _first_of_four(re, im)
    x, y = re.reshape(-1, 8, re.shape[1]), im.reshape(-1, 8, im.shape[1])
    for q in range(4):
        r, s = x[:, q + 4], y[:, q + 4]
        if q == 0:
            turned_r, turned_i = r.copy(), s.copy()
        elif q == 1:
            turned_r, turned_i = (r + s) * _HALF_ROOT >> TWIDDLE_BITS, (s - r) * _HALF_ROOT >> TWIDDLE_BITS
        elif q == 2:
            turned_r, turned_i = s.copy(), -r
        else:
            turned_r, turned_i = (s - r) * _HALF_ROOT >> TWIDDLE_BITS, (-r - s) * _HALF_ROOT >> TWIDDLE_BITS
        x[:, q + 4], y[:, q + 4] = x[:, q] - turned_r, y[:, q] - turned_i
        x[:, q] += turned_r
        y[:, q] += turned_i


def _stage(re: NDArray[np.int32], im: NDArray[np.int32], span: int) -> None:
    """Blocks of `span` become blocks of `4 * span`."""
    n, n_series = re.shape
    x, y = re.reshape(-1, 4, span, n_series), im.reshape(-1, 4, span, n_series)
    cosine, sine = twiddles(n)
    k = np.arange(1, span) * (n // (4 * span))
    turned_re, turned_im = [x[:, 0]], [y[:, 0]]
    # Bit-reversed order: the second quarter takes the squared twiddle, the third the plain one.
    for q, power in ((1, 2), (2, 1), (3, 3)):
        c, s = cosine[power * k, None], sine[power * k, None]
        r, i = x[:, q, 1:], y[:, q, 1:]
        new_r, new_i = np.empty_like(x[:, q]), np.empty_like(y[:, q])
        new_r[:, 0], new_i[:, 0] = x[:, q, 0], y[:, q, 0]
        new_r[:, 1:] = (r * c + i * s) >> TWIDDLE_BITS
        new_i[:, 1:] = (i * c - r * s) >> TWIDDLE_BITS
        turned_re.append(new_r)
        turned_im.append(new_i)
    new_re, new_im = _butterflies(turned_re, turned_im)
    for q in range(4):
        x[:, q], y[:, q] = new_re[q], new_im[q]


def transform(re: NDArray[np.int32], im: NDArray[np.int32]) -> None:
    """Transform every column in place; with `re` and `im` exchanged it is the inverse, n times.

    Args:
        re: shape (n, n_series), C-contiguous; n a power of two from 4. Row `reversed_bits(n)[i]` holds sample i; on
            return row f holds frequency f.
        im: imaginary part, of the same shape as `re`.
    """
    n = re.shape[0]
    if n.bit_length() % 2:
        _first_of_four(re, im)
        span = 4
    else:
        _first_of_eight(re, im)
        span = 8
    while span < n:
        _stage(re, im, span)
        span *= 4
