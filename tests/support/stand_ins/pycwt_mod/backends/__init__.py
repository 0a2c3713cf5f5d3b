"""Who runs the simulations."""

from .base import MonteCarloBackend
from .registry import BackendRegistry, get_backend, list_backends, register_backend
from .sequential import SequentialBackend

__all__ = [
    "BackendRegistry",
    "MonteCarloBackend",
    "SequentialBackend",
    "get_backend",
    "get_recommended_backend",
    "list_backends",
    "register_backend",
]

register_backend("sequential", SequentialBackend)


def get_recommended_backend(n_simulations: int | None = None) -> str:
    """Name of the backend that is taken where none is asked for."""
    return "sequential"
