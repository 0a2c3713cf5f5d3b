"""tools/check_docstrings.py finds what is missing, and accepts what says enough."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parent.parent / "tools" / "check_docstrings.py"
GOOD = '''"""A module."""


def level(counts: list[int], probability: float) -> float:
    """Find a level.

    Args:
        counts: of each bin.
        probability: 0 to 1.

    Returns:
        The level, no unit.

    Raises:
        ValueError: there are no counts.
    """
    raise ValueError
'''
BAD = {
    "no docstring": ('    """Find a level.', '    x = """Find a level.'),
    "Args lacks probability": ("        probability: 0 to 1.\n", ""),
    "Args has confidence, which is no parameter": ("        probability: 0", "        confidence: 0"),
    "no Args: counts, probability": (
        "    Args:\n        counts: of each bin.\n        probability: 0 to 1.\n\n",
        "",
    ),
    "no Returns": ("    Returns:\n        The level, no unit.\n\n", ""),
    "Raises lacks TypeError": ("    raise ValueError\n", "    raise TypeError\n"),
    "Raises lacks ValueError": ("    Raises:\n        ValueError: there are no counts.\n", ""),
    ":1: no docstring": ('"""A module."""\n', ""),
}
ENOUGH = {
    "one paragraph names the parameters": 'def f(low: int, high: int) -> int:\n    """Sum of low and high."""\n',
    "the contract stands elsewhere": 'def f(low: int, high: int) -> int:\n    """See `Engine.simulate`."""\n',
    "private": "def _f(low: int) -> int: ...\n",
    "an error that is caught": (
        'def f() -> None:\n    """Nothing."""\n    try:\n        raise KeyError\n    except KeyError:\n        pass\n'
    ),
}


def complaints(path: Path, text: str) -> tuple[int, str]:
    path.write_text(text, encoding="utf-8")
    done = subprocess.run([sys.executable, TOOL, path], check=False, capture_output=True, text=True, timeout=60)
    assert not done.stderr
    return done.returncode, done.stdout


def test_a_whole_docstring_is_well(tmp_path: Path) -> None:
    assert complaints(tmp_path / "x.py", GOOD) == (0, "docstrings: 1 files are well\n")


@pytest.mark.parametrize("complaint", BAD)
def test_what_is_missing_is_found(complaint: str, tmp_path: Path) -> None:
    old, new = BAD[complaint]
    assert old in GOOD
    code, told = complaints(tmp_path / "x.py", GOOD.replace(old, new, 1))
    assert code == 1
    assert complaint in told


@pytest.mark.parametrize("case", ENOUGH)
def test_what_says_enough_is_well(case: str, tmp_path: Path) -> None:
    code, told = complaints(tmp_path / "x.py", f'"""A module."""\n\n\n{ENOUGH[case]}')
    assert code == 0, told
