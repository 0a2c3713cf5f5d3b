"""One board: run code on it, keep programs in it, and have it compute.

    with Board.open("/dev/ttyUSB1") as board:
        print(board.execute("1+1"))
        run = board.start(job, range(20))
        run.wait()
        histogram = run.fetch()

Every wait has a deadline. A run on the board goes on when the ``with`` block ends, when Ctrl-C (KeyboardInterrupt)
interrupts a wait, and when the cable is pulled; `Board.attach` finds it again. `Run.cancel` stops it.

Uploading a program deletes the old one of that name first: after a failure there is none, or a broken one, and the
error says so.
"""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self, TypeVar

from ..protocol.wire import DEFAULT_TX_DELAY_S
from ..transport.open import open_transport
from .console import BoardInfo, Console
from .detect import PORT_VARIABLE, choose
from .job_runner import JobRunner
from .program_store import ProgramStore
from .run import Run, RunProgress

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    from ..jobs.job import Job
    from ..protocol.upload import UploadSettings
    from ..transport.base import Transport

__all__ = ["Board", "BoardInfo", "Run", "RunProgress"]

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


def _of(
    part: str, method: Callable[Concatenate[Any, _Arguments], _Result]
) -> Callable[Concatenate[Board, _Arguments], _Result]:
    """A method of a board that calls this method of one of its parts, with the same signature and documentation."""

    @functools.wraps(method)
    def call(board: Board, /, *args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
        return method(getattr(board, part), *args, **kwargs)

    return call


class Board:
    """A board on an open port. What it does, its three parts do; their methods are documented there.

    Args:
        transport: the port; closed with the board.
        upload_settings: times and limits of uploads.

    Attributes:
        transport: the port.
        console: its prompt.
        store: its programs.
        jobs: its jobs and runs.

    Raises:
        LuaError: a line that the driver needs has failed on the board; `BoardStoppedError` if its memory ran out.
        BoardTimeoutError: the board did not answer in time.
        BoardBusyError: the board runs something, or does not stop talking.
        BoardRebootedError: the board restarted.
        ProtocolError: what came was damaged more often than can be mended, or is no answer.
        UnpluggedError: the port has gone.
    """

    def __init__(self, transport: Transport, *, upload_settings: UploadSettings | None = None) -> None:
        self.transport = transport
        self.console = Console(transport)
        self.store = ProgramStore(self.console, upload_settings)
        self.jobs = JobRunner(self.console, self.store)

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

    def close(self) -> None:
        """Give the port back. What runs on the board goes on."""
        self.transport.close()

    def __enter__(self) -> Self:
        """Use it in a ``with`` statement."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Give the port back."""
        self.close()

    execute = _of("console", Console.execute)
    type_line = _of("console", Console.type_line)
    run_program = _of("console", Console.run_program)
    reboot = _of("console", Console.reboot)
    identity = _of("console", Console.identity)
    require_hw_id = _of("console", Console.require_hw_id)
    info = _of("console", Console.info)
    set_tx_delay = _of("console", Console.set_tx_delay)

    programs = _of("store", ProgramStore.programs)
    upload = _of("store", ProgramStore.upload)
    read_back = _of("store", ProgramStore.read_back)
    matches = _of("store", ProgramStore.matches)
    verify = _of("store", ProgramStore.verify)
    check_program = _of("store", ProgramStore.check_program)
    delete = _of("store", ProgramStore.delete)

    handshake = _of("jobs", JobRunner.handshake)
    configure = _of("jobs", JobRunner.configure)
    forget = _of("jobs", JobRunner.forget)
    status = _of("jobs", JobRunner.status)
    ask = _of("jobs", JobRunner.ask)
    start = _of("jobs", JobRunner.start)
    attach = _of("jobs", JobRunner.attach)

    @property
    def job(self) -> Job | None:
        """The job that was given last."""
        return self.jobs.job

    @property
    def tx_delay_s(self) -> float | None:
        """From the start of one byte to the start of the next; None where there is no wire to pace."""
        return self.console.tx_delay_s

    @property
    def last_bytes(self) -> bytes:
        """The last bytes that came from the board, for error messages."""
        return self.console.last_bytes

    def interrupt(self) -> bool:
        """Stop what runs, with `q`; a run is cancelled.

        Returns:
            Whether something was running.

        Raises:
            BoardTimeoutError: it did not stop.
        """
        return self.jobs.cancel() or self.console.interrupt()
