"""One line at the prompt, byte for byte as the board's own transcripts have it."""

from __future__ import annotations

import pytest
from elm11_lua_driver.protocol.repl.machine import Execution
from elm11_lua_driver.protocol.repl.session import ReplSession, ReplSettings
from elm11_lua_driver.protocol.repl.tokenizer import command_body
from fake_board import TranscriptBoard, converse, transcript
from prompt_bench import COMMAND, CONTINUATION, LUA, run, start


@pytest.mark.parametrize("piece", [1, 7, 32, 300])
def test_the_repl_transcript_is_typed_and_read(piece: int) -> None:
    board = TranscriptBoard(transcript("repl"))
    session = ReplSession(ReplSettings(piece=piece))
    session.mode = LUA
    outputs: dict[str, str] = {}
    while board.exchanges:
        line = board.exchanges[0][0].decode("ascii").removesuffix("\n")
        result = run(line, board, session, multi_line=True)
        assert result.attempts == 1
        assert not result.damaged
        outputs[line] = result.text
        assert session.mode is (CONTINUATION if line in {"if x then", 'print("yes")'} else LUA)
    assert outputs["1+1"] == "2"
    assert outputs["x=5"] == ""
    assert outputs["1,2,3"] == "1\t2\t3"
    assert outputs['print("")'] == ""
    assert outputs["x = = 1"] == ""
    assert outputs["end"] == "yes"
    assert outputs['print("two\\nlines")'] == "two\nlines"
    assert outputs['print("~P07 x*1234")'] == "~P07 x*1234"


@pytest.mark.parametrize("name", ["command_mode", "memory_commands"])
def test_command_mode_is_entered_used_and_left(name: str) -> None:
    exchanges = transcript(name)
    board = TranscriptBoard(exchanges)
    session = ReplSession()
    session.mode = LUA
    bodies: dict[str, list[str]] = {}
    while board.exchanges:
        line = board.exchanges[0][0].decode("ascii").removesuffix("\n")
        result = run(line, board, session)
        bodies[line] = [part.text for part in command_body(list(result.lines))]
        assert session.mode is result.prompt
        assert result.prompt is (LUA if line in {"exit", "1+1"} else COMMAND)
    if name == "command_mode":
        assert bodies["list|clk_freq"] == ["66 Mhz"]
        assert bodies["list|programs"] == []
        assert bodies["list|program_count"] == ["  Number of saved programs: 0"]
        assert bodies["nonsense"] == ["Error, unrecognised device command: nonsense"]
        assert bodies["list|timer_cfg"] == ["General Timer\t\t: enabled", "Performance Timer\t: enabled"]
    else:
        assert bodies["memory|free"] == ["1048576 bytes"]


def test_a_running_loop_is_stopped_with_q() -> None:
    exchanges = transcript("interrupt")
    board = TranscriptBoard([(b"while true do end\n", exchanges[0][1]), *exchanges[1:3]])
    session = ReplSession()
    session.mode = LUA
    execution = Execution(session, "while true do end", timeout_s=5)
    now_s = start(execution, board)
    execution.interrupt(now_s)
    converse(execution, board, start_s=now_s)
    result = execution.result
    assert result is not None
    assert result.interrupted
    assert result.prompt is LUA
    assert run("1+1", board, session).text == "2"


def test_the_longest_line_goes_through() -> None:
    line, echo = transcript("line_editing")[6]
    assert len(line) == 255
    assert run(line.decode("ascii").strip(), TranscriptBoard([(line, echo)])).prompt is LUA
