"""Kinds of numbers on the command line."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import click

from ..config import LONGEST_TX_DELAY_MS

if TYPE_CHECKING:
    NumberType = click.ParamType[float]
    IntegerType = click.ParamType[int]
else:  # older versions of click cannot be subscripted
    NumberType = IntegerType = click.ParamType


class Number(NumberType):
    """A finite number, also as a fraction such as 1/12.

    Args:
        low: excluded lower limit; None for none.
        high: excluded upper limit; None for none.
    """

    name = "number"

    def __init__(self, low: float | None = None, high: float | None = None) -> None:
        """Numbers above `low` and below `high`, both excluded."""
        self._low, self._high = low, high

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:  # noqa: ANN401
        """The number, or a usage error that gives the range.

        Args:
            value: text from the command line, or a default.
            param: the parameter, for the message; None outside a command.
            ctx: click's context.
        """
        if isinstance(value, (int, float)):
            return float(value)
        low, high = self._low, self._high
        try:
            # Fraction also takes decimals, and no "nan", "inf" or hexadecimal; underscores are not for people.
            number = float(Fraction(value.replace(" ", "").replace("_", "?")))
        except (ValueError, ZeroDivisionError, OverflowError):
            number = None
        if number is None or (low is not None and number <= low) or (high is not None and number >= high):
            bounds = [] if low is None else [f"greater than {low:g}"]
            bounds += [] if high is None else [f"less than {high:g}"]
            self.fail(f"must be a number {' and '.join(bounds)} (such as 0.25 or 1/4), not {value!r}", param, ctx)
        return number


class Whole(IntegerType):
    """A whole number in a range.

    Args:
        low: smallest number.
        high: largest number.
    """

    name = "integer"

    def __init__(self, low: int, high: int) -> None:
        """Numbers from `low` to `high`, both included."""
        self._low, self._high = low, high

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:  # noqa: ANN401
        """The number, or a usage error that gives the range.

        Args:
            value: text from the command line, or a default.
            param: the parameter, for the message; None outside a command.
            ctx: click's context.
        """
        if isinstance(value, int):
            return value
        if not re.fullmatch(r"[+-]?[0-9]{1,30}", value) or not self._low <= int(value) <= self._high:
            self.fail(f"must be a whole number from {self._low} to {self._high}, not {value!r}", param, ctx)
        return int(value)


class Milliseconds(NumberType):
    """A pause from byte to byte."""

    name = "milliseconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:  # noqa: ANN401
        """The number, or a usage error that gives the range.

        Args:
            value: text from the command line, or a default.
            param: the parameter, for the message; None outside a command.
            ctx: click's context.
        """
        try:
            number = float(value)
        except ValueError:
            number = -1.0
        if not 0 <= number <= LONGEST_TX_DELAY_MS:
            self.fail(f"must be milliseconds from 0 to {LONGEST_TX_DELAY_MS}, not {value!r}", param, ctx)
        return number
