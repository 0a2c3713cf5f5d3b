"""The board's flash."""

from __future__ import annotations

import errno
import json
import os
from typing import TYPE_CHECKING

import pytest
from elm11_shim.program_store import (
    MAX_NAME_LENGTH,
    MAX_PROGRAM_BYTES,
    SLOTS,
    ProgramStore,
    StoreFileError,
    StoreFullError,
)

if TYPE_CHECKING:
    from pathlib import Path


def test_limits() -> None:
    store = ProgramStore()
    with pytest.raises(ValueError, match="29 characters"):
        store.create("n" * (MAX_NAME_LENGTH + 1))
    store.create("p0")
    with pytest.raises(ValueError, match="exists"):
        store.create("p0")
    store.append("p0", b"x" * 30000)
    assert store.content("p0") == b"x" * MAX_PROGRAM_BYTES


def test_slots_are_freed_by_deleting_all_only() -> None:
    """The count and its 128 slots: FLASH.md of the board's facts, section 2."""
    store = ProgramStore()
    for number in range(SLOTS - 1):
        store.create(f"p{number}")
        assert store.delete(f"p{number}")
    store.create("last")
    assert (store.names, store.n_uploads) == (["last"], SLOTS)
    with pytest.raises(StoreFullError, match="128 uploads"):
        store.create("one more")
    store.delete_all()
    store.create("one more")
    assert (store.names, store.n_uploads) == (["one more"], 1)


def test_a_new_program_takes_the_first_hole() -> None:
    """The order of list|programs: FLASH.md of the board's facts, section 2."""
    store = ProgramStore()
    for name in "abc":
        store.create(name)
    store.delete("a")
    store.create("d")
    assert store.names == ["d", "b", "c"]
    store.delete("d")
    store.delete("c")
    store.create("c")
    assert store.names == ["c", "b"], "one that is overwritten moves to an earlier hole"


def test_deleting_the_program_that_starts_at_boot_clears_the_setting() -> None:
    store = ProgramStore()
    store.create("a")
    store.create("b")
    store.start_on_boot = "a"
    store.delete("b")
    assert store.start_on_boot == "a"
    store.delete("a")
    store.create("a")
    assert store.start_on_boot is None


def test_a_flash_that_was_never_written(tmp_path: Path) -> None:
    """All bytes 255: FLASH.md of the board's facts, section 4."""
    path = tmp_path / "flash.json"
    store = ProgramStore(path, erased=True)
    assert (store.n_uploads, store.names, len(store.listed)) == (4294967295, [], 136)
    with pytest.raises(StoreFullError):
        store.create("a")
    store.delete_all()
    store.create("a")
    assert (ProgramStore(path).n_uploads, store.listed, store.erased) == (1, [b"a"], False)


def test_files_of_version_0_1_0_are_read(tmp_path: Path) -> None:
    path = tmp_path / "old.json"
    programs = [{"name": name, "content": "eA=="} for name in "ab"]
    path.write_text(json.dumps({"version": 1, "programs": programs, "start_on_boot": "b"}))
    store = ProgramStore(path)
    assert (store.names, store.content("a"), store.start_on_boot, store.n_uploads) == (["a", "b"], b"x", "b", 2)


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
    assert again.n_uploads == 2
    assert again.names == ["b", "a"]
    assert again.content("a") == bytes(range(256))
    assert again.start_on_boot == "a"
    assert again.delete("b")
    again.start_on_boot = None
    last = ProgramStore(path)
    assert (last.names, last.start_on_boot, last.n_uploads) == (["a"], None, 2)
    last.create("c")
    assert last.names == ["c", "a"], "the hole is kept too"
    assert [entry.name for entry in tmp_path.iterdir()] == ["flash.json"], "no temporary file is left"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        json.dumps({"version": 3, "programs": [], "start_on_boot": None}),
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
