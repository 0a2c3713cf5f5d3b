"""Wavelet coherence and its significance levels: on this computer, or in Lua as on the ELM11 board."""

from importlib.metadata import version

from .analysis import CoherenceAnalysis, analyse
from .api import (
    check_lua_scripts,
    connect,
    detect_elm11,
    disconnect,
    execute_lua,
    get_progress,
    is_complete,
    read_results,
    start_lua_execution,
    upload_config,
    upload_lua_scripts,
    verify_fft_library,
    wait_for_completion,
)
from .board import Board, Run, RunProgress
from .coherence_from_cwt import coherence_from_cwt
from .engines import BoardEngine, LuaEngine, NumpyEngine
from .errors import Elm11Error, EngineError, LuaError
from .histogram import Histogram
from .job import Job, LuaMonteCarloConfig
from .levels import Significance, significance
from .pycwt_drop_in import wct, wct_significance
from .run import run

__version__ = version("elm11-lua-driver")
__all__ = [
    "Board",
    "BoardEngine",
    "CoherenceAnalysis",
    "Elm11Error",
    "EngineError",
    "Histogram",
    "Job",
    "LuaEngine",
    "LuaError",
    "LuaMonteCarloConfig",
    "NumpyEngine",
    "Run",
    "RunProgress",
    "Significance",
    "__version__",
    "analyse",
    "check_lua_scripts",
    "coherence_from_cwt",
    "connect",
    "detect_elm11",
    "disconnect",
    "execute_lua",
    "get_progress",
    "is_complete",
    "read_results",
    "run",
    "significance",
    "start_lua_execution",
    "upload_config",
    "upload_lua_scripts",
    "verify_fft_library",
    "wait_for_completion",
    "wct",
    "wct_significance",
]
