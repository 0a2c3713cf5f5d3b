"""From any state a board is led to its prompt, and a program that runs is left alone."""

from __future__ import annotations

import pytest
from elm11_lua_driver.errors import BoardBusyError, BoardTimeoutError
from elm11_lua_driver.protocol.repl.recovery import Recovery
from elm11_lua_driver.protocol.repl.session import ReplSession
from elm11_lua_driver.protocol.repl.tokenizer import PromptKind
from fake_board import FakeBoard, Peer, converse

LUA, COMMAND = PromptKind.LUA, PromptKind.COMMAND
LONG = b"".join(b'print("line %03d of a longer program")\n' % number for number in range(15))


def recover(board: Peer, want: PromptKind | None = LUA, session: ReplSession | None = None) -> float:
    machine = Recovery(session or ReplSession(), want=want)
    took_s = converse(machine, board)
    assert machine.result in {want, LUA, COMMAND}
    return took_s


@pytest.mark.parametrize("mode", ["lua", "command", "question", "size", "upload", "length", "count", "page"])
@pytest.mark.parametrize("want", [LUA, COMMAND])
def test_a_board_is_led_to_its_prompt_from_any_state(mode: str, want: PromptKind) -> None:
    board = FakeBoard()
    board.programs["n.lua"] = b"x"
    board.mode = "command"
    board.name = "n.lua"
    board.mode = mode
    board.sizes_wanted = 2
    board.page_left = 256
    board.line = "half a line" if mode in {"lua", "command"} else ""
    session = ReplSession()
    took_s = recover(board, want, session)
    assert board.mode == want.value
    assert session.mode is want
    assert board.line == ""
    assert took_s < 20
    assert b"q" not in board.host_bytes


def test_an_unfinished_statement_is_thrown_away() -> None:
    board = FakeBoard()
    board.unfinished = "if x then"
    recover(board)
    assert board.unfinished == ""


def test_a_silent_program_goes_on_running_and_the_error_says_so() -> None:
    board = FakeBoard()
    board.mode = "running"
    with pytest.raises(BoardTimeoutError, match="may be running a program"):
        recover(board)
    assert board.mode == "running"


def test_a_talking_program_is_left_alone() -> None:
    machine = Recovery(ReplSession())

    def talk() -> None:
        for tick in range(100):
            assert machine.bytes_to_write(tick / 10) == b""
            machine.receive(b"~P1 \n\r", tick / 10)

    with pytest.raises(BoardBusyError):
        talk()
