#!/usr/bin/env python3
"""What each idea of the fast pipeline saves, by switching it off, and what its number formats change.

    python tools/research/fast_ideas.py time           CPU time of the NumPy engine, as a ratio to the whole
    python tools/research/fast_ideas.py instructions [J [COUNT]]   instructions on the rv32i machine (tools/cost)
    python tools/research/fast_ideas.py levels         95 % levels, less those with another number format, same noise

The figures are in docs/fast-pipeline.md.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

# One core: these are read when NumPy is loaded.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cost"))

import rv32
from elm11_host_ref.exact import vectorised
from elm11_host_ref.experiment import Experiment
from elm11_host_ref.fast import plan_of, run
from elm11_lua_driver.levels.quantiles import quantiles

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from elm11_host_ref.types import FloatArray

# Idea: the constants that switch it off, by their names in elm11_host_ref.fast and fast_plan.lua.
IDEAS: Final[dict[str, dict[str, float]]] = {
    "(all ideas on)": {},
    "rare small scales": {"DUE_MARGIN": 1e3, "WIDE_MARGIN": 1e3},
    "short parts": {"LARGEST_MAIN": 1024},
    "coarse noise": {"DECIMATION": 1e6, "LARGEST_TRANSFORM": 4096, "LARGEST_MAIN": 4096},
    "grids": {"GRID_STEP": 1e-3},
    "grids of up to 1.2 scales": {"GRID_STEP": 0.9},
    "outputs 0.9 to 2.4 scales apart": {"OUTPUT_STEP": 0.5, "WIDE_OUTPUT_STEP": 0.5, "SPARSE_OUTPUT_STEP": 0.5},
    "outputs wider apart inside": {"WIDE_OUTPUT_STEP": 0.9, "SPARSE_OUTPUT_STEP": 0.9},
    "pairs of several series": {"PAIR_ROOM": 0},
    "short kernel": {"KERNEL_REACH": 5.0, "LONG_KERNEL_REACH": 5.0},
}
# Number format: the constant that refines it, or makes it coarser. (What else is approximate: fast_theory.py.)
FORMATS: Final[dict[str, dict[str, float]]] = {
    "clamps 5.7 -> 11.4 deviations": {"_REACH_OF_CLAMP": 11.4},
    "powers 18 -> 16 bits (coarser)": {"POWER_BITS": 16},
    "divided powers 13 -> 11 bits (coarser)": {"COHERENCE_BITS": 11},
    "filters 11 -> 9 bits (coarser)": {"LARGEST_FILTER": 511},
    "kernels 12 -> 10 bits (coarser)": {"KERNEL_SUM": 1024},
}


@contextlib.contextmanager
def constants(values: Mapping[str, float]) -> Iterator[None]:
    """The fast pipeline with other constants."""
    modules = [module for name, module in sys.modules.items() if name.startswith("elm11_host_ref.fast.")]
    before = [(module, name, getattr(module, name)) for name in values for module in modules if hasattr(module, name)]
    plan_of.cache_clear()
    try:
        for module, name, _ in before:
            setattr(module, name, values[name])
        yield
    finally:
        for module, name, value in before:
            setattr(module, name, value)
        plan_of.cache_clear()


def cpu_seconds(experiment: Experiment, simulations: int, values: Mapping[str, float]) -> float:
    """CPU time of some simulations, without the plan's."""
    with constants(values):
        plan_of(experiment)
        started = time.process_time()
        run.simulate(experiment, range(simulations))
        return time.process_time() - started


def times(rounds: int = 9) -> None:
    """Ratios of the least of some turns."""
    print(f"{'switched off':36}" + "".join(f"  J = {J}" for J in (10, 20, 28)))
    ratios: dict[str, list[float]] = {name: [] for name in [*IDEAS, "fast pipeline (exact one instead)"]}
    for J in (10, 20, 28):
        experiment = Experiment(0.72, 0.72, 0.25, 0.25, 0.5, J)
        simulations = {10: 8192, 20: 4096, 28: 1024}[J]
        least = dict.fromkeys(ratios, float("inf"))
        for _ in range(rounds):
            for name, values in IDEAS.items():
                least[name] = min(least[name], cpu_seconds(experiment, simulations, values))
            started = time.process_time()
            vectorised.simulate(experiment, range(simulations // 8))
            seconds = 8 * (time.process_time() - started)
            least["fast pipeline (exact one instead)"] = min(least["fast pipeline (exact one instead)"], seconds)
        for name, seconds in least.items():
            ratios[name].append(seconds / least["(all ideas on)"])
    for name, values_of in ratios.items():
        print(f"{name:36}" + "".join(f"{ratio:8.2f}" for ratio in values_of))


JOB: Final = """
local instructions, print, run_program, decimal = instructions, print, run_program, decimal
local fast = run_program("fast.lua")
local modules = fast.load()
local state = fast.new({seed_low = 1, seed_high = 0, J = JJ, n_samples = NN, n_bins = 1000, lag1_x = 72 / 100,
    lag1_y = 72 / 100, sigma0 = 2.0, dj = 1 / 4, surrogates = "ar1", wavelet = "morlet", scale_box = "pycwt"}, modules)
local before = instructions()
for k = 0, COUNT - 1 do fast.step(state, k) end
print(decimal((instructions() - before) // COUNT))
"""


# The codelets' work by the stages that they replace.
WITHOUT_CODELETS: Final = (
    ("plan.sixteen(re, im, n)", "span = 4\n        for i = 1, n, 4 do first_of_four(re, im, i) end"),
    ("plan.thirty_two(re, im, n)", "for i = 1, n, 8 do eights(re, im, i) end"),
    ("span = 32", "span = 8"),
    (
        "local function stage(",
        """local function eights(re, im, o)
    first_of_four(re, im, o)
    first_of_four(re, im, o + 4)
    local i, j, k = o + 5, o + 6, o + 7
    re[i], im[i] = (re[i] + im[i]) * HALF_ROOT // 2048, (im[i] - re[i]) * HALF_ROOT // 2048
    re[j], im[j] = im[j], -re[j]
    re[k], im[k] = (im[k] - re[k]) * HALF_ROOT // 2048, (-re[k] - im[k]) * HALF_ROOT // 2048
    for i = o, o + 3 do
        local ar, ai, br, bi = re[i], im[i], re[i + 4], im[i + 4]
        re[i], im[i], re[i + 4], im[i + 4] = ar + br, ai + bi, ar - br, ai - bi
    end
end

local function stage(""",
    ),
)


def instructions(J: int = 20, count: int = 128) -> None:
    """Mean over the first simulations: those in which a scale is active are spread evenly over the cycle."""
    experiment = Experiment(0.72, 0.72, 0.25, 0.25, 0.5, J)
    job = JOB.replace("JJ", str(J)).replace("NN", str(experiment.n_samples)).replace("COUNT", str(count))
    whole = 0
    for name, values in {**IDEAS, "codelets": None}.items():
        if (values or {}).get("LARGEST_TRANSFORM", 0) > 1024 and experiment.n_padded > 1024:
            continue  # the board has no such transform
        programs = rv32.firmware()
        for constant, value in (values or {}).items():
            for program in ("fast_plan.lua", "fast_weights.lua"):
                programs[program] = re.sub(
                    rf"(?m)^local {constant} = .*$", f"local {constant} = {fraction(value)}", programs[program]
                )
        if values is None:
            for found, instead in WITHOUT_CODELETS:
                assert found in programs["integer_fft.lua"]
                programs["integer_fft.lua"] = programs["integer_fft.lua"].replace(found, instead)
        programs[rv32.MAIN] = job
        measured = int(rv32.machine("line").run(programs, strict_heap=False, timeout_s=600))
        whole = whole or measured
        print(f"{name:36}{measured / 1e6:10.1f} M {measured / whole:6.2f}", flush=True)


def fraction(value: float) -> str:
    """As the board's Lua writes it: no float literals."""
    numerator, denominator = value.as_integer_ratio() if value >= 1 else (round(value * 1e6), 10**6)
    return str(int(value)) if float(value).is_integer() else f"{numerator} / {denominator}"


def paired_levels(simulations: int = 20_480, groups: int = 80) -> None:
    """Largest and mean difference of 95 % levels, less those with another format, with the largest one's error."""
    for x, y, dj, J in (
        (0.72, 0.72, 1 / 4, 10),
        (0.72, 0.72, 1 / 4, 20),
        (-0.3, 0.6, 1 / 12, 20),
        (0.95, 0.2, 1 / 12, 10),
    ):
        experiment = Experiment(x, y, 0.25, dj, 0.5, J, seed=5)
        base = run.simulate_groups(experiment, range(simulations), simulations // groups)
        print(f"{x} {y} dj {dj:.3f} J {J}")
        for name, values in FORMATS.items():
            with constants(values):
                other = run.simulate_groups(experiment, range(simulations), simulations // groups)
            difference, error = paired(base, other)
            at = int(np.abs(difference).argmax())
            print(
                f"  {name:40} largest {1e4 * difference[at]:7.2f} +- {1e4 * error[at]:.2f} at j = {at},"
                f" mean {1e4 * difference.mean():7.2f}  (1e-4)",
                flush=True,
            )


def paired(base: Any, other: Any) -> tuple[FloatArray, FloatArray]:  # noqa: ANN401
    """Difference of 95 % levels of two counts by group, on the same noise, and its jackknife standard error."""
    totals = base.sum(axis=0), other.sum(axis=0)
    without = np.array(
        [
            quantiles(totals[0] - one, 0.95) - quantiles(totals[1] - two, 0.95)
            for one, two in zip(base, other, strict=True)
        ]
    )
    n = len(without)
    error: FloatArray = np.sqrt((n - 1) / n * ((without - without.mean(axis=0)) ** 2).sum(axis=0))
    return quantiles(totals[0], 0.95) - quantiles(totals[1], 0.95), error


if __name__ == "__main__":
    if sys.argv[1] == "time":
        times()
    elif sys.argv[1] == "instructions":
        instructions(*map(int, sys.argv[2:]))
    else:
        paired_levels()
