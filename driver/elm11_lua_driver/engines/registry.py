"""Engines by their names. The module of an engine is imported when the engine is made, since most need a lot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .. import engines

if TYPE_CHECKING:
    from collections.abc import Callable

    from .base import Engine


def _from(class_name: str) -> Callable[..., Engine]:
    def make(**options: Any) -> Engine:  # noqa: ANN401  each engine has its own
        engine: Engine = getattr(engines, class_name)(**options)
        return engine

    return make


ENGINES: Final[dict[str, Callable[..., Engine]]] = {
    "numpy": _from("NumpyEngine"),
    "lua": _from("LuaEngine"),
    "board": _from("BoardEngine"),
    "pool": _from("PoolEngine"),
    "dask": _from("DaskEngine"),
    "fleet": _from("FleetEngine"),
    "auto": _from("AutoEngine"),
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
