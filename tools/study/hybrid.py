"""Part (c): coherence and levels from coefficients of other libraries, against pycwt, and what it saves."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from elm11_host_ref.exact import coherence as host_coherence
from elm11_host_ref.exact import rednoise
from elm11_host_ref.exact import wavelet as wavelets
from elm11_lua_driver import Job, coherence_from_cwt
from elm11_lua_driver import run as run_job
from elm11_lua_driver.levels.quantiles import quantiles

from study import libraries, measure
from study.quiet_pycwt import MORLET, pycwt
from study.transforms import inside

if TYPE_CHECKING:
    from elm11_host_ref.types import ComplexArray, FloatArray, IntArray

DJ: Final = 1 / 12
SMALLEST_SCALE: Final = 2.0
TIMED: Final = (1000, 10_000, 30_000)
TIMED_QUICK: Final = (500,)
_BUDGET_S: Final = 40  # for each length
COMPARED: Final = 2000
COMPARED_QUICK: Final = 500
LEVEL: Final = 0.95
N_GROUPS: Final = 20
SIMULATIONS: Final = 1000
SIMULATIONS_QUICK: Final = 40
# In a Monte Carlo run filters are made once, so a library that can keep them is given the chance.
FOR_LEVELS: Final = ("pycwt", "pywt12", "pywt", "ssq_kept", "ssq_reflect", "fcwt")
FOR_TIMES: Final = ("pywt12", "pywt", "ssq", "ssq_kept", "fcwt")
STANDARD_JOB: Final[dict[str, Any]] = {"lag1_x": 0.72, "lag1_y": 0.72, "dt": 0.25, "dj": 0.25, "s0": 0.5, "J": 20}


def sigma_for(n_samples: int) -> FloatArray:
    """Scales in samples, twelve to the octave, from 2 up to an eighth of the series."""
    J = int(np.log2(n_samples / 8 / SMALLEST_SCALE) / DJ)
    return wavelets.scales(SMALLEST_SCALE, DJ, J)


def two_series(n_samples: int) -> tuple[FloatArray, FloatArray]:
    """Red noise with a common oscillation in the middle third, the second series a quarter of a period later."""
    x, y = rednoise.surrogate_pairs(3, [0], 0.72, 0.72, n_samples)[0]
    time = np.arange(n_samples)
    envelope = np.exp(-0.5 * ((time - n_samples / 2) / (n_samples / 8)) ** 2)
    phase = 2 * np.pi * time / (n_samples / 32)
    return x + 2 * envelope * np.sin(phase), y + 2 * envelope * np.sin(phase - np.pi / 2)


def _pycwt_coherence(x: FloatArray, y: FloatArray, sigma: FloatArray) -> FloatArray:
    squared: FloatArray = pycwt.wct(
        x, y, 1.0, DJ, SMALLEST_SCALE, sigma.size - 1, sig=False, wavelet=MORLET, normalize=False
    )[0]
    return squared


def _hybrid(transform: Any, x: FloatArray, y: FloatArray, sigma: FloatArray) -> FloatArray:  # noqa: ANN401
    squared, _ = coherence_from_cwt(transform(x), transform(y), sigma, 1.0, DJ)
    return squared


def compare(n_samples: int) -> dict[str, dict[str, float]]:
    """Squared coherence from each library's coefficients against `pycwt.wct`."""
    sigma, (x, y) = sigma_for(n_samples), two_series(n_samples)
    reference = _pycwt_coherence(x, y, sigma)
    mask = inside(n_samples, sigma)
    result = {}
    for key, one in libraries.available()[0].items():
        difference = np.abs(_hybrid(one.make(sigma), x, y, sigma) - reference)
        result[key] = {
            "largest_inside": float(difference[mask].max()),
            "median_inside": float(np.median(difference[mask])),
            "share_inside_above_0.01": float((difference[mask] > 0.01).mean()),
            "largest_anywhere": float(difference.max()),
        }
    return result


def time_coherence(n_samples: int, rounds: int) -> list[dict[str, Any]]:
    """Whole coherence by pycwt, by this project, and by coefficients of other libraries; and the transforms alone."""
    sigma, (x, y) = sigma_for(n_samples), two_series(n_samples)
    usable = libraries.available()[0]
    mother = wavelets.WAVELETS["morlet"]
    job = Job(**STANDARD_JOB)
    box = Job(**{**STANDARD_JOB, "dj": DJ}).box
    assert job.mother == mother
    made: dict[str, Any] = {key: usable[key].make(sigma) for key in FOR_TIMES if key in usable}
    tasks: dict[str, Any] = {
        "pycwt": partial(_pycwt_coherence, x, y, sigma),
        "ours": partial(host_coherence.coherence, x, y, sigma, mother, box),
    }
    tasks |= {key: partial(_hybrid, transform, x, y, sigma) for key, transform in made.items()}
    alone: dict[str, Any] = {"pycwt": usable["pycwt"].make(sigma), **made}
    tasks.update({f"{key} transforms": partial(_both, transform, x, y) for key, transform in alone.items()})
    measure.say(f"coherence of {n_samples} samples")
    times = measure.interleaved(tasks, rounds, slow_s=2.0, slow_rounds=6, budget_s=_BUDGET_S)
    return [
        {"what": what, "n_samples": n_samples, "n_scales": int(sigma.size), **time.to_dict()}
        for what, time in times.items()
    ]


def _both(transform: Any, x: FloatArray, y: FloatArray) -> None:  # noqa: ANN401
    transform(x)
    transform(y)


def histogram_of(W1: ComplexArray, W2: ComplexArray, job: Job) -> IntArray:
    """Counts of one simulation: shape (J + 1, n_bins), the samples inside the cone of influence."""
    squared, _ = coherence_from_cwt(W1, W2, job.scales, job.dt, job.dj)
    counts = np.zeros((job.J + 1, job.n_bins), np.int64)
    for j, first in enumerate(job.first_usable):
        bins = (squared[j, first : job.n_samples - first] * job.n_bins).astype(int).clip(0, job.n_bins - 1)
        counts[j] = np.bincount(bins, minlength=job.n_bins)
    return counts


def compare_levels(n_simulations: int) -> dict[str, Any]:
    """Significance levels with the transform of each library, on the same surrogates.

    The surrogates being the same, the differences have much smaller errors than the levels; their standard errors come
    from a jackknife over groups of simulations.
    """
    measure.say(f"levels from {n_simulations} simulations")
    job = Job(**STANDARD_JOB, n_simulations=n_simulations)
    usable = libraries.available()[0]
    pairs = rednoise.surrogate_pairs(job.seed, range(n_simulations), *job.noise_lag1, job.n_samples)
    counts = {}
    for key in FOR_LEVELS:
        if key not in usable:
            continue
        transform = usable[key].make(job.sigma)
        groups = np.zeros((N_GROUPS, job.J + 1, job.n_bins), np.int64)
        for simulation, (x, y) in enumerate(pairs):
            groups[simulation % N_GROUPS] += histogram_of(transform(x), transform(y), job)
        counts[key] = groups
    exact = run_job(job).counts
    reference = counts["pycwt"]
    rows = {}
    for key, groups in counts.items():
        difference = quantiles(groups.sum(axis=0), LEVEL) - quantiles(reference.sum(axis=0), LEVEL)
        without = np.array(
            [
                quantiles(groups.sum(axis=0) - mine, LEVEL) - quantiles(reference.sum(axis=0) - theirs, LEVEL)
                for mine, theirs in zip(groups, reference, strict=True)
            ]
        )
        error = np.sqrt((N_GROUPS - 1) / N_GROUPS * ((without - without.mean(axis=0)) ** 2).sum(axis=0))
        rows[key] = {"difference": difference.tolist(), "standard_error": error.tolist()}
    return {
        "n_simulations": n_simulations,
        "job": STANDARD_JOB,
        "periods": job.periods.tolist(),
        "levels": quantiles(reference.sum(axis=0), LEVEL).tolist(),
        "moved_counts": int(np.abs(exact - reference.sum(axis=0)).sum() // 2),
        "all_counts": int(exact.sum()),
        "libraries": rows,
    }


def time_levels(rounds: int, n_simulations: int) -> list[dict[str, Any]]:
    """Seconds per simulation with each library's transform, and of the NumPy engine."""
    job = Job(**STANDARD_JOB, n_simulations=n_simulations)
    usable = libraries.available()[0]
    pairs = rednoise.surrogate_pairs(job.seed, range(n_simulations), *job.noise_lag1, job.n_samples)

    def all_of(transform: Any) -> None:  # noqa: ANN401
        for x, y in pairs:
            histogram_of(transform(x), transform(y), job)

    tasks: dict[str, Any] = {key: partial(all_of, usable[key].make(job.sigma)) for key in FOR_LEVELS if key in usable}
    tasks["numpy engine"] = partial(run_job, job)
    times = measure.interleaved(tasks, rounds, budget_s=_BUDGET_S)
    return [{"what": what, "n_simulations": n_simulations, **time.to_dict()} for what, time in times.items()]


def run(*, quick: bool) -> dict[str, Any]:
    """Compare and time."""
    n_compared = COMPARED_QUICK if quick else COMPARED
    timing = []
    for n_samples in TIMED_QUICK if quick else TIMED:
        timing += time_coherence(n_samples, 2 if quick else 9)
    return {
        "compared_samples": n_compared,
        "coherence": compare(n_compared),
        "timing": timing,
        "levels": compare_levels(SIMULATIONS_QUICK if quick else SIMULATIONS),
        "levels_timing": time_levels(2 if quick else 7, 5 if quick else 20),
    }
