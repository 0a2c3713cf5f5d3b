"""All cores: equal counts, and processes that are killed, hang, or lose their parent."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import textwrap
import time
from typing import TYPE_CHECKING

import pytest
from elm11_lua_driver import AutoEngine, EngineError, NumpyEngine, PoolEngine, run
from elm11_lua_driver.engines.pool import n_cores
from elm11_lua_driver.jobs import storage
from virtual_bench import J10, SMALL

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from elm11_lua_driver import Histogram, Job
    from elm11_lua_driver.engines import Progress

LONG = dataclasses.replace(J10, n_simulations=3000)
WAIT_S = 60.0

posix = pytest.mark.skipif(os.name != "posix", reason="signals are those of POSIX")


@pytest.fixture(scope="module")
def pool() -> Iterator[PoolEngine]:
    """Two workers, started once for the whole file."""
    engine = PoolEngine(2)
    yield engine
    engine.close()
    assert engine.pids == []


@pytest.mark.parametrize("n_workers", [1, 3])
def test_counts_do_not_depend_on_the_number_of_workers(n_workers: int) -> None:
    engine = PoolEngine(n_workers)
    told: list[tuple[int, int]] = []
    try:
        assert run(LONG, engine, lambda *progress: told.append(progress)).sha256 == run(LONG).sha256
        assert told[-1] == (3000, 3000)
        assert [done for done, _ in told] == sorted(done for done, _ in told)
    finally:
        engine.close()
    with pytest.raises(EngineError, match="has been closed"):
        run(LONG, engine)


def test_two_workers_are_used_again(pool: PoolEngine) -> None:
    assert run(LONG, pool).sha256 == run(LONG).sha256
    pids = pool.pids
    assert pids
    assert run(SMALL, pool).sha256 == run(SMALL).sha256
    assert set(pids) <= set(pool.pids)


@posix
def test_a_worker_that_is_killed_is_replaced(pool: PoolEngine) -> None:
    run(LONG, pool)
    killed: list[int] = []

    def kill_one(_done: int, _wanted: int) -> None:
        if not killed:
            killed.append(pool.pids[0])
            os.kill(killed[0], signal.SIGKILL)

    assert run(LONG, pool, kill_one).sha256 == run(LONG).sha256
    assert killed[0] not in pool.pids
    assert any("was killed by signal SIGKILL" in said for member in pool.members for said in member.errors)


@posix
def test_a_worker_that_hangs_is_replaced(pool: PoolEngine) -> None:
    # So long that more work is handed out after the first is done: a worker that hangs without work does no harm.
    job = dataclasses.replace(LONG, n_simulations=12_000)
    run(job, pool)
    stopped: list[int] = []

    def stop_one(_done: int, _wanted: int) -> None:
        if not stopped:
            stopped.append(pool.pids[0])
            os.kill(stopped[0], signal.SIGSTOP)

    for member in pool.members:
        member.longest_silence_s = 1.0
    try:
        assert run(job, pool, stop_one).sha256 == run(job).sha256
    finally:
        for member in pool.members:
            member.longest_silence_s = 120.0
    assert stopped[0] not in pool.pids


@posix
def test_workers_that_are_killed_again_and_again_are_one_error(pool: PoolEngine) -> None:
    engine = PoolEngine(1)

    def kill_all(_done: int, _wanted: int) -> None:
        for pid in engine.pids:
            os.kill(pid, signal.SIGKILL)

    try:
        with pytest.raises(EngineError, match=r"no engine is left .*SIGKILL"):
            run(dataclasses.replace(J10, n_simulations=100_000), engine, kill_all)
        assert engine.pids == []
    finally:
        engine.close()
    assert run(SMALL, pool).is_complete  # that one's end is no other's


def test_an_error_of_the_program_comes_back_as_it_was(pool: PoolEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("elm11_lua_driver.jobs.job.Job.to_json", lambda _: '{"format":0}')
    with pytest.raises(EngineError, match="not a job of format 1"):
        PoolEngine(1).simulate(SMALL, range(1), lambda _: None)
    for member in pool.members:
        assert not member.is_out


SCRIPT = """
import sys
from elm11_lua_driver import Job, run
job = Job(lag1_x=0.72, lag1_y=0.72, dt=0.25, dj=0.25, s0=0.5, J=10, n_simulations={n})
print(run(job, "pool", checkpoint={checkpoint!r}).sha256)
"""


def test_a_script_needs_no_main_guard(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(SCRIPT.format(n=20, checkpoint=None)))
    done = subprocess.run([sys.executable, str(script)], check=True, capture_output=True, text=True, timeout=WAIT_S)
    assert done.stdout.split() == [run(J10).sha256]


def wait_for(happened: object, what: str) -> None:
    """Wait until a function says yes.

    Raises:
        AssertionError: it did not in time.
    """
    assert callable(happened)
    end_s = time.monotonic() + WAIT_S
    while not happened():
        assert time.monotonic() < end_s, what
        time.sleep(0.01)  # other processes have no event to wait for; this only spares the processor


def is_gone(group: int) -> bool:
    """Whether no process of the group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


@posix
@pytest.mark.parametrize("name", ["SIGINT", "SIGKILL"])  # by name: not every system has both
def test_ctrl_c_or_the_death_of_the_program_leaves_a_checkpoint_and_no_processes(tmp_path: Path, name: str) -> None:
    death = signal.Signals[name]
    checkpoint = tmp_path / "levels.npz"
    options = "--lag1 0.72 0.72 --dt 0.25 --dj 0.25 --s0 0.5 --scales 10 --simulations 1000000 --quiet"
    command = [
        sys.executable,
        "-c",
        "from elm11_lua_driver.cli.main import main; main()",
        "significance",
        *options.split(),
    ]
    command += ["--engine", "pool", "--workers", "2", "--checkpoint", str(checkpoint)]
    program = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    with program:
        wait_for(checkpoint.exists, "no checkpoint was written")
        if death == signal.SIGINT:
            os.killpg(program.pid, death)  # as a terminal does it: everybody in the group
        else:
            program.send_signal(death)
        _, text = program.communicate(timeout=WAIT_S)
    wait_for(lambda: is_gone(program.pid), "processes are left over")
    kept = storage.load(checkpoint)
    assert kept.n_simulations > 0
    assert not kept.is_complete
    if death == signal.SIGINT:
        assert program.returncode == 130
        assert f"interrupted; {checkpoint} holds {kept.n_simulations} of 1000000 simulations: elm11 resume" in text
        assert "Traceback" not in text


class Counting(NumpyEngine):
    """Notes what it is given."""

    def __init__(self) -> None:
        self.given: list[range] = []

    def simulate(self, job: Job, simulations: range, progress: Progress) -> Histogram:
        self.given.append(simulations)
        return super().simulate(job, simulations, progress)


class TestAuto:
    def test_little_work_starts_no_process(self, monkeypatch: pytest.MonkeyPatch) -> None:
        engine = AutoEngine(n_workers=2)
        monkeypatch.setattr(engine, "_numpy", counting := Counting())
        monkeypatch.setattr(PoolEngine, "stream", None)
        assert run(LONG, engine).sha256 == run(LONG).sha256
        assert sum(map(len, counting.given)) == LONG.n_simulations  # the trial's counts are used
        engine.close()

    def test_much_work_goes_to_the_pool(self, tmp_path: Path) -> None:
        engine = AutoEngine(n_workers=2, worth_s=0.0)
        job = dataclasses.replace(LONG, n_simulations=4000)
        try:
            assert run(job, engine).sha256 == run(job).sha256
            assert run(job, engine, checkpoint=tmp_path / "a.npz").sha256 == run(job).sha256
        finally:
            engine.close()

    def test_one_core_needs_no_pool(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(PoolEngine, "stream", None)
        engine = AutoEngine(n_workers=1, worth_s=0.0)
        assert run(LONG, engine).sha256 == run(LONG).sha256


def test_there_is_at_least_one_core() -> None:
    assert n_cores() >= 1
