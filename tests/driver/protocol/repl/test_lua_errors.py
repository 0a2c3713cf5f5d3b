"""Lua's errors are separated from what a program printed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from elm11_lua_driver.protocol.repl.lua_errors import split_error
from elm11_lua_driver.protocol.repl.session import ReplSession
from elm11_lua_driver.protocol.repl.tokenizer import Line
from fake_board import TranscriptBoard, transcript
from prompt_bench import LUA, run

if TYPE_CHECKING:
    from elm11_lua_driver.errors import LuaError


def errors_of(name: str) -> dict[str, LuaError]:
    found: dict[str, LuaError] = {}
    board = TranscriptBoard(transcript(name))
    session = ReplSession()
    session.mode = LUA
    while board.exchanges:
        line = board.exchanges[0][0].decode("ascii").removesuffix("\n")
        result = run(line, board, session, multi_line=True)
        if result.error is not None:
            assert result.lines == ()
            found[line] = result.error
    return found


def test_errors_are_found_with_message_and_traceback() -> None:
    errors = errors_of("repl")
    assert {line: error.lua_message for line, error in errors.items()} == {
        "undefined.field": "stdin:1: attempt to index a nil value (global 'undefined')",
        'error("boom")': "stdin:1: attempt to call a nil value (global 'error')",
        'import("nope")': "stdin:1: no such function in base library",
        'import("math","nope")': "stdin:1: no such function in library",
        'import("nope","sin")': "stdin:1: no such library",
        "math.sin(1)": "stdin:1: attempt to call a nil value (field 'sin')",
    }
    assert errors['import("nope")'].lua_traceback.splitlines() == [
        "stack traceback:",
        "\t[C]: in function 'import'",
        "\tstdin:1: in main chunk",
    ]


def as_lines(*texts: bytes) -> list[Line]:
    return [Line(text) for text in texts]


def test_what_an_error_under_pcall_prints_is_output() -> None:
    lines = as_lines(b"Error: boom", b"source: =stdin line: 1", b"went on")
    assert split_error(lines) == (lines, None)


def test_output_before_an_error_stays_output() -> None:
    stale = as_lines(b"Error: old", b"source: =stdin line: 1")
    printed = as_lines(b"one", b"two")
    trace = as_lines(b"stack traceback:", b"\t[C]: in ?")
    lines, error = split_error([*stale, *printed, *as_lines(b"(error object is a table value)"), *trace])
    assert lines == [*stale, *printed]
    assert error is not None
    assert error.lua_message == "(error object is a table value)"


def test_a_message_of_several_lines_is_kept_whole() -> None:
    position = b"\x1b[1m\x1b[31mfft.lua\x1b[38;5;222m\x1b[22m:12: first"
    lines, error = split_error(as_lines(b"out", position, b"second", b"stack traceback:", b"\t[C]: in ?"))
    assert lines == as_lines(b"out")
    assert error is not None
    assert error.lua_message == "fft.lua:12: first\nsecond"


def test_a_lone_traceback_does_not_confuse() -> None:
    _, error = split_error(as_lines(b"stack traceback:"))
    assert error is not None
    assert error.lua_message == ""
