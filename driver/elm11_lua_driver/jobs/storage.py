"""Histograms in files, complete or not.

The suffix sets the format: ``.npz`` (NumPy's archive, small) or ``.json`` (readable everywhere). Both hold the job in
full, the name of its experiment (`Job.sha256`), the parts with their first simulation and the first one after them, the
SHA-256 of all counts together, the stopping rule (level and target), and the provenance (engines, times, versions).
"""

from __future__ import annotations

import contextlib
import json
import math
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .._files.atomic import atomic_file
from .histogram import Histogram, Part
from .job import Job
from .provenance import Provenance

if TYPE_CHECKING:
    from collections.abc import Iterable

# What reading a damaged archive may raise; RuntimeError where bits say that it is encrypted, or of a later kind.
_DAMAGED: Final = (ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)
_FORMAT: Final = 1
SUFFIXES: Final = (".npz", ".json")


def check_suffix(path: Path | str) -> None:
    """Do nothing if the suffix is one of the two.

    Args:
        path: of the file; ends in ``.npz`` or ``.json``.

    Raises:
        ValueError: it does not.
    """
    if Path(path).suffix.lower() not in SUFFIXES:
        raise ValueError(f"{path} must end with {' or '.join(SUFFIXES)}")


@dataclass(frozen=True)
class StoppingRule:
    """When a run may stop. The file holds it, so that `elm11 resume` needs no options.

    Attributes:
        level: the confidence of the levels, 0 < level < 1.
        target_standard_error: see `run`; None for all simulations.
    """

    level: float = 0.95
    target_standard_error: float | None = None


@dataclass(frozen=True)
class StoredRun:
    """The content of a histogram's file.

    Attributes:
        histogram: the counts, complete or not.
        rule: the level and target that it was computed for.
        provenance: which engines computed it, in the order of the work; empty for files of the first versions, and
            where it cannot be understood.
    """

    histogram: Histogram
    rule: StoppingRule
    provenance: tuple[Provenance, ...]


def save(
    histogram: Histogram, path: Path | str, rule: StoppingRule | None = None, provenance: Iterable[Provenance] = ()
) -> None:
    """Write a histogram; a reader of the file finds the old content or the new one, never a part.

    Args:
        histogram: what to write.
        path: the file.
        rule: when its run stops; `StoppingRule()` if None.
        provenance: which engines computed it, in the order of the work.

    Raises:
        ValueError: the file's suffix is neither of the two.
        OSError: it cannot be written.
    """
    check_suffix(path)
    parts, rule = histogram.parts, rule or StoppingRule()
    target = rule.target_standard_error
    history = [entry.to_dict() for entry in provenance]  # the key "sessions" is that of version 0.1.0
    with atomic_file(path) as file:
        if Path(path).suffix.lower() == ".npz":
            shape = (0, histogram.job.J + 1, histogram.job.n_bins)
            counts = np.array([part.counts for part in parts], np.int64) if parts else np.zeros(shape, np.int64)
            # The narrowest integers and no compression: a checkpoint is written every second or so, and compressing
            # takes 0.3 s where this takes 0.01 s (64 groups, 29 scales, 1000 bins: 3.7 MB instead of 1.4).
            np.savez(
                file,
                format=_FORMAT,
                job=histogram.job.to_json(),
                job_sha256=histogram.job.sha256,
                start=np.array([part.start for part in parts], np.int64),
                stop=np.array([part.stop for part in parts], np.int64),
                counts=counts.astype(np.min_scalar_type(int(counts.max(initial=0)))),
                sha256=histogram.sha256,
                level=rule.level,
                target_standard_error=math.nan if target is None else target,
                sessions=json.dumps(history),
            )
        else:
            document = {
                "format": _FORMAT,
                "job": json.loads(histogram.job.to_json()),
                "job_sha256": histogram.job.sha256,
                "parts": [{"start": part.start, "stop": part.stop, "counts": part.counts.tolist()} for part in parts],
                "sha256": histogram.sha256,
                "level": rule.level,
                "target_standard_error": target,
                "sessions": history,
            }
            file.write((json.dumps(document, separators=(",", ":")) + "\n").encode())


def load(path: Path | str) -> Histogram:
    """Read a histogram.

    Args:
        path: .npz or .json, as `save` wrote it.

    Returns:
        The histogram, complete or not.

    Raises:
        ValueError: `save` did not write the file, or it is damaged.
        OSError: it cannot be read.
    """
    return load_run(path).histogram


def load_run(path: Path | str) -> StoredRun:
    """Read a histogram, its stopping rule, and its provenance.

    Args:
        path: .npz or .json, as `save` wrote it.

    Raises:
        ValueError: `save` did not write the file, or it is damaged.
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
        # Files of the first versions have neither their job's name nor a stopping rule.
        target = values.get("target_standard_error")
        rule = StoppingRule(
            float(values.get("level", StoppingRule.level)),
            None if target is None or math.isnan(float(target)) else float(target),
        )
    except (*_DAMAGED, KeyError, TypeError) as error:
        why = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        raise ValueError(f"{path} holds no histogram: {why}") from error
    if job.sha256 != values.get("job_sha256", job.sha256) or histogram.sha256 != values["sha256"]:
        raise ValueError(f"{path} is damaged: its job or its counts do not have the SHA-256 that it states")
    return StoredRun(histogram, rule, _provenance(values.get("sessions")))


def _provenance(history: Any) -> tuple[Provenance, ...]:  # noqa: ANN401  a list, or nonsense
    """The entries of a file; none where they cannot be understood, since the counts are right without them."""
    try:
        return tuple(Provenance.from_dict(values) for values in history)
    except (ValueError, KeyError, TypeError):
        return ()


def _read_npz(path: Path | str) -> dict[str, Any]:
    # Opened here: np.load leaves a damaged file open.
    with Path(path).open("rb") as opened, np.load(opened, allow_pickle=False) as file:
        values = {name: file[name] for name in ("start", "stop", "counts")}
        texts = {name: str(file[name]) for name in ("job", "sha256")}
        values |= {name: file[name] for name in ("level", "target_standard_error") if name in file}
        texts |= {name: str(file[name]) for name in ("job_sha256",) if name in file}
        with contextlib.suppress(KeyError, *_DAMAGED):  # the counts are right without it
            values["sessions"] = json.loads(str(file["sessions"]))
    return {**values, **texts}


def _read_json(path: Path | str) -> dict[str, Any]:
    document = json.loads(Path(path).read_text(encoding="utf-8"))
    later = ("job_sha256", "level", "target_standard_error", "sessions")
    return {
        "job": json.dumps(document["job"]),
        "start": [part["start"] for part in document["parts"]],
        "stop": [part["stop"] for part in document["parts"]],
        "counts": [part["counts"] for part in document["parts"]],
        "sha256": document["sha256"],
        **{name: document[name] for name in later if name in document},
    }
