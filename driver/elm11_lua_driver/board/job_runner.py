"""What is said to this driver's programs on a board: versions, jobs, questions; without the runs themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import elm11_firmware

from ..errors import Elm11Error, EngineError, LuaError, ProtocolError, VersionMismatchError
from ..planning import memory as memory_plan
from ..protocol import commands
from ..protocol.commands import BoardStatus, is_status, parse_status
from ..protocol.frame import Frame, FrameKind, LineEvent, decode_line
from ..protocol.repl.tokenizer import Line
from .console import TRIES
from .program_store import LOAD_TIMEOUT_S, BoardPrograms

if TYPE_CHECKING:
    from ..jobs.job import Job
    from ..protocol.upload_plan import UploadSettings
    from ..transport.base import Transport

UPLOAD_COMMAND = "elm11-upload-scripts"
_PROGRAMS_GONE = "nil value (global 'elm11')"  # Lua's words where run.lua is not in memory


class BoardJobs(BoardPrograms):
    """A board that has this driver's programs, and is given jobs.

    Args:
        transport: the port; closed with the board.
        upload_settings: times and limits of uploads.

    Attributes:
        job: the job that was given last.

    Raises:
        LuaError: a line that the driver needs has failed on the board; `BoardStoppedError` if its memory ran out.
        BoardTimeoutError: the board did not answer in time.
        BoardBusyError: the board runs something, or does not stop talking.
        BoardRebootedError: the board started anew.
        ProtocolError: what came was damaged more often than can be mended, or is no answer.
        UnpluggedError: the port has gone.
    """

    def __init__(self, transport: Transport, *, upload_settings: UploadSettings | None = None) -> None:
        super().__init__(transport, upload_settings=upload_settings)
        self.job: Job | None = None

    def handshake(self) -> BoardStatus:
        """See to it that this driver's programs, and no others, are loaded.

        Returns:
            What the board says of itself.

        Raises:
            VersionMismatchError: they are not there, or differ; the message names the command that mends it.
        """
        self._line_of_run(commands.LOAD_LINE)
        status = self._status(commands.HELLO_LINE)
        if _difference(status):
            # They may have been uploaded since the board loaded the old ones.
            self._line_of_run(commands.RELOAD_LINE)
            status = self._status(commands.HELLO_LINE)
        self._check_version(status)
        assert status is not None
        self._loaded_at_boot = self._session.n_boots
        return status

    def configure(self, job: Job, *, memory_bytes: int | None = None) -> None:
        """Give a job to the board. `start` does so by itself; here errors show without a run.

        Args:
            job: the job.
            memory_bytes: what may be used of the board's memory.

        Raises:
            ValueError: the job does not fit into it; with the numbers, and what would fit.
            VersionMismatchError: the board's programs are not this driver's.
            BoardBusyError: it is running something.
        """
        memory_plan.plan(job, memory_bytes).check()
        self._require_no_run()
        if self._loaded_at_boot != self._session.n_boots:
            self.handshake()
        try:
            self._send_job(job)
        except LuaError as error:
            if _PROGRAMS_GONE not in error.lua_message:
                raise
            # A start of the board whose text was lost, or code of the user's, has cleared its memory.
            self.handshake()
            self._send_job(job)
        self.job = job

    def _send_job(self, job: Job) -> None:
        for line in commands.job_lines(job):
            self._line_of_run(line)

    def forget(self) -> None:
        """Drop the job and its results from the board's memory.

        Raises:
            VersionMismatchError: the board's programs are not this driver's.
        """
        self._line_of_run(f"if elm11 then {commands.FORGET_LINE}end")

    def status(self) -> BoardStatus | None:
        """What the board says of its job and results; None if this driver's programs are not loaded."""
        return self._status(commands.STATUS_LINE)

    def ask(self, line: str, timeout_s: float) -> list[LineEvent]:
        """Type a line for run.lua and give the frames that answer it, and the lines that are none.

        Args:
            line: a call, at most 254 printable ASCII characters.
            timeout_s: longest time until the prompt is back.

        Returns:
            Frames and other lines, in the order in which they came.

        Raises:
            EngineError: the board refuses.
            VersionMismatchError: the board's programs are not this driver's.
        """
        events: list[LineEvent] = []

        def note(event: object) -> None:
            if isinstance(event, Line):
                events.extend(decode_line(event.raw))

        try:
            self._line(line, timeout_s, on_event=note)
        except LuaError as error:
            raise self._programs_error(error) from error
        for event in events:
            if isinstance(event, Frame) and event.kind is FrameKind.ERROR:
                raise EngineError(f"the board refuses: {event.payload}.", state=f"asking {line!r}")
        return events

    # ---- helpers --------------------------------------------------------------------------------------------

    def _status(self, line: str) -> BoardStatus | None:
        """What the board says of itself; None if run.lua is not loaded."""
        silent = 0
        for _ in range(TRIES):
            events = self.ask(line, LOAD_TIMEOUT_S)
            for event in events:
                if isinstance(event, Frame) and is_status(event):
                    return parse_status(event)
            silent += not events
            if silent > 1:
                return None
        raise ProtocolError(
            "the board's answer was damaged each time.",
            state=f"asking {line!r}",
            next_step="Look at the cable, then try again.",
            last_bytes=self._session.last_bytes,
        )

    def _line_of_run(self, line: str) -> None:
        """A line for run.lua.

        Raises:
            VersionMismatchError: there is no run.lua, or a damaged one.
        """
        try:
            self._line(line, LOAD_TIMEOUT_S)
        except LuaError as error:
            raise self._programs_error(error) from error

    def _programs_error(self, error: LuaError) -> Elm11Error:
        text = error.lua_message
        if "no such program" in text or UPLOAD_COMMAND in text:
            return VersionMismatchError(
                f"this driver's programs are not on the board, or damaged: {text}.",
                on_board=text,
                wanted=elm11_firmware.programs_crc32(),
                state="loading the board's programs",
                next_step=f"Upload them: {UPLOAD_COMMAND}, or elm11 run --upload.",
            )
        return error

    def _check_version(self, status: BoardStatus | None) -> None:
        difference = _difference(status)
        if difference:
            wanted = f"version {elm11_firmware.PROTOCOL_VERSION}, programs {elm11_firmware.programs_crc32()}"
            raise VersionMismatchError(
                f"the board's programs are not this driver's: it has {difference}, and {wanted} is wanted.",
                on_board=difference,
                wanted=wanted,
                state="comparing versions",
                next_step=f"Upload this driver's programs: {UPLOAD_COMMAND}.",
            )


def _difference(status: BoardStatus | None) -> str:
    """What the board has, if it is not what this driver has; else empty."""
    if status is None:
        return "none that answer"
    if (status.version, status.programs) == (elm11_firmware.PROTOCOL_VERSION, elm11_firmware.programs_crc32()):
        return ""
    return f"version {status.version}, programs {status.programs or 'unknown'}"
