from __future__ import annotations

import errno
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from elm11_lua_driver._files import atomic as atomic_file_module
from elm11_lua_driver._files.atomic import atomic_file, check_writable

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_is_replaced_and_nothing_else_remains(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("old")
    path.chmod(0o640)
    mode = path.stat().st_mode
    with atomic_file(path) as file:
        file.write(b"new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert path.stat().st_mode == mode
    assert list(tmp_path.iterdir()) == [path]


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("old")

    def interrupted() -> None:
        with atomic_file(path) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name != "posix", reason="links are for privileged users of Windows")
def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "link.csv"
    link.symlink_to(tmp_path / "real" / "out.csv")
    with atomic_file(link) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert (tmp_path / "real" / "out.csv").read_text() == "new"


def test_several_that_write_one_file_at_once_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    together = threading.Barrier(8, timeout=30)

    def write(letter: str) -> None:
        for _ in range(20):
            with atomic_file(path) as file:
                file.write(letter.encode() * 1000)
                together.wait()
                file.write(letter.encode() * 1000)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(write, "abcdefgh"))
    text = path.read_text()
    assert text == text[0] * 2000
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("place", ["open", "fsync", "replace"])
def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    path = tmp_path / "out.csv"
    path.write_text("old")

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os if place == "fsync" else type(path), place, fail)

    def write() -> None:
        with atomic_file(path) as file:
            file.write(b"new")

    with pytest.raises(OSError, match="No space left"):
        write()
    monkeypatch.undo()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_somebody_reads_on_windows_is_replaced_a_moment_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out.csv"
    temporary = tmp_path / "new"
    temporary.write_text("new")
    replace, refusals = type(path).replace, [1, 2, 3]

    def refused(one: Path, other: Path) -> Path:
        if refusals:
            refusals.pop()
            raise PermissionError(errno.EACCES, "The process cannot access the file")
        return replace(one, other)

    monkeypatch.setattr(type(path), "replace", refused)
    with pytest.raises(PermissionError):
        atomic_file_module.replace_file(temporary, path, on_windows=False)
    atomic_file_module.replace_file(temporary, path, on_windows=True)
    assert path.read_text() == "new"


def test_check_writable_touches_nothing(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    check_writable(path)
    assert not list(tmp_path.iterdir())
    path.write_text("old")
    check_writable(path)
    assert path.read_text() == "old"


@pytest.mark.parametrize(
    ("name", "what"),
    [("", "is a folder"), ("nowhere/out.csv", "there is no folder"), ("file/out.csv", "there is no folder")],
)
def test_what_cannot_be_written(tmp_path: Path, name: str, what: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=what):
        check_writable(tmp_path / name)


@pytest.mark.skipif(os.name != "posix", reason="the device is one of POSIX")
def test_a_device_and_a_name_too_long(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not a regular file"):
        check_writable("/dev/null")
    with pytest.raises(ValueError, match="cannot be written"):
        check_writable(tmp_path / ("x" * 250))
