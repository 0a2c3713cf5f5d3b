"""The command line's engines, checkpoints and early stopping."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result
from elm11_lua_driver import EngineError, Job, NumpyEngine, engines, run
from elm11_lua_driver.cli import main
from elm11_lua_driver.jobs import storage

if TYPE_CHECKING:
    from pathlib import Path

    from elm11_lua_driver import Histogram
    from elm11_lua_driver.engines import Progress

LENGTHS = ["--dt", "0.25", "--dj", "0.25", "--s0", "0.5", "--scales", "4"]
OPTIONS = ["--lag1", "0.72", "0.5", *LENGTHS, "--simulations", "200"]
JOB = Job(lag1_x=0.72, lag1_y=0.5, dt=0.25, dj=0.25, s0=0.5, J=4, n_simulations=200)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def elm11(*arguments: str) -> Result:
    return CliRunner().invoke(main.main, arguments)


def values(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def test_a_fleet_of_numpy_and_a_virtual_board() -> None:
    found = values(elm11("significance", *OPTIONS, "--json", "--engine", "fleet", "--fleet", "numpy,board=virtual://"))
    assert (found["engine"], found["counts_sha256"]) == ("fleet", run(JOB).sha256)


def test_auto_starts_no_process_for_this() -> None:
    found = values(elm11("significance", *OPTIONS, "--json", "--engine", "auto", "--workers", "2"))
    assert (found["engine"], found["counts_sha256"]) == ("auto", run(JOB).sha256)
    assert found["precision"]["target_standard_error"] is None


class Failing(NumpyEngine):
    """Computes a hundred simulations, and no more."""

    def simulate(self, job: Job, simulations: range, progress: Progress) -> Histogram:
        if simulations.stop > 100:
            raise EngineError("enough")
        return super().simulate(job, simulations, progress)


def test_what_was_broken_off_is_finished(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(engines, "NumpyEngine", Failing)
        failed = elm11("significance", *OPTIONS, "--level", "0.9", "--checkpoint", "a.npz")
    assert failed.exit_code == 1
    n = storage.load("a.npz").n_simulations
    assert f"a.npz holds {n} of 200 simulations: elm11 resume a.npz continues" in failed.stderr
    assert failed.stderr.endswith("enough\n")
    resumed = elm11("resume", "a.npz", "--json")
    assert f"a.npz holds {n} of 200 simulations\n" in resumed.stderr
    found = values(resumed)
    assert (found["counts_sha256"], found["level"], found["file"]) == (run(JOB).sha256, 0.9, "a.npz")
    assert values(elm11("resume", "a.npz", "--json", "--level", "0.99"))["level"] == 0.99


def test_ctrl_c_tells_what_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(NumpyEngine):
        def simulate(self, job: Job, simulations: range, progress: Progress) -> Histogram:
            del job, simulations, progress
            raise KeyboardInterrupt

    monkeypatch.setattr(engines, "NumpyEngine", Interrupted)
    for more, text in (([], "elm11: interrupted\n"), (["--checkpoint", "a.npz"], "elm11: interrupted; a.npz holds")):
        stopped = elm11("significance", *OPTIONS, *more)
        assert stopped.exit_code == 130
        assert text in stopped.stderr


def test_a_target_is_kept_for_later() -> None:
    target = ["--target-standard-error", "0.03"]
    first = values(elm11("significance", *OPTIONS, "--json", "--checkpoint", "a.json", *target))
    assert first["precision"]["reached"]
    assert first["precision"]["n_simulations"] == first["job"]["n_simulations"] < 200
    again = values(elm11("resume", "a.json", "--json"))
    assert again["precision"] == first["precision"]
    text = elm11("significance", *OPTIONS, *target)
    assert "target 0.03 reached" in text.stdout
    assert (
        "not reached; allow more --simulations"
        in elm11("significance", *OPTIONS, "--target-standard-error", "0.0001").stdout
    )


def test_a_board_stops_early_as_everybody_else() -> None:
    target = ["--target-standard-error", "0.03", "--json"]
    there = values(elm11("significance", *OPTIONS, *target))
    board = ["run", *OPTIONS, *target, "--port", "virtual://", "--upload", "--quiet", "--checkpoint", "b.npz"]
    here = values(elm11(*board))
    assert here["counts_sha256"] == there["counts_sha256"]
    assert here["precision"] == there["precision"]
    assert values(elm11(*board))["counts_sha256"] == here["counts_sha256"]  # no board is asked for that
    assert values(elm11("resume", "b.npz", "--json"))["counts_sha256"] == here["counts_sha256"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--dask-address", "tcp://x:1"], "--dask-address is for --engine dask, not for --engine numpy"),
        (["--workers", "2"], "--workers is for --engine pool and --engine auto"),
        (["--engine", "pool", "--workers", "0"], "0 is not in the range 1<=x<=1024"),
        (["--fleet", "numpy"], "--fleet is for --engine fleet"),
        (["--engine", "fleet", "--fleet", "numpy,abacus"], "--fleet: must be numpy, pool, lua, board=PORT"),
        (["--engine", "fleet", "--fleet", "board"], "--fleet: must be"),
        (["--engine", "fleet", "--port", "virtual://"], "are for --engine board, not for --engine fleet"),
        (["--target-standard-error", "0"], "0.0 is not in the range 0<x<1"),
        (["--checkpoint", "a.txt"], "--checkpoint: a.txt must end with .npz or .json"),
        (["--checkpoint", "nowhere/a.npz"], "--checkpoint: nowhere/a.npz: there is no folder"),
    ],
)
def test_wrong_arguments_are_one_line(options: list[str], message: str) -> None:
    failed = elm11("significance", *OPTIONS, *options)
    assert failed.exit_code == 2
    assert message in failed.stderr
    assert len(failed.stderr.splitlines()) == 1


def test_files_that_cannot_be_finished() -> None:
    for name, message in (("none.npz", "cannot be read"), ("a.txt", "must end with")):
        failed = elm11("resume", name)
        assert (failed.exit_code, message in failed.stderr) == (2, True), failed.stderr
    elm11("significance", *OPTIONS, "--checkpoint", "a.npz")
    other = elm11("significance", *OPTIONS, "--checkpoint", "a.npz", "--seed", "9")
    assert other.exit_code == 2
    assert "a.npz holds another job: seed is 1 there, not 9" in other.stderr


def test_nobody_is_there_to_look_at_the_errors_of_a_detached_run() -> None:
    options = ["--detach", "--target-standard-error", "0.1", "--port", "socket://127.0.0.1:1"]
    failed = elm11("run", *OPTIONS, *options)
    assert (failed.exit_code, "--detach: nobody is there" in failed.stderr) == (2, True)
