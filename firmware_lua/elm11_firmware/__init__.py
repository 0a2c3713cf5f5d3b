"""The Lua programs that run on the board, and their manifest."""

from .manifest import Program, programs, text

__all__ = ["Program", "programs", "text"]
