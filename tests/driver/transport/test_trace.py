"""The byte trace: written as it happens, played back, and no reason for anything else to fail."""

from __future__ import annotations

import errno
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from elm11_lua_driver.board import firmware_sync
from elm11_lua_driver.board.board import Board
from elm11_lua_driver.errors import ProtocolError
from elm11_lua_driver.protocol.repl.machine import Execution
from elm11_lua_driver.protocol.repl.session import ReplSession
from elm11_lua_driver.protocol.repl.tokenizer import PromptKind
from elm11_lua_driver.protocol.upload import Upload
from elm11_lua_driver.transport.base import drive
from elm11_lua_driver.transport.memory import MemoryTransport
from elm11_lua_driver.transport.open import open_transport
from elm11_lua_driver.transport.trace import ReplayTransport, Trace, TraceEntry, read_trace
from fake_board import Clock, FakeBoard, in_memory, transcript
from hypothesis import given
from hypothesis import strategies as st
from virtual_bench import SMALL

if TYPE_CHECKING:
    from elm11_lua_driver.transport import trace as module


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
    drive(Upload(session, "n.lua", b"return 1\n" * 100), port)
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
    drive(upload, replay)
    assert upload.done
    assert replay.finished
    replay.close()


def test_a_replay_notices_a_driver_that_speaks_otherwise(tmp_path: Path) -> None:
    stored = record(tmp_path / "trace.jsonl")
    replay = ReplayTransport(read_trace(tmp_path / "trace.jsonl"))
    session = ReplSession()
    session.mode = PromptKind.COMMAND
    with pytest.raises(ProtocolError, match="but the trace goes on with"):
        drive(Upload(session, "n.lua", stored[:-1] + b" "), replay)
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


class TestOtherFiles:
    """A trace replaces nothing but a trace."""

    @pytest.mark.parametrize("content", [b"alias ls=ls\n", b"{}\n", b'{"time_s": 0}\n', b"\0" * 99, b"\xff"])
    @pytest.mark.parametrize("port", ["virtual://", "/dev/none", "spy"])
    def test_they_stay(self, tmp_path: Path, content: bytes, port: str) -> None:
        path = tmp_path / ".bashrc"
        path.write_bytes(content)
        is_spy = port == "spy"
        port = f"spy:///dev/none?color&file={path}" if is_spy else port
        with pytest.raises(ValueError, match=r"\.bashrc is not a byte trace, and is not overwritten"):
            open_transport(port, trace_path=None if is_spy else path)
        with pytest.raises(ValueError, match="is not a byte trace"):
            Trace(path)
        assert path.read_bytes() == content

    @pytest.mark.parametrize("content", [None, b"", b"# a shell's file\n"])
    def test_a_planted_link_is_not_followed(self, tmp_path: Path, content: bytes | None) -> None:
        target, link = tmp_path / "target", tmp_path / "trace.jsonl"
        if content is not None:
            target.write_bytes(content)
        link.symlink_to(target)
        with pytest.raises(ValueError, match=r"trace\.jsonl (is not a byte trace|cannot be read)"):
            Trace(link)
        assert (target.read_bytes() if target.exists() else None) == content

    def test_traces_and_logs_are_replaced(self, tmp_path: Path) -> None:
        path = tmp_path / "trace.jsonl"
        link = tmp_path / "link"
        link.symlink_to(path)
        old = TraceEntry(1e-6, "from_board", b"\x1b" * 5).to_json()
        for content in ("", old + "\n", old[:70], "000000.123 TX   0000  00\n"):
            path.write_text(content)
            record(link if content else path)
            assert len(read_trace(path)) > 1
        Trace(Path("/dev/null")).close()


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
            execution = Execution(session, "f()", timeout_s=5)
            drive(execution, port)
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
            firmware_sync.upload(board)
            following = board.start(SMALL)
            following.wait()
            return following.fetch().is_complete

    with pytest.warns(UserWarning, match="the byte trace /dev/full ends here: No space left") as caught:
        assert compute()
    assert len(caught) == 1
