"""The board's Lua through lupa: installed everywhere, close enough for most work (docs/virtual-board.md).

A submitted text runs in a thread of its own. `board_prompt.lua` is the part of it in Lua.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from lupa.lua54 import LuaError, LuaMemoryError

from . import board_globals
from .board_lua import MALLOC_ERROR, BoardIdentity, Ended, Ending, HeapFigures, LuaEvent, Output, ProgramLookup

if TYPE_CHECKING:
    from collections.abc import Callable

    from lupa.lua54 import LuaRuntime

# Objects of a 64-bit Lua are at most twice as large, and garbage may double the heap before it is
# collected: what needs more than this would have stopped the board long before.
MAX_MEMORY = 8 * 1024 * 1024
# A program that prints faster than the host reads waits here, as it would for the serial port.
_MAX_WAITING_OUTPUT = 1024 * 1024
# Lua looks at the host every thousand instructions. What does not, runs inside one call of a C function (a pattern that
# backtracks without end, say); its thread is left behind with its Lua state, and ends with this process.
_END_TIMEOUT_S = 1.0
_BYTES_PER_UNIT = 128
_ENDINGS = {
    b"ran": Ending.RAN,
    b"incomplete": Ending.INCOMPLETE,
    b"syntax": Ending.SYNTAX_ERROR,
    b"rebooted": Ending.REBOOTED,
}
_NOTHING, _INTERRUPT, _GIVE_UP = range(3)


class LupaBoardLua:
    """Stock Lua 5.4 (64-bit integers) with the board's globals, error text and number formatting."""

    def __init__(self, max_memory: int = MAX_MEMORY) -> None:
        """Remember the limit; the Lua state is made at ``boot``.

        Args:
            max_memory: bytes of Lua heap at which the board stops, counted in this computer's sizes.
        """
        self._max_memory = max_memory
        self._lua: LuaRuntime | None = None
        self._board: dict[str, Callable[..., Any]] = {}
        self._run: _Run | None = None
        self._output_limit = _MAX_WAITING_OUTPUT
        self._peak_bytes = 0

    def boot(self, identity: BoardIdentity, programs: ProgramLookup) -> None:
        """Make a new Lua state, ending whatever runs. See `BoardLua.boot`."""
        self.close()
        lua, self._board = board_globals.start(
            "board_prompt.lua",
            {
                "emit": self._emit,
                "pending": self._pending,
                "find_program": lambda name: programs(name.decode("latin-1")),
            },
            identity,
            encoding=None,
            max_memory=self._max_memory,
        )
        self._lua = lua
        self._peak_bytes = int(self._board["heap_bytes"]())

    def submit(self, text: bytes) -> None:
        """Begin to run what was typed.

        Args:
            text: what was typed.

        Raises:
            RuntimeError: something is running already.
        """
        self._start("submit", text)

    def run_program(self, name: str) -> None:
        """Begin to run a stored program and print what it returns.

        Args:
            name: of the program.

        Raises:
            RuntimeError: something is running already.
        """
        self._start("run_program", name.encode("latin-1"))

    def command_answered(self, command: bytes) -> None:
        """Do nothing: this heap is not the board's."""

    def limit_output(self, n_bytes: int) -> None:
        """Let what is run from now on wait when so much of its output waits.

        Args:
            n_bytes: how much may wait; 1 or more.
        """
        self._output_limit = n_bytes

    def interrupt(self) -> None:
        """Stop what runs, as the ``q`` key does."""
        if self._run is not None:
            self._run.want(_INTERRUPT)

    def next_event(self) -> LuaEvent | None:
        """The next event, or None when there is none yet."""
        run = self._run
        event = run.next_event() if run is not None else None
        if isinstance(event, Ended):
            self._run = None
        return event

    def wait(self, timeout_s: float) -> None:
        """Return when there may be an event, at the latest after ``timeout_s`` seconds.

        Args:
            timeout_s: longest wait, seconds.
        """
        run = self._run
        if run is not None:
            run.wait(timeout_s)

    def heap(self, *, reset_peak: bool = False) -> HeapFigures:
        """Lua's count of its heap, in this computer's sizes; the peak is the most asked for. See `BoardLua.heap`."""
        used = int(self._board["heap_bytes"]())
        self._peak_bytes = used if reset_peak else max(used, self._peak_bytes)
        units, peak_units = (-(-size // _BYTES_PER_UNIT) for size in (used, self._peak_bytes))
        return HeapFigures(used, self._peak_bytes, units, peak_units)

    def close(self) -> None:
        """End what runs and free the Lua state."""
        run = self._run
        if run is not None:
            run.want(_GIVE_UP)
            run.join(_END_TIMEOUT_S)
        self._run = None
        self._board = {}
        self._lua = None

    def _start(self, function: str, argument: bytes) -> None:
        if self._lua is None:
            raise RuntimeError("the Lua state does not exist; boot it first")
        if self._run is not None:
            raise RuntimeError("another text is running")
        self._run = _Run(self._board[function], argument, self._output_limit)
        self._run.start()

    def _emit(self, data: bytes) -> None:
        run = self._run
        if run is not None:
            run.emit(data)

    def _pending(self) -> int:
        run = self._run
        return _NOTHING if run is None else run.take_want()


class _Run:
    """One submitted text, running in a thread."""

    def __init__(self, function: Callable[..., Any], argument: bytes, output_limit: int) -> None:
        self._function = function
        self._argument = argument
        self._output_limit = output_limit
        self._changed = threading.Condition()
        self._events: deque[LuaEvent] = deque()
        self._waiting_output = 0
        self._wanted = _NOTHING
        self._thread = threading.Thread(target=self._work, name="board Lua", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self, timeout_s: float) -> None:
        self._thread.join(timeout_s)

    def want(self, wanted: int) -> None:
        with self._changed:
            self._wanted = wanted
            self._changed.notify_all()

    def take_want(self) -> int:
        """What the host wants now; a ``q`` counts once, giving up stays."""
        if self._wanted == _NOTHING:  # without the lock: this is asked every thousand instructions
            return _NOTHING
        with self._changed:
            wanted = self._wanted
            if wanted == _INTERRUPT:
                self._wanted = _NOTHING
            return wanted

    def emit(self, data: bytes) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting_output < self._output_limit or self._wanted != _NOTHING)
            if self._wanted != _GIVE_UP:
                self._waiting_output += len(data)
                self._events.append(Output(data))
                self._changed.notify_all()

    def next_event(self) -> LuaEvent | None:
        with self._changed:
            if not self._events:
                return None
            event = self._events.popleft()
            if isinstance(event, Output):
                self._waiting_output -= len(event.data)
                self._changed.notify_all()
            return event

    def wait(self, timeout_s: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: bool(self._events), max(timeout_s, 0.0))

    def _work(self) -> None:
        try:
            ending = _ENDINGS.get(self._function(self._argument), Ending.STOPPED)
        except (LuaMemoryError, LuaError):
            # Out of memory where Lua could not catch it, or in the prompt itself.
            ending = Ending.STOPPED
        with self._changed:
            if ending is Ending.STOPPED:
                self._events.append(Output(MALLOC_ERROR))
            self._events.append(Ended(ending))
            self._changed.notify_all()
