from __future__ import annotations

import importlib.util
import sys
from typing import TYPE_CHECKING

import pytest
from paths import ROOT

if TYPE_CHECKING:
    from types import ModuleType


def load_tool() -> ModuleType:
    path = ROOT / "tools" / "attack" / "fuzz_parsers.py"
    spec = importlib.util.spec_from_file_location("fuzz_parsers", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["fuzz_parsers"] = module
    spec.loader.exec_module(module)
    return module


TOOL = load_tool()


@pytest.mark.parametrize("name", list(TOOL.PARSERS))
def test_ten_thousand_random_strings_crash_no_parser(name: str) -> None:
    TOOL.fuzz(name, 10_000, seed=2)


def test_a_wrong_frame_would_be_noticed() -> None:
    frame = TOOL.Frame(TOOL.FrameKind.PROGRESS, 8, "done=1")
    with pytest.raises(TOOL.WrongResultError):
        TOOL.frame_reader(TOOL.Random(1))(TOOL.encode(frame) + b"\n\r")
