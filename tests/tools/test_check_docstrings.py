"""tools/lint/check_docstrings.py finds what is missing or wrong, and accepts what says enough."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import check_docstrings
import pytest
from docstring_errors import Source
from paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

TOOL = ROOT / "tools" / "lint" / "check_docstrings.py"
ENGINES = check_docstrings.ROOT / "driver" / "elm11_lua_driver" / "engines" / "base.py"
GOOD = '''"""A module."""


def level(counts: IntArray, probability: float, dt: float) -> FloatArray:
    """Find a level.

    Args:
        counts: shape (n_bins,), of each bin.
        probability: 0 to 1.
        dt: sampling interval, in any unit of time.

    Returns:
        Shape (n_bins,), no unit.

    Raises:
        ValueError: there are no counts.

    Source: this project.
    """
    return _checked(counts)


def _checked(counts: IntArray) -> FloatArray:
    raise ValueError


class Band:
    """A band.

    Args:
        lowest: its first scale.

    Raises:
        ValueError: every method raises it.
    """

    def __init__(self, lowest: int) -> None: ...

    def width(self) -> int:
        """How wide it is."""
        raise ValueError
'''
BAD = {
    "level: no docstring": ('    """Find a level.', '    x = """Find a level.'),
    "Args lacks probability": ("        probability: 0 to 1.\n", ""),
    "Args has confidence, which is no parameter": ("        probability: 0", "        confidence: 0"),
    "counts has no shape": ("        counts: shape (n_bins,), of", "        counts: of"),
    "dt has no unit": ("interval, in any unit of time.", "interval of the counts' series, > 0."),
    "the result has no shape": ("        Shape (n_bins,), no unit.", "        The level."),
    "no Returns": ("    Returns:\n        Shape (n_bins,), no unit.\n\n", ""),
    "Raises lacks TypeError": ("    raise ValueError\n\n\nclass", "    raise TypeError\n\n\nclass"),
    "Raises lacks ValueError": ("    Raises:\n        ValueError: there are no counts.\n\n", ""),
    "Raises has KeyError, which is not raised": (
        "        ValueError: there",
        "        KeyError: never.\n        ValueError: there",
    ),
    "Band: Args lacks lowest": ("        lowest: its first scale.", "        highest: its last scale."),
    "width: Raises lacks ValueError": ("        ValueError: every method raises it.", "        KeyError: never."),
    ":1: no docstring": ('"""A module."""\n', ""),
}
ENOUGH = {
    "a first sentence that is what is returned": 'def f() -> int:\n    """The sum of both."""\n',
    "the contract stands elsewhere": (
        'def f(job: Job, simulations: range, progress: Progress) -> int:\n    """See `Engine.simulate`."""\n'
    ),
    "private": "def _f(low: int) -> int: ...\n",
    "an error that is caught": (
        'def f() -> None:\n    """Nothing."""\n    try:\n        raise KeyError\n    except KeyError:\n        pass\n'
    ),
    "an error that is suppressed": (
        'def f() -> None:\n    """Nothing."""\n    with contextlib.suppress(LookupError):\n        raise KeyError\n'
    ),
    "an error's base": (
        'def f() -> None:\n    """Nothing.\n\n    Raises:\n        LookupError: always.\n    """\n    raise KeyError\n'
    ),
    "an error of what is called": (
        'def f(text: str) -> int:\n    """A number.\n\n    Args:\n        text: digits.\n\n'
        '    Raises:\n        ValueError: no digits.\n    """\n    return int(text)\n'
    ),
}
NOT_ENOUGH = {
    "a paragraph that names the parameters": ('def f(low: int) -> int:\n    """Sum up to low."""\n', "Args lacks low"),
    "an order": ('def f() -> int:\n    """Find the sum."""\n', "no Returns"),
    "a tuple": ('def f() -> tuple[int, int]:\n    """Both sums."""\n', "no Returns"),
    "a contract of something else": (
        'def f(low: int) -> int:\n    """See `Engine.simulate`."""\n',
        "Args lacks low, here and there",
    ),
    "a contract that does not exist": ('def f(low: int) -> None:\n    """See `No.where`."""\n', "Args lacks low"),
    "a field": ('@dataclass\nclass C:\n    """A class."""\n\n    low: int\n', "low is not explained"),
    "a field without its shape": (
        '@dataclass\nclass C:\n    """A class."""\n\n    low: FloatArray\n    """The low ones."""\n',
        "low has no shape",
    ),
    "a ratio without its range": (
        'def f(lag1: float) -> None:\n    """Nothing.\n\n    Args:\n        lag1: how red.\n    """\n',
        "lag1 has neither range nor unit",
    ),
    "an error that is raised after it was caught": (
        'def f() -> None:\n    """Nothing."""\n    try:\n        pass\n    except KeyError:\n        raise\n',
        "Raises lacks KeyError",
    ),
    "an error that only a text mentions": (
        'def f() -> None:\n    """May raise KeyError."""\n    raise KeyError\n',
        "Raises lacks",
    ),
}


def complaints(path: Path, text: str) -> list[str]:
    path.write_text(text, encoding="utf-8")
    return list(check_docstrings.Checker([path], [ENGINES]).complaints())


def test_a_whole_docstring_is_well(tmp_path: Path) -> None:
    assert complaints(tmp_path / "x.py", GOOD) == []


@pytest.mark.parametrize("complaint", BAD)
def test_what_is_missing_is_found(complaint: str, tmp_path: Path) -> None:
    old, new = BAD[complaint]
    assert GOOD.count(old) == 1
    assert any(complaint in line for line in complaints(tmp_path / "x.py", GOOD.replace(old, new)))


@pytest.mark.parametrize("case", ENOUGH)
def test_what_says_enough_is_well(case: str, tmp_path: Path) -> None:
    assert complaints(tmp_path / "x.py", f'"""A module."""\n\n\n{ENOUGH[case]}') == []


@pytest.mark.parametrize("case", NOT_ENOUGH)
def test_what_says_too_little_is_found(case: str, tmp_path: Path) -> None:
    text, complaint = NOT_ENOUGH[case]
    found = complaints(tmp_path / "x.py", f'"""A module."""\n\n\n{text}')
    assert len(found) == 1
    assert complaint in found[0]


def test_formulas_name_their_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_docstrings, "SCIENCE", {"x.py"})
    assert complaints(tmp_path / "x.py", GOOD) == ["x.py:39: Band.width: no Source"]
    text = GOOD.replace("Source: this project.", "").replace("no unit", "squared")
    assert {line.rsplit(": ", 1)[1] for line in complaints(tmp_path / "x.py", text)} == {
        "no Source",
        "the result has no unit",
    }


def test_the_command_tells_and_ends_with_an_exit_code(tmp_path: Path) -> None:
    for text, code, said in ((GOOD, 0, "docstrings: 1 files are well\n"), ("x = 1\n", 1, "x.py:1: no docstring\n")):
        (tmp_path / "x.py").write_text(text, encoding="utf-8")
        command = [sys.executable, str(TOOL), str(tmp_path / "x.py")]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stdout, done.stderr) == (code, said, "")


def test_the_packages_are_read_and_little_is_left_out() -> None:
    files = check_docstrings.package_files()
    assert len(files) > 100
    checker = check_docstrings.Checker(files)
    assert list(checker.complaints()) == []
    assert len(check_docstrings.EXEMPT) <= 10
    assert all((check_docstrings.ROOT / name).exists() for name in check_docstrings.SCIENCE)


def test_errors_are_followed_through_calls(tmp_path: Path) -> None:
    """By module, by class and by what helpers make; what is caught on the way does not leave."""
    text = """
class LeafError(KeyError): ...

def make(text): return LeafError(text)
def outer(): return _inner()
def _inner(): raise make("x")
def safe():
    try:
        _inner()
    except KeyError:
        pass
class Box:
    def open(self): self._look()
    def _look(self): raise IndexError
def use(box): box.open()
def later():
    def inner(): raise OSError
    return inner
"""
    (tmp_path / "m.py").write_text(text, encoding="utf-8")
    source = Source([(tmp_path / "m.py", "m")])
    assert source.certain("m", "outer") == {"LeafError"}
    assert source.certain("m", "safe") == source.certain("m", "later") == set()
    assert source.certain("m", "Box.open") == {"IndexError"}
    assert source.certain("m", "use") == set()
    assert source.reachable("m", "use") >= {"IndexError"}
    assert "OSError" in source.reachable("m", "later")
    assert not source.reachable("m", "safe") & {"LeafError", "IndexError"}
    assert source.errors_above("LeafError") == {"LeafError", "KeyError", "LookupError", "Exception", "BaseException"}
