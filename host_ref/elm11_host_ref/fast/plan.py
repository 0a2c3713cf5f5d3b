"""The fast pipeline's plan: which scales are computed in which simulation, on which grids, with which integers.

A plan follows from the experiment alone. `fast_plan.lua` makes the same plan on the board, number for number; here
it is explained. `run.py` and `fast.lua` carry it out.

The fast pipeline does not repeat the exact one sample for sample. It draws from the same distribution of coherence,
scale by scale, with as little work as that takes. Each idea has its module:

1. `pairs`: a part draws several series of either kind, and counts the coherence of all pairs.
2. `schedule`: a small scale is counted in few simulations, and most simulations count nothing.
3. `sizes`: a simulation runs one main part, for its active scales from the largest down, and short parts for the
   smallest scales. Each is sampled as coarsely, and is as short, as its scales allow.
4. `grids`: wavelet transforms are evaluated at a power of two of points per period.
5. `outputs`: few output points, whose weights at the ends stand for what lies between them.

`noise` has the random series and `formats` the integers; `weights` has the numbers that all of them are made of. What a
plan consists of is in `parts`. The evidence is in docs/fast-pipeline.md.
"""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np

from .formats import set_shifts
from .grids import set_filters, set_grid
from .noise import MAX_LAG1, set_noise
from .outputs import set_counts, set_outputs
from .pairs import n_series
from .parts import Part, Row, Scales
from .schedule import CYCLE, Schedule, cycle_slot
from .sizes import check_size, main_sizes, short_sizes, surplus
from .weights import TINY

if TYPE_CHECKING:
    from ..experiment import Experiment
    from ..types import IntArray
    from .sizes import Size


class FastPlan:
    """The fast pipeline's plan for an experiment.

    Args:
        experiment: the parameters.

    Attributes:
        box: weights of the scale box, whole numbers.
        schedule: how often each scale is counted.
        parts: main parts first, from the coarsest; then short ones, from the largest scales.
        n_main: how many main parts there are.
        lowest_main: smallest scale that main parts count.

    Raises:
        ValueError: the fast pipeline cannot do it: another wavelet than Morlet, s0 < dt, or |lag1| > 0.998.
    """

    def __init__(self, experiment: Experiment) -> None:
        check(experiment)
        self.experiment = experiment
        self._scales = Scales(experiment)
        self.box, self.centre = self._scales.box, self._scales.centre
        self.schedule = Schedule(self._scales)
        self.parts: list[Part] = []
        sizes = main_sizes(self._scales)
        self.lowest_main = sizes[-1].lowest if sizes else experiment.J + 1
        self.schedule.add_main_parts([(size.lowest, size.n) for size in sizes], self.lowest_main)
        above = experiment.J + 1
        for size in sizes:
            # The smallest scale at which a simulation ends that this part is for, if there is one.
            first = self.schedule.first_ending(size.lowest, above, self.lowest_main)
            if first is not None:
                self._add(size._replace(lowest=first), experiment.J)
            above = size.lowest
        self.n_main = len(self.parts)
        for size, highest in short_sizes(self._scales, self.lowest_main - 1):
            self.schedule.add_short_part(size.lowest, highest, size.n, surplus(self._scales, size, highest))
            self._add(size, highest)

    @property
    def active_simulations(self) -> list[int]:
        """In how many of 256 simulations each scale is counted, shape (J + 1,)."""
        return self.schedule.active_simulations

    def _add(self, size: Size, highest: int) -> None:
        """Add the part that counts the scales from `size.lowest` to `highest`."""
        check_size(size, highest)
        scales, lowest = self._scales, size.lowest
        m, length = n_series(scales, size.n), size.n_samples * size.step
        part = Part(len(self.parts), size.n, m, size.n_samples, size.step, length, lowest, highest)
        # Half a percent: a coarse part's period differs by what its whole number of samples asks for.
        part.wraps = size.edge is None and part.period > 0.995 * self.experiment.n_padded
        part.rows = [Row(j) for j in range(scales.reach(lowest)[0], scales.reach(highest)[1] + 1)]
        self.parts.append(part)
        for row in part.rows:
            row.n_paired = min(m, self.schedule.n_paired[row.j])
            set_grid(scales, part, row)
        for j in range(lowest, highest + 1):
            if scales.usable(j) > 0:
                set_counts(scales, self.schedule, part, part.row(j), size.edge)
        for row in part.rows:
            set_outputs(scales, part, row)
        set_filters(scales, part)
        set_shifts(self.box, scales.sigma, part, set_noise(self.experiment.noise_lag1, part))

    @cached_property
    def main_parts(self) -> list[tuple[int, int]]:
        """For each slot of the cycle that has one (`cycle_slot`): its main part and lowest counted scale.

        Slots from `active_simulations[J]` on have none.
        """
        found = []
        active = self.active_simulations
        for slot in range(active[-1] if self.n_main else 0):
            lowest = next(i for i in range(self.lowest_main, len(active)) if active[i] > slot)
            number = next(part.number for part in self.parts[: self.n_main] if part.lowest <= lowest)
            found.append((number, lowest))
        return found

    def parts_at(self, slot: int) -> list[tuple[Part, int]]:
        """The parts that run in a slot of the cycle, and the lowest scale that each counts there.

        Args:
            slot: 0 to 255.
        """
        mains = [(self.parts[number], lowest) for number, lowest in self.main_parts[slot : slot + 1]]
        active = self.active_simulations
        return mains + [(part, part.lowest) for part in self.parts[self.n_main :] if slot < active[part.lowest]]

    @cached_property
    def cycle_counts(self) -> IntArray:
        """Counts of each simulation of a cycle: shape (256, J + 1), indexed by the simulation number modulo 256."""
        of_part = [[row.n_paired**2 * sum(row.weights) for row in part.rows] for part in self.parts]
        counts = np.zeros((CYCLE, self.experiment.J + 1), np.int64)
        for simulation in range(CYCLE):
            for part, low in self.parts_at(cycle_slot(simulation)):
                first, stop = part.rows[0].j, part.highest + 1
                counts[simulation, low:stop] += of_part[part.number][low - first : stop - first]
        return counts

    def expected_counts(self, simulations: range) -> IntArray:
        """Counts of each scale after these simulations, shape (J + 1,).

        Args:
            simulations: their numbers.
        """
        cycles, rest = divmod(len(simulations), CYCLE)
        numbers = np.arange(simulations.start, simulations.start + rest) % CYCLE
        counts: IntArray = cycles * self.cycle_counts.sum(axis=0) + self.cycle_counts[numbers].sum(axis=0)
        return counts

    @property
    def longest_run(self) -> int:
        """Simulations that can follow each other, from any on, before a count on the board could reach 2^16.

        A multiple of eight.
        """
        mean = int(self.cycle_counts.sum(axis=0).max()) / CYCLE
        length = 8 * int(0xFFFF / max(1.0, mean) // 8)
        until = np.cumsum(np.tile(self.cycle_counts, (2 + length // CYCLE, 1)), axis=0)
        while (until[length : length + CYCLE] - until[:CYCLE]).max() > 0xFFFF:
            length -= 8
        return length


def check(experiment: Experiment) -> None:
    """Do nothing if the fast pipeline can do this experiment.

    Args:
        experiment: the parameters.

    Raises:
        ValueError: it cannot; the message says why.
    """
    advice = "; use pipeline exact"
    if experiment.wavelet != "morlet":
        msg = f"the fast pipeline knows the Morlet wavelet only, not {experiment.wavelet}{advice}"
        raise ValueError(msg)
    if experiment.sigma[0] < 1 - TINY:
        msg = f"the fast pipeline needs s0 >= dt, not {experiment.s0:g} with dt = {experiment.dt:g}{advice}"
        raise ValueError(msg)
    for name, lag1 in zip(("lag1_x", "lag1_y"), experiment.noise_lag1, strict=True):
        if abs(lag1) > MAX_LAG1:
            msg = f"the fast pipeline needs |{name}| <= {MAX_LAG1}, not {lag1!r}{advice}"
            raise ValueError(msg)


@lru_cache(maxsize=16)
def plan_of(experiment: Experiment) -> FastPlan:
    """The plan of an experiment; see `FastPlan`. The last 16 are kept.

    Args:
        experiment: the parameters.
    """
    return FastPlan(experiment)
