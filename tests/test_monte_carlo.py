"""The Monte Carlo loop: Lua, the fast NumPy engine and the readable reference count the same."""

from __future__ import annotations

import numpy as np
import pytest
from elm11_host_ref import vectorised
from elm11_host_ref.experiment import Experiment
from elm11_shim import simulate


@pytest.mark.parametrize(("J", "simulations"), [(10, range(50)), (20, range(5))])
def test_lua_counts_as_numpy(J: int, simulations: range) -> None:
    experiment = Experiment(0.72, 0.72, dt=0.25, dj=0.25, s0=0.5, J=J)
    np.testing.assert_array_equal(simulate(experiment, simulations), vectorised.simulate(experiment, simulations))
