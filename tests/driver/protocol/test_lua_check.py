from __future__ import annotations

from pathlib import Path

import elm11_firmware
import pytest
from elm11_lua_driver.protocol.lua_check import Problem, check_files, check_source
from hypothesis import given
from hypothesis import strategies as st

FIRMWARE = sorted(Path(next(iter(elm11_firmware.__path__))).glob("*.lua"))


def found(text: str, *imported: str) -> list[tuple[int, str]]:
    problems = check_source("x.lua", text.encode("latin-1"), imported=imported)
    assert all(problem.file == "x.lua" and problem.advice for problem in problems)
    return [(problem.line, problem.what) for problem in problems]


@pytest.mark.parametrize("path", FIRMWARE, ids=lambda path: path.name)
def test_our_own_programs_pass(path: Path) -> None:
    assert check_files([path]) == []


def test_a_good_program_passes() -> None:
    assert (
        found(
            """
            import("string", "find") import("string", "gsub") import("pcall") import"type"
            import("table", "concat")
            local find, gsub = string.find, string.gsub
            local pcall, type <const> = pcall, type
            local math = { sin = 1, os = 2 }
            local half, exact, large = 0.5, 0x1.999999999999ap-4, 0xffffffff
            local text = gsub("abc", "b", function() return "x" end)
            -- os.time() and 0.1 in a comment, require "x"
            local words = [[ io.write(0.1) ]] .. "coroutine.wrap"
            math.sin = find(text, "a.c") or text:find("[x]")
            goto done
            ::done::
            return { type = type, pcall(concat), pi = math.pi, next = half.next, f = function(error) return error end }
            """
        )
        == []
    )


def test_all_problems_come_at_once_and_in_order() -> None:
    text = b"local x = 0.1\nlocal y = os.time()\nlocal z = '\xe9'\n" + b"-" * 255 + b"\nprint(pcall(x))\n"
    problems = check_source("n" * 30, text)
    assert [problem.line for problem in problems] == [0, 1, 2, 3, 4, 5]
    assert (
        str(problems[2])
        == f"{'n' * 30}:2: use of os, which the board does not have; there is no clock and no file system"
    )


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("n" * 30, b"return 1", "its name has 30 characters"),
        ('a"b.lua', b"return 1", "its name has other than printable ASCII, or quotes"),
        ("x.lua", b"", "it is empty"),
        ("x.lua", b"--" + b"\n" * 24_574, "it has 24576 bytes"),
        ("x.lua", b"--" + b"x" * 253, "the line has 255 characters"),
        ("x.lua", b"-- \x00", "the line holds a zero byte"),
        ("x.lua", b"-- a\rb", "a CR stands in mid-line"),
        ("x.lua", b"-- \xc3\xa9", "the line holds the byte c3"),
        ("x.lua", b"-- \x7f", "the line holds the byte 7f"),
    ],
)
def test_what_the_board_cannot_store(name: str, content: bytes, what: str) -> None:
    assert what in [problem.what for problem in check_source(name, content)]


@pytest.mark.parametrize(
    "content",
    [b"--" + b"\n" * 24_573, b"--" + b"x" * 252, b"\tlocal x\r\n", b"return 1"],
    ids=["size", "line", "tab", "plain"],
)
def test_the_limits_themselves_are_allowed(content: bytes) -> None:
    assert check_source("n" * 29, content) == []


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("x = = 1", 1, "syntax error: unexpected symbol near '='"),
        ("\n\nif x then", 3, "syntax error: 'end' expected near <eof>"),
        ("\nx = 'abc\n", 2, "syntax error: unfinished string near ''abc'"),
    ],
)
def test_a_syntax_error_is_named_with_its_line(text: str, line: int, what: str) -> None:
    assert found(text) == [(line, what)]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("pcall(f)", "use of pcall, which is not imported"),
        ("local type = type", "use of type, which is not imported"),
        ("local a, next = 1, next", "use of next, which is not imported"),
        ("return math.sin(1)", "use of math.sin, which is not imported"),
        ("local find = string.find", "use of string.find, which is not imported"),
        ('import("math", "cos") return math.sin(1)', "use of math.sin, which is not imported"),
        ("return math.cosh(1)", "use of math.cosh, which the board does not have"),
        ('import("math", "cosh")', "import of math.cosh, which the board does not have"),
        ('import("io")', "import of io, which the board does not have"),
    ],
)
def test_a_missing_import_is_found(text: str, what: str) -> None:
    assert found(text) == [(1, what)]


@pytest.mark.parametrize(
    "text",
    [
        "print(collectgarbage, reboot, run_program)",
        "return math.pi + math.huge + math.random()",
        'import("all") return pcall(type)',
        "local t = {} t.next = t.type t:select()",
        "local function type() end return type()",
        "for next = 1, 2 do print(next) end",
        "local next, type = 5 print(next)",
        "local string = {} return string.byte",
        "local t = { error = 1, assert = 2 }",
    ],
)
def test_what_is_there_or_is_not_meant_needs_no_import(text: str) -> None:
    assert found(text) == []


def test_what_other_programs_import_counts() -> None:
    assert found("return pcall(math.sin)", "pcall", "math.sin") == []


@pytest.mark.parametrize("name", ["require", "io", "os", "coroutine", "debug", "utf8", "dofile"])
def test_absent_libraries_are_found_once(name: str) -> None:
    assert found(f"\n{name}.x() {name}.y()\n{name}.z()") == [(2, f"use of {name}, which the board does not have")]


FIND = "string.find without magic characters, which is broken on the board"
GSUB = "string.gsub with a string as replacement, which is broken on the board"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('string.find(s, "abc")', FIND),
        ('string.find(s, "a.c", 1, true)', FIND),
        ('local find = string.find\nfind(f(1, 2), "abc")', FIND),
        ('s:find("abc")', FIND),
        ('string.gsub(s, "a", "b")', GSUB),
        ('local sub, gsub = string.sub, string.gsub\ngsub(s, "a", "b", 1)', GSUB),
        ('s:gsub("a", [[b]])', GSUB),
        ('return "a" < s', "strings compared by order, which is broken on the board"),
        ("return s >= 'a'", "strings compared by order, which is broken on the board"),
        ('string.format("%5.3g", x)', 'string.format with "%e" or "%g", which the board does not have'),
        ("x = 0.1", "0.1 loses digits: numbers in text have single precision"),
        ("x = 1e39", "1e39 loses digits: numbers in text have single precision"),
        ("x = 2147483648", "2147483648 does not fit into 32 bits"),
    ],
)
def test_what_is_broken_on_the_board_is_found(text: str, what: str) -> None:
    imports = {f"string.{one}" for one in ("find", "gsub", "sub", "format")}
    assert [problem for _, problem in found(text, *imports)] == [what]


@pytest.mark.parametrize(
    "text",
    [
        'string.find(s, "a%.c") string.find(s, "a.", 1, false) string.find(s, x)',
        'string.gsub(s, "a", f) string.gsub(s, "a", { b = "c" })',
        "x = 0.5 + 1e3 + .25 + 3. + 16777216.0 + 2147483647 + 0xdeadbeef",
        'string.format("%d %s %a %5.2f %%", 1)',
        'return "a" == s, #"a" < 2',
    ],
)
def test_what_works_on_the_board_passes(text: str) -> None:
    imports = {f"string.{one}" for one in ("find", "gsub", "format")}
    assert found(text, *imports) == []


def test_a_file_that_is_missing_is_a_problem_too(tmp_path: Path) -> None:
    (tmp_path / "good.lua").write_bytes(b"return 1\n")
    problems = check_files([tmp_path / "none.lua", tmp_path / "good.lua"])
    assert [problem.what for problem in problems] == ["it cannot be read (No such file or directory)"]


def test_without_lupa_the_syntax_is_left_to_the_board(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "lupa.lua54", None)
    assert found("x = = 0.1") == [(1, "0.1 loses digits: numbers in text have single precision")]


WORDS = [
    "local ",
    "function ",
    "f",
    "(",
    ")",
    "end ",
    "=",
    ",",
    "{",
    "}",
    '"a"',
    "[[",
    "]]",
    "--",
    "\n",
    "string",
    ".",
    "find",
]


@given(
    st.lists(
        st.one_of(st.sampled_from([*WORDS, "import", "math", "1e9", "0x", "<", "for ", "in "]), st.text(max_size=3))
    )
)
def test_no_text_crashes_the_check(parts: list[str]) -> None:
    for problem in check_source("x.lua", "".join(parts).encode("utf-8", "replace")):
        assert isinstance(problem, Problem)
