"""The board's globals, the same in every Lua that stands for the board's: in this process, and on both virtual ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from elm11_shim import FirmwareLua, LuaError
from elm11_shim.board_lua_emblua import EmbluaBoardLua
from elm11_shim.board_lua_lupa import LupaBoardLua
from elm11_shim.virtual_board import PROMPT, VirtualBoard

if TYPE_CHECKING:
    from collections.abc import Iterator

DEADLINE_S = 20.0
PROGRAMS = {"one.lua": "return 1", "many.lua": "return nil, 2, nil", "7": "return 'seven'"}
BASE = (
    "assert error getmetatable ipairs load next pairs pcall warn rawequal rawlen rawget rawset select setmetatable "
    "tonumber tostring type xpcall"
)
LIBRARIES = {
    "math": "abs acos asin atan ceil cos deg exp floor fmod log max min modf rad sin sqrt tan tointeger type ult",
    "string": "byte char dump find format gmatch gsub len lower match rep reverse sub upper pack packsize unpack",
    "table": "concat insert remove unpack pack sort move",
    "user": "is_even lfsr32_next",
    "interrupt": "",
}
AT_BOOT = {
    *("print", "import", "reboot", "exit", "run_program", "collectgarbage"),
    *("_VERSION", "_sW", "_fW", "_hW", "_cI", "_freq"),
    *LIBRARIES,
    *("_G", "PWM_MAX", "HIGH", "LOW", "CORE1", *(f"PIN{pin}" for pin in range(1, 17))),
}
MATH_AT_BOOT = {"pi", "huge", "maxinteger", "mininteger", "random", "randomseed"}

Run = Callable[[str], list[str]]
"""Runs a text; gives the lines that it printed, the message of its error among them."""


def in_process() -> Run:
    lua = FirmwareLua(PROGRAMS)

    def run(text: str) -> list[str]:
        lua.printed.clear()
        try:
            lua.execute(text)
        except LuaError as error:
            lua.printed.append(error.message)
        return list(lua.printed)

    return run


def at_the_prompt(board: VirtualBoard) -> Run:
    for name, text in PROGRAMS.items():
        board.store.create(name)
        board.store.append(name, text.encode())
    board.read_until_idle(DEADLINE_S)

    def run(text: str) -> list[str]:
        board.write(text.encode() + b"\n")
        _, *lines, prompt = board.read_until_idle(DEADLINE_S).decode("latin-1").split("\n\r")
        assert prompt.encode() == PROMPT
        return lines

    return run


@pytest.fixture(params=["in process", "lupa", "emblua"])
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    if request.param == "in process":
        yield in_process()
        return
    lua = LupaBoardLua() if request.param == "lupa" else EmbluaBoardLua(request.getfixturevalue("emblua_path"))
    with VirtualBoard(lua) as board:
        yield at_the_prompt(board)


# At boot, and import --------------------------------------------------------------------------------------------------


def names_in(run: Run, table: str) -> set[str]:
    return set(run(f"import('next') for name in next, {table} do print(name) end"))


def test_the_globals_at_boot_and_no_others(run: Run) -> None:
    assert names_in(run, "_ENV") == AT_BOOT | {"next"}


@pytest.mark.parametrize("library", LIBRARIES)
def test_libraries_at_boot(library: str, run: Run) -> None:
    assert names_in(run, library) == (MATH_AT_BOOT if library == "math" else set())


def test_values_at_boot(run: Run) -> None:
    assert run("print(_VERSION, math.maxinteger, math.mininteger, math.pi, math.huge, CORE1, PIN1, PIN16)") == [
        "Lua 5.4\t2147483647\t-2147483648\t3.141593\tinf\t1\t1\t16"
    ]


def test_import_all_brings_the_base_library_and_nothing_else(run: Run) -> None:
    run("import('all')")
    assert names_in(run, "_ENV") == AT_BOOT | set(BASE.split())
    assert names_in(run, "math") == MATH_AT_BOOT
    assert names_in(run, "string") == names_in(run, "table") == set()


@pytest.mark.parametrize("name", BASE.split())
def test_a_base_function_comes_alone(name: str, run: Run) -> None:
    assert run(f"import('{name}')") == []
    assert names_in(run, "_ENV") == AT_BOOT | {"next", name}


@pytest.mark.parametrize("library", LIBRARIES)
def test_functions_of_libraries_come_one_by_one(library: str, run: Run) -> None:
    expected = names_in(run, library)
    for name in LIBRARIES[library].split():
        assert run(f"import('{library}', '{name}')") == []
        expected.add(name)
        assert names_in(run, library) == expected
    assert names_in(run, "_ENV") == AT_BOOT | {"next"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import('nope')", "no such function in base library"),
        ("import('math')", "no such function in base library"),
        ("import('math', 'nope')", "no such function in library"),
        ("import('user', 'nope')", "no such function in library"),
        ("import('nope', 'sin')", "no such library"),
        ("import('all', 'sin')", "no such library"),
        ("import('base', 'pairs')", "no such library"),
        ("import('io', 'open')", "no such library"),
        ("table = nil import('table', 'sort')", "no such library"),
        ("import(1)", "no such function in base library"),
        ("import()", "unexpected argument"),
        ("import('math', 'sin', 'cos')", "unexpected argument"),
        ("import(nil)", "bad argument #1 to 'import' (string expected, got nil)"),
        ("import({})", "bad argument #1 to 'import' (string expected, got table)"),
        ("import('math', {})", "bad argument #2 to 'import' (string expected, got table)"),
        ("run_program('none')", "bad argument #1 to 'run_program' (no such program)"),
        ("run_program(8)", "bad argument #1 to 'run_program' (no such program)"),
        ("run_program()", "bad argument #1 to 'run_program' (string expected, got no value)"),
        ("run_program({})", "bad argument #1 to 'run_program' (string expected, got table)"),
        ("run_program('one.lua', 2)", "unexpected argument"),
        ("import('tostring') tostring()", "bad argument #1 to 'tostring' (value expected)"),
        ("import('warn') warn()", "bad argument #1 to 'warn' (string expected, got no value)"),
        ("import('warn') warn('x', {})", "bad argument #2 to 'warn' (string expected, got table)"),
    ],
)
def test_what_functions_refuse(text: str, message: str, run: Run) -> None:
    assert run(text)[0].endswith(f":1: {message}")


def test_import_of_what_is_there_changes_nothing(run: Run) -> None:
    assert run("import('math', 'pi') import('math', 'random') print(math.pi)") == ["3.141593"]
    assert run("import('math', 'sin') math.sin = 7 import('math', 'sin') print(math.sin)") == ["7"]


def test_run_program_returns_what_the_chunk_returns(run: Run) -> None:
    assert run("print(run_program('one.lua'), run_program('many.lua'))") == ["1\tnil\t2\tnil"]
    assert run("print(run_program(7))") == ["seven"]


# Numbers and text -----------------------------------------------------------------------------------------------------

IMPORTS = (
    "import('all')",
    *(f"import('string', '{name}')" for name in ("find", "format", "gsub")),
    "import('table', 'concat')",
)


@pytest.mark.parametrize(
    ("expressions", "shown"),
    [
        ("1/3, 100.0, 1e9, 2^31, -2^31, -1/2, 1e-9", "0.333333 100.000000 1000000000.000000 .0 .0 -0.500000 0.000000"),
        ("0/0, 1/0, -1/0, -0.0, 7, nil, true", "nan inf -inf 0.000000 7 nil true"),
        ("tostring(1/3), tostring(2^31), tostring(nil)", "0.333333 .0 nil"),
        ("tonumber('0.1') == 1/10, tonumber('0x1.999999999999ap-4') == 1/10, tonumber('0.25')", "false true 0.250000"),
        ("tonumber('-0.5'), tonumber(' -0.5'), tonumber('-5'), tonumber('1e39')", "0.000000 0.000000 -5 inf"),
        ("tonumber('2147483647'), tonumber('4294967296'), tonumber('-2147483648')", "2147483647 .0 -2147483648"),
        ("tonumber('ff', 16), tonumber('0x10'), tonumber('x'), tonumber(1/4)", "255 16 nil 0.250000"),
        ("string.format('%5d|%s|%%|%a', 3, 'x', 1/10)", "    3|x|%|0x1.999999999999ap-4"),
        ("string.format('%s|%8s|%f|%.2f|%5.1f', 1/2, 1/4, 1/2, 1/3, 1/4)", "0.500000|0.250000|0.500000|0.33|  0.2"),
        ("string.format('%f|%f|%.1f|%f|%s', 2^31, 1/0, -1/0, 0/0, 2^31)", "|inf|-inf|nan|.0"),
        ("table.concat({1, 1/2, 'x'}, ','), table.concat({1, 2, 3}, '-', 2, 3)", "1,0.500000,x 2-3"),
        ("table.concat({1/2, 2^31, 1/4}, 1/8, 2)", ".00.1250000.250000"),
    ],
)
def test_numbers_and_text(expressions: str, shown: str, run: Run) -> None:
    for text in IMPORTS:
        run(text)
    assert " ".join(run(f"print({expressions})")).replace("\t", " ") == shown


@pytest.mark.parametrize("conversion", ["e", "g", "E", "G", "5.1e"])
def test_conversions_that_do_not_exist(conversion: str, run: Run) -> None:
    """They yield their letter: FLASH.md of the board's facts, section 8."""
    run("import('string', 'format')")
    assert run(f"print(string.format('%d %{conversion} %g %d', 1, 2, 3, 4))") == [f"1 {conversion[-1]} g 4"]
    assert "(number expected, got table)" in run(f"string.format('%{conversion}', {{}})")[0]


@pytest.mark.parametrize(
    ("decimals", "shown"), [("9", "0.333333333"), ("10", "0.3333333330"), ("15", "0.333333333000000")]
)
def test_more_than_nine_decimals_are_zeros(decimals: str, shown: str, run: Run) -> None:
    """FLASH.md of the board's facts, section 8."""
    run("import('string', 'format')")
    assert run(f"print(string.format('%.{decimals}f', 1/3))") == [shown]


def test_user_functions(run: Run) -> None:
    """What they say: the transcript `imports`. The numbers of lfsr32_next are not known."""
    run("import('user', 'is_even') import('user', 'lfsr32_next')")
    assert run("print(user.is_even(4), user.is_even(-3))") == ["true\tfalse"]
    assert "unexpected argument" in run("user.is_even()")[0]
    assert "bad argument #1 to 'is_even' (number expected, got string)" in run("user.is_even('x')")[0]
    assert run("print(user.lfsr32_next(2) == 1)") == ["true"]


def test_print_tells_strings_from_their_metamethods(run: Run) -> None:
    run("import('setmetatable')")
    assert run("print(setmetatable({}, {__tostring = function() return 'told' end}), 'x')") == ["told\tx"]


# Broken on the board --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "lines"),
    [
        ("string.find('abc', 'b')", ["memchr", "nil"]),
        ("string.find('abc', 'abc')", ["memchr", "nil"]),
        ("string.find('a.c', '.', 1, true)", ["memchr", "nil"]),
        ("string.find('abc', 'c', -1)", ["memchr", "nil"]),
        ("string.find('abc', 'abc', -9)", ["memchr", "nil"]),
        ("string.find('abc', 'abc', 0)", ["memchr", "nil"]),
        ("string.find(123, 2)", ["memchr", "nil"]),
        # Nothing is looked for where the pattern is empty or cannot fit.
        ("string.find('abc', '')", ["1\t0"]),
        ("string.find('abc', 'abcd')", ["nil"]),
        ("string.find('abc', 'bc', 3)", ["nil"]),
        ("string.find('abc', 'c', 9)", ["nil"]),
        ("string.find('abc', '[b]')", ["2\t2"]),
        ("string.find('abc', '(b)(c)')", ["2\t3\tb\tc"]),
        ("string.gsub('abcb', 'b', 'x')", ["memchr", "memchr", "axcx\t2"]),
        ("string.gsub('abcb', 'b', 'x', 1)", ["memchr", "axcb\t1"]),
        ("string.gsub('abc', 'b', 7)", ["memchr", "a7c\t1"]),
        ("string.gsub('abc', 'q', 'x')", ["abc\t0"]),
        ("string.gsub('abc', 'b', function() return 'x' end)", ["axc\t1"]),
        ("string.gsub('abc', 'b', {b = 'x'})", ["axc\t1"]),
    ],
)
def test_what_needs_memchr(expression: str, lines: list[str], run: Run) -> None:
    run("import('string', 'find') import('string', 'gsub')")
    assert run(f"print({expression})") == lines
