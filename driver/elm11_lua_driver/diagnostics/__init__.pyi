from .bundle import collect, write
from .check import Check, State, System
from .doctor import examine

__all__ = [
    "Check",
    "State",
    "System",
    "collect",
    "examine",
    "write",
]
