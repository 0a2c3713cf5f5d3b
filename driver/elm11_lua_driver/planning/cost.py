"""What a job costs on the board, in instructions, estimated before it is started.

A pipeline's work is counted by kind: samples drawn, points transformed, taps of kernels, and so on (`simulation_work`,
`set_up_work`). What one of each kind costs was fitted to jobs that were counted on the emulated processor; the figures,
the jobs and how far the fit is off are in ``cost_model.json``, which `tools/cost/fit_model.py` writes.

The figures are those of the count by lines (`docs/cost.md`), by which jobs are judged; the board takes some 10 % less.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from elm11_host_ref.exact import rednoise
from elm11_host_ref.fast.schedule import CYCLE, cycle_slot

if TYPE_CHECKING:
    from collections.abc import Mapping

    from elm11_host_ref.fast.parts import Part, Row
    from elm11_host_ref.fast.plan import FastPlan
    from elm11_host_ref.types import FloatArray

    from ..jobs.job import Job

FILE: Final = "cost_model.json"

ERROR: Final = 0.15
"""The estimates of instructions are off by no more than this, on jobs that the model was not fitted to either."""

FASTEST_INSTRUCTIONS_PER_S: Final = 15.5e6
"""66 MHz, 4.25 clocks for each instruction, no waiting for memory: no board can be faster."""

SLOWEST_INSTRUCTIONS_PER_S: Final = 1.5e6
"""A tenth of that: how long a board waits for its memory is known only when it has been calibrated."""

_RUNS_ON: Final = 5
"""Rows whose sum costs as much as bringing a sum that runs on from the scale above up to date."""


@dataclass(frozen=True)
class Instructions:
    """Instructions that a job takes on the board.

    Attributes:
        load: to load and check all programs, once after a start of the board, and the job's own if they are not those
            that stay.
        set_up: to make tables and arrays; once per job.
        simulation: of one simulation, on average.
        largest_simulation: of the simulation that costs most.
        largest_step: about the most that lies between two heartbeats: of one scale of one simulation.
        total: set-up and all simulations.
    """

    load: float
    set_up: float
    simulation: float
    largest_simulation: float
    largest_step: float
    total: float


@cache
def figures() -> dict[str, Any]:
    """The content of ``cost_model.json``."""
    document: dict[str, Any] = json.loads((resources.files(__package__) / FILE).read_text("utf-8"))
    return document


@lru_cache(maxsize=16)
def estimate(job: Job) -> Instructions:
    """The estimate for a job."""
    costs = figures()["pipelines"][job.pipeline]
    load = figures()["hello"] + (costs["load"] if job.pipeline == "exact" else 0)
    set_up = priced(set_up_work(job), costs["set_up"])
    n = job.n_simulations
    if job.pipeline == "fast":
        works = [priced(simulation_work(job, number), costs["simulation"]) for number in range(CYCLE)]
        cycles, rest = divmod(n, CYCLE)
        total = cycles * sum(works) + sum(works[:rest])
        largest = max(works[:n])
        # A part is drawn and transformed in the step of its largest scale: about half of a short simulation.
        step = largest / 2
    else:
        largest = priced(simulation_work(job, 0), costs["simulation"])
        total, step = n * largest, 2 * largest / (job.J + 1)
    return Instructions(load, set_up, total / n, largest, step, set_up + total)


def mean_work(job: Job) -> Counter[str]:
    """The work of one simulation, on average over many."""
    if job.pipeline == "exact":
        return simulation_work(job, 0)
    total = sum((simulation_work(job, number) for number in range(CYCLE)), Counter[str]())
    return Counter({kind: round(amount / CYCLE) for kind, amount in total.items()})


def points(job: Job) -> FloatArray:
    """Number of different values of coherence that each simulation of a cycle counts at each scale: shape (256, J + 1).

    Of the exact pipeline's samples those within 1.2 scales are counted as one, since they hardly differ.
    """
    if job.pipeline == "exact":
        return np.tile(job.n_usable / (1.2 * job.sigma), (CYCLE, 1))
    planned = job.fast_plan
    found = np.zeros((CYCLE, job.J + 1))
    for simulation in range(CYCLE):
        for part, lowest in planned.parts_at(cycle_slot(simulation)):
            for j in range(lowest, part.highest + 1):
                row = part.row(j)
                found[simulation, j] += row.n_paired**2 * len(row.weights)
    return found


def priced(work: Mapping[str, float], costs: Mapping[str, float]) -> float:
    """Instructions of some work."""
    return sum(amount * costs.get(kind, 0.0) for kind, amount in work.items())


def simulation_work(job: Job, simulation: int) -> Counter[str]:
    """The work of one simulation, by kind."""
    return _fast_work(job, simulation) if job.pipeline == "fast" else _exact_work(job)


def set_up_work(job: Job) -> Counter[str]:
    """The work before the first simulation, by kind."""
    return _fast_set_up(job) if job.pipeline == "fast" else _exact_set_up(job)


def _stages(n: int) -> int:
    return max(1, n.bit_length() - 1)


def _exact_work(job: Job) -> Counter[str]:
    n, rows = job.n_padded, job.J + 1
    n_counted = int((job.n_usable > 0).sum())
    transforms = 1 + 4 * rows + 2 * n_counted
    burn_in = sum(rednoise.burn_in(lag1) for lag1 in job.noise_lag1)
    return Counter(
        {
            "simulation": 1,
            "sample": 2 * job.n_samples + burn_in,
            "butterfly": transforms * n * _stages(n),
            "transform": transforms,
            "point": rows * n,
            "box": n * sum(min(rows, len(job.box.weights)) for _ in range(n_counted)),
            "counted": int(job.n_usable.sum()),
        }
    )


def _exact_set_up(job: Job) -> Counter[str]:
    n, rows = job.n_padded, job.J + 1
    box = min(rows, len(job.box.weights))
    return Counter({"job": 1, "row": rows, "point": n, "array": 4 * box * n, "bin": rows * job.n_bins})


def _fast_work(job: Job, simulation: int) -> Counter[str]:
    planned = job.fast_plan
    work = Counter({"simulation": 1})
    for part, lowest in planned.parts_at(cycle_slot(simulation)):
        _add_part(work, planned, part, lowest)
    return work


def _add_part(work: Counter[str], planned: FastPlan, part: Part, lowest: int) -> None:
    is_red = any(part.lag1)
    m = part.n_series
    work["part"] += m
    work["sample"] += m * part.n_samples
    work["red sample"] += m * part.n_samples * is_red
    work["block"] += m * -(-part.n_samples // 128)
    work["butterfly"] += m * part.n * _stages(part.n)
    work["point"] += m * part.n
    last = max(row.first_frequency + row.filter.size for row in part.rows)
    work["separated"] += m * (last - part.first_frequency)
    work["red frequency"] += m * (last - part.first_frequency) * is_red
    below = len(planned.box) - 1 - planned.centre
    above: Row | None = None
    for row in reversed(part.rows):
        if row.j < lowest - below:
            continue
        work["row"] += 1
        if row.length:
            m = row.n_series
            fours = m * (m + 1) // 2 if m > 1 else 1  # quantities are smoothed and summed four at a time
            work["frequency"] += m * row.filter.size
            work["point"] += 2 * m * row.n
            work["butterfly"] += 2 * m * row.n * _stages(row.n)
            work["power"] += m * row.n_points
            work["product"] += m * m * row.n_points
            work["four"] += fours
            work["output"] += fours * row.length
            reaches = [len(kernel) for kernel in row.kernels]
            work["tap"] += fours * row.length * sum(reaches) // len(reaches)
        if row.is_counted and row.j >= lowest:
            m = row.n_paired
            work["counted"] += m * m * len(row.weights)
            runs_on = above is not None and row.counts_as(above) and not is_five(planned.box)
            n_added = _RUNS_ON if runs_on else len(planned.box)
            work["box"] += (m * (m + 1) // 2 if m > 1 else 1) * len(row.weights) * n_added
            work["pair"] += m * m
            above = row


def is_five(box: tuple[int, ...]) -> bool:
    """True if the board adds the five rows of a box afresh for every scale, in one loop, as at dj = 1/4."""
    return box == (1, 2, 2, 2, 1)


def work_arrays(planned: FastPlan) -> tuple[list[int], list[int], list[int]]:
    """Sizes of the arrays that all parts of a fast job share, each as long as the longest use of it."""

    def raised(sizes: list[int], count: int, size: int) -> None:
        """The first `count` sizes become `size` at least."""
        sizes += [0] * (count - len(sizes))
        sizes[:count] = [max(known, size) for known in sizes[:count]]

    series: list[int] = []
    grids: list[int] = []
    smoothed: list[int] = []
    for part in planned.parts:
        kept = [row for row in part.rows if row.length]
        raised(series, part.n_series, part.n)
        for row in kept:
            raised(grids, row.n_series, row.n)
        m = max((row.n_series for row in kept), default=1)
        raised(smoothed, len(planned.box) * 2 * m * (1 + m), max((row.length for row in kept), default=1))
    return series, grids, smoothed


def different_filters(planned: FastPlan) -> list[int]:
    """Number of frequencies of each different filter; rows with equal filters share one."""
    different = {row.filter.tobytes(): row.filter.size for part in planned.parts for row in part.rows}
    return list(different.values())


def different_responses(part: Part) -> list[int]:
    """Number of frequencies of each different response of the noise; empty for white noise."""
    return [re.size for re, _ in {re.tobytes() + im.tobytes(): (re, im) for re, im in part.noise}.values()]


def _fast_set_up(job: Job) -> Counter[str]:
    planned = job.fast_plan
    series, grids, smoothed = work_arrays(planned)
    work = Counter({"job": 1, "bin": (job.J + 1) * job.n_bins, "scale": job.J + 1})
    work["point"] = max(part.n for part in planned.parts)
    work["element"] = 2 * sum(series) + 4 * sum(grids) + sum(smoothed)
    work["frequency"] = sum(different_filters(planned))
    for part in planned.parts:
        work["part"] += 1
        for size in different_responses(part):
            work["response"] += part.first_frequency + size
            work["coarse response"] += (part.first_frequency + size) * (part.step != 1)
        for row in part.rows:
            work["row"] += 1
            work["weight"] += len(row.weights)
            work["kernel"] += sum(map(len, row.kernels))
            work["grid point"] += row.n_points
    return work
