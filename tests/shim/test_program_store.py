"""The board's flash."""

from __future__ import annotations

import errno
import json
import os
from typing import TYPE_CHECKING

import pytest
from elm11_shim.program_store import MAX_NAME_LENGTH, MAX_PROGRAM_BYTES, MAX_PROGRAMS, ProgramStore, StoreFileError

if TYPE_CHECKING:
    from pathlib import Path


def test_limits() -> None:
    store = ProgramStore()
    with pytest.raises(ValueError, match="29 characters"):
        store.create("n" * (MAX_NAME_LENGTH + 1))
    for number in range(MAX_PROGRAMS):
        store.create(f"p{number}")
    with pytest.raises(ValueError, match="128 programs"):
        store.create("one more")
    with pytest.raises(ValueError, match="exists"):
        store.create("p0")
    store.append("p0", b"x" * 30000)
    assert store.content("p0") == b"x" * MAX_PROGRAM_BYTES


def test_programs_end_at_a_nul() -> None:
    store = ProgramStore()
    store.create("p")
    store.append("p", b"return 1\0garbage")
    assert store.text("p") == b"return 1"
    assert store.text("none") is store.content("none") is None


def test_everything_survives_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "flash.json"
    store = ProgramStore(path)
    for name in ("b", "a"):
        store.create(name)
    store.append("a", bytes(range(256)))
    store.start_on_boot = "a"
    assert store.delete("none") is False
    again = ProgramStore(path)
    assert again.names == ["b", "a"]
    assert again.content("a") == bytes(range(256))
    assert again.start_on_boot == "a"
    assert again.delete("b")
    again.start_on_boot = None
    last = ProgramStore(path)
    assert (last.names, last.start_on_boot) == (["a"], None)
    assert [entry.name for entry in tmp_path.iterdir()] == ["flash.json"], "no temporary file is left"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        json.dumps({"version": 2, "programs": [], "start_on_boot": None}),
        json.dumps({"version": 1, "programs": [{"name": "a", "content": "%"}], "start_on_boot": None}),
    ],
)
def test_another_file_is_refused_and_left_alone(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(StoreFileError, match=r"other\.json"):
        ProgramStore(path)
    assert path.read_text() == text


@pytest.mark.parametrize("place", ["fsync", "replace"])
def test_a_store_that_cannot_be_written_leaves_the_old_one_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    path = tmp_path / "flash.json"
    store = ProgramStore(path)
    store.create("a")
    before = path.read_text()

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os if place == "fsync" else type(path), place, fail)
        with pytest.raises(OSError, match="No space left"):
            store.create("b")
    assert path.read_text() == before
    assert list(tmp_path.iterdir()) == [path]
