"""The programs for the board: their manifest, the board's limits, and the linter that keeps them."""

from __future__ import annotations

import hashlib
import importlib.util
import re
from functools import cache
from typing import TYPE_CHECKING, Any

import elm11_firmware
import pytest
from elm11_host_ref.experiment import Experiment
from elm11_shim import FirmwareLua, LuaSimulator
from paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = ROOT / "firmware_lua" / "elm11_firmware"
NAMES = [program.name for program in elm11_firmware.programs()]


@cache
def tool(name: str) -> Any:  # noqa: ANN401  a module
    spec = importlib.util.spec_from_file_location(name, next((ROOT / "tools").glob(f"*/{name}.py")))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up by its name.
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(__import__("sys").modules, name, module)
        spec.loader.exec_module(module)
    return module


# Manifest -------------------------------------------------------------------------------------------------------------


def test_the_manifest_lists_every_program() -> None:
    assert sorted(NAMES) == sorted(path.name for path in FOLDER.glob("*.lua"))


@pytest.mark.parametrize("program", elm11_firmware.programs(), ids=lambda program: program.name)
def test_the_manifest_describes_the_files(program: elm11_firmware.Program) -> None:
    data = (FOLDER / program.name).read_bytes()
    assert elm11_firmware.text(program.name).encode() == data
    assert program.size == len(data)
    assert program.sha256 == hashlib.sha256(data).hexdigest()


def test_dependencies_come_first() -> None:
    for i, program in enumerate(elm11_firmware.programs()):
        assert set(program.dependencies) <= set(NAMES[:i])


@pytest.mark.parametrize("name", NAMES)
def test_what_a_program_loads_is_among_its_dependencies(name: str) -> None:
    code = "\n".join(line for line in elm11_firmware.text(name).split("\n") if not line.startswith("--"))
    loaded = set(re.findall(r'\b(?:run_program|loaded)\("([^"]+)"\)', code))
    by_name = {program.name: set(program.dependencies) for program in elm11_firmware.programs()}
    reached = by_name[name].union(*(by_name[other] for other in by_name[name]))
    assert loaded <= reached
    # Each program is loaded once, by the one that owns a pipeline's loop, and handed on.
    assert not loaded or name in {"monte_carlo.lua", "fast.lua", "run.lua"}


def test_an_unknown_program_is_refused() -> None:
    with pytest.raises(ValueError, match=r"name must be one of load\.lua, .*, not 'x\.lua'"):
        elm11_firmware.text("x.lua")


@pytest.mark.parametrize("name", NAMES)
def test_every_program_returns_one_module_and_leaves_no_global(name: str) -> None:
    lua = FirmwareLua()
    lua.execute("import('all')")  # what a program imports from the base library is global for all
    names = lua.execute(
        """
        local function names()
            local all = {}
            for name in pairs(_ENV) do all[#all + 1] = name end
            return all
        end
        return names
        """
    )
    before = lua.elements(lua.call(names))
    module = lua.run_program(name)
    expected = "function" if name == elm11_firmware.LOADER else "table"
    assert lua.call(lua.execute("return function(value) return type(value) end"), module) == expected
    assert sorted(lua.elements(lua.call(names))) == sorted(before)


def test_the_normal_table_is_current() -> None:
    assert tool("make_normal_table").text() == elm11_firmware.text("normal.lua")


# Limits ---------------------------------------------------------------------------------------------------------------


def test_the_lua_files_have_no_faults() -> None:
    lint = tool("lint_lua")
    for name in NAMES:
        assert lint.check(elm11_firmware.text(name).encode(), name, for_board=True) == []
    assert lint.main([]) == 0


@pytest.mark.parametrize("others", [{"J": 10}, {"J": 20}, {"J": 8, "dj": 1.0}, {"J": 2, "n_bins": 5000}])
def test_no_array_is_longer_than_the_board_can_make(others: dict[str, Any]) -> None:
    simulator = LuaSimulator(Experiment(**{"lag1_x": 0.7, "lag1_y": 0, "dt": 1, "dj": 0.25, "s0": 2, **others}))
    simulator.run(range(1))
    lua, state = simulator._lua, simulator._state
    lua.execute("import('next') import('type') import('rawlen')")
    longest, tables = lua.call(
        lua.execute(
            """
            return function(root)
                local seen, longest, tables = {}, 0, 0
                local function walk(value)
                    if type(value) ~= "table" or seen[value] then return end
                    seen[value] = true
                    tables = tables + 1
                    if rawlen(value) > longest then longest = rawlen(value) end
                    for _, item in next, value do walk(item) end
                end
                walk(root)
                return longest, tables
            end
            """
        ),
        state,
    )
    assert longest <= 1024
    assert tables > 50


def test_a_simulation_of_20_scales_fits_into_the_boards_memory() -> None:
    """Of 1 MB. Arrays are as large here as on the board; 32-bit pointers make the rest smaller there."""
    sizes = {}
    for J in (10, 20):
        simulator = LuaSimulator(Experiment(0.72, 0.72, 0.25, 0.25, 0.5, J))
        simulator.run(range(1))
        sizes[J] = simulator.memory_bytes - FirmwareLua().memory_bytes
    assert sizes[10] < 400_000
    assert sizes[20] < 760_000


# The linter -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("local x = = 1", 1, "unexpected symbol near '='"),
        ("\nx = 1", 2, "assignment to the global x"),
        ("local function f() return x end", 1, "use of the global x"),
        ("local function f() y = 1 end", 1, "assignment to the global y"),
        ("local _ENV = nil\nlocal a = x", 2, "use of the global x"),
        ("local _ENV = nil\nx = 1", 2, "assignment to the global x"),
        ("local _ENV = nil\nlocal function f() return x end", 2, "use of the global x"),
        ("local _ENV = nil\nlocal function f() x = 1 end", 2, "assignment to the global x"),
        ("local e = _ENV", 1, "use of the global _ENV"),
        ("local a = io", 1, "use of io, which the board does not have"),
        ("local a = require", 1, "use of require, which the board does not have"),
        ("local a = type", 1, 'use of type, which is not imported; add import("type")'),
        ("local a = nothing", 1, "the board has no global nothing"),
        ('local a = type\nimport("type")', 1, "use of type, which is not imported"),
        ("local a = math.sin", 1, "use of math.sin, which is not imported"),
        ('local a = math.sin\nimport("math", "sin")', 1, "use of math.sin, which is not imported"),
        ('import("nope")', 1, "import of nope, which the board does not have"),
        ('import("math", "nope")', 1, "import of math.nope, which the board does not have"),
        (
            "local a = 0.1",
            1,
            "0.1 loses digits: numbers in text have single precision; write a ratio of integers, or 0x1.999999999999ap",
        ),
        ("local a = 1e39", 1, "1e39 loses digits"),
        ("local a = 16777217.0", 1, "16777217.0 loses digits"),
        ("local a = 2147483648", 1, "2147483648 does not fit into 32 bits"),
        ("local a = 0x100000000", 1, "0x100000000 has more than 32 bits"),
        ("local a = 1 --" + "-" * 250, 1, "the line has 264 characters"),
        ("local a = '\t'", 1, "the line holds a tab"),
        ("local a = 1 -- \xe9", 1, "the line holds the byte e9"),
        ("local a = {" + "1," * 1025 + "}", 1, "a table of 1025 elements; at most 1024 fit"),
        ("local a\n" + "a = 1\n" * 4100, 1, "instructions in one function; at most 4096 fit"),
        ("local a\n" + "".join(f"a = {i}/7\n" for i in range(70000, 71300)), 1, "constants in one function"),
        ("return {" + "1,\n" * 9000 + "}\n", 1, "bytes; the board takes 24575"),
    ],
)
def test_the_linter_finds(text: str, line: int, message: str) -> None:
    problems = tool("lint_lua").check((text + "\n").encode("latin-1"), "x.lua", for_board=True)
    assert any(problem.line == line and message in problem.message for problem in problems), problems


@pytest.mark.parametrize(
    "text",
    [
        'import("math", "sin")\nlocal sin, pi = math.sin, math.pi\nlocal _ENV = nil\nreturn {sin = sin, pi = pi}',
        'import("type")\nlocal type = type\nlocal _ENV = nil\nlocal function f(x) return type(x) end\nreturn {f = f}',
        "local a = 0.5 + 1e3 + 0x1.999999999999ap-4 + 0xffffffff + 2147483647 + 16777216.0",
        "local a = {io = 1, math = 2}\nlocal b = a.io + a.math\nlocal s = 'io 0.1' -- io 0.1\n--[[ 0.1\nio ]]",
        "local print = print\nlocal run_program = run_program\nlocal _ENV = nil\nprint(1)",
    ],
)
def test_the_linter_is_content(text: str) -> None:
    assert tool("lint_lua").check((text + "\n").encode(), "x.lua", for_board=True) == []


def test_the_linter_tells_the_place_and_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "bad.lua"
    file.write_text("local a = 1\nb = a\n")
    assert tool("lint_lua").main([str(file)]) == 1
    assert capsys.readouterr().out == f"{file}:2: assignment to the global b\n"


def test_a_name_must_fit() -> None:
    problems = tool("lint_lua").check(b"local a\n", "a" * 26 + ".lua", for_board=True)
    assert [problem.message for problem in problems] == ["its name has 30 characters; the board takes 29: shorten it"]


def test_a_file_ends_with_a_line_feed() -> None:
    assert [problem.line for problem in tool("lint_lua").check(b"local a\nlocal b", "x.lua", for_board=True)] == [2]


def test_files_for_this_computer_may_use_what_the_board_lacks() -> None:
    text = b"local a, b = debug, 0.1\n"
    assert tool("lint_lua").check(text, "x.lua", for_board=False) == []
    assert tool("lint_lua").check(b"a = debug\n", "x.lua", for_board=False) != []
