"""What the board sends, cut into lines, prompts, questions and boot messages. Bytes in, events out.

Older firmware differs in decoration, so no particular colour is looked for; plain prompts count until the first
coloured one has been seen.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

MAX_LINE = 254
"""Characters in one line for the prompt; one more submits the line."""

MAX_EVENT_BYTES = 65536
"""A line from the board that is longer is given out in pieces. Its strings hold 16 KB, so four fit in one
`print`."""

TERMINAL_SIZE_ANSWER = b"\x1b[4;80R"
"""Four rows keep the redraws of command mode small."""

LISTING_SIZE_ANSWER = b"\x1b[24;80R"
"""The board lists no program on a terminal of less than 20 rows."""

STOPPED_TEXT = b"---- Malloc Error ----"
"""The last words of a board whose memory is full."""

_LF, _CR = b"\n\r"
_BLANK, _LETTER_N, _MINUS = b" n-"  # the last bytes of a prompt, of a size query, of the message of the stop
_CSI = re.compile(rb"\x1b\[[0-9;?]*[@-~]")
_SGR = rb"(?:\x1b\[[0-9;]{0,16}m)"
_PROMPT = re.compile(rb"(" + _SGR + rb"*)(\$\$?|/) \Z")
_PROMPT_PREFIX = re.compile(r"(?:\[[^\[\]]{1,24}\] ){0,4}")  # "[ #1 ] ", "[     0.170] "
_CURSOR_MOVE = re.compile(rb"\x1b\[[0-9;]*[HJ]")
_QUESTION = re.compile(rb"\? y/n[^:\n]{0,24}: \Z")
_BOOT = re.compile(rb"begin embLua init|create new lua state|start REPL")
_LOOK_BACK = 256  # bytes of the line that a prompt with its colours and prefix can take


class PromptKind(StrEnum):
    """Which prompt the board shows."""

    LUA = "lua"
    CONTINUATION = "continuation"
    COMMAND = "command"


_KINDS = {b"$": PromptKind.LUA, b"$$": PromptKind.CONTINUATION, b"/": PromptKind.COMMAND}


def visible(raw: bytes) -> bytes:
    """The bytes without colour codes and cursor moves."""
    return _CSI.sub(b"", raw)


@dataclass(frozen=True)
class Line:
    """A line of text.

    Args:
        raw: its bytes without the line end.
        complete: False when the board went on to something else (a prompt, a redraw) without ending it.
    """

    raw: bytes
    complete: bool = True

    @property
    def text(self) -> str:
        """The text without colours; bytes that are not UTF-8 become escapes."""
        return visible(self.raw).decode("utf-8", "backslashreplace")


@dataclass(frozen=True)
class Prompt:
    """The board waits for a line."""

    kind: PromptKind
    prefix: str = ""


@dataclass(frozen=True)
class SizeQuery:
    """The board asks for the size of the terminal; `TERMINAL_SIZE_ANSWER` will do."""


@dataclass(frozen=True)
class Question:
    """The board waits for one letter."""

    text: str


@dataclass(frozen=True)
class Booted:
    """The board restarted."""


@dataclass(frozen=True)
class Stopped:
    """The board ran out of memory and does nothing any more."""


Event = Line | Prompt | SizeQuery | Question | Booted | Stopped


class ReplTokenizer:
    """Bytes in, events out. Holds at most `MAX_EVENT_BYTES`; how the stream is cut makes no difference."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._after_line_feed = False
        self._colours_seen = False
        self._boot_reported = False

    @property
    def pending(self) -> bytes:
        """What has come since the last line end or prompt."""
        return bytes(self._line)

    def forget_pending(self) -> None:
        """Forget the unfinished line: it was an echo, and has been erased."""
        self._line.clear()

    def feed(self, data: bytes) -> list[Event]:
        """Take the next bytes of the stream.

        Returns:
            What they complete: lines, prompts, echoes.
        """
        events: list[Event] = []
        line = self._line
        for byte in data:
            if byte == _LF:
                self._end_line(events, complete=True)
                self._after_line_feed = True
                continue
            if byte == _CR and self._after_line_feed:
                self._after_line_feed = False
                continue
            self._after_line_feed = False
            line.append(byte)
            if byte == _BLANK:
                self._find_prompt(events)
            elif byte == _LETTER_N and line.endswith(b"\x1b[6n"):
                del line[-4:]
                self._end_line(events, complete=False)
                events.append(SizeQuery())
            elif byte == _MINUS and line.endswith(STOPPED_TEXT):
                self._end_line(events, complete=False)
                events.append(Stopped())
            if len(line) > MAX_EVENT_BYTES:
                self._end_line(events, complete=False)
        return events

    def _end_line(self, events: list[Event], *, complete: bool) -> None:
        raw = bytes(self._line)
        self._line.clear()
        if complete or visible(raw):
            events.append(Line(raw, complete))
        if not self._boot_reported and _BOOT.search(raw):
            self._boot_reported = True
            events.append(Booted())

    def _find_prompt(self, events: list[Event]) -> None:
        tail = bytes(self._line[-_LOOK_BACK:])
        question = _QUESTION.search(tail)
        if question:
            text = visible(tail).decode("utf-8", "backslashreplace").strip()
            self._line.clear()
            events.append(Question(text))
            return
        match = _PROMPT.search(tail)
        if match is None:
            return
        before = tail[: match.start()]
        moves = list(_CURSOR_MOVE.finditer(before))
        beside = visible(before[moves[-1].end() :] if moves else before).decode("latin-1")
        at_start = len(self._line) < _LOOK_BACK or bool(moves)
        alone = at_start and _PROMPT_PREFIX.fullmatch(beside) is not None
        coloured = bool(match[1]) or (alone and b"\x1b[" in before)
        kind = _KINDS[match[2]]
        if kind is PromptKind.COMMAND:
            found = alone and not beside and (coloured or not self._colours_seen)
        else:
            # A line above the limit is submitted without a line end: its echo stands right before the prompt.
            found = bool(match[1]) or (alone and (coloured or not self._colours_seen))
        if not found:
            return
        self._colours_seen = self._colours_seen or coloured
        self._boot_reported = False
        cut = len(self._line) - len(tail) + (moves[-1].start() if moves else 0 if alone else match.start())
        del self._line[cut:]
        self._end_line(events, complete=False)
        events.append(Prompt(kind, beside if alone else ""))


def listed_program(body: list[Line]) -> list[str]:
    """The lines of a program, from the body of its listing.

    Two empty lines come before them, and two blanks before each. The board enters command mode anew afterwards: it goes
    to the last of the four rows that `TERMINAL_SIZE_ANSWER` has, and prints its title.
    """
    return [line.text.removeprefix("  ").replace("\r", "") for line in body[2:-4]]


def command_body(lines: list[Line]) -> list[Line]:
    """What a command answered, without the redraw of the screen before it."""
    redraws = [index for index, line in enumerate(lines) if b"\x1b[K" in line.raw]
    body = lines[redraws[-1] + 1 :] if redraws else list(lines)
    blank = 0
    while blank < min(2, len(body)) and not body[blank].text:
        blank += 1
    return body[blank:]
