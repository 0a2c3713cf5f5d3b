"""The Lua programs that run on the board, and their manifest."""

from .manifest import LOADER, PROTOCOL_VERSION, Program, bare_text, programs, programs_crc32, stored_text, text

__all__ = [
    "LOADER",
    "PROTOCOL_VERSION",
    "Program",
    "bare_text",
    "programs",
    "programs_crc32",
    "stored_text",
    "text",
]
