"""Other tools for wavelet coherence, measured in one run with this project: docs/comparison.md."""

from __future__ import annotations

import importlib.util
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from elm11_host_ref.exact import coherence as host_coherence
from elm11_host_ref.exact import rednoise
from elm11_host_ref.exact import wavelet as wavelets
from elm11_lua_driver import significance

from study import libraries, measure
from study.monte_carlo import STANDARD, Pair
from study.quiet_pycwt import MORLET, pycwt
from study.quiet_pycwt import levels as pycwt_levels

if TYPE_CHECKING:
    from collections.abc import Callable

    from elm11_host_ref.types import FloatArray
    from elm11_lua_driver import Job

LAG1: Final[float] = STANDARD["lag1_x"]
DT: Final[float] = STANDARD["dt"]
DJ: Final[float] = STANDARD["dj"]
S0: Final[float] = STANDARD["s0"]

NOVEMBER_2026: Final = {
    "pycwt 0.5.0b0": (44, 233),
    "pycwt_mod": (21, 103),
    "R biwavelet 0.20.22": (12.1, 66),
    "Grinsted's MATLAB code in Octave": (65, 306),
}
"""Milliseconds per simulation of the standard job at J = 20 and 28, measured November 2026 on one core of a 2.5 GHz
Xeon, for tools that pip cannot install, and for pycwt to compare the computers by."""

_BUDGET_S: Final = 45  # for each J
_PROBE_LAG1: Final = 0.9
_PROBE_SAMPLES: Final = 100_000


def missing_tools() -> dict[str, str]:
    """Why a tool cannot be measured here."""
    reasons = {}
    for name, packages in {
        "piwavelet": ("piwavelet",),
        "waipy": ("waipy", "pandas"),  # which it imports without requiring it
        "PyWavelets": ("pywt",),
        "ssqueezepy": ("ssqueezepy",),
        "fCWT": ("fcwt",),
        "MNE-Python": ("mne",),
        "ObsPy": ("obspy",),
        "Elephant": ("elephant",),
    }.items():
        lacking = [package for package in packages if importlib.util.find_spec(package) is None]
        if lacking:
            reasons[name] = f"{' and '.join(lacking)} not installed"
    return reasons


def _piwavelet_levels(x: FloatArray, y: FloatArray, J: int, n_simulations: int) -> FloatArray:
    from piwavelet import Morlet  # noqa: PLC0415  not everybody has it
    from piwavelet.statistics.wcsignificance import wcsignificance  # noqa: PLC0415

    levels: FloatArray = wcsignificance(
        x, y, dt=DT, dj=DJ, s0=S0, J=J, wavelet=Morlet(), n_surrogates=n_simulations, random_state=1
    )
    return levels


def _piwavelet_coherence(x: FloatArray, y: FloatArray, J: int) -> FloatArray:
    from piwavelet import Morlet  # noqa: PLC0415
    from piwavelet.transforms import wavelet_coherence  # noqa: PLC0415

    squared: FloatArray = wavelet_coherence(x, y, dt=DT, dj=DJ, s0=S0, J=J, wavelet=Morlet()).coherence
    return squared


def _waipy_transform(series: FloatArray) -> dict[str, Any]:
    """The standard job's transform; below J = 11 waipy fails."""
    import waipy  # noqa: PLC0415  not everybody has it

    result: dict[str, Any] = waipy.cwt(series, DT, 1, DJ, S0, 20, LAG1, 6, "Morlet", "", J1=20)
    return result


def _pycwt_coherence(x: FloatArray, y: FloatArray, J: int) -> FloatArray:
    squared: FloatArray = pycwt.wct(x, y, DT, DJ, S0, J, sig=False, wavelet=MORLET)[0]
    return squared


def _our_coherence(x: FloatArray, y: FloatArray, job: Job) -> FloatArray:
    return host_coherence.coherence(x, y, job.sigma, job.mother, job.box)[0]


def time_levels(pairs: list[Pair], missing: dict[str, str], *, quick: bool) -> list[dict[str, Any]]:
    """Milliseconds per simulation of every tool that has a Monte Carlo test of coherence, set-up included."""
    rows = []
    for J, (of_pycwt, of_piwavelet, of_numpy, of_lua) in (
        {10: (5, 10, 64, 2)} if quick else {20: (12, 20, 512, 10), 28: (3, 10, 128, 2)}
    ).items():
        job = Pair("numpy", "exact").job(J, 1)
        x, y = rednoise.surrogate_pairs(5, [0], LAG1, LAG1, job.n_samples)[0]
        counts: dict[str, int] = {"pycwt": of_pycwt}
        tasks: dict[str, Callable[[], object]] = {"pycwt": partial(pycwt_levels, LAG1, DT, DJ, S0, J, of_pycwt)}
        if "piwavelet" not in missing:
            counts["piwavelet"] = of_piwavelet
            tasks["piwavelet"] = partial(_piwavelet_levels, x, y, J, of_piwavelet)
        for pair in pairs:
            if pair.engine in {"numpy", "lua"}:
                counts[pair.label] = of_numpy if pair.engine == "numpy" else of_lua
                tasks[pair.label] = partial(significance, pair.job(J, counts[pair.label]), engine=pair.engine)
        measure.say(f"Monte Carlo test at J = {J}")
        times = measure.interleaved(tasks, 2 if quick else 9, slow_s=20, budget_s=_BUDGET_S)
        for tool, timing in times.items():
            rows.append(
                {
                    "tool": tool,
                    "J": J,
                    "n_simulations": counts[tool],
                    "ms": 1e3 * timing.wall.median / counts[tool],
                    "ms_low": 1e3 * timing.wall.low / counts[tool],
                    "ms_high": 1e3 * timing.wall.high / counts[tool],
                    "confidence": timing.wall.confidence,
                }
            )
    return rows


def time_transforms(missing: dict[str, str], *, quick: bool) -> list[dict[str, Any]]:
    """Milliseconds of one transform of the standard job's series, of every tool, as a user would call it."""
    job = Pair("numpy", "exact").job(20, 1)
    x, _ = rednoise.surrogate_pairs(5, [0], LAG1, LAG1, job.n_samples)[0]
    usable = libraries.available()[0]
    tasks: dict[str, Callable[[], object]] = {
        libraries.TRANSFORMS[key].label: partial(usable[key].make(job.sigma), x)
        for key in ("pycwt", "ours", "pywt12", "ssq", "fcwt", "mne", "obspy", "elephant")
        if key in usable
    }
    if "waipy" not in missing:
        tasks["waipy"] = partial(libraries.silently, partial(_waipy_transform, x))
    if "piwavelet" not in missing:
        import piwavelet  # noqa: PLC0415

        tasks["piwavelet"] = partial(piwavelet.cwt, x, DT, DJ, S0, job.J, piwavelet.Morlet())
    measure.say("one transform")
    times = measure.interleaved(tasks, 3 if quick else 15, budget_s=_BUDGET_S)
    return [
        {"tool": tool, "n_samples": job.n_samples, "n_scales": job.J + 1, **timing.to_dict()}
        for tool, timing in times.items()
    ]


def red_noise(missing: dict[str, str]) -> dict[str, float]:
    """Lag-1 autocorrelation of the red noise that each tool makes when asked for 0.9."""
    np.random.seed(1)  # noqa: NPY002  pycwt has no other way to be seeded
    series = {
        "pycwt": np.asarray(pycwt.rednoise(_PROBE_SAMPLES, _PROBE_LAG1)),
        "this project": rednoise.surrogate_pairs(1, [0], _PROBE_LAG1, _PROBE_LAG1, _PROBE_SAMPLES)[0][0],
    }
    if "piwavelet" not in missing:
        from piwavelet.statistics.wcsignificance import generate_ar1  # noqa: PLC0415

        series["piwavelet"] = generate_ar1(_PROBE_LAG1, 1.0, _PROBE_SAMPLES, np.random.default_rng(1))
    return {tool: float(np.corrcoef(values[:-1], values[1:])[0, 1]) for tool, values in series.items()}


def false_alarms(missing: dict[str, str], *, quick: bool) -> dict[str, Any]:
    """How often independent red noise exceeds each tool's 95 % level, by its own coherence: 5 % is right.

    Only samples inside the cone of influence count, and every scale that has a level counts alike.
    """
    measure.say("do the levels hold what they promise?")
    J, n_pairs, n_simulations = (10, 20, 40) if quick else (20, 400, 1000)
    job = Pair("numpy", "exact").job(J, n_simulations)
    # Another seed than that of the levels: a test on the noise that made the level would be too kind.
    noise = rednoise.surrogate_pairs(99, range(n_pairs), LAG1, LAG1, job.n_samples)
    tools: dict[str, tuple[FloatArray, Callable[[FloatArray, FloatArray], FloatArray]]] = {
        "pycwt": (
            pycwt_levels(LAG1, DT, DJ, S0, J, n_simulations // 2 if not quick else 20),
            partial(_pycwt_coherence, J=J),
        ),
        "this project": (significance(job).significance, partial(_our_coherence, job=job)),
    }
    if "piwavelet" not in missing:
        x, y = rednoise.surrogate_pairs(5, [0], LAG1, LAG1, job.n_samples)[0]
        tools["piwavelet"] = (
            _piwavelet_levels(x, y, J, n_simulations // 4 if not quick else 10),
            partial(_piwavelet_coherence, J=J),
        )
    sample = np.arange(job.n_samples)
    first = wavelets.first_usable(job.sigma, job.mother)[:, None]
    inside = (sample >= first) & (sample < job.n_samples - first)
    result: dict[str, Any] = {"periods": job.periods.tolist(), "n_pairs": n_pairs, "tools": {}}
    for tool, (levels, coherence_of) in tools.items():
        rates = np.array(
            [((coherence_of(x, y) > levels[:, None]) & inside).sum(axis=1) / inside.sum(axis=1) for x, y in noise]
        )
        rates = rates[:, np.isfinite(levels)]
        overall = rates.mean(axis=1)
        small = rates[:, :4].mean(axis=1)
        result["tools"][tool] = {
            "levels": [None if np.isnan(level) else float(level) for level in levels],
            "percent_by_scale": (100 * rates.mean(axis=0)).tolist(),
            "percent": 100 * float(overall.mean()),
            "half_width": 196 * float(overall.std(ddof=1) / np.sqrt(n_pairs)),
            "percent_small": 100 * float(small.mean()),
            "half_width_small": 196 * float(small.std(ddof=1) / np.sqrt(n_pairs)),
        }
    return result


def waipy_coherence(missing: dict[str, str]) -> dict[str, float] | None:
    """What waipy calls coherence, of two independent series: it is not smoothed, so its modulus is 1 everywhere."""
    if "waipy" in missing:
        return None
    x, y = rednoise.surrogate_pairs(5, [0], LAG1, LAG1, 384)[0]
    W1, W2 = (libraries.silently(partial(_waipy_transform, series))["wave"] for series in (x, y))
    cross = np.abs(W1 * W2.conj()) ** 2
    modulus = cross / (np.abs(W1) ** 2 * np.abs(W2) ** 2)
    return {"smallest": float(modulus.min()), "largest": float(modulus.max())}


def run(*, quick: bool, pairs: list[Pair]) -> dict[str, Any]:
    """Measure all tools that are installed."""
    missing = missing_tools()
    for tool, reason in missing.items():
        measure.say(f"skipped: {tool}: {reason}")
    return {
        "missing": missing,
        "levels": time_levels(pairs, missing, quick=quick),
        "transforms": time_transforms(missing, quick=quick),
        "red_noise_lag1": red_noise(missing),
        "red_noise_wanted": _PROBE_LAG1,
        "false_alarms": false_alarms(missing, quick=quick),
        "waipy_coherence": waipy_coherence(missing),
        "november_2026": {tool: list(values) for tool, values in NOVEMBER_2026.items()},
    }
