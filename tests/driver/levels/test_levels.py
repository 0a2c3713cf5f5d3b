"""Histogram to levels, and how well they are known."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import numpy as np
import pytest
from elm11_lua_driver import EngineError, Histogram, Job, Significance, levels, run, significance
from elm11_lua_driver.engines import NumpyEngine, Progress
from elm11_lua_driver.jobs.histogram import Part, group_ranges
from elm11_lua_driver.levels.quantiles import quantiles, standard_errors

SMALL = Job(0.5, 0.2, 1.0, 0.5, 2.0, 3, n_simulations=20)


class TestQuantiles:
    # Five bins with centres 0.1, 0.3, 0.5, 0.7, 0.9; the filled ones have P = (2 - 1/2) / 4 = 0.375, 0.625, 0.875.
    COUNTS = np.array([[0, 2, 0, 1, 1]])

    @pytest.mark.parametrize(
        ("level", "expected"),
        [(0.375, 0.3), (0.5, 0.5), (0.625, 0.7), (0.75, 0.8), (0.875, 0.9), (0.95, 0.9), (0.1, 0.3)],
    )
    def test_by_hand(self, level: float, expected: float) -> None:
        assert quantiles(self.COUNTS, level) == pytest.approx([expected])

    def test_a_scale_without_samples_has_no_level(self) -> None:
        np.testing.assert_array_equal(quantiles(np.array([[0, 0], [0, 3]]), 0.5), [np.nan, 0.75])


class TestStandardErrors:
    @pytest.mark.parametrize("n_simulations", [6400, 6401, 5000])
    def test_known_variance(self, n_simulations: int) -> None:
        """Uniform samples: the p quantile of n of them has the variance p (1 - p) / n.

        The rows are independent, each error is known to 1 / sqrt(2 * 50 groups) = 10 %, so their mean over 21 rows to
        2.2 %: beyond 10 % once in 200 000 seeds. Groups of unequal size (the last of 6401 has one simulation) are no
        different.
        """
        job = Job(0.0, 0.0, 0.25, 0.25, 0.5, 20, n_simulations=n_simulations)
        rng = np.random.default_rng(1)
        parts = []
        for group in group_ranges(job, range(n_simulations)):
            rows = [rng.multinomial(len(group) * int(n), np.full(1000, 1e-3)) for n in job.n_usable]
            parts.append(Part(group.start, group.stop, np.array(rows, np.int64)))
        errors = standard_errors(Histogram(job, parts), 0.95)
        known = np.sqrt(0.95 * 0.05 / (n_simulations * job.n_usable))
        assert np.mean(errors / known) == pytest.approx(1, abs=0.1)

    def test_a_group_without_counts_of_a_scale_is_left_out_there(self) -> None:
        """Where a scale was not due, as if the groups with counts were all: here every row by itself, by hand."""
        job = Job(0.0, 0.0, 1.0, 0.5, 2.0, 6, n_simulations=128, pipeline="fast")  # groups of 2
        histogram = run(job)
        errors = standard_errors(histogram, 0.9)
        counts = np.array([part.counts for part in histogram.parts])
        assert (counts.sum(axis=2) == 0).any(axis=0)[:-1].any(), "some scale is not due in some group"
        for j in range(job.J + 1):
            groups = np.array([rows[j] for rows in counts if rows[j].any()])
            total, sizes = groups.sum(axis=0), groups.sum(axis=1)
            (whole,) = quantiles(total[None], 0.9)
            below = groups @ np.clip(whole * total.size - np.arange(total.size), 0, 1)
            share = below.sum() / total.sum()
            squares = ((below - share * sizes) ** 2).sum() * len(groups) / (len(groups) - 1)
            deviation = np.sqrt(squares) / total.sum()
            low, high = (quantiles(total[None], share + side * deviation)[0] for side in (-1, 1))
            assert share + deviation < 1
            assert errors[j] == pytest.approx((high - low) / 2)

    @pytest.mark.parametrize("pipeline", ["exact", "fast"])
    def test_they_are_right_in_runs_of_300(self, pipeline: str) -> None:
        """30 runs: the spread is known to 13 % per scale, some 7 % in the mean; beyond 30 % once in 10**4 seeds."""
        runs = [
            significance(Job(0.72, 0.72, 0.25, 0.25, 0.5, 10, n_simulations=300, seed=seed, pipeline=pipeline))
            for seed in range(30)
        ]
        spread = np.std([one.significance for one in runs], axis=0, ddof=1)
        expected = np.sqrt(np.mean([one.standard_error**2 for one in runs], axis=0))
        assert np.mean(expected / spread) == pytest.approx(1, abs=0.3)

    def test_a_scale_in_one_group_only_has_no_error(self) -> None:
        """Of simulations 0 to 31 the smallest scale is due in the first alone."""
        job = Job(0.0, 0.0, 1.0, 0.5, 2.0, 6, n_simulations=32, pipeline="fast")
        assert (job.fast_plan.cycle_counts[:32, 0] > 0).tolist() == [True] + [False] * 31
        result = significance(job)
        assert np.isfinite(result.significance).all()
        assert np.isnan(result.standard_error[0])
        assert np.isfinite(result.standard_error[-1])

    def test_one_simulation_says_nothing(self) -> None:
        assert np.isnan(standard_errors(run(Job(0, 0, 1, 0.5, 2, 3, n_simulations=1)), 0.95)).all()

    def test_they_are_close_to_the_spread_between_runs(self) -> None:
        """30 runs: the spread is known to 13 % per scale, 7 % in the mean of 7 scales; beyond 40 % once in 10**7."""
        runs = [significance(Job(0.72, 0.72, 1.0, 0.5, 2.0, 6, n_simulations=100, seed=seed)) for seed in range(30)]
        spread = np.std([one.significance for one in runs], axis=0, ddof=1)
        expected = np.mean([one.standard_error for one in runs], axis=0)
        assert np.mean(expected / spread) == pytest.approx(1, abs=0.4)


def test_levels_are_made_of_counts_in_one_place() -> None:
    """Outside of levels/ nobody calls `quantiles` or `standard_errors`: they use `Significance.from_histogram`."""
    folder = Path(levels.__file__).parents[1]
    callers = {
        str(path.relative_to(folder))
        for path in folder.rglob("*.py")
        if path.parent.name != "levels"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.alias | ast.Attribute | ast.Name) and _name(node) in {"quantiles", "standard_errors"})
        or (isinstance(node, ast.Call) and _name(node.func) == "Significance")
    }
    assert callers <= {"plotting/levels.py"}, "its attribute `Convergence.standard_errors` is something else"


def _name(node: ast.AST) -> str:
    return str(getattr(node, "name", getattr(node, "attr", getattr(node, "id", ""))))


class TestSignificance:
    def test_from_a_histogram(self) -> None:
        histogram = run(SMALL)
        ours, theirs = (
            Significance.from_histogram(histogram, 0.9, engine="numpy", seconds=1.0),
            significance(SMALL, 0.9),
        )
        np.testing.assert_array_equal(ours.significance, theirs.significance)
        np.testing.assert_array_equal(ours.standard_error, theirs.standard_error)
        assert (ours.engine, ours.seconds, ours.target_standard_error) == ("numpy", 1.0, None)
        plain = Significance.from_histogram(histogram, 0.9, with_errors=False)
        np.testing.assert_array_equal(plain.significance, theirs.significance)
        assert np.isnan(plain.standard_error).all()
        with pytest.raises(ValueError, match="significance_level must lie between 0 and 1"):
            Significance.from_histogram(histogram, 95)

    def test_it_holds_what_it_comes_from(self) -> None:
        result = significance(SMALL, 0.9)
        histogram = run(SMALL)
        np.testing.assert_array_equal(result.significance, quantiles(histogram.counts, 0.9))
        np.testing.assert_array_equal(result.standard_error, standard_errors(histogram, 0.9))
        assert (result.level, result.engine, result.histogram.sha256) == (0.9, "numpy", histogram.sha256)
        assert result.seconds > 0

    def test_dictionary(self) -> None:
        result = significance(Job(0.5, 0.2, 1.0, 0.5, 2.0, 3, n_simulations=1))
        values = json.loads(json.dumps(result.to_dict(), allow_nan=False))
        assert set(values) == {
            *("job", "job_sha256", "level", "significance", "standard_error"),
            *("precision", "counts_total", "counts_sha256", "engine", "seconds"),
        }
        assert values["standard_error"] == [None] * 4
        assert values["counts_total"] == result.histogram.counts.sum()
        assert Job(**values["job"]) == result.histogram.job

    @pytest.mark.parametrize("level", [0, 1, -0.5, 95, float("nan"), "high", None])
    def test_levels_out_of_range(self, level: float) -> None:
        with pytest.raises(ValueError, match="significance_level must lie between 0 and 1"):
            significance(SMALL, level)

    def test_unknown_engine(self) -> None:
        with pytest.raises(ValueError, match=r"engine must be one of numpy, .*, not 'abacus'"):
            significance(SMALL, engine="abacus")

    def test_progress_goes_from_the_first_to_the_last(self) -> None:
        told: list[tuple[int, int]] = []
        significance(SMALL, progress=lambda done, total: told.append((done, total)))
        assert told[-1] == (20, 20)
        assert [done for done, _ in told] == sorted({done for done, _ in told})

    def test_a_partial_histogram_is_never_used(self) -> None:
        class Lazy(NumpyEngine):
            name = "lazy"

            def simulate(self, job: Job, simulations: range, progress: Progress) -> Histogram:
                return super().simulate(job, simulations[:-1], progress)

        with pytest.raises(EngineError, match="engine lazy was given simulations 0 to 19 and gave back 19 of them"):
            significance(SMALL, engine=Lazy())

    def test_an_engine_that_was_given_stays_open(self) -> None:
        class Watched(NumpyEngine):
            closed = False

            def close(self) -> None:
                self.closed = True

        engine = Watched()
        significance(SMALL, engine=engine)
        run(SMALL, engine)
        assert not engine.closed
