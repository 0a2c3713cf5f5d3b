"""Counts that add: whoever computed which simulations, the sum is the same."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import struct
from typing import TYPE_CHECKING

import numpy as np
import pytest
from elm11_lua_driver import Histogram, Job
from elm11_lua_driver.engines import NumpyEngine
from elm11_lua_driver.jobs.histogram import Part, group_ranges
from elm11_lua_driver.levels.quantiles import quantiles, standard_errors
from hypothesis import given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    import random

JOB = Job(0.5, 0.0, 1.0, 0.5, 2.0, 2, n_bins=50, n_simulations=300)  # groups of 8, the last one of 4


def simulated(start: int, stop: int) -> Histogram:
    return NumpyEngine().simulate(JOB, range(start, stop), lambda _: None)


WHOLE = simulated(0, 300)


@given(cuts=st.sets(st.integers(1, 299), max_size=12), order=st.randoms(use_true_random=False))
def test_any_split_in_any_order_gives_the_same_counts_and_errors(cuts: set[int], order: random.Random) -> None:
    borders = [0, *sorted(cuts), 300]
    pieces = [simulated(start, stop) for start, stop in itertools.pairwise(borders)]
    order.shuffle(pieces)
    total = pieces[0]
    for piece in pieces[1:]:
        total += piece
    np.testing.assert_array_equal(total.counts, WHOLE.counts)
    assert (total.sha256, total.ranges, total.is_complete) == (WHOLE.sha256, (range(300),), True)
    np.testing.assert_array_equal(standard_errors(total, 0.95), standard_errors(WHOLE, 0.95))


FAST = dataclasses.replace(JOB, J=6, pipeline="fast")


@given(cuts=st.sets(st.integers(1, 299), max_size=6), order=st.randoms(use_true_random=False))
@settings(max_examples=20)
def test_any_split_of_a_fast_job_gives_the_same_counts_and_errors(cuts: set[int], order: random.Random) -> None:
    borders = [0, *sorted(cuts), 300]
    engine = NumpyEngine()
    pieces = [engine.simulate(FAST, range(start, stop), lambda _: None) for start, stop in itertools.pairwise(borders)]
    order.shuffle(pieces)
    total = pieces[0]
    for piece in pieces[1:]:
        total += piece
    whole = engine.simulate(FAST, range(300), lambda _: None)
    assert (total.sha256, total.is_complete) == (whole.sha256, True)
    np.testing.assert_array_equal(standard_errors(total, 0.95), standard_errors(whole, 0.95))


def test_counts_of_a_fast_job_are_checked_by_what_is_due() -> None:
    """The same number of simulations, of others in which other scales are due: not a histogram."""
    part = NumpyEngine().simulate(FAST, range(3), lambda _: None).parts[0]
    assert (part.counts.sum(axis=1) == FAST.fast_plan.expected_counts(range(3))).all()
    with pytest.raises(ValueError, match="simulations 3 to 5 do not add up to the number that pipeline fast counts"):
        Histogram(FAST, [Part(3, 6, part.counts)])


@given(st.integers(0, 299), st.integers(1, 300))
def test_ranges_are_cut_at_the_groups(start: int, stop: int) -> None:
    cut = group_ranges(JOB, range(start, stop))
    assert [i for part in cut for i in part] == list(range(start, stop))
    assert all(part.start // JOB.group_size == (part.stop - 1) // JOB.group_size for part in cut)


def test_what_it_contains() -> None:
    some = simulated(10, 20) + simulated(100, 101) + simulated(20, 21)
    assert some.ranges == (range(10, 21), range(100, 101))
    assert some.n_simulations == 12
    assert not some.is_complete
    assert not simulated(1, 300).is_complete
    assert Histogram(JOB, []).n_simulations == 0
    assert (some.counts.sum(axis=1) == 12 * JOB.n_usable).all()


def test_the_hash_is_that_of_little_endian_int64_rows() -> None:
    numbers = [int(value) for row in WHOLE.counts for value in row]
    assert WHOLE.sha256 == hashlib.sha256(struct.pack(f"<{len(numbers)}q", *numbers)).hexdigest()


@pytest.mark.parametrize("other", [(0, 300), (299, 300), (5, 6), (0, 1)])
def test_nothing_is_counted_twice(other: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="would be counted twice"):
        _ = WHOLE + simulated(*other)


def test_different_jobs_do_not_add() -> None:
    for job in (dataclasses.replace(JOB, seed=2), dataclasses.replace(JOB, n_simulations=301)):
        with pytest.raises(ValueError, match="different jobs do not add"):
            _ = simulated(0, 8) + NumpyEngine().simulate(job, range(8, 16), lambda _: None)


MOVED = np.zeros((JOB.J + 1, JOB.n_bins), np.int64)
MOVED[0, :2] = [-(10**6), 10**6]  # the sum is right, but a count is negative


@pytest.mark.parametrize(
    ("start", "stop", "change", "what"),
    [
        (0, 9, lambda counts: counts, "neither in one group of 8 nor several whole groups"),
        (4, 4, lambda counts: counts, "neither in one group of 8 nor several whole groups"),
        (-1, 0, lambda counts: counts, "neither in one group of 8 nor several whole groups"),
        (0, 8, lambda counts: counts[:-1], "of shape"),
        (0, 8, lambda counts: counts.astype(np.int32), "must be int64"),
        (0, 8, lambda counts: counts + 1, "do not add up"),
        (0, 7, lambda counts: counts, "do not add up"),
        (0, 8, lambda counts: counts + MOVED, "do not add up"),
    ],
)
def test_counts_that_cannot_be_are_refused(start: int, stop: int, change: object, what: str) -> None:
    counts = simulated(0, 8).parts[0].counts
    assert callable(change)
    with pytest.raises(ValueError, match=what):
        Histogram(JOB, [Part(start, stop, change(counts))])


def test_quantiles_do_not_see_the_groups() -> None:
    np.testing.assert_array_equal(
        quantiles(WHOLE.counts, 0.9), quantiles(np.sum([part.counts for part in WHOLE.parts], axis=0), 0.9)
    )
