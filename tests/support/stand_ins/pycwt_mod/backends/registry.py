"""Backends by name."""

from __future__ import annotations

from typing import ClassVar

from .base import MonteCarloBackend


class BackendRegistry:
    """The backends there are; made anew, without arguments, for each use."""

    _backends: ClassVar[dict[str, type[MonteCarloBackend]]] = {}

    @classmethod
    def register(cls, name: str, backend_class: type[MonteCarloBackend]) -> None:
        """Add one; TypeError unless it is a MonteCarloBackend, ValueError where the name is taken."""
        if not issubclass(backend_class, MonteCarloBackend):
            msg = f"Backend class must inherit from MonteCarloBackend, got {backend_class}"
            raise TypeError(msg)
        if name in cls._backends:
            msg = f"Backend '{name}' is already registered"
            raise ValueError(msg)
        cls._backends[name] = backend_class

    @classmethod
    def get(cls, name: str) -> MonteCarloBackend:
        """A new instance; ValueError for a name that is unknown."""
        if name not in cls._backends:
            msg = f"Backend '{name}' not found. Available backends: {', '.join(cls.list_available())}"
            raise ValueError(msg)
        return cls._backends[name]()

    @classmethod
    def list_all(cls) -> list[str]:
        """Every name."""
        return list(cls._backends)

    @classmethod
    def list_available(cls) -> list[str]:
        """The names of those that can be used here."""
        return [name for name, kind in cls._backends.items() if kind().is_available()]


def register_backend(name: str, backend_class: type[MonteCarloBackend]) -> None:
    """Add one."""
    BackendRegistry.register(name, backend_class)


def get_backend(name: str) -> MonteCarloBackend:
    """A new instance."""
    return BackendRegistry.get(name)


def list_backends(available_only: bool = False) -> list[str]:
    """Their names."""
    return BackendRegistry.list_available() if available_only else BackendRegistry.list_all()
