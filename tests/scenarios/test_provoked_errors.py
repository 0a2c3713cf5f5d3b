"""Every row of docs/provoked-errors.md: the command gives that exit code and that line, and no traceback."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from paths import ROOT
from provoked_errors import JOB, attempt, bad_folder
from serial.tools import list_ports

PAGE = ROOT / "docs" / "provoked-errors.md"
DEADLINE_S = 60
_ROW = re.compile(r"\| (?P<tried>[^|]+) \| `(?P<command>[^`]+)` \| (?P<exit>[0-9]+) \| (?:`(?P<line>[^`]+)` )?\|")

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the messages are those of Linux")


def rows(*, of_processes: bool) -> list[tuple[str, int, str]]:
    """Command, exit code and line of each row."""
    before, _, after = PAGE.read_text(encoding="utf-8").partition("## Processes")
    lines = [line for line in (after if of_processes else before).splitlines() if line.startswith("| ") and "`" in line]
    matches = [(_ROW.fullmatch(line.replace("\\|", "\0")), line) for line in lines]
    assert all(match for match, _ in matches), [line for match, line in matches if not match]
    return [
        (match["command"].replace("$JOB", JOB), int(match["exit"]), (match["line"] or "").replace("\0", "|"))
        for match, _ in matches
        if match
    ]


def agrees(told: str, line: str) -> bool:
    """Whether what was told, from the first line of ours on, is the line; three dots are anything."""
    ours = re.search(r"^elm11.*", told, re.MULTILINE | re.DOTALL)
    text = " ".join(ours[0].split()) if ours else ""
    return re.fullmatch(".*".join(map(re.escape, line.split("..."))), text) is not None


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bad")
    bad_folder(path)
    return path


@pytest.mark.parametrize(("command", "code", "line"), rows(of_processes=False))
def test_in_this_process(command: str, code: int, line: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_ports, "comports", list)
    exit_code, _, errors = attempt(command, folder)
    assert exit_code == code
    assert agrees(errors, line), errors


@pytest.mark.parametrize(("command", "code", "line"), rows(of_processes=True))
def test_in_a_process(command: str, code: int, line: str, tmp_path: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"} | {"PATH": path},
        capture_output=True,
        check=False,
        timeout=DEADLINE_S,
    )
    errors = done.stderr.decode("utf-8", "replace")
    assert done.returncode == code, errors
    assert "Traceback" not in errors
    assert agrees(errors, line), errors


def test_there_are_many() -> None:
    assert len(rows(of_processes=False)) > 100
