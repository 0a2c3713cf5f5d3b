"""Write `normal.lua`, the board's table of normal deviates, from `elm11_host_ref.exact.rednoise.normal_table`.

python tools/generate/make_normal_table.py            writes the file
python tools/generate/make_normal_table.py --check    exits 1 if the file is not what would be written
"""

from __future__ import annotations

import sys
from pathlib import Path

from elm11_host_ref.exact.rednoise import normal_table

TARGET = Path(__file__).resolve().parents[2] / "firmware_lua" / "elm11_firmware" / "normal.lua"
PER_LINE = 16

HEADER = """\
-- normal.lua: the inverse of the two-sided normal tail as 1024 straight pieces, in integers (rednoise.lua says how it
-- is read). Written by tools/generate/make_normal_table.py from elm11_host_ref.exact.rednoise.normal_table; do not
-- edit.
local _ENV = nil -- from here a stray global is an error

-- How far the deviate's magnitude falls along each piece, in units of 2^-20. All are below 2^16, which keeps the table
-- among the instructions' own operands (no constants) and its product with a 15-bit fraction below 2^31.
local fall = {
"""

FOOTER = """\
}

-- The magnitude at the start of each piece: all that is still to fall. It ends at 0.
local value = {}
for piece = 1, #fall do
    value[piece] = 0 -- in this order, so that the array grows to its final size and has no hash part
end
local total = 0
for piece = #fall, 1, -1 do
    total = total + fall[piece]
    value[piece] = total
end

return {fall = fall, value = value}
"""


def text() -> str:
    """The whole of `normal.lua`."""
    _, fall = normal_table()
    rows = (fall[start : start + PER_LINE] for start in range(0, fall.size, PER_LINE))
    return HEADER + "".join(f"    {', '.join(map(str, row))},\n" for row in rows) + FOOTER


def main() -> int:
    """Write or check the file."""
    if "--check" in sys.argv[1:]:
        current = TARGET.read_text(encoding="ascii") == text()
        print(f"{TARGET.name} is {'current' if current else 'out of date: run tools/generate/make_normal_table.py'}")
        return 0 if current else 1
    TARGET.write_text(text(), encoding="ascii")
    return 0


if __name__ == "__main__":
    sys.exit(main())
