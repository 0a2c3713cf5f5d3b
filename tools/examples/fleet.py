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


def main() -> int:
    """Compute together, compare."""
    ports = sys.argv[1:] or list(VIRTUAL)
    done: dict[str, int] = {}

    def counted(name: str, engine: BoardEngine | NumpyEngine) -> None:
        """Have an engine say how much it has done."""
        simulate = engine.simulate

        def and_count(job: Job, simulations: range, progress: Progress) -> Histogram:
            histogram = simulate(job, simulations, progress)
            done[name] = done.get(name, 0) + len(simulations)
            return histogram

        engine.simulate = and_count  # type: ignore[method-assign]

    members: list[BoardEngine | NumpyEngine] = [BoardEngine(port) for port in ports]
    members.append(NumpyEngine())
    for name, member in zip([*ports, "this computer"], members, strict=True):
        counted(name, member)

    fleet = FleetEngine(members)
    started = time.perf_counter()
    try:
        together = run(JOB, fleet)
    finally:
        fleet.close()
    print(f"{JOB.n_simulations} simulations in {time.perf_counter() - started:.1f} s:")
    for name in [*ports, "this computer"]:
        print(f"  {done.get(name, 0):5d} by {name}")
    for member_of_fleet in fleet.members:
        for said in member_of_fleet.said:
            print(f"  {member_of_fleet.name} said: {said}")

    alone = run(JOB, "numpy")
    same = together.sha256 == alone.sha256
    print(f"counts_sha256 {together.sha256[:16]}..., alone {alone.sha256[:16]}...: equal {same}")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
