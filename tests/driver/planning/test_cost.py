"""The estimate of a job's instructions, against the emulated processor and the committed table."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

import fit_model
import pytest
from elm11_lua_driver import Job
from elm11_lua_driver.planning import cost as cost_model
from paths import ROOT

if TYPE_CHECKING:
    import rv32

FIT = "the programs' costs have changed: run tools/cost/fit_model.py and commit cost_model.json"
TABLE = json.loads((ROOT / "docs" / "cost.json").read_text())


@pytest.mark.parametrize(
    "job",
    [
        fit_model.job(9, "fast", n_bins=600),
        fit_model.job(14, "fast", dj=0.2, lag1_x=0.4),
        fit_model.job(9, "exact"),
        fit_model.job(8, "exact", wavelet="paul", s0=1.0),
    ],
    ids=lambda job: f"{job.pipeline}-{job.J}-{job.wavelet}",
)
def test_jobs_that_the_model_was_not_fitted_to(rv32_machine: rv32.Machine, job: Job) -> None:
    assert rv32_machine
    assert job not in fit_model.FITTED
    off = fit_model.errors(job, fit_model.measured(job))
    assert max(map(abs, off.values())) < cost_model.ERROR, f"{off}; {FIT}"


@pytest.mark.parametrize("name", TABLE["jobs"])
def test_the_committed_table(name: str) -> None:
    entry = TABLE["jobs"][name]
    job = Job.from_json(json.dumps(entry["job"]))
    cost = cost_model.estimate(job)
    for estimated, counted in (
        (cost.simulation, entry["line"]["simulation"]),
        (cost.set_up, entry["line"]["set_up"]),
        (cost.total / job.n_simulations, entry["line"]["with_set_up"]),
    ):
        assert estimated == pytest.approx(counted, rel=cost_model.ERROR), FIT


@pytest.mark.parametrize("pipeline", ["exact", "fast"])
def test_the_file_says_what_it_was_fitted_to_and_how_well(pipeline: str) -> None:
    """Computed again from the samples in it."""
    found = cost_model.figures()["pipelines"][pipeline]
    worst = {"simulation": 0.0, "set_up": 0.0}
    for sample in found["fitted_to"]:
        job = Job.from_json(json.dumps(sample["job"]))
        set_up = cost_model.priced(cost_model.set_up_work(job), found["set_up"])
        worst["set_up"] = max(worst["set_up"], abs(set_up / sample["set_up"] - 1))
        for number, counted in zip(fit_model.SIMULATIONS[pipeline], sample["simulations"], strict=True):
            work = cost_model.priced(cost_model.simulation_work(job, number), found["simulation"])
            worst["simulation"] = max(worst["simulation"], abs(work / counted - 1))
    for name, error in worst.items():
        assert error == pytest.approx(found["largest_errors"][name], abs=0.002)
        assert error < cost_model.ERROR


def test_the_sum_is_that_of_the_simulations() -> None:
    for job in (fit_model.job(10, "fast", n_simulations=100), fit_model.job(5, "exact", n_simulations=7)):
        costs = cost_model.figures()["pipelines"][job.pipeline]["simulation"]
        each = [cost_model.priced(cost_model.simulation_work(job, i), costs) for i in range(job.n_simulations)]
        cost = cost_model.estimate(job)
        assert cost.total == pytest.approx(cost.set_up + sum(each))
        assert cost.simulation == pytest.approx(sum(each) / job.n_simulations)
        assert cost.largest_simulation == pytest.approx(max(each))


def test_the_fast_pipeline_costs_a_small_part() -> None:
    exact = fit_model.job(20, "exact")
    assert (
        cost_model.estimate(exact).total > 20 * cost_model.estimate(dataclasses.replace(exact, pipeline="fast")).total
    )
