"""Dates in a column of times, as numbers: monthly dates in years, other dates in days.

Months are evenly spaced in years, but not in days.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from elm11_host_ref.types import FloatArray

_ISO: Final = re.compile(r"([0-9]{4})([-/])([0-9]{2})(?:\2([0-9]{2}))?(?:[T ]([0-9:.]{4,15}) ?(Z|[+-][0-9:]{2,6})?)?")
# With points the order is always day, month, year; with slashes day and month are ambiguous.
_POINTS: Final = re.compile(r"([0-9]{1,2})\.([0-9]{1,2})\.([0-9]{4})(?: ([0-9:]{4,8}))?")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_A_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, eq=False)
class DateTimes:
    """Dates as numbers.

    Attributes:
        times: shape (n,), in the unit of `unit`: decimal years (1990-02 is 1990 + 1/12), or days since the first day of
            1970.
        unit: "years" or "days".
    """

    times: FloatArray
    unit: Literal["years", "days"]


def parse_date(cell: str) -> datetime | None:
    """A date as 1990-01, 1990-01-31, 1990-01-31 12:00 (or with T), 1990/01/31, or 31.1.1990.

    Returns:
        Its time; without a zone it counts as UTC. None if this is no such date.
    """
    if iso := _ISO.fullmatch(cell):
        year, _, month, day, clock, zone = iso.groups()
        if day is None and clock is not None:
            return None
    elif points := _POINTS.fullmatch(cell):
        day, month, year, clock = points.groups()
        zone = None
    else:
        return None
    try:
        hour = "00:00" if clock is None else clock.rjust(5, "0")
        found = datetime.fromisoformat(f"{year}-{month:0>2}-{day or '01':0>2}T{hour}{zone or ''}")
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def date_times(dates: Sequence[datetime]) -> DateTimes:
    """Dates as numbers that are evenly spaced if the dates are."""
    same_day = len({(found.day, found.time()) for found in dates}) == 1
    last_day = len({found.time() for found in dates}) == 1 and all((found + _A_DAY).day == 1 for found in dates)
    if same_day or last_day:
        return DateTimes(np.array([12 * found.year + found.month - 1 for found in dates]) / 12, "years")
    return DateTimes(np.array([(found - _EPOCH) / _A_DAY for found in dates]), "days")


def day_name(days: float) -> str:
    """The date of a day, as 1990-01-31."""
    return str(date(1970, 1, 1) + timedelta(days=int(np.floor(days))))
