#!/usr/bin/env python3
"""Run a Lua file as the board would, and count instructions.

    python tools/cost/run_lua.py FILE.lua [MODULE.lua ...] [--q-test line|each] [--memory model|real]
                                [--loose-heap] [--timeout S]

FILE is run; it finds the project's programs and every MODULE by run_program("name.lua"), MODULEs first, so that a
changed copy of a program can be tried. Globals for measuring (tools/emblua/machine.c has them all):

    instructions()   instructions retired so far, as a float
    heap()           bytes in use, their peak, units of 128 bytes in use, their peak;  heap_reset() starts a new peak
    decimal(x)       digits of a whole number: the board prints no float above 1e9

    local fft = run_program("fft.lua")
    local before = instructions()
    local plan = fft.plan(256)
    print(decimal(instructions() - before), heap())

Exit codes: 0 ran, 1 an error in Lua or the board would have stopped, 3 the machine is missing here.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import rv32


def main() -> int:
    """Run, print, return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="the Lua file to run")
    parser.add_argument("modules", nargs="*", type=Path, help="further programs")
    parser.add_argument("--q-test", choices=["line", "each"], default="line", help="see docs/cost.md (default: line)")
    parser.add_argument(
        "--memory", choices=["model", "real"], default="model", help="of the board, see docs/virtual-board.md"
    )
    parser.add_argument("--loose-heap", action="store_true", help="lift the limits of the board's heap")
    parser.add_argument("--timeout", type=float, default=rv32.TIMEOUT_S, help="seconds (default %(default)g)")
    arguments = parser.parse_args()
    try:
        programs = rv32.firmware()
        for path in arguments.modules:
            programs[path.name] = path.read_text("latin-1")
        programs[rv32.MAIN] = arguments.file.read_text("latin-1")
        output = rv32.machine(arguments.q_test, memory=arguments.memory).run(
            programs, strict_heap=not arguments.loose_heap, timeout_s=arguments.timeout
        )
    except rv32.MachineMissing as error:
        print(error, file=sys.stderr)
        return 3
    except (rv32.MachineError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(output, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
