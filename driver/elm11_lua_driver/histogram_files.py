"""Histograms in files: what a run has counted, whole or in part, to be added to and to be read again.

The name's end says which kind: ``.npz`` (NumPy's archive, small) or ``.json`` (readable everywhere).
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .atomic_file import atomic_file
from .histogram import Histogram, Part
from .job import Job
from .sessions import Session, extended

if TYPE_CHECKING:
    from collections.abc import Iterable

_FORMAT: Final = 1
SUFFIXES: Final = (".npz", ".json")


def check_suffix(path: Path | str) -> None:
    """Do nothing if the name says which kind of file it is.

    Raises:
        ValueError: it does not.
    """
    if Path(path).suffix.lower() not in SUFFIXES:
        msg = f"{path} must end with {' or '.join(SUFFIXES)}"
        raise ValueError(msg)


def save(histogram: Histogram, path: Path | str, *, sessions: Iterable[Session] = ()) -> None:
    """Write a histogram; whoever reads the file finds the old one or the new one, never a part.

    Args:
        histogram: whole or in part.
        path: its end says which kind of file.
        sessions: who computed it, for the report; `load_sessions` reads it again.

    Raises:
        ValueError: the name's end is neither of the two.
        OSError: it cannot be written.
    """
    check_suffix(path)
    parts = histogram.parts
    history = [session.to_dict() for session in sessions]
    with atomic_file(path) as file:
        if Path(path).suffix.lower() == ".npz":
            shape = (0, histogram.job.J + 1, histogram.job.n_bins)
            np.savez_compressed(
                file,
                format=_FORMAT,
                job=histogram.job.to_json(),
                start=np.array([part.start for part in parts], np.int64),
                stop=np.array([part.stop for part in parts], np.int64),
                counts=np.array([part.counts for part in parts], np.int64) if parts else np.zeros(shape, np.int64),
                sha256=histogram.sha256,
                sessions=json.dumps(history),
            )
        else:
            document = {
                "format": _FORMAT,
                "job": json.loads(histogram.job.to_json()),
                "parts": [{"start": part.start, "stop": part.stop, "counts": part.counts.tolist()} for part in parts],
                "sha256": histogram.sha256,
                "sessions": history,
            }
            file.write((json.dumps(document, separators=(",", ":")) + "\n").encode())


def load(path: Path | str) -> Histogram:
    """Read a histogram.

    Raises:
        ValueError: the file is none that `save` wrote, or it is damaged.
        OSError: it cannot be read.
    """
    check_suffix(path)
    try:
        values = _read_npz(path) if Path(path).suffix.lower() == ".npz" else _read_json(path)
        job = Job.from_json(values["job"])
        histogram = Histogram(
            job,
            (
                Part(int(start), int(stop), np.asarray(counts, np.int64))
                for start, stop, counts in zip(values["start"], values["stop"], values["counts"], strict=True)
            ),
        )
    except (KeyError, TypeError, ValueError, EOFError, zipfile.BadZipFile) as error:
        msg = f"{path} holds no histogram: {error}"
        raise ValueError(msg) from error
    if histogram.sha256 != values["sha256"]:
        msg = f"{path} is damaged: its counts do not have the SHA-256 that it tells"
        raise ValueError(msg)
    return histogram


def save_more(histogram: Histogram, path: Path | str, session: Session) -> None:
    """Write a histogram to which a session has added, keeping what the file says of the earlier ones.

    Args:
        histogram: with what the session has computed.
        path: its end says which kind of file; it need not exist.
        session: the latest.

    Raises:
        ValueError: the name's end is neither of the two.
        OSError: it cannot be written.
    """
    check_suffix(path)
    # A file that is overwritten with nothing but new simulations held something else.
    continued = histogram.n_simulations > session.n_simulations and Path(path).exists()
    save(histogram, path, sessions=extended(load_sessions(path) if continued else (), session))


def load_sessions(path: Path | str) -> tuple[Session, ...]:
    """Who computed the histogram in a file.

    Returns:
        In the order of the work; nothing for a file of an earlier version, and where it cannot be understood: the
        counts are right all the same.

    Raises:
        ValueError: the name's end is not that of such a file.
        OSError: it cannot be read.
    """
    check_suffix(path)
    try:
        if Path(path).suffix.lower() == ".npz":
            with np.load(path, allow_pickle=False) as file:
                history = json.loads(str(file["sessions"]))
        else:
            history = json.loads(Path(path).read_text(encoding="utf-8"))["sessions"]
        return tuple(Session.from_dict(values) for values in history)
    except (KeyError, TypeError, ValueError, EOFError, zipfile.BadZipFile):
        return ()


def _read_npz(path: Path | str) -> dict[str, Any]:
    with np.load(path, allow_pickle=False) as file:
        values = {name: file[name] for name in ("job", "start", "stop", "counts", "sha256")}
    return {**values, "job": str(values["job"]), "sha256": str(values["sha256"])}


def _read_json(path: Path | str) -> dict[str, Any]:
    document = json.loads(Path(path).read_text(encoding="utf-8"))
    return {
        "job": json.dumps(document["job"]),
        "start": [part["start"] for part in document["parts"]],
        "stop": [part["stop"] for part in document["parts"]],
        "counts": [part["counts"] for part in document["parts"]],
        "sha256": document["sha256"],
    }
