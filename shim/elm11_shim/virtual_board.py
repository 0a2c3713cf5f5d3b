r"""An ELM11 in this computer's memory, byte for byte as a real one behaves at its serial port.

    board = VirtualBoard()
    board.read()                     # the boot text and the first prompt
    board.write(b"1+1\\n")
    board.read_until_idle(5.0)       # echo, "2", prompt

A submitted line runs beside the caller: ``read`` collects what it prints, ``write(b"q")`` stops it. How close
the likeness is, and how it was checked, is said in docs/virtual-board.md.
"""

from __future__ import annotations

import dataclasses
import random
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Literal, Self

from .board_lua import BoardIdentity, BoardLua, Ended, Ending, HeapFigures, Output
from .board_lua_emblua import EmbluaBoardLua
from .board_lua_lupa import LupaBoardLua
from .command_mode import CommandMode, Run
from .faults import FaultPlan, FaultyLine, LineFaults
from .line_editor import LINE_END, LineEditor
from .program_store import ProgramStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

_YELLOW, _GREEN = b"\x1b[38;5;222m", b"\x1b[32m"
PROMPT = _YELLOW * 2 + b"$ "
CONTINUATION_PROMPT = _YELLOW + b"$$ "
_BOOT_STEPS = (  # what it said, and the seconds since a cold and a warm start that a board showed
    ("0.022", "0.018", b"begin embLua init"),
    ("0.022", "0.019", b"initialize memory...done."),
    ("0.024", "0.020", b"initialize I/O...done."),
    ("0.024", "0.021", b"initialize flash...done."),
    ("0.043", "0.029", b"create new lua state"),
    ("0.051", "0.036", b"lua init"),
)
_LOGO_ROWS = ("╔═╝╔╔ ╔═ ║  ║ ║╔═║", "╔═╝║║║╔═║║  ║ ║╔═║", "══╝╝╝╝══ ══╝══╝╝ ╝")
_CLEAR_SCREEN = b"\x1b[2J\x1b[3J\x1b[0;0H"
_RULE = b"_" * 45
_INTERRUPT_KEY = ord("q")
# What the serial port keeps while Lua runs. How much a real board keeps is not known; it keeps at least the
# LF that follows a line of 255 characters.
DEFAULT_TYPE_AHEAD = 16
# A program that prints without end must leave the caller a turn.
_MOST_EVENTS = 256
# A wait looks at the line this often, in case another thread has written.
_LONGEST_WAIT_S = 0.05


class BoardUnpluggedError(OSError):
    """The virtual board's port is gone (fault ``unplug``); ``plug_in`` brings it back."""


def _boot_step(at_s: str, text: bytes) -> bytes:
    return _GREEN + f"[{at_s:>10}] ".encode() + _YELLOW + text + LINE_END


class VirtualBoard:
    """A board with its Lua, its flash and its serial port. Close it, or use it in a ``with`` statement.

    ``read`` and ``write`` may be called from two threads.
    """

    def __init__(
        self,
        lua: BoardLua | Literal["lupa", "emblua"] = "lupa",
        store: ProgramStore | Path | None = None,
        faults: FaultPlan | str | None = None,
        seed: int = 0,
        *,
        identity: BoardIdentity | None = None,
        memory_trace: bool = False,
        type_ahead: int = DEFAULT_TYPE_AHEAD,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Switch the board on.

        Args:
            lua: the Lua engine, or the name of one.
            store: the flash: a store, a file to keep it in, or None for an empty one in memory.
            faults: what goes wrong on the line, as a plan or its text (see ``elm11_shim.faults``).
            seed: seed of the faults.
            identity: what the board says of itself.
            memory_trace: whether the overlay has the memory trace (``memory|free`` and others).
            type_ahead: bytes kept, of those that arrive while Lua runs.
            clock: seconds, for delays and stalls.

        Raises:
            ValueError: ``faults`` is not a plan, or ``type_ahead`` is negative.
            StoreFileError: ``store`` is a file of something else.
            EmbluaError: emblua is asked for and not built.
        """
        if type_ahead < 0:
            raise ValueError(f"type_ahead: 0 or more bytes, not {type_ahead}")
        self._plan = FaultPlan.parse(faults or "") if not isinstance(faults, FaultPlan) else faults
        self._lua: BoardLua = {"lupa": LupaBoardLua, "emblua": EmbluaBoardLua}[lua]() if isinstance(lua, str) else lua
        self.store = store if isinstance(store, ProgramStore) else ProgramStore(store)
        self.identity = identity or BoardIdentity()
        self._memory_trace = memory_trace
        self._type_ahead_limit = type_ahead
        self._clock = clock
        # One source for each, so that what strikes one direction does not depend on when the other has bytes.
        to_board, from_board, lines = (
            random.Random(f"{seed} {use}")  # noqa: S311 - faults need repeatable chance, not secrets
            for use in ("to board", "from board", "lines")
        )
        self._to_board = FaultyLine(self._plan.to_board, to_board)
        self._from_board = FaultyLine(self._plan.from_board, from_board)
        self._line_faults = LineFaults(self._plan, lines)
        self._lock = threading.RLock()
        self._written = threading.Event()
        self._bytes_sent = 0
        self._stalled = self._rebooted = False
        self._reboot_due = False
        self._unplugged = self._was_unplugged = False
        self._editor = LineEditor()
        self._lines: list[bytes] = []
        self._command_mode: CommandMode | None = None
        self._type_ahead: deque[int] = deque()
        self._running = self._stopped = False
        self._runs_at_boot = False
        self._units_at_boot = 0
        self._output_limit: int | None = None
        with self._lock:
            self._boot()

    # ---- the port ------------------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Send bytes to the board.

        Args:
            data: any bytes.

        Raises:
            BoardUnpluggedError: the port is gone.
        """
        with self._lock:
            self._require_port()
            self._pump()
            self._to_board.feed(data, self._clock())
            self._pump()
        self._written.set()

    def limit_output(self, n_bytes: int) -> None:
        """Let Lua wait, as at a real board's serial port, when it is about this far ahead of who reads.

        Without it a program that prints runs far ahead, which a line without limit does not show.

        Args:
            n_bytes: how much of its output may wait; 1 or more.
        """
        with self._lock:
            self._output_limit = n_bytes
            self._lua.limit_output(n_bytes)

    def read(self, timeout_s: float = 0.0) -> bytes:
        """What the board has sent; waits for the first byte at most ``timeout_s`` seconds.

        Args:
            timeout_s: longest wait, seconds.

        Raises:
            BoardUnpluggedError: the port is gone.
        """
        deadline_s = self._clock() + timeout_s
        while True:
            self._written.clear()
            with self._lock:
                self._pump()
                now_s = self._clock()
                data = self._from_board.take(now_s, self._plan.split)
                if data:
                    return data
                self._require_port()
                due_s = self._from_board.next_due_s()
                running = self._running
            left_s = deadline_s - now_s
            if left_s <= 0:
                return b""
            wait_s = min(left_s, _LONGEST_WAIT_S, left_s if due_s is None else due_s - now_s)
            if running:
                self._lua.wait(wait_s)
            else:
                self._written.wait(wait_s)

    def read_until_idle(self, timeout_s: float) -> bytes:
        """Everything the board sends until it waits for input again.

        Args:
            timeout_s: longest wait, seconds.

        Raises:
            TimeoutError: it is still busy after ``timeout_s`` seconds; the message has the last bytes.
            BoardUnpluggedError: the port is gone.
        """
        deadline_s = self._clock() + timeout_s
        collected = bytearray()
        while True:
            if self.idle:
                return bytes(collected)
            left_s = deadline_s - self._clock()
            if left_s <= 0:
                last = bytes(collected[-80:])
                raise TimeoutError(f"the virtual board is still busy after {timeout_s} s; last bytes {last!r}")
            collected += self.read(min(left_s, _LONGEST_WAIT_S))

    @property
    def idle(self) -> bool:
        """Whether nothing happens until the host writes: no Lua runs and no byte is on its way."""
        with self._lock:
            self._pump()
            on_line = self._from_board.next_due_s() is not None or self._to_board.next_due_s() is not None
            return not self._running and not on_line

    @property
    def running(self) -> bool:
        """Whether Lua runs (or the engine still looks at a line)."""
        with self._lock:
            self._pump()
            return self._running

    @property
    def stopped(self) -> bool:
        """Whether the board has stopped for good, as it does when its heap ends."""
        with self._lock:
            self._pump()
            return self._stopped

    @property
    def unplugged(self) -> bool:
        """Whether the port is gone."""
        with self._lock:
            self._pump()
            return self._unplugged

    def _require_port(self) -> None:
        if self._unplugged:
            raise BoardUnpluggedError("the virtual board is unplugged")

    # ---- what a hand could do ------------------------------------------------------------------------------

    def plug_in(self) -> None:
        """Bring the port back after ``unplug``. The board went on meanwhile; what it sent is lost."""
        with self._lock:
            self._pump()
            self._unplugged = False

    def unplug(self) -> None:
        """Take the port away; the board keeps running (it is powered from elsewhere)."""
        with self._lock:
            self._unplugged = True
            self._from_board.clear()

    def power_cycle(self) -> None:
        """Switch the board off and on. Flash stays."""
        with self._lock:
            self._boot()
        self._written.set()

    def close(self) -> None:
        """Switch the board off."""
        with self._lock:
            self._running = False
            self._lua.close()

    def __enter__(self) -> Self:
        """The board itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Switch the board off."""
        self.close()

    # ---- boot ----------------------------------------------------------------------------------------------

    def _boot(self, *, warm: bool = False) -> None:
        self._editor.clear()
        self._lines.clear()
        self._type_ahead.clear()
        self._command_mode = None
        self._stopped = self._running = self._reboot_due = self._runs_at_boot = False
        self._lua.boot(self.identity, self.store.text)
        self._units_at_boot = self._lua.heap().units_used if self._memory_trace else 0
        self._send(_YELLOW)
        if warm:
            rows = b"".join(b"  " + row.encode() + LINE_END for row in _LOGO_ROWS)
            self._send(_CLEAR_SCREEN + LINE_END + rows + LINE_END)
        self._send(b"".join(_boot_step(warm_s if warm else cold_s, text) for cold_s, warm_s, text in _BOOT_STEPS))
        if not warm:
            self._send(_boot_step("0.057", b"hardware id check: " + _GREEN + b"pass") + _YELLOW)
        name = self.store.start_on_boot
        if name is not None and self.store.text(name) is not None:
            self._send(_boot_step("0.048", f"detected start on boot program: '{name}'".encode("latin-1")))
            self._send(_boot_step("0.050", b"loading..done") + _boot_step("0.061", b"running...") + LINE_END)
            self._runs_at_boot = True
            self._start_program(name)
        else:
            self._start_prompt()
        if self._reboot_due:  # by a fault that struck the boot text
            self._boot()

    def _start_prompt(self) -> None:
        self._send(_boot_step("0.063", b"start REPL") + LINE_END + _RULE + LINE_END * 2 + PROMPT)

    # ---- board to host -------------------------------------------------------------------------------------

    def _send(self, data: bytes) -> None:
        """Put the board's bytes on the line; the faults that count them strike here."""
        plan = self._plan
        if plan.reboot_at is not None and not self._rebooted and self._bytes_sent + len(data) > plan.reboot_at:
            data = data[: plan.reboot_at - self._bytes_sent]
            # Not at once: whoever sends is in the middle of something.
            self._rebooted = self._reboot_due = True
        elif self._reboot_due:
            return
        before = self._bytes_sent
        self._bytes_sent += len(data)
        if plan.unplug_at is not None and not self._was_unplugged and self._bytes_sent > plan.unplug_at:
            data = data[: plan.unplug_at - before]
            self._was_unplugged = True
            self._put_on_line(data)
            self._unplugged = True
        elif not self._unplugged:
            self._put_on_line(data)

    def _put_on_line(self, data: bytes) -> None:
        plan, now_s = self._plan, self._clock()
        stalls = plan.stall_at is not None and not self._stalled and self._bytes_sent > plan.stall_at
        if stalls:
            self._stalled = True
            through = max(plan.stall_at - (self._bytes_sent - len(data)), 0) if plan.stall_at is not None else 0
            self._from_board.feed(data[:through], now_s)
            self._from_board.hold_new(now_s + plan.stall_s)
            data = data[through:]
        self._from_board.feed(self._line_faults.feed(data), now_s)

    # ---- host to board -------------------------------------------------------------------------------------

    def _pump(self) -> None:
        """Let everything happen that can happen now."""
        self._take_lua_events()
        for byte in self._to_board.take(self._clock()):
            self._receive(byte)
            if self._reboot_due:
                self._boot()
        self._take_lua_events()

    def _take_lua_events(self) -> None:
        for _ in range(_MOST_EVENTS):
            if self._output_limit is not None and len(self._from_board) >= self._output_limit:
                return
            event = self._lua.next_event() if self._running else None
            if event is None:
                return
            if isinstance(event, Output):
                self._send(event.data)
            else:
                self._lua_ended(event)
            if self._reboot_due:
                self._boot()

    def _receive(self, byte: int) -> None:
        if self._stopped:
            return
        if self._running:
            if byte == _INTERRUPT_KEY:
                self._lua.interrupt()
            elif len(self._type_ahead) < self._type_ahead_limit:
                self._type_ahead.append(byte)
            return
        if self._command_mode is None:
            self._receive_at_prompt(byte)
            return
        left = self._command_mode.receive(byte)
        if left is None:
            return
        self._command_mode = None
        if isinstance(left, Run):
            self._start_program(left.name)
        else:
            self._send(PROMPT)

    def _receive_at_prompt(self, byte: int) -> None:
        typed = self._editor.type(byte)
        self._send(typed.echo)
        if typed.line is None:
            return
        if not self._lines and typed.line in {b"cmd", b"command"}:
            heap = self._heap_since_boot if self._memory_trace else None
            self._command_mode = CommandMode(
                self._send, self.store, heap, self.identity.clock_mhz, self._lua.command_answered
            )
            return
        self._lines.append(typed.line)
        self._running = True
        self._lua.submit(b"\n".join(self._lines))

    def _heap_since_boot(self) -> HeapFigures:
        """The board's trace does not count what Lua itself needs: it reports an untouched heap after boot."""
        heap, at_boot = self._lua.heap(), self._units_at_boot
        return dataclasses.replace(
            heap, units_used=max(heap.units_used - at_boot, 0), units_peak=max(heap.units_peak - at_boot, 0)
        )

    # ---- Lua -----------------------------------------------------------------------------------------------

    def _start_program(self, name: str) -> None:
        self._running = True
        self._lua.run_program(name)

    def _lua_ended(self, event: Ended) -> None:
        self._running = False
        if event.ending is Ending.STOPPED:
            self._stopped = True
            return
        if event.ending is Ending.REBOOTED:
            self._boot(warm=True)
            return
        if self._runs_at_boot:
            self._runs_at_boot = False
            self._send(LINE_END + _boot_step("0.063", b"start on boot program complete"))
            self._start_prompt()
        elif event.ending is Ending.INCOMPLETE:
            self._send(CONTINUATION_PROMPT)
        else:
            self._lines.clear()
            self._send(PROMPT)
        while self._type_ahead and not self._running:
            self._receive(self._type_ahead.popleft())
