"""Levels of many pairs: each distinct job once, in any order, with one bar and one engine."""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from elm11_host_ref.exact import rednoise
from elm11_lua_driver import Histogram, Job, wct, wct_significance, wct_significance_many
from elm11_lua_driver.engines import NumpyEngine, Progress
from elm11_lua_driver.pycwt_api import many_pairs
from hypothesis import given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

AXES: dict[str, Any] = {"dt": 0.25, "dj": 0.25, "s0": 0.5, "J": 3, "mc_count": 16, "cache": False}


class ListingEngine(NumpyEngine):
    """Says which jobs it was asked for."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self.closed = 0

    def simulate(self, job: Job, simulations: range, progress: Progress) -> Histogram:
        self.jobs.append(job)
        return super().simulate(job, simulations, progress)

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def engine() -> Iterator[ListingEngine]:
    engine = ListingEngine()
    yield engine
    assert engine.closed == 0, "it is the caller's"


def series(n: int, lag1: float, seed: int) -> np.ndarray:
    values: np.ndarray = rednoise.surrogate_pairs(seed, [0], lag1, lag1, n)[0, 0]
    return values


def test_levels_are_those_of_single_calls(engine: ListingEngine) -> None:
    many = wct_significance_many([(0.31, 0.52), (0.7, 0.72)], **AXES, backend=engine)
    single = [wct_significance(*lag1, **AXES) for lag1 in ((0.31, 0.52), (0.7, 0.72))]
    np.testing.assert_array_equal(many, single)


def test_equal_after_rounding_is_computed_once(engine: ListingEngine) -> None:
    pairs = [(0.3, 0.5), (0.5, 0.3), (0.3014, 0.4951), (0.31, 0.5), (-0.001, 0.5), (0.0, 0.5), (0.5, 0.004)]
    levels = wct_significance_many(pairs, **AXES, backend=engine)
    assert [(job.lag1_x, job.lag1_y) for job in engine.jobs] == [(0.3, 0.5), (0.31, 0.5), (0.0, 0.5)]
    for group in ((0, 1, 2), (4, 5, 6)):
        for one in group[1:]:
            np.testing.assert_array_equal(levels[group[0]], levels[one])
    levels[0][:] = -1
    assert (levels[1] > 0).all(), "each pair has an array of its own"


def test_digits(engine: ListingEngine) -> None:
    pairs = [(0.301, 0.5), (0.302, 0.5), (0.3021, 0.5)]
    for digits, n_jobs in ((1, 1), (2, 1), (3, 2), (None, 3)):
        engine.jobs.clear()
        wct_significance_many(pairs, **AXES, backend=engine, digits=digits)
        assert len(engine.jobs) == n_jobs, digits


def test_a_lag1_that_would_become_one_is_left_as_it_is(engine: ListingEngine) -> None:
    wct_significance_many([(0.996, -0.997), (0.994, 0.2)], **AXES, backend=engine)
    assert [(job.lag1_x, job.lag1_y) for job in engine.jobs] == [(-0.997, 0.996), (0.2, 0.99)]


def test_the_unit_of_time_does_not_matter(engine: ListingEngine) -> None:
    pairs = [
        {"x": 0.5, "y": 0.5},
        {"x": 0.5, "y": 0.5, "dt": 1 / 12, "s0": 2 / 12},
        {"x": 0.5, "y": 0.5, "dt": 0.1, "s0": 0.1 + 0.1},
        {"x": 0.5, "y": 0.5, "J": 4},
        {"x": 0.5, "y": 0.5, "dj": 0.5},
    ]
    levels = wct_significance_many(pairs, **AXES, backend=engine)
    assert [(job.dt, job.s0, job.dj, job.J) for job in engine.jobs] == [
        (1, 2, 0.25, 3),
        (1, 2, 0.25, 4),
        (1, 2, 0.5, 3),
    ]
    assert [len(one) for one in levels] == [4, 4, 4, 5, 4]
    np.testing.assert_array_equal(levels[1], wct_significance(0.5, 0.5, **AXES))


def test_series_as_wct_takes_them(engine: ListingEngine) -> None:
    x, y = series(90, 0.6, 1), series(90, 0.2, 2)
    levels = wct_significance_many([(y, x), (x, 0.2)], 1.0, 0.25, mc_count=16, backend=engine, digits=None)
    lag1 = [rednoise.lag1_autocorrelation(one) for one in (x, y)]
    assert {lag1[0] > lag1[1], engine.jobs[0].lag1_x == lag1[1]} == {True}
    np.testing.assert_allclose(levels[0], wct(y, x, 1.0, 0.25, mc_count=16)[4], rtol=1e-9)
    assert (engine.jobs[1].lag1_x, engine.jobs[1].J) == (0.2, engine.jobs[0].J)


def test_progress_counts_all_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, int]] = []

    @contextlib.contextmanager
    def bar(*_: object, **__: object) -> Iterator[Callable[..., None]]:
        yield lambda *progress: told.append(progress)

    monkeypatch.setattr(many_pairs, "progress_bar", bar)
    wct_significance_many([(0.1, 0.1), (0.2, 0.2), (0.1, 0.1), (0.3, 0.3)], **AXES, backend="numpy")
    assert told[-1] == (48, 48)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert {total for _, total in told} == {48}


def test_what_is_cached_is_not_computed(engine: ListingEngine) -> None:
    options = {**AXES, "cache": True, "backend": engine, "seed": 77}
    first = wct_significance_many([(0.1, 0.1), (0.2, 0.2)], **options)
    again = wct_significance_many([(0.2, 0.2), (0.4, 0.4), (0.1, 0.1)], **options)
    assert len(engine.jobs) == 3
    np.testing.assert_array_equal(first, [again[2], again[0]])


def test_stopping_early(engine: ListingEngine) -> None:
    options = {**AXES, "mc_count": 4000, "target_standard_error": 0.02}
    many = wct_significance_many([(0.2, 0.2)], **options, backend=engine)
    np.testing.assert_array_equal(many[0], wct_significance(0.2, 0.2, **options))
    assert (many[0] != wct_significance(0.2, 0.2, **{**AXES, "mc_count": 4000})).any()


def test_no_pairs() -> None:
    assert wct_significance_many([], **AXES) == []


@pytest.mark.parametrize(
    ("pair", "change", "what"),
    [
        ((0.5, 1.5), {}, "pair 1: lag1_y must lie between"),
        ((0.5, "a"), {}, "pair 1: lag-1 of y must be a finite number|pair 1: could not|pair 1: y must"),
        ((0.5, math.nan), {}, "pair 1: lag-1 of y must be a finite number"),
        (0.5, {}, "pair 1: must be two series, two lag-1"),
        ((0.1, 0.2, 0.3), {}, "pair 1: must be two series"),
        ({"x": 0.5}, {}, "pair 1: must have the keys x and y"),
        ({"x": 0.5, "y": 0.5, "mc_count": 3}, {}, "pair 1: must have the keys x and y, and may have dt, dj, s0, J"),
        ((np.ones(50), 0.5), {}, "pair 1: x must not be constant"),
        ((np.arange(50.0) % 7, np.arange(51.0) % 7), {}, "pair 1: x and y must have the same length, not 50 and 51"),
        ({"x": 0.5, "y": 0.5, "J": -1}, {}, "pair 1: J must be given where there are only"),
        ({"x": 0.5, "y": 0.5, "dt": 0}, {}, "pair 1: dt must be greater than 0"),
        ((0.5, 0.5), {"digits": -1}, "digits must be a whole number from 0 to 15"),
        ((0.5, 0.5), {"significance_level": 95}, "significance_level must lie"),
        ((0.5, 0.5), {"backend": "abacus"}, "backend must be one of"),
    ],
)
def test_bad_arguments_are_named(pair: object, change: dict[str, Any], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        wct_significance_many([(0.1, 0.1), pair], **{**AXES, **change})


@settings(max_examples=30)
@given(
    st.lists(st.tuples(st.floats(-0.99, 0.99), st.floats(-0.99, 0.99)), min_size=1, max_size=8),
    st.integers(1, 3),
    st.randoms(use_true_random=False),
)
def test_order_never_matters(pairs: list[tuple[float, float]], digits: int, chance: Any) -> None:  # noqa: ANN401
    options = {**AXES, "J": 1, "mc_count": 2, "digits": digits, "backend": "numpy"}
    levels = wct_significance_many(pairs, **options)
    order = list(range(len(pairs)))
    chance.shuffle(order)
    turned = wct_significance_many([pairs[i][::-1] for i in order], **options)
    for one, i in zip(turned, order, strict=True):
        np.testing.assert_array_equal(one, levels[i])
