"""Code, programs and runs through `Board`, on a virtual board."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import elm11_firmware
import numpy as np
import pytest
from architecture import DRIVER
from elm11_lua_driver import Job
from elm11_lua_driver.board import firmware_sync
from elm11_lua_driver.board.board import Board
from elm11_lua_driver.errors import (
    BoardBusyError,
    BoardNotFoundError,
    BoardTimeoutError,
    CommandRefusedError,
    EngineError,
    LuaError,
    ProtocolError,
    VerificationError,
    VersionMismatchError,
)
from elm11_lua_driver.levels.runner import run
from elm11_lua_driver.protocol import commands
from elm11_lua_driver.protocol.program_text import Comparison, code_lines, listed_lines
from elm11_lua_driver.protocol.repl.machine import Execution
from elm11_lua_driver.protocol.wire import BAUD_RATE
from hypothesis import given
from hypothesis import strategies as st
from paths import DATA
from virtual_bench import J10, SMALL, Bench, PacedTransport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ENDLESS = Job(lag1_x=0.5, lag1_y=-0.3, dt=0.25, dj=0.5, s0=0.5, J=3, n_bins=300, n_simulations=64_000)


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def board(bench: Bench) -> Iterator[Board]:
    with bench.open() as opened:
        yield opened


# ---- code -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lua", "printed"),
    [
        ("1+1", "2"),
        ("x=1", ""),
        ("print(1,2)", "1\t2"),
        ("", ""),
        ("for i=1,2 do\n  print(i)\nend", "1\n2"),
        ("1 +\n1", "2"),
        ("print('" + "long " * 100 + "')", "long " * 100),
        ("print('tab\tquote\\\"\\\\')", 'tab\tquote"\\'),
        ("-- only a comment", ""),
        ("return 1,\n2", "1\t2"),
    ],
)
def test_code_is_run_as_at_the_prompt(board: Board, lua: str, printed: str) -> None:
    assert board.execute(lua) == printed
    assert board.execute("elm11_code") in {"nil", ""}


@pytest.mark.parametrize(
    ("lua", "message"),
    [
        ("error('oh')", "oh"),
        ("nothing.field", "attempt to index a nil value"),
        ("x x", "syntax error near 'x'"),
        ("x=", "unfinished"),
        ("do\nx x\nend", "stdin:2: syntax error near 'x'"),
        ("do\nnothing()\nend", "attempt to call a nil value"),
    ],
)
def test_errors_come_with_luas_message(board: Board, lua: str, message: str) -> None:
    with pytest.raises(LuaError, match=message):
        board.execute(lua)
    assert board.execute("1+1") == "2"


def test_code_that_does_not_end_is_reported_and_can_be_stopped(board: Board) -> None:
    with pytest.raises(BoardTimeoutError) as caught:
        board.execute("while true do end", timeout_s=0.3)
    assert "prompt" in str(caught.value)
    assert board.interrupt()
    assert not board.interrupt()
    assert board.execute("1+1") == "2"


def test_code_above_the_size_of_a_program_is_refused(board: Board) -> None:
    with pytest.raises(ValueError, match="upload it as a program"):
        board.execute("x=1 " * 7000)


def test_the_board_tells_who_it_is(board: Board) -> None:
    info = board.info()
    assert (info.port, info.hw_id, info.lua_version, info.clock_mhz) == ("virtual://", "virtual-elm11", "Lua 5.4", 66.0)
    assert info.memory_free is None, "this overlay has no memory trace"
    board.require_hw_id("virtual-elm11")
    with pytest.raises(BoardNotFoundError, match="not 'other'"):
        board.require_hw_id("other")


def test_a_port_with_another_board_is_not_taken() -> None:
    with pytest.raises(BoardNotFoundError, match="not 'other'"):
        Board.open("virtual://", hw_id="other")
    with Board.open("virtual://", hw_id="virtual-elm11") as board:
        assert board.execute("1+1") == "2"


def test_a_named_port_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELM11_PORT", "virtual://")
    with Board.open() as board:
        assert board.execute("_hW") == "virtual-elm11"


def test_rebooting_forgets_what_is_in_memory(board: Board) -> None:
    board.execute("x=5")
    board.reboot()
    assert board.execute("x") in {"nil", ""}
    assert len(board.programs()) == len(elm11_firmware.programs())


@given(st.binary(min_size=1, max_size=600))
def test_pieces_of_code_are_lines_for_the_prompt_that_give_the_code_again(code: bytes) -> None:
    from lupa.lua54 import LuaRuntime  # noqa: PLC0415  beside the test that needs it

    lua = LuaRuntime(encoding="latin-1")
    for line in code_lines(code):
        assert len(line) < 254
        assert line.isascii()
        assert line.isprintable()
        lua.execute(line)
    assert lua.eval("table.concat(elm11_code)").encode("latin-1") == code


# ---- programs ---------------------------------------------------------------------------------------------------


def test_a_program_is_stored_read_back_run_and_deleted(board: Board) -> None:
    text = "-- a program\r\n\r\nprint('here')\r\nreturn 7\r\n"
    board.upload("mine.lua", text)
    assert "mine.lua" in board.programs()
    board.verify("mine.lua", text)
    board.verify("mine.lua", text.replace("\r", ""))
    assert not board.matches("mine.lua", text.replace("7", "8"))
    assert board.run_program("mine.lua") == "here\n7"
    with pytest.raises(CommandRefusedError, match="is on the board already"):
        board.upload("mine.lua", text, overwrite=False)
    board.delete("mine.lua")
    assert "mine.lua" not in board.programs()
    with pytest.raises(CommandRefusedError, match="was not deleted"):
        board.delete("mine.lua")
    with pytest.raises(VerificationError, match="no program"):
        board.verify("mine.lua", text)
    with pytest.raises(LuaError, match="no such program"):
        board.run_program("mine.lua")
    with pytest.raises(ValueError, match="quotes"):
        board.run_program('a"b')


def test_the_list_does_not_depend_on_the_count_of_uploads(bench: Bench, board: Board) -> None:
    """list|program_count counts uploads (the transcript program_count); one entry has a mark (start_on_boot)."""
    for text in ("return 1\n", "return 2\n"):
        board.upload("mine.lua", text)
    bench.board.store.start_on_boot = "mine.lua"
    assert bench.board.store.n_uploads > len(bench.board.store.names)
    assert board.programs() == bench.board.store.names


def test_an_overwrite_that_must_fail_leaves_the_old_program(bench: Bench, board: Board) -> None:
    """With all 128 slots taken the board would delete the old program and refuse the new one."""
    board.upload("mine.lua", "return 1\n")
    for number in range(128 - bench.board.store.n_uploads):
        bench.board.store.create(f"p{number}")
        bench.board.store.delete(f"p{number}")
    with pytest.raises(CommandRefusedError, match="128 of its 128 uploads"):
        board.upload("mine.lua", "return 2\n")
    assert bench.board.store.content("mine.lua") == b"return 1\n"


def test_a_flash_that_was_never_written_is_told_from_a_full_one(bench: Bench, board: Board) -> None:
    bench.board.store.delete_all()
    bench.board.store._n_uploads = 0xFFFFFFFF
    with pytest.raises(CommandRefusedError, match="was never written"):
        board.upload("mine.lua", "return 2\n")


def test_a_stored_program_that_differs_is_found(bench: Bench, board: Board) -> None:
    text = "".join(f"x = {number} -- a line of some length\n" for number in range(40))
    board.upload("mine.lua", text)
    stored = bench.board.store.content("mine.lua") or b""
    for wrong in [stored[:256] + stored, stored[:-30], stored.replace(b"17", b"71")]:
        bench.board.store.delete("mine.lua")
        bench.board.store.create("mine.lua")
        bench.board.store.append("mine.lua", wrong)
        with pytest.raises(VerificationError, match="not what was sent"):
            board.verify("mine.lua", text)


def test_a_program_that_cannot_be_read_back_says_so(board: Board) -> None:
    text = "x = '" + "a" * 300 + "'\n"
    with pytest.raises(VerificationError, match="line 1 has 306 characters"):
        board.upload("wide.lua", text)
    board.upload("wide.lua", text, verify=False)
    assert "wide.lua" in board.programs()


@given(st.text(st.sampled_from("ab \n"), max_size=60), st.integers(0, 100), st.sampled_from("xy"))
def test_a_changed_line_is_never_taken_for_the_same(text: str, place: int, letter: str) -> None:
    lines = listed_lines(text)
    comparison = Comparison(text)
    changed = list(lines)
    changed[place % len(lines)] += letter
    assert comparison.read(changed) is None
    assert comparison.read(changed) is False
    assert Comparison(text).read(lines) is True
    assert Comparison(text).read([*lines, "more"]) is None


# ---- runs -------------------------------------------------------------------------------------------------------


def test_ranges_of_one_job_add_up(board: Board) -> None:
    first, second = range(8), range(8, 20)
    parts = []
    for simulations in [first, second]:
        following = board.start(SMALL, simulations)
        assert following.simulations == simulations
        following.wait()
        parts.append(following.fetch())
    whole = parts[0] + parts[1]
    assert whole.is_complete
    assert whole.sha256 == run(SMALL, "lua").sha256


def test_one_run_at_a_time(board: Board) -> None:
    following = board.start(ENDLESS, range(64_000))
    with pytest.raises(BoardBusyError, match="is computing"):
        board.execute("1+1")
    with pytest.raises(BoardBusyError):
        board.start(SMALL)
    with pytest.raises(BoardBusyError, match="goes on"):
        following.fetch()
    progress = following.progress(wait_s=0.05)
    assert progress.running
    assert not progress.complete
    stopped = following.cancel()
    assert not stopped.running
    assert not following.cancel().running, "cancelling twice does no harm"
    if stopped.usable:
        part = following.fetch(fewer=True)
        assert part.n_simulations == stopped.done
    with pytest.raises(EngineError, match="simulations are finished"):
        following.fetch()


def test_attaching_to_another_job_or_to_nothing_says_so(bench: Bench, board: Board) -> None:
    with pytest.raises(EngineError, match="holds no results"):
        board.attach(SMALL)
    following = board.start(SMALL)
    following.wait()
    with bench.open() as other:
        with pytest.raises(BoardBusyError, match=f"has job {SMALL.sha256[:16]}") as caught:
            other.attach(J10)
        assert "20 done" in caught.value.progress
        unknown = other.attach()
        assert (unknown.job_name, unknown.simulations) == (SMALL.sha256[:16], range(20))
        with pytest.raises(ValueError, match="job must be known"):
            unknown.fetch()
        other.forget()
        with pytest.raises(EngineError, match="holds no results"):
            other.attach()


def test_other_programs_on_the_board_are_a_mismatch_that_names_the_command(bench: Bench) -> None:
    empty = Bench(with_programs=False)
    with empty.open() as board, pytest.raises(VersionMismatchError, match="elm11-upload-scripts") as caught:
        board.start(SMALL)
    assert caught.value.exit_code == 9
    # One harmless letter in one program, with a check that fits it.
    name = "coherence.lua"
    other = elm11_firmware.stored_text(name).replace("local CHUNK = 1024", "local CHUNK= 1024 ")
    bench.board.store.delete(name)
    bench.board.store.create(name)
    bench.board.store.append(name, other.encode())
    with bench.open() as board:
        with pytest.raises(VersionMismatchError, match=r"damaged on this board.*elm11-upload-scripts"):
            board.start(SMALL)
        assert firmware_sync.upload(board).uploaded == (name,)
        board.start(SMALL).wait()


def test_programs_uploaded_after_others_were_loaded_are_loaded_anew(bench: Bench) -> None:
    new = {name: bench.board.store.content(name) for name in bench.board.store.names}
    bench.board.store.delete("run.lua")
    bench.board.store.create("run.lua")
    run_lua = elm11_firmware.bare_text("run.lua").replace("local VERSION = 2 ", "local VERSION = 1 ")
    bench.board.store.append("run.lua", run_lua.encode())
    with bench.open() as board:
        with pytest.raises(VersionMismatchError, match="has version 1"):
            board.handshake()
        bench.board.store.delete("run.lua")
        bench.board.store.create("run.lua")
        bench.board.store.append("run.lua", new["run.lua"] or b"")
        assert board.handshake().version == elm11_firmware.PROTOCOL_VERSION


def test_a_job_that_arrives_damaged_does_not_run(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = commands.job_lines(SMALL)
    wrong = [line.replace("J=3", "J=2") for line in lines]
    assert wrong != lines
    monkeypatch.setattr(commands, "job_lines", lambda _: wrong)
    with pytest.raises(ProtocolError, match="did not arrive as it was sent"):
        board.start(SMALL)


def test_an_error_in_the_boards_lua_is_a_lua_error(board: Board) -> None:
    board.configure(SMALL)
    board.execute("elm11.job.dj='no number'")
    following = board.start(SMALL)  # sets it again
    following.wait()
    board.execute("elm11.forget=nil")
    with pytest.raises(LuaError, match="nil value"):
        board.forget()


def test_ctrl_c_leaves_the_run_going(bench: Bench) -> None:
    with bench.open() as board:
        following = board.start(ENDLESS, range(64_000))

        def interrupt(_: object) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            following.wait(on_progress=interrupt)
        assert following.running
    assert bench.board.running
    with bench.open() as board:
        assert board.attach(ENDLESS).running
        assert board.interrupt()


def test_a_jobs_numbers_cross_exactly(board: Board) -> None:
    extreme = Job(lag1_x=-0.999, lag1_y=0.1 + 0.2, dt=1 / 3, dj=1 / 7, s0=2 / 3, J=3, seed=2**64 - 1, n_simulations=3)
    text = "\n".join(commands.job_lines(extreme))
    assert "0xffffffff" in text
    assert (0.1 + 0.2).hex() in text
    following = board.start(extreme)
    following.wait()
    assert following.fetch().sha256 == run(extreme, "lua").sha256


def test_an_unfinished_statement_that_a_lost_connection_left_is_thrown_away(bench: Bench) -> None:
    bench.board.write(b"if x then\n")
    with bench.open() as board:
        assert not board.interrupt()
        assert board.execute("1+1") == "2"
    bench.board.write(b"if x then\n")
    with bench.open() as board:
        with pytest.raises(EngineError, match="holds no results"):
            board.attach(SMALL)
        assert board.execute("1+1") == "2"


# ---- time on the wire ----------------------------------------------------------------------------------------------


def still() -> float:
    return 0.0


def test_uploading_everything_takes_little_more_than_its_bytes(record_property: Callable[[str, float], None]) -> None:
    bench = Bench(with_programs=False, clock=still)
    with bench.open(PacedTransport) as board:
        board.execute("1+1")
        start_s = bench.clock()
        report = firmware_sync.upload(board)
        seconds = bench.clock() - start_s
        n_pages = sum(-(-script.n_bytes // 256) for script in report.scripts)
        stored = sum(script.n_bytes for script in report.scripts)
        # Each byte 1 ms, and 100 ms of flash after each page, which nothing can shorten.
        minimum_s = stored * PacedTransport.tx_delay_s + n_pages * 0.1
        plain_s = sum(program.size for program in elm11_firmware.programs()) * PacedTransport.tx_delay_s
        record_property("seconds", seconds)
        assert seconds <= 1.3 * minimum_s
        assert seconds <= 1.3 * plain_s, "less than 1.3 ms for each byte of the files as they are written"
        start_s = bench.clock()
        assert not firmware_sync.upload(board).uploaded
        assert bench.clock() - start_s < 20.0


def test_a_jobs_configuration_takes_less_than_five_seconds() -> None:
    bench = Bench(clock=still)
    with bench.open(PacedTransport) as board:
        board.handshake()
        start_s = bench.clock()
        board.configure(J10)
        assert bench.clock() - start_s < 5.0


def test_a_histogram_of_29_rows_takes_less_than_five_seconds() -> None:
    counts = np.load(DATA / "histogram_j28_300.npz")["counts"]
    characters = _characters(counts)
    assert characters / counts.size <= 1.3
    assert characters * 10 / BAUD_RATE < 5.0


def _characters(counts: np.ndarray) -> int:
    from elm11_lua_driver.protocol.frame import BLOCK_BINS, Summary, encode, encode_block  # noqa: PLC0415

    total = 0
    sequence = 0
    for row, bins in enumerate(counts.tolist()):
        for first in range(0, len(bins), BLOCK_BINS):
            frame = encode_block(row, first, bins[first : first + BLOCK_BINS], sequence)
            sequence += 1
            total += len(encode(frame)) + 2 if frame else 0
    return total + len(encode(Summary(0, sequence - 1, sequence, 0, 0).frame())) + 2


def test_a_typed_byte_crosses_four_files(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    """From `Board.execute` to `Transport.write`: board, console, machine, transport's base."""
    board.execute("1")  # at the prompt from here on
    crossed: set[str] = set()
    write, take = board.transport.write, Execution.bytes_to_write

    def follow() -> None:
        frame = sys._getframe(2)
        while frame is not None and frame.f_code.co_name != "test_a_typed_byte_crosses_four_files":
            crossed.add(frame.f_code.co_filename)
            frame = frame.f_back  # type: ignore[assignment]

    def written(data: bytes) -> None:
        follow()
        write(data)

    def taken(machine: Execution, now_s: float) -> bytes:
        follow()
        crossed.add(take.__code__.co_filename)
        return take(machine, now_s)

    monkeypatch.setattr(board.transport, "write", written)
    monkeypatch.setattr(Execution, "bytes_to_write", taken)
    assert board.execute("1+1") == "2"
    driver = {Path(name).relative_to(DRIVER).as_posix() for name in crossed if Path(name).is_relative_to(DRIVER)}
    assert driver == {"board/board.py", "board/console.py", "protocol/repl/machine.py", "transport/base.py"}
