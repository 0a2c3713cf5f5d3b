"""What must be on the board: the programs, in an order in which each finds what it needs already there."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

_DEPENDENCIES: Final[dict[str, tuple[str, ...]]] = {
    "normal.lua": (),
    "rednoise.lua": ("normal.lua",),
    "fft.lua": (),
    "wavelet.lua": ("fft.lua",),
    "smoothing.lua": ("fft.lua", "wavelet.lua"),
    "coherence.lua": (),
    "signals.lua": (),
    "monte_carlo.lua": ("normal.lua", "rednoise.lua", "fft.lua", "wavelet.lua", "smoothing.lua", "coherence.lua"),
}


@dataclass(frozen=True, slots=True)
class Program:
    """One program as it is to be stored on the board.

    Attributes:
        name: what `run_program` calls it: the file's name, at most 29 characters.
        dependencies: names of the programs whose module table it is given, or loads.
        size: bytes; the board stores at most 24 575.
        sha256: hexadecimal SHA-256 of those bytes.
    """

    name: str
    dependencies: tuple[str, ...]
    size: int
    sha256: str


def text(name: str) -> str:
    """The source of a program: ASCII, lines ended by LF.

    Args:
        name: as in `Program.name`.

    Raises:
        ValueError: there is no such program.
    """
    if name not in _DEPENDENCIES:
        msg = f"name must be one of {', '.join(_DEPENDENCIES)}, not {name!r}"
        raise ValueError(msg)
    return (resources.files(__package__) / name).read_bytes().decode("ascii")


@cache
def programs() -> tuple[Program, ...]:
    """All programs, dependencies first."""
    listed = []
    for name, dependencies in _DEPENDENCIES.items():
        data = text(name).encode("ascii")
        listed.append(Program(name, dependencies, len(data), hashlib.sha256(data).hexdigest()))
    return tuple(listed)
