"""Draw docs/architecture.svg: the layers of the driver from docs/architecture.md, and the packages below it.

python tools/generate/architecture_picture.py
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

DOCS: Final = Path(__file__).resolve().parents[2] / "docs"
WIDTH, ROW, BOX, GAP = 880, 46, 34, 10
DRIVER_COLOUR, OTHER_COLOUR = "#0072b2", "#8a5a00"
OTHERS: Final = ("elm11_shim", "elm11_host_ref", "elm11_firmware")


def layers(page: str) -> list[tuple[str, list[str]]]:
    """Name and packages of each layer, the lowest first."""
    section = page.split("## The driver\n")[1].split("\n## ", maxsplit=1)[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| ")][1:]
    return [(cells[0].strip(), re.findall(r"`(\w+)`", cells[1])) for cells in rows]


def box(x: float, y: float, width: float, text: str, colour: str) -> str:
    """A box with a name in it."""
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{BOX}" rx="6" fill="#fff" stroke="{colour}"/>\n'
        f'<text x="{x + width / 2:g}" y="{y + BOX / 2 + 5:g}" text-anchor="middle" fill="#111">{text}</text>'
    )


def picture(rows: list[tuple[str, list[str]]]) -> str:
    """The whole picture as SVG."""
    height = ROW * len(rows) + 150
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            'font-family="system-ui, sans-serif" font-size="14" role="img" aria-label="Layers of the driver">'
        ),
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        (
            f'<rect x="12" y="12" width="{WIDTH - 24}" height="{ROW * len(rows) + 44}" rx="10" fill="#f4f7fb" '
            f'stroke="{DRIVER_COLOUR}"/>'
        ),
        f'<text x="30" y="38" font-weight="600" fill="{DRIVER_COLOUR}">elm11_lua_driver</text>',
    ]
    for number, (name, packages) in enumerate(reversed(rows)):
        y = 48 + ROW * number
        parts.append(f'<text x="30" y="{y + BOX / 2 + 5:g}" font-style="italic" fill="#555">{name}</text>')
        width = (WIDTH - 180 - GAP * (len(packages) - 1)) / len(packages)
        parts += [box(150 + i * (width + GAP), y, width, text, DRIVER_COLOUR) for i, text in enumerate(packages)]
    y = ROW * len(rows) + 84
    width = (WIDTH - 24 - GAP * (len(OTHERS) - 1)) / len(OTHERS)
    parts += [box(12 + i * (width + GAP), y, width, text, OTHER_COLOUR) for i, text in enumerate(OTHERS)]
    parts.append(
        f'<text x="{WIDTH / 2:g}" y="{y + BOX + 22}" text-anchor="middle" font-size="12" fill="#555">'
        "below the driver: Lua on this computer, the mathematics in NumPy, the board's programs</text>"
    )
    return "\n".join([*parts, "</svg>\n"])


if __name__ == "__main__":
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    (DOCS / "architecture.svg").write_text(picture(layers(text)), encoding="utf-8")
