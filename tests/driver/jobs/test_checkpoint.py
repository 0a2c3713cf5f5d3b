"""Checkpoints: what is finished stays, whoever finishes it, and no file is taken for another's."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
from elm11_lua_driver import BoardEngine, EngineError, Histogram, Job, NumpyEngine, run, significance
from elm11_lua_driver._files import lock
from elm11_lua_driver.jobs import storage
from elm11_lua_driver.jobs.checkpoint import Checkpoint, missing, of_length
from elm11_lua_driver.jobs.histogram import Part
from elm11_lua_driver.jobs.storage import StoppingRule
from hypothesis import given, settings
from hypothesis import strategies as st
from paths import ROOT
from virtual_bench import J10, SMALL

if TYPE_CHECKING:
    from pathlib import Path

    from elm11_lua_driver.engines import Progress

JOB = dataclasses.replace(J10, n_simulations=200)
KILL_TEST = ROOT / "tools" / "attack" / "kill_test.py"


class Failing(NumpyEngine):
    """Computes so many simulations, and then no more."""

    def __init__(self, left: int) -> None:
        self.left = left
        self.given: list[range] = []

    def simulate(self, job: Job, simulations: range, progress: Progress) -> Histogram:
        if len(simulations) > self.left:
            raise EngineError("enough")
        self.left -= len(simulations)
        self.given.append(simulations)
        return super().simulate(job, simulations, progress)


def begin(path: Path, job: Job, n: int) -> None:
    """Leave a checkpoint with at most so many simulations."""
    with pytest.raises(EngineError, match="enough"):
        run(job, Failing(n), checkpoint=path)


def test_another_program_s_job_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "levels.npz"
    ours, theirs = Checkpoint.open(path, SMALL), dataclasses.replace(SMALL, seed=SMALL.seed + 1)
    Checkpoint.open(path, theirs).add(run(theirs), "numpy", 1.0)
    with pytest.raises(ValueError, match="written by another program meanwhile, with another job; give another file"):
        ours.add(run(SMALL), "numpy", 1.0)
    assert storage.load(path).sha256 == run(theirs).sha256


def test_two_programs_of_one_job_both_finish(tmp_path: Path) -> None:
    path = tmp_path / "levels.npz"
    first, second = Checkpoint.open(path, SMALL), Checkpoint.open(path, SMALL)
    for checkpoint in (first, second):
        checkpoint.add(run(SMALL), "numpy", 1.0)
        assert storage.load(path).sha256 == run(SMALL).sha256


@pytest.mark.parametrize("suffix", [".npz", ".json"])
@pytest.mark.parametrize("engine", ["numpy", "lua", "fleet"])
def test_another_engine_goes_on_from_what_is_there(tmp_path: Path, suffix: str, engine: str) -> None:
    path = tmp_path / f"levels{suffix}"
    begin(path, JOB, 100)
    begun = storage.load(path)
    assert 0 < begun.n_simulations <= 100
    told: list[tuple[int, int]] = []
    histogram = run(JOB, engine, lambda *progress: told.append(progress), checkpoint=path)
    assert histogram.sha256 == run(JOB).sha256
    assert told[0] == (begun.n_simulations, 200)
    assert told[-1] == (200, 200)
    assert storage.load(path).is_complete
    assert list(tmp_path.iterdir()) == [path]


def test_a_board_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "levels.npz"
    job = dataclasses.replace(SMALL, n_simulations=150)
    begin(path, job, 40)
    engine = BoardEngine(port="virtual://")
    try:
        assert run(job, engine, checkpoint=path).sha256 == run(job).sha256
    finally:
        engine.close()


def test_a_finished_one_is_not_computed_again(tmp_path: Path) -> None:
    path = tmp_path / "levels.npz"
    run(JOB, checkpoint=path)
    assert run(JOB, Failing(0), checkpoint=path).sha256 == run(JOB).sha256


def test_a_longer_run_goes_on_from_a_shorter_one(tmp_path: Path) -> None:
    path = tmp_path / "levels.npz"
    run(JOB, checkpoint=path)
    longer = dataclasses.replace(JOB, n_simulations=1000)
    engine = Failing(800)
    assert longer.group_size > JOB.group_size
    assert run(longer, engine, checkpoint=path).sha256 == run(longer).sha256
    assert engine.given[0].start == 200


@pytest.mark.parametrize("is_finished", [True, False])
def test_a_shorter_run_takes_what_it_needs_and_leaves_the_rest(tmp_path: Path, is_finished: bool) -> None:  # noqa: FBT001
    path = tmp_path / "levels.npz"
    longer = dataclasses.replace(JOB, n_simulations=1000)
    if is_finished:
        run(longer, checkpoint=path)
    else:
        begin(path, longer, 150)
    before = storage.load(path)
    assert run(JOB, checkpoint=path).sha256 == run(JOB).sha256
    after = storage.load(path)
    assert after.job == longer
    assert after.n_simulations >= max(before.n_simulations, 192)
    assert run(longer, checkpoint=path).sha256 == run(longer).sha256


def test_another_experiment_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "levels.npz"
    run(SMALL, checkpoint=path)
    content = path.read_bytes()
    with pytest.raises(ValueError, match=r"holds another job: .*seed is 1 there, not 2; give another file"):
        run(dataclasses.replace(SMALL, seed=2), checkpoint=path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("name", ["levels.txt", "nowhere/levels.npz"])
def test_a_file_that_cannot_be_written_is_told_before_anything_is_computed(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r"must end with|no folder"):
        run(SMALL, Failing(0), checkpoint=tmp_path / name)


@pytest.mark.parametrize("suffix", [".npz", ".json"])
def test_damage_is_noticed(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"levels{suffix}"
    run(SMALL, checkpoint=path)
    content = path.read_bytes()
    for position in range(20, len(content), len(content) // 40):
        path.write_bytes(content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :])
        try:
            found = storage.load(path)
        except ValueError:
            continue
        assert (found.job, found.sha256) == (SMALL, run(SMALL).sha256)  # a byte that says nothing, such as a date
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match="holds no histogram"):
        run(SMALL, checkpoint=path)


def test_it_is_read_with_numpy_alone(tmp_path: Path) -> None:
    path = tmp_path / "levels.npz"
    run(JOB, checkpoint=path)
    with np.load(path) as file:
        assert Job.from_json(str(file["job"])) == JOB
        assert str(file["job_sha256"]) == JOB.sha256
        assert (file["counts"].sum(axis=0, dtype=np.int64) == run(JOB).counts).all()
        assert (file["stop"] - file["start"]).sum() == 200


def test_left_overs_of_killed_processes_are_taken_away(tmp_path: Path) -> None:
    old, new, other = (tmp_path / name for name in (".a.npz.1.part", ".a.npz.2.part", ".b.npz.1.part"))
    for path in (old, new, other):
        path.touch()
    os.utime(old, (time.time() - 1000,) * 2)
    os.utime(other, (time.time() - 1000,) * 2)
    Checkpoint.open(tmp_path / "a.npz", SMALL)
    assert sorted(tmp_path.iterdir()) == [new, other]


def test_what_it_is_for_is_kept(tmp_path: Path) -> None:
    for name in ("a.npz", "a.json"):
        significance(SMALL, 0.9, checkpoint=tmp_path / name, target_standard_error=0.5)
        assert storage.load_run(tmp_path / name).rule == StoppingRule(0.9, 0.5)
        significance(SMALL, 0.9, checkpoint=tmp_path / f"all-{name}")
        assert storage.load_run(tmp_path / f"all-{name}").rule == StoppingRule(0.9, None)


@given(st.lists(st.integers(1, 2000), min_size=2, max_size=2), st.data())
def test_what_fits_another_length_is_taken_over_as_it_is(lengths: list[int], data: st.DataObject) -> None:
    before, after = (dataclasses.replace(SMALL, n_simulations=n, n_bins=2, J=0) for n in lengths)
    size = before.group_size
    starts = data.draw(st.sets(st.sampled_from(range(0, before.n_simulations, size))))
    parts = [
        Part(start, stop, np.array([[(stop - start) * int(before.n_usable[0]), 0]], np.int64))
        for start in starts
        for stop in [min(start + size, before.n_simulations)]
    ]
    taken = of_length(Histogram(before, parts), after)
    fitting = [part for part in parts if part.stop <= after.n_simulations]
    assert taken.n_simulations == sum(part.stop - part.start for part in fitting)  # none is lost that could be kept
    left = [i for gap in missing(taken) for i in gap]
    assert sorted(left + [i for have in taken.ranges for i in have]) == list(range(after.n_simulations))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the tool forks")
def test_ten_kills_at_random_moments_lose_and_double_nothing() -> None:
    done = subprocess.run(
        [sys.executable, str(KILL_TEST), "--kills", "10", "--seed", "3"],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "all counts equal" in done.stdout


TINY = dataclasses.replace(SMALL, n_bins=2, J=0)


def counted(job: Job, start: int, stop: int) -> Histogram:
    """As an engine would return it, without computing."""
    return Histogram(job, [Part(start, stop, np.array([[(stop - start) * int(job.n_usable[0]), 0]], np.int64))])


def works(job: Job) -> list[Histogram]:
    """The pieces of a job, one for each group."""
    size, n = job.group_size, job.n_simulations
    return [counted(job, start, min(start + size, n)) for start in range(0, n, size)]


@settings(max_examples=25, deadline=None)
@given(
    lengths=st.lists(st.sampled_from([60, 150, 2000, 4000]), min_size=2, max_size=4),
    suffix=st.sampled_from([".npz", ".json"]),
    data=st.data(),
)
def test_however_several_writers_take_turns_the_file_never_holds_less(
    lengths: list[int], suffix: str, data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / f"a{suffix}"
        jobs = [dataclasses.replace(TINY, n_simulations=n) for n in lengths]
        writers: list[tuple[Checkpoint, list[Histogram]] | None] = [None for _ in jobs]
        before, longest = 0, 0
        for _ in range(data.draw(st.integers(5, 60))):
            i = data.draw(st.integers(0, len(jobs) - 1))
            writer = writers[i]
            if writer is None:  # begins, or begins again after it was killed
                checkpoint = Checkpoint.open(path, jobs[i])
                have = checkpoint.histogram.ranges
                left = [
                    work
                    for work in works(jobs[i])
                    if not any(part.start < one.stop and one.start < part.stop for part in work.parts for one in have)
                ]
                writers[i] = (checkpoint, left)
            elif data.draw(st.integers(0, 9)) == 0:
                writers[i] = None
            elif writer[1]:
                writer[0].add(writer[1].pop(data.draw(st.integers(0, len(writer[1]) - 1))), "numpy", 1.0)
                found = storage.load_run(path)
                now, longest = found.histogram.n_simulations, max(longest, jobs[i].n_simulations)
                assert now >= before
                assert now >= writer[0].histogram.n_simulations
                assert found.histogram.job.n_simulations == longest
                assert sum(entry.n_simulations for entry in found.provenance) == now
                before = now


def test_parts_that_do_not_fit_a_longer_run_are_not_lost(tmp_path: Path) -> None:
    # As a board leaves them: one part of several groups, which cut those of the longer run.
    path, short, long = tmp_path / "a.npz", *(dataclasses.replace(TINY, n_simulations=n) for n in (150, 4000))
    Checkpoint.open(path, short).add(counted(short, 4, 8), "board", 1.0)
    Checkpoint.open(path, short).add(counted(short, 60, 150), "board", 1.0)
    longer = Checkpoint.open(path, long)
    for work, expected in ((counted(long, 8, 64), 94), (counted(long, 64, 128), 124)):
        longer.add(work, "numpy", 1.0)
        assert storage.load(path).n_simulations >= expected


WRITER = """
import dataclasses, sys
from elm11_lua_driver.jobs.checkpoint import Checkpoint, missing
sys.path.insert(0, {tests!r}); sys.path.insert(0, {support!r})
from test_checkpoint import TINY, counted
job = dataclasses.replace(TINY, n_simulations=int(sys.argv[1]))
checkpoint = Checkpoint.open("a.npz", job)
print("open", flush=True)
while missing(checkpoint.histogram):
    gap = missing(checkpoint.histogram)[0]
    stop = min(gap.start - gap.start % job.group_size + job.group_size, gap.stop)
    checkpoint.add(counted(job, gap.start, stop), "numpy", 0.1)
"""


@pytest.mark.skipif(os.name != "posix", reason="signals are those of POSIX")
def test_three_programs_at_once_of_which_one_is_killed(tmp_path: Path) -> None:
    code = WRITER.format(tests=str(ROOT / "tests/driver/jobs"), support=str(ROOT / "tests/support"))
    programs = [
        subprocess.Popen([sys.executable, "-c", code, str(n)], cwd=tmp_path, stdout=subprocess.PIPE)
        for n in (1500, 4000, 2000)
    ]
    path, before = tmp_path / "a.npz", 0
    for program in programs:
        assert program.stdout is not None
        assert program.stdout.readline() == b"open\n"
    killed = False
    while any(program.poll() is None for program in programs):
        now = storage.load(path).n_simulations if path.exists() else 0
        assert now >= before
        before = now
        if now > 500 and not killed:
            programs[2].kill()
            killed = True
    for program in programs:
        assert program.stdout is not None
        program.stdout.close()
    assert [program.wait() for program in programs[:2]] == [0, 0]
    assert storage.load(path).is_complete
    assert storage.load(path).n_simulations == 4000


def test_a_lock_that_another_holds_for_long_is_one_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.npz"
    checkpoint = Checkpoint.open(path, TINY)
    with lock.locked(path), monkeypatch.context() as patched:
        patched.setattr(lock.locked.__wrapped__, "__defaults__", (0.05,))  # type: ignore[attr-defined]
        with pytest.raises(OSError, match="another program has locked it"):
            checkpoint.add(works(TINY)[0], "numpy", 1.0)
    checkpoint.write()
    assert storage.load(path).n_simulations > 0
    assert list(tmp_path.iterdir()) == [path]


def test_a_clock_an_hour_ahead_deletes_no_file_that_is_being_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, part = tmp_path / "a.npz", tmp_path / ".a.npz.1.part"
    now_s = time.time()
    with lock.locked(path):
        part.touch()
        monkeypatch.setattr(time, "time", lambda: now_s + 3600)
        Checkpoint.open(path, TINY)
        assert part.exists()
    Checkpoint.open(path, TINY)
    assert not part.exists()
