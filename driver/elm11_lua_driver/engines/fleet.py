"""The fleet engine: any engines together, such as two boards and all cores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .auto import AutoEngine
from .board import BoardEngine
from .dispatcher import Dispatcher
from .lua import LuaEngine
from .numpy import NumpyEngine
from .pool import PoolEngine

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .base import Engine

_BY_NAME: Final[dict[str, Callable[[], Engine]]] = {
    "numpy": NumpyEngine,
    "lua": LuaEngine,
    "board": BoardEngine,
    "pool": PoolEngine,
    "auto": AutoEngine,
}
"""Engines that a name alone describes; `DaskEngine` needs an address."""


class FleetEngine(Dispatcher):
    """Any engines together.

    Each gets work as it finishes, in amounts that fit its speed. When one fails, others compute its work; it is tried
    again a few times, later each time, and then left out. Towards the end, work that a slow engine still holds is also
    given to an idle fast one; the first result counts.

    Args:
        engines: engines, or the names "numpy", "lua", "board", "pool" and "auto"; `close` closes all of them.
        retry_s: pause after an engine's first failure; it doubles with each failure in a row.

    Raises:
        ValueError: there are no engines, or one has an unknown name.
    """

    name = "fleet"

    def __init__(self, engines: Sequence[Engine | str] = ("numpy",), *, retry_s: float = 1.0) -> None:
        if not engines:
            raise ValueError("engines must name at least one engine")
        for name in engines:
            if isinstance(name, str) and name not in _BY_NAME:
                raise ValueError(f"engine must be one of {', '.join(_BY_NAME)}, or an engine, not {name!r}")
        super().__init__([_BY_NAME[engine]() if isinstance(engine, str) else engine for engine in engines], retry_s)
