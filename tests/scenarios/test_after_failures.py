"""After a failure: what is known of the board, what is left of the error, and how a user goes on."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING

import pytest
from elm11_lua_driver.board.board import Board
from elm11_lua_driver.errors import (
    BoardBusyError,
    BoardRebootedError,
    BoardStoppedError,
    BoardTimeoutError,
    EngineError,
    LuaError,
    VersionMismatchError,
)
from elm11_lua_driver.protocol.repl.machine import Execution
from elm11_lua_driver.protocol.repl.session import ReplSession
from elm11_lua_driver.protocol.repl.tokenizer import Line, PromptKind
from elm11_lua_driver.transport.memory import MemoryTransport, SkippingClock
from fake_board import BOOT, LUA_PROMPT, converse, fake
from virtual_bench import J10, SMALL, Bench, LastingTransport, LumpTransport

if TYPE_CHECKING:
    from collections.abc import Callable


# ---- stopping and starting ------------------------------------------------------------------------------------------


def _deaf(bench: Bench) -> Callable[[bytes], None]:
    write = bench.board.write
    return lambda data: write(data.replace(b"q", b""))


def test_a_cancel_that_fails_does_not_leave_the_board_busy_for_ever() -> None:
    # Three times 'q' without an answer are waited for twice, while Lua computes: the clock runs ten times as fast.
    bench = Bench(clock=lambda: 10 * time.monotonic())
    job = dataclasses.replace(J10, n_simulations=64_000)
    with bench.open() as board:
        following = board.start(job)
        hears = bench.board.write
        bench.board.write = _deaf(bench)  # type: ignore[method-assign,assignment]
        with pytest.raises(BoardTimeoutError, match="did not stop after 3 times 'q'"):
            following.cancel()
        assert not following.running
        # Nobody knows whether it runs: that is said, with what to do.
        with pytest.raises((BoardTimeoutError, BoardBusyError), match="attach"):
            board.execute("1+1")
        bench.board.write = hears  # type: ignore[method-assign]
        again = board.attach(job)
        assert again.running
        bench.board.write = _deaf(bench)  # type: ignore[method-assign,assignment]
        with pytest.raises(BoardTimeoutError, match="did not stop"):
            board.interrupt()
        bench.board.write = hears  # type: ignore[method-assign]
        assert board.interrupt()
        assert board.execute("2+2") == "4"


def test_a_start_that_fails_does_not_leave_the_board_busy_for_ever() -> None:
    bench = Bench()
    with bench.open() as board:
        board.configure(SMALL)

        read, struck = board.transport.read, False

        def noticing(timeout_s: float) -> bytes:
            nonlocal struck
            if not struck and b"elm11.start(" in board.last_bytes:
                struck = True
                bench.strike("stall@:2000", after=0)
            return read(timeout_s)

        board.transport.read = noticing  # type: ignore[method-assign]
        with pytest.raises(BoardTimeoutError):
            board.start(SMALL)
        assert struck
        board.transport.read = read  # type: ignore[method-assign]
        with pytest.raises(BoardTimeoutError, match="attach to it, or stop it"):
            board.execute("1+1")
        bench.clock.skip(2000.0)
        following = board.attach(SMALL)
        following.wait()
        assert following.fetch().is_complete


# ---- behind an error ----------------------------------------------------------------------------------------------


def conversation(line: str, stream: bytes) -> tuple[ReplSession, Execution, list[object], BaseException | None]:
    """Type a line that the board answers with these bytes, all at once."""
    board = fake()
    board.answers[line] = stream
    session = ReplSession()
    session.mode = PromptKind.LUA
    execution = Execution(session, line, timeout_s=5)
    events: list[object] = []

    class Noting:
        done = property(lambda _: execution.done)
        bytes_to_write = execution.bytes_to_write
        next_deadline_s = execution.next_deadline_s

        def receive(self, data: bytes, now_s: float) -> None:
            events.extend(execution.receive(data, now_s))

    try:
        converse(Noting(), board)
    except (BoardRebootedError, BoardStoppedError) as error:
        return session, execution, events, error
    return session, execution, events, None


def test_what_came_before_an_error_is_given_and_what_comes_behind_it_is_taken() -> None:
    session, _, events, error = conversation("h()", b"printed\n\r" + BOOT)
    assert isinstance(error, BoardRebootedError)
    assert Line(b"printed") in events
    assert session.mode is PromptKind.LUA, "the boot text's prompt came with it"
    assert session.tokenizer.pending == b""
    assert error.last_bytes.endswith(LUA_PROMPT)
    _, _, events, error = conversation("h()", b"printed\n\r---- Malloc Error ----\n\r")
    assert isinstance(error, BoardStoppedError)
    assert Line(b"printed") in events
    assert error.output == "printed"


TRACE = (
    b"\x1b[1m\x1b[34mstack traceback\x1b[38;5;222m\x1b[22m:\n\r\t[C]: in function 'f'\n\r\tstdin:1: in main chunk\n\r"
)
FAILED = b"Error: oh\n\rsource: =stdin line: 1\n\rstdin:1: Error: oh\n\r" + TRACE


@pytest.mark.parametrize("place", range(len(TRACE) - 2))
@pytest.mark.parametrize("change", [b"", b"X", b"\x1b"])
def test_an_error_whose_traceback_is_damaged_is_an_error(place: int, change: bytes) -> None:
    if TRACE[place : place + 1] in {b"\n", b"\r"}:
        change = TRACE[place : place + 1]
    damaged = TRACE[:place] + change + TRACE[place + 1 :]
    _, execution, _, _ = conversation("h()", b"printed\n\r" + FAILED.replace(TRACE, damaged))
    assert execution.result is not None
    assert execution.result.text == "printed"
    assert execution.result.error is not None
    assert execution.result.error.lua_message == "stdin:1: oh"


def test_nothing_of_an_error_is_left_for_the_next_line() -> None:
    bench = Bench()
    for kind in (LastingTransport, LumpTransport):
        with bench.open(kind) as board:
            for _ in range(3):
                with pytest.raises(LuaError, match="attempt to index") as caught:
                    board.execute("print('first') undefined.field = 1")
                assert caught.value.output == "first"
                assert "in main chunk" in caught.value.lua_traceback
                assert board.execute("2+2") == "4"
            with pytest.raises(LuaError, match="attempt to index"):
                board.execute("print('first')\nundefined.field = 1")
            assert board.execute("elm11_code") in {"nil", ""}


# ---- programs in memory -------------------------------------------------------------------------------------------


def test_programs_that_a_reboot_has_taken_out_of_memory_are_loaded_again() -> None:
    bench = Bench()
    with bench.open() as board:
        expected = board.start(SMALL)
        expected.wait()
        sha256 = expected.fetch().sha256
        bench.board.power_cycle()
        with pytest.raises(BoardRebootedError):
            board.start(SMALL)
        with pytest.raises(EngineError, match="holds no results any more"):
            expected.fetch()
        assert board.status() is None
        following = board.start(SMALL)
        following.wait()
        assert following.fetch().sha256 == sha256


def test_programs_that_a_reboot_nobody_saw_has_taken_out_of_memory_are_loaded_again() -> None:
    bench = Bench()
    with bench.open() as board:
        following = board.start(SMALL)
        following.wait()
        sha256 = following.fetch().sha256
        bench.board.power_cycle()
        bench.board.read_until_idle(5.0)  # the boot text is lost
        assert board.status() is None
        with pytest.raises(EngineError, match="holds no results any more"):
            following.fetch()
        following = board.start(SMALL)
        following.wait()
        assert following.fetch().sha256 == sha256
        board.execute("elm11=nil")
        bench.board.store.delete("run.lua")
        with pytest.raises(VersionMismatchError, match="elm11-upload-scripts"):
            board.start(SMALL)


def test_a_reboot_in_the_midst_of_an_upload_is_known_afterwards() -> None:
    bench = Bench()
    with bench.open() as board:
        board.handshake()
        struck = False

        def strike(_: object) -> None:
            nonlocal struck
            if not struck:
                struck = True
                bench.strike("reboot@", after=2)

        result = board.upload("mine.lua", "-- a text of some length, more than one page\n" * 20, on_progress=strike)
        assert result.restarts
        following = board.start(SMALL)
        following.wait()
        assert following.fetch().is_complete


def test_a_memory_transport_of_a_fake_board_is_enough_for_a_board() -> None:
    clock = SkippingClock()
    board = fake()
    with Board(MemoryTransport(board, clock=clock, sleep=clock.skip)) as opened:
        assert opened.type_line("f(1)").text == "one"
