"""Chunks of a queue: every one can be a part, and together they are what was to be computed."""

from __future__ import annotations

import dataclasses
import threading
from typing import TYPE_CHECKING, Any

import pytest
from elm11_lua_driver import EngineError, Histogram, NumpyEngine, run
from elm11_lua_driver.engines import create
from elm11_lua_driver.engines.board import BoardObserver
from elm11_lua_driver.engines.scheduler import FIRST_CHUNK, WorkQueue, single_groups, stream
from hypothesis import given
from hypothesis import strategies as st
from virtual_bench import SMALL

if TYPE_CHECKING:
    from elm11_lua_driver import Job
    from elm11_lua_driver.engines import Progress


@given(st.integers(1, 3000), st.booleans(), st.data())
def test_pieces_are_parts_and_cover_everything_once(n_simulations: int, one_group: bool, data: st.DataObject) -> None:  # noqa: FBT001
    job = dataclasses.replace(SMALL, n_simulations=n_simulations)
    cuts = sorted(data.draw(st.sets(st.integers(0, n_simulations), max_size=6)))
    wanted_ranges = [range(a, b) for a, b in zip(cuts[::2], cuts[1::2], strict=False)]
    pieces = WorkQueue(job, wanted_ranges)
    assert len(pieces) == sum(map(len, wanted_ranges))
    given_out: list[int] = []
    while pieces:
        wanted = data.draw(st.integers(0, 2 * n_simulations))
        piece = pieces.take(wanted, one_group=one_group)
        Histogram.check_range(job, piece)
        assert 1 <= len(piece) <= max(1, wanted)
        if one_group:
            assert piece.start // job.group_size == (piece.stop - 1) // job.group_size
        given_out += piece
    assert given_out == [i for part in wanted_ranges for i in part]


def test_whole_groups_are_taken_together() -> None:
    job = dataclasses.replace(SMALL, n_simulations=3000)
    assert job.group_size == 64
    pieces = WorkQueue(job, [range(10, 1000), range(2900, 3000)])
    assert pieces.take(500) == range(10, 64)
    assert pieces.take(500) == range(64, 64 + 7 * 64)
    assert pieces.take(100_000) == range(512, 960)
    assert pieces.take(100_000) == range(960, 1000)
    assert pieces.take(100_000) == range(2900, 2944)
    assert pieces.take(100_000) == range(2944, 3000)
    assert not pieces


def test_the_rest_is_given_once() -> None:
    pieces = WorkQueue(SMALL, [range(5), range(7, 9)])
    pieces.take(2)
    assert pieces.rest() == [range(2, 5), range(7, 9)]
    assert len(pieces) == 0


class Recording(NumpyEngine):
    """Notes what it is given."""

    def __init__(self, *, joins_groups: bool = False) -> None:
        self.given: list[range] = []
        self.joins_groups = joins_groups

    def simulate(self, job: Job, simulations: range, progress: Progress) -> Histogram:
        self.given.append(simulations)
        return super().simulate(job, simulations, progress)


def test_a_plain_engine_is_streamed_in_growing_pieces() -> None:
    job = dataclasses.replace(SMALL, n_simulations=4000)
    engine = Recording()
    pieces = list(stream(engine, job, [range(4000)], lambda _: None))
    assert len(engine.given[0]) == FIRST_CHUNK
    assert all(len(after) <= 8 * len(before) + 1 for before, after in zip(engine.given, engine.given[1:], strict=False))
    whole = sum(pieces[1:], pieces[0])
    assert whole.sha256 == NumpyEngine().simulate(job, range(4000), lambda _: None).sha256


@pytest.mark.parametrize("by_group", [False, True])
def test_an_engine_that_joins_groups_gets_single_ones_where_they_are_asked_for(by_group: bool) -> None:  # noqa: FBT001
    job = dataclasses.replace(SMALL, n_simulations=640)
    engine = Recording(joins_groups=True)
    list(stream(engine, job, [range(640)], lambda _: None, by_group=by_group))
    assert any(len(piece) > job.group_size for piece in engine.given) is not by_group


def test_single_groups() -> None:
    job = dataclasses.replace(SMALL, n_simulations=100)
    assert single_groups(job, [range(1, 5), range(8, 9)]) == [range(1, 2), range(2, 4), range(4, 5), range(8, 9)]


@pytest.mark.parametrize("name", ["pool", "fleet", "board"])
def test_a_second_thread_is_refused_and_harms_nothing(name: str) -> None:
    options: dict[str, Any] = {
        "pool": {"n_workers": 1},
        "fleet": {"engines": ["numpy"]},
        "board": {"port": "virtual://", "observer": BoardObserver()},
    }
    engine = create(name, **options[name])
    refused: list[BaseException] = []

    def again(*_: object) -> None:
        def attempt() -> None:
            try:
                run(SMALL, engine)
            except EngineError as error:
                refused.append(error)

        thread = threading.Thread(target=attempt)
        thread.start()
        thread.join(20)
        assert not thread.is_alive()

    try:
        assert run(SMALL, engine, again).sha256 == run(SMALL).sha256
        assert refused
        assert all("is running a job already. Make one engine for each thread" in str(error) for error in refused)
        assert run(SMALL, engine).sha256 == run(SMALL).sha256  # and it is free again
    finally:
        engine.close()
