"""A lock on a file, among processes and threads.

It is the system's own lock, so it ends with its holder, however that ends. A lock file with its owner's number would
need a guess about stale ones, from clocks and process numbers that computers sharing a folder do not share.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

if sys.platform == "win32":
    import msvcrt
else:
    try:
        import fcntl
    except ImportError:  # neither POSIX nor Windows
        fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Iterator

WAIT_S: Final = 30.0
"""Longest wait for another program; writing a file takes some 10 ms."""

_PAUSE_S: Final = 0.005


@contextlib.contextmanager
def locked(path: Path | str, wait_s: float = WAIT_S) -> Iterator[None]:
    """Hold the lock of a file, which is that of ``.NAME.lock`` beside it; the lock's file is deleted at the end.

    Where the system or the file system has no locks, nothing is locked.

    Raises:
        TimeoutError: another program has held the lock for `wait_s` seconds.
        OSError: the lock's file cannot be made.
    """
    target = Path(os.path.realpath(path))
    beside, end_s = target.with_name(f".{target.name}.lock"), time.monotonic() + wait_s
    while (file := _acquired(beside)) is None:
        if time.monotonic() >= end_s:
            raise TimeoutError(errno.ETIMEDOUT, f"another program has locked it for {wait_s:g} s", str(path))
        time.sleep(_PAUSE_S)
    try:
        yield
    finally:
        if sys.platform == "win32":  # an open file cannot be deleted there, so nobody else has it if this succeeds
            os.close(file)
            with contextlib.suppress(OSError):
                beside.unlink()
        else:
            with contextlib.suppress(OSError):
                beside.unlink()
            os.close(file)


def _acquired(beside: Path) -> int | None:
    """The open file with the lock; None if another has it."""
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
    try:
        file = os.open(beside, flags, 0o666)
    except PermissionError:
        if os.name == "nt":  # its holder is deleting it
            return None
        raise
    try:
        if sys.platform == "win32":
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        elif fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # The holder before may have deleted this very file meanwhile; then others lock another one.
        is_free = os.path.samestat(os.fstat(file), beside.stat())
    except (BlockingIOError, PermissionError, FileNotFoundError):
        is_free = False
    except OSError as error:
        is_free = error.errno in {errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS}
    if is_free:
        return file
    os.close(file)
    return None
