from .auto import AutoEngine
from .base import Engine, Progress, StreamingEngine
from .board import BoardEngine
from .dask import DaskEngine
from .fleet import FleetEngine
from .lua import LuaEngine
from .numpy import NumpyEngine
from .pool import PoolEngine
from .registry import ENGINES, create

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
