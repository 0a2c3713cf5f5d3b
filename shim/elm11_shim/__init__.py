"""The board's Lua programs in this process, beside their NumPy twins."""

from .runtime import BoardLua, BoardStopped, LuaError
from .simulation import LuaSimulator, simulate

__all__ = ["BoardLua", "BoardStopped", "LuaError", "LuaSimulator", "simulate"]
