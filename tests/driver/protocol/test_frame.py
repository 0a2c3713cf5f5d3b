from __future__ import annotations

import itertools
import zlib
from pathlib import Path

import elm11_firmware
import numpy as np
import pytest
from elm11_lua_driver.errors import ProtocolError
from elm11_lua_driver.protocol import frame
from elm11_lua_driver.protocol.frame import (
    BLOCK_BINS,
    MAX_COUNT,
    MAX_LINE_BYTES,
    DamagedLine,
    Frame,
    FrameKind,
    FrameReader,
    HistogramAssembly,
    LineEvent,
    LogLine,
    Summary,
    decode_counts,
    encode_counts,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from lupa.lua54 import LuaRuntime
from paths import DATA

FRAME_LUA = Path(next(iter(elm11_firmware.__path__))) / "frame.lua"

PAYLOADS = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=300)
FRAMES = st.builds(Frame, st.sampled_from(FrameKind), st.integers(0, 999_999_999), PAYLOADS)


def lines_of(events: list[LineEvent]) -> list[Frame]:
    return [event for event in events if isinstance(event, Frame)]


# ---- lines -----------------------------------------------------------------------------------------------


@given(FRAMES)
def test_decode_gives_the_frame_that_encode_was_given(sent: Frame) -> None:
    assert frame.decode(frame.encode(sent)) == sent


def test_a_line_looks_as_documented() -> None:
    line = frame.encode(Frame(FrameKind.PROGRESS, 7, "done=20 of=300"))
    assert line == b"~P7 done=20 of=300*%08x" % zlib.crc32(b"P7 done=20 of=300")
    received = frame.decode(line)
    assert received is not None
    assert received.fields() == {"done": "20", "of": "300"}


@pytest.mark.parametrize("sequence", [-1, 10**9])
def test_a_sequence_out_of_range_is_refused(sequence: int) -> None:
    with pytest.raises(ValueError, match="sequence must be 0 to 999999999"):
        frame.encode(Frame(FrameKind.DATA, sequence, ""))


@pytest.mark.parametrize("payload", ["\n", "é", "\x1b[0m", "\x7f"])
def test_a_payload_that_the_wire_cannot_carry_is_refused(payload: str) -> None:
    with pytest.raises(ValueError, match="printable ASCII"):
        frame.encode(Frame(FrameKind.DATA, 0, payload))


@pytest.mark.parametrize(
    "body",
    [b"Q7 x", b"P x", b"P07 x", b"P7", b"P1234567890 x", b"P7 x\x07", b"p7 x", b""],
    ids=repr,
)
def test_a_line_with_a_good_crc_but_another_form_is_no_frame(body: bytes) -> None:
    assert frame.decode(b"~%s*%08x" % (body, zlib.crc32(body))) is None


def test_the_transcripts_lookalike_is_log_text_not_a_frame() -> None:
    assert frame.decode_line(b"~P07 x*1234") == [DamagedLine(b"~P07 x*1234")]


@given(FRAMES, st.data())
def test_a_damaged_line_is_never_a_wrong_frame(sent: Frame, data: st.DataObject) -> None:
    line = bytearray(frame.encode(sent))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(line) - 1))
        match data.draw(st.sampled_from(["lose", "flip", "double", "swap"])):
            case "lose":
                del line[place]
            case "flip":
                line[place] ^= 1 << data.draw(st.integers(0, 7))
            case "double":
                line.insert(place, line[place])
            case _:
                line[place : place + 2] = line[place : place + 2][::-1]
    assert all(found == sent for found in lines_of(frame.decode_line(bytes(line))))


def test_log_text_that_lost_its_line_end_does_not_hide_the_frame_behind_it() -> None:
    sent = Frame(FrameKind.END, 3, "0 1 2 ~D1 ")
    assert frame.decode_line(b"warning~D1 " + frame.encode(sent)) == [LogLine(b"warning~D1 "), sent]
    cut = b"~D4 half a fr"
    assert frame.decode_line(cut + frame.encode(sent)) == [DamagedLine(cut), sent]


# ---- reader ----------------------------------------------------------------------------------------------


def feed_in_pieces(stream: bytes, cuts: list[int]) -> list[LineEvent]:
    reader = FrameReader()
    events: list[LineEvent] = []
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    for start, end in itertools.pairwise(edges):
        events += reader.feed(stream[start:end])
    return events


LOG_TEXT = st.binary(max_size=40).map(lambda text: text.replace(b"\n", b"").replace(b"\r", b""))


@given(st.lists(st.one_of(FRAMES, LOG_TEXT)), st.lists(st.integers(0, 5000)))
def test_any_split_of_the_stream_gives_the_same_frames(lines: list[Frame | bytes], cuts: list[int]) -> None:
    stream = b"".join((frame.encode(line) if isinstance(line, Frame) else line) + b"\n\r" for line in lines)
    events = feed_in_pieces(stream, cuts)
    assert lines_of(events) == [line for line in lines if isinstance(line, Frame)]
    assert events == feed_in_pieces(stream, [])
    assert events == feed_in_pieces(stream, list(range(len(stream))))


@given(st.lists(st.binary(max_size=50), max_size=20), st.lists(st.integers(0, 1000)))
def test_random_bytes_give_no_frame_whatever_the_split(pieces: list[bytes], cuts: list[int]) -> None:
    stream = b"~".join(pieces)
    events = feed_in_pieces(stream, cuts)
    assert events == feed_in_pieces(stream, [])
    assert not lines_of(events)


def test_log_text_inside_a_frame_costs_that_frame_only() -> None:
    first, second = Frame(FrameKind.DATA, 1, "0 0 abc"), Frame(FrameKind.DATA, 2, "0 250 abc")
    line = frame.encode(first)
    stream = line[:5] + b"an interrupt\n\r" + line[5:] + b"\n\r" + frame.encode(second) + b"\n\r"
    assert FrameReader().feed(stream) == [DamagedLine(line[:5] + b"an interrupt"), LogLine(line[5:]), second]


@pytest.mark.parametrize("piece", [1, 1000, 10**6])
def test_a_line_without_an_end_is_given_out_in_pieces_and_not_kept(piece: int) -> None:
    reader = FrameReader()
    stream = b"x" * (MAX_LINE_BYTES * 2 + 5)
    events: list[LineEvent] = []
    for start in range(0, len(stream), piece):
        events += reader.feed(stream[start : start + piece])
        assert len(reader.pending) <= MAX_LINE_BYTES
    whole = LogLine(b"x" * MAX_LINE_BYTES, complete=False)
    assert events == [whole, whole]
    assert reader.pending == b"xxxxx"


# ---- histograms ------------------------------------------------------------------------------------------


def frames_of(counts: np.ndarray, first: int = 0, last: int | None = None) -> list[Frame]:
    """What the board sends for blocks first to last, made with the Python side."""
    per_row = frame.blocks_per_row(counts.shape[1])
    last = counts.shape[0] * per_row - 1 if last is None else last
    sent: list[Frame] = []
    total = 0
    for sequence in range(first, last + 1):
        row, number = divmod(sequence, per_row)
        block = counts[row, number * BLOCK_BINS : (number + 1) * BLOCK_BINS].tolist()
        made = frame.encode_block(row, number * BLOCK_BINS, block, sequence)
        if made is not None:
            sent.append(made)
            total += sum(block)
    crc32 = zlib.crc32(b"".join(b"%08x" % made.crc32 for made in sent))
    return [*sent, Summary(first, last, len(sent), crc32, total % 2**32).frame()]


@pytest.fixture(scope="module")
def j28() -> np.ndarray:
    counts: np.ndarray = np.load(DATA / "histogram_j28_300.npz")["counts"]
    return counts.astype(np.int64)


def test_a_j28_histogram_takes_at_most_1_3_characters_per_bin(j28: np.ndarray) -> None:
    characters = sum(len(frame.encode(made)) + len("\n\r") for made in frames_of(j28))
    spans = [np.flatnonzero(row) for row in j28]
    non_empty_range = sum(int(span[-1] - span[0]) + 1 for span in spans)
    assert characters / j28.size < 1.17
    assert characters / non_empty_range < 1.3  # the stricter way to count bins
    assert characters * 10 / 115_200 < 5.0  # seconds on the wire


histograms = st.integers(1, 6).flatmap(
    lambda n_rows: st.integers(1, 600).flatmap(
        lambda n_bins: st.builds(
            lambda seed, height: (
                np.random.default_rng(seed).integers(0, height, (n_rows, n_bins))
                * (np.random.default_rng(seed + 1).random((n_rows, -(-n_bins // 40))).repeat(40, 1) < 0.5)[:, :n_bins]
            ),
            st.integers(0, 2**32),
            st.sampled_from([1, 2, 50, 5000, 2**31]),
        )
    )
)


@given(histograms, st.randoms(use_true_random=False))
@settings(max_examples=50)
def test_an_assembly_with_losses_ends_with_the_exact_histogram(counts: np.ndarray, random: object) -> None:
    lose = getattr(random, "random")  # noqa: B009  # hypothesis' Random has no public type
    assembly = HistogramAssembly(*counts.shape)
    assert not assembly.is_complete()
    requests = [(0, assembly.n_blocks - 1)]
    for _ in range(200):
        for first, last in requests:
            for made in frames_of(counts, first, last):
                if lose() < 0.7:
                    assembly.add(made)
        if assembly.is_complete():
            break
        with pytest.raises(ProtocolError, match="not complete"):
            assembly.counts()
        if assembly.summary is None:
            assembly.add(frames_of(counts)[-1])
        requests = assembly.missing()
    np.testing.assert_array_equal(assembly.counts(), counts)


def test_missing_names_the_ranges_to_ask_for(j28: np.ndarray) -> None:
    assembly = HistogramAssembly(*j28.shape)
    sent = frames_of(j28)
    for made in sent[3:50] + sent[52:]:
        assembly.add(made)
    assert assembly.missing() == [(0, 2), (50, 51)]
    assert not assembly.is_complete()
    for made in frames_of(j28, 0, 2) + frames_of(j28, 50, 51):
        assembly.add(made)
    np.testing.assert_array_equal(assembly.counts(), j28)


def test_a_whole_that_does_not_agree_is_an_error_and_can_be_fetched_again(j28: np.ndarray) -> None:
    assembly = HistogramAssembly(*j28.shape)
    sent = frames_of(j28)
    changed = j28.copy()
    changed[3, 300] += 1
    for made in [frames_of(changed)[13], *sent[:13], *sent[14:]]:
        assembly.add(made)
    with pytest.raises(ProtocolError, match="do not agree with the whole"):
        assembly.is_complete()
    assembly.clear()
    for made in sent:
        assembly.add(made)
    assert assembly.is_complete()


@pytest.mark.parametrize(
    ("sequence", "payload"),
    [
        (0, "1 0 a"),
        (8, "2 0 a"),
        (0, "0 249 abc"),
        (1, "0 249 a"),
        (7, "1 999 ab"),
        (0, "0 0 !"),
        (0, "0 0"),
        (0, ""),
    ],
)
def test_a_block_of_another_histogram_is_refused(sequence: int, payload: str) -> None:
    with pytest.raises(ProtocolError):
        HistogramAssembly(2, 1000).add(Frame(FrameKind.DATA, sequence, payload))


@pytest.mark.parametrize("payload", ["", "0 7 1 00000000", "0 7 1 0000000g 1", "0 7 -1 00000000 1", "a b c d e"])
def test_a_wrong_end_frame_is_refused(payload: str) -> None:
    with pytest.raises(ProtocolError, match="not an end frame"):
        HistogramAssembly(2, 1000).add(Frame(FrameKind.END, 0, payload))


def test_frames_of_other_kinds_do_not_disturb_an_assembly() -> None:
    assembly = HistogramAssembly(1, 10)
    assembly.add(Frame(FrameKind.PROGRESS, 0, "done=1"))
    assert assembly.n_received == 0


@pytest.mark.parametrize("shape", [(0, 5), (5, 0)])
def test_an_assembly_needs_a_shape(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="n_rows and n_bins"):
        HistogramAssembly(*shape)


# ---- the Lua side ----------------------------------------------------------------------------------------


class LuaFrames:
    """frame.lua in this process, its print collected; `import` does nothing since lupa has all libraries."""

    def __init__(self) -> None:
        self.lua = LuaRuntime(unpack_returned_tuples=True, encoding="latin-1")
        self.printed: list[str] = []
        self.lua.globals()["import"] = lambda *_names: None
        self.lua.globals()["print"] = lambda *words: self.printed.append("\t".join(map(str, words)))
        self.module = self.lua.execute(FRAME_LUA.read_text(encoding="ascii"))

    def take(self) -> list[str]:
        printed = list(self.printed)
        self.printed.clear()
        return printed

    def histogram(self, counts: np.ndarray, first: int, last: int) -> list[str]:
        rows = [self.lua.table_from(row) for row in counts.tolist()]
        self.module["histogram"](lambda row, *_: rows[row], counts.shape[1], first, last)
        return self.take()


@pytest.fixture(scope="module")
def lua_frames() -> LuaFrames:
    return LuaFrames()


@given(st.binary(max_size=60))
def test_the_boards_crc_is_zlibs(lua_frames: LuaFrames, data: bytes) -> None:
    assert lua_frames.module["crc32"](data.decode("latin-1")) == f"{zlib.crc32(data):08x}"


@given(FRAMES)
def test_the_board_sends_the_line_that_python_would(lua_frames: LuaFrames, sent: Frame) -> None:
    lua_frames.module["send"](sent.kind.value, sent.sequence, sent.payload)
    assert lua_frames.take() == [frame.encode(sent).decode("ascii")]


def test_the_board_replaces_what_a_payload_cannot_carry(lua_frames: LuaFrames) -> None:
    lua_frames.module["send"]("X", 0, "stdin:1:\n\tnot \xe9 \x1b[0m% %1")
    [line] = lua_frames.take()
    received = frame.decode(line.encode("ascii"))
    assert received == Frame(FrameKind.ERROR, 0, "stdin:1:??not ? ?[0m% %1")


@given(histograms, st.data())
@settings(max_examples=50)
def test_the_board_sends_the_histogram_that_python_would(
    lua_frames: LuaFrames, counts: np.ndarray, data: st.DataObject
) -> None:
    n_blocks = counts.shape[0] * frame.blocks_per_row(counts.shape[1])
    first = data.draw(st.integers(0, n_blocks - 1))
    last = data.draw(st.integers(first, n_blocks - 1))
    expected = [frame.encode(made).decode("ascii") for made in frames_of(counts, first, last)]
    assert lua_frames.histogram(counts, first, last) == expected
    lua_frames.module["again"]()
    assert lua_frames.take() == expected[-1:]


def test_a_block_of_the_widest_numbers_outgrows_no_table(lua_frames: LuaFrames) -> None:
    counts = np.resize([MAX_COUNT, 0], (1, BLOCK_BINS))
    counts[0, -1] = 1
    lines = lua_frames.histogram(counts, 0, 0)
    assert lines == [frame.encode(made).decode("ascii") for made in frames_of(counts)]
    assert len(lines[0]) < MAX_LINE_BYTES


def test_the_j28_histogram_comes_back_from_the_board(lua_frames: LuaFrames, j28: np.ndarray) -> None:
    reader, assembly = FrameReader(), HistogramAssembly(*j28.shape)
    lines = lua_frames.histogram(j28, 0, assembly.n_blocks - 1)
    for event in reader.feed("".join(line + "\n\r" for line in lines).encode("ascii")):
        assert isinstance(event, Frame)
        assembly.add(event)
    np.testing.assert_array_equal(assembly.counts(), j28)


def test_both_sides_agree_on_the_size_of_a_block(lua_frames: LuaFrames) -> None:
    assert lua_frames.module["block_bins"] == BLOCK_BINS


def test_frame_lua_fits_the_board() -> None:
    text = FRAME_LUA.read_bytes()
    assert len(text) <= 24_575
    assert max(map(len, text.split(b"\n"))) <= 254
    assert text.isascii()
    assert b"\t" not in text


# ---- counts as text --------------------------------------------------------------------------------------

COUNTS = st.lists(st.one_of(st.integers(0, 60), st.integers(0, 2000), st.integers(0, MAX_COUNT)), max_size=250)


@given(COUNTS)
def test_counts_survive_the_wire(counts: list[int]) -> None:
    text = encode_counts(counts)
    assert decode_counts(text) == counts
    assert all("!" <= character <= "~" for character in text)


@pytest.mark.parametrize(
    ("difference", "length"),
    [
        (0, 1),
        (41, 1),
        (42, 2),
        (-42, 1),
        (-43, 2),
        (417, 2),
        (418, 3),
        (-418, 2),
        (-419, 3),
        (4835, 3),
        (4836, 6),
    ],
)
def test_a_difference_takes_as_many_characters_as_documented(difference: int, length: int) -> None:
    base = encode_counts([10_000])
    assert len(encode_counts([10_000, 10_000 + difference])) - len(base) == length


@pytest.mark.parametrize("count", [-1, MAX_COUNT + 1])
def test_a_count_that_the_board_cannot_hold_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match="counts must be 0 to 2147483647"):
        encode_counts([count])


@pytest.mark.parametrize("text", ["~", "}!", "u", '"', "a b", "é", "~~~~~~", "\x7f"])
def test_a_wrong_code_is_a_protocol_error(text: str) -> None:
    with pytest.raises(ProtocolError, match="coded counts"):
        decode_counts(text)


@given(st.text(max_size=30))
def test_any_text_is_counts_or_a_protocol_error(text: str) -> None:
    try:
        counts = decode_counts(text)
    except ProtocolError:
        return
    assert all(0 <= count <= MAX_COUNT for count in counts)
