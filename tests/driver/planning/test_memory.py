"""The memory that a job needs on the board, against the heap of the board's Lua on this computer."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest
from elm11_lua_driver import Job, plan_job
from elm11_lua_driver.planning.deadlines import RunBudget
from elm11_lua_driver.planning.memory import UNIT_BYTES, USABLE_BYTES, plan, programs_bytes
from elm11_lua_driver.protocol.commands import HELLO_LINE, LOAD_LINE, job_lines, send_line, start_line
from elm11_shim.board_lua_emblua import EmbluaBoardLua
from virtual_bench import Bench

if TYPE_CHECKING:
    from pathlib import Path

FIT = "run tools/cost/fit_model.py and commit cost_model.json"
MAIN: dict[str, Any] = {"lag1_x": 0.72, "lag1_y": 0.72, "dt": 0.25, "dj": 0.25, "s0": 0.5, "n_simulations": 300}


@pytest.mark.parametrize(
    "changes",
    [
        {"J": 0},
        {"J": 4},
        {"J": 10},
        {"J": 16},
        {"J": 20},
        {"J": 6, "n_bins": 3000},
        {"J": 8, "wavelet": "paul"},
        {"J": 10, "scale_box": "grinsted"},
        {"J": 1, "s0": 40.0, "n_bins": 100, "dj": 0.6},
        {"J": 0, "pipeline": "fast"},
        {"J": 10, "pipeline": "fast"},
        {"J": 14, "pipeline": "fast", "n_bins": 500, "lag1_y": -0.2},
        {"J": 17, "pipeline": "fast", "n_bins": 500, "lag1_y": -0.2},
        {"J": 18, "pipeline": "fast", "dj": 1 / 8, "scale_box": "grinsted"},
        {"J": 10, "pipeline": "fast", "dj": 1 / 12},
        {"J": 16, "pipeline": "fast", "dj": 1 / 10},
        {"J": 28, "pipeline": "fast"},
        {"J": 32, "pipeline": "fast", "lag1_x": 0.5, "lag1_y": 0.3},
        {"J": 40, "pipeline": "fast", "dj": 1 / 12},
    ],
)
def test_the_plan_is_what_the_heap_shows(emblua_path: Path, changes: dict[str, Any]) -> None:
    """The fast pipeline's plan is too large by up to 6 %: what is not collected when depends on what was before.

    The exact one's by 9 KiB; the last is for other releases of Lua 5.4, whose heaps differ by some hundred bytes.
    """
    job = Job(**{**MAIN, **changes})
    bench = Bench(lua=EmbluaBoardLua(emblua_path))
    with bench.board as board:
        board.read_until_idle(5.0)
        for line in [LOAD_LINE, HELLO_LINE]:
            board.write(line.encode() + b"\n")
            board.read_until_idle(30.0)
        programs = board._lua.heap(reset_peak=True).units_used * UNIT_BYTES
        # As many signs of life as a long run gives, and the results twice: nothing that they leave behind may add up.
        simulations = range(job.n_simulations if job.pipeline == "fast" else 1)
        budget = RunBudget.of(job, len(simulations))
        start = start_line(simulations, budget.progress_interval, budget.heartbeat_interval)
        for line in [*job_lines(job), start, send_line(0, -1), send_line(0, -1)]:
            board.write(line.encode() + b"\n")
            board.read_until_idle(30.0)
        assert not board.stopped
        peak = board._lua.heap().units_peak * UNIT_BYTES
    planned = plan(job)
    assert programs <= programs_bytes("fast", "planning"), f"they have changed: {FIT}"
    most = peak * 1.06 if job.pipeline == "fast" else peak + 9216
    least = programs_bytes("fast", "planning") + 1.5 * planned.tables  # what planning may need, whatever it does need
    assert peak <= planned.total <= max(most, least), FIT


@pytest.mark.parametrize("changes", [{"J": 28}, {"J": 60, "dj": 1 / 12}, {"J": 16, "n_bins": 2500}])
def test_a_fast_job_that_does_not_fit_is_refused_with_the_largest_that_does(changes: dict[str, Any]) -> None:
    job = Job(**{**MAIN, **changes}, pipeline="fast")
    planned = plan(job, 650_000)
    with pytest.raises(ValueError, match=rf"needs {planned.total} bytes .* largest J that fits is {planned.largest_J}"):
        planned.check()
    assert planned.largest_J is not None
    assert plan(dataclasses.replace(job, J=planned.largest_J), 650_000).fits
    assert not plan(dataclasses.replace(job, J=planned.largest_J + 1), 650_000).fits
    assert plan(job, planned.total).fits
    assert plan(job, programs_bytes("fast")).largest_J is None


def test_a_job_that_does_not_fit_is_refused_with_the_numbers() -> None:
    planned = plan(Job(**MAIN, J=20))
    assert not planned.fits
    with pytest.raises(
        ValueError, match=rf"needs {planned.total} bytes .* the largest J that fits is {planned.largest_J}"
    ):
        planned.check()
    assert planned.largest_J is not None
    assert plan(Job(**MAIN, J=planned.largest_J)).fits
    assert not plan(Job(**MAIN, J=planned.largest_J + 1)).fits
    plan(Job(**MAIN, J=20), usable=950_000).check()
    hopeless = plan(Job(**MAIN, J=0), usable=1000)
    with pytest.raises(ValueError, match="no J fits"):
        hopeless.check()
    assert USABLE_BYTES < 1 << 20


@pytest.mark.parametrize(("dj", "largest"), [(1 / 4, 32), (1 / 12, 40)])
def test_the_largest_fast_jobs(dj: float, largest: int) -> None:
    """With unequal lags, which take more; what the pages say."""
    job = Job(**{**MAIN, "lag1_x": 0.5, "lag1_y": 0.3, "dj": dj}, J=largest, pipeline="fast")
    plan_job(job).memory.check()
    with pytest.raises(ValueError, match=rf"and 1000000 can be used; the largest J that fits is {largest}"):
        plan_job(dataclasses.replace(job, J=largest + 1)).memory.check()
