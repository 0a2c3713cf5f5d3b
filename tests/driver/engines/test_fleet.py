"""Any engines together: equal counts however the work falls, failures that cost nothing, one error at the end."""

from __future__ import annotations

import dataclasses
import random
import threading
from typing import TYPE_CHECKING

import pytest
from elm11_lua_driver import BoardEngine, EngineError, FleetEngine, Histogram, NumpyEngine, engines, run
from elm11_lua_driver.engines.base import AbandonedError
from elm11_lua_driver.engines.scheduler import FIRST_CHUNK
from hypothesis import given, settings
from hypothesis import strategies as st
from virtual_bench import J10, SMALL

if TYPE_CHECKING:
    from elm11_lua_driver import Job
    from elm11_lua_driver.engines import Progress

LONG = dataclasses.replace(J10, n_simulations=600)
WAIT_S = 30.0


class Unsteady(NumpyEngine):
    """Fails at random."""

    name = "unsteady"

    def __init__(self, rate: float, seed: int) -> None:
        self._rate = rate
        self._rng = random.Random(seed)

    def simulate(self, job: Job, simulations: range, progress: Progress) -> Histogram:
        if self._rng.random() < self._rate:
            progress(self._rng.randint(0, len(simulations)))
            raise EngineError("it slipped")
        return super().simulate(job, simulations, progress)


class Slow(NumpyEngine):
    """Computes nothing until nobody waits for it any more."""

    name = "slow"

    def __init__(self) -> None:
        self.given: list[range] = []
        self.was_abandoned = threading.Event()

    def simulate(self, job: Job, simulations: range, progress: Progress) -> Histogram:
        self.given.append(simulations)
        pause = threading.Event()
        try:
            while not pause.wait(0.01):
                progress(0)
        except AbandonedError:
            self.was_abandoned.set()
            raise
        raise AssertionError(job)


class Wrong(NumpyEngine):
    """Gives back less than it was asked for."""

    name = "wrong"

    def simulate(self, job: Job, simulations: range, progress: Progress) -> Histogram:
        return super().simulate(job, simulations[:-1], progress)


class Refusing(NumpyEngine):
    """Has no room for the job."""

    name = "refusing"

    def __init__(self) -> None:
        self.asked = 0

    def simulate(self, job: Job, simulations: range, progress: Progress) -> Histogram:
        self.asked += 1
        del job, simulations, progress
        raise ValueError("the job does not fit")


@settings(max_examples=15)
@given(st.integers(1, 300), st.lists(st.floats(0, 0.7), min_size=1, max_size=3), st.integers(0, 1000))
def test_any_split_with_any_failures_gives_the_same_counts(n: int, rates: list[float], seed: int) -> None:
    job = dataclasses.replace(SMALL, n_simulations=n)
    told: list[tuple[int, int]] = []
    members = [NumpyEngine(), *(Unsteady(rate, seed + i) for i, rate in enumerate(rates))]
    histogram = run(job, FleetEngine(members, retry_s=0.0), lambda *progress: told.append(progress))
    assert histogram.sha256 == run(job).sha256
    assert told[-1] == (n, n)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


@given(st.sets(st.integers(1, 59), max_size=6))
@settings(max_examples=15)
def test_any_ranges_of_a_job_can_be_asked_for(cuts: set[int]) -> None:
    job = dataclasses.replace(SMALL, n_simulations=60)
    borders = sorted(cuts)
    ranges = [range(a, b) for a, b in zip(borders[::2], borders[1::2], strict=False)]
    pieces = list(FleetEngine(["numpy", "numpy"]).stream(job, ranges, lambda _: None))
    whole = sum(pieces, Histogram(job, []))
    assert [i for part in whole.ranges for i in part] == [i for part in ranges for i in part]


@pytest.mark.parametrize("unplugged_after", [1000, 3000, 4000])
def test_a_board_that_is_unplugged_half_way_costs_nothing(unplugged_after: int) -> None:
    board = BoardEngine(port=f"virtual://?faults=unplug@{unplugged_after}")
    fleet = FleetEngine([board, "numpy"], retry_s=0.1)
    try:
        assert run(LONG, fleet).sha256 == run(LONG).sha256
    finally:
        fleet.close()


def test_two_boards_alone() -> None:
    fleet = FleetEngine([BoardEngine(port="virtual://"), BoardEngine(port="virtual://")])
    try:
        assert run(J10, fleet).sha256 == run(J10).sha256
        assert [member.name for member in fleet.members] == ["board 1", "board 2"]
    finally:
        fleet.close()


def test_a_slow_engine_does_not_hold_up_a_fast_one() -> None:
    slow = Slow()
    assert run(LONG, FleetEngine([slow, "numpy"])).sha256 == run(LONG).sha256
    assert len(slow.given) == 1
    assert slow.was_abandoned.wait(WAIT_S)


def test_an_engine_that_fails_is_tried_again_and_then_left_out() -> None:
    fleet = FleetEngine([Unsteady(1.0, 1), "numpy"], retry_s=0.0)
    # Slow enough to outlast three tries: one group at a time.
    for _ in range(5):
        run(LONG, fleet)
    unsteady, numpy = fleet.members
    assert (unsteady.is_out, unsteady.failures, unsteady.errors) == (True, 3, ["it slipped"])
    assert not numpy.is_out


def test_who_is_left_out_stays_so_for_the_job() -> None:
    fleet = FleetEngine([Unsteady(1.0, 1)], retry_s=0.0)
    with pytest.raises(EngineError, match="no engine is left to compute simulations 0 to"):
        run(SMALL, fleet)
    with pytest.raises(EngineError, match="no engine is left: unsteady: it slipped"):
        run(SMALL, fleet)
    (unsteady,) = fleet.members
    unsteady.engine = NumpyEngine()
    other = dataclasses.replace(SMALL, seed=2)
    assert run(other, fleet).sha256 == run(other).sha256


def test_a_wrong_argument_is_not_tried_again() -> None:
    refusing = Refusing()
    assert run(SMALL, FleetEngine([refusing, "numpy"])).sha256 == run(SMALL).sha256
    assert refusing.asked == 1


def test_a_result_that_is_not_what_was_asked_for_is_a_failure() -> None:
    fleet = FleetEngine([Wrong(), "numpy"], retry_s=0.0)
    assert run(SMALL, fleet).sha256 == run(SMALL).sha256
    assert "it gave back" in fleet.members[0].errors[0]


def test_the_error_at_the_end_says_what_each_said() -> None:
    fleet = FleetEngine([Unsteady(1.0, 1), BoardEngine(port="/nowhere"), Refusing()], retry_s=0.0)
    with pytest.raises(EngineError, match=r"unsteady: it slipped; board: there is no port /nowhere; refusing: .* fit"):
        run(SMALL, fleet)


def test_simulations_that_fail_everywhere_are_given_up() -> None:
    class Stumbling(NumpyEngine):
        name = "stumbling"

        def simulate(self, job: Job, simulations: range, progress: Progress) -> Histogram:
            if 7 in simulations:
                raise EngineError("number seven")
            return super().simulate(job, simulations, progress)

    with pytest.raises(EngineError, match="number seven"):
        run(SMALL, FleetEngine([Stumbling() for _ in range(4)], retry_s=0.0))


def test_what_had_come_before_the_error_is_given_back_first() -> None:
    class FailsLater(NumpyEngine):
        def simulate(self, job: Job, simulations: range, progress: Progress) -> Histogram:
            if simulations.start >= FIRST_CHUNK:
                raise EngineError("later")
            return super().simulate(job, simulations, progress)

    have = Histogram(LONG, [])

    def until_it_fails() -> None:
        nonlocal have
        for piece in FleetEngine([FailsLater()], retry_s=0.0).stream(LONG, [range(600)], lambda _: None):
            have += piece

    with pytest.raises(EngineError, match="later"):
        until_it_fails()
    assert have.n_simulations == FIRST_CHUNK


def test_an_error_of_progress_ends_it() -> None:
    def stop(done: int, _: int) -> None:
        raise KeyboardInterrupt(done)

    with pytest.raises(KeyboardInterrupt):
        run(LONG, FleetEngine(["numpy", "numpy"]), stop)
    # An engine that was still getting ready is not waited for (it may be a board); it is told to stop all the same.
    threads = [thread for thread in threading.enumerate() if thread.name.startswith("elm11 ")]
    for thread in threads:
        thread.join(30.0)
    assert not [thread for thread in threads if thread.is_alive()]


def test_boards_of_a_fleet_keep_to_groups_when_that_is_asked() -> None:
    job = dataclasses.replace(SMALL, n_simulations=130)
    fleet = FleetEngine([BoardEngine(port="virtual://")])
    try:
        pieces = list(fleet.stream(job, [range(130)], lambda _: None, by_group=True))
        parts = [part for piece in pieces for part in piece.parts]
        assert {part.start // job.group_size for part in parts} == set(range(-(-130 // job.group_size)))
        assert all(part.start // job.group_size == (part.stop - 1) // job.group_size for part in parts)
    finally:
        fleet.close()


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("fleet", {"engines": []}, "engines must name at least one"),
        ("fleet", {"engines": ["abacus"]}, "engine must be one of"),
        ("abacus", {}, "engine must be one of numpy, lua, board, pool, dask, fleet, auto, not 'abacus'"),
        ("numpy", {"n_workers": 3}, "engine numpy: takes no arguments"),
        ("pool", {"n_workers": 0}, "n_workers must be a whole number from 1"),
        ("pool", {"engine": "board"}, "engine must be numpy or lua"),
        ("pool", {"silence_s": 0}, "silence_s must be greater than 0"),
        ("auto", {"n_workers": -1}, "n_workers must be a whole number from 1"),
        ("dask", {"client": ""}, "client must be"),
        ("dask", {"client": "tcp://x", "engine": "pool"}, "engine must be numpy, lua or board"),
    ],
)
def test_wrong_options_are_named(name: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        engines.create(name, **options)


class Unclosable(NumpyEngine):
    """Fails when it is closed."""

    def __init__(self, name: str, closed: list[str], error: BaseException | None = None) -> None:
        self.name = name
        self._closed = closed
        self._error = error

    def close(self) -> None:
        self._closed.append(self.name)
        if self._error is not None:
            raise self._error


def test_closing_closes_all_and_tells_the_first_error(caplog: pytest.LogCaptureFixture) -> None:
    closed: list[str] = []
    fleet = FleetEngine(
        [
            Unclosable("a", closed),
            Unclosable("b", closed, EngineError("b is stuck")),
            Unclosable("c", closed, OSError("c is gone")),
            Unclosable("d", closed),
        ]
    )
    with pytest.raises(EngineError, match="b is stuck"):
        fleet.close()
    assert closed == ["a", "b", "c", "d"]
    assert "c did not close either: OSError: c is gone" in caplog.text


def test_ctrl_c_while_closing_leaves_no_port_open() -> None:
    closed: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        FleetEngine([Unclosable("a", closed, KeyboardInterrupt()), Unclosable("b", closed)]).close()
    assert closed == ["a", "b"]


def test_a_board_that_does_not_close_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = BoardEngine("virtual://")
    first = engine.board
    close = first.transport.close

    def fail() -> None:
        close()
        raise EngineError("it is stuck")

    monkeypatch.setattr(first.transport, "close", fail)
    with pytest.raises(EngineError, match="stuck"):
        engine.close()
    assert engine.board is not first
    engine.close()
