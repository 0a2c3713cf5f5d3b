from __future__ import annotations

import errno
import io
import json
import os
import socket
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
import serial
from elm11_lua_driver import scripts
from elm11_lua_driver.board import Board
from elm11_lua_driver.errors import (
    BoardNotFoundError,
    BoardTimeoutError,
    PortBusyError,
    PortError,
    PortPermissionError,
    ProtocolError,
    UnpluggedError,
)
from elm11_lua_driver.repl import PromptKind, ReplSession
from elm11_lua_driver.transport import (
    MemoryTransport,
    ReplayTransport,
    SerialTransport,
    Trace,
    TraceEntry,
    hold,
    open_transport,
    opening_error,
    port_holders,
    read_trace,
    using_error,
)
from elm11_lua_driver.upload import Upload
from fake_board import FakeBoard, transcript
from hypothesis import given
from hypothesis import strategies as st
from virtual_bench import SMALL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from elm11_lua_driver import transport as module

posix_only = pytest.mark.skipif(os.name != "posix", reason="this system has no pseudo terminals")


class Clock:
    """A time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def in_memory(board: FakeBoard, trace: Trace | None = None) -> MemoryTransport:
    clock = Clock()
    return MemoryTransport(board, trace=trace, clock=clock, sleep=clock.sleep)


# ---- driving a dialogue -------------------------------------------------------------------------------------


def test_a_dialogue_is_led_to_its_end_and_its_events_are_given_on() -> None:
    board = FakeBoard()
    board.answers["f()"] = b"one\n\r"
    session = ReplSession()
    execution = session.execute("f()", timeout_s=5)
    events: list[object] = []
    hold(execution, in_memory(board), events.append)
    assert execution.result is not None
    assert execution.result.text == "one"
    assert len(events) == 2


def test_a_dialogues_deadline_is_kept() -> None:
    board = FakeBoard()
    board.mode = "dead"
    port = in_memory(board)
    with pytest.raises(BoardTimeoutError):
        hold(ReplSession().find_prompt(), port)
    assert 103 < port.now_s() < 105


# ---- trace and replay ---------------------------------------------------------------------------------------


@given(st.binary(), st.floats(0, 1e6), st.sampled_from(["to_board", "from_board"]))
def test_a_trace_entry_is_one_line_of_ascii(data: bytes, time_s: float, direction: module.Direction) -> None:
    line = TraceEntry(time_s, direction, data).to_json()
    assert line.isascii()
    assert "\n" not in line
    fields = json.loads(line)
    assert fields["bytes"].encode("latin-1") == data
    assert fields["time_s"] == pytest.approx(time_s, abs=1e-6)


def record(path: Path) -> bytes:
    """Upload a program to a fake board with a trace; returns what the board has then."""
    clock = Clock()
    board = FakeBoard()
    board.mode = "command"
    port = MemoryTransport(board, trace=Trace(path, clock), clock=clock, sleep=clock.sleep)
    session = ReplSession()
    session.mode = PromptKind.COMMAND
    hold(Upload(session, "n.lua", b"return 1\n" * 100), port)
    port.close()
    port.close()
    return board.programs["n.lua"]


def test_a_session_can_be_played_back_from_its_trace(tmp_path: Path) -> None:
    stored = record(tmp_path / "trace.jsonl")
    entries = read_trace(tmp_path / "trace.jsonl")
    assert b"".join(entry.data for entry in entries if entry.direction == "to_board").count(stored[:256]) == 1
    replay = ReplayTransport(entries)
    session = ReplSession()
    session.mode = PromptKind.COMMAND
    upload = Upload(session, "n.lua", stored)
    hold(upload, replay)
    assert upload.done
    assert replay.finished
    replay.close()


def test_a_replay_notices_a_driver_that_speaks_otherwise(tmp_path: Path) -> None:
    stored = record(tmp_path / "trace.jsonl")
    replay = ReplayTransport(read_trace(tmp_path / "trace.jsonl"))
    session = ReplSession()
    session.mode = PromptKind.COMMAND
    with pytest.raises(ProtocolError, match="but the trace goes on with"):
        hold(Upload(session, "n.lua", stored[:-1] + b" "), replay)
    with pytest.raises(ProtocolError, match="goes on with b''"):
        ReplayTransport([]).write(b"x")


def test_the_devices_transcripts_are_traces_too() -> None:
    entries: list[TraceEntry] = []
    for number, (host, board) in enumerate(transcript("command_mode")[4:5]):
        entries += [TraceEntry(number, "to_board", host), TraceEntry(number, "from_board", board)]
    replay = ReplayTransport(entries)
    replay.write(b"list|")
    assert replay.read(1.0) == b""
    replay.write(b"clk_freq\n")
    assert b"66 Mhz" in replay.read(1.0)
    assert replay.finished


@pytest.mark.parametrize(
    "line",
    ["", "{}", "not json", '{"time_s": 0, "direction": "up", "bytes": ""}', "[]", '{"time_s": 0, "direction": []}'],
)
def test_a_file_that_is_no_trace_is_named_with_its_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(TraceEntry(0, "to_board", b"x").to_json() + "\n" + line + "\n", encoding="ascii")
    with pytest.raises(ProtocolError, match=r"line 2 of .*x\.jsonl"):
        read_trace(path)


def test_a_trace_that_a_full_disk_has_cut_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    whole = TraceEntry(0, "to_board", b"x")
    path.write_text(whole.to_json() + "\n" + whole.to_json()[:20], encoding="ascii")
    assert read_trace(path) == [whole]


class FullDisk(io.StringIO):
    """A file that takes so many characters."""

    room = 200

    def flush(self) -> None:
        if self.tell() > self.room:
            raise OSError(errno.ENOSPC, "No space left on device")

    def close(self) -> None:
        self.flush()


def test_a_full_disk_ends_the_trace_with_one_warning_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "open", lambda *_, **__: FullDisk())
    board = FakeBoard()
    board.answers["f()"] = b"one\n\r"
    port = in_memory(board, Trace(tmp_path / "x.jsonl"))
    session = ReplSession()

    def five_lines() -> list[str]:
        answers = []
        for _ in range(5):
            execution = session.execute("f()", timeout_s=5)
            hold(execution, port)
            answers.append(execution.result.text if execution.result is not None else "")
        port.close()
        return answers

    with pytest.warns(UserWarning, match=r"the byte trace .*x\.jsonl ends here: No space left") as caught:
        assert five_lines() == ["one"] * 5
    assert len(caught) == 1


@pytest.mark.parametrize("port", ["loop://", "virtual://"])
def test_a_trace_that_cannot_be_made_is_one_warning_and_the_port_is_open(tmp_path: Path, port: str) -> None:
    def something() -> bytes:
        transport = open_transport(port, trace_path=tmp_path / "nowhere" / "x.jsonl")
        transport.write(b"\n")
        data = transport.read(1.0)
        transport.close()
        return data

    with pytest.warns(UserWarning, match=r"the byte trace .*x\.jsonl ends here: No such file") as caught:
        assert something()
    assert len(caught) == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is full")
def test_a_run_goes_on_when_the_disk_is_full() -> None:
    def compute() -> bool:
        with Board.open("virtual://", trace=Path("/dev/full")) as board:
            scripts.upload(board)
            following = board.start(SMALL)
            following.wait()
            return following.fetch().is_complete

    with pytest.warns(UserWarning, match="the byte trace /dev/full ends here: No space left") as caught:
        assert compute()
    assert len(caught) == 1


# ---- the virtual board --------------------------------------------------------------------------------------


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


# ---- pyserial -----------------------------------------------------------------------------------------------


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


# ---- errors of the system -----------------------------------------------------------------------------------


def test_a_missing_permission_names_the_group_and_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "group", lambda _: "dialout")
    error = opening_error(str(tmp_path), PermissionError(errno.EACCES, "Permission denied"))
    assert isinstance(error, PortPermissionError)
    assert error.group == "dialout"
    assert "sudo usermod -aG dialout $USER" in str(error)
    assert error.exit_code == 5


@pytest.mark.parametrize("failure", [KeyError, OSError, NotImplementedError])
def test_a_missing_permission_without_a_known_group_still_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, failure: type[Exception]
) -> None:
    def group(_: Path) -> str:
        raise failure

    monkeypatch.setattr(Path, "group", group)
    error = opening_error("/dev/x", PermissionError(errno.EACCES, "Permission denied"))
    assert isinstance(error, PortPermissionError)
    assert "udev rule" in str(error)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("could not open port 'COM3': PermissionError(13, 'Access is denied.', None, 5)", PortBusyError),
        ("could not open port 'COM9': FileNotFoundError(2, 'The system cannot find the file.')", BoardNotFoundError),
        ("something new", PortError),
    ],
)
def test_the_words_of_windows_are_understood(text: str, kind: type[Exception]) -> None:
    assert type(opening_error("COM3", serial.SerialException(text))) is kind


def test_a_port_that_takes_no_bytes_is_a_time_out() -> None:
    assert isinstance(using_error("COM3", serial.SerialTimeoutException("Write timeout")), BoardTimeoutError)


@pytest.mark.skipif(os.name != "posix", reason="the list is one of links, as Linux has it")
def test_who_holds_a_port_is_read_from_the_systems_list(tmp_path: Path) -> None:
    port = tmp_path / "ttyUSB0"
    port.touch()
    for number, target in [("12", port), ("9", port), ("7", tmp_path)]:
        (tmp_path / "proc" / number / "fd").mkdir(parents=True)
        (tmp_path / "proc" / number / "fd" / "3").symlink_to(target)
        (tmp_path / "proc" / number / "comm").write_text("picocom\n")
    (tmp_path / "proc" / "8").mkdir()
    (tmp_path / "proc" / "self").mkdir()
    (tmp_path / "proc" / "12" / "comm").unlink()
    assert port_holders(str(port), tmp_path / "proc") == ("picocom (process 9)", "a program (process 12)")
    assert port_holders(str(port), tmp_path / "no-proc") == ()


def test_waiting_in_memory_ends_with_the_first_byte_or_the_time() -> None:
    clock = Clock()
    board = FakeBoard()
    port = MemoryTransport(board, clock=clock, sleep=clock.sleep)
    assert port.read(0.5) == b""
    assert clock.now == pytest.approx(100.5)
    port.write(b"x")
    assert port.read(0.5) == b"x"
    assert clock.now == pytest.approx(100.5)
