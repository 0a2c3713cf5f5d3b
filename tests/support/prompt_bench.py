"""Lines for a prompt, typed and run; and pieces of what a board sends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from elm11_lua_driver.protocol.repl.machine import Execution
from elm11_lua_driver.protocol.repl.session import ReplSession
from elm11_lua_driver.protocol.repl.tokenizer import PromptKind
from fake_board import Peer, converse

if TYPE_CHECKING:
    from elm11_lua_driver.protocol.repl.session import ExecutionResult

LUA, CONTINUATION, COMMAND = PromptKind.LUA, PromptKind.CONTINUATION, PromptKind.COMMAND

ALPHABET = [
    b"\x1b",
    b"[",
    b"m",
    b"$",
    b" ",
    b"/",
    b"\n",
    b"\r",
    b"38;5;222",
    b"\x1b[6n",
    b"y/n",
    b": ",
    b"?",
    b"H",
]


def run(
    line: str,
    board: Peer,
    session: ReplSession | None = None,
    *,
    repeatable: bool = False,
    multi_line: bool = False,
    timeout_s: float = 5.0,
) -> ExecutionResult:
    """Type a line, and let it run to its end."""
    if session is None:
        session = ReplSession()
        session.mode = LUA
    execution = Execution(session, line, timeout_s=timeout_s, repeatable=repeatable, multi_line=multi_line)
    converse(execution, board)
    assert execution.result is not None
    return execution.result


def start(execution: Execution, board: Peer) -> float:
    """Type the line until it runs; returns the time."""
    now_s = 0.0
    while execution.state != "waiting for the prompt":
        board.write(execution.bytes_to_write(now_s))
        data = board.read()
        now_s = now_s if data else execution.next_deadline_s() or now_s
        execution.receive(data, now_s)
    return now_s
