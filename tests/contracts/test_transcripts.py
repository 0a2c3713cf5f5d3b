"""The virtual board against the exact bytes of the vendor's firmware (tests/data/device_transcripts)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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
FUNCTION_ADDRESS = re.compile(rb"(?<=function: )(0x)?[0-9A-Fa-f]{8,16}")
# Overlays differ: only this transcript's board had the memory trace.
WITH_MEMORY_TRACE = {"memory_commands"}
# What the engines cannot do as the board does, each with its reason.
NOT_THE_BOARDS_MEMORY = {
    b'collectgarbage("count")\n': "objects of other sizes",
    b'collectgarbage("generational")\n': "the collector starts in the other mode",
    b"print(table)\n": "addresses have 64 bits",
}
BEYOND_LUPA = {
    **NOT_THE_BOARDS_MEMORY,
    **dict.fromkeys(
        (
            b"print(7//2, 7%3, 2147483647+1, 100000*100000, 1<<31, -1>>28)\n",
            b"2147483648\n",
            b"-2147483648\n",
            b"2147483647+1\n",
            b"-2147483648-1\n",
            b"2147483647*2\n",
            b"0xffffffff\n",
            b"0x100000000\n",
            b"1<<31\n",
            b"1<<32\n",
            b"-1>>1\n",
            b"9007199254740993\n",
        ),
        "lupa's integers have 64 bits",
    ),
    **dict.fromkeys((b"1000000001.0\n", b"123456789.125\n", b"1e39\n"), "source text is read in double precision"),
    **dict.fromkeys((b'1.5 .. ""\n', b'2^31 .. ""\n'), "stock Lua writes the float of a concatenation"),
    **dict.fromkeys((b'"a"<"b"\n', b'"b"<"a"\n', b'"a"<="b"\n', b'"a">"b"\n'), "lupa has strcoll"),
    b't={"c","a","b"} table.sort(t) print(t[1],t[2],t[3])\n': "lupa has strcoll",
    b'"abc"+1\n': "the metamethods of strings are stock Lua's",
    b'string.find("hello")\n': "the place of the error is in board_globals.lua",
    **dict.fromkeys(
        (
            b'string.rep("x",20000)\n',
            b"t[1025]=1\n",
            b"for i=1,100 do t[i]={} for j=1,64 do t[i][j]={i,j} end end\n",
        ),
        "lupa's heap is larger",
    ),
}
# Each file's last lines, to a board that has stopped: on lupa it has not.
AFTER_THE_END = {"tables": b"q", "out_of_memory": b"1+1\n"}


@dataclass(frozen=True)
class Exchange:
    host: bytes
    board: bytes
    times: tuple[tuple[int, int], ...]

    def masked(self, answer: bytes) -> bytes:
        """The answer without the parts that vary: times since power-on, addresses of one build's functions."""
        masked = bytearray(FUNCTION_ADDRESS.sub(b"?", answer))
        for start, end in self.times:
            masked[start:end] = b"?" * (end - start)
        return bytes(masked)


def exchanges(path: Path) -> list[Exchange]:
    found = []
    exchange: dict[str, Any]
    for exchange in json.loads(path.read_text(encoding="utf-8"))["exchanges"]:
        host, board = (exchange[side].encode("latin-1") for side in ("host", "board"))
        if not host and path.stem == "interrupt":
            # There the typed line is told by its echo.
            host = board.partition(LINE_END)[0] + b"\n"
        volatile = exchange.get("volatile", ())
        times = tuple((start, end) for start, end, kind in volatile if kind != "address")
        found.append(Exchange(host, board, times))
    return found


def replay(path: Path, lua: BoardLua, beyond: dict[bytes, str], *, byte_by_byte: bool = False) -> set[bytes]:
    """Replay one transcript; returns the lines whose answers were not compared."""
    left_out = set()
    with VirtualBoard(lua, memory_trace=path.stem in WITH_MEMORY_TRACE) as board:
        if path.stem != "boot":
            board.read_until_idle(DEADLINE_S)
        for exchange in exchanges(path):
            answer = bytearray()
            for part in [bytes([byte]) for byte in exchange.host] if byte_by_byte else [exchange.host]:
                board.write(part)
                if byte_by_byte:
                    answer += board.read()
            if exchange.board.endswith(b"while true do end" + LINE_END):
                # It runs for ever, so there is no idle board to wait for.
                answer += board.read()
            else:
                answer += board.read_until_idle(DEADLINE_S)
            if exchange.host in beyond:
                left_out.add(exchange.host)
                assert answer != exchange.board, "the engine can do it after all: take it off the list"
            else:
                assert exchange.masked(bytes(answer)) == exchange.masked(exchange.board)
    return left_out


def lupa_list(path: Path) -> dict[bytes, str]:
    last = AFTER_THE_END.get(path.stem)
    return BEYOND_LUPA | ({last: "lupa goes on"} if last else {})


def lines_of(path: Path) -> set[bytes]:
    return {exchange.host for exchange in exchanges(path)}


def test_there_are_transcripts() -> None:
    assert len(FILES) == 16


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_emblua_with_the_real_memory_replays_every_byte(path: Path, emblua_real_path: Path) -> None:
    assert replay(path, EmbluaBoardLua(emblua_real_path, memory="real"), {}) == set()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_emblua_with_the_modelled_memory_replays_all_but_three_lines(path: Path, emblua_path: Path) -> None:
    expected = set(NOT_THE_BOARDS_MEMORY) if path.stem == "imports" else set()
    assert replay(path, EmbluaBoardLua(emblua_path), NOT_THE_BOARDS_MEMORY) == expected


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
@pytest.mark.parametrize("byte_by_byte", [False, True], ids=["at once", "byte by byte"])
def test_lupa_replays_all_but_a_list(path: Path, *, byte_by_byte: bool) -> None:
    beyond = lupa_list(path)
    assert replay(path, LupaBoardLua(), beyond, byte_by_byte=byte_by_byte) == lines_of(path) & set(beyond)
