"""A run on a board: how far it is, its end, stopping it, and its results."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import (
    BoardBusyError,
    BoardRebootedError,
    BoardStoppedError,
    BoardTimeoutError,
    Elm11Error,
    EngineError,
    ProtocolError,
)
from ..jobs.histogram import Histogram, Part
from ..protocol import commands
from ..protocol.commands import BoardStatus, is_status, job_name, parse_status
from ..protocol.frame import Frame, FrameKind, HistogramAssembly, decode_line
from ..protocol.repl.tokenizer import Line
from ..transport.base import step
from .program_store import LOAD_TIMEOUT_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..jobs.job import Job
    from ..planning.deadlines import RunBudget
    from ..protocol.repl.machine import Execution
    from .job_runner import JobRunner

_log = logging.getLogger(__name__)

_FETCH_ROUNDS = 40
_DRAIN_S = 1.0


@dataclass(frozen=True)
class RunProgress:
    """How far a run is.

    Attributes:
        job: the job's name on the board.
        first: first simulation.
        count: simulations of the run.
        done: how many of them are finished.
        running: whether the board is still computing.
        scale: number of the scale that the running simulation is at.
        age_s: seconds since the last report.
        usable: False when the results are lost: a simulation was stopped while it was counted, or the board
            restarted.
    """

    job: str
    first: int
    count: int
    done: int
    running: bool
    scale: int
    age_s: float
    usable: bool = True

    @property
    def complete(self) -> bool:
        """Whether all simulations are done."""
        return self.done == self.count > 0


class Run:
    """Simulations that a board is computing, or has computed. Made by `Board.start` and `Board.attach`.

    Attributes:
        job: what is computed; None after attaching without one.
        job_name: what the board calls it: the first 16 digits of `Job.sha256`.
        first: first simulation.
        count: how many simulations.
        budget: deadlines of the run.

    Raises:
        Elm11Error: every method that talks to the board raises what `Board` does, and `EngineError` when the run
            has failed.
    """

    def __init__(
        self,
        jobs: JobRunner,
        execution: Execution | None,
        job: Job | None,
        name: str,
        simulations: range,
        budget: RunBudget,
    ) -> None:
        self.job = job
        self.job_name = name
        self.first = simulations.start
        self.count = len(simulations)
        self.budget = budget
        self._jobs = jobs
        self._console = jobs.console
        self._execution = execution
        self._status: BoardStatus | None = None
        self._last_heartbeat_s = jobs.console.transport.now_s()
        self._refusal = ""
        self._lost = False  # the board is known to hold the results no longer

    @property
    def simulations(self) -> range:
        """The simulations of the run."""
        return range(self.first, self.first + self.count)

    @property
    def running(self) -> bool:
        """Whether the board was computing when it was last heard."""
        return self._execution is not None and not self._execution.done

    def progress(self, wait_s: float = 0.0) -> RunProgress:
        """How far the run is: what the board has reported so far.

        Raises:
            LuaError: the run failed.
            BoardRebootedError: the board restarted; the results are gone.
            UnpluggedError: the port has gone. The run may go on.
        """
        transport = self._console.transport
        end_s = transport.now_s() + wait_s
        before = self._status
        while self.running:
            came = self._step(end_s)
            late_s = transport.now_s() - end_s
            # A board that talks without a pause is not listened to for longer than this.
            if late_s >= _DRAIN_S or (not came and (late_s >= 0 or self._status is not before)):
                break
        return self._progress()

    def wait(
        self,
        timeout_s: float | None = None,
        stall_s: float | None = None,
        on_progress: Callable[[RunProgress], None] | None = None,
    ) -> RunProgress:
        """Wait for the end of the run. Ctrl-C ends the waiting; the run goes on.

        Args:
            timeout_s: longest time for all of it; by default three times what the slowest board would take.
            stall_s: longest time without a report; by default likewise.
            on_progress: called at each report of the board.

        Raises:
            BoardTimeoutError: it took longer, or the board was silent for too long.
            LuaError: the run failed.
            BoardRebootedError: the board restarted; the results are gone.
            UnpluggedError: the port has gone. The run may go on.
        """
        transport = self._console.transport
        if timeout_s is None:
            timeout_s = self.budget.run_s
        if stall_s is None:
            stall_s = self.budget.silence_s
        end_s = transport.now_s() + timeout_s
        reported = None
        while self.running:
            self._step(end_s)
            if on_progress is not None and self._status is not reported:
                reported = self._status
                on_progress(self._progress())
            now_s = transport.now_s()
            if self.running and (now_s >= end_s or now_s - self._last_heartbeat_s >= stall_s):
                silent = now_s - self._last_heartbeat_s
                what = f"the run did not end within {timeout_s:g} s" if now_s >= end_s else "the run has stalled"
                raise BoardTimeoutError(
                    f"{what}; the last report came {silent:.1f} s ago.",
                    state=f"waiting for simulations {self.first} to {self.first + self.count - 1}",
                    next_step="Wait on, cancel the run, or switch the board off and on.",
                    last_bytes=self._console.last_bytes,
                )
        self._refresh()
        progress = self._progress()
        if on_progress is not None:
            on_progress(progress)
        return progress

    def cancel(self) -> RunProgress:
        """Stop the run with `q` and wait for the prompt.

        Returns:
            What is done. Unless the board was between two simulations, or had not yet counted anything of the one it
            was at, the results are lost (``usable`` is False): half a simulation cannot be taken out again.

        Raises:
            BoardTimeoutError: it did not stop. `Board.interrupt` tries again, `Board.attach` finds a run that goes on.
        """
        execution = self._execution
        if execution is not None and not execution.done:
            execution.interrupt(self._console.transport.now_s())
            try:
                self._console.drive(execution, self._note)
            except Elm11Error as error:
                # What the board does is not known now; whoever asks it next looks for its prompt first.
                self._failed(error)
                raise
        self._execution = None
        self._refresh()
        return self._progress()

    def fetch(self, *, fewer: bool = False, timeout_s: float | None = None) -> Histogram:
        """The results. They stay on the board.

        Lines that were damaged are asked for again until each line's CRC and that of the whole agree.

        Args:
            fewer: whether the finished part of a run that was cancelled will do.
            timeout_s: longest time; by default as long as the slowest board could need, several times over.

        Raises:
            ValueError: the job is not known: attach with it.
            BoardBusyError: the run goes on.
            EngineError: the run did not finish, or its results are of no use.
            ProtocolError: lines were damaged again and again.
            BoardTimeoutError: it took too long.
        """
        job = self.job
        if job is None:
            raise ValueError("job must be known to fetch its results: attach(job)")
        self.progress()
        if self.running:
            raise BoardBusyError(
                "the run goes on.", state="fetching results", next_step="Wait for its end, or cancel it."
            )
        status = self._refresh()
        if (status.job, status.crc32, status.first) != (job_name(job), commands.job_crc32(job), self.first):
            raise EngineError(
                "the results on the board are another run's.", state="fetching results", next_step="Start it again."
            )
        wanted = status.count if not fewer else status.done
        if not status.is_usable or status.done < max(wanted, 1):
            lost = (
                "" if status.is_usable else ", and one was stopped while it was counted, so that the results are lost"
            )
            raise EngineError(
                f"{status.done} of {status.count} simulations are finished{lost}.",
                state="fetching results",
                next_step="Start the run again.",
            )
        longest_s = 10 * self.budget.send_s if timeout_s is None else timeout_s
        with self._console.within(longest_s):
            counts = self._assemble(job, longest_s)
        part = Part(self.first, self.first + status.done, counts.counts())
        _log.info("fetched simulations %d to %d", part.start, part.stop - 1)
        return Histogram(job, [part])

    # ---- helpers --------------------------------------------------------------------------------------------

    def wait_for_start(self, crc32: str) -> None:
        """Wait for the board's first report.

        Raises:
            ProtocolError: the job has not arrived as it was sent; the run is stopped.
            EngineError: the board refuses.
            BoardTimeoutError: no report came.
        """
        transport = self._console.transport
        longest_s = max(LOAD_TIMEOUT_S, self.budget.start_s)
        end_s = transport.now_s() + longest_s
        while self.running and self._status is None and not self._refusal:
            self._step(end_s)
            if transport.now_s() >= end_s:
                raise BoardTimeoutError(
                    f"the board said nothing for {longest_s:.0f} s after a run was started.",
                    state="starting a run",
                    next_step="Reset the board, then try again.",
                    last_bytes=self._console.last_bytes,
                )
        if self._status is None:
            self._refresh()
        if self._status is None or self._status.crc32 != crc32:
            self.cancel()
            raise ProtocolError(
                "the job did not arrive as it was sent.", state="starting a run", next_step="Start it again."
            )

    def take(self, status: BoardStatus) -> None:
        """Take a report of the board."""
        self._status = status

    def _assemble(self, job: Job, timeout_s: float) -> HistogramAssembly:
        transport = self._console.transport
        assembly = HistogramAssembly(job.J + 1, job.n_bins)
        once_s = self.budget.send_s
        end_s = transport.now_s() + timeout_s
        lines = [commands.send_line(0, -1)]
        for _ in range(_FETCH_ROUNDS):
            for line in lines:
                left_s = end_s - transport.now_s()
                if left_s <= 0:
                    break
                for event in self._jobs.ask(line, min(once_s, left_s)):
                    if isinstance(event, Frame) and not is_status(event):
                        assembly.add(event)
            try:
                if assembly.is_complete():
                    return assembly
                missing = assembly.missing()
            except ProtocolError:
                assembly.clear()  # every line agrees and the whole does not: begin again
                missing = []
            if transport.now_s() >= end_s:
                break
            if assembly.summary is not None:
                lines = [commands.send_line(*blocks) for blocks in missing]
            else:
                lines = [commands.AGAIN_LINE if assembly.n_received else commands.send_line(0, -1)]
        expected = assembly.summary.n_lines if assembly.summary else "an unknown number"
        kind = BoardTimeoutError if transport.now_s() >= end_s else ProtocolError
        raise kind(
            f"the histogram did not arrive: {assembly.n_received} of {expected} lines came undamaged.",
            state="fetching results",
            next_step="The results are still on the board: fetch them again.",
            last_bytes=self._console.last_bytes,
        )

    def _step(self, until_s: float) -> bytes:
        execution = self._execution
        assert execution is not None
        try:
            came = step(execution, self._console.transport, self._note, until_s)
        except Elm11Error as error:
            self._failed(error)
            raise
        if came:
            self._last_heartbeat_s = self._console.transport.now_s()
        result = execution.result
        if result is not None:
            self._execution = None
            if self._refusal:
                raise EngineError(f"the board refuses: {self._refusal}.", state="running a job")
            if result.error is not None and not result.interrupted:
                result.error.state = f"computing simulations {self.first} to {self.first + self.count - 1}"
                raise result.error
        return came

    def _failed(self, error: Elm11Error) -> None:
        self._execution = None
        self._lost = isinstance(error, BoardRebootedError | BoardStoppedError)

    def _note(self, event: object) -> None:
        if not isinstance(event, Line):
            return
        for frame in decode_line(event.raw):
            if not isinstance(frame, Frame):
                continue
            if is_status(frame):
                status = parse_status(frame)
                if status.job == self.job_name:
                    self._status = status
            elif frame.kind is FrameKind.ERROR:
                self._refusal = frame.payload

    def _refresh(self) -> BoardStatus:
        """Ask the board itself, which is not computing any more."""
        status = self._jobs.status()
        if status is None or not status.job:
            raise EngineError(
                "the board holds no results any more.",
                state="asking for the run's state",
                next_step="Start the run again: the board has been switched off, or has dropped them (forget).",
            )
        self._status = status
        return status

    def _progress(self) -> RunProgress:
        status = self._status
        return RunProgress(
            job=self.job_name,
            first=self.first,
            count=self.count,
            done=status.done if status is not None else 0,
            running=self.running,
            scale=status.scale if status is not None else 0,
            age_s=self._console.transport.now_s() - self._last_heartbeat_s,
            usable=self.running or (not self._lost and (status is None or status.is_usable)),
        )
