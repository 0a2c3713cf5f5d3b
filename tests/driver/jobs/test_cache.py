"""Results kept on disk: found again by their job, by nothing else, and never believed when damaged."""

from __future__ import annotations

import dataclasses
import json
import os
import random
import threading
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from click.testing import CliRunner
from elm11_lua_driver import Histogram, Job, run, wct, wct_significance
from elm11_lua_driver.cli import main
from elm11_lua_driver.engines import NumpyEngine, Progress
from elm11_lua_driver.jobs import cache
from elm11_lua_driver.levels.quantiles import quantiles

if TYPE_CHECKING:
    from pathlib import Path

JOB = Job(0.5, 0.3, 0.25, 0.25, 0.5, 3, n_simulations=20)
ARGUMENTS: dict[str, Any] = {"al1": 0.5, "al2": 0.3, "dt": 0.25, "dj": 0.25, "s0": 0.5, "J": 3, "mc_count": 20}


class CountingEngine(NumpyEngine):
    """Says how many simulations it was asked for."""

    asked = 0

    def simulate(self, job: Job, simulations: range, progress: Progress) -> Histogram:
        self.asked += len(simulations)
        return super().simulate(job, simulations, progress)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(cache.FOLDER_VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


class TestWhere:
    def test_in_the_users_cache_folder(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.delenv(cache.FOLDER_VARIABLE)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        assert cache.folder() == tmp_path / "elm11-lua-driver" / "results"
        monkeypatch.delenv("XDG_CACHE_HOME")
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("USERPROFILE", str(tmp_path))
        assert cache.folder() == tmp_path / ".cache" / "elm11-lua-driver" / "results"

    def test_every_parameter_is_part_of_the_name(self) -> None:
        changes: dict[str, Any] = {
            "lag1_x": 0.6,
            "lag1_y": 0.6,
            "dt": 0.5,
            "dj": 0.5,
            "s0": 1.0,
            "J": 4,
            "wavelet": "paul",
            "n_bins": 500,
            "seed": 2,
            "surrogates": "white",
            "scale_box": "grinsted",
            "n_simulations": 21,
        }
        assert set(changes) == {field.name for field in dataclasses.fields(Job)} - {"pipeline"}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            jobs = [JOB, *(dataclasses.replace(JOB, **{name: value}) for name, value in changes.items())]
        paths = {cache.path_of(job, by_board=by_board) for job in jobs for by_board in (False, True)}
        assert len(paths) == 2 * len(jobs)


class TestKept:
    def test_what_is_loaded_is_what_was_saved(self) -> None:
        assert cache.load(JOB) is None
        histogram = run(JOB)
        cache.save(histogram)
        again = cache.load(JOB)
        assert again is not None
        assert (again.sha256, again.ranges, again.job) == (histogram.sha256, histogram.ranges, JOB)
        assert [part.start for part in again.parts] == [part.start for part in histogram.parts]

    def test_numpy_alone_reads_it(self) -> None:
        histogram = run(JOB)
        cache.save(histogram)
        with np.load(cache.path_of(JOB)) as file:
            assert json.loads(str(file["job"]))["lag1_x"] == 0.5
            np.testing.assert_array_equal(file["counts"].sum(axis=0), histogram.counts)
            assert file["start"].tolist() == [part.start for part in histogram.parts]

    def test_a_board_gets_only_what_a_board_has_computed(self) -> None:
        cache.save(run(JOB))
        assert cache.load(JOB, by_board=True) is None

    @pytest.mark.parametrize("damage", ["cut", "empty", "text", "flip", "other job", "part"])
    def test_a_damaged_file_is_told_ignored_and_written_again(self, damage: str) -> None:
        wct_significance(**ARGUMENTS)
        path = cache.path_of(JOB)
        good = path.read_bytes()
        if damage == "other job":
            cache.save(run(dataclasses.replace(JOB, seed=2)))
            path.write_bytes(cache.path_of(dataclasses.replace(JOB, seed=2)).read_bytes())
        elif damage == "part":
            with np.load(path) as file:
                arrays = {name: file[name] for name in file.files}
            arrays["counts"], arrays["start"], arrays["stop"] = (arrays[n][:1] for n in ("counts", "start", "stop"))
            np.savez(path, **arrays)
        else:
            middle = len(good) // 2
            path.write_bytes(
                {
                    "cut": good[:middle],
                    "empty": b"",
                    "text": b"not an archive",
                    "flip": good[:middle] + bytes([good[middle] ^ 0x55]) + good[middle + 1 :],
                }[damage]
            )
        with pytest.warns(UserWarning, match="a cached result is not used, and is computed again"):
            levels = wct_significance(**ARGUMENTS)
        np.testing.assert_array_equal(levels, quantiles(run(JOB).counts, 0.95))
        assert cache.load(JOB) is not None

    def test_no_damage_is_believed_or_raises(self) -> None:
        job = dataclasses.replace(JOB, n_bins=20, n_simulations=4)
        expected = run(job)
        cache.save(expected)
        path, chance = cache.path_of(job), random.Random(1)
        good = path.read_bytes()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for _ in range(200):
                damaged = bytearray(good)
                for _ in range(chance.randint(1, 3)):
                    damaged[chance.randrange(len(good))] ^= 1 << chance.randrange(8)
                if chance.random() < 0.2:
                    del damaged[chance.randrange(len(good)) :]
                path.write_bytes(damaged)
                loaded = cache.load(job)
                assert loaded is None or loaded.sha256 == expected.sha256
                assert len(cache.entries()) == 1

    def test_a_folder_that_cannot_be_written_costs_a_warning(self, folder: Path) -> None:
        folder.write_text("a file where a folder should be")
        with pytest.warns(UserWarning, match=r"cannot be cached: .*; set ELM11_CACHE"):
            assert wct_significance(**ARGUMENTS).shape == (4,)

    def test_threads_may_save_at_once(self) -> None:
        histogram = run(JOB)
        threads = [threading.Thread(target=cache.save, args=(histogram,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert cache.load(JOB) is not None

    def test_beyond_the_limit_the_longest_unused_go(self, monkeypatch: pytest.MonkeyPatch) -> None:
        jobs = [dataclasses.replace(JOB, seed=seed) for seed in range(4)]
        for age, job in enumerate(jobs):
            cache.save(run(job))
            os.utime(cache.path_of(job), (1000 - age, 1000 - age))
        assert cache.load(jobs[3]) is not None  # which counts as use
        monkeypatch.setattr(cache, "MAX_BYTES", int(3.5 * cache.path_of(JOB).stat().st_size))
        cache.save(run(dataclasses.replace(JOB, seed=9)))
        assert [cache.load(job) is not None for job in jobs] == [True, False, False, True]


class TestOfTheDropIns:
    def test_the_second_call_computes_nothing_whatever_the_level(self) -> None:
        engine = CountingEngine()
        first = wct_significance(**ARGUMENTS, backend=engine)
        second = wct_significance(**ARGUMENTS, backend=engine)
        other = wct_significance(**ARGUMENTS, significance_level=0.8, backend=engine)
        assert engine.asked == 20
        np.testing.assert_array_equal(first, second)
        np.testing.assert_array_equal(other, quantiles(run(JOB).counts, 0.8))

    def test_more_simulations_are_another_result(self) -> None:
        engine = CountingEngine()
        wct_significance(**ARGUMENTS, backend=engine)
        wct_significance(**{**ARGUMENTS, "mc_count": 24}, backend=engine)
        assert engine.asked == 44

    def test_without_the_cache_nothing_is_read_or_written(self, folder: Path) -> None:
        engine = CountingEngine()
        for _ in range(2):
            wct_significance(**ARGUMENTS, backend=engine, cache=False)
        assert engine.asked == 40
        assert not folder.exists()

    def test_pycwt_compatible_levels_too(self) -> None:
        first, second = (wct_significance(**ARGUMENTS, pycwt_compatible=True) for _ in range(2))
        assert np.isnan(second[-1])
        np.testing.assert_array_equal(first, second)

    def test_coherence_hands_it_on(self, folder: Path) -> None:
        x, y = np.random.default_rng(3).standard_normal((2, 60))
        wct(x, y, 1.0, 0.5, mc_count=10, cache=False)
        assert not folder.exists()
        wct(x, y, 1.0, 0.5, mc_count=10)
        assert len(files(folder)) == 1

    def test_an_engine_that_fails_leaves_nothing(self, folder: Path) -> None:
        class Failing(NumpyEngine):
            def simulate(self, job: Job, simulations: range, progress: Progress) -> Histogram:
                super().simulate(job, simulations[:8], progress)
                raise ArithmeticError

        with pytest.raises(ArithmeticError):
            wct_significance(**ARGUMENTS, backend=Failing())
        assert files(folder) == []


class TestCommand:
    def invoke(self, *arguments: str, answer: str | None = None) -> tuple[int, str, str]:
        result = CliRunner().invoke(main.main, ["cache", *arguments], input=answer)
        return result.exit_code, result.stdout, result.stderr

    def test_show(self, folder: Path) -> None:
        assert self.invoke("show") == (0, f"0 results, 0.0 MiB, in {folder}\n", "")
        cache.save(run(JOB))
        cache.save(run(JOB), by_board=True)
        cache.path_of(dataclasses.replace(JOB, seed=7)).write_text("damaged")
        code, text, _ = self.invoke("show")
        assert code == 0
        assert "lag-1 0.5 and 0.3, morlet, s0/dt 2, dj 0.25, J 3, 20 simulations, seed 1, exact\n" in text
        assert "exact, by a board\n" in text
        assert "cannot be read: " in text
        assert "\n3 results, " in text
        document = json.loads(self.invoke("show", "--json")[1])
        assert document["folder"] == str(folder)
        assert sorted(str(result["job"] and result["job"]["J"]) for result in document["results"]) == ["3", "3", "None"]

    def test_clear_asks(self) -> None:
        cache.save(run(JOB))
        assert self.invoke("clear", answer="n\n")[0] == 1
        assert self.invoke("clear")[0] == 2
        assert cache.load(JOB) is not None
        assert self.invoke("clear", answer="y\n")[:2] == (0, "1 result deleted\n")
        assert cache.load(JOB) is None

    def test_clear_deletes_nothing_that_is_not_a_result(self, folder: Path) -> None:
        cache.save(run(JOB))
        ours = cache.path_of(JOB)
        unfinished = ours.with_name(f".{ours.name}.123.part")
        others = [folder / "data.npz", folder / "a-b" / "c.npz", ours.with_name("notes.txt")]
        for path in (unfinished, *others):
            path.parent.mkdir(exist_ok=True)
            path.write_text("")
        old_version = folder / "0.0.1-1" / ours.name
        old_version.parent.mkdir()
        old_version.write_bytes(ours.read_bytes())
        assert self.invoke("clear", "--yes")[:2] == (0, "2 results deleted\n")
        assert files(folder) == sorted(others)
        assert not old_version.parent.exists()
