from __future__ import annotations

import itertools
from random import Random

import pytest
from elm11_lua_driver import repl
from elm11_lua_driver.errors import (
    BoardBusyError,
    BoardRebootedError,
    BoardStoppedError,
    BoardTimeoutError,
    Elm11Error,
    LuaError,
    ProtocolError,
)
from elm11_lua_driver.repl import (
    Booted,
    Event,
    Execution,
    ExecutionResult,
    Line,
    Prompt,
    PromptKind,
    Question,
    ReplReader,
    ReplSession,
    ReplSettings,
    SizeQuery,
    Stopped,
)
from fake_board import TRANSCRIPTS, FakeBoard, Peer, TranscriptBoard, converse, transcript
from hypothesis import given, settings
from hypothesis import strategies as st

NAMES = sorted(path.stem for path in TRANSCRIPTS.glob("*.json"))
LUA, CONTINUATION, COMMAND = PromptKind.LUA, PromptKind.CONTINUATION, PromptKind.COMMAND


def feed_in_pieces(stream: bytes, cuts: list[int]) -> list[Event]:
    reader = ReplReader()
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    return [event for start, end in itertools.pairwise(edges) for event in reader.feed(stream[start:end])]


def run(
    line: str,
    board: Peer,
    session: ReplSession | None = None,
    *,
    repeatable: bool = False,
    multi_line: bool = False,
    timeout_s: float = 5.0,
) -> ExecutionResult:
    if session is None:
        session = ReplSession()
        session.mode = LUA
    execution = session.execute(line, timeout_s=timeout_s, repeatable=repeatable, multi_line=multi_line)
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


# ---- reader ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_transcript_gives_the_same_events_however_it_is_cut(name: str) -> None:
    stream = b"".join(board for _, board in transcript(name))
    whole = feed_in_pieces(stream, [])
    assert feed_in_pieces(stream, list(range(len(stream)))) == whole
    random = Random(name)
    for _ in range(20):
        assert feed_in_pieces(stream, [random.randrange(len(stream)) for _ in range(9)]) == whole


@pytest.mark.parametrize("name", NAMES)
def test_each_exchange_of_a_transcript_ends_with_what_the_board_waits_for(name: str) -> None:
    reader = ReplReader()
    waits_for: list[type[Event]] = []
    for _, board in transcript(name):
        events = reader.feed(board)
        if events and not isinstance(events[-1], Line):
            waits_for.append(type(events[-1]))
    text = b"".join(board for _, board in transcript(name))
    prompts = text.count(b"m$ ") + text.count(b"m$$ ") + text.count(b"m/ ")
    early = 1 if name == "line_editing" else 0  # the 255th character's prompt, in mid-exchange
    assert waits_for.count(Prompt) == prompts - early
    assert waits_for.count(SizeQuery) == text.count(b"\x1b[6n")
    assert waits_for.count(Question) == text.count(b"y/n")


def test_boot_text_is_told_once() -> None:
    events = ReplReader().feed(transcript("boot")[0][1])
    assert events.count(Booted()) == 1
    assert events[-1] == Prompt(LUA)


def test_lines_are_without_colours_and_line_ends() -> None:
    events = ReplReader().feed(b"\x1b[1m\x1b[31mstdin\x1b[22m:1: x\n\rtwo\nlines\n\r\n\r\xe9\n\r")
    assert [event.text for event in events if isinstance(event, Line)] == [
        "stdin:1: x",
        "two",
        "lines",
        "",
        "\\xe9",
    ]


@pytest.mark.parametrize(
    ("raw", "prompt"),
    [
        (b"\x1b[38;5;222m[ #1 ] \x1b[38;5;222m$ ", Prompt(LUA, "[ #1 ] ")),
        (b"\x1b[38;5;222m[     0.170] $ ", Prompt(LUA, "[     0.170] ")),
        (b"\x1b[32m[ 0.170] [ #2 ] \x1b[38;5;222m$$ ", Prompt(CONTINUATION, "[ 0.170] [ #2 ] ")),
        (b"$ ", Prompt(LUA)),
        (b"$$ ", Prompt(CONTINUATION)),
        (b"/ ", Prompt(COMMAND)),
        (b"\x1b[33m$ ", Prompt(LUA)),
    ],
)
def test_prompts_of_other_decoration_are_prompts(raw: bytes, prompt: Prompt) -> None:
    assert ReplReader().feed(b"text\n\r" + raw) == [Line(b"text"), prompt]


def test_plain_prompts_do_not_count_once_coloured_ones_have_been_seen() -> None:
    reader = ReplReader()
    reader.feed(b"\x1b[38;5;222m$ \n\r")
    assert reader.feed(b"$ 5 for it\n\r/ \n\r") == [Line(b"$ 5 for it"), Line(b"/ ")]


@pytest.mark.parametrize("text", [b"cost $ 5", b"a / b", b"$$$ ", b"say \x1b[1mhello / you"])
def test_text_that_holds_a_prompts_characters_is_text(text: bytes) -> None:
    assert ReplReader().feed(text + b"\n\r") == [Line(text)]


def test_running_out_of_memory_is_seen_without_a_line_end() -> None:
    assert ReplReader().feed(b"\n\r---- Malloc Error ----") == [
        Line(b""),
        Line(b"---- Malloc Error ----", complete=False),
        Stopped(),
    ]


def test_a_line_without_an_end_does_not_fill_the_memory() -> None:
    reader = ReplReader()
    for _ in range(40):
        reader.feed(b"x" * 10_000)
        assert len(reader.pending) <= repl.MAX_EVENT_BYTES


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


@given(
    st.lists(st.one_of(st.sampled_from(ALPHABET), st.binary(max_size=5)), max_size=60),
    st.lists(st.integers(0, 500)),
)
def test_random_bytes_give_the_same_events_however_they_are_cut(parts: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(parts)
    whole = feed_in_pieces(stream, [])
    assert feed_in_pieces(stream, cuts) == whole
    assert feed_in_pieces(stream, list(range(len(stream)))) == whole


# ---- errors of Lua ---------------------------------------------------------------------------------------


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
    assert repl.split_error(lines) == (lines, None)


def test_output_before_an_error_stays_output() -> None:
    stale = as_lines(b"Error: old", b"source: =stdin line: 1")
    printed = as_lines(b"one", b"two")
    trace = as_lines(b"stack traceback:", b"\t[C]: in ?")
    lines, error = repl.split_error([*stale, *printed, *as_lines(b"(error object is a table value)"), *trace])
    assert lines == [*stale, *printed]
    assert error is not None
    assert error.lua_message == "(error object is a table value)"


def test_a_message_of_several_lines_is_kept_whole() -> None:
    position = b"\x1b[1m\x1b[31mfft.lua\x1b[38;5;222m\x1b[22m:12: first"
    lines, error = repl.split_error(as_lines(b"out", position, b"second", b"stack traceback:", b"\t[C]: in ?"))
    assert lines == as_lines(b"out")
    assert error is not None
    assert error.lua_message == "fft.lua:12: first\nsecond"


def test_a_lone_traceback_does_not_confuse() -> None:
    _, error = repl.split_error(as_lines(b"stack traceback:"))
    assert error is not None
    assert error.lua_message == ""


# ---- one line, against the transcripts -------------------------------------------------------------------


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
        bodies[line] = [part.text for part in repl.command_body(list(result.lines))]
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
    execution = session.execute("while true do end", timeout_s=5)
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


# ---- one line, when things go wrong ----------------------------------------------------------------------


def fake(**answers: bytes) -> FakeBoard:
    board = FakeBoard()
    board.answers = {"f(1)": b"one\n\r", "g()": b"two\n\r", **answers}
    return board


class DamageOnce:
    """Changes one piece of the traffic, the n-th byte."""

    def __init__(self, place: int, change: bytes | str) -> None:
        self.place = place
        self.change = change

    def __call__(self, data: bytes) -> bytes:
        out = b""
        for place in range(len(data)):
            byte = data[place : place + 1]
            if self.place == 0:
                byte = (
                    byte * 2
                    if self.change == "double"
                    else b""
                    if self.change == "lose"
                    else bytes(self.change, "latin-1")
                    if isinstance(self.change, str)
                    else self.change
                )
            self.place -= 1
            out += byte
        return out


@pytest.mark.parametrize("change", ["lose", "double", b"\x00", b"\x08", b"X", b"\xff"], ids=repr)
@pytest.mark.parametrize("place", range(4))
def test_a_damaged_character_is_erased_and_typed_again(place: int, change: bytes | str) -> None:
    board = fake()
    board.to_board = DamageOnce(place, change)
    result = run("f(1)", board)
    assert result.text == "one"
    assert board.ran == ["f(1)"]
    assert result.attempts == 2


@pytest.mark.parametrize("change", ["lose", "double", b"\x00", b"X", b"\r"], ids=repr)
@pytest.mark.parametrize("place", range(6))
def test_a_damaged_echo_does_not_run_another_line(place: int, change: bytes | str) -> None:
    board = fake()
    board.to_host = DamageOnce(place, change)
    result = run("f(1)", board)
    assert set(board.ran) == {"f(1)"}
    assert "one" in result.text


def test_a_board_that_echoes_backspaces_on_an_empty_line_is_understood() -> None:
    board = fake()
    board.echo_backspace_on_empty_line = True
    board.to_board = DamageOnce(2, "lose")
    assert run("f(1)", board).text == "one"
    assert board.ran == ["f(1)"]


@pytest.mark.parametrize("change", ["lose", b"\x0b", b"J", b"\x08"], ids=repr)
def test_a_damaged_line_feed_is_sent_again(change: bytes | str) -> None:
    board = fake()
    board.to_board = DamageOnce(4, change)
    assert run("f(1)", board).text == "one"
    assert board.ran == ["f(1)"]


def test_a_doubled_line_feed_does_no_harm_to_the_next_line() -> None:
    board = fake()
    board.to_board = DamageOnce(4, "double")
    session = ReplSession()
    session.mode = LUA
    assert run("f(1)", board, session).text == "one"
    assert run("g()", board, session).text == "two"
    assert [line for line in board.ran if line] == ["f(1)", "g()"]


def test_a_part_that_ran_is_reported_unless_the_line_may_be_repeated() -> None:
    board = fake()
    board.to_board = DamageOnce(3, b"\n")
    with pytest.raises(ProtocolError, match=r"this part of it has run: 'f\(1'"):
        run("f(1)", board)
    board = fake()
    board.to_board = DamageOnce(3, b"\n")
    assert run("f(1)", board, repeatable=True).text == "one"
    assert board.ran == ["f(1", "f(1)"]


def test_a_part_that_is_unfinished_is_thrown_away() -> None:
    board = fake()
    board.to_board = DamageOnce(2, b"\n")
    assert run("f(1)", board, repeatable=True).text == "one"
    assert board.ran[0] == "f("
    assert board.ran[-1] == "f(1)"


def test_an_unfinished_statement_is_a_lua_error_and_leaves_the_prompt_clean() -> None:
    board = fake()
    session = ReplSession()
    session.mode = LUA
    with pytest.raises(LuaError, match="unfinished statement"):
        run("if x then", board, session)
    assert run("f(1)", board, session).text == "one"


@pytest.mark.parametrize("place", range(20))
def test_a_lost_byte_of_the_prompt_is_made_up_for_by_a_line_feed(place: int) -> None:
    board = fake()
    board.to_host = DamageOnce(len("f(1)\n\rone\n\r") + place, "lose")
    session = ReplSession()
    session.mode = LUA
    execution = session.execute("f(1)", timeout_s=100.0)
    took_s = converse(execution, board)
    assert execution.result is not None
    assert execution.result.prompt is LUA
    assert took_s < 5
    assert run("g()", board, session).text == "two"


def test_a_prompt_that_is_lost_whole_is_found_at_the_deadline() -> None:
    board = fake()
    replies = iter([b"f(1)", b"\n\rone\n\r"])
    board.to_host = lambda data: next(replies, data) if data else data
    assert run("f(1)", board, timeout_s=7.0).text.startswith("one")


def test_text_left_on_the_line_is_erased_first() -> None:
    board = fake()
    session = ReplSession()
    session.mode = LUA
    board.write(b"left over")
    session.receive(board.read())
    assert run("f(1)", board, session).text == "one"
    assert board.ran == ["f(1)"]


def test_nothing_is_typed_before_a_prompt_has_been_seen() -> None:
    board = fake()
    board.mode = "running"
    session = ReplSession()
    with pytest.raises(BoardTimeoutError, match="no prompt came in answer to a line feed"):
        run("quit()", board, session)
    assert set(board.host_bytes) == {0x0A}
    board.mode = "lua"
    assert run("f(1)", board, session).text == "one"


def test_a_board_that_talks_by_itself_is_busy() -> None:
    execution = ReplSession().execute("f(1)", timeout_s=5)

    def ten_ticks_a_second() -> None:
        for tick in range(100):
            assert not execution.bytes_to_write(tick / 10)
            execution.receive(b"tick\n\r", tick / 10)

    with pytest.raises(BoardBusyError, match="keeps talking"):
        ten_ticks_a_second()


def test_a_board_that_does_not_echo_is_a_time_out_with_state_and_next_step() -> None:
    board = fake()
    board.mode = "dead"
    with pytest.raises(BoardTimeoutError, match="does not echo") as caught:
        run("f(1)", board)
    assert caught.value.state == "typing a line"
    assert caught.value.next_step


def test_an_echo_that_is_always_damaged_gives_up_after_some_attempts() -> None:
    board = fake()
    board.to_host = lambda data: data.replace(b"(", b"[")
    with pytest.raises(ProtocolError, match="typed 8 times"):
        run("f(1)", board)
    assert board.ran == []


def test_a_line_that_runs_too_long_is_a_time_out_with_the_last_bytes() -> None:
    board = fake()
    with pytest.raises(BoardTimeoutError, match=r"did not come back within 5.0 s") as caught:
        run("loop()", board)
    assert caught.value.last_bytes.endswith(b"loop()\n\r")
    assert b"q" not in board.host_bytes


def silence_after(seconds: list[float], silence_s: float, timeout_s: float = 1000.0) -> Execution:
    board = fake()
    session = ReplSession()
    session.mode = LUA
    execution = session.execute("loop()", timeout_s=timeout_s, silence_s=silence_s)
    now_s = start(execution, board)
    for pause_s in seconds:
        until_s = now_s + pause_s
        while (deadline_s := execution.next_deadline_s()) is not None and deadline_s < until_s:
            now_s = deadline_s
            execution.receive(b"", now_s)
            execution.bytes_to_write(now_s)
        now_s = until_s
        execution.receive(b"~P1 \n\r", now_s)
    return execution


def test_a_program_that_shows_signs_of_life_may_run_on() -> None:
    assert not silence_after([9.0] * 20, silence_s=10.0).done
    assert not silence_after([10.5, 9.0, 10.5, 9.0], silence_s=10.0).done


def test_a_program_that_falls_silent_is_a_time_out() -> None:
    with pytest.raises(BoardTimeoutError, match=r"silent for 10.0 s"):
        silence_after([9.0, 30.0], silence_s=10.0)


def test_signs_of_life_do_not_lengthen_the_deadline() -> None:
    with pytest.raises(BoardTimeoutError, match="did not come back within 50"):
        silence_after([9.0] * 20, silence_s=10.0, timeout_s=50.0)


def test_q_that_came_too_late_is_erased_from_the_prompt() -> None:
    board = fake()
    session = ReplSession()
    session.mode = LUA
    held = bytearray()

    def hold_back_the_output(data: bytes) -> bytes:
        echo, line_end, output = data.partition(b"\n\r")
        held.extend(output)
        return echo + line_end

    board.to_host = hold_back_the_output
    execution = session.execute("f(1)", timeout_s=5)
    now_s = start(execution, board)
    execution.interrupt(now_s)
    board.write(execution.bytes_to_write(now_s))
    board.to_host = lambda data: data
    execution.receive(bytes(held) + board.read(), now_s)
    assert execution.result is not None
    assert execution.result.text == "one"
    assert not execution.result.interrupted
    assert run("g()", board, session).text == "two"
    assert board.ran == ["f(1)", "g()"]


def test_a_board_that_ignores_q_is_a_time_out() -> None:
    board = fake()
    session = ReplSession()
    session.mode = LUA
    execution = session.execute("loop()", timeout_s=5)
    start(execution, board)
    board.mode = "dead"
    execution.interrupt(0.0)
    with pytest.raises(BoardTimeoutError, match="3 times 'q'"):
        converse(execution, board)


def test_running_out_of_memory_is_reported_at_once() -> None:
    with pytest.raises(BoardStoppedError, match="ran out of memory"):
        run("memory()", fake())


def test_a_reboot_is_an_error_unless_it_was_asked_for() -> None:
    with pytest.raises(BoardRebootedError):
        run("reboot()", fake())
    session = ReplSession()
    session.mode = LUA
    execution = session.execute("reboot()", timeout_s=5, expect_reboot=True)
    converse(execution, fake())
    assert execution.result is not None
    assert execution.result.prompt is LUA


@pytest.mark.parametrize("piece", [1, 100, 10_000])
def test_a_board_that_is_just_starting_is_no_error(piece: int) -> None:
    boot = transcript("boot")[0][1]
    pieces = [boot[start : start + piece] for start in range(0, len(boot), piece)]
    board = fake()
    board.to_host = lambda data: data or (pieces.pop(0) if pieces else b"")
    assert run("f(1)", board, ReplSession()).text == "one"


def test_attaching_collects_what_runs_until_its_prompt() -> None:
    session = ReplSession()
    execution = session.attach(timeout_s=100.0)
    assert execution.bytes_to_write(0.0) == b""
    execution.receive(b"of a line\n\r~P3 \n\r", 1.0)
    events = execution.receive(b"last\n\r\x1b[38;5;222m$ ", 2.0)
    assert [type(event) for event in events] == [Line, Prompt]
    assert execution.result is not None
    assert execution.result.text == "of a line\n~P3 \nlast"


def test_attaching_to_a_board_at_its_prompt_ends_by_itself() -> None:
    session = ReplSession()
    execution = session.attach(timeout_s=100.0, silence_s=10.0)
    took_s = converse(execution, fake())
    assert execution.result is not None
    assert execution.result.prompt is LUA
    assert took_s < 12


def test_a_doubled_character_of_the_prompt_is_no_unfinished_statement() -> None:
    board = fake()
    board.to_host = DamageOnce(len("f(1)\n\rone\n\r" + "\x1b[38;5;222m" * 2), "double")
    session = ReplSession()
    session.mode = LUA
    assert run("f(1)", board, session).text == "one"
    assert run("g()", board, session).text == "two"


def test_a_lost_answer_about_the_terminal_is_sent_again() -> None:
    board = fake()
    board.to_board = DamageOnce(len("cmd\n") + 5, "lose")
    session = ReplSession()
    session.mode = LUA
    assert run("cmd", board, session).prompt is COMMAND
    board.answers["list|clk_freq"] = b"66 Mhz\n\r"
    assert [line.text for line in repl.command_body(list(run("list|clk_freq", board, session).lines))] == ["66 Mhz"]


def test_output_is_bounded_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repl, "_MAX_KEPT_OUTPUT", 1000)
    result = run("f(1)", fake(**{"f(1)": b"0123456789\n\r" * 1000}))
    assert result.truncated
    assert 900 < len(result.text) <= 1000


@pytest.mark.parametrize("line", ["x" * 255, "a\n", "a\tb", "é"])
def test_a_line_that_the_prompt_cannot_take_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="line must"):
        ReplSession().execute(line, timeout_s=1)


def test_a_time_out_must_be_positive() -> None:
    with pytest.raises(ValueError, match="timeout_s must be above 0"):
        ReplSession().execute("x", timeout_s=0)


class Noise:
    """Loses, flips, doubles or swaps bytes, with a probability per byte."""

    def __init__(self, seed: int, rate: float) -> None:
        self.random = Random(seed)
        self.rate = rate

    def __call__(self, data: bytes) -> bytes:
        out = bytearray()
        for byte in data:
            if self.random.random() >= self.rate:
                out.append(byte)
                continue
            match self.random.randrange(4):
                case 0:
                    pass
                case 1:
                    out.append(byte ^ 1 << self.random.randrange(8))
                case 2:
                    out += bytes([byte, byte])
                case _:
                    out.append(byte)
                    out[-2:] = out[-2:][::-1]
        return bytes(out)


@given(st.integers(0, 2**32), st.sampled_from([0.001, 0.01, 0.03]))
@settings(max_examples=150)
def test_over_a_noisy_line_every_line_ends_with_its_prompt_or_a_typed_error(seed: int, rate: float) -> None:
    board = fake()
    board.to_board = Noise(seed, rate)
    board.to_host = Noise(seed + 1, rate)
    session = ReplSession()
    session.mode = LUA
    for line, output in [("f(1)", "one"), ("g()", "two")] * 3:
        execution = session.execute(line, timeout_s=5, repeatable=True)
        try:
            took_s = converse(execution, board, limit_s=1000)
        except Elm11Error:
            board.mode = "lua"
            board.line = ""
            continue
        assert took_s < 200
        result = execution.result
        assert result is not None
        if rate < 0.01:
            # Two damages that cancel (a byte doubled, its echo lost): 7 of 12 000 lines at a rate of 0.03, 1 at 0.01,
            # below one in a million here.
            assert line in board.ran
            assert result.attempts > 1 or result.damaged or len(result.text) >= len(output) - 2


@given(st.integers(0, 2**32), st.data())
@settings(max_examples=200)
def test_random_bytes_never_crash_an_execution(seed: int, data: st.DataObject) -> None:
    random = Random(seed)
    session = ReplSession()
    session.mode = data.draw(st.sampled_from([None, LUA, COMMAND, CONTINUATION]))
    execution = session.execute("f(1)", timeout_s=5, repeatable=data.draw(st.booleans()))
    now_s = 0.0
    try:
        for _ in range(300):
            execution.bytes_to_write(now_s)
            if execution.done:
                break
            now_s += random.choice([0.0, 0.01, 0.3, 2.0])
            execution.receive(
                b"".join(random.choices([*ALPHABET, b"f(1)", b"\b \b", b"\n\r"], k=random.randrange(6))),
                now_s,
            )
    except Elm11Error:
        pass
