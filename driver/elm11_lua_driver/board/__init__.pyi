from . import calibration, detect, firmware_sync, run_registry
from .board import Board, BoardInfo, Run, RunProgress
from .calibration import Calibration
from .detect import BoardState, Detected

__all__ = [
    "Board",
    "BoardInfo",
    "BoardState",
    "Calibration",
    "Detected",
    "Run",
    "RunProgress",
    "calibration",
    "detect",
    "firmware_sync",
    "run_registry",
]
