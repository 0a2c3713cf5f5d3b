#!/usr/bin/env python3
"""Measure what the jobs of `JOBS` cost on the board, and keep the figures.

    python tools/cost/cost_table.py           writes docs/cost.json and docs/cost.md (make cost)
    python tools/cost/cost_table.py --check   measures, and compares with docs/cost.json (make cost-check)

The check fails when a figure has grown by more than 5 %, and when the files do not have the jobs measured here.

Exit codes: 0 written, or nothing has grown; 1 something has grown, or the files are of other jobs; 3 the machine is
missing here; 4 a job failed on the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

import measure
import operations
import rv32
from elm11_lua_driver._files.atomic import atomic_file

if TYPE_CHECKING:
    from collections.abc import Mapping

    from elm11_lua_driver import Job

DOCS: Final = Path(__file__).resolve().parent.parent.parent / "docs"
JSON_PATH: Final = DOCS / "cost.json"
PAGE_PATH: Final = DOCS / "cost.md"

TOLERANCE: Final = 0.05
Q_TESTS: Final[tuple[rv32.QTest, ...]] = get_args(rv32.QTest)
_FORMAT: Final = 1
_UPDATE: Final = "If that is meant, run `make cost` and commit docs/cost.json and docs/cost.md."
# The rest after all stages: the difference of large numbers, and no use to watch, since the sum is watched.
_NOT_CHECKED: Final = "other"


@dataclass(frozen=True)
class Measured:
    """A job of the table.

    Attributes:
        job: what to measure.
        simulations: which simulations to compute, and the weight of each in the mean. Where every simulation costs
            the same, one or two will do; where a scale is computed in every r-th only, a whole period is needed.
    """

    job: Job
    simulations: tuple[tuple[range, float], ...]


JOBS: Final[dict[str, Measured]] = {
    "exact, J = 10": Measured(measure.standard_job(10), ((range(2), 1.0),)),
    "exact, J = 20": Measured(measure.standard_job(20), ((range(1), 1.0),)),
    # All of the job's simulations: what is due in one of them differs from what is due in the next.
    **{
        name: Measured(replace(measure.standard_job(J), pipeline="fast", dj=dj), ((range(300), 1.0),))
        for name, J, dj in (
            ("fast, J = 10", 10, 1 / 4),
            ("fast, J = 20", 20, 1 / 4),
            ("fast, J = 28", 28, 1 / 4),
            ("fast, J = 28, dj = 1/12", 28, 1 / 12),
        )
    },
}


def measure_all(jobs: Mapping[str, Measured] = JOBS) -> dict[str, Any]:
    """The content of cost.json, measured now.

    Raises:
        MachineMissing: see `rv32.machine`.
        MachineError: a job failed on the machine.
    """
    for q_test in Q_TESTS:
        rv32.machine(q_test)  # built before several runs ask for it at once
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        costs = {
            (name, q_test): pool.submit(measure.measure, entry.job, entry.simulations, q_test=q_test)
            for name, entry in reversed(list(jobs.items()))  # the longest first
            for q_test in Q_TESTS
        }
        single = {q_test: pool.submit(operations.measure, q_test) for q_test in Q_TESTS}
        return {
            "format": _FORMAT,
            "toolchain": rv32.toolchain(),
            "jobs": {
                name: {
                    "job": json.loads(entry.job.to_json()),
                    "simulations": [[part.start, len(part), weight] for part, weight in entry.simulations],
                    **{q_test: asdict(costs[name, q_test].result()) for q_test in Q_TESTS},
                }
                for name, entry in jobs.items()
            },
            "operations": {q_test: single[q_test].result() for q_test in Q_TESTS},
        }


def json_text(table: Mapping[str, Any]) -> str:
    """The content of cost.json, with a line for each way to count a job."""

    def lines(value: object, depth: int) -> str:
        if not isinstance(value, dict) or not depth:
            return json.dumps(value)
        inner = (f"{json.dumps(key)}: {lines(one, depth - 1)}" for key, one in value.items())
        return "{\n" + ",\n".join(inner) + "\n}"

    return lines(table, 3) + "\n"


def figures(table: Mapping[str, Any]) -> dict[str, float]:
    """All figures of a table that are checked, by a name that says where they stand."""
    found: dict[str, float] = {}

    def collect(name: str, value: object) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                if key != _NOT_CHECKED:
                    collect(f"{name}: {key}", inner)
        elif isinstance(value, int | float):
            found[name] = value

    for name, entry in table["jobs"].items():
        for q_test in Q_TESTS:
            collect(f"{name}: {q_test}", entry[q_test])
    collect("operations", table["operations"])
    return found


def grown(committed: Mapping[str, Any], measured: Mapping[str, Any], tolerance: float = TOLERANCE) -> list[str]:
    """What has grown, or is not comparable: one sentence each; empty when all is well.

    Args:
        committed: the content of the file in the repository.
        measured: the content that it would have now.
        tolerance: by how much a figure may grow, as a fraction.
    """
    if committed.get("format") != measured["format"]:
        return [f"docs/cost.json is of format {committed.get('format')}, not {measured['format']}."]
    complaints = []
    for name in sorted({*committed["jobs"], *measured["jobs"]}):
        before, now = committed["jobs"].get(name), measured["jobs"].get(name)
        if before is None or now is None:
            complaints.append(f"{name}: only {'measured now' if before is None else 'in docs/cost.json'}.")
        elif (before["job"], before["simulations"]) != (now["job"], now["simulations"]):
            complaints.append(f"{name}: another job or other simulations than in docs/cost.json.")
    if complaints:
        return complaints
    old, new = figures(committed), figures(measured)
    for name in sorted({*old, *new}):
        if name not in old or name not in new:
            complaints.append(f"{name}: only {'measured now' if name not in old else 'in docs/cost.json'}.")
        elif new[name] > old[name] * (1 + tolerance):
            growth = f"by {100 * (new[name] / old[name] - 1):.1f} %" if old[name] else "from nothing"
            complaints.append(f"{name}: {old[name]:,} has grown to {new[name]:,}, {growth}.")
    if complaints and committed["toolchain"] != measured["toolchain"]:
        complaints.append(
            f"docs/cost.json was measured with {committed['toolchain']}; "
            f"here is {measured['toolchain']}, which may be why."
        )
    return complaints


# ---- the page ------------------------------------------------------------------------------------------------

_HEAD = """\
# What a job costs on the board

*This page is written by `make cost`; the same figures are in [cost.json](cost.json). `make cost-check` repeats the
measurement and fails if a figure has increased by more than 5 %.*

Instructions retired and bytes of heap, counted while the firmware runs on an emulated rv32i machine with the board's
Lua (`tools/emblua`). The counts are exact: the same on every run and every computer with the same compiler and C
library. They cannot be converted to seconds, because the board's memory delays are unknown; `elm11 calibrate` measures
the board's speed.

The board tests for the `q` key at every VM instruction, which is most of the cost of a cheap operation. There are two
ways to count this test:

- **line**: by Lua's own line hook. Right within a line (see the operations below), but it calls the hook, and searches
  for the line's number, whenever a loop goes back: the more instructions the further down in its function the loop
  stands. On a whole program, a plain port of the simulation, such a machine counted 20 % more than the board. Jobs are
  judged by these figures.
- **each**: always the same, fitted to the cheap operations, so that loops come out right. On the exact pipeline it is
  25 % less than **line**. By the two together, the board lies in between and some 10 % above **each**; this pipeline
  has not been counted on a board.
"""

_NOTES = """\
"load" is compiling all programs and checking their CRC-32, once after a start of the board; "set-up" makes tables and
arrays, once per job. "per simulation of 300" is one simulation and its share of the set-up. "other" is what belongs to
no stage. The heap is what run.lua, the modules and the job take together; the board has 8192 units of 128 bytes, and no
block may be larger than 16 508 bytes. Its peak during a stage is that in the first simulation, in which all arrays are
used; a simulation makes none, so stages differ by calls and strings alone.
"""

_OPERATIONS_HEAD = """\
## Single operations

What the machine counts beside what was observed on the board (the vendor's firmware, build 2026-07-01). The figures are
of a loop with the operation, less the empty loop. Ratios are to the nearer end of the board's range, and of **each**.

| operation | board | line | each | each / board |
|---|---:|---:|---:|---:|
"""

_OPERATIONS_NOTES = """\

The board takes longer for calls, `//`, `%` and integer `*`: the latter takes time by the bits of an operand, on the
board about twice as much per bit. Arithmetic in fixed point thus gains a little less there than here.
"""

_METHOD = """\
## How it is measured

`tools/cost/measure.py` runs a job on the machine as it is, for the totals and the heap; once more with the functions of
each stage wrapped from outside (`tools/cost/measure.lua`), for what the stages take, what the wrappers cost themselves
being taken off; and its first simulation with others that note the heap's peaks (`tools/cost/measure_heap.lua`). The
emulation makes 300 to 600 million instructions per second, so the exact pipeline at J = 20 takes some six seconds per
simulation, and all of this page one to two minutes on two cores.

For your own experiments:

    python tools/cost/measure.py --simulations 2 --J 10 --lag1 0.72 --module changed/fft.lua
    python tools/cost/run_lua.py FILE.lua     # any Lua, with instructions() and heap()

Both need Debian's or Ubuntu's gcc-riscv64-unknown-elf, picolibc-riscv64-unknown-elf and qemu-system-misc. To add a job
to the table, add a line in `JOBS` of `tools/cost/cost_table.py`, a pipeline by its stages in `PIPELINES` of
`tools/cost/measure.py`.
"""


def page(table: Mapping[str, Any]) -> str:
    """The Markdown page of a table."""
    names = list(table["jobs"])
    parts = [
        _HEAD,
        f"Measured with {table['toolchain']}.\n",
        "## Jobs\n",
        "lag1_x = lag1_y = 0.72, dt = dj = 0.25, s0 = 0.5, n_bins = 1000, seed 1, but for what a column says.\n",
    ]
    rows = [["instructions (line)", *names], ["---", *("---:" for _ in names)]]
    costs = [table["jobs"][name]["line"] for name in names]
    stages = list(dict.fromkeys(stage for cost in costs for stage in cost["stages"]))
    stages.sort(key=lambda stage: stage == _NOT_CHECKED)
    rows.append(["load", *(_count(cost["load"]) for cost in costs)])
    rows.append(["set-up", *(_count(cost["set_up"]) for cost in costs)])
    rows += [[stage, *(_count(cost["stages"].get(stage)) for cost in costs)] for stage in stages]
    rows.append(["**one simulation**", *(f"**{_count(cost['simulation'])}**" for cost in costs)])
    rows.append(["**per simulation of 300**", *(f"**{_count(cost['with_set_up'])}**" for cost in costs)])
    each = [table["jobs"][name]["each"] for name in names]
    rows.append(["set-up (each)", *(_count(cost["set_up"]) for cost in each)])
    rows.append(["one simulation (each)", *(_count(cost["simulation"]) for cost in each)])
    rows.append(["per simulation of 300 (each)", *(_count(cost["with_set_up"]) for cost in each)])
    rows.append(["heap after the set-up, bytes", *(_count(cost["held_bytes"]) for cost in costs)])
    rows.append(["peak of the heap, bytes", *(_count(cost["peak_bytes"]) for cost in costs)])
    rows.append(["peak of the heap, units", *(_count(cost["peak_units"]) for cost in costs)])
    rows += [
        [f"peak during {stage}, bytes", *(_count(cost["peaks_bytes"].get(stage)) for cost in costs)]
        for stage in ("load", "set-up", *stages)
    ]
    rows.append(
        ["simulations measured", *(str(sum(part[1] for part in table["jobs"][name]["simulations"])) for name in names)]
    )
    parts += ["\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n", _NOTES]
    lines = [_operation_row(operation, table["operations"]) for operation in operations.OPERATIONS]
    parts += [_OPERATIONS_HEAD + "\n".join(lines) + "\n" + _OPERATIONS_NOTES, _METHOD]
    return "\n".join(parts)


def _count(number: int | None) -> str:
    return "-" if number is None else f"{number:,}".replace(",", " ")


def _operation_row(operation: operations.Operation, measured: Mapping[str, Mapping[str, float]]) -> str:
    low, high = operation.device
    line, each = measured["line"][operation.name], measured["each"][operation.name]
    board = _count(low) if low == high else f"{_count(low)} - {_count(high)}"
    ratio = each / min(max(each, low), high)
    return f"| {operation.name} | {board} | {_count(round(line))} | {_count(round(each))} | {ratio:.2f} |"


# ---- commands ------------------------------------------------------------------------------------------------


def _write(path: Path, text: str) -> None:
    with atomic_file(path) as file:
        file.write(text.encode())


def check(committed_path: Path, measured: Mapping[str, Any]) -> int:
    """Compare with the file, print, return the exit code."""
    try:
        committed = json.loads(committed_path.read_text())
    except (OSError, ValueError) as error:
        print(f"{committed_path} cannot be read: {error}. Run `make cost` and commit it.", file=sys.stderr)
        return 1
    complaints = grown(committed, measured)
    if complaints:
        print("\n".join([*complaints, _UPDATE]), file=sys.stderr)
        return 1
    print(f"no figure of {committed_path.name} has grown by more than {100 * TOLERANCE:g} %")
    return 0


def main() -> int:
    """Measure, write or compare, return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with docs/cost.json, write nothing")
    arguments = parser.parse_args()
    started = time.monotonic()
    try:
        measured = measure_all()
    except rv32.MachineMissing as error:
        print(error, file=sys.stderr)
        return 3
    except rv32.MachineError as error:
        print(error, file=sys.stderr)
        return 4
    print(f"measured in {time.monotonic() - started:.0f} s")
    if arguments.check:
        return check(JSON_PATH, measured)
    _write(JSON_PATH, json_text(measured))
    _write(PAGE_PATH, page(measured))
    print(f"{JSON_PATH}\n{PAGE_PATH}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
