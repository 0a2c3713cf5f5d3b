"""What the board sends is cut into the same lines and prompts, however it comes."""

from __future__ import annotations

import itertools
from random import Random

import pytest
from elm11_lua_driver.protocol.repl.tokenizer import (
    MAX_EVENT_BYTES,
    Booted,
    Event,
    Line,
    Prompt,
    Question,
    ReplTokenizer,
    SizeQuery,
    Stopped,
)
from fake_board import TRANSCRIPTS, transcript
from hypothesis import given
from hypothesis import strategies as st
from prompt_bench import ALPHABET, COMMAND, CONTINUATION, LUA

NAMES = sorted(path.stem for path in TRANSCRIPTS.glob("*.json"))


def feed_in_pieces(stream: bytes, cuts: list[int]) -> list[Event]:
    reader = ReplTokenizer()
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    return [event for start, end in itertools.pairwise(edges) for event in reader.feed(stream[start:end])]


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
    reader = ReplTokenizer()
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
    events = ReplTokenizer().feed(transcript("boot")[0][1])
    assert events.count(Booted()) == 1
    assert events[-1] == Prompt(LUA)


def test_lines_are_without_colours_and_line_ends() -> None:
    events = ReplTokenizer().feed(b"\x1b[1m\x1b[31mstdin\x1b[22m:1: x\n\rtwo\nlines\n\r\n\r\xe9\n\r")
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
    assert ReplTokenizer().feed(b"text\n\r" + raw) == [Line(b"text"), prompt]


def test_plain_prompts_do_not_count_once_coloured_ones_have_been_seen() -> None:
    reader = ReplTokenizer()
    reader.feed(b"\x1b[38;5;222m$ \n\r")
    assert reader.feed(b"$ 5 for it\n\r/ \n\r") == [Line(b"$ 5 for it"), Line(b"/ ")]


@pytest.mark.parametrize("text", [b"cost $ 5", b"a / b", b"$$$ ", b"say \x1b[1mhello / you"])
def test_text_that_holds_a_prompts_characters_is_text(text: bytes) -> None:
    assert ReplTokenizer().feed(text + b"\n\r") == [Line(text)]


def test_running_out_of_memory_is_seen_without_a_line_end() -> None:
    assert ReplTokenizer().feed(b"\n\r---- Malloc Error ----") == [
        Line(b""),
        Line(b"---- Malloc Error ----", complete=False),
        Stopped(),
    ]


def test_a_line_without_an_end_does_not_fill_the_memory() -> None:
    reader = ReplTokenizer()
    for _ in range(40):
        reader.feed(b"x" * 10_000)
        assert len(reader.pending) <= MAX_EVENT_BYTES


@given(
    st.lists(st.one_of(st.sampled_from(ALPHABET), st.binary(max_size=5)), max_size=60),
    st.lists(st.integers(0, 500)),
)
def test_random_bytes_give_the_same_events_however_they_are_cut(parts: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(parts)
    whole = feed_in_pieces(stream, [])
    assert feed_in_pieces(stream, cuts) == whole
    assert feed_in_pieces(stream, list(range(len(stream)))) == whole
