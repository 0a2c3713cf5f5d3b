#!/usr/bin/env python3
"""Time the engines against the installed pycwt, and how well the pool scales; print the ratios.

    python tools/bench/bench.py [--rounds 5] [--part speed|precision|scaling|startup] [--json]

The standard job: al1 = al2 = 0.72, dt = dj = 0.25, s0 = 0.5, Morlet, J = 10, 20, 28, one thread. pycwt and this
project take turns, so that both meet the same disturbances of a shared machine; times and ratio are the medians over
the turns. All times include the set-up. "Fast" is the NumPy engine with the fast pipeline.

Precision: a simulation of the fast pipeline counts small scales in some simulations only, so what it tells is not what
one of the exact pipeline tells. The variance of the 95 % levels, times the number of simulations, at the scale where it
is largest, says how many simulations of one pipeline are worth one of the other. pycwt's are taken to be worth those of
the exact pipeline, whose counts they are.

Scaling: J = 28 with 3000 simulations on one process, and on pools of one and two worker processes, cold (their start
included) and warm. Strong scaling is the same work on more workers; weak scaling is half of it on one worker against
all of it on two. The shares are parts of the workers' time: start, computing (with the way of the results), waiting
to be handed out; and merging, in this process.

Start-up: CPU time (user and system) of whole processes, the smallest over the turns. On Windows it reads 0.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import statistics
import subprocess
import sys
import time
import warnings
from dataclasses import dataclass
from typing import Any

# One core on both sides: these are read when NumPy is loaded.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from elm11_lua_driver import Histogram, Job, PoolEngine, run
from elm11_lua_driver.engines.dispatcher import Shares
from elm11_lua_driver.engines.pool import n_cores
from elm11_lua_driver.levels.quantiles import standard_errors

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # pycwt 0.5.0b0 uses a deprecated SciPy namespace
    import pycwt

LAG1, DT, DJ, S0 = 0.72, 0.25, 0.25, 0.5
# J: of pycwt, NumPy, NumPy with the fast pipeline, Lua
SIMULATIONS = {10: (60, 1280, 12800, 40), 20: (12, 256, 6400, 8), 28: (3, 64, 3200, 1)}
PRECISION_SIMULATIONS = {10: 10240, 20: 5120, 28: 2048}  # of either pipeline in a turn: some seconds, whole cycles
LEVEL = 0.95


def pycwt_seconds(J: int, n_simulations: int) -> float:
    """Seconds per simulation of pycwt."""
    started = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        pycwt.wct_significance(
            LAG1,
            LAG1,
            dt=DT,
            dj=DJ,
            s0=S0,
            J=J,
            wavelet=pycwt.Morlet(6),
            mc_count=n_simulations,
            progress=False,
            cache=False,
        )
    return (time.perf_counter() - started) / n_simulations


def our_seconds(engine: str, J: int, n_simulations: int, pipeline: str = "exact") -> float:
    """Seconds per simulation of an engine, set-up included."""
    job = Job(LAG1, LAG1, DT, DJ, S0, J, n_simulations=n_simulations, pipeline=pipeline)
    started = time.perf_counter()
    run(job, engine)
    return (time.perf_counter() - started) / n_simulations


SCALING_J = 28
SCALING_SIMULATIONS = 3000


@dataclass(frozen=True)
class PoolRun:
    """One run on a pool.

    Attributes:
        seconds: from the call to the merged histogram.
        start: part of the workers' time that went into their start.
        compute: into computing, sending and receiving.
        wait: into waiting for work.
        merge: part of this process's time that went into adding results.
    """

    seconds: float
    start: float
    compute: float
    wait: float
    merge: float


def pool_run(engine: PoolEngine, n_workers: int, n_simulations: int) -> PoolRun:
    """Run on a pool, and see where the time goes."""
    job = Job(LAG1, LAG1, DT, DJ, S0, SCALING_J, n_simulations=n_simulations)
    engine.shares = Shares()
    started = time.perf_counter()
    pieces = list(engine.stream(job, [range(n_simulations)], lambda _: None))
    merging = time.perf_counter()
    complete = Histogram(job, [part for piece in pieces for part in piece.parts]).is_complete
    ended = time.perf_counter()
    assert complete
    seconds, shares = ended - started, engine.shares
    whole = n_workers * seconds
    return PoolRun(
        seconds,
        shares.start / whole,
        shares.compute / whole,
        1 - (shares.start + shares.compute) / whole,
        (ended - merging) / seconds,
    )


def cold_and_warm(n_workers: int, n_simulations: int) -> tuple[PoolRun, PoolRun]:
    """A pool's first run, which starts its processes, and its second."""
    engine = PoolEngine(n_workers)
    try:
        return pool_run(engine, n_workers, n_simulations), pool_run(engine, n_workers, n_simulations)
    finally:
        engine.close()


def scaling(rounds: int) -> list[dict[str, Any]]:
    """Strong and weak scaling, medians over the rounds."""
    alone: list[float] = []
    turns: list[tuple[PoolRun, ...]] = []
    for _ in range(rounds):
        alone.append(SCALING_SIMULATIONS * our_seconds("numpy", SCALING_J, SCALING_SIMULATIONS))
        turns.append(
            (
                *cold_and_warm(1, SCALING_SIMULATIONS),
                *cold_and_warm(2, SCALING_SIMULATIONS),
                *cold_and_warm(1, SCALING_SIMULATIONS // 2),
            )
        )

    def row(name: str, n_workers: int, column: int, ideal: list[float]) -> dict[str, Any]:
        runs = [turn[column] for turn in turns]
        efficiencies = [best / one.seconds for best, one in zip(ideal, runs, strict=True)]
        medians = {
            part: round(statistics.median(getattr(one, part) for one in runs), 4)
            for part in ("start", "compute", "wait", "merge")
        }
        return {
            "run": name,
            "workers": n_workers,
            "seconds": round(statistics.median(one.seconds for one in runs), 2),
            "efficiency": round(statistics.median(efficiencies), 3),
            "efficiency_of_turns": [round(min(efficiencies), 3), round(max(efficiencies), 3)],
            **medians,
        }

    return [
        row("strong, cold", 1, 0, alone),
        row("strong, warm", 1, 1, alone),
        row("strong, cold", 2, 2, [seconds / 2 for seconds in alone]),
        row("strong, warm", 2, 3, [seconds / 2 for seconds in alone]),
        row("weak, cold", 2, 2, [turn[4].seconds for turn in turns]),
        row("weak, warm", 2, 3, [turn[5].seconds for turn in turns]),
    ]


def speed(rounds: int) -> list[dict[str, Any]]:
    """Engines against pycwt, medians over the rounds."""
    rows = []
    for J, (of_pycwt, of_numpy, of_fast, of_lua) in SIMULATIONS.items():
        turns = [
            (
                pycwt_seconds(J, of_pycwt),
                our_seconds("numpy", J, of_numpy),
                our_seconds("numpy", J, of_fast, "fast"),
                our_seconds("lua", J, of_lua),
            )
            for _ in range(rounds)
        ]
        pycwt_s, numpy_s, fast_s, lua_s = (statistics.median(column) for column in zip(*turns, strict=True))
        ratios = sorted(theirs / ours for theirs, ours, _, _ in turns)
        fast_ratios = sorted(theirs / fast for theirs, _, fast, _ in turns)
        rows.append(
            {
                "J": J,
                "pycwt_ms": round(1e3 * pycwt_s, 3),
                "numpy_ms": round(1e3 * numpy_s, 4),
                "fast_ms": round(1e3 * fast_s, 4),
                "lua_ms": round(1e3 * lua_s, 3),
                "ratio": round(statistics.median(ratios), 1),
                "ratio_of_turns": [round(ratios[0], 1), round(ratios[-1], 1)],
                "fast_ratio": round(statistics.median(fast_ratios), 1),
                "fast_ratio_of_turns": [round(fast_ratios[0], 1), round(fast_ratios[-1], 1)],
            }
        )
    return rows


def worst_variance(J: int, pipeline: str, seeds: range) -> tuple[float, int]:
    """Variance of the levels times the number of simulations, at the scale where it is largest, and that scale.

    The variances are averaged over the seeds first: the largest of several uncertain ones would be too large.
    """
    n = PRECISION_SIMULATIONS[J]
    jobs = [Job(LAG1, LAG1, DT, DJ, S0, J, n_simulations=n, seed=seed, pipeline=pipeline) for seed in seeds]
    errors = np.array([standard_errors(run(job, "numpy"), LEVEL) for job in jobs])
    variances = n * np.mean(errors**2, axis=0)
    return float(variances.max()), int(variances.argmax())


def precision(rounds: int) -> list[dict[str, Any]]:
    """What a simulation of the fast pipeline is worth, in simulations of the exact one."""
    rows = []
    for J, n in PRECISION_SIMULATIONS.items():
        exact, exact_scale = worst_variance(J, "exact", range(1, rounds + 1))
        fast, fast_scale = worst_variance(J, "fast", range(1, rounds + 1))
        rows.append(
            {
                "J": J,
                "simulations": rounds * n,
                "exact_standard_error": round(exact**0.5, 4),
                "exact_worst_scale": exact_scale,
                "fast_standard_error": round(fast**0.5, 4),
                "fast_worst_scale": fast_scale,
                "worth": round(exact / fast, 3),
            }
        )
    return rows


STARTUP_JOB = f"--lag1 {LAG1} {LAG1} --dt {DT} --dj {DJ} --s0 {S0} --scales 20 --simulations 300"
STARTUPS = {
    "elm11 --help": "-m elm11_lua_driver --help",
    "elm11 coherence --help": "-m elm11_lua_driver coherence --help",
    "elm11 significance, exact": f"-m elm11_lua_driver significance {STARTUP_JOB}",
    "elm11 significance, fast": f"-m elm11_lua_driver significance {STARTUP_JOB} --pipeline fast",
    "import; Job(...)": f"-c from\telm11_lua_driver\timport\tJob;Job({LAG1},{LAG1},{DT},{DJ},{S0},20)",
}
"""What is started, J = 20 with 300 simulations; tabs stand for blanks inside a word."""


def startup(rounds: int) -> list[dict[str, Any]]:
    """CPU seconds of whole processes."""
    rows = []
    for name, words in STARTUPS.items():
        arguments = [word.replace("\t", " ") for word in words.split(" ")]
        seconds = []
        for _ in range(rounds):
            before = os.times()
            subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
            after = os.times()
            seconds.append(sum(after[2:4]) - sum(before[2:4]))
        rows.append({"command": name, "cpu_seconds": round(min(seconds), 3)})
    return rows


def print_startup(rows: list[dict[str, Any]]) -> None:
    """The table of `startup`."""
    print("CPU seconds of a whole process")
    for row in rows:
        print(f"{row['command']:<28}{row['cpu_seconds']:>7.2f}")


def print_speed(rows: list[dict[str, Any]]) -> None:
    """The table of `speed`."""
    print("ms per simulation    pycwt   NumPy engine       fast   Lua engine")
    for row in rows:
        times = f"{row['pycwt_ms']:>10.2f}{row['numpy_ms']:>15.3f}{row['fast_ms']:>11.4f}{row['lua_ms']:>13.2f}"
        print(f"J = {row['J']:<12}{times}")
    print("times faster         pycwt / NumPy   (single turns)      pycwt / fast   (single turns)")
    for row in rows:
        ratios = "".join(
            f"{row[name]:>18.1f}   {f'({low} to {high})':<16}"
            for name, (low, high) in ((name, row[f"{name}_of_turns"]) for name in ("ratio", "fast_ratio"))
        )
        print(f"J = {row['J']:<12}{ratios.rstrip()}")


def print_precision(rows: list[dict[str, Any]]) -> None:
    """The table of `precision`."""
    print("standard error of one simulation at the worst scale (its number), exact and fast; what one of fast is worth")
    for row in rows:
        errors = "".join(
            f"{row[f'{name}_standard_error']:>10.4f} ({row[f'{name}_worst_scale']:>2})" for name in ("exact", "fast")
        )
        print(f"J = {row['J']:<12}{errors}{row['worth']:>10.3f}   ({row['simulations']} simulations)")


def print_scaling(rows: list[dict[str, Any]]) -> None:
    """The table of `scaling`."""
    print(f"J = {SCALING_J}, {SCALING_SIMULATIONS} simulations; shares of the workers' time")
    print("run            workers   seconds   efficiency   (single turns)   start   compute    wait   merge")
    for row in rows:
        low, high = row["efficiency_of_turns"]
        shares = "".join(f"{100 * row[part]:>6.1f} %" for part in ("start", "compute", "wait", "merge"))
        print(
            f"{row['run']:<14}{row['workers']:>8}{row['seconds']:>10.2f}{row['efficiency']:>13.2f}"
            f"   ({low:.2f} to {high:.2f}){shares}"
        )


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="turns each (default 5)")
    parser.add_argument("--part", choices=("speed", "precision", "scaling", "startup"), help="only this part")
    parser.add_argument("--json", action="store_true", help="print JSON")
    args = parser.parse_args()
    parts = {
        "speed": (speed, print_speed),
        "precision": (precision, print_precision),
        "scaling": (scaling, print_scaling),
        "startup": (startup, print_startup),
    }
    document: dict[str, Any] = {}
    for name, (measure, show) in parts.items():
        if args.part in {None, name}:
            document[name] = measure(args.rounds)
            if not args.json:
                show(document[name])
    if hasattr(os, "getloadavg"):
        document["load_average"] = round(os.getloadavg()[0], 1)
        if not args.json:
            print(f"load average of the last minute: {document['load_average']}, of {n_cores()} cores")
    if args.json:
        print(json.dumps(document, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
