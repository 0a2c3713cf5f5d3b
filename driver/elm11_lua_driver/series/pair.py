"""Two evenly spaced series from text files.

A file has columns of numbers, separated by commas, semicolons, tabs or blanks; `#` starts a comment, and the first
line may name the columns. The series stand in one file (`x, y` or `time, x, y`) or in one file each (`value` or
`time, value`); columns chosen by name or number may be any. Formats of spreadsheets are read where they are
unambiguous: decimal commas, UTF-16, Windows-1252, dates in the column of times.

Every fault is a `ValueError` of one line: `file:line: what; what to do`.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from elm11_host_ref.names import real
from elm11_host_ref.percentiles import percentile_transform

from .dates import day_name
from .reader import SeriesTable, fault, last_decimal, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from elm11_host_ref.types import FloatArray, IntArray

MIN_SAMPLES: Final = 11
"""Fewest samples. The ends of n samples leave periods up to about 0.37 n dt undisturbed (Morlet): 11 samples are the
first to leave one octave, from the shortest period, 2 dt, to 4 dt."""
SPACING_TOLERANCE: Final = 0.01
"""Largest distance of a time from the even grid, in steps: a phase error of 2 degrees at the shortest period, 2 dt."""
MAX_ROUNDING: Final = 0.1
"""The same, where times are rounded to the decimals written (months as 1950.083): one unit of the last decimal, at
most this many steps. A missing sample is a whole step off, so it never passes."""
_MAX_SPAN: Final = 1e60  # the fit of red noise takes fourth powers, which double precision holds up to 1e308
_SAME_TIMES: Final = "both series need the same times: cut, or interpolate one to the times of the other"
# Numbers that mark missing values in files of measurements: nines only, or larger than any measurement.
_NO_VALUE: Final = re.compile(r"-?(?:99+(?:\.9+)?|(?:1|9\.9[0-9]*)e\+[23][0-9])")


@dataclass(frozen=True, eq=False)
class Series:
    """One series and its place in a file.

    Attributes:
        name: for labels.
        values: shape (n_samples,).
        file: for messages.
        lines: shape (n_samples,), the line of each sample.
        times: shape (n_samples,), in the unit of the file, ascending and even within the tolerance; None without a
            time column.
        time_name: name of the time column, or "".
        tolerance: largest error of a time, in the unit of the times.
        time_unit: "years" or "days" where the times were dates, "" where they were numbers.
    """

    name: str
    values: FloatArray
    file: str
    lines: IntArray
    times: FloatArray | None = None
    time_name: str = ""
    tolerance: float = 0.0
    time_unit: str = ""

    def as_percentiles(self) -> Series:
        """The series with its values turned into percentiles: for values far from normal."""
        return replace(self, values=percentile_transform(self.values))

    @property
    def dt(self) -> float | None:
        """Step of the time column, without the rounding of its last digits; None without one."""
        if self.times is None:
            return None
        return float(f"{(self.times[-1] - self.times[0]) / (self.times.size - 1):.12g}")

    def cut(self, keep: slice) -> Series:
        """A part of the series.

        Args:
            keep: of the samples.
        """
        times = None if self.times is None else self.times[keep]
        return replace(self, values=self.values[keep], lines=self.lines[keep], times=times)


@dataclass(frozen=True, eq=False)
class SeriesPair:
    """Two series with the same, even times.

    Attributes:
        x: shape (n_samples,).
        y: shape (n_samples,).
        times: shape (n_samples,), in the unit of dt; multiples of dt from 0 where no file gives times.
        dt: sampling interval, in any unit of time, > 0.
        name_x: for labels.
        name_y: for labels.
        time_name: name of the time column, or "".
        time_unit: "years" or "days" where the times were dates, "" where they were numbers.
        first_day: day from whose beginning the times are counted, as 1990-01-31; "" where they are not in days.
    """

    x: FloatArray
    y: FloatArray
    times: FloatArray
    dt: float
    name_x: str
    name_y: str
    time_name: str
    time_unit: str = ""
    first_day: str = ""


def read_series(path: Path | str, columns: Sequence[str] | None = None) -> Series:
    """Read one series from a file of its own.

    Args:
        path: the file.
        columns: names or numbers (from 1) of the columns: `value`, or `time, value`. None: the file has just these.

    Returns:
        The series, with times when there are two columns.

    Raises:
        ValueError: the file has a fault; the message names the file and the line.
    """
    table = SeriesTable(path)
    chosen = table.choose(columns, (1, 2), "one series per file: value, or time and value")
    return _series(table, chosen, Path(path).stem)[0]


def read_both(path: Path | str, columns: Sequence[str] | None = None) -> tuple[Series, Series]:
    """Both series of one file, with times when there are three columns: `x, y`, or `time, x, y`; else as `read_series`.

    Returns:
        The two series.

    Raises:
        ValueError: the file has a fault; the message names the file and the line.
    """
    table = SeriesTable(path)
    chosen = table.choose(columns, (2, 3), "both series in one file: x and y, or time, x and y")
    x, y = _series(table, chosen, *(f"{Path(path).stem} column {column + 1}" for column in chosen[-2:]))
    if x.times is None:
        _refuse_ramp(table, chosen[0], x)
    return x, y


def make_pair(x: Series, y: Series, dt: float | None = None) -> SeriesPair:
    """Make a pair of two series, cut to their common times. Without times they must have the same length.

    Args:
        x: the first series.
        y: the second series.
        dt: sampling interval, in any unit of time, > 0. None takes it from the times.

    Returns:
        The pair.

    Raises:
        ValueError: they do not fit together, or too few samples remain; dt is missing, outside its range, or not the
            step of the times.
    """
    if dt is not None and real("dt", dt) <= 0:
        raise ValueError(f"dt must be greater than 0, not {dt!r}")
    if (x.times is None) != (y.times is None):
        with_times, without = (x, y) if y.times is None else (y, x)
        raise ValueError(
            f"{without.file}: there is no time column, but {with_times.file} has one; "
            "give both files a time column, or choose the value columns of both with --columns"
        )
    step = x.dt
    if step is None:
        _check_lengths(x, y)
        if dt is None:
            raise ValueError(
                f"dt must be given: {x.file} has no time column; give the sampling interval (--dt), greater than 0"
            )
        step = dt
    else:
        x, y = _common_times(x, y)
        # Rounded times give dt to about their rounding over the length of the series; 1 % is generous.
        if dt is not None and abs(dt - step) > SPACING_TOLERANCE * step:
            raise ValueError(
                f"dt = {dt:g} is not the step of the times in {x.file}, {step:g}; leave --dt out, or correct one"
            )
        step = dt or step
    for series in (x, y):
        _check_values(series)
    times: FloatArray = np.arange(x.values.size, dtype=np.float64) * step if x.times is None else x.times
    name_x, name_y = (x.name, y.name) if x.name != y.name else _distinguished(x, y)
    unit, first_day = x.time_unit or y.time_unit, ""
    if unit == "days":
        first_day, times = day_name(times[0]), times - np.floor(times[0])
    return SeriesPair(x.values, y.values, times, step, name_x, name_y, x.time_name, unit, first_day)


def _distinguished(x: Series, y: Series) -> tuple[str, str]:
    """Distinct names for two series of the same name: with the file's name, or x and y."""
    files = [Path(series.file).stem for series in (x, y)]
    first, second = files if files[0] != files[1] else ("x", "y")
    return f"{x.name} ({first})", f"{y.name} ({second})"


def _series(table: SeriesTable, chosen: Sequence[int], *names: str) -> list[Series]:
    """The last columns chosen, as many as there are names for those without one; one more is that of the times."""
    has_times, unit = len(chosen) > len(names), ""
    if has_times and table.has_dates(chosen[0]):
        columns, unit = table.dates_and_numbers(chosen)
    else:
        columns = table.numbers(chosen)
    lines = np.array(table.lines, np.int64)
    times, time_name, tolerance = None, "", 0.0
    if has_times:
        times, time_name = columns[0], table.names[chosen[0]]
        tolerance = _check_times(table, chosen[0], times, unit)
    return [
        Series(table.names[column] or name, values, table.file, lines, times, time_name, tolerance, unit)
        for column, values, name in zip(chosen[-len(names) :], columns[-len(names) :], names, strict=True)
    ]


def _check_times(table: SeriesTable, column: int, times: FloatArray, unit: str) -> float:
    """The tolerance of the times, in their unit, after a check that they are ascending and even.

    Only dates have a unit. Numbers are rounded to the written digits.
    """
    cells = [row[column].strip() for row in table.rows]
    if times.size < 2:
        raise fault(table.file, table.lines[0], "a single sample gives no step", f"give at least {MIN_SAMPLES} samples")
    steps = np.diff(times)
    not_ascending = np.flatnonzero(steps <= 0)
    if not_ascending.size:
        i = int(not_ascending[0]) + 1
        what = f"time {cells[i]} does not come after {cells[i - 1]} of line {table.lines[i - 1]}"
        raise fault(table.file, table.lines[i], what, "sort the lines by ascending time, each time once")
    step = float(np.median(steps))
    rounding = 0.0 if unit else min(last_decimal(cell) for cell in cells)
    tolerance = max(SPACING_TOLERANCE, min(rounding / step, MAX_ROUNDING))
    # Steps first, since they show the line of a gap; then the grid, which shows a slow drift.
    off = np.flatnonzero(np.abs(steps - step) > tolerance * step) + 1
    remedy = "interpolate to even times, or choose only the value columns with --columns and give --dt"
    allowed = f"(tolerance {100 * tolerance:.2g} % of a step)"
    if off.size:
        i = int(off[0])
        came, others = (f"{value:.6g} {unit[:-1] if value == 1 else unit}".rstrip() for value in (steps[i - 1], step))
        what = f"time {cells[i]} comes {came} after line {table.lines[i - 1]}, the others {others}"
        raise fault(table.file, table.lines[i], f"{what} {allowed}", remedy)
    mean = (times[-1] - times[0]) / (times.size - 1)
    from_grid = times - times[0] - mean * np.arange(times.size)
    off = np.flatnonzero(np.abs(from_grid) > tolerance * step)
    if off.size:
        i = int(off[0])
        what = f"time {cells[i]} lies {from_grid[i]:.3g} from the even grid between the first and the last time"
        raise fault(table.file, table.lines[i], f"{what} {allowed}", remedy)
    return tolerance * step


def _check_lengths(x: Series, y: Series) -> None:
    if x.values.size == y.values.size:
        return
    longer, shorter = (x, y) if x.values.size > y.values.size else (y, x)
    what = f"{longer.file} has {longer.values.size} samples, {shorter.file} ends here after {shorter.values.size}"
    remedy = "give series of equal length, or a time column in both files"
    raise fault(shorter.file, int(shorter.lines[-1]), what, remedy)


def _common_times(x: Series, y: Series) -> tuple[Series, Series]:
    """Both series, cut to the time range they share."""
    if x.times is None or y.times is None or x.times is y.times:
        return x, y
    assert x.dt is not None
    assert y.dt is not None
    if x.time_unit != y.time_unit and "days" in {x.time_unit, y.time_unit}:
        numbers = {"": "numbers", "days": "dates", "years": "months"}
        what = f"the times are {numbers[y.time_unit]}, those of {x.file} {numbers[x.time_unit]}"
        raise fault(y.file, int(y.lines[0]), what, _SAME_TIMES)
    if abs(x.dt - y.dt) > SPACING_TOLERANCE * x.dt:
        what = f"the times step by {y.dt:.6g}, those of {x.file} by {x.dt:.6g}"
        raise fault(y.file, int(y.lines[0]), what, _SAME_TIMES)
    tolerance = max(x.tolerance, y.tolerance)
    start = max(x.times[0], y.times[0]) - tolerance
    stop = min(x.times[-1], y.times[-1]) + tolerance
    keep_x = slice(*np.searchsorted(x.times, (start, stop)).tolist())
    keep_y = slice(*np.searchsorted(y.times, (start, stop)).tolist())
    common = min(keep_x.stop - keep_x.start, keep_y.stop - keep_y.start)
    if common < 1:
        raise ValueError(
            f"{y.file}: its times, {y.times[0]:g} to {y.times[-1]:g}, have none in common with {x.file}, "
            f"{x.times[0]:g} to {x.times[-1]:g}; {_SAME_TIMES}"
        )
    x, y = (series.cut(slice(keep.start, keep.start + common)) for series, keep in ((x, keep_x), (y, keep_y)))
    assert x.times is not None
    assert y.times is not None
    off = np.flatnonzero(np.abs(x.times - y.times) > tolerance)
    if off.size:
        i = int(off[0])
        what = f"time {y.times[i]:.10g} stands where {x.file}:{x.lines[i]} has {x.times[i]:.10g}"
        raise fault(y.file, int(y.lines[i]), what, _SAME_TIMES)
    return x, y


def _check_values(series: Series) -> None:
    if series.values.size < MIN_SAMPLES:
        line = int(series.lines[-1]) if series.lines.size else 1
        what = f"only {series.values.size} samples" + ("" if series.times is None else " in the common time range")
        raise fault(series.file, line, what, f"at least {MIN_SAMPLES} are needed")
    if np.ptp(series.values) == 0:
        what = f"all {series.values.size} values of {shown(series.name)} are {series.values[0]:g}"
        raise fault(series.file, int(series.lines[0]), what, "give a series that varies")
    with np.errstate(over="ignore"):
        span = float(np.ptp(series.values))
    if not 1 / _MAX_SPAN <= span <= _MAX_SPAN:
        what = f"the values of {shown(series.name)} span {span:.2g}, whose powers no computer number holds"
        raise fault(series.file, int(series.lines[0]), what, "give them in another unit")
    _warn_of_no_value(series)


def _warn_of_no_value(series: Series) -> None:
    """Warn of numbers that are far from all others and look like a mark for missing values, such as -999."""
    for end in (series.values.min(), series.values.max()):
        marked = series.values == end
        others = series.values[~marked]
        # A number that lies far from all others is not a measurement; the mark itself is left out of their range.
        if _NO_VALUE.fullmatch(f"{end:g}") and others.size and np.abs(others - end).min() > np.ptp(others):
            line, n = int(series.lines[marked.argmax()]), int(marked.sum())
            warnings.warn(
                f"{series.file}:{line}: {end:g} stands {f'{n} times' if n > 1 else 'once'}, far from all other values "
                f"of {shown(series.name)}; if it marks missing values, fill these by interpolation",
                stacklevel=2,
            )


def _refuse_ramp(table: SeriesTable, column: int, x: Series) -> None:
    """Refuse a time column given as x: the coherence of an even ramp has no use."""
    if x.values.size < 3:
        return
    steps = np.diff(x.values)
    if steps[0] > 0 and np.ptp(steps) <= 1e-6 * steps[0]:
        raise fault(
            table.file,
            int(x.lines[0]),
            f"column {column + 1} climbs in even steps, as times do, so the file has only one series",
            "give a second file, or a file with time, x and y",
        )
