"""The board's Lua programs in this process, beside their NumPy twins."""

from .interface import ShimInterface
from .runtime import BoardLua, BoardStopped, LuaError
from .simulation import LuaSimulator, simulate

__all__ = ["BoardLua", "BoardStopped", "LuaError", "LuaSimulator", "ShimInterface", "simulate"]
