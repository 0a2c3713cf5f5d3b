"""The board's side of an upload, with its defects."""

from __future__ import annotations

import pytest
from elm11_shim.program_store import MAX_PROGRAM_BYTES, ProgramStore
from elm11_shim.upload_dialogue import Refusal, UploadDialogue
from hypothesis import given
from hypothesis import strategies as st

NAME = "p.lua"


class Conversation:
    """A host's view of one dialogue."""

    def __init__(self) -> None:
        self.store = ProgramStore()
        self.store.create(NAME)
        self.dialogue = UploadDialogue(self.store, NAME)
        self.finished = False
        self.refusal: Refusal | None = None

    def send(self, data: bytes) -> bytes:
        reply = bytearray()
        for byte in data:
            assert not self.finished, "the board is back at its prompt"
            answer = self.dialogue.receive(byte)
            reply += answer.reply
            self.finished, self.refusal = answer.finished, answer.refusal
        return bytes(reply)

    def greet(self, length: int) -> None:
        assert self.send(b"\x07") == b"\x06"
        assert self.send(b"\x09") == b"\x08"
        announced = length.to_bytes(4, "big")
        assert self.send(announced) == bytes([sum(announced) & 0xFF]) + b"\n"

    def send_page(self, page: bytes) -> None:
        assert self.send(b"\x0c") == b"\x0b"
        assert self.send(bytes([len(page) - 1]) + page) == bytes([sum(page) & 0xFF])

    def stored(self) -> bytes | None:
        return self.store.content(NAME)


@given(pages=st.lists(st.binary(min_size=1, max_size=256), max_size=40), data=st.data())
def test_any_pages_are_stored_as_they_are(pages: list[bytes], data: st.DataObject) -> None:
    """One page too many ends the upload with err=4 by itself; the program is whole all the same."""
    host = Conversation()
    whole = b"".join(pages)
    host.greet(len(whole))
    for page in pages:
        host.send_page(page)
    one_too_many = data.draw(st.booleans())
    assert host.send(b"\x0c" if one_too_many else b"\x0d") == (b"\x11" if one_too_many else b"")
    assert (host.finished, host.refusal) == (True, Refusal.COMPLETE if one_too_many else None)
    assert host.stored() == whole


@given(pages=st.lists(st.binary(min_size=1, max_size=256), min_size=2, max_size=8), data=st.data())
def test_a_page_sent_again_is_stored_again(pages: list[bytes], data: st.DataObject) -> None:
    again = data.draw(st.integers(0, len(pages) - 2))
    host = Conversation()
    host.greet(sum(map(len, pages)))
    for page in pages[: again + 1]:
        host.send_page(page)
    host.send_page(pages[again])
    stored = host.stored()
    assert stored is not None
    assert stored.startswith(b"".join(pages[: again + 1]) + pages[again])


@given(st.binary(max_size=3000))
def test_no_bytes_harm_the_board(data: bytes) -> None:
    host = Conversation()
    for byte in data:
        host.send(bytes([byte]))
        if host.finished:
            break
    assert len(host.stored() or b"") <= MAX_PROGRAM_BYTES


@given(st.binary(max_size=600))
def test_zeros_end_any_dialogue(start: bytes) -> None:
    """The way back from an unknown state: at most a page and what leads to it."""
    host = Conversation()
    for byte in start:
        if host.finished:
            return
        host.send(bytes([byte]))
    needed = 0
    while not host.finished:
        host.send(b"\0")
        needed += 1
    assert needed <= 262


@pytest.mark.parametrize(
    ("data", "refusal"),
    [
        (b"\x08", Refusal.UNKNOWN_BYTE),
        (b"\x07\x00", Refusal.UNKNOWN_BYTE),
        (b"\x07\x09\x00\x00\x00\x00\x0c", Refusal.COMPLETE),
        (b"\x0c", Refusal.COMPLETE),
        (b"\x07\x09\x00\x00\x60\x00", Refusal.TOO_LONG),
        (b"\x07\x09\xff\xff\xff\xff", Refusal.TOO_LONG),
        (b"\x07\x09\x00\x00\x00\x05\x0e", Refusal.UNKNOWN_BYTE),
    ],
)
def test_refusals(data: bytes, refusal: Refusal) -> None:
    host = Conversation()
    host.send(data)
    assert (host.finished, host.refusal) == (True, refusal)
    assert host.stored() == b"", "the entry stays in the list"


def test_the_longest_program() -> None:
    host = Conversation()
    host.greet(MAX_PROGRAM_BYTES)
    whole = bytes(range(256)) * 96
    for start in range(0, MAX_PROGRAM_BYTES, 256):
        host.send_page(whole[:MAX_PROGRAM_BYTES][start : start + 256])
    host.send(b"\x0d")
    assert host.stored() == whole[:MAX_PROGRAM_BYTES]


def test_an_early_end_leaves_what_was_written() -> None:
    host = Conversation()
    host.greet(100)
    host.send_page(b"half")
    host.send(b"\x0d")
    assert (host.finished, host.refusal, host.stored()) == (True, None, b"half")
