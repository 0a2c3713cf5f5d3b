"""Provenance of a histogram: which engines computed it, when, how fast, and with which versions."""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import math
import platform
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from collections.abc import Sequence

PACKAGES: Final = ("elm11-lua-driver", "numpy", "pycwt", "lupa")
"""What results depend on, besides Python."""

__version__: Final = version("elm11-lua-driver")


def versions() -> dict[str, str]:
    """Version of this program, of Python, and of each library that results depend on and that is installed."""
    return dict(_versions())


@functools.cache  # looking for them takes milliseconds, and a run has many pieces
def _versions() -> dict[str, str]:
    found = {"Python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")


@dataclass(frozen=True)
class Provenance:
    """One engine's work on a histogram, with the same versions throughout.

    Attributes:
        engine: name of the engine.
        n_simulations: how many simulations it added.
        seconds: how long it took; None where that is not known, as for results that a board computed on its own.
        ended: when, in UTC, ISO 8601.
        versions: of this program, Python and the libraries, by name.
    """

    engine: str
    n_simulations: int
    seconds: float | None
    ended: str = field(default_factory=_now)
    versions: dict[str, str] = field(default_factory=versions)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The entry that `to_dict` gave; unknown names are left out."""
        seconds = None if values["seconds"] is None else float(values["seconds"])
        if seconds is not None and not (math.isfinite(seconds) and seconds >= 0):
            raise ValueError(f"an engine cannot have taken {seconds} s")
        of_versions = {str(name): str(text) for name, text in dict(values["versions"]).items()}
        return cls(str(values["engine"]), int(values["n_simulations"]), seconds, str(values["ended"]), of_versions)


def extended(history: Sequence[Provenance], entry: Provenance) -> tuple[Provenance, ...]:
    """A history with one more entry, joined with the last one if engine and versions are the same.

    An unknown time stays apart: its sum with a known one would be wrong.
    """
    last = history[-1] if history else None
    if (
        last is None
        or (last.engine, last.versions) != (entry.engine, entry.versions)
        or (last.seconds is None) != (entry.seconds is None)
    ):
        return (*history, entry)
    joined = dataclasses.replace(
        entry,
        n_simulations=last.n_simulations + entry.n_simulations,
        seconds=None if last.seconds is None or entry.seconds is None else last.seconds + entry.seconds,
    )
    return (*history[:-1], joined)
