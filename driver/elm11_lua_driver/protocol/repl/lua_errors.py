"""Errors that the board reports: Lua's with their traceback, full memory, and a restart during a session."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from ...errors import BoardRebootedError, BoardStoppedError, LuaError

if TYPE_CHECKING:
    from .tokenizer import Line

_TRACEBACK = "stack traceback:"
_ALIKE = 0.6  # a letter may be another, and a colour code may stand there in pieces
_POSITIONED = re.compile(rb"(?:\x1b\[[0-9;]*m)+[^\x1b]+\x1b\[[0-9;]*m(?:\x1b\[[0-9;]*m)*:[0-9]+: ")
_POSITION = re.compile(r"[^\s:]+:[0-9]+: (?:Error: )?")


def split_error(lines: list[Line]) -> tuple[list[Line], LuaError | None]:
    """Separate what a program printed from the error it ended with.

    Returns:
        The lines before the error, and the error; None when the last lines are not a traceback, of which one line may
        be damaged. (A program under `pcall` prints the first two lines of an error and goes on: that is output.)
    """
    texts = [line.text for line in lines]
    trace = _start_of_traceback(texts)
    if trace is None:
        return lines, None
    # The message is one line, or several when it holds line feeds: it begins at a position in colours, or
    # behind the two lines "Error: ..." and "source: ...".
    first = max(trace - 1, 0)
    for candidate in range(trace - 1, max(trace - 20, -1), -1):
        if candidate and texts[candidate].startswith("source: ") and texts[candidate - 1].startswith("Error: "):
            # The pair of this error repeats its message; a pair that pcall left behind does not.
            if texts[candidate - 1].removeprefix("Error: ") in "\n".join(texts[candidate + 1 : trace]):
                first = candidate + 1
            break
        if _POSITIONED.match(lines[candidate].raw):
            first = candidate
            break
    message = "\n".join(texts[first:trace])
    printed = first
    if (
        first >= 2 and texts[first - 1].startswith("source: ") and texts[first - 2].startswith("Error: ")
    ):  # the two lines
        printed = first - 2
        position = _POSITION.match(message)
        if position:
            message = message[: position.end()].removesuffix("Error: ") + message[position.end() :]
    return lines[:printed], LuaError(message, message, "\n".join(texts[trace:]))


def _start_of_traceback(texts: list[str]) -> int | None:
    """Where the traceback begins that ends the output; None if none does."""
    damaged = 0
    for index in range(len(texts) - 1, -1, -1):
        text = texts[index]
        if text == _TRACEBACK:
            return index
        if text.startswith("\t"):
            continue
        damaged += 1
        if damaged > 1:
            return None
        if SequenceMatcher(None, text, _TRACEBACK).ratio() > _ALIKE:
            return index if index + 1 < len(texts) else None
        if ": in " not in text:  # nor a call without its tab
            return None
    return None


def stopped_error(state: str, last_bytes: bytes, output: str = "") -> BoardStoppedError:
    """The error for a board that has reported that its memory is full."""
    error = BoardStoppedError(
        "the board ran out of memory and stopped.",
        state=state,
        next_step="Switch the board off and on; then give it a smaller job.",
        last_bytes=last_bytes,
    )
    error.output = output
    return error


def rebooted_error(state: str, last_bytes: bytes) -> BoardRebootedError:
    """The error for a board that has restarted during a session."""
    return BoardRebootedError(
        "the board restarted; what it held in memory is gone.",
        state=state,
        next_step="Look at its power supply and its USB cable, then start again.",
        last_bytes=last_bytes,
    )
