#!/usr/bin/env python3
"""Count what a job costs on the board: instructions and peak of the heap, per stage and per simulation.

    python tools/cost/measure.py --simulations 2 --J 10 --lag1 0.72
    python tools/cost/measure.py --simulations 2 --job '{"J":10,...}' --module changed/fft.lua --json

The standard job (lag1_x = lag1_y = 0.72, dt = dj = 0.25, s0 = 0.5, J = 10, seed 1) unless options say otherwise; --job
takes the JSON that Job.to_json writes. The machine runs the job once as it is, for the totals; once with the stages'
functions wrapped, for what each takes; and its first simulation once more, for the heap's peak in each. docs/cost.md
says how the figures compare with the board's.

Exit codes: 0 measured, 1 an error in Lua or the job does not fit the board, 2 usage, 3 the machine is missing here.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import rv32
from elm11_lua_driver import Job
from elm11_lua_driver.protocol.commands import job_lines

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MEASURE_LUA: Final = Path(__file__).with_name("measure.lua")
HEAP_LUA: Final = Path(__file__).with_name("measure_heap.lua")
RESIDENT: Final = "run.lua"
"""What is in the board's memory while it works, beside the modules of a simulation."""


@dataclass(frozen=True)
class Pipeline:
    """A way to compute a simulation, as the firmware has it.

    Attributes:
        program: has the functions `load`, `new` and `step` of monte_carlo.lua.
        stages: what each stage consists of: functions as "module.function", by the names of the table that `load`
            returns. A function that another module has copied into a local variable cannot be watched, nor one that is
            called by its own module; its work counts as that of its caller.
    """

    program: str
    stages: Mapping[str, Sequence[str]]


PIPELINES: Final[dict[str, Pipeline]] = {
    "exact": Pipeline(
        "monte_carlo.lua",
        {
            "rednoise": ("rednoise.fill",),
            "transform": ("fft.forward", "fft.inverse", "fft.separate"),
            "wavelet": ("wavelet.filter",),
            "smoothing": ("smoothing.take", "smoothing.sum"),
            "coherence": ("coherence.products", "coherence.count"),
        },
    ),
    "fast": Pipeline(
        "fast.lua",
        {
            "rednoise": ("fast_series.draw",),
            "transform": ("integer_fft.transform", "fast_series.separate"),
            "wavelet": ("fast_series.filter",),
            "smoothing": ("fast_smoothing.smooth",),
            "coherence": ("fast_coherence.count",),
        },
    ),
}


@dataclass(frozen=True)
class Cost:
    """What a job costs.

    Attributes:
        load: instructions to load all programs, their checks included; once after a start of the board.
        set_up: instructions of `new`: tables and arrays; once per job.
        stages: instructions per stage in one simulation, on average; "other" is what belongs to none.
        simulation: instructions of one simulation, on average.
        with_set_up: the same with the share of `set_up` that falls to each of the job's simulations.
        held_bytes: heap in use after the set-up, programs included.
        peak_bytes: peak of the heap, from the start to the end.
        peak_units: the same in the allocator's units of 128 bytes, of which the board has 8192.
        peaks_bytes: peak of the heap while each stage runs, in the first simulation, and of "load" and "set-up".
        peaks_units: the same in units.
    """

    load: int
    set_up: int
    stages: dict[str, int]
    simulation: int
    with_set_up: int
    held_bytes: int
    peak_bytes: int
    peak_units: int
    peaks_bytes: dict[str, int]
    peaks_units: dict[str, int]


def measure(
    job: Job,
    simulations: Sequence[tuple[range, float]],
    *,
    q_test: rv32.QTest = "line",
    strict_heap: bool = True,
    modules: Mapping[str, str] | None = None,
    timeout_s: float = rv32.TIMEOUT_S,
) -> Cost:
    """Count what a job costs.

    Args:
        job: what to measure.
        simulations: which simulations to compute, as consecutive ones and the weight of each of them in the mean. One
            simulation costs as much as another where all scales are computed in each.
        q_test: see `rv32.machine`.
        strict_heap: False lifts the limits of the board's heap.
        modules: texts of programs that replace or add to the project's, by name.
        timeout_s: seconds for each of the three runs.

    Raises:
        MachineMissing: see `rv32.machine`.
        MachineError: the job failed on the machine.
    """
    pipeline = PIPELINES[job.pipeline]
    machine = rv32.machine(q_test)
    programs = {**rv32.firmware(stored=True), **(modules or {})}

    def output(main: Path, stages: Mapping[str, Sequence[str]]) -> str:
        programs[rv32.MAIN] = main.read_text("ascii")
        programs["asked.lua"] = asked_text(job, pipeline.program, [numbers for numbers, _ in simulations], stages)
        return machine.run(programs, strict_heap=strict_heap, timeout_s=timeout_s)

    weights = [weight for _, weight in simulations]
    n_weighted = sum(weight * len(numbers) for numbers, weight in simulations)
    n_computed = sum(len(numbers) for numbers, _ in simulations)
    plain = parse(output(MEASURE_LUA, {}))
    mean = sum(weight * total for weight, total in zip(weights, plain.simulations, strict=True)) / n_weighted
    watched = parse(output(MEASURE_LUA, pipeline.stages))
    peaks = parse_peaks(output(HEAP_LUA, pipeline.stages), pipeline.stages, plain)
    stages = {
        # Stages are booked over all ranges together; they are scaled to the mean below.
        name: work - calls * watched.wrapper
        for name, (work, calls) in zip(pipeline.stages, watched.stages, strict=True)
    }
    per_computed = mean * n_computed / sum(plain.simulations)
    shares = {name: round(work / n_computed * per_computed) for name, work in stages.items()}
    return Cost(
        load=plain.load,
        set_up=plain.set_up,
        stages={**shares, "other": round(mean) - sum(shares.values())},
        simulation=round(mean),
        with_set_up=round(mean + plain.set_up / job.n_simulations),
        held_bytes=plain.held_bytes,
        peak_bytes=plain.peak_bytes,
        peak_units=plain.peak_units,
        peaks_bytes={name: peak[0] for name, peak in peaks.items()},
        peaks_units={name: peak[1] for name, peak in peaks.items()},
    )


def asked_text(job: Job, program: str, simulations: Sequence[range], stages: Mapping[str, Sequence[str]]) -> str:
    """The text of asked.lua (see measure.lua)."""
    watched = [
        f'{{"{module}","{name}",{number}}}'
        for number, functions in enumerate(stages.values(), start=1)
        for module, name in (function.split(".") for function in functions)
    ]
    pairs = ",".join(f"{{{numbers.start},{len(numbers)}}}" for numbers in simulations)
    return "\n".join(
        [
            'import("pairs")',
            "local fields = {}",
            # The driver's own lines, with its care for numbers that the board reads in single precision.
            "local elm11 = {set = function(some) for name, value in pairs(some) do fields[name] = value end end}",
            *job_lines(job),
            f'return {{fields=fields,program="{program}",resident="{RESIDENT}",',
            f"simulations={{{pairs}}},stages={{{','.join(watched)}}},n_stages={len(stages)}}}",
            "",
        ]
    )


@dataclass(frozen=True)
class Figures:
    """What measure.lua prints."""

    wrapper: int
    load: int
    set_up: int
    simulations: tuple[int, ...]
    stages: tuple[tuple[int, int], ...]
    held_bytes: int
    held_units: int
    peak_bytes: int
    peak_units: int


def parse(output: str) -> Figures:
    """Read what measure.lua has printed.

    Raises:
        MachineError: a figure is missing or is no number.
    """
    lines: dict[str, list[list[int]]] = {}
    try:
        for line in output.splitlines():
            name, *words = line.split("\t")
            lines.setdefault(name, []).append([int(word) for word in words])
        held, peak = lines["held"][0], lines["peak"][0]
        return Figures(
            wrapper=lines["wrapper"][0][0],
            load=lines["load"][0][0],
            set_up=lines["set_up"][0][0],
            simulations=tuple(words[0] for words in lines["simulations"]),
            stages=tuple((work, calls) for _, work, calls in lines.get("stage", [])),
            held_bytes=held[0],
            held_units=held[2],
            peak_bytes=peak[1],
            peak_units=peak[3],
        )
    except (KeyError, IndexError, ValueError) as error:
        raise rv32.MachineError(
            f"measure.lua printed something else than its figures ({error!r}):\n{output}"
        ) from error


def parse_peaks(output: str, stages: Mapping[str, Sequence[str]], plain: Figures) -> dict[str, tuple[int, int]]:
    """Read what measure_heap.lua has printed: bytes and units by stage, "load", "set-up" and "other" among them.

    What it holds more than measure.lua after the set-up is its own, and taken off.

    Raises:
        MachineError: a figure is missing or is no number.
    """
    try:
        rows = [(name, [int(word) for word in words]) for name, *words in map(str.split, output.splitlines())]
        held = next(values for name, values in rows if name == "held")
        own = held[0] - plain.held_bytes, held[2] - plain.held_units
        names = {"load": ["load"], "set_up": ["set-up"], "stage": ["other", *stages]}
        peaks = {}
        for kind, of_kind in names.items():
            found = [values for name, values in rows if name == kind]
            for name, (in_bytes, in_units) in zip(of_kind, found, strict=True):
                peaks[name] = in_bytes - own[0], in_units - own[1]
    except (StopIteration, IndexError, ValueError) as error:
        raise rv32.MachineError(
            f"measure_heap.lua printed something else than its figures ({error!r}):\n{output}"
        ) from error
    return peaks


def report(cost: Cost) -> str:
    """A cost for people to read."""
    rows = [
        ("load, once after a start", cost.load, "load"),
        ("set-up, once per job", cost.set_up, "set-up"),
        *((f"  {name}", work, name) for name, work in cost.stages.items()),
        ("one simulation", cost.simulation, ""),
        ("with its share of the set-up", cost.with_set_up, ""),
    ]
    lines = [f"{'':<30}{'instructions':>16}{'peak of the heap, bytes':>26}{'units':>8}"]
    for name, work, stage in rows:
        peaks = f"{cost.peaks_bytes[stage]:>26,}{cost.peaks_units[stage]:>8}" if stage else ""
        lines.append(f"{name:<30}{work:>16,}{peaks}")
    lines.append(f"heap: {cost.held_bytes:,} bytes after the set-up, peak {cost.peak_bytes:,} bytes")
    lines.append(f"      peak {cost.peak_units} of 8192 units")
    return "\n".join(lines)


def standard_job(J: int, pipeline: str = "exact", n_simulations: int = 300) -> Job:
    """The job that costs are told for."""
    return Job(
        lag1_x=0.72,
        lag1_y=0.72,
        dt=0.25,
        dj=0.25,
        s0=0.5,
        J=J,
        n_bins=1000,
        seed=1,
        n_simulations=n_simulations,
        pipeline=pipeline,
    )


def _job(arguments: argparse.Namespace) -> Job:
    if arguments.job is not None:
        return Job.from_json(arguments.job)
    standard = asdict(standard_job(10))
    if arguments.lag1 is not None:
        standard.update(lag1_x=arguments.lag1, lag1_y=arguments.lag1)
    for name in _OPTIONS:
        if getattr(arguments, name) is not None:
            standard[name] = getattr(arguments, name)
    return Job(**standard)


_OPTIONS = {
    "J": int, "dj": float, "dt": float, "s0": float, "seed": int, "n_bins": int, "lag1_x": float, "lag1_y": float,
    "wavelet": str, "surrogates": str, "scale_box": str, "pipeline": str, "n_simulations": int,
}  # fmt: skip


def main() -> int:
    """Measure, print, return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--job", help="a job as Job.to_json writes it, instead of the options below")
    parser.add_argument("--lag1", type=float, help="both lag1_x and lag1_y")
    for name, kind in _OPTIONS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", dest=name, type=kind, help="field of the job")
    parser.add_argument("--simulations", type=int, default=1, help="how many to compute (default %(default)s)")
    parser.add_argument("--first", type=int, default=0, help="number of the first one (default %(default)s)")
    parser.add_argument(
        "--module", type=Path, action="append", default=[], help="a program that replaces the project's"
    )
    parser.add_argument("--q-test", choices=["line", "each"], default="line", help="see docs/cost.md (default: line)")
    parser.add_argument("--loose-heap", action="store_true", help="lift the limits of the board's heap")
    parser.add_argument("--timeout", type=float, default=rv32.TIMEOUT_S, help="seconds per run (default %(default)g)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    try:
        job = _job(arguments)
        modules = {path.name: path.read_text("latin-1") for path in arguments.module}
    except (ValueError, OSError) as error:
        parser.error(str(error))
    try:
        cost = measure(
            job,
            [(range(arguments.first, arguments.first + arguments.simulations), 1.0)],
            q_test=arguments.q_test,
            strict_heap=not arguments.loose_heap,
            modules=modules,
            timeout_s=arguments.timeout,
        )
    except rv32.MachineMissing as error:
        print(error, file=sys.stderr)
        return 3
    except rv32.MachineError as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(asdict(cost), indent=2) if arguments.json else report(cost))
    return 0


if __name__ == "__main__":
    sys.exit(main())
