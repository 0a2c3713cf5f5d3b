"""Make tests/data/histogram_j28_300.npz: the histogram of a J = 28 job, for tests of the wire.

The numbers come from the exact pipeline of the method (Torrence & Compo 1998; Grinsted et al. 2004; the
scale box of pycwt 0.5.0b0), written out here once more so that the file depends on nothing else: lag-1
autocorrelation 0.72 for both series, dt = dj = 0.25, s0 = 0.5, Morlet with f0 = 6, 1000 bins, numpy's PCG64
with seed 1. Takes 3 seconds.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.fft import fft, fftfreq, ifft
from scipy.signal import lfilter

TARGET = Path(__file__).resolve().parents[2] / "tests" / "data" / "histogram_j28_300.npz"
LAG1 = 0.72
DT = DJ = 0.25
S0 = 0.5
N_BINS = 1000


def histogram(J: int, n_simulations: int, seed: int) -> np.ndarray:
    """Counts of squared coherence, shape (J + 1, N_BINS)."""
    rng = np.random.default_rng(seed)
    N = int(np.ceil(6 * S0 * 2 ** (J * DJ) / DT))
    n = 1 << (N - 1).bit_length()
    scales = (S0 * 2 ** (np.arange(J + 1) * DJ) / DT)[:, None]
    k = 2 * np.pi * fftfreq(n)
    wavelets = np.sqrt(2 * np.pi * scales) * np.pi**-0.25 * np.exp(-((scales * k - 6) ** 2) / 2)
    gaussians = np.exp(-(scales**2) * k**2 / 2)
    box = np.ones(round(1.2 / DJ))
    box[[0, -1]] = 0.5
    box /= box.sum()
    usable = np.sqrt(2) * scales <= N / 2 - np.abs(np.arange(N) - (N - 1) / 2)
    dropped = int(np.ceil(-2 / np.log(LAG1)))

    def transform() -> np.ndarray:
        noise = lfilter([1], [1, -LAG1], rng.standard_normal(N + dropped))[dropped:]
        return ifft(fft(noise, n) * wavelets)[:, :N]

    def smooth(plane: np.ndarray) -> np.ndarray:
        in_time = ifft(fft(plane / scales, n) * gaussians)[:, :N]
        result = np.zeros_like(in_time)
        for m, weight in enumerate(box):
            shift = (len(box) - 1) // 2 - m
            rows = np.arange(max(0, -shift), min(J + 1, J + 1 - shift))
            result[rows] += weight * in_time[rows + shift]
        return result

    counts = np.zeros((J + 1, N_BINS), dtype=np.int32)
    for _ in range(n_simulations):
        first, second = transform(), transform()
        power = smooth(np.abs(first) ** 2 + 1j * np.abs(second) ** 2)
        coherence = np.abs(smooth(first * second.conj())) ** 2 / (power.real * power.imag)
        bins = np.minimum((coherence * N_BINS).astype(int), N_BINS - 1)
        for row in range(J + 1):
            counts[row] += np.bincount(bins[row][usable[row]], minlength=N_BINS).astype(np.int32)
    return counts


if __name__ == "__main__":
    TARGET.parent.mkdir(exist_ok=True)
    np.savez_compressed(TARGET, counts=histogram(J=28, n_simulations=300, seed=1).astype(np.uint16))
    sys.stdout.write(f"{TARGET}: {TARGET.stat().st_size} bytes\n")
