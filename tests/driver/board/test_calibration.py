"""The files of calibrations: no board's values are lost, also when several programs write at the same time."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from elm11_lua_driver.board import calibration
from elm11_lua_driver.board.calibration import Calibration

if TYPE_CHECKING:
    from pathlib import Path

SAVE = """
import sys
from pathlib import Path
from elm11_lua_driver.board import calibration

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
    assert len(list((folder / "calibrations").iterdir())) == 40


@pytest.mark.usefixtures("folder")
def test_boards_whose_ids_differ_little_have_files_of_their_own() -> None:
    ids = ["a1", "A1", "a/1", "a\\1", "a_1", "..", "", "\udc80", "x" * 300, "x" * 301, "con"]
    paths = [calibration.save(found(hw_id, speed)) for speed, hw_id in enumerate(ids, 1)]
    assert len({str(path).lower() for path in paths}) == len(ids)
    assert len({path.parent for path in paths}) == 1
    assert {hw_id: one.instructions_per_s for hw_id, one in calibration.load_all().items()} == {
        hw_id: speed for speed, hw_id in enumerate(ids, 1)
    }


def test_the_single_file_of_the_first_version_is_read_and_stays(folder: Path) -> None:
    values = {"tx_delay_s": 0.001, "instructions_per_s": 1e7, "software": "s", "measured": "today"}
    boards = {"a": values, "b": values, "new": {"tx_delay_s": 0.001, "colour": "red"}, "odd": 7}
    folder.mkdir()
    single = folder / "calibration.json"
    single.write_text(json.dumps({"format": 1, "boards": boards}))
    assert set(calibration.load_all()) == {"a", "b"}
    calibration.save(found("a", 3e7))
    speeds = {hw_id: one.instructions_per_s for hw_id, one in calibration.load_all().items()}
    assert speeds == {"a": 3e7, "b": 1e7}
    assert json.loads(single.read_text())["boards"] == boards


@pytest.mark.parametrize(
    "text", ["no json", "[]", '{"format": 2, "boards": {}}', '{"format": 1, "boards": []}', "\xff"]
)
def test_a_damaged_file_is_kept_under_another_name_and_hides_no_other(folder: Path, text: str) -> None:
    calibration.save(found("b"))
    path = calibration.save(found("a"))
    for damaged in (path, folder / "calibration.json"):
        damaged.write_bytes(text.encode("latin-1"))
    assert set(calibration.load_all()) == {"b"}
    calibration.save(found("a"))
    assert set(calibration.load_all()) == {"a", "b"}
    assert path.with_suffix(".damaged").read_bytes() == text.encode("latin-1")
    assert (folder / "calibration.json").read_bytes() == text.encode("latin-1")


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
            calibration.save(found("a", 2e7))
    assert path.read_bytes() == before
