"""The board's programs in this process: calls of Lua functions, their errors, and how they are stopped.

`board_globals.py` says how this Lua differs from the board's. Errors differ as well: here they reach Python, without
the word `Error: ` and without colours, and nothing is printed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import elm11_firmware
from lupa.lua54 import lua_type

from . import board_globals
from .board_lua import BoardIdentity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

CHECK_INTERVAL: Final = 100_000
"""VM instructions between two calls of `check`: about a millisecond."""

IDENTITY: Final = BoardIdentity(hardware="none", software="elm11-lua-driver", firmware="none")
"""What programs find in `_hW`, `_sW` and the other globals in which a board tells what it is."""

# The last two calls of every traceback are those of runtime.lua that start a program.
_END_OF_TRACEBACK: Final = re.compile(r"\n\t\[C\]: in \w+ 'xpcall'\n\truntime\.lua:\d+: in [^\n]*\Z")


class LuaError(RuntimeError):
    """A Lua program failed.

    Attributes:
        message: Lua's message, with the place where the program has one: `fft.lua:12: attempt to ...`.
        traceback: Lua's stack traceback, innermost call first; empty for an error in a program's syntax.
    """

    def __init__(self, message: str, traceback: str = "") -> None:
        super().__init__(f"{message}\n{traceback}" if traceback else message)
        self.message = message
        self.traceback = traceback

    def __reduce__(self) -> tuple[type[LuaError], tuple[str, str]]:
        return LuaError, (self.message, self.traceback)


class BoardStopped(RuntimeError):  # noqa: N818  it reports what was asked for
    """A Lua program was stopped before its end: `check` asked for it, or the program called `exit` or `reboot`.

    Attributes:
        reason: "check", "exit" or "reboot".
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"the Lua program was stopped ({reason})")
        self.reason = reason

    def __reduce__(self) -> tuple[type[BoardStopped], tuple[str]]:
        return BoardStopped, (self.reason,)


@cache
def firmware() -> dict[str, str]:
    """The project's own programs by name."""
    return {program.name: elm11_firmware.text(program.name) for program in elm11_firmware.programs()}


class FirmwareLua:
    """One Lua state with the board's globals.

    Text crosses as Latin-1: each character is one byte, so `print` is binary safe.

    Args:
        programs: what `run_program` finds, by name; the project's firmware by default. Looked up at each call.
        on_print: called with each printed text, without its line end. Default: kept in `printed`.
        check: called every `check_interval` VM instructions. If it returns true, the program ends with `BoardStopped`;
            what it raises (KeyboardInterrupt too) ends the program and reaches the caller, whatever the program's own
            `pcall` does. It makes Lua about half as fast: leave it out where Python gets a turn often enough.
        check_interval: VM instructions between two checks.
    """

    def __init__(
        self,
        programs: Mapping[str, str] | None = None,
        on_print: Callable[[str], None] | None = None,
        check: Callable[[], bool | None] | None = None,
        check_interval: int = CHECK_INTERVAL,
    ) -> None:
        if check_interval < 1:
            msg = f"check_interval must be at least 1 VM instruction, not {check_interval!r}"
            raise ValueError(msg)
        self.printed: list[str] = []
        self._programs = firmware() if programs is None else programs
        self._on_print = self.printed.append if on_print is None else on_print
        self._check = check
        self._pending: BaseException | None = None
        host = {
            "write": self._write,
            "find_program": self._programs.get,
            "leave": self._leave,
            "check": None if check is None else self._may_go_on,
            "check_interval": check_interval,
        }
        self._lua, functions = board_globals.start("runtime.lua", host, IDENTITY, encoding="latin-1")
        self._guarded = functions["guarded"]
        self._compile = functions["compile"]
        self._run_program = functions["run_program"]
        self._elements = functions["elements"]
        self._memory = functions["memory"]

    def execute(self, text: str, name: str = "stdin") -> Any:  # noqa: ANN401  whatever the text returns
        """Run Lua text.

        Args:
            text: a chunk.
            name: what messages call it.

        Returns:
            What the chunk returns: nothing as None, one value as itself, several as a tuple. Lua tables and functions
            come as lupa's wrappers.

        Raises:
            LuaError: its syntax is wrong, or it failed.
            BoardStopped: see the class.
        """
        compiled = self._compile(text, name)
        if isinstance(compiled, tuple):
            raise LuaError(compiled[1])
        return self.call(compiled)

    def run_program(self, name: str) -> Any:  # noqa: ANN401
        """Run a stored program; arguments, returns and errors as in `execute`."""
        return self.call(self._run_program, name)

    def call(self, function: Any, *arguments: Any) -> Any:  # noqa: ANN401
        """Call a Lua function.

        Args:
            function: a Lua function that an earlier call returned.
            arguments: None, numbers, text, and Lua tables or functions; no other Python objects.

        Returns:
            As `execute`.

        Raises:
            TypeError: an argument is a Python object.
            LuaError: the function failed.
            BoardStopped: see the class.
        """
        for argument in arguments:
            _require_plain(argument)
        self._pending = None
        failed, what, *values = self._guarded(function, *arguments)
        if not failed:
            return tuple(values) if len(values) > 1 else values[0] if values else None
        if what == "stopped":
            # An exception that a signal raised on the very way into a callback arrives through Lua.
            lost = values[0] if values and isinstance(values[0], BaseException) else None
            raise self._pending or lost or BoardStopped("check")
        message, traceback = values
        raise LuaError(message, _END_OF_TRACEBACK.sub("", traceback))

    def table(self, items: Mapping[str, Any] | Iterable[Any]) -> Any:  # noqa: ANN401
        """A new Lua table: fields from a mapping, or elements from index 1.

        Args:
            items: what goes in; numbers, strings, booleans and tables.

        Raises:
            TypeError: an item is a Python object that Lua has no value for.
        """
        kept = dict(items) if isinstance(items, Mapping) else list(items)
        for value in kept.values() if isinstance(kept, dict) else kept:
            _require_plain(value)
        return self._lua.table_from(kept)

    def elements(self, table: Any) -> list[Any]:  # noqa: ANN401
        """Elements 1 to n of a Lua table without holes, at most some thousands.

        Args:
            table: a Lua table.
        """
        values = self._elements(table)
        return list(values) if isinstance(values, tuple) else [] if values is None else [values]

    @property
    def memory_bytes(self) -> int:
        """Bytes that the Lua state holds, after a full garbage collection."""
        return int(self._memory())

    def _write(self, text: str) -> bool:
        try:
            self._on_print(text)
        except BaseException as exception:  # noqa: BLE001  kept for the caller, past any pcall
            self._pending = exception
            return False
        return True

    def _may_go_on(self) -> bool:
        try:
            assert self._check is not None
            if not self._check():
                return True
            self._pending = BoardStopped("check")
        except BaseException as exception:  # noqa: BLE001
            self._pending = exception
        return False

    def _leave(self, how: str) -> bool:
        self._pending = BoardStopped(how)
        return False


def _require_plain(value: object) -> None:
    if not (value is None or type(value) in (bool, int, float, str) or lua_type(value)):
        msg = f"only None, bool, int, float, str and Lua values can be passed to Lua, not {type(value).__name__}"
        raise TypeError(msg)
