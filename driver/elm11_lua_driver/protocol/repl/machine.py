"""The machine at the board's prompt: one line, from its first character to the prompt after its output.

    settle -> (erase) -> type in pieces, each compared with its echo -> confirm -> LF -> collect output -> prompt

The table at the end says for each phase what a byte, a prompt, a deadline and a read do. No port and no clock.

A damaged echo means a damaged line: it is erased with backspaces and typed again, and never runs. Lost prompts are
found by a line feed, which does nothing at a prompt and nothing while Lua runs. `q` is sent by `Execution.interrupt`
only: at the prompt it is a letter, and while Lua runs it stops somebody's work. The letter that a damaged byte may turn
into LF (``J``, ``*``, ...) submits the first part of a line. Nothing can prevent that on this wire, so it is noticed:
see ``repeatable`` in `Execution`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from ...errors import BoardBusyError, BoardRebootedError, BoardTimeoutError, Elm11Error, LuaError, ProtocolError
from .echo import LineEcho, Verdict
from .lua_errors import rebooted_error, stopped_error
from .session import BUSY, OVERHEAD_S, Deadline, ExecutionResult, Output, Phase
from .tokenizer import (
    LISTING_SIZE_ANSWER,
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
    from collections.abc import Callable

    from .session import ReplSession

_LF, _CR = b"\n", 0x0D
_MAX_RESENDS = 3  # of a byte that nothing answers
_MAX_BOOTS = 3  # that may have waited for somebody to open the port; a board that goes on so has no power
_SILENT_ATTEMPTS = 3
_BAD_WIRE = "Lengthen the pause between bytes (--tx-delay), or look at the cable."
_ATTACH_OR_RESET = "If a program is running, attach to it or stop it; otherwise reset the board."
_RESET = "Reset the board, then try again."
_SEE_IF_RUNNING = "It may be running a program: wait, attach to it, or stop it. Otherwise reset the board."
_NO_ECHO = "It may be running a program, or be switched off: see whether it answers a line feed."


class _Row(NamedTuple):
    """What a phase does with each thing that can happen."""

    line_feed: Callable[[Any, float], None]
    byte: Callable[[Any, int, float], None]
    prompt: Callable[[Any, Prompt, float], None]
    deadline: Callable[[Any, float], None]
    read: Callable[[Any, float], None]


class Execution:
    """One line at the prompt, or the output of what the board runs already.

    Call `receive` with bytes and the time, also without bytes when `next_deadline_s` has come; write what
    `bytes_to_write` gives; stop when `result` is not None.

    Args:
        session: what is known of the prompt.
        line: at most `MAX_LINE` printable ASCII characters; with at most 253, no single doubled byte can submit the
            line early. None types nothing and collects the output of what runs already.
        timeout_s: longest time from the line feed to the prompt, seconds. The whole may take `OVERHEAD_S` more, and the
            time to type the line `attempts` times; no byte from the board extends that.
        silence_s: longest time without a byte while the line runs, seconds; None for no limit.
        repeatable: whether the line may be typed again although a part of it, up to a damaged byte, has run. True for
            lines whose beginnings do nothing or the same, such as one call: ``f(1, 2)``.
        multi_line: whether the continuation prompt is a good end. Otherwise an unfinished statement is thrown away and
            reported as a `LuaError`.
        expect_reboot: whether boot text is what the line is for.
        ends_when_quiet_s: a pause this long is an end too, seconds (for commands that do not end with a prompt).
        lists_program: whether the first question for the terminal's size is that of a listing, which wants more rows.

    Raises:
        ValueError: the line is too long or has other characters, or `timeout_s` is not above 0.
    """

    def __init__(
        self,
        session: ReplSession,
        line: str | None,
        *,
        timeout_s: float,
        silence_s: float | None = None,
        repeatable: bool = False,
        multi_line: bool = False,
        expect_reboot: bool = False,
        ends_when_quiet_s: float | None = None,
        lists_program: bool = False,
    ) -> None:
        if timeout_s <= 0:
            raise ValueError(f"timeout_s must be above 0, not {timeout_s}")
        self.result: ExecutionResult | None = None
        self.timeout_s = timeout_s
        self._session = session
        self._settings = session.settings
        self._attached = line is None
        self._silence_s = silence_s
        self._repeatable = repeatable
        self._multi_line = multi_line
        self._expect_reboot = expect_reboot
        self._ends_when_quiet_s = ends_when_quiet_s
        self._phase = Phase.RUN if line is None else Phase.SETTLE
        self._failure: Elm11Error | None = None
        self._out = bytearray()
        self._timers: dict[str, float] = {}
        self._echo = LineEcho(line or "", session.settings.piece)
        self._attempts = 0
        self._silent_attempts = 0
        self._resends = 0
        self._after_abort: Elm11Error | None = None
        self._boots = 0
        self._last_probe_for = ""
        self._output = Output()
        self._interrupts = 0
        self._awaits_size = False
        self._size_answer = LISTING_SIZE_ANSWER if lists_program else TERMINAL_SIZE_ANSWER
        self._nudges = 0
        self._run_until_s = 0.0
        self._doubted = False
        self._deadline_of_all: Deadline | None = None

    # -- the calls of a ProtocolMachine

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

        Returns:
            The events of the running line: its output as it comes, and its prompt. What came before an error is given
            first; the next call raises the error.

        Raises:
            BoardTimeoutError: a deadline has passed, and neither typing again nor a line feed has helped.
            ProtocolError: bytes were damaged too often, or a part of a line that may not be repeated has run.
            BoardBusyError: the board does not stop talking.
            BoardRebootedError: it restarted.
            BoardStoppedError: it ran out of memory.
            LuaError: the line is an unfinished statement.
        """
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
        """What to write to the board now; each byte is given once."""
        self._begin(now_s)
        out = bytes(self._out)
        self._out.clear()
        return out

    def next_deadline_s(self) -> float | None:
        """When `receive` is to be called at the latest; None when the line is done."""
        if self.result is not None:
            return None
        if self._failure is not None or self._deadline_of_all is None:
            return 0.0
        return min([self._deadline_of_all.at_s, *self._timers.values()])

    def interrupt(self, now_s: float) -> None:
        """Stop the running Lua code with `q`. Does nothing before the line has been submitted."""
        self._begin(now_s)  # which sets the timers of an attached line, and would drop the one of the q
        if self._phase is Phase.RUN and self.result is None:
            self._interrupts += 1
            # The prompt may come at this moment: then the q is a letter at the prompt, found before the next line.
            self._write_stray(b"q")
            self._timers.clear()
            self._start("interrupt", self._settings.interrupt_timeout_s, now_s)
            if self._interrupts == 1:
                self._deadline_of_all = Deadline(OVERHEAD_S, now_s, self._session)

    def _begin(self, now_s: float) -> None:
        """Raise the error of the call before; choose the first phase if this is the first call."""
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        if self._deadline_of_all is not None:
            return
        session = self._session
        typing_s = 2 * len(self._echo.line) * self._settings.byte_time_s * self._settings.attempts
        self._deadline_of_all = Deadline(self.timeout_s + OVERHEAD_S + typing_s, now_s, session)
        if self._attached:
            self._run(now_s)
        elif session.mode is PromptKind.CONTINUATION and not self._multi_line:
            self._abort_statement(None, now_s)
        elif session.mode is None or session.may_be_stray:
            self._settle(now_s)
        else:
            self._start_typing(now_s)

    def _advance(self, data: bytes, now_s: float, events: list[Event]) -> None:
        """Take bytes and the time; events are added to `events`, also when it ends with an error."""
        session = self._session
        for index in range(len(data)):
            if self.result is not None:
                events += session.receive(data[index:])
                return
            try:
                events += self._take(data[index : index + 1], now_s)
            except Elm11Error as error:
                # The rest of what the board says belongs to this error, not to the next line.
                session.receive(data[index + 1 :])
                error.last_bytes = session.last_bytes
                raise
        if data and self.result is None:
            self._TABLE[self._phase].read(self, now_s)
        for name in [name for name, time_s in self._timers.items() if now_s >= time_s]:
            if name in self._timers and self.result is None:
                del self._timers[name]
                self._deadline(name, now_s)
        if self.result is None and self._deadline_of_all is not None:
            self._deadline_of_all.check(data, now_s, self.state)

    def _take(self, byte: bytes, now_s: float) -> list[Event]:
        """Take one byte; gives the events of the running line."""
        given: list[Event] = []
        phase = self._phase
        for event in self._session.receive(byte):
            match event:
                case Stopped():
                    raise stopped_error(self.state, self._session.last_bytes, self._output.text)
                case Booted() if not self._expect_reboot:
                    self._booted(now_s)
                case SizeQuery():
                    self._answer_size(now_s)
                case Prompt():
                    self._TABLE[self._phase].prompt(self, event, now_s)
                case Line() if phase is Phase.RUN and not self._doubted:
                    self._output.keep(event)
                case Question() if self._ends_when_quiet_s is not None:
                    self._finish(None, event.text)
                case _:
                    pass
            if phase is Phase.RUN:
                given.append(event)
        if self._echo.is_visible(byte[0]) and self._phase is phase:
            row = self._TABLE[phase]
            row.line_feed(self, now_s) if byte == _LF else row.byte(self, byte[0], now_s)
        return given

    def _write_stray(self, data: bytes) -> None:
        """Write what may be left standing at a prompt that comes meanwhile."""
        self._session.may_be_stray = True
        self._out += data

    def _start(self, timer: str, seconds: float, now_s: float) -> None:
        self._timers[timer] = now_s + seconds + len(self._out) * self._settings.byte_time_s

    def _enter(self, phase: Phase, seconds: float, now_s: float) -> None:
        self._phase = phase
        self._timers.clear()
        self._start("phase", seconds, now_s)

    def _fail(self, kind: type[Elm11Error], what: str, next_step: str) -> Elm11Error:
        self._session.mode = None
        return kind(what, state=self.state, next_step=next_step, last_bytes=self._session.last_bytes)

    def _ignore(self, *_: object) -> None:
        """Do nothing."""

    def _await_pause(self, now_s: float) -> None:
        self._start("phase", self._settings.quiet_s, now_s)

    # -- settle, probe: to the prompt

    def _settle(self, now_s: float) -> None:
        self._enter(Phase.SETTLE, self._settings.quiet_s, now_s)
        self._start("settle", self._settings.settle_timeout_s, now_s)

    def _settled(self, now_s: float) -> None:
        self._session.may_be_stray = False
        if self._session.mode is None:
            self._resends = 0
            self._out += b"\n"
            self._enter(Phase.PROBE, self._settings.echo_timeout_s, now_s)
        elif self._session.mode is PromptKind.CONTINUATION and not self._multi_line:
            self._abort_statement(None, now_s)
        else:
            self._start_typing(now_s)

    def _probe_again(self, now_s: float) -> None:
        self._resends += 1
        if self._resends >= _MAX_RESENDS:
            raise self._fail(BoardTimeoutError, "no prompt came in answer to a line feed.", _SEE_IF_RUNNING)
        self._write_stray(b"\n")
        self._start("phase", self._settings.echo_timeout_s, now_s)

    def _prompt_found(self, prompt: Prompt, now_s: float) -> None:
        if prompt.kind is PromptKind.CONTINUATION:
            self._abort_statement(None, now_s)
        elif not self._echo.line:
            self._finish(prompt.kind)  # an empty line was all that was wanted
        else:
            self._start_typing(now_s)

    # -- erase, type, confirm: the line and its echo

    def _start_typing(self, now_s: float) -> None:
        """Erase what stands on the line, then type."""
        left = len(visible(self._session.tokenizer.pending))
        if left:
            self._erase(self._echo.erase(left), now_s)
        else:
            self._type(now_s)

    def _erase(self, backspaces: bytes, now_s: float) -> None:
        self._out += backspaces
        self._enter(Phase.ERASE, self._settings.quiet_s, now_s)

    def _erased_a_batch(self, now_s: float) -> None:
        left = self._echo.left_to_erase()
        if left is None:
            self._session.tokenizer.forget_pending()
            self._type(now_s)
        elif left < 0:
            raise self._fail(ProtocolError, "a damaged line could not be erased.", _BAD_WIRE)
        else:
            self._erase(self._echo.erase(left, more=True), now_s)

    def _type(self, now_s: float) -> None:
        if self._attempts >= self._settings.attempts:
            what = f"a line was typed {self._attempts} times and its echo was damaged each time."
            raise self._fail(ProtocolError, what, _BAD_WIRE)
        self._attempts += 1
        self._echo.restart()
        self._next_piece(now_s)

    def _next_piece(self, now_s: float) -> None:
        piece = self._echo.next_piece()
        self._out += piece
        if piece:
            self._enter(Phase.TYPE, self._settings.echo_timeout_s, now_s)
        else:
            # The echo agrees, but a doubled last character would echo once more.
            self._enter(Phase.CONFIRM, self._settings.confirm_s if self._echo.line else 0.0, now_s)

    def _submitted_early(self, now_s: float) -> None:  # the board has taken what it has echoed so far for a line
        self._enter(Phase.EARLY, self.timeout_s, now_s)

    def _compare(self, byte: int, now_s: float) -> None:
        verdict = Verdict.PARTIAL if byte == _CR else self._echo.compare(byte)
        if verdict is Verdict.EQUAL:
            self._silent_attempts = 0
            self._next_piece(now_s)
        elif verdict is Verdict.DAMAGED:
            self._enter(Phase.MISMATCH, self._settings.quiet_s, now_s)

    def _too_much_echo(self, byte: int, now_s: float) -> None:
        self._echo.echo.append(byte)
        self._enter(Phase.MISMATCH, self._settings.quiet_s, now_s)

    def _damaged_echo(self, byte: int, _now_s: float) -> None:
        self._echo.echo.append(byte)

    def _erasing(self, byte: int, _now_s: float) -> None:
        self._echo.erasing(byte)

    def _retype(self, now_s: float) -> None:
        if self._phase is Phase.TYPE and not self._echo.echo:
            self._silent_attempts += 1
            if self._silent_attempts >= _SILENT_ATTEMPTS:
                raise self._fail(BoardTimeoutError, "the board does not echo what is typed.", _NO_ECHO)
        self._erase(self._echo.erase(self._echo.length), now_s)

    # -- submit, run: the output and the prompt

    def _submit(self, now_s: float) -> None:
        if self._echo.line:
            self._session.synchronised = True
        self._resends = 0
        self._echo.noise.clear()
        self._out += b"\n"
        self._enter(Phase.SUBMIT, self._settings.echo_timeout_s, now_s)

    def _line_feed_echo(self, byte: int, now_s: float) -> None:
        # The board sends CR only behind LF: either shows that the line feed has arrived.
        if byte == _CR:
            self._run(now_s)
        else:
            self._echo.noise.append(byte)

    def _noise_came(self, now_s: float) -> None:
        if self._echo.noise:
            self._await_pause(now_s)

    def _unanswered(self, now_s: float) -> None:
        # A line feed that was turned into a letter echoes as one, or two if doubled; turned into a backspace it has
        # erased the line's last character. In both cases the line still stands there. More text is output.
        letters = self._echo.noise.replace(b"\b \b", b"")
        if len(letters) > len("??"):
            self._output.damaged = True
            self._run(now_s)
        elif self._echo.noise:
            self._echo.echo += letters
            self._retype(now_s)
        elif self._resends < _MAX_RESENDS:
            self._resends += 1
            self._write_stray(b"\n")
            self._start("phase", self._settings.echo_timeout_s, now_s)
        else:
            raise self._fail(BoardTimeoutError, "the board does not answer the end of a line.", _RESET)

    def _run(self, now_s: float) -> None:
        self._session.mode = None
        self._run_until_s = now_s + self.timeout_s
        self._enter(Phase.RUN, self.timeout_s, now_s)
        self._output_came(now_s)

    def _output_came(self, now_s: float) -> None:
        """Set the timers of a running line after bytes have come."""
        if self._last_probe_for and now_s < self._run_until_s:
            self._last_probe_for = ""  # it was silent, not gone
            self._timers["phase"] = self._run_until_s
        if self._ends_when_quiet_s is not None:
            self._start("quiet", self._ends_when_quiet_s, now_s)
        if self._silence_s is not None:
            self._start("silence", self._silence_s, now_s)
        if self._awaits_size and "size" in self._timers:
            self._start("size", self._settings.echo_timeout_s, now_s)
        # print ends each line: text without an end is a damaged prompt, as a rule.
        if visible(self._session.tokenizer.pending):
            self._start("nudge", 2 * self._settings.quiet_s, now_s)
        else:
            self._timers.pop("nudge", None)

    def _line_ended(self, prompt: Prompt, now_s: float) -> None:
        if self._phase is Phase.SUBMIT:
            self._output.damaged = True  # the echo of the line feed is missing, and output may be
        if prompt.kind is not PromptKind.CONTINUATION or self._multi_line:
            self._finish(prompt.kind)
        elif not self._doubted:
            # A doubled "$" looks the same. An empty line shows which: it gets the same prompt again, or the other.
            self._doubted = True
            self._enter(Phase.RUN, self._settings.echo_timeout_s, now_s)
            self._out += b"\n"
        else:
            next_step = "Finish it in one line, or upload it as a program."
            error = LuaError("the line is an unfinished statement.", state=self.state, next_step=next_step)
            self._abort_statement(error, now_s)

    def _finish(self, prompt: PromptKind | None, question: str = "") -> None:
        self._phase = Phase.DONE
        self._timers.clear()
        self._session.mode = prompt
        self.result = self._output.result(prompt, question, self._attempts)

    def _answer_size(self, now_s: float) -> None:
        self._resends = 0
        if self._phase not in {Phase.RUN, Phase.SUBMIT}:
            self._out += TERMINAL_SIZE_ANSWER
            return
        if self._awaits_size:  # not the first question
            self._size_answer = TERMINAL_SIZE_ANSWER
        self._awaits_size = True
        self._out += self._size_answer
        self._start("size", self._settings.echo_timeout_s, now_s)

    # -- early, leave: what went wrong before

    def _abort_statement(self, then: Elm11Error | None, now_s: float) -> None:
        """Leave an unfinished statement; then raise that error, or type the line again."""
        self._after_abort = then
        self._echo.start_abort()
        self._next_abort(now_s)

    def _next_abort(self, now_s: float) -> None:
        line = self._echo.next_abort()
        if not line:
            raise self._fail(ProtocolError, "the board stays at its continuation prompt.", _RESET)
        self._write_stray(line)
        self._enter(Phase.LEAVE, self._settings.echo_timeout_s, now_s)

    def _aborted(self, prompt: Prompt, now_s: float) -> None:
        if prompt.kind is PromptKind.CONTINUATION:
            self._next_abort(now_s)
        else:
            self._try_again(self._after_abort, now_s)

    def _early_line_ended(self, prompt: Prompt, now_s: float) -> None:
        error = None
        if self._echo.echo and not self._repeatable:
            part = bytes(self._echo.echo).decode("latin-1")
            error = ProtocolError(
                f"a damaged byte submitted a line before its end; this part of it has run: {part!r}.",
                state=self.state,
                next_step="Check what that part did, then send the line again.",
                last_bytes=self._session.last_bytes,
            )
        if prompt.kind is PromptKind.CONTINUATION:
            self._abort_statement(error, now_s)
        else:
            self._try_again(error, now_s)

    def _try_again(self, error: Elm11Error | None, now_s: float) -> None:
        if error is not None:
            raise error
        self._session.may_be_stray = True
        self._settle(now_s)

    def _booted(self, now_s: float) -> None:
        """The board has started, and nobody asked for it."""
        self._boots += 1
        if self._session.synchronised:
            raise rebooted_error(self.state, self._session.last_bytes)
        if self._boots > _MAX_BOOTS:
            what = f"the board restarted {self._boots} times while its prompt was looked for."
            raise self._fail(BoardRebootedError, what, "Look at its power supply and its USB cable.")
        # It was just switched on, or its boot text had waited for somebody to open the port: nothing is lost, except
        # what this line has typed.
        if not self._attached and self._phase not in {Phase.SETTLE, Phase.PROBE}:
            self._out.clear()
            self._output.clear()
            self._doubted = False
            self._last_probe_for = ""
            self._settle(now_s)

    def _deadline(self, timer: str, now_s: float) -> None:
        match timer:
            case "phase":
                self._TABLE[self._phase].deadline(self, now_s)
            case "settle":
                raise self._fail(BoardBusyError, "the board keeps talking by itself.", BUSY)
            case "quiet":
                self._finish(None)
            case "silence":
                self._probe_before_timeout(f"the board has been silent for {self._silence_s} s.", now_s)
            case "size":
                self._resends += 1
                if self._resends <= _MAX_RESENDS:
                    self._write_stray(self._size_answer)
                    self._start("size", self._settings.echo_timeout_s, now_s)
            case "interrupt":
                if self._interrupts >= _MAX_RESENDS:
                    what = f"the board did not stop after {self._interrupts} times 'q'."
                    raise self._fail(BoardTimeoutError, what, "Switch the board off and on.")
                self.interrupt(now_s)
            case _:  # nudge
                if self._nudges < _MAX_RESENDS:
                    self._nudges += 1
                    self._output.damaged = True
                    self._write_stray(b"\n")

    def _prompt_missing(self, now_s: float) -> None:
        # The prompt may have been damaged. A line feed brings it again; what runs does not see it.
        within = f" within {self.timeout_s} s" if self._phase is Phase.RUN else ""
        self._probe_before_timeout(f"the prompt did not come back{within}.", now_s)

    def _probe_before_timeout(self, what: str, now_s: float) -> None:
        """Send a line feed the first time; the second time, fail with what was missing the first time."""
        if self._last_probe_for:
            raise self._fail(BoardTimeoutError, self._last_probe_for, _ATTACH_OR_RESET)
        self._last_probe_for = what
        self._write_stray(b"\n")
        self._timers.pop("silence", None)
        self._start("phase", self._settings.echo_timeout_s, now_s)

    # fmt: off
    _TABLE: ClassVar[dict[Phase, _Row]] = {
        #                    LF in the echo    other visible    a prompt           its deadline      after a read
        Phase.SETTLE:   _Row(_ignore,          _ignore,         _ignore,           _settled,         _await_pause),
        Phase.PROBE:    _Row(_ignore,          _ignore,         _prompt_found,     _probe_again,     _ignore),
        Phase.ERASE:    _Row(_submitted_early, _erasing,        _ignore,           _erased_a_batch,  _await_pause),
        Phase.TYPE:     _Row(_submitted_early, _compare,        _ignore,           _retype,          _ignore),
        Phase.MISMATCH: _Row(_submitted_early, _damaged_echo,   _ignore,           _retype,          _await_pause),
        Phase.CONFIRM:  _Row(_submitted_early, _too_much_echo,  _ignore,           _submit,          _ignore),
        Phase.SUBMIT:   _Row(_run,             _line_feed_echo, _line_ended,       _unanswered,      _noise_came),
        Phase.RUN:      _Row(_ignore,          _ignore,         _line_ended,       _prompt_missing,  _output_came),
        Phase.EARLY:    _Row(_ignore,          _ignore,         _early_line_ended, _prompt_missing,  _ignore),
        Phase.LEAVE:    _Row(_ignore,          _ignore,         _aborted,          _prompt_missing,  _ignore),
        Phase.DONE:     _Row(_ignore,          _ignore,         _ignore,           _ignore,          _ignore),
    }
    # fmt: on
