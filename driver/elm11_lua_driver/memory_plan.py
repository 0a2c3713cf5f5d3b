"""How much of the board's memory a job needs, before it is started: the board stops for good when its heap ends.

The sum follows `monte_carlo.new` and what it calls, array by array, in the units of the board's allocator. A test
compares it with the heap of the board's Lua on this computer.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from elm11_host_ref.experiment import Experiment

if TYPE_CHECKING:
    from elm11_lua_driver.job import Job

UNIT_BYTES = 128
HEAP_BYTES = 1 << 20

USABLE_BYTES = 700_000
"""What a job may need: on the board some 40 arrays of 16 384 bytes fit, with what is there after boot. The rest of the
1 048 576 bytes is lost between blocks."""

PROGRAMS_BYTES = 262_400
"""In use when all programs are loaded: code, the normal table, the CRC table, the prompt. Measured."""

_CHUNK = 1024
_SLOT_BYTES = 16
_SMALL_OBJECTS = 24  # units of tables with named fields, the job's texts and closures of one run
_GROWING_BYTES = 24_576  # an array of 1024 that grows is there in its old and its new size; and a line of text


@dataclass(frozen=True)
class MemoryPlan:
    """What a job needs on the board, in bytes.

    Attributes:
        programs: the programs, loaded.
        histogram: (J + 1) rows of n_bins counts.
        smoothing: the rows that the scale box needs, 4 * box * n numbers.
        transforms: spectra, work arrays and tables.
        usable: what the board has.
        largest_J: the largest J of an otherwise equal job that fits; None if none does.
    """

    programs: int
    histogram: int
    smoothing: int
    transforms: int
    usable: int
    largest_J: int | None  # noqa: N815  the paper's J

    @property
    def total(self) -> int:
        """All of it."""
        return self.programs + self.histogram + self.smoothing + self.transforms

    @property
    def fits(self) -> bool:
        """Whether the board can hold it."""
        return self.total <= self.usable

    def check(self) -> None:
        """Do nothing if it fits.

        Raises:
            ValueError: it does not; the message has the numbers and what would fit.
        """
        if not self.fits:
            advice = (
                "with this n_bins, s0 and dt no J fits"
                if self.largest_J is None
                else f"the largest J that fits is {self.largest_J}"
            )
            raise ValueError(
                f"the job needs {self.total} bytes of the board's memory (histogram {self.histogram}, smoothing "
                f"{self.smoothing}, transforms {self.transforms}, programs {self.programs}), and {self.usable} can be "
                f"used; {advice}. This computer can compute it: engine numpy"
            )


def plan(job: Job, usable: int = USABLE_BYTES) -> MemoryPlan:
    """What a job needs.

    Args:
        job: the job.
        usable: bytes that may be used.
    """
    values = {field.name: getattr(job, field.name) for field in fields(Experiment)}

    def parts(J: int) -> tuple[int, int, int]:
        return _parts(Experiment(**{**values, "J": J}))

    largest = job.J
    while largest >= 0 and PROGRAMS_BYTES + sum(parts(largest)) > usable:
        largest -= 1
    return MemoryPlan(PROGRAMS_BYTES, *parts(job.J), usable, None if largest < 0 else largest)


def _units(size: int) -> int:
    return -(-size // UNIT_BYTES)


def _array(n: int) -> int:
    """Units of a table of n elements, filled one after the other: its array has a power of two of slots."""
    return 1 + (_units(_SLOT_BYTES << (n - 1).bit_length()) if n else 0)


def _series(n: int) -> int:
    """Units of a list of chunks that holds n numbers."""
    return _array(-(-n // _CHUNK)) + -(-n // _CHUNK) * _array(min(n, _CHUNK))


def _parts(experiment: Experiment) -> tuple[int, int, int]:
    """Bytes of the histogram, of the smoothing and of the transforms."""
    n, rows, n_bins = experiment.n_padded, experiment.J + 1, experiment.n_bins
    whole, rest = divmod(n_bins, _CHUNK)
    row = _array(whole + bool(rest)) + whole * _array(_CHUNK) + (_array(rest) if rest else 0)
    histogram = _array(rows) + rows * row

    length = min(n, _CHUNK)
    n_chunks = n // length
    box = min(len(experiment.box.weights), rows)
    ring = _array(box) + box * (_array(4) + 1 + 4 * _series(n)) + _array(length)

    bits = (length - 1).bit_length()
    n_swaps = (length - (1 << (bits + 1) // 2)) // 2  # all but the numbers that read the same in reverse
    tables = 3 * _array(3 * length // 4) + 2 * _array(n_swaps)
    between = 2 * (_array(n_chunks // 2) + n_chunks // 2 * _array(_CHUNK))
    transforms = tables + between + 6 * _series(n) + _array(length) + _array(128) + 2 * _array(rows) + _SMALL_OBJECTS
    return histogram * UNIT_BYTES, ring * UNIT_BYTES, transforms * UNIT_BYTES + _GROWING_BYTES
