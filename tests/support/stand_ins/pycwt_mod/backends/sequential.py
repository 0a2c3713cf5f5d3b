"""One simulation after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .base import MonteCarloBackend

if TYPE_CHECKING:
    from collections.abc import Callable


class SequentialBackend(MonteCarloBackend):
    """In this process."""

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
        seeds = [None] * n_simulations if seed is None else np.random.SeedSequence(seed).generate_state(n_simulations)
        return [worker_func(each, *worker_args, **(worker_kwargs or {})) for each in seeds]

    def is_available(self) -> bool:
        """Always."""
        return True
