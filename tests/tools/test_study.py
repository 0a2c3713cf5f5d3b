"""The performance study: its statistics and fits against cases with known answers."""

from __future__ import annotations

import json
import math
import os
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from study import (
    board,
    decision,
    fits,
    libraries,
    load,
    measure,
    monte_carlo,
    resume,
    scaling,
    transforms,
)

if TYPE_CHECKING:
    from pathlib import Path


class TestMedianInterval:
    def test_ranks_are_those_of_the_tables(self) -> None:
        """n = 6: the extremes, 96.9 %; n = 11: 2nd and 10th, 98.8 %; n = 25: 8th and 18th, 95.7 %."""
        for n, k, confidence in ((6, 1, 0.96875), (11, 2, 0.98828125), (25, 8, 0.9567)):
            interval = measure.median_interval(range(1, n + 1))
            assert (interval.low, interval.high) == (k, n + 1 - k)
            assert interval.confidence == pytest.approx(confidence, abs=1e-4)
            assert interval.median == (n + 1) / 2

    def test_few_values_say_what_they_reach(self) -> None:
        assert measure.median_interval([3.0, 1.0]) == measure.Interval(2.0, 1.0, 3.0, 0.5, 2)
        assert measure.median_interval([3.0]).confidence == 0

    def test_covers_the_median_as_often_as_it_says(self) -> None:
        """Of 2000 skewed samples of 9, 96.1 % of the intervals should hold ln 2; luck fails it once in 10 000 times."""
        values = np.random.default_rng(5).exponential(size=(2000, 9))
        intervals = [measure.median_interval(row.tolist()) for row in values]
        covered = sum(one.low <= math.log(2) <= one.high for one in intervals) / 2000
        assert abs(covered - intervals[0].confidence) < 4 * math.sqrt(0.04 * 0.96 / 2000)

    def test_nothing_is_refused(self) -> None:
        with pytest.raises(ValueError, match="at least one"):
            measure.median_interval([])


class TestInterleaved:
    def test_everybody_has_a_turn_in_every_round(self) -> None:
        calls: list[str] = []

        def task(name: str) -> None:
            calls.append(name)
            started = time.process_time()
            while time.process_time() < started + 0.011:
                pass

        timings = measure.interleaved({name: partial(task, name) for name in "abc"}, 3, warm_up=False)
        rounds = [calls[start : start + 3] for start in (0, 3, 6)]
        assert all(sorted(turn) == ["a", "b", "c"] for turn in rounds)
        assert len({tuple(turn) for turn in rounds}) > 1, "in another order each time"
        assert all(timing.wall.n == 3 for timing in timings.values())
        assert timings["a"].process.low >= 0.011
        assert timings["a"].wall.low >= 0.99 * timings["a"].process.low

    def test_short_calls_are_repeated_and_slow_ones_have_fewer_turns(self) -> None:
        counts = {"short": 0, "slow": 0}

        def short() -> None:
            counts["short"] += 1

        def slow() -> None:
            counts["slow"] += 1
            started = time.perf_counter()
            while time.perf_counter() < started + 0.25:
                pass

        timings = measure.interleaved({"short": short, "slow": slow}, 5, slow_s=0.2, slow_rounds=2)
        assert counts["short"] > 20, "three to see how long it takes, and five turns of many"
        assert timings["short"].wall.n == 5
        assert (timings["slow"].wall.n, counts["slow"]) == (2, 2), "the first call was its first turn"

    def test_turns_can_be_limited(self) -> None:
        measure.limit_rounds(2)
        try:
            assert measure.interleaved({"short": int}, 5)["short"].wall.n == 2
        finally:
            measure.limit_rounds(None)

    def test_no_turn_begins_after_the_time_is_over_but_two_are_made(self) -> None:
        timings = measure.interleaved({"short": int, "other": float}, 50, budget_s=0)
        assert {timing.wall.n for timing in timings.values()} == {2}


class TestLoad:
    @staticmethod
    def proc(folder: Path, idle: int, processes: dict[int, tuple[int, tuple[int, int, int, int]]]) -> Path:
        """A /proc with one line of counters, and processes by number: parent, and ticks as in proc(5)."""
        total = sum(sum(ticks) for _, ticks in processes.values())
        folder.mkdir(exist_ok=True)
        (folder / "stat").write_text(f"cpu  {total} 0 0 {idle} 0 0 0 0 0 0\n")
        (folder / "version").write_text("no process")
        for pid, (parent, ticks) in processes.items():
            (folder / str(pid)).mkdir(exist_ok=True)
            numbers = " ".join(map(str, ticks))
            (folder / str(pid) / "stat").write_text(f"{pid} (a) b) S {parent} 1 1 0 -1 0 0 0 0 0 {numbers} 20 0\n")
        return folder

    def test_children_are_ours_and_the_rest_are_others(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "sysconf", lambda _: 100)
        me = os.getpid()
        family = {me: (1, (100, 20, 0, 0)), me + 1: (me, (50, 0, 0, 30)), me + 2: (me + 1, (7, 0, 0, 0))}
        before = load.read(self.proc(tmp_path, 0, family | {1: (0, (500, 0, 0, 0))}))
        assert before is not None
        assert before.own == pytest.approx(2.07)
        assert before.everybody == pytest.approx(7.07)

    def test_a_child_that_ends_is_counted_once(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "sysconf", lambda _: 100)
        me = os.getpid()
        alive = load.read(self.proc(tmp_path / "a", 0, {me: (1, (100, 0, 0, 0)), me + 1: (me, (50, 0, 0, 0))}))
        ended = load.read(self.proc(tmp_path / "b", 0, {me: (1, (100, 0, 50, 0))}))
        assert alive is not None
        assert ended is not None
        assert alive.own == ended.own

    def test_the_share_is_of_all_cores(self) -> None:
        found = load.between(load.Reading(10, 100, 50), load.Reading(20, 112, 60), cores=2)
        assert found["others_share"] == pytest.approx(0.1)
        assert load.disturbed(found, 2)
        assert not load.disturbed({"others_share": 0.01, "load_average": 9.0}, 2), "the counters know better"

    def test_without_counters_the_load_average_has_to_do(self, tmp_path: Path) -> None:
        assert load.read(tmp_path) is None
        assert load.between(None, None, 2)["others_share"] is None
        assert load.disturbed({"others_share": None, "load_average": 4.5}, 2)
        assert not load.disturbed({"others_share": None, "load_average": 2.1}, 2)
        assert not load.disturbed({"others_share": None, "load_average": None}, 2)


class TestResume:
    def test_a_part_comes_back_only_with_the_same_programs_and_settings(self, tmp_path: Path) -> None:
        kept = resume.Kept(tmp_path / "kept", "one")
        kept.save("scaling", {"result": [1, 2]})
        assert kept.load("scaling") == {"result": [1, 2]}
        assert kept.load("hybrid") is None
        assert resume.Kept(tmp_path / "kept", "other").load("scaling") is None
        (tmp_path / "kept" / "scaling.json").write_text("{")
        assert kept.load("scaling") is None
        kept.forget(["scaling", "hybrid"])
        assert not (tmp_path / "kept").exists()

    def test_the_fingerprint_follows_what_measures_and_not_what_shows(self, tmp_path: Path) -> None:
        source = tmp_path / "code"
        source.mkdir()
        (source / "fft.py").write_text("a")
        (source / "report.py").write_text("a")

        def key(*, quick: bool) -> str:
            return resume.fingerprint({"quick": quick}, tmp_path, ["code"])

        first = key(quick=True)
        (source / "report.py").write_text("b")
        assert key(quick=True) == first
        assert key(quick=False) != first
        (source / "fft.py").write_text("b")
        assert key(quick=True) != first


class TestPowerLaw:
    def test_finds_an_exact_law(self) -> None:
        x = np.array([[n, s] for n in (10, 100, 1000) for s in (2, 8)], float)
        law = fits.power_law(x, 3e-5 * x[:, 0] ** 1.25 * x[:, 1] ** 0.5)
        assert law.factor == pytest.approx(3e-5)
        np.testing.assert_allclose(law.exponents, [1.25, 0.5], atol=1e-12)
        assert law.predict(1e6, 4)[0] == pytest.approx(3e-5 * 1e6**1.25 * 2)

    def test_intervals_hold_the_truth_as_often_as_they_say(self) -> None:
        """Of 1000 fits with 10 % noise, 95 % should hold the exponent and a new value; luck fails once in 30 000."""
        rng = np.random.default_rng(7)
        n = np.geomspace(10, 1e4, 9)
        held = inside = 0
        for _ in range(1000):
            law = fits.power_law(n[:, None], n**1.5 * np.exp(0.1 * rng.standard_normal(n.size)))
            held += abs(law.exponents[0] - 1.5) <= law.half_widths[0]
            _, low, high = law.predict(1e5)
            inside += low <= 1e5**1.5 * math.exp(0.1 * rng.standard_normal()) <= high
        assert abs(held / 1000 - 0.95) < 4.2 * math.sqrt(0.05 * 0.95 / 1000)
        assert abs(inside / 1000 - 0.95) < 4.2 * math.sqrt(0.05 * 0.95 / 1000)

    @pytest.mark.parametrize(
        ("x", "y", "message"),
        [
            ([[1], [2]], [1, 2], "2 coefficients need more than 2 measurements"),
            ([[0], [2], [3]], [1, 2, 3], "positive"),
            ([[1], [2], [3]], [1, -2, 3], "positive"),
        ],
    )
    def test_what_cannot_be_fitted(self, x: list[list[int]], y: list[int], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            fits.power_law(x, y)


class TestLine:
    def test_finds_an_exact_line(self) -> None:
        n = np.array([1, 10, 100, 1000])
        line = fits.line(n, 0.5 + 0.002 * n)
        assert line.start == pytest.approx(0.5)
        assert line.slope == pytest.approx(0.002)

    def test_short_runs_are_not_drowned_by_long_ones(self) -> None:
        """An error of 10 % at the long end leaves the start where it is."""
        n = np.array([1, 2, 4, 1000])
        line = fits.line(n, (0.5 + 0.002 * n) * [1, 1, 1, 1.1])
        assert line.start == pytest.approx(0.5, rel=0.01)

    def test_what_cannot_be_fitted(self) -> None:
        with pytest.raises(ValueError, match="positive"):
            fits.line([1, 2, 3], [1, 0, 2])


class TestScalingLaws:
    """The quick study measures few cells, and a fast computer needs less than 2 ms for most of them."""

    @pytest.mark.parametrize("speed", [0.1, 1, 10, 1000])
    def test_any_computers_quick_study_gives_laws(self, speed: float) -> None:
        cells = scaling.cells(*scaling.QUICK)
        laws = scaling.conclusions([self.row(*cell, 2e-8 / speed, 50) for cell in cells])["laws"]
        for function in scaling.FUNCTIONS:
            np.testing.assert_allclose(laws[function]["time"]["exponents"], 1, atol=1e-9)
            np.testing.assert_allclose(laws[function]["memory"]["exponents"], 1, atol=1e-9)

    def test_a_fixed_cost_is_left_out_where_enough_is_measured(self) -> None:
        rows = [self.row(*cell, 2e-8, 50) for cell in scaling.cells([100, 316, 10_000, 31_623, 100_000], [10, 50])]
        for row in rows:
            row["wall"]["median"] = max(0.0015, row["wall"]["median"])
        laws = scaling.conclusions(rows)["laws"]
        np.testing.assert_allclose(laws["cwt"]["time"]["exponents"], 1, atol=1e-9)
        assert laws["cwt"]["time"]["n"] == 6

    @staticmethod
    def row(function: str, n_samples: int, n_scales: int, seconds: float, size: float) -> dict[str, Any]:
        """A cell whose time and bytes are proportional to its coefficients."""
        n_padded = 1 << math.ceil(math.log2(n_samples))
        coefficients = n_padded * n_scales
        return {
            "function": function,
            "n_samples": n_samples,
            "n_padded": n_padded,
            "n_scales": n_scales,
            "wall": {"median": seconds * coefficients},
            "peak_bytes": size * coefficients,
        }


class TestMemory:
    def test_the_largest_length_is_a_power_of_two_that_fits(self) -> None:
        x = [[n, s] for n in (1024, 4096, 16_384) for s in (10, 40)]
        law = fits.power_law(x, [50 * n * s for n, s in x])
        n = scaling.largest_length(law, 100, 16 * 2**30)
        assert n & (n - 1) == 0
        assert 50 * n * 100 <= 16 * 2**30 < 50 * 2 * n * 100

    @pytest.mark.skipif(not measure.can_reset_peak(), reason="only Linux can forget an earlier peak")
    def test_peaks_of_cells_are_their_own(self) -> None:
        """The small cell comes after the large one, and must not show the large one's peak."""
        large, small = scaling.memory_peaks([("cwt", 30_000, 40), ("cwt", 10_000, 10)]).values()
        assert large > 32_768 * 40 * 16, "at least the coefficients themselves"
        assert small < large / 4

    def test_a_child_that_fails_tells_why(self) -> None:
        with pytest.raises(RuntimeError, match="ended with exit code 1"):
            measure.in_child("scaling", "cwt", "1000x30x2")


class TestTransforms:
    SIGMA = transforms.sigma_for(512)
    SERIES = transforms.red_series(512)[0]

    def test_ours_is_pycwts(self) -> None:
        pycwt, ours = (libraries.TRANSFORMS[key].make(self.SIGMA)(self.SERIES) for key in ("pycwt", "ours"))
        np.testing.assert_allclose(ours, pycwt, rtol=0, atol=1e-11)

    @pytest.mark.parametrize(("key", "limit"), [("pywt", 0.2), ("ssq", 1e-6)])
    def test_conventions_match_in_the_middle(self, key: str, limit: float) -> None:
        """Far from the ends and above 16 samples, what is left is the library's own rounding of the wavelet."""
        transform = libraries.TRANSFORMS[key]
        pytest.importorskip(transform.package)
        sigma = np.geomspace(16, 24, 5)
        W, reference = (libraries.TRANSFORMS[name].make(sigma)(self.SERIES) for name in (key, "pycwt"))
        middle = slice(200, 312)
        error = np.linalg.norm((W - reference)[:, middle]) / np.linalg.norm(reference[:, middle])
        assert error < limit

    def test_agreement_measures_gain_and_shift(self) -> None:
        reference = libraries.TRANSFORMS["pycwt"].make(self.SIGMA)(self.SERIES)
        turn = np.exp(-1j * libraries.OMEGA0 / self.SIGMA * 0.25)[:, None]
        found = transforms.agreement(0.5 * turn * reference, reference, self.SIGMA)
        np.testing.assert_allclose(found["gain"], 0.5, atol=1e-9)
        np.testing.assert_allclose(found["shift_samples"], 0.25, atol=1e-9)
        same = transforms.agreement(3 * reference, reference, self.SIGMA)
        assert same["correlation"] == pytest.approx(1)

    def test_precision_follows_the_scale(self) -> None:
        assert libraries.pywt_precision(2) == 12
        assert libraries.pywt_precision(256) == 14


class TestEngines:
    def test_what_is_not_there_says_why(self) -> None:
        assert monte_carlo.why_missing(monte_carlo.Pair("abacus", "exact")) == "this version has no engine abacus"
        assert monte_carlo.why_missing(monte_carlo.Pair("numpy", "rough")) == "this version has no pipeline rough"
        assert monte_carlo.why_missing(monte_carlo.Pair("numpy", "exact")) is None

    def test_worker_counts(self) -> None:
        assert [monte_carlo.worker_counts(cores) for cores in (1, 2, 6, 8)] == [[1], [1, 2], [1, 2, 4, 6], [1, 2, 4, 8]]

    def test_where_the_pool_pays_off(self) -> None:
        rows = [
            {"label": "numpy, exact", "start_s": 0.0, "per_simulation_s": 0.01},
            {"label": "pool, exact", "start_s": 2.0, "per_simulation_s": 0.005},
        ]
        assert monte_carlo.pays_off_s(rows, "exact") == pytest.approx(4.0)  # 400 simulations
        assert monte_carlo.pays_off_s(rows, "fast") is None
        rows[1]["per_simulation_s"] = 0.02
        assert monte_carlo.pays_off_s(rows, "exact") is None

    def test_the_jobs_of_the_decision_are_pycwts_defaults(self) -> None:
        job = decision.job_for(1000)
        assert (job.J + 1, decision.n_scales_for(1000)) == (109, 109)
        assert job.scales[-1] == pytest.approx(1000, rel=0.03)
        for n_samples in (30, 100, 341, 342, 1000, 10_000):
            assert decision.padded_for(n_samples) == decision.job_for(n_samples).n_padded

    def test_thresholds_are_where_the_laws_cross_them(self) -> None:
        law = {"factor": 1e-6, "exponents": [1.0]}
        found = decision.thresholds({"numpy, exact": law, "pycwt": law}, {"exact": 60.0, "fast": None})
        assert found["pool_from"]["fast"] is None

        def seconds(n_samples: int) -> float:
            job = decision.job_for(n_samples)
            return decision.SIMULATIONS * 1e-6 * job.n_padded * (job.J + 1)

        nothing = {"factor": 1e-15, "exponents": [1.0]}
        free = decision.thresholds({"numpy, fast": nothing, "pycwt": nothing}, {})
        assert free["night"]["numpy, fast"] == free["longest_job"] < free["night"]["pycwt"]
        n = found["pool_from"]["exact"]
        assert seconds(n) <= 60 < seconds(round(1.02 * n) + 1)
        decision.job_for(found["longest_job"])
        with pytest.raises(ValueError, match="largest scale"):
            decision.job_for(round(1.02 * found["longest_job"]))

    def test_memory_of_our_engine_is_a_line(self) -> None:
        rows = [
            {"label": "numpy, fast", "n_padded": n, "n_scales": 10, "peak_bytes": 5000 + 16 * 10 * n}
            for n in (64, 1024, 4096)
        ]
        law = decision.memory_laws(rows)["numpy, fast"]
        assert law["start"] == pytest.approx(5000)
        assert law["slope"] == pytest.approx(16)
        assert decision.memory_laws(rows[:2]) == {}


class TestBoard:
    def test_reads_the_counts(self, tmp_path: Path) -> None:
        path = tmp_path / "cost.json"
        job = {"each": {"with_set_up": 2_000_000}, "line": {"with_set_up": 3_000_000}}
        path.write_text(json.dumps({"format": 1, "jobs": {"exact, J = 10": job}}))
        found = board.read(path)
        assert found["rows"] == [{"job": "exact, J = 10", "fewest": 2_000_000, "most": 3_000_000}]

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            (None, "cost.json is not there"),
            ("{", "cost.json is not as expected: JSONDecodeError"),
            ('{"format": 9}', "cost.json has format 9"),
            ('{"format": 1, "jobs": {"a": {}}}', "cost.json is not as expected: KeyError 'each'"),
        ],
    )
    def test_says_why_it_has_none(self, tmp_path: Path, text: str | None, reason: str) -> None:
        path = tmp_path / "cost.json"
        if text is not None:
            path.write_text(text)
        assert board.read(path)["missing"].startswith(reason)
