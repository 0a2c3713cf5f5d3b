"""The board's memory: the allocator in C and whole sessions on emblua, against what the board gave, by address.

The records are in tests/data/board_memory.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from elm11_shim.board_lua import BoardIdentity, Ended, Ending, Output
from elm11_shim.board_lua_emblua import EmbluaBoardLua
from elm11_shim.virtual_board import VirtualBoard
from paths import DATA, ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BUILD = ROOT / "tools" / "emblua" / "build.py"
REPLAY = ROOT / "tools" / "emblua" / "replay_allocator.py"
SYNTHETIC = DATA / "board_memory" / "vectors.json.xz"
SESSIONS = DATA / "board_memory" / "vectors_real.json"
NO_COMPILER = 3
TIMEOUT_S = 120.0
LARGEST_ON_A_FRESH_HEAP = 16_507


def replay(*arguments: str | Path) -> tuple[int, str]:
    """Exit code and output; the test that asked skips where there is no compiler, saying why."""
    done = subprocess.run(
        [sys.executable, str(REPLAY), *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    if done.returncode == NO_COMPILER:
        pytest.skip(done.stderr.strip()[-500:])
    return done.returncode, done.stdout + done.stderr


def replay_one(tmp_path: Path, **vector: object) -> tuple[int, str]:
    path = tmp_path / "vectors.json"
    path.write_text(json.dumps({"vectors": [{"name": "here", **vector}]}))
    return replay(path)


def test_every_address_is_the_boards() -> None:
    code, output = replay(SYNTHETIC, SESSIONS)
    assert (code, output) == (0, "46 vectors, 73578 requests: none differ\n")


def test_the_checks_of_the_compiler_find_nothing() -> None:
    code, output = replay(SYNTHETIC, SESSIONS, "--sanitize")
    if "sanitize" in output and code not in {0, 1}:
        pytest.skip(output.strip()[-500:])  # the compiler has no run-time libraries for them
    assert (code, output) == (0, "46 vectors, 73578 requests: none differ\n")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"results": ["f14176", 0]}, "request 0 ['malloc', 0, 80]: 'f14256' here, 'f14176' on the board"),
        ({"results": ["f14256"]}, "2 results here, 1 on the board"),
        ({"end": {"free_bytes": 1048576, "cursor": 13}}, "at the end, free_bytes: 1046912 here, 1048576 on the board"),
        ({"end": {"free_bytes": 1046912, "cursor": 0}}, "at the end, cursor: 13 here, 0 on the board"),
    ],
)
def test_a_difference_is_told(tmp_path: Path, changed: dict[str, object], words: str) -> None:
    vector = {
        "operations": [["malloc", 0, 80], ["malloc", 1, 1537]],
        "results": ["f14256", 0],
        "end": {"free_bytes": 1046912, "cursor": 13},
    }
    assert replay_one(tmp_path, **vector)[0] == 0
    code, output = replay_one(tmp_path, **{**vector, **changed})
    assert code == 1
    assert f"here: {words}" in output


def test_calloc_is_malloc_of_the_product(tmp_path: Path) -> None:
    code, output = replay_one(
        tmp_path,
        operations=[["calloc", "a", 4, 512], ["realloc", "b", 80], ["free", "a"]],
        results=[0, "f14256", None],
        end={"free_bytes": 1048576, "cursor": 0},
    )
    assert code == 0, output


def test_the_largest_request_on_a_fresh_heap(tmp_path: Path) -> None:
    assert replay_one(tmp_path, operations=[["malloc", 0, LARGEST_ON_A_FRESH_HEAP]], results=[0])[0] == 0
    code, output = replay_one(tmp_path, operations=[["malloc", 0, LARGEST_ON_A_FRESH_HEAP + 1]], results=["hang"])
    assert code == 0, output


def test_an_unknown_request_is_refused(tmp_path: Path) -> None:
    code, output = replay_one(tmp_path, operations=[["split", 0, 80]], results=[None])
    assert code == 2
    assert "request 0 is of no known kind" in output


# ---- whole sessions --------------------------------------------------------------------------------------------------

FAST_START, HEAP_START, UNIT, HEADER = 0x8000_0000, 0x8004_8000, 128, 4
# As long as the board's own: its texts are blocks of the heap as well.
IDENTITY = BoardIdentity(hardware="H" * 7, software="S" * 33, firmware="F" * 16)
FORTY_TABLES = "for i=1,40 do local a={} for j=1,1024 do a[j]=j end t[i]=a end"
DEADLINE_S = 20.0
MALLOC_ERROR = b"\n---- Malloc Error ----\n\rError: out of heap_memory"


def build_real(*options: str) -> Path:
    done = subprocess.run(
        [sys.executable, str(BUILD), "--memory", "real", *options],
        check=False,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S * 3,
    )
    if done.returncode:
        pytest.skip(f"emblua with the real memory cannot be built here: {done.stderr.strip()[-500:]}")
    return Path(done.stdout.strip())


class Session:
    """emblua from power-on, without the virtual board around it, so that nothing but the given lines is typed."""

    def __init__(self, binary: Path, trace: Path, programs: dict[str, bytes]) -> None:
        self.lua = EmbluaBoardLua(binary, memory_trace=trace)
        self.lua.boot(IDENTITY, programs.get)
        self.output = b""
        self.trace = trace

    def line(self, *lines: str) -> Ending:
        """Type a line; of several joined ones the last is new."""
        self.lua.submit("\n".join(lines).encode())
        return self._end()

    def run_program(self, name: str) -> Ending:
        self.lua.run_program(name)
        return self._end()

    def commands(self, *commands: str) -> None:
        for command in commands:
            self.lua.command_answered(command.encode())

    def _end(self) -> Ending:
        while True:
            self.lua.wait(DEADLINE_S)
            event = self.lua.next_event()
            if isinstance(event, Output):
                self.output += event.data
            elif isinstance(event, Ended):
                return event.ending

    def requests(self) -> Iterator[tuple[object, ...]]:
        """What was asked for so far: kind, size, and places as the vectors name them."""
        if not self.lua.heap().units_peak:
            assert self.trace.stat().st_size  # heap() also waits for everything before it
        for line in self.trace.read_text("latin-1").splitlines():
            match line.split():
                case ["m", size, address]:
                    yield "malloc", int(size), place(address)
                case ["r", size, address, old]:
                    yield "realloc", int(size), place(address), place(old)
                case ["f", address]:
                    yield "free", place(address)


def place(address: str) -> int | str:
    number = int(address, 16)
    return f"f{number - FAST_START}" if number < HEAP_START else (number - HEADER - HEAP_START) // UNIT


def recorded(name: str) -> list[tuple[object, ...]]:
    """The requests of a recorded session in the form of `Session.requests`."""
    (vector,) = (vector for vector in json.loads(SESSIONS.read_text())["vectors"] if vector["name"] == name)
    requests: list[tuple[object, ...]] = []
    where: dict[int, object] = {}
    for (kind, block, *size), result in zip(vector["operations"], vector["results"], strict=True):
        if kind == "free":
            requests.append((kind, where.pop(block)))
        else:
            old = [where[block]] if kind == "realloc" else []
            requests.append((kind, *size, result, *old))
            where[block] = result
    return requests


def boot_and_lines(session: Session) -> bytes:
    for line in ('collectgarbage("count")', "", "1+1", "1+1", "x=5", 'collectgarbage("count")'):
        session.line(line)
    return b"9.910156\n\r2\n\r2\n\r9.931641\n\r"


def boot_and_module(session: Session) -> bytes:
    session.line('if not elm11 then elm11=run_program("run.lua")end')
    session.line('print(collectgarbage("count"))')
    return b"62.977539\n\r"


def forty_tables_twice(session: Session) -> bytes:
    for line in ("t={}", FORTY_TABLES, "t=nil", "t={}", FORTY_TABLES):
        session.line(line)
    return b""


def prompt_and_command_mode(session: Session) -> bytes:
    assert session.line("x = = 1") is Ending.SYNTAX_ERROR
    assert session.line("for i=1,2 do") is Ending.INCOMPLETE
    assert session.line("for i=1,2 do", "end") is Ending.RAN
    session.line("a=" + "1" * 130)
    session.commands("list|programs", "list|commands", "list|clk_freq", 'upload|program("r.lua")')
    session.run_program("r.lua")
    session.line('x=run_program("r.lua")')
    session.line('x=run_program("r.lua")')
    session.commands('list|program_code("r.lua")')
    return b"table: 80001550\t3\n\r"


STORED = {
    **{path.stem: path.read_bytes() for path in (DATA / "board_memory" / "stored").glob("*.lua.txt")},
    # What that session's program was is not in the record; this one asks for the same.
    "r.lua": b"local t={1,2,3} return t,#t",
}


@pytest.mark.parametrize("type_lines", [boot_and_lines, boot_and_module, forty_tables_twice, prompt_and_command_mode])
def test_a_session_asks_for_what_the_board_asks_for(
    type_lines: Callable[[Session], bytes], emblua_real_path: Path, tmp_path: Path
) -> None:
    """Every size, in the board's order, at the board's address; collections come when they come there."""
    session = Session(emblua_real_path, tmp_path / "trace", STORED)
    printed = type_lines(session)
    name = "real_40_tables_twice" if type_lines is forty_tables_twice else f"real_{type_lines.__name__}"
    assert list(session.requests()) == recorded(name)
    assert session.output == printed
    session.lua.close()


def test_a_session_under_the_checks_of_the_compiler(tmp_path: Path) -> None:
    session = Session(build_real("--sanitize"), tmp_path / "trace", STORED)
    prompt_and_command_mode(session)
    assert list(session.requests()) == recorded("real_prompt_and_command_mode")
    session.line('import("string","rep") import("string","format") import("all")')
    session.line(
        'x=("ab"):rep(5000) y=string.format("%5.2f %s", 1/3, {}) pcall(error,{}) t={} for i=1,900 do t[i]={i} end'
    )
    session.line("no.such.thing")
    assert session.output.endswith(b"in main chunk\n\r")
    session.lua.close()


@pytest.fixture
def board(emblua_real_path: Path) -> Iterator[VirtualBoard]:
    with VirtualBoard(EmbluaBoardLua(emblua_real_path, memory="real")) as board:
        board.read_until_idle(DEADLINE_S)
        yield board


def type_line(board: VirtualBoard, line: bytes) -> bytes:
    board.write(line + b"\n")
    return board.read_until_idle(DEADLINE_S).removeprefix(line + b"\n\r")


@pytest.mark.parametrize(
    ("fits", "stops", "last_words"),
    [
        (b"t={} for i=1,1024 do t[i]=i end", b"t={} for i=1,1025 do t[i]=i end", None),
        (b't={} for i=1,512 do t["k"..i]=i end', b't={} for i=1,513 do t["k"..i]=i end', None),
        (b'x=("x"):rep(16300)', b'x=("x"):rep(16500)', None),
        (b"a={} for i=1,3000 do a={a} end", b"a={} for i=1,9000 do a={a} end", b"Error: out of heap_memory!\n\r"),
    ],
    ids=["array", "hash", "string", "objects"],
)
def test_where_the_board_stops(board: VirtualBoard, fits: bytes, stops: bytes, last_words: bytes | None) -> None:
    """Single large blocks end in error 1 or in silence, by where the search begins; many small ones in error 0."""
    type_line(board, b'import("string","rep")')
    type_line(board, fits)
    assert not board.stopped
    board.power_cycle()
    board.read_until_idle(DEADLINE_S)
    type_line(board, b'import("string","rep")')
    answer = type_line(board, stops)
    assert board.stopped
    assert answer == b"" or answer.startswith(MALLOC_ERROR)
    if last_words:
        assert answer.endswith(last_words)


def test_collections_call_no_finalizers_at_the_end_of_a_line(board: VirtualBoard) -> None:
    type_line(board, b'import("setmetatable")')
    assert b"gone" not in type_line(board, b'setmetatable({},{__gc=function() print("gone") end}) x=1')
    assert b"gone" in type_line(board, b"collectgarbage()")


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        (b"print(table)", b"table: 80001C30"),
        (b'collectgarbage("generational")', b"generational"),
        (b'collectgarbage("setstepmul",50) , collectgarbage("setstepmul",50)', b"100\t48"),
        (b"math.random(10), math.random(10)", b"5\t2"),
        (b"_cI, _freq, PWM_MAX, HIGH, LOW, PIN16, CORE1, _G==_ENV", b"#1of1\t66\t256\t1\t0\t16\t1\ttrue"),
    ],
)
def test_values_after_power_on(board: VirtualBoard, expression: bytes, value: bytes) -> None:
    assert type_line(board, expression).startswith(value + b"\n\r")


def test_a_function_that_calls_itself_without_end_stops_the_board(board: VirtualBoard) -> None:
    type_line(board, b"function f(n) return 1+f(n+1) end")
    answer = type_line(board, b"f(1)")
    assert board.stopped
    assert b"overflow" not in answer
