"""Histograms in files, complete or not.

The suffix sets the format: ``.npz`` (NumPy's archive, small) or ``.json`` (readable everywhere). Both hold the job in
full, the name of its experiment (`Job.sha256`), the parts with their first simulation and the first one after them, the
SHA-256 of all counts together, the stopping rule (level and target) with its own SHA-256, and the provenance (engines,
times, versions). Whatever is wrong with a file ends in one `ValueError` of one line, before much memory is used.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import math
import os
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

import numpy as np

from .._files.atomic import atomic_file
from .._files.reading import open_regular
from .histogram import Histogram, Part
from .job import Job
from .provenance import Provenance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

MAX_JSON_BYTES: Final = 1 << 28
"""Longest JSON file: 30 times that of 64 groups, 29 scales and 1000 bins. Python takes ten times as much memory."""

# An archive may hold so many bytes, or so many times its own size: `save` does not compress, others by some ten times.
_MAX_UNPACKED, _MAX_RATIO = 1 << 26, 32
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

    @property
    def sha256(self) -> str:
        """SHA-256 of both numbers, in hexadecimal."""
        return hashlib.sha256(f"{self.level!r} {self.target_standard_error!r}".encode()).hexdigest()


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
    histogram: Histogram,
    path: Path | str,
    rule: StoppingRule | None = None,
    provenance: Iterable[Provenance] = (),
    *,
    follow_links: bool = True,
) -> None:
    """Write a histogram; a reader of the file finds the old content or the new one, never a part.

    Args:
        histogram: what to write.
        path: the file.
        rule: when its run stops; `StoppingRule()` if None.
        provenance: which engines computed it, in the order of the work.
        follow_links: False to replace a symbolic link itself.

    Raises:
        ValueError: the file's suffix is neither of the two, or the histogram is too large for JSON.
        OSError: it cannot be written.
    """
    check_suffix(path)
    parts, rule = histogram.parts, rule or StoppingRule()
    target = rule.target_standard_error
    history = [entry.to_dict() for entry in provenance]  # the key "sessions" is that of version 0.1.0
    with atomic_file(path, follow_links=follow_links) as file:
        if _is_archive(path):
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
                rule_sha256=rule.sha256,
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
                "rule_sha256": rule.sha256,
                "sessions": history,
            }
            content = (json.dumps(document, separators=(",", ":")) + "\n").encode()
            if len(content) > MAX_JSON_BYTES:
                raise ValueError(f"{path} would have {len(content)} bytes; give a name that ends with .npz")
            file.write(content)


def load(path: Path | str) -> Histogram:
    """The histogram of a file, complete or not; argument and errors as `load_run`."""
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
    with open_regular(path, None if _is_archive(path) else MAX_JSON_BYTES) as file, _damage(path):
        values = _read_npz(file) if _is_archive(path) else _read_json(file)
        job = Job.from_json(values["job"])
        histogram = Histogram(
            job,
            (
                Part(int(start), int(stop), np.asarray(counts, np.int64))
                for start, stop, counts in zip(values["start"], values["stop"], values["counts"], strict=True)
            ),
        )
        # Files of the first versions have neither their job's name nor a stopping rule, those of 0.1.0 no sum of it.
        target = values.get("target_standard_error")
        rule = StoppingRule(
            float(values.get("level", StoppingRule.level)),
            None if target is None or math.isnan(float(target)) else float(target),
        )
        sums = (job.sha256, histogram.sha256, rule.sha256)
    stated = (values.get("job_sha256", sums[0]), values["sha256"], values.get("rule_sha256", sums[2]))
    if sums != stated:
        raise ValueError(f"{path} is damaged: its job, its counts or its rule do not have the SHA-256 that it states")
    return StoredRun(histogram, rule, _provenance(values.get("sessions")))


def load_job(path: Path | str) -> Job:
    """The job alone of an archive, in less than a millisecond; argument and errors as `load_run`."""
    with open_regular(path) as file, _damage(path), _members(file) as members, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the job gave its warnings when it was computed
        return Job.from_json(str(members("job")))


def _is_archive(path: Path | str) -> bool:
    return Path(path).suffix.lower() == ".npz"


@contextlib.contextmanager
def _damage(path: Path | str) -> Iterator[None]:
    """One error of one line for whatever damaged content raises: TokenError, OverflowError, OSError and more."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        why = f"it has no {error}" if isinstance(error, KeyError) else str(error) or type(error).__name__
        raise ValueError(f"{path} holds no histogram: {ascii(' '.join(why.split()))[1:-1][:300]}") from error


def _provenance(history: Any) -> tuple[Provenance, ...]:  # noqa: ANN401  a list, or nonsense
    """The entries of a file; none where they cannot be understood, since the counts are right without them."""
    try:
        return tuple(Provenance.from_dict(values) for values in history)
    except Exception:  # noqa: BLE001  anything may stand there
        return ()


@contextlib.contextmanager
def _members(file: IO[bytes]) -> Iterator[Callable[[str], NDArray[Any]]]:
    """A function that reads an array of an archive by its name, if the whole archive is of a sound size."""
    with zipfile.ZipFile(file) as archive:
        n_bytes = sum(info.file_size for info in archive.infolist())
        if n_bytes > max(_MAX_UNPACKED, _MAX_RATIO * os.fstat(file.fileno()).st_size):
            raise ValueError(f"it would unpack to {n_bytes} bytes")
        names = set(archive.namelist())

        def read(name: str) -> NDArray[Any]:
            if f"{name}.npy" not in names:
                raise KeyError(name)
            return _array(archive.read(f"{name}.npy"))

        yield read


def _array(content: bytes) -> NDArray[Any]:
    """The array of an .npy file. NumPy's own reader takes memory for any shape that a damaged header states."""
    stream = io.BytesIO(content)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError("an array is not of NumPy's format 1.0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Python, about the text of a damaged header
        shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    n_bytes = len(content) - stream.tell()
    if dtype.hasobject or math.prod(shape) * dtype.itemsize != n_bytes or min(shape, default=0) < 0:
        raise ValueError(f"an array of shape {shape} and type {dtype} has {n_bytes} bytes")
    values = np.frombuffer(content, dtype, offset=stream.tell()) if n_bytes else np.empty(0, dtype)
    return values.reshape(shape, order="F" if is_fortran else "C")


_LATER: Final = ("job_sha256", "level", "target_standard_error", "rule_sha256", "sessions")  # not in the first files


def _read_npz(file: IO[bytes]) -> dict[str, Any]:
    with _members(file) as read:
        values: dict[str, Any] = {name: read(name) for name in ("start", "stop", "counts", "job", "sha256")}
        for name in _LATER:
            with contextlib.suppress(KeyError):
                values[name] = read(name)
    for name in ("job", "sha256", "job_sha256", "rule_sha256"):
        if name in values:
            values[name] = str(values[name])
    if "sessions" in values:
        try:
            values["sessions"] = json.loads(str(values["sessions"]))
        except (ValueError, RecursionError):  # the counts are right without it
            del values["sessions"]
    return values


def _read_json(file: IO[bytes]) -> dict[str, Any]:
    document = json.loads(file.read(MAX_JSON_BYTES))
    return {
        "job": json.dumps(document["job"]),
        **{name: [part[name] for part in document["parts"]] for name in ("start", "stop", "counts")},
        "sha256": document["sha256"],
        **{name: document[name] for name in _LATER if name in document},
    }
