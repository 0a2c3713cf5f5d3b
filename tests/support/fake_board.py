"""Small stand-ins for a board, for tests of the driver's machines: no Lua behind them, no clock, no thread.

`TranscriptBoard` answers with the bytes of a transcript, `FakeBoard` plays prompt, command mode and upload
by rules; `converse` is the driver's loop in a time of its own, which passes only while everybody waits.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Protocol

from elm11_lua_driver.transport.memory import MemoryTransport
from paths import DATA

if TYPE_CHECKING:
    from collections.abc import Callable

    from elm11_lua_driver.transport.trace import Trace

TRANSCRIPTS = DATA / "device_transcripts"
LUA_PROMPT = b"\x1b[38;5;222m\x1b[38;5;222m$ "
CONTINUATION_PROMPT = b"\x1b[38;5;222m$$ "
COMMAND_PROMPT = b"\x1b[0;0H\x1b[38;5;222m\x1b[38;5;252m/ \x1b[38;5;75m"
SIZE_QUERY = b"\x1b[9999;9999H\x1b[6n"
REDRAW = b"\x1b[38;5;252m\x1b[0;0H\x1b[K\n\r\x1b[K\n\r\x1b[K\n\r\x1b[0;0H\n\r\n\r"


def transcript(name: str) -> list[tuple[bytes, bytes]]:
    """The exchanges (host, board) of one transcript."""
    exchanges = json.loads((TRANSCRIPTS / f"{name}.json").read_text(encoding="utf-8"))["exchanges"]
    return [(one["host"].encode("latin-1"), one["board"].encode("latin-1")) for one in exchanges]


class Machine(Protocol):
    @property
    def done(self) -> bool: ...
    def receive(self, data: bytes, now_s: float) -> object: ...
    def bytes_to_write(self, now_s: float) -> bytes: ...
    def next_deadline_s(self) -> float | None: ...


class Peer(Protocol):
    def write(self, data: bytes) -> None: ...
    def read(self) -> bytes: ...


def converse(machine: Machine, board: Peer, *, start_s: float = 0.0, limit_s: float = 10_000.0) -> float:
    """Let a machine and a board talk until the machine is done; returns the time it took."""
    now_s = start_s
    while not machine.done:
        out = machine.bytes_to_write(now_s)
        if out:
            board.write(out)
        data = board.read()
        if not data and not out:
            deadline_s = machine.next_deadline_s()
            assert deadline_s is not None, "a machine that is not done has a deadline"
            assert deadline_s < limit_s, "the machine does not come to an end"
            now_s = max(now_s, deadline_s)
        machine.receive(data, now_s)
    return now_s - start_s


class TranscriptBoard:
    """Answers as a transcript says, and insists on the host's bytes.

    What is typed at a prompt is echoed character by character, as the board does; other bytes are answered
    at once.
    """

    def __init__(self, exchanges: list[tuple[bytes, bytes]]) -> None:
        self.exchanges = list(exchanges)
        self._typed = b""
        self._given = 0
        self._out = b""

    def write(self, data: bytes) -> None:
        for place in range(len(data)):
            self._byte(data[place : place + 1])

    def _byte(self, byte: bytes) -> None:
        host, board = self.exchanges[0]
        self._typed += byte
        assert host.startswith(self._typed), f"expected {host!r}, got {self._typed!r}"
        if self._typed == host:
            self._out += board[self._given :]
            self._given = 0
            self._typed = b""
            del self.exchanges[0]
        elif re.fullmatch(rb"[ -~]*\n", host):
            # The echo may hold colour codes; give all bytes up to the one just typed.
            end = board.index(byte, self._given) + 1
            self._out += board[self._given : end]
            self._given = end

    def read(self) -> bytes:
        out, self._out = self._out, b""
        return out


class FakeBoard:
    """The board's prompt, command mode and upload dialogue, by rules. Lines are looked up in `answers`."""

    def __init__(self) -> None:
        self.answers: dict[str, bytes] = {}
        self.ran: list[str] = []
        self.programs: dict[str, bytes] = {}
        self.to_board: Callable[[bytes], bytes] = lambda data: data
        self.to_host: Callable[[bytes], bytes] = lambda data: data
        self.mode = "lua"
        self.line = ""
        self.out = b""
        self.host_bytes = b""
        self.sizes_wanted = 0
        self.echo_backspace_on_empty_line = False
        self.uploaded = b""
        self.length = 0
        self.page_left = 0
        self.page_sum = 0
        self.name = ""
        self.number = b""
        self.unfinished = ""

    def write(self, data: bytes) -> None:
        self.host_bytes += data
        for byte in self.to_board(data):
            self._byte(byte)

    def read(self) -> bytes:
        out, self.out = self.out, b""
        return self.to_host(out)

    # -- one byte
    # -----------------------------------------------------------------------------------------------

    def _byte(self, byte: int) -> None:
        if self.mode == "running":
            if byte == ord("q"):
                self.out += b"\x1b[38;5;252m<user interruption>\x1b[38;5;222m\n\r"
                self.out += b"\x1b[1m\x1b[34mstack traceback\x1b[38;5;222m\x1b[22m:\n\r\t[C]: in ?\n\r" + LUA_PROMPT
                self.mode = "lua"
        elif self.mode == "size":
            self.number += bytes([byte])
            if byte == ord("R"):
                self.number = b""
                self.sizes_wanted -= 1
                if self.sizes_wanted:
                    self.out += SIZE_QUERY
                else:
                    self.mode = "command"
                    self.out += b"\x1b[0;0H\n\r\n\r\n\r\x1b[32mCOMMAND MODE\x1b[0m" + COMMAND_PROMPT
        elif self.mode == "question":
            if byte == ord("y"):
                del self.programs[self.name]
                self.out += b"\n\rOverwriting, please proceed with upload."
                self._begin_upload()
            else:
                self.out += b"\n\rUpload aborted!\n\r" + COMMAND_PROMPT
                self.mode = "command"
        elif self.mode in {"lua", "command"}:
            self._typed(byte)
        elif self.mode != "dead":
            self._upload_byte(byte)

    def _typed(self, byte: int) -> None:
        if byte == 0x08:
            if self.line or self.echo_backspace_on_empty_line:
                self.out += b"\b \b"
            self.line = self.line[:-1]
        elif byte == 0x0A:
            self.out += b"\n\r"
            self._submit()
        elif 0x20 <= byte <= 0x7E:
            self.line += chr(byte)
            self.out += bytes([byte])
            if byte == ord("|") and self.mode == "command":
                self.out = self.out[:-1] + b"\x1b[38;5;252m|\x1b[36m"
            if len(self.line) == 255:
                self._submit()

    def _submit(self) -> None:
        line, self.line = self.line, ""
        if self.mode == "lua":
            self._lua(line)
        elif line == "exit":
            self.mode = "lua"
            self.out += b"\x1b[38;5;252m\x1b[2J\x1b[3J\x1b[0;0H\x1b[38;5;222m" + LUA_PROMPT
        else:
            self._command(line)

    def _lua(self, line: str) -> None:
        if self.unfinished and "!" not in line:
            self.out += CONTINUATION_PROMPT
            return
        self.unfinished = ""
        self.ran.append(line)
        if line in {"cmd", "command"}:
            self.mode = "size"
            self.sizes_wanted = 3
            self.out += SIZE_QUERY
        elif line == "loop()":
            self.mode = "running"
        elif line == "memory()":
            self.mode = "dead"
            self.out += b"---- Malloc Error ----"
        elif line == "reboot()":
            self.out += transcript("boot")[0][1]
        elif line.endswith(("(", "then")):
            self.unfinished = line
            self.out += CONTINUATION_PROMPT
        else:
            self.out += self.answers.get(line, b"") + LUA_PROMPT

    def _command(self, line: str) -> None:
        self.out += REDRAW
        upload = re.fullmatch(r'upload\|program\("(.*)"\)', line)
        if upload is None:
            self.out += self.answers.get(line, b"\x1b[31mError, unrecognised device command: \x1b[38;5;252mx\n\r")
            self.out += COMMAND_PROMPT
            return
        self.name = upload[1]
        if len(self.name) > 29:
            self.out += b"Program names are limited to 29 characters\n\r" + COMMAND_PROMPT
        elif self.name in self.programs:
            self.mode = "question"
            self.out += b"Program already exists, overwrite? y/n (default: n): "
        else:
            self._begin_upload()

    # -- upload
    # -------------------------------------------------------------------------------------------------

    def _begin_upload(self) -> None:
        self.mode = "upload"
        self.uploaded = b""
        self.length = 0
        self.number = b""

    def _leave_upload(self, number: int) -> None:
        self.programs[self.name] = b"broken"
        self.out += b"\x1b[31mError, failed to create new program entry, err=\x1b[38;5;252m%d\n\r" % number
        self.out += COMMAND_PROMPT
        self.mode = "command"

    def _upload_byte(self, byte: int) -> None:  # noqa: C901, PLR0912  # one case for each row of the dialogue's table
        match self.mode, byte:
            case "length", _:
                self.number += bytes([byte])
                if len(self.number) == 4:
                    self.length = int.from_bytes(self.number, "big")
                    self.out += bytes([sum(self.number) & 0xFF])
                    self.mode = "upload"
                    if self.length >= 24_576:
                        self.out += b"\x10"
                        self._leave_upload(3)
                    else:
                        self.out += b"\n"
            case "count", _:
                self.page_left = byte + 1
                self.page_sum = 0
                self.mode = "page"
            case "page", _:
                self.uploaded += bytes([byte])
                self.page_sum += byte
                self.page_left -= 1
                if self.page_left == 0:
                    self.out += bytes([self.page_sum & 0xFF])
                    self.mode = "upload"
            case _, 0x07:
                self.out += b"\x06"
            case _, 0x09:
                self.out += b"\x08"
                self.number = b""
                self.mode = "length"
            case _, 0x0C:
                if len(self.uploaded) >= self.length:
                    self.out += b"\x11"
                else:
                    self.out += b"\x0b"
                    self.mode = "count"
            case _, 0x0D:
                self.programs[self.name] = self.uploaded
                self.out += COMMAND_PROMPT
                self.mode = "command"
            case _:
                self._leave_upload(5)


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
    """A port to a stand-in."""
    clock = Clock()
    return MemoryTransport(board, trace=trace, clock=clock, sleep=clock.sleep)


BOOT = transcript("boot")[0][1]
"""What a board says when it starts."""


def fake() -> FakeBoard:
    """A board that knows two lines."""
    board = FakeBoard()
    board.answers = {"f(1)": b"one\n\r", "g(2)": b"two\n\r"}
    return board
