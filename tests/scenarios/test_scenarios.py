"""What a user does, from detection to results, over every kind of port and with everything that goes wrong."""

from __future__ import annotations

import contextlib
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from elm11_lua_driver import Job
from elm11_lua_driver.board import firmware_sync
from elm11_lua_driver.board.board import Board
from elm11_lua_driver.board.detect import BoardState, detect_boards
from elm11_lua_driver.errors import (
    BoardNotFoundError,
    BoardRebootedError,
    BoardTimeoutError,
    Elm11Error,
    EngineError,
    UnpluggedError,
)
from elm11_lua_driver.levels.runner import run
from elm11_lua_driver.protocol.upload import UploadSettings
from elm11_lua_driver.transport.open import open_transport
from elm11_shim import VirtualBoard
from elm11_shim.board_server import serve_pty, serve_tcp
from elm11_shim.program_store import ProgramStore
from virtual_bench import J10, Bench, LastingTransport, LumpTransport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from elm11_lua_driver.transport.base import Transport

# So many simulations that no board is through before it is stopped.
ENDLESS = Job(lag1_x=0.72, lag1_y=0.72, dt=0.25, dj=0.25, s0=0.5, J=10, n_simulations=64_000)


@pytest.fixture(scope="module")
def expected() -> str:
    """SHA-256 of the counts of `J10`."""
    return run(J10, "lua").sha256


def compute(open_board: Callable[[], Board], expected: str, *, damaged: bool = False) -> None:
    """Upload, check, run, follow, fetch, cancel, go away, attach. `damaged`: the line damages what crosses it."""
    with open_board() as board:
        report = firmware_sync.upload(board)
        assert set(report.uploaded) | set(report.skipped) == {script.name for script in firmware_sync.project_scripts()}
        assert firmware_sync.check(board).ok
        following = board.start(J10)
        seen = []
        final = following.wait(on_progress=lambda progress: seen.append(progress.done))
        assert final.complete
        assert final.usable
        assert seen == sorted(seen)
        assert following.fetch().sha256 == expected
        assert following.fetch().sha256 == expected, "results stay on the board"
    with open_board() as board:
        # Another connection finds the results, then stops a run and starts again.
        assert board.attach(J10).fetch().sha256 == expected
        endless = board.start(ENDLESS, range(64_000))
        assert endless.running
    with open_board() as board:
        endless = board.attach(ENDLESS)
        assert endless.running
        stopped = endless.cancel()
        assert not stopped.running
        assert not stopped.complete
        assert board.status() is not None, "the prompt is back, and answers in a frame"
        # Plain text has no CRC: on a damaged line it may be wrong, on any other it must not.
        assert damaged or board.execute("1+1") == "2"
        again = board.start(J10)
        again.wait()
        assert again.fetch().sha256 == expected


# ---- ports ------------------------------------------------------------------------------------------------------


def quick(transport: Transport) -> Board:
    """A board whose flash takes no time."""
    return Board(transport, upload_settings=UploadSettings(page_wait_s=0.0, quiet_s=0.05))


def test_in_memory(expected: str) -> None:
    bench = Bench(with_programs=False)
    compute(bench.open, expected)


@contextmanager
def served(kind: str) -> Iterator[str]:
    # Most programs are there: uploading all of them is for the board in memory, whose waits are skipped.
    store = ProgramStore()
    for script in firmware_sync.project_scripts():
        if script.name not in {"fast_plan.lua", "run.lua"}:
            store.create(script.name)
            store.append(script.name, script.text.encode("ascii"))
    with VirtualBoard(store=store) as board:
        board.read_until_idle(5.0)
        if kind == "pty":
            pytest.importorskip("pty", reason="this system has no ptys")
        with serve_pty(board) if kind == "pty" else serve_tcp(board) as server:
            yield server.address


@pytest.mark.parametrize("kind", ["pty", "socket"])
def test_through_the_system(kind: str, expected: str) -> None:
    with served(kind) as address:
        found, _ = detect_boards(address)
        assert [one.state for one in found] == [BoardState.READY]
        compute(lambda: quick(open_transport(address, tx_delay_s=0.0)), expected)


@pytest.mark.device
def test_on_a_real_board(expected: str) -> None:
    port = os.environ.get("ELM11_TEST_PORT")
    if not port:
        pytest.skip("no board: ELM11_TEST_PORT does not name its port")
    found, _ = detect_boards(port)
    assert found[0].is_board
    compute(lambda: Board.open(port), expected)


# ---- faults -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "faults",
    ["split", "split=3", "log=0.3", "delay=0.02:0.3", "damage=0.05,log=0.1,split=7", "lose=0.0003,flip=0.0003"],
)
def test_small_faults_change_nothing(faults: str, expected: str) -> None:
    bench = Bench(faults, seed=1)
    with bench.open() as board:
        following = board.start(J10)
        following.wait()
        assert following.fetch().sha256 == expected
    with bench.open() as board:
        assert board.attach(J10).fetch().sha256 == expected


@pytest.mark.parametrize("seed", range(6))
def test_a_fifth_of_all_lines_damaged(seed: int, expected: str) -> None:
    bench = Bench("damage=0.2", seed)
    with bench.open() as board:
        following = board.start(J10)
        assert following.wait().complete
        assert following.fetch().sha256 == expected
    with bench.open() as board:
        assert board.attach(J10).fetch().sha256 == expected


def test_uploading_while_a_fifth_of_all_lines_is_damaged(expected: str) -> None:
    bench = Bench("damage=0.2", seed=3, with_programs=False)
    compute(bench.open, expected, damaged=True)


def test_everything_in_one_lump(expected: str) -> None:
    bench = Bench()
    with bench.open(LumpTransport) as board:
        following = board.start(J10)
        following.wait()
        assert following.fetch().sha256 == expected


def test_a_stall_is_waited_for_or_reported(expected: str) -> None:
    bench = Bench()
    with bench.open() as board:
        following = board.start(J10)
        bench.strike("stall@:20", after=200)
        following.wait()
        assert following.fetch().sha256 == expected
        following = board.start(J10)
        bench.board._stalled = False
        bench.strike("stall@:1000", after=200)
        before_s = bench.clock()
        with pytest.raises(BoardTimeoutError, match="stalled") as caught:
            following.wait(stall_s=60.0)
        assert bench.clock() - before_s < 120.0
        assert caught.value.state
        assert caught.value.next_step
        assert following.wait(stall_s=2000.0).complete, "the run itself has not suffered"
        assert following.fetch().sha256 == expected


def test_a_reboot_in_mid_run_is_told(expected: str) -> None:
    bench = Bench()
    with bench.open() as board:
        following = board.start(ENDLESS, range(64_000))
        bench.strike("reboot@", after=500)
        with pytest.raises(BoardRebootedError):
            following.wait(stall_s=60.0)
        with pytest.raises(EngineError, match="holds no results"):
            board.attach(ENDLESS)
    with bench.open() as board:
        following = board.start(J10)
        following.wait()
        assert following.fetch().sha256 == expected


def test_an_unplugged_board_goes_on_and_is_found_again(expected: str) -> None:
    bench = Bench()
    with bench.open() as board:
        following = board.start(J10)
        bench.strike("unplug@", after=500)
        with pytest.raises(UnpluggedError) as caught:
            following.wait()
        assert isinstance(caught.value, BoardNotFoundError)
        assert "attach" in caught.value.next_step
    bench.board.plug_in()
    with bench.open() as board:
        following = board.attach(J10)
        following.wait()
        assert following.fetch().sha256 == expected


@pytest.mark.parametrize("fault", ["reboot@", "unplug@", "stall@:3"])
@pytest.mark.parametrize("after", [10, 700, 3000, 9000])
def test_every_run_ends_with_the_histogram_or_with_a_typed_error(fault: str, after: int, expected: str) -> None:
    bench = Bench("damage=0.05", seed=after)
    bench.strike(fault, after=after)
    started_s, clock_s = time.monotonic(), bench.clock()
    with contextlib.suppress(Elm11Error), bench.open() as board:
        following = board.start(J10)
        following.wait()
        assert following.fetch().sha256 == expected
    assert time.monotonic() - started_s < 30.0
    assert bench.clock() - clock_s < 1000.0


def test_pulling_the_cable_in_mid_upload_leaves_a_board_that_can_be_mended(expected: str) -> None:
    bench = Bench(with_programs=False)
    with bench.open() as board:
        bench.strike("unplug@", after=2000)
        with pytest.raises(UnpluggedError):
            firmware_sync.upload(board)
    bench.board.plug_in()
    with bench.open() as board:
        firmware_sync.upload(board)
        following = board.start(J10)
        following.wait()
        assert following.fetch().sha256 == expected


def test_the_transport_of_the_bench_is_one() -> None:
    bench = Bench()
    transport: Transport = LastingTransport(bench.board, bench.clock)
    assert transport.name == "virtual://"
