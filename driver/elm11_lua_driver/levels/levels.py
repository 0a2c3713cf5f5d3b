"""Histogram to significance levels, with their standard errors."""

from __future__ import annotations

import dataclasses
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from .quantiles import check_level, quantiles, standard_errors
from .runner import Observer, run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from elm11_host_ref.types import FloatArray

    from ..engines import Engine
    from ..jobs.histogram import Histogram
    from ..jobs.job import Job


@dataclass(frozen=True, eq=False)
class Significance:
    """Significance levels of squared coherence, and where they come from.

    Attributes:
        histogram: the counts, and the job.
        level: the confidence, between 0 and 1, e.g. 0.95.
        significance: shape (J + 1,), squared coherence that noise exceeds with probability 1 - level; no unit.
        standard_error: shape (J + 1,), of `significance`, from how much groups of simulations differ; NaN for a
            single simulation.
        engine: name of the engine.
        seconds: time the simulations took.
        target_standard_error: at which the run was to stop; None for a fixed number of simulations.
    """

    histogram: Histogram
    level: float
    significance: FloatArray
    standard_error: FloatArray
    engine: str
    seconds: float
    target_standard_error: float | None = None

    @classmethod
    def from_histogram(
        cls,
        histogram: Histogram,
        level: float = 0.95,
        *,
        engine: str = "",
        seconds: float = 0.0,
        target_standard_error: float | None = None,
        with_errors: bool = True,
    ) -> Self:
        """The levels of a histogram, with their standard errors.

        Args:
            histogram: complete or not.
            level: the confidence, 0 < level < 1.
            engine: name of the engine that computed it.
            seconds: time the simulations took.
            target_standard_error: at which the run was to stop; None for a fixed number of simulations.
            with_errors: False to leave the standard errors NaN. They take nearly all of the time: 9 ms of 10 ms for 21
                scales and 300 simulations.

        Raises:
            ValueError: the level is outside its range.

        Source: `quantiles` and `standard_errors` name theirs.
        """
        level = check_level(level)
        levels = quantiles(histogram.counts, level)
        errors = standard_errors(histogram, level) if with_errors else np.full_like(levels, np.nan)
        return cls(histogram, level, levels, errors, engine, seconds, target_standard_error)

    @property
    def max_standard_error(self) -> float:
        """The largest standard error of all scales, no unit (squared coherence); NaN where none is known."""
        known = self.standard_error[np.isfinite(self.standard_error)]
        return float(known.max()) if known.size else math.nan

    def precision(self) -> dict[str, float | int | bool | None]:
        """The precision of the levels, as plain values for JSON.

        Returns:
            All without a unit (squared coherence, numbers, truth): `max_standard_error` (None where it is not
            known), `n_simulations` that it took, `target_standard_error` and whether it was `reached` (None without
            a target).

        Source: this project: docs/engines.md, "Early stopping".
        """
        largest, target = self.max_standard_error, self.target_standard_error
        return {
            "max_standard_error": None if math.isnan(largest) else largest,
            "n_simulations": self.histogram.n_simulations,
            "target_standard_error": target,
            "reached": None if target is None else bool(largest <= target),
        }

    def to_dict(self) -> dict[str, Any]:
        """The result as plain values for JSON, NaN as None.

        Source: this project: docs/user-guide.md.
        """

        def plain(values: FloatArray) -> list[float | None]:
            return [None if math.isnan(value) else float(value) for value in values]

        return {
            "job": dataclasses.asdict(self.histogram.job),
            "job_sha256": self.histogram.job.sha256,
            "level": self.level,
            "significance": plain(self.significance),
            "standard_error": plain(self.standard_error),
            "precision": self.precision(),
            "counts_total": int(self.histogram.counts.sum()),
            "counts_sha256": self.histogram.sha256,
            "engine": self.engine,
            "seconds": round(self.seconds, 3),
        }


def significance(
    job: Job,
    level: float = 0.95,
    engine: Engine | str = "numpy",
    progress: Observer | Callable[[int, int], None] | None = None,
    *,
    checkpoint: Path | str | None = None,
    target_standard_error: float | None = None,
) -> Significance:
    """Significance levels of squared wavelet coherence against noise, by Monte Carlo simulation. Arguments as `run`.

    Args:
        job: what to compute.
        level: the confidence, 0 < level < 1.

    Returns:
        Levels and standard errors, one per scale.

    Raises:
        ValueError: an argument is outside its range, or the checkpoint is of another job.
        EngineError: the engine failed.

    Source: Grinsted, Moore & Jevrejeva (2004), section 3.4.

    Examples:
        >>> from elm11_lua_driver import Job, significance
        >>> job = Job(lag1_x=0.72, lag1_y=0.72, dt=0.25, dj=0.25, s0=0.5, J=4, n_simulations=32)
        >>> significance(job).significance.shape
        (5,)
    """
    level = check_level(level)
    started = time.perf_counter()
    histogram = run(
        job,
        engine,
        progress,
        checkpoint=checkpoint,
        target_standard_error=target_standard_error,
        level=level,
    )
    return Significance.from_histogram(
        histogram,
        level,
        engine=engine if isinstance(engine, str) else engine.name,
        seconds=time.perf_counter() - started,
        target_standard_error=target_standard_error,
    )
