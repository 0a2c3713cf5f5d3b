"""Part (d): the engines of this project: cost of a simulation, overhead of small jobs, strong and weak scaling.

What is measured is a list of pairs, engine and pipeline. A pair that this installation does not have is skipped, and
the reason printed.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import time
import warnings
from dataclasses import asdict, dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Final

from elm11_host_ref import names
from elm11_lua_driver import Elm11Error, Job, engines
from elm11_lua_driver import run as run_job

from study import fits, measure
from study.quiet_pycwt import levels as pycwt_levels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from elm11_lua_driver.engines import Engine

STANDARD: Final[dict[str, Any]] = {"lag1_x": 0.72, "lag1_y": 0.72, "dt": 0.25, "dj": 0.25, "s0": 0.5}
PIPELINES: Final = ("exact", "fast")
SINGLE: Final = ("numpy", "lua")
PARALLEL: Final = ("pool", "dask")
_START_TIMEOUT_S: Final = 60
_COST_BUDGET_S: Final = 35  # for each J
_OVERHEAD_BUDGET_S: Final = 90
_SCALING_BUDGET_S: Final = 60  # for each pipeline


@dataclass(frozen=True)
class Pair:
    """An engine with a pipeline.

    Attributes:
        engine: its name in `engines.create`.
        pipeline: "exact" or "fast".
    """

    engine: str
    pipeline: str

    @property
    def label(self) -> str:
        """For tables and figures."""
        return f"{self.engine}, {self.pipeline}"

    def job(self, J: int, n_simulations: int) -> Job:
        """The standard job."""
        return Job(**STANDARD, J=J, n_simulations=n_simulations, pipeline=self.pipeline)


PAIRS: Final = tuple(Pair(engine, pipeline) for pipeline in PIPELINES for engine in (*SINGLE, *PARALLEL))


def why_missing(pair: Pair) -> str | None:
    """Why a pair cannot be used here, or None."""
    if pair.engine not in engines.ENGINES:
        return f"this version has no engine {pair.engine}"
    if pair.pipeline not in names.PIPELINES:
        return f"this version has no pipeline {pair.pipeline}"
    if pair.engine == "dask" and importlib.util.find_spec("distributed") is None:
        return "distributed is not installed"
    try:
        with opened(pair.engine, 1) as engine:
            run_job(pair.job(2, 2), engine)
    except (Elm11Error, ValueError, NotImplementedError) as error:
        return f"a trial run failed: {error}"
    return None


@cache
def usable_pairs(*, quick: bool = False) -> tuple[list[Pair], dict[str, str]]:
    """The pairs that can be used, and why the others cannot.

    Args:
        quick: Dask, whose cluster takes seconds to start, with one pipeline only.
    """
    reasons = {pair: why_missing(pair) for pair in PAIRS if not (quick and pair == Pair("dask", "fast"))}
    missing = {pair.label: reason for pair, reason in reasons.items() if reason is not None}
    return [pair for pair, reason in reasons.items() if reason is None], missing


@contextlib.contextmanager
def opened(name: str, n_workers: int) -> Iterator[Engine]:
    """An engine, with that many worker processes where it has any, closed afterwards."""
    create: Callable[..., Engine] = engines.create
    with contextlib.ExitStack() as stack:
        options: dict[str, Any] = {}
        if name == "pool":
            options["n_workers"] = n_workers
        if name == "dask":
            import distributed  # noqa: PLC0415  a large package, which not everybody has

            # Some of the compared libraries give the root logger a handler, by which a cluster tells its whole life.
            logging.getLogger("distributed").propagate = False

            cluster = distributed.LocalCluster(
                n_workers=n_workers,
                threads_per_worker=1,
                processes=True,
                dashboard_address=None,
                silence_logs=50,
            )
            stack.enter_context(cluster)
            client = stack.enter_context(distributed.Client(cluster, timeout=_START_TIMEOUT_S))
            client.wait_for_workers(n_workers, timeout=_START_TIMEOUT_S)
            options["client"] = client
        engine = create(name, **options)
        stack.callback(engine.close)
        yield engine


def worker_counts(cores: int) -> list[int]:
    """1, 2, 4, ... and the number of cores."""
    return sorted({*(2**k for k in range(cores.bit_length()) if 2**k <= cores), cores})


def simulations_for(pair: Pair, engine: Engine, J: int, seconds: float) -> int:
    """A whole number of 64 simulations that takes about so many seconds.

    64, since the fast pipeline's simulations are not all alike: small scales are due only in every r-th.
    """
    started = time.perf_counter()
    run_job(pair.job(J, 64), engine)
    each = (time.perf_counter() - started) / 64
    return 64 * max(1, round(seconds / each / 64))


def cost(pairs: list[Pair], scales: list[int], rounds: int, seconds: float) -> list[dict[str, Any]]:
    """Seconds per simulation of the engines that need no processes, and of pycwt, in turns."""
    rows = []
    for J in scales:
        tasks: dict[str, Callable[[], object]] = {}
        counts: dict[str, int] = {}
        for pair in pairs:
            if pair.engine not in SINGLE:
                continue
            engine = engines.create(pair.engine)
            if pair.engine == "lua":
                counts[pair.label] = max(2, round(seconds / _lua_seconds(pair, J)))
            else:
                counts[pair.label] = simulations_for(pair, engine, J, seconds)
            tasks[pair.label] = partial(run_job, pair.job(J, counts[pair.label]), engine)
        counts["pycwt"] = max(1, round(seconds / (0.003 * 2 ** (J / 6))))
        tasks["pycwt"] = partial(
            pycwt_levels, STANDARD["lag1_x"], STANDARD["dt"], STANDARD["dj"], STANDARD["s0"], J, counts["pycwt"]
        )
        measure.say(f"cost of a simulation at J = {J}")
        for label, timing in measure.interleaved(tasks, rounds, slow_s=20, budget_s=_COST_BUDGET_S).items():
            rows.append({"label": label, "J": J, "n_simulations": counts[label], **timing.to_dict()})
    return rows


def _lua_seconds(pair: Pair, J: int) -> float:
    started = time.perf_counter()
    run_job(pair.job(J, 1), "lua")
    return time.perf_counter() - started


def overhead(pairs: list[Pair], J: int, counts: list[int], rounds: int, cores: int) -> list[dict[str, Any]]:
    """Whole runs of small jobs, from making the engine to closing it, and the line through them.

    A Dask cluster exists before: who uses one has it; its own start is told apart.
    """
    result = []
    with contextlib.ExitStack() as stack:
        tasks: dict[str, Callable[[], object]] = {}
        keys: dict[str, tuple[Pair, int]] = {}
        starts: dict[str, float] = {}
        for pair in pairs:
            if pair.engine == "lua":
                continue
            fixed = None
            if pair.engine == "dask":
                started = time.perf_counter()
                fixed = stack.enter_context(opened("dask", cores))
                starts[pair.label] = time.perf_counter() - started
            for n in counts:
                name = f"{pair.label} {n}"
                keys[name] = (pair, n)
                tasks[name] = partial(_whole_run, pair, J, n, cores, fixed)
        measure.say(f"whole runs of {', '.join(map(str, counts))} simulations")
        times = measure.interleaved(tasks, rounds, slow_s=20, warm_up=rounds > 1, budget_s=_OVERHEAD_BUDGET_S)
    for pair in dict.fromkeys(pair for pair, _ in keys.values()):
        mine = [(n, times[name]) for name, (other, n) in keys.items() if other == pair]
        line = fits.line([n for n, _ in mine], [timing.wall.median for _, timing in mine])
        result.append(
            {
                "label": pair.label,
                "J": J,
                "n_workers": cores if pair.engine in PARALLEL else 1,
                "points": [{"n_simulations": n, **timing.to_dict()} for n, timing in mine],
                "start_s": line.start,
                "start_half_width_s": line.start_half_width,
                "per_simulation_s": line.slope,
                "per_simulation_half_width_s": line.slope_half_width,
                "cluster_start_s": starts.get(pair.label),
            }
        )
    return result


def _whole_run(pair: Pair, J: int, n: int, workers: int, fixed: Engine | None) -> None:
    if fixed is not None:
        run_job(pair.job(J, n), fixed)
        return
    with opened(pair.engine, workers) as engine:
        run_job(pair.job(J, n), engine)


def scaling(pairs: list[Pair], J: int, seconds: float, rounds: int, cores: int) -> list[dict[str, Any]]:
    """Strong scaling (one job, more workers) and weak scaling (as much more work as workers), processes running."""
    rows: list[dict[str, Any]] = []
    for pipeline in PIPELINES:
        single = Pair("numpy", pipeline)
        parallel = [pair for pair in pairs if pair.engine in PARALLEL and pair.pipeline == pipeline]
        if single not in pairs or not parallel:
            continue
        numpy = engines.create("numpy")
        n = simulations_for(single, numpy, J, seconds)
        with contextlib.ExitStack() as stack:
            tasks: dict[str, Callable[[], object]] = {"one": partial(run_job, single.job(J, n), numpy)}
            keys: dict[str, tuple[Pair, int, str, int]] = {}
            for pair in parallel:
                for workers in worker_counts(cores):
                    engine = stack.enter_context(opened(pair.engine, workers))
                    for kind, work in (("strong", n), ("weak", n * workers)):
                        name = f"{pair.label} {workers} {kind}"
                        keys[name] = (pair, workers, kind, work)
                        tasks[name] = partial(run_job, pair.job(J, work), engine)
            measure.say(f"strong and weak scaling, {pipeline} pipeline")
            times = measure.interleaved(tasks, rounds, slow_s=60, budget_s=_SCALING_BUDGET_S)
        one = times["one"].wall
        rows.append(
            {"label": single.label, "kind": "reference", "n_workers": 1, "n_simulations": n, "wall": asdict(one)}
        )
        for name, (pair, workers, kind, work) in keys.items():
            rows.append(
                {
                    "label": pair.label,
                    "kind": kind,
                    "n_workers": workers,
                    "n_simulations": work,
                    "wall": asdict(times[name].wall),
                    "speed_up": one.median * (work / n) / times[name].wall.median,
                    # From the ends of both intervals: wider than an interval of the ratio need be, never narrower.
                    "speed_up_low": one.low * (work / n) / times[name].wall.high,
                    "speed_up_high": one.high * (work / n) / times[name].wall.low,
                }
            )
    return rows


def sameness(pairs: list[Pair], J: int, n_simulations: int, cores: int) -> dict[str, str]:
    """SHA-256 of every pair's counts; pairs of one pipeline must agree."""
    result = {}
    for pair in pairs:
        with opened(pair.engine, cores) as engine:
            result[pair.label] = run_job(pair.job(J, n_simulations), engine).sha256
    return result


def pays_off_s(rows: list[dict[str, Any]], pipeline: str) -> float | None:
    """Seconds of one core's work from which the pool is faster than the NumPy engine; None if unknown or never."""
    by_label = {row["label"]: row for row in rows}
    one, pool = by_label.get(f"numpy, {pipeline}"), by_label.get(f"pool, {pipeline}")
    if one is None or pool is None or pool["per_simulation_s"] >= one["per_simulation_s"]:
        return None
    n = (pool["start_s"] - one["start_s"]) / (one["per_simulation_s"] - pool["per_simulation_s"])
    return float(max(0.0, n) * one["per_simulation_s"])


def run(*, quick: bool, cores: int) -> dict[str, Any]:
    """Measure everything about the engines."""
    with warnings.catch_warnings():
        # distributed and what it loads warn about their own future; nothing of it concerns the measurement.
        warnings.simplefilter("ignore")
        pairs, missing = usable_pairs(quick=quick)
        for label, reason in missing.items():
            measure.say(f"skipped: {label}: {reason}")
        if quick:
            # Processes take seconds to start, so the last of these alone has all that there are.
            in_quick = [pair for pair in pairs if pair.engine in SINGLE or pair == Pair("pool", "exact")]
            small = overhead(in_quick, 10, [1, 256, 1024], 1, cores)
            return {
                "missing": missing,
                "cost": cost(pairs, [6, 10], 2, 0.05),
                "overhead": small,
                "scaling": scaling(in_quick, 10, 0.1, 2, cores),
                "sameness": sameness(pairs, 6, 64, cores),
                "pays_off_s": {pipeline: pays_off_s(small, pipeline) for pipeline in PIPELINES},
            }
        small = overhead(pairs, 20, [1, 10, 100, 300, 1000, 3000], 6, cores)
        return {
            "missing": missing,
            "cost": cost(pairs, [10, 20, 28], 7, 0.5),
            "overhead": small,
            "scaling": scaling(pairs, 20, 3.0, 6, cores),
            "sameness": sameness(pairs, 10, 512, cores),
            "pays_off_s": {pipeline: pays_off_s(small, pipeline) for pipeline in PIPELINES},
        }
