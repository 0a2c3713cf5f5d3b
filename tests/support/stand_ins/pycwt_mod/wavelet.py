"""The significance test, its simulations run by a backend."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from .backends import get_backend, get_recommended_backend

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # pycwt 0.5.0b0 uses a deprecated SciPy namespace
    from pycwt.helpers import rednoise
    from pycwt.wavelet import Morlet, cwt

__all__ = ["Morlet", "wct_significance"]


def _wct_significance_worker(
    seed: int | None,
    al1: float,
    al2: float,
    N: int,
    dt: float,
    dj: float,
    s0: float,
    J: int,
    wavelet: Any,
    sj: Any,
    scales: Any,
    outsidecoi: Any,
    maxscale: int,
    nbins: int,
) -> Any:
    """Counts of one simulation, shape (J + 1, nbins); the largest scale stays zero."""
    np.random.seed(seed)
    W1, W2 = (cwt(rednoise(N, lag1, 1), dt=dt, dj=dj, s0=s0, J=J, wavelet=wavelet)[0] for lag1 in (al1, al2))
    S1, S2, S12 = (
        wavelet.smooth(values / scales, dt, dj, sj) for values in (np.abs(W1) ** 2, np.abs(W2) ** 2, W1 * W2.conj())
    )
    bins = np.floor(np.abs(S12) ** 2 / (S1 * S2) * nbins).astype(int)
    counts = np.zeros([J + 1, nbins])
    for s in range(maxscale):
        np.add.at(counts[s], bins[s, outsidecoi[s]], 1)
    return counts


def wct_significance(
    al1: float,
    al2: float,
    dt: float,
    dj: float,
    s0: float,
    J: int,
    significance_level: float = 0.95,
    wavelet: Any = "morlet",
    mc_count: int = 300,
    progress: bool = True,
    cache: bool = True,
    backend: str | None = None,
    n_jobs: int | None = None,
) -> Any:
    """Significance levels, shape (J + 1,), NaN for the largest scale; `cache` does nothing in the stand-in."""
    wavelet = Morlet() if wavelet == "morlet" else wavelet
    N = int(np.ceil(s0 * (2 ** (J * dj)) / dt * 6))
    _, sj, freq, coi, _, _ = cwt(rednoise(N, al1, 1), dt=dt, dj=dj, s0=s0, J=J, wavelet=wavelet)
    outsidecoi = np.ones([1, N]) / freq[:, None] <= np.ones([J + 1, 1]) * coi[None, :]
    maxscale = np.flatnonzero(outsidecoi.any(axis=1))[-1]
    nbins = 1000
    results = get_backend(backend or get_recommended_backend(n_simulations=mc_count)).run_monte_carlo(
        _wct_significance_worker,
        n_simulations=mc_count,
        worker_args=(
            *(al1, al2, N, dt, dj, s0, J, wavelet),
            *(sj, np.ones([1, N]) * sj[:, None], outsidecoi, maxscale, nbins),
        ),
        seed=None,
        verbose=progress,
        n_jobs=n_jobs,
    )
    wlc = np.ma.zeros([J + 1, nbins])
    for of_simulation in results:
        wlc += of_simulation
    wlc.mask = wlc.data == 0.0
    levels = np.full(J + 1, np.nan)
    centres = (np.arange(nbins) + 0.5) / nbins
    for s in range(maxscale):
        filled = ~wlc[s, :].mask
        P = wlc[s, filled].data.cumsum()
        levels[s] = np.interp(significance_level, (P - 0.5) / P[-1], centres[filled])
    return levels
