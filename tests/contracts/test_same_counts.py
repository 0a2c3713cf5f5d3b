"""One job, one table of counts: NumPy, the Lua in this process, the board's Lua here, and the machine of the board.

Jobs of many shapes in the fast pipeline, whose integers leave no room for a difference. The board's own integers have
32 bits, those of the Lua in this process 64; the machine is an emulated rv32i processor without multiplier.
"""

from __future__ import annotations

import hashlib
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import elm11_shim
import pytest
import run_job
from elm11_host_ref.fast import run as fast
from elm11_lua_driver import Job
from elm11_lua_driver.engines import BoardEngine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import rv32
    from elm11_host_ref.types import IntArray


def _job(lag1_x: float, lag1_y: float, J: int, dj: float, **others: Any) -> Job:  # noqa: ANN401
    return Job(**{
        "lag1_x": lag1_x, "lag1_y": lag1_y, "dt": 0.25, "dj": dj, "s0": 0.5, "J": J, "n_simulations": 64, "seed": 11,
        "pipeline": "fast", **others,
    })  # fmt: skip


JOBS: Final = {
    "red": (_job(0.72, 0.72, 10, 1 / 4), range(3)),
    "white": (_job(0.0, 0.0, 8, 1 / 4, surrogates="white", seed=2**64 - 1), range(52, 54)),
    "one red, one blue": (_job(0.95, -0.9, 12, 1 / 4), range(112, 114)),
    "longest memory": (_job(0.998, 0.5, 6, 1 / 4), range(2)),
    "octaves": (_job(0.3, 0.6, 4, 1.0), range(2)),
    "half octaves": (_job(0.3, 0.6, 6, 0.5, s0=0.75), range(2)),
    "twelve to the octave": (_job(0.5, 0.5, 20, 1 / 12, n_bins=100), range(2)),
    "grinsted's box": (_job(0.5, 0.3, 9, 1 / 4, scale_box="grinsted"), range(2)),
    "few bins": (_job(0.5, 0.3, 7, 1 / 4, n_bins=7), range(4)),
    "many bins": (_job(0.5, 0.3, 5, 1 / 4, n_bins=2501), range(2)),
    "two scales": (_job(0.1, 0.2, 1, 1 / 4), range(4)),
    "short parts": (_job(0.72, 0.4, 27, 1 / 4, n_bins=200), range(1)),
}


def _digest(counts: IntArray) -> str:
    return hashlib.sha256(counts.astype("<i8").tobytes()).hexdigest()


@cache
def _by_numpy(name: str) -> str:
    job, simulations = JOBS[name]
    counts = fast.simulate(job, simulations)
    assert (counts.sum(axis=1) == job.expected_counts(simulations)).all()
    assert counts.sum() > 0
    return _digest(counts)


@pytest.mark.parametrize("name", JOBS)
def test_lua_in_this_process(name: str) -> None:
    job, simulations = JOBS[name]
    assert _digest(elm11_shim.LuaSimulator(job, job.pipeline).run(simulations)) == _by_numpy(name)


@pytest.fixture(scope="module")
def board_engine(emblua_path: Path) -> Iterator[BoardEngine]:  # noqa: ARG001  built, that is all
    """A virtual board whose Lua is the board's, with the firmware uploaded once."""
    engine = BoardEngine("virtual://?lua=emblua", tx_delay_s=0)
    yield engine
    engine.close()


@pytest.mark.parametrize("name", [name for name in JOBS if name != "short parts"])
def test_the_boards_lua_here(name: str, board_engine: BoardEngine) -> None:
    job, simulations = JOBS[name]
    run = board_engine.board.start(job, simulations)
    run.wait(stall_s=60.0)
    assert _digest(run.fetch().counts) == _by_numpy(name)


@pytest.mark.parametrize("name", JOBS)
def test_the_machine_of_the_board(name: str, rv32_machine: rv32.Machine) -> None:  # noqa: ARG001  built, that is all
    job, simulations = JOBS[name]
    assert _digest(run_job.run_job(job, simulations, timeout_s=120.0)) == _by_numpy(name)
