"""Check the Lua files: syntax, stray globals, and what the board cannot do.

    python tools/lint/lint_lua.py            every .lua file of the repository
    python tools/lint/lint_lua.py FILE ...   these files, as programs for the board

Every file must compile, and no function may use a global (a file says `local _ENV = nil` once it has what it needs;
whatever it asks the globals for after that is an error at run time, and here before). A program for the board, a file
below `firmware_lua`, must also pass `protocol/lua_check.py`, by the strict rules, and use only globals that are there
at boot (`elm11_shim.FirmwareLua` is asked) or imported; its functions and tables must fit into the board's memory.

Names are found by the text in `lua_check`; here the compiled code is read, in which Lua has resolved every name.
Prints `file:line: message` for each fault and exits 1 if there was one.
"""

from __future__ import annotations

import re
import struct
import sys
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from elm11_lua_driver.protocol import lua_check
from elm11_shim import FirmwareLua
from lupa.lua54 import LuaError as CompileError
from lupa.lua54 import LuaRuntime

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).resolve().parents[2]

MAX_INSTRUCTIONS: Final = 4096
MAX_CONSTANTS: Final = 1024
MAX_TABLE_ELEMENTS: Final = 1024


class Problem(NamedTuple):
    """A fault and its line, from 1."""

    line: int
    message: str


@cache
def at_boot(name: str) -> bool:
    """True for a global that is there at boot."""
    return bool(FirmwareLua(programs={}).execute(f"return {name} ~= nil"))


# Compiled code ---------------------------------------------------------------------------------------------------

# Operation codes of Lua 5.4.
_GETUPVAL, _GETTABUP, _GETTABLE, _GETFIELD, _SETTABUP, _SETTABLE, _SETFIELD, _NEWTABLE = (
    9,
    11,
    12,
    14,
    15,
    16,
    18,
    19,
)
_EXTRA_SIZE: Final = 256
_HEADER_BYTES: Final = 4 + 1 + 1 + 6 + 3 + 8 + 8 + 1
_CONSTANT_BYTES: Final = {0x00: 0, 0x01: 0, 0x11: 0, 0x03: 8, 0x13: 8}


@dataclass
class Function:
    """A compiled function: its prototype in the format of Lua 5.4's `string.dump`."""

    line: int
    code: list[int]
    constants: list[str | None]
    lines: list[int]
    variables: list[tuple[str, int, int]]
    upvalues: list[str]
    upvalue_origins: list[tuple[bool, int]]
    functions: list[Function] = field(default_factory=list)

    def register_of(self, name: str, pc: int) -> int | None:
        """The register of the local variable `name` before instruction `pc` runs, if it is in scope there."""
        active = [variable for variable, start, end in self.variables if start <= pc < end]
        return len(active) - 1 - active[::-1].index(name) if name in active else None


class _Reader:
    """Reads a dumped function from its bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = _HEADER_BYTES

    def take(self, count: int) -> bytes:
        self._at += count
        return self._data[self._at - count : self._at]

    def byte(self) -> int:
        return self.take(1)[0]

    def size(self) -> int:
        value = 0
        while True:
            byte = self.byte()
            value = value << 7 | byte & 0x7F
            if byte & 0x80:
                return value

    def string(self) -> str | None:
        size = self.size()
        return self.take(size - 1).decode("latin-1") if size else None

    def constant(self) -> str | None:
        kind = self.byte()
        if kind in _CONSTANT_BYTES:
            self.take(_CONSTANT_BYTES[kind])
            return None
        return self.string()

    def function(self) -> Function:
        self.string()
        line = self.size()
        self.size()
        self.take(3)
        code = list(struct.unpack(f"<{(count := self.size())}I", self.take(4 * count)))
        constants = [self.constant() for _ in range(self.size())]
        origins = [(bool(self.byte()), self.byte(), self.byte())[:2] for _ in range(self.size())]
        functions = [self.function() for _ in range(self.size())]
        steps = self.take(self.size())
        absolute = {self.size(): self.size() for _ in range(self.size())}
        variables = [(self.string() or "", self.size(), self.size()) for _ in range(self.size())]
        upvalues = [self.string() or "" for _ in range(self.size())]
        lines, current = [], line
        for pc, step in enumerate(steps):
            # -0x80 marks a line too far away for a step; its number is in the table of absolute lines.
            current = absolute[pc] if step == 0x80 else current + (step - 256 if step > 127 else step)
            lines.append(current)
        return Function(line, code, constants, lines, variables, upvalues, origins, functions)


def compile_lua(data: bytes, name: str) -> Function | Problem:
    """Compile a text, or say what is wrong with its syntax."""
    lua = LuaRuntime(encoding=None, register_eval=False)
    try:
        dump = lua.execute(b"local text, name = ... return string.dump(assert(load(text, name, 't')))", data, b"=file")
    except CompileError as error:
        place = re.search(r"file:(\d+): (.*)", str(error))
        return Problem(int(place[1]), place[2]) if place else Problem(1, f"{name}: {error}")
    return _Reader(bytes(dump)).function()


class GlobalUse(NamedTuple):
    """What one instruction does to a global."""

    name: str
    is_written: bool
    is_hidden: bool  # `local _ENV = nil` stands before it, or `_ENV` is used in another way than to name a global


def global_use(function: Function, pc: int) -> GlobalUse | None:
    """The global that an instruction reads or writes, if it does."""
    instruction = function.code[pc]
    operation = instruction & 0x7F
    a, b, c = instruction >> 7 & 0xFF, instruction >> 16 & 0xFF, instruction >> 24 & 0xFF
    env = function.register_of("_ENV", pc)
    if operation == _GETTABUP and function.upvalues[b] == "_ENV":
        return GlobalUse(function.constants[c] or "?", is_written=False, is_hidden=False)
    if operation == _SETTABUP and function.upvalues[a] == "_ENV":
        return GlobalUse(function.constants[b] or "?", is_written=True, is_hidden=False)
    if operation == _GETFIELD and b == env:
        return GlobalUse(function.constants[c] or "?", is_written=False, is_hidden=True)
    if operation == _SETFIELD and a == env:
        return GlobalUse(function.constants[b] or "?", is_written=True, is_hidden=True)
    # Names beyond the reach of an instruction's operand, and `_ENV` as a value.
    is_written = operation == _SETTABLE and a == env
    is_taken = operation == _GETUPVAL and function.upvalues[b] == "_ENV"
    if is_written or is_taken or (operation == _GETTABLE and b == env):
        return GlobalUse("_ENV", is_written, is_hidden=True)
    return None


def check_globals(function: Function, *, is_main: bool, for_board: bool) -> Iterator[Problem]:
    """Uses of globals in a function and the functions inside it.

    Args:
        function: compiled.
        is_main: it is the file itself, the only one that may read globals.
        for_board: what it reads must be there at boot, or be imported.
    """
    for pc, line in enumerate(function.lines):
        use = global_use(function, pc)
        if use is None:
            continue
        if use.is_written:
            yield Problem(line, f"assignment to the global {use.name}")
        elif use.is_hidden or not is_main:
            yield Problem(line, f"use of the global {use.name}; make it a local of the file, before `local _ENV = nil`")
        elif for_board and not at_boot(use.name) and use.name not in lua_check.BASE | lua_check.ABSENT.keys():
            yield Problem(line, f"the board has no global {use.name}")  # lua_check reports those that it knows
    for inner in function.functions:
        yield from check_globals(inner, is_main=False, for_board=for_board)


def check_limits(function: Function) -> Iterator[Problem]:
    """Functions and tables that the board's allocator could not hold."""
    where = function.line or 1
    if len(function.code) > MAX_INSTRUCTIONS:
        yield Problem(where, f"{len(function.code)} instructions in one function; at most {MAX_INSTRUCTIONS} fit")
    if len(function.constants) > MAX_CONSTANTS:
        yield Problem(where, f"{len(function.constants)} constants in one function; at most {MAX_CONSTANTS} fit")
    for pc, instruction in enumerate(function.code):
        if instruction & 0x7F == _NEWTABLE:
            elements = (instruction >> 24) + _EXTRA_SIZE * (function.code[pc + 1] >> 7 if instruction >> 15 & 1 else 0)
            if elements > MAX_TABLE_ELEMENTS:
                yield Problem(function.lines[pc], f"a table of {elements} elements; at most {MAX_TABLE_ELEMENTS} fit")
    for inner in function.functions:
        yield from check_limits(inner)


def check(data: bytes, name: str, *, for_board: bool) -> list[Problem]:
    """All faults of one file, in order of lines.

    Args:
        data: the file's bytes.
        name: its name without folders.
        for_board: it is a program for the board.
    """
    compiled = compile_lua(data, name)
    if isinstance(compiled, Problem):
        return [compiled]
    problems = list(check_globals(compiled, is_main=True, for_board=for_board))
    if for_board:
        found = lua_check.check_source(name, data, is_strict=True)
        problems += [Problem(max(one.line, 1), f"{one.what}; {one.advice}") for one in found]
        problems += check_limits(compiled)
    return sorted(set(problems))


def main(arguments: list[str]) -> int:
    """Check files and print their faults."""
    if arguments:
        files = [(Path(argument), True) for argument in arguments]
    else:
        folders = ("driver", "firmware_lua", "host_ref", "shim", "tests", "tools")
        files = [
            (path, folder == "firmware_lua") for folder in folders for path in sorted((ROOT / folder).rglob("*.lua"))
        ]
    found = 0
    for path, for_board in files:
        shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
        for problem in check(path.read_bytes(), path.name, for_board=for_board):
            print(f"{shown}:{problem.line}: {problem.message}")
            found += 1
    if not found:
        print(f"{len(files)} Lua files: no faults")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
