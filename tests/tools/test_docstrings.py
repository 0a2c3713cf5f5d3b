"""`make lint` finds docstrings and contracts that lack something: by ruff's rules, and by tools/lint/docstrings.py."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import docstrings
import pytest
from paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PYTHON = '''"""A module."""

from elm11_host_ref.types import FloatArray, IntArray


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
    if not counts.size:
        raise ValueError
    return counts * probability * dt


class Band:
    """A band.

    Source: this project.
    """

    low: FloatArray
    """Shape (n_bands,), the low ones."""

    def red(self, lag1: float) -> float:
        """Coherence of the band, no unit; see `level` for 0 < lag1 < 1."""
        return lag1
'''
LUA = """-- sums.lua: sums. `twice` doubles.
local sums = {}

-- The sum of values[1..count]. Cost: one addition per value.
function sums.total(values, count)
    local sum = 0
    for i = 1, count do
        sum = sum + values[i]
    end
    return sum
end

-- Adds z = x + i y to w; arguments else as sums.total.
function sums.add(values, count, z_re, z_im, w)
    w[1] = z_re + z_im
end

sums.twice = doubled(sums.total)

return sums
"""
ARGS = PYTHON[PYTHON.index("    Args:\n") : PYTHON.index("    Returns:")]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("        probability: 0 to 1.\n", "", "level: Args lacks probability"),
        (ARGS, "", "level: Args lacks counts"),
        ("shape (n_bins,), of each", "of each", "level: counts has no shape"),
        ("interval, in any unit of time", "interval", "level: dt has no unit"),
        ("Shape (n_bins,), no unit", "The level, no unit", "level: the result has no shape"),
        ("    Returns:\n        Shape (n_bins,), no unit.\n\n", "", "level: no Returns"),
        ("(n_bins,), no unit.", "(n_bins,), squared.", "level: the result has no unit"),
        ("counts.\n\n    Source: this project.", "counts.", "level: no Source"),
        ("Shape (n_bands,), the", "The", "Band: low has no shape"),
        ('    """Shape (n_bands,), the low ones."""\n', "", "Band: low is not explained"),
        ("see `level` for 0 < lag1 < 1", "redder", "Band.red: Args lacks lag1"),
    ],
)
def test_what_ruff_does_not_check_in_python(tmp_path: Path, old: str, new: str, problem: str) -> None:
    path = tmp_path / "elm11_host_ref" / "exact" / "x.py"  # formulas, which name their source
    path.parent.mkdir(parents=True)
    path.write_text(PYTHON, encoding="utf-8")
    assert list(docstrings.check_python(path)) == []
    assert PYTHON.count(old) == 1
    path.write_text(PYTHON.replace(old, new), encoding="utf-8")
    assert [found.split(": ", 1)[1] for found in docstrings.check_python(path)][:1] == [problem]


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ('"""A module."""', "", "D100"),
        ('    """A band.\n\n    Source: this project.\n    """\n', "", "D101"),
        ('        """Coherence of the band, no unit; see `level` for 0 < lag1 < 1."""\n', "", "D102"),
        ("        probability: 0", "        confidence: 0", "DOC102"),
        ("    Raises:\n        ValueError: there are no counts.\n\n", "", "DOC501"),
    ],
)
def test_what_ruff_checks(old: str, new: str, rule: str) -> None:
    command = [
        sys.executable,
        "-m",
        "ruff",
        "check",
        "--output-format",
        "json",
        "--stdin-filename",
        "host_ref/x.py",
        "-",
    ]
    for text, is_found in ((PYTHON, False), (PYTHON.replace(old, new), True)):
        done = subprocess.run(command, cwd=ROOT, input=text, capture_output=True, text=True, check=False, timeout=60)
        assert (f'"{rule}"' in done.stdout) == is_found, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("-- The sum of values[1..count]. Cost: one addition per value.\n", "\n", "sums.total: no comment above it"),
        ("values[1..count]", "values[1..n]", "sums.total: count is not explained"),
        ("of values[1..count]", "of count values", "sums.total: no indices of values"),
        (" Cost: one addition per value.", "", "sums.total: no cost"),
        ("The sum of", "Adds", "sums.total: nothing about what it returns"),
        ("z = x + i y", "it", "sums.add: z_re is not explained"),
        ("; arguments else as sums.total", "", "sums.add: values is not explained"),
        ("as sums.total", "as sums.mean", "sums.add: refers to sums.mean, which does not exist"),
        (" `twice` doubles.", "", "sums.twice: no comment above it"),
    ],
)
def test_contracts_of_lua_functions(tmp_path: Path, old: str, new: str, problem: str) -> None:
    path = tmp_path / "sums.lua"
    path.write_text(LUA, encoding="ascii")
    assert list(docstrings.check_lua(path)) == []
    assert LUA.count(old) == 1
    path.write_text(LUA.replace(old, new), encoding="ascii")
    assert problem in [found.split(": ", 1)[1] for found in docstrings.check_lua(path)]


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "sums.lua"
    path.write_text("local sums = {}\n\nfunction sums.total(a)\nend\n", encoding="ascii")
    assert docstrings.main([str(path)]) == 1
    assert capsys.readouterr().out == f"{path}:3: sums.total: no comment above it\n"
    assert docstrings.main([]) == 0
    assert int(capsys.readouterr().out.split()[1]) > 100
