"""The engine ``board``: the same counts as every other engine, in blocks that show their scatter."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from elm11_lua_driver import BoardEngine, Histogram, Job, engines, run, significance
from elm11_lua_driver.errors import BoardTimeoutError, PortError, VersionMismatchError
from elm11_lua_driver.jobs.histogram import Part, block_ranges
from elm11_lua_driver.levels.quantiles import standard_errors
from elm11_shim import LuaSimulator
from hypothesis import given, settings
from hypothesis import strategies as st
from virtual_bench import J10, SMALL


def test_its_counts_are_those_of_the_lua_engine_bit_for_bit() -> None:
    told: list[tuple[int, int]] = []
    engine = BoardEngine(port="virtual://")
    try:
        histogram = run(J10, engine, lambda *progress: told.append(progress))
        assert histogram.sha256 == run(J10, "lua").sha256
        assert len(histogram.parts) == 10
        assert told[-1] == (20, 20)
        assert [done for done, _ in told] == sorted(done for done, _ in told)
        again = engine.simulate(SMALL, range(3, 11), lambda _: None)
        assert again.ranges == (range(3, 11),)
    finally:
        engine.close()


def test_by_its_name_with_the_port_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELM11_PORT", "virtual://")
    result = significance(SMALL, engine="board")
    assert result.engine == "board"
    assert result.histogram.sha256 == run(SMALL, "lua").sha256
    assert np.isfinite(result.standard_error).all()
    assert isinstance(engines.create("board"), BoardEngine)


def test_blocks_give_about_the_standard_error_of_single_groups() -> None:
    job = dataclasses.replace(SMALL, n_simulations=640, n_bins=100)
    by_group = run(job, "numpy")
    blocks = []
    for block in block_ranges(job, range(640)):
        counts = sum((p.counts for p in by_group.parts if p.start in block), np.zeros((job.J + 1, 100), np.int64))
        blocks.append(Part(block.start, block.stop, counts))
    histogram = Histogram(job, blocks)
    assert len(histogram.parts) == 14
    assert histogram.sha256 == by_group.sha256
    # 13 degrees of freedom: the ratio of two estimates lies within 0.4 and 2 but once in a thousand.
    ratio = standard_errors(histogram, 0.95) / standard_errors(by_group, 0.95)
    assert ((ratio > 0.4) & (ratio < 2)).all()


@given(st.integers(1, 3000), st.data())
def test_blocks_are_ranges_that_a_histogram_takes(n_simulations: int, data: st.DataObject) -> None:
    job = dataclasses.replace(SMALL, n_simulations=n_simulations)
    start = data.draw(st.integers(0, n_simulations - 1))
    stop = data.draw(st.integers(start + 1, n_simulations))
    blocks = block_ranges(job, range(start, stop))
    assert [i for block in blocks for i in (block.start, block.stop)][1:-1:2] == [block.start for block in blocks][1:]
    assert (blocks[0].start, blocks[-1].stop) == (start, stop)
    assert len(blocks) <= 18
    for block in blocks:
        Histogram.check_range(job, block)


FAST = dataclasses.replace(SMALL, pipeline="fast", n_simulations=20)


def test_a_fast_job_on_a_board_is_that_of_numpy_bit_for_bit() -> None:
    engine = BoardEngine(port="virtual://")
    try:
        assert run(FAST, engine).sha256 == run(FAST, "numpy").sha256 == run(FAST, "lua").sha256
        # The other pipeline's programs take the place of this one's, and these that of the others.
        for job in (SMALL, dataclasses.replace(FAST, seed=2)):
            assert run(job, engine).sha256 == run(job, "lua").sha256
    finally:
        engine.close()


@given(st.integers(1, 300_000), st.data())
@settings(max_examples=50)
def test_blocks_of_a_fast_job_are_not_longer_than_the_board_can_count(n_simulations: int, data: st.DataObject) -> None:
    job = dataclasses.replace(FAST, n_simulations=n_simulations)
    start = data.draw(st.integers(0, n_simulations - 1))
    blocks = block_ranges(job, range(start, n_simulations))
    assert [i for block in blocks for i in (block.start, block.stop)][1:-1:2] == [block.start for block in blocks][1:]
    assert (blocks[0].start, blocks[-1].stop) == (start, n_simulations)
    for block in blocks:
        Histogram.check_range(job, block)
        assert len(block) <= job.longest_run
    # As few as that allows.
    assert len(blocks) <= 18 + 2 * (n_simulations - start) // job.longest_run


def test_the_longest_run_is_what_16_bits_hold() -> None:
    counts = [FAST.fast_plan.expected_counts(range(start, start + FAST.longest_run)).max() for start in range(256)]
    assert max(counts) < 1 << 16
    more = [FAST.fast_plan.expected_counts(range(start, start + FAST.longest_run + 8)).max() for start in range(256)]
    assert max(more) >= 1 << 16
    assert SMALL.longest_run > 10**9


def test_a_long_job_is_counted_in_blocks_on_the_board_and_in_turns_in_this_process() -> None:
    short = dataclasses.replace(FAST, J=1, n_bins=20)
    job = dataclasses.replace(short, n_simulations=short.longest_run + 70)
    engine = BoardEngine(port="virtual://", n_blocks=1)
    try:
        histogram = run(job, engine)
        with pytest.raises(ValueError, match=rf"at most {job.longest_run} in one run of pipeline fast.*16 bits"):
            engine.board.start(job)
    finally:
        engine.close()
    assert len(histogram.parts) > 1
    assert histogram.sha256 == run(job, "numpy").sha256
    assert (
        histogram.sha256
        == Histogram(
            job, [Part(0, job.n_simulations, LuaSimulator(job.experiment, "fast").run(range(job.n_simulations)))]
        ).sha256
    )


@pytest.mark.parametrize("simulations", [range(3, 11), range(15), range(8, 8), range(0, 16, 2), range(-8, 8)])
def test_ranges_that_cut_groups_are_refused(simulations: range) -> None:
    job = dataclasses.replace(SMALL, n_simulations=500)
    assert job.group_size == 8
    with pytest.raises(ValueError, match="neither in one group"):
        Histogram.check_range(job, simulations)


def test_a_job_that_does_not_fit_is_refused_before_a_port_is_opened() -> None:
    large = Job(lag1_x=0.72, lag1_y=0.72, dt=0.25, dj=0.25, s0=0.5, J=28)
    with pytest.raises(ValueError, match="largest J that fits"):
        run(large, BoardEngine(port="/nowhere"))


def test_programs_are_not_uploaded_when_that_is_not_wanted() -> None:
    with pytest.raises(VersionMismatchError, match="elm11-upload-scripts"):
        run(SMALL, BoardEngine(port="virtual://", upload=False))


def test_a_wrong_port_and_a_silent_board_are_errors() -> None:
    with pytest.raises(PortError):
        run(SMALL, BoardEngine(port="virtual://board"))
    engine = BoardEngine(port="virtual://?faults=stall@30000:100000", stall_s=50.0)

    def until_it_stalls() -> None:
        for _ in range(20):
            run(SMALL, engine)

    with pytest.raises(BoardTimeoutError):
        until_it_stalls()
    engine.close()
