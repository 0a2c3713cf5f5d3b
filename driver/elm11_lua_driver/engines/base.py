"""The interface of engines."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..jobs.histogram import Histogram
    from ..jobs.job import Job

Progress: TypeAlias = Callable[[int], None]
"""Called with the number of simulations finished since the last call. It may raise `AbandonedError`."""


class AbandonedError(Exception):
    """The result is no longer wanted: `progress` raises this to stop an engine. Engines let it pass."""


class Engine(Protocol):
    """Runs simulations.

    An engine whose parts may span several groups (since transfers of results are slow) has `joins_groups = True`.

    Attributes:
        name: as in `engines.create`; used in files and messages.
    """

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
        """Release what the engine holds. It cannot be used afterwards."""
        ...


@runtime_checkable
class RecoveringEngine(Protocol):
    """An engine that may hold results from before, such as a board whose cable was pulled.

    Attributes:
        name: as in `engines.create`; used in files and messages.
    """

    name: str

    def recover(self, job: Job, is_missing: Callable[[range], bool]) -> Histogram | None:
        """Return results that the engine holds, before anything is computed.

        Args:
            job: what is computed.
            is_missing: True for simulations that are missing and can be added as one part.

        Returns:
            A histogram of the job; None if the engine holds nothing that is missing.

        Raises:
            EngineError: the engine failed.
        """
        ...


@runtime_checkable
class StreamingEngine(Protocol):
    """An engine that yields results as they are finished, so that they can be saved.

    Attributes:
        name: as in `engines.create`; used in files and messages.
    """

    name: str

    def stream(
        self, job: Job, simulations: Sequence[range], progress: Progress, *, by_group: bool = False
    ) -> Iterator[Histogram]:
        """Compute some simulations of a job. Closing the iterator stops the work.

        Args:
            job: what to compute.
            simulations: ranges of simulation numbers, ascending, none twice.
            progress: called as simulations are finished.
            by_group: True if every part must lie in one group of the job, so that errors can be estimated.

        Yields:
            Histograms in any order, which together hold exactly these simulations.

        Raises:
            EngineError: the engine failed. What it has yielded is still valid.
        """
        ...
