"""Wavelet coherence and its significance levels: on this computer, or in Lua as on the ELM11 board.

Names are imported when they are first used: ``import elm11_lua_driver`` loads neither NumPy nor SciPy, so that the
command line answers at once.
"""

import sys

# Not from `typing`, which takes 10 ms: here Ctrl-C still shows a traceback. Type checkers know the name.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

    from .analysis.coherence import CoherenceAnalysis, analyse
    from .analysis.from_cwt import coherence_from_cwt
    from .analysis.pairs import wct_significance_many
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
    from .levels.levels import Significance, significance
    from .levels.runner import run
    from .pycwt_api.drop_in import wct, wct_significance
    from .pycwt_api.patch import accelerate_pycwt, restore_pycwt

    __version__: str
else:
    ModuleType = type(sys)

# Where each name lives. A test holds it to the imports above, which type checkers read.
_MODULE_OF = {
    name: module
    for module, names in {
        "pycwt_api.patch": "accelerate_pycwt restore_pycwt",
        "analysis.coherence": "CoherenceAnalysis analyse",
        "board.seed_api": "check_lua_scripts connect detect_elm11 disconnect execute_lua get_progress is_complete "
        "read_results start_lua_execution upload_config upload_lua_scripts verify_fft_library wait_for_completion",
        "board.board": "Board Run RunProgress",
        "analysis.from_cwt": "coherence_from_cwt",
        "engines": "AutoEngine BoardEngine DaskEngine FleetEngine LuaEngine NumpyEngine PoolEngine",
        "errors": "Elm11Error EngineError LuaError",
        "jobs.histogram": "Histogram",
        "jobs.job": "Job LuaMonteCarloConfig",
        "levels.levels": "Significance significance",
        "analysis.pairs": "wct_significance_many",
        "pycwt_api.drop_in": "wct wct_significance",
        "levels.runner": "run",
    }.items()
    for name in names.split()
}

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


class _Package(ModuleType):
    """This package, whose function `run` stays itself when the module of that name is imported."""

    def __setattr__(self, name: str, value: object) -> None:
        """Keep the import system from putting a module in the place of a function of the same name."""
        if not (isinstance(value, ModuleType) and name in _MODULE_OF):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> object:
    """Import a name, or a module of this package, at its first use."""
    from importlib import import_module, metadata  # noqa: PLC0415  see TYPE_CHECKING

    value: object
    if name == "__version__":
        value = metadata.version("elm11-lua-driver")
    elif name in _MODULE_OF:
        value = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    else:
        full_name = f"{__name__}.{name}"
        try:
            return import_module(full_name)
        except ModuleNotFoundError as error:
            if error.name != full_name:
                raise
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Everything that is offered, imported already or not."""
    return sorted({*globals(), *__all__})
