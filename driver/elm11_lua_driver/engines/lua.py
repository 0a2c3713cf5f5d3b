"""The Lua engine: the board's own programs, run in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import LuaError
from ..jobs.histogram import Histogram, Part, group_ranges

if TYPE_CHECKING:
    from ..jobs.job import Job
    from .base import Progress


class LuaEngine:
    """The project's Lua through lupa, with the board's globals."""

    name = "lua"

    def simulate(self, job: Job, simulations: range, progress: Progress) -> Histogram:
        """See `Engine.simulate`.

        Raises:
            LuaError: the Lua code failed.
        """
        import elm11_shim  # noqa: PLC0415  a user of the NumPy engine does not load Lua

        parts = []
        start = simulations.start
        try:
            simulator = elm11_shim.LuaSimulator(job.experiment, job.pipeline)
            for group in group_ranges(job, simulations):
                start = group.start
                parts.append(Part(group.start, group.stop, simulator.run(group, on_simulation=progress)))
        except elm11_shim.LuaError as error:
            raise LuaError(
                f"the Lua engine failed at simulation {start} or soon after: {error.message}; "
                "this is a fault of the program, please report it with the job: " + job.to_json(),
                error.message,
                error.traceback,
            ) from error
        return Histogram(job, parts)

    def close(self) -> None:
        """Nothing is held between calls."""
