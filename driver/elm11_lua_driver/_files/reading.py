"""Read files of users with care: no pipe, no file that is too long, and one kind of error for damaged JSON."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path
from typing import IO, Any


def open_regular(path: Path | str, limit: int | None = None) -> IO[bytes]:
    """Open a regular file for reading, with at most `limit` bytes.

    Raises:
        ValueError: it is a pipe or a device, or longer.
        OSError: it cannot be opened; IsADirectoryError for a folder.
    """
    status = Path(path).stat()  # before it is opened: opening a pipe waits for its other end
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(f"{path} is a pipe or a device; save its content in a file first")
    if limit is not None and status.st_size > limit:
        raise ValueError(f"{path} has {status.st_size} bytes; files of at most {limit} bytes are read")
    return Path(path).open("rb")


def parse_json(text: str | bytes) -> Any:  # noqa: ANN401  any JSON
    """The value of a JSON text.

    Raises:
        ValueError: it is not JSON, not UTF-8, or is nested too deeply.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
