"""Part (e): what to use for which size of data: costs at pycwt's default scales, and what follows from them.

Run as a module it measures memory: `python -m study.decision exact 1000` prints JSON.
"""

from __future__ import annotations

import json
import math
import sys
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from elm11_host_ref import names
from elm11_host_ref.exact import fft
from elm11_host_ref.exact import wavelet as wavelets
from elm11_lua_driver import Job
from elm11_lua_driver import run as run_job
from elm11_lua_driver.planning import cost as cost_model
from elm11_lua_driver.planning import memory as memory_plan
from elm11_lua_driver.series.checks import default_scales

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
_BUDGET_S: Final = 90
_ENDLESS: Final = 1 << 24
"""Samples beyond which no threshold is looked for."""
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


def padded_for(n_samples: int) -> int:
    """Padded length of the surrogates for data of that length, also where no job may have them.

    Six times the largest scale, which is the series' length only to within a twelfth of an octave: what is padded to
    the next power of two may be another one than for six times the series.
    """
    s0, J = default_scales(n_samples, 1.0, DJ, wavelets.WAVELETS["morlet"], None, None)
    return fft.padded_length(math.ceil(6 * s0 * 2 ** (J * DJ)))


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
            "n_padded": padded_for(n_samples),
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


def measure_memory(pairs: list[Pair], sizes: tuple[int, ...]) -> list[dict[str, Any]]:
    """Growth of the peak memory by one run of the NumPy engine, each in a process of its own.

    One process for all would not do: what an earlier run gave back stays with the process, and hides the next one's.
    """
    measure.say("memory of the NumPy engine")
    return [
        {
            "label": pair.label,
            "n_samples": n_samples,
            "n_padded": padded_for(n_samples),
            "n_scales": n_scales_for(n_samples),
            **measure.in_child("decision", pair.pipeline, n_samples),
        }
        for pair in pairs
        if pair.engine == "numpy"
        for n_samples in sizes
    ]


def memory_laws(rows: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Bytes of the NumPy engine, `start + slope * coefficients`, by pipeline.

    A line, not a power law: as many simulations are computed at once as fit into a fixed room, so small jobs all need
    about the same.
    """
    laws = {}
    for label in dict.fromkeys(row["label"] for row in rows):
        mine = [row for row in rows if row["label"] == label and row["peak_bytes"] > 0]
        if len(mine) > 2:
            line = fits.line([row["n_padded"] * row["n_scales"] for row in mine], [row["peak_bytes"] for row in mine])
            laws[label] = {"start": line.start, "slope": line.slope, "slope_half_width": line.slope_half_width}
    return laws


def thresholds(laws: dict[str, Any], pays_off_s: dict[str, float | None]) -> dict[str, Any]:
    """Lengths of data at which something changes, for 300 simulations with pycwt's default scales.

    Args:
        laws: label to fitted law of seconds per simulation over coefficients.
        pays_off_s: of the engines' part.

    Returns:
        `pool_from`, by pipeline: where the pool becomes faster than one process (None: it never does, as measured);
        `night`, by label: the longest data whose test takes no more than a night on one core;
        `longest_job`: the longest data that a job may have.
    """

    def longest(fits_in: Callable[[int], bool]) -> int:
        low, high = 16, _ENDLESS
        while high - low > max(1, low // 100):  # to a hundredth
            middle = (low + high) // 2
            low, high = (middle, high) if fits_in(middle) else (low, middle)
        return low

    def seconds(label: str, n_samples: int) -> float:
        padded = padded_for(n_samples)
        return float(
            SIMULATIONS * laws[label]["factor"] * (padded * n_scales_for(n_samples)) ** laws[label]["exponents"][0]
        )

    def acceptable(n_samples: int) -> bool:
        try:
            job_for(n_samples)
        except ValueError:
            return False
        return True

    longest_job = longest(acceptable)
    return {
        "pool_from": {
            pipeline: None
            if limit is None or f"numpy, {pipeline}" not in laws
            else longest(partial(lambda name, bound, n: seconds(name, n) <= bound, f"numpy, {pipeline}", limit))
            for pipeline, limit in pays_off_s.items()
        },
        # However fast the law says it would be, no test of ours is longer than the longest job.
        "night": {
            label: min(
                longest(partial(lambda name, n: seconds(name, n) <= LONG_S, label)),
                longest_job if label != "pycwt" else _ENDLESS,
            )
            for label in laws
        },
        "longest_job": longest_job,
    }


def board_times(n_samples: int) -> dict[str, Any] | None:
    """Fewest and most seconds of 300 simulations on the board, by the pipeline that is faster; None if none fits.

    The model estimates instructions; the two ends are those of the rate that a board may have.
    """
    best: dict[str, Any] | None = None
    for pipeline in names.PIPELINES:
        try:
            job = job_for(n_samples, pipeline)
        except ValueError:
            return None
        if not memory_plan.plan(job).fits:
            continue
        total = cost_model.estimate(job).total
        if best is None or total < best["instructions"]:
            best = {
                "pipeline": pipeline,
                "instructions": total,
                "fewest_s": total / cost_model.FASTEST_INSTRUCTIONS_PER_S,
                "most_s": total / cost_model.SLOWEST_INSTRUCTIONS_PER_S,
            }
    return best


def table(
    costs: list[dict[str, Any]],
    memory: dict[str, dict[str, float]],
    scaling: dict[str, Any] | None,
    engines: dict[str, Any] | None,
) -> list[dict[str, Any]]:
    """For every size: predicted seconds of a test with 300 simulations, memory, and what to use."""
    labels = [label for label in dict.fromkeys(row["label"] for row in costs) if label != "pycwt"]
    laws = {label: law(costs, label) for label in [*labels, "pycwt"]}
    known = {
        (row["label"], row["n_samples"]): SIMULATIONS * row["wall"]["median"] / row["n_simulations"] for row in costs
    }
    rows = []
    for n_samples in SIZES:
        n_scales = n_scales_for(n_samples)
        row: dict[str, Any] = {"n_samples": n_samples, "n_scales": n_scales}
        if scaling is not None:
            row["pycwt_wct_s"] = _predict(scaling["laws"]["wct"]["time"], fft.padded_length(n_samples), n_scales)
            row["pycwt_wct_bytes"] = _predict(scaling["laws"]["wct"]["memory"], fft.padded_length(n_samples), n_scales)
        n_padded = padded_for(n_samples)
        if scaling is not None:
            row["pycwt_test_bytes"] = _predict(scaling["laws"]["wct"]["memory"], n_padded, n_scales)
        row["test_s"] = {
            label: known.get((label, n_samples), SIMULATIONS * fit.predict(n_padded * n_scales)[0])
            for label, fit in laws.items()
            if fit is not None
        }
        row["measured"] = [label for label in row["test_s"] if (label, n_samples) in known]
        row["own_bytes"] = {
            label: max(0.0, one["start"] + one["slope"] * n_padded * n_scales) for label, one in memory.items()
        }
        try:
            job_for(n_samples)
        except ValueError as error:
            row["refused"] = str(error)
            row["test_s"] = {label: row["test_s"][label] for label in row["test_s"] if label == "pycwt"}
            row["own_bytes"] = {}
        row["board"] = board_times(n_samples)
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
    if row["own_bytes"].get(label, 0) > MEMORIES_GB[0] * 2**30:
        return f'a smaller J, or `pipeline="{pipeline}"` on a computer with that much memory, with a checkpoint'
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
    laws = {label: one.to_dict() for label, one in fitted.items() if one is not None}
    # In the quick mode a process for each would take longer than all the rest.
    peaks = measure_memory(pairs[:1] if quick else pairs, MEASURED[:3] if quick else sizes)
    memory = memory_laws(peaks)
    return {
        "costs": costs,
        "laws": laws,
        "memory": peaks,
        "memory_laws": memory,
        "table": table(costs, memory, scaling, engines),
        "thresholds": thresholds(laws, (engines or {}).get("pays_off_s", {})),
        "test_stops": test_stops(scaling) if scaling is not None else [],
        "simulations": SIMULATIONS,
        "board_largest_J": {pipeline: board_largest_J(pipeline) for pipeline in names.PIPELINES},
    }


def main() -> int:
    """Print how far one run of the NumPy engine raises the peak memory of this process."""
    pipeline, n_samples = sys.argv[1], int(sys.argv[2])
    # As many simulations as the engine computes at once for small jobs, and few of large ones, which take seconds.
    job = job_for(n_samples, pipeline, max(2, min(64, 100_000 // n_samples)))
    measure.reset_peak()
    before = measure.peak_bytes()
    run_job(job, "numpy")
    print(json.dumps({"peak_bytes": measure.peak_bytes() - before}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
