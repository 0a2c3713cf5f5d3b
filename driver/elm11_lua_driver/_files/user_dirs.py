"""The user's folder for what this program keeps: configuration, calibrations, runs, and where the last trace is."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Final

import click

from .atomic import atomic_file

CALIBRATION_FILE: Final = "calibration.json"
RUNS_FOLDER: Final = "runs"


def config_folder() -> Path:
    """The folder: ``~/.config/elm11`` on Linux (``XDG_CONFIG_HOME`` is respected), its equivalents elsewhere."""
    return Path(click.get_app_dir("elm11"))


def _last_trace_file() -> Path:
    return config_folder() / "last-trace.txt"


def remember_trace(path: Path) -> None:
    """Remember where a byte trace is being written, for `elm11 support-bundle`. Does nothing where that fails.

    Args:
        path: of the trace.
    """
    file = _last_trace_file()
    with contextlib.suppress(OSError, UnicodeEncodeError):  # a trace is worth having without the reminder
        file.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(file) as out:
            out.write(f"{path.absolute()}\n".encode())


def last_trace() -> Path | None:
    """The byte trace that was written last, if it is still there."""
    try:
        path = Path(_last_trace_file().read_text(encoding="utf-8").rstrip("\n"))
        return path if path.is_file() else None
    except (OSError, ValueError):
        return None
