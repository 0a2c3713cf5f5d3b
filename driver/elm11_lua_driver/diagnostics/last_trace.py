"""Where the last byte trace was written, so that `elm11 support-bundle` finds it."""

from __future__ import annotations

import contextlib
from pathlib import Path

from .._files.atomic import atomic_file
from .._files.user_dirs import config_folder


def _reminder() -> Path:
    return config_folder() / "last-trace.txt"


def remember_trace(path: Path) -> None:
    """Remember the file of a byte trace. Does nothing where that fails."""
    file = _reminder()
    with contextlib.suppress(OSError, UnicodeEncodeError):  # a trace is worth having without the reminder
        file.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(file) as out:
            out.write(f"{path.absolute()}\n".encode())


def last_trace() -> Path | None:
    """The byte trace that was written last, if it still exists."""
    try:
        path = Path(_reminder().read_text(encoding="utf-8").rstrip("\n"))
        return path if path.is_file() else None
    except (OSError, ValueError):
        return None
