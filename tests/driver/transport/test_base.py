"""A dialogue is led over a port."""

from __future__ import annotations

import pytest
from elm11_lua_driver.errors import BoardTimeoutError
from elm11_lua_driver.protocol.repl.machine import Execution
from elm11_lua_driver.protocol.repl.recovery import find_prompt
from elm11_lua_driver.protocol.repl.session import ReplSession
from elm11_lua_driver.transport.base import drive
from fake_board import FakeBoard, in_memory


def test_a_dialogue_is_led_to_its_end_and_its_events_are_given_on() -> None:
    board = FakeBoard()
    board.answers["f()"] = b"one\n\r"
    session = ReplSession()
    execution = Execution(session, "f()", timeout_s=5)
    events: list[object] = []
    drive(execution, in_memory(board), events.append)
    assert execution.result is not None
    assert execution.result.text == "one"
    assert len(events) == 2


def test_a_dialogues_deadline_is_kept() -> None:
    board = FakeBoard()
    board.mode = "dead"
    port = in_memory(board)
    with pytest.raises(BoardTimeoutError):
        drive(find_prompt(ReplSession()), port)
    assert 103 < port.now_s() < 105
