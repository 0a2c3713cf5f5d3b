"""run.lua and load.lua: what they answer, what `q` leaves behind, and what a damaged program does."""

from __future__ import annotations

import dataclasses
import re
import zlib
from typing import TYPE_CHECKING

import elm11_firmware
import numpy as np
import pytest
from elm11_lua_driver import Job
from elm11_lua_driver.board.firmware_sync import project_scripts
from elm11_lua_driver.errors import ProtocolError
from elm11_lua_driver.protocol import commands
from elm11_lua_driver.protocol.commands import is_status, parse_status
from elm11_lua_driver.protocol.frame import Frame, FrameKind, HistogramAssembly, decode_line
from elm11_shim import BoardStopped, FirmwareLua, LuaError, LuaSimulator
from hypothesis import given, settings
from hypothesis import strategies as st
from virtual_bench import SMALL

if TYPE_CHECKING:
    from pathlib import Path

    from elm11_lua_driver.protocol.commands import BoardStatus
    from numpy.typing import NDArray

WIDE = Job(lag1_x=0.1, lag1_y=0.0, dt=1.0, dj=1.0, s0=2.0, J=1, n_bins=2500, n_simulations=2, seed=0xFEDCBA9876543210)


FAST = dataclasses.replace(SMALL, pipeline="fast")
FAST_WIDE = Job(0.3, 0.6, 0.5, 0.5, 1.0, 4, n_bins=2501, n_simulations=3, pipeline="fast", scale_box="grinsted")


def simulator(job: Job) -> LuaSimulator:
    return LuaSimulator(job.experiment, job.pipeline)


def stored() -> dict[str, str]:
    return {script.name: script.text for script in project_scripts()}


class Programs:
    """The stored programs in a Lua state, spoken to as at the prompt."""

    def __init__(self, stop_after: int | None = None, programs: dict[str, str] | None = None) -> None:
        self.checks_left = stop_after
        self.lua = FirmwareLua(
            programs=stored() if programs is None else programs,
            check=self._check if stop_after is not None else None,
            check_interval=200,
        )
        self.lua.execute(commands.LOAD_LINE)

    def _check(self) -> bool:
        if self.checks_left is None:
            return False
        self.checks_left -= 1
        return self.checks_left < 0

    def say(self, line: str) -> list[Frame]:
        """The frames that answer a line, none of them damaged."""
        self.lua.execute(line)
        return self.heard()

    def heard(self) -> list[Frame]:
        frames = [frame for text in self.lua.printed for frame in decode_line(text.encode("latin-1"))]
        self.lua.printed.clear()
        assert all(isinstance(frame, Frame) for frame in frames)
        return [frame for frame in frames if isinstance(frame, Frame)]

    def status(self) -> BoardStatus:
        return parse_status(self.say(commands.STATUS_LINE)[-1])

    def counts(self, job: Job) -> NDArray[np.int64]:
        assembly = HistogramAssembly(job.J + 1, job.n_bins)
        for frame in self.say(commands.send_line(0, -1)):
            assembly.add(frame)
        return assembly.counts()

    def give(self, job: Job) -> None:
        for line in commands.job_lines(job):
            assert len(line) <= commands.MAX_LINE
            assert line.isascii()
            assert line.isprintable()
            assert self.say(line) == []


@pytest.mark.parametrize("job", [SMALL, WIDE, FAST, FAST_WIDE])
def test_a_run_pushes_hello_progress_and_end_and_keeps_its_counts(job: Job) -> None:
    board = Programs()
    board.give(job)
    count = job.n_simulations
    frames = board.say(commands.start_line(range(count), 1, 2))
    assert frames[0].kind is FrameKind.HELLO
    assert frames[-1].kind is FrameKind.END
    said = [parse_status(frame) for frame in frames]
    assert all(is_status(frame) for frame in frames)
    assert {(status.job, status.crc32) for status in said} == {(job.sha256[:16], commands.job_crc32(job))}
    done = [status.done for status in said]
    assert done == sorted(done)
    assert set(done) == set(range(count + 1))
    assert job.J < 2 or any(status.scale for status in said), "a sign of life within a simulation"
    assert said[-1].ended
    assert said[-1].is_usable
    expected = simulator(job).run(range(count))
    for _ in range(2):
        np.testing.assert_array_equal(board.counts(job), expected)


def test_the_programs_and_the_protocol_are_those_of_the_manifest() -> None:
    board = Programs()
    assert parse_status(board.say(commands.HELLO_LINE)[0]).programs == elm11_firmware.programs_crc32()
    assert parse_status(board.say(commands.HELLO_LINE)[0]).version == elm11_firmware.PROTOCOL_VERSION


def test_blocks_are_sent_again_one_by_one() -> None:
    board = Programs()
    board.give(SMALL)
    board.say(commands.start_line(range(3), 1, 0))
    whole = [frame for frame in board.say(commands.send_line(0, -1)) if frame.kind is FrameKind.DATA]
    for frame in whole:
        again = board.say(commands.send_line(frame.sequence, frame.sequence))
        assert again[0] == frame
    end = board.say(commands.AGAIN_LINE)
    assert [frame.kind for frame in end] == [FrameKind.END]


def test_refusals_are_frames() -> None:
    board = Programs()
    assert "no results" in board.say(commands.send_line(0, -1))[0].payload
    assert "has no seed_low" in board.say(commands.start_line(range(1), 1, 0))[0].payload
    board.give(SMALL)
    board.say(commands.start_line(range(1), 1, 0))
    board.say(commands.FORGET_LINE)
    assert "no results" in board.say(commands.send_line(0, -1))[0].payload
    assert board.status().job == ""
    board.give(SMALL)
    board.lua.execute('elm11.set{pipeline="slow"}')
    assert "there is no pipeline slow" in board.say(commands.start_line(range(1), 1, 0))[0].payload


def test_only_the_programs_of_one_pipeline_are_in_memory() -> None:
    """After hello those of the fast one, and after a job its own; the memory that the others held is free."""
    board = Programs()
    held = {}
    board.say(commands.HELLO_LINE)
    held["hello"] = board.lua.memory_bytes
    for job in (FAST, SMALL, FAST):
        board.give(job)
        board.say(commands.start_line(range(1), 1, 0))
        board.say(commands.FORGET_LINE)
        held[job.pipeline] = board.lua.memory_bytes
    # What a fast job was planned with is loaded again for the next one.
    assert held["fast"] < held["hello"]
    loaded_alone = Programs()
    loaded_alone.lua.execute('kept = run_program("monte_carlo.lua").load()')
    assert held["exact"] < loaded_alone.lua.memory_bytes + 60_000
    both = Programs()
    both.lua.execute('kept = {run_program("monte_carlo.lua").load(), run_program("fast.lua").load()}')
    assert max(held.values()) < both.lua.memory_bytes - 30_000


def test_a_program_that_changes_after_the_check_is_not_used() -> None:
    """The exact pipeline's programs are loaded again when they are needed; until then another may have been stored."""
    programs = stored()
    board = Programs(programs=programs)
    board.give(SMALL)
    board.say(commands.HELLO_LINE)
    programs["coherence.lua"] = programs["signals.lua"]
    with pytest.raises(LuaError, match=r"coherence.lua is another than when .* checked; .*elm11-upload-scripts"):
        board.say(commands.start_line(range(1), 1, 0))


def test_the_modules_that_a_run_is_given_are_those_that_its_program_loads() -> None:
    lua = FirmwareLua()
    for program, pipeline in (("monte_carlo.lua", "exact"), ("fast.lua", "fast")):
        wanted = set(lua.call(lua.run_program(program).load))
        text = elm11_firmware.text("run.lua")
        listed = re.search(pipeline + r" = \{([^}]*)\}", text)
        assert listed is not None
        assert set(re.findall(r'"(\w+)"', listed[1])) == wanted | {program.removesuffix(".lua")}


def test_fields_set_after_a_run_do_not_change_its_results() -> None:
    board = Programs()
    board.give(SMALL)
    board.say(commands.start_line(range(2), 1, 0))
    before = board.status()
    board.give(WIDE)
    assert board.status() == before
    board.say(commands.start_line(range(2), 1, 0))
    assert board.status().crc32 == commands.job_crc32(WIDE)


@pytest.mark.parametrize(("job", "most"), [(SMALL, 1500), (FAST, 600)])
@settings(max_examples=60)
@given(data=st.data())
def test_a_simulation_is_in_the_results_whole_or_there_are_none(job: Job, most: int, data: st.DataObject) -> None:
    stop_after = data.draw(st.integers(0, most))
    # Stopped at any moment of the second run, also while the histogram of the first one is being emptied.
    board = Programs(stop_after=10**9)
    board.give(job)
    board.say(commands.start_line(range(5), 1, 0))
    board.checks_left = stop_after
    stopped = False
    try:
        board.lua.execute(commands.start_line(range(5, 12), 1, 0))
    except BoardStopped:
        stopped = True
    board.checks_left = None
    board.heard()
    status = board.status()
    if not stopped:
        assert status.done == 7
    if status.is_usable and status.done:
        expected = simulator(job).run(range(status.first, status.first + status.done))
        np.testing.assert_array_equal(board.counts(job), expected)
    else:
        frames = board.say(commands.send_line(0, -1))
        assert all(frame.kind is not FrameKind.DATA for frame in frames)
    # The next run is not touched by what the last one left.
    board.say(commands.start_line(range(3), 1, 0))
    np.testing.assert_array_equal(board.counts(job), simulator(job).run(range(3)))


@pytest.mark.parametrize("name", [name for name in stored() if name != elm11_firmware.LOADER])
def test_a_stored_program_finds_its_own_damage(name: str) -> None:
    text = stored()[name]
    lua = FirmwareLua(programs=stored())
    _, length, crc = lua.run_program(name)
    bare = elm11_firmware.bare_text(name).encode("ascii")
    assert (length, crc) == (len(bare), f"{zlib.crc32(bare):08x}")

    page = text[256:512]
    middle = len(text) // 2
    damaged = [
        text[:512] + page + text[512:],  # a page twice
        text[:256] + text[512:],  # a page missing
        text[: middle + 100],
        text[:middle] + ("x" if text[middle] != "x" else "y") + text[middle + 1 :],
        text[:middle] + "\n" + text[middle:],
    ]
    for wrong in damaged:
        with pytest.raises(LuaError):
            FirmwareLua(programs={**stored(), name: wrong}).run_program(name)


def test_a_programs_error_names_its_own_lines() -> None:
    lua = FirmwareLua(programs=stored())
    fft = lua.run_program("fft.lua")[0]
    source = elm11_firmware.text("fft.lua").split("\n")
    with pytest.raises(LuaError) as caught:
        lua.call(fft.plan, None)
    line = int(caught.value.message.split(":")[1])
    assert "n < CHUNK" in source[line - 1]


@pytest.mark.parametrize("text", ["", "first=1", "first=x count=2 done=3", "first=1 count=2 done="])
def test_frames_that_make_no_sense_are_errors(text: str) -> None:
    with pytest.raises(ProtocolError, match="makes no sense"):
        parse_status(Frame(FrameKind.PROGRESS, 1, text))


def test_the_same_counts_with_32_bit_integers_and_the_boards_literals(emblua_path: Path) -> None:
    from elm11_lua_driver.levels.runner import run  # noqa: PLC0415  beside the test that needs it
    from elm11_shim.board_lua_emblua import EmbluaBoardLua  # noqa: PLC0415
    from virtual_bench import J10, Bench  # noqa: PLC0415

    for job in (J10, WIDE, FAST_WIDE, dataclasses.replace(J10, pipeline="fast")):
        bench = Bench(lua=EmbluaBoardLua(emblua_path))
        with bench.board, bench.open() as board:
            following = board.start(job)
            following.wait()
            assert following.fetch().sha256 == run(job, "lua").sha256
