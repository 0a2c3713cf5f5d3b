"""Part (e): what to use for which size of data: costs at pycwt's default scales, and what follows from them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from elm11_host_ref import fft
from elm11_host_ref import wavelet as wavelets
from elm11_lua_driver import Job, memory_plan
from elm11_lua_driver import job as jobs
from elm11_lua_driver import run as run_job
from elm11_lua_driver.pycwt_drop_in import default_scales

from study import fits, measure
from study.monte_carlo import STANDARD
from study.quiet_pycwt import levels as pycwt_levels
from study.scaling import MEMORIES_GB

if TYPE_CHECKING:
    from collections.abc import Callable

    from study.monte_carlo import Pair

DJ: Final = 1 / 12
LAG1: Final = 0.72
SIZES: Final = (100, 1000, 10_000, 100_000, 1_000_000)
MEASURED: Final = (100, 300, 1000, 3000, 10_000)
MEASURED_QUICK: Final = (30, 60, 120)
SIMULATIONS: Final = 300
_PYCWT_UP_TO: Final = 3000
"""Beyond it one simulation of pycwt takes some ten seconds."""
_BUDGET_S: Final = 120
LONG_S: Final = 8 * 3600.0
"""A night: what takes longer needs more computers, and a checkpoint."""


def job_for(n_samples: int, pipeline: str = "exact", n_simulations: int = SIMULATIONS) -> Job:
    """The job of two series of that length with pycwt's default scales (dt = 1, dj = 1/12, up to the series' length).

    Raises:
        ValueError: its surrogates, six times as long as the series, are longer than a job may have.
    """
    s0, J = default_scales(n_samples, 1.0, DJ, wavelets.WAVELETS["morlet"], None, None)
    return Job(
        LAG1,
        LAG1,
        dt=1.0,
        dj=DJ,
        s0=s0,
        J=J,
        n_simulations=n_simulations,
        pipeline=pipeline,
    )


def n_scales_for(n_samples: int) -> int:
    """Number of pycwt's default scales."""
    return default_scales(n_samples, 1.0, DJ, wavelets.WAVELETS["morlet"], None, None)[1] + 1


def board_largest_J(pipeline: str) -> int | None:  # noqa: N802  the paper's J
    """Largest J of the standard job (dt = dj = 0.25, s0 = 0.5) that fits into the board's memory."""
    fits = [J for J in range(41) if memory_plan.plan(Job(**STANDARD, J=J, pipeline=pipeline)).fits]
    return max(fits, default=None)


def measure_costs(pairs: list[Pair], sizes: tuple[int, ...], rounds: int, seconds: float) -> list[dict[str, Any]]:
    """Seconds per simulation by length of the data, on one core."""
    tasks: dict[str, Callable[[], object]] = {}
    keys: dict[str, tuple[str, int, int]] = {}
    for n_samples in sizes:
        for pair in pairs:
            if pair.engine != "numpy":
                continue
            n = _how_many(n_samples, 2e-8, seconds)
            n = -(-n // 64) * 64 if pair.pipeline == "fast" else n
            name = f"{pair.label} {n_samples}"
            keys[name] = (pair.label, n_samples, n)
            tasks[name] = partial(run_job, job_for(n_samples, pair.pipeline, n))
        if n_samples <= _PYCWT_UP_TO:
            job = job_for(n_samples)
            n = _how_many(n_samples, 2e-6, seconds)
            name = f"pycwt {n_samples}"
            keys[name] = ("pycwt", n_samples, n)
            tasks[name] = partial(pycwt_levels, LAG1, 1.0, DJ, job.s0, job.J, n)
    measure.say(f"tests of {', '.join(map(str, sizes))} samples")
    times = measure.interleaved(tasks, rounds, slow_s=1.0, slow_rounds=2, budget_s=_BUDGET_S)
    return [
        {
            "label": label,
            "n_samples": n_samples,
            "n_scales": n_scales_for(n_samples),
            "n_padded": job_for(n_samples).n_padded,
            "n_simulations": n,
            **times[name].to_dict(),
        }
        for name, (label, n_samples, n) in keys.items()
    ]


def _how_many(n_samples: int, seconds_per_coefficient: float, seconds: float) -> int:
    each = job_for(n_samples).n_padded * n_scales_for(n_samples) * seconds_per_coefficient
    return int(np.clip(seconds / each, 1, 512))


def law(rows: list[dict[str, Any]], label: str) -> fits.PowerLaw | None:
    """Seconds per simulation over coefficients (padded samples times scales); None without measurements."""
    mine = [row for row in rows if row["label"] == label]
    if len(mine) < 3:
        return None
    return fits.power_law(
        [[row["n_padded"] * row["n_scales"]] for row in mine],
        [row["wall"]["median"] / row["n_simulations"] for row in mine],
    )


def table(
    costs: list[dict[str, Any]], scaling: dict[str, Any] | None, engines: dict[str, Any] | None
) -> list[dict[str, Any]]:
    """For every size: predicted seconds of a test with 300 simulations, memory, and what to use."""
    labels = [label for label in dict.fromkeys(row["label"] for row in costs) if label != "pycwt"]
    laws = {label: law(costs, label) for label in [*labels, "pycwt"]}
    rows = []
    for n_samples in SIZES:
        n_scales = n_scales_for(n_samples)
        row: dict[str, Any] = {"n_samples": n_samples, "n_scales": n_scales}
        if scaling is not None:
            row["pycwt_wct_s"] = _predict(scaling["laws"]["wct"]["time"], fft.padded_length(n_samples), n_scales)
            row["pycwt_wct_bytes"] = _predict(scaling["laws"]["wct"]["memory"], fft.padded_length(n_samples), n_scales)
        n_padded = fft.padded_length(6 * n_samples)
        if scaling is not None:
            row["pycwt_test_bytes"] = _predict(scaling["laws"]["wct"]["memory"], n_padded, n_scales)
        seconds = {
            label: SIMULATIONS * fit.predict(n_padded * n_scales)[0] for label, fit in laws.items() if fit is not None
        }
        row["test_s"] = seconds
        try:
            job = job_for(n_samples)
        except ValueError as error:
            row["refused"] = str(error)
            row["board_fits"] = False
        else:
            row["board_fits"] = memory_plan.plan(job).fits
        row["advice"] = _advice(row, engines)
        rows.append(row)
    return rows


def test_stops(scaling: dict[str, Any]) -> list[dict[str, Any]]:
    """Longest data whose test by pycwt, with its default scales, is expected to fit into 16 and 64 GB."""
    stops = []
    for gigabytes in MEMORIES_GB:
        n_padded = 1024
        while _test_bytes(scaling, 2 * n_padded) <= gigabytes * 2**30:
            n_padded *= 2
        stops.append({"memory_gb": gigabytes, "largest_n": n_padded // 6, "bytes": _test_bytes(scaling, n_padded)})
    return stops


def _test_bytes(scaling: dict[str, Any], n_padded: int) -> float:
    return _predict(scaling["laws"]["wct"]["memory"], n_padded, n_scales_for(n_padded // 6))


def _predict(one: dict[str, Any], n_padded: int, n_scales: int) -> float:
    return float(one["factor"] * n_padded ** one["exponents"][0] * n_scales ** one["exponents"][1])


def _advice(row: dict[str, Any], engines: dict[str, Any] | None) -> str:
    if "refused" in row:
        return "give a smaller J: surrogates six times as long as the largest scale exceed what a job may have"
    own = {label: seconds for label, seconds in row["test_s"].items() if label != "pycwt"}
    label = min(own, key=lambda key: own[key])
    pipeline = label.partition(", ")[2]
    seconds = own[label]
    limit = (engines or {}).get("pays_off_s", {}).get(pipeline)
    what = f'`pipeline="{pipeline}"`, '
    if limit is not None and seconds > limit:
        return what + ('`engine="pool"`' if seconds < LONG_S else '`engine="pool"` or `"dask"`, with a checkpoint')
    return what + '`engine="numpy"`'


def run(
    *, quick: bool, pairs: list[Pair], scaling: dict[str, Any] | None, engines: dict[str, Any] | None
) -> dict[str, Any]:
    """Measure the costs and make the table."""
    sizes = MEASURED_QUICK if quick else MEASURED
    costs = measure_costs(pairs, sizes, 2 if quick else 5, 0.02 if quick else 0.5)
    fitted = {label: law(costs, label) for label in dict.fromkeys(row["label"] for row in costs)}
    return {
        "costs": costs,
        "laws": {label: one.to_dict() for label, one in fitted.items() if one is not None},
        "table": table(costs, scaling, engines),
        "test_stops": test_stops(scaling) if scaling is not None else [],
        "simulations": SIMULATIONS,
        "board_largest_J": {pipeline: board_largest_J(pipeline) for pipeline in jobs.PIPELINES},
    }
