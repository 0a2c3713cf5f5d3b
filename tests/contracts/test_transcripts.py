"""The virtual board against the exact bytes of a real one (tests/data/device_transcripts)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from elm11_shim.board_lua_emblua import EmbluaBoardLua
from elm11_shim.board_lua_lupa import LupaBoardLua
from elm11_shim.virtual_board import VirtualBoard
from paths import DATA

if TYPE_CHECKING:
    from pathlib import Path

    from elm11_shim.board_lua import BoardLua

DEADLINE_S = 20.0
LINE_END = b"\n\r"
FILES = sorted((DATA / "device_transcripts").glob("*.json"))
# Overlays differ: only this transcript's board had the memory trace.
WITH_MEMORY_TRACE = {"memory_commands"}
# What lupa cannot do as the board does, each with its reason.
BEYOND_LUPA = {
    b"print(7//2, 7%3, 2147483647+1, 100000*100000, 1<<31, -1>>28)\n": "lupa's integers have 64 bits",
}


@dataclass(frozen=True)
class Exchange:
    host: bytes
    board: bytes


def exchanges(path: Path) -> list[Exchange]:
    found = []
    for exchange in json.loads(path.read_text(encoding="utf-8"))["exchanges"]:
        host, board = (exchange[side].encode("latin-1") for side in ("host", "board"))
        if not host and path.stem == "interrupt":
            # There the typed line is told by its echo.
            host = board.partition(LINE_END)[0] + b"\n"
        found.append(Exchange(host, board))
    return found


def replay(path: Path, lua: BoardLua, beyond: dict[bytes, str]) -> list[bytes]:
    """Replay one transcript; returns the exchanges that were left out of the comparison."""
    left_out = []
    with VirtualBoard(lua, memory_trace=path.stem in WITH_MEMORY_TRACE) as board:
        if path.stem != "boot":
            board.read_until_idle(DEADLINE_S)
        for exchange in exchanges(path):
            board.write(exchange.host)
            if exchange.board.endswith(b"while true do end" + LINE_END):
                # It runs for ever, so there is no idle board to wait for.
                answer = board.read()
            else:
                answer = board.read_until_idle(DEADLINE_S)
            if exchange.host in beyond:
                left_out.append(exchange.host)
                assert answer != exchange.board, "lupa can do it after all: take it off the list"
            else:
                assert answer == exchange.board
    return left_out


def test_there_are_transcripts() -> None:
    assert len(FILES) == 9


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_emblua_replays_every_byte(path: Path, emblua_path: Path) -> None:
    assert replay(path, EmbluaBoardLua(emblua_path), {}) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_lupa_replays_all_but_a_short_list(path: Path) -> None:
    left_out = replay(path, LupaBoardLua(), BEYOND_LUPA)
    assert left_out == (list(BEYOND_LUPA) if path.stem == "repl" else [])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_host_may_write_byte_by_byte(path: Path) -> None:
    with VirtualBoard("lupa", memory_trace=path.stem in WITH_MEMORY_TRACE) as board:
        if path.stem != "boot":
            board.read_until_idle(DEADLINE_S)
        for exchange in exchanges(path):
            if exchange.host in BEYOND_LUPA:
                continue
            answer = bytearray()
            for byte in exchange.host:
                board.write(bytes([byte]))
                answer += board.read()
            if not exchange.board.endswith(b"while true do end" + LINE_END):
                answer += board.read_until_idle(DEADLINE_S)
            assert bytes(answer) == exchange.board
