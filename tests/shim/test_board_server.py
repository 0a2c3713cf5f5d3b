"""The virtual board on a pty and on TCP."""

from __future__ import annotations

import contextlib
import select
import signal
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import serial
from elm11_shim.board_lua_emblua import EmbluaBoardLua
from elm11_shim.board_server import BAUD, Pacer, serve_pty, serve_tcp
from elm11_shim.virtual_board import PROMPT, VirtualBoard

if TYPE_CHECKING:
    from collections.abc import Iterator

DEADLINE_S = 20.0
needs_pty = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no ptys")


@pytest.fixture
def board() -> Iterator[VirtualBoard]:
    with VirtualBoard() as board:
        yield board


def read_until(port: serial.SerialBase, ending: bytes) -> bytes:
    port.timeout = DEADLINE_S
    data = bytes(port.read_until(ending))
    assert data.endswith(ending), data[-200:]
    return data


def meet(port: serial.SerialBase) -> None:
    """Wait for the prompt. pyserial drops what came before it opened the port, so the prompt is asked for."""
    port.write(b'print("ready")\n')
    read_until(port, b"ready\n\r" + PROMPT)


@contextlib.contextmanager
def opened(address: str) -> Iterator[serial.SerialBase]:
    with serial.serial_for_url(address, baudrate=BAUD, timeout=DEADLINE_S) as port:
        yield port


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S)


def converse(port: serial.SerialBase) -> None:
    meet(port)
    port.write(b"1+1\n")
    assert read_until(port, PROMPT) == b"1+1\n\r2\n\r" + PROMPT
    port.write(b"while true do end\n")
    read_until(port, b"end\n\r")
    port.write(b"q")
    assert b"<user interruption>" in read_until(port, PROMPT)


def test_tcp(board: VirtualBoard) -> None:
    with serve_tcp(board) as server, opened(server.address) as port:
        converse(port)


@needs_pty
def test_pty(board: VirtualBoard, tmp_path: Path) -> None:
    link = tmp_path / "elm11"
    with serve_pty(board, link) as server:
        assert server.address == str(link)
        with opened(server.address) as port:
            converse(port)
    assert not link.is_symlink()


@needs_pty
def test_a_pty_passes_every_byte(board: VirtualBoard) -> None:
    with serve_pty(board) as server, opened(server.address) as port:
        meet(port)
        port.write(b'import("string","char")\n')
        read_until(port, PROMPT)
        port.write(b"for i=0,255 do print(string.char(i)) end\n")
        every = b"".join(bytes([i]) + b"\n\r" for i in range(256))
        assert read_until(port, PROMPT).removesuffix(PROMPT).endswith(every)


@needs_pty
def test_a_link_never_replaces_a_file(board: VirtualBoard, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    with pytest.raises(FileExistsError):
        serve_pty(board, tmp_path / "file")
    assert (tmp_path / "file").read_text() == "precious"
    (tmp_path / "left").symlink_to(tmp_path / "gone")
    with serve_pty(board, tmp_path / "left") as server:
        assert (tmp_path / "left").readlink() == Path(server.device)


def test_the_board_outlives_its_tcp_host(board: VirtualBoard) -> None:
    with serve_tcp(board) as server:
        with opened(server.address) as port:
            meet(port)
            port.write(b"x=42\n")
            read_until(port, PROMPT)
        with opened(server.address) as port:
            meet(port)
            port.write(b"x\n")
            assert read_until(port, PROMPT).endswith(b"x\n\r42\n\r" + PROMPT)


def test_unplugging_ends_the_connection_and_the_next_one_plugs_in() -> None:
    with VirtualBoard(faults="unplug@700") as board, serve_tcp(board) as server:
        with connected(server.port) as connection:
            connection.sendall(b"for i=1,100 do print(i) end\n")
            received = bytearray()
            while data := connection.recv(4096):
                received += data
            assert len(received) == 700
        with opened(server.address) as port:
            meet(port)


def test_a_taken_port_is_an_error(board: VirtualBoard) -> None:
    with serve_tcp(board) as server, pytest.raises(OSError, match="in use"):
        serve_tcp(board, server.port)


def test_stop_ends_serve_forever(board: VirtualBoard) -> None:
    server = serve_tcp(board)
    server.stop()
    server.serve_forever()
    server.close()


def test_pacer_carries_what_the_wire_carries() -> None:
    pacer, carried = Pacer(BAUD), 0
    for millisecond in range(1001):
        room = pacer.allowance(millisecond / 1000)
        pacer.spend(room)
        carried += room
    # 11520 bytes in a second, and what the first look finds free.
    assert 11520 <= carried <= 11520 + 58


def test_pacer_does_not_save_up_for_later() -> None:
    pacer = Pacer(BAUD)
    pacer.allowance(0.0)
    assert pacer.allowance(100.0) == 57


def test_an_unpaced_line_has_no_limit() -> None:
    assert Pacer(None).allowance(0.0) == Pacer(None).allowance(1e9) > 1000


def test_a_paced_board_takes_the_time_of_the_wire(board: VirtualBoard) -> None:
    with serve_tcp(board, paced=True) as server, opened(server.address) as port:
        meet(port)
        start_s = time.monotonic()
        port.write(b"for i=1,250 do print(1) end\n")
        received = len(read_until(port, PROMPT))
        took_s = time.monotonic() - start_s
    assert received > 700
    # Never faster than the wire (less one burst at either end); how much slower depends on this computer.
    assert took_s >= received * 10 / BAUD - 0.012


def hears_q_at_once_however_much_it_prints(board: VirtualBoard) -> None:
    with serve_tcp(board, paced=True) as server, opened(server.address) as port:
        meet(port)
        port.write(b'n=0 while true do n=n+1 print(n,"a line that is much quicker printed than carried") end\n')
        read_until(port, b"\r100\ta line that")
        start_s = time.monotonic()
        port.write(b"q")
        rest = read_until(port, b"<user interruption>")
        took_s = time.monotonic() - start_s
    # Lua was ahead by no more than the port's buffers, a page of a pipe, and what the sockets have taken. Without
    # back-pressure it was a megabyte ahead, which takes 90 s.
    assert len(rest) < 10_000
    assert took_s < 5


def test_a_paced_board_hears_q_at_once(board: VirtualBoard) -> None:
    hears_q_at_once_however_much_it_prints(board)


@needs_pty
def test_a_paced_board_with_emblua_hears_q_at_once(emblua_path: Path) -> None:
    with VirtualBoard(EmbluaBoardLua(emblua_path)) as board:
        hears_q_at_once_however_much_it_prints(board)


def test_a_host_that_does_not_read_holds_the_board_up(board: VirtualBoard) -> None:
    with serve_tcp(board) as server, connected(server.port) as connection:
        connection.sendall(b"while true do print(1) end\n")
        select.select([connection], [], [], DEADLINE_S)
        connection.sendall(b"q")
        received = bytearray()
        while b"<user interruption>" not in received[-70000:]:
            received += connection.recv(65536)


@needs_pty
def test_an_interrupted_wait_leaves_the_thread_to_its_work(board: VirtualBoard) -> None:
    # An attack on version 0.1.0: Ctrl-C during Thread.join made close() free the port under the living thread.
    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        for _ in range(20):
            with serve_pty(board) as server:
                signal.setitimer(signal.ITIMER_REAL, 0.01)
                with pytest.raises(KeyboardInterrupt):
                    server.wait(DEADLINE_S)
                assert server.serving
                thread = server._thread
            assert thread is not None
            thread.join(DEADLINE_S)  # pytest turns an exception in a thread into a failure
            assert not thread.is_alive()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
