"""The Monte Carlo loop as the board runs it, `monte_carlo.lua` or `fast.lua`, in this process."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from elm11_host_ref.fast.plan import plan_of
from elm11_host_ref.names import one_of

from .runtime import BoardStopped, FirmwareLua

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from elm11_host_ref.experiment import Experiment
    from elm11_host_ref.types import IntArray


PROGRAMS: Final = {"exact": "monte_carlo.lua", "fast": "fast.lua"}
"""The program of each pipeline."""


def lua_config(experiment: Experiment) -> dict[str, Any]:
    """The fields that `new` of either program reads.

    Args:
        experiment: the parameters.
    """
    return {
        "seed_low": experiment.seed & 0xFFFFFFFF,
        "seed_high": experiment.seed >> 32,
        "surrogates": experiment.surrogates,
        "lag1_x": experiment.lag1_x,
        "lag1_y": experiment.lag1_y,
        "wavelet": experiment.wavelet,
        "sigma0": experiment.s0 / experiment.dt,
        "dj": experiment.dj,
        "J": experiment.J,
        "scale_box": experiment.scale_box,
        "n_samples": experiment.n_samples,
        "n_bins": experiment.n_bins,
    }


class LuaSimulator:
    """One experiment set up in Lua, for as many runs as wanted. Not for several threads at once.

    Args:
        experiment: the parameters.
        pipeline: "exact" or "fast".

    Raises:
        ValueError: there is no such pipeline, or the fast one cannot do the experiment.
    """

    def __init__(self, experiment: Experiment, pipeline: str = "exact") -> None:
        one_of("pipeline", pipeline, tuple(PROGRAMS))
        # Counts of the fast pipeline have 16 bits: what is longer is counted in turns.
        self._longest_run = plan_of(experiment).longest_run if pipeline == "fast" else None
        self._experiment = experiment
        self._lua = FirmwareLua()
        self._program = self._lua.run_program(PROGRAMS[pipeline])
        modules = self._lua.call(self._program.load)
        self._state = self._lua.call(self._program.new, self._lua.table(lua_config(experiment)), modules)

    def run(
        self,
        simulations: Iterable[int],
        on_simulation: Callable[[int], None] | None = None,
        stop: Callable[[], bool | None] | None = None,
    ) -> IntArray:
        """Counts of some simulations; arguments, return and errors as `simulate`.

        Args:
            simulations: simulation numbers.
            on_simulation: called after every simulation with 1.
            stop: asked between scales; true gives the run up.

        Raises:
            BoardStopped: `stop` said so.
        """
        total = np.zeros((self._experiment.J + 1, self._experiment.n_bins), np.int64)
        numbers = iter(simulations)
        while turn := list(itertools.islice(numbers, self._longest_run or _TURN)):
            total += self._run(turn, on_simulation, stop)
        return total

    def _run(
        self,
        simulations: list[int],
        on_simulation: Callable[[int], None] | None,
        stop: Callable[[], bool | None] | None,
    ) -> IntArray:
        lua, program, state = self._lua, self._program, self._state
        lua.call(program.reset, state)
        for simulation in simulations:
            last_step, _ = lua.call(program.begin, state, int(simulation))
            # Step by step, so that Python has a turn (a signal, a deadline) every few milliseconds without a hook in
            # the interpreter, which would halve its speed.
            for k in range(last_step + 1):
                if stop is not None and stop():
                    raise BoardStopped("stop")
                lua.call(program.scale, state, k)
            if on_simulation is not None:
                on_simulation(1)
        return self._counts()

    def _counts(self) -> IntArray:
        counts = np.empty((self._experiment.J + 1, self._experiment.n_bins), np.int64)
        for j, row in enumerate(counts):
            pieces = self._lua.elements(self._state.counts[j + 1])
            slots = np.array([slot for piece in pieces for slot in self._lua.elements(piece)], np.int64)
            if self._state.bins_per_slot == 2:  # 16 bits each, the even bin in the lower ones
                slots = np.stack([slots & 0xFFFF, slots >> 16], axis=1).ravel()[: row.size]
            row[:] = slots
        return counts

    @property
    def memory_bytes(self) -> int:
        """Bytes that the Lua state holds; 16 per number, as on the board."""
        return self._lua.memory_bytes


_TURN: Final = 10_000  # simulations that are counted before the counts are taken out of Lua


def simulate(
    experiment: Experiment,
    simulations: Iterable[int],
    on_simulation: Callable[[int], None] | None = None,
    stop: Callable[[], bool | None] | None = None,
    pipeline: str = "exact",
) -> IntArray:
    """Counts of some simulations, computed by the board's Lua in this process.

    Args:
        experiment: the parameters.
        simulations: simulation numbers, 0 to 2**31 - 1.
        on_simulation: called after every simulation with the number of simulations finished since the last call: 1.
        stop: asked between scales, every few milliseconds; true gives the run up.
        pipeline: "exact" or "fast".

    Returns:
        Shape (J + 1, n_bins), int64. Exact: equal to `elm11_host_ref.exact.monte_carlo.simulate`; only a sample within
        1e-9 of the edge between two bins could be counted on its other side. Fast: equal to
        `elm11_host_ref.fast.run.simulate`.

    Raises:
        BoardStopped: `stop` said so. Nothing partial is returned. What `stop` and `on_simulation` raise gets through.
        LuaError: the Lua failed; that would be a bug.
    """
    return LuaSimulator(experiment, pipeline).run(simulations, on_simulation, stop)
