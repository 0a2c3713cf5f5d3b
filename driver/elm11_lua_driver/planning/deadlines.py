"""How long a healthy board may take, and how often it reports: three times what the slowest board would need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from ..protocol.wire import WIRE_BYTE_S
from .cost import SLOWEST_INSTRUCTIONS_PER_S, estimate

if TYPE_CHECKING:
    from ..jobs.job import Job

_MARGIN: Final = 3
_INSTRUCTIONS_PER_REPORT: Final = 1e8  # 7 s at full speed, a minute on the slowest board
_INSTRUCTIONS_PER_COUNT: Final = 1300  # to code one count of the histogram
_BYTES_PER_COUNT: Final = 6  # at most, on the wire


@dataclass(frozen=True)
class RunBudget:
    """Deadlines of one run on a board, and how often it reports.

    Attributes:
        progress_interval: simulations from one progress report to the next.
        heartbeat_interval: scales from one heartbeat to the next within a simulation; 0 for no heartbeat.
        start_s: longest time to the first report: programs and tables.
        silence_s: longest time without a report.
        run_s: longest time for the whole run.
        send_s: longest time to send the histogram once: coding and wire.
    """

    progress_interval: int
    heartbeat_interval: int
    start_s: float
    silence_s: float
    run_s: float
    send_s: float

    @classmethod
    def of(cls, job: Job, n_simulations: int) -> Self:
        """The budget of a run."""
        cost = estimate(job)
        is_short = cost.largest_simulation <= 2 * _INSTRUCTIONS_PER_REPORT
        between = max(2 * _INSTRUCTIONS_PER_REPORT, cost.largest_step, cost.load + cost.set_up)
        work = cost.load + cost.set_up + cost.simulation * n_simulations + cost.largest_simulation
        silence_s = 30.0 + _slowest_s(between)
        n_counts = (job.J + 1) * job.n_bins
        return cls(
            progress_interval=max(1, int(_INSTRUCTIONS_PER_REPORT / cost.simulation)),
            heartbeat_interval=0 if is_short else max(1, int(_INSTRUCTIONS_PER_REPORT / cost.largest_step)),
            start_s=30.0 + _slowest_s(cost.load + cost.set_up),
            silence_s=silence_s,
            run_s=silence_s + _slowest_s(work),
            send_s=10.0
            + _slowest_s(n_counts * _INSTRUCTIONS_PER_COUNT)
            + _MARGIN * n_counts * _BYTES_PER_COUNT * WIRE_BYTE_S,
        )


UNKNOWN_JOB: Final = RunBudget(
    progress_interval=1, heartbeat_interval=0, start_s=300.0, silence_s=3600.0, run_s=1e6, send_s=60.0
)
"""For a run that is followed without knowing its job."""


def _slowest_s(instructions: float) -> float:
    """Seconds that the slowest board takes, with the margin."""
    return _MARGIN * instructions / SLOWEST_INSTRUCTIONS_PER_S
