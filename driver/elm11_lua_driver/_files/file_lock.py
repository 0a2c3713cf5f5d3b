"""One process at a time, by a lock that the system takes back when its holder dies."""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import time
from typing import IO, TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_ON_WINDOWS = os.name == "nt"
_PAUSE_S: Final = 0.02
_NO_LOCKS: Final = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS}  # some network file systems have none


@contextlib.contextmanager
def file_lock(path: Path, timeout_s: float) -> Iterator[None]:
    """Hold the lock that a file stands for. It also keeps threads of one process apart.

    Where the file system has no locks, nothing is held.

    Args:
        path: the file; it is made if need be, stays empty, and is not deleted.
        timeout_s: longest wait for whoever holds it, seconds.

    Raises:
        TimeoutError: somebody else still holds it.
        OSError: the file cannot be made.
    """
    with path.open("ab") as file:
        end_s = time.monotonic() + timeout_s
        while not _taken(file):
            if time.monotonic() >= end_s:
                raise TimeoutError(errno.ETIMEDOUT, f"another program has held it for {timeout_s:g} s", str(path))
            time.sleep(_PAUSE_S)
        try:
            yield
        finally:
            _give_back(file)


def _system() -> Any:  # noqa: ANN401  two modules, of which each system has one
    return importlib.import_module("msvcrt" if _ON_WINDOWS else "fcntl")


def _taken(file: IO[bytes]) -> bool:
    """Whether the lock could be had at once."""
    system = _system()
    try:
        if _ON_WINDOWS:
            file.seek(0)
            system.locking(file.fileno(), system.LK_NBLCK, 1)
        else:
            system.flock(file, system.LOCK_EX | system.LOCK_NB)
    except OSError as error:
        return error.errno in _NO_LOCKS
    return True


def _give_back(file: IO[bytes]) -> None:
    system = _system()
    with contextlib.suppress(OSError):  # closing the file gives it back as well
        if _ON_WINDOWS:
            file.seek(0)
            system.locking(file.fileno(), system.LK_UNLCK, 1)
        else:
            system.flock(file, system.LOCK_UN)
