"""The virtual board as a whole, beyond the transcripts."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Literal

import pytest
from elm11_shim.board_lua import BoardIdentity
from elm11_shim.board_lua_emblua import EmbluaBoardLua
from elm11_shim.board_lua_lupa import LupaBoardLua
from elm11_shim.faults import LOG_TEXT
from elm11_shim.program_store import SLOTS, ProgramStore
from elm11_shim.virtual_board import CONTINUATION_PROMPT, PROMPT, BoardUnpluggedError, VirtualBoard
from hypothesis import given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from elm11_shim.board_lua import BoardLua

DEADLINE_S = 20.0
SIZE = b"\x1b[4;80R"
COMMAND_PROMPT = b"\x1b[38;5;222m\x1b[38;5;252m/ \x1b[38;5;75m"
INTERRUPTION = b"<user interruption>"


@pytest.fixture(params=["lupa", "emblua"])
def engine(request: pytest.FixtureRequest) -> Callable[[], BoardLua]:
    if request.param == "lupa":
        return LupaBoardLua
    path: Path = request.getfixturevalue("emblua_path")
    return lambda: EmbluaBoardLua(path)


@pytest.fixture
def board(engine: Callable[[], BoardLua]) -> Iterator[VirtualBoard]:
    with VirtualBoard(engine()) as board:
        board.read_until_idle(DEADLINE_S)
        yield board


def say(board: VirtualBoard, data: bytes) -> bytes:
    board.write(data)
    return board.read_until_idle(DEADLINE_S)


def run(board: VirtualBoard, line: bytes) -> bytes:
    return say(board, line + b"\n").removeprefix(line + b"\n\r").removesuffix(PROMPT)


def enter(board: VirtualBoard) -> None:
    say(board, b"cmd\n")
    for _ in range(3):
        answer = say(board, SIZE)
    assert answer.endswith(COMMAND_PROMPT)


def command(board: VirtualBoard, line: bytes) -> bytes:
    """The body of the reply."""
    return say(board, line + b"\n").split(b"\x1b[0;0H\n\r\n\r")[-1].removesuffix(b"\x1b[0;0H" + COMMAND_PROMPT)


def stored(board: VirtualBoard, name: str, text: bytes) -> None:
    board.store.create(name)
    board.store.append(name, text)


def upload(board: VirtualBoard, name: bytes, text: bytes) -> None:
    say(board, b'upload|program("' + name + b'")\n')
    say(board, b"\x07\x09" + len(text).to_bytes(4, "big"))
    for start in range(0, len(text), 256):
        page = text[start : start + 256]
        assert say(board, b"\x0c" + bytes([len(page) - 1]) + page) == b"\x0b" + bytes([sum(page) & 0xFF])
    assert say(board, b"\x0d").endswith(COMMAND_PROMPT)


# ---- prompt and Lua ------------------------------------------------------------------------------


def test_errors_inside_functions_name_them(board: VirtualBoard) -> None:
    run(board, b'import("error")')
    run(board, b'function g() error("deep") end')
    run(board, b"function f() g() end")
    red, plain = b"\x1b[1m\x1b[31mstdin", b"\x1b[38;5;222m\x1b[22m:1: "
    assert run(board, b"f() x=1") == (
        red + plain + b"deep\n\r\x1b[1m\x1b[34mstack traceback\x1b[38;5;222m\x1b[22m:\n\r"
        b"\t\x1b[33m[C]\x1b[38;5;222m: in function 'error'\n\r"
        b"\t" + red + plain + b"in function 'g'\n\r\t" + red + plain + b"in function 'f'\n\r"
        b"\t" + red + plain + b"in main chunk\n\r"
    )


def test_pcall_catches_but_two_lines_are_printed(board: VirtualBoard) -> None:
    run(board, b'import("pcall")')
    assert run(board, b"pcall(function() return nil+1 end)") == (
        b"Error: attempt to perform arithmetic on a nil value\n\rsource: =stdin line: 1\n\r"
        b"false\tstdin:1: Error: attempt to perform arithmetic on a nil value\n\r"
    )
    assert run(board, b"pcall(function() return 7 end)") == b"true\t7\n\r"


def test_pcall_catches_q(board: VirtualBoard) -> None:
    run(board, b'import("pcall")')
    board.write(b'x, y = pcall(function() print("on") while true do end end)\n')
    collected = bytearray()
    while not collected.endswith(b"on\n\r"):
        collected += board.read(DEADLINE_S)
    board.write(b"q")
    assert board.read_until_idle(DEADLINE_S) == PROMPT
    assert run(board, b"x, y") == b"false\t\x1b[38;5;252m" + INTERRUPTION + b"\x1b[38;5;222m\n\r"


def test_q_before_the_end_is_a_key_and_at_the_prompt_a_letter(board: VirtualBoard) -> None:
    board.write(b"while true do end\nq")
    assert INTERRUPTION in board.read_until_idle(DEADLINE_S)
    assert run(board, b"q") == b"nil\n\r"
    assert run(board, b"1") == b"1\n\r"


def test_output_streams_while_lua_runs(board: VirtualBoard) -> None:
    board.write(b"for i=1,3 do print(i) end while true do end\n")
    collected = bytearray()
    while not collected.endswith(b"1\n\r2\n\r3\n\r"):
        data = board.read(DEADLINE_S)
        assert data, collected
        collected += data
    assert board.running
    board.write(b"q")
    assert board.read_until_idle(DEADLINE_S).endswith(PROMPT)


def test_an_endless_print_can_be_stopped(board: VirtualBoard) -> None:
    board.write(b"while true do print(1) end\n")
    board.read(DEADLINE_S)
    board.write(b"q")
    assert board.read_until_idle(DEADLINE_S).endswith(PROMPT)


def test_what_is_typed_while_lua_runs_is_kept_up_to_a_limit(engine: Callable[[], BoardLua]) -> None:
    with VirtualBoard(engine(), type_ahead=4) as board:
        board.read_until_idle(DEADLINE_S)
        board.write(b"for i=1,9 do end\n1+1\n2+2\n")
        assert board.read_until_idle(DEADLINE_S).endswith(PROMPT + b"1+1\n\r2\n\r" + PROMPT)
    with pytest.raises(ValueError, match="type_ahead"):
        VirtualBoard(type_ahead=-1)


def test_cmd_is_a_name_inside_a_continued_line(board: VirtualBoard) -> None:
    assert say(board, b"x = {\n").endswith(CONTINUATION_PROMPT)
    assert say(board, b"cmd\n").endswith(CONTINUATION_PROMPT)
    assert say(board, b"}\n").endswith(PROMPT)


def test_the_import_gate(board: VirtualBoard) -> None:
    for name in (b"require", b"io", b"os", b"coroutine", b"debug", b"utf8", b"python", b"pairs", b"load"):
        assert run(board, name) == b"nil\n\r"
    run(board, b'import("all")')
    assert run(board, b"type(load), type(pairs), string.byte") == b"function\tfunction\tnil\n\r"
    for library, function in ((b"math", b"sqrt"), (b"string", b"byte"), (b"table", b"concat")):
        assert run(board, b'import("' + library + b'","' + function + b'")') == b""
        assert run(board, b"type(" + library + b"." + function + b")") == b"function\n\r"
    assert b"attempt to call a nil value (method 'rep')" in run(board, b'("ab"):rep(2)')
    run(board, b'import("string","rep")')
    assert run(board, b'("ab"):rep(2)') == b"abab\n\r"


def test_no_python_object_is_reachable(board: VirtualBoard) -> None:
    run(board, b'import("all")')
    stored(
        board,
        "walk",
        b"local seen, count = {}, 0\n"
        b"local function walk(value)\n"
        b"  if type(value) == 'userdata' then count = count + 1 end\n"
        b"  if type(value) ~= 'table' or seen[value] then return end\n"
        b"  seen[value] = true\n"
        b"  for k, v in pairs(value) do walk(k) walk(v) end\n"
        b"  walk(getmetatable(value))\n"
        b"end\n"
        b"walk(_ENV) walk(getmetatable(''))\n"
        b"return count\n",
    )
    assert run(board, b'run_program("walk")') == b"0\n\r"


def test_identity(engine: Callable[[], BoardLua]) -> None:
    identity = BoardIdentity(hardware="A1B2", software="s", firmware="f", core=2, clock_mhz=50)
    with VirtualBoard(engine(), identity=identity) as board:
        board.read_until_idle(DEADLINE_S)
        assert run(board, b"_hW, _sW, _fW, _cI, _freq") == b"A1B2\ts\tf\t#2of1\t50\n\r"
        enter(board)
        assert command(board, b"list|clk_freq") == b"50 Mhz\n\r"


def test_random_numbers_are_the_same_at_every_boot(board: VirtualBoard) -> None:
    line = b"math.random(1000), math.random(1000), math.random()"
    first = run(board, line)
    board.power_cycle()
    board.read_until_idle(DEADLINE_S)
    assert run(board, line) == first


def test_reboot_forgets_globals_and_keeps_programs(board: VirtualBoard) -> None:
    stored(board, "p", b"return 7")
    run(board, b"x=5")
    assert b"begin embLua init" in say(board, b"reboot()\n")
    assert run(board, b'x, run_program("p")') == b"nil\t7\n\r"


def test_programs_may_print_any_byte(board: VirtualBoard) -> None:
    run(board, b'import("string","char")')
    assert run(board, b"print(string.char(0,10,13,27,113,255))") == b"\x00\n\r\x1bq\xff\n\r"


def test_a_program_that_does_not_compile_says_so(board: VirtualBoard) -> None:
    stored(board, "bad", b"x = = 1")
    assert b"bad:1: unexpected symbol near '='" in run(board, b'run_program("bad")')


def test_lupa_stops_for_good_far_beyond_the_boards_memory() -> None:
    with VirtualBoard(LupaBoardLua(max_memory=2_000_000)) as board:
        board.read_until_idle(DEADLINE_S)
        run(board, b'import("pcall")')
        line = b"pcall(function() local t={} while true do t[#t+1]={} end end)"
        assert run(board, line) == b"\n---- Malloc Error ----\n\rError: out of heap_memory!\n\r"
        assert board.stopped


def test_lupa_refuses_finalizers_which_nothing_could_stop() -> None:
    # An attack on version 0.1.0: an endless one made the board deaf to q.
    with VirtualBoard() as board:
        board.read_until_idle(DEADLINE_S)
        run(board, b'import("setmetatable")')
        endless = b"setmetatable({},{__gc=function()while true do end end})collectgarbage()"
        assert b"finalizers (__gc) do not run" in run(board, endless)
        run(board, b"m={} setmetatable({},m) m.__gc=function()while true do end end m=nil collectgarbage()")
        assert run(board, b"1+1") == b"2\n\r"


DEAF = """
from elm11_shim.virtual_board import VirtualBoard
with VirtualBoard() as board:
    board.write(b'import("string","find") import("string","rep")\\n')
    board.read_until_idle(20)
    board.write(b'string.find(string.rep("a",40),string.rep("a?",40)..string.rep("a",40).."b")\\n')
    board.read(0.1)
    print(board.running)
"""


def test_closing_does_not_wait_for_a_call_that_hears_nothing() -> None:
    # In a process of its own, which such a call outlives nowhere.
    done = subprocess.run([sys.executable, "-c", DEAF], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout == "True\n"


# ---- command mode --------------------------------------------------------------------------------


def test_each_size_question_takes_what_comes_up_to_an_r(board: VirtualBoard) -> None:
    assert say(board, b"command\n").endswith(b"\x1b[6n")
    assert say(board, b"\n\n list|prog") == b""
    assert say(board, b"rams\n") == b"\x1b[2J\x1b[3J\x1b[9999;9999H\x1b[6n", "16 bytes are an answer, too"
    for _ in range(2):
        answer = say(board, b"\x1b[2;40R")
    assert answer.startswith(b"\x1b[0;0H\n\r\x1b[32m")
    assert say(board, b"list|clk_freq\n").count(b"\x1b[K\n\r") == 1


ASKS = b"\x1b[9999;9999H\x1b[6n"
LISTING_BEGINS = b"\x1b[2J\x1b[3J\x1b[0;0H\x1b[38;5;252m" * 2 + b"\n\r\n\r"
TOO_LOW = b"\x1b[31mError: expand console height to minimum \x1b[38;5;252m20 rows to view program code.\n\r"


def program_code(board: VirtualBoard, name: bytes, rows: int = 24) -> bytes:
    """What is listed; before and after it, the questions of FLASH.md (the board's facts), section 5."""
    size = b"\x1b[%d;80R" % rows
    assert say(board, b'list|program_code("' + name + b'")\n').endswith(b"\x1b[0;0H\n\r\n\r" + ASKS)
    listing = say(board, size)
    assert listing.endswith(ASKS)
    assert say(board, size) == b"\x1b[2J\x1b[3J" + ASKS
    assert say(board, size) == ASKS
    title = say(board, size)
    assert title.startswith(b"\x1b[0;0H" + b"\n\r" * (rows - 1) + b"\x1b[32m\x1b[7mCOMMAND MODE | ")
    assert title.endswith(b"\x1b[0m" + b"\x1b[0;0H" * 2 + COMMAND_PROMPT)
    return listing.removesuffix(ASKS)


def listed(*lines: bytes) -> bytes:
    return LISTING_BEGINS + b"".join(b"\x1b[38;5;252m  " + line + b"\n\r" for line in lines) + b"\x1b[38;5;252m"


def test_program_code_is_listed_line_by_line(board: VirtualBoard) -> None:
    """FLASH.md of the board's facts, section 5; so the next two."""
    stored(board, "p", b"one\n\n\ttwo")
    stored(board, "long", b"short\n" + b"-" * 255 + b"\n" + b"-" * 256 + b"\nlost\n")
    stored(board, "many", b"line\n" * 60)
    stored(board, "empty", b"")
    enter(board)
    assert program_code(board, b"p") == listed(b"one", b"", b"\ttwo")
    assert program_code(board, b"long") == listed(b"short", b"-" * 255)
    assert program_code(board, b"many", 20) == listed(*[b"line"] * 60)
    assert program_code(board, b"empty") == listed()
    assert say(board, b"list|clk_freq\n").count(b"\x1b[K\n\r") == 23, "the last size answered counts"


@pytest.mark.parametrize("rows", [4, 19])
def test_program_code_wants_twenty_rows(board: VirtualBoard, rows: int) -> None:
    stored(board, "p", b"one")
    enter(board)
    assert program_code(board, b"p", rows) == TOO_LOW


def test_program_code_of_no_program_asks_nothing(board: VirtualBoard) -> None:
    enter(board)
    failed = b"\x1b[31mError, failed to print program, err=\x1b[38;5;252m1\n\r"
    assert command(board, b'list|program_code("none")') == failed


def test_start_on_boot(board: VirtualBoard) -> None:
    """As in the transcript start_on_boot; after power-on with the line of boot.json before it."""
    enter(board)
    upload(board, b"hello.lua", b'print("hello") return 3')
    assert command(board, b'set|start_on_boot_program("none")').endswith(b"err=\x1b[38;5;252m2\n\r")
    assert command(board, b'set|start_on_boot_program("hello.lua")') == b""
    board.power_cycle()
    text = board.read_until_idle(DEADLINE_S)
    assert (
        b"pass\n\r\x1b[38;5;222m\x1b[32m[     0.048] \x1b[38;5;222mdetected start on boot program: 'hello.lua'" in text
    )
    assert b"running...\n\r\n\rhello\n\r3\n\r\n\r\x1b[32m" in text
    assert text.endswith(b"_\n\r\n\r" + PROMPT)
    enter(board)
    upload_over(board, b"hello.lua", b"return 4")
    assert b"No start-on-boot" in command(board, b"list|start_on_boot_program"), "overwriting clears it"
    command(board, b'set|start_on_boot_program("hello.lua")')
    assert command(board, b"list|start_on_boot_program") == b"hello.lua\n\r"
    command(board, b"reset|start_on_boot_program")
    assert b"No start-on-boot" in command(board, b"list|start_on_boot_program")


def upload_over(board: VirtualBoard, name: bytes, text: bytes) -> None:
    say(board, b'upload|program("' + name + b'")\n')
    assert say(board, b"y") == b"\n\rOverwriting, please proceed with upload."
    say(board, b"\x07\x09" + len(text).to_bytes(4, "big") + b"\x0c" + bytes([len(text) - 1]) + text + b"\x0d")


NO_SLOT = (
    b"Error, no available memory locations for new program\n\rError, failed to create new program entry\n\r"
    b"\x1b[31mError, failed to create new program entry, err=\x1b[38;5;252m2\n\r"
)


def test_the_129th_upload_fails_and_takes_the_old_program_with_it(board: VirtualBoard) -> None:
    """FLASH.md of the board's facts, section 2."""
    for number in range(SLOTS):
        board.store.create(f"p{number}")
    enter(board)
    assert command(board, b'upload|program("more")') == NO_SLOT
    assert say(board, b'upload|program("p0")\n').endswith(b"y/n (default: n): ")
    answer = say(board, b"y")
    assert answer == b"\n\rOverwriting, please proceed with upload." + NO_SLOT + b"\x1b[0;0H" + COMMAND_PROMPT
    assert "p0" not in board.store.names
    assert command(board, b"list|program_count") == b"  Number of saved programs: 128\n\r"


@pytest.mark.parametrize("answer", [b"n", b"Y", b"x", b"\n"])
def test_all_programs_are_deleted_by_one_letter_only(board: VirtualBoard, answer: bytes) -> None:
    """FLASH.md of the board's facts, section 3."""
    stored(board, "p", b"return 1")
    board.store.start_on_boot = "p"
    enter(board)
    question = b"Delete all programs, are you sure? y/n (default: n): "
    assert say(board, b"delete|all_programs\n").endswith(b"\x1b[0;0H\n\r\n\r" + question)
    assert say(board, answer) == b"\n\rDelete aborted!\x1b[0;0H" + COMMAND_PROMPT
    assert board.store.names == ["p"]
    say(board, b"delete|all_programs\n")
    done = b"\n\rDeleting all programs" + b"." * 20 + b"done!\n\r\x1b[0;0H"
    assert say(board, b"y") == done + COMMAND_PROMPT
    assert command(board, b"list|start_on_boot_program").startswith(b"No start-on-boot")
    assert command(board, b"list|program_count") == b"  Number of saved programs: 0\n\r"


def test_an_erased_flash_is_repaired_by_deleting_all(engine: Callable[[], BoardLua]) -> None:
    """FLASH.md of the board's facts, section 4."""
    with VirtualBoard(engine(), ProgramStore(erased=True)) as board:
        assert board.read_until_idle(DEADLINE_S).endswith(b"start REPL\n\r\n\r" + b"_" * 45 + b"\n\r\n\r" + PROMPT)
        enter(board)
        assert command(board, b"list|program_count") == b"  Number of saved programs: 4294967295\n\r"
        assert command(board, b"list|programs").count(b"\xff\n\r") == 136
        assert b"\xff" * 30 in command(board, b"list|start_on_boot_program")
        assert command(board, b'upload|program("p")') == NO_SLOT
        assert b"err=\x1b[38;5;252m6" in command(board, b'delete|program("p")')
        say(board, b"delete|all_programs\n")
        say(board, b"y")
        upload(board, b"p", b"return 1")
        assert command(board, b"list|program_count") == b"  Number of saved programs: 1\n\r"


def test_names(board: VirtualBoard) -> None:
    """FLASH.md of the board's facts, section 2."""
    enter(board)
    upload(board, b"", b"return 1")
    assert command(board, b"list|programs") == b""
    assert b"unable to load program" in command(board, b'run|program("")')
    assert command(board, b'delete|program("")') == b""
    assert command(board, b'upload|program("' + b"n" * 30 + b'")') == b"Program names are limited to 29 characters\n\r"
    assert b"unrecognised device command: " in command(board, b"upload|program(p)")


def test_a_page_too_many_ends_an_upload(board: VirtualBoard) -> None:
    enter(board)
    say(board, b'upload|program("p")\n')
    answer = say(board, b"\x07\x09\0\0\0\x01\x0c\0x\x0c")
    failed = b"\x1b[31mError, failed to create new program entry, err=\x1b[38;5;252m4\n\r"
    assert answer == b"\x06\x08\x01\n\x0bx\x11" + failed + b"\x1b[0;0H" + COMMAND_PROMPT


def test_yes_deletes_the_old_program_at_once(board: VirtualBoard) -> None:
    stored(board, "p", b"old")
    enter(board)
    say(board, b'upload|program("p")\n')
    say(board, b"y")
    assert board.store.content("p") == b""
    say(board, b"\0")
    assert board.store.names == ["p"], "an interrupted upload leaves a broken entry"


def test_list_commands_asks_for_the_size_again(board: VirtualBoard) -> None:
    """The answer with fewer than 20 rows: FLASH.md of the board's facts, section 5. The other is not known."""
    enter(board)
    assert say(board, b"list|commands\n").endswith(ASKS)
    redraw = b"\x1b[0;0H" + b"\x1b[K\n\r" * 3 + b"\x1b[0;0H\n\r\n\r"
    assert say(board, SIZE) == TOO_LOW + b"\x1b[2J\x1b[3J\x1b[0;0H" + redraw + b"\x1b[0;0H" + COMMAND_PROMPT
    say(board, b"list|commands\n")
    assert b"upload|program" in say(board, b"\x1b[24;80R")


def test_what_is_typed_in_command_mode_lies_on_luas_heap(emblua_real_path: Path, tmp_path: Path) -> None:
    """ALLOCATOR.md of the board's facts, section 6: ten commands are remembered, the same one twice running once."""
    trace = tmp_path / "trace"
    lua = EmbluaBoardLua(emblua_real_path, memory="real", memory_trace=trace)
    with VirtualBoard(lua, memory_trace=True) as board:
        board.read_until_idle(DEADLINE_S)
        run(board, b"t={} for i=1,99 do t[i]={} end")
        enter(board)
        for number in range(20):
            command(board, b"%090d" % number)
            command(board, b"%090d" % number)
        # Not what Lua itself has since boot, which lies in the fast heap.
        assert command(board, b"memory|free") == b"%d bytes\n\r" % (1048576 - 128 * lua.heap().units_used)
        assert lua.heap().units_used > 0
    assert sum(line.startswith("m 91 ") for line in trace.read_text().splitlines()) == 20


def test_programs_survive_in_a_file(engine: Callable[[], BoardLua], tmp_path: Path) -> None:
    path = tmp_path / "flash.json"
    with VirtualBoard(engine(), path) as board:
        board.read_until_idle(DEADLINE_S)
        enter(board)
        upload(board, b"p.lua", b"return 1 + 1\n" * 1)
    with VirtualBoard(engine(), ProgramStore(path)) as board:
        board.read_until_idle(DEADLINE_S)
        assert run(board, b'run_program("p.lua")') == b"2\n\r"


FRAGMENTS = [
    b"cmd\n",
    b"exit\n",
    SIZE,
    SIZE * 3,
    b'upload|program("a")\n',
    b'delete|program("a")\n',
    b'run|program("a")\n',
    b'list|program_code("a")\n',
    b"list|programs\n",
    b"list|help\n",
    b"y",
    b"\x07\x09\x00\x00\x00\x05",
    b"\x0c\x04x = 1",
    b"\x0d",
    b"\x00" * 262 + b"\n",
    b"x = {\n",
    b"}\n",
    b"\xff|\b\n",
]


@settings(max_examples=60)  # a board is booted for each example
@given(pieces=st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.binary(max_size=20)), max_size=25))
def test_no_conversation_breaks_the_board(pieces: list[bytes]) -> None:
    with VirtualBoard() as board:
        for piece in pieces:
            board.write(piece)
            board.read_until_idle(DEADLINE_S)
        board.power_cycle()
        assert board.read_until_idle(DEADLINE_S).endswith(PROMPT)


# ---- faults --------------------------------------------------------------------------------------


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_split_gives_byte_after_byte() -> None:
    with VirtualBoard(faults="split") as board:
        assert len(board.read()) == 1
        assert board.read_until_idle(DEADLINE_S).endswith(PROMPT)


def test_a_stall_holds_everything_back() -> None:
    clock = Clock()
    with VirtualBoard(faults="stall@10:5", clock=clock) as board:
        assert len(board.read()) == 10
        assert board.read() == b""
        clock.now_s = 4.9
        assert board.read() == b""
        clock.now_s = 5.0
        assert board.read().endswith(PROMPT)


def test_unplugging_leaves_the_board_running() -> None:
    with VirtualBoard(faults="unplug@600") as board:
        received = len(board.read_until_idle(DEADLINE_S))
        board.write(b"x=0 for i=1,100 do print(i) x=i end\n")
        with contextlib.suppress(BoardUnpluggedError):
            for _ in range(1000):
                received += len(board.read(DEADLINE_S))
        assert board.unplugged
        assert received == 600
        with pytest.raises(BoardUnpluggedError):
            board.write(b"q")
        board.plug_in()
        board.read_until_idle(DEADLINE_S)
        assert run(board, b"x") == b"100\n\r"


@pytest.mark.parametrize("at", [0, 10, 700])
def test_a_reboot_in_mid_run(at: int) -> None:
    with VirtualBoard(faults=f"reboot@{at}") as board:
        board.write(b"x=5 for i=1,100 do print(i) end\n")
        collected = bytearray(board.read_until_idle(DEADLINE_S))
        assert b"begin embLua init" in collected[at:]
        assert collected.endswith(PROMPT)
        # A reboot in the boot text comes before the line, so that one ran; a later one forgot what it set.
        assert run(board, b"x") == (b"5\n\r" if at < 100 else b"nil\n\r")


def test_log_text_inside_a_frame() -> None:
    with VirtualBoard(faults="log=1") as board:
        board.read_until_idle(DEADLINE_S)
        assert LOG_TEXT in run(board, b'print("~d01 payload*1234")')


def test_a_seed_repeats_a_damaged_conversation(engine: Callable[[], BoardLua]) -> None:
    def conversation(seed: int) -> bytes:
        with VirtualBoard(engine(), faults="damage=0.2,flip=0.01,to:lose=0.02", seed=seed) as board:
            collected = bytearray(board.read_until_idle(DEADLINE_S))
            for _ in range(20):
                collected += say(board, b"for i=1,5 do print(i*1000) end\n")
            return bytes(collected)

    assert conversation(1) == conversation(1) != conversation(2)


# ---- reading and writing -------------------------------------------------------------------------


def test_a_board_that_stays_busy_is_a_timeout(board: VirtualBoard) -> None:
    board.write(b"while true do end\n")
    with pytest.raises(TimeoutError, match="while true do end"):
        board.read_until_idle(0.05)


def test_another_thread_may_write(board: VirtualBoard) -> None:
    writer = threading.Thread(target=board.write, args=(b"1+1\n",))
    writer.start()
    collected = bytearray()
    while not collected.endswith(b"2\n\r" + PROMPT):
        data = board.read(DEADLINE_S)
        assert data, collected
        collected += data
    writer.join(DEADLINE_S)


def test_closing_ends_a_running_program(engine: Callable[[], BoardLua]) -> None:
    board = VirtualBoard(engine())
    board.write(b'import("pcall")\n')
    board.read_until_idle(DEADLINE_S)
    board.write(b"while true do pcall(function() while true do end end) end\n")
    board.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "board Lua"]


@pytest.mark.parametrize("name", ["lupa", "emblua"])
def test_engines_by_name(
    name: Literal["lupa", "emblua"], request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "emblua":
        monkeypatch.setenv("ELM11_EMBLUA", str(request.getfixturevalue("emblua_path")))
    with VirtualBoard(name) as board:
        board.read_until_idle(DEADLINE_S)
        assert run(board, b"1+1") == b"2\n\r"
