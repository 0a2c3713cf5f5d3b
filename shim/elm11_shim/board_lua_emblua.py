"""The board's Lua as the child process ``emblua`` (source and table of frames: tools/emblua/process.c)."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import struct
import subprocess
import time
from collections import deque
from pathlib import Path
from typing import Literal, TypeAlias

from .board_lua import BoardIdentity, Ended, Ending, HeapFigures, LuaEvent, Output, ProgramLookup

BINARY_VARIABLE = "ELM11_EMBLUA"
REAL_BINARY_VARIABLE = "ELM11_EMBLUA_REAL"
_HEADER = struct.Struct(">cI")
_READ_SIZE = 65536
# Frames that answer at once take microseconds; a child that needs longer than this is broken.
_ANSWER_TIMEOUT_S = 10.0
_ENDINGS = {
    b"D": Ending.RAN,
    b"I": Ending.INCOMPLETE,
    b"S": Ending.SYNTAX_ERROR,
    b"Z": Ending.STOPPED,
    b"B": Ending.REBOOTED,
}


class EmbluaError(RuntimeError):
    """The child process is missing, ended by itself, or answered something that is not in its protocol."""


Memory: TypeAlias = Literal["model", "real"]
"""How emblua accounts for memory: a model of the board's heap, or the board's own allocator and object sizes."""


def find_emblua(memory: Memory = "model") -> Path:
    """The emblua binary: from ``ELM11_EMBLUA``, from PATH, or where tools/emblua/build.py leaves it.

    Args:
        memory: which of the two binaries; the one with the real memory is called ``emblua-real``, and
            ``ELM11_EMBLUA_REAL`` names it.

    Raises:
        EmbluaError: there is none; the message says how to build it.
    """
    variable, name, option = (
        (REAL_BINARY_VARIABLE, "emblua-real", " --memory real") if memory == "real" else (BINARY_VARIABLE, "emblua", "")
    )
    named = os.environ.get(variable)
    if named:
        if not Path(named).is_file():
            raise EmbluaError(f"{variable}={named}: no such file")
        return Path(named)
    on_path = shutil.which(name)
    if on_path:
        return Path(on_path)
    cache = os.environ.get("XDG_CACHE_HOME")
    built = (Path(cache) if cache else Path.home() / ".cache") / "elm11-lua-driver" / name
    if not built.is_file():
        raise EmbluaError(f"{name} is not built; run: python tools/emblua/build.py{option}")
    return built


class EmbluaBoardLua:
    """Lua with 32-bit integers, the board's number formatting and its allocator, in a process of its own.

    Raises:
        EmbluaError: the process has ended, or said something that makes no sense.
    """

    def __init__(
        self,
        binary: Path | None = None,
        *,
        memory: Memory = "model",
        strict_heap: bool = True,
        memory_trace: Path | None = None,
        bytecode: bool = False,
    ) -> None:
        """Choose the binary; the process starts at ``boot``.

        Args:
            binary: the emblua binary; ``find_emblua(memory)`` if None.
            memory: see `Memory`.
            strict_heap: False lifts the allocator's limits, to see what a program would have needed; with the real
                memory it gives the board a heap of sixteen times the size, and the largest block stays what it is.
            memory_trace: a file for every request for memory (tools/emblua/process.c says how it looks); the real
                memory only.
            bytecode: have ``load`` and ``run_program`` take bytecode, as the board does. Whoever can type at the board
                can then have the process do anything, with this user's rights.

        Raises:
            EmbluaError: there is no binary.
        """
        self._binary = binary or find_emblua(memory)
        self._memory_trace = memory_trace
        self._strict_heap = strict_heap
        self._bytecode = bytecode
        self._child: subprocess.Popen[bytes] | None = None
        self._received = bytearray()
        self._events: deque[LuaEvent] = deque()
        self._heap: HeapFigures | None = None
        self._running = False
        self._programs: ProgramLookup = lambda _name: None
        self._read_size = _READ_SIZE
        self._output_limit: int | None = None

    def boot(self, identity: BoardIdentity, programs: ProgramLookup) -> None:
        """Start a new process, ending the old one. See `BoardLua.boot`."""
        self.close()
        self._programs = programs
        arguments = [
            identity.hardware,
            identity.software,
            identity.firmware,
            str(identity.core),
            str(identity.clock_mhz),
        ]
        if not self._strict_heap:
            arguments.append("--loose-heap")
        if self._bytecode:
            arguments.append("--bytecode")
        if self._memory_trace is not None:
            arguments += ["--memory-trace", str(self._memory_trace)]
        self._child = subprocess.Popen(  # noqa: S603 - our own program, no shell
            [str(self._binary), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        self._limit_pipe()

    def submit(self, text: bytes) -> None:
        """Begin to run what was typed.

        Args:
            text: what was typed.
        """
        self._running = True
        self._send(b"L", text)

    def run_program(self, name: str) -> None:
        """Begin to run a stored program and print what it returns.

        Args:
            name: of the program.
        """
        self._running = True
        self._send(b"R", name.encode("latin-1"))

    def command_answered(self, command: bytes) -> None:
        """Tell what was typed in command mode: the board remembers it on the same heap as Lua (real memory only).

        Args:
            command: the line without its LF.
        """
        self._send(b"C", command)

    def limit_output(self, n_bytes: int) -> None:
        """Let what runs wait when so much of its output waits, and the pipe to it is full.

        Args:
            n_bytes: how much may wait; 1 or more. The pipe takes more, but no more than a page where the system
                lets its size be chosen.
        """
        self._read_size = self._output_limit = n_bytes
        self._limit_pipe()

    def _limit_pipe(self) -> None:
        child = self._child
        if self._output_limit is None or child is None or child.stdout is None:
            return
        import fcntl  # noqa: PLC0415 - there is none on Windows, nor emblua

        if hasattr(fcntl, "F_SETPIPE_SZ"):
            with contextlib.suppress(OSError):  # more is in it than would fit
                fcntl.fcntl(child.stdout, fcntl.F_SETPIPE_SZ, self._output_limit)  # the system rounds up to a page

    def interrupt(self) -> None:
        """Stop what runs, as the ``q`` key does."""
        if self._running:
            self._send(b"Q")

    def next_event(self) -> LuaEvent | None:
        """The next event, or None when there is none yet."""
        if not self._events:
            self._receive(0.0)
        return self._events.popleft() if self._events else None

    def wait(self, timeout_s: float) -> None:
        """Return when there may be an event, at the latest after ``timeout_s`` seconds.

        Args:
            timeout_s: longest wait, seconds.
        """
        child = self._child
        if not self._events and self._running and child is not None and child.stdout is not None:
            # The pipe is closed when another thread reboots the board meanwhile; then there is news as well.
            with contextlib.suppress(OSError, ValueError):
                select.select([child.stdout], [], [], max(timeout_s, 0.0))

    def heap(self, *, reset_peak: bool = False) -> HeapFigures:
        """Figures of the modelled heap, in the board's own sizes. See `BoardLua.heap`."""
        self._heap = None
        self._send(b"H", b"1" if reset_peak else b"0")
        deadline = time.monotonic() + _ANSWER_TIMEOUT_S
        while self._heap is None:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise EmbluaError(f"emblua gave no heap figures within {_ANSWER_TIMEOUT_S} s")
            self._receive(left_s)
        return self._heap

    def close(self) -> None:
        """End the process."""
        child, self._child = self._child, None
        self._received.clear()
        self._events.clear()
        self._running = False
        if child is None:
            return
        child.kill()
        child.wait(_ANSWER_TIMEOUT_S)
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                pipe.close()

    def _send(self, kind: bytes, payload: bytes = b"") -> None:
        child = self._child
        if child is None or child.stdin is None:
            raise EmbluaError("emblua is not running; boot it first")
        frame = _HEADER.pack(kind, len(payload)) + payload
        try:
            while frame:
                frame = frame[child.stdin.write(frame) or 0 :]
        except BrokenPipeError:
            # It has stopped or rebooted; the event that says so is on its way.
            if not self._running:
                raise EmbluaError("emblua has ended") from None

    def _receive(self, timeout_s: float) -> None:
        """Read what has come within ``timeout_s`` seconds and turn whole frames into events."""
        child = self._child
        if child is None or child.stdout is None:
            return
        if not select.select([child.stdout], [], [], timeout_s)[0]:
            return
        data = os.read(child.stdout.fileno(), self._read_size)
        if not data:
            if self._running:
                raise EmbluaError(f"emblua ended unexpectedly, exit code {child.wait(_ANSWER_TIMEOUT_S)}")
            return
        self._received += data
        while len(self._received) >= _HEADER.size:
            kind, length = _HEADER.unpack_from(self._received)
            if len(self._received) < _HEADER.size + length:
                return
            payload = bytes(self._received[_HEADER.size : _HEADER.size + length])
            del self._received[: _HEADER.size + length]
            self._take_frame(kind, payload)

    def _take_frame(self, kind: bytes, payload: bytes) -> None:
        if kind == b"O":
            self._events.append(Output(payload))
        elif kind in _ENDINGS:
            self._running = False
            self._events.append(Ended(_ENDINGS[kind]))
        elif kind == b"G":
            text = self._programs(payload.decode("latin-1"))
            if text is None:
                self._send(b"N")
            else:
                self._send(b"P", text)
        elif kind == b"H":
            self._heap = HeapFigures(*(int(figure) for figure in payload.split()))
        else:
            raise EmbluaError(f"emblua sent a frame of unknown type {kind!r}")
