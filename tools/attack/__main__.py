"""All attacks, in about ten minutes: `make attack`, or `PYTHONPATH=tools python -m attack [--seed S] [PART ...]`.

Each part prints what it tried; the findings stand at the end, each with the input that shows it. Exit code 1 if there
are any.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from elm11_lua_driver.errors import Elm11Error

from attack import fault_matrix, fuzz_files, fuzz_parsers, hostile_boards, kill_test

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PART_S: Final = 30.0
"""Longest time of each kill test and of the fault matrix, seconds."""
KILLS: Final = {("numpy", 1): 60, ("pool", 1): 30, ("fleet", 1): 30, ("board", 1): 15, ("dask", 1): 5, ("numpy", 2): 60}


def kills(seed: int, _: int) -> Iterator[str]:
    """The kill test on every engine, and with two writers; yields findings."""
    for (engine, writers), wanted in KILLS.items():
        name = f"{engine}, {writers} writer{'s' * (writers > 1)}"
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            end_s = time.monotonic() + PART_S
            try:
                tally = kill_test.kill_again_and_again(wanted, seed, engine, Path(folder), writers=writers, end_s=end_s)
            except (ValueError, OSError) as error:
                yield f"kills: {name}, seed {seed}: {error}"
                continue
        print(
            f"  {name}: {tally.kills} kills, {tally.finished} runs with equal counts, {tally.refused} refusals, "
            f"at most {tally.longest_loss} simulations computed and not kept"
        )


def parsers(seed: int, count: int) -> Iterator[str]:
    """Random strings for the readers of the wire; yields findings."""
    for name in fuzz_parsers.PARSERS:
        try:
            errors = fuzz_parsers.fuzz(name, count, seed)
        except Exception as error:  # noqa: BLE001  whatever comes out is a finding
            yield f"parsers: {name}, seed {seed}: {type(error).__name__}: {error}"
        else:
            print(f"  {name}: {count} strings, {errors} typed errors")


def files(seed: int, count: int) -> Iterator[str]:
    """Damaged files for every reader of files; yields findings."""
    tried, findings = fuzz_files.fuzz(count, seed)
    print(f"  {tried} damaged files")
    yield from findings


def boards(_: int, __: int) -> Iterator[str]:
    """Every command against hostile boards; yields findings."""
    longest, findings = hostile_boards.attack_all()
    for board, took_s in longest.items():
        print(f"  {board}: {len(hostile_boards.COMMANDS)} commands, the longest took {took_s:.0f} s")
    yield from findings


def faults(_: int, __: int) -> Iterator[str]:
    """Faults of the line, with fresh seeds; yields findings."""
    exact, typed, findings = fault_matrix.try_all(1000, end_s=time.monotonic() + PART_S)
    print(f"  {exact} runs with exact counts, {typed} with a typed error")
    yield from findings


PARTS: Final[dict[str, Callable[[int, int], Iterator[str]]]] = {
    one.__name__: one for one in (kills, parsers, files, faults, boards)
}


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, help="of everything that a seed repeats; a fresh one by default")
    parser.add_argument("--count", type=int, default=3000, help="strings per parser and files per reader (3000)")
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    options = parser.parse_args()
    seed = secrets.randbits(32) if options.seed is None else options.seed
    findings: list[str] = []
    print(f"seed {seed}")
    for name in options.parts or PARTS:
        print(f"{name}:", flush=True)
        start_s = time.monotonic()
        try:
            findings += PARTS[name](seed, options.count)
        except Elm11Error as error:
            findings.append(f"{name}: {error}")
        print(f"  {time.monotonic() - start_s:.0f} s, {len(findings)} findings so far", flush=True)
    print(*findings, sep="\n")
    return bool(findings)


if __name__ == "__main__":
    sys.exit(main())
