"""The file of calibrations: every board's entry stays, whoever else writes at the same time."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from elm11_lua_driver._files.file_lock import file_lock
from elm11_lua_driver.board import calibration
from elm11_lua_driver.board.calibration import Calibration

if TYPE_CHECKING:
    from pathlib import Path

SAVE = """
import sys
from pathlib import Path
from elm11_lua_driver import calibration

calibration.config_folder = lambda: Path(sys.argv[1])
sys.stdin.readline()
for number in range(10):
    calibration.save(calibration.Calibration(f"{sys.argv[2]}{number}", 0.001, 1e7, "s", "today"))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(calibration, "config_folder", lambda: tmp_path / "config")
    return tmp_path / "config"


def found(hw_id: str, speed: float = 1e7) -> Calibration:
    return Calibration(hw_id, 0.001, speed, "software", "today")


def test_processes_that_calibrate_at_once_lose_nothing(folder: Path) -> None:
    processes = [
        subprocess.Popen([sys.executable, "-c", SAVE, str(folder), name], stdin=subprocess.PIPE) for name in "abc"
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    assert set(calibration.load_all()) == {f"{name}{number}" for name in "abc" for number in range(10)}


def test_threads_that_calibrate_at_once_lose_nothing(folder: Path) -> None:
    threads = [
        threading.Thread(target=lambda n=n: [calibration.save(found(f"{n} {i}")) for i in range(10)]) for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calibration.load_all()) == 40
    assert sorted(path.name for path in folder.iterdir()) == ["calibration.json", "calibration.lock"]


def test_a_lock_that_is_not_given_back_is_a_time_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calibration.save(found("a"))
    monkeypatch.setattr(calibration, "_LOCK_S", 0.05)
    with (
        file_lock(folder / "calibration.lock", 1.0),
        pytest.raises(TimeoutError, match=r"another program has held it for 0\.05 s") as caught,
    ):
        calibration.save(found("b"))
    assert str(caught.value.filename).endswith("calibration.lock")
    assert set(calibration.load_all()) == {"a"}


@pytest.mark.usefixtures("folder")
def test_an_entry_of_another_version_does_not_hide_the_others_and_stays() -> None:
    path = calibration.save(found("a"))
    document = json.loads(path.read_text())
    document["boards"] |= {"new": {"tx_delay_s": 0.001, "colour": "red"}, "odd": 7}
    path.write_text(json.dumps(document))
    assert set(calibration.load_all()) == {"a"}
    calibration.save(found("b", 2e7))
    calibration.save(found("a", 3e7))
    boards = json.loads(path.read_text())["boards"]
    assert set(boards) == {"a", "b", "new", "odd"}
    assert boards["new"]["colour"] == "red"
    loaded = calibration.load("a")
    assert loaded is not None
    assert loaded.instructions_per_s == 3e7


@pytest.mark.parametrize(
    "text", ["no json", "[]", '{"format": 2, "boards": {}}', '{"format": 1, "boards": []}', "\xff"]
)
def test_a_file_that_makes_no_sense_is_kept_under_another_name(folder: Path, text: str) -> None:
    folder.mkdir()
    (folder / "calibration.json").write_bytes(text.encode("latin-1"))
    assert calibration.load_all() == {}
    calibration.save(found("a"))
    assert set(calibration.load_all()) == {"a"}
    assert (folder / "calibration.damaged").read_bytes() == text.encode("latin-1")


@pytest.mark.usefixtures("folder")
def test_a_file_that_cannot_be_read_is_not_overwritten(monkeypatch: pytest.MonkeyPatch) -> None:
    path = calibration.save(found("a"))
    before = path.read_bytes()

    def refuse(*_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(type(path), "read_text", refuse)
        assert calibration.load_all() == {}
        with pytest.raises(PermissionError):
            calibration.save(found("b"))
    assert path.read_bytes() == before
