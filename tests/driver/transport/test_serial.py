"""Ports through pyserial: what passes, how fast, and what a port that fails says."""

from __future__ import annotations

import os
import socket
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
import serial
from elm11_lua_driver.errors import BoardNotFoundError, PortBusyError, PortError, UnpluggedError
from elm11_lua_driver.transport.serial import SerialTransport
from elm11_lua_driver.transport.trace import Trace, read_trace
from fake_board import Clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

posix_only = pytest.mark.skipif(os.name != "posix", reason="this system has no pseudo terminals")


@pytest.fixture
def pty() -> Iterator[tuple[int, str]]:
    board_end, host_end = os.openpty()
    name = os.ttyname(host_end)
    os.close(host_end)
    yield board_end, name
    os.close(board_end)


@posix_only
def test_bytes_pass_through_a_pseudo_terminal_both_ways(pty: tuple[int, str], tmp_path: Path) -> None:
    board_end, name = pty
    with SerialTransport(name, tx_delay_s=0, trace=Trace(tmp_path / "t.jsonl")) as port:
        assert port.read(0) == b""
        port.write(bytes(range(256)))
        assert os.read(board_end, 1000) == bytes(range(256))
        os.write(board_end, b"\x00answer\xff\n\r")
        received = b""
        while len(received) < 10:
            received += port.read(5.0)
        assert received == b"\x00answer\xff\n\r"
        assert not port.low_latency  # a pseudo terminal has no such thing, and that is no error
    entries = read_trace(tmp_path / "t.jsonl")
    assert entries[0].data == bytes(range(256))
    assert b"".join(entry.data for entry in entries[1:]) == b"\x00answer\xff\n\r"


@posix_only
def test_a_port_that_is_open_elsewhere_is_busy_and_the_error_names_the_program(pty: tuple[int, str]) -> None:
    _, name = pty
    with SerialTransport(name), pytest.raises(PortBusyError, match=f"port {name} is in use") as caught:
        SerialTransport(name)
    if sys.platform.startswith("linux"):
        assert any(f"process {os.getpid()}" in holder for holder in caught.value.holders)
    assert caught.value.exit_code == 5
    assert isinstance(caught.value.__cause__, serial.SerialException)
    SerialTransport(name).close()


@posix_only
def test_a_port_that_vanishes_is_an_unplugged_board() -> None:
    board_end, host_end = os.openpty()
    port = SerialTransport(os.ttyname(host_end))
    os.close(host_end)
    os.close(board_end)
    with pytest.raises(UnpluggedError, match="has gone") as caught:
        port.read(1.0)
    assert "attach" in caught.value.next_step
    port.close()
    port.close()


def test_a_port_that_does_not_exist_says_what_to_plug_in() -> None:
    with pytest.raises(BoardNotFoundError, match="there is no port /dev/no-such-port") as caught:
        SerialTransport("/dev/no-such-port")
    assert "Plug the board in" in str(caught.value)
    if sys.platform.startswith("linux"):
        assert "modprobe ftdi_sio" in str(caught.value)


@pytest.fixture
def server() -> Iterator[tuple[socket.socket, Callable[[], socket.socket]]]:
    listener = socket.create_server(("127.0.0.1", 0))
    accepted: list[socket.socket] = []

    def accept() -> socket.socket:
        accepted.append(listener.accept()[0])
        return accepted[-1]

    yield listener, accept
    for connection in [*accepted, listener]:
        connection.close()


def test_bytes_pass_through_a_socket_and_its_end_is_noticed(
    server: tuple[socket.socket, Callable[[], socket.socket]], monkeypatch: pytest.MonkeyPatch
) -> None:
    # pyserial pauses after closing a socket, for servers that need it; ours does not.
    monkeypatch.setattr("serial.urlhandler.protocol_socket.time", SimpleNamespace(sleep=lambda _: None))
    listener, accept = server
    with SerialTransport(f"socket://127.0.0.1:{listener.getsockname()[1]}", tx_delay_s=0) as port:
        board_end = accept()
        port.write(b"hello\n")
        assert board_end.recv(100) == b"hello\n"
        board_end.sendall(b"answer")
        received = b""
        while len(received) < 6:
            received += port.read(5.0)
        assert received == b"answer"
        board_end.shutdown(socket.SHUT_RDWR)
        with pytest.raises(UnpluggedError):
            port.read(5.0)


@pytest.mark.parametrize("scheme", ["socket", "rfc2217"])
def test_nobody_at_a_network_port_is_a_missing_port(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        number = listener.getsockname()[1]
    with pytest.raises(BoardNotFoundError, match="there is no port") as caught:
        SerialTransport(f"{scheme}://127.0.0.1:{number}")
    assert "the server is running" in str(caught.value)


def test_a_name_of_no_known_kind_is_an_error() -> None:
    with pytest.raises((PortError, BoardNotFoundError)):
        SerialTransport("nonsense://x")


def test_a_negative_pause_is_refused() -> None:
    with pytest.raises(ValueError, match="tx_delay_s must be 0 or more"):
        SerialTransport("loop://", tx_delay_s=-1)


def paced(delay_s: float, write_s: float = 0.0) -> tuple[SerialTransport, Clock, list[float]]:
    clock = Clock()
    times: list[float] = []
    port = SerialTransport("loop://", tx_delay_s=delay_s, clock=clock, sleep=clock.sleep)

    def write(data: bytes) -> None:
        assert len(data) == 1
        times.append(clock.now)
        clock.now += write_s

    port._port = SimpleNamespace(write=write)
    return port, clock, times


def test_bytes_leave_one_by_one_at_their_pace_also_across_calls() -> None:
    port, clock, times = paced(0.001)
    start_s = clock.now
    port.write(b"abc")
    port.write(b"de")
    assert times == pytest.approx([start_s + 0.001 * n for n in range(5)])
    assert port.byte_time_s == 0.001


def test_a_late_byte_does_not_make_the_next_ones_hurry() -> None:
    port, clock, times = paced(0.001)
    port.write(b"a")
    clock.now += 1.0
    start_s = clock.now
    port.write(b"bcd")
    assert times[1:] == pytest.approx([start_s, start_s + 0.001, start_s + 0.002], abs=0.00101)


def test_a_slow_write_does_not_add_to_the_pause() -> None:
    port, _, times = paced(0.001, write_s=0.0004)
    port.write(b"x" * 101)
    assert times[-1] - times[0] == pytest.approx(0.1, abs=0.001)
