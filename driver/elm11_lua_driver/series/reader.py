"""The table in a file of series: its encoding, cells, columns, and the numbers in them."""

from __future__ import annotations

import codecs
import csv
import re
import warnings
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import numpy as np

from .._files.reading import open_regular
from .dates import date_times, parse_date

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from elm11_host_ref.types import FloatArray

MAX_BYTES: Final = 1 << 26
"""Longest file: a million lines of 64 characters."""
MAX_COLUMNS: Final = 10_000
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eEdD][+-]?[0-9]+)?")
_DECIMAL_COMMA: Final = re.compile(r"[+-]?[0-9]*,[0-9]+(?:[eE][+-]?[0-9]+)?")
_THOUSANDS: Final = re.compile(r"[+-]?[1-9][0-9]{0,2}(?:,[0-9]{3})+(?:\.[0-9]*)?")
_DATE: Final = re.compile(r"[0-9]{1,4}[-/.][0-9]{1,2}(?:[-/.][0-9]{1,4})?(?:[T ].*)?")
MISSING: Final = {"", "nan", "na", "n/a", "<na>", "null", "none", "missing", "-", "--", "?", "."}
"""Marks of a missing value, in lower case."""
_INFINITE: Final = {"inf", "+inf", "-inf", "infinity", "+infinity", "-infinity"}
_SPREADSHEET_ERROR: Final = re.compile(r"#(?:N/A|DIV/0!|VALUE!|REF!|NUM!|NAME\?|NULL!)", re.IGNORECASE)
COMMENT: Final = re.compile(rf"(?!{_SPREADSHEET_ERROR.pattern})#.*", re.IGNORECASE)
"""A comment, up to the line's end."""
FIRST_LINE_OF_EXCEL: Final = re.compile(r'"?sep=(.)"?', re.IGNORECASE)
"""The line in which a spreadsheet names the separator, group 1."""


def fault(file: str, line: int, what: str, remedy: str) -> ValueError:
    """An error about a line of a file, as one line of text."""
    return ValueError(f"{file}:{line}: {what}; {remedy}")


def shown(text: str) -> str:
    """A cell or name in quotes, cut if it is long."""
    return repr(text if len(text) <= 30 else text[:27] + "...")


def read_text(path: Path | str) -> str:
    """The text of a file in UTF-8, UTF-16 or, with a warning, Windows-1252.

    Warns:
        UserWarning: it is not UTF-8.
    """
    try:
        with open_regular(path, MAX_BYTES) as file:
            content = file.read(MAX_BYTES)
    except FileNotFoundError:
        raise ValueError(f"{path}: there is no such file; check its name") from None
    except IsADirectoryError:
        raise ValueError(f"{path}: this is a folder; give a file") from None
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{path!s}: the file cannot be read: {getattr(error, 'strerror', None) or error}; check it"
        ) from error
    for start, what, remedy in (
        (b"PK\x03\x04", "a spreadsheet or zip archive", "save the sheet as CSV"),
        (b"\xd0\xcf\x11\xe0", "a spreadsheet", "save the sheet as CSV"),
        (b"\x1f\x8b", "compressed", "unpack it first"),
    ):
        if content.startswith(start):
            raise ValueError(f"{path}:1: the file is {what}; {remedy}")
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # "Unicode text" of spreadsheets
        try:
            return content.decode("utf-16")
        except UnicodeDecodeError as error:
            line = 1 + content[: error.start].decode("utf-16", "ignore").count("\n")
            raise fault(str(path), line, "the UTF-16 text is damaged here", "save the file as UTF-8") from None
    if b"\0" in content:
        line = content.count(b"\n", 0, content.index(b"\0")) + 1
        raise fault(str(path), line, "this is a binary file, not text", "give columns of numbers as text")
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


def decimal_points(rows: Sequence[list[str]]) -> list[list[str]]:
    """The rows with decimal commas replaced by points, if the commas are certainly decimal.

    They are not certain if there are also numbers with points, or if all commas could separate thousands.
    """
    cells = [cell.strip() for row in rows for cell in row]
    with_commas = [cell for cell in cells if _DECIMAL_COMMA.fullmatch(cell)]
    is_certain = not all(_THOUSANDS.fullmatch(cell) for cell in with_commas)
    if not is_certain or any("." in cell and _NUMBER.fullmatch(cell) for cell in cells):
        return list(rows)
    return [
        [cell.replace(",", ".") if _DECIMAL_COMMA.fullmatch(cell.strip()) else cell for cell in row] for row in rows
    ]


def splitter(texts: Sequence[str], file: str, named: str | None) -> Callable[[str], list[str]]:
    """A function that cuts a line into cells: by the separator that the file names, else by one that most lines have.

    Args:
        named: the separator that the file names, or None.
    """

    def by_csv(separator: str) -> Callable[[str], list[str]]:
        def split(text: str) -> list[str]:
            try:
                return next(csv.reader([text], delimiter=separator, skipinitialspace=True))
            except csv.Error as error:
                raise ValueError(
                    f"{file}: the file is not readable as columns: {error}; give columns of numbers as text"
                ) from error

        return split

    def by_blanks(text: str) -> list[str]:
        return [cell.strip('"') for cell in re.findall(r'"[^"]*"|\S+', text)]

    if named is not None:
        return by_blanks if named == " " else by_csv(named)
    for separator in (";", "\t", ","):
        having = [text for text in texts if separator in text]
        if 2 * len(having) <= len(texts):
            continue
        split = by_csv(separator)
        # Tabs may just align columns, in any number: then empty cells between them mean nothing.
        if separator == "\t" and 2 * sum(any(not cell.strip() for cell in split(text)) for text in having) > len(texts):
            continue
        # Blanks separate columns, and the commas are decimal.
        if separator == "," and 2 * sum(any(map(two_numbers, split(text))) for text in having) > len(texts):
            continue
        return split
    return by_blanks


def like_a_number(cell: str) -> bool:
    """True if a cell shows that its line is data and not a header: a number, a damaged number, or a date."""
    return bool(_NUMBER.fullmatch(cell) or _DECIMAL_COMMA.fullmatch(cell) or two_numbers(cell)) or (
        cell.lower() in {"nan", *_INFINITE} or parse_date(cell) is not None
    )


def two_numbers(cell: str) -> bool:
    """True if blanks separate two numbers in a cell, so that commas do not separate columns here."""
    parts = cell.split()
    return len(parts) > 1 and all(_NUMBER.fullmatch(part) for part in parts)


def number_in(cell: str, file: str, line: int) -> float:
    """The finite number in a cell."""
    cell = cell.replace("\N{MINUS SIGN}", "-")
    if _NUMBER.fullmatch(cell):
        value = float(cell.translate(str.maketrans("dD", "ee")))
        if np.isfinite(value):
            return value
    if cell.lower() in MISSING or _SPREADSHEET_ERROR.fullmatch(cell):
        what = "a value is missing" if not cell else f"a value is missing ({shown(cell)})"
        remedy = "every sample is needed: fill the gap by interpolation, or cut the series there"
    elif cell.lower() in _INFINITE or _NUMBER.fullmatch(cell):
        what, remedy = f"{shown(cell)} is not a finite number", "correct it"
    elif _THOUSANDS.fullmatch(cell):
        what = f"{shown(cell)} has a comma that may be decimal or a separator of thousands"
        remedy = "write decimal points, and nothing between thousands"
    elif _DECIMAL_COMMA.fullmatch(cell):
        what = f"{shown(cell)} has a decimal comma, other numbers of the file have points"
        remedy = "write decimal points everywhere"
    elif two_numbers(cell):
        what = f"{shown(cell)} looks like numbers with decimal commas, or with blanks between thousands"
        remedy = "write decimal points, and nothing between thousands"
    elif parse_date(cell) is not None:
        what = f"{shown(cell)} is a date, and dates stand in the first column, that of the times"
        remedy = "name the columns in this order with --columns"
    elif _DATE.fullmatch(cell):
        what = f"{shown(cell)} is a date of a kind that is not understood"
        remedy = "write dates as 1990-01-31 or 1990-01, or times as numbers, such as decimal years"
    else:
        what, remedy = f"{shown(cell)} is not a number", "correct it, or put a '#' before a line that is no data"
    raise fault(file, line, what, remedy)


def last_decimal(cell: str) -> float:
    """Value of one unit in the last written digit: 0.01 for 1950.08."""
    exponent = Decimal(cell.translate(str.maketrans("dD\N{MINUS SIGN}", "ee-"))).as_tuple().exponent
    assert isinstance(exponent, int), "a finite number"
    return 10.0 ** min(exponent, 0)


class SeriesTable:
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
            for number, text in enumerate(re.split(r"\r\n|\n|\r", read_text(path)), 1)
            if text.strip() and not COMMENT.match(text.lstrip())
        ]
        separator_line = FIRST_LINE_OF_EXCEL.fullmatch(numbered[0][1].strip()) if numbered else None
        numbered = numbered[1:] if separator_line else numbered
        if not numbered:
            raise fault(self.file, 1, "the file has no data", "give a file with columns of numbers")
        self._split = splitter([text for _, text in numbered], self.file, separator_line[1] if separator_line else None)
        self._check_columns(*numbered[0])
        first = [cell.strip() for cell in self._split(numbered[0][1])]
        # A line of "NA" only is a sample that is missing, not two columns of that name.
        names = not any(map(like_a_number, first)) and any(cell.lower() not in MISSING for cell in first)
        header = first if names else None
        data = numbered[1:] if header else numbered
        if not data:
            raise fault(
                self.file, numbered[0][0], "no line with numbers follows", "give a file with columns of numbers"
            )
        self.lines = [number for number, _ in data]
        self.rows = decimal_points([self._split(COMMENT.sub("", text).rstrip()) for _, text in data])
        # Spreadsheets write empty lines for cells below the data that were once used.
        while len(self.rows) > 1 and len(self.rows[-1]) > 1 and not any(cell.strip() for cell in self.rows[-1]):
            self.rows.pop()
            self.lines.pop()
        width = self._width()
        if header and width == 1:
            header = [" ".join(numbered[0][1].split()).strip('"')]  # its blanks separate no columns
        if header and len(header) != width:
            what = f"{len(header)} column name{'s' * (len(header) != 1)} for {width} columns"
            remedy = "give each column a name (in double quotes if it has blanks), or put a '#' before a title"
            raise fault(self.file, numbered[0][0], what, remedy)
        self.names = header or [""] * width
        # Spreadsheets may end every line with a separator, which makes an empty column.
        while width > 1 and not self.names[width - 1] and not any(row[width - 1].strip() for row in self.rows):
            width -= 1
        self.names = self.names[:width]

    def _check_columns(self, line: int, text: str) -> None:
        """Refuse a line of very many cells before all lines are cut."""
        if (n := len(self._split(text))) > MAX_COLUMNS:
            raise fault(self.file, line, f"{n} columns, more than the {MAX_COLUMNS} that are read", "cut some out")

    def _width(self) -> int:
        """The number of columns, which must be the same in every row."""
        width = len(self.rows[0])
        for number, row in zip(self.lines, self.rows, strict=True):
            if len(row) != width:
                # Decimal commas between blanks look like columns, a different number of them where a value is whole.
                for line, cells in zip(self.lines, self.rows, strict=True):
                    for cell in filter(two_numbers, cells):
                        number_in(cell.strip(), self.file, line)
                what = f"{len(row)} column{'s' * (len(row) != 1)}, but line {self.lines[0]} has {width}"
                raise fault(self.file, number, what, "put in what is missing, or a '#' before a line that is no data")
        return width

    def choose(self, columns: Sequence[str] | None, counts: tuple[int, int], meaning: str) -> list[int]:
        """Indices of the columns to use.

        Args:
            columns: their names or numbers (from 1); None for all.
        """
        described = ", ".join(f"{i} ({name})" if name else str(i) for i, name in enumerate(self.names, 1))
        if columns is None:
            if len(self.names) not in counts:
                raise fault(
                    self.file,
                    self.lines[0],
                    f"{len(self.names)} column{'s' * (len(self.names) != 1)}, but needed is {meaning}",
                    f"choose with --columns from {described}" if len(self.names) > 1 else "give another file",
                )
            return list(range(len(self.names)))
        if len(columns) not in counts:
            raise ValueError(f"{self.file}: columns {','.join(columns)}: needed is {meaning}; choose from {described}")
        chosen = [self._index(column.strip(), described) for column in columns]
        if len(set(chosen)) < len(chosen):
            raise ValueError(
                f"{self.file}: columns {','.join(columns)}: one column is named twice; choose from {described}"
            )
        return chosen

    def _index(self, column: str, described: str) -> int:
        for same in (str.__eq__, lambda a, b: a.casefold() == b.casefold()):
            found = [i for i, name in enumerate(self.names) if name and same(name, column)]
            if len(found) == 1:
                return found[0]
            if found:
                raise ValueError(
                    f"{self.file}: columns: {len(found)} columns are named {shown(column)}; choose by number"
                )
        if re.fullmatch(r"[0-9]{1,9}", column) and 1 <= int(column) <= len(self.names):
            return int(column) - 1
        raise ValueError(f"{self.file}: columns: there is no column {shown(column)}; choose from {described}")

    def numbers(self, columns: Sequence[int]) -> list[FloatArray]:
        """Values of some columns.

        Returns:
            An array of shape (n_rows,) for each.
        """
        rows = zip(self.lines, self.rows, strict=True)
        values = [[number_in(row[column].strip(), self.file, line) for column in columns] for line, row in rows]
        return list(np.ascontiguousarray(np.array(values).T))

    def has_dates(self, column: int) -> bool:
        """True if the first cell of a column is a date."""
        return parse_date(self.rows[0][column].strip()) is not None

    def dates_and_numbers(self, columns: Sequence[int]) -> tuple[list[FloatArray], str]:
        """As `numbers`, where the first column has dates.

        Returns:
            An array of shape (n_rows,) for each; and the unit of the dates, "years" or "days".
        """
        dates, values = [], []
        for line, row in zip(self.lines, self.rows, strict=True):
            cell = row[columns[0]].strip()
            found = parse_date(cell)
            if found is None:
                what = f"{shown(cell)} is no date as {shown(self.rows[0][columns[0]].strip())} is"
                raise fault(self.file, line, what, "write all dates in one way, such as 1990-01-31")
            dates.append(found)
            values.append([number_in(row[column].strip(), self.file, line) for column in columns[1:]])
        times = date_times(dates)
        return [times.times, *np.ascontiguousarray(np.array(values).T)], times.unit
