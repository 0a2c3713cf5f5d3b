"""Wavelet coherence and its significance levels: on this computer, or in Lua as on the ELM11 board."""

from importlib.metadata import version

from .errors import Elm11Error, EngineError, LuaError
from .histogram import Histogram
from .job import Job, LuaMonteCarloConfig
from .levels import Significance, significance
from .pycwt_drop_in import wct, wct_significance
from .run import run

__version__ = version("elm11-lua-driver")
__all__ = [
    "Elm11Error",
    "EngineError",
    "Histogram",
    "Job",
    "LuaError",
    "LuaMonteCarloConfig",
    "Significance",
    "__version__",
    "run",
    "significance",
    "wct",
    "wct_significance",
]
