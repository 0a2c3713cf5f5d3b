#!/usr/bin/env python3
"""A fleet: two boards and this computer work on one job together.

    python tools/examples/fleet.py
    python tools/examples/fleet.py /dev/ttyUSB1 /dev/ttyUSB3

Without arguments both boards are virtual ones, and the first is unplugged in the midst of it. Each member gets work as
it finishes, in amounts that fit its speed; what one fails to do, another does.

Ends with exit code 1 if the counts are not exactly those of this process alone.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from elm11_lua_driver import BoardEngine, Histogram, Job, run
from elm11_lua_driver.engines import FleetEngine, NumpyEngine

if TYPE_CHECKING:
    from elm11_lua_driver.engines import Progress

JOB = Job(lag1_x=0.5, lag1_y=0.3, dt=0.25, dj=0.25, s0=0.5, J=10, n_simulations=8000)
VIRTUAL = ("virtual://?seed=1&faults=unplug@110000", "virtual://?seed=2")


class CountedBoard(BoardEngine):
    """A board, and how many simulations it has computed."""

    done = 0

    def simulate(self, job: Job, simulations: range, progress: Progress) -> Histogram:
        """See `BoardEngine.simulate`."""
        histogram = super().simulate(job, simulations, progress)
        self.done += len(simulations)
        return histogram


class CountedNumpy(NumpyEngine):
    """This computer, and how many simulations it has computed."""

    done = 0

    def simulate(self, job: Job, simulations: range, progress: Progress) -> Histogram:
        """See `NumpyEngine.simulate`."""
        histogram = super().simulate(job, simulations, progress)
        self.done += len(simulations)
        return histogram


def main() -> int:
    """Compute together, compare."""
    members: dict[str, CountedBoard | CountedNumpy] = {port: CountedBoard(port) for port in sys.argv[1:] or VIRTUAL}
    members["this computer"] = CountedNumpy()

    fleet = FleetEngine([*members.values()])
    started = time.perf_counter()
    try:
        together = run(JOB, fleet)
    finally:
        fleet.close()
    print(f"{JOB.n_simulations} simulations in {time.perf_counter() - started:.1f} s:")
    for name, engine in members.items():
        print(f"  {engine.done:5d} by {name}")
    for member in fleet.members:
        for said in member.errors:
            print(f"  {member.name} said: {said}")

    alone = run(JOB, "numpy")
    same = together.sha256 == alone.sha256
    print(f"counts_sha256 {together.sha256[:16]}..., alone {alone.sha256[:16]}...: equal {same}")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
