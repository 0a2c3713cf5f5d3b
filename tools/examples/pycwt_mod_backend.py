#!/usr/bin/env python3
"""pycwt_mod's significance test on an ELM11 board, by ``backend="elm11_lua"``.

    python tools/examples/pycwt_mod_backend.py
    ELM11_PORT=/dev/ttyUSB1 python tools/examples/pycwt_mod_backend.py

Without ``ELM11_PORT`` the board is a virtual one, in this process. Where pycwt_mod is not installed (it is not on
PyPI), the tests' stand-in takes its place: the same calls, the same registry.

Ends with exit code 1 if the board's levels are not exactly those of this package's NumPy engine.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("ELM11_PORT", "virtual://")
if importlib.util.find_spec("pycwt_mod") is None:
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "support" / "stand_ins"))

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # pycwt 0.5.0b0 uses a deprecated SciPy namespace
    import pycwt_mod
    from pycwt_mod.backends import get_backend, list_backends

# Importing this puts the backend into pycwt_mod's registry.
from elm11_lua_driver import Elm11Error, wct_significance
from elm11_lua_driver.pycwt_mod import ELM11LuaBackend, get_recommended_backend

SIMULATIONS = 64
TEST: dict[str, Any] = {"al1": 0.6, "al2": 0.4, "dt": 0.25, "dj": 0.25, "s0": 0.5, "J": 8, "mc_count": SIMULATIONS}


def main() -> int:
    """Ask, compute, compare."""
    print(f"pycwt_mod's backends: {', '.join(list_backends())}")
    backend = get_backend("elm11_lua")
    print(f"{backend!r}, on {os.environ['ELM11_PORT']}")
    print(f"done first by: {get_recommended_backend(SIMULATIONS)} (a board is never the fastest)")

    # pycwt_mod's own call: nothing but the name of the backend is new.
    started = time.perf_counter()
    by_board = pycwt_mod.wct_significance(**TEST, progress=False, cache=False, backend="elm11_lua", n_jobs=1)
    seconds = time.perf_counter() - started
    ours = wct_significance(**TEST, cache=False, backend="numpy")
    own = pycwt_mod.wct_significance(**TEST, progress=False, cache=False, backend="sequential")
    print(f"{SIMULATIONS} simulations, {seconds:.1f} s on this board\n")
    print("scale   elm11_lua     numpy   sequential (white noise: pycwt's red noise is not red)")
    for scale, levels in enumerate(zip(by_board, ours, own, strict=True)):
        print(f"{scale:5d}{levels[0]:12.4f}{levels[1]:10.4f}{levels[2]:13.4f}")
    # pycwt_mod never reads the largest scale.
    same = np.allclose(by_board[:-1], ours[:-1], rtol=1e-12)
    print(f"\nequal to NumPy's, scale by scale: {same}")

    # A board has programs for this test only, and says so instead of computing something else.
    try:
        ELM11LuaBackend().run_monte_carlo(max, 10)
        refused = False
    except Elm11Error as error:
        refused = True
        print(f"another function: {error}")
    return 0 if same and refused else 1


if __name__ == "__main__":
    sys.exit(main())
