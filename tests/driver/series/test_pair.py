from __future__ import annotations

import math
import re
import warnings
from typing import TYPE_CHECKING

import numpy as np
import pytest
from elm11_lua_driver.series.pair import MIN_SAMPLES, Series, SeriesPair, make_pair, read_both, read_series
from hypothesis import given
from hypothesis import strategies as st

if TYPE_CHECKING:
    from pathlib import Path

N = 20
X = np.array([round(math.sin(i), 6) for i in range(N)])
Y = np.array([round(math.cos(i) + 0.5, 6) for i in range(N)])
YEARS = 1980 + np.arange(N)


def table(*columns: np.ndarray, separator: str = " ", header: str = "", end: str = "\n") -> str:
    lines = [separator.join(f"{value:.10g}" for value in row) for row in zip(*columns, strict=True)]
    return end.join([*([header] if header else []), *lines]) + end


def write(folder: Path, text: str | bytes, name: str = "data.txt") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def read_pair(path: Path, dt: float | None = None, columns: list[str] | None = None) -> SeriesPair:
    return make_pair(*read_both(path, columns), dt)


class TestFormats:
    @pytest.mark.parametrize("separator", [" ", "   ", "\t", ",", ", ", ";", " ; ", " \t "])
    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    @pytest.mark.parametrize("header", ["", "time{}x series{}y"])
    def test_every_separator_line_end_and_header(self, tmp_path: Path, separator: str, end: str, header: str) -> None:
        blank = not separator.strip(" ")
        names = header.replace("x series", '"x series"') if blank or separator == " \t " else header
        path = write(tmp_path, table(YEARS, X, Y, separator=separator, end=end, header=names.replace("{}", separator)))
        result = read_pair(path)
        np.testing.assert_array_equal(result.x, X)
        np.testing.assert_array_equal(result.y, Y)
        np.testing.assert_array_equal(result.times, YEARS)
        assert result.dt == 1
        assert (result.name_x, result.name_y) == (("x series", "y") if header else ("data column 2", "data column 3"))

    def test_comments_blank_lines_and_no_line_end_at_the_end(self, tmp_path: Path) -> None:
        text = "# from: somewhere, 1; 2\n\n" + table(X, Y, header="# x y").rstrip("\n").replace("\n", "\n  # note\n\n")
        path = write(tmp_path, text + " # the last")
        result = read_pair(path, dt=0.5)
        np.testing.assert_array_equal(result.y, Y)
        np.testing.assert_array_equal(result.times, np.arange(N) / 2)

    def test_byte_order_mark_and_accents(self, tmp_path: Path) -> None:
        text = table(X, Y, separator=",", header="Température (°C),Niño")
        result = read_pair(write(tmp_path, b"\xef\xbb\xbf" + text.encode()), dt=1)
        assert result.name_x == "Température (°C)"

    @pytest.mark.parametrize("header", ["Ice extent (km²)", '"Ice extent (km²)"'])
    def test_blanks_in_the_name_of_a_single_column(self, tmp_path: Path, header: str) -> None:
        assert read_series(write(tmp_path, table(X, header=header))).name == "Ice extent (km²)"

    def test_fortran_exponents_and_signs(self, tmp_path: Path) -> None:
        lines = [f"{i:+d} {i * i % 7}.0D+01 .{i}" for i in range(N)]
        result = read_pair(write(tmp_path, "\n".join(lines)))
        np.testing.assert_array_equal(result.x, [10 * (i * i % 7) for i in range(N)])

    def test_a_separator_at_the_end_of_every_line(self, tmp_path: Path) -> None:
        path = write(tmp_path, "x,y,\n" + "".join(f"{a},{b},\n" for a, b in zip(X, Y, strict=True)))
        np.testing.assert_array_equal(read_pair(path, dt=1).y, Y)

    @pytest.mark.parametrize("columns", [["year", "b", "a"], ["1", "3", "2"], ["YEAR", "B", "2"]])
    def test_columns_by_name_and_number(self, tmp_path: Path, columns: list[str]) -> None:
        text = table(YEARS, X, Y, Y, separator=",", header="year,a,b,note").replace(",0.5\n", ",text\n")
        result = read_pair(write(tmp_path, text), columns=columns)
        np.testing.assert_array_equal(result.x, Y)
        np.testing.assert_array_equal(result.y, X)
        assert result.time_name == "year"

    @pytest.mark.parametrize("separator", [";", "\t", " "])
    def test_decimal_commas(self, tmp_path: Path, separator: str) -> None:
        path = write(tmp_path, table(YEARS, X, Y, separator=separator, header="Jahr x y").replace(".", ","))
        if separator != " ":
            path.write_text(path.read_text().replace("Jahr x y", separator.join(("Jahr", "x", "y"))))
        result = read_pair(path)
        np.testing.assert_array_equal(result.x, X)
        np.testing.assert_array_equal(result.y, Y)
        np.testing.assert_array_equal(result.times, YEARS)

    def test_decimal_commas_in_quotes(self, tmp_path: Path) -> None:
        lines = [f'"{x}","{y}"'.replace(".", ",") for x, y in zip(X, Y, strict=True)]
        np.testing.assert_array_equal(read_pair(write(tmp_path, "\n".join(lines)), dt=1).y, Y)

    def test_the_first_line_of_excel_and_a_column_of_whole_numbers(self, tmp_path: Path) -> None:
        lines = [f"{int(100 * x)};{y}".replace(".", ",") for x, y in zip(X, Y, strict=True)]
        result = read_pair(write(tmp_path, "\r\n".join(["sep=;", "x;y", *lines, ";", ";"])), dt=1)
        np.testing.assert_array_equal(result.y, Y)
        assert result.name_x == "x"

    def test_utf_16_as_spreadsheets_write_it(self, tmp_path: Path) -> None:
        text = table(YEARS, X, Y, separator="\t", header="Jahr\tGröße\ty", end="\r\n")
        result = read_pair(write(tmp_path, text.encode("utf-16")))
        np.testing.assert_array_equal(result.y, Y)
        assert result.name_x == "Größe"

    def test_windows_1252_is_read_and_told(self, tmp_path: Path) -> None:
        path = write(tmp_path, table(X, Y, separator=",", header="Größe,€").encode("cp1252"))
        with pytest.warns(UserWarning, match=r"data.txt:1: byte 0xf6 is not UTF-8 text; read as Windows-1252"):
            result = read_pair(path, dt=1)
        assert (result.name_x, result.name_y) == ("Größe", "€")

    def test_a_real_minus_sign(self, tmp_path: Path) -> None:
        path = write(tmp_path, table(YEARS - 1990, X, Y).replace("-", "\N{MINUS SIGN}"))
        np.testing.assert_array_equal(read_pair(path).x, X)

    @pytest.mark.parametrize(
        ("pattern", "first", "unit", "first_day"),
        [
            ("1990-{:02}", 1990, "years", ""),
            ("1990-{:02}-15", 1990, "years", ""),
            ("01.{:02}.1990", 1990, "years", ""),
            ("1.{}.1990 12:00", 1990, "years", ""),
            ("1990-02-{:02}", 0, "days", "1990-02-01"),
            ("1990/02/{:02}", 0, "days", "1990-02-01"),
            ("{}.2.1990", 0, "days", "1990-02-01"),
            ("1990-02-03T{:02}:00:00Z", 1 / 24, "days", "1990-02-03"),
            ("1990-02-03 {:02}:30:00+01:00", 0.5 / 24, "days", "1990-02-03"),
        ],
    )
    def test_dates(self, tmp_path: Path, pattern: str, first: float, unit: str, first_day: str) -> None:
        result = read_pair(write(tmp_path, dated(pattern)))
        step = {"years": 1 / 12, "days": 1 / 24 if ":00" in pattern else 1}[unit]
        assert (result.time_unit, result.first_day) == (unit, first_day)
        np.testing.assert_allclose(result.times, first + np.arange(12) * step, rtol=0, atol=1e-9)
        assert result.dt == pytest.approx(step, abs=1e-12)
        np.testing.assert_array_equal(result.x, np.arange(1, 13) + 0.5)

    def test_the_last_days_of_months_are_months(self, tmp_path: Path) -> None:
        last = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        text = "".join(f"2024-{i:02}-{day},{i},{i * i % 7}\n" for i, day in enumerate(last, 1))
        np.testing.assert_allclose(read_pair(write(tmp_path, text)).times, 2024 + np.arange(12) / 12)

    def test_dates_of_two_files_are_cut_and_counted_from_the_first_in_common(self, tmp_path: Path) -> None:
        x = "".join(f"2024-01-{i:02},{i * i}\n" for i in range(1, 25))
        y = "".join(f"2024-01-{i:02},{i * i % 5}\n" for i in range(9, 32))
        result = make_pair(read_series(write(tmp_path, x, "x.csv")), read_series(write(tmp_path, y, "y.csv")))
        assert (result.first_day, result.times[0], result.times[-1]) == ("2024-01-09", 0, 15)
        assert result.x[0] == 81

    def test_months_and_decimal_years_go_together(self, tmp_path: Path) -> None:
        y = "".join(f"{1990 + i / 12:.4f},{i * i}\n" for i in range(12))
        x = read_series(write(tmp_path, dated("1990-{:02}"), "x.csv"), ["1", "2"])
        assert make_pair(x, read_series(write(tmp_path, y, "y.csv"))).time_unit == "years"

    def test_two_series_of_one_name_are_told_apart_by_their_files(self, tmp_path: Path) -> None:
        text = table(YEARS, X, header="year value")
        x, y = (read_series(write(tmp_path, text, name)) for name in ("rain.csv", "river.csv"))
        result = make_pair(x, y)
        assert (result.name_x, result.name_y) == ("value (rain)", "value (river)")
        assert make_pair(x, x).name_y == "value (y)"

    @pytest.mark.parametrize("mark", [-999, -99.9, 9999, 1e20, -9.96921e36])
    def test_a_mark_for_missing_values_is_told(self, tmp_path: Path, mark: float) -> None:
        path = write(tmp_path, table(np.where(X[6] == X, mark, X), Y))
        with pytest.warns(
            UserWarning, match=r"data.txt:7: .* stands once, far from all other values of 'data column 1'"
        ):
            read_pair(path, dt=1)

    @pytest.mark.parametrize("value", [-999.5, 500, 99])
    def test_an_outlier_is_no_mark_and_nines_among_others_neither(self, tmp_path: Path, value: float) -> None:
        values = np.where(X[6] == X, value, 100 * X)
        assert read_pair(write(tmp_path, table(values, Y)), dt=1).x[6] == value  # warnings are errors here

    @given(
        values=st.lists(
            st.floats(allow_nan=False, allow_infinity=False), min_size=MIN_SAMPLES, max_size=40, unique=True
        ),
        separator=st.sampled_from([" ", "\t", ",", ";"]),
    )
    def test_any_doubles_come_back(
        self, tmp_path_factory: pytest.TempPathFactory, values: list[float], separator: str
    ) -> None:
        path = tmp_path_factory.mktemp("doubles") / "data"
        path.write_text("".join(f"{i * i}{separator}{value!r}\n" for i, value in enumerate(values)))
        np.testing.assert_array_equal(read_both(path)[1].values, values)

    @given(content=st.binary(max_size=200))
    def test_any_bytes_give_series_or_one_clear_line(
        self, tmp_path_factory: pytest.TempPathFactory, content: bytes
    ) -> None:
        path = tmp_path_factory.mktemp("bytes") / "data"
        path.write_bytes(content)
        for read in (read_both, read_series):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", UserWarning)  # most are not UTF-8
                    read(path)
            except ValueError as error:
                assert str(error).startswith(str(path))  # noqa: PT017  most bytes are no series, some are
                assert "\n" not in str(error)  # noqa: PT017
                assert "; " in str(error)  # noqa: PT017


class TestTimes:
    def test_two_files_with_times_are_cut_to_the_common_range(self, tmp_path: Path) -> None:
        x = read_series(write(tmp_path, table(YEARS, X), "x.dat"))
        y = read_series(write(tmp_path, table(YEARS - 4, Y), "y.dat"))
        result = make_pair(x, y)
        np.testing.assert_array_equal(result.times, YEARS[:-4])
        np.testing.assert_array_equal(result.x, X[:-4])
        np.testing.assert_array_equal(result.y, Y[4:])
        assert (result.name_x, result.name_y, result.dt) == ("x", "y", 1.0)

    def test_two_files_without_times(self, tmp_path: Path) -> None:
        x = read_series(write(tmp_path, table(X, header="ao"), "x.dat"))
        y = read_series(write(tmp_path, table(Y), "y.dat"))
        result = make_pair(x, y, 0.25)
        assert (result.name_x, result.name_y, result.dt) == ("ao", "y", 0.25)

    def test_months_rounded_to_three_decimals_are_even(self, tmp_path: Path) -> None:
        months = np.round(1950 + np.arange(N) / 12, 3)
        result = read_pair(write(tmp_path, table(months, X, Y)))
        assert result.dt == pytest.approx(1 / 12, rel=1e-3)
        assert read_pair(tmp_path / "data.txt", dt=1 / 12).dt == 1 / 12

    def test_a_short_decimal_step_comes_back_exactly(self, tmp_path: Path) -> None:
        assert read_pair(write(tmp_path, table(np.arange(N) * 0.1, X, Y))).dt == 0.1


def dated(pattern: str) -> str:
    """Twelve lines of a date, a number, and its square, for faults and for reading."""
    return "".join(f"{pattern.format(i)},{i}.5,{i * i}\n" for i in range(1, 13))


def replaced(line: int, text: str, *columns: np.ndarray, separator: str = " ") -> str:
    lines = table(*columns, separator=separator).splitlines()
    lines[line - 1] = text
    return "\n".join(lines) + "\n"


FAULTS = {
    "empty": (b"", 1, "no data"),
    "blank": (b" \n\n# only a comment\n", 1, "no data"),
    "header only": (b"x,y\n", 1, "no line with numbers"),
    "binary": (b"1 2\n3 \x00 4\n", 2, "binary"),
    "spreadsheet": (b"PK\x03\x04rest", 1, "spreadsheet"),
    "gzip": (b"\x1f\x8brest", 1, "compressed"),
    "half a character of UTF-16": ("1 2\n3 4".encode("utf-16") + b"0", 2, "UTF-16 text is damaged"),
    "an old spreadsheet": (b"\xd0\xcf\x11\xe0rest", 1, "spreadsheet"),
    "nan": (replaced(7, "1 NaN", X, Y), 7, "missing ('NaN')"),
    "nan in the first line": (replaced(1, "NaN 1", X, Y), 1, "missing"),
    "only NA in the first line": (replaced(1, "NA NA", X, Y), 1, "missing"),
    "inf": (replaced(7, "-inf 1", X, Y), 7, "finite"),
    "too large": (replaced(7, "1e999 1", X, Y), 7, "finite"),
    "empty cell": (replaced(7, "1,", X, Y, separator=","), 7, "missing"),
    "missing column": (replaced(7, "1", X, Y), 7, "1 column, but line 1 has 2"),
    "extra column": (replaced(7, "1 2 3", X, Y), 7, "3 columns, but line 1 has 2"),
    "word": (replaced(7, "1 two", X, Y), 7, "'two' is not a number"),
    "underscore": (replaced(7, "1 1_000", X, Y), 7, "not a number"),
    "second header": (replaced(2, "(K) (m)", X, Y), 2, "not a number"),
    "one decimal comma": (replaced(7, "1,5;2", X, Y, separator=";"), 7, "decimal comma, other numbers"),
    "thousands or decimals": ("".join(f"{i};{i},234\n" for i in range(1, 13)), 1, "separator of thousands"),
    "thousands and decimals": (replaced(7, "1,234.5;2", X, Y, separator=";"), 7, "separator of thousands"),
    "blanks between thousands": (replaced(7, "1 234;2", X, Y, separator=";"), 7, "blanks between thousands"),
    "a month that is none": (table(YEARS, X, Y).replace("1986 ", "1986-13-01 "), 7, "date of a kind"),
    "dates by stroke": ("".join(f"{i}/1/1990,1,{i}\n" for i in range(1, 13)), 1, "date of a kind"),
    "a number among dates": (dated("1990-{:02}-01").replace("1990-07-01", "1990.5"), 7, "no date as '1990-01-01'"),
    "a date among values": (dated("1990-{:02}").replace("7.5", "1990-07"), 7, "first column"),
    "a month left out": (dated("1990-{:02}").replace("1990-07,7.5,49\n", ""), 7, "0.166667 years"),
    "a weekend": (
        dated("2024-01-{:02}").replace("2024-01-06,6.5,36\n2024-01-07,7.5,49\n", ""),
        6,
        "comes 3 days after line 5",
    ),
    "an error of a spreadsheet": (replaced(7, "1,#DIV/0!", X, Y, separator=","), 7, "missing ('#DIV/0!')"),
    "one column": (table(X), 1, "1 column, but needed"),
    "four columns": (table(YEARS, X, Y, Y), 1, "choose with --columns from 1, 2, 3, 4"),
    "header too short": ("x\n" + table(X, Y), 1, "1 column name for 2 columns"),
    "gap": (table(np.delete(YEARS, 5), X[1:], Y[1:]), 6, "time 1986 comes 2 after line 5, the others 1"),
    "uneven": (table(np.where(YEARS == 1990, 1990.3, YEARS), X, Y), 11, "tolerance 10 %"),
    "drift": (table(np.cumsum(1 + 0.0008 * np.arange(N)) * 0.123456789, X, Y), None, "even grid"),
    "repeated time": (table(np.where(YEARS == 1990, 1989, YEARS), X, Y), 11, "does not come after"),
    "descending": (table(YEARS[::-1], X, Y), 2, "does not come after"),
    "too few": (table(X[:10], Y[:10]), 10, "only 10 samples"),
    "constant": (table(X, 0 * Y), 1, "all 20 values of 'data column 2' are 0"),
    "time and one series": (table(YEARS, Y), 1, "only one series"),
}


class TestFaults:
    @pytest.mark.parametrize(("content", "line", "what"), FAULTS.values(), ids=FAULTS)
    def test_each_fault_is_named_with_file_and_line(
        self, tmp_path: Path, content: str | bytes, line: int | None, what: str
    ) -> None:
        path = write(tmp_path, content)
        with pytest.raises(ValueError, match=re.escape(what)) as caught:
            read_pair(path, dt=1)
        message = str(caught.value)
        assert re.match(rf"{re.escape(str(path))}:{line or '[0-9]+'}: [^\n]+; [^\n]+$", message), message

    def test_missing_file_and_folder(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match=r"nowhere.csv: there is no such file; "):
            read_series(tmp_path / "nowhere.csv")
        with pytest.raises(ValueError, match="this is a folder; "):
            read_series(tmp_path)
        with pytest.raises(ValueError, match="cannot be read"):
            read_series("a\0b")

    def test_unequal_length_names_where_the_shorter_ends(self, tmp_path: Path) -> None:
        x = read_series(write(tmp_path, table(X), "x.dat"))
        y = read_series(write(tmp_path, table(Y[:15]), "y.dat"))
        with pytest.raises(ValueError, match=r"y.dat:15: .*x.dat has 20 samples.* 15; "):
            make_pair(x, y, 1)
        with pytest.raises(ValueError, match=r"y.dat:15: "):
            make_pair(y, x, 1)

    @pytest.mark.parametrize(
        ("other", "what"),
        [
            (YEARS + 100, "none in common"),
            (YEARS + 0.5, r"y.dat:1: time 1980.5 stands where .*x.dat:2 has 1981; "),
            (1980 + np.arange(N) * 0.5, "step by 0.5, those of .* by 1; "),
            (YEARS + 15, r"x.dat:20: only 5 samples in the common time range; at least 11"),
        ],
    )
    def test_times_that_do_not_fit_together(self, tmp_path: Path, other: np.ndarray, what: str) -> None:
        x = read_series(write(tmp_path, table(YEARS, X), "x.dat"))
        y = read_series(write(tmp_path, table(other, Y), "y.dat"))
        with pytest.raises(ValueError, match=what):
            make_pair(x, y)

    def test_days_and_numbers_do_not_go_together(self, tmp_path: Path) -> None:
        x = read_series(write(tmp_path, table(YEARS, X), "x.dat"))
        y = read_series(write(tmp_path, dated("1990-02-{:02}"), "y.dat"), ["1", "3"])
        with pytest.raises(ValueError, match=r"y.dat:1: the times are dates, those of .*x.dat numbers; "):
            make_pair(x, y)

    def test_one_file_with_times_and_one_without(self, tmp_path: Path) -> None:
        x = read_series(write(tmp_path, table(X), "x.dat"))
        y = read_series(write(tmp_path, table(YEARS, Y), "y.dat"))
        with pytest.raises(ValueError, match=r"x.dat: there is no time column, but .*y.dat has one; "):
            make_pair(x, y, 1)

    @pytest.mark.parametrize(
        ("dt", "what"),
        [
            (None, "dt must be given"),
            (0, "dt must be greater than 0"),
            (-1, "dt must be greater than 0"),
            (float("nan"), "dt must be a finite number"),
        ],
    )
    def test_dt(self, dt: float | None, what: str) -> None:
        series = Series("x", X, "x.dat", np.arange(N))
        with pytest.raises(ValueError, match=what):
            make_pair(series, series, dt)

    def test_dt_that_contradicts_the_times(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match=r"dt = 0.5 is not the step of the times in .*, 1; "):
            read_pair(write(tmp_path, table(YEARS, X, Y)), dt=0.5)

    @pytest.mark.parametrize(
        ("columns", "what"),
        [
            (["a", "c"], "there is no column 'c'; choose from 1 .a., 2 .b., 3 .A b., 4 .b."),
            (["a", "0"], "there is no column '0'"),
            (["a", "5"], "there is no column '5'"),
            (["a", "b"], "2 columns are named 'b'; choose by number"),
            (["a", "1"], "one column is named twice"),
            (["a"], "needed is both series"),
            (["1", "2", "3", "4"], "needed is both series"),
        ],
    )
    def test_columns(self, tmp_path: Path, columns: list[str], what: str) -> None:
        path = write(tmp_path, table(X, Y, X, Y, separator=",", header="a,b,A b,b"))
        with pytest.raises(ValueError, match=what):
            read_both(path, columns)


def test_ten_samples_leave_no_octave_and_eleven_do() -> None:
    """What `MIN_SAMPLES` claims: safe periods from 2 dt to 4 dt."""
    from elm11_host_ref.exact import wavelet  # noqa: PLC0415  only this claim needs it

    longest = [wavelet.cone_of_influence(n, 1.0, wavelet.WAVELETS["morlet"]).max() for n in (10, MIN_SAMPLES)]
    assert longest[0] < 4 <= longest[1]
