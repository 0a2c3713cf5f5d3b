"""Part (b): continuous wavelet transforms side by side, on the same scales: how fast, and how much alike."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from elm11_host_ref.exact import rednoise
from elm11_host_ref.exact import wavelet as wavelets

from study import libraries, measure

if TYPE_CHECKING:
    from elm11_host_ref.types import ComplexArray, FloatArray
    from numpy.typing import NDArray

N_SCALES: Final = 60
SMALLEST_SCALE: Final = 2.0
TIMED: Final = (1000, 10_000, 100_000)
TIMED_QUICK: Final = (1000,)
_BUDGET_S: Final = 45  # for each length
COMPARED: Final = 3000
COMPARED_QUICK: Final = 700
REFERENCE: Final = "pycwt"


def sigma_for(n_samples: int) -> FloatArray:
    """Scales in samples, from 2 to an eighth of the series: all have samples inside the cone of influence."""
    sigma: FloatArray = np.geomspace(SMALLEST_SCALE, n_samples / 8, N_SCALES)
    return sigma


def red_series(n_samples: int, seed: int = 1) -> tuple[FloatArray, FloatArray]:
    """Two independent AR(1) series, lag-1 autocorrelation 0.72."""
    x, y = rednoise.surrogate_pairs(seed, [0], 0.72, 0.72, n_samples)[0]
    return x, y


def inside(n_samples: int, sigma: FloatArray) -> NDArray[np.bool_]:
    """Shape (n_scales, n_samples): inside the cone of influence."""
    first = wavelets.first_usable(sigma, wavelets.WAVELETS["morlet"])[:, None]
    sample = np.arange(n_samples)
    return np.asarray((sample >= first) & (sample < n_samples - first), np.bool_)


def differences(n_samples: int) -> dict[str, tuple[ComplexArray, ComplexArray]]:
    """Transform and reference transform of one red series, library by library."""
    sigma, (series, _) = sigma_for(n_samples), red_series(n_samples)
    usable, _ = libraries.available()
    reference = usable[REFERENCE].make(sigma)(series)
    return {key: (one.make(sigma)(series), reference) for key, one in usable.items() if key != REFERENCE}


def agreement(W: ComplexArray, reference: ComplexArray, sigma: FloatArray) -> dict[str, Any]:
    """How much alike two transforms are, inside the cone of influence.

    Args:
        W: shape (n_scales, n_samples).
        reference: the same shape.
        sigma: shape (n_scales,), scales in samples.

    Returns:
        `correlation` of all coefficients, each scale weighted by its power in the reference to count alike; by scale:
        `relative_error` (RMS of the difference over RMS of the reference), `gain` (amplitude against the reference),
        `shift_samples` (later than the reference, from the phase at the scale's own frequency).
    """
    mask = inside(reference.shape[1], sigma)
    a, b = np.where(mask, reference, 0), np.where(mask, W, 0)
    power = (np.abs(a) ** 2).sum(axis=1)
    product = (a.conj() * b).sum(axis=1)
    theirs = (np.abs(b) ** 2).sum(axis=1)
    error = np.sqrt((np.abs(b - a) ** 2).sum(axis=1) / power)
    response = product / power
    correlation = abs((product / power).sum()) / np.sqrt(len(sigma) * (theirs / power).sum())
    return {
        "correlation": float(correlation),
        "relative_error": error.tolist(),
        "gain": np.abs(response).tolist(),
        "shift_samples": (-np.angle(response) * sigma / libraries.OMEGA0).tolist(),
    }


def run(*, quick: bool) -> dict[str, Any]:
    """Time the libraries and compare their coefficients."""
    usable, missing = libraries.available()
    for key, reason in missing.items():
        measure.say(f"skipped: {libraries.TRANSFORMS[key].label}: {reason}")
    timing = []
    for n_samples in TIMED_QUICK if quick else TIMED:
        sigma, (series, _) = sigma_for(n_samples), red_series(n_samples)
        tasks = {key: partial(one.make(sigma), series) for key, one in usable.items()}
        measure.say(f"times at {n_samples} samples")
        times = measure.interleaved(tasks, 3 if quick else 11, slow_s=3.0, slow_rounds=6, budget_s=_BUDGET_S)
        timing += [
            {"key": key, "n_samples": n_samples, "n_scales": N_SCALES, **time.to_dict()} for key, time in times.items()
        ]
    measure.say("agreement")
    n_compared = COMPARED_QUICK if quick else COMPARED
    sigma = sigma_for(n_compared)
    compared = {key: agreement(W, reference, sigma) for key, (W, reference) in differences(n_compared).items()}
    return {
        "timing": timing,
        "compared_samples": n_compared,
        "sigma": sigma.tolist(),
        "agreement": compared,
        "missing": missing,
    }
