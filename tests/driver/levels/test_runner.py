"""The one way through a run: what an observer sees, what an engine held before, what stays in the checkpoint."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest
from elm11_lua_driver import BoardEngine, EngineError, Histogram, Job, NumpyEngine, run
from elm11_lua_driver.engines.board import AttachedEngine, BoardObserver
from elm11_lua_driver.jobs import storage
from elm11_lua_driver.jobs.checkpoint import Checkpoint
from elm11_lua_driver.levels.runner import Observer
from virtual_bench import SMALL

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from elm11_lua_driver.board.board import Board, Run, RunProgress
    from elm11_lua_driver.protocol.commands import BoardStatus

JOB = dataclasses.replace(SMALL, n_simulations=640, n_bins=1000)


class Notes(Observer, BoardObserver):
    """Notes what happens."""

    def __init__(self) -> None:
        self.heard: list[tuple[Any, ...]] = []

    def started(self, job: Job, finished: int) -> None:
        self.heard.append(("started", job.n_simulations, finished))

    def progressed(self, finished: int, wanted: int) -> None:
        self.heard.append(("progressed", finished, wanted))

    def recovered(self, piece: Histogram) -> None:
        self.heard.append(("recovered", *piece.ranges))

    def piece_finished(self, piece: Histogram) -> None:
        self.heard.append(("piece", *piece.ranges))

    def stopped_early(self, histogram: Histogram) -> None:
        self.heard.append(("stopped early", histogram.n_simulations))

    def overwriting(self, status: BoardStatus) -> None:
        self.heard.append(("overwriting", status.job))

    def block_starting(self, board: Board, block: range) -> None:
        assert board.status() is not None, "its programs are there"
        self.heard.append(("starting", block))

    def block_started(self, run: Run) -> None:
        self.heard.append(("block", run.simulations))

    def heartbeat(self, run: Run, progress: RunProgress) -> None:
        self.heard.append(("heartbeat", run.simulations, progress.done))

    def block_ended(self, run: Run) -> None:
        self.heard.append(("ended", run.simulations))

    def of(self, kind: str) -> list[tuple[Any, ...]]:
        return [heard[1:] for heard in self.heard if heard[0] == kind]


class Holding(NumpyEngine):
    """Holds some simulations from before."""

    def __init__(self, held: range) -> None:
        self.held = held
        self.computed: list[range] = []

    def recover(self, job: Job, is_missing: Callable[[range], bool]) -> Histogram | None:
        return super().simulate(job, self.held, lambda _: None) if is_missing(self.held) else None

    def simulate(self, job: Job, simulations: range, progress: Callable[[int], None]) -> Histogram:
        self.computed.append(simulations)
        return super().simulate(job, simulations, progress)


def test_an_observer_sees_every_piece_once_and_after_it_is_saved(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"

    class Reading(Notes):
        def piece_finished(self, piece: Histogram) -> None:
            super().piece_finished(piece)
            assert set(piece.ranges[0]) <= {i for have in storage.load(path).ranges for i in have}

    notes = Reading()
    histogram = run(JOB, "numpy", notes, checkpoint=path)
    assert notes.heard[0] == ("started", 640, 0)
    assert sorted(i for (piece,) in notes.of("piece") for i in piece) == list(range(640))
    assert notes.of("progressed")[-1] == (640, 640)
    again = Notes()
    assert run(JOB, "numpy", again, checkpoint=path).sha256 == histogram.sha256
    assert again.heard == [("started", 640, 640), ("progressed", 640, 640)]


def test_an_early_stop_is_reported() -> None:
    notes = Notes()
    used = run(JOB, "numpy", notes, target_standard_error=0.02).n_simulations
    assert notes.of("stopped early") == [(used,)]


def test_an_error_of_an_observer_ends_the_run_and_keeps_what_is_finished(tmp_path: Path) -> None:
    class Leaving(Observer):
        def piece_finished(self, piece: Histogram) -> None:
            assert piece.job == JOB
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(JOB, "numpy", Leaving(), checkpoint=tmp_path / "a.npz")
    assert storage.load(tmp_path / "a.npz").n_simulations


def test_what_an_engine_holds_is_not_computed_again(tmp_path: Path) -> None:
    notes, engine = Notes(), Holding(range(64, 128))
    histogram = run(JOB, engine, notes, checkpoint=tmp_path / "a.npz")
    assert histogram.sha256 == run(JOB).sha256
    assert notes.of("recovered") == [(range(64, 128),)]
    assert not {i for piece in engine.computed for i in piece} & set(range(64, 128))
    (first, *_) = storage.load_run(tmp_path / "a.npz").provenance
    assert (first.n_simulations, first.seconds) == (64, None)
    assert run(JOB, Holding(range(64, 128))).sha256 == histogram.sha256


@pytest.mark.parametrize("held", [range(128), range(5, 100)], ids=["is in the file", "cuts groups"])
def test_what_cannot_be_added_is_left(held: range, tmp_path: Path) -> None:
    checkpoint = Checkpoint.open(tmp_path / "a.npz", JOB)
    checkpoint.add(NumpyEngine().simulate(JOB, range(64), lambda _: None), "numpy", 1.0)
    notes = Notes()
    assert run(JOB, Holding(held) if held.start == 0 else Broken(held), notes, checkpoint=checkpoint).is_complete
    assert notes.of("recovered") == []


class Broken(Holding):
    def recover(self, job: Job, is_missing: Callable[[range], bool]) -> Histogram | None:
        assert job == JOB
        assert not is_missing(self.held)
        return None


def test_fetching_only_computes_nothing(tmp_path: Path) -> None:
    engine = Holding(range(64))
    assert run(JOB, engine, checkpoint=tmp_path / "a.npz", fetch_only=True).ranges == (range(64),)
    assert engine.computed == []
    assert run(JOB, "numpy", fetch_only=True).ranges == ()


def test_a_board_is_followed_block_by_block_and_fetched_when_it_is_found_again() -> None:
    notes = Notes()
    engine = BoardEngine(port="virtual://", observer=notes)
    try:
        expected = run(SMALL).sha256
        assert run(SMALL, engine, notes).sha256 == expected
        blocks = [block for (block,) in notes.of("starting")]
        assert [i for block in blocks for i in block] == list(range(SMALL.n_simulations))
        assert [(block,) for block in blocks] == notes.of("block") == notes.of("ended") == notes.of("piece")
        assert {block for block, _ in notes.of("heartbeat")} == set(blocks)
        again = Notes()
        assert run(SMALL, engine, again).sha256 == expected
        assert again.of("recovered") == [(blocks[-1],)], "the last block is still on the board"
        run(dataclasses.replace(SMALL, seed=99), engine, again)
        assert notes.of("overwriting") == [(SMALL.sha256[:16],)]
        attached = AttachedEngine(engine.board.attach(dataclasses.replace(SMALL, seed=99)), notes)
        found = run(dataclasses.replace(SMALL, seed=99), attached, fetch_only=True)
        assert found.ranges == (blocks[-1],)
        with pytest.raises(EngineError, match="this run on the board has no simulations"):
            run(dataclasses.replace(SMALL, seed=99), attached)
    finally:
        engine.close()
