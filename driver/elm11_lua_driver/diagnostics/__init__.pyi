from .bundle import collect, write
from .doctor import Check, State, System, examine

__all__ = [
    "Check",
    "State",
    "System",
    "collect",
    "examine",
    "write",
]
