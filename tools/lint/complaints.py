"""What the tools that look over source files share: which files, and how they end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def files_named(arguments: list[str], otherwise: Iterable[Path]) -> list[Path]:
    """The files that a command line names, or all.

    Args:
        arguments: of the command line.
        otherwise: all files.

    Returns:
        Absolute paths.
    """
    return [Path(argument).resolve() for argument in arguments] or sorted(otherwise)


def exit_code(complaints: list[str], well: str) -> int:
    """Print what is wrong, a line each, or that all is well.

    Args:
        complaints: what is wrong.
        well: the line to print where nothing is.

    Returns:
        The exit code: 1 where something is wrong.
    """
    print("\n".join(complaints) or well)
    return 1 if complaints else 0
