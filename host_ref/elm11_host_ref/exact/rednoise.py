"""Random streams and red noise, the same numbers in NumPy and in Lua.

Three layers, each a pure function of what it is given:

1. **Words.** 32-bit words from xoshiro128** (Blackman & Vigna 2021, *Scrambled linear pseudorandom number
   generators*, ACM TOMS 47(4)). A series draws its words in blocks of `BLOCK_LENGTH`; the state at the start of
   each block is a hash of (seed, simulation, series, block). So any engine can start at any simulation, and NumPy
   can run all blocks side by side. Nothing here needs integers wider than 32 bits.
2. **Normal deviates.** Inversion of the normal distribution by a table of `2**10` straight pieces, in integers:
   one word gives one deviate, a whole number of `NORMAL_UNIT`. Integers have no rounding to argue about, so the
   deviates are the same everywhere.
3. **Red noise.** The AR(1) process in double precision, started from 0, its first `burn_in` samples dropped.

`rednoise.lua` and `normal.lua` are the same three layers on the board.
"""

from __future__ import annotations

import math
from functools import cache
from itertools import accumulate
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..types import FloatArray, IntArray, WordArray

BLOCK_LENGTH: Final = 128
"""Words drawn from one state; short, so that NumPy has many blocks to run side by side."""

SERIES_X: Final = 0
SERIES_Y: Final = 1

NORMAL_UNIT: Final = 2.0**-20
"""Value of the least bit of a normal deviate. The largest deviate, 6.3 units of standard deviation, is 2**22.7."""

# One constant per state word, so that the four words are four unrelated hashes: the fractional parts of
# sqrt(2), sqrt(3), sqrt(5) and sqrt(7), as in FIPS 180-4 (SHA-256).
_HASH_STARTS: Final = (0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A)

_PIECES_PER_OCTAVE: Final = 32
_OCTAVES: Final = 32
_FRACTION_BITS: Final = 15

_FEW_SERIES: Final = 24
"""With fewer series a step of the noise takes less time in Python's floats than in one call of NumPy."""


def mix32(words: WordArray) -> WordArray:
    """Hash of 32 bits to 32 bits, one to one, in which each bit depends on every bit.

    Args:
        words: any shape, uint32.

    Returns:
        The same shape, uint32.

    Source: C. Wellons, *Prospecting for hash functions* (2018), the function "lowbias32".
    """
    x = words ^ (words >> np.uint32(16))
    x = x * np.uint32(0x7FEB352D)
    x ^= x >> np.uint32(15)
    x *= np.uint32(0x846CA68B)
    x ^= x >> np.uint32(16)
    return x


def stream_states(
    seed: int,
    simulations: Sequence[int] | IntArray,
    n_blocks: int,
    series: tuple[int, ...] = (SERIES_X, SERIES_Y),
) -> WordArray:
    """Generator states at the start of every block of some series.

    A state word hashes, one after another, the seed's low and high half, the simulation number and
    `2 * block + series`, each by exclusive or followed by `mix32`.

    Args:
        seed: 0 to 2**64 - 1.
        simulations: shape (n_simulations,), simulation numbers, 0 to 2**31 - 1.
        n_blocks: blocks per series.
        series: numbers of the series, 0 to 2**31 - 1; those of the exact pipeline are x and y.

    Returns:
        Shape (4, n_simulations, n_series, n_blocks), uint32: state word, simulation, series, block.

    Source: this project: docs/random-streams.md.
    """
    numbers = np.asarray(simulations, dtype=np.uint32)
    stream = np.arange(n_blocks, dtype=np.uint32) * np.uint32(2) + np.array(series, np.uint32)[:, None]
    words = np.array(_HASH_STARTS, dtype=np.uint32)
    words = mix32(words ^ np.uint32(seed & 0xFFFFFFFF))
    words = mix32(words ^ np.uint32(seed >> 32))
    words = mix32(words[:, None] ^ numbers)
    states = mix32(words[:, :, None, None] ^ stream)
    # xoshiro must not start from all zeros: chance 2**-128, but then it would stay there for ever.
    states[0] |= (states == 0).all(axis=0)
    return states


def random_words(
    seed: int,
    simulations: Sequence[int] | IntArray,
    n_words: int,
    series: tuple[int, ...] = (SERIES_X, SERIES_Y),
) -> WordArray:
    """Words of some series of some simulations: xoshiro128**, restarted every `BLOCK_LENGTH` words.

    Args:
        seed: 0 to 2**64 - 1.
        simulations: shape (n_simulations,), simulation numbers.
        n_words: words per series.
        series: as for `stream_states`.

    Returns:
        Shape (n_simulations, n_series, n_words), uint32.

    Source: Blackman & Vigna (2021), xoshiro128** 1.1.
    """
    n_blocks = -(-n_words // BLOCK_LENGTH)
    states = stream_states(seed, simulations, n_blocks, series)
    shape = states.shape[1:]
    s0, s1, s2, s3 = states.reshape(4, -1)
    steps = min(n_words, BLOCK_LENGTH)
    words = np.empty((steps, s0.size), np.uint32)
    high, low = np.empty_like(s0), np.empty_like(s0)
    for word in words:
        # The scrambler: s1 times 5, rotated left by 7, times 9.
        np.multiply(s1, np.uint32(5), out=word)
        np.left_shift(word, np.uint32(7), out=high)
        np.right_shift(word, np.uint32(25), out=low)
        high |= low
        np.multiply(high, np.uint32(9), out=word)
        # The linear engine.
        np.left_shift(s1, np.uint32(9), out=high)
        s2 ^= s0
        s3 ^= s1
        s1 ^= s2
        s0 ^= s3
        s2 ^= high
        np.left_shift(s3, np.uint32(11), out=high)
        np.right_shift(s3, np.uint32(21), out=low)
        np.bitwise_or(high, low, out=s3)
    blocks = np.ascontiguousarray(words.T).reshape(*shape[:2], -1)
    return blocks[:, :, :n_words]


@cache
def normal_table() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Corners of the piecewise straight inverse of the two-sided normal tail.

    Piece `32 * octave + k` covers tail probabilities `q / 2**32` with `q` from `2**octave * (1 + k/32)` to
    `2**octave * (1 + (k+1)/32)`. Widths halve from octave to octave, so the far tail is as well resolved as the
    middle; the distribution function of the result is within 2e-5 of the normal one everywhere.

    Returns:
        `(value, fall)`, each of shape (1024,), int64, in `NORMAL_UNIT`: the deviate's magnitude at the start of a
        piece, and by how much it has fallen at the piece's end. A fall is below 2**16, so that `fall * fraction`
        with a 15-bit fraction stays below 2**31.

    Source: this project: docs/random-streams.md.
    """
    octave, piece = np.divmod(np.arange(_OCTAVES * _PIECES_PER_OCTAVE), _PIECES_PER_OCTAVE)
    tail = np.ldexp(1.0 + piece / _PIECES_PER_OCTAVE, octave - _OCTAVES)
    # No corner is nearer than 1e-9 to where its rounding changes; inv_cdf is right to some 1e-14.
    corners = np.array([*(-NormalDist().inv_cdf(p) for p in (tail / 2).tolist()), 0.0])
    rounded = np.rint(corners / NORMAL_UNIT).astype(np.int64)
    return rounded[:-1], -np.diff(rounded)


def normal_from_words(words: WordArray) -> FloatArray:
    """Normal deviates, one per word, exact in double precision.

    The lowest bit is the sign. The others, as `m`, give the two-sided tail probability `(2 m + 1) / 2**32`,
    whose magnitude is read from `normal_table` along its straight pieces.

    Args:
        words: any shape, uint32.

    Returns:
        The same shape, float64, no unit: multiples of `NORMAL_UNIT`, standard deviation 1.

    Source: this project: docs/random-streams.md.
    """
    value, fall = normal_table()
    # As a double, q shows its octave in the exponent and its place in the octave in the mantissa.
    bits = (words | np.uint32(1)).astype(np.float64).view(np.int64)
    piece = (bits >> 47) - (1023 << 5)
    fraction = (bits >> 32) & 0x7FFF
    magnitude = fall[piece]
    magnitude *= fraction
    magnitude >>= _FRACTION_BITS
    np.subtract(value[piece], magnitude, out=magnitude)
    deviates: FloatArray = magnitude * NORMAL_UNIT
    np.negative(deviates, out=deviates, where=(words & np.uint32(1)).astype(bool))
    return deviates


def burn_in(lag1: float) -> int:
    """Samples to drop so that the start from 0 is forgotten: twice the decorrelation time, rounded up.

    Args:
        lag1: lag-1 autocorrelation, -1 < lag1 < 1.

    Returns:
        `ceil(-2 / log|lag1|)`, in samples; 0 for lag1 = 0.

    Source: the red-noise generator of Grinsted, Moore & Jevrejeva (2004), as in pycwt.
    """
    return 0 if lag1 == 0 else math.ceil(-2 / math.log(abs(lag1)))


def red_noise(normal: FloatArray, lag1: float, n_samples: int) -> FloatArray:
    """AR(1) noise `y[t] = lag1 * y[t-1] + normal[t]`, from `y[-1] = 0`, without its first samples.

    Args:
        normal: shape (..., at least burn_in(lag1) + n_samples), normal deviates.
        lag1: lag-1 autocorrelation, -1 < lag1 < 1.
        n_samples: samples to keep.

    Returns:
        Shape (..., n_samples), in the unit of `normal`; variance `1 / (1 - lag1**2)`, not normalised.

    Source: Torrence & Compo (1998), Eq. (15).
    """
    dropped = burn_in(lag1)
    samples = normal[..., : dropped + n_samples]
    if lag1 == 0:
        return samples
    series = samples.reshape(-1, samples.shape[-1])
    filtered: FloatArray
    if len(series) < _FEW_SERIES:
        filtered = np.array([[*accumulate(one, lambda before, e: lag1 * before + e)] for one in series.tolist()])
    else:
        # Time first: each step is then one row, all series side by side.
        steps = np.array(series.T, order="C")
        for t in range(1, len(steps)):
            steps[t] += steps[t - 1] * lag1
        filtered = steps.T
    return filtered.reshape(samples.shape)[..., dropped:]


def surrogate_pairs(
    seed: int, simulations: Sequence[int] | IntArray, lag1_x: float, lag1_y: float, n_samples: int
) -> FloatArray:
    """The two surrogate series of some simulations.

    Args:
        seed: 0 to 2**64 - 1.
        simulations: shape (n_simulations,), simulation numbers, 0 to 2**31 - 1.
        lag1_x: lag-1 autocorrelation of the first series, -1 < lag1_x < 1 (0: white).
        lag1_y: lag-1 autocorrelation of the second series, -1 < lag1_y < 1 (0: white).
        n_samples: samples per series.

    Returns:
        Shape (n_simulations, 2, n_samples), float64, no unit.

    Source: this project: docs/random-streams.md; AR(1) after Torrence & Compo (1998), Eq. (15).
    """
    n_words = n_samples + max(burn_in(lag1_x), burn_in(lag1_y))
    normal = normal_from_words(random_words(seed, simulations, n_words))
    pairs = np.empty((normal.shape[0], 2, n_samples))
    for series, lag1 in ((SERIES_X, lag1_x), (SERIES_Y, lag1_y)):
        pairs[:, series] = red_noise(normal[:, series], lag1, n_samples)
    return pairs


def red_noise_spectrum(frequencies: FloatArray, lag1: float) -> FloatArray:
    """Normalised power spectrum of red noise.

    Args:
        frequencies: shape (n_frequencies,), cycles per sample, 0 to 0.5.
        lag1: lag-1 autocorrelation, -1 < lag1 < 1.

    Returns:
        Shape (n_frequencies,), no unit; the mean over the band is 1.

    Raises:
        ValueError: lag1 is outside its range.

    Source: Torrence & Compo (1998), Eq. (16).
    """
    if not -1 < lag1 < 1:
        msg = f"lag1 must lie between -1 and 1 (both excluded), not {lag1!r}"
        raise ValueError(msg)
    spectrum: FloatArray = (1 - lag1**2) / (1 + lag1**2 - 2 * lag1 * np.cos(2 * np.pi * frequencies))
    return spectrum


def lag1_autocorrelation(series: FloatArray) -> float:
    """Lag-1 autocorrelation of a series, corrected for the bias of its short length.

    Args:
        series: shape (n_samples,), at least 3 samples, not constant.

    Returns:
        Estimate of the AR(1) coefficient, no unit.

    Raises:
        ValueError: the series is too short, constant, or has a trend so large that no AR(1) process fits it.

    Source: Allen & Smith (1996), *Monte Carlo SSA*, J. Climate 9, 3373-3404, with the quadratic equation of
    A. Grinsted's `ar1.m`; equal to `pycwt.ar1`.
    """
    x: Any = np.asarray(series, dtype=float)
    n = x.size
    x = x - x.mean()
    c0 = float(x @ x) / n
    if n < 3 or c0 <= np.finfo(float).tiny:
        msg = f"the series must have at least 3 samples that are not all equal; it has {n}"
        raise ValueError(msg)
    c1 = float(x[:-1] @ x[1:]) / (n - 1)
    a = c0 * n**2
    b = -c1 * n - c0 * n**2 - 2 * c0 + 2 * c1 - c1 * n**2 + c0 * n
    c = n * (c0 + c1 * n - c1)
    discriminant = b**2 - 4 * a * c
    if discriminant <= 0:
        msg = "no AR(1) process fits the series: it is too short or its trend is too large; remove the trend first"
        raise ValueError(msg)
    return float((-b - math.sqrt(discriminant)) / (2 * a))
