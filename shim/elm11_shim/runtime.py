"""The board's Lua in this process: stock Lua 5.4 through lupa, with the board's globals.

What is as on the board: the globals at boot and nothing else (no `require`, `io`, `os`, `coroutine`, `debug`, `utf8`);
`import` with its errors; `run_program`, which takes one name, returns the chunk's values and ends with a full garbage
collection; floats as six decimals, and `.0` above 1e9, in `print`, `tostring`, `string.format("%s")` and
`table.concat`; no `%e` and `%g`; `string.find` without magic characters and `gsub` with a string failing with
`memchr`; string methods only after their import; `math.random` with one seed for ever.

What stock Lua in this process cannot imitate, and the board does differently:

- integers have 64 bits here, 32 there;
- numbers in program text, and in `tonumber`, are read in double precision here, in single there;
- `..` of a float writes up to 14 digits here, six decimals there;
- `<` and `<=` between strings work here;
- memory: no limit on blocks, arrays or objects here, none on depth of calls and functions' length but Lua's own;
- the values of `_sW`, `_fW`, `_hW` and of the pin and core constants are made up; so are the sequences of
  `math.random`. `import` knows no input, output and timing functions, since there is nothing to reach with them;
- `load` accepts text only, since bytecode could harm this process.

The project's own programs keep clear of all these, and `tools/lint_lua.py` sees to it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final, NoReturn

import elm11_firmware
from lupa.lua54 import LuaRuntime, lua_type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

CHECK_INTERVAL: Final = 100_000
"""VM instructions between two calls of `check`: about a millisecond."""

# The last two calls of every traceback are those of board.lua that start a program.
_END_OF_TRACEBACK: Final = re.compile(r"\n\t\[C\]: in \w+ 'xpcall'\n\tboard\.lua:\d+: in [^\n]*\Z")


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


def _no_attributes(_object: object, _name: object, _is_setting: object) -> NoReturn:
    raise AttributeError("Lua programs see no Python object")


class BoardLua:
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
        self._runtime = LuaRuntime(
            encoding="latin-1",
            unpack_returned_tuples=True,
            register_eval=False,
            register_builtins=False,
            attribute_filter=_no_attributes,
        )
        host = {
            "write": self._write,
            "program": self._programs.get,
            "leave": self._leave,
            "check": None if check is None else self._may_go_on,
            "check_interval": check_interval,
            "software": "elm11-lua-driver shim",
            "firmware": "none",
            "hardware": "SHIM0000",
        }
        source = (resources.files(__package__) / "board.lua").read_text(encoding="ascii")
        board = self._runtime.execute(source, self._runtime.table_from(host), name="=board.lua")
        self._guarded = board.guarded
        self._compile = board.compile
        self._run_program = board.run_program
        self._elements = board.elements
        self._memory = board.memory

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

        Raises:
            TypeError: an item is a Python object that Lua has no value for.
        """
        kept = dict(items) if isinstance(items, Mapping) else list(items)
        for value in kept.values() if isinstance(kept, dict) else kept:
            _require_plain(value)
        return self._runtime.table_from(kept)

    def elements(self, table: Any) -> list[Any]:  # noqa: ANN401
        """Elements 1 to n of a Lua table without holes, at most some thousands."""
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
