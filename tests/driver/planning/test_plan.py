"""What a job will take, against what it takes; and `elm11 plan`."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

import elm11_firmware
import pytest
from click.testing import CliRunner
from elm11_lua_driver import Job, plan_job
from elm11_lua_driver.board import calibration
from elm11_lua_driver.board.calibration import Calibration
from elm11_lua_driver.board.firmware_sync import project_scripts
from elm11_lua_driver.cli.main import main
from elm11_lua_driver.engines import BoardEngine
from elm11_lua_driver.planning import cost as cost_model
from elm11_lua_driver.protocol import commands
from virtual_bench import J10, Bench

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

FAST = Job(0.72, 0.72, dt=0.25, dj=0.25, s0=0.5, J=10, pipeline="fast")
ARGUMENTS = "plan --lag1 0.72 0.72 --dt 0.25 --dj 0.25 --s0 0.5 --scales"


@pytest.fixture(autouse=True)
def _no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "config_folder", lambda: tmp_path)


def calibrate(*hw_ids: str) -> None:
    for hw_id in hw_ids:
        calibration.save(Calibration(hw_id, None, 5e6, "1.0", "2026-01-01T00:00:00"))


def plan(arguments: str) -> Result:
    return CliRunner().invoke(main, f"{ARGUMENTS} {arguments}".split())


class TestPlan:
    @pytest.mark.parametrize(
        "job",
        [
            J10,
            dataclasses.replace(J10, pipeline="fast", n_simulations=40),
            dataclasses.replace(J10, pipeline="fast", n_bins=200, n_simulations=400, J=4),
        ],
    )
    def test_bytes_are_what_crosses_the_wire(self, job: Job) -> None:
        planned = plan_job(job)
        bench = Bench()
        with bench.board:
            engine = BoardEngine(port="none")
            board = bench.open()
            board.handshake()
            engine._board = board
            before = bench.board._bytes_sent
            engine.simulate(job, range(job.n_simulations), lambda _: None)
            down = bench.board._bytes_sent - before
        assert planned.bytes_down == pytest.approx(down, rel=0.4)
        lines = commands.job_lines(job)
        assert planned.bytes_up > planned.runs * sum(map(len, lines))
        assert planned.programs_bytes == sum(len(script.text) for script in project_scripts())

    def test_time_is_instructions_and_wire(self) -> None:
        cost = cost_model.estimate(FAST)
        planned = plan_job(FAST)
        assert planned.instructions == cost
        work = cost.load + cost.total
        wire_s = planned.board_s[0] - work / 15.5e6
        assert planned.board_s[1] == pytest.approx(work / 1.5e6 + wire_s)
        assert wire_s == pytest.approx(planned.bytes_up / 1000 + planned.bytes_down * 10 / 115_200)
        calibrated = plan_job(FAST, 5e6)
        assert calibrated.board_s == pytest.approx((work / 5e6 + wire_s,) * 2)
        assert (planned.is_calibrated, calibrated.is_calibrated) == (False, True)

    def test_a_long_fast_job_needs_more_runs(self) -> None:
        many = dataclasses.replace(FAST, n_simulations=64_000)
        assert plan_job(many).runs >= 64_000 / many.longest_run
        assert plan_job(dataclasses.replace(many, pipeline="exact")).runs <= 16

    def test_memory_may_be_given(self) -> None:
        assert plan_job(FAST).memory.fits
        assert not plan_job(FAST, usable_bytes=400_000).memory.fits


class TestCommand:
    def test_json_has_every_engine(self) -> None:
        result = plan("10 --pipeline fast --simulations 100 --json")
        assert result.exit_code == 0
        document = json.loads(result.stdout)
        job = dataclasses.replace(FAST, n_simulations=100)
        assert Job(**document["job"]) == job
        assert document["job_sha256"] == job.sha256
        board = document["board"]
        assert (board["fits"], board["is_calibrated"], document["calibrated_board"]) == (True, False, None)
        assert board["memory"]["total"] == plan_job(job).memory.total
        assert board["instructions"]["total"] == pytest.approx(cost_model.estimate(job).total)
        assert board["seconds"][0] < board["seconds"][1]
        assert 0 < document["numpy"]["seconds"] < document["lua"]["seconds"] < board["seconds"][0]

    def test_what_does_not_fit_ends_with_exit_code_2_and_the_numbers(self) -> None:
        for extra in ("", "--json"):
            result = plan(f"28 {extra}")
            assert result.exit_code == 2
            total = plan_job(Job(0.72, 0.72, dt=0.25, dj=0.25, s0=0.5, J=28)).memory.total
            assert f"needs {total} bytes" in result.stderr
            assert "largest J that fits" in result.stderr
        assert json.loads(result.stdout)["board"]["fits"] is False

    def test_text_tells_the_range_or_the_calibrated_board(self) -> None:
        text = plan("10 --pipeline fast").stdout
        assert "elm11 calibrate measures it" in text
        assert "pipeline fast" in text
        calibrate("B1")
        assert "on board B1" in plan("10 --pipeline fast").stdout
        calibrate("B1", "B2")
        assert "elm11 calibrate measures it" in plan("10").stdout, "two boards: which is not known"
        assert "on board B2" in plan("10 --hw-id B2").stdout

    def test_wrong_arguments(self) -> None:
        calibrate("B1")
        result = plan("10 --hw-id B9")
        assert result.exit_code == 2
        assert "B9 has not been calibrated (elm11 calibrate); these have: B1" in result.stderr
        result = plan("10 --pipeline fast --wavelet paul")
        assert result.exit_code == 2
        assert "the fast pipeline knows the Morlet wavelet only" in result.stderr
        assert "use pipeline exact" in result.stderr

    def test_the_example_in_the_help_works(self) -> None:
        text = CliRunner().invoke(main, ["plan", "--help"]).stdout
        example = next(line.strip() for line in text.splitlines() if line.strip().startswith("elm11 plan"))
        assert CliRunner().invoke(main, example.split()[1:]).exit_code in (0, 2)


def test_the_programs_of_a_plan_are_those_of_the_manifest() -> None:
    assert plan_job(FAST).programs_bytes == sum(program.stored_size for program in elm11_firmware.programs())
