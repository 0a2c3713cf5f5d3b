from .analysis.coherence import CoherenceAnalysis, analyse
from .analysis.from_cwt import coherence_from_cwt
from .board.board import Board, Run, RunProgress
from .board.seed_api import (
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
from .engines import AutoEngine, BoardEngine, DaskEngine, FleetEngine, LuaEngine, NumpyEngine, PoolEngine
from .errors import Elm11Error, EngineError, LuaError
from .jobs.histogram import Histogram
from .jobs.job import Job, LuaMonteCarloConfig
from .jobs.provenance import __version__
from .levels.levels import Significance, significance
from .levels.runner import run
from .planning.plan import JobPlan, plan_job
from .pycwt_api.drop_in import wct, wct_significance
from .pycwt_api.many_pairs import wct_significance_many
from .pycwt_api.patch import accelerate_pycwt, restore_pycwt

__all__ = [
    "AutoEngine",
    "Board",
    "BoardEngine",
    "CoherenceAnalysis",
    "DaskEngine",
    "Elm11Error",
    "EngineError",
    "FleetEngine",
    "Histogram",
    "Job",
    "JobPlan",
    "LuaEngine",
    "LuaError",
    "LuaMonteCarloConfig",
    "NumpyEngine",
    "PoolEngine",
    "Run",
    "RunProgress",
    "Significance",
    "__version__",
    "accelerate_pycwt",
    "analyse",
    "check_lua_scripts",
    "coherence_from_cwt",
    "connect",
    "detect_elm11",
    "disconnect",
    "execute_lua",
    "get_progress",
    "is_complete",
    "plan_job",
    "read_results",
    "restore_pycwt",
    "run",
    "significance",
    "start_lua_execution",
    "upload_config",
    "upload_lua_scripts",
    "verify_fft_library",
    "wait_for_completion",
    "wct",
    "wct_significance",
    "wct_significance_many",
]
