"""Whatever a board sends, each command ends within the time that it states, with an error that has a type."""

from __future__ import annotations

import contextlib
import itertools
from typing import TYPE_CHECKING

import pytest
from elm11_lua_driver.board.board import Board, Run
from elm11_lua_driver.board.detect import BoardState, probe
from elm11_lua_driver.errors import BoardBusyError, Elm11Error
from elm11_lua_driver.planning.deadlines import RunBudget
from elm11_lua_driver.protocol.commands import job_name
from elm11_lua_driver.protocol.frame import Frame, FrameKind, encode
from elm11_lua_driver.protocol.repl.recovery import Recovery
from elm11_lua_driver.protocol.repl.session import ReplSession
from elm11_lua_driver.protocol.repl.tokenizer import PromptKind
from elm11_lua_driver.protocol.upload import Upload
from elm11_lua_driver.transport.base import drive
from fake_board import COMMAND_PROMPT, CONTINUATION_PROMPT, LUA_PROMPT, REDRAW
from virtual_bench import SMALL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BUDGET = RunBudget.of(SMALL, 20)
OVERHEAD_S = 10.0
SLACK_S = 2.0  # one poll, and a run's last bytes
STATUS = f"job={job_name(SMALL)} crc=00000000 first=0 count=20 done=20 opened=20 version=2 programs=00000000 end"
FORGED = (
    encode(Frame(FrameKind.END, 0, STATUS)) + b"\n\r" + encode(Frame(FrameKind.END, 0, "0 7 3 00000000 5")) + b"\n\r"
)


class HostileTransport:
    """A port whose time passes by waiting only. `stream` comes by itself, `answer` comes for each write."""

    name = "hostile://"
    byte_time_s = 0.0

    def __init__(
        self, stream: Iterator[bytes] | None, pause_s: float, answer: Callable[[bytes], bytes] = lambda _data: b""
    ) -> None:
        self.now = 100.0
        self._stream = stream
        self._pause_s = pause_s
        self._next_s = self.now
        self._answer = answer
        self._out = b""

    def now_s(self) -> float:
        return self.now

    def write(self, data: bytes) -> None:
        self._out += self._answer(data)

    def read(self, timeout_s: float) -> bytes:
        if self._out:
            self.now += 0.02  # USB's latency
            out, self._out = self._out, b""
            return out
        end_s = self.now + timeout_s
        if self._stream is None or self._next_s > end_s:
            self.now = end_s
            return b""
        self.now = max(self.now, self._next_s)
        self._next_s = self.now + self._pause_s
        return next(self._stream)

    def close(self) -> None:
        pass


def echo_and(answer: bytes) -> Callable[[bytes], bytes]:
    """An echo, and an answer for each line."""
    return lambda data: data.replace(b"\n", b"\n\r" + answer)


def bytes_of(text: bytes) -> Iterator[bytes]:
    return itertools.cycle(text[place : place + 1] for place in range(len(text)))


BOARDS: dict[str, Callable[[], HostileTransport]] = {
    "silent": lambda: HostileTransport(None, 0),
    "drips letters": lambda: HostileTransport(bytes_of(b"x"), 1.0),
    "drips lines": lambda: HostileTransport(bytes_of(b"x\n\r"), 1.0),
    "drips prompts": lambda: HostileTransport(bytes_of(LUA_PROMPT + COMMAND_PROMPT), 1.0),
    "drips and echoes": lambda: HostileTransport(bytes_of(b"x"), 1.0, lambda data: data),
    "drips and answers": lambda: HostileTransport(bytes_of(b"x"), 1.0, echo_and(LUA_PROMPT)),
    "floods": lambda: HostileTransport(itertools.repeat(b"x" * 10), 0.05),
    "floods with lines": lambda: HostileTransport(itertools.repeat(b"xxxxx\n\r"), 0.05),
    "floods with prompts": lambda: HostileTransport(itertools.repeat(LUA_PROMPT), 0.05),
    "floods with frames": lambda: HostileTransport(itertools.repeat(FORGED), 0.2),
    "echoes wrongly": lambda: HostileTransport(None, 0, lambda data: bytes(byte ^ 1 for byte in data)),
    "echoes only": lambda: HostileTransport(None, 0, lambda data: data),
    "echoes twice": lambda: HostileTransport(None, 0, lambda data: bytes(b for byte in data for b in (byte, byte))),
    "wants another line": lambda: HostileTransport(None, 0, echo_and(CONTINUATION_PROMPT)),
    "changes its prompt": lambda: HostileTransport(None, 0, echo_and(b"x\n\r" + LUA_PROMPT)),
    "stays in command mode": lambda: HostileTransport(None, 0, echo_and(REDRAW + COMMAND_PROMPT)),
    "forges frames": lambda: HostileTransport(None, 0, echo_and(FORGED + LUA_PROMPT)),
    "asks for its size": lambda: HostileTransport(None, 0, echo_and(b"\x1b[6n")),
    "asks questions": lambda: HostileTransport(None, 0, echo_and(b"overwrite? y/n (default: n): ")),
    "starts again": lambda: HostileTransport(None, 0, echo_and(b"begin embLua init\n\rstart REPL\n\r" + LUA_PROMPT)),
}


def run_of(board: Board) -> Run:
    """A run that is going on, as the host believes."""
    run = Run(board.jobs, board.console.attach_to_output(), SMALL, job_name(SMALL), range(20), BUDGET)
    board.jobs._run = run
    return run


LOAD_S = 300.0
COMMANDS: dict[str, tuple[Callable[[Board], object], float]] = {
    # what is done, and the time that it states beside the overhead
    "execute": (lambda board: board.execute("1+1", 2.0), 2.0 + 3 * 2.0),
    "execute long code": (lambda board: board.execute("a=1\n" * 200, 2.0), 2.0 + 12 * 2.0),
    "run_program": (lambda board: board.run_program("a.lua", 3.0), 3.0),
    "identity": (lambda board: board.identity(), 10.0),
    "info": (lambda board: board.info(), 30.0),
    "reboot": (lambda board: board.reboot(), 10.0),
    "interrupt": (lambda board: board.interrupt(), 2.0),
    "programs": (lambda board: board.programs(), 60.0),
    "read_back": (lambda board: board.read_back("a.lua"), 30.0),
    "matches": (lambda board: board.matches("a.lua", "return 1\n"), 120.0),
    "delete": (lambda board: board.delete("a.lua"), 10.0),
    "upload": (lambda board: board.upload("a.lua", "return 1\n"), 20.0 + 4 * 11.0 + 120.0),
    "check_program": (lambda board: board.check_program("run.lua"), LOAD_S),
    "status": (lambda board: board.status(), 30.0),
    "handshake": (lambda board: board.handshake(), LOAD_S),
    "start": (lambda board: board.start(SMALL), 2 * LOAD_S + 2 * max(LOAD_S, BUDGET.start_s) + 60),
    "attach": (lambda board: board.attach(SMALL, 5.0), 5.0 + 30.0),
    "wait": (lambda board: run_of(board).wait(20.0), 20.0 + 30.0 + OVERHEAD_S),
    "progress": (lambda board: run_of(board).progress(1.0), 1.0),
    "cancel": (lambda board: run_of(board).cancel(), 10.0 + 30.0 + OVERHEAD_S),
    "fetch": (lambda board: run_of(board).fetch(timeout_s=20.0), 20.0 + 30.0 + OVERHEAD_S),
    "line after a run": (lambda board: (run_of(board), board.execute("1", 1.0)), 1.0 + 3 * 2.0),
}


@pytest.mark.parametrize("kind", BOARDS)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_ends_in_time(command: str, kind: str) -> None:
    transport = BOARDS[kind]()
    board = Board(transport)
    do, stated_s = COMMANDS[command]
    start_s = transport.now_s()
    with contextlib.suppress(Elm11Error):
        do(board)
    assert transport.now_s() - start_s <= stated_s + OVERHEAD_S + SLACK_S


@pytest.mark.parametrize("kind", BOARDS)
def test_looking_at_a_port_takes_15_seconds_at_most(kind: str) -> None:
    transport = BOARDS[kind]()
    start_s = transport.now_s()
    assert probe(transport).state is not BoardState.READY
    assert transport.now_s() - start_s <= 15 + 1


@pytest.mark.parametrize("kind", BOARDS)
def test_the_machines_alone_end_in_time(kind: str) -> None:
    for machine, stated_s in (
        (Recovery(ReplSession()), 20.0),
        (Upload(ReplSession(), "a.lua", b"return 1\n"), 20.0 + 4 * 11.0),
    ):
        transport = BOARDS[kind]()
        with contextlib.suppress(Elm11Error):
            drive(machine, transport)
        assert transport.now_s() - 100.0 <= stated_s + SLACK_S


@pytest.mark.parametrize("command", ["execute", "identity", "programs", "upload", "delete", "status"])
@pytest.mark.parametrize("kind", ["floods", "floods with lines", "floods with frames"])
def test_a_flooding_board_is_busy(command: str, kind: str) -> None:
    with pytest.raises(BoardBusyError):
        COMMANDS[command][0](Board(BOARDS[kind]()))


def test_a_board_that_floods_once_a_line_is_typed_is_busy() -> None:
    transport = HostileTransport(None, 0.05, echo_and(LUA_PROMPT))
    board = Board(transport)
    board.console.enter(PromptKind.LUA)
    transport._stream = itertools.repeat(b"xxxx")
    start_s = transport.now_s()
    with pytest.raises(BoardBusyError):
        board.execute("f()", 1.0)
    assert transport.now_s() - start_s <= 1.0 + 3 * 2.0 + OVERHEAD_S + SLACK_S
