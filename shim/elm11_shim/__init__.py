"""The board's Lua on this computer: the virtual board and its Lua engines."""

from elm11_shim.virtual_board import BoardUnpluggedError, VirtualBoard

__all__ = ["BoardUnpluggedError", "VirtualBoard"]
