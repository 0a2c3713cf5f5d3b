"""Typing one line: from whatever the board shows to the line feed that submits it.

    settle -> (erase) -> type in pieces, each compared with its echo -> LF

A damaged echo means a damaged line: it is erased with backspaces and typed again, and never runs. Lost prompts are
found by a line feed, which does nothing at a prompt and nothing while Lua runs.

The letter that a damaged byte may turn into LF (``J``, ``*``, ...) submits the first part of a line. Nothing can
prevent that on this wire, so it is noticed: see ``repeatable`` in `ReplSession.execute`.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from ...errors import BoardRebootedError, BoardTimeoutError, Elm11Error, ProtocolError
from .conversation import Conversation, Phase
from .lua_errors import rebooted_error
from .tokenizer import MAX_LINE, Prompt, PromptKind, visible

if TYPE_CHECKING:
    from .state import ReplState

_LF, _CR, _ESC, _BRACKET, _BACKSPACE = b"\n\r\x1b[\b"
MAX_RESENDS = 3
"""How often a byte is sent again that nothing answers."""

_MAX_BOOTS = 3  # that may have waited for somebody to open the port; a board that goes on so has no power
_SILENT_ATTEMPTS = 3
# A backspace for each place of a full line and then some: whatever was there is gone.
_ALWAYS_EMPTY = MAX_LINE + 8
# Each line is a syntax error outside strings and comments, so the unfinished statement is thrown away,
# silently. The others first end a long string or comment.
_WAYS_OUT = (b"!", b"!", b"]]!", b"]=]!", b"]==]!", b"]===]!")


class LineTyping(Conversation):
    """One line, until the board runs it.

    Args:
        session: what is known of the prompt.
        line: what is typed; None for what the board is running already.
        timeout_s: longest time until the prompt is back, seconds.
        repeatable: whether the line may be typed again although a part of it, up to a damaged byte, has run.
        multi_line: whether the continuation prompt is a good end.
        expect_reboot: whether the board starts anew at the end.
    """

    def __init__(
        self,
        session: ReplState,
        line: bytes | None,
        *,
        timeout_s: float,
        repeatable: bool,
        multi_line: bool,
        expect_reboot: bool,
    ) -> None:
        super().__init__(session, Phase.RUN if line is None else Phase.SETTLE)
        self.timeout_s = timeout_s
        self._line = line or b""
        self._attached = line is None
        self._repeatable = repeatable
        self._multi_line = multi_line
        self._expect_reboot = expect_reboot

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
        self._boots = 0
        self._damaged = False
        self._last_call = ""

    # -- what comes after the line feed ---------------------------------------------------------------------

    @abstractmethod
    def _run(self, now_s: float) -> None:
        """The line has been submitted."""

    @abstractmethod
    def _finish(self, prompt: PromptKind | None, question: str = "") -> None:
        """The end."""

    @abstractmethod
    def _forget_output(self) -> None:
        """What has been collected was from before the board started anew."""

    # -- steps ----------------------------------------------------------------------------------------------

    def _settle(self, now_s: float) -> None:
        self._enter(Phase.SETTLE, self._settings.quiet_s, now_s)
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
        self._enter(Phase.ERASE, self._settings.quiet_s, now_s)

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
            self._enter(Phase.CONFIRM, self._settings.confirm_s if self._line else 0.0, now_s)
            return
        # A doubled byte must not fill the line: its 255th character would submit it.
        room = (MAX_LINE - self._sent) // 2
        piece = self._line[self._sent : self._sent + max(1, min(self._settings.piece, room))]
        self._sent += len(piece)
        self._write(piece)
        self._enter(Phase.TYPE, self._settings.echo_timeout_s, now_s)

    def _submit(self, now_s: float) -> None:
        if self._line:
            self._session.in_step = True
        self._resends = 0
        self._noise = bytearray()
        self._write(b"\n")
        self._enter(Phase.SUBMIT, self._settings.echo_timeout_s, now_s)

    def _retype(self, now_s: float) -> None:
        if self._phase is Phase.TYPE and not self._echo:
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
        elif self._resends < MAX_RESENDS:
            self._resends += 1
            self._stray_line_feed()
            self._start("phase", self._settings.echo_timeout_s, now_s)
        else:
            raise self._fail(
                BoardTimeoutError,
                "the board does not answer the end of a line.",
                "Reset the board, then try again.",
            )

    def _probe(self, now_s: float) -> None:
        self._resends = 0
        self._write(b"\n")
        self._enter(Phase.PROBE, self._settings.echo_timeout_s, now_s)

    def _probe_again(self, now_s: float) -> None:
        self._resends += 1
        if self._resends >= MAX_RESENDS:
            raise self._fail(
                BoardTimeoutError,
                "no prompt came in answer to a line feed.",
                "It may be running a program: wait, attach to it, or stop it. Otherwise reset the board.",
            )
        self._stray_line_feed()
        self._start("phase", self._settings.echo_timeout_s, now_s)

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

    # -- what went wrong before -----------------------------------------------------------------------------

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
        self._enter(Phase.LEAVE, self._settings.echo_timeout_s, now_s)

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

    def _booted(self, now_s: float) -> None:
        """The board has started, and nobody asked for it.

        Raises:
            BoardRebootedError: it happened on this connection, or does not end.
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
        if not self._attached and self._phase not in {Phase.SETTLE, Phase.PROBE}:
            self._out.clear()
            self._forget_output()
            self._last_call = ""
            self._settle(now_s)

    # -- bytes and time -------------------------------------------------------------------------------------

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

    def _visible(self, byte: int, now_s: float) -> None:
        """One byte of text in a phase that looks at single bytes."""
        match self._phase:
            case Phase.TYPE | Phase.CONFIRM | Phase.MISMATCH | Phase.ERASE if byte == _LF:
                # The part that the board took for a line is what it has echoed.
                self._enter(Phase.EARLY, self.timeout_s, now_s)
            case Phase.TYPE if byte != _CR:
                self._echo.append(byte)
                expected = self._line[: self._sent]
                if self._echo == expected:
                    self._silent_attempts = 0
                    self._next_piece(now_s)
                elif not expected.startswith(self._echo):
                    self._enter(Phase.MISMATCH, self._settings.quiet_s, now_s)
            case Phase.CONFIRM:
                self._echo.append(byte)
                self._enter(Phase.MISMATCH, self._settings.quiet_s, now_s)
            case Phase.MISMATCH:
                self._echo.append(byte)
            case Phase.ERASE:
                self._erase_echo.append(byte)
            case Phase.SUBMIT:
                # The board sends CR only behind LF: either shows that the line feed has arrived.
                if byte in {_LF, _CR}:
                    self._run(now_s)
                else:
                    self._noise.append(byte)
            case _:
                pass

    def _prompt(self, event: Prompt, now_s: float) -> None:
        unfinished = event.kind is PromptKind.CONTINUATION
        match self._phase:
            case Phase.PROBE if unfinished:
                self._leave(None, now_s)
            case Phase.PROBE if not self._line:
                self._finish(event.kind)  # an empty line was all that was wanted
            case Phase.PROBE:
                self._start_typing(now_s)
            case Phase.EARLY if unfinished:
                self._leave(self._ran_early(), now_s)
            case Phase.EARLY:
                self._try_again(self._ran_early(), now_s)
            case Phase.LEAVE if unfinished:
                self._next_way_out(now_s)
            case Phase.LEAVE:
                self._try_again(self._after_leaving, now_s)
            case _:
                pass

    def _phase_deadline(self, now_s: float) -> None:
        match self._phase:
            case Phase.SETTLE:
                self._session.may_be_stray = False
                if self._session.mode is None:
                    self._probe(now_s)
                elif self._session.mode is PromptKind.CONTINUATION and not self._multi_line:
                    self._leave(None, now_s)
                else:
                    self._start_typing(now_s)
            case Phase.PROBE:
                self._probe_again(now_s)
            case Phase.CONFIRM:
                self._submit(now_s)
            case Phase.TYPE | Phase.MISMATCH:
                self._retype(now_s)
            case Phase.ERASE:
                self._erased_a_batch(now_s)
            case Phase.SUBMIT:
                self._line_feed_unanswered(now_s)
            case Phase.EARLY | Phase.LEAVE:
                # The prompt may have been damaged. A line feed brings it again; what runs does not see it.
                self._give_up_or_call("the prompt did not come back.", now_s)
            case _:
                self._give_up_or_call(f"the prompt did not come back within {self.timeout_s} s.", now_s)
