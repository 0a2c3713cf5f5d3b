"""The board's prompt: bytes in, events out; and the typing of one line. Knows no port and no clock.

`ReplReader` cuts what the board sends into lines, prompts, questions and boot messages. `ReplSession` is
what is known of the board's state over several lines, `Execution` drives one line:

    settle -> (erase) -> type in pieces, each compared with its echo -> LF -> collect output -> prompt

A damaged echo means a damaged line: it is erased with backspaces and typed again, and never runs. Lost
prompts are found by a line feed, which does nothing at a prompt and nothing while Lua runs. `q` is sent by
`Execution.interrupt` only: at the prompt it is a letter, and while Lua runs it stops somebody's work.

The letter that a damaged byte may turn into LF (``J``, ``*``, ...) submits the first part of a line.
Nothing can prevent that on this wire, so it is noticed: see ``repeatable`` in `ReplSession.execute`.

Older firmware differs in decoration, so no particular colour is looked for; plain prompts count until the
first coloured one has been seen.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import Enum, StrEnum

from elm11_lua_driver.errors import (
    BoardBusyError,
    BoardRebootedError,
    BoardStoppedError,
    BoardTimeoutError,
    Elm11Error,
    LuaError,
    ProtocolError,
)

MAX_LINE = 254
"""Characters in one line for the prompt; one more submits the line."""

MAX_EVENT_BYTES = 65536
"""A line from the board that is longer is given out in pieces. Its strings hold 16 KB, so four fit in one
`print`."""

TERMINAL_SIZE_ANSWER = b"\x1b[4;80R"
"""Four rows keep the redraws of command mode small."""

_LF, _CR, _ESC, _BRACKET, _BACKSPACE = b"\n\r\x1b[\b"
_BLANK, _LETTER_N, _MINUS = b" n-"  # the last bytes of a prompt, of a size query, of the message of the stop
_CSI = re.compile(rb"\x1b\[[0-9;?]*[@-~]")
_SGR = rb"(?:\x1b\[[0-9;]{0,16}m)"
_PROMPT = re.compile(rb"(" + _SGR + rb"*)(\$\$?|/) \Z")
_PROMPT_PREFIX = re.compile(r"(?:\[[^\[\]]{1,24}\] ){0,4}")  # "[ #1 ] ", "[     0.170] "
_CURSOR_MOVE = re.compile(rb"\x1b\[[0-9;]*[HJ]")
_QUESTION = re.compile(rb"\? y/n[^:\n]{0,24}: \Z")
_STOPPED = b"---- Malloc Error ----"
_BOOT = re.compile(rb"begin embLua init|create new lua state|start REPL")
_LOOK_BACK = 256  # bytes of the line that a prompt with its colours and prefix can take


class PromptKind(StrEnum):
    """Which prompt the board shows."""

    LUA = "lua"
    CONTINUATION = "continuation"
    COMMAND = "command"


_KINDS = {b"$": PromptKind.LUA, b"$$": PromptKind.CONTINUATION, b"/": PromptKind.COMMAND}


def visible(raw: bytes) -> bytes:
    """The bytes without colour codes and cursor moves.

    Args:
        raw: bytes from the board.
    """
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
    """The board waits for a line.

    Args:
        kind: for which kind of line.
        prefix: text before it, such as ``"[ #1 ] "``.
    """

    kind: PromptKind
    prefix: str = ""


@dataclass(frozen=True)
class SizeQuery:
    """The board waits to be told the size of the terminal; `TERMINAL_SIZE_ANSWER` will do."""


@dataclass(frozen=True)
class Question:
    """The board waits for one letter.

    Args:
        text: the question.
    """

    text: str


@dataclass(frozen=True)
class Booted:
    """The board started anew."""


@dataclass(frozen=True)
class Stopped:
    """The board ran out of memory and does nothing any more."""


Event = Line | Prompt | SizeQuery | Question | Booted | Stopped


class ReplReader:
    """Bytes in, events out. Holds at most `MAX_EVENT_BYTES`; how the stream is cut makes no difference."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._after_line_feed = False
        self._colours_seen = False
        self._boot_told = False

    @property
    def pending(self) -> bytes:
        """What has come since the last line end or prompt."""
        return bytes(self._line)

    def forget_pending(self) -> None:
        """Forget the unfinished line: it was an echo, and has been erased."""
        self._line.clear()

    def feed(self, data: bytes) -> list[Event]:
        """Take the next bytes of the stream.

        Args:
            data: bytes, in pieces of any length.

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
            elif byte == _MINUS and line.endswith(_STOPPED):
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
        if not self._boot_told and _BOOT.search(raw):
            self._boot_told = True
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
        self._boot_told = False
        cut = len(self._line) - len(tail) + (moves[-1].start() if moves else 0 if alone else match.start())
        del self._line[cut:]
        self._end_line(events, complete=False)
        events.append(Prompt(kind, beside if alone else ""))


# ---- Lua's errors ----------------------------------------------------------------------------------------

_TRACEBACK = "stack traceback:"
_ALIKE = 0.6  # a letter may be another, and a colour code may stand there in pieces
_INTERRUPTION = "<user interruption>"
_POSITIONED = re.compile(rb"(?:\x1b\[[0-9;]*m)+[^\x1b]+\x1b\[[0-9;]*m(?:\x1b\[[0-9;]*m)*:[0-9]+: ")
_POSITION = re.compile(r"[^\s:]+:[0-9]+: (?:Error: )?")


def split_error(lines: list[Line]) -> tuple[list[Line], LuaError | None]:
    """Separate what a program printed from the error it ended with.

    Args:
        lines: what came between the echo and the prompt.

    Returns:
        The lines before the error, and the error; None when the last lines are not a traceback, of which one line may
        be damaged. (A program under `pcall` prints the first two lines of an error and goes on: that is output.)
    """
    texts = [line.text for line in lines]
    trace = _place_of_traceback(texts)
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


def _place_of_traceback(texts: list[str]) -> int | None:
    """Where the traceback begins that ends the output; None if none does."""
    damaged = 0
    for place in range(len(texts) - 1, -1, -1):
        text = texts[place]
        if text == _TRACEBACK:
            return place
        if text.startswith("\t"):
            continue
        damaged += 1
        if damaged > 1:
            return None
        if SequenceMatcher(None, text, _TRACEBACK).ratio() > _ALIKE:
            return place if place + 1 < len(texts) else None
        if ": in " not in text:  # nor a call without its tab
            return None
    return None


def stopped_error(state: str, last_bytes: bytes) -> BoardStoppedError:
    """The error for a board that has told that its memory is full.

    Args:
        state: what the driver was doing.
        last_bytes: the last bytes from the board.
    """
    return BoardStoppedError(
        "the board ran out of memory and stopped.",
        state=state,
        next_step="Switch the board off and on; then give it a smaller job.",
        last_bytes=last_bytes,
    )


def rebooted_error(state: str, last_bytes: bytes) -> BoardRebootedError:
    """The error for a board that has told that it starts, in the midst of a session.

    Args:
        state: what the driver was doing.
        last_bytes: the last bytes from the board.
    """
    return BoardRebootedError(
        "the board started anew; what it held in memory is gone.",
        state=state,
        next_step="Look at its power supply and its USB cable, then start again.",
        last_bytes=last_bytes,
    )


def command_body(lines: list[Line]) -> list[Line]:
    """What a command answered, without the redraw of the screen before it.

    Args:
        lines: what came between the echo and the prompt of command mode.
    """
    redraws = [place for place, line in enumerate(lines) if b"\x1b[K" in line.raw]
    body = lines[redraws[-1] + 1 :] if redraws else list(lines)
    blank = 0
    while blank < min(2, len(body)) and not body[blank].text:
        blank += 1
    return body[blank:]


# ---- typing one line -------------------------------------------------------------------------------------


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


_MAX_RESENDS = 3
_MAX_BOOTS = 3  # that may have waited for somebody to open the port; a board that goes on so has no power
_SILENT_ATTEMPTS = 3
_KEPT_LAST_BYTES = 400
_MAX_KEPT_OUTPUT = 1 << 20
# A backspace for each place of a full line and then some: whatever was there is gone.
_ALWAYS_EMPTY = MAX_LINE + 8
# Each line is a syntax error outside strings and comments, so the unfinished statement is thrown away,
# silently. The others first end a long string or comment.
_WAYS_OUT = (b"!", b"!", b"]]!", b"]=]!", b"]==]!", b"]===]!")


class _Phase(Enum):
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


class ReplSession:
    """What is known of the board's prompt, from one line to the next.

    Args:
        settings: sizes and times.

    Attributes:
        mode: the prompt shown last; None when the board may be running something, or nothing is known.
        reader: every byte from the board passes through it.
        last_bytes: the last bytes from the board.
        in_step: whether the board has echoed a line that this session typed, or told of a run that the session follows.
            What it says comes in order, so from then on nothing is from before the session; until then all may be.
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

    def execute(
        self,
        line: str,
        *,
        timeout_s: float,
        silence_s: float | None = None,
        repeatable: bool = False,
        multi_line: bool = False,
        expect_reboot: bool = False,
        ends_when_quiet_s: float | None = None,
    ) -> Execution:
        """Drive one line.

        Args:
            line: at most `MAX_LINE` printable ASCII characters. With at most 253, no single doubled byte
                can submit the line early.
            timeout_s: longest time from the line feed to the prompt.
            silence_s: longest time without a byte while the line runs; None for no such limit.
            repeatable: whether the line may be typed again although a part of it (up to a damaged byte) has
                run. True for lines whose beginnings do nothing or the same, such as one call: ``f(1, 2)``.
            multi_line: whether the continuation prompt is a good end. Otherwise an unfinished statement is
                thrown away and reported as a `LuaError`.
            expect_reboot: whether boot text is what the line is for.
            ends_when_quiet_s: a pause this long is an end too (for commands that do not end with a prompt).

        Returns:
            The conversation, to be driven with bytes and the time.

        Raises:
            ValueError: the line is too long or has other characters.
        """
        if len(line) > MAX_LINE:
            raise ValueError(f"line must have at most {MAX_LINE} characters, this one has {len(line)}")
        if not (line.isascii() and line.isprintable()):
            raise ValueError(f"line must be printable ASCII, not {line!r}")
        if timeout_s <= 0:
            raise ValueError(f"timeout_s must be above 0, not {timeout_s}")
        return Execution(
            self,
            line.encode("ascii"),
            timeout_s=timeout_s,
            silence_s=silence_s,
            repeatable=repeatable,
            multi_line=multi_line,
            expect_reboot=expect_reboot,
            ends_when_quiet_s=ends_when_quiet_s,
        )

    def attach(self, *, timeout_s: float, silence_s: float | None = None) -> Execution:
        """Collect the output of what is running already, until its prompt.

        Args:
            timeout_s: longest time to the prompt.
            silence_s: longest time without a byte; None for no such limit.

        Returns:
            The conversation, to be driven with bytes and the time.
        """
        return Execution(self, None, timeout_s=timeout_s, silence_s=silence_s)

    def find_prompt(self, *, timeout_s: float = 5.0, expect_reboot: bool = False) -> Execution:
        """Send an empty line and wait for the prompt that answers it.

        Args:
            timeout_s: longest time from the line feed to the prompt.
            expect_reboot: whether boot text is no error.

        Returns:
            The conversation, to be driven with bytes and the time.
        """
        return self.execute("", timeout_s=timeout_s, repeatable=True, expect_reboot=expect_reboot)


class Execution:
    """One line, from its first character to the prompt after its output. Made by `ReplSession`.

    Give it bytes and the time with `receive`, also when there are no bytes and `next_deadline_s` has come;
    write what `bytes_to_write` gives; stop when `result` is not None.

    Args:
        session: what is known of the prompt.
        line: what is typed; None for what the board is running already.
        timeout_s: longest time until the prompt is back, seconds.
        silence_s: longest time without a byte, seconds; None for no limit.
        repeatable: whether the line may be typed again although a part of it, up to a damaged byte, has run.
        multi_line: whether the continuation prompt is a good end.
        expect_reboot: whether the board starts anew at the end.
        ends_when_quiet_s: a pause this long is an end too, seconds; None for the prompt alone.
    """

    def __init__(
        self,
        session: ReplSession,
        line: bytes | None,
        *,
        timeout_s: float,
        silence_s: float | None = None,
        repeatable: bool = False,
        multi_line: bool = False,
        expect_reboot: bool = False,
        ends_when_quiet_s: float | None = None,
    ) -> None:
        self.result: ExecutionResult | None = None
        self.timeout_s = timeout_s
        self._session = session
        self._settings = session.settings
        self._line = line or b""
        self._attached = line is None
        self._silence_s = silence_s
        self._repeatable = repeatable
        self._multi_line = multi_line
        self._expect_reboot = expect_reboot
        self._ends_when_quiet_s = ends_when_quiet_s

        self._phase = _Phase.RUN if line is None else _Phase.SETTLE
        self._begun = False
        self._failure: Elm11Error | None = None
        self._boots = 0
        self._out = bytearray()
        self._timers: dict[str, float] = {}
        self._attempts = 0
        self._silent_attempts = 0
        self._sent = 0
        self._echo = bytearray()
        self._in_escape = 0
        self._erased = 0
        self._erase_echo = bytearray()
        self._resends = 0
        self._noise = bytearray()
        self._ways_out: list[bytes] = []
        self._after_leaving: Elm11Error | None = None
        self._lines: list[Line] = []
        self._kept = 0
        self._damaged = False
        self._truncated = False
        self._interrupts = 0
        self._awaits_size = False
        self._nudges = 0
        self._last_call = ""
        self._run_until_s = 0.0
        self._doubted = False

    # -- the three calls ------------------------------------------------------------------------------------

    @property
    def done(self) -> bool:
        """Whether `result` is there."""
        return self.result is not None

    @property
    def state(self) -> str:
        """What is being done now, for messages."""
        return self._phase.value

    def receive(self, data: bytes, now_s: float) -> list[Event]:
        """Take bytes from the board (or none, when a deadline has come).

        Args:
            data: the next bytes of the stream.
            now_s: the time, in seconds from any fixed moment.

        Returns:
            The events of the running line: its output as it comes, and its prompt. What came before an error is given
            first; the error is raised by the next call.

        Raises:
            BoardTimeoutError: a deadline has passed, and neither typing again nor a line feed has helped.
            ProtocolError: bytes were damaged too often, or a part of a line that may not be repeated has run.
            BoardBusyError: the board does not stop talking.
            BoardRebootedError: it started anew.
            BoardStoppedError: it ran out of memory.
            LuaError: the line is an unfinished statement.
            Elm11Error: what the call before has put off.
        """
        self._raise_failure()
        if not self._begun:
            self._begin(now_s)
        events: list[Event] = []
        try:
            self._advance(data, now_s, events)
        except Elm11Error as error:
            if not events:
                raise
            self._failure = error
        return events

    def bytes_to_write(self, now_s: float) -> bytes:
        """What to write to the board now; each byte is given once.

        Args:
            now_s: the time, in seconds from any fixed moment.

        Raises:
            Elm11Error: as `Execution.receive`.
        """
        self._raise_failure()
        if not self._begun:
            self._begin(now_s)
        out = bytes(self._out)
        self._out.clear()
        return out

    def next_deadline_s(self) -> float | None:
        """When `receive` is to be called at the latest; None when the line is done."""
        if self.result is not None:
            return None
        if self._failure is not None:
            return 0.0
        return min(self._timers.values(), default=None)

    def interrupt(self, now_s: float) -> None:
        """Stop the running Lua code with `q`. Does nothing before the line has been submitted.

        Args:
            now_s: the time, in seconds from any fixed moment.
        """
        if self._phase is _Phase.RUN and self.result is None:
            self._interrupts += 1
            # The prompt may come at this moment: then the q is a letter at the prompt, found before the
            # next line.
            self._session.may_be_stray = True
            self._write(b"q")
            self._timers.clear()
            self._start("interrupt", self._settings.interrupt_timeout_s, now_s)

    # -- helpers --------------------------------------------------------------------------------------------

    def _raise_failure(self) -> None:
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure

    def _advance(self, data: bytes, now_s: float, events: list[Event]) -> None:
        """Take bytes and the time; events are added to `events`, also when it ends with an error."""
        session = self._session
        for place in range(len(data)):
            if self.result is not None:
                events += session.receive(data[place:])
                return
            try:
                events += self._take(data[place : place + 1], now_s)
            except Elm11Error as error:
                # The rest of what the board says belongs to this error, not to the next line.
                session.receive(data[place + 1 :])
                error.last_bytes = session.last_bytes
                raise
        if data and self.result is None:
            self._hear(now_s)
        for name in [name for name, time_s in self._timers.items() if now_s >= time_s]:
            if name in self._timers and self.result is None:
                del self._timers[name]
                self._deadline(name, now_s)

    def _write(self, data: bytes) -> None:
        self._out += data

    def _start(self, timer: str, seconds: float, now_s: float) -> None:
        self._timers[timer] = now_s + seconds + len(self._out) * self._settings.byte_time_s

    def _enter(self, phase: _Phase, seconds: float, now_s: float) -> None:
        self._phase = phase
        self._timers.clear()
        self._start("phase", seconds, now_s)

    def _fail(self, kind: type[Elm11Error], what: str, next_step: str) -> Elm11Error:
        self._session.mode = None
        return kind(what, state=self.state, next_step=next_step, last_bytes=self._session.last_bytes)

    def _begin(self, now_s: float) -> None:
        self._begun = True
        session = self._session
        if self._phase is _Phase.RUN:
            session.mode = None
            self._run(now_s)
        elif session.mode is None:
            self._settle(now_s)
        elif session.mode is PromptKind.CONTINUATION and not self._multi_line:
            self._leave(None, now_s)
        elif session.may_be_stray:
            self._settle(now_s)
        else:
            self._start_typing(now_s)

    def _settle(self, now_s: float) -> None:
        self._enter(_Phase.SETTLE, self._settings.quiet_s, now_s)
        self._start("settle", self._settings.settle_timeout_s, now_s)

    def _start_typing(self, now_s: float) -> None:
        """Erase what stands on the line, then type."""
        left = len(visible(self._session.reader.pending))
        self._erased = 0
        if left:
            self._erase(left, now_s)
        else:
            self._type(now_s)

    def _erase(self, n: int, now_s: float) -> None:
        n = min(n, MAX_LINE) + 4
        self._erased += n
        self._erase_echo.clear()
        self._write(bytes([_BACKSPACE]) * n)
        self._enter(_Phase.ERASE, self._settings.quiet_s, now_s)

    def _type(self, now_s: float) -> None:
        if self._attempts >= self._settings.attempts:
            raise self._fail(
                ProtocolError,
                f"a line was typed {self._attempts} times and its echo was damaged each time.",
                "Lengthen the pause between bytes (--tx-delay), or look at the cable.",
            )
        self._attempts += 1
        self._sent = 0
        self._echo.clear()
        self._next_piece(now_s)

    def _next_piece(self, now_s: float) -> None:
        if self._sent == len(self._line):
            # The echo agrees, but a doubled last character would echo once more.
            self._enter(_Phase.CONFIRM, self._settings.confirm_s if self._line else 0.0, now_s)
            return
        # A doubled byte must not fill the line: its 255th character would submit it.
        room = (MAX_LINE - self._sent) // 2
        piece = self._line[self._sent : self._sent + max(1, min(self._settings.piece, room))]
        self._sent += len(piece)
        self._write(piece)
        self._enter(_Phase.TYPE, self._settings.echo_timeout_s, now_s)

    def _submit(self, now_s: float) -> None:
        if self._line:
            self._session.in_step = True
        self._resends = 0
        self._noise = bytearray()
        self._write(b"\n")
        self._enter(_Phase.SUBMIT, self._settings.echo_timeout_s, now_s)

    def _run(self, now_s: float) -> None:
        self._session.mode = None
        self._run_until_s = now_s + self.timeout_s
        self._enter(_Phase.RUN, self.timeout_s, now_s)
        self._hear(now_s)

    def _leave(self, then: Elm11Error | None, now_s: float) -> None:
        self._after_leaving = then
        self._ways_out = list(_WAYS_OUT)
        self._next_way_out(now_s)

    def _next_way_out(self, now_s: float) -> None:
        if not self._ways_out:
            raise self._fail(
                ProtocolError,
                "the board stays at its continuation prompt.",
                "Reset the board, then try again.",
            )
        self._write(self._ways_out.pop(0) + b"\n")
        self._session.may_be_stray = True
        self._enter(_Phase.LEAVE, self._settings.echo_timeout_s, now_s)

    def _finish(self, prompt: PromptKind | None, question: str = "") -> None:
        lines, error = split_error(self._lines)
        self._phase = _Phase.DONE
        self._timers.clear()
        self._session.mode = prompt
        self.result = ExecutionResult(
            lines=tuple(lines),
            prompt=prompt,
            question=question,
            error=error,
            interrupted=error is not None and _INTERRUPTION in error.lua_message,
            attempts=self._attempts,
            damaged=self._damaged,
            truncated=self._truncated,
        )

    # -- bytes ----------------------------------------------------------------------------------------------

    def _take(self, byte: bytes, now_s: float) -> list[Event]:
        given: list[Event] = []
        session = self._session
        phase = self._phase
        for event in session.receive(byte):
            if isinstance(event, Stopped):
                stopped = stopped_error(self.state, session.last_bytes)
                stopped.output = "\n".join(line.text for line in self._lines if line.raw != _STOPPED)
                raise stopped
            if isinstance(event, Booted) and not self._expect_reboot:
                self._booted(now_s)
            elif isinstance(event, SizeQuery):
                self._answer_size(now_s)
            elif isinstance(event, Prompt):
                self._prompt(event, now_s)
            elif isinstance(event, Question) and self._ends_when_quiet_s is not None:
                self._finish(None, event.text)
            if phase is _Phase.RUN:
                given.append(event)
                if isinstance(event, Line) and not self._doubted:
                    self._keep(event)
        seen = self._see(byte[0])
        if self._phase is phase and seen:
            self._visible(seen, now_s)
        return given

    def _booted(self, now_s: float) -> None:
        """The board has started, and nobody asked for it.

        Raises:
            BoardRebootedError: it happened in this session, or does not end.
        """
        self._boots += 1
        if self._session.in_step:
            raise rebooted_error(self.state, self._session.last_bytes)
        if self._boots > _MAX_BOOTS:
            raise self._fail(
                BoardRebootedError,
                f"the board started anew {self._boots} times while its prompt was looked for.",
                "Look at its power supply and its USB cable.",
            )
        # It was just switched on, or its boot text had waited for somebody to open the port: nothing is lost, except
        # what this line has typed.
        if not self._attached and self._phase not in {_Phase.SETTLE, _Phase.PROBE}:
            self._out.clear()
            self._lines.clear()
            self._kept = 0
            self._doubted = False
            self._last_call = ""
            self._settle(now_s)

    def _see(self, byte: int) -> int:
        """The byte, or 0 when it belongs to a colour code or cursor move."""
        if byte == _ESC:
            self._in_escape = 1
        elif self._in_escape == 1:
            self._in_escape = 2 if byte == _BRACKET else 0
        elif self._in_escape:
            self._in_escape = 0 if 0x40 <= byte <= 0x7E else 2  # the final byte of a code
        else:
            return byte
        return 0

    def _keep(self, line: Line) -> None:
        self._lines.append(line)
        self._kept += len(line.raw) + 1
        while self._kept > _MAX_KEPT_OUTPUT:
            self._kept -= len(self._lines.pop(0).raw) + 1
            self._truncated = True

    def _visible(self, byte: int, now_s: float) -> None:
        """One byte of text in a phase that looks at single bytes."""
        match self._phase:
            case _Phase.TYPE | _Phase.CONFIRM | _Phase.MISMATCH | _Phase.ERASE if byte == _LF:
                # The part that the board took for a line is what it has echoed.
                self._enter(_Phase.EARLY, self.timeout_s, now_s)
            case _Phase.TYPE if byte != _CR:
                self._echo.append(byte)
                expected = self._line[: self._sent]
                if self._echo == expected:
                    self._silent_attempts = 0
                    self._next_piece(now_s)
                elif not expected.startswith(self._echo):
                    self._enter(_Phase.MISMATCH, self._settings.quiet_s, now_s)
            case _Phase.CONFIRM:
                self._echo.append(byte)
                self._enter(_Phase.MISMATCH, self._settings.quiet_s, now_s)
            case _Phase.MISMATCH:
                self._echo.append(byte)
            case _Phase.ERASE:
                self._erase_echo.append(byte)
            case _Phase.SUBMIT:
                # The board sends CR only behind LF: either shows that the line feed has arrived.
                if byte in {_LF, _CR}:
                    self._run(now_s)
                else:
                    self._noise.append(byte)
            case _:
                pass

    def _prompt(self, event: Prompt, now_s: float) -> None:  # noqa: C901, PLR0912  # one case for each phase
        unfinished = event.kind is PromptKind.CONTINUATION
        match self._phase:
            case _Phase.RUN | _Phase.SUBMIT:
                if self._phase is _Phase.SUBMIT:
                    self._damaged = True  # the echo of the line feed is missing, and output may be
                if unfinished and not self._multi_line and not self._doubted:
                    # A doubled "$" looks the same. An empty line tells: it gets the same prompt again, or the other.
                    self._doubted = True
                    self._enter(_Phase.RUN, self._settings.echo_timeout_s, now_s)
                    self._write(b"\n")
                elif unfinished and not self._multi_line:
                    what = "the line is an unfinished statement."
                    next_step = "Finish it in one line, or upload it as a program."
                    self._leave(LuaError(what, state=self.state, next_step=next_step), now_s)
                else:
                    self._finish(event.kind)
            case _Phase.PROBE if unfinished:
                self._leave(None, now_s)
            case _Phase.PROBE if not self._line:
                self._finish(event.kind)  # an empty line was all that was wanted
            case _Phase.PROBE:
                self._start_typing(now_s)
            case _Phase.EARLY if unfinished:
                self._leave(self._ran_early(), now_s)
            case _Phase.EARLY:
                self._try_again(self._ran_early(), now_s)
            case _Phase.LEAVE if unfinished:
                self._next_way_out(now_s)
            case _Phase.LEAVE:
                self._try_again(self._after_leaving, now_s)
            case _:
                pass

    def _try_again(self, error: Elm11Error | None, now_s: float) -> None:
        if error is not None:
            raise error
        self._session.may_be_stray = True
        self._settle(now_s)

    def _ran_early(self) -> Elm11Error | None:
        """The error for a line of which a part has run; None when that does no harm."""
        if self._repeatable or not self._echo:
            return None
        part = bytes(self._echo).decode("latin-1")
        return ProtocolError(
            f"a damaged byte submitted a line before its end; this part of it has run: {part!r}.",
            state=self.state,
            next_step="Check what that part did, then send the line again.",
            last_bytes=self._session.last_bytes,
        )

    def _answer_size(self, now_s: float) -> None:
        self._awaits_size = True
        self._resends = 0
        self._write(TERMINAL_SIZE_ANSWER)
        if self._phase in {_Phase.RUN, _Phase.SUBMIT}:
            self._start("size", self._settings.echo_timeout_s, now_s)

    # -- time -----------------------------------------------------------------------------------------------

    def _hear(self, now_s: float) -> None:
        """Something came: what waits for a pause waits anew."""
        settings = self._settings
        match self._phase:
            case _Phase.SETTLE | _Phase.MISMATCH | _Phase.ERASE:
                self._start("phase", settings.quiet_s, now_s)
            case _Phase.SUBMIT if self._noise:
                self._start("phase", settings.quiet_s, now_s)
            case _Phase.RUN:
                if self._last_call and now_s < self._run_until_s:
                    # It was silent, not gone.
                    self._last_call = ""
                    self._timers["phase"] = self._run_until_s
                if self._ends_when_quiet_s is not None:
                    self._start("quiet", self._ends_when_quiet_s, now_s)
                if self._silence_s is not None:
                    self._start("silence", self._silence_s, now_s)
                if self._awaits_size and "size" in self._timers:
                    self._start("size", settings.echo_timeout_s, now_s)
                # print ends each line: text without an end is a damaged prompt, as a rule.
                if visible(self._session.reader.pending):
                    self._start("nudge", 2 * settings.quiet_s, now_s)
                else:
                    self._timers.pop("nudge", None)
            case _:
                pass

    def _deadline(self, timer: str, now_s: float) -> None:
        match timer:
            case "phase":
                self._phase_deadline(now_s)
            case "settle":
                raise self._fail(
                    BoardBusyError,
                    "the board keeps talking by itself.",
                    "It is running a program: wait for its end, follow it (elm11 attach), or stop it (elm11 cancel).",
                )
            case "quiet":
                self._finish(None)
            case "silence":
                self._give_up_or_call(f"the board has been silent for {self._silence_s} s.", now_s)
            case "size":
                self._resend_size(now_s)
            case "interrupt":
                self._interrupt_again(now_s)
            case _:  # nudge
                if self._nudges < _MAX_RESENDS:
                    self._nudges += 1
                    self._damaged = True
                    self._stray_line_feed()

    def _phase_deadline(self, now_s: float) -> None:
        match self._phase:
            case _Phase.SETTLE:
                self._session.may_be_stray = False
                if self._session.mode is None:
                    self._probe(now_s)
                elif self._session.mode is PromptKind.CONTINUATION and not self._multi_line:
                    self._leave(None, now_s)
                else:
                    self._start_typing(now_s)
            case _Phase.PROBE:
                self._probe_again(now_s)
            case _Phase.CONFIRM:
                self._submit(now_s)
            case _Phase.TYPE | _Phase.MISMATCH:
                self._retype(now_s)
            case _Phase.ERASE:
                self._erased_a_batch(now_s)
            case _Phase.SUBMIT:
                self._line_feed_unanswered(now_s)
            case _Phase.EARLY | _Phase.LEAVE:
                # The prompt may have been damaged. A line feed brings it again; what runs does not see it.
                self._give_up_or_call("the prompt did not come back.", now_s)
            case _:
                self._give_up_or_call(f"the prompt did not come back within {self.timeout_s} s.", now_s)

    def _stray_line_feed(self) -> None:
        self._session.may_be_stray = True
        self._write(b"\n")

    def _give_up_or_call(self, what: str, now_s: float) -> None:
        if self._last_call:
            raise self._fail(
                BoardTimeoutError,
                self._last_call,
                "If a program is running, attach to it or stop it; otherwise reset the board.",
            )
        self._last_call = what
        self._stray_line_feed()
        self._timers.pop("silence", None)
        self._start("phase", self._settings.echo_timeout_s, now_s)

    def _probe(self, now_s: float) -> None:
        self._resends = 0
        self._write(b"\n")
        self._enter(_Phase.PROBE, self._settings.echo_timeout_s, now_s)

    def _probe_again(self, now_s: float) -> None:
        self._resends += 1
        if self._resends >= _MAX_RESENDS:
            raise self._fail(
                BoardTimeoutError,
                "no prompt came in answer to a line feed.",
                "It may be running a program: wait, attach to it, or stop it. Otherwise reset the board.",
            )
        self._stray_line_feed()
        self._start("phase", self._settings.echo_timeout_s, now_s)

    def _retype(self, now_s: float) -> None:
        if self._phase is _Phase.TYPE and not self._echo:
            self._silent_attempts += 1
            if self._silent_attempts >= _SILENT_ATTEMPTS:
                raise self._fail(
                    BoardTimeoutError,
                    "the board does not echo what is typed.",
                    "It may be running a program, or be switched off: see whether it answers a line feed.",
                )
        self._erased = 0
        self._erase(max(self._sent, len(self._echo)), now_s)

    def _erased_a_batch(self, now_s: float) -> None:
        only_erasures = not self._erase_echo.replace(b"\b \b", b"")
        if not self._erase_echo or (only_erasures and self._erased >= _ALWAYS_EMPTY):
            self._session.reader.forget_pending()
            self._type(now_s)
        elif self._erased >= 4 * _ALWAYS_EMPTY:
            raise self._fail(
                ProtocolError,
                "a damaged line could not be erased.",
                "Lengthen the pause between bytes (--tx-delay), or look at the cable.",
            )
        else:
            # Erase until nothing is left to echo.
            self._erase(0 if only_erasures else len(self._erase_echo), now_s)

    def _line_feed_unanswered(self, now_s: float) -> None:
        # A line feed that was turned into a letter echoes as one, or two if doubled; turned into a backspace it has
        # erased the line's last character. In both cases the line still stands there. More text is output.
        letters = self._noise.replace(b"\b \b", b"")
        if len(letters) > len("??"):
            self._damaged = True
            self._run(now_s)
        elif self._noise:
            self._echo += letters
            self._retype(now_s)
        elif self._resends < _MAX_RESENDS:
            self._resends += 1
            self._stray_line_feed()
            self._start("phase", self._settings.echo_timeout_s, now_s)
        else:
            raise self._fail(
                BoardTimeoutError,
                "the board does not answer the end of a line.",
                "Reset the board, then try again.",
            )

    def _resend_size(self, now_s: float) -> None:
        self._resends += 1
        if self._resends <= _MAX_RESENDS:
            self._session.may_be_stray = True
            self._write(TERMINAL_SIZE_ANSWER)
            self._start("size", self._settings.echo_timeout_s, now_s)

    def _interrupt_again(self, now_s: float) -> None:
        if self._interrupts >= _MAX_RESENDS:
            raise self._fail(
                BoardTimeoutError,
                f"the board did not stop after {self._interrupts} times 'q'.",
                "Switch the board off and on.",
            )
        self.interrupt(now_s)
