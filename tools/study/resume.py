"""Parts of the study that are measured already: kept, one file each, until the whole study is done.

A study that is interrupted, or one of whose parts fails, goes on from there when it is started again. What was measured
with other programs or settings is not taken up: its file holds a fingerprint of all that it depends on.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from elm11_lua_driver._files.atomic import atomic_file

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT: Final = Path(__file__).parents[2]
SOURCES: Final = ("driver", "firmware_lua", "host_ref", "shim", "tools/study")
_ONLY_SHOW: Final = {
    *("report.py", "wording.py", "performance_page.py", "comparison_page.py"),
    *("quoted.py", "figures.py", "checks.py"),
}
"""Programs of the study by which nothing is measured: words and pictures may be mended while parts are kept."""


def fingerprint(settings: dict[str, Any], root: Path = ROOT, sources: Iterable[str] = SOURCES) -> str:
    """SHA-256 of the settings and of every program file that what is measured may depend on."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for source in sources:
        for path in sorted((root / source).rglob("*")):
            if path.suffix in {".py", ".lua", ".json"} and path.name not in _ONLY_SHOW:
                digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


class Kept:
    """The folder of the parts that are done."""

    def __init__(self, folder: Path, key: str) -> None:
        self.folder = folder
        self._key = key

    def load(self, part: str) -> dict[str, Any] | None:
        """What was kept of a part, or None if nothing was, or it belongs to other programs or settings."""
        try:
            document = json.loads((self.folder / f"{part}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        if not isinstance(document, dict) or document.get("key") != self._key:
            return None
        record: dict[str, Any] = document["record"]
        return record

    def save(self, part: str, record: dict[str, Any]) -> None:
        """Keep a part."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with atomic_file(self.folder / f"{part}.json") as file:
            file.write(json.dumps({"key": self._key, "record": record}).encode())

    def forget(self, parts: Iterable[str]) -> None:
        """Remove what was kept of some parts, and the folder if it is empty then."""
        for part in parts:
            (self.folder / f"{part}.json").unlink(missing_ok=True)
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()
