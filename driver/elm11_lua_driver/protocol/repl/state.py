"""What is known of the board's prompt from one line to the next, what a line is allowed, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .tokenizer import Booted, Event, Line, Prompt, PromptKind, ReplReader, Stopped

if TYPE_CHECKING:
    from ...errors import LuaError

_KEPT_LAST_BYTES = 400


@dataclass(frozen=True)
class ReplSettings:
    """Sizes and times of the conversation.

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


class ReplState:
    """What is known of the board's prompt, from one line to the next.

    Args:
        settings: sizes and times.

    Attributes:
        mode: the prompt shown last; None when the board may be running something, or nothing is known.
        reader: every byte from the board passes through it.
        last_bytes: the last bytes from the board.
        in_step: whether the board has echoed a line typed on this connection, or told of a run that is followed on it.
            What it says comes in order, so from then on nothing is from before the connection; until then all may be.
        n_boots: how often the board has started anew.
    """

    def __init__(self, settings: ReplSettings | None = None) -> None:
        self.settings = settings or ReplSettings()
        self.reader = ReplReader()
        self.mode: PromptKind | None = None
        self.last_bytes = b""
        self.may_be_stray = False
        self.in_step = False
        self.n_boots = 0

    def receive(self, data: bytes) -> list[Event]:
        """Take bytes that came while no line was being driven.

        Args:
            data: bytes, in pieces of any length.

        Returns:
            What they complete: lines, prompts, boot text.
        """
        self.last_bytes = (self.last_bytes + data)[-_KEPT_LAST_BYTES:]
        events = self.reader.feed(data)
        for event in events:
            if isinstance(event, Prompt):
                self.mode = event.kind
            elif isinstance(event, (Booted, Stopped)):
                self.mode = None
                self.n_boots += isinstance(event, Booted)
        return events
