"""What every engine offers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from elm11_lua_driver.histogram import Histogram
    from elm11_lua_driver.job import Job

Progress: TypeAlias = Callable[[int], None]
"""Called with the number of simulations finished since the last call."""


class Engine(Protocol):
    """Something that computes simulations."""

    name: str

    def simulate(self, job: Job, simulations: range, progress: Progress) -> Histogram:
        """Compute some simulations of a job.

        Args:
            job: what to compute.
            simulations: consecutive simulation numbers.
            progress: called as simulations are finished.

        Returns:
            The histogram of exactly these simulations.

        Raises:
            EngineError: the engine failed; nothing partial is returned.
        """
        ...

    def close(self) -> None:
        """Give back what the engine holds. It cannot be used afterwards."""
        ...
