"""The board's Lua on this computer: its programs beside their NumPy twins, and a virtual board."""

from .interface import ShimInterface
from .runtime import BoardStopped, FirmwareLua, LuaError
from .simulation import LuaSimulator, simulate
from .virtual_board import BoardUnpluggedError, VirtualBoard

__all__ = [
    "BoardStopped",
    "BoardUnpluggedError",
    "FirmwareLua",
    "LuaError",
    "LuaSimulator",
    "ShimInterface",
    "VirtualBoard",
    "simulate",
]
