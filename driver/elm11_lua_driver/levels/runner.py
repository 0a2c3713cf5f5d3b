"""Run a job on an engine, from the first simulation to the last, or until its levels are known well enough."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from .. import engines
from ..engines.scheduler import stream
from ..errors import EngineError
from ..jobs.checkpoint import Checkpoint, missing
from ..jobs.histogram import Histogram
from ..jobs.storage import StoppingRule
from . import stopping

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ..engines import Engine
    from ..jobs.job import Job


def run(
    job: Job,
    engine: Engine | str = "numpy",
    progress: Callable[[int, int], None] | None = None,
    *,
    checkpoint: Path | str | None = None,
    target_standard_error: float | None = None,
    level: float = 0.95,
) -> Histogram:
    """Compute a job.

    Args:
        job: what to compute.
        engine: an engine or its name. An engine made here is closed here.
        progress: called with (simulations finished, simulations wanted).
        checkpoint: a file, ``.npz`` or ``.json``, that keeps what is finished, piece by piece; a run of the same
            experiment goes on from it.
        target_standard_error: stop as soon as no scale's level has a larger standard error, 0 to 1; looked at only
            after certain numbers of simulations (`early_stopping.check_numbers`), so that the result depends on the
            job alone.
        level: the confidence of these levels, 0 < level < 1.

    Returns:
        The complete histogram. After an early stop it is that of the same job with fewer simulations:
        `histogram.job.n_simulations` says how many.

    Raises:
        ValueError: no engine has that name, an argument is outside its range, or the checkpoint is of another job.
        EngineError: the engine failed or gave back too little; nothing partial is returned. What was finished is in
            the checkpoint.
        OSError: the checkpoint cannot be written.
    """
    if target_standard_error is not None:
        target_standard_error = stopping.check_target(target_standard_error, level)
    kept = (
        Checkpoint.open(checkpoint, job, StoppingRule(level, target_standard_error)) if checkpoint is not None else None
    )
    with contextlib.ExitStack() as stack:
        if isinstance(engine, str):
            engine = engines.create(engine)
            stack.callback(engine.close)
        if kept is None and target_standard_error is None:
            return _at_once(job, engine, progress)
        return _piecewise(job, engine, progress, kept, target_standard_error, level)


def _at_once(job: Job, engine: Engine, progress: Callable[[int, int], None] | None) -> Histogram:
    histogram = engine.simulate(job, range(job.n_simulations), _Advance(job, 0, progress))
    return _complete(histogram, job, engine)


def _piecewise(
    job: Job,
    engine: Engine,
    progress: Callable[[int, int], None] | None,
    kept: Checkpoint | None,
    target: float | None,
    level: float,
) -> Histogram:
    have = kept.histogram if kept is not None else Histogram(job, [])
    if target is not None and stopping.spans_groups(have):
        assert kept is not None
        msg = (
            f"{kept.path} has blocks of several groups, as boards and longer runs make them, which show standard "
            "errors too roughly for a target; finish it without one, or begin another file"
        )
        raise ValueError(msg)
    advance = _Advance(job, have.n_simulations, progress)
    before_s = time.monotonic()
    try:
        for stop in stopping.stops(job, target):
            gaps = missing(have, stop)
            if gaps:
                with contextlib.closing(stream(engine, job, gaps, advance, by_group=target is not None)) as pieces:
                    for piece in pieces:
                        if kept is not None:
                            now_s = time.monotonic()
                            kept.add(piece, engine.name, now_s - before_s)
                            have, before_s = kept.histogram, now_s
                        else:
                            have += piece
            if target is None:
                continue
            begun = stopping.prefix(have, stop)
            if begun.ranges != (range(stop),) or stopping.spans_groups(begun):
                raise EngineError(
                    f"engine {engine.name} was asked for simulations 0 to {stop - 1} by groups of {job.group_size} "
                    f"and gave back {begun.ranges}; run the job without a target, or on another engine"
                )
            found = stopping.stopped_at(begun, stop, target, level)
            if found is not None:
                return found
    finally:
        if kept is not None:
            kept.write()
    return _complete(have, job, engine)


class _Advance:
    """An engine's progress as (simulations finished, simulations wanted)."""

    def __init__(self, job: Job, finished: int, progress: Callable[[int, int], None] | None) -> None:
        self._job = job
        self._finished = finished
        self._progress = progress
        if finished:
            self(0)

    def __call__(self, simulations: int) -> None:
        self._finished += simulations
        if self._progress is not None:
            self._progress(self._finished, self._job.n_simulations)


def _complete(histogram: Histogram, job: Job, engine: Engine) -> Histogram:
    """The histogram, if it is the whole job.

    Raises:
        EngineError: it is not.
    """
    if not histogram.is_complete or histogram.job != job:
        raise EngineError(
            f"engine {engine.name} was given simulations 0 to {job.n_simulations - 1} and gave back "
            f"{histogram.n_simulations} of them: {histogram.ranges}; run the job again or on another engine"
        )
    return histogram
