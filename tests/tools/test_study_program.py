"""The performance study as a program: its options, and how it goes on after an interruption."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from paths import ROOT
from study import (
    checks,
    figures,
    hybrid,
    transforms,
)
from study.__main__ import main

if TYPE_CHECKING:
    from pathlib import Path

DATA = ROOT / "docs" / "performance.json"


def test_quick_mode_leaves_the_documentation_alone(tmp_path: Path) -> None:
    """One part, that needs no other library; `make study-quick` runs them all."""
    before = DATA.read_bytes()
    assert main(["--quick", "--parts", "transforms", "--output", str(tmp_path)]) == 0
    assert DATA.read_bytes() == before
    assert json.loads((tmp_path / "performance.json").read_text())["quick"] is True
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {
        "performance-transforms.png",
        "performance-difference-map.png",
    }


def test_unknown_parts_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--parts", "nonsense"])
    knows = "--parts knows scaling, transforms, hybrid, engines, decision, comparison, not nonsense"
    assert knows in capsys.readouterr().err


def test_pages_need_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--pages-only", "--output", str(tmp_path)]) == 1
    assert "does not exist: measure first" in capsys.readouterr().err


class TestInterruptedStudy:
    """Two parts that measure nothing, in place of the real ones."""

    @pytest.fixture
    def calls(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
        calls: dict[str, Any] = {"transforms": 0, "hybrid": 0, "failing": True}

        def transforms_run(*, quick: bool) -> dict[str, Any]:
            calls["transforms"] += 1
            return {"quick": quick, "value": 1 / 3}

        def hybrid_run(*, quick: bool) -> dict[str, Any]:
            calls["hybrid"] += 1
            if calls["failing"]:
                raise calls["failing"] if isinstance(calls["failing"], BaseException) else ValueError("no luck")
            return {"quick": quick}

        monkeypatch.setattr(transforms, "run", transforms_run)
        monkeypatch.setattr(hybrid, "run", hybrid_run)
        monkeypatch.setattr(figures, "draw", lambda _data, _folder: [])
        monkeypatch.setattr(checks, "problems", lambda _data, _files: [])
        return calls

    WORDS = ("--quick", "--parts", "transforms,hybrid", "--output")

    def test_a_part_that_fails_costs_the_others_nothing(
        self, calls: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main([*self.WORDS, str(tmp_path)]) == 1
        assert "problem: hybrid failed: ValueError: no luck" in capsys.readouterr().err
        assert not (tmp_path / "performance.json").exists()
        calls["failing"] = False
        assert main([*self.WORDS, str(tmp_path)]) == 0
        assert "[1/2] transforms: kept from before" in capsys.readouterr().out
        assert (calls["transforms"], calls["hybrid"]) == (1, 2)
        written = json.loads((tmp_path / "performance.json").read_text())
        assert written["transforms"] == {"quick": True, "value": 0.33333}
        assert set(written["runs"]) == {"transforms", "hybrid"}
        assert [path.name for path in tmp_path.iterdir()] == ["performance.json"], "a study that is done keeps nothing"
        assert main([*self.WORDS, str(tmp_path)]) == 0
        assert calls["transforms"] == 2, "and the next one measures everything"

    def test_an_interrupted_study_goes_on(
        self, calls: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        calls["failing"] = KeyboardInterrupt()
        assert main([*self.WORDS, str(tmp_path)]) == 130
        assert "goes on from there" in capsys.readouterr().err
        calls["failing"] = False
        assert main([*self.WORDS, str(tmp_path)]) == 0
        assert calls["transforms"] == 1

    def test_fresh_measures_everything(self, calls: dict[str, Any], tmp_path: Path) -> None:
        assert main([*self.WORDS, str(tmp_path)]) == 1
        assert main([*self.WORDS, str(tmp_path), "--fresh"]) == 1
        assert calls["transforms"] == 2
