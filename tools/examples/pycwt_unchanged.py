#!/usr/bin/env python3
"""A script written for pycwt, unchanged, and how much faster its significance step is.

    python tools/examples/pycwt_unchanged.py

The script is pycwt's own ``sample_xwt.py``, with its own data (Arctic Oscillation and Baltic Sea ice), from the
installed package. It is run inside ``accelerate_pycwt()``. Then its significance step is timed with pycwt's function
and with this package's, in turns, so that both meet the same disturbances of a shared machine.

Ends with exit code 1 if the coherence is not pycwt's, if the levels are not this package's, or if the step is less than
15 times faster. An idle core gives twice that (`make bench` measures); a busy machine must not make this fail.
"""

from __future__ import annotations

import contextlib
import io
import os
import runpy
import sys
import tempfile
import time
import warnings
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ["MPLBACKEND"] = "Agg"  # the script shows pictures; nobody may be there to close their windows
os.environ.setdefault("OMP_NUM_THREADS", "1")  # one core on both sides
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

warnings.simplefilter("ignore")  # pycwt's, and matplotlib's about a picture that is not shown
import elm11_lua_driver as elm11  # noqa: E402  after the lines above
import pycwt  # noqa: E402

TURNS = 5
PYCWT_SIMULATIONS = 2  # per turn; 300, as in the script, would take more than a minute
OUR_SIMULATIONS = 100  # per turn: a third of the script's
SIMULATIONS = 300
WANTED = 15


def run_script() -> dict[str, Any]:
    """Run pycwt's script, unchanged, with this package's functions in pycwt; gives back its variables."""
    script = Path(str(resources.files("pycwt") / "sample" / "sample_xwt.py"))
    before = Path.cwd()
    os.chdir(script.parent)  # it opens its data by their names alone
    try:
        with elm11.accelerate_pycwt():
            return runpy.run_path(str(script))
    finally:
        os.chdir(before)


def seconds_per_simulation(arguments: dict[str, Any], n_simulations: int) -> float:
    """Time of whatever `pycwt.wct_significance` is at the moment; without caches."""
    started = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):  # pycwt prints
        pycwt.wct_significance(**arguments, mc_count=n_simulations, progress=False, cache=False)
    return (time.perf_counter() - started) / n_simulations


def main() -> int:
    """Run, time, compare."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ELM11_CACHE"] = folder  # the script asks for the cache: an empty one, to see the time it takes
        started = time.perf_counter()
        script = run_script()
        print(f"sample_xwt.py, unchanged: {time.perf_counter() - started:.1f} s with everything that it draws")

    s1, s2, dt = script["s1"], script["s2"], script["dt"]
    mother = pycwt.Morlet(6)
    arguments: dict[str, Any] = {
        "al1": pycwt.ar1(s1)[0],
        "al2": pycwt.ar1(s2)[0],
        "dt": dt,
        "dj": 1 / 12,
        "s0": 2 * dt / mother.flambda(),
        "J": len(script["sig"]) - 1,
        "significance_level": 0.8646,
        "wavelet": mother,
    }
    print(
        f"its significance step: {SIMULATIONS} simulations, {len(script['sig'])} scales, "
        f"lag-1 {arguments['al1']:.3f} and {arguments['al2']:.3f}"
    )

    # What the script got is right: pycwt's coherence, and the levels that this package gives when it is called itself.
    coherence = pycwt.wct(s1, s2, dt, sig=False)[0]
    levels = elm11.wct_significance(**arguments, mc_count=SIMULATIONS, cache=False)
    same_coherence = np.allclose(script["WCT"], coherence, rtol=1e-9)
    same_levels = np.array_equal(script["sig"], levels)
    print(f"coherence as pycwt's: {same_coherence}; levels as by a call of this package: {same_levels}")

    theirs, ours = [], []
    for _ in range(TURNS):
        theirs.append(seconds_per_simulation(arguments, PYCWT_SIMULATIONS))
        with elm11.accelerate_pycwt():
            ours.append(seconds_per_simulation(arguments, OUR_SIMULATIONS))
    # The shortest of each: whatever disturbs makes times longer, never shorter.
    pycwt_s, ours_s = min(theirs), min(ours)
    ratio = pycwt_s / ours_s
    print(f"pycwt {version('pycwt')}:        {1e3 * pycwt_s:8.2f} ms per simulation, {300 * pycwt_s:6.1f} s for 300")
    print(f"accelerated:          {1e3 * ours_s:8.2f} ms per simulation, {300 * ours_s:6.1f} s for 300")
    turns = ", ".join(f"{a / b:.0f}" for a, b in zip(theirs, ours, strict=True))
    print(f"{ratio:.0f} times faster (single turns: {turns})")

    failures = [
        text
        for text, failed in (
            ("the coherence is not pycwt's", not same_coherence),
            ("the levels are not this package's", not same_levels),
            (f"less than {WANTED} times faster", ratio < WANTED),
            ("pycwt was not restored", hasattr(pycwt.wct, "__wrapped__")),
        )
        if failed
    ]
    for text in failures:
        print(f"FAILED: {text}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
