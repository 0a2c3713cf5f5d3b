"""Figures of speed and of instructions."""

from __future__ import annotations

import numpy as np
import pytest
from pictures import assert_legible, engines, instructions
from study import performance


class TestEngines:
    def test_rows_and_dicts_give_the_same_curves(self) -> None:
        by_rows = engines()
        curves = {"first": {20: 20.0, 10: 2.0, 28: 66.0}, "second": {10: 0.1, 28: 3.0, 20: 0.6}}
        by_dict = performance.plot_engine_scaling(curves)
        for one, other in zip(by_rows.get_lines(), by_dict.get_lines(), strict=False):
            np.testing.assert_array_equal(one.get_xydata(), other.get_xydata())
        assert len(by_rows.get_lines()) == 3, "the ratio is no engine"
        assert list(by_rows.get_xticks()) == [10, 20, 28]

    def test_names_at_the_ends_do_not_overlap(self) -> None:
        ax = performance.plot_engine_scaling({name: {1: 1.0, 2: 10.0} for name in "abc"})
        heights = sorted(text.xyann[1] for text in ax.texts)  # type: ignore[attr-defined]
        assert np.diff(heights).min() >= 12

    @pytest.mark.parametrize(
        ("times", "problem"),
        [
            ([], "1 to 6 engines, not 0"),
            ([{"J": 1, "ratio": 2.0}], "1 to 6 engines, not 0"),
            ({str(i): {1: 1.0} for i in range(7)}, "1 to 6 engines, not 7"),
            ({"a": {1: 0.0}}, "greater than 0 ms"),
            ({"a": {1: float("nan")}}, "greater than 0 ms"),
        ],
    )
    def test_what_cannot_be_drawn(self, times: dict[str, dict[int, float]], problem: str) -> None:
        with pytest.raises(ValueError, match=problem):
            performance.plot_engine_scaling(times)


class TestInstructions:
    def test_bars_numbers_and_shares(self) -> None:
        ax = instructions()
        assert [bar.get_width() for bar in ax.patches] == [41, 230, 310, 0.9]  # type: ignore[attr-defined]
        assert [text.get_text() for text in ax.texts] == ["41 (7 %)", "230 (40 %)", "310 (53 %)", "0.9 (< 1 %)"]
        assert ax.get_xlabel() == "Instructions per simulation (millions)\nall together 582 million"
        bottom, top = ax.get_ylim()
        assert bottom > top, "the first stage is on top"

    def test_very_many_and_very_few(self) -> None:
        ax = performance.plot_instruction_budget({"smoothing": 9.01e13, "set-up": 12.0, "nothing": 0.0})
        assert [text.get_text() for text in ax.texts] == ["90,100,000 (100 %)", "< 0.01 (< 1 %)", "0 (0 %)"]
        assert_legible(ax)

    @pytest.mark.parametrize("stages", [{}, {"a": 0.0}, {"a": -1.0, "b": 2.0}, {"a": float("nan")}])
    def test_what_cannot_be_drawn(self, stages: dict[str, float]) -> None:
        with pytest.raises(ValueError, match="stages must be names with numbers"):
            performance.plot_instruction_budget(stages)
