"""What the board says at the wrong time: late boot text, late prompts, unfinished statements."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest
from elm11_lua_driver.board.detect import BoardState, probe
from elm11_lua_driver.errors import BoardRebootedError, BoardTimeoutError, EngineError, LuaError
from elm11_lua_driver.protocol.repl.machine import Execution
from elm11_lua_driver.protocol.repl.recovery import Recovery
from elm11_lua_driver.protocol.repl.session import ReplSession
from elm11_lua_driver.protocol.repl.tokenizer import PromptKind
from fake_board import BOOT, LUA_PROMPT, FakeBoard, converse, fake
from virtual_bench import J10, SMALL, Bench, LastingTransport, LumpTransport

if TYPE_CHECKING:
    from collections.abc import Callable

    from elm11_lua_driver.board.board import Board


class HeldBack:
    """Keeps what a board says until the host has written so many more bytes; the order stays.

    Args:
        board: whose words.
        texts: what is kept, and how many bytes the host must write, from the text before it on.
    """

    def __init__(self, board: FakeBoard, *texts: tuple[bytes, int]) -> None:
        self.board = board
        self.texts = list(texts)
        self.behind = b""
        self.since = len(board.host_bytes)

    def __call__(self, data: bytes) -> bytes:
        self.behind += data
        out = b""
        while self.texts and len(self.board.host_bytes) >= self.since + self.texts[0][1]:
            out += self.texts.pop(0)[0]
            self.since = len(self.board.host_bytes)
        if not self.texts:
            out, self.behind = out + self.behind, b""
        return out


# ---- boot text --------------------------------------------------------------------------------------------------


FIRST_ACTS: dict[str, Callable[[Board], object]] = {
    "execute": lambda board: board.execute("1+1"),
    "programs": lambda board: board.programs(),
    "interrupt": lambda board: board.interrupt(),
    "start": lambda board: board.start(SMALL),
    "upload": lambda board: board.upload("mine.lua", "return 1"),
    "status": lambda board: board.status(),
}


@pytest.mark.parametrize("kind", [LastingTransport, LumpTransport])
@pytest.mark.parametrize("late_s", [0.0, 0.1, 0.6, 3.0])
@pytest.mark.parametrize("act", FIRST_ACTS)
def test_boot_text_from_before_a_connection_is_none_of_its_business(
    act: str, late_s: float, kind: type[LastingTransport]
) -> None:
    bench = Bench()
    with bench.open() as board:
        assert board.execute("1+1") == "2"
    bench.board._from_board.hold_new(bench.clock() + late_s)
    bench.board.power_cycle()
    with bench.open(kind) as board:
        FIRST_ACTS[act](board)
    with bench.open(kind) as board:
        board.interrupt()
        assert board.execute("2+2") == "4"


@pytest.mark.parametrize("until_line_feeds", range(3))
@pytest.mark.parametrize("until_written", range(12))
def test_boot_text_is_never_an_answer(until_line_feeds: int, until_written: int) -> None:
    board = fake()
    board.to_host = HeldBack(board, (b"old\n\r" + LUA_PROMPT, until_line_feeds), (BOOT, until_written))
    session = ReplSession()
    for line, answer in [("f(1)", "one"), ("g(2)", "two")]:
        execution = Execution(session, line, timeout_s=5)
        converse(execution, board)
        assert execution.result is not None
        assert execution.result.text == answer
    assert [line for line in board.ran if line] == ["f(1)", "g(2)"]


def test_a_board_that_starts_again_and_again_is_told() -> None:
    board = fake()
    board.to_host = lambda data: BOOT if data else b""
    with pytest.raises(BoardRebootedError, match="restarted 4 times while its prompt"):
        converse(Execution(ReplSession(), "f(1)", timeout_s=5), board)


def test_a_reboot_is_told_once_and_to_its_own_connection() -> None:
    bench = Bench()
    with bench.open() as board:
        assert board.execute("x=5") == ""
        bench.board.power_cycle()
        with pytest.raises(BoardRebootedError):
            board.execute("x")
        assert board.execute("1+1") == "2"
        with pytest.raises(BoardTimeoutError):
            board.execute("while true do end", timeout_s=0.1)
        bench.board.power_cycle()
        # Nothing is known of the board here, and it would be found at its prompt: still it has lost what it held.
        with pytest.raises(BoardRebootedError):
            board.execute("x")
        assert board.execute("1+1") == "2"
        bench.board.power_cycle()
    with bench.open() as board:
        assert board.execute("1+1") == "2"


@pytest.mark.parametrize("begin", ["start", "attach"])
def test_a_run_that_a_reboot_has_ended_says_so_and_that_its_results_are_lost(begin: str) -> None:
    bench = Bench()
    job = dataclasses.replace(J10, n_simulations=64_000)
    with bench.open() as first:
        following = first.start(job)
        with bench.open() as second:
            if begin == "attach":
                following = second.attach(job)
                assert following.running
            bench.board.power_cycle()
            with pytest.raises(BoardRebootedError):
                following.wait()
            assert not following.running
            assert not following.progress().usable
            with pytest.raises(EngineError, match="holds no results any more"):
                following.fetch()


def test_a_reboot_in_recovery_is_an_error() -> None:
    board = fake()
    board.mode = "upload"
    session = ReplSession()
    session.synchronised = True
    recovery = Recovery(session)
    seen_zeros = False

    def reboot(data: bytes) -> bytes:
        nonlocal seen_zeros
        if not seen_zeros and recovery.state.startswith("sending zeros"):
            seen_zeros = True
            return BOOT
        return data if seen_zeros else b""

    board.to_host = reboot
    with pytest.raises(BoardRebootedError):
        converse(recovery, board)


def test_a_board_that_is_just_starting_is_detected() -> None:
    bench = Bench()
    bench.board.read()
    for late_s in [0.0, 0.3, 1.0, 2.5]:
        transport = LastingTransport(bench.board, bench.clock)
        bench.board._from_board.hold_new(bench.clock() + late_s)
        bench.board.power_cycle()
        assert probe(transport).state is BoardState.READY


def test_half_of_the_boot_text_is_no_running_program() -> None:
    bench = Bench()
    bench.board.read()

    class Halting(LastingTransport):
        """Gives the first half of the boot text, and the rest three seconds later."""

        rest = b""
        due_s = 0.0
        halted = False

        def read(self, timeout_s: float) -> bytes:
            if self.rest and self.now_s() + timeout_s < self.due_s:
                self._skipping_clock.skip(timeout_s)
                return b""
            data, self.rest = self.rest or super().read(timeout_s), b""
            if not self.halted and b"create new lua" in data:
                self.halted = True
                cut = data.index(b"create new lua")
                data, self.rest = data[:cut], data[cut:]
                self.due_s = self.now_s() + 3.0
            return data

    bench.board.power_cycle()
    assert probe(Halting(bench.board, bench.clock)).state is BoardState.READY


# ---- old prompts ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("until_line_feeds", range(3))
@pytest.mark.parametrize("until_written", range(12))
@pytest.mark.parametrize("n_prompts", [1, 3])
def test_late_prompts_of_an_earlier_line_do_not_end_the_next(
    n_prompts: int, until_line_feeds: int, until_written: int
) -> None:
    board = fake()
    session = ReplSession()
    session.mode = PromptKind.LUA

    def silence_after_the_line_feed(data: bytes) -> bytes:
        echo, end, output = data.partition(b"\n\r")
        if end:
            board.to_host = HeldBack(board, (output, 1 << 30))
        return echo + end

    board.to_host = silence_after_the_line_feed
    with pytest.raises(BoardTimeoutError):
        converse(Execution(session, "f(1)", timeout_s=2), board)
    silent = board.to_host
    assert isinstance(silent, HeldBack)
    assert silent.texts[0][0] == b"one\n\r" + LUA_PROMPT
    late = silent.behind + (n_prompts - 1) * (b"\n\r" + LUA_PROMPT)
    board.to_host = HeldBack(board, (silent.texts[0][0], until_line_feeds), (late, until_written))
    for line, answer in [("g(2)", "two"), ("f(1)", "one"), ("g(2)", "two")]:
        execution = Execution(session, line, timeout_s=5)
        converse(execution, board)
        assert execution.result is not None
        assert execution.result.text == answer, line
    assert [line for line in board.ran if line] == ["f(1)", "g(2)", "f(1)", "g(2)"]


def test_a_line_that_ended_late_does_not_answer_the_next() -> None:
    bench = Bench()
    with bench.open() as board:
        board.execute("1+1")
        bench.strike("stall@:30", after=len("print('late')\n\r"))
        with pytest.raises(BoardTimeoutError):
            board.execute("print('late')", timeout_s=2.0)
        bench.clock.skip(25.0)
        assert board.execute("2+2") == "4"
        assert board.execute("3+3") == "6"


# ---- unfinished statements ----------------------------------------------------------------------------------------


UNFINISHED = ["if x then", "x=[==[", "--[[", "f(1,", 'x="abc\\', "for i=1,3 do print(i)", "x={[[", "x=1--[=["]


@pytest.mark.parametrize("statement", UNFINISHED)
@pytest.mark.parametrize("act", FIRST_ACTS)
def test_a_connection_leaves_the_unfinished_statement_that_it_finds(act: str, statement: str) -> None:
    bench = Bench()
    bench.board.write(statement.encode() + b"\n")
    with bench.open() as board:
        FIRST_ACTS[act](board)
    with bench.open() as board:
        board.interrupt()
        assert board.execute("2+2") == "4"


@pytest.mark.parametrize("statement", UNFINISHED)
def test_detection_leaves_the_unfinished_statement_that_it_finds(statement: str) -> None:
    bench = Bench()
    bench.board.write(statement.encode() + b"\n")
    assert probe(LastingTransport(bench.board, bench.clock)).state is BoardState.READY


@pytest.mark.parametrize("statement", UNFINISHED)
def test_a_statement_that_a_line_leaves_unfinished_takes_no_text_of_the_next(statement: str) -> None:
    bench = Bench()
    with bench.open() as board:
        with pytest.raises(LuaError, match="unfinished statement"):
            board.type_line(statement)
        assert board.execute("2+2") == "4"


def test_a_part_that_a_damaged_byte_has_submitted_is_thrown_away_if_it_is_unfinished() -> None:
    for place in range(len("for i=1,3 do print(i) end")):
        bench = Bench()
        with bench.open() as board:
            board.execute("1+1")
            write, typed = bench.board.write, 0

            def damaged(data: bytes, /) -> None:
                nonlocal typed
                out = bytearray(data)
                if typed <= place < typed + len(out):  # noqa: B023  used within this pass
                    out[place - typed] = 0x0A  # noqa: B023
                typed += len(out)
                write(bytes(out))  # noqa: B023

            bench.board.write = damaged  # type: ignore[method-assign,assignment]
            assert board.type_line("for i=1,3 do print(i) end").text.endswith("1\n2\n3")
            assert board.execute("2+2") == "4"
