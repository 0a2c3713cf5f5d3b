from __future__ import annotations

import csv
import io
import json
from typing import Any

import numpy as np
import pytest
from elm11_host_ref.exact import rednoise
from elm11_lua_driver import Job, wct
from elm11_lua_driver.analysis.coherence import CoherenceAnalysis, analyse

N = 120
RNG = np.random.default_rng(5)
COMMON = RNG.standard_normal(N)
X = COMMON + 0.7 * RNG.standard_normal(N)
Y = np.roll(COMMON, 1) + 0.7 * RNG.standard_normal(N)


def analysed(**options: Any) -> CoherenceAnalysis:  # noqa: ANN401  whatever analyse takes
    return analyse(X, Y, 0.5, **{"dj": 0.25, "n_simulations": 40, **options})


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"scale_box": "grinsted"},
        {"wavelet": "paul"},
        {"s0": 2.0, "J": 7},
        {"level": 0.9, "seed": 7},
        {"pycwt_compatible": True},
    ],
)
def test_it_is_what_wct_returns(options: dict[str, Any]) -> None:
    result = analysed(**options)
    theirs = dict(options)
    if "level" in theirs:
        theirs["significance_level"] = theirs.pop("level")
    squared, phase, cone, frequencies, levels = wct(X, Y, 0.5, 0.25, mc_count=40, progress=False, **theirs)
    np.testing.assert_array_equal(result.coherence, squared)
    np.testing.assert_array_equal(result.phase, phase)
    np.testing.assert_array_equal(result.cone_of_influence, cone)
    np.testing.assert_array_equal(1 / result.job.periods, frequencies)
    np.testing.assert_array_equal(result.levels.significance, levels)
    if "pycwt_compatible" in options:
        assert np.isnan(
            [levels[-1], result.levels.standard_error[-1], result.by_scale()["significant_fraction"][-1]]
        ).all()


def test_the_job_has_the_lag1_of_the_series() -> None:
    job = analysed(n_simulations=2).job
    assert (job.lag1_x, job.lag1_y) == (rednoise.lag1_autocorrelation(X), rednoise.lag1_autocorrelation(Y))


def test_safe_samples_are_those_in_the_cone() -> None:
    result = analysed(n_simulations=2)
    # The tolerance is that of `wavelet.first_usable`: equality counts as safe.
    expected = result.job.periods[:, None] <= result.cone_of_influence * (1 + 1e-12)
    np.testing.assert_array_equal(result.safe, expected)


def test_by_scale_counts_safe_samples_only() -> None:
    result = analysed()
    columns = result.by_scale()
    for j in (0, 4, result.job.J):
        safe = np.flatnonzero(result.safe[j])
        assert columns["safe_samples"][j] == safe.size
        if safe.size:
            values = result.coherence[j, safe]
            assert columns["mean_coherence"][j] == pytest.approx(values.mean())
            assert columns["significant_fraction"][j] == np.mean(values > result.levels.significance[j])
    assert np.isnan(columns["mean_coherence"][-1]), "the largest scale is as long as the series"
    weights = columns["safe_samples"]
    total = np.nansum(columns["significant_fraction"] * weights) / weights.sum()
    assert result.significant_fraction == pytest.approx(total)


def test_related_series_are_significant_and_unrelated_ones_are_not() -> None:
    """The mean of 20 unrelated pairs varies by 0.9 % around 5 to 6 %: below 1 or above 10 % once in 10**6 seeds."""
    related = analyse(COMMON + 0.3 * X, COMMON + 0.3 * Y, 1.0, dj=0.25, J=16, n_simulations=100)
    assert related.significant_fraction > 0.9
    noise = np.random.default_rng(1).standard_normal((20, 2, N))
    by_chance = [analyse(x, y, 1.0, dj=0.25, J=16, n_simulations=100).significant_fraction for x, y in noise]
    assert 0.01 < np.mean(by_chance) < 0.10


def test_dictionary_is_json_and_holds_the_significance() -> None:
    result = analysed(names=("a", "b"))
    values = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert values["job"] == json.loads(json.dumps(result.levels.to_dict()))["job"]
    assert values["counts_sha256"] == result.levels.histogram.sha256
    assert values["names"] == ["a", "b"]
    assert len(values["period"]) == len(values["significance"]) == result.job.J + 1
    assert values["mean_coherence"][-1] is None


def test_table_has_units_the_job_and_every_scale() -> None:
    result = analysed(names=("a\nb", "c"))
    comment, *lines = result.to_csv("years", "1.2.3").splitlines()
    assert comment.startswith("# elm11-lua-driver 1.2.3: coherence of a b and c; job ")
    assert Job.from_json(comment.split("; job ")[1]) == result.job
    header, *rows = csv.reader(io.StringIO("\n".join(lines)))
    assert header[:2] == ["period (years)", "scale (years)"]
    assert all(name.endswith(")") for name in header)
    table = np.array(rows, float)
    for column, values in zip(table.T, result.by_scale().values(), strict=True):
        np.testing.assert_allclose(column, values, rtol=1e-9)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"y": Y[:-1]}, "same length, not 120 and 119"),
        ({"x": X * 0}, "x must not be constant"),
        ({"x": np.where(np.arange(N) == 7, np.nan, X)}, "x must have finite values only; sample 7"),
        ({"x": [1, 2]}, "at least 3 samples"),
        ({"times": [1, 2]}, "times must be as many as samples"),
        ({"dt": 0}, "dt must be greater than 0"),
        ({"dj": -1}, "dj must be greater than 0"),
        ({"s0": 0}, "s0 must be greater than 0"),
        ({"J": -2}, "J must be a whole number from 0"),
        ({"level": 1}, "significance_level must lie between 0 and 1"),
        ({"wavelet": "haar"}, "wavelet must be one of"),
        ({"engine": "abacus"}, "engine must be one of"),
        ({"surrogates": "pink"}, "surrogates must be one of"),
        ({"scale_box": "round"}, "scale_box must be one of"),
        ({"n_simulations": 0}, "n_simulations must be a whole number from 1"),
        ({"seed": -1}, "seed must be a whole number from 0"),
    ],
)
def test_bad_arguments_are_named(change: dict[str, Any], what: str) -> None:
    arguments: dict[str, Any] = {"x": X, "y": Y, "dt": 0.5, **change}
    with pytest.raises(ValueError, match=what):
        analyse(arguments.pop("x"), arguments.pop("y"), arguments.pop("dt"), **arguments)
