from __future__ import annotations

from random import Random

import pytest
from elm11_lua_driver.errors import BoardTimeoutError, CommandRefusedError, Elm11Error, VerificationError
from elm11_lua_driver.protocol.repl.recovery import Recovery
from elm11_lua_driver.protocol.repl.session import ReplSession
from elm11_lua_driver.protocol.repl.tokenizer import PromptKind
from elm11_lua_driver.protocol.upload import (
    Upload,
    UploadEvent,
    UploadProgress,
    UploadRestarted,
    UploadResult,
    UploadSettings,
    estimate_s,
    n_bytes_written,
)
from fake_board import FakeBoard, Peer, TranscriptBoard, converse, transcript
from hypothesis import given, settings
from hypothesis import strategies as st

LUA, COMMAND = PromptKind.LUA, PromptKind.COMMAND
LONG = b"".join(b'print("line %03d of a longer program")\n' % number for number in range(15))


def command_session() -> ReplSession:
    session = ReplSession()
    session.mode = COMMAND
    return session


def board_with(**programs: bytes) -> FakeBoard:
    board = FakeBoard()
    board.mode = "command"
    board.programs = {name + ".lua": content for name, content in programs.items()}
    return board


class Recorded(Upload):
    """An upload that keeps its events."""

    events: list[UploadEvent]

    def receive(self, data: bytes, now_s: float) -> list[UploadEvent]:
        self.__dict__.setdefault("events", [])
        self.events += (new := super().receive(data, now_s))
        return new


def upload(
    board: Peer, name: str, content: bytes, *, overwrite: bool = True, session: ReplSession | None = None
) -> tuple[UploadResult, list[UploadEvent]]:
    machine = Recorded(session or command_session(), name, content, overwrite=overwrite)
    converse(machine, board)
    assert machine.result is not None
    return machine.result, machine.events


# ---- as the board's own transcripts ----------------------------------------------------------------------


def test_the_upload_transcript_is_spoken_byte_for_byte() -> None:
    exchanges = transcript("upload")
    board = TranscriptBoard(exchanges[4:11])
    small = exchanges[9][0][1:]
    result, events = upload(board, "small.lua", small)
    assert result == UploadResult("small.lua", 78, (), overwrote=False)
    assert events == [UploadProgress(78, 78, 1)]
    assert board.exchanges == []


def test_a_program_of_several_pages_is_spoken_byte_for_byte() -> None:
    exchanges = transcript("upload")
    board = TranscriptBoard(exchanges[12:23])
    result, events = upload(board, "long.lua", LONG)
    assert result.n_bytes == len(LONG)
    assert [event.n_sent for event in events if isinstance(event, UploadProgress)] == [256, 512, 570]
    assert board.exchanges == []


def test_an_existing_program_is_overwritten_when_allowed() -> None:
    exchanges = transcript("upload")
    start = next(place for place, (host, _) in enumerate(exchanges) if host == b"y") - 1
    board = TranscriptBoard(exchanges[start : start + 8])
    result, _ = upload(board, "small.lua", b"return 1\n")
    assert result.overwrote
    assert board.exchanges == []


def test_an_existing_program_is_kept_when_not_allowed() -> None:
    exchanges = transcript("upload")
    start = next(place for place, (host, _) in enumerate(exchanges) if host == b"n") - 1
    board = TranscriptBoard(exchanges[start : start + 2])
    with pytest.raises(CommandRefusedError, match="on the board already") as caught:
        upload(board, "small.lua", b"return 1\n", overwrite=False)
    assert "Nothing on the board has changed" in str(caught.value)


def test_a_refused_name_is_reported_in_the_boards_words() -> None:
    machine = Upload(command_session(), "n.lua", b"x")
    refusal = next(board for _, board in transcript("upload_refused") if b"limited" in board)
    refusal = refusal.replace(b"n" * 30, b"n")
    with pytest.raises(CommandRefusedError, match="limited to 29 characters"):
        converse(machine, TranscriptBoard([(b'upload|program("n.lua")\n', refusal)]))


# ---- when things go wrong --------------------------------------------------------------------------------


class DamageAt:
    """Changes the bytes at the given places of the traffic."""

    def __init__(self, change: bytes | None, *places: int) -> None:
        self.change = change
        self.places = set(places)
        self.place = 0

    def __call__(self, data: bytes) -> bytes:
        out = bytearray()
        for byte in data:
            if self.place not in self.places:
                out.append(byte)
            elif self.change is None:
                out += bytes([byte, byte])
            elif self.change:
                out.append(byte ^ self.change[0])
            self.place += 1
        return bytes(out)


FLIP, LOSE, DOUBLE = b"\x10", b"", None
TYPED = len('upload|program("n.lua")\n')


@pytest.mark.parametrize("change", [FLIP, LOSE, DOUBLE], ids=["flip", "lose", "double"])
@pytest.mark.parametrize("place", [*range(10), 100, 263, 264, 265, 266, 400, 521, 523, 570, 577, 578, 579, 580])
def test_one_damaged_byte_to_the_board_costs_time_but_no_byte_of_the_program(place: int, change: bytes | None) -> None:
    board = board_with()
    board.to_board = DamageAt(change, TYPED + place)
    result, events = upload(board, "n.lua", LONG)
    stored = board.programs["n.lua"]
    restarted = [event for event in events if isinstance(event, UploadRestarted)]
    assert len(restarted) == len(result.restarts) <= 1
    assert stored == LONG
    assert board.mode == "command"


@pytest.mark.parametrize("change", [FLIP, LOSE, DOUBLE], ids=["flip", "lose", "double"])
@pytest.mark.parametrize("place", range(60))
def test_one_damaged_byte_from_the_board_costs_time_but_no_byte_of_the_program(
    place: int, change: bytes | None
) -> None:
    board = board_with()
    echo_and_redraw = 24 + 30
    board.to_host = DamageAt(change, echo_and_redraw + place)
    upload(board, "n.lua", LONG)
    assert board.programs["n.lua"] == LONG


def test_a_page_is_never_sent_twice_in_one_attempt() -> None:
    board = board_with()
    board.to_board = DamageAt(FLIP, TYPED + 400)
    upload(board, "n.lua", LONG)
    page = bytes([255]) + LONG[256:512]
    before, _, after = board.host_bytes.partition(page)
    again = after.index(page)
    assert b'upload|program("n.lua")\n' in after[:again]
    assert before.count(b"\x0c") >= 2


def test_sums_that_stay_wrong_end_as_a_verification_error_that_says_what_is_left() -> None:
    board = board_with(n=b"old")
    board.to_board = lambda data: data.replace(b"line 007", b"line 00x")
    with pytest.raises(VerificationError, match="could not be uploaded in 4 attempts") as caught:
        upload(board, "n.lua", LONG)
    assert "no program 'n.lua', or a broken entry" in str(caught.value)
    assert caught.value.exit_code == 7


def test_a_board_that_falls_silent_is_a_time_out_within_bounds() -> None:
    board = board_with()
    board.to_host = DamageAt(LOSE, *range(80, 100_000))
    machine = Upload(command_session(), "n.lua", LONG)
    with pytest.raises(BoardTimeoutError) as caught:
        converse(machine, board, limit_s=60)
    assert "upload it again" in caught.value.next_step


@pytest.mark.parametrize("phase", [b"\x06", b"\x0b", b"<\n"])
def test_a_reboot_in_mid_upload_begins_it_again(phase: bytes) -> None:
    board = board_with()
    failures = 0

    def power_failure(data: bytes) -> bytes:
        nonlocal failures
        if failures or data != phase:
            return data
        failures += 1
        board.mode = "lua"
        return transcript("boot")[0][1]

    board.to_host = power_failure
    result, _ = upload(board, "n.lua", LONG)
    assert failures == len(result.restarts) == 1
    assert board.programs["n.lua"] == LONG


@given(st.integers(0, 2**32))
@settings(max_examples=60)
def test_over_a_noisy_line_a_program_is_whole_or_the_error_is_typed(seed: int) -> None:
    random = Random(seed)
    board = board_with()

    def noise(data: bytes) -> bytes:
        out = bytearray()
        for byte in data:
            luck = random.random()
            if luck < 0.0005:
                out += bytes([byte, byte])
            elif luck < 0.0010:
                out.append(byte ^ 1 << random.randrange(8))
            elif luck > 0.0015:
                out.append(byte)
        return bytes(out)

    board.to_board = noise
    machine = Upload(command_session(), "n.lua", LONG)
    try:
        took_s = converse(machine, board, limit_s=1000)
    except Elm11Error:
        return
    assert took_s < 300
    # Two damages in one page can cancel in its sum: nothing but reading back finds those.
    difference = sum(a != b for a, b in zip(board.programs["n.lua"], LONG, strict=False))
    assert board.programs["n.lua"] == LONG or difference <= 257


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("", b"x", "name must"),
        ("n" * 30, b"x", "name must"),
        ('a"b', b"x", "name must"),
        ("é", b"x", "name must"),
        ("n", b"", "content must have"),
        ("n", b"x" * 24_576, "content must have"),
        ("n", b"a\x00", "content must not hold zeros"),
    ],
)
def test_what_cannot_be_stored_is_refused_before_a_byte_is_sent(name: str, content: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Upload(command_session(), name, content)


def test_the_largest_program_goes_through() -> None:
    board = board_with()
    content = b"-" * 24_575
    upload(board, "n.lua", content)
    assert board.programs["n.lua"] == content


def test_the_estimate_is_what_an_undisturbed_upload_takes() -> None:
    board = board_with()
    machine = Upload(command_session(), "n.lua", LONG)
    took_s = converse(machine, board)
    assert len(board.host_bytes) - TYPED == n_bytes_written(len(LONG))
    waits_s = estimate_s(len(LONG), byte_time_s=0.0)
    assert took_s == pytest.approx(waits_s, abs=0.03)  # the pause before the line feed
    assert estimate_s(len(LONG), byte_time_s=0.001) == pytest.approx(waits_s + 0.583, abs=0.001)


# ---- random bytes --------------------------------------------------------------------------------------


@given(st.integers(0, 2**32), st.booleans())
@settings(max_examples=200)
def test_random_bytes_never_crash_the_machines(seed: int, recovery: bool) -> None:  # noqa: FBT001
    random = Random(seed)
    session = command_session()
    machine = Recovery(session) if recovery else Upload(session, "n.lua", LONG, settings=UploadSettings(attempts=2))
    parts = [
        b"\x06",
        b"\x08",
        b"<\n",
        b"\x0b",
        b"7",
        b"\x1b[38;5;252m/ ",
        b"$ ",
        b"\n\r",
        b"y/n",
        b"\x00",
        b"upload.",
    ]
    echo = b'upload|program("n.lua")'
    now_s = 0.0
    try:
        for _ in range(300):
            out = machine.bytes_to_write(now_s)
            now_s += random.choice([0.0, 0.01, 0.3, 2.0])
            machine.receive(
                (out if out in echo else b"") + b"".join(random.choices(parts, k=random.randrange(3))), now_s
            )
            if machine.done:
                break
    except Elm11Error:
        pass
