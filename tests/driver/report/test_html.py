"""The report page: what it says, that it stands alone, and how a browser takes it."""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
from html import unescape
from typing import TYPE_CHECKING

import numpy as np
import pytest
from chromium import NAMES, Chromium, find_chromium
from click.testing import CliRunner, Result
from elm11_lua_driver import Histogram, Job, NumpyEngine, run, significance
from elm11_lua_driver.cli import main
from elm11_lua_driver.jobs import storage
from elm11_lua_driver.jobs.checkpoint import Checkpoint
from elm11_lua_driver.jobs.histogram import Part
from elm11_lua_driver.jobs.provenance import Provenance, extended, versions
from elm11_lua_driver.jobs.storage import StoppingRule
from elm11_lua_driver.levels.levels import Significance
from elm11_lua_driver.levels.quantiles import quantiles, standard_errors
from elm11_lua_driver.protocol.commands import job_name
from elm11_lua_driver.report.caveats import caveats
from elm11_lua_driver.report.html import report_html
from elm11_lua_driver.report.reproduce import command, python_lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

JOB = Job(0.72, -0.5, 0.25, 0.25, 0.5, 6, n_simulations=128, seed=7)
LEVELS = significance(JOB, 0.9)
HISTOGRAM = LEVELS.histogram
SESSIONS = (Provenance("numpy", 64, 0.032), Provenance("board", 64, 7300.0))


def halved() -> Histogram:
    """Two stretches of the simulations, about half of them."""
    parts = HISTOGRAM.parts
    return Histogram(JOB, [*parts[: len(parts) // 4], *parts[len(parts) // 2 : 3 * len(parts) // 4]])


def as_result(histogram: Histogram, level: float = 0.95) -> Significance:
    counts = histogram.counts
    return Significance(histogram, level, quantiles(counts, level), standard_errors(histogram, level), "numpy", 1.0)


def text_of(page: str) -> str:
    """What a reader sees of the page, blanks joined."""
    body = re.sub(r"<(style|svg)\b.*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main.main, [str(argument) for argument in arguments])


class TestPage:
    def test_it_says_what_was_computed_and_by_whom(self) -> None:
        text = text_of(report_html(HISTOGRAM, level=0.9, sessions=SESSIONS, time_unit="years", source="a.npz"))
        for part in (
            "90 % significance levels of squared wavelet coherence",
            "red noise with lag-1 autocorrelations 0.72 and -0.5",
            "from a.npz",
            f"128 pairs of random series, each series of {JOB.n_samples} samples at intervals of 0.25 years",
            "at 7 scales (periods 0.5165 to 1.461 years, 4 to the octave) with the morlet wavelet",
            "numpy 64 0 s 0.5 ms",
            "board 64 2 h 2 min 2 min",
            f"numpy {versions()['numpy']}",
            HISTOGRAM.sha256,
            JOB.sha256,
            command(JOB, 0.9) or "no command",
        ):
            assert part in text

    def test_the_table_is_the_result(self) -> None:
        page = report_html(HISTOGRAM, level=0.9)
        (table,) = re.findall(r'<table id="levels-by-scale".*?</table>', page, flags=re.DOTALL)
        rows = [re.findall(r"<td[^>]*>([^<]*)</td>", row) for row in table.split("<tr>")[2:]]
        columns = list(zip(*rows, strict=True))
        np.testing.assert_allclose(np.array(columns[0], float), JOB.periods, rtol=1e-3)
        np.testing.assert_allclose(np.array(columns[2], float), LEVELS.significance, atol=5.1e-5)
        np.testing.assert_allclose(np.array(columns[3], float), LEVELS.standard_error, atol=5.1e-5)
        samples = [int(cell.replace(" ", "")) for cell in columns[4]]
        assert samples == HISTOGRAM.counts.sum(axis=1).tolist()

    def test_nothing_from_outside_is_markup(self) -> None:
        evil = "</title><script>alert('&')</script>$title"
        sessions = [Provenance(evil, 128, 1.0, evil, {evil: evil, "elm11-lua-driver": evil})]
        page = report_html(HISTOGRAM, sessions=sessions, time_unit=evil, title=evil, source=evil)
        assert "<script" not in page
        assert text_of(page).count("<script>alert('&')</script>$title") > 8

    def test_it_needs_nothing_from_elsewhere(self) -> None:
        page = report_html(HISTOGRAM, sessions=SESSIONS)
        assert "default-src 'none'" in page
        assert not re.findall(r'(?:src|href)="(?!data:|#)', page)
        assert not re.findall(r"url\((?!#)|@import", page)
        assert len(page) < 400_000

    def test_names_in_the_page_are_unique_and_lead_somewhere(self) -> None:
        page = report_html(HISTOGRAM)
        names = re.findall(r'\bid="([^"]+)"', page)
        assert len(names) == len(set(names))
        used = re.findall(r'(?:url\(#|href="#|aria-labelledby=")([^")]+)', page)
        assert used
        assert set(used) <= set(names)

    def test_the_same_twice(self) -> None:
        assert report_html(HISTOGRAM, sessions=SESSIONS) == report_html(HISTOGRAM, sessions=SESSIONS)

    def test_names_that_are_no_text(self) -> None:
        assert "r?sum?" in report_html(HISTOGRAM, title="r\udce9sum\udce9")

    @pytest.mark.parametrize(
        "job",
        [
            Job(0, 0, 1, 1, 4, 0, n_simulations=2),
            Job(0.5, 0.5, 1, 0.5, 2, 3, n_simulations=1, wavelet="dog", surrogates="white"),
            Job(0.5, 0.5, 1, 0.5, 2, 3, n_simulations=70, scale_box="grinsted", n_bins=10),
        ],
    )
    def test_unusual_jobs(self, job: Job) -> None:
        text = text_of(report_html(run(job)))
        assert ("elm11 significance" in text) == (job.n_bins == 1000)

    def test_an_empty_histogram_is_refused(self) -> None:
        with pytest.raises(ValueError, match="nothing to report yet"):
            report_html(Histogram(JOB, []))

    @pytest.mark.parametrize("level", [0, 1, float("nan")])
    def test_a_level_that_is_none(self, level: float) -> None:
        with pytest.raises(ValueError, match="must lie between 0 and 1"):
            report_html(HISTOGRAM, level=level)


class TestCaveats:
    def told(self, histogram: Histogram, level: float = 0.95, sessions: tuple[Provenance, ...] = ()) -> str:
        return " ".join(
            f"{'!' if caveat.severity == 'severe' else ''}{caveat.what} {caveat.advice}"
            for caveat in caveats(as_result(histogram, level), sessions)
        )

    def test_a_good_result_has_none(self) -> None:
        job = dataclasses.replace(JOB, n_simulations=2048)
        assert self.told(run(job), sessions=(Provenance("numpy", 2048, 1.0),)) == ""

    def test_one_block_has_no_standard_errors(self) -> None:
        block = Histogram(JOB, [Part(0, 128, HISTOGRAM.counts)])
        assert "!There are no standard errors" in self.told(block)
        assert "not known" in text_of(report_html(block))

    def test_few_simulations(self) -> None:
        assert "!128 simulations are too few for a 99 % level" in self.told(HISTOGRAM, 0.99)
        assert "Compute at least 500 simulations." in self.told(HISTOGRAM, 0.99)
        assert "too few" not in self.told(HISTOGRAM, 0.95)

    def test_large_errors_say_how_many_simulations_help(self) -> None:
        few = run(dataclasses.replace(JOB, n_simulations=24))
        errors = as_result(few).standard_error
        wanted = 24 * (errors.max() / 0.01) ** 2
        (number,) = re.findall(r"About (\d+) simulations bring it to 0.01", self.told(few))
        assert int(number) == pytest.approx(wanted, rel=0.06)

    def test_part_of_a_job(self) -> None:
        assert "Only 64 of 128 simulations" in self.told(halved())

    def test_what_a_job_itself_warns_of(self) -> None:
        with pytest.warns(UserWarning, match="s0 = 0.3 is below"):
            job = Job(0.5, 0.5, 0.25, 0.25, 0.3, 4, n_simulations=100)
        assert "!s0 = 0.3 is below" in self.told(run(job))

    def test_white_noise_other_wavelets_other_versions(self) -> None:
        job = dataclasses.replace(JOB, surrogates="white", wavelet="paul")
        old = Provenance("numpy", 128, 1.0, versions={"elm11-lua-driver": "0.0.1"})
        told = self.told(run(job), sessions=(old,))
        for part in ("The noise is white", "smoothing of the paul wavelet", "Version 0.0.1 of this program"):
            assert part in told

    def test_a_level_in_the_last_bin(self) -> None:
        counts = HISTOGRAM.counts
        moved = np.zeros_like(counts)
        moved[:, -1] = counts.sum(axis=1)
        assert "!The level lies in the last bin" in self.told(Histogram(JOB, [Part(0, 128, moved)]))

    def test_the_severe_come_first(self) -> None:
        found = [caveat.severity for caveat in caveats(as_result(halved(), 0.99))]
        assert found == sorted(found, reverse=True)
        assert set(found) == {"severe", "remark"}


class TestReproduction:
    @pytest.mark.parametrize(
        "job",
        [
            dataclasses.replace(JOB, n_simulations=9),
            Job(0, -0.1234567890123, 1 / 3, 1 / 12, 0.7, 5, "paul", 1000, 2**64 - 1, "white", "grinsted", 5),
        ],
    )
    def test_the_command_computes_the_same(self, job: Job, tmp_path: Path) -> None:
        line = command(job, 0.9)
        assert line is not None
        file = tmp_path / "again.npz"
        assert invoke(*shlex.split(line)[1:], "--checkpoint", file).exit_code == 0
        stored = storage.load_run(file)
        assert stored.histogram.job == job
        assert stored.histogram.sha256 == run(job).sha256
        assert stored.rule.level == 0.9

    def test_what_stopped_early_is_told_and_stops_there_again(self, tmp_path: Path) -> None:
        first, again = tmp_path / "first.npz", tmp_path / "again.npz"
        line = command(dataclasses.replace(JOB, n_simulations=5000), 0.9, target_standard_error=0.05)
        assert line is not None
        assert invoke(*shlex.split(line)[1:], "--checkpoint", first).exit_code == 0
        histogram = storage.load(first)
        assert not histogram.is_complete
        assert invoke("report", first).exit_code == 0
        page = first.with_suffix(".html").read_text()
        assert f"It stopped after {histogram.n_simulations} of 5000 simulations." in text_of(page)
        (told,) = re.findall(r"<code>(elm11 significance .*?)</code>", page)
        assert invoke(*shlex.split(unescape(told))[1:], "--checkpoint", again).exit_code == 0
        assert storage.load(again).sha256 == histogram.sha256

    @pytest.mark.parametrize("histogram", [HISTOGRAM, halved()], ids=["whole", "part"])
    def test_the_python_lines_compute_the_same(self, histogram: Histogram, capsys: pytest.CaptureFixture[str]) -> None:
        names: dict[str, Histogram] = {}
        lines = python_lines(histogram, 0.95)
        exec(lines, names)  # noqa: S102  that is what a reader does with them
        assert names["histogram"].sha256 == histogram.sha256
        wrong = lines.replace(histogram.sha256, "0" * 64)
        with pytest.raises(AssertionError):
            exec(wrong, {})  # noqa: S102
        capsys.readouterr()


class TestSessions:
    def test_the_same_engine_goes_on_in_one_session(self) -> None:
        first, second = Provenance("numpy", 10, 1.0), Provenance("numpy", 5, 0.5)
        (joined,) = extended(extended((), first), second)
        assert (joined.n_simulations, joined.seconds) == (15, 1.5)

    @pytest.mark.parametrize(
        "other",
        [
            Provenance("lua", 5, 0.5),
            Provenance("numpy", 5, None),
            Provenance("numpy", 5, 0.5, versions={"Python": "2"}),
        ],
    )
    def test_others_stand_apart(self, other: Provenance) -> None:
        assert len(extended((Provenance("numpy", 10, 1.0),), other)) == 2

    @pytest.mark.parametrize("suffix", [".npz", ".json"])
    def test_files_keep_them(self, tmp_path: Path, suffix: str) -> None:
        path = tmp_path / f"a{suffix}"
        storage.save(HISTOGRAM, path, provenance=SESSIONS)
        assert storage.load_run(path).provenance == SESSIONS
        assert storage.load(path).sha256 == HISTOGRAM.sha256

    @pytest.mark.parametrize("sessions", [None, [{}], [{"engine": "a"}], 3, [{**SESSIONS[0].to_dict(), "seconds": -1}]])
    def test_a_file_without_them_or_with_nonsense_is_still_right(self, tmp_path: Path, sessions: object) -> None:
        path = tmp_path / "a.json"
        storage.save(HISTOGRAM, path)
        document = json.loads(path.read_text())
        document["sessions"] = sessions
        if sessions is None:
            del document["sessions"]
        path.write_text(json.dumps(document))
        assert storage.load_run(path).provenance == ()
        assert "does not say who computed them" in text_of(report_html(storage.load(path)))

    @pytest.mark.parametrize("suffix", [".npz", ".json"])
    def test_files_of_the_first_versions_are_read(self, tmp_path: Path, suffix: str) -> None:
        path = tmp_path / f"a{suffix}"
        storage.save(HISTOGRAM, path, StoppingRule(0.9))
        later = {"level", "target_standard_error", "rule_sha256", "job_sha256", "sessions"}
        if suffix == ".npz":
            with np.load(path) as file:
                arrays = {name: file[name] for name in file if name not in later}
            np.savez(path, allow_pickle=False, **arrays)
        else:
            document = {name: value for name, value in json.loads(path.read_text()).items() if name not in later}
            path.write_text(json.dumps(document))
        stored = storage.load_run(path)
        assert stored.histogram.sha256 == HISTOGRAM.sha256
        assert stored.rule == StoppingRule()
        assert stored.provenance == ()

    def test_a_run_that_goes_on_keeps_both(self, tmp_path: Path) -> None:
        path = tmp_path / "a.npz"
        kept = Checkpoint.open(path, JOB)
        kept.add(NumpyEngine().simulate(JOB, range(64), lambda _: None), "lua", 2.0)
        kept.write()
        run(JOB, "numpy", checkpoint=path)
        first, second = storage.load_run(path).provenance
        assert (first.engine, first.n_simulations, first.seconds) == ("lua", 64, 2.0)
        assert (second.engine, second.n_simulations) == ("numpy", 64)
        assert second.seconds is not None
        assert 0 < second.seconds < 60


class TestCommand:
    @pytest.fixture
    def saved(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.chdir(tmp_path)
        path = tmp_path / "levels.npz"
        storage.save(HISTOGRAM, path, StoppingRule(0.9), SESSIONS)
        return path

    def test_it_writes_the_page_beside_the_result(self, saved: Path) -> None:
        result = invoke("report", saved)
        assert (result.exit_code, result.stdout, result.stderr) == (0, f"{saved.with_suffix('.html')}\n", "")
        page = saved.with_suffix(".html").read_text()
        assert page == report_html(HISTOGRAM, level=0.9, sessions=SESSIONS, source="levels.npz")

    def test_options(self, saved: Path) -> None:
        result = invoke("report", saved, "-o", "b.html", "--level", "0.99", "--time-unit", "years", "--title", "T & T")
        assert result.exit_code == 0, result.output
        page = (saved.parent / "b.html").read_text()
        assert page == report_html(
            HISTOGRAM, level=0.99, sessions=SESSIONS, time_unit="years", title="T & T", source="levels.npz"
        )

    def test_a_board_s_run_can_be_reported(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
        small = ("--dt", "1", "--dj", "1", "--s0", "2", "--scales", "1", "--simulations", "4")
        done = invoke("run", "--lag1", "0", "0", *small, "--port", "virtual://", "--upload", "--plot", "a.png")
        assert done.exit_code == 0, done.output
        name = f"elm11-run-{job_name(Job(0, 0, 1, 1, 2, 1, n_simulations=4))[:8]}"
        assert invoke("report", f"{name}.npz").exit_code == 0
        text = text_of((tmp_path / f"{name}.html").read_text())
        assert "time (board)" in text
        assert "elm11 run --lag1 0.0 0.0" in text
        assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")

    @pytest.mark.parametrize(
        ("arguments", "problem"),
        [
            (["missing.npz"], "missing.npz cannot be read: No such file"),
            (["levels.txt"], "must end with .npz or .json"),
            (["other.json"], "give a file that elm11 run or --checkpoint has written"),
            (["empty.npz"], "holds no simulations yet"),
            (["levels.npz", "-o", "no/folder.html"], "--output: no/folder.html: there is no folder no"),
            (["levels.npz", "-o", "levels.npz"], "--output: levels.npz looks like a histogram's file"),
            (["levels.npz", "--level", "2"], "2.0 is not in the range 0<x<1"),
        ],
    )
    def test_what_goes_wrong_is_one_line(self, saved: Path, arguments: list[str], problem: str) -> None:
        (saved.parent / "other.json").write_text("{}")
        storage.save(Histogram(JOB, []), saved.parent / "empty.npz")
        before = saved.read_bytes()
        result = invoke("report", *arguments)
        assert result.exit_code == 2
        assert result.stdout == ""
        (line,) = result.stderr.splitlines()
        assert problem in line
        assert saved.read_bytes() == before

    def test_levels_are_drawn_where_they_are_printed(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        words = shlex.split(command(dataclasses.replace(JOB, n_simulations=4), 0.9) or "")[1:]
        result = invoke(*words, "--plot", "levels.svg", "--json")
        assert result.exit_code == 0, result.output
        assert json.loads(result.stdout)["plot"] == "levels.svg"
        assert "<svg" in (tmp_path / "levels.svg").read_text()
        for wrong in ("levels.xyz", "no/levels.png"):
            assert invoke(*words, "--plot", wrong).exit_code == 2


class TestInABrowser:
    @pytest.fixture(scope="class")
    @staticmethod
    def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
        program = find_chromium()
        if program is None:
            pytest.skip(f"no Chromium here (looked for {', '.join(NAMES)}); Debian: apt-get install chromium")
        with Chromium(program, tmp_path_factory.mktemp("profile")) as browser:
            yield browser

    @pytest.mark.parametrize("width", [1200, 360])
    def test_it_is_shown_without_complaint(self, browser: Chromium, tmp_path: Path, width: int) -> None:
        path = tmp_path / "page.html"
        path.write_text(report_html(halved(), level=0.99, sessions=SESSIONS, time_unit="years", title="A page"))
        browser.problems.clear()
        browser.requests.clear()
        browser.open(path.as_uri(), width, 800)
        assert browser.problems == []
        assert [url for url in browser.requests if not url.startswith("data:")] == [path.as_uri()]
        assert browser.evaluate("document.title") == "A page"
        assert browser.evaluate("document.documentElement.scrollWidth") == width, "nothing sticks out"
        boxes = browser.evaluate(
            "[...document.querySelectorAll('figure > svg')].map(svg => svg.getBoundingClientRect())"
            ".map(box => [box.left, box.right, box.height])"
        )
        assert len(boxes) == 3
        assert all(0 <= left < right <= width and height > 150 for left, right, height in boxes)
        # Letters of a picture that is as wide as a phone can still be read.
        sizes = browser.evaluate(
            "[...document.querySelectorAll('figure > svg text')].map(text => text.getBoundingClientRect())"
            ".map(box => Math.min(box.width, box.height)).filter(size => size > 0)"
        )
        assert len(sizes) > 30
        assert np.median(sizes) > 7
        assert browser.evaluate("document.querySelectorAll('.caveats .severe').length") >= 1
        # The heat map is an image inside its picture, which the page's own security policy must let through.
        assert browser.evaluate("document.querySelectorAll('#figure-histogram image').length") >= 1

    def test_it_can_be_printed(self, browser: Chromium, tmp_path: Path) -> None:
        path = tmp_path / "page.html"
        path.write_text(report_html(HISTOGRAM, sessions=SESSIONS))
        browser.open(path.as_uri(), 1200, 800)
        browser.print_pdf(tmp_path / "page.pdf")
        data = (tmp_path / "page.pdf").read_bytes()
        assert data.startswith(b"%PDF")
        assert 1 <= len(re.findall(rb"/Type\s*/Page\b", data)) <= 4

    def test_complaints_are_seen(self, browser: Chromium, tmp_path: Path) -> None:
        """The other tests would be worth nothing otherwise."""
        path = tmp_path / "page.html"
        page = report_html(HISTOGRAM).replace(
            "</main>", '<img src="http://127.0.0.1:9/a.png"><pre style="width: 5000px">a</pre></main>'
        )
        path.write_text(page)
        browser.problems.clear()
        browser.open(path.as_uri(), 360, 800)
        assert any("Content Security Policy" in problem for problem in browser.problems)
        assert browser.evaluate("document.documentElement.scrollWidth") > 360
