"""The Monte Carlo loop as the board runs it: `monte_carlo.lua`, in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .runtime import BoardStopped, FirmwareLua

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from elm11_host_ref.experiment import Experiment
    from elm11_host_ref.types import IntArray


def lua_config(experiment: Experiment) -> dict[str, Any]:
    """The fields that `monte_carlo.new` reads."""
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
    """

    def __init__(self, experiment: Experiment) -> None:
        self._experiment = experiment
        self._lua = FirmwareLua()
        self._monte_carlo = self._lua.run_program("monte_carlo.lua")
        modules = self._lua.call(self._monte_carlo.load)
        self._state = self._lua.call(self._monte_carlo.new, self._lua.table(lua_config(experiment)), modules)
        self._rows_to_take = experiment.J + experiment.box.centre + 1

    def run(
        self,
        simulations: Iterable[int],
        on_simulation: Callable[[int], None] | None = None,
        stop: Callable[[], bool | None] | None = None,
    ) -> IntArray:
        """Counts of some simulations; arguments, return and errors as `simulate`."""
        lua, program, state = self._lua, self._monte_carlo, self._state
        lua.call(program.reset, state)
        for simulation in simulations:
            lua.call(program.begin, state, int(simulation))
            # Scale by scale, so that Python has a turn (a signal, a deadline) every few milliseconds without a hook in
            # the interpreter, which would halve its speed.
            for j in range(self._rows_to_take):
                if stop is not None and stop():
                    raise BoardStopped("stop")
                lua.call(program.scale, state, j)
            if on_simulation is not None:
                on_simulation(1)
        return self._counts()

    def _counts(self) -> IntArray:
        counts = np.empty((self._experiment.J + 1, self._experiment.n_bins), np.int64)
        for j, row in enumerate(counts):
            pieces = self._lua.elements(self._state.counts[j + 1])
            row[:] = [count for piece in pieces for count in self._lua.elements(piece)]
        return counts

    @property
    def memory_bytes(self) -> int:
        """Bytes that the Lua state holds; 16 per number, as on the board."""
        return self._lua.memory_bytes


def simulate(
    experiment: Experiment,
    simulations: Iterable[int],
    on_simulation: Callable[[int], None] | None = None,
    stop: Callable[[], bool | None] | None = None,
) -> IntArray:
    """Counts of some simulations, computed by the board's Lua in this process.

    Args:
        experiment: the parameters.
        simulations: simulation numbers, 0 to 2**31 - 1.
        on_simulation: called after every simulation with the number of simulations finished since the last call: 1.
        stop: asked between scales, every few milliseconds; true gives the run up.

    Returns:
        Shape (J + 1, n_bins), int64, equal to `elm11_host_ref.monte_carlo.simulate`; only a sample within 1e-9 of the
        edge between two bins could be counted on its other side.

    Raises:
        BoardStopped: `stop` said so. Nothing partial is returned. What `stop` and `on_simulation` raise gets through.
        LuaError: the Lua failed; that would be a bug.
    """
    return LuaSimulator(experiment).run(simulations, on_simulation, stop)
