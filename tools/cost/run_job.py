"""Run a job on the rv32i machine, through the same program and the same lines as on a board."""

from __future__ import annotations

from typing import TYPE_CHECKING

import rv32
from elm11_lua_driver.errors import ProtocolError
from elm11_lua_driver.protocol.commands import RELOAD_LINE, job_crc32, job_lines, parse_status, send_line, start_line
from elm11_lua_driver.protocol.frame import DamagedLine, Frame, FrameKind, HistogramAssembly, decode_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from elm11_host_ref.types import IntArray
    from elm11_lua_driver import Job

_NEVER = 2**31 - 1  # simulations between two signs of progress: nobody waits for them here


def run_job(
    job: Job, simulations: range, *, modules: Mapping[str, str] | None = None, timeout_s: float = rv32.TIMEOUT_S
) -> IntArray:
    """Compute some simulations of a job on the machine.

    Args:
        job: what to compute.
        simulations: consecutive simulation numbers.
        modules: texts of programs that replace or add to the project's, by name.
        timeout_s: seconds; the machine makes about 600 million instructions in each.

    Returns:
        Counts, shape (J + 1, n_bins), int64.

    Raises:
        MachineMissing: see `rv32.machine`.
        MachineError: the job failed on the machine, or the histogram did not arrive whole.
    """
    lines = [RELOAD_LINE, *job_lines(job), start_line(simulations, _NEVER, 0), send_line(0, -1)]
    programs = {**rv32.firmware(stored=True), **(modules or {}), rv32.MAIN: "\n".join([*lines, ""])}
    return counts_in(rv32.machine().run(programs, timeout_s=timeout_s), job, simulations)


def counts_in(output: str, job: Job, simulations: range) -> IntArray:
    """The histogram in what run.lua has printed.

    Raises:
        MachineError: it is not there, not whole, or of another job or other simulations.
    """
    events = [event for line in output.splitlines() for event in decode_line(line.encode("latin-1"))]
    assembly = HistogramAssembly(job.J + 1, job.n_bins)
    computed = None
    try:
        for event in events:
            if isinstance(event, DamagedLine) or (isinstance(event, Frame) and event.kind is FrameKind.ERROR):
                raise rv32.MachineError(f"run.lua refused the job, or a line is damaged: {event}")
            if not isinstance(event, Frame):
                continue
            if event.kind is FrameKind.END and event.payload.endswith(" end"):
                computed = parse_status(event)
            elif event.kind in {FrameKind.DATA, FrameKind.END}:
                assembly.add(event)
        if (
            computed is None
            or computed.crc32 != job_crc32(job)
            or (computed.first, computed.done) != (simulations.start, len(simulations))
        ):
            raise rv32.MachineError(f"run.lua did not compute simulations {simulations} of this job: {computed}")
        return assembly.counts()
    except ProtocolError as error:
        raise rv32.MachineError(f"the histogram did not arrive whole: {error}") from error
