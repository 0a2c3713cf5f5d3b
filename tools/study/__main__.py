"""Run the study: `python -m study [--quick] [--output FOLDER] [--parts a,b] [--pages-only]`."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from elm11_lua_driver.atomic_file import atomic_file

from study import (
    board,
    checks,
    comparison,
    decision,
    figures,
    hybrid,
    machine,
    measure,
    monte_carlo,
    report,
    scaling,
    transforms,
)

if TYPE_CHECKING:
    from collections.abc import Callable

DOCS = Path(__file__).parents[2] / "docs"
DATA = "performance.json"
PARTS = ("scaling", "transforms", "hybrid", "engines", "decision", "comparison")


def rounded(value: Any) -> Any:  # noqa: ANN401  anything JSON holds
    """The value with floats of at most five significant digits: more would be noise."""
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(one) for one in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value


def measured(parts: list[str], data: dict[str, Any], *, quick: bool) -> dict[str, Any]:
    """Measure parts; `data` has what other parts measured before, which the decision table takes up."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    data = {**data, "quick": quick}
    machines = data.get("machine", {})
    pairs = monte_carlo.usable_pairs()[0] if {"decision", "comparison"} & set(parts) else []
    measurements: dict[str, Callable[[], dict[str, Any]]] = {
        "scaling": lambda: scaling.run(quick=quick),
        "transforms": lambda: transforms.run(quick=quick),
        "hybrid": lambda: hybrid.run(quick=quick),
        "engines": lambda: monte_carlo.run(quick=quick, cores=cores),
        "decision": lambda: decision.run(
            quick=quick, pairs=pairs, scaling=data.get("scaling"), engines=data.get("engines")
        ),
        "comparison": lambda: comparison.run(quick=quick, pairs=pairs),
    }
    for part in parts:
        print(f"{part} ...", flush=True)
        started = time.perf_counter()
        data[part] = rounded(measurements[part]())
        print(f"  {time.perf_counter() - started:.0f} s", flush=True)
    return {**data, "machine": machines | machine.describe()}


def write(data: dict[str, Any], folder: Path, *, draw: bool = True) -> list[Path]:
    """Data, figures and pages; each file whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    files = figures.draw(data, folder / "figures") if draw else []
    texts = {DATA: json.dumps(data, indent=1) + "\n", **report.pages(data)}
    for name, text in texts.items():
        with atomic_file(folder / name) as file:
            file.write(text.encode())
        files.append(folder / name)
    return files


def main(words: list[str] | None = None) -> int:
    """Parse the arguments, measure, write, check.

    Args:
        words: the arguments; None takes those of the command line.

    Returns:
        The exit code: 1 where something measured cannot be true.
    """
    parser = argparse.ArgumentParser(prog="study", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes; without --output into a temporary folder")
    parser.add_argument("--output", type=Path, help=f"folder for pages, figures and {DATA} (default: docs)")
    parser.add_argument("--parts", default=",".join(PARTS), help="which parts to measure; others keep their data")
    parser.add_argument("--rounds", type=int, help="at most so many turns of everything, for a first look")
    parser.add_argument("--pages-only", action="store_true", help="write the pages again from the data there are")
    arguments = parser.parse_args(words)
    parts = [part for part in PARTS if part in arguments.parts.split(",")]
    unknown = sorted(set(arguments.parts.split(",")) - set(PARTS))
    if unknown:
        parser.error(f"--parts knows {', '.join(PARTS)}, not {', '.join(unknown)}")
    if arguments.rounds is not None and arguments.rounds < 1:
        parser.error(f"--rounds must be at least 1, not {arguments.rounds}")
    measure.limit_rounds(arguments.rounds)
    if arguments.quick and arguments.output is None:
        with tempfile.TemporaryDirectory(prefix="study-") as folder:
            return _study(Path(folder), parts, quick=True, pages_only=False)
    return _study(arguments.output or DOCS, parts, quick=arguments.quick, pages_only=arguments.pages_only)


def _study(folder: Path, parts: list[str], *, quick: bool, pages_only: bool) -> int:
    before = folder / DATA
    keep = pages_only or (not quick and set(parts) != set(PARTS))
    data: dict[str, Any] = json.loads(before.read_text(encoding="utf-8")) if keep and before.exists() else {}
    if pages_only and not data:
        print(f"{before} does not exist: measure first", file=sys.stderr)
        return 1
    if not pages_only:
        data = measured(parts, data, quick=quick)
    data["board"] = board.read(DOCS / "cost.json")
    data = json.loads(json.dumps(data))  # what a later reader of the file will have
    files = write(data, folder, draw=not pages_only)
    problems = checks.problems(data, files)
    for problem in problems:
        print(f"problem: {problem}", file=sys.stderr)
    print(f"{len(files)} files in {folder}" + ("" if problems else "; all figures are plausible"))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
