"""What must be on the board: the programs, in an order in which each finds what it needs already there."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

PROTOCOL_VERSION: Final = 2
"""Version of what host and board say to each other; `run.lua` has the same number."""

LOADER: Final = "load.lua"
"""The program that checks the others when they are run; the only one that is stored as it is."""

_PIECE_CHARACTERS: Final = 4000  # a quarter of the longest string that the board can make
_MAX_STORED_BYTES: Final = 24_575

_DEPENDENCIES: Final[dict[str, tuple[str, ...]]] = {
    LOADER: (),
    "frame.lua": (),
    "normal.lua": (),
    "rednoise.lua": ("normal.lua",),
    "fft.lua": (),
    "wavelet.lua": ("fft.lua",),
    "smoothing.lua": ("fft.lua", "wavelet.lua"),
    "coherence.lua": (),
    "signals.lua": (),
    "monte_carlo.lua": ("normal.lua", "rednoise.lua", "fft.lua", "wavelet.lua", "smoothing.lua", "coherence.lua"),
    "fft_codelets.lua": (),
    "integer_fft.lua": ("fft_codelets.lua",),
    "fast_tables.lua": (),
    "fast_weights.lua": (),
    "fast_plan.lua": ("fast_weights.lua",),
    "fast_series.lua": ("rednoise.lua",),
    "fast_smoothing.lua": ("fft_codelets.lua",),
    "fast_coherence.lua": (),
    "fast.lua": (
        "rednoise.lua",
        "wavelet.lua",
        "smoothing.lua",
        "fft_codelets.lua",
        "integer_fft.lua",
        "fast_tables.lua",
        "fast_weights.lua",
        "fast_plan.lua",
        "fast_series.lua",
        "fast_smoothing.lua",
        "fast_coherence.lua",
    ),
    "run.lua": ("frame.lua", "monte_carlo.lua", "fast.lua"),
}

# The order in which run.lua first loads the programs that take part in a run.
_IN_A_RUN: Final = (
    "run.lua",
    "frame.lua",
    "monte_carlo.lua",
    "normal.lua",
    "rednoise.lua",
    "fft.lua",
    "wavelet.lua",
    "smoothing.lua",
    "coherence.lua",
    "fast.lua",
    "fft_codelets.lua",
    "integer_fft.lua",
    "fast_series.lua",
    "fast_smoothing.lua",
    "fast_coherence.lua",
    "fast_plan.lua",
    "fast_weights.lua",
    "fast_tables.lua",
)


@dataclass(frozen=True, slots=True)
class Program:
    """One program as it is to be stored on the board.

    Attributes:
        name: what `run_program` calls it: the file's name, at most 29 characters.
        dependencies: names of the programs whose module table it is given, or loads.
        size: bytes of its text.
        sha256: hexadecimal SHA-256 of those bytes.
        stored_size: bytes that are stored, with the check; the board takes at most 24 575.
        checked_size: bytes of the text that is checked.
        crc32: CRC-32 of those bytes, eight hexadecimal digits; what the board finds when it runs the program.
    """

    name: str
    dependencies: tuple[str, ...]
    size: int
    sha256: str
    stored_size: int
    checked_size: int
    crc32: str


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
def bare_text(name: str) -> str:
    """A program without comment lines and indentation, a third shorter to send; line numbers stay the same.

    Args:
        name: as in `Program.name`.

    Raises:
        ValueError: there is no such program, or it has a long string or comment, which this cannot tell from code.
    """
    lines = [line.strip() for line in text(name).split("\n")]
    bare = "\n".join("" if line.startswith("--") else line for line in lines)
    if "[[" in bare or "[=" in bare or any(line.startswith(("--[[", "--[=")) for line in lines):
        raise ValueError(f"{name} has a long string or comment")
    return bare


@cache
def stored_text(name: str) -> str:
    """What is stored on the board under a program's name: its bare text, with a check that `load.lua` makes.

    Args:
        name: as in `Program.name`.

    Returns:
        ASCII, lines ended by LF; `LOADER` without a check.

    Raises:
        ValueError: there is no such program, or it is too large with its check.
    """
    source = bare_text(name)
    if name == LOADER:
        return source
    level = "="
    while f"]{level}]" in source:
        level += "="
    pieces, piece = [], ""
    for line in source.splitlines(keepends=True):
        if len(piece) + len(line) > _PIECE_CHARACTERS:
            pieces.append(piece)
            piece = ""
        piece += line
    pieces.append(piece)
    # Lua leaves out the line feed that follows the opening bracket.
    quoted = ",".join(f"[{level}[\n{piece}]{level}]" for piece in pieces)
    crc32 = zlib.crc32(source.encode("ascii"))
    stored = f'return run_program("{LOADER}")("{name}",{len(source)},0x{crc32:08x},{quoted})\n'
    if len(stored) > _MAX_STORED_BYTES:
        raise ValueError(f"{name} takes {len(stored)} bytes with its check; the board stores {_MAX_STORED_BYTES}")
    return stored


@cache
def programs_crc32() -> str:
    """What the board says of the texts of all programs of a run, if they are these: eight hexadecimal digits."""
    by_name = {program.name: program.crc32 for program in programs()}
    checks = "".join(f"{name} {by_name[name]}\n" for name in _IN_A_RUN)
    return f"{zlib.crc32(checks.encode()):08x}"


@cache
def programs() -> tuple[Program, ...]:
    """All programs, dependencies first.

    Returns:
        One for each `.lua` file.
    """
    listed = []
    for name, dependencies in _DEPENDENCIES.items():
        data = text(name).encode("ascii")
        checked = bare_text(name).encode("ascii")
        sha256, crc32 = hashlib.sha256(data).hexdigest(), f"{zlib.crc32(checked):08x}"
        listed.append(Program(name, dependencies, len(data), sha256, len(stored_text(name)), len(checked), crc32))
    return tuple(listed)
