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

import dataclasses
import logging
import os
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, TypeVar

import elm11_firmware

from elm11_lua_driver import board_run, memory_plan
from elm11_lua_driver.board_run import BoardStatus, is_status, job_name, parse_status
from elm11_lua_driver.detect import PORT_VARIABLE, choose
from elm11_lua_driver.errors import (
    BoardBusyError,
    BoardNotFoundError,
    BoardRebootedError,
    BoardStoppedError,
    BoardTimeoutError,
    CommandRefusedError,
    Elm11Error,
    EngineError,
    LuaError,
    ProtocolError,
    VerificationError,
    VersionMismatchError,
)
from elm11_lua_driver.frame import Frame, FrameKind, HistogramAssembly, LineEvent, decode_line
from elm11_lua_driver.histogram import Histogram, Part
from elm11_lua_driver.open_port import open_transport
from elm11_lua_driver.program_text import Comparison, code_lines, read_back_faults
from elm11_lua_driver.recovery import Recovery
from elm11_lua_driver.repl import ReplSession
from elm11_lua_driver.repl_reader import MAX_LINE, Line, PromptKind, command_body
from elm11_lua_driver.repl_state import ExecutionResult, ReplSettings
from elm11_lua_driver.serial_port import SerialTransport
from elm11_lua_driver.transport import DEFAULT_TX_DELAY_S, Transport, hold
from elm11_lua_driver.upload import Upload, UploadResult
from elm11_lua_driver.upload_plan import MAX_PROGRAM_BYTES, UploadSettings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    from elm11_lua_driver.execution import Execution
    from elm11_lua_driver.job import Job
    from elm11_lua_driver.upload import UploadEvent

_log = logging.getLogger(__name__)
_Answer = TypeVar("_Answer")

UPLOAD_COMMAND = "elm11-upload-scripts"
EXECUTE_TIMEOUT_S = 10.0
_COMMAND_TIMEOUT_S = 10.0
_READ_BACK_TIMEOUT_S = 30.0  # the longest program takes 2 s on the wire
_LOAD_TIMEOUT_S = 300.0  # all programs, twice as long as the slowest board takes
_ATTACH_TIMEOUT_S = 60.0
_INTERRUPT_LISTEN_S = 2.0  # a prompt would have come: what has not given one by then is running
_POLL_S = 0.1
# How often an answer is asked for again when its line was damaged. With 20 % of lines damaged, one in 10^7 fails.
_TRIES = 10
_LIST_TRIES = 24  # a long list is seldom whole on a bad line, and each of its entries must be read twice
_FETCH_ROUNDS = 40
_MOST_READS = 24  # of a text; one is enough as a rule, and with 20 % of lines damaged one in 10^5 needs more

_CHECK_CODE = (
    'import("load")local c=elm11_code local function g()c.i=c.i+1 return c[c.i]end c.i=-1 c.f=load(g,"=stdin")'
    'if not c.f then c.i=0 c.f,c.e=load(g,"=stdin")end print(c.f and"ok"or"syntax "..c.e)'
)
_IDENTITY = "print(_VERSION,_sW,_fW,_hW,_cI)"
_IDENTITY_WORDS = 5
_PROGRAM_LINE = re.compile(r"Program ([0-9]{1,3})\.\s*: (.+)")
_CLOCK = re.compile(r"([0-9]+(?:\.[0-9]+)?) *[Mm][Hh]z")
_PROGRAMS_GONE = "nil value (global 'elm11')"  # Lua's words where run.lua is not in memory
_BYTES = re.compile(r"([0-9]+) bytes")


@dataclass(frozen=True)
class BoardInfo:
    """What a board says of itself.

    Attributes:
        port: the port it is on.
        lua_version: such as "Lua 5.4".
        software: `_sW`, the firmware's build.
        firmware: `_fW`, the overlay's version.
        hw_id: `_hW`, the hardware's identity.
        core: `_cI`, the core that Lua runs on.
        clock_mhz: its clock; None if it does not say.
        memory_free: bytes of free heap; None where the overlay does not count them.
    """

    port: str
    lua_version: str
    software: str
    firmware: str
    hw_id: str
    core: str
    clock_mhz: float | None
    memory_free: int | None


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
        age_s: seconds since the last sign of life.
        usable: False when the results are lost: a simulation was stopped while it was counted, or the board started
            anew.
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


class Board:
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
        self.transport = transport
        self.job: Job | None = None
        self._session = ReplSession(ReplSettings(byte_time_s=transport.byte_time_s))
        self._upload_settings = upload_settings or UploadSettings()
        self._run: Run | None = None
        self._loaded_at_boot: int | None = None  # which start of the board has had this driver's programs loaded

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

    def require_hw_id(self, hw_id: str) -> None:
        """Do nothing if this is the board with that hardware id.

        Args:
            hw_id: the hardware id wanted.

        Raises:
            BoardNotFoundError: it is another.
        """
        found = self.identity()[3]
        if found != hw_id:
            raise BoardNotFoundError(
                f"the board on {self.transport.name} has hardware id {found!r}, not {hw_id!r}.",
                port=self.transport.name,
                state="opening a board",
                next_step="See which boards there are: elm11 detect.",
            )

    def close(self) -> None:
        """Give the port back. What runs on the board goes on."""
        self.transport.close()

    @property
    def last_bytes(self) -> bytes:
        """The last bytes that came from the board, for error messages."""
        return self._session.last_bytes

    def __enter__(self) -> Self:
        """Use it in a ``with`` statement."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Give the port back."""
        self.close()

    # ---- pacing ---------------------------------------------------------------------------------------------

    @property
    def tx_delay_s(self) -> float | None:
        """From the start of one byte to the start of the next; None where there is no wire to pace."""
        return self.transport.tx_delay_s if isinstance(self.transport, SerialTransport) else None

    def set_tx_delay(self, tx_delay_s: float) -> None:
        """Pace the bytes otherwise from now on. Does nothing where there is no wire.

        Args:
            tx_delay_s: seconds from the start of one byte to the start of the next, >= 0.

        Raises:
            ValueError: `tx_delay_s` is negative.
        """
        if not tx_delay_s >= 0:
            raise ValueError(f"tx_delay_s must be 0 or more seconds, not {tx_delay_s}")
        if isinstance(self.transport, SerialTransport):
            self.transport.tx_delay_s = tx_delay_s
            self._session.settings = dataclasses.replace(self._session.settings, byte_time_s=self.transport.byte_time_s)

    # ---- the prompt -----------------------------------------------------------------------------------------

    def type_line(self, line: str, timeout_s: float = EXECUTE_TIMEOUT_S) -> ExecutionResult:
        """Run one line and tell how it went; unlike `execute`, without asking why it printed nothing.

        Args:
            line: at most 254 printable ASCII characters; it may run twice if the wire is bad.
            timeout_s: longest time until the prompt is back.

        Returns:
            What the line printed, and how it ended.

        Raises:
            LuaError: it failed.
        """
        return self._line(line, timeout_s)

    def execute(
        self, lua: str, timeout_s: float = EXECUTE_TIMEOUT_S, *, on_line: Callable[[str], None] | None = None
    ) -> str:
        """Run Lua code at the prompt.

        A single line is typed, each piece compared with its echo before the line feed is sent. Longer code is given in
        pieces and run as one chunk. As at the prompt, the values of an expression are printed.

        Args:
            lua: the code, at most 24 575 bytes.
            timeout_s: longest time until the prompt is back.
            on_line: called with each line that the board prints, as it comes; those of an error, too.

        Returns:
            What it printed, lines separated by LF.

        Raises:
            LuaError: its syntax is wrong, or it failed; with Lua's message.
            BoardTimeoutError: it did not end in time. It goes on; `interrupt` stops it.
            BoardBusyError: a run of this board's is going on.
            ValueError: the code is longer.
        """
        code = lua.encode("utf-8")
        if len(code) > MAX_PROGRAM_BYTES:
            raise ValueError(
                f"lua must have at most {MAX_PROGRAM_BYTES} bytes, not {len(code)}: upload it as a program"
            )

        def note(event: object) -> None:
            if on_line is not None and isinstance(event, Line):
                on_line(event.text)

        line = lua.strip()
        if len(line) < MAX_LINE and line.isascii() and line.isprintable():
            result = self._line(line, timeout_s, repeatable=False, on_event=note)
            if not result.text:
                # A syntax error prints nothing, and neither does most code that is right.
                self._check_syntax(code)
            return result.text
        self._check_syntax(code, keep=True)
        try:
            text = self._line("return elm11_code.f()", timeout_s, on_event=note).text
        except BoardStoppedError:
            raise
        except LuaError:
            self._line("elm11_code=nil", EXECUTE_TIMEOUT_S)
            raise
        self._line("elm11_code=nil", EXECUTE_TIMEOUT_S)
        return text

    def run_program(self, name: str, timeout_s: float = EXECUTE_TIMEOUT_S) -> str:
        """Run a stored program.

        Args:
            name: its name.
            timeout_s: longest time until the prompt is back.

        Returns:
            What it printed, and the values it returned.

        Raises:
            LuaError: there is no such program, its syntax is wrong, or it failed.
            ValueError: the name has characters that a program's name cannot have.
        """
        return self._line(f'run_program("{_plain(name)}")', timeout_s).text

    def interrupt(self) -> bool:
        """Stop what runs, with `q`.

        Returns:
            Whether something was running.

        Raises:
            BoardTimeoutError: it did not stop.
        """
        if self._run is not None and self._run.running:
            self._run.cancel()
            return True
        self._read_what_has_come()
        if self._session.mode is not None:
            return False
        if self._listen(self._attach_to_output(), _INTERRUPT_LISTEN_S):
            return False
        execution = self._attach_to_output()
        execution.interrupt(self.transport.now_s())
        hold(execution, self.transport)
        return True

    def reboot(self) -> None:
        """Start the board anew. Programs stay; what is in memory is lost.

        Raises:
            BoardTimeoutError: its prompt did not come back.
        """
        self._line("reboot()", _COMMAND_TIMEOUT_S, expect_reboot=True)

    def identity(self) -> tuple[str, ...]:
        """`_VERSION`, `_sW`, `_fW`, `_hW`, `_cI` as text.

        Returns:
            Five texts.

        Raises:
            ProtocolError: the answer is none of an ELM11.
        """

        def ask() -> tuple[str, ...]:
            return tuple(self._line(_IDENTITY, EXECUTE_TIMEOUT_S).text.split("\t"))

        words = self._twice(ask)
        if len(words) != _IDENTITY_WORDS:
            raise ProtocolError(
                f"the board answered {words!r} when it was asked who it is.",
                state="asking for the board's identity",
                next_step="Is this an ELM11? See elm11 detect.",
            )
        return words

    def info(self) -> BoardInfo:
        """What the board says of itself."""
        lua_version, software, firmware, hw_id, core = self.identity()
        clock = _CLOCK.search(self._twice(lambda: self._command("list|clk_freq")))
        memory = _BYTES.search(self._twice(lambda: self._command("memory|free")))
        return BoardInfo(
            self.transport.name,
            lua_version,
            software,
            firmware,
            hw_id,
            core,
            float(clock[1]) if clock else None,
            int(memory[1]) if memory else None,
        )

    # ---- programs -------------------------------------------------------------------------------------------

    def programs(self) -> list[str]:
        """Names of the stored programs, broken entries included.

        Raises:
            ProtocolError: the list was damaged again and again.
        """
        votes: dict[int, Counter[str]] = {}
        for _ in range(_LIST_TRIES):
            for number, name in _PROGRAM_LINE.findall(self._command("list|programs")):
                votes.setdefault(int(number), Counter())[name] += 1
            count = re.search(r": ([0-9]+)\s*$", self._command("list|program_count"))
            expected = int(count[1]) if count else -1
            # Two reads that agree, since nothing else shows a damaged letter. A damaged number may have made entries
            # that are not in the list: they come once.
            agreed = [name for number in sorted(votes) for name, n in votes[number].most_common(1) if n > 1]
            if len(agreed) == expected:
                return agreed
        raise ProtocolError(
            "the list of programs was damaged each time.",
            state="listing programs",
            next_step="Look at the cable, then try again.",
        )

    def upload(
        self,
        name: str,
        text: str,
        *,
        overwrite: bool = True,
        verify: bool = True,
        on_progress: Callable[[UploadEvent], None] | None = None,
    ) -> UploadResult:
        """Store a program. An old one of that name is deleted first.

        Args:
            name: 1 to 29 printable ASCII characters without double quotes.
            text: the program, Latin-1.
            overwrite: whether an old one may be deleted.
            verify: read it back and compare.
            on_progress: called after each page, and when the whole program is sent again.

        Returns:
            What was stored, and what it took.

        Raises:
            ValueError: the name or the text cannot be stored.
            VerificationError: the sums were wrong in every attempt, or what is read back differs.
            CommandRefusedError: the board refused, or there is one and it may not be overwritten.
        """
        self._enter(PromptKind.COMMAND)
        upload = Upload(
            self._session, name, text.encode("latin-1"), overwrite=overwrite, settings=self._upload_settings
        )
        self._loaded_at_boot = None
        hold(upload, self.transport, on_progress)
        assert upload.result is not None
        if verify:
            self.verify(name, text)
        return upload.result

    def read_back(self, name: str) -> list[str]:
        """The lines of a stored program, read once. Nothing shows whether the wire has damaged them.

        Args:
            name: of the program.

        Raises:
            CommandRefusedError: there is no such program.
            ValueError: the name has characters that a program's name cannot have.
        """
        lines = self._command_lines(f'list|program_code("{_plain(name)}")', _READ_BACK_TIMEOUT_S)
        if lines and "unable to load program" in lines[0].text:
            raise CommandRefusedError(
                f"there is no program {name!r} on the board.", command="list|program_code", reply=lines[0].text
            )
        return [line.text for line in lines]

    def matches(self, name: str, text: str) -> bool:
        """Whether a stored program is this text, by reading it back, line ends left aside.

        Lines that the wire has damaged are read again: each line must have been read as it should be, and as many of
        them as there should be. A text that is read twice alike, and is not the one wanted, is another text.

        Args:
            name: of the program.
            text: what it should be, Latin-1; line ends do not count.

        Raises:
            CommandRefusedError: there is no such program.
            VerificationError: the text cannot be read back: a line is too long.
        """
        fault = read_back_faults(text)
        if fault:
            raise VerificationError(
                f"{name!r} cannot be verified: {fault}.",
                program=name,
                state="reading a program back",
                next_step="Break the line, or upload without verifying.",
            )
        comparison = Comparison(text)
        for _ in range(_MOST_READS):
            verdict = comparison.read(self.read_back(name))
            if verdict is not None:
                return verdict
        return False

    def verify(self, name: str, text: str) -> None:
        """Do nothing if the stored program is this text.

        Args:
            name: of the program.
            text: what it should be, Latin-1; line ends do not count.

        Raises:
            VerificationError: it is another, is not there, or cannot be read back.
        """
        try:
            same = self.matches(name, text)
        except CommandRefusedError as error:
            raise VerificationError(
                error.what, program=name, state="verifying", next_step="Upload it again."
            ) from error
        if not same:
            raise VerificationError(
                f"program {name!r} on the board is not what was sent.",
                program=name,
                state="verifying",
                next_step="Upload it again; if it happens again, lengthen the pause between bytes (--tx-delay).",
            )

    def check_program(self, name: str) -> tuple[int, str] | None:
        """Have the board check the text of one of this driver's programs, by loading it.

        Args:
            name: a program that `elm11_firmware.programs` lists.

        Returns:
            Length and CRC-32 that the board found; None if the program has no check, is damaged or is not there.

        Raises:
            ValueError: the name has characters that a program's name cannot have.
        """
        line = f'local _,n,c=run_program("{_plain(name)}")print(n,c)'
        try:
            words = self._twice(lambda: self._line(line, _LOAD_TIMEOUT_S).text).split("\t")
        except LuaError:
            return None
        return (int(words[0]), words[1]) if len(words) == 2 and words[0].isdecimal() else None

    def delete(self, name: str) -> None:
        """Delete a stored program.

        Args:
            name: of the program.

        Raises:
            CommandRefusedError: there is none of that name.
            ValueError: the name has characters that a program's name cannot have.
        """
        self._loaded_at_boot = None
        reply = self._command(f'delete|program("{_plain(name)}")')
        if reply.strip():
            raise CommandRefusedError(
                f"program {name!r} was not deleted: {reply.strip()}.",
                command="delete|program",
                reply=reply.strip(),
                state="deleting a program",
                next_step="See which programs there are: elm11 list.",
            )

    # ---- runs -----------------------------------------------------------------------------------------------

    def handshake(self) -> BoardStatus:
        """See to it that this driver's programs, and no others, are loaded.

        Returns:
            What the board says of itself.

        Raises:
            VersionMismatchError: they are not there, or differ; the message names the command that mends it.
        """
        self._line_of_run(board_run.LOAD_LINE)
        status = self._status(board_run.HELLO_LINE)
        if _difference(status):
            # They may have been uploaded since the board loaded the old ones.
            self._line_of_run(board_run.RELOAD_LINE)
            status = self._status(board_run.HELLO_LINE)
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
        for line in board_run.job_lines(job):
            self._line_of_run(line)

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
        every, beat = board_run.signs_of_life(job)
        self._enter(PromptKind.LUA)
        execution = self._session.execute(
            board_run.start_line(simulations, every, beat),
            timeout_s=board_run.longest_run_s(job, len(simulations)),
            repeatable=True,
        )
        run = Run(self, execution, job, job_name(job), simulations.start, len(simulations))
        self._run = run
        try:
            run.wait_for_start(board_run.job_crc32(job))
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
        status = heard[-1] if heard else self._status(board_run.STATUS_LINE)
        if status is None or not status.job:
            raise EngineError(
                "the board runs nothing and holds no results.",
                state="attaching",
                next_step="Start the job again; if it was running, the board has lost its power in between.",
            )
        if job is not None and (status.job, status.crc32) != (job_name(job), board_run.job_crc32(job)):
            raise BoardBusyError(
                f"the board has job {status.job}, not {job_name(job)}.",
                progress=f"simulations {status.first} to {status.first + status.count - 1}, {status.done} done",
                state="attaching",
                next_step="Attach with that job, or start this one (which overwrites the other's results).",
            )
        if not running:
            self._check_version(status)
        run = Run(self, execution if running else None, job, status.job, status.first, status.count)
        run.take(status)
        self._run = run
        _log.info("found job %s, %d of %d simulations done", status.job, status.done, status.count)
        return run

    def forget(self) -> None:
        """Drop the job and its results from the board's memory.

        Raises:
            VersionMismatchError: the board's programs are not this driver's.
        """
        self._line_of_run(f"if elm11 then {board_run.FORGET_LINE}end")

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

    def _enter(self, mode: PromptKind) -> None:
        """Come to that prompt, whatever state the board is in; a program that runs is not disturbed."""
        self._require_no_run()
        session = self._session
        for _ in range(_TRIES):
            if session.mode is mode:
                return
            if session.mode not in {PromptKind.LUA, PromptKind.COMMAND}:
                hold(Recovery(session, want=None), self.transport)
            else:
                line = "cmd" if mode is PromptKind.COMMAND else "exit"
                hold(session.execute(line, timeout_s=_COMMAND_TIMEOUT_S, repeatable=True), self.transport)
        raise ProtocolError(
            f"the board did not come to its {mode} prompt.",
            state="changing the prompt",
            next_step="Reset the board, then try again.",
            last_bytes=session.last_bytes,
        )

    def _line(
        self,
        line: str,
        timeout_s: float,
        *,
        repeatable: bool = True,
        expect_reboot: bool = False,
        on_event: Callable[[Any], None] | None = None,
    ) -> ExecutionResult:
        """One line at the Lua prompt.

        Raises:
            LuaError: it failed.
        """
        self._enter(PromptKind.LUA)
        execution = self._session.execute(line, timeout_s=timeout_s, repeatable=repeatable, expect_reboot=expect_reboot)
        hold(execution, self.transport, on_event)
        result = execution.result
        assert result is not None
        if result.error is not None:
            result.error.state = result.error.state or f"running {line[:60]!r}"
            result.error.output = result.text
            raise result.error
        return result

    def _command_lines(self, line: str, timeout_s: float) -> list[Line]:
        self._enter(PromptKind.COMMAND)
        execution = self._session.execute(line, timeout_s=timeout_s, repeatable=True)
        hold(execution, self.transport)
        assert execution.result is not None
        return command_body(list(execution.result.lines))

    def _command(self, line: str) -> str:
        return "\n".join(one.text for one in self._command_lines(line, _COMMAND_TIMEOUT_S))

    def _twice(self, ask: Callable[[], _Answer]) -> _Answer:
        """An answer that came twice: nothing else shows that a line without a CRC is undamaged."""
        answers: list[_Answer] = []
        while len(answers) < _TRIES:
            answer = ask()
            if answer in answers:
                return answer
            answers.append(answer)
        raise ProtocolError(
            f"{_TRIES} answers of the board to one question all differ.",
            state="asking the board",
            next_step="Look at the cable, then try again.",
            last_bytes=self._session.last_bytes,
        )

    def _check_syntax(self, code: bytes, *, keep: bool = False) -> None:
        """Have the board compile code.

        Raises:
            LuaError: its syntax is wrong.
        """
        for line in code_lines(code):
            self._line(line, EXECUTE_TIMEOUT_S)
        for _ in range(_TRIES):
            answer = self._line(_CHECK_CODE, EXECUTE_TIMEOUT_S).text
            if answer == "ok":
                break
            if answer.startswith("syntax "):
                self._line("elm11_code=nil", EXECUTE_TIMEOUT_S)
                raise LuaError(answer.removeprefix("syntax "), state="compiling")
        if not keep:
            self._line("elm11_code=nil", EXECUTE_TIMEOUT_S)

    # ---- helpers of runs ------------------------------------------------------------------------------------

    def _line_of_run(self, line: str) -> None:
        """A line for run.lua.

        Raises:
            VersionMismatchError: there is no run.lua, or a damaged one.
        """
        try:
            self._line(line, _LOAD_TIMEOUT_S)
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

    def _status(self, line: str) -> BoardStatus | None:
        """What the board says of itself; None if run.lua is not loaded."""
        silent = 0
        for _ in range(_TRIES):
            events = self.ask(line, _LOAD_TIMEOUT_S)
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

    def status(self) -> BoardStatus | None:
        """What the board says of its job and results; None if this driver's programs are not loaded."""
        return self._status(board_run.STATUS_LINE)

    def _read_what_has_come(self) -> None:
        """Before anything is asked of a board: boot text that waited for somebody to open the port is no error.

        A prompt among it is not believed either: more may have happened since.
        """
        if self._session.in_step:
            return
        for _ in range(_TRIES):
            data = self.transport.read(0.0)
            self._session.receive(data)
            if not data:
                break
        self._session.mode = None

    def _attach_to_output(self) -> Execution:
        """Listen, and see whether a line feed brings a prompt; while Lua runs it does nothing."""
        execution = self._session.attach(timeout_s=1e6)
        self.transport.write(b"\n")
        self._session.may_be_stray = True
        return execution

    def _listen(
        self,
        execution: Execution,
        timeout_s: float,
        on_event: Callable[[object], None] | None = None,
        enough: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Whether a prompt came within that time, or before there was enough."""
        end_s = self.transport.now_s() + timeout_s
        while not enough() and self.transport.now_s() < end_s:
            try:
                self.step(execution, end_s, on_event)
            except LuaError:
                # A former connection had left an unfinished statement; it is gone now.
                if self._session.mode is None:
                    raise
            if execution.done or self._session.mode in {PromptKind.LUA, PromptKind.COMMAND}:
                return True
        return False

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

    def step(self, execution: Execution, until_s: float, on_event: Callable[[object], None] | None) -> bool:
        """Let a conversation go on for a moment, at most until that time; whether bytes came.

        Args:
            execution: the conversation.
            until_s: when to come back, on the transport's clock.
            on_event: called with each event.

        Returns:
            Whether bytes came.
        """
        transport = self.transport
        out = execution.bytes_to_write(transport.now_s())
        if out:
            transport.write(out)
        now_s = transport.now_s()
        deadline_s = execution.next_deadline_s()
        wait_s = min(_POLL_S, until_s - now_s, _POLL_S if deadline_s is None else deadline_s - now_s)
        data = transport.read(max(wait_s, 0.0))
        for event in execution.receive(data, transport.now_s()):
            if on_event is not None:
                on_event(event)
        return bool(data)


class Run:
    """Simulations that a board is computing, or has computed. Made by `Board.start` and `Board.attach`.

    Args:
        board: which board.
        execution: the line that started it, while that runs; None once it has ended.
        name: what the board calls the job.

    Attributes:
        job: what is computed; None after attaching without one.
        job_name: what the board calls it: the first 16 digits of `Job.sha256`.
        first: first simulation.
        count: how many simulations.

    Raises:
        Elm11Error: every method that talks to the board raises what `Board` does, and `EngineError` when the run
            has failed.
    """

    def __init__(
        self, board: Board, execution: Execution | None, job: Job | None, name: str, first: int, count: int
    ) -> None:
        self.job = job
        self.job_name = name
        self.first = first
        self.count = count
        self._board = board
        self._execution = execution
        self._status: BoardStatus | None = None
        self._sign_s = board.transport.now_s()
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
        """How far the run is: what the board has said so far.

        Args:
            wait_s: how long to wait for news.

        Raises:
            LuaError: the run failed.
            BoardRebootedError: the board started anew; the results are gone.
            UnpluggedError: the port has gone. The run may go on.
        """
        transport = self._board.transport
        end_s = transport.now_s() + wait_s
        before = self._status
        while self.running:
            came = self._step(end_s)
            if not came and (transport.now_s() >= end_s or self._status is not before):
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
            stall_s: longest time without a sign of life; by default likewise.
            on_progress: called whenever the board says something.

        Returns:
            The progress at the end.

        Raises:
            BoardTimeoutError: it took longer, or the board was silent for too long.
            LuaError: the run failed.
            BoardRebootedError: the board started anew; the results are gone.
            UnpluggedError: the port has gone. The run may go on.
        """
        transport = self._board.transport
        if timeout_s is None:
            timeout_s = board_run.longest_run_s(self.job, self.count) if self.job is not None else 1e6
        if stall_s is None:
            stall_s = board_run.longest_silence_s(self.job) if self.job is not None else 1e4
        end_s = transport.now_s() + timeout_s
        told = None
        while self.running:
            self._step(end_s)
            if on_progress is not None and self._status is not told:
                told = self._status
                on_progress(self._progress())
            now_s = transport.now_s()
            if self.running and (now_s >= end_s or now_s - self._sign_s >= stall_s):
                silent = now_s - self._sign_s
                what = f"the run did not end within {timeout_s:g} s" if now_s >= end_s else "the run has stalled"
                raise BoardTimeoutError(
                    f"{what}; the last sign of life came {silent:.1f} s ago.",
                    state=f"waiting for simulations {self.first} to {self.first + self.count - 1}",
                    next_step="Wait on, cancel the run, or switch the board off and on.",
                    last_bytes=self._board.last_bytes,
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
            execution.interrupt(self._board.transport.now_s())
            try:
                hold(execution, self._board.transport, self._note)
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

        Returns:
            The histogram of the run's simulations, or of those that are finished.

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
        if (status.job, status.crc32, status.first) != (job_name(job), board_run.job_crc32(job), self.first):
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
        counts = self._assemble(job, timeout_s)
        part = Part(self.first, self.first + status.done, counts.counts())
        _log.info("fetched simulations %d to %d", part.start, part.stop - 1)
        return Histogram(job, [part])

    # ---- helpers --------------------------------------------------------------------------------------------

    def wait_for_start(self, crc32: str) -> None:
        """Wait for the board's first word.

        Args:
            crc32: of the job as it was sent.

        Raises:
            ProtocolError: the job has not arrived as it was sent; the run is stopped.
            EngineError: the board refuses.
            BoardTimeoutError: no word came.
        """
        transport = self._board.transport
        longest_s = _LOAD_TIMEOUT_S if self.job is None else max(_LOAD_TIMEOUT_S, board_run.longest_start_s(self.job))
        end_s = transport.now_s() + longest_s
        while self.running and self._status is None and not self._refusal:
            self._step(end_s)
            if transport.now_s() >= end_s:
                raise BoardTimeoutError(
                    f"the board said nothing for {longest_s:.0f} s after a run was started.",
                    state="starting a run",
                    next_step="Reset the board, then try again.",
                    last_bytes=self._board.last_bytes,
                )
        if self._status is None:
            self._refresh()
        if self._status is None or self._status.crc32 != crc32:
            self.cancel()
            raise ProtocolError(
                "the job did not arrive as it was sent.", state="starting a run", next_step="Start it again."
            )

    def take(self, status: BoardStatus) -> None:
        """Take what the board has said.

        Args:
            status: one sign of life, decoded.
        """
        self._status = status

    def _assemble(self, job: Job, timeout_s: float | None) -> HistogramAssembly:
        board = self._board
        assembly = HistogramAssembly(job.J + 1, job.n_bins)
        once_s = board_run.longest_send_s((job.J + 1) * job.n_bins)
        end_s = board.transport.now_s() + (10 * once_s if timeout_s is None else timeout_s)
        lines = [board_run.send_line(0, -1)]
        for _ in range(_FETCH_ROUNDS):
            for line in lines:
                left_s = end_s - board.transport.now_s()
                if left_s <= 0:
                    break
                for event in board.ask(line, min(once_s, left_s)):
                    if isinstance(event, Frame) and not is_status(event):
                        assembly.add(event)
            try:
                if assembly.is_complete():
                    return assembly
                missing = assembly.missing()
            except ProtocolError:
                assembly.clear()  # every line agrees and the whole does not: begin again
                missing = []
            if board.transport.now_s() >= end_s:
                break
            if assembly.summary is not None:
                lines = [board_run.send_line(*blocks) for blocks in missing]
            else:
                lines = [board_run.AGAIN_LINE if assembly.n_received else board_run.send_line(0, -1)]
        expected = assembly.summary.n_lines if assembly.summary else "an unknown number"
        kind = BoardTimeoutError if board.transport.now_s() >= end_s else ProtocolError
        raise kind(
            f"the histogram did not arrive: {assembly.n_received} of {expected} lines came undamaged.",
            state="fetching results",
            next_step="The results are still on the board: fetch them again.",
            last_bytes=board.last_bytes,
        )

    def _step(self, until_s: float) -> bool:
        execution = self._execution
        assert execution is not None
        try:
            came = self._board.step(execution, until_s, self._note)
        except Elm11Error as error:
            self._failed(error)
            raise
        if came:
            self._sign_s = self._board.transport.now_s()
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
        status = self._board.status()
        if status is None or not status.job:
            raise EngineError(
                "the board holds no results any more.",
                state="asking for the run's state",
                next_step="Start the run again: the board has been switched off, or told to forget.",
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
            age_s=self._board.transport.now_s() - self._sign_s,
            usable=self.running or (not self._lost and (status is None or status.is_usable)),
        )


def _plain(name: str) -> str:
    """The name, if it can stand between quotes.

    Raises:
        ValueError: it cannot.
    """
    if not (name.isascii() and name.isprintable()) or '"' in name or "\\" in name:
        raise ValueError(f"name must be printable ASCII without quotes and backslashes, not {name!r}")
    return name


def _difference(status: BoardStatus | None) -> str:
    """What the board has, if it is not what this driver has; else empty."""
    if status is None:
        return "none that answer"
    if (status.version, status.programs) == (elm11_firmware.PROTOCOL_VERSION, elm11_firmware.programs_crc32()):
        return ""
    return f"version {status.version}, programs {status.programs or 'unknown'}"
