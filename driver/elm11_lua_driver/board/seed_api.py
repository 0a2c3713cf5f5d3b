"""The original driver's interface: thin functions over `Board`, `Run` and `scripts`.

board = connect("/dev/ttyUSB1")
upload_lua_scripts(board)
upload_config(board, LuaMonteCarloConfig(lag1_x=0.72, lag1_y=0.72, dt=0.25, dj=0.25, s0=0.5, J=10))
run = start_lua_execution(board)
wait_for_completion(run)
histogram = read_results(run)
disconnect(board)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import VerificationError
from . import detect, firmware_sync
from .board import Board
from .console import EXECUTE_TIMEOUT_S

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ..jobs.histogram import Histogram
    from ..jobs.job import LuaMonteCarloConfig
    from .board import Run, RunProgress
    from .detect import Detected
    from .firmware_sync import CheckReport, UploadReport

# Transforms a ramp of eight and back; prints sum k (Re F_k + Im F_k), k from 1, and two samples.
_FFT_CHECK = (
    'do local f=run_program("fft.lua")local p=f.plan(8)local a,b={{}},{{}}for i=1,8 do a[1][i]=i b[1][i]=0 end '
    "f.forward(p,a,b)local r=0 for i=1,8 do r=r+i*(a[1][i]+b[1][i])end f.inverse(p,a,b)print(r,a[1][2]/8,b[1][2]/8)end"
)
_PRINTED_DECIMALS = 6


def detect_elm11(port: str | None = None) -> list[Detected]:
    """The boards that are there, without disturbing them.

    Args:
        port: look at this port only.
    """
    found, _ = detect.detect_boards(port)
    return [one for one in found if one.is_board]


def connect(
    port: str | None = None,
    hw_id: str | None = None,
    tx_delay_s: float | None = None,
    trace: Path | None = None,
) -> Board:
    """Open a board; arguments and errors as `Board.open`."""
    return Board.open(port, hw_id, tx_delay_s, trace)


def disconnect(board: Board) -> None:
    """Give the port back. What runs on the board goes on.

    Args:
        board: from `connect`; closed already will do.
    """
    board.close()


def check_lua_scripts(board: Board) -> CheckReport:
    """Compare the programs on the board with this driver's, by reading them back. Changes nothing.

    Args:
        board: the board, at its prompt.

    Returns:
        How each program compares.
    """
    return firmware_sync.check(board)


def verify_fft_library(board: Board) -> bool:
    """Whether the board's Fourier transform is right: a ramp of eight there and back.

    Args:
        board: from `connect`.

    Returns:
        True; an error says what is wrong otherwise.

    Raises:
        VerificationError: it is wrong, which means a damaged program or another one of its name.
        VersionMismatchError: the programs are not there.
    """
    board.handshake()
    spectrum = np.fft.fft(np.arange(1, 9))
    expected = (float(np.arange(1, 9) @ (spectrum.real + spectrum.imag)), 2.0, 0.0)
    words = board.execute(_FFT_CHECK).split("\t")
    try:
        right = np.allclose([float(word) for word in words], expected, rtol=0, atol=10.0**-_PRINTED_DECIMALS)
    except ValueError:  # not three numbers
        right = False
    if not right:
        raise VerificationError(
            f"the board's Fourier transform gives {words}.",
            program="fft.lua",
            state="checking the Fourier transform",
            next_step="Upload the programs again: elm11-upload-scripts --force.",
        )
    return True


def execute_lua(board: Board, lua: str, timeout_s: float = EXECUTE_TIMEOUT_S) -> str:
    """Run Lua code; arguments and errors as `Board.execute`.

    Args:
        board: from `connect`.
        lua: the code.
        timeout_s: longest time until the prompt is back.

    Returns:
        What it printed, lines separated by LF.
    """
    return board.execute(lua, timeout_s)


def upload_config(board: Board, config: LuaMonteCarloConfig) -> None:
    """Give the board the job that `start_lua_execution` is to run; errors as `Board.configure`.

    Args:
        board: from `connect`.
        config: the job.
    """
    board.configure(config)


def upload_lua_scripts(
    board: Board | None = None,
    *,
    port: str | None = None,
    force: bool = False,
    dry_run: bool = False,
    verify: bool = True,
    on_progress: Callable[[str, int, int], None] | None = None,
) -> UploadReport:
    """Bring the programs on the board up to date; those that are the same are skipped.

    Args:
        board: the board; without one, `port` is opened, after the programs have been checked.
        port: the port's name.
        force: upload those that are the same as well.
        dry_run: only say what would be done.
        verify: read each program back and have it check itself.
        on_progress: called with (name, bytes sent, bytes of all).

    Returns:
        What was uploaded, skipped and deleted.

    Raises:
        ScriptsError: programs that the board would not take; no port was opened.
        VerificationError: what is on the board after an upload is not what was sent.
    """
    if board is not None:
        return firmware_sync.upload(board, force=force, dry_run=dry_run, verify=verify, on_progress=on_progress)
    firmware_sync.require_clean()
    with Board.open(port) as opened:
        return firmware_sync.upload(opened, force=force, dry_run=dry_run, verify=verify, on_progress=on_progress)


def start_lua_execution(board: Board, simulations: range | None = None) -> Run:
    """Start the job of `upload_config`; arguments, result and errors as `Board.start`.

    Args:
        board: from `connect`.
        simulations: which simulations, step 1; all of the job by default.

    Returns:
        The run, which goes on by itself.

    Raises:
        ValueError: there is no job.
    """
    if board.job is None:
        raise ValueError("a job must be given first: upload_config(board, config)")
    return board.start(board.job, simulations)


def is_complete(run: Run) -> bool:
    """Whether all simulations of the run are done.

    Args:
        run: from `start_lua_execution`.
    """
    return run.progress().complete


def get_progress(run: Run) -> RunProgress:
    """How far the run is.

    Args:
        run: from `start_lua_execution`.
    """
    return run.progress()


def wait_for_completion(
    run: Run,
    timeout_s: float | None = None,
    stall_s: float | None = None,
    on_progress: Callable[[RunProgress], None] | None = None,
) -> RunProgress:
    """Wait for the end of the run; arguments, result and errors as `Run.wait`.

    Args:
        run: from `start_lua_execution`.
        timeout_s: longest time for all of it.
        stall_s: longest time without a report.
        on_progress: called whenever the board says something.
    """
    return run.wait(timeout_s, stall_s, on_progress)


def read_results(run: Run) -> Histogram:
    """Fetch the results; errors as `Run.fetch`.

    Args:
        run: from `start_lua_execution`.
    """
    return run.fetch()


__all__ = [
    "check_lua_scripts",
    "connect",
    "detect_elm11",
    "disconnect",
    "execute_lua",
    "get_progress",
    "is_complete",
    "read_results",
    "start_lua_execution",
    "upload_config",
    "upload_lua_scripts",
    "verify_fft_library",
    "wait_for_completion",
]
