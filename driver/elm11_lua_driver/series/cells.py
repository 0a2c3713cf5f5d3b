"""The text of a file of series: its encoding, how lines are cut into cells, and numbers in them."""

from __future__ import annotations

import codecs
import csv
import re
import warnings
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from .dates import parse_date

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eEdD][+-]?[0-9]+)?")
_DECIMAL_COMMA: Final = re.compile(r"[+-]?[0-9]*,[0-9]+(?:[eE][+-]?[0-9]+)?")
_THOUSANDS: Final = re.compile(r"[+-]?[1-9][0-9]{0,2}(?:,[0-9]{3})+(?:\.[0-9]*)?")
_DATE: Final = re.compile(r"[0-9]{1,4}[-/.][0-9]{1,2}(?:[-/.][0-9]{1,4})?(?:[T ].*)?")
MISSING: Final = {"", "nan", "na", "n/a", "<na>", "null", "none", "missing", "-", "--", "?", "."}
"""What stands where a value is missing, in small letters."""
_INFINITE: Final = {"inf", "+inf", "-inf", "infinity", "+infinity", "-infinity"}
_SPREADSHEET_ERROR: Final = re.compile(r"#(?:N/A|DIV/0!|VALUE!|REF!|NUM!|NAME\?|NULL!)", re.IGNORECASE)
COMMENT: Final = re.compile(rf"(?!{_SPREADSHEET_ERROR.pattern})#.*", re.IGNORECASE)
"""A comment, up to the line's end."""
FIRST_LINE_OF_EXCEL: Final = re.compile(r'"?sep=(.)"?', re.IGNORECASE)
"""The line by which a spreadsheet tells the separator, its group 1."""


def fault(file: str, line: int, what: str, remedy: str) -> ValueError:
    """What is wrong in a line of a file, in one line.

    Args:
        file: its name.
        line: its number, from 1.
        what: what is wrong.
        remedy: what to do about it.
    """
    return ValueError(f"{file}:{line}: {what}; {remedy}")


def shown(text: str) -> str:
    """A cell or name in quotes, cut if it is long.

    Args:
        text: the cell.
    """
    return repr(text if len(text) <= 30 else text[:27] + "...")


def read_text(path: Path | str) -> str:
    """The text of a file in UTF-8, UTF-16 or, with a warning, Windows-1252.

    Args:
        path: the file.

    Raises:
        ValueError: it cannot be read, or is no text.

    Warns:
        UserWarning: it is not UTF-8.
    """
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
    """The rows with points in the place of decimal commas, if it is certain that commas are decimal.

    They are not, where numbers with points stand beside them, or where all of them could be separators of thousands.

    Args:
        rows: cells by row.
    """
    cells = [cell.strip() for row in rows for cell in row]
    with_commas = [cell for cell in cells if _DECIMAL_COMMA.fullmatch(cell)]
    is_certain = not all(_THOUSANDS.fullmatch(cell) for cell in with_commas)
    if not is_certain or any("." in cell and _NUMBER.fullmatch(cell) for cell in cells):
        return list(rows)
    return [
        [cell.replace(",", ".") if _DECIMAL_COMMA.fullmatch(cell.strip()) else cell for cell in row] for row in rows
    ]


def splitter(texts: Sequence[str], file: str, told: str | None) -> Callable[[str], list[str]]:
    """How to cut a line into cells: by the separator that the file tells, else by the first that most lines have.

    Args:
        texts: the lines.
        file: its name, for messages.
        told: the separator that the file tells, or None.

    Returns:
        A function from a line to its cells; it raises ValueError for a line that no CSV file has.
    """

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
        if separator == "," and 2 * sum(any(map(two_numbers, split(text))) for text in having) > len(texts):
            continue
        return split
    return by_blanks


def like_a_number(cell: str) -> bool:
    """Whether a cell shows that its line is data and no header: a number, a fault in one, or nothing.

    Args:
        cell: the cell, without blanks around it.
    """
    return bool(_NUMBER.fullmatch(cell) or _DECIMAL_COMMA.fullmatch(cell) or two_numbers(cell)) or (
        cell.lower() in {"nan", *_INFINITE} or parse_date(cell) is not None
    )


def two_numbers(cell: str) -> bool:
    """Whether blanks separate two numbers in a cell: commas are not what separates columns here.

    Args:
        cell: the cell.
    """
    parts = cell.split()
    return len(parts) > 1 and all(_NUMBER.fullmatch(part) for part in parts)


def number_in(cell: str, file: str, line: int) -> float:
    """The finite number that a cell has.

    Args:
        cell: the cell, without blanks around it.
        file: its file, for messages.
        line: its line, from 1.

    Raises:
        ValueError: it has none; the message says what it looks like, and what to do.
    """
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
    """Value of one unit of the last digit written: 0.01 for 1950.08.

    Args:
        cell: a number.
    """
    exponent = Decimal(cell.translate(str.maketrans("dD\N{MINUS SIGN}", "ee-"))).as_tuple().exponent
    assert isinstance(exponent, int), "a finite number"
    return 10.0 ** min(exponent, 0)
