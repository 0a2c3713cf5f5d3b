"""Check that every public function of the Lua modules has its contract right above it.

    python tools/lint/check_lua_contracts.py [FILE ...]

A public function is one that a module's table holds: `function fft.forward(plan, re, im)`, or `signals.sine = ...`. The
comment that ends on the line above it

- names every parameter. `w1_re, w1_im` may be told as `w1`; "Arguments as fft.forward" refers to another function of
  the same files, which is looked up. `plan` and `state` need no word where the module makes them (`module.plan`,
  `module.new`).
- says which indices count, in a word of `INDICES`, where a parameter is a table that the function indexes;
- says what comes back, where something does ("Returns ...", or a first sentence that names it);
- says what it costs (`Cost: ...`) or which tables it creates, where it has a loop.

A function that is assigned (`signals.sine = ...`) is told above it, or by name in the comment at the file's beginning.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from check_docstrings import ORDERS
from complaints import exit_code, files_named

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDERS: Final = ("firmware_lua/elm11_firmware", "shim/elm11_shim")

INDICES: Final = re.compile(
    r"\bchunks?\b|\bindex\b|\bindices\b|\d ?\.\. ?\w|\[1\.\.|\bpieces\b|\bfields?\b|\bblocks?\b"
)
COST: Final = re.compile(r"\bCost: |\bCreates \w+|\bholds \d")
MADE: Final = {"plan": ("plan",), "state": ("new",)}
"""Parameters that a module's own function makes, and that function."""

_FUNCTION = re.compile(r"^function (?P<module>\w+)\.(?P<name>\w+)\((?P<parameters>[^)]*)\)(?P<rest>.*)$")
_ASSIGNED = re.compile(r"^(?P<module>\w+)\.(?P<name>\w+) = (?!\d|\"|\{|\w+$|\w+\.\w+$)")
_AS = re.compile(r"\bas (\w+\.\w+)")


class Contract(NamedTuple):
    """A public function and the comment above it."""

    path: Path
    line: int
    module: str
    name: str
    parameters: tuple[str, ...]
    comment: str
    body: str


def contracts(path: Path) -> Iterator[Contract]:
    """The public functions of a file.

    Args:
        path: of the file.
    """
    lines = path.read_text(encoding="ascii").splitlines()
    header = "\n".join(line for line in lines[: next((i for i, line in enumerate(lines) if line[:2] != "--"), 0)])
    for place, line in enumerate(lines):
        found = _FUNCTION.match(line) or _ASSIGNED.match(line)
        if not found:
            continue
        first = place
        while first and lines[first - 1].startswith("--"):
            first -= 1
        comment = "\n".join(text.removeprefix("--").strip() for text in lines[first:place])
        is_function = "parameters" in found.groupdict()
        if not is_function and not comment and re.search(rf"\b{found['name']}\b", header):
            comment = header
        end = next((i for i in range(place + 1, len(lines)) if lines[i] == "end"), place)
        body = "\n".join([line[found.end() :] if not is_function else found["rest"], *lines[place + 1 : end]])
        names = tuple(re.findall(r"\w+|\.\.\.", found["parameters"])) if is_function else ()
        yield Contract(path, place + 1, found["module"], found["name"], names, comment, body)


def mentions(text: str, name: str) -> bool:
    """Whether a comment has a parameter's name, or that of the complex array it is a part of.

    Args:
        text: the comment.
        name: of the parameter.
    """
    names = {name, re.sub(r"_(re|im|low|high)$", "", name)}
    return any(re.search(rf"(?<!\w){re.escape(one)}(?!\w)", text) for one in names)


def complaints(one: Contract, told: dict[str, Contract]) -> Iterator[str]:
    """What a contract lacks.

    Args:
        one: the contract.
        told: all contracts, by "module.name".

    Yields:
        One complaint each.
    """
    if not one.comment:
        yield "no comment above it"
        return
    text = one.comment
    for name in _AS.findall(text):
        if name.split(".")[0] in {key.split(".")[0] for key in told}:
            if name not in told:
                yield f"refers to {name}, which does not exist"
            else:
                text += "\n" + told[name].comment
    modules = {key for key in told if key.startswith(f"{one.module}.")}
    made = {name for name, makers in MADE.items() for maker in makers if f"{one.module}.{maker}" in modules}
    yield from (f"{name} is not told" for name in one.parameters if name not in made and not mentions(text, name))
    indexed = [name for name in one.parameters if name not in made and re.search(rf"(?<![\w.]){name}\[", one.body)]
    if indexed and not INDICES.search(text):
        yield f"no indices told of {', '.join(indexed)}"
    own = re.sub(r"function\(.*?\bend\b", "", one.body, flags=re.DOTALL)
    gives = re.search(r"\breturn +(?!end\b|refuse\()\S", own)
    if gives and not re.search(r"\b[Rr]eturns?\b", one.comment) and one.comment.split()[0].rstrip("s") in ORDERS:
        yield "nothing told of what it returns"
    if re.search(r"\b(for|while)\b", one.body) and not COST.search(one.comment):
        yield "no cost told"


def main(arguments: list[str]) -> int:
    """Check the files named, or all.

    Args:
        arguments: of the command line.

    Returns:
        The exit code: 1 where something is wrong.
    """
    known = [path for folder in FOLDERS for path in (ROOT / folder).glob("*.lua")]
    files = files_named(arguments, known)
    every = [one for path in known for one in contracts(path)]
    told = {f"{one.module}.{one.name}": one for one in every}
    found = [one for path in files for one in contracts(path)]
    lines = [
        f"{one.path.name}:{one.line}: {one.module}.{one.name}: {what}"
        for one in found
        for what in complaints(one, told)
    ]
    return exit_code(lines, f"contracts: {len(found)} functions are well")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
