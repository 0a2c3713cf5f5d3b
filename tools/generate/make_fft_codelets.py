"""Write `fft_codelets.lua`: transforms of 16 and 32 integers, and smoothing, in straight lines.

python tools/generate/make_fft_codelets.py            writes the file
python tools/generate/make_fft_codelets.py --check    exits 1 if the file is not what would be written

On the board an access to an array costs as much as an addition, and so does every new line while the `q` key is
watched. A codelet reads each number once, keeps all of them in local variables, and has few and long lines. It computes
what `first_of_four` (or `first_of_eight`) and one stage of radix 4 compute, to the last bit.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Final

TARGET = Path(__file__).resolve().parents[2] / "firmware_lua" / "elm11_firmware" / "fft_codelets.lua"
LINE: Final = 200
UNIT: Final = 2048
HALF_ROOT: Final = 1448

HEADER = """\
-- fft_codelets.lua: inner loops in straight lines: transforms of blocks of 16 and of 32 integers, in place, the first
-- stages of integer_fft.lua in one; and smoothing for fast_smoothing.lua. Written by
-- tools/generate/make_fft_codelets.py; do not edit.
local _ENV = nil -- from here a stray global is an error
local codelets = {}
"""


class Codelet:
    """The statements of one block's transform."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.statements: list[str] = []

    def butterfly(self, names: list[int]) -> None:
        """Four numbers in bit-reversed order become their transform."""
        a, b, c, d = names
        self.statements += [
            f"p,q,r,s=r{a}+r{b},i{a}+i{b},r{a}-r{b},i{a}-i{b}",
            f"t,u,v,w=r{c}+r{d},i{c}+i{d},r{c}-r{d},i{c}-i{d}",
            f"r{a},i{a},r{c},i{c}=p+t,q+u,p-t,q-u",
            f"r{b},i{b},r{d},i{d}=r+w,s-v,r-w,s+v",
        ]

    def pair(self, a: int, b: int) -> None:
        """Two numbers become their sum and their difference."""
        self.statements.append(f"r{a},i{a},r{b},i{b}=r{a}+r{b},i{a}+i{b},r{a}-r{b},i{a}-i{b}")

    def turn(self, place: int, power: int, size: int) -> None:
        """A number times exp(-2 pi i power / size), in the arithmetic of the stages."""
        angle = 2 * math.pi * power / size
        cosine, sine = math.floor(UNIT * math.cos(angle) + 0.5), math.floor(UNIT * math.sin(angle) + 0.5)
        r, i = f"r{place}", f"i{place}"
        if power == 0:
            return
        if cosine == 0 and sine == UNIT:
            self.statements.append(f"{r},{i}={i},-{r}")
        elif abs(cosine) == sine:
            second = f"({i}-{r})" if cosine > 0 else f"(-{r}-{i})"
            first = f"({r}+{i})" if cosine > 0 else f"({i}-{r})"
            self.statements.append(f"{r},{i}={first}*{sine}//{UNIT},{second}*{sine}//{UNIT}")
        elif cosine > 0:
            self.statements.append(
                f"{r},{i}=({r}*{cosine}+{i}*{sine})//{UNIT},({i}*{cosine}-{r}*{sine})//{UNIT}"
                if sine >= 0
                else f"{r},{i}=({r}*{cosine}-{i}*{-sine})//{UNIT},({i}*{cosine}+{r}*{-sine})//{UNIT}"
            )
        elif sine >= 0:
            self.statements.append(f"{r},{i}=({i}*{sine}-{r}*{-cosine})//{UNIT},(-{i}*{-cosine}-{r}*{sine})//{UNIT}")
        else:
            self.statements.append(f"{r},{i}=(-{r}*{-cosine}-{i}*{-sine})//{UNIT},({r}*{-sine}-{i}*{-cosine})//{UNIT}")

    def first_stage(self) -> int:
        """Blocks of four or of eight; returns their length."""
        for start in range(0, self.size, 4):
            self.butterfly([start, start + 1, start + 2, start + 3])
        if self.size == 16:
            return 4
        for start in range(0, self.size, 8):
            self.turn(start + 5, 1, 8)
            self.turn(start + 6, 2, 8)
            self.turn(start + 7, 3, 8)
            for q in range(4):
                self.pair(start + q, start + q + 4)
        return 8

    def text(self, name: str) -> str:
        """The function: transforms every block of `size` numbers of re, im [1 .. n]."""
        span = self.first_stage()
        for offset in range(span):
            places = [offset + quarter * span for quarter in range(4)]
            for place, power in zip(places[1:], (2, 1, 3), strict=True):
                self.turn(place, power * offset, self.size)
            self.butterfly(places)
        numbers = range(self.size)
        load = ["local p,q,r,s,t,u,v,w"]
        load += [f"local k{k}=o+{k} local r{k},i{k}=re[k{k}],im[k{k}]" for k in numbers]
        store = [f"re[k{k}],im[k{k}]=r{k},i{k}" for k in numbers]
        body = in_lines(load + self.statements + store)
        return (
            f"\n-- Blocks of {self.size} numbers of re, im [1 .. n], in bit-reversed order, become their transforms.\n"
            "-- Cost: each number is read and written once; sums in between. Creates no table.\n"
            f"function codelets.{name}(re, im, n)\n    for o = 1, n, {self.size} do\n{body}\n    end\nend\n"
        )


def in_lines(statements: list[str]) -> str:
    """Statements of a loop in a function, as many in a line as it holds."""
    lines, line = [], ""
    for statement in statements:
        if len(line) + len(statement) + 1 > LINE:
            lines.append(line)
            line = ""
        line += (" " if line else "") + statement
    return "\n".join(f"        {line}" for line in [*lines, line])


def smoothing(reach: int) -> str:
    """The function that smooths four quantities with a symmetric kernel of 2 * reach + 1 weights."""
    distances = range(1, reach + 1)
    statements = [
        "local " + ",".join(f"l{k},h{k}" for k in distances) + "=" + ",".join(f"c-{k},c+{k}" for k in distances)
    ]
    for q in range(1, 5):
        taps = "+".join(f"(p{q}[l{k}]+p{q}[h{k}])*w{k}" for k in distances)
        statements.append(f"o{q}[o]=(p{q}[c]*w0+{taps})//d{q}")
    statements.append("c=c+step")
    weights = ",".join(f"w{k}" for k in range(reach + 1))
    return (
        f"\ncodelets.smooth[{reach}] = function("
        "p1, p2, p3, p4, kernel, o1, o2, o3, o4, d1, d2, d3, d4, from, last, stride, c, step)"
        f"\n    local {weights}={','.join(f'kernel[{k + 1}]' for k in range(reach + 1))}"
        f"\n    for o = from, last, stride do\n{in_lines(statements)}\n    end\nend\n"
    )


SMOOTHING_HEADER = """
-- smooth[reach]: outputs from, from + stride, .. last of four arrays: sums of p1 .. p4 around points c, c + step, ..,
-- with weights kernel[1] at distance 0 to kernel[reach + 1], divided by d1 .. d4.
codelets.smooth = {}
"""


def text() -> str:
    """The whole of `fft_codelets.lua`."""
    transforms = Codelet(16).text("sixteen") + Codelet(32).text("thirty_two")
    return HEADER + transforms + SMOOTHING_HEADER + "".join(map(smoothing, (2, 3, 4, 5))) + "\nreturn codelets\n"


def main() -> int:
    """Write or check the file."""
    if "--check" in sys.argv[1:]:
        current = TARGET.read_text(encoding="ascii") == text()
        print(f"{TARGET.name} is {'current' if current else 'out of date: run tools/generate/make_fft_codelets.py'}")
        return 0 if current else 1
    TARGET.write_text(text(), encoding="ascii")
    return 0


if __name__ == "__main__":
    sys.exit(main())
