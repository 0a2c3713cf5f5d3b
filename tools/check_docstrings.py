"""Check that public docstrings say what a caller needs: arguments, results, errors, and where the mathematics is from.

    python tools/check_docstrings.py [FILE ...]

Every public module, class and function of the four packages has a docstring. A function with parameters has an `Args`
section that names each of them, and no other; one that returns something has `Returns` (or `Yields`); one whose own
body raises has `Raises` with each of those errors; and mathematics after a paper (`SCIENCE`) names its `Source`.

Where a section may be left out, and why:

- A docstring whose first paragraph speaks of each parameter, by its name or by its name's words, says what `Args` would
  say. Not where there are more than `FEW` parameters. It need not speak of those in `ALIKE`, which mean the same
  everywhere.
- A first sentence that is no order ("The smallest scale", not "Find the smallest scale") is what is returned.
- An error that the text names in another place needs no `Raises`.
- "See `Other.name`", "as `Other.name`": the contract stands there, once. So it does for a method of a class that
  its base, or a protocol in the same module, has (`INTERFACES`).
- Commands, and modules that serve them alone (`COMMANDS`): click prints the docstring as help, and every argument
  has help of its own; nobody imports them.
- A property has no parameters, and its docstring is what it returns; a setter's is the property's.
- `EXEMPT`, one by one, with the reason.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
PACKAGES: Final = (
    "driver/elm11_lua_driver",
    "firmware_lua/elm11_firmware",
    "host_ref/elm11_host_ref",
    "shim/elm11_shim",
)
FEW: Final = 3
"""Parameters that one paragraph can speak of."""

COMMANDS: Final = re.compile(r"(.*_cli|cli|cli_.*|entry)\.py")
"""Files of the command line."""

SCIENCE: Final = {
    "host_ref/elm11_host_ref/coherence.py",
    "host_ref/elm11_host_ref/percentiles.py",
    "host_ref/elm11_host_ref/rednoise.py",
    "host_ref/elm11_host_ref/smoothing.py",
    "host_ref/elm11_host_ref/wavelet.py",
}
"""Modules of formulas: each function, or the module for all of them, names its source."""

ALIKE: Final = {
    "analysis": "a `CoherenceAnalysis`",
    "ax": "matplotlib's axes",
    "checks": "what `doctor` has found, in order",
    "data": "bytes as they come from the wire or go to it, in pieces of any length",
    "experiment": "an `Experiment`",
    "histogram": "a `Histogram`, complete or not",
    "hw_id": "a board's hardware id",
    "job": "a `Job`",
    "n_simulations": "how many simulations, at least 1",
    "name": "of a program on a board, or of the argument that an error names",
    "now_s": "the time, in seconds on the caller's clock",
    "path": "of a file",
    "simulations": "their numbers",
    "system": "what `doctor` asks about this computer",
    "text": "what is to be read, as a string",
    "timeout_s": "longest wait, in seconds; what happens then is told by the caller's contract",
}
"""Parameters that mean the same wherever they occur."""

ORDERS: Final = frozenset(
    re.findall(
        r"\w+",
        "Bring Check Collect Compare Compute Drive Encode Fetch Find Have Look Make Measure Move "
        "Open Read Run Send Start Stop Store Take Type Upload Wait Write",
    )
)
"""Verbs with which docstrings begin; what such a function returns has to be said."""

INTERFACES: Final = {
    "BoardInMemory": "MemoryBoard",
    "EmbluaBoardLua": "BoardLua",
    "LuaTwin": "Twin",
    "LupaBoardLua": "BoardLua",
    "NumpyTwin": "Twin",
    "MemoryTransport": "Transport",
    "ReplayTransport": "Transport",
    "SerialTransport": "Transport",
    "VirtualTransport": "Transport",
    "PoolEngine": "FleetEngine",
    "DaskEngine": "FleetEngine",
}
"""Classes that do what a protocol or base says, without naming it or with a base in another module."""

# Nothing else is left out. Keys are "file name:name of the function", values say why.
EXEMPT: Final[dict[str, str]] = {
    **dict.fromkeys(
        (f"twins.py:Twin.{name}" for name in ("red_noise", "transform", "smooth", "coherence", "counts", "signal")),
        "the arguments are those of ShimInterface, as the class's docstring says",
    ),
    **dict.fromkeys(
        (f"fast.py:{name}" for name in ("deviates", "wavelet_transform", "powers", "smooth", "bins")),
        "steps of the fast pipeline, whose arrays the module's docstring defines once",
    ),
    "rednoise.py:stream_states": "defined here, from functions that name their sources",
    "rednoise.py:normal_from_words": "defined here: docs/random-streams.md is its source",
    "rednoise.py:surrogate_pairs": "puts functions together that name their sources",
    "wavelet.py:first_usable": "the cone of influence's definition, solved for the sample",
    "cost_model.py:priced": "a table of the model, made and read in that module alone",
    "memory_plan.py:fast_units": "the sum of a plan's fields, each of which has a docstring",
}

_SECTION = re.compile(r"^(Args|Returns|Yields|Raises):\n((?:[ \t]+.*\n?|\n)*)", re.MULTILINE)
_REFERS = re.compile(r"\b([Ss]ee|as|as in) `[\w.]+`")
_ENTRY = re.compile(r"^ {4}([*\w]+(?:, [*\w]+)*):", re.MULTILINE)


def parameters(function: ast.FunctionDef) -> list[str]:
    """Names of a function's parameters, without `self`, `cls` and those that begin with an underscore."""
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    names = [argument.arg for argument in named if argument is not None]
    return [name for name in names if name not in {"self", "cls"} and not name.startswith("_")]


def own_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Nodes of a function's own body, without those of functions and classes inside it."""
    for child in ast.iter_child_nodes(node):
        yield child
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            yield from own_nodes(child)


def raised(function: ast.FunctionDef) -> set[str]:
    """Names of the errors that a function's own body raises by name and does not catch itself."""
    caught = {
        name.id
        for node in own_nodes(function)
        if isinstance(node, ast.ExceptHandler) and node.type is not None
        for name in ast.walk(node.type)
        if isinstance(name, ast.Name)
    }
    found = set()
    for node in own_nodes(function):
        error = node.exc if isinstance(node, ast.Raise) else None
        if isinstance(error, ast.Call):
            error = error.func
        if isinstance(error, ast.Attribute) and error.attr[0].isupper():
            found.add(error.attr)
        elif isinstance(error, ast.Name) and error.id[0].isupper():
            found.add(error.id)
    return found - caught - {"NotImplementedError", "AssertionError"}


def returns_something(function: ast.FunctionDef) -> bool:
    """Whether a function's annotation promises a result."""
    result = ast.unparse(function.returns) if function.returns is not None else "None"
    return result.strip("'\"") not in {"None", "NoReturn", "Self"}


def speaks_of(text: str, name: str) -> bool:
    """Whether a text has a parameter's name, or all the words of it, in either number."""
    lower = text.lower()

    def has(word: str) -> bool:
        return re.search(rf"\b{re.escape(word.rstrip('s'))}(s|es|ed|'s)?\b", lower) is not None

    return has(name.lower()) or all(has(word) for word in name.lower().split("_") if word not in {"s", "ms"})


def complaints(function: ast.FunctionDef, *, is_science: bool) -> Iterator[str]:
    """What is missing from one function's docstring."""
    decorators = {ast.unparse(decorator).split("(")[0] for decorator in function.decorator_list}
    text = ast.get_docstring(function) or ""
    if not text:
        yield "no docstring"
        return
    sections: dict[str, str] = dict(_SECTION.findall(f"{text}\n"))
    names = parameters(function)
    listed = [
        name.strip().lstrip("*") for entry in _ENTRY.findall(sections.get("Args", "")) for name in entry.split(",")
    ]
    refers = _REFERS.search(text) is not None
    is_property = any(name.rsplit(".")[-1] in {"property", "cached_property"} for name in decorators)
    paragraph = text.split("\n\n", 1)[0]
    if listed:
        yield from (f"Args lacks {name}" for name in names if name not in listed)
        yield from (f"Args has {name}, which is no parameter" for name in listed if name not in names)
    elif not refers:
        unsaid = [name for name in names if name not in ALIKE and (len(names) > FEW or not speaks_of(paragraph, name))]
        if unsaid:
            yield f"no Args: {', '.join(unsaid)}"
    is_order = paragraph.split()[0] in ORDERS or len(names) > FEW
    is_told = refers or is_property or bool(sections.keys() & {"Returns", "Yields"})
    if returns_something(function) and is_order and not is_told:
        yield "no Returns"
    if not refers:
        yield from (f"Raises lacks {name}" for name in sorted(raised(function)) if not re.search(rf"\b{name}\b", text))
    if is_science and not is_property and "Source:" not in text and names:
        yield "no Source"


def public(
    body: list[ast.stmt], prefix: str = ""
) -> Iterator[tuple[str, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Public classes and functions, with their names, methods included."""
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            if not any(ast.unparse(decorator).endswith((".setter", "overload")) for decorator in node.decorator_list):
                yield f"{prefix}{node.name}", node
            if isinstance(node, ast.ClassDef):
                yield from public(node.body, f"{prefix}{node.name}.")


def documented_names() -> set[str]:
    """Public names of the four packages that have a docstring; a method as `Class.method`."""
    paths = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in paths]
    return {name for tree in trees for name, node in public(tree.body) if ast.get_docstring(node)}


def check(path: Path, documented: set[str]) -> Iterator[str]:
    """Complaints about a file, one line each; `documented` are the names that have docstrings elsewhere."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    module = ast.get_docstring(tree) or ""
    relative = path.resolve().relative_to(ROOT).as_posix() if path.resolve().is_relative_to(ROOT) else path.name
    if not module:
        yield f"{relative}:1: no docstring"
    is_command = COMMANDS.fullmatch(path.name) is not None
    is_science = relative in SCIENCE and "Source:" not in module
    for name, node in public(tree.body):
        if f"{path.name}:{name}" in EXEMPT:
            continue
        owner, _, method = name.rpartition(".")
        bases = {f"{INTERFACES[owner]}.{method}"} if owner in INTERFACES else set()
        if bases & documented:
            continue
        place = f"{relative}:{node.lineno}: {name}"
        if not ast.get_docstring(node):
            yield f"{place}: no docstring"
        elif isinstance(node, ast.FunctionDef) and not is_command:
            yield from (f"{place}: {what}" for what in complaints(node, is_science=is_science))


def main(arguments: list[str]) -> int:
    """Check the files named, or all of the four packages; the exit code."""
    files = [Path(argument) for argument in arguments]
    files = files or sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    documented = documented_names()
    lines = [line for path in files for line in check(path, documented)]
    print("\n".join(lines) or f"docstrings: {len(files)} files are well")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
