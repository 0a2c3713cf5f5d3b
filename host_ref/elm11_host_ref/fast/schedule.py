"""Idea 2, rare small scales: scale j is counted in `active_simulations[j]` of 256 simulations.

A small scale has hundreds of independent samples in one simulation, the largest about two. Each is counted just so
often that no standard error exceeds that of the largest scale, and that one is what one pair in every simulation would
give. A simulation in which a small scale of the main parts is active has all larger ones as well. In most simulations
nothing is active.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .pairs import INFORMATION, n_series
from .weights import TINY, up

if TYPE_CHECKING:
    from .parts import Scales

CYCLE: Final = 256
"""Simulations after which the pattern of active scales repeats."""

SPREAD: Final = 145
"""Distance, modulo 256, of the slots of two simulations that follow each other: chosen so that every number of
simulations, from the first on, has its share of active ones within two, and 300 within one."""

DUE_MARGIN: Final = 1.48
"""A scale needs the information of so many pairs per simulation, times its length in largest scales: the variance per
pair falls like `sigma[j] / sigma[J]`, divided by 0.8 to 1.0."""

WIDE_MARGIN: Final = 1.8
"""The same where outputs are `WIDE_OUTPUT_STEP` apart, and so fewer."""

NARROW: Final = 4.2
"""Where the usable samples span fewer scales, a scale needs less in proportion to them."""

LEAST_DUE: Final = 6
"""A scale is active in 6 of 256 simulations at least: in 7 or 8 of 300, few but enough for a standard error."""

OUTPUT_STEP: Final = 0.9
"""Largest step between output points, in scales, where the usable samples are few."""

WIDE_OUTPUT_STEP: Final = 2.0
"""The same where the usable samples span `WIDE_FROM` scales and more: coherence is correlated over about two scales."""

WIDE_FROM: Final = 14

SHORT_SERIES: Final = 64
"""A shorter series has outputs half as far apart at all scales: there are few, and most are near its ends."""

SPARSE_OUTPUT_STEP: Final = 2.4
"""The same where a scale has `SPARSE_SURPLUS` times the information that it needs, and so enough with a wider step."""

SPARSE_SURPLUS: Final = 1.3


def cycle_slot(simulation: int) -> int:
    """Slot of a simulation in its cycle. A scale is active in the lowest slots, which this spreads evenly.

    Args:
        simulation: its number, from 0.

    Returns:
        0 to 255.
    """
    return simulation * SPREAD % CYCLE


def simulation_at(slot: int) -> int:
    """The simulation of the first cycle that has a slot.

    Args:
        slot: 0 to 255.
    """
    return slot * pow(SPREAD, -1, CYCLE) % CYCLE


class Schedule:
    """How often each scale is counted, with how many series, and how densely. Parts are added as they are found.

    Args:
        scales: of the experiment.

    Attributes:
        active_simulations: shape (J + 1,): in how many of 256 simulations each scale is counted.
        n_paired: shape (J + 1,): how many series of either kind each scale pairs, if its part has them.
        pairs: shape (J + 1,): pairs that are counted in a cycle.
        is_sparse: shape (J + 1,): True where a scale has information to spare, so that outputs may be further apart.
    """

    def __init__(self, scales: Scales) -> None:
        self._scales = scales
        n_scales = len(scales.sigma)
        self.active_simulations = [0] * n_scales
        self.n_paired = [1] * n_scales
        self.pairs = [0] * n_scales
        self.is_sparse = [False] * n_scales

    def _is_wide(self, j: int) -> bool:
        usable = self._scales.usable(j)
        return usable >= WIDE_FROM * self._scales.sigma[j]

    def output_step(self, j: int) -> float:
        """Largest step between the outputs of scale j, in scales.

        Args:
            j: number of the scale, 0 to J.
        """
        if self._scales.experiment.n_samples < SHORT_SERIES:
            return OUTPUT_STEP / 2
        if not self._is_wide(j):
            return OUTPUT_STEP
        return SPARSE_OUTPUT_STEP if self.is_sparse[j] else WIDE_OUTPUT_STEP

    def needed(self, j: int) -> float:
        """The information that scale j needs from a cycle, in tenths of a pair.

        Args:
            j: number of the scale, 0 to J.
        """
        usable = self._scales.usable(j) / self._scales.sigma[j]
        margin = WIDE_MARGIN if self._is_wide(j) else DUE_MARGIN * min(1.0, usable / NARROW)
        return 10 * CYCLE * margin * self._scales.sigma[j] / self._scales.sigma[-1]

    def add_main_parts(self, mains: list[tuple[int, int]], lowest_main: int) -> None:
        """Decide on the scales of the main parts.

        From the smallest scale up: a simulation in which a smaller one is active has all larger ones as well. Each
        scale takes as few series as give what it needs; where all do not, it is active more often.

        Args:
            mains: smallest counted scale and transform length of every main part, the coarsest first.
            lowest_main: the smallest scale of all of them.
        """
        series = [n_series(self._scales, n) for _, n in mains]
        often = [0] * len(mains)  # how many simulations run each part
        for j in range(lowest_main, len(self.n_paired)):
            own = next(part for part, (lowest, _) in enumerate(mains) if lowest <= j)
            often[own] += max(0, LEAST_DUE - sum(often))
            for m in (1, 2, 4):
                known = sum(times * INFORMATION[min(m, most)] for times, most in zip(often, series, strict=True))
                self.n_paired[j] = m
                if known >= self.needed(j) - TINY:
                    break
            else:
                often[own] += min(CYCLE - sum(often), up((self.needed(j) - known) / INFORMATION[series[own]]))
            self.active_simulations[j] = sum(often)
            self.is_sparse[j] = known >= SPARSE_SURPLUS * self.needed(j)
            self.pairs[j] = sum(
                times * min(self.n_paired[j], most) ** 2 for times, most in zip(often, series, strict=True)
            )

    def first_ending(self, lowest: int, above: int, lowest_main: int) -> int | None:
        """The smallest scale from lowest on, below another, at which a simulation ends: it counts no smaller one.

        Args:
            lowest: of a main part.
            above: smallest scale of the next coarser part.
            lowest_main: smallest scale of all main parts.
        """
        before = [0] * (lowest_main == lowest) + self.active_simulations[max(0, lowest - 1) : above]
        return next((j for j in range(lowest, above) if self.active_simulations[j] > before[j - lowest]), None)

    def add_short_part(self, lowest: int, highest: int, n: int, surplus: float) -> None:
        """Decide on the scales of a short part: as often as the largest of them needs it.

        Args:
            lowest: its smallest scale.
            highest: its largest one.
            n: its transform length.
            surplus: so many times the pairs of a whole series are worth as much.
        """
        sigma = self._scales.sigma
        often = self.needed(highest) * surplus
        most = n_series(self._scales, n)
        for j in range(lowest, highest + 1):
            active = min(CYCLE, max(LEAST_DUE, up(often / INFORMATION[most])))
            needed = often * sigma[j] / sigma[highest] - TINY
            m = min(next((m for m in (1, 2) if active * INFORMATION[m] >= needed), most), most)
            self.active_simulations[j] = active
            self.n_paired[j] = m
            self.pairs[j] = active * m**2
            self.is_sparse[j] = active * INFORMATION[m] >= SPARSE_SURPLUS * needed
