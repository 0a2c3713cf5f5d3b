"""Lua states of lupa with the board's globals: what is common to the two programs that drive one.

`board_globals.lua` makes a stock state the board's; a script beside it drives the state: `runtime.lua` for
`FirmwareLua`, `board_prompt.lua` for `LupaBoardLua`. Lua programs see no Python object: the functions that a script is
given are upvalues of its own functions, and there is no debug library that leads to them.

What is as on the board: the globals at boot and nothing else (no `_G`, `require`, `io`, `os`, `coroutine`, `debug`,
`utf8`); `import` with its errors; `run_program`, which takes one name, returns the chunk's values and ends with a full
garbage collection; floats as six decimals, and `.0` above 1e9, in `print`, `tostring`, `string.format` and
`table.concat`; no `%e` and `%g`; single precision in `tonumber`; `string.find` without magic characters and `gsub` with
a string printing `memchr`; string methods only after their import; `math.random` with one seed for ever.

What stock Lua in this process cannot imitate, and the board does differently:

- integers have 64 bits here, 32 there, though `math.maxinteger` says what it says on the board;
- numbers in program text are read in double precision here, in single there;
- `..` of a float writes up to 14 digits here, six decimals there;
- `<` and `<=` between strings work here;
- memory: no limit on blocks, arrays or objects here, none on depth of calls and functions' length but Lua's own;
- `import` knows no input, output and timing functions, since there is nothing to reach with them;
- `load` accepts text only, since bytecode could harm this process;
- `setmetatable` refuses finalizers (`__gc`), which nothing in this process could stop.

The project's own programs keep clear of all these, and `tools/lint/lint_lua.py` sees to it.
"""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Any, NoReturn

from lupa.lua54 import LuaRuntime

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .board_lua import BoardIdentity


def _no_attributes(_object: object, _name: object, _is_setting: object) -> NoReturn:
    raise AttributeError("Lua programs see no Python object")


def start(
    script: str,
    host: Mapping[str, object],
    identity: BoardIdentity,
    *,
    encoding: str | None,
    max_memory: int | None = None,
) -> tuple[LuaRuntime, dict[str, Callable[..., Any]]]:
    """Make a Lua state and start the script that drives it.

    Args:
        script: the name of its file.
        host: the functions and numbers it asks for, by name.
        identity: what the board says of itself.
        encoding: of text that crosses; None for bytes.
        max_memory: bytes of heap; None for no limit, and no cost of watching it.

    Returns:
        The state, and the functions that the script returns, by name.
    """
    lua = LuaRuntime(
        encoding=encoding,
        unpack_returned_tuples=True,
        register_eval=False,
        register_builtins=False,
        attribute_filter=_no_attributes,
        max_memory=max_memory,
    )

    def lua_value(value: object) -> object:
        return value.encode() if encoding is None and isinstance(value, str) else value

    def lua_table(items: Mapping[str, object]) -> object:
        return lua.table_from({lua_value(name): lua_value(value) for name, value in items.items()})

    def source(name: str) -> bytes:
        return (resources.files(__package__) / name).read_bytes()

    install = lua.compile(source("board_globals.lua"), name=b"=board_globals.lua")
    given = lua_table({**host, "identity": lua_table(identity.globals())})
    functions = lua.execute(source(script), install, given, name=b"=" + script.encode())
    return lua, {name if isinstance(name, str) else name.decode(): function for name, function in functions.items()}
