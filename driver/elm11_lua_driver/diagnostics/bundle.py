"""The zip file of `elm11 support-bundle`, for bug reports.

Of the environment it contains only this project's own variables. The home directory is written as ``~``.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from .. import config
from .._files.atomic import atomic_file
from .._files.user_dirs import config_folder
from ..errors import ConfigError
from . import doctor
from .last_trace import last_trace

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .check import Check

MOST_TRACE_BYTES: Final = 4_000_000
"""The end of a longer trace is kept: the fault is at the end."""

MOST_RUNS: Final = 20
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # the same content makes the same file


@dataclass(frozen=True)
class Item:
    """A file of the bundle.

    Attributes:
        name: its name in the zip.
        what: a description.
        content: its text, without the home directory's name.
    """

    name: str
    what: str
    content: str


def without_home(text: str, home: Path | None = None) -> str:
    """Text with the home directory's name replaced by ``~``, and the user's name in other paths by ``USER``.

    The user's name is the last part of the home directory's; only whole names of folders are replaced.
    """
    try:
        name = str(Path.home() if home is None else home)
    except RuntimeError:
        return text  # a user without a home
    if len(name) <= 1:
        return text  # "/" is everybody's
    for spelling in {name, name.replace("\\", "\\\\"), name.replace("\\", "/")}:
        text = re.sub(re.escape(spelling) + r"(?![\w.-])", "~", text)
    user = re.escape(re.split(r"[/\\]", name.rstrip("/\\"))[-1])
    return re.sub(rf"(?<=[/\\]){user}(?=[/\\])", "USER", text)


def collect(checks: Sequence[Check], versions: str, environ: Mapping[str, str], home: Path | None = None) -> list[Item]:
    """The files of the bundle."""
    ours = {*map(config.variable, config.KEYS), *doctor.OTHER_VARIABLES}
    variables = {name: value for name, value in sorted(environ.items()) if name in ours}
    items = [
        Item("doctor.json", "what elm11 doctor found", _json(doctor.to_dict(checks))),
        Item("settings.json", "settings, and where each comes from", _json(_settings())),
        Item("environment.json", f"environment: {', '.join(variables) or 'none of our variables'}", _json(variables)),
        Item("versions.txt", "versions", versions + "\n"),
    ]
    trace = last_trace()
    if trace is not None:
        text, cut = _end_of(trace)
        note = f", its last {MOST_TRACE_BYTES // 1_000_000} MB" if cut else ""
        items.append(Item("trace.jsonl", f"the last byte trace, {trace}{note}", text))
    items += [
        Item(path.relative_to(config_folder()).as_posix(), "calibration of a board", _text(path))
        for path in _kept("calibration.json", "calibrations/*.json")
    ]
    items += [Item(f"runs/{path.name}", "a run that was started here", _run(path)) for path in _runs()]
    return [Item(item.name, without_home(item.what, home), without_home(item.content, home)) for item in items]


def write(items: Sequence[Item], path: Path) -> None:
    """Write the zip file."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as bundle:
        for item in items:
            entry = zipfile.ZipInfo(item.name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            bundle.writestr(entry, item.content.encode("utf-8", "backslashreplace"))
    with atomic_file(path) as file:
        file.write(packed.getvalue())


def _json(document: object) -> str:
    return json.dumps(document, indent=2) + "\n"


def _settings() -> dict[str, Any]:
    try:
        return {
            key: {"value": None if one.value is None else str(one.value), "source": one.source, "origin": one.origin}
            for key, one in config.load().items()
        }
    except ConfigError as error:
        return {"error": str(error)}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        return f"cannot be read: {error.strerror}\n"


def _run(path: Path) -> str:
    """The record of a run, of whose file only the name goes in: folders can be named after people and projects."""
    text = _text(path)
    try:
        record = json.loads(text)
        record["output"] = re.split(r"[/\\]", record["output"])[-1]
    except (ValueError, TypeError, KeyError):
        return text  # not what this version writes
    return _json(record)


def _end_of(path: Path) -> tuple[str, bool]:
    """The last lines of a file, and whether that is not all of it."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, io.SEEK_END)
            file.seek(max(0, size - MOST_TRACE_BYTES))
            text = file.read(MOST_TRACE_BYTES).decode("utf-8", "backslashreplace")
    except OSError as error:
        return f"cannot be read: {error.strerror}\n", False
    cut = size > MOST_TRACE_BYTES
    return text.partition("\n")[2] if cut else text, cut


def _kept(*patterns: str) -> list[Path]:
    """Files in the configuration folder. `board` would say which, but needs packages that may be missing here."""
    return sorted(path for pattern in patterns for path in config_folder().glob(pattern))


def _runs() -> list[Path]:
    """Records of the latest runs, the newest first."""
    try:
        records = [(path.stat().st_mtime, path.name, path) for path in _kept("runs/*.json")]
    except OSError:
        return []
    return [path for _, _, path in sorted(records, reverse=True)[:MOST_RUNS]]
