"""Two evenly spaced series from text files.

A file has columns of numbers, separated by commas, semicolons, tabs or blanks; `#` starts a comment, and the first
line may name the columns. The series stand in one file (`x, y` or `time, x, y`) or in one file each (`value` or
`time, value`); columns chosen by name or number may be any. What spreadsheets write is understood where it has one
meaning only: decimal commas, UTF-16, Windows-1252, dates in the column of times.

Every fault is a `ValueError` of one line: `file:line: what; what to do`.
"""

from __future__ import annotations

import codecs
import csv
import re
import warnings
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from elm11_host_ref.experiment import real

from .series_dates import date_times, day_name, parse_date

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from elm11_host_ref.types import FloatArray, IntArray

MIN_SAMPLES: Final = 11
"""Fewest samples. The ends of n samples leave periods up to about 0.37 n dt undisturbed (Morlet): 11 samples are the
first to leave one octave, from the shortest period, 2 dt, to 4 dt."""

SPACING_TOLERANCE: Final = 0.01
"""How far a time may lie from the even grid, in steps: a phase error of 2 degrees at the shortest period, 2 dt."""

MAX_ROUNDING: Final = 0.1
"""The same, where times are rounded to the decimals written (months as 1950.083): one unit of the last decimal, at
most this many steps. A missing sample is a whole step off, so it never passes."""

_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eEdD][+-]?[0-9]+)?")
_DECIMAL_COMMA: Final = re.compile(r"[+-]?[0-9]*,[0-9]+(?:[eE][+-]?[0-9]+)?")
_THOUSANDS: Final = re.compile(r"[+-]?[1-9][0-9]{0,2}(?:,[0-9]{3})+(?:\.[0-9]*)?")
_DATE: Final = re.compile(r"[0-9]{1,4}[-/.][0-9]{1,2}(?:[-/.][0-9]{1,4})?(?:[T ].*)?")
_MISSING: Final = {"", "nan", "na", "n/a", "<na>", "null", "none", "missing", "-", "--", "?", "."}
_SPREADSHEET_ERROR: Final = re.compile(r"#(?:N/A|DIV/0!|VALUE!|REF!|NUM!|NAME\?|NULL!)", re.IGNORECASE)
_SAME_TIMES: Final = "both series need the same times: cut, or interpolate one to the times of the other"
_INFINITE: Final = {"inf", "+inf", "-inf", "infinity", "+infinity", "-infinity"}
_COMMENT: Final = re.compile(rf"(?!{_SPREADSHEET_ERROR.pattern})#.*", re.IGNORECASE)
_FIRST_LINE_OF_EXCEL: Final = re.compile(r'"?sep=(.)"?', re.IGNORECASE)
# Numbers that stand for "no value" in files of measurements: nines only, or so large that nothing is measured so.
_NO_VALUE: Final = re.compile(r"-?(?:99+(?:\.9+)?|(?:1|9\.9[0-9]*)e\+[23][0-9])")


@dataclass(frozen=True, eq=False)
class Series:
    """One series and where it was read.

    Attributes:
        name: for labels.
        values: shape (n_samples,).
        file: for messages.
        lines: shape (n_samples,), the line of each sample.
        times: shape (n_samples,), in the unit of the file, ascending and even within the tolerance; None without a
            time column.
        time_name: name of the time column, or "".
        tolerance: how far a time may be off, in the unit of the times.
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
    table = _Table(path)
    chosen = table.choose(columns, (1, 2), "one series per file: value, or time and value")
    return _series(table, chosen, Path(path).stem)[0]


def read_both(path: Path | str, columns: Sequence[str] | None = None) -> tuple[Series, Series]:
    """Read both series from one file.

    Args:
        path: the file.
        columns: names or numbers (from 1) of the columns: `x, y`, or `time, x, y`. None: the file has just these.

    Returns:
        Both series, with times when there are three columns.

    Raises:
        ValueError: the file has a fault; the message names the file and the line.
    """
    table = _Table(path)
    chosen = table.choose(columns, (2, 3), "both series in one file: x and y, or time, x and y")
    x, y = _series(table, chosen, *(f"{Path(path).stem} column {column + 1}" for column in chosen[-2:]))
    if x.times is None:
        _refuse_ramp(table, chosen[0], x)
    return x, y


def pair(x: Series, y: Series, dt: float | None = None) -> SeriesPair:
    """Bring two series together: cut to their common times, which must be the same, or of one length without times.

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
        msg = f"dt must be greater than 0, not {dt!r}"
        raise ValueError(msg)
    if (x.times is None) != (y.times is None):
        with_times, without = (x, y) if y.times is None else (y, x)
        msg = (
            f"{without.file}: there is no time column, but {with_times.file} has one; "
            "give both files a time column, or choose the value columns of both with --columns"
        )
        raise ValueError(msg)
    step = x.dt
    if step is None:
        _check_lengths(x, y)
        if dt is None:
            msg = f"dt must be given: {x.file} has no time column; give the sampling interval (--dt), greater than 0"
            raise ValueError(msg)
        step = dt
    else:
        x, y = _common_times(x, y)
        # Rounded times give dt to about their rounding over the length of the series; 1 % is generous.
        if dt is not None and abs(dt - step) > SPACING_TOLERANCE * step:
            msg = f"dt = {dt:g} is not the step of the times in {x.file}, {step:g}; leave --dt out, or correct one"
            raise ValueError(msg)
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
    """Names of two series of one name: with that of the file, or the place on the command line."""
    files = [Path(series.file).stem for series in (x, y)]
    first, second = files if files[0] != files[1] else ("x", "y")
    return f"{x.name} ({first})", f"{y.name} ({second})"


def _fault(file: str, line: int, what: str, remedy: str) -> ValueError:
    return ValueError(f"{file}:{line}: {what}; {remedy}")


def _shown(text: str) -> str:
    return repr(text if len(text) <= 30 else text[:27] + "...")


class _Table:
    """The cells of a file, as text.

    Attributes:
        file: the path as it was given.
        names: one per column, "" where the file has no header.
        rows: cells of every data line.
        lines: the number of every data line.
    """

    def __init__(self, path: Path | str) -> None:
        self.file = str(path)
        numbered = [
            (number, text.rstrip())
            for number, text in enumerate(re.split(r"\r\n|\n|\r", _read_text(path)), 1)
            if text.strip() and not _COMMENT.match(text.lstrip())
        ]
        told = _FIRST_LINE_OF_EXCEL.fullmatch(numbered[0][1].strip()) if numbered else None
        numbered = numbered[1:] if told else numbered
        if not numbered:
            raise _fault(self.file, 1, "the file has no data", "give a file with columns of numbers")
        self._split = _splitter([text for _, text in numbered], self.file, told[1] if told else None)
        first = [cell.strip() for cell in self._split(numbered[0][1])]
        # A line of "NA" only is a sample that is missing, not two columns of that name.
        names = not any(map(_like_a_number, first)) and any(cell.lower() not in _MISSING for cell in first)
        header = first if names else None
        data = numbered[1:] if header else numbered
        if not data:
            raise _fault(
                self.file, numbered[0][0], "no line with numbers follows", "give a file with columns of numbers"
            )
        self.lines = [number for number, _ in data]
        self.rows = _decimal_points([self._split(_COMMENT.sub("", text).rstrip()) for _, text in data])
        # Spreadsheets write what once was used below the data: lines of nothing.
        while len(self.rows) > 1 and len(self.rows[-1]) > 1 and not any(cell.strip() for cell in self.rows[-1]):
            self.rows.pop()
            self.lines.pop()
        width = self._width()
        if header and width == 1:
            header = [" ".join(numbered[0][1].split()).strip('"')]  # blanks in it separate nothing
        if header and len(header) != width:
            what = f"{len(header)} column name{'s' * (len(header) != 1)} for {width} columns"
            remedy = "give each column a name (in double quotes if it has blanks), or put a '#' before a title"
            raise _fault(self.file, numbered[0][0], what, remedy)
        self.names = header or [""] * width
        # Spreadsheets end every line with a separator: a column of nothing.
        while width > 1 and not self.names[width - 1] and not any(row[width - 1].strip() for row in self.rows):
            width -= 1
        self.names = self.names[:width]

    def _width(self) -> int:
        """The number of columns, if it is the same in every row."""
        width = len(self.rows[0])
        for number, row in zip(self.lines, self.rows, strict=True):
            if len(row) != width:
                # Decimal commas between blanks look like columns, a different number of them where a value is whole.
                for line, cells in zip(self.lines, self.rows, strict=True):
                    for cell in filter(_two_numbers, cells):
                        _number(cell.strip(), self.file, line)
                what = f"{len(row)} column{'s' * (len(row) != 1)}, but line {self.lines[0]} has {width}"
                raise _fault(self.file, number, what, "put in what is missing, or a '#' before a line that is no data")
        return width

    def choose(self, columns: Sequence[str] | None, counts: tuple[int, int], meaning: str) -> list[int]:
        """Indices of the columns to use."""
        described = ", ".join(f"{i} ({name})" if name else str(i) for i, name in enumerate(self.names, 1))
        if columns is None:
            if len(self.names) not in counts:
                raise _fault(
                    self.file,
                    self.lines[0],
                    f"{len(self.names)} column{'s' * (len(self.names) != 1)}, but needed is {meaning}",
                    f"choose with --columns from {described}" if len(self.names) > 1 else "give another file",
                )
            return list(range(len(self.names)))
        if len(columns) not in counts:
            msg = f"{self.file}: columns {','.join(columns)}: needed is {meaning}; choose from {described}"
            raise ValueError(msg)
        chosen = [self._index(column.strip(), described) for column in columns]
        if len(set(chosen)) < len(chosen):
            msg = f"{self.file}: columns {','.join(columns)}: one column is named twice; choose from {described}"
            raise ValueError(msg)
        return chosen

    def _index(self, column: str, described: str) -> int:
        for same in (str.__eq__, lambda a, b: a.casefold() == b.casefold()):
            found = [i for i, name in enumerate(self.names) if name and same(name, column)]
            if len(found) == 1:
                return found[0]
            if found:
                msg = f"{self.file}: columns: {len(found)} columns are named {_shown(column)}; choose by number"
                raise ValueError(msg)
        if re.fullmatch(r"[0-9]{1,9}", column) and 1 <= int(column) <= len(self.names):
            return int(column) - 1
        msg = f"{self.file}: columns: there is no column {_shown(column)}; choose from {described}"
        raise ValueError(msg)

    def numbers(self, columns: Sequence[int]) -> list[FloatArray]:
        """Values of some columns, each of shape (n_rows,); the first fault of the file is the one that is named."""
        rows = zip(self.lines, self.rows, strict=True)
        values = [[_number(row[column].strip(), self.file, line) for column in columns] for line, row in rows]
        return list(np.ascontiguousarray(np.array(values).T))

    def has_dates(self, column: int) -> bool:
        """Whether a column begins with a date."""
        return parse_date(self.rows[0][column].strip()) is not None

    def dates_and_numbers(self, columns: Sequence[int]) -> tuple[list[FloatArray], str]:
        """As `numbers`, where the first column has dates; and the unit of these."""
        dates, values = [], []
        for line, row in zip(self.lines, self.rows, strict=True):
            cell = row[columns[0]].strip()
            found = parse_date(cell)
            if found is None:
                what = f"{_shown(cell)} is no date as {_shown(self.rows[0][columns[0]].strip())} is"
                raise _fault(self.file, line, what, "write all dates in one way, such as 1990-01-31")
            dates.append(found)
            values.append([_number(row[column].strip(), self.file, line) for column in columns[1:]])
        times = date_times(dates)
        return [times.times, *np.ascontiguousarray(np.array(values).T)], times.unit


def _read_text(path: Path | str) -> str:
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError:
        msg = f"{path}: there is no such file; check its name"
        raise ValueError(msg) from None
    except IsADirectoryError:
        msg = f"{path}: this is a folder; give a file"
        raise ValueError(msg) from None
    except (OSError, ValueError) as error:
        msg = f"{path!s}: the file cannot be read: {getattr(error, 'strerror', None) or error}; check it"
        raise ValueError(msg) from error
    for start, what, remedy in (
        (b"PK\x03\x04", "a spreadsheet or zip archive", "save the sheet as CSV"),
        (b"\xd0\xcf\x11\xe0", "a spreadsheet", "save the sheet as CSV"),
        (b"\x1f\x8b", "compressed", "unpack it first"),
    ):
        if content.startswith(start):
            msg = f"{path}:1: the file is {what}; {remedy}"
            raise ValueError(msg)
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # "Unicode text" of spreadsheets
        try:
            return content.decode("utf-16")
        except UnicodeDecodeError as error:
            line = 1 + content[: error.start].decode("utf-16", "ignore").count("\n")
            raise _fault(str(path), line, "the UTF-16 text is damaged here", "save the file as UTF-8") from None
    if b"\0" in content:
        line = content.count(b"\n", 0, content.index(b"\0")) + 1
        raise _fault(str(path), line, "this is a binary file, not text", "give columns of numbers as text")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # Spreadsheets write the letters of Windows. In other old encodings the digits are the same: only names suffer.
        line = content.count(b"\n", 0, error.start) + 1
        warnings.warn(
            f"{path}:{line}: byte 0x{content[error.start]:02x} is not UTF-8 text; read as Windows-1252. Look at the "
            "names, or save the file as UTF-8",
            stacklevel=2,
        )
        return content.decode("cp1252", "replace")


def _decimal_points(rows: Sequence[list[str]]) -> list[list[str]]:
    """The rows with points in the place of decimal commas, if it is certain that commas are decimal.

    They are not, where numbers with points stand beside them, or where all of them could be separators of thousands.
    """
    cells = [cell.strip() for row in rows for cell in row]
    with_commas = [cell for cell in cells if _DECIMAL_COMMA.fullmatch(cell)]
    is_certain = not all(_THOUSANDS.fullmatch(cell) for cell in with_commas)
    if not is_certain or any("." in cell and _NUMBER.fullmatch(cell) for cell in cells):
        return list(rows)
    return [
        [cell.replace(",", ".") if _DECIMAL_COMMA.fullmatch(cell.strip()) else cell for cell in row] for row in rows
    ]


def _splitter(texts: Sequence[str], file: str, told: str | None) -> Callable[[str], list[str]]:
    """How to cut a line into cells: by the separator that the file tells, else by the first that most lines have."""

    def by_csv(separator: str) -> Callable[[str], list[str]]:
        def split(text: str) -> list[str]:
            try:
                return next(csv.reader([text], delimiter=separator, skipinitialspace=True))
            except csv.Error as error:
                msg = f"{file}: the file is not readable as columns: {error}; give columns of numbers as text"
                raise ValueError(msg) from error

        return split

    def by_blanks(text: str) -> list[str]:
        return [cell.strip('"') for cell in re.findall(r'"[^"]*"|\S+', text)]

    if told is not None:
        return by_blanks if told == " " else by_csv(told)
    for separator in (";", "\t", ","):
        having = [text for text in texts if separator in text]
        if 2 * len(having) <= len(texts):
            continue
        split = by_csv(separator)
        # Tabs may just align columns, in any number: then empty cells between them mean nothing.
        if separator == "\t" and 2 * sum(any(not cell.strip() for cell in split(text)) for text in having) > len(texts):
            continue
        # Blanks separate columns, and the commas are decimal.
        if separator == "," and 2 * sum(any(map(_two_numbers, split(text))) for text in having) > len(texts):
            continue
        return split
    return by_blanks


def _like_a_number(cell: str) -> bool:
    """Whether a cell shows that its line is data and no header: a number, a fault in one, or nothing."""
    return bool(_NUMBER.fullmatch(cell) or _DECIMAL_COMMA.fullmatch(cell) or _two_numbers(cell)) or (
        cell.lower() in {"nan", *_INFINITE} or parse_date(cell) is not None
    )


def _two_numbers(cell: str) -> bool:
    """Whether blanks separate two numbers in a cell: commas are not what separates columns here."""
    parts = cell.split()
    return len(parts) > 1 and all(_NUMBER.fullmatch(part) for part in parts)


def _number(cell: str, file: str, line: int) -> float:
    cell = cell.replace("\N{MINUS SIGN}", "-")
    if _NUMBER.fullmatch(cell):
        value = float(cell.translate(str.maketrans("dD", "ee")))
        if np.isfinite(value):
            return value
    if cell.lower() in _MISSING or _SPREADSHEET_ERROR.fullmatch(cell):
        what = "a value is missing" if not cell else f"a value is missing ({_shown(cell)})"
        remedy = "every sample is needed: fill the gap by interpolation, or cut the series there"
    elif cell.lower() in _INFINITE or _NUMBER.fullmatch(cell):
        what, remedy = f"{_shown(cell)} is not a finite number", "correct it"
    elif _THOUSANDS.fullmatch(cell):
        what = f"{_shown(cell)} has a comma that may be decimal or a separator of thousands"
        remedy = "write decimal points, and nothing between thousands"
    elif _DECIMAL_COMMA.fullmatch(cell):
        what = f"{_shown(cell)} has a decimal comma, other numbers of the file have points"
        remedy = "write decimal points everywhere"
    elif _two_numbers(cell):
        what = f"{_shown(cell)} looks like numbers with decimal commas, or with blanks between thousands"
        remedy = "write decimal points, and nothing between thousands"
    elif parse_date(cell) is not None:
        what = f"{_shown(cell)} is a date, and dates stand in the first column, that of the times"
        remedy = "name the columns in this order with --columns"
    elif _DATE.fullmatch(cell):
        what = f"{_shown(cell)} is a date of a kind that is not understood"
        remedy = "write dates as 1990-01-31 or 1990-01, or times as numbers, such as decimal years"
    else:
        what, remedy = f"{_shown(cell)} is not a number", "correct it, or put a '#' before a line that is no data"
    raise _fault(file, line, what, remedy)


def _series(table: _Table, chosen: Sequence[int], *names: str) -> list[Series]:
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


def _check_times(table: _Table, column: int, times: FloatArray, unit: str) -> float:
    """Nothing but their tolerance, in the unit of the times, if they are ascending and even.

    The unit is that of dates; numbers have none, and are rounded to what is written.
    """
    cells = [row[column].strip() for row in table.rows]
    if times.size < 2:
        raise _fault(
            table.file, table.lines[0], "a single sample gives no step", f"give at least {MIN_SAMPLES} samples"
        )
    steps = np.diff(times)
    not_ascending = np.flatnonzero(steps <= 0)
    if not_ascending.size:
        i = int(not_ascending[0]) + 1
        what = f"time {cells[i]} does not come after {cells[i - 1]} of line {table.lines[i - 1]}"
        raise _fault(table.file, table.lines[i], what, "sort the lines by ascending time, each time once")
    step = float(np.median(steps))
    last_decimal = 0.0 if unit else min(_last_decimal(cell) for cell in cells)
    tolerance = max(SPACING_TOLERANCE, min(last_decimal / step, MAX_ROUNDING))
    # First the steps, which show the very line of a gap; then the grid, which shows a slow drift.
    off = np.flatnonzero(np.abs(steps - step) > tolerance * step) + 1
    remedy = "interpolate to even times, or choose only the value columns with --columns and give --dt"
    allowed = f"(tolerance {100 * tolerance:.2g} % of a step)"
    if off.size:
        i = int(off[0])
        came, others = (f"{value:.6g} {unit[:-1] if value == 1 else unit}".rstrip() for value in (steps[i - 1], step))
        what = f"time {cells[i]} comes {came} after line {table.lines[i - 1]}, the others {others}"
        raise _fault(table.file, table.lines[i], f"{what} {allowed}", remedy)
    mean = (times[-1] - times[0]) / (times.size - 1)
    from_grid = times - times[0] - mean * np.arange(times.size)
    off = np.flatnonzero(np.abs(from_grid) > tolerance * step)
    if off.size:
        i = int(off[0])
        what = f"time {cells[i]} lies {from_grid[i]:.3g} from the even grid between the first and the last time"
        raise _fault(table.file, table.lines[i], f"{what} {allowed}", remedy)
    return tolerance * step


def _last_decimal(cell: str) -> float:
    """Value of one unit of the last digit written: 0.01 for 1950.08."""
    exponent = Decimal(cell.translate(str.maketrans("dD\N{MINUS SIGN}", "ee-"))).as_tuple().exponent
    assert isinstance(exponent, int), "a finite number"
    return 10.0 ** min(exponent, 0)


def _check_lengths(x: Series, y: Series) -> None:
    if x.values.size == y.values.size:
        return
    longer, shorter = (x, y) if x.values.size > y.values.size else (y, x)
    what = f"{longer.file} has {longer.values.size} samples, {shorter.file} ends here after {shorter.values.size}"
    remedy = "give series of equal length, or a time column in both files"
    raise _fault(shorter.file, int(shorter.lines[-1]), what, remedy)


def _common_times(x: Series, y: Series) -> tuple[Series, Series]:
    """Both series, cut to the time range they share."""
    if x.times is None or y.times is None or x.times is y.times:
        return x, y
    assert x.dt is not None
    assert y.dt is not None
    if x.time_unit != y.time_unit and "days" in {x.time_unit, y.time_unit}:
        numbers = {"": "numbers", "days": "dates", "years": "months"}
        what = f"the times are {numbers[y.time_unit]}, those of {x.file} {numbers[x.time_unit]}"
        raise _fault(y.file, int(y.lines[0]), what, _SAME_TIMES)
    if abs(x.dt - y.dt) > SPACING_TOLERANCE * x.dt:
        what = f"the times step by {y.dt:.6g}, those of {x.file} by {x.dt:.6g}"
        raise _fault(y.file, int(y.lines[0]), what, _SAME_TIMES)
    tolerance = max(x.tolerance, y.tolerance)
    start = max(x.times[0], y.times[0]) - tolerance
    stop = min(x.times[-1], y.times[-1]) + tolerance
    keep_x = slice(*np.searchsorted(x.times, (start, stop)).tolist())
    keep_y = slice(*np.searchsorted(y.times, (start, stop)).tolist())
    common = min(keep_x.stop - keep_x.start, keep_y.stop - keep_y.start)
    if common < 1:
        msg = (
            f"{y.file}: its times, {y.times[0]:g} to {y.times[-1]:g}, have none in common with {x.file}, "
            f"{x.times[0]:g} to {x.times[-1]:g}; {_SAME_TIMES}"
        )
        raise ValueError(msg)
    x, y = (series.cut(slice(keep.start, keep.start + common)) for series, keep in ((x, keep_x), (y, keep_y)))
    assert x.times is not None
    assert y.times is not None
    off = np.flatnonzero(np.abs(x.times - y.times) > tolerance)
    if off.size:
        i = int(off[0])
        what = f"time {y.times[i]:.10g} stands where {x.file}:{x.lines[i]} has {x.times[i]:.10g}"
        raise _fault(y.file, int(y.lines[i]), what, _SAME_TIMES)
    return x, y


def _check_values(series: Series) -> None:
    if series.values.size < MIN_SAMPLES:
        line = int(series.lines[-1]) if series.lines.size else 1
        what = f"only {series.values.size} samples" + ("" if series.times is None else " in the common time range")
        raise _fault(series.file, line, what, f"at least {MIN_SAMPLES} are needed")
    if np.ptp(series.values) == 0:
        what = f"all {series.values.size} values of {_shown(series.name)} are {series.values[0]:g}"
        raise _fault(series.file, int(series.lines[0]), what, "give a series that varies")
    _warn_of_no_value(series)


def _warn_of_no_value(series: Series) -> None:
    """Warn of numbers that are far from all others and look like a mark for missing values, such as -999."""
    for end in (series.values.min(), series.values.max()):
        marked = series.values == end
        others = series.values[~marked]
        # Compared without the mark's own weight; what other values do not come near to is no measurement.
        if _NO_VALUE.fullmatch(f"{end:g}") and others.size and np.abs(others - end).min() > np.ptp(others):
            line, n = int(series.lines[marked.argmax()]), int(marked.sum())
            warnings.warn(
                f"{series.file}:{line}: {end:g} stands {f'{n} times' if n > 1 else 'once'}, far from all other values "
                f"of {_shown(series.name)}; if it marks missing values, fill these by interpolation",
                stacklevel=2,
            )


def _refuse_ramp(table: _Table, column: int, x: Series) -> None:
    """Refuse a time column in the place of x: nobody asks for the coherence of an even ramp."""
    if x.values.size < 3:
        return
    steps = np.diff(x.values)
    if steps[0] > 0 and np.ptp(steps) <= 1e-6 * steps[0]:
        raise _fault(
            table.file,
            int(x.lines[0]),
            f"column {column + 1} climbs in even steps, as times do, so the file has only one series",
            "give a second file, or a file with time, x and y",
        )
