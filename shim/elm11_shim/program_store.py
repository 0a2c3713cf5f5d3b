"""The programs in the board's flash, in memory or in a file."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

MAX_PROGRAMS = 128
MAX_PROGRAM_BYTES = 24575
MAX_NAME_LENGTH = 29
_FILE_VERSION = 1


class StoreFileError(ValueError):
    """The store's file is not one that this class wrote."""


class ProgramStore:
    """Stored programs in the order of their upload, and the name of the one that starts at boot.

    With a path, every change is written at once and atomically: a file is replaced as a whole, so it is never
    half old and half new. The file is JSON, with the programs in base64 since they may hold any byte.
    """

    def __init__(self, path: Path | None = None) -> None:
        """Load the file if it exists.

        Args:
            path: the file; None keeps everything in memory.

        Raises:
            StoreFileError: the file is not a program store.
        """
        self._path = path
        self._programs: dict[str, bytes] = {}
        self._start_on_boot: str | None = None
        if path is not None and path.exists():
            self._load(path)

    @property
    def names(self) -> list[str]:
        """Names in the order of the board's list."""
        return list(self._programs)

    @property
    def start_on_boot(self) -> str | None:
        """The program that runs at boot."""
        return self._start_on_boot

    @start_on_boot.setter
    def start_on_boot(self, name: str | None) -> None:
        self._start_on_boot = name
        self._save()

    def __contains__(self, name: str) -> bool:
        """Whether there is a program of that name, broken entries included."""
        return name in self._programs

    def content(self, name: str) -> bytes | None:
        """Everything that was written under that name, or None.

        Args:
            name: of the program.
        """
        return self._programs.get(name)

    def text(self, name: str) -> bytes | None:
        """The program as the board reads it, up to the first NUL, or None.

        Args:
            name: of the program.
        """
        content = self._programs.get(name)
        return None if content is None else content.partition(b"\0")[0]

    def create(self, name: str) -> None:
        """Add an empty entry.

        Args:
            name: of the program.

        Raises:
            ValueError: the name is too long or taken, or the store is full.
        """
        if len(name) > MAX_NAME_LENGTH:
            raise ValueError(f"name: at most {MAX_NAME_LENGTH} characters, not {len(name)}")
        if name in self._programs:
            raise ValueError(f"name: {name!r} exists")
        if len(self._programs) >= MAX_PROGRAMS:
            raise ValueError(f"at most {MAX_PROGRAMS} programs")
        self._programs[name] = b""
        self._save()

    def append(self, name: str, data: bytes) -> None:
        """Write behind what is there; what goes beyond the largest program is lost, as it is in flash.

        Args:
            name: of a program that exists.
            data: any bytes.
        """
        self._programs[name] = (self._programs[name] + data)[:MAX_PROGRAM_BYTES]
        self._save()

    def delete(self, name: str) -> bool:
        """Remove a program; False if there is none.

        Args:
            name: of the program.

        Returns:
            Whether there was one.
        """
        if self._programs.pop(name, None) is None:
            return False
        self._save()
        return True

    def _load(self, path: Path) -> None:
        try:
            document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            if document["version"] != _FILE_VERSION:
                raise StoreFileError(f"{path}: version {document['version']}, not {_FILE_VERSION}")
            programs = {
                str(entry["name"]): base64.b64decode(entry["content"], validate=True) for entry in document["programs"]
            }
            start_on_boot = document["start_on_boot"]
        except (KeyError, TypeError, ValueError) as error:
            raise StoreFileError(f"{path} is not a program store: {error}") from error
        self._programs = programs
        self._start_on_boot = start_on_boot if isinstance(start_on_boot, str) else None

    def _save(self) -> None:
        if self._path is None:
            return
        document = {
            "version": _FILE_VERSION,
            "start_on_boot": self._start_on_boot,
            "programs": [
                {"name": name, "content": base64.b64encode(content).decode()}
                for name, content in self._programs.items()
            ],
        }
        folder = self._path.parent
        with tempfile.NamedTemporaryFile(
            "w", dir=folder, prefix=self._path.name, delete=False, encoding="utf-8"
        ) as file:
            temporary = Path(file.name)
            try:
                json.dump(document, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
                file.close()
                temporary.replace(self._path)
            finally:
                with contextlib.suppress(OSError):  # what a full disk did not take fails once more
                    file.close()
                temporary.unlink(missing_ok=True)
