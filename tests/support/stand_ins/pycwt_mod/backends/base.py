"""What a backend offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class MonteCarloBackend(ABC):
    """A way to run simulations."""

    def __init__(self) -> None:
        self.name = self.__class__.__name__
        self.description = "Base backend class"

    @abstractmethod
    def run_monte_carlo(
        self,
        worker_func: Callable[..., Any],
        n_simulations: int,
        worker_args: tuple[Any, ...] = (),
        worker_kwargs: dict[str, Any] | None = None,
        seed: int | None = None,
        verbose: bool = True,
        **backend_kwargs: Any,
    ) -> list[Any]:
        """One result per simulation."""

    @abstractmethod
    def is_available(self) -> bool:
        """Whether it can be used here."""

    def get_info(self) -> dict[str, Any]:
        """What it is."""
        return {
            "name": self.name,
            "description": self.description,
            "available": self.is_available(),
            "capabilities": self.get_capabilities(),
        }

    def get_capabilities(self) -> list[str]:
        """Words."""
        return []

    def validate_config(self, **kwargs: Any) -> bool:
        """True, or a ValueError."""
        return True
