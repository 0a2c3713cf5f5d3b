from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from elm11_lua_driver.atomic_file import atomic_file, check_writable

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
