"""The fast NumPy engine against the readable reference: the same counts, whatever the batches."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from elm11_host_ref.exact import monte_carlo, vectorised
from elm11_host_ref.experiment import Experiment

SHAPES = [(1 / 4, 10), (1 / 12, 30), (1 / 8, 16), (1 / 2, 6), (1, 4), (1, 0), (0.6, 5), (1.2, 3), (2.5, 1)]


@pytest.mark.parametrize("wavelet", ["morlet", "paul", "dog", "mexicanhat"])
@pytest.mark.parametrize("scale_box", ["pycwt", "grinsted"])
@pytest.mark.parametrize(("dj", "J"), SHAPES)
def test_counts_are_those_of_the_reference(dj: float, J: int, scale_box: str, wavelet: str) -> None:
    experiment = Experiment(0.5, -0.3, 0.25, dj, 0.5, J, wavelet=wavelet, scale_box=scale_box)
    simulations = range(3, 8)
    expected = monte_carlo.simulate(experiment, simulations)
    assert (vectorised.simulate(experiment, simulations) == expected).all()
    assert (expected.sum(axis=1) == len(simulations) * experiment.n_usable).all()


@pytest.mark.parametrize(("s0", "J"), [(0.5, 11), (0.5, 12), (0.25, 6), (0.07, 5)])
def test_odd_lengths_and_scales_below_a_sample(s0: float, J: int) -> None:
    experiment = Experiment(0.9, 0.0, 0.25, 0.25, s0, J)
    assert (vectorised.simulate(experiment, range(20)) == monte_carlo.simulate(experiment, range(20))).all()


def test_those_lengths_are_odd_and_even() -> None:
    assert [Experiment(0, 0, 0.25, 0.25, 0.5, J).n_samples % 2 for J in (11, 12)] == [1, 0]


def test_neither_batches_nor_cuts_nor_groups_change_a_count(monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = Experiment(0.72, 0.72, 0.25, 0.25, 0.5, 8, seed=2**64 - 1)
    whole = vectorised.simulate(experiment, range(90))
    for points in (1, 500, 5000, 1 << 20):
        monkeypatch.setattr(vectorised, "BATCH_POINTS", points)
        assert (vectorised.simulate(experiment, range(90)) == whole).all()
        cut = sum(vectorised.simulate(experiment, part) for part in (range(1), range(1, 37), range(37, 90)))
        assert np.array_equal(cut, whole)
        groups = vectorised.simulate_groups(experiment, range(5, 90), 16)
        assert groups.shape == (6, 9, 1000)
        for g, of_group in enumerate(groups):
            simulations = range(max(5, 16 * g), min(90, 16 * (g + 1)))
            assert (of_group == vectorised.simulate(experiment, simulations)).all()


def test_progress_adds_up() -> None:
    told: list[int] = []
    vectorised.simulate(Experiment(0, 0, 1, 0.5, 2, 3), range(10, 310), told.append)
    assert sum(told) == 300
    assert len(told) > 1


def test_no_simulations_give_no_counts() -> None:
    assert vectorised.simulate(Experiment(0, 0, 1, 0.5, 2, 3), range(0)).sum() == 0


def test_memory_is_bounded_for_long_series() -> None:
    """N = 98 304 at the default spacing of scales: measured 117 MB, of which the box's 14 rows are 59 MB."""
    experiment = Experiment(0.72, 0.72, 0.25, 1 / 12, 0.5, 156)
    assert experiment.n_samples == 98_304
    tracemalloc.start()
    try:
        counts = vectorised.simulate(experiment, range(1))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (counts.sum(axis=1) == experiment.n_usable).all()
    assert peak < 200e6


def test_memory_does_not_grow_with_the_number_of_simulations() -> None:
    experiment = Experiment(0.72, 0.72, 0.25, 0.25, 0.5, 4)
    peaks = []
    for n in (1_000, 8_000):
        tracemalloc.start()
        vectorised.simulate(experiment, range(n))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 7_000  # less than a byte per simulation: the last portion may differ in size


def test_the_longest_run_begins_in_little_memory() -> None:
    class EnoughError(Exception):
        pass

    def stop(_: int) -> None:
        raise EnoughError

    experiment = Experiment(0.72, 0.72, 0.25, 0.25, 0.5, 4)
    tracemalloc.start()
    try:
        with pytest.raises(EnoughError):
            vectorised.simulate_groups(experiment, range(2**31), 2**25, stop)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 50e6


def test_coherence_above_one_counts_in_the_last_bin() -> None:
    """At s0 = dt / 2 and dj = 1 pycwt stops with an IndexError; the samples are there and are counted."""
    experiment = Experiment(0.5, 0.5, 1, 1, 0.5, 4)
    squared = np.concatenate([monte_carlo.surrogate_coherence(experiment, i)[0] for i in range(40)])
    assert (squared >= 1).any()
    counts = monte_carlo.simulate(experiment, range(40))
    assert (counts.sum(axis=1) == 40 * experiment.n_usable).all()
