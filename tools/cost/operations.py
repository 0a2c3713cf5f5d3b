"""Single operations, counted on the rv32i machine, beside what they cost on the board.

The board's figures are those observed on the vendor's firmware (build 2026-07-01): instructions retired, with the test
for the 'q' key at every VM instruction. Where a range is known for several operations, each has the whole range.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import rv32

EMPTY_LOOP: Final = "one pass of an empty for"
_PASSES = 1000
_IMPORTED = {
    "math": ("floor", "sqrt", "sin", "cos", "exp", "log"),
    "string": ("byte", "char", "sub"),
}


@dataclass(frozen=True)
class Operation:
    """One operation.

    Attributes:
        name: for the table.
        body: what stands in the loop: Lua with the local variables of `_FRAME`.
        device: fewest and most instructions on the board.
    """

    name: str
    body: str
    device: tuple[int, int]


def _exactly(instructions: int) -> tuple[int, int]:
    return instructions, instructions


_FUNCTIONS = (13_000, 22_000)

OPERATIONS: Final = (
    Operation(EMPTY_LOOP, "", _exactly(118)),
    Operation("integer +", "v = a + b", (125, 131)),
    Operation("integer -", "v = a - b", (125, 131)),
    Operation("integer &", "v = a & b", (125, 131)),
    Operation("integer >>", "v = a >> c", (125, 131)),
    Operation("integer * (16-bit operand)", "v = a * d", _exactly(325)),
    Operation("integer * (small operand)", "v = a * c", _exactly(151)),
    Operation("integer //", "v = a // b", _exactly(323)),
    Operation("integer %", "v = a % b", _exactly(323)),
    Operation("t[i] read", "v = t[i]", _exactly(135)),
    Operation("t[i] write", "t[i] = a", _exactly(139)),
    Operation("t.name", "v = r.name", _exactly(145)),
    Operation("global", "v = some_global", _exactly(160)),
    Operation("upvalue", "v = up", _exactly(116)),
    Operation("call", "f()", _exactly(653)),
    Operation("call with one argument", "g(a)", _exactly(892)),
    Operation("{}", "v = {}", _exactly(423)),
    Operation("float +", "v = x + y", _exactly(235)),
    Operation("float -", "v = x - y", _exactly(235)),
    Operation("float *", "v = x * y", _exactly(1660)),
    Operation("float /", "v = x / y", _exactly(2452)),
    Operation("float compare", "if x < y then end", _exactly(172)),
    Operation("integer to float", "v = i + 0.0", _exactly(278)),
    Operation("sqrt", "v = sqrt(x)", _exactly(1334)),
    Operation("floor", "v = floor(x)", _exactly(757)),
    Operation("sin", "v = sin(x)", _FUNCTIONS),
    Operation("cos", "v = cos(x)", _FUNCTIONS),
    Operation("exp", "v = exp(x)", _FUNCTIONS),
    Operation("log", "v = log(x)", _FUNCTIONS),
    Operation("string.byte", "v = byte(s, 2)", _exactly(926)),
    Operation("string.char", "v = char(65)", _exactly(891)),
    Operation("string.sub", "v = sub(s, 2, 3)", _exactly(1116)),
)

# A function of its own for each, all on one line: neither the place in a function nor a new line may count.
_FRAME = (
    "do local function f() end local function g(argument) end local up = 3 local function test() {locals}"
    "local a, b, c, d, x, y, s, v = 12345, 321, 7, 31111, 1 / 3, 2 / 7, 'hello' "
    "local t, r = {{}}, {{name = 1}} for i = 1, {passes} do t[i] = i end "
    "local before = instructions() for i = 1, {passes} do {body} end return instructions() - before end "
    'collectgarbage("stop") print(decimal(test())) collectgarbage("restart") collectgarbage() end'
)


def lua_text() -> str:
    """A program that prints the instructions of so many passes of each operation's loop, and of two readings."""
    lines = [f'import("{library}", "{name}")' for library, names in _IMPORTED.items() for name in names]
    lines.append("some_global = 1")
    lines.append("do local before = instructions() print(decimal(instructions() - before)) end")
    for operation in OPERATIONS:
        used = [
            f"local {name} = {library}.{name} "
            for library, names in _IMPORTED.items()
            for name in names
            if f"{name}(" in operation.body
        ]
        lines.append(_FRAME.format(locals="".join(used), body=operation.body, passes=_PASSES))
    return "\n".join([*lines, ""])


def measure(q_test: rv32.QTest = "line") -> dict[str, float]:
    """Instructions of each operation, by name: the loop without what is empty of it.

    Args:
        q_test: see `rv32.machine`.

    Raises:
        MachineMissing: see `rv32.machine`.
        MachineError: the program failed on the machine.
    """
    return parse(rv32.machine(q_test).run({rv32.MAIN: lua_text()}, timeout_s=60.0))


def parse(output: str) -> dict[str, float]:
    """Read what the program has printed.

    Raises:
        MachineError: figures are missing or are no numbers.
    """
    try:
        reading, *totals = [int(line) for line in output.splitlines()]
        by_name = dict(zip((operation.name for operation in OPERATIONS), totals, strict=True))
    except ValueError as error:
        raise rv32.MachineError(
            f"the operations' program printed something else than its figures:\n{output}"
        ) from error
    empty = by_name[EMPTY_LOOP]
    return {
        name: round((total - (reading if name == EMPTY_LOOP else empty)) / _PASSES, 1)
        for name, total in by_name.items()
    }
