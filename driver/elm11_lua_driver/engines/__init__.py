"""Who computes: each engine takes a job and some of its simulations, and gives back their histogram.

Which engine, and how the simulations were cut, does not change a count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .auto import AutoEngine
from .base import Engine, Progress, StreamingEngine
from .board import BoardEngine
from .dask import DaskEngine
from .fleet import FleetEngine
from .lua import LuaEngine
from .numpy import NumpyEngine
from .pool import PoolEngine

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "ENGINES",
    "AutoEngine",
    "BoardEngine",
    "DaskEngine",
    "Engine",
    "FleetEngine",
    "LuaEngine",
    "NumpyEngine",
    "PoolEngine",
    "Progress",
    "StreamingEngine",
    "create",
]

ENGINES: Final[dict[str, Callable[..., Engine]]] = {
    "numpy": NumpyEngine,
    "lua": LuaEngine,
    "board": BoardEngine,
    "pool": PoolEngine,
    "dask": DaskEngine,
    "fleet": FleetEngine,
    "auto": AutoEngine,
}


def create(name: str, **options: Any) -> Engine:  # noqa: ANN401  each engine has its own
    """A new engine by its name.

    Args:
        name: "numpy", "lua", "board", "pool", "dask", "fleet" or "auto".
        **options: the arguments of `AutoEngine`, `BoardEngine`, `PoolEngine`, `DaskEngine` or `FleetEngine`, by name.

    Raises:
        ValueError: no engine has that name, or the engine has no such option or refuses its value.
    """
    if name not in ENGINES:
        msg = f"engine must be one of {', '.join(ENGINES)}, not {name!r}"
        raise ValueError(msg)
    try:
        return ENGINES[name](**options)
    except TypeError as error:
        # Python's own words, without the name of the constructor.
        msg = f"engine {name}: {str(error).partition('() ')[2] or error}"
        raise ValueError(msg) from error
