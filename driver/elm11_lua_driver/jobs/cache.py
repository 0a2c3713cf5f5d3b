"""Results kept in the user's cache folder, so that the same job is not computed twice.

One file per job and number of simulations: the histogram by groups of simulations, from which any level and its
standard error can be read. The files are NumPy archives (``numpy.load(path)["counts"]``), written by `jobs.storage`;
the name is the job's hash. Nothing is lost when they are deleted.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import threading
import warnings
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .._files.user_dirs import cache_folder
from . import storage

if TYPE_CHECKING:
    from .histogram import Histogram
    from .job import Job

FOLDER_VARIABLE: Final = "ELM11_CACHE"
"""Environment variable that names another folder."""

MAX_BYTES: Final = 512 * 1024 * 1024
"""What the folder may hold: some 300 jobs of 21 scales. Above it the least recently used results are deleted."""

_FORMAT: Final = 1
_NAME: Final = re.compile(r"[0-9a-f]{64}-[0-9]+(-board)?\.npz")
_lock = threading.Lock()


@dataclass(frozen=True)
class Entry:
    """A cached result.

    Attributes:
        path: its file.
        n_bytes: size of the file.
        used: when it was written or last read, in seconds since 1970.
        job: its job; None when the file cannot be read.
        by_board: True if a board has computed it.
    """

    path: Path
    n_bytes: int
    used: float
    job: Job | None
    by_board: bool


def folder() -> Path:
    """The folder: what ``ELM11_CACHE`` names, else ``results`` in the user's cache folder."""
    named = os.environ.get(FOLDER_VARIABLE)
    if named:
        return Path(named)
    return cache_folder() / "results"


def path_of(job: Job, *, by_board: bool = False) -> Path:
    """The file for a job's result.

    Another version of this package has a folder of its own: what it has fixed must not come back from a cache.

    Args:
        job: the job; its number of simulations is a part of the name.
        by_board: True for the result of a board. Such results are kept apart, although the counts are the same: a
            user who asks for a board gets a board's result.
    """
    name = f"{job.sha256}-{job.n_simulations}{'-board' if by_board else ''}.npz"
    return folder() / f"{version('elm11-lua-driver')}-{_FORMAT}" / name


def load(job: Job, *, by_board: bool = False) -> Histogram | None:
    """The cached result of a job, complete; None if there is none. Arguments as `path_of`.

    Warns:
        UserWarning: the file cannot be read or holds something else; the result counts as not cached.
    """
    path = path_of(job, by_board=by_board)
    if path.is_symlink():  # this program makes none
        warnings.warn(f"a cached result is not used, and is computed again: {path} is a symbolic link", stacklevel=2)
        return None
    try:
        histogram = storage.load(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        warnings.warn(f"a cached result is not used, and is computed again: {error}", stacklevel=2)
        return None
    if histogram.job != job or not histogram.is_complete:
        warnings.warn(f"a cached result is not used, and is computed again: {path} is of another job", stacklevel=2)
        return None
    with contextlib.suppress(OSError):  # a read-only folder serves as well
        os.utime(path)
    return histogram


def save(histogram: Histogram, *, by_board: bool = False) -> None:
    """Keep a complete result; `by_board` as `path_of`.

    Warns:
        UserWarning: it cannot be written.
    """
    assert histogram.is_complete
    path = path_of(histogram.job, by_board=by_board)
    try:
        with _lock:  # threads of one process would share the name of the unfinished file
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir() and not path.is_symlink():
                path.rmdir()  # fails if something is in it, which is not ours
            storage.save(histogram, path, follow_links=False)
            _make_room(path)
    except OSError as error:
        warnings.warn(
            f"the result cannot be cached: {error.filename or path}: {error.strerror or error}; "
            f"set {FOLDER_VARIABLE} to a folder that can be written, or pass cache=False",
            stacklevel=2,
        )


def entries() -> list[Entry]:
    """All cached results, of this version and of others, latest used first."""
    return [
        Entry(path, status.st_size, status.st_mtime, _job_of(path), path.stem.endswith("-board"))
        for path, status in _files()
    ]


def clear() -> int:
    """Delete every result, of this version and of others, and unfinished files of killed processes.

    Returns:
        How many results were deleted.

    Raises:
        OSError: one cannot be deleted.
    """
    paths = [path for path, _ in _files()]
    for path in [*paths, *folder().glob("*-*/.*.npz.*.part")]:
        path.unlink(missing_ok=True)
    for path in folder().glob("*/"):
        with contextlib.suppress(OSError):  # not empty: it holds files that are not ours
            path.rmdir()
    return len(paths)


def _files() -> list[tuple[Path, os.stat_result]]:
    """The results, latest used first."""
    found = []
    # Only names that `path_of` gives: the folder may be one that the user has chosen, with other things in it.
    for path in folder().glob("*-*/*.npz"):
        if _NAME.fullmatch(path.name):
            with contextlib.suppress(FileNotFoundError):  # another process may be deleting
                status = path.lstat()
                if stat.S_ISREG(status.st_mode):  # no folder, and no link that somebody else has planted
                    found.append((path, status))
    return sorted(found, key=lambda file: file[1].st_mtime, reverse=True)


def _job_of(path: Path) -> Job | None:
    try:
        return storage.load_job(path)
    except (OSError, ValueError):
        return None


def _make_room(newest: Path) -> None:
    """Delete the least recently used results until the rest fits; never the newest."""
    total = 0
    for path, status in _files():
        total += status.st_size
        if total > MAX_BYTES and path != newest:
            path.unlink(missing_ok=True)
