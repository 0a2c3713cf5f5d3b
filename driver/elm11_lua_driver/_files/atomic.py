"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator


_REPLACE_S: Final = 2.0
_PAUSE_S: Final = 0.02


def _temporary_beside(path: Path) -> Path:
    # In the same folder, since os.replace is atomic only within one file system. By chance, since threads share a
    # process's number, and computers that share a folder may have the same ones.
    return path.with_name(f".{path.name}.{os.urandom(8).hex()}.part")


def replace_file(temporary: Path, target: Path, *, on_windows: bool = os.name == "nt") -> None:
    """Give a file its name. Windows refuses that while somebody else has the old file open: then again, for 2 s.

    Raises:
        OSError: it cannot be done.
    """
    end_s = time.monotonic() + _REPLACE_S
    while True:
        try:
            temporary.replace(target)
        except PermissionError:
            if not on_windows or time.monotonic() >= end_s:
                raise
            time.sleep(_PAUSE_S)
        else:
            return


def check_writable(path: Path | str) -> None:
    """Find out whether a file can be written, before a long computation rather than after it.

    Raises:
        ValueError: its name is empty, its folder does not exist or cannot be written, or it is a folder itself.
    """
    if path == "":
        raise ValueError("the name is empty; give a file")
    target = Path(os.path.realpath(path))
    if target.is_dir():
        msg = f"{path} is a folder; give the name of a file"
        raise ValueError(msg)
    if target.exists() and not target.is_file():
        msg = f"{path} is not a regular file; give another name"
        raise ValueError(msg)
    if not target.parent.is_dir():
        msg = f"{path}: there is no folder {Path(path).parent}; make it first, or give another name"
        raise ValueError(msg)
    temporary = _temporary_beside(target)
    try:
        # Only trying tells: permission bits say nothing about read-only file systems or full disks.
        temporary.touch(exist_ok=False)
        temporary.unlink(missing_ok=True)
    except OSError as error:
        msg = f"{path} cannot be written: {error.strerror}; give another name or folder"
        raise ValueError(msg) from error


@contextlib.contextmanager
def atomic_file(path: Path | str, *, follow_links: bool = True) -> Iterator[IO[bytes]]:
    """A binary file that takes its name only once it is complete.

    Whoever reads `path` finds the old content or the new, never a part; when the block ends with an exception, the
    old content stays and nothing else remains. Of several that write it at once, the last one to end wins. A symbolic
    link is followed, an existing file keeps its permissions. With `follow_links` False a link itself is replaced, for
    folders where another user may have planted one.

    Yields:
        The open file.

    Raises:
        OSError: it could not be written.
    """
    target = Path(os.path.realpath(path)) if follow_links else Path(path)
    temporary = _temporary_beside(target)
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if target.exists() and (follow_links or not target.is_symlink()):
            shutil.copymode(target, temporary)
        replace_file(temporary, target)
    except OSError as error:
        if error.filename in {None, str(temporary)}:
            error.filename = str(path)  # a full disk names no file, and nobody knows the temporary one
        raise
    finally:
        temporary.unlink(missing_ok=True)
