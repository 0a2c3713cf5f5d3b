"""The lock of a file: one at a time, a deadline, and nothing left of a holder that has died."""

from __future__ import annotations

import errno
import subprocess
import sys
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from elm11_lua_driver._files import file_lock as module
from elm11_lua_driver._files.file_lock import file_lock

if TYPE_CHECKING:
    from pathlib import Path

HOLD = """
import sys
from pathlib import Path
from elm11_lua_driver.file_lock import file_lock

with file_lock(Path(sys.argv[1]), 10.0):
    print("held", flush=True)
    sys.stdin.readline()
    if sys.argv[2] == "die":
        import os
        os._exit(3)
"""


@pytest.mark.parametrize("end", ["leave", "die"])
def test_another_process_waits_until_it_is_given_back_or_its_holder_dies(tmp_path: Path, end: str) -> None:
    path = tmp_path / "lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path), end], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(TimeoutError, match=r"has held it for 0\.05 s"), file_lock(path, 0.05):
            pytest.fail("two hold it")
        holder.stdin.write("\n")
        holder.stdin.flush()
        with file_lock(path, 30.0):
            pass
    assert path.read_bytes() == b""


def test_threads_are_kept_apart(tmp_path: Path) -> None:
    inside = []
    worst = []

    def work() -> None:
        for _ in range(10):
            with file_lock(tmp_path / "lock", 30.0):
                inside.append(1)
                worst.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert worst == [1] * 40


def test_an_error_gives_it_back(tmp_path: Path) -> None:
    def fail() -> None:
        with file_lock(tmp_path / "lock", 1.0):
            raise KeyError("x")

    for _ in range(2):
        with pytest.raises(KeyError):
            fail()


def test_a_file_system_without_locks_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    nothing = SimpleNamespace(flock=flock, locking=flock, LOCK_EX=1, LOCK_NB=2, LOCK_UN=4, LK_NBLCK=1, LK_UNLCK=0)
    monkeypatch.setattr(module, "_system", lambda: nothing)
    with file_lock(tmp_path / "lock", 0.0):
        held = True
    assert held


def test_the_calls_are_those_of_windows_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[int, int]] = []
    refusals = [1, 2]

    def locking(_: int, mode: int, n_bytes: int) -> None:
        calls.append((mode, n_bytes))
        if mode == 2 and refusals:
            refusals.pop()
            raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(module, "_system", lambda: SimpleNamespace(locking=locking, LK_NBLCK=2, LK_UNLCK=0))
    monkeypatch.setattr(module, "_ON_WINDOWS", True)
    with file_lock(tmp_path / "lock", 5.0):
        pass
    assert calls == [(2, 1), (2, 1), (2, 1), (0, 1)]
