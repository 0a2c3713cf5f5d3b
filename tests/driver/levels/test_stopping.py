"""Early stopping: at numbers that follow from the job, with the counts of a job of that length."""

from __future__ import annotations

import dataclasses
import itertools
from typing import TYPE_CHECKING

import numpy as np
import pytest
from elm11_lua_driver import BoardEngine, FleetEngine, Histogram, Job, NumpyEngine, run, significance
from elm11_lua_driver.errors import EngineError
from elm11_lua_driver.jobs.histogram import Part
from elm11_lua_driver.levels.quantiles import standard_errors
from elm11_lua_driver.levels.stopping import MIN_GROUPS, check_numbers, max_standard_error
from hypothesis import given
from hypothesis import strategies as st
from virtual_bench import SMALL

if TYPE_CHECKING:
    from pathlib import Path

    from elm11_lua_driver.engines import Engine, Progress

JOB = dataclasses.replace(SMALL, n_simulations=640, n_bins=1000)
TARGET = 0.02


@given(st.integers(1, 100_000))
def test_checks_are_at_whole_groups_and_at_the_end(n_simulations: int) -> None:
    job = dataclasses.replace(SMALL, n_simulations=n_simulations)
    numbers = check_numbers(job)
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == n_simulations
    assert all(n % job.group_size == 0 and n >= MIN_GROUPS * job.group_size for n in numbers[:-1])
    assert all(after <= 2 * before for before, after in itertools.pairwise(numbers))


def test_the_result_is_that_of_a_job_of_this_length() -> None:
    result = significance(JOB, target_standard_error=TARGET)
    used = result.histogram.n_simulations
    assert used in check_numbers(JOB)[:-1]
    assert result.histogram.is_complete
    assert result.histogram.job == dataclasses.replace(JOB, n_simulations=used)
    assert result.histogram.sha256 == run(result.histogram.job).sha256
    largest = float(np.nanmax(result.standard_error))
    assert result.precision() == {
        "max_standard_error": largest,
        "n_simulations": used,
        "target_standard_error": TARGET,
        "reached": True,
    }
    assert result.to_dict()["precision"] == result.precision()
    assert largest <= TARGET


def test_it_stops_at_the_first_number_that_does() -> None:
    used = run(JOB, target_standard_error=TARGET).n_simulations
    whole = run(JOB)
    for n in check_numbers(JOB):
        begun = Histogram(JOB, [part for part in whole.parts if part.stop <= n])
        assert (max_standard_error(begun, 0.95) <= TARGET) is (n == used)
        if n == used:
            break


class Parted(NumpyEngine):
    """Gives parts of five simulations, as pieces of groups."""

    def simulate(self, job: Job, simulations: range, progress: Progress) -> Histogram:
        cuts = [simulations[i : i + 5] for i in range(0, len(simulations), 5)]
        return sum((super(Parted, self).simulate(job, cut, progress) for cut in cuts), Histogram(job, []))


@pytest.mark.parametrize(
    "engine",
    [Parted(), "lua", "auto", FleetEngine(["numpy", "numpy", "lua"]), BoardEngine(port="virtual://")],
    ids=["parted", "lua", "auto", "fleet", "board"],
)
def test_it_depends_on_the_job_alone(engine: Engine | str) -> None:
    one = run(JOB, target_standard_error=TARGET)
    other = run(JOB, engine, target_standard_error=TARGET)
    assert (other.job, other.sha256) == (one.job, one.sha256)
    assert (standard_errors(other, 0.95) == standard_errors(one, 0.95)).all()


def test_a_target_that_is_not_reached_takes_all_and_says_so() -> None:
    result = significance(SMALL, target_standard_error=1e-6)
    assert result.histogram.job == SMALL
    assert result.precision()["reached"] is False
    assert significance(SMALL).precision()["reached"] is None


def test_a_run_that_goes_on_stops_at_the_same_place(tmp_path: Path) -> None:
    path = tmp_path / "levels.npz"
    one = run(JOB, target_standard_error=TARGET, checkpoint=path)
    again = run(JOB, target_standard_error=TARGET, checkpoint=path)
    run(JOB, checkpoint=path)
    with_more = run(JOB, target_standard_error=TARGET, checkpoint=path)
    assert one.sha256 == again.sha256 == with_more.sha256
    assert one.job == again.job == with_more.job


def test_blocks_of_several_groups_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "levels.npz"
    engine = BoardEngine(port="virtual://")
    run(JOB, engine, checkpoint=path)
    engine.close()
    with pytest.raises(ValueError, match=r"has blocks of several groups.*finish it without"):
        run(JOB, checkpoint=path, target_standard_error=TARGET)

    class Joining(NumpyEngine):
        def simulate(self, job: Job, simulations: range, progress: Progress) -> Histogram:
            found = super().simulate(job, simulations, progress)
            return Histogram(job, [Part(simulations.start, simulations.stop, found.counts)])

    with pytest.raises(EngineError, match="run the job without a target"):
        run(JOB, Joining(), target_standard_error=TARGET)


@pytest.mark.parametrize("target", [0, -1, 1, "much", float("nan"), None])
def test_a_wrong_target_is_named(target: object) -> None:
    if target is None:
        assert run(SMALL, target_standard_error=None).is_complete
        return
    with pytest.raises(ValueError, match="target_standard_error must lie between 0 and 1"):
        run(SMALL, target_standard_error=target)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="significance_level must lie between 0 and 1"):
        run(SMALL, target_standard_error=0.1, level=95)
