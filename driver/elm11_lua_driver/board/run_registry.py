"""Records of the runs that this computer has started, so that `elm11 attach` needs no arguments.

The board knows a job by a short name only; the record of that name holds the whole job.
"""

from __future__ import annotations

import dataclasses
import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from .._files.atomic import atomic_file
from .._files.reading import parse_json
from .._files.user_dirs import config_folder
from ..jobs.job import Job
from ..protocol.commands import job_name

_FOLDER: Final = "runs"
_FORMAT: Final = 1


@dataclass(frozen=True)
class RunRecord:
    """A run that was started.

    Attributes:
        job: what it computes.
        output: the file that its histogram is for.
        level: the confidence of the levels that were asked for, between 0 and 1.
        started: when, in seconds since 1970.
        fetched: whether the results of the last start have arrived.
    """

    job: Job
    output: Path
    level: float
    started: float
    fetched: bool = False


def _file(name: str) -> Path:
    return config_folder() / _FOLDER / f"{name}.json"


def save(record: RunRecord) -> None:
    """Remember a run.

    Warns:
        UserWarning: it cannot be kept; the run goes on without.
    """
    try:
        _write(record)
    except OSError as error:
        warnings.warn(
            f"the run cannot be remembered in {config_folder()}: {error.strerror}; elm11 attach needs the job "
            "then: --job FILE, a histogram's file or what --json printed",
            stacklevel=2,
        )


def _write(record: RunRecord) -> None:
    path = _file(job_name(record.job))
    path.parent.mkdir(parents=True, exist_ok=True)
    values = {
        "format": _FORMAT,
        "job": json.loads(record.job.to_json()),
        "output": str(record.output),
        "level": record.level,
        "started": record.started,
        "fetched": record.fetched,
    }
    with atomic_file(path) as file:
        file.write((json.dumps(values, indent=1) + "\n").encode())


def load(name: str) -> RunRecord | None:
    """The run of the job with that name; None if this computer has not started it."""
    try:
        values: dict[str, Any] = parse_json(_file(name).read_bytes())
        return RunRecord(
            Job.from_json(json.dumps(values["job"])),
            Path(values["output"]),
            float(values["level"]),
            float(values["started"]),
            bool(values["fetched"]),
        )
    except (OSError, ValueError, OverflowError, KeyError, TypeError):
        return None  # a file that cannot be read is as good as none: the job can be given by hand


def mark_fetched(record: RunRecord) -> None:
    """Remember that the results have arrived."""
    save(dataclasses.replace(record, fetched=True))
