"""Fourier transform of integers in fixed point, many series side by side; the twin of `integer_fft.lua`.

Decimation in time, radix 4, in place, forward, unnormalised. Twiddles have 11 bits; a product with one is shifted back
by 11 bits towards minus infinity. Nothing else is rounded and nothing is scaled between stages, so that a sum grows
with the length: what comes in must be small enough (`formats` makes sure of it).
"""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..types import IntArray

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


def scratch_for(n: int, n_series: int) -> NDArray[np.int32]:
    """Work array of `transform`. Reuse it: new memory costs as much time as the sums.

    Args:
        n: points of the longest transform.
        n_series: how many series it has at most.

    Returns:
        Shape (2 n n_series,), of no meaning.
    """
    return np.empty(2 * n * n_series, np.int32)


def _pieces(scratch: NDArray[Any], like: NDArray[Any]) -> list[NDArray[Any]]:
    """Eight arrays of the shape of a quarter of what is transformed."""
    return list(scratch[: 8 * like.size].reshape(8, *like.shape))


def _butterflies(x: NDArray[Any], y: NDArray[Any], scratch: NDArray[Any]) -> None:
    """Transforms of four in place, along axis 1, given in bit-reversed order: 0, 2, 1, 3."""
    pieces = _pieces(scratch, x[:, 0])
    for one, (sum_, difference, other, turn) in zip((x, y), (pieces[:4], pieces[4:]), strict=True):
        np.add(one[:, 0], one[:, 1], out=sum_)
        np.subtract(one[:, 0], one[:, 1], out=difference)
        np.add(one[:, 2], one[:, 3], out=other)
        np.subtract(one[:, 2], one[:, 3], out=turn)
        np.add(sum_, other, out=one[:, 0])
        np.subtract(sum_, other, out=one[:, 2])
    _, difference_r, _, turn_r, _, difference_i, _, turn_i = pieces
    np.add(difference_r, turn_i, out=x[:, 1])
    np.subtract(difference_r, turn_i, out=x[:, 3])
    np.subtract(difference_i, turn_r, out=y[:, 1])
    np.add(difference_i, turn_r, out=y[:, 3])


def _first_of_four(re: NDArray[Any], im: NDArray[Any], scratch: NDArray[Any]) -> None:
    _butterflies(re.reshape(-1, 4, re.shape[1]), im.reshape(-1, 4, im.shape[1]), scratch)


def _first_of_eight(re: NDArray[Any], im: NDArray[Any], scratch: NDArray[Any]) -> None:
    _first_of_four(re, im, scratch)
    x, y = re.reshape(-1, 8, re.shape[1]), im.reshape(-1, 8, im.shape[1])
    turned_r, turned_i, *_ = _pieces(scratch, x[:, 0])
    for q in range(4):
        r, s = x[:, q + 4], y[:, q + 4]
        if q == 0:
            turned_r[...], turned_i[...] = r, s
        elif q == 2:
            turned_r[...] = s
            np.negative(r, out=turned_i)
        else:
            if q == 1:
                np.add(r, s, out=turned_r)
                np.subtract(s, r, out=turned_i)
            else:
                np.subtract(s, r, out=turned_r)
                np.add(r, s, out=turned_i)
                np.negative(turned_i, out=turned_i)
            for turned in (turned_r, turned_i):
                np.multiply(turned, _HALF_ROOT, out=turned)
                np.right_shift(turned, TWIDDLE_BITS, out=turned)
        np.subtract(x[:, q], turned_r, out=r)
        np.subtract(y[:, q], turned_i, out=s)
        x[:, q] += turned_r
        y[:, q] += turned_i


def _stage(re: NDArray[Any], im: NDArray[Any], span: int, scratch: NDArray[Any]) -> None:
    """Blocks of `span` become blocks of `4 * span`."""
    n, n_series = re.shape
    x, y = re.reshape(-1, 4, span, n_series), im.reshape(-1, 4, span, n_series)
    cosine, sine = twiddles(n)
    k = np.arange(1, span) * (n // (4 * span))
    one, other, turned, *_ = _pieces(scratch, x[:, 0, 1:])
    # Bit-reversed order: the second quarter takes the squared twiddle, the third the plain one. The first of a quarter
    # is not turned.
    for q, power in ((1, 2), (2, 1), (3, 3)):
        c, s = cosine[power * k, None], sine[power * k, None]
        r, i = x[:, q, 1:], y[:, q, 1:]
        np.multiply(r, c, out=turned)
        np.multiply(i, s, out=other)
        turned += other
        np.multiply(i, c, out=one)
        np.multiply(r, s, out=other)
        one -= other
        np.right_shift(turned, TWIDDLE_BITS, out=r)
        np.right_shift(one, TWIDDLE_BITS, out=i)
    _butterflies(x, y, scratch)


def transform(re: NDArray[Any], im: NDArray[Any], scratch: NDArray[Any] | None = None) -> None:
    """Transform every column in place; with `re` and `im` exchanged it is the inverse, n times.

    Args:
        re: shape (n, n_series), C-contiguous; n a power of two from 4. Row `reversed_bits(n)[i]` holds sample i; on
            return row f holds frequency f.
        im: imaginary part, of the same shape as `re`.
        scratch: from `scratch_for`, for as many points and series, or more, of the same kind of integers; shape
            (2 n n_series,) or larger.
    """
    n = re.shape[0]
    if scratch is None:
        scratch = np.empty(2 * re.size, re.dtype)
    if n.bit_length() % 2:
        _first_of_four(re, im, scratch)
        span = 4
    else:
        _first_of_eight(re, im, scratch)
        span = 8
    while span < n:
        _stage(re, im, span, scratch)
        span *= 4
