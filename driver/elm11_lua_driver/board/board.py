"""One board: run code on it, keep programs in it, and have it compute.

    with Board.open("/dev/ttyUSB1") as board:
        print(board.execute("1+1"))
        run = board.start(job, range(20))
        run.wait()
        histogram = run.fetch()

Every wait has a deadline. Leaving the ``with`` block, Ctrl-C (KeyboardInterrupt) in the midst of a wait, and pulling
the cable leave a run on the board going; `Board.attach` finds it again. `Run.cancel` stops it.

Uploading a program deletes the old one of that name first: after a failure there is none, or a broken one, and the
error says so.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from ..errors import BoardBusyError, BoardTimeoutError, Elm11Error, EngineError
from ..jobs.histogram import Histogram
from ..planning.deadlines import UNKNOWN_JOB, RunBudget
from ..protocol import commands
from ..protocol.commands import BoardStatus, is_status, job_name, parse_status
from ..protocol.frame import Frame, decode_line
from ..protocol.repl.tokenizer import Line, PromptKind
from ..protocol.wire import DEFAULT_TX_DELAY_S
from ..transport.open import open_transport
from .code import BoardInfo
from .detect import PORT_VARIABLE, choose
from .job_runner import BoardJobs
from .run import Run, RunProgress

if TYPE_CHECKING:
    from pathlib import Path

    from ..jobs.job import Job
    from ..protocol.repl.execution import Execution
    from ..protocol.upload_plan import UploadSettings
    from ..transport.base import Transport

__all__ = ["Board", "BoardInfo", "Run", "RunProgress"]

_log = logging.getLogger(__name__)
_ATTACH_TIMEOUT_S = 60.0


class Board(BoardJobs):
    """A board on an open port.

    Args:
        transport: the port; closed with the board.
        upload_settings: times and limits of uploads.

    Attributes:
        transport: the port.
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
        self._run: Run | None = None

    @classmethod
    def open(
        cls,
        port: str | None = None,
        hw_id: str | None = None,
        tx_delay_s: float | None = None,
        trace: Path | None = None,
    ) -> Board:
        """Open a board by its port, by its hardware id, by ``ELM11_PORT``, or because it is the only one.

        Nothing is sent to a named port yet: a board that runs something is left alone until something is asked of it.

        Args:
            port: the port's name (`open_port` lists the kinds).
            hw_id: the board's `_hW`. With a port, the board must have it.
            tx_delay_s: from the start of one byte to the start of the next; 1 ms if None.
            trace: a file for a byte trace.

        Returns:
            The board; a context manager, which gives the port back.

        Raises:
            BoardNotFoundError: there is no board, or not that one.
            SeveralBoardsError: there are several.
            PortError: the port cannot be opened.
        """
        named = port or (os.environ.get(PORT_VARIABLE) if hw_id is None else None)
        chosen = named or choose(hw_id=hw_id).port
        delay_s = DEFAULT_TX_DELAY_S if tx_delay_s is None else tx_delay_s
        board = cls(open_transport(chosen, tx_delay_s=delay_s, trace_path=trace))
        if named and hw_id is not None:
            try:
                board.require_hw_id(hw_id)
            except BaseException:
                board.close()
                raise
        return board

    # ---- runs -----------------------------------------------------------------------------------------------

    def start(self, job: Job, simulations: range | None = None, *, memory_bytes: int | None = None) -> Run:
        """Have the board compute. Results that it still holds are overwritten.

        Args:
            job: what to compute.
            simulations: which simulations, step 1; all of the job by default.
            memory_bytes: what may be used of the board's memory. More than the default may stop the board for good
                (until it is switched off).

        Returns:
            The run, which goes on by itself.

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
        self._enter(PromptKind.LUA)
        execution = self._session.execute(
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

        Returns:
            The run, whether it goes on or has ended.

        Raises:
            EngineError: there is no run and there are no results.
            BoardBusyError: the board has another job.
            VersionMismatchError: the results were computed by other programs than this driver's.
            BoardTimeoutError: the board gave no sign of life.
        """
        self._require_no_run()
        heard: list[BoardStatus] = []
        self._read_what_has_come()
        if self._session.mode is None:
            execution = self._attach_to_output()
            heard = self._hear_status(execution, timeout_s)
        running = bool(heard)
        if running:
            self._session.in_step = True
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

    def interrupt(self) -> bool:
        """Stop what runs, with `q`; a run is cancelled.

        Returns:
            Whether something was running.

        Raises:
            BoardTimeoutError: it did not stop.
        """
        if self._run is not None and self._run.running:
            self._run.cancel()
            return True
        return super().interrupt()

    # ---- helpers --------------------------------------------------------------------------------------------

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

        if self._listen(execution, timeout_s, note, lambda: bool(heard)):
            return []
        if not heard:
            raise BoardTimeoutError(
                f"the board gave no sign of life for {timeout_s:g} s, and no prompt.",
                state="listening to the board",
                next_step="It runs something silent, or is switched off: wait, interrupt it, or reset it.",
                last_bytes=self.last_bytes,
            )
        return heard
