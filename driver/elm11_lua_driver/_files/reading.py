"""Open files of users with care: what is no regular file, or too long, is an error before anything is read."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import IO


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
