"""Run a job on an engine, from the first simulation to the last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import engines
from .errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable

    from .engines import Engine
    from .histogram import Histogram
    from .job import Job


def run(job: Job, engine: Engine | str = "numpy", progress: Callable[[int, int], None] | None = None) -> Histogram:
    """Compute a job.

    Args:
        job: what to compute.
        engine: an engine or its name. An engine made here is closed here.
        progress: called with (simulations finished, simulations wanted).

    Returns:
        The complete histogram.

    Raises:
        ValueError: no engine has that name.
        EngineError: the engine failed or gave back too little; nothing partial is returned.
    """
    made = engines.create(engine) if isinstance(engine, str) else None
    worker = made or engine
    assert not isinstance(worker, str)
    finished = 0

    def advance(simulations: int) -> None:
        nonlocal finished
        finished += simulations
        if progress is not None:
            progress(finished, job.n_simulations)

    try:
        histogram = worker.simulate(job, range(job.n_simulations), advance)
    finally:
        if made is not None:
            made.close()
    if not histogram.is_complete or histogram.job != job:
        raise EngineError(
            f"engine {worker.name} was given simulations 0 to {job.n_simulations - 1} and gave back "
            f"{histogram.n_simulations} of them: {histogram.ranges}; run the job again or on another engine"
        )
    return histogram
