#!/usr/bin/env python3
"""Fit what each kind of work costs on the board, for `elm11 plan`.

    python tools/cost/fit_model.py            writes driver/elm11_lua_driver/cost_model.json
    python tools/cost/fit_model.py --check    measures the jobs of `CHECKED` and says how far the model is off

The jobs of `FITTED` are counted on the emulated rv32i machine, simulation by simulation, and the costs of the kinds of
work that `cost_model.py` counts are fitted to them: the smallest squares of the relative errors, no cost negative. In
the same way what a job holds of the heap is fitted to the arrays that `memory_plan.fast_units` counts; to it is added
what the peak is above that, where it is most: garbage that has not been collected.

Exit codes: 0 written, or within the model's error; 1 it is not; 3 the machine is missing here; 4 a job failed on it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import measure
import numpy as np
import rv32
from elm11_host_ref.fast.schedule import simulation_at
from elm11_lua_driver import Job
from elm11_lua_driver._files.atomic import atomic_file
from elm11_lua_driver.planning import cost as cost_model
from elm11_lua_driver.planning import memory as memory_plan
from elm11_lua_driver.planning.memory import UNIT_BYTES, fast_units
from elm11_lua_driver.protocol.commands import FORGET_LINE, HELLO_LINE, LOAD_LINE, job_lines, send_line, start_line
from scipy.optimize import lsq_linear

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PATH: Final = Path(cost_model.__file__).with_name(cost_model.FILE)
_FORMAT: Final = 1


def job(J: int, pipeline: str, **changes: Any) -> Job:  # noqa: ANN401  fields of the job
    """The standard job with other fields."""
    values: dict[str, Any] = {"lag1_x": 0.72, "lag1_y": 0.72, "dt": 0.25, "dj": 0.25, "s0": 0.5, "n_bins": 1000}
    return Job(**{**values, **changes, "J": J, "pipeline": pipeline})


FITTED: Final = (
    *(job(J, "fast") for J in (2, 4, 7, 10, 13, 17, 20, 24)),
    job(10, "fast", lag1_x=0.0, lag1_y=0.0),
    job(20, "fast", lag1_x=0.5, lag1_y=0.3, n_bins=400),
    job(26, "fast", lag1_x=0.5, lag1_y=0.3),
    job(27, "fast"),
    *(job(J, "fast", lag1_x=0.5, lag1_y=0.3) for J in (28, 30)),
    *(job(J, "fast", dj=1 / 12) for J in (10, 20, 38)),
    job(24, "fast", dj=1 / 6, lag1_x=0.5),
    job(18, "fast", dj=1 / 8, scale_box="grinsted"),
    job(6, "fast", dj=0.5, lag1_y=0.1),
    job(30, "fast", dj=1 / 12),
    job(54, "fast", dj=1 / 12, n_bins=300, lag1_x=0.2),
    job(12, "fast", scale_box="grinsted", s0=1.0),
    *(job(J, "exact") for J in (2, 4, 8, 11, 15)),
    job(6, "exact", dj=0.5, lag1_y=0.1, n_bins=400),
    job(12, "exact", dj=1 / 12, lag1_x=0.95),
    job(18, "exact", n_bins=200),
)
"""What the costs are fitted to."""

CHECKED: Final = (
    job(12, "fast"),
    job(28, "fast"),
    job(40, "fast", dj=1 / 12, lag1_x=0.3),
    job(10, "exact"),
    job(20, "exact", n_bins=300),
)
"""What they are tried on."""

SIMULATIONS: Final = {
    "fast": [simulation_at(slot) for slot in (0, 6, 9, 13, 17, 22, 28, 36, 48, 64, 96, 128)],
    "exact": [0],
}
"""Of the fast pipeline: the one in which most is due, and others."""

FIRST: Final = range(8)
"""For the heap: all of a job's arrays are there, and used, in the first simulation."""


def measured(of: Job) -> measure.Figures:
    """Counts for a job: set-up, and one simulation after the other.

    Raises:
        MachineMissing: see `rv32.machine`.
        MachineError: the job failed on the machine.
    """
    single = [range(number, number + 1) for number in SIMULATIONS[of.pipeline]]
    programs = {
        **rv32.firmware(stored=True),
        rv32.MAIN: measure.MEASURE_LUA.read_text("ascii"),
        "asked.lua": measure.asked_text(of, measure.PIPELINES[of.pipeline].program, single, {}),
    }
    return measure.parse(rv32.machine("line").run(programs, strict_heap=False))


def measured_all(jobs: Sequence[Job]) -> list[measure.Figures]:
    """`measured` for several jobs, side by side."""
    rv32.machine("line")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(measured, jobs))


def heap(of: Job) -> tuple[int, int, int, int]:
    """Units of the heap, four figures.

    What run.lua and the fast pipeline's programs hold before a job; what those of the job's pipeline hold that stay;
    what they hold with the job; and the peak of a run.

    Raises:
        MachineMissing: see `rv32.machine`.
        MachineError: the job failed on the machine.
    """
    given = [*job_lines(of), start_line(FIRST if of.pipeline == "fast" else range(1), 1, 3), send_line(0, -1)]
    # All programs are loaded once at first; that peak does not count, since there is no job then.
    lines = [
        *(
            LOAD_LINE,
            HELLO_LINE,
            'collectgarbage() print("@", heap())',
            *given,
            FORGET_LINE,
            'collectgarbage() heap_reset() print("@", heap())',
        ),
        *(*given, 'print("@", heap()) collectgarbage() print("@", heap())'),
    ]
    programs = {**rv32.firmware(stored=True), rv32.MAIN: "\n".join([*lines, ""])}
    output = rv32.machine("line").run(programs, strict_heap=False)
    loaded, before, peak, after = (line.split("\t") for line in output.splitlines() if line.startswith("@"))
    return int(loaded[3]), int(before[3]), int(after[3]), int(peak[4])


def hello() -> int:
    """Instructions of the first `elm11.hello()`, which loads and checks all programs."""
    main = f'{LOAD_LINE} local before = instructions() {HELLO_LINE} print("@", decimal(instructions() - before))'
    output = rv32.machine("line").run({**rv32.firmware(stored=True), rv32.MAIN: main})
    return next(int(line.split("\t")[1]) for line in output.splitlines() if line.startswith("@"))


def heaps(jobs: Sequence[Job]) -> list[tuple[int, int, int, int]]:
    """`heap` for several jobs, side by side."""
    rv32.machine("line")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(heap, jobs))


ARRAYS: Final = (
    dict.fromkeys(("histogram", "box", "sums", "list", "filter", "response"), 1)
    | {"spectra": 2, "grid": 4, "product": 4}
    | {"transform": 4, "scale": 6, "row": 7}
)
"""How many arrays of a kind there are in the heap by the programs' text, and units of a row's table. What else there is
that comes with them is left to the fit, which may change these by a tenth."""


def fitted(
    works: Sequence[Mapping[str, float]], instructions: Sequence[float], known: Mapping[str, float] | None = None
) -> tuple[dict[str, float], float]:
    """Costs by kind, and the largest relative error of what was fitted.

    Args:
        works: how much there is of each kind.
        instructions: what all of it costs.
        known: what one of a kind costs, within a tenth. Others cost anything from 0 on.
    """
    kinds = sorted({kind for work in works for kind in work})
    relative = np.array(
        [[work.get(kind, 0) / total for kind in kinds] for work, total in zip(works, instructions, strict=True)]
    )
    most = np.array([1.1 * (known or {}).get(kind, np.inf) for kind in kinds])
    least = np.where(np.isfinite(most), 9 / 11 * most, 0)
    costs = lsq_linear(relative, np.ones(len(works)), (least, most)).x
    error = float(np.abs(relative @ costs - 1).max())
    return {kind: round(float(cost), 3) for kind, cost in zip(kinds, costs, strict=True)}, error


def model() -> dict[str, Any]:
    """The content of the file, measured now."""
    figures = measured_all(FITTED)
    peaks = heaps(FITTED)
    pipelines: dict[str, Any] = {}
    for pipeline in SIMULATIONS:
        chosen = [(of, found) for of, found in zip(FITTED, figures, strict=True) if of.pipeline == pipeline]
        single = [
            (cost_model.simulation_work(of, number), total)
            for of, found in chosen
            for number, total in zip(SIMULATIONS[pipeline], found.simulations, strict=True)
        ]
        of_simulation, simulation_error = fitted([work for work, _ in single], [total for _, total in single])
        of_set_up, set_up_error = fitted(
            [cost_model.set_up_work(of) for of, _ in chosen], [found.set_up for _, found in chosen]
        )
        pipelines[pipeline] = {
            "load": max(found.load for _, found in chosen),
            "simulation": of_simulation,
            "set_up": of_set_up,
            "largest_errors": {"simulation": round(simulation_error, 3), "set_up": round(set_up_error, 3)},
            "fitted_to": [
                {
                    "job": json.loads(of.to_json()),
                    "set_up": found.set_up,
                    "simulations": list(found.simulations),
                }
                for of, found in chosen
            ],
        }
        units = [found for of, found in zip(FITTED, peaks, strict=True) if of.pipeline == pipeline]
        programs = max(before for _, before, _, _ in units)
        pipelines[pipeline]["programs"] = programs
        if pipeline == "fast":
            kinds = [kinds_of(of) for of, _ in chosen]
            of_kind, _ = fitted(kinds, [after - programs for _, _, after, _ in units], ARRAYS)
            loaded = max(before for before, _, _, _ in units)
            tables = [cost_model.priced(fast_units(of.fast_plan)["tables"], of_kind) for of, _ in chosen]
            estimates = [programs + cost_model.priced(counted, of_kind) for counted in kinds]
            # Where the peak comes after the planning, the job's arrays are about it; elsewhere it is of the planning.
            beyond = [peak - estimate for (*_, peak), estimate in zip(units, estimates, strict=True)]
            at_planning = [peak - loaded - table for (*_, peak), table in zip(units, tables, strict=True)]
            is_late = [late < early for late, early in zip(beyond, at_planning, strict=True)]
            garbage = max(value for value, late in zip(beyond, is_late, strict=True) if late)
            of_kind["job"] = round(of_kind["job"] + garbage, 1)
            # Where no peak is of the planning, the least is a bound of what planning takes.
            early = [value for value, late in zip(at_planning, is_late, strict=True) if not late]
            planning = max(early) if early else min(at_planning)
            pipelines[pipeline]["memory"] = of_kind
            pipelines[pipeline]["planning"] = round(loaded + planning)
            totals = [max(e + garbage, loaded + planning + t) for e, t in zip(estimates, tables, strict=True)]
            excess = [total / peak - 1 for (*_, peak), total in zip(units, totals, strict=True)]
            pipelines[pipeline]["largest_errors"]["memory"] = round(max(excess), 3)
            for entry, found in zip(pipelines[pipeline]["fitted_to"], units, strict=True):
                entry["heap_units"] = list(found)
    return {"format": _FORMAT, "toolchain": rv32.toolchain(), "hello": hello(), "pipelines": pipelines}


def kinds_of(of: Job) -> dict[str, int]:
    """Units of the arrays of a fast job, by kind."""
    return {kind: units for kinds in fast_units(of.fast_plan).values() for kind, units in kinds.items()}


def errors(of: Job, found: measure.Figures) -> dict[str, float]:
    """How far the model is off, relatively: the sum over the simulations measured, and the set-up."""
    costs = cost_model.figures()["pipelines"][of.pipeline]
    numbers = SIMULATIONS[of.pipeline]
    simulations = sum(cost_model.priced(cost_model.simulation_work(of, i), costs["simulation"]) for i in numbers)
    set_up = cost_model.priced(cost_model.set_up_work(of), costs["set_up"])
    return {"simulation": simulations / sum(found.simulations) - 1, "set_up": set_up / found.set_up - 1}


def check() -> int:
    """Measure and compare; the exit code."""
    worst = 0.0
    for of, found, (_, _, _, peak) in zip(CHECKED, measured_all(CHECKED), heaps(CHECKED), strict=True):
        off = errors(of, found)
        planned = memory_plan.plan(of)
        off["heap"] = planned.total / UNIT_BYTES / peak - 1
        print(
            f"{of.pipeline}, J = {of.J}, dj = {of.dj:.4g}: "
            + ", ".join(f"{k} {100 * v:+.1f} %" for k, v in off.items())
        )
        worst = max(worst, *map(abs, off.values()))
    return int(worst > cost_model.ERROR)


def main() -> int:
    """Measure, write or compare, return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    arguments = parser.parse_args()
    try:
        if arguments.check:
            return check()
        content = model()
    except rv32.MachineMissing as error:
        print(error, file=sys.stderr)
        return 3
    except rv32.MachineError as error:
        print(error, file=sys.stderr)
        return 4
    with atomic_file(PATH) as file:
        file.write((json.dumps(content, indent=1) + "\n").encode())
    for name, pipeline in content["pipelines"].items():
        print(f"{name}: largest errors {pipeline['largest_errors']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
