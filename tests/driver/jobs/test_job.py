"""The job: its checks, its canonical form and its name."""

from __future__ import annotations

import dataclasses
import json
import math
import re
import subprocess
import sys
import warnings
from typing import Any

import numpy as np
import pytest
from elm11_host_ref.experiment import Experiment
from elm11_host_ref.fast import plan_of, schedule, sizes
from elm11_lua_driver import Job, LuaMonteCarloConfig
from elm11_lua_driver.jobs.job import MAX_GROUPS
from hypothesis import given
from hypothesis import strategies as st

STANDARD: dict[str, Any] = {"lag1_x": 0.72, "lag1_y": 0.72, "dt": 0.25, "dj": 0.25, "s0": 0.5, "J": 20}

jobs = st.builds(
    Job,
    lag1_x=st.floats(-0.99, 0.99),
    lag1_y=st.floats(-0.99, 0.99),
    dt=st.floats(0.9, 1.1),
    dj=st.floats(0.1, 1),
    s0=st.floats(2.5, 9),
    J=st.integers(0, 8),
    wavelet=st.sampled_from(["morlet", "paul"]),
    n_bins=st.integers(2, 10_000),
    seed=st.integers(0, 2**64 - 1),
    surrogates=st.sampled_from(["ar1", "white"]),
    scale_box=st.sampled_from(["pycwt", "grinsted"]),
    n_simulations=st.integers(1, 2**31),
)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"lag1_x": 1}, "lag1_x must lie between -1 and 1 (both excluded), not 1.0"),
        ({"lag1_y": -1.5}, "lag1_y must lie between -1 and 1"),
        ({"lag1_x": 0.9999999}, "|lag1_x| must be at most 0.999998"),
        ({"lag1_x": "0.5"}, "lag1_x must be a finite number, not '0.5'"),
        ({"lag1_y": None}, "lag1_y must be a finite number"),
        ({"dt": 0}, "dt must be greater than 0"),
        ({"dt": float("nan")}, "dt must be a finite number, not nan"),
        ({"dj": -0.25}, "dj must be greater than 0"),
        ({"dj": 1e-3}, "dj must be at least 0.01"),
        ({"s0": float("inf")}, "s0 must be a finite number"),
        ({"s0": 1e-9}, "s0 must be at least 0.01 dt"),
        ({"J": -1}, "J must be a whole number from 0 to 10000, not -1"),
        ({"J": 2.5}, "J must be a whole number"),
        ({"J": True}, "J must be a whole number"),
        ({"J": 200}, "J * dj must leave the largest scale"),
        ({"wavelet": "haar"}, "wavelet must be one of morlet, paul, dog, mexicanhat, not 'haar'"),
        ({"n_bins": 1}, "n_bins must be a whole number from 2"),
        ({"n_simulations": 0}, "n_simulations must be a whole number from 1"),
        ({"seed": 2**64}, "seed must be a whole number from 0 to 18446744073709551615"),
        ({"seed": -1}, "seed must be a whole number from 0"),
        ({"pipeline": "slow"}, "pipeline must be one of exact, fast, not 'slow'"),
        ({"pipeline": "fast", "wavelet": "paul"}, "the fast pipeline knows the Morlet wavelet only, not paul"),
        ({"pipeline": "fast", "lag1_x": 0.999}, "the fast pipeline needs |lag1_x| <= 0.998, not 0.999"),
        ({"pipeline": "fast", "s0": 0.4, "dt": 0.5}, "the fast pipeline needs s0 >= dt, not 0.4 with dt = 0.5"),
        ({"surrogates": "pink"}, "surrogates must be one of ar1, white"),
        ({"scale_box": "round"}, "scale_box must be one of pycwt, grinsted"),
    ],
)
def test_each_bad_parameter_is_named_with_its_range(change: dict[str, Any], what: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a small s0
        with pytest.raises(ValueError, match=re.escape(what)) as caught:
            Job(**{**STANDARD, **change})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("J", "n_samples", "n_padded"), [(10, 68, 128), (20, 384, 512), (28, 1536, 2048)])
def test_sizes_are_those_of_the_method(J: int, n_samples: int, n_padded: int) -> None:
    job = Job(**{**STANDARD, "J": J})
    assert (job.n_samples, job.n_padded) == (n_samples, n_padded)


def test_a_transform_that_is_too_long_for_the_fast_pipeline_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizes, "LARGEST_TRANSFORM", 64)
    with pytest.raises(ValueError, match=r"would need a transform of \d+ points for scales .* use pipeline exact"):
        Job(**{**STANDARD, "lag1_x": 0.123456}, pipeline="fast")


def test_a_job_is_made_without_what_only_a_run_needs() -> None:
    code = (
        "import sys; from elm11_lua_driver import Job; Job(0.72, 0.72, dt=0.25, dj=0.25, s0=0.5, J=20)\n"
        "heavy = ('scipy', 'pycwt', 'matplotlib', 'lupa', 'serial', 'tqdm', 'elm11_host_ref.fast.plan')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_counts_that_are_expected() -> None:
    """By the definition of each pipeline, for ranges within and beyond a cycle of the fast one."""
    exact, fast = Job(**STANDARD), Job(**STANDARD, pipeline="fast")
    plan = plan_of(fast.experiment)
    assert fast.fast_plan is plan, "made once"
    for simulations in (range(1), range(5, 9), range(60, 200), range(250, 900)):
        np.testing.assert_array_equal(exact.expected_counts(simulations), len(simulations) * exact.n_usable)
        by_one = sum(plan.cycle_counts[simulation % schedule.CYCLE] for simulation in simulations)
        np.testing.assert_array_equal(fast.expected_counts(simulations), by_one)


def test_jobs_of_one_experiment_share_it() -> None:
    job = Job(**STANDARD)
    assert job.experiment == Job(**STANDARD, n_simulations=9, pipeline="fast").experiment
    assert type(job.experiment) is Experiment
    assert job.experiment != Job(**{**STANDARD, "seed": 2}).experiment


def test_numbers_of_any_kind_make_the_same_job() -> None:
    kinds = {"dt": np.float32(0.25), "J": np.int16(20), "seed": np.uint64(1), "n_simulations": np.int64(300)}
    assert Job(**{**STANDARD, **kinds}).to_json() == Job(**STANDARD).to_json()


def test_the_canonical_form_and_the_name_do_not_change() -> None:
    """Checkpoints and cached results are found by these: a change of either makes old ones unfindable."""
    job = Job(**STANDARD)
    assert job.to_json() == (
        '{"J":20,"dj":0.25,"dt":0.25,"format":1,"lag1_x":0.72,"lag1_y":0.72,"n_bins":1000,"n_simulations":300,'
        '"pipeline":"exact","s0":0.5,"scale_box":"pycwt","seed":1,"surrogates":"ar1","wavelet":"morlet"}'
    )
    assert job.sha256 == "c27f03597ab41b61f6249d69f8e03c973889ab2e5aa662a407b4ce69eee4c4e3"


@given(jobs)
def test_json_round_trip(job: Job) -> None:
    again = Job.from_json(job.to_json())
    assert again == job
    assert again.to_json() == job.to_json()


@given(jobs, st.integers(1, 2**31))
def test_the_name_does_not_depend_on_the_number_of_simulations(job: Job, n_simulations: int) -> None:
    assert dataclasses.replace(job, n_simulations=n_simulations).sha256 == job.sha256


@pytest.mark.parametrize(
    "change",
    [
        {"lag1_x": 0.7},
        {"lag1_y": 0.7},
        {"dt": 0.24},
        {"dj": 0.2},
        {"s0": 0.6},
        {"J": 19},
        {"wavelet": "dog"},
        {"n_bins": 999},
        {"seed": 2},
        {"surrogates": "white"},
        {"scale_box": "grinsted"},
        {"pipeline": "fast"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_name_depends_on_everything_else(change: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # s0 of a DOG wavelet
        assert Job(**{**STANDARD, **change}).sha256 != Job(**STANDARD).sha256


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format":1}', '{"format":2,"J":1}', "nonsense", "[[1,2]]", "1"])
def test_what_is_no_job(text: str) -> None:
    with pytest.raises(ValueError, match="job"):
        Job.from_json(text)


def test_a_job_in_json_is_checked() -> None:
    values = json.loads(Job(**STANDARD).to_json())
    with pytest.raises(ValueError, match=r"these differ: .'extra'"):
        Job.from_json(json.dumps({**values, "extra": 1}))
    with pytest.raises(ValueError, match="dt must be greater than 0"):
        Job.from_json(json.dumps({**values, "dt": 0}))


@given(st.integers(1, 2**31))
def test_groups_are_few_powers_of_two(n_simulations: int) -> None:
    size = Job(**STANDARD, n_simulations=n_simulations).group_size
    assert size & (size - 1) == 0
    assert -(-n_simulations // size) <= MAX_GROUPS
    assert size == 1 or -(-n_simulations // (size // 2)) > MAX_GROUPS, "no larger than necessary"


def test_scales_below_what_sampling_shows_are_warned_of() -> None:
    with pytest.warns(UserWarning, match=r"s0 = 0.4 is below 0.48\d*, the scale of the shortest period"):
        Job(**{**STANDARD, "s0": 0.4})
    Job(**{**STANDARD, "s0": 2 * 0.25 / 1.0330436477492537})


@pytest.mark.parametrize("dt", [0.25, 1.0, 1 / 12, 3.0, 517.0])
def test_the_smallest_scale_as_tables_print_it_is_not_warned_of(dt: float) -> None:
    Job(**{**STANDARD, "dt": dt, "s0": float(f"{2 * dt / 1.0330436477492537:.4g}")})
    Job(**{**STANDARD, "wavelet": "paul", "dt": dt, "s0": float(f"{2 * dt / (4 * math.pi / 9):.4g}")})


def test_a_job_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Job(**STANDARD).dt = 1.0  # type: ignore[misc]


def test_the_original_drivers_name() -> None:
    assert LuaMonteCarloConfig is Job
