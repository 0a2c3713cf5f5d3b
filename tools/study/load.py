"""How much of the processor other programs took while something was measured.

A load average cannot tell: it counts this program too, and lags by a minute. On Linux the kernel's counters tell
exactly: processor time of the whole computer, less that of this process and all its children, living and ended.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

PROC: Final = Path("/proc")
BUSY: Final = 0.05
"""Share of all cores from which other programs are said to disturb: a desktop with nothing to do takes 1 to 2 %."""


@dataclass(frozen=True)
class Reading:
    """Counters at one moment, seconds.

    Attributes:
        clock: on the wall.
        everybody: processor time of all cores, all programs, and what a host took away from a guest.
        own: of it, this process and its descendants.
    """

    clock: float
    everybody: float
    own: float


def read(proc: Path = PROC) -> Reading | None:
    """The counters now, or None where the system has none."""
    try:
        tick = os.sysconf("SC_CLK_TCK")
        first = (proc / "stat").read_text(encoding="ascii").splitlines()[0].split()
        user, nice, system, _idle, _wait, irq, softirq, steal = map(int, first[1:9])
        return Reading(time.monotonic(), (user + nice + system + irq + softirq + steal) / tick, _own(proc) / tick)
    except (OSError, ValueError, IndexError, AttributeError):
        return None


def _own(proc: Path) -> int:
    """Ticks of this process and its descendants.

    A process that has ended is in its parent's count of children, so the sum over the living never falls.
    """
    parents: dict[int, int] = {}
    ticks: dict[int, int] = {}
    for entry in proc.iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            text = (entry / "stat").read_text(encoding="utf-8", errors="replace")
        except OSError:  # it has just ended
            continue
        fields = text.rpartition(")")[2].split()  # the name may hold anything, brackets and spaces too
        parents[int(entry.name)] = int(fields[1])
        ticks[int(entry.name)] = sum(map(int, fields[11:15]))  # its own, and of children that it has waited for
    mine = {os.getpid()}
    while grown := {pid for pid, parent in parents.items() if parent in mine} - mine:
        mine |= grown
    return sum(ticks.get(pid, 0) for pid in mine)


def between(before: Reading | None, after: Reading | None, cores: int) -> dict[str, Any]:
    """What was going on between two readings.

    Args:
        before: the earlier.
        after: the later.
        cores: of the computer.

    Returns:
        `others_share`, the part of all cores that other programs took (0 to 1; None where it cannot be known), and
        `load_average`, of the last minute (None likewise).
    """
    share = None
    if before is not None and after is not None and after.clock > before.clock:
        others = (after.everybody - before.everybody) - (after.own - before.own)
        share = min(max(others / ((after.clock - before.clock) * cores), 0.0), 1.0)
    return {"others_share": share, "load_average": os.getloadavg()[0] if hasattr(os, "getloadavg") else None}


def disturbed(record: dict[str, Any], cores: int) -> bool:
    """Whether other programs took enough to spoil what was measured meanwhile."""
    if record["others_share"] is not None:
        return bool(record["others_share"] > BUSY)
    # Without counters only a load that this program cannot make alone gives others away.
    return record["load_average"] is not None and bool(record["load_average"] > cores + 1)
