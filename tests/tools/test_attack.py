"""The attacks themselves: a few inputs of each, with seeds, and that faults would be noticed."""

from __future__ import annotations

import signal
import subprocess
from random import Random
from typing import TYPE_CHECKING

import pytest
from attack import fault_matrix, fuzz_files, fuzz_parsers, hostile_boards, kill_test
from elm11_lua_driver import run
from elm11_lua_driver.jobs import storage
from elm11_lua_driver.protocol.frame import Frame, FrameKind, encode

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", list(fuzz_parsers.PARSERS))
def test_ten_thousand_random_strings_crash_no_parser(name: str) -> None:
    fuzz_parsers.fuzz(name, 10_000, seed=2)


def test_a_wrong_frame_would_be_noticed() -> None:
    frame = Frame(FrameKind.PROGRESS, 8, "done=1")
    with pytest.raises(fuzz_parsers.WrongResultError):
        fuzz_parsers.frame_reader(Random(1))(encode(frame) + b"\n\r")


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="the fuzzer's deadline is a POSIX timer")
@pytest.mark.parametrize(
    "name", ["npz", "json", "cache", "calibration", "record", "config", "csv", "dates", "trace"]
)  # together ten thousand files
def test_a_thousand_damaged_files_stop_no_reader(name: str) -> None:
    assert fuzz_files.fuzz(1112, 1, [name]) == (1112, [])


def test_a_fault_of_a_reader_would_be_noticed(tmp_path: Path) -> None:
    reader = fuzz_files.Reader(tmp_path / "x", b"12", lambda: 1 / int((tmp_path / "x").read_text()), 0.5)
    assert [fuzz_files.fault_of(reader, data) for data in (b"2", b"a", b"0", b"4")] == [
        None,
        None,
        "ZeroDivisionError: division by zero",
        "read as something else than was written",
    ]


def test_a_board_s_misdeeds_would_be_noticed() -> None:
    def faults(code: int, out: str) -> list[str]:
        return [*hostile_boards._fault("info", subprocess.CompletedProcess([], code, out, ""), "flood")]

    assert faults(1, "elm11: no answer\n") == []
    assert faults(0, "id 1\n") == ["exit code 0, 'id 1'"]
    assert faults(1, "id \x1b]0;owned\n") == ["the control character '\\x1b' in 'id \\x1b]0;owned\\n'"]
    assert faults(1, "Traceback (most\nValueError: x") == ["a traceback: ValueError: x"]


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="the deadline is a POSIX timer")
def test_a_fault_of_each_kind_gives_exact_counts_or_a_typed_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fault_matrix, "PLANS", ("damage=0.1", "unplug@3000"))
    assert fault_matrix.try_all(1, seed=1) == (1, 1, [])


def test_a_file_that_lost_something_would_be_noticed(tmp_path: Path) -> None:
    file = kill_test.Watched(tmp_path / "c.npz")
    storage.save(run(kill_test.ON_BOARD), file.path)
    assert file.look() == kill_test.ON_BOARD.n_simulations
    file.path.unlink()
    with pytest.raises(ValueError, match="held 48 simulations, and then 0"):
        file.look()
