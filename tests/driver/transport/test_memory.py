"""A board in this process as a port, and its name."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from elm11_lua_driver.errors import PortError, UnpluggedError
from elm11_lua_driver.transport.memory import MemoryTransport
from elm11_lua_driver.transport.open import open_transport
from fake_board import Clock, FakeBoard, in_memory


def test_virtual_makes_a_board_with_its_options(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[dict[str, object]] = []

    class Board(FakeBoard):
        def __init__(self, **options: object) -> None:
            super().__init__()
            assert callable(options.pop("clock"))
            made.append(options)

    monkeypatch.setitem(sys.modules, "elm11_shim", SimpleNamespace(VirtualBoard=Board))
    open_transport("virtual://").close()
    open_transport("virtual://?seed=3&lua=emblua&store=a.json&faults=lose=0.1").close()
    assert made == [{}, {"seed": 3, "lua": "emblua", "store": Path("a.json"), "faults": "lose=0.1"}]
    for wrong in ["virtual://board", "virtual://?seed=x"]:
        with pytest.raises(PortError, match="Options follow a question mark"):
            open_transport(wrong)


def test_an_unplugged_virtual_board_is_an_unplugged_board() -> None:
    class Gone(FakeBoard):
        def read(self) -> bytes:
            raise OSError("the cable was pulled")

    with pytest.raises(UnpluggedError, match="the cable was pulled"):
        in_memory(Gone()).read(1.0)


def test_waiting_in_memory_ends_with_the_first_byte_or_the_time() -> None:
    clock = Clock()
    board = FakeBoard()
    port = MemoryTransport(board, clock=clock, sleep=clock.sleep)
    assert port.read(0.5) == b""
    assert clock.now == pytest.approx(100.5)
    port.write(b"x")
    assert port.read(0.5) == b"x"
    assert clock.now == pytest.approx(100.5)
