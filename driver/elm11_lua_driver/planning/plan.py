"""What a job will take on each engine, before it is started."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import elm11_firmware
import numpy as np

from ..jobs.histogram import block_ranges
from ..protocol import commands
from ..protocol.frame import BLOCK_BINS
from ..protocol.wire import DEFAULT_TX_DELAY_S, WIRE_BYTE_S
from . import cost as cost_model
from . import memory as memory_plan
from .deadlines import RunBudget

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..jobs.job import Job
    from .cost import Instructions
    from .memory import MemoryPlan

SECONDS_PER_BUTTERFLY: Final = {
    "numpy": {"exact": 1.8e-9, "fast": 1.2e-8},
    "lua": {"exact": 5.5e-8, "fast": 1.6e-7},
}
"""Seconds of a simulation for each n log2(n) of its transforms, all its work included: measured on one core of a server
at J = 6, 10, 20 and 28 and rounded; right within a factor of two there."""

_BYTES_PER_BIN: Final = 1.05  # of a histogram on the wire; small differences between neighbours take one character
_BYTES_PER_BLOCK: Final = 25  # around each block of 250 bins: kind, number, place, CRC, line end
_SPREAD: Final = 4.0  # values of coherence in a block of bins at which half of its width is sent
_RUNS_LOOKED_AT: Final = 64
_BYTES_PER_SIGN: Final = 85  # a line of progress
_BYTES_PER_RUN: Final = 900  # what else comes back from a run: echoes, prompts, states


@dataclass(frozen=True)
class JobPlan:
    """Time, memory and bytes that a job will take.

    Attributes:
        job: the job.
        memory: of the board.
        instructions: on the board, within `cost_model.ERROR`.
        runs: how many runs a board needs, one for each block of simulations.
        board_s: seconds on the board, wire included: the shortest and the longest; the same twice if it is calibrated.
        is_calibrated: True if the board's speed was measured.
        programs_bytes: what goes up once, when a board has none of the programs.
        bytes_up: configuration and commands.
        bytes_down: histograms, progress and echoes; an estimate within 40 %.
        numpy_s: seconds on one core of this computer, roughly: within a factor of two on a server's core.
        lua_s: the same for the board's Lua on this computer.
    """

    job: Job
    memory: MemoryPlan
    instructions: Instructions
    runs: int
    board_s: tuple[float, float]
    is_calibrated: bool
    programs_bytes: int
    bytes_up: int
    bytes_down: int
    numpy_s: float
    lua_s: float

    def to_dict(self) -> dict[str, Any]:
        """The plan as plain values for JSON, by engine."""
        memory = dataclasses.asdict(self.memory)
        return {
            "job": dataclasses.asdict(self.job),
            "job_sha256": self.job.sha256,
            "board": {
                "fits": self.memory.fits,
                "memory": {**memory, "total": self.memory.total},
                "instructions": dataclasses.asdict(self.instructions),
                "instructions_error": cost_model.ERROR,
                "runs": self.runs,
                "seconds": list(self.board_s),
                "is_calibrated": self.is_calibrated,
                "programs_bytes_up": self.programs_bytes,
                "bytes_up": self.bytes_up,
                "bytes_down": self.bytes_down,
            },
            "numpy": {"seconds": self.numpy_s},
            "lua": {"seconds": self.lua_s},
        }


def plan_job(job: Job, instructions_per_s: float | None = None, usable_bytes: int | None = None) -> JobPlan:
    """Plan a job.

    Args:
        job: what to compute.
        instructions_per_s: how fast the board computes, from its calibration; without one, the range of what boards do.
        usable_bytes: what may be used of the board's memory.

    Returns:
        The plan for each engine. `plan_job(job).memory.check()` raises where it does not fit.

    Example:
        >>> from elm11_lua_driver import Job, plan_job
        >>> plan_job(Job(0.72, 0.72, dt=0.25, dj=0.25, s0=0.5, J=10, pipeline="fast")).memory.fits
        True
    """
    cost = cost_model.estimate(job)
    blocks = block_ranges(job, range(job.n_simulations))
    every = RunBudget.of(job, 1).progress_interval
    typed = [
        *(commands.LOAD_LINE, commands.HELLO_LINE),
        *(line for _ in blocks for line in commands.job_lines(job)),
        *(commands.start_line(block, every, 0) for block in blocks),
        *(line for _ in blocks for line in (commands.STATUS_LINE, commands.send_line(0, -1), commands.STATUS_LINE)),
    ]
    bytes_up = sum(len(line) + 1 for line in typed)
    signs = sum(len(block) // every for block in blocks)
    bytes_down = round(bytes_up + histogram_bytes(job, blocks) + len(blocks) * _BYTES_PER_RUN + signs * _BYTES_PER_SIGN)
    wire_s = bytes_up * DEFAULT_TX_DELAY_S + bytes_down * WIRE_BYTE_S
    fastest = instructions_per_s or cost_model.FASTEST_INSTRUCTIONS_PER_S
    slowest = instructions_per_s or cost_model.SLOWEST_INSTRUCTIONS_PER_S
    work = cost.load + cost.total
    return JobPlan(
        job=job,
        memory=memory_plan.plan(job, usable_bytes),
        instructions=cost,
        runs=len(blocks),
        board_s=(work / fastest + wire_s, work / slowest + wire_s),
        is_calibrated=instructions_per_s is not None,
        programs_bytes=sum(program.stored_size for program in elm11_firmware.programs()),
        bytes_up=bytes_up,
        bytes_down=bytes_down,
        numpy_s=seconds_here(job, "numpy"),
        lua_s=seconds_here(job, "lua"),
    )


def seconds_here(job: Job, engine: str) -> float:
    """Seconds that a job takes on one core of this computer, roughly: within a factor of two on a server's core.

    Args:
        job: what to compute.
        engine: "numpy" or "lua".
    """
    transforms = cost_model.mean_work(job)["butterfly"] * job.n_simulations
    return transforms * SECONDS_PER_BUTTERFLY[engine][job.pipeline]


def histogram_bytes(job: Job, blocks: Sequence[range]) -> float:
    """Bytes that the histograms of some runs take on the wire, about.

    Blocks of bins that are empty and the zeros at a block's ends are not sent. The first 64 runs stand for all.

    Args:
        job: the job.
        blocks: the simulations of each run.
    """
    of_cycle = cost_model.points(job)
    n_blocks = -(-job.n_bins // BLOCK_BINS)
    width = _BYTES_PER_BIN * min(job.n_bins, BLOCK_BINS)
    total = 0.0
    for block in blocks[:_RUNS_LOOKED_AT]:
        cycles, rest = divmod(len(block), len(of_cycle))
        numbers = np.arange(block.start, block.start + rest) % len(of_cycle)
        in_block = (cycles * of_cycle.sum(axis=0) + of_cycle[numbers].sum(axis=0)) / n_blocks
        is_sent = 1 - np.exp(-in_block)
        total += float((n_blocks * is_sent * (_BYTES_PER_BLOCK + width * in_block / (in_block + _SPREAD))).sum())
    return total * len(blocks) / min(len(blocks), _RUNS_LOOKED_AT)
