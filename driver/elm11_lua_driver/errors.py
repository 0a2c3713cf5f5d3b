"""The error tree.

    Elm11Error                  anything that went wrong while doing what was asked
    +-- EngineError             an engine did not compute what it was given
        +-- LuaError            the Lua inside an engine failed; keeps its message and traceback

Bad arguments are plain `ValueError`s that name the argument and its range.
"""

from __future__ import annotations


class Elm11Error(Exception):
    """Root of the tree. Its message says what happened, where, and what to do next."""

    exit_code = 1
    """Exit code of the command line programs."""


class EngineError(Elm11Error):
    """An engine did not compute what it was given: it failed, or gave back too little."""


class LuaError(EngineError):
    """The Lua inside an engine failed.

    Attributes:
        lua_message: Lua's own message.
        lua_traceback: Lua's traceback, several lines.
    """

    exit_code = 8

    def __init__(self, message: str, lua_message: str, lua_traceback: str) -> None:
        super().__init__(message)
        self.lua_message = lua_message
        self.lua_traceback = lua_traceback
