from . import cache, provenance, storage
from .checkpoint import Checkpoint
from .histogram import Histogram, Part
from .job import Job, LuaMonteCarloConfig
from .provenance import Session, versions
from .storage import Aim

__all__ = [
    "Aim",
    "Checkpoint",
    "Histogram",
    "Job",
    "LuaMonteCarloConfig",
    "Part",
    "Session",
    "cache",
    "provenance",
    "storage",
    "versions",
]
