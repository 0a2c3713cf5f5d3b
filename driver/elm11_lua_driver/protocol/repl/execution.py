"""One line from its first character to the prompt after its output.

    typing (`LineTyping`) -> collect output -> prompt

`q` is sent by `Execution.interrupt` only: at the prompt it is a letter, and while Lua runs it stops somebody's work.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import BoardBusyError, BoardTimeoutError, LuaError
from .conversation import Phase
from .line_typing import MAX_RESENDS, LineTyping
from .lua_errors import split_error, stopped_error
from .state import ExecutionResult
from .tokenizer import (
    STOPPED_TEXT,
    TERMINAL_SIZE_ANSWER,
    Booted,
    Event,
    Line,
    Prompt,
    PromptKind,
    Question,
    SizeQuery,
    Stopped,
    visible,
)

if TYPE_CHECKING:
    from .state import ReplState

_INTERRUPTION = "<user interruption>"
_MAX_KEPT_OUTPUT = 1 << 20


class Execution(LineTyping):
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
        session: ReplState,
        line: bytes | None,
        *,
        timeout_s: float,
        silence_s: float | None = None,
        repeatable: bool = False,
        multi_line: bool = False,
        expect_reboot: bool = False,
        ends_when_quiet_s: float | None = None,
    ) -> None:
        super().__init__(
            session,
            line,
            timeout_s=timeout_s,
            repeatable=repeatable,
            multi_line=multi_line,
            expect_reboot=expect_reboot,
        )
        self._silence_s = silence_s
        self._ends_when_quiet_s = ends_when_quiet_s

        self._lines: list[Line] = []
        self._kept = 0
        self._truncated = False
        self._interrupts = 0
        self._awaits_size = False
        self._nudges = 0
        self._run_until_s = 0.0
        self._doubted = False

    def interrupt(self, now_s: float) -> None:
        """Stop the running Lua code with `q`. Does nothing before the line has been submitted.

        Args:
            now_s: the time, in seconds from any fixed moment.
        """
        if self._phase is Phase.RUN and self.result is None:
            self._interrupts += 1
            # The prompt may come at this moment: then the q is a letter at the prompt, found before the
            # next line.
            self._session.may_be_stray = True
            self._write(b"q")
            self._timers.clear()
            self._start("interrupt", self._settings.interrupt_timeout_s, now_s)

    # -- from the line feed to the prompt -------------------------------------------------------------------

    def _begin(self, now_s: float) -> None:
        self._begun = True
        session = self._session
        if self._phase is Phase.RUN:
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

    def _run(self, now_s: float) -> None:
        self._session.mode = None
        self._run_until_s = now_s + self.timeout_s
        self._enter(Phase.RUN, self.timeout_s, now_s)
        self._hear(now_s)

    def _finish(self, prompt: PromptKind | None, question: str = "") -> None:
        lines, error = split_error(self._lines)
        self._phase = Phase.DONE
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

    def _take(self, byte: bytes, now_s: float) -> list[Event]:
        given: list[Event] = []
        session = self._session
        phase = self._phase
        for event in session.receive(byte):
            if isinstance(event, Stopped):
                stopped = stopped_error(self.state, session.last_bytes)
                stopped.output = "\n".join(line.text for line in self._lines if line.raw != STOPPED_TEXT)
                raise stopped
            if isinstance(event, Booted) and not self._expect_reboot:
                self._booted(now_s)
            elif isinstance(event, SizeQuery):
                self._answer_size(now_s)
            elif isinstance(event, Prompt):
                self._prompt(event, now_s)
            elif isinstance(event, Question) and self._ends_when_quiet_s is not None:
                self._finish(None, event.text)
            if phase is Phase.RUN:
                given.append(event)
                if isinstance(event, Line) and not self._doubted:
                    self._keep(event)
        seen = self._see(byte[0])
        if self._phase is phase and seen:
            self._visible(seen, now_s)
        return given

    def _keep(self, line: Line) -> None:
        self._lines.append(line)
        self._kept += len(line.raw) + 1
        while self._kept > _MAX_KEPT_OUTPUT:
            self._kept -= len(self._lines.pop(0).raw) + 1
            self._truncated = True

    def _forget_output(self) -> None:
        self._lines.clear()
        self._kept = 0
        self._doubted = False

    def _prompt(self, event: Prompt, now_s: float) -> None:
        if self._phase not in {Phase.RUN, Phase.SUBMIT}:
            super()._prompt(event, now_s)
            return
        if self._phase is Phase.SUBMIT:
            self._damaged = True  # the echo of the line feed is missing, and output may be
        unfinished = event.kind is PromptKind.CONTINUATION and not self._multi_line
        if unfinished and not self._doubted:
            # A doubled "$" looks the same. An empty line tells: it gets the same prompt again, or the other.
            self._doubted = True
            self._enter(Phase.RUN, self._settings.echo_timeout_s, now_s)
            self._write(b"\n")
        elif unfinished:
            what = "the line is an unfinished statement."
            next_step = "Finish it in one line, or upload it as a program."
            self._leave(LuaError(what, state=self.state, next_step=next_step), now_s)
        else:
            self._finish(event.kind)

    def _answer_size(self, now_s: float) -> None:
        self._awaits_size = True
        self._resends = 0
        self._write(TERMINAL_SIZE_ANSWER)
        if self._phase in {Phase.RUN, Phase.SUBMIT}:
            self._start("size", self._settings.echo_timeout_s, now_s)

    # -- time -----------------------------------------------------------------------------------------------

    def _hear(self, now_s: float) -> None:
        """Something came: what waits for a pause waits anew."""
        settings = self._settings
        match self._phase:
            case Phase.SETTLE | Phase.MISMATCH | Phase.ERASE:
                self._start("phase", settings.quiet_s, now_s)
            case Phase.SUBMIT if self._noise:
                self._start("phase", settings.quiet_s, now_s)
            case Phase.RUN:
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
                if self._nudges < MAX_RESENDS:
                    self._nudges += 1
                    self._damaged = True
                    self._stray_line_feed()

    def _resend_size(self, now_s: float) -> None:
        self._resends += 1
        if self._resends <= MAX_RESENDS:
            self._session.may_be_stray = True
            self._write(TERMINAL_SIZE_ANSWER)
            self._start("size", self._settings.echo_timeout_s, now_s)

    def _interrupt_again(self, now_s: float) -> None:
        if self._interrupts >= MAX_RESENDS:
            raise self._fail(
                BoardTimeoutError,
                f"the board did not stop after {self._interrupts} times 'q'.",
                "Switch the board off and on.",
            )
        self.interrupt(now_s)
