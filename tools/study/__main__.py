"""Run the study: `python -m study [--quick] [--output FOLDER] [--parts a,b] [--fresh] [--pages-only]`.

Each part is kept as soon as it is done. After an interruption the same command goes on with what is missing.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from elm11_lua_driver._files.atomic import atomic_file

from study import (
    board,
    checks,
    comparison,
    decision,
    figures,
    hybrid,
    load,
    machine,
    measure,
    monte_carlo,
    quoted,
    report,
    resume,
    scaling,
    transforms,
)

if TYPE_CHECKING:
    from collections.abc import Callable

DOCS = Path(__file__).parents[2] / "docs"
BUILD = Path(__file__).parents[2] / "build"
DATA = "performance.json"
KEPT = ".study"
"""Folder of the parts that are done, beside the data; a study that is done removes it."""
PARTS = ("scaling", "transforms", "hybrid", "engines", "decision", "comparison")


def rounded(value: Any) -> Any:  # noqa: ANN401  anything JSON holds
    """The value with floats of at most five significant digits: more would be noise."""
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(one) for one in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value


def measured(
    parts: list[str], data: dict[str, Any], kept: resume.Kept, *, quick: bool
) -> tuple[dict[str, Any], dict[str, str]]:
    """Measure parts, one after the other; each is kept as soon as it is done, and taken from there if it is kept.

    Args:
        parts: their names.
        data: what other parts measured before, which the decision table takes up.
        kept: where finished parts are kept.
        quick: small sizes.

    Returns:
        The data, and why parts failed, by name: a part that fails does not stop the others.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    data = {**data, "quick": quick, "runs": dict(data.get("runs", {}))}
    failed: dict[str, str] = {}

    def pairs() -> list[monte_carlo.Pair]:
        return monte_carlo.usable_pairs(quick=quick)[0]

    measurements: dict[str, Callable[[], dict[str, Any]]] = {
        "scaling": lambda: scaling.run(quick=quick),
        "transforms": lambda: transforms.run(quick=quick),
        "hybrid": lambda: hybrid.run(quick=quick),
        "engines": lambda: monte_carlo.run(quick=quick, cores=cores),
        "decision": lambda: decision.run(
            quick=quick, pairs=pairs(), scaling=data.get("scaling"), engines=data.get("engines")
        ),
        "comparison": lambda: comparison.run(quick=quick, pairs=pairs()),
    }
    begun = time.perf_counter()
    for number, part in enumerate(parts, 1):
        head = f"[{number}/{len(parts)}] {part}"
        record = kept.load(part)
        if record is not None:
            print(f"{head}: kept from before ({record['run']['seconds']:.0f} s then)", flush=True)
        else:
            print(f"{head} ...", flush=True)
            started, before = time.perf_counter(), load.read()
            try:
                result = rounded(measurements[part]())
            except Exception as error:  # noqa: BLE001  whatever it is, the other parts are worth having
                failed[part] = f"{type(error).__name__}: {error}"
                traceback.print_exc()
                continue
            run = {
                "seconds": time.perf_counter() - started,
                "date": dt.datetime.now(tz=dt.UTC).date().isoformat(),
                **load.between(before, load.read(), os.cpu_count() or 1),
            }
            record = {"result": result, "run": rounded(run)}
            kept.save(part, record)
            print(f"  {run['seconds']:.0f} s, {_minutes(begun)} so far{_others(run)}", flush=True)
        data[part], data["runs"][part] = record["result"], record["run"]
    print(f"measured in {_minutes(begun)}", flush=True)
    return {**data, "machine": data.get("machine", {}) | machine.describe()}, failed


def _minutes(begun: float) -> str:
    seconds = round(time.perf_counter() - begun)
    return f"{seconds // 60} min {seconds % 60} s"


def _others(run: dict[str, Any]) -> str:
    share = run["others_share"]
    return "" if share is None else f"; other programs took {100 * share:.0f} % of the processor"


def write(data: dict[str, Any], folder: Path, *, draw: bool = True) -> list[Path]:
    """Data, figures and pages; each file whole or not at all. In docs/, only the data that the pages need."""
    texts = {folder / name: text for name, text in report.pages(data).items()}
    if folder == DOCS:
        texts[DOCS / DATA] = quoted.text(quoted.quoted(data))
    if draw or folder != DOCS:
        texts[_data(folder)] = json.dumps(data, indent=1) + "\n"
    files = figures.draw(data, folder / "figures") if draw else []
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(path) as file:
            file.write(text.encode())
    return files + list(texts)


def _data(folder: Path) -> Path:
    """The file of all data: beside the pages, but outside of what git keeps."""
    return (BUILD if folder == DOCS else folder) / DATA


def main(words: list[str] | None = None) -> int:
    """Parse the arguments, measure, write, check.

    Args:
        words: the arguments; None takes those of the command line.

    Returns:
        The exit code: 1 where something measured cannot be true.
    """
    parser = argparse.ArgumentParser(prog="study", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes; without --output into a temporary folder")
    parser.add_argument(
        "--output", type=Path, help=f"folder for pages, figures and {DATA} (default: docs; all data to build)"
    )
    parser.add_argument("--parts", default=",".join(PARTS), help="which parts to measure; others keep their data")
    parser.add_argument("--rounds", type=int, help="at most so many turns of everything, for a first look")
    parser.add_argument("--pages-only", action="store_true", help="write the pages again from the data there are")
    parser.add_argument("--fresh", action="store_true", help="measure again what an interrupted run had finished")
    arguments = parser.parse_args(words)
    parts = [part for part in PARTS if part in arguments.parts.split(",")]
    unknown = sorted(set(arguments.parts.split(",")) - set(PARTS))
    if unknown:
        parser.error(f"--parts knows {', '.join(PARTS)}, not {', '.join(unknown)}")
    if arguments.rounds is not None and arguments.rounds < 1:
        parser.error(f"--rounds must be at least 1, not {arguments.rounds}")
    measure.limit_rounds(arguments.rounds)
    if arguments.pages_only:
        return _pages_again(arguments.output or DOCS)
    if arguments.quick and arguments.output is None:
        with tempfile.TemporaryDirectory(prefix="study-") as folder:
            return _study(Path(folder), parts, arguments)
    return _study(arguments.output or DOCS, parts, arguments)


def _pages_again(folder: Path) -> int:
    before = folder / DATA
    if not before.exists():
        print(f"{before} does not exist: measure first", file=sys.stderr)
        return 1
    return _finish(json.loads(before.read_text(encoding="utf-8")), folder, draw=False)


def _study(folder: Path, parts: list[str], arguments: argparse.Namespace) -> int:
    before = _data(folder)
    # The parts that are not measured now stay what they were; a quick one begins with nothing.
    keep = not arguments.quick and set(parts) != set(PARTS) and before.exists()
    data: dict[str, Any] = json.loads(before.read_text(encoding="utf-8")) if keep else {}
    computer = machine.describe()
    settings = {
        "quick": arguments.quick,
        "rounds": arguments.rounds,
        "computer": [computer[key] for key in ("cores", "memory_gb", "system", "python", "versions")],
    }
    kept = resume.Kept(folder / KEPT, resume.fingerprint(settings))
    if arguments.fresh:
        kept.forget(parts)
    try:
        data, failed = measured(parts, data, kept, quick=arguments.quick)
    except KeyboardInterrupt:
        print("stopped; what was finished is kept, and the same command goes on from there", file=sys.stderr)
        return 130
    if failed:
        for part, reason in failed.items():
            print(f"problem: {part} failed: {reason}", file=sys.stderr)
        print("nothing written; the other parts are kept, and the same command goes on from there", file=sys.stderr)
        return 1
    code = _finish(data, folder, draw=True)
    kept.forget(PARTS)
    return code


def _finish(data: dict[str, Any], folder: Path, *, draw: bool) -> int:
    """Write everything and say whether it can be true."""
    data["board"] = board.read(DOCS / "cost.json")
    data = json.loads(json.dumps(data))  # what a later reader of the file will have
    files = write(data, folder, draw=draw)
    problems = checks.problems(data, files)
    for problem in problems:
        print(f"problem: {problem}", file=sys.stderr)
    print(f"{len(files)} files in {folder}" + ("" if problems else "; all figures are plausible"))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
