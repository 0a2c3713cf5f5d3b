"""`elm11 plan`: what a job needs, on each engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ... import board as boards
from ... import jobs, planning
from ..._text import duration
from .._job_options import job_options, planned_options
from .._messages import echo, echo_json, quiet_option
from .._options import json_option

if TYPE_CHECKING:
    from ...board.calibration import Calibration
    from ...planning.plan import JobPlan


@click.command("plan", short_help="Memory, instructions and time that a job needs.")
@job_options
@planned_options
@click.option("--hw-id", metavar="ID", help="Use the calibration of this board.  [default: of the only one calibrated]")
@json_option
@quiet_option
def plan_command(
    lag1: tuple[float, float],
    simulations: int,
    hw_id: str | None,
    *,
    as_json: bool,
    quiet: bool,  # noqa: ARG001  every command has it; this one prints no remarks
    **options: Any,  # noqa: ANN401  what is left makes the job
) -> None:
    """Estimate what a job needs before it is started: on a board, in Lua on this computer, in NumPy.

    Nothing is computed and no port is opened. `elm11 calibrate` measures the board's speed; without it, the time is
    given for the fastest possible board and for one of a tenth of its speed.

    A job that does not fit into a board's memory ends with exit code 2, after the figures.

    \b
    Example:
      elm11 plan --lag1 0.72 0.72 --dt 0.25 --dj 0.25 --s0 0.5 --scales 20 --pipeline fast
    """  # noqa: D301  click's mark for "do not wrap" is the character
    job = jobs.Job(*lag1, n_simulations=simulations, **options)
    found = _calibration(hw_id)
    planned = planning.plan_job(job, None if found is None else found.instructions_per_s)
    if as_json:
        document = {**planned.to_dict(), "calibrated_board": None if found is None else found.hw_id}
        echo_json(document)
    else:
        echo(_as_text(planned, None if found is None else found.hw_id))
    planned.memory.check()


def _calibration(hw_id: str | None) -> Calibration | None:
    """The calibration of the named or only board, if there is one."""
    known = boards.calibration.load_all()
    if hw_id is not None:
        if hw_id not in known:
            names = ", ".join(known) or "none"
            msg = f"--hw-id: {hw_id} has not been calibrated (elm11 calibrate); these have: {names}"
            raise ValueError(msg)
        return known[hw_id]
    return next(iter(known.values())) if len(known) == 1 else None


def _as_text(planned: JobPlan, hw_id: str | None) -> str:
    """The plan as text."""
    job, memory, cost = planned.job, planned.memory, planned.instructions
    fastest, slowest = planned.board_s
    time = f"{duration(fastest)} to {duration(slowest)}, depending on the board's speed (elm11 calibrate measures it)"
    if hw_id is not None:
        time = f"{duration(fastest)} on board {hw_id}"
    parts = ("programs", "histogram", "smoothing", "transforms", "tables")
    rows = [
        ("memory", f"{memory.total:,} of {memory.usable:,} bytes: {'fits' if memory.fits else 'does not fit'}"),
        ("", ", ".join(f"{name} {getattr(memory, name):,}" for name in parts)),
        ("instructions", f"{_millions(cost.total)} for the job, within {100 * planning.cost.ERROR:.0f} %"),
        ("", f"a simulation: {_millions(cost.simulation)} on average, {_millions(cost.largest_simulation)} at most"),
        ("", f"set-up: {_millions(cost.set_up)}; to load and check the programs, once: {_millions(cost.load)}"),
        ("time", time),
        ("wire", f"{planned.bytes_up:,} bytes up, about {planned.bytes_down:,} down, in {_runs(planned.runs)}"),
        ("", f"programs, once: {planned.programs_bytes:,} bytes up"),
    ]
    return "\n".join(
        [
            f"{job.n_simulations} simulations of {job.n_samples} samples, {job.J + 1} scales, pipeline {job.pipeline}",
            "",
            "board",
            *(f"  {name:<14} {text}" for name, text in rows),
            "this computer, roughly",
            f"  engine numpy   {_seconds(planned.numpy_s)}",
            f"  engine lua     {_seconds(planned.lua_s)}",
        ]
    )


def _runs(number: int) -> str:
    return f"{number} run{'s' * (number != 1)}"


def _millions(instructions: float) -> str:
    return f"{instructions / 1e6:,.{0 if instructions >= 1e8 else 1}f} million"


def _seconds(seconds: float) -> str:
    return duration(seconds) if seconds >= 60 else f"{seconds:.2g} s"
