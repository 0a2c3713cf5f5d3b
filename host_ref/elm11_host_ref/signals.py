"""Periodic test signals; `signals.lua` writes the same on the board.

Each signal lies between -amplitude and amplitude and depends on `t / period + phase` alone. At phase 0 the sine starts
at 0 and rises, the square starts with its upper half, the sawtooth and the triangle start at their lowest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .types import FloatArray


def _turns(n_samples: int, period: float, phase: float) -> FloatArray:
    """Position of each sample in its period: shape (n_samples,), 0 to 1."""
    turns: FloatArray = np.arange(n_samples) / period + phase
    turns -= np.floor(turns)
    return turns


def sine(n_samples: int, period: float, amplitude: float = 1.0, phase: float = 0.0) -> FloatArray:
    """`amplitude * sin(2 pi (t / period + phase))`.

    Args:
        n_samples: samples t = 0 ... n_samples - 1.
        period: in samples, not 0.
        amplitude: any unit.
        phase: in periods; 1/4 is a quarter period ahead.

    Returns:
        Shape (n_samples,), in the unit of the amplitude.

    Source: the formula above.
    """
    signal: FloatArray = amplitude * np.sin(2 * np.pi * _turns(n_samples, period, phase))
    return signal


def square(n_samples: int, period: float, amplitude: float = 1.0, phase: float = 0.0) -> FloatArray:
    """`amplitude` in the first half of each period, `-amplitude` in the second; arguments and return as `sine`.

    Source: the formula above.
    """
    return np.where(_turns(n_samples, period, phase) < 0.5, amplitude, -amplitude)


def sawtooth(n_samples: int, period: float, amplitude: float = 1.0, phase: float = 0.0) -> FloatArray:
    """Rises from `-amplitude` to `amplitude` in each period; arguments and return as `sine`.

    Source: the formula above.
    """
    return amplitude * (2 * _turns(n_samples, period, phase) - 1)


def triangle(n_samples: int, period: float, amplitude: float = 1.0, phase: float = 0.0) -> FloatArray:
    """Rises for half of each period, from `-amplitude`, and falls for the other; arguments and return as `sine`.

    Source: the formula above.
    """
    turns = _turns(n_samples, period, phase)
    return amplitude * np.where(turns < 0.5, 4 * turns - 1, 3 - 4 * turns)
