"""Check that public docstrings say what a caller needs: arguments, results, errors, and where the mathematics is from.

    python tools/check_docstrings.py [FILE ...]

Every public module, class and function of the four packages has a docstring. A function with parameters has an `Args`
section that names each of them, and no other; one that returns something has `Returns` (or `Yields`); one whose own body
raises has `Raises` with each of those errors; and mathematics after a paper (`SCIENCE`) names its `Source`.

Where a section may be left out, and why:

- A docstring of one paragraph that speaks of each parameter, by its name or by its name's words, and begins with what is
  returned or done, says all that the sections would say. Not where the parameters are more than `FEW`.
- "See `Other.name`": the contract stands there, once.
- Commands, and modules that serve them alone (`COMMANDS`): click prints the docstring as help, and every argument has help
  of its own; nobody imports them.
- A property has no parameters, and its docstring is what it returns.
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

# Nothing else is left out. Keys are "file name:name of the function", values say why.
EXEMPT: Final[dict[str, str]] = {}

_SECTION = re.compile(r"^(Args|Returns|Yields|Raises):\n((?:[ \t]+.*\n?|\n)*)", re.MULTILINE)
_ENTRY = re.compile(r"^ {4}([*\w., ]+?)(?: \([^)]*\))?:", re.MULTILINE)


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
        if isinstance(error, ast.Attribute):
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
    if "overload" in decorators or any(name.endswith((".setter", ".deleter")) for name in decorators):
        return
    text = ast.get_docstring(function) or ""
    if not text:
        yield "no docstring"
        return
    sections = {name: body for name, body in _SECTION.findall(f"{text}\n")}
    names = parameters(function)
    listed = [
        name.strip().lstrip("*") for entry in _ENTRY.findall(sections.get("Args", "")) for name in entry.split(",")
    ]
    refers = text.startswith("See `")
    is_property = any(name.rsplit(".")[-1] in {"property", "cached_property"} for name in decorators)
    paragraph = text.split("\n\n", 1)[0]
    if listed:
        yield from (f"Args lacks {name}" for name in names if name not in listed)
        yield from (f"Args has {name}, which is no parameter" for name in listed if name not in names)
    elif not refers and names and (len(names) > FEW or not all(speaks_of(text, name) for name in names)):
        yield f"no Args: {', '.join(name for name in names if len(names) > FEW or not speaks_of(text, name))}"
    needs_result = returns_something(function) and not refers and not is_property
    if needs_result and not sections.keys() & {"Returns", "Yields"} and (listed or len(names) > FEW or not paragraph):
        yield "no Returns"
    if not refers:
        told = sections.get("Raises", "")
        yield from (f"Raises lacks {name}" for name in sorted(raised(function)) if not re.search(rf"\b{name}\b", told))
    if is_science and not is_property and "Source:" not in text and names:
        yield "no Source"


def public(
    body: list[ast.stmt], prefix: str = ""
) -> Iterator[tuple[str, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Public classes and functions, with their names, methods included."""
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            yield f"{prefix}{node.name}", node
            if isinstance(node, ast.ClassDef):
                yield from public(node.body, f"{prefix}{node.name}.")


def check(path: Path) -> Iterator[str]:
    """Complaints about a file, one line each."""
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
        place = f"{relative}:{node.lineno}: {name}"
        if not ast.get_docstring(node):
            yield f"{place}: no docstring"
        elif isinstance(node, ast.FunctionDef) and not is_command:
            yield from (f"{place}: {what}" for what in complaints(node, is_science=is_science))


def main(arguments: list[str]) -> int:
    """Check the files named, or all of the four packages; the exit code."""
    files = [Path(argument) for argument in arguments]
    files = files or sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    lines = [line for path in files for line in check(path)]
    print("\n".join(lines) or f"docstrings: {len(files)} files are well")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
