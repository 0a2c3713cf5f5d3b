#!/usr/bin/env python3
"""Replay recorded requests on the board's allocator (allocator.c) and compare every address.

    python tools/emblua/replay_allocator.py FILE.json[.xz] [...] [--sanitize] [--only NAME]

A file holds vectors: requests ``["malloc", id, n]``, ``["realloc", id, n]``, ``["free", id]`` or
``["calloc", id, count, size]``; for each what the board gave (the number of a unit of the heap, ``"f"`` with an
offset in the fast heap, null for a free, or why it stopped); and at the end how many bytes of the heap are free and
where the cursor is.

Exit codes: 0 everything agrees, 1 something differs (the first difference of each vector is printed), 2 usage or a
file that holds something else, 3 no compiler.
"""

from __future__ import annotations

import argparse
import functools
import json
import lzma
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

BOARD_UNITS = 8192
TIMEOUT_S = 60.0
_BUILD = Path(__file__).resolve().parent / "build.py"
_BUILD_TIMEOUT_S = 120.0
_ERRORS = {
    "error 0": "\n---- Malloc Error ----\n\rError: out of heap_memory!\n\r",
    "error 1": "\n---- Malloc Error ----\n\rError: out of heap_memory after defrag!\n\r",
    "hang": "",
}

Result: TypeAlias = int | str | None


class BadVector(ValueError):  # noqa: N818  the name says it
    """A vector has something in it that this program does not know; the message says what and where."""


class BuildFailed(Exception):  # noqa: N818  the name says it
    """The allocator cannot be compiled here; the message says why."""


@dataclass(frozen=True)
class Replay:
    """What the allocator made of a vector's requests.

    Attributes:
        results: one for each request, in the vectors' notation; the last may be why the board stops.
        free_bytes: bytes of the heap that are free at the end.
        cursor: the unit where the next search begins.
        size_was_cut: a joined block was larger than its 16 bits of size can say. On the board, data written to it
            then decide what happens next; here nothing is written.
    """

    results: list[Result]
    free_bytes: int
    cursor: int
    size_was_cut: bool


@functools.cache
def program(*, sanitized: bool) -> str:
    """The path of the compiled allocator.

    Args:
        sanitized: with the compiler's checks.

    Raises:
        BuildFailed: the allocator cannot be compiled here.
    """
    command = [sys.executable, str(_BUILD), "--replay", *(["--sanitize"] if sanitized else [])]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=_BUILD_TIMEOUT_S)
    if done.returncode:
        raise BuildFailed(done.stderr.strip())
    return done.stdout.strip()


def read(path: Path) -> dict[str, Any]:
    """The content of a file of vectors, which may be packed by xz.

    Args:
        path: of the file.
    """
    data = path.read_bytes()
    content: dict[str, Any] = json.loads(lzma.decompress(data) if path.suffix == ".xz" else data)
    return content


def as_input(operations: list[list[Any]], units: int) -> str:
    """The requests as replay.c reads them.

    Args:
        operations: of a vector.
        units: of the heap.

    Raises:
        BadVector: a request is of no known kind.
    """
    handles: dict[Any, int] = {}
    lines = []
    for index, operation in enumerate(operations):
        match operation:
            case ["malloc" | "realloc" as kind, name, int(size)]:
                pass
            case ["calloc", name, int(count), int(item)]:
                kind, size = "malloc", count * item
            case ["calloc", name, int(size)]:
                kind = "malloc"
            case ["free", name]:
                lines.append(f"f {handles.setdefault(name, len(handles))}")
                continue
            case _:
                raise BadVector(f"request {index} is of no known kind: {operation}")
        lines.append(f"{kind[0]} {handles.setdefault(name, len(handles))} {size & 0xFFFFFFFF}")
    return "\n".join([f"{units} {len(handles)}", *lines, ""])


def replay(operations: list[list[Any]], *, units: int = BOARD_UNITS, sanitized: bool = False) -> Replay:
    """Run requests on a board that has just booted and has no Lua.

    Args:
        operations: of a vector.
        units: of the heap; the board has 8192.
        sanitized: with the compiler's checks.

    Raises:
        BadVector: a request is of no known kind.
        BuildFailed: the allocator cannot be compiled here.
    """
    done = subprocess.run(
        [program(sanitized=sanitized)],
        input=as_input(operations, units),
        check=True,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    *lines, end = done.stdout.splitlines()
    _, free_bytes, cursor, cut = end.split()
    return Replay([_result(line) for line in lines], int(free_bytes), int(cursor), cut != "0")


def _result(line: str) -> Result:
    if line == "-":
        return None
    return int(line) if line.isdigit() else line


def first_difference(vector: dict[str, Any], got: Replay) -> str | None:
    """Where a replay leaves a vector, in words, or None.

    Args:
        vector: with ``operations``, ``results`` and ``end``.
        got: its replay.
    """
    expected, operations = vector["results"], vector["operations"]
    for index, (ours, boards) in enumerate(zip(got.results, expected, strict=False)):
        if ours != boards:
            return f"request {index} {operations[index]}{_place(vector, index)}: {ours!r} here, {boards!r} on the board"
    if len(got.results) != len(expected):
        return f"{len(got.results)} results here, {len(expected)} on the board"
    end = vector.get("end") or {}
    for name in ("free_bytes", "cursor"):
        if end.get(name) is not None and end[name] != getattr(got, name):
            return f"at the end, {name}: {getattr(got, name)} here, {end[name]} on the board"
    last = got.results[-1] if got.results else None
    if "printed" in vector and isinstance(last, str) and vector["printed"] != _ERRORS.get(last):
        return f"printed at the end: {_ERRORS.get(last)!r} here, {vector['printed']!r} on the board"
    return None


def _place(vector: dict[str, Any], index: int) -> str:
    """The last thing that had begun, for a vector that was recorded from a session."""
    begun = [text for at, text in vector.get("marks", []) if at <= index]
    return f" after {begun[-1]!r}" if begun else ""


def main() -> int:
    """Replay, print, return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path, help="files of vectors")
    parser.add_argument("--sanitize", action="store_true", help="with the compiler's checks (ASan, UBSan)")
    parser.add_argument("--only", metavar="NAME", help="this vector only")
    arguments = parser.parse_args()
    compared = operations = differ = 0
    try:
        for path in arguments.files:
            content = read(path)
            for vector in content["vectors"]:
                if arguments.only not in {None, vector["name"]}:
                    continue
                got = replay(
                    vector["operations"], units=content.get("heap_units", BOARD_UNITS), sanitized=arguments.sanitize
                )
                difference = first_difference(vector, got)
                compared += 1
                operations += len(got.results)
                if difference:
                    differ += 1
                    print(f"{path}: {vector['name']}: {difference}")
    except BuildFailed as error:
        print(error, file=sys.stderr)
        return 3
    except subprocess.CalledProcessError as error:
        print(f"{path}: {vector['name']}: {error}\n{error.stderr}", file=sys.stderr)
        return 1
    except (KeyError, TypeError, OSError, ValueError, lzma.LZMAError) as error:
        print(f"{path}: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    print(f"{compared} vectors, {operations} requests: {differ or 'none'} differ{'s' if differ == 1 else ''}")
    return 1 if differ or not compared else 0


if __name__ == "__main__":
    sys.exit(main())
