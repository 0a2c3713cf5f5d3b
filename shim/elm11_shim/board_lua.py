"""What the virtual board asks of a Lua engine: one small interface, implemented on lupa and on emblua.

A text is submitted, events come back: output while it runs, then how it ended. Nothing here blocks but
``wait``.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

MALLOC_ERROR = b"\n---- Malloc Error ----\n\rError: out of heap_memory!\n\r"
"""The board's last words when fewer bytes are free than were asked for."""

ProgramLookup = Callable[[str], bytes | None]
"""The text of a stored program, or None."""


@dataclass(frozen=True, slots=True)
class BoardIdentity:
    """What the board says of itself in ``_hW``, ``_sW``, ``_fW``, ``_cI`` and ``_freq``.

    Attributes:
        hardware: the hardware's own id; two boards on one computer need two.
        software: the firmware's build.
        firmware: the overlay's version.
        core: the number of the core that Lua runs on.
        clock_mhz: the clock in MHz.
    """

    hardware: str = "virtual-elm11"
    software: str = "2026-07-01"
    firmware: str = "virtual"
    core: int = 1
    clock_mhz: int = 66

    def globals(self) -> dict[str, str | int]:
        """The identity as globals of Lua."""
        return {
            "_hW": self.hardware,
            "_sW": self.software,
            "_fW": self.firmware,
            "_cI": f"#{self.core}of1",
            "_freq": self.clock_mhz,
        }


@dataclass(frozen=True, slots=True)
class HeapFigures:
    """The Lua heap.

    Attributes:
        bytes_used: bytes in blocks that are in use.
        bytes_peak: the most there were since the last reset.
        units_used: 128-byte units in use.
        units_peak: the most there were since the last reset.
    """

    bytes_used: int
    bytes_peak: int
    units_used: int
    units_peak: int


class Ending(enum.Enum):
    """How a submitted text ended."""

    RAN = enum.auto()
    """It ran to its end, or to an error whose text was output."""
    INCOMPLETE = enum.auto()
    """Nothing ran: the text wants another line."""
    SYNTAX_ERROR = enum.auto()
    """Nothing ran."""
    STOPPED = enum.auto()
    """The board has stopped for good; only a boot helps."""
    REBOOTED = enum.auto()
    """The text asked for a reboot."""


@dataclass(frozen=True, slots=True)
class Output:
    """Bytes that a running text sent to the serial port.

    Attributes:
        data: the bytes.
    """

    data: bytes


@dataclass(frozen=True, slots=True)
class Ended:
    """The last event of a submitted text.

    Attributes:
        ending: how it ended.
    """

    ending: Ending


LuaEvent = Output | Ended


class BoardLua(Protocol):
    """A Lua engine that behaves as the board's, as well as it can."""

    def boot(self, identity: BoardIdentity, programs: ProgramLookup) -> None:
        """Start a new Lua state, ending whatever runs. Also mends an engine that has stopped.

        Args:
            identity: what the board says of itself.
            programs: gives the text of a stored program.
        """

    def submit(self, text: bytes) -> None:
        """Begin to run what was typed: one line, or several joined by LF. Nothing else may be running.

        Args:
            text: what was typed.
        """

    def run_program(self, name: str) -> None:
        """Begin to run a stored program and print what it returns. Nothing else may be running.

        Args:
            name: of the program.
        """

    def command_answered(self, command: bytes) -> None:
        """Tell what was typed in command mode: the board remembers it on the same heap as Lua.

        Args:
            command: the line without its LF.
        """

    def limit_output(self, n_bytes: int) -> None:
        """Let a running text wait when it is about this far ahead of ``next_event``.

        Args:
            n_bytes: how much of its output may wait; 1 or more.
        """

    def interrupt(self) -> None:
        """Stop what runs, as the ``q`` key does. Does nothing when nothing runs."""

    def next_event(self) -> LuaEvent | None:
        """The next event, or None when there is none yet."""

    def wait(self, timeout_s: float) -> None:
        """Return when there may be an event, at the latest after ``timeout_s`` seconds.

        Args:
            timeout_s: longest wait, seconds.
        """

    def heap(self, *, reset_peak: bool = False) -> HeapFigures:
        """Figures of the heap. Nothing may be running.

        Args:
            reset_peak: whether to count the peak from now on.
        """

    def close(self) -> None:
        """Free everything. A closed engine can be booted again."""
