#!/usr/bin/env python3
"""Time the engines against the installed pycwt, in one run, and print the ratios.

    python tools/bench.py [--rounds 5] [--json]

The standard job: al1 = al2 = 0.72, dt = dj = 0.25, s0 = 0.5, Morlet, J = 10, 20, 28, one thread. pycwt and this
project take turns, so that both meet the same disturbances of a shared machine; times and ratio are the medians over
the turns. Both times include the set-up.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import statistics
import sys
import time
import warnings

# One core on both sides: these are read when NumPy is loaded.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from elm11_lua_driver import Job, run

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # pycwt 0.5.0b0 uses a deprecated SciPy namespace
    import pycwt

LAG1, DT, DJ, S0 = 0.72, 0.25, 0.25, 0.5
SIMULATIONS = {10: (60, 1280, 40), 20: (12, 256, 8), 28: (3, 64, 1)}  # J: of pycwt, NumPy, Lua


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


def our_seconds(engine: str, J: int, n_simulations: int) -> float:
    """Seconds per simulation of an engine, set-up included."""
    job = Job(LAG1, LAG1, DT, DJ, S0, J, n_simulations=n_simulations)
    started = time.perf_counter()
    run(job, engine)
    return (time.perf_counter() - started) / n_simulations


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="turns each (default 5)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    args = parser.parse_args()
    rows = []
    for J, (of_pycwt, of_numpy, of_lua) in SIMULATIONS.items():
        turns = [
            (pycwt_seconds(J, of_pycwt), our_seconds("numpy", J, of_numpy), our_seconds("lua", J, of_lua))
            for _ in range(args.rounds)
        ]
        pycwt_s, numpy_s, lua_s = (statistics.median(column) for column in zip(*turns, strict=True))
        ratios = sorted(theirs / ours for theirs, ours, _ in turns)
        rows.append(
            {
                "J": J,
                "pycwt_ms": round(1e3 * pycwt_s, 3),
                "numpy_ms": round(1e3 * numpy_s, 4),
                "lua_ms": round(1e3 * lua_s, 3),
                "ratio": round(statistics.median(ratios), 1),
                "ratio_of_turns": [round(ratios[0], 1), round(ratios[-1], 1)],
            }
        )
    if args.json:
        print(json.dumps(rows, indent=1))
        return 0
    print("ms per simulation    pycwt   NumPy engine   Lua engine   pycwt / NumPy   (single turns)")
    for row in rows:
        low, high = row["ratio_of_turns"]
        times = f"{row['pycwt_ms']:>10.2f}{row['numpy_ms']:>15.3f}{row['lua_ms']:>13.2f}{row['ratio']:>16.1f}"
        print(f"J = {row['J']:<12}{times}   ({low} to {high})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
