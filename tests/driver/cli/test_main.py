"""The command line: what is printed where, exit codes, and that nothing ends in a traceback."""

from __future__ import annotations

import csv
import errno
import json
import os
import sys
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from elm11_lua_driver import EngineError, Job, LuaError, analysis, engines, significance
from elm11_lua_driver.cli import _job_options, main
from elm11_lua_driver.cli.commands import scripts
from elm11_lua_driver.engines import NumpyEngine, Progress

if TYPE_CHECKING:
    import click
    from elm11_lua_driver import Histogram

STANDARD = ["--dt", "0.25", "--dj", "0.25", "--s0", "0.5", "--scales", "4", "--simulations", "20"]
SIGNIFICANCE = ["significance", "--lag1", "0.72", "0.5", *STANDARD]
N = 60


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with `both.csv` (year, x, y), to work in."""
    monkeypatch.chdir(tmp_path)
    noise = np.random.default_rng(3).standard_normal((3, N))
    x, y = noise[:2] + noise[2]
    rows = [f"{1950 + i},{x[i]:.6f},{y[i]:.6f}" for i in range(N)]
    path = tmp_path / "both.csv"
    path.write_text("\n".join(["year,first,second", *rows]) + "\n")
    return path


def invoke(*arguments: str | Path) -> Result:
    # As a program: exit codes, not exceptions.
    return CliRunner().invoke(main.main, [str(argument) for argument in arguments])


def coherence(data: Path, *arguments: str | Path) -> Result:
    return invoke("coherence", data, "--dj", "1/4", "--simulations", "20", *arguments)


def succeeded(result: Result) -> str:
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    return result.stdout


def one_line(result: Result, exit_code: int = 2) -> str:
    assert result.exit_code == exit_code, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.output
    lines = result.stderr.splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("elm11")
    return lines[0]


class TestHelp:
    @pytest.mark.parametrize("command", [[], ["coherence"], ["significance"], ["demo"]])
    @pytest.mark.parametrize("option", ["--help", "-h"])
    def test_help(self, command: list[str], option: str) -> None:
        assert "Usage:" in succeeded(invoke(*command, option))

    @pytest.mark.parametrize(
        ("program", "words"),
        [
            *((main.main, name) for name in main.COMMANDS if name not in {"cache", "config"}),
            *((main.main, f"{group} {name}") for group, name in (("cache", "show"), ("cache", "clear"))),
            *((main.main, f"config {name}") for name in ("show", "path")),
            (scripts.upload_scripts, ""),
            (scripts.check_scripts, ""),
        ],
    )
    def test_every_help_has_an_example_of_the_command(self, program: click.Command, words: str) -> None:
        text = succeeded(CliRunner().invoke(program, [*words.split(), "--help"]))
        _, _, after = text.partition("\n  Example")
        examples = after.partition("\nOptions:")[0].splitlines()[1:]
        assert any(f"{program.name} {words}".rstrip() in line for line in examples), text

    def test_scales_are_explained(self) -> None:
        text = " ".join(succeeded(invoke("significance", "--help")).split())
        assert "J, the number of scales less one: 20 gives the 21 scales" in text

    def test_version_is_that_of_everything(self) -> None:
        lines = succeeded(invoke("--version")).splitlines()
        assert [line.split()[0] for line in lines] == ["elm11-lua-driver", "Python", "numpy", "pycwt", "lupa"]
        assert all(line.split()[1][0].isdigit() for line in lines)

    def test_no_command_is_help_on_standard_error(self) -> None:
        result = invoke()
        assert (result.exit_code, result.stdout) == (2, "")
        assert "Commands:" in result.stderr


class TestSignificance:
    def test_json_is_that_of_the_library(self) -> None:
        values = json.loads(succeeded(invoke(*SIGNIFICANCE, "--level", "0.9", "--seed", "7", "--json")))
        expected = significance(Job(0.72, 0.5, 0.25, 0.25, 0.5, 4, n_simulations=20, seed=7), 0.9).to_dict()
        assert values.pop("seconds") >= 0
        del expected["seconds"]
        assert values == expected
        assert len(values["significance"]) == 5, "--scales 4 is J = 4: five scales"

    def test_the_counts_of_the_documented_command(self) -> None:
        """Pins the numbers that users are told to compare."""
        arguments = (
            "significance --lag1 0.72 0.72 --dt 0.25 --dj 0.25 --s0 0.5 --scales 20 --simulations 30 --seed 1 "
            "--engine numpy --pipeline exact --level 0.95 --json"
        )
        values = json.loads(succeeded(invoke(*arguments.split())))
        job = Job(0.72, 0.72, 0.25, 0.25, 0.5, 20, n_simulations=30)
        assert values["counts_total"] == 30 * job.n_usable.sum()
        assert values["counts_sha256"] == significance(job).histogram.sha256

    def test_table(self) -> None:
        head, blank, names, *rows, unit = succeeded(invoke(*SIGNIFICANCE)).splitlines()
        assert head.startswith("95 % levels against noise (lag-1 0.72 and 0.5): 20 simulations of 24 samples, seed 1")
        assert (blank, names.split()) == ("", ["period", "scale", "level", "std.", "error"])
        result = significance(Job(0.72, 0.5, 0.25, 0.25, 0.5, 4, n_simulations=20))
        levels = [float(row.split()[2]) for row in rows]
        np.testing.assert_allclose(levels, result.significance, atol=5e-5)
        assert "unit of dt" in unit

    def test_numbers_may_be_fractions_and_negative(self) -> None:
        arguments = [*SIGNIFICANCE, "--lag1", "-1/2", "-.25", "--dt", " 1 / 4", "--dj", "2.5e-1", "--json"]
        job = json.loads(succeeded(invoke(*arguments)))["job"]
        assert (job["lag1_x"], job["lag1_y"], job["dt"], job["dj"]) == (-0.5, -0.25, 0.25, 0.25)

    def test_every_option_reaches_the_job(self) -> None:
        options = ["--wavelet", "Paul", "--surrogates", "white", "--scale-box", "grinsted", "--s0", "1", "--quiet"]
        job = json.loads(succeeded(invoke(*SIGNIFICANCE, *options, "--json")))["job"]
        assert (job["wavelet"], job["surrogates"], job["scale_box"], job["s0"]) == ("paul", "white", "grinsted", 1)

    @pytest.mark.parametrize(
        ("arguments", "parts"),
        [
            (["--lag1", "1", "0"], ["--lag1", "1.0 is not in the range -1<x<1"]),
            (["--lag1", "a", "0"], ["--lag1", "in the range -1<x<1", "'a'"]),
            (["--lag1", "0.9999999", "0"], ["--lag1", "lag1_x", "0.999998"]),
            (["--lag1", "0.5"], ["--lag1", "2 arguments"]),
            (["--dt", "0"], ["--dt", "in the range x>0"]),
            (["--dt", "nan"], ["--dt", "in the range x>0", "'nan'"]),
            (["--dt", "1e999"], ["--dt", "in the range x>0"]),
            (["--dt", "1/0"], ["--dt", "in the range x>0"]),
            (["--dt", ""], ["--dt", "in the range x>0", "''"]),
            (["--dt", "1_0"], ["--dt", "in the range x>0"]),
            (["--dj", "-1"], ["--dj", "in the range x>0"]),
            (["--dj", "1e-300"], ["dj", "at least 0.01"]),
            (["--s0", "1e-9"], ["s0", "at least 0.01 dt"]),
            (["--scales", "-1"], ["--scales", "-1 is not in the range 0<=x<=10000"]),
            (["--scales", "2.5"], ["--scales", "'2.5'", "0<=x<=10000"]),
            (["--scales", "1000"], ["--scales", "J * dj", "699050 dt"]),
            (["--simulations", "0"], ["--simulations", "1<=x<=2147483648"]),
            (["--simulations", "1e3"], ["--simulations", "'1e3'", "1<=x<=2147483648"]),
            (["--seed", "-1"], ["--seed", "in the range 0<=x<=18446744073709551615"]),
            (["--seed", "9" * 40], ["--seed", "in the range 0<=x<=18446744073709551615"]),
            (["--level", "95"], ["--level", "95.0 is not in the range 0<x<1"]),
            (["--engine", "abacus"], ["--engine", "'numpy'", "'lua'"]),
            (["--pipeline", "slow"], ["--pipeline", "'exact'"]),
            (["--wavelet", "haar"], ["--wavelet", "'morlet'", "'mexicanhat'"]),
            (["--surrogates", "pink"], ["--surrogates", "'ar1'", "'white'"]),
            (["--scale-box", "round"], ["--scale-box", "'pycwt'", "'grinsted'"]),
            (["--nonsense"], ["--nonsense"]),
            (["extra"], ["extra"]),
        ],
    )
    def test_each_bad_argument_is_one_line_with_its_range(self, arguments: list[str], parts: list[str]) -> None:
        line = one_line(invoke(*SIGNIFICANCE, *arguments))
        assert all(part in line for part in parts), line

    @pytest.mark.parametrize("option", ["--lag1", "--dt", "--s0", "--scales"])
    def test_missing_options_are_named(self, option: str) -> None:
        at = SIGNIFICANCE.index(option)
        rest = SIGNIFICANCE[:at] + SIGNIFICANCE[at + (3 if option == "--lag1" else 2) :]
        assert option in one_line(invoke(*rest))

    def test_unknown_command(self) -> None:
        assert "'nonsense'" in one_line(invoke("nonsense"))

    def test_what_takes_long_says_so_before_it_begins(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(_job_options, "LONG_S", 0)
        told = invoke(*SIGNIFICANCE).stderr.splitlines()
        assert told[0].startswith("20 simulations of 24 samples will take about ")
        assert "with --pipeline fast" not in told[0]  # which would not be quicker here
        assert "coherence significance: 100 % (20 of 20 simulations)" in told[-1]
        assert succeeded(invoke(*SIGNIFICANCE, "--quiet"))

    def test_the_fast_pipeline_is_named_where_it_is_quicker(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(_job_options, "LONG_S", 0)
        job = Job(0.7, 0.7, dt=1, dj=1 / 12, s0=2, J=187)
        with _job_options.progress("x", "numpy", job, quiet=True):
            assert "with --pipeline fast" in _job_options.time_estimate(job, "numpy")
        assert "with --pipeline fast" not in _job_options.time_estimate(replace(job, pipeline="fast"), "numpy")

    def test_warnings_are_one_plain_line_on_standard_error(self) -> None:
        result = invoke(*SIGNIFICANCE, "--s0", "0.3", "--json")
        assert result.exit_code == 0
        json.loads(result.stdout)
        (line,) = result.stderr.splitlines()
        assert line.startswith("elm11: warning: s0 = 0.3 is below 0.484")


class TestCoherence:
    def test_summary_and_table_without_files(self, data: Path) -> None:
        series, simulated, found, blank, names, *_ = succeeded(coherence(data)).splitlines()
        assert series.startswith("first and second: 60 samples, 1950 to 2009, periods 2 to ")
        assert "20 simulations" in simulated
        assert found.endswith("% of the safe samples are above the level, 5 % would by chance")
        assert blank == ""
        assert "signif." in names

    def test_files(self, data: Path) -> None:
        output = succeeded(coherence(data, "--output", "out.png", "--table", "out.csv", "--time-unit", "years"))
        assert output.splitlines()[-2:] == ["picture: out.png", "table: out.csv"]
        assert Path("out.png").read_bytes().startswith(b"\x89PNG")
        comment, header, *rows = Path("out.csv").read_text().splitlines()
        job = Job.from_json(comment.split("; job ")[1])
        assert next(csv.reader([header]))[0] == "period (years)"
        assert len(rows) == job.J + 1
        assert {path.name for path in data.parent.iterdir()} == {"both.csv", "out.png", "out.csv"}

    def test_files_are_overwritten(self, data: Path) -> None:
        Path("out.csv").write_text("old")
        succeeded(coherence(data, "--table", "out.csv"))
        assert Path("out.csv").read_text().startswith("# elm11-lua-driver")

    def test_dates_give_the_unit_and_the_first_day(self, data: Path) -> None:
        rows = [f"2024-{1 + i // 28:02}-{1 + i % 28:02},{i * i % 7},{i * i % 11}" for i in range(28)]
        data.write_text("\n".join(["day,a,b", *rows]) + "\n")
        assert "28 samples, 0 to 27 days since 2024-01-01" in succeeded(coherence(data))
        result = json.loads(succeeded(coherence(data, "--json", "--output", "picture.svg")))
        assert (result["time_unit"], result["first_day"]) == ("days", "2024-01-01")
        assert "(period and scale: days;" in succeeded(coherence(data))

    def test_json(self, data: Path) -> None:
        values = json.loads(succeeded(coherence(data, "--json", "--table", "out.csv", "--level", "0.9")))
        assert {"job", "significance", "standard_error", "counts_total", "counts_sha256", "engine", "seconds"} <= set(
            values
        )
        assert values["level"] == 0.9
        assert (values["names"], values["n_samples"]) == (["first", "second"], N)
        assert (values["output"], values["table"]) == (None, "out.csv")

    def test_two_files_columns_and_percentiles(self, data: Path) -> None:
        whole = json.loads(succeeded(coherence(data, "--percentiles", "both", "--json")))
        by_columns = json.loads(
            succeeded(
                coherence(data, data, "--columns", "year,first", "--columns", "1,3", "--percentiles", "both", "--json")
            )
        )
        assert whole["counts_sha256"] == by_columns["counts_sha256"]
        assert whole["mean_coherence"] == by_columns["mean_coherence"]
        plain = json.loads(succeeded(coherence(data, "--json")))
        assert whole["mean_coherence"] != plain["mean_coherence"]

    def test_the_lua_engine_gives_the_same_counts(self, data: Path) -> None:
        values = [
            json.loads(succeeded(coherence(data, "--dj", "1", "--simulations", "3", "--engine", engine, "--json")))
            for engine in ("numpy", "lua")
        ]
        assert values[0]["counts_sha256"] == values[1]["counts_sha256"]
        assert [value["engine"] for value in values] == ["numpy", "lua"]

    def test_every_option(self, data: Path) -> None:
        options = (
            "--dt 1 --s0 4 --scales 6 --wavelet dog --seed 5 --scale-box grinsted --pycwt-compatible --quiet "
            "--title T --longest-period 30 --output out.svg --json --names A B"
        )
        values = json.loads(succeeded(coherence(data, *options.split())))
        job = values["job"]
        assert (job["s0"], job["J"], job["wavelet"], job["seed"], job["surrogates"]) == (4, 6, "dog", 5, "white")
        assert values["significance"][-1] is None
        assert values["names"] == ["A", "B"]

    @pytest.mark.parametrize(
        ("arguments", "parts"),
        [
            (["--dt", "-1"], ["--dt", "in the range x>0"]),
            (["--dt", "2"], ["dt = 2", "both.csv"]),
            (["--columns", "a,b"], ["both.csv", "columns", "'a'"]),
            (["--columns", "1,2", "--columns", "1,2"], ["--columns", "2 times"]),
            (["--output", "out.xyz"], ["--output", ".png", "'.xyz'"]),
            (["--output", "no/out.png"], ["--output", "no folder no"]),
            (["--output", "."], ["--output"]),
            (["--table", "."], ["--table", "folder"]),
            (["--table", "both.csv"], ["--table", "overwrite the input"]),
            (["--table", "out.png", "--output", "out.png"], ["--table", "overwrite what --output names"]),
            (["--names", "A"], ["--names", "2 arguments"]),
            (["--percentiles", "z"], ["--percentiles", "'both'"]),
            (["--longest-period", "0"], ["--longest-period", "in the range x>0"]),
            (["--scales", "200"], ["--scales", "J * dj"]),
            (["--s0", "1e7"], ["s0"]),
        ],
    )
    def test_each_bad_argument_is_one_line_and_no_file(
        self, data: Path, arguments: list[str], parts: list[str]
    ) -> None:
        line = one_line(coherence(data, *arguments))
        assert all(part in line for part in parts), line
        assert list(data.parent.iterdir()) == [data]

    def test_bad_outputs_are_found_before_the_computation(self, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(analysis, "analyse", None)  # would fail if it were called
        assert "--output" in one_line(coherence(data, "--output", "no/out.png"))

    def test_faults_of_files_come_with_their_line(self, data: Path) -> None:
        lines = data.read_text().splitlines()
        lines[20] = "1969,NaN,1"
        data.write_text("\n".join(lines))
        assert "both.csv:21: a value is missing ('NaN'); " in one_line(coherence(data))

    @pytest.mark.skipif(sys.platform != "linux", reason="file names are text elsewhere")
    def test_names_of_files_that_are_no_text(self, data: Path) -> None:
        odd = data.rename(os.fsdecode(b"r\xe9sum\xe9.csv"))
        odd.write_text(odd.read_text().split("\n", 1)[1])
        result = coherence(odd, "--output", "out.png", "--table", "out.csv")
        assert "r\\udce9sum\\udce9 column 2" in succeeded(result)
        assert "r?sum? column 2" in Path("out.csv").read_text()

    def test_missing_files(self, data: Path) -> None:
        assert "'X'" in one_line(invoke("coherence"))
        assert "nofile.csv: there is no such file" in one_line(coherence(Path("nofile.csv")))
        assert "nofile.csv: there is no such file" in one_line(coherence(data, "nofile.csv", "--columns", "1,2"))


class TestFailures:
    @pytest.fixture
    def failing(self, monkeypatch: pytest.MonkeyPatch) -> Any:  # noqa: ANN401
        def use(error: BaseException) -> None:
            class Failing(NumpyEngine):
                def simulate(self, job: Job, simulations: range, progress: Progress) -> Histogram:
                    super().simulate(job, simulations[:8], progress)
                    raise error

            monkeypatch.setattr(engines, "NumpyEngine", Failing)

        return use

    @pytest.mark.parametrize(
        ("error", "exit_code", "what"),
        [
            (EngineError("the engine\nfailed"), 1, "elm11: the engine failed"),
            (LuaError("the Lua failed", "m", "t"), 8, "elm11: the Lua failed"),
            (MemoryError(), 1, "elm11: not enough memory"),
            (OSError(errno.ENOSPC, "No space left on device", "out.png"), 1, "elm11: out.png: No space left on device"),
            (KeyboardInterrupt(), 130, "elm11: interrupted"),
        ],
    )
    def test_each_has_its_exit_code_and_one_line(
        self,
        data: Path,
        failing: Any,  # noqa: ANN401
        error: BaseException,
        exit_code: int,
        what: str,
    ) -> None:
        failing(error)
        line = one_line(coherence(data, "--output", "out.png", "--table", "out.csv"), exit_code)
        assert line.startswith(what)
        assert list(data.parent.iterdir()) == [data], "no partial files"

    def test_a_fault_of_the_program_is_not_hidden(self, data: Path, failing: Any) -> None:  # noqa: ANN401
        failing(ZeroDivisionError("a bug"))
        assert isinstance(coherence(data).exception, ZeroDivisionError)

    def test_failures_can_be_had_as_exceptions(self) -> None:
        with pytest.raises(ValueError, match=r"at least 0\.01"):
            main.main([*SIGNIFICANCE, "--dj", "0.001"], standalone_mode=False)


class TestDemo:
    def test_a_short_one(self, tmp_path: Path) -> None:
        folder = tmp_path / "new" / "demo"
        result = invoke("demo", "--output-dir", folder, "--lua-simulations", "1", "--simulations", "10")
        lines = succeeded(result).splitlines()
        assert lines[0].endswith("1851 to 1997, 147 years (Grinsted et al. 2004)")
        hashes = [line.split()[-1] for line in lines if "sha256" in line]
        assert len(hashes) == 2
        assert hashes[0] == hashes[1]
        assert lines[-2:] == [
            f"picture: {folder / 'ao-baltic-coherence.png'}",
            "agreement: Lua and NumPy counts are equal in all 76000 bins",
        ]
        assert {path.name for path in folder.iterdir()} == {"ao-baltic-coherence.png", "ao-baltic-coherence.csv"}

    def test_it_is_the_coherence_command_on_pycwts_files(self, tmp_path: Path) -> None:
        invoke("demo", "--output-dir", tmp_path, "--lua-simulations", "1", "--simulations", "10")
        table = (tmp_path / "ao-baltic-coherence.csv").read_text().splitlines()[1:]
        with resources.as_file(resources.files("pycwt") / "sample") as samples:
            succeeded(
                invoke(
                    *("coherence", samples / "jao.dat", samples / "jbaltic.dat", "--percentiles", "y"),
                    *("--simulations", "10", "--time-unit", "years", "--table", tmp_path / "own.csv"),
                )
            )
        assert (tmp_path / "own.csv").read_text().splitlines()[1:] == table

    @pytest.mark.parametrize(("moved", "exit_code"), [(1, 0), (50, 1)])
    def test_engines_that_differ(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moved: int, exit_code: int
    ) -> None:
        """Rounding may move a sample; more than one in a million (here of 2.4 million) is a failure."""

        class Off(NumpyEngine):
            def simulate(self, job: Job, simulations: range, progress: Progress) -> Histogram:
                histogram = super().simulate(job, simulations, progress)
                counts = histogram.parts[0].counts
                row, place = np.unravel_index(counts.argmax(), counts.shape)
                taken = min(moved, int(counts[row, place]))
                counts[row, place] -= taken
                counts[row, 0] += taken
                return histogram

        monkeypatch.setattr(engines, "LuaEngine", Off)
        result = invoke("demo", "--output-dir", tmp_path, "--lua-simulations", "40", "--simulations", "1")
        assert result.exit_code == exit_code
        if exit_code:
            assert "the engines disagree: 2 of 76000 bins differ" in result.stderr
        else:
            assert result.stdout.splitlines()[-1].startswith(
                "agreement: 1 of 2397120 samples lie in a neighbouring bin"
            )

    def test_a_folder_that_cannot_be(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        assert "--output-dir" in one_line(invoke("demo", "--output-dir", tmp_path / "file"))
        assert "--output-dir" in one_line(invoke("demo", "--output-dir", tmp_path / "file" / "below"))
