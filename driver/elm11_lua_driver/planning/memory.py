"""How much of the board's memory a job needs, before it is started: the board stops for good when its heap ends.

All sums are in the units of the board's allocator. For the exact pipeline they follow `monte_carlo.new` and what it
calls, array by array. For the fast one they follow the plan's arrays, by kind; how many arrays of a kind there are, and
what is beside them, was fitted to the heap of the emulated board (``cost_model.json``). Tests compare both with the
heap of the board's Lua on this computer.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from elm11_host_ref.experiment import Experiment
from elm11_host_ref.fast.plan import FastPlan

from . import cost as cost_model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..jobs.job import Job

UNIT_BYTES = 128
HEAP_BYTES = 1 << 20

USABLE_BYTES = 700_000
"""What a job may need: on the board some 40 arrays of 16 384 bytes fit, with what is there after boot. The rest of the
1 048 576 bytes is lost between blocks."""

USABLE_IN_SMALL_BLOCKS = 1_000_000
"""The same for the fast pipeline, whose arrays have 8192 bytes and less, so that little is lost between them. J = 32 at
dj = 1/4 with unequal lags is planned with 980 000 and peaks at 955 000 on the emulated board, in begun units of 128
bytes, over 300 simulations and the sending of the results. No job of that size has been run on a real board."""

_PROMPT_UNITS = 40  # the prompt and the line that it reads, which the processor that was measured on does not have
_PLANNING_GARBAGE_UNITS = 280
"""What planning may leave uncollected beyond what the fit has seen: when Lua collects depends on what was before."""

_PLANNING_TABLES = 1.25  # tables while they are made, with what they are made from, in tables that are ready

_BLOCK_HEADER_BYTES = 4
_CHUNK = 1024
_SLOT_BYTES = 16
_AT_ONCE = 64
_LONGEST_TRIMMED = 200
_SMALL_OBJECTS = 24  # units of tables with named fields, the job's texts and closures of one run
_GROWING_BYTES = 12_288  # an array of 1024 that grows is there in its old and its new size; and lines of text


@dataclass(frozen=True)
class MemoryPlan:
    """Bytes that a job needs on the board.

    Attributes:
        programs: those of the job's pipeline, loaded: code, tables, the prompt. Those that only plan the fast pipeline
            are dropped before its large arrays are made; where they need more than these, they count.
        histogram: (J + 1) rows of n_bins counts.
        smoothing: the rows that the scale box needs.
        transforms: spectra, work arrays and tables.
        tables: filters, kernels and weights of all rows; the fast pipeline's.
        usable: what the board has, from 0 bytes.
        largest_J: the largest J of an otherwise equal job that fits; None if none does.
    """

    programs: int
    histogram: int
    smoothing: int
    transforms: int
    tables: int
    usable: int
    largest_J: int | None  # noqa: N815  the paper's J

    @property
    def total(self) -> int:
        """All of it."""
        return self.programs + self.histogram + self.smoothing + self.transforms + self.tables

    @property
    def fits(self) -> bool:
        """True if the board can hold it."""
        return self.total <= self.usable

    def check(self) -> None:
        """Do nothing if it fits."""
        if not self.fits:
            advice = (
                "with this n_bins, s0 and dt no J fits"
                if self.largest_J is None
                else f"the largest J that fits is {self.largest_J}"
            )
            raise ValueError(
                f"the job needs {self.total} bytes of the board's memory (histogram {self.histogram}, smoothing "
                f"{self.smoothing}, transforms {self.transforms}, tables {self.tables}, programs {self.programs}), and "
                f"{self.usable} can be used; {advice}. This computer can compute it: engine numpy"
            )


def usable_bytes(job: Job) -> int:
    """Bytes of the board's memory that a job may use."""
    return USABLE_IN_SMALL_BLOCKS if job.pipeline == "fast" else USABLE_BYTES


def plan(job: Job, usable: int | None = None) -> MemoryPlan:
    """The memory plan of a job.

    Args:
        usable: from 0 bytes, what may be used; by default `usable_bytes`.
    """
    if usable is None:
        usable = usable_bytes(job)
    values = {field.name: getattr(job, field.name) for field in fields(Experiment)}

    def parts(J: int) -> tuple[int, int, int, int, int]:
        experiment = Experiment(**{**values, "J": J})
        return _fast_parts(FastPlan(experiment)) if job.pipeline == "fast" else _exact_parts(experiment)

    def fits(J: int) -> bool:
        return sum(parts(J)) <= usable

    needed = _fast_parts(job.fast_plan) if job.pipeline == "fast" else parts(job.J)
    largest: int | None = job.J
    if sum(needed) > usable:
        # The need grows with J, but for steps where transforms become shorter or fewer: halve, then look further up.
        low, high = -1, job.J
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if fits(middle) else (low, middle)
        beyond = [J for J in range(low + 1, min(low + 9, job.J)) if fits(J)]
        low = max([low, *beyond])
        largest = None if low < 0 else low
    return MemoryPlan(*needed, usable, largest)


def programs_bytes(pipeline: str, which: str = "programs") -> int:
    """In use when a pipeline's programs are loaded. Measured."""
    garbage = _PLANNING_GARBAGE_UNITS if which == "planning" else 0
    return UNIT_BYTES * (_PROMPT_UNITS + garbage + int(cost_model.figures()["pipelines"][pipeline][which]))


def _units(size: int) -> int:
    """Units of a block of `size` bytes."""
    return -(-(size + _BLOCK_HEADER_BYTES) // UNIT_BYTES)


def _array(n: int) -> int:
    """Units of a table of n elements, filled one after the other: its array has a power of two of slots."""
    return 1 + (_units(_SLOT_BYTES << (n - 1).bit_length()) if n else 0)


def _zeros(n: int) -> int:
    """Units of what fast.lua's `zeros` makes: up to 64 elements at once, more by doubling."""
    return 1 + _units(_SLOT_BYTES * n) if n <= _AT_ONCE else _array(n)


def _trimmed(n: int) -> int:
    """Units of a list that fast_plan.lua has cut to its length, if it has no more than 200 elements."""
    return 1 + _units(_SLOT_BYTES * n) if n <= _LONGEST_TRIMMED else _array(n)


def _series(n: int) -> int:
    """Units of a list of chunks that holds n numbers."""
    return _array(-(-n // _CHUNK)) + -(-n // _CHUNK) * _array(min(n, _CHUNK))


def _histogram(rows: int, slots: int, array: Callable[[int], int] = _array) -> int:
    """Units of a histogram whose pieces take as many as `array` says."""
    whole, rest = divmod(slots, _CHUNK)
    row = _array(whole + bool(rest)) + whole * array(_CHUNK) + (array(rest) if rest else 0)
    return _array(rows) + rows * row


def fast_units(planned: FastPlan) -> dict[str, dict[str, int]]:
    """Units of the fast pipeline's arrays, by what they are for (as in `MemoryPlan`) and by kind.

    Of spectra, grids, products and of what has one element for each scale there is one array here; `cost_model.json`
    has how many there are in fact.
    """

    def made(sizes: Iterable[int]) -> int:
        return sum(_zeros(size) for size in sizes)

    experiment = planned.experiment
    rows = [row for part in planned.parts for row in part.rows]
    series, grids, smoothed = cost_model.work_arrays(planned)
    n_points = max((row.n_points + 2 * len(row.kernels[0]) for row in rows if row.length), default=1)
    n_outputs = max((len(row.weights) for row in rows), default=1)
    n_sums = 2 * len(series) + 4
    if not cost_model.is_five(planned.box):  # sums that run on from scale to scale
        m = max((row.n_paired for row in rows if row.is_counted), default=1)
        n_sums += 2 * m * (m + 1)
    kernels = {kernel for row in rows for kernel in row.kernels}
    responses = (size for part in planned.parts for size in cost_model.different_responses(part))
    return {
        "histogram": {"histogram": _histogram(experiment.J + 1, -(-experiment.n_bins // 2), _zeros)},
        "smoothing": {"box": _array(len(smoothed)) + made(smoothed), "sums": n_sums * _zeros(n_outputs)},
        "transforms": {
            "transform": _array(max(part.n for part in planned.parts)),
            "spectra": made(series),
            "grid": made(grids),
            "product": _zeros(n_points),
            "job": 1,
        },
        "tables": {
            "scale": _array(experiment.J + 1),
            "part": len(planned.parts),
            "row": len(rows),
            "list": sum(_trimmed(len(row.weights)) for row in rows if row.weights)
            + sum(map(_array, map(len, kernels))),
            "filter": sum(map(_trimmed, cost_model.different_filters(planned))),
            "response": sum(map(_trimmed, responses)),
        },
    }


def _fast_parts(planned: FastPlan) -> tuple[int, int, int, int, int]:
    """Bytes of the programs, of the histogram, of the smoothing, of the transforms and of the tables."""
    costs = cost_model.figures()["pipelines"]["fast"]["memory"]
    histogram, smoothing, transforms, tables = (
        UNIT_BYTES * round(cost_model.priced(of_kind, costs)) for of_kind in fast_units(planned).values()
    )
    programs = programs_bytes("fast")
    planning = programs_bytes("fast", "planning") + round(_PLANNING_TABLES * tables)
    return (
        max(programs, planning - histogram - smoothing - transforms - tables),
        histogram,
        smoothing,
        transforms,
        tables,
    )


def _exact_parts(experiment: Experiment) -> tuple[int, int, int, int, int]:
    """The same for the exact pipeline, which has no such tables."""
    n, rows = experiment.n_padded, experiment.J + 1
    histogram = _histogram(rows, experiment.n_bins)

    length = min(n, _CHUNK)
    n_chunks = n // length
    box = min(len(experiment.box.weights), rows)
    ring = _array(box) + box * (_array(4) + 1 + 4 * _series(n)) + _array(length)

    bits = (length - 1).bit_length()
    n_swaps = (length - (1 << (bits + 1) // 2)) // 2  # all but the numbers that read the same in reverse
    tables = 3 * _array(3 * length // 4) + 2 * _array(n_swaps)
    between = 2 * (_array(n_chunks // 2) + n_chunks // 2 * _array(_CHUNK))
    transforms = tables + between + 6 * _series(n) + _array(length) + _array(128) + 2 * _array(rows) + _SMALL_OBJECTS
    # Before the first exact job the fast pipeline's programs are in memory: `elm11.hello` has loaded all.
    others = (histogram + ring + transforms) * UNIT_BYTES + _GROWING_BYTES
    programs = max(programs_bytes("exact"), programs_bytes("fast", "planning") - others)
    return programs, histogram * UNIT_BYTES, ring * UNIT_BYTES, transforms * UNIT_BYTES + _GROWING_BYTES, 0
