"""What is known of the board's prompt from one line to the next; the settings of a line, its output and its result."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from ...errors import BoardBusyError, BoardTimeoutError
from .lua_errors import split_error
from .tokenizer import STOPPED_TEXT, Booted, Event, Line, Prompt, PromptKind, ReplTokenizer, Stopped

if TYPE_CHECKING:
    from ...errors import LuaError

_KEPT_LAST_BYTES = 400
_INTERRUPTION = "<user interruption>"
_MAX_KEPT_OUTPUT = 1 << 20
_TALKS_S = 1.0  # bytes without a pause for so long are a board that talks by itself

OVERHEAD_S = 10.0
"""What a command may take beyond the time asked for: to find the prompt, and to type damaged lines again."""

BUSY = "It is running a program: wait for its end, follow it (elm11 attach), or stop it (elm11 cancel)."


@dataclass(frozen=True)
class ReplSettings:
    """Sizes and times of typing and waiting.

    Args:
        byte_time_s: how long one byte takes to leave (pacing included): deadlines begin when the last has
            left.
        piece: characters typed before their echo is awaited.
        echo_timeout_s: longest wait for an echo. USB adds 16 ms, a garbage collection 13 ms; the rest is
            caution.
        confirm_s: pause between the echo of the last character and the line feed, in which a doubled last
            character would show. One USB period.
        quiet_s: a pause this long ends what the board was saying.
        settle_timeout_s: longest wait for a board that talks by itself to pause.
        attempts: how often a line is typed before giving up.
        interrupt_timeout_s: longest wait for the prompt after each `q`.
    """

    byte_time_s: float = 0.0012
    piece: int = 32
    echo_timeout_s: float = 1.0
    confirm_s: float = 0.02
    quiet_s: float = 0.25
    settle_timeout_s: float = 5.0
    attempts: int = 8
    interrupt_timeout_s: float = 2.0


@dataclass(frozen=True)
class ExecutionResult:
    """What came of one line.

    Args:
        lines: what the board printed, without the error.
        prompt: the prompt that ended it; None when a question or a pause did.
        question: the question that ended it, or empty.
        error: the Lua error that ended it, or None.
        interrupted: whether it was stopped by `q`.
        attempts: how often the line was typed.
        damaged: whether bytes of the output are known to be damaged or lost.
        truncated: whether early output was dropped to bound the memory; events have had all of it.
    """

    lines: tuple[Line, ...]
    prompt: PromptKind | None
    question: str = ""
    error: LuaError | None = None
    interrupted: bool = False
    attempts: int = 1
    damaged: bool = False
    truncated: bool = False

    @property
    def text(self) -> str:
        """The output, lines separated by LF, without a line feed at the end."""
        return "\n".join(line.text for line in self.lines)


class Deadline:
    """The end of a command. Bytes from the board move every other deadline, but not this one."""

    def __init__(self, seconds: float, now_s: float, session: ReplSession) -> None:
        self.at_s = now_s + seconds
        self._seconds = seconds
        self._session = session
        self._heard_s = self._pause_s = now_s

    def check(self, data: bytes, now_s: float, state: str) -> None:
        """Take note of what came, possibly nothing; when the time is over, raise.

        Raises:
            BoardBusyError: the time is over, and the board talks without a pause.
            BoardTimeoutError: the time is over.
        """
        session = self._session
        if data:
            if now_s - self._heard_s > session.settings.quiet_s:
                self._pause_s = now_s
            self._heard_s = now_s
        if now_s < self.at_s:
            return
        session.mode = None
        talks = now_s - self._heard_s <= session.settings.quiet_s and now_s - self._pause_s > _TALKS_S
        kind, what, next_step = (
            (BoardBusyError, "the board keeps talking by itself.", BUSY)
            if talks
            else (
                BoardTimeoutError,
                f"the board did not finish within {self._seconds:.0f} s, whatever it sent.",
                "Reset the board, then try again.",
            )
        )
        raise kind(what, state=state, next_step=next_step, last_bytes=session.last_bytes)


class Phase(Enum):
    """What the machine is doing; the value is for messages."""

    SETTLE = "waiting for the board to pause"
    PROBE = "looking for the prompt"
    ERASE = "erasing a damaged line"
    TYPE = "typing a line"
    MISMATCH = "reading a damaged echo"
    CONFIRM = "making sure that the echo has ended"
    SUBMIT = "waiting for the echo of the line feed"
    RUN = "waiting for the prompt"
    EARLY = "waiting for the prompt after a line that was submitted by a damaged byte"
    LEAVE = "leaving an unfinished statement"
    DONE = "done"


class Output:
    """What a running line has printed so far.

    Attributes:
        damaged: whether bytes of it are known to be damaged or lost.
    """

    def __init__(self) -> None:
        self.damaged = False
        self._lines: list[Line] = []
        self._kept = 0
        self._truncated = False

    @property
    def text(self) -> str:
        """The lines, without the last words of a board whose memory is full."""
        return "\n".join(line.text for line in self._lines if line.raw != STOPPED_TEXT)

    def keep(self, line: Line) -> None:
        """Add a line; the oldest ones go when there is too much."""
        self._lines.append(line)
        self._kept += len(line.raw) + 1
        while self._kept > _MAX_KEPT_OUTPUT:
            self._kept -= len(self._lines.pop(0).raw) + 1
            self._truncated = True

    def clear(self) -> None:
        """Forget the lines."""
        self._lines.clear()
        self._kept = 0

    def result(self, prompt: PromptKind | None, question: str, attempts: int) -> ExecutionResult:
        """The result of a line that ended with that prompt or question, typed that many times."""
        lines, error = split_error(self._lines)
        interrupted = error is not None and _INTERRUPTION in error.lua_message
        return ExecutionResult(
            tuple(lines), prompt, question, error, interrupted, attempts, self.damaged, self._truncated
        )


class ReplSession:
    """What is known of the board's prompt, from one line to the next.

    Attributes:
        mode: the prompt shown last; None when the board may be running something, or nothing is known.
        tokenizer: every byte from the board passes through it.
        last_bytes: the last bytes from the board.
        synchronised: whether the board has echoed a line typed on this connection, or reported a run that is followed
            on it. What it says comes in order, so from then on nothing is from before the connection; until then all
            may be.
        n_boots: how often the board has restarted.
    """

    def __init__(self, settings: ReplSettings | None = None) -> None:
        self.settings = settings or ReplSettings()
        self.tokenizer = ReplTokenizer()
        self.mode: PromptKind | None = None
        self.last_bytes = b""
        self.may_be_stray = False
        self.synchronised = False
        self.n_boots = 0

    def receive(self, data: bytes) -> list[Event]:
        """Take bytes that came while no line was being driven."""
        self.last_bytes = (self.last_bytes + data)[-_KEPT_LAST_BYTES:]
        events = self.tokenizer.feed(data)
        for event in events:
            if isinstance(event, Prompt):
                self.mode = event.kind
            elif isinstance(event, (Booted, Stopped)):
                self.mode = None
                self.n_boots += isinstance(event, Booted)
        return events
