"""Who computes: each engine takes a job and some of its simulations, and gives back their histogram.

Which engine, and how the simulations were cut, does not change a count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .base import Engine, Progress
from .board import BoardEngine
from .lua import LuaEngine
from .numpy import NumpyEngine

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ENGINES", "BoardEngine", "Engine", "LuaEngine", "NumpyEngine", "Progress", "create"]

ENGINES: Final[dict[str, Callable[..., Engine]]] = {"numpy": NumpyEngine, "lua": LuaEngine, "board": BoardEngine}


def create(name: str, **options: object) -> Engine:
    """A new engine by its name.

    Args:
        name: one of `ENGINES`.
        **options: what the engine's constructor takes.

    Raises:
        ValueError: no engine has that name.
    """
    if name not in ENGINES:
        msg = f"engine must be one of {', '.join(ENGINES)}, not {name!r}"
        raise ValueError(msg)
    return ENGINES[name](**options)
