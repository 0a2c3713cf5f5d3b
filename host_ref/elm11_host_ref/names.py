"""Names and limits of an experiment's parameters, and checks of their values.

Command-line options need it, so it imports no NumPy.
"""

from __future__ import annotations

import math
import operator
from typing import Any, Final

WAVELETS: Final = ("morlet", "paul", "dog", "mexicanhat")
SCALE_BOXES: Final = ("pycwt", "grinsted")
SURROGATES: Final = ("ar1", "white")
PIPELINES: Final = ("exact", "fast")

MAX_SIMULATIONS: Final = 1 << 31
MAX_SAMPLES: Final = 1 << 22
MAX_SCALES: Final = 10_000  # J, the number of scales less one
MAX_BINS: Final = 10_000
MAX_SEED: Final = (1 << 64) - 1
MAX_BURN_IN: Final = 1_000_000
MIN_SIGMA: Final = 0.01  # smallest scale, in samples
MIN_DJ: Final = 0.01  # the box that smooths over scales has up to 3 / dj rows, all in memory


def real(name: str, value: Any) -> float:  # noqa: ANN401  it is the check that makes it a number
    """The value as a finite float.

    Args:
        name: the argument's name, for the error message.
        value: the argument's value.

    Raises:
        ValueError: the value is not a finite number.
    """
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number) or isinstance(value, (str, bytes)):
        msg = f"{name} must be a finite number, not {value!r}"
        raise ValueError(msg)
    return number


def whole(name: str, value: Any, low: int, high: int) -> int:  # noqa: ANN401
    """The value as an int from `low` to `high`.

    Args:
        name: the argument's name, for the error message.
        value: the argument's value; a `bool` is no number.
        low: smallest value allowed.
        high: largest value allowed.

    Raises:
        ValueError: the value is not a whole number, or outside the range.
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = low - 1
    if isinstance(value, bool) or not low <= number <= high:
        msg = f"{name} must be a whole number from {low} to {high}, not {value!r}"
        raise ValueError(msg)
    return number


def one_of(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Check that the value is one of the choices.

    Args:
        name: the argument's name, for the error message.
        value: the argument's value.
        choices: the values allowed.

    Raises:
        ValueError: the value is none of them; the message lists them.
    """
    if value not in choices:
        msg = f"{name} must be one of {', '.join(choices)}, not {value!r}"
        raise ValueError(msg)
