"""All engines by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .auto import AutoEngine
from .board import BoardEngine
from .dask import DaskEngine
from .fleet import FleetEngine
from .lua import LuaEngine
from .numpy import NumpyEngine
from .pool import PoolEngine

if TYPE_CHECKING:
    from collections.abc import Callable

    from .base import Engine

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
