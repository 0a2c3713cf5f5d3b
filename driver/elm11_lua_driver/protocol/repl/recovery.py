"""The way from any state of the board to its prompt. Bytes in, events out; knows no port and no clock.

The board has no time-outs: in the upload dialogue it waits for ever after a lost byte. So zeros are sent until its
prompt comes: at most a page and a few.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import BoardTimeoutError
from .lua_errors import rebooted_error, stopped_error
from .machine import Execution
from .session import OVERHEAD_S, Deadline
from .tokenizer import TERMINAL_SIZE_ANSWER, Booted, Event, PromptKind, Stopped

if TYPE_CHECKING:
    from .session import ReplSession

# A page is at most one count and 256 bytes, a length 4 bytes; one more zero leaves the dialogue.
_MAX_ZEROS = 272
_ZEROS_AT_ONCE = 16
_TIMEOUT_S = 10.0  # of all steps together, beyond `OVERHEAD_S`; a healthy board takes 8 s at most


def find_prompt(session: ReplSession, *, timeout_s: float = 5.0, expect_reboot: bool = False) -> Execution:
    """A machine that sends an empty line and waits for the prompt that answers it."""
    return Execution(session, "", timeout_s=timeout_s, repeatable=True, expect_reboot=expect_reboot)


class Recovery:
    """Leads a board from an unknown state to its prompt, without `q`: a program that runs goes on running.

    In order: a line feed (it does nothing at a prompt, and answers a question with no), the answer about the
    terminal's size (the board may be waiting for it), zeros (the upload dialogue takes them for data until
    it has enough, and then leaves), a line feed again. An unfinished statement is thrown away.

    Args:
        session: the prompt.
        want: lead on to this prompt (`PromptKind.LUA` or `PromptKind.COMMAND`); None for whichever comes.
        in_upload: whether the board is known to be in the upload dialogue: begin with zeros. A start of the board is no
            error then, since the whole program is sent again.
    """

    def __init__(
        self, session: ReplSession, *, want: PromptKind | None = PromptKind.LUA, in_upload: bool = False
    ) -> None:
        self.result: PromptKind | None = None
        self._session = session
        self._want = want
        self._zeros = 0
        self._zeroing = in_upload
        self._tried_zeros = in_upload
        self._in_upload = in_upload
        self._inner: Execution | None = None if in_upload else find_prompt(session)
        self._out = bytearray()
        self._deadline_s: float | None = None
        self._deadline_of_all: Deadline | None = None

    @property
    def done(self) -> bool:
        """Whether `result` is there."""
        return self.result is not None

    @property
    def state(self) -> str:
        """What is being done now, for messages."""
        return "sending zeros to leave the upload dialogue" if self._inner is None else self._inner.state

    def receive(self, data: bytes, now_s: float) -> list[Event]:
        """Take bytes from the board, or none when a deadline has come."""
        events = self._advance(data, now_s)
        if self.result is None:
            self._begin(now_s).check(data, now_s, self.state)
        return events

    def _begin(self, now_s: float) -> Deadline:
        if self._deadline_of_all is None:
            zeros_s = 2 * _MAX_ZEROS * self._session.settings.byte_time_s
            self._deadline_of_all = Deadline(_TIMEOUT_S + OVERHEAD_S + zeros_s, now_s, self._session)
        return self._deadline_of_all

    def _advance(self, data: bytes, now_s: float) -> list[Event]:
        if self.result is not None:
            return self._session.receive(data)
        if self._inner is not None:
            return self._receive_inner(self._inner, data, now_s)
        events = self._session.receive(data)
        if Stopped() in events:
            raise stopped_error(self.state, self._session.last_bytes)
        if Booted() in events and self._session.synchronised and not self._in_upload:
            raise rebooted_error(self.state, self._session.last_bytes)
        if self._session.mode is not None:
            self._ask_for_prompt()
        elif self._deadline_s is not None and now_s >= self._deadline_s:
            self._zeros += _ZEROS_AT_ONCE
            self._deadline_s = None
            if self._zeros >= _MAX_ZEROS:
                self._ask_for_prompt()
        return events

    def bytes_to_write(self, now_s: float) -> bytes:
        """What to write to the board now; each byte is given once."""
        self._begin(now_s)
        if self._inner is not None:
            try:
                return self._inner.bytes_to_write(now_s)
            except BoardTimeoutError:
                if self._tried_zeros:
                    raise
                self._turn_to_zeros()
        if self.result is None and self._deadline_s is None:
            settings = self._session.settings
            self._deadline_s = now_s + _ZEROS_AT_ONCE * settings.byte_time_s + settings.quiet_s / 2
            if self._zeros == 0 and not self._zeroing:
                # First the answer that the board may be waiting for.
                self._zeroing = True
                return TERMINAL_SIZE_ANSWER * 3
            return bytes(_ZEROS_AT_ONCE)
        return b""

    def next_deadline_s(self) -> float | None:
        """When `receive` is to be called at the latest; None when done."""
        if self.result is not None:
            return None
        step_s = self._inner.next_deadline_s() if self._inner is not None else self._deadline_s
        return step_s if self._deadline_of_all is None or step_s is None else min(step_s, self._deadline_of_all.at_s)

    def _ask_for_prompt(self) -> None:
        # Zeros may still be on their way, and the answers about the terminal's size may stand on the line.
        self._session.may_be_stray = True
        self._inner = find_prompt(self._session, expect_reboot=self._in_upload)

    def _turn_to_zeros(self) -> None:
        """No prompt came: the board may be in the upload dialogue."""
        self._tried_zeros = True
        self._inner = None

    def _receive_inner(self, inner: Execution, data: bytes, now_s: float) -> list[Event]:
        try:
            events = inner.receive(data, now_s)
        except BoardTimeoutError:
            if self._tried_zeros:
                raise
            self._turn_to_zeros()
            return []
        if inner.result is not None:
            prompt = self._session.mode
            if self._want in {None, prompt}:
                self.result = prompt
            else:
                line = "exit" if self._want is PromptKind.LUA else "cmd"
                self._inner = Execution(self._session, line, timeout_s=inner.timeout_s, repeatable=True)
        return events
