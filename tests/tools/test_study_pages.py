"""The pages of the performance study, and the checks that they can be true."""

from __future__ import annotations

import copy
import json
import math
import re
from typing import TYPE_CHECKING, Any

import pytest
from paths import ROOT
from study import (
    checks,
    quoted,
    report,
    wording,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def data() -> dict[str, Any]:
    result: dict[str, Any] = json.loads((ROOT / "docs" / "performance.json").read_text())
    return result


class TestPages:
    @pytest.mark.parametrize(
        ("value", "text"),
        [(3.2e-6, "3.20 us"), (0.0123, "12.3 ms"), (99.0, "99.0 s"), (600, "10.0 min"), (9e5, "10.4 days")],
    )
    def test_seconds(self, value: float, text: str) -> None:
        assert wording.seconds(value) == text

    def test_long_lines_are_broken_and_tables_are_not(self) -> None:
        line = "word " * 40
        page = wording.wrapped(f"{line}\n\n\n\n- {line}\n| {line}|\n").splitlines()
        assert [len(one) <= 120 for one in page].count(False) == 1
        assert any(one.startswith("  word") for one in page)
        assert not re.search(r"\n{3}", "\n".join(page))

    def test_short_lines_of_a_paragraph_are_joined_and_others_are_not(self) -> None:
        text = "# Head\none\ntwo\n- three\n  four\n- five\n\n| a |\n| b |\nsix\n1. seven\n   eight\n"
        assert wording.wrapped(text) == ("# Head\none two\n- three four\n- five\n\n| a |\n| b |\nsix\n1. seven eight\n")

    def test_the_pages_in_docs_are_those_of_the_data(self, data: dict[str, Any]) -> None:
        """`make study-pages` writes them again."""
        for name, text in report.pages(data).items():
            assert (ROOT / "docs" / name).read_text() == text, name

    def test_git_keeps_only_what_the_pages_and_the_checks_read(self, data: dict[str, Any]) -> None:
        assert quoted.quoted(data) == data
        assert quoted.text(data) == (ROOT / "docs" / "performance.json").read_text()
        more = {**data, "machine": {**data["machine"], "colour": "grey"}}
        assert quoted.quoted(more) == data

    def test_a_page_of_the_quick_mode_says_so(self, data: dict[str, Any]) -> None:
        for quick in (True, False):
            for text in report.pages({**data, "quick": quick}).values():
                assert ("A first look" in text) == quick

    def test_a_disturbed_part_is_named(self, data: dict[str, Any]) -> None:
        quiet = {part: run | {"others_share": 0.01} for part, run in data["runs"].items()}
        said = " ".join(report.pages({**data, "runs": quiet})["performance.md"].split())
        assert "Other programs took at most 1.0 % of the processor" in said
        assert "Other programs were running" not in said
        busy = quiet | {"hybrid": quiet["hybrid"] | {"others_share": 0.4}}
        said = " ".join(report.pages({**data, "runs": busy})["performance.md"].split())
        assert "**Other programs were running**" in said
        assert "hybrid (40 %)" in said
        assert "engines (" not in said

    def test_the_data_in_docs_are_plausible(self, data: dict[str, Any]) -> None:
        pictures = sorted((ROOT / "docs" / "figures").glob("[cp]*.png"))
        assert len(pictures) == 7
        assert checks.problems(data, [*pictures, ROOT / "docs" / "performance.md"]) == []

    @pytest.mark.parametrize(
        ("path", "value", "sentence"),
        [
            (("scaling", "laws", "wct", "time", "exponents", 0), 3.1, "time of wct grows as samples"),
            (("transforms", "agreement", "ours", "relative_error", 0), 0.5, "transform differs from pycwt's"),
            (("hybrid", "coherence", "ours", "largest_anywhere"), 0.1, "differs from pycwt's"),
            (("hybrid", "levels", "moved_counts"), 10**9, "counts differ from the NumPy engine's"),
            (("engines", "sameness", "lua, exact"), "0", "engines differ in their counts"),
            (("engines", "overhead", 0, "per_simulation_s"), -1.0, "more simulations took no longer"),
            (("decision", "laws", "pycwt", "exponents", 0), 4.0, "cost of pycwt grows"),
            (("comparison", "false_alarms", "tools", "this project", "percent"), 30.0, "not in 5 %"),
            (("comparison", "red_noise_lag1", "this project"), 0.0, "red noise has a lag-1"),
            (("machine", "memory_gb"), math.inf, "data.machine.memory_gb is not a finite number"),
        ],
    )
    def test_the_checks_find_what_cannot_be(
        self, data: dict[str, Any], path: tuple[str | int, ...], value: object, sentence: str
    ) -> None:
        wrong: Any = copy.deepcopy(data) | {"quick": False}
        *way, last = path
        place = wrong
        for step in way:
            place = place[step]
        place[last] = value
        assert any(sentence in problem for problem in checks.problems(wrong, []))

    def test_an_empty_picture_is_found(self, tmp_path: Path) -> None:
        picture = tmp_path / "a.png"
        picture.write_bytes(b"\x89PNG\r\n\x1a\n")
        assert checks.problems({}, [picture]) == ["a.png is no picture, or an empty one"]
