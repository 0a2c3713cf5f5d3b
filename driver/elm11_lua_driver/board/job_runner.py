"""Jobs on a board: its programs' versions, the job, its run, and finding a run that is going on."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import elm11_firmware

from ..errors import (
    BoardBusyError,
    BoardTimeoutError,
    Elm11Error,
    EngineError,
    LuaError,
    ProtocolError,
    VersionMismatchError,
)
from ..jobs.histogram import Histogram
from ..planning import memory as memory_plan
from ..planning.deadlines import UNKNOWN_JOB, RunBudget
from ..protocol import commands
from ..protocol.commands import BoardStatus, is_status, job_name, parse_status
from ..protocol.frame import Frame, FrameKind, LineEvent, decode_line
from ..protocol.repl.machine import Execution
from ..protocol.repl.tokenizer import Line, PromptKind
from .console import TRIES
from .program_store import LOAD_TIMEOUT_S
from .run import Run

if TYPE_CHECKING:
    from ..jobs.job import Job
    from .console import Console
    from .program_store import ProgramStore

_log = logging.getLogger(__name__)
_ATTACH_TIMEOUT_S = 60.0
_ANSWER_TIMEOUT_S = 30.0  # nothing is computed or loaded for it
UPLOAD_COMMAND = "elm11-upload-scripts"
_PROGRAMS_GONE = "nil value (global 'elm11')"  # Lua's words where run.lua is not in memory


class JobRunner:
    """The jobs that a board is given, and their runs; errors as `Console`, and as each method says."""

    def __init__(self, console: Console, store: ProgramStore) -> None:
        self.console = console
        self.job: Job | None = None
        self._store = store
        # In which session of the board, and after how many changes of its programs, this driver's were loaded.
        self._loaded: tuple[int, int] | None = None
        self._run: Run | None = None
        console.before_line = self._require_no_run

    def handshake(self) -> BoardStatus:
        """See to it that this driver's programs, and no others, are loaded.

        Raises:
            VersionMismatchError: they are not there, or differ; the message names the command that mends it.
        """
        with self.console.within(LOAD_TIMEOUT_S):
            self._line_of_run(commands.LOAD_LINE)
            status = self._status(commands.HELLO_LINE)
            if _difference(status):
                # They may have been uploaded since the board loaded the old ones.
                self._line_of_run(commands.RELOAD_LINE)
                status = self._status(commands.HELLO_LINE)
        self._check_version(status)
        assert status is not None
        self._loaded = self._now_loaded()
        return status

    def configure(self, job: Job, *, memory_bytes: int | None = None) -> None:
        """Give a job to the board. `start` does so by itself; here errors show without a run.

        Raises:
            ValueError: the job does not fit into it; with the numbers, and what would fit.
            VersionMismatchError: the board's programs are not this driver's.
            BoardBusyError: it is running something.
        """
        memory_plan.plan(job, memory_bytes).check()
        self._require_no_run()
        if self._loaded != self._now_loaded():
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

    def _now_loaded(self) -> tuple[int, int]:
        return self.console.session.n_boots, self._store.n_changes

    def _send_job(self, job: Job) -> None:
        with self.console.within(LOAD_TIMEOUT_S):
            for line in commands.job_lines(job):
                self._line_of_run(line)

    def forget(self) -> None:
        """Drop the job and its results from the board's memory."""
        self._line_of_run(f"if elm11 then {commands.FORGET_LINE}end")

    def status(self) -> BoardStatus | None:
        """What the board says of its job and results; None if this driver's programs are not loaded."""
        return self._status(commands.STATUS_LINE)

    def ask(self, line: str, timeout_s: float) -> list[LineEvent]:
        """Type a line for run.lua and give the frames that answer it, and the lines that are none."""
        events: list[LineEvent] = []

        def note(event: object) -> None:
            if isinstance(event, Line):
                events.extend(decode_line(event.raw))

        try:
            self.console.type_line(line, timeout_s, on_event=note)
        except LuaError as error:
            raise self._programs_error(error) from error
        for event in events:
            if isinstance(event, Frame) and event.kind is FrameKind.ERROR:
                raise EngineError(f"the board refuses: {event.payload}.", state=f"asking {line!r}")
        return events

    # ---- runs -----------------------------------------------------------------------------------------------

    def start(self, job: Job, simulations: range | None = None, *, memory_bytes: int | None = None) -> Run:
        """Have the board compute. Results that it still holds are overwritten.

        Args:
            job: what to compute.
            simulations: which simulations, step 1; all of the job by default.
            memory_bytes: what may be used of the board's memory. More than the default may stop the board for good
                (until it is switched off).

        Raises:
            ValueError: the job does not fit into the board's memory, the range is not one that a histogram can hold, or
                it is longer than the board can count (pipeline fast, see `Job.longest_run`).
            VersionMismatchError: the board's programs are not this driver's.
            BoardBusyError: it is running something.
            Elm11Error: the board did not begin.
        """
        simulations = range(job.n_simulations) if simulations is None else simulations
        Histogram.check_range(job, simulations)
        if len(simulations) > job.longest_run:
            raise ValueError(
                f"simulations must be at most {job.longest_run} in one run of pipeline {job.pipeline}, whose counts "
                f"have 16 bits on the board, not {len(simulations)}; run them in blocks (BoardEngine does, "
                "block_ranges gives them)"
            )
        self.configure(job, memory_bytes=memory_bytes)
        budget = RunBudget.of(job, len(simulations))
        self.console.enter(PromptKind.LUA)
        execution = Execution(
            self.console.session,
            commands.start_line(simulations, budget.progress_interval, budget.heartbeat_interval),
            timeout_s=budget.run_s,
            repeatable=True,
        )
        run = Run(self, execution, job, job_name(job), simulations, budget)
        self._run = run
        try:
            run.wait_for_start(commands.job_crc32(job))
        except Elm11Error:
            self._run = None  # nobody will have it; what the board does is looked at when it is asked next
            raise
        _log.info("simulations %d to %d of job %s run", simulations.start, simulations.stop - 1, job_name(job))
        return run

    def attach(self, job: Job | None = None, timeout_s: float = _ATTACH_TIMEOUT_S) -> Run:
        """Find the run that is going on, or the results that are there, after the host went away.

        Args:
            job: what it should be; without it the run can be followed but not fetched.
            timeout_s: how long a running board may be silent.

        Raises:
            EngineError: there is no run and there are no results.
            BoardBusyError: the board has another job.
            VersionMismatchError: the results were computed by other programs than this driver's.
            BoardTimeoutError: the board sent no report.
        """
        self._require_no_run()
        heard: list[BoardStatus] = []
        self.console.read_what_has_come()
        if self.console.session.mode is None:
            execution = self.console.attach_to_output()
            heard = self._hear_status(execution, timeout_s)
        running = bool(heard)
        if running:
            self.console.session.synchronised = True
        status = heard[-1] if heard else self._status(commands.STATUS_LINE)
        if status is None or not status.job:
            raise EngineError(
                "the board runs nothing and holds no results.",
                state="attaching",
                next_step="Start the job again; if it was running, the board has lost its power in between.",
            )
        if job is not None and (status.job, status.crc32) != (job_name(job), commands.job_crc32(job)):
            raise BoardBusyError(
                f"the board has job {status.job}, not {job_name(job)}.",
                progress=f"simulations {status.first} to {status.first + status.count - 1}, {status.done} done",
                state="attaching",
                next_step="Attach with that job, or start this one (which overwrites the other's results).",
            )
        if not running:
            self._check_version(status)
        simulations = range(status.first, status.first + status.count)
        budget = RunBudget.of(job, status.count) if job is not None else UNKNOWN_JOB
        run = Run(self, execution if running else None, job, status.job, simulations, budget)
        run.take(status)
        self._run = run
        _log.info("found job %s, %d of %d simulations done", status.job, status.done, status.count)
        return run

    def cancel(self) -> bool:
        """Cancel the run that is going on; False if none is.

        Raises:
            BoardTimeoutError: it did not stop.
        """
        if self._run is None or not self._run.running:
            return False
        self._run.cancel()
        return True

    # ---- helpers --------------------------------------------------------------------------------------------

    def _status(self, line: str) -> BoardStatus | None:
        """What the board says of itself; None if run.lua is not loaded."""
        silent = 0
        timeout_s = LOAD_TIMEOUT_S if line == commands.HELLO_LINE else _ANSWER_TIMEOUT_S
        with self.console.within(timeout_s):
            for _ in range(TRIES):
                events = self.ask(line, timeout_s)
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
            last_bytes=self.console.session.last_bytes,
        )

    def _line_of_run(self, line: str) -> None:
        """A line for run.lua."""
        try:
            self.console.type_line(line, LOAD_TIMEOUT_S)
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

    def _require_no_run(self) -> None:
        if self._run is not None and self._run.running:
            progress = self._run.progress()
            if progress.running:
                raise BoardBusyError(
                    f"the board is computing job {progress.job}.",
                    progress=f"{progress.done} of {progress.count} simulations, heard {progress.age_s:.0f} s ago",
                    next_step="Wait for the run, or cancel it.",
                )

    def _hear_status(self, execution: Execution, timeout_s: float) -> list[BoardStatus]:
        """What a running program of ours says of itself; nothing if the board is at its prompt."""
        heard: list[BoardStatus] = []

        def note(event: object) -> None:
            if isinstance(event, Line):
                heard.extend(
                    parse_status(frame)
                    for frame in decode_line(event.raw)
                    if isinstance(frame, Frame) and is_status(frame)
                )

        if self.console.listen(execution, timeout_s, note, lambda: bool(heard)):
            return []
        if not heard:
            raise BoardTimeoutError(
                f"the board sent no report for {timeout_s:g} s, and no prompt.",
                state="listening to the board",
                next_step="It runs something silent, or is switched off: wait, interrupt it, or reset it.",
                last_bytes=self.console.last_bytes,
            )
        return heard


def _difference(status: BoardStatus | None) -> str:
    """What the board has, if it is not what this driver has; else empty."""
    if status is None:
        return "none that answer"
    if (status.version, status.programs) == (elm11_firmware.PROTOCOL_VERSION, elm11_firmware.programs_crc32()):
        return ""
    return f"version {status.version}, programs {status.programs or 'unknown'}"
