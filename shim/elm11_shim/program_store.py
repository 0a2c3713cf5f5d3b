"""The programs and settings in the board's flash, in memory or in a file."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SLOTS = 128
MAX_PROGRAM_BYTES = 24575
MAX_NAME_LENGTH = 29
_TABLE_ENTRIES = 136
_ENTRY_BYTES = 32
_FILE_VERSIONS = (1, 2)  # version 1 had neither slots nor a count: programs were counted
_ERASED_COUNT = 0xFFFFFFFF
_ERASED_BYTE = b"\xff"
# The start-on-boot names of two cores and the two prompt formats of each, none of which has a NUL then.
_ERASED_START_ON_BOOT_BYTES = 2 * 30 + 4


class StoreFileError(ValueError):
    """The store's file is not one that this class wrote."""


class StoreFullError(ValueError):
    """No slot is left: 128 programs were uploaded since all were deleted."""


@dataclass(slots=True)
class _Entry:
    name: str
    content: bytes


class ProgramStore:
    """Stored programs in the order of the board's table, and the name of the one that starts at boot.

    The board never frees a slot: each new entry takes one, also where it replaces another, and only `delete_all` gives
    them back. A new entry takes the first hole of the table.

    With a path, every change is written at once and atomically: a file is replaced as a whole, so it is never
    half old and half new. The file is JSON, with the programs in base64 since they may hold any byte.
    """

    def __init__(self, path: Path | None = None, *, erased: bool = False) -> None:
        """Load the file if it exists.

        Args:
            path: the file; None keeps everything in memory.
            erased: whether the flash was never written: all bytes 255, until `delete_all`. A file that exists
                decides for itself.

        Raises:
            StoreFileError: the file is not a program store.
        """
        self._path = path
        self._table: list[_Entry | None] = []
        self._n_uploads = _ERASED_COUNT if erased else 0
        self._start_on_boot: str | None = None
        if path is not None and path.exists():
            self._load(path)

    @property
    def erased(self) -> bool:
        """Whether the flash was never written."""
        return self._n_uploads == _ERASED_COUNT

    @property
    def n_uploads(self) -> int:
        """The board's count: entries made since `delete_all`, which is the number of slots that are taken."""
        return self._n_uploads

    @property
    def names(self) -> list[str]:
        """Names in the order of the board's table, those of broken entries included."""
        return [entry.name for entry in self._table if entry is not None]

    @property
    def listed(self) -> list[bytes]:
        """What the board prints for each entry: no empty names, and junk for an erased flash."""
        if self.erased:  # a text ends at a NUL, and there is none before the end of the table
            return [_ERASED_BYTE * (_ENTRY_BYTES * (_TABLE_ENTRIES - number)) for number in range(_TABLE_ENTRIES)]
        return [name.encode("latin-1") for name in self.names if name]

    @property
    def start_on_boot(self) -> str | None:
        """The program that runs at boot."""
        return self._start_on_boot

    @start_on_boot.setter
    def start_on_boot(self, name: str | None) -> None:
        self._start_on_boot = name
        self._save()

    @property
    def start_on_boot_text(self) -> bytes:
        """What the board prints of that setting; empty where there is none."""
        if self.erased and self._start_on_boot is None:
            return _ERASED_BYTE * _ERASED_START_ON_BOOT_BYTES
        return (self._start_on_boot or "").encode("latin-1")

    def __contains__(self, name: str) -> bool:
        """Whether there is a program of that name, broken entries included."""
        return self._entry(name) is not None

    def content(self, name: str) -> bytes | None:
        """Everything that was written under that name, or None.

        Args:
            name: of the program.
        """
        entry = self._entry(name)
        return None if entry is None else entry.content

    def text(self, name: str) -> bytes | None:
        """The program as the board reads it, up to the first NUL, or None. An empty name loads nothing.

        Args:
            name: of the program.
        """
        content = self.content(name) if name else None
        return None if content is None else content.partition(b"\0")[0]

    def create(self, name: str) -> None:
        """Add an empty entry, which takes a slot.

        Args:
            name: of the program.

        Raises:
            StoreFullError: no slot is left.
            ValueError: the name is too long or taken.
        """
        if len(name) > MAX_NAME_LENGTH:
            raise ValueError(f"name: at most {MAX_NAME_LENGTH} characters, not {len(name)}")
        if name in self:
            raise ValueError(f"name: {name!r} exists")
        if self._n_uploads >= SLOTS:
            raise StoreFullError(f"at most {SLOTS} uploads, overwriting ones included, until all programs are deleted")
        if None not in self._table:
            self._table.append(None)
        self._table[self._table.index(None)] = _Entry(name, b"")
        self._n_uploads += 1
        self._save()

    def append(self, name: str, data: bytes) -> None:
        """Write behind what is there; what goes beyond the largest program is lost, as it is in flash.

        Args:
            name: of a program that exists.
            data: any bytes.

        Raises:
            KeyError: there is no such program.
        """
        entry = self._entry(name)
        if entry is None:
            raise KeyError(name)
        entry.content = (entry.content + data)[:MAX_PROGRAM_BYTES]
        self._save()

    def delete(self, name: str) -> bool:
        """Remove a program, and the start-on-boot setting if it names it; its slot stays taken.

        Args:
            name: of the program.

        Returns:
            Whether there was one.
        """
        entry = self._entry(name)
        if entry is None:
            return False
        self._table[self._table.index(entry)] = None
        if self._start_on_boot == name:
            self._start_on_boot = None
        self._save()
        return True

    def delete_all(self) -> None:
        """Remove all programs and the start-on-boot setting, and free all slots. It repairs an erased flash."""
        self._table.clear()
        self._n_uploads = 0
        self._start_on_boot = None
        self._save()

    def _entry(self, name: str) -> _Entry | None:
        return next((entry for entry in self._table if entry is not None and entry.name == name), None)

    def _load(self, path: Path) -> None:
        try:
            document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            if document["version"] not in _FILE_VERSIONS:
                raise StoreFileError(f"{path}: version {document['version']}, not one of {_FILE_VERSIONS}")
            table = [
                _Entry(str(entry["name"]), base64.b64decode(entry["content"], validate=True)) if entry else None
                for entry in document["programs"]
            ]
            n_uploads = int(document.get("uploads", len(table)))
            start_on_boot = document["start_on_boot"]
        except (KeyError, TypeError, ValueError) as error:
            raise StoreFileError(f"{path} is not a program store: {error}") from error
        self._table = table
        self._n_uploads = n_uploads
        self._start_on_boot = start_on_boot if isinstance(start_on_boot, str) else None

    def _save(self) -> None:
        if self._path is None:
            return
        document = {
            "version": _FILE_VERSIONS[-1],
            "start_on_boot": self._start_on_boot,
            "uploads": self._n_uploads,
            "programs": [  # null: a hole in the board's table
                entry and {"name": entry.name, "content": base64.b64encode(entry.content).decode()}
                for entry in self._table
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
