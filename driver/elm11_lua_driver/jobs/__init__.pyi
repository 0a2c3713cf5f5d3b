from . import cache, provenance, storage
from .checkpoint import Checkpoint
from .histogram import Histogram, Part
from .job import Job, LuaMonteCarloConfig
from .provenance import Provenance, versions
from .storage import StoppingRule

__all__ = [
    "Checkpoint",
    "Histogram",
    "Job",
    "LuaMonteCarloConfig",
    "Part",
    "Provenance",
    "StoppingRule",
    "cache",
    "provenance",
    "storage",
    "versions",
]
