"""Runs on a board from the command line: followed, left, found again, stopped."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from board_commands import DEADLINE_S, JOB, JOB_OPTIONS, VIRTUAL, WHAT, done, elm11, failed
from elm11_lua_driver import Board, Job, run, significance
from elm11_lua_driver.board import run_registry
from elm11_lua_driver.board.board import Run
from elm11_lua_driver.jobs import storage

pytestmark = pytest.mark.usefixtures("own_folders")


class TestRun:
    def test_the_counts_are_those_of_the_other_engines(self, loaded: str) -> None:
        result = elm11("run", *JOB_OPTIONS, "--json", "--port", loaded)
        values = json.loads(done(result))
        expected = run(JOB)
        assert values["counts_sha256"] == expected.sha256
        assert (values["engine"], values["complete"], values["simulations_done"]) == ("board", True, 20)
        assert result.stderr.count("run: ") == 10, "one line per tenth"
        stored = storage.load(values["file"])
        assert (stored.sha256, stored.is_complete) == (expected.sha256, True)
        again = elm11("run", *JOB_OPTIONS, "--port", "/dev/none")
        assert "holds 20 of 20 simulations already" in again.stderr, "nothing is computed twice"
        done(again)

    @pytest.mark.parametrize("engine_port", [VIRTUAL])
    def test_the_board_as_an_engine(self, engine_port: str) -> None:
        arguments = ["--engine", "board", "--port", engine_port, "--json"]
        values = json.loads(done(elm11("significance", *JOB_OPTIONS, *arguments)))
        assert values["counts_sha256"] == significance(JOB).histogram.sha256
        rows = [f"{(7 * n) % 5},{(3 * n) % 7}" for n in range(30)]
        Path("both.csv").write_text("x,y\n" + "\n".join(rows) + "\n")
        options = ["--dt", "1", "--dj", "1", "--simulations", "4"]
        by_board = json.loads(done(elm11("coherence", "both.csv", *options, *arguments)))
        by_numpy = json.loads(done(elm11("coherence", "both.csv", *options, "--json")))
        assert by_board["counts_sha256"] == by_numpy["counts_sha256"]

    def test_a_run_that_cannot_be_remembered_goes_on(self, loaded: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(run_registry, "config_folder", lambda: Path("/dev/null"))
        result = elm11("run", *JOB_OPTIONS, "--port", loaded, "--output", "a.npz")
        done(result)
        told = [line for line in result.stderr.splitlines() if "remembered" in line]
        assert len(told) == 1
        assert told[0].startswith("elm11: warning: the run cannot be remembered in /dev/null: Not a directory; elm11 ")
        assert storage.load("a.npz").is_complete

    def test_detach_and_attach(self, server: str) -> None:
        started = json.loads(done(elm11("run", *JOB_OPTIONS, "--detach", "--json", "--port", server)))
        assert (started["first"], started["count"]) == (0, 20)
        status = json.loads(done(elm11("attach", "--status", "--json", "--port", server)))
        assert (status["job_name"], status["count"]) == (JOB.sha256[:16], 20)
        values = json.loads(done(elm11("attach", "--json", "--port", server)))
        assert values["counts_sha256"] == run(JOB).sha256
        assert Path(values["file"]) == Path(started["output"])
        again = elm11("attach", "--port", server)
        assert "has these simulations already" in again.stderr
        done(again)

    def test_a_board_that_holds_more_than_is_asked_for(self, server: str) -> None:
        done(elm11("run", *JOB_OPTIONS, "--detach", "--port", server))
        done(elm11("attach", "--status", "--port", server))
        fewer = elm11("run", *JOB_OPTIONS, "--simulations", "8", "--port", server)
        done(fewer)
        assert "20 simulations, which is more than the 8 that were asked for" in fewer.stderr
        assert "goes on with the rest" not in fewer.stderr

    def test_attach_on_another_computer(self, server: str, tmp_path: Path) -> None:
        done(elm11("run", *JOB_OPTIONS, "--detach", "--port", server))
        for record in (tmp_path / "config" / "runs").iterdir():
            record.unlink()
        assert "give the job with --job FILE" in failed(elm11("attach", "--port", server), 1)
        Path("job.json").write_text(JOB.to_json())
        values = json.loads(done(elm11("attach", "--job", "job.json", "--json", "--port", server)))
        assert values["counts_sha256"] == run(JOB).sha256
        Path("other.json").write_text(Job(0.1, 0.1, 0.25, 0.5, 0.5, 3).to_json())
        assert "the board has job" in failed(elm11("attach", "--job", "other.json", "--port", server), 2)

    def test_results_that_nobody_has_fetched_are_not_overwritten(self, server: str) -> None:
        done(elm11("run", *JOB_OPTIONS, "--detach", "--port", server))
        done(elm11("attach", "--status", "--port", server))
        _wait_until_ended(server)
        other = [*JOB_OPTIONS, "--simulations", "2", "--seed", "9", "--port", server]
        assert "have not been fetched" in failed(elm11("run", *other), 2)
        same = elm11("run", *JOB_OPTIONS, "--port", server)
        assert "which the board had computed before" in same.stderr
        done(same)
        done(elm11("run", *other))

    def test_ctrl_c_stops_the_board(self, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
        genuine, calls = Run.progress, []

        def interrupted(self: Run, wait_s: float = 0.0) -> Any:  # noqa: ANN401
            calls.append(wait_s)
            if len(calls) == 1:
                raise KeyboardInterrupt
            return genuine(self, wait_s)

        monkeypatch.setattr(Run, "progress", interrupted)
        text = failed(elm11("run", *JOB_OPTIONS, "--scales", "8", "--simulations", "2000", "--port", server), 130)
        assert "the board has stopped after" in text
        assert "the same command goes on with the rest" in text
        assert done(elm11("exec", "1", "--port", server)) == "1\n", "its prompt is back"

    def test_ctrl_c_while_a_run_is_being_started(self, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
        genuine = Board.start

        def interrupted(self: Board, *arguments: Any, **options: Any) -> None:  # noqa: ANN401
            genuine(self, *arguments, **options)
            raise KeyboardInterrupt

        monkeypatch.setattr(Board, "start", interrupted)
        text = failed(elm11("run", *WHAT, "--simulations", "100000", "--port", server), 130)
        assert "the board is at its prompt" in text
        assert done(elm11("exec", "1", "--port", server)) == "1\n"

    def test_a_second_ctrl_c_leaves_at_once(self, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
        def interrupted(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(Run, "progress", interrupted)
        monkeypatch.setattr(Run, "cancel", interrupted)
        text = failed(elm11("run", *JOB_OPTIONS, "--port", server), 130)
        assert "left at once; the run on the board may go on" in text

    def test_a_busy_board_and_cancel(self, server: str) -> None:
        long = [*JOB_OPTIONS, "--scales", "8", "--simulations", "100000"]
        done(elm11("run", *long, "--detach", "--port", server))
        assert "of 100000 simulations of job" in done(elm11("detect", "--port", server))
        failed(elm11("list", "--port", server), 10)
        assert "stopped" in done(elm11("cancel", "--port", server))
        assert done(elm11("cancel", "--port", server)) == "nothing was running\n"
        assert "holds no results" in failed(elm11("attach", "--port", VIRTUAL), 1)

    def test_a_file_of_another_job_is_kept(self, loaded: str) -> None:
        done(elm11("run", *JOB_OPTIONS, "--output", "a.json", "--port", loaded))
        other = ["run", *JOB_OPTIONS, "--seed", "2", "--output", "a.json", "--port", loaded]
        assert "another job. Overwrite it" in failed(elm11(*other, answer="n\n"), 1)
        assert storage.load("a.json").job == JOB
        done(elm11(*other, "--yes"))


def _wait_until_ended(port: str) -> None:
    deadline_s = time.monotonic() + DEADLINE_S
    while json.loads(done(elm11("attach", "--status", "--json", "--port", port)))["running"]:
        assert time.monotonic() < deadline_s
