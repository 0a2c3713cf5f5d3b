"""tools/lint/check_lua_contracts.py finds public Lua functions whose contract is missing or lacks something."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import check_lua_contracts
import pytest
from paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

TOOL = ROOT / "tools" / "lint" / "check_lua_contracts.py"
GOOD = """-- sums.lua: sums. `twice` doubles.
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
BAD = {
    "sums.total: no comment above it": ("-- The sum of values[1..count]. Cost: one addition per value.\n", "\n"),
    "sums.total: count is not told": ("values[1..count]", "values[1..n]"),
    "sums.total: no indices told of values": ("of values[1..count]", "of count values"),
    "sums.total: no cost told": (" Cost: one addition per value.", ""),
    "sums.total: nothing told of what it returns": ("The sum of", "Adds"),
    "sums.add: z_re is not told": ("z = x + i y", "it"),
    "sums.add: values is not told": ("; arguments else as sums.total", ""),
    "sums.add: refers to sums.mean, which does not exist": ("as sums.total", "as sums.mean"),
    "sums.twice: no comment above it": (" `twice` doubles.", ""),
}


def complaints(path: Path, text: str) -> list[str]:
    path.write_text(text, encoding="ascii")
    found = list(check_lua_contracts.contracts(path))
    assert {one.name for one in found} == {"total", "add", "twice"}
    told = {f"{one.module}.{one.name}": one for one in found}
    return [f"sums.{one.name}: {what}" for one in found for what in check_lua_contracts.complaints(one, told)]


def test_a_whole_contract_is_well(tmp_path: Path) -> None:
    assert complaints(tmp_path / "sums.lua", GOOD) == []


@pytest.mark.parametrize("complaint", BAD)
def test_what_is_missing_is_found(complaint: str, tmp_path: Path) -> None:
    old, new = BAD[complaint]
    assert GOOD.count(old) == 1
    assert complaint in complaints(tmp_path / "sums.lua", GOOD.replace(old, new))


def test_the_board_s_modules_are_read_and_well() -> None:
    done = subprocess.run([sys.executable, TOOL], check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout
    assert int(done.stdout.split()[1]) >= 50


def test_the_command_tells_and_ends_with_an_exit_code(tmp_path: Path) -> None:
    (tmp_path / "sums.lua").write_text("local sums = {}\n\nfunction sums.total(a)\nend\n", encoding="ascii")
    done = subprocess.run(
        [sys.executable, TOOL, tmp_path / "sums.lua"], check=False, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (1, "sums.lua:3: sums.total: no comment above it\n")
