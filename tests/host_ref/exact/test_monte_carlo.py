"""The Monte Carlo loop: Lua, the fast NumPy engine and the readable reference count the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import pytest
from elm11_host_ref.exact import monte_carlo, vectorised
from elm11_host_ref.experiment import Experiment
from elm11_shim import BoardStopped, LuaSimulator, ShimInterface, simulate

if TYPE_CHECKING:
    from elm11_host_ref.types import IntArray

NEAR = 1e-9  # how near to an edge between two bins a coherence must be for rounding to have a say


def experiment(dj: float = 0.25, J: int = 10, **others: Any) -> Experiment:  # noqa: ANN401  any field
    return Experiment(**{"lag1_x": 0.72, "lag1_y": 0.5, "dt": 0.25, "dj": dj, "s0": 0.5, "J": J, **others})


def near_an_edge(of: Experiment, simulations: range) -> IntArray:
    """Samples per scale that lie within `NEAR` of an edge between bins, by the readable reference."""
    found = np.zeros(of.J + 1, np.int64)
    for simulation in simulations:
        squared = monte_carlo.surrogate_coherence(of, simulation)
        edge = np.rint(squared * of.n_bins) / of.n_bins
        # Below 0 and above 1 there is no edge: such values go to the outermost bins.
        between = (edge > 0) & (edge < 1)
        for j, first in enumerate(of.first_usable):
            usable = slice(first, of.n_samples - first)
            found[j] += (between & (np.abs(squared - edge) < NEAR))[j, usable].sum()
    return found


def assert_same_counts(of: Experiment, simulations: range) -> None:
    result = simulate(of, simulations)
    expected = vectorised.simulate(of, simulations)
    assert result.dtype == expected.dtype
    assert (result.sum(axis=1) == expected.sum(axis=1)).all()
    moved = np.abs(result - expected).sum(axis=1) // 2
    assert (moved <= near_an_edge(of, simulations)).all()


@pytest.mark.parametrize(("J", "simulations"), [(10, range(100)), (20, range(8))])
@pytest.mark.parametrize("seed", [1, 2**64 - 1])
def test_lua_counts_as_numpy(J: int, simulations: range, seed: int) -> None:
    """Equal, and not by leave of the edges: no sample of these simulations lies within 1e-9 of one."""
    of = experiment(J=J, seed=seed)
    assert near_an_edge(of, simulations).sum() == 0
    expected = vectorised.simulate(of, simulations)
    assert (simulate(of, simulations) == expected).all()
    assert (monte_carlo.simulate(of, simulations) == expected).all()


@pytest.mark.parametrize("wavelet", ["morlet", "paul", "dog", "mexicanhat"])
@pytest.mark.parametrize("scale_box", ["pycwt", "grinsted"])
@pytest.mark.parametrize(("dj", "J"), [(1 / 4, 10), (1 / 12, 20), (1 / 2, 6), (1, 4), (1, 0), (1.2, 3), (0.6, 5)])
def test_lua_counts_all_wavelets_and_boxes(dj: float, J: int, scale_box: str, wavelet: str) -> None:
    assert_same_counts(experiment(dj, J, wavelet=wavelet, scale_box=scale_box), range(5, 9))


@pytest.mark.parametrize(("s0", "J", "parity"), [(0.5, 11, 1), (0.5, 12, 0), (0.55, 10, 1), (0.25, 6, 1)])
def test_lua_counts_odd_and_even_lengths(s0: float, J: int, parity: int) -> None:
    of = experiment(J=J, s0=s0)
    assert of.n_samples % 2 == parity
    assert_same_counts(of, range(20))


@pytest.mark.parametrize(
    "others",
    [
        {"surrogates": "white"},
        {"lag1_x": 0.0, "lag1_y": -0.6},
        {"lag1_x": 0.97, "lag1_y": 0.0},
        {"n_bins": 2},
        {"n_bins": 1024},
        {"n_bins": 1025},
        {"n_bins": 5000},
        {"seed": 2**32 + 1},
        {"s0": 0.07, "J": 5},  # scales below 0.75 samples: coherence above 1 and below 0
    ],
    ids=str,
)
def test_lua_counts_other_experiments(others: dict[str, Any]) -> None:
    assert_same_counts(experiment(**others), range(2**31 - 20, 2**31))


@pytest.mark.parametrize(("dj", "J"), [(1 / 2, 14), (1, 8)])
def test_lua_counts_series_of_several_chunks(dj: float, J: int) -> None:
    of = experiment(dj, J)
    assert of.n_padded in (2048, 4096)
    assert_same_counts(of, range(2))


def test_white_surrogates_do_not_depend_on_lag1() -> None:
    white = simulate(experiment(surrogates="white"), range(10))
    assert (white == simulate(experiment(lag1_x=0.1, lag1_y=-0.9, surrogates="white"), range(10))).all()
    assert (white == simulate(experiment(lag1_x=0, lag1_y=0), range(10))).all()


def test_counts_add() -> None:
    of = experiment(J=8)
    simulator = LuaSimulator(of)
    parts = [simulator.run(part) for part in (range(7), range(7, 20), range(20, 30))]
    assert (np.sum(parts, axis=0) == simulator.run(range(30))).all()
    assert simulator.run(range(0)).sum() == 0


def test_progress_is_told_after_every_simulation() -> None:
    told: list[int] = []
    simulate(experiment(J=2), range(3, 8), told.append)
    assert told == [1] * 5


def test_a_run_can_be_given_up() -> None:
    answers = iter([False] * 20 + [True])
    with pytest.raises(BoardStopped, match="stop"):
        simulate(experiment(), range(1000), stop=lambda: next(answers))


def test_what_the_callbacks_raise_gets_through() -> None:
    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(experiment(), range(1000), stop=interrupt)
    with pytest.raises(KeyboardInterrupt):
        simulate(experiment(), range(1000), on_simulation=interrupt)


def test_both_modes_of_the_interface_count_the_same() -> None:
    arguments = (0.72, -0.3, 0.25, 0.25, 0.5, 6, 20)
    others: dict[str, Any] = {"first_simulation": 5, "wavelet": "paul", "n_bins": 50, "seed": 9}
    python, lua = (ShimInterface(mode).run_monte_carlo(*arguments, **others) for mode in ("python", "lua"))
    assert (python == lua).all()
    assert python.shape == (7, 50)


def test_simulations_make_no_garbage() -> None:
    """So that a long run on the board cannot run out of memory: what `new` allocated is all there is."""
    simulator = LuaSimulator(experiment())
    simulator.run(range(2))
    before = simulator.memory_bytes
    simulator.run(range(20))
    assert simulator.memory_bytes == before
