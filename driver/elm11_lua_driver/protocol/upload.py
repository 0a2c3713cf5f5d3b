"""The program-upload dialogue: bytes in, events out. Knows no port and no clock.

After ``upload|program("n")`` (and ``y`` when the program exists: the old one is deleted at once) host and
board speak in single bytes:

=====================================  ======================================================
host                                   board
=====================================  ======================================================
07                                     06
09                                     08
length, 4 bytes, big-endian            their sum, then 0A (10: too long, back to the prompt)
0C                                     0B (11: the announced length is reached)
count - 1, then 1 to 256 bytes         sum of the bytes
0D                                     the prompt
=====================================  ======================================================

The board writes a page whatever the host thinks of its sum, so a page that is sent again is there twice. On
anything unexpected the dialogue is left and the *whole* program is sent again, a bounded number of times.
The board has no time-outs; after a lost byte it waits for ever, and `recovery` leads it back to its prompt.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from ..errors import BoardTimeoutError, CommandRefusedError, Elm11Error, VerificationError
from .repl.lua_errors import stopped_error
from .repl.machine import Execution
from .repl.recovery import Recovery
from .repl.session import OVERHEAD_S, Deadline
from .repl.tokenizer import Booted, Line, Prompt, PromptKind, Stopped, command_body

if TYPE_CHECKING:
    from .repl.session import ReplSession

MAX_PROGRAM_BYTES = 24_575
MAX_NAME = 29
PAGE_BYTES = 256

_NAME = re.compile(rf"[ !#-~]{{1,{MAX_NAME}}}")
_HELLO, _HELLO_REPLY = b"\x07\x06"
_READY, _READY_REPLY = b"\x09\x08"
_PAGE, _PAGE_REPLY = b"\x0c\x0b"
_END = 0x0D
_LENGTH_GOOD = 0x0A
_MAX_HELLOS = 3


@dataclass(frozen=True)
class UploadSettings:
    """Times and limits of an upload.

    Args:
        page_wait_s: pause after a page's sum: the board answers before it writes its flash (the vendor
            waits 0.1 s).
        reply_timeout_s: longest wait for an answer.
        quiet_s: a pause this long after the command shows that the board expects bytes.
        attempts: how often the whole program is sent before giving up.
    """

    page_wait_s: float = 0.1
    reply_timeout_s: float = 2.0
    quiet_s: float = 0.2
    attempts: int = 4


@dataclass(frozen=True)
class UploadProgress:
    """A page has arrived.

    Args:
        n_sent: bytes of the program that have arrived in this attempt.
        n_bytes: bytes of the program.
        attempt: number of the attempt, from 1.
    """

    n_sent: int
    n_bytes: int
    attempt: int


@dataclass(frozen=True)
class UploadRestarted:
    """The whole program is sent again."""

    reason: str
    attempt: int


@dataclass(frozen=True)
class UploadResult:
    """The program has been sent, and every sum agreed. That it is stored well is shown by reading it back."""

    name: str
    n_bytes: int
    restarts: tuple[str, ...]
    overwrote: bool


UploadEvent = UploadProgress | UploadRestarted


class _Phase(Enum):
    COMMAND = "asking for an upload"
    CONFIRM = "agreeing to overwrite"
    HELLO = "waiting for the board to greet"
    READY = "waiting for the board to be ready"
    LENGTH = "waiting for the sum of the length"
    REQUEST = "waiting to send a page"
    PAGE = "waiting for the sum of a page"
    PAUSE = "giving the board time to write a page"
    END = "waiting for the prompt after the last page"
    LEAVE = "leaving the dialogue"
    DONE = "done"


class Upload:
    """Sends one program. The session must be at the prompt of command mode, and is there again afterwards.

    Args:
        session: the prompt.
        name: 1 to 29 printable ASCII characters without double quotes.
        content: 1 to 24 575 bytes, no zeros.
        overwrite: whether an existing program of that name may be deleted.
        settings: times and limits.
    """

    def __init__(
        self,
        session: ReplSession,
        name: str,
        content: bytes,
        *,
        overwrite: bool = True,
        settings: UploadSettings | None = None,
    ) -> None:
        if not _NAME.fullmatch(name):
            raise ValueError(f"name must be 1 to {MAX_NAME} printable ASCII characters without quotes, not {name!r}")
        if not 1 <= len(content) <= MAX_PROGRAM_BYTES:
            raise ValueError(f"content must have 1 to {MAX_PROGRAM_BYTES} bytes, {name!r} has {len(content)}")
        if b"\x00" in content:
            raise ValueError(f"content must not hold zeros, {name!r} has one at byte {content.index(0)}")
        self.result: UploadResult | None = None
        self._session = session
        self._name = name
        self._content = content
        self._overwrite = overwrite
        self._settings = settings or UploadSettings()
        self._phase = _Phase.COMMAND
        self._inner: Execution | Recovery | None = self._command()
        self._out = bytearray()
        self._deadline_s: float | None = None
        self._place = 0
        self._page_sum = 0
        self._expected = b""
        self._hellos = 0
        self._ends = 0
        self._restarts: list[str] = []
        self._timed_out = False
        self._overwrote = False
        self._deleted = False
        self._errors: list[str] = []
        self._deadline_of_all: Deadline | None = None

    @property
    def done(self) -> bool:
        """Whether `result` is there."""
        return self.result is not None

    @property
    def state(self) -> str:
        """What is being done now, for messages."""
        return f"uploading {self._name!r}: {self._phase.value}"

    def receive(self, data: bytes, now_s: float) -> list[UploadEvent]:
        """Take bytes from the board, or none when a deadline has come.

        Raises:
            VerificationError: sums were wrong in every attempt.
            BoardTimeoutError: an answer did not come in every attempt.
            CommandRefusedError: the board refused the command, or the program exists and may not be
                overwritten.
            Elm11Error: as `Execution.receive`.
        """
        if self.result is not None:
            self._session.receive(data)
            return []
        events: list[UploadEvent] = []
        try:
            self._advance(data, now_s, events)
            if self.result is None:
                self._begin(now_s).check(data, now_s, self.state)
        except Elm11Error as error:
            self._tell_what_is_left(error)
            raise
        return events

    def _begin(self, now_s: float) -> Deadline:
        if self._deadline_of_all is None:
            settings, byte_time_s = self._settings, self._session.settings.byte_time_s
            once_s = OVERHEAD_S + estimate_s(len(self._content), byte_time_s=byte_time_s, settings=settings)
            self._deadline_of_all = Deadline(OVERHEAD_S + settings.attempts * once_s, now_s, self._session)
        return self._deadline_of_all

    def _advance(self, data: bytes, now_s: float, events: list[UploadEvent]) -> None:
        for place in range(len(data)):
            if self._inner is not None:
                self._receive_inner(self._inner, data[place:], now_s, events)
                return
            try:
                self._take(data[place : place + 1], now_s, events)
            except Elm11Error:
                # The rest of what the board says belongs to this error, not to the next line.
                self._session.receive(data[place + 1 :])
                raise
        if self._inner is not None:
            if not data:
                self._receive_inner(self._inner, data, now_s, events)
        elif self._deadline_s is not None and now_s >= self._deadline_s:
            self._deadline_s = None
            self._deadline(now_s, events)

    def bytes_to_write(self, now_s: float) -> bytes:
        """What to write to the board now; each byte is given once."""
        self._begin(now_s)
        if self._inner is not None:
            try:
                return self._inner.bytes_to_write(now_s)
            except Elm11Error as error:
                self._tell_what_is_left(error)
                raise
        out = bytes(self._out)
        self._out.clear()
        return out

    def next_deadline_s(self) -> float | None:
        """When `receive` is to be called at the latest; None when done."""
        if self.result is not None:
            return None
        step_s = self._inner.next_deadline_s() if self._inner is not None else self._deadline_s
        return step_s if self._deadline_of_all is None or step_s is None else min(step_s, self._deadline_of_all.at_s)

    # -- helpers --------------------------------------------------------------------------------------------

    def _command(self) -> Execution:
        return Execution(
            self._session,
            f'upload|program("{self._name}")',
            timeout_s=5 * self._settings.reply_timeout_s,
            ends_when_quiet_s=self._settings.quiet_s,
        )

    def _tell_what_is_left(self, error: Elm11Error) -> None:
        if self._deleted or self._overwrote:
            left = f"The board now has no program {self._name!r}, or a broken entry of that name: upload it again."
        else:
            left = f"Nothing on the board has changed: {self._name!r} is as it was."
        error.next_step = f"{error.next_step} {left}".strip()

    def _enter(self, phase: _Phase, out: bytes, seconds: float, now_s: float) -> None:
        self._phase = phase
        self._out += out
        self._deadline_s = now_s + seconds + len(out) * self._session.settings.byte_time_s

    def _ask(self, phase: _Phase, out: bytes, expected: bytes, now_s: float) -> None:
        self._expected = expected
        self._enter(phase, out, self._settings.reply_timeout_s, now_s)

    def _restart(self, reason: str, events: list[UploadEvent]) -> None:
        """Give this attempt up and leave the dialogue; the next attempt begins when the prompt is there."""
        self._restarts.append(reason)
        if len(self._restarts) >= self._settings.attempts:
            kind = BoardTimeoutError if self._timed_out else VerificationError
            raise kind(
                f"{self._name!r} could not be uploaded in {len(self._restarts)} attempts; the last ended: {reason}.",
                state=self.state,
                next_step="Lengthen the pause between bytes (--tx-delay) or look at the cable.",
                last_bytes=self._session.last_bytes,
            )
        events.append(UploadRestarted(reason, len(self._restarts) + 1))
        self._phase = _Phase.LEAVE
        self._deadline_s = None
        self._out.clear()
        at_prompt = self._session.mode is not None
        self._session.may_be_stray = True
        self._inner = Recovery(self._session, want=PromptKind.COMMAND, in_upload=not at_prompt)

    def _begin_bytes(self, now_s: float) -> None:
        self._session.mode = None
        self._deleted = True  # from here there is an entry, whole or broken
        self._place = 0
        self._hellos = 0
        self._ends = 0
        self._errors.clear()
        self._hello(now_s)

    def _hello(self, now_s: float) -> None:
        self._hellos += 1
        self._ask(_Phase.HELLO, bytes([_HELLO]), bytes([_HELLO_REPLY]), now_s)

    def _send_page(self, now_s: float) -> None:
        page = self._content[self._place : self._place + PAGE_BYTES]
        self._place += len(page)
        out = bytes([len(page) - 1]) + page
        self._ask(_Phase.PAGE, out, bytes([sum(page) & 0xFF]), now_s)

    # -- what comes -----------------------------------------------------------------------------------------

    def _receive_inner(self, inner: Execution | Recovery, data: bytes, now_s: float, events: list[UploadEvent]) -> None:
        inner.receive(data, now_s)
        if isinstance(inner, Recovery):
            if inner.result is not None:
                self._phase = _Phase.COMMAND
                self._inner = self._command()
            return
        result = inner.result
        if result is None:
            return
        self._inner = None
        if result.question:
            if self._overwrite:
                self._overwrote = True
                self._enter(_Phase.CONFIRM, b"y", self._settings.reply_timeout_s, now_s)
            else:
                self._restarts = []
                self._enter(_Phase.CONFIRM, b"n", self._settings.reply_timeout_s, now_s)
        elif result.prompt is None:
            self._begin_bytes(now_s)
        else:
            reply = " ".join(line.text for line in command_body(list(result.lines))).strip()
            if result.damaged or not reply:
                self._restart("the board did not begin the upload", events)
            else:
                raise CommandRefusedError(
                    f"the board refused to take program {self._name!r}: {reply}.",
                    command=f'upload|program("{self._name}")',
                    reply=reply,
                    state=self.state,
                )

    def _take(self, byte: bytes, now_s: float, events: list[UploadEvent]) -> None:
        for event in self._session.receive(byte):
            match event:
                case Stopped():
                    raise stopped_error(self.state, self._session.last_bytes)
                case Booted():
                    self._timed_out = False
                    self._restart(f"the board restarted while {self._phase.value}", events)
                    return
                case Prompt():
                    self._at_prompt(event, events)
                    return
                case Line() if self._phase is _Phase.END and event.text.strip():
                    self._errors.append(event.text.strip())
                case _:
                    pass
        self._reply(byte, now_s, events)

    def _reply(self, byte: bytes, now_s: float, events: list[UploadEvent]) -> None:
        match self._phase:
            case _Phase.CONFIRM:
                # "Overwriting, please proceed with upload." has no line end; a pause says the same.
                if self._overwrite and self._session.tokenizer.pending.endswith(b"upload."):
                    self._begin_bytes(now_s)
                else:
                    self._deadline_s = now_s + self._settings.reply_timeout_s
            case _Phase.HELLO:
                if byte == self._expected:  # what comes before it is the rest of the screen
                    self._ask(_Phase.READY, bytes([_READY]), bytes([_READY_REPLY]), now_s)
            case _Phase.READY | _Phase.LENGTH | _Phase.REQUEST | _Phase.PAGE:
                if byte == self._expected[:1]:
                    self._expected = self._expected[1:]
                    if not self._expected:
                        self._answered(now_s, events)
                else:
                    self._timed_out = False
                    wanted = self._expected.hex()
                    self._restart(f"{byte.hex()} came instead of {wanted} while {self._phase.value}", events)
            case _:
                pass

    def _answered(self, now_s: float, events: list[UploadEvent]) -> None:
        match self._phase:
            case _Phase.READY:
                length = len(self._content).to_bytes(4, "big")
                self._ask(_Phase.LENGTH, length, bytes([sum(length) & 0xFF, _LENGTH_GOOD]), now_s)
            case _Phase.LENGTH:
                self._ask(_Phase.REQUEST, bytes([_PAGE]), bytes([_PAGE_REPLY]), now_s)
            case _Phase.REQUEST:
                self._send_page(now_s)
            case _:
                events.append(UploadProgress(self._place, len(self._content), len(self._restarts) + 1))
                self._enter(_Phase.PAUSE, b"", self._settings.page_wait_s, now_s)

    def _at_prompt(self, prompt: Prompt, events: list[UploadEvent]) -> None:
        if self._phase is _Phase.CONFIRM and not self._overwrite:
            raise CommandRefusedError(
                f"a program {self._name!r} is on the board already.",
                command=f'upload|program("{self._name}")',
                reply="Upload aborted!",
                state=self.state,
                next_step="Allow it to be overwritten, or choose another name.",
            )
        if self._phase is _Phase.END and prompt.kind is PromptKind.COMMAND and not self._errors:
            self._phase = _Phase.DONE
            self._deadline_s = None
            self.result = UploadResult(self._name, len(self._content), tuple(self._restarts), self._overwrote)
            return
        said = f" (it says {self._errors[-1]!r})" if self._errors else ""
        self._timed_out = False
        self._restart(f"the board went back to its prompt{said} while {self._phase.value}", events)

    def _deadline(self, now_s: float, events: list[UploadEvent]) -> None:
        match self._phase:
            case _Phase.PAUSE:
                if self._place < len(self._content):
                    self._ask(_Phase.REQUEST, bytes([_PAGE]), bytes([_PAGE_REPLY]), now_s)
                else:
                    self._ends = 1
                    # Sums that happen to be letters are not the board's last words.
                    self._session.tokenizer.forget_pending()
                    self._enter(_Phase.END, bytes([_END]), self._settings.reply_timeout_s, now_s)
            case _Phase.CONFIRM if self._overwrite:
                self._begin_bytes(now_s)
            case _Phase.HELLO if self._hellos < _MAX_HELLOS:
                self._hello(now_s)  # the only byte that may be sent twice: it changes nothing
            case _Phase.END if self._ends < _MAX_HELLOS:
                # Lost: the board still waits for it. Arrived, and the prompt was lost: CR is ignored there.
                self._ends += 1
                self._enter(_Phase.END, bytes([_END]), self._settings.reply_timeout_s, now_s)
            case _:
                self._timed_out = True
                self._restart(f"no answer came while {self._phase.value}", events)


def n_bytes_written(n_bytes: int) -> int:
    """Bytes that the host writes to upload a program, from the first byte of the dialogue to the last."""
    n_pages = -(-n_bytes // PAGE_BYTES)
    return n_bytes + 2 * n_pages + len("\x07\x09") + 4 + len("\x0d")


def estimate_s(n_bytes: int, *, byte_time_s: float, settings: UploadSettings | None = None) -> float:
    """How long the upload of a program takes at least, in seconds."""
    settings = settings or UploadSettings()
    n_pages = -(-n_bytes // PAGE_BYTES)
    return settings.quiet_s + n_bytes_written(n_bytes) * byte_time_s + n_pages * settings.page_wait_s
