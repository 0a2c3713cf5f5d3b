"""The board's Lua on this computer: its programs beside their NumPy twins, and a virtual board."""

from .interface import ShimInterface
from .runtime import BoardLua, BoardStopped, LuaError
from .simulation import LuaSimulator, simulate
from .virtual_board import BoardUnpluggedError, VirtualBoard

__all__ = [
    "BoardLua",
    "BoardStopped",
    "BoardUnpluggedError",
    "LuaError",
    "LuaSimulator",
    "ShimInterface",
    "VirtualBoard",
    "simulate",
]
