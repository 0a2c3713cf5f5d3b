"""The board's Lua on this computer: in this process, beside its NumPy twins, and as a virtual board."""

from .runtime import BoardLua, BoardStopped, LuaError
from .simulation import LuaSimulator, simulate
from .virtual_board import BoardUnpluggedError, VirtualBoard

__all__ = [
    "BoardLua",
    "BoardStopped",
    "BoardUnpluggedError",
    "LuaError",
    "LuaSimulator",
    "VirtualBoard",
    "simulate",
]
