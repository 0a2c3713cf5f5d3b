"""The columns of a file of series: which there are, which are meant, and their values."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from .cells import (
    COMMENT,
    FIRST_LINE_OF_EXCEL,
    MISSING,
    decimal_points,
    fault,
    like_a_number,
    number_in,
    read_text,
    shown,
    splitter,
    two_numbers,
)
from .dates import date_times, parse_date

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from elm11_host_ref.types import FloatArray


class SeriesTable:
    """The cells of a file, as text.

    Args:
        path: the file.

    Attributes:
        file: the path as it was given.
        names: one per column, "" where the file has no header.
        rows: cells of every data line.
        lines: the number of every data line.

    Raises:
        ValueError: the file cannot be read, or has no table of one width.
    """

    def __init__(self, path: Path | str) -> None:
        self.file = str(path)
        numbered = [
            (number, text.rstrip())
            for number, text in enumerate(re.split(r"\r\n|\n|\r", read_text(path)), 1)
            if text.strip() and not COMMENT.match(text.lstrip())
        ]
        told = FIRST_LINE_OF_EXCEL.fullmatch(numbered[0][1].strip()) if numbered else None
        numbered = numbered[1:] if told else numbered
        if not numbered:
            raise fault(self.file, 1, "the file has no data", "give a file with columns of numbers")
        self._split = splitter([text for _, text in numbered], self.file, told[1] if told else None)
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
            raise fault(self.file, numbered[0][0], what, remedy)
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
                    for cell in filter(two_numbers, cells):
                        number_in(cell.strip(), self.file, line)
                what = f"{len(row)} column{'s' * (len(row) != 1)}, but line {self.lines[0]} has {width}"
                raise fault(self.file, number, what, "put in what is missing, or a '#' before a line that is no data")
        return width

    def choose(self, columns: Sequence[str] | None, counts: tuple[int, int], meaning: str) -> list[int]:
        """Indices of the columns to use.

        Args:
            columns: their names or numbers (from 1); None for all.
            counts: how many there may be.
            meaning: of the columns, for messages.

        Raises:
            ValueError: there are fewer or more, or no such columns.
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
                msg = f"{self.file}: columns: {len(found)} columns are named {shown(column)}; choose by number"
                raise ValueError(msg)
        if re.fullmatch(r"[0-9]{1,9}", column) and 1 <= int(column) <= len(self.names):
            return int(column) - 1
        msg = f"{self.file}: columns: there is no column {shown(column)}; choose from {described}"
        raise ValueError(msg)

    def numbers(self, columns: Sequence[int]) -> list[FloatArray]:
        """Values of some columns.

        Args:
            columns: their indices.

        Returns:
            An array of shape (n_rows,) for each.

        Raises:
            ValueError: a cell is no number; the first fault of the file is the one that is named.
        """
        rows = zip(self.lines, self.rows, strict=True)
        values = [[number_in(row[column].strip(), self.file, line) for column in columns] for line, row in rows]
        return list(np.ascontiguousarray(np.array(values).T))

    def has_dates(self, column: int) -> bool:
        """Whether a column begins with a date.

        Args:
            column: its index.
        """
        return parse_date(self.rows[0][column].strip()) is not None

    def dates_and_numbers(self, columns: Sequence[int]) -> tuple[list[FloatArray], str]:
        """As `numbers`, where the first column has dates.

        Args:
            columns: their indices.

        Returns:
            An array of shape (n_rows,) for each; and the unit of the dates, "years" or "days".

        Raises:
            ValueError: a cell is no number, or no date of the first one's kind.
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
