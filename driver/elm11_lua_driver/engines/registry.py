"""Engines by their names. The module of an engine is imported when the engine is made, since most need a lot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .. import engines

if TYPE_CHECKING:
    from .base import Engine

ENGINES: Final = {
    "numpy": "NumpyEngine",
    "lua": "LuaEngine",
    "board": "BoardEngine",
    "pool": "PoolEngine",
    "dask": "DaskEngine",
    "fleet": "FleetEngine",
    "auto": "AutoEngine",
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
        raise ValueError(f"engine must be one of {', '.join(ENGINES)}, not {name!r}")
    try:
        engine: Engine = getattr(engines, ENGINES[name])(**options)
    except TypeError as error:
        # Python's own words, without the name of the constructor.
        raise ValueError(f"engine {name}: {str(error).partition('() ')[2] or error}") from error
    return engine
