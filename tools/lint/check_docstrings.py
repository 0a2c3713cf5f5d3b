"""Check that public docstrings say what a caller needs: arguments, results, errors, and where the mathematics is from.

    python tools/lint/check_docstrings.py [FILE ...]

Every public module, class, function and method of the four packages has a docstring. In it:

- `Args` names every parameter, and nothing else. A class whose `__init__` takes arguments has them in the class's own
  docstring. A dataclass says what each of its fields is: in `Args` or `Attributes`, or below the field.
- `Returns` (or `Yields`) says what comes back. A property's docstring is what it returns; so is that of a function
  whose first word is no order (`ORDERS`: "The smallest scale", not "Find the smallest scale"), unless it is a tuple.
- An array, as argument, result or field, has its shape; so do lists of arrays.
- A physical quantity (`QUANTITIES`, and what functions of `SCIENCE` return) has its unit, or "no unit"; names such as
  `timeout_s` and `n_samples` state theirs. A ratio (`RATIOS`) has its range or "no unit".
- `Raises` has each error that the function's body, or a private helper that it calls, raises and does not catch; a base
  of the error's class will do, and a class's own `Raises` holds for its methods. It has no error that cannot come out
  (`docstring_errors.py` follows the calls).
- A function of `SCIENCE` names its `Source`: paper and equation, or the page of this project that defines it. That of
  a class holds for its methods.

Where a section may be left out, and why:

- "See `Other.name`", "as `Other.name`": the contract stands there, once. The tool finds it and compares the parameters.
  So it does for a method that a base class has, or the protocol in `INTERFACES`.
- Commands, which click decorates: click prints the docstring as help, each argument has help of its own, and
  `tests/project/test_docs.py` and `tests/scenarios/test_provoked_errors.py` check what they do.
- `EXEMPT`, one by one, with the reason.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from complaints import exit_code, files_named
from docstring_errors import Function, Source

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
PACKAGES: Final = (
    "driver/elm11_lua_driver",
    "firmware_lua/elm11_firmware",
    "host_ref/elm11_host_ref",
    "shim/elm11_shim",
)

SCIENCE: Final = frozenset(
    [
        *(f"host_ref/elm11_host_ref/{name}.py" for name in ("coherence", "percentiles", "rednoise", "smoothing")),
        *(f"host_ref/elm11_host_ref/{name}.py" for name in ("wavelet", "monte_carlo", "vectorised", "signals", "fft")),
        *(f"driver/elm11_lua_driver/{name}.py" for name in ("levels", "early_stopping", "convergence", "analysis")),
        *(f"driver/elm11_lua_driver/{name}.py" for name in ("coherence_from_cwt", "pycwt_drop_in", "many_pairs")),
    ]
)
"""Modules of formulas: each function, or its class for its methods, names its source."""

QUANTITIES: Final = frozenset(
    re.findall(
        r"\w+",
        "dt dj s0 scale scales sigma sigma0 period periods frequency frequencies longest_period times phase amplitude "
        "power powers noise cone_of_influence coi",
    )
)
"""Parameters and fields that measure something."""

RATIOS: Final = frozenset(
    re.findall(r"\w+", "lag1 lag1_x lag1_y al1 al2 level significance_level significance coherence usable")
)
"""Numbers without a unit by nature: their range, or "no unit", is to be told."""

UNIT: Final = re.compile(
    r"\b(bytes?|seconds?|milliseconds?|samples?|octaves?|units?|radians?|periods?|numbers? of|index|indices|numbers?)\b"
)
RANGE: Final = re.compile(r"no unit|squared coherence|-?[01]\.?\d* ?(<=?|to|and|\.\.\.?)|\bbetween\b")
ARRAY: Final = re.compile(r"\w*Array\b|ArrayLike|ndarray|NDArray|\bIntegers\b")
SHAPE: Final = re.compile(r"\bshapes?\b|\(n_", re.IGNORECASE)

ORDERS: Final = frozenset(
    re.findall(
        r"\w+",
        "Add Ask Begin Bring Check Choose Collect Compare Compute Cut Delete Do Drive Encode Enter Fetch Fill Find Fit "
        "Get Give Have Let Load Look Make Measure Move Note Offer Open Pace Plan Put Read Rebuild Remember Remove "
        "Replace Return Run Save Say See Send Show Simulate Start Stop Store Take Tell Turn Type Upload Use Wait Write",
    )
)
"""Verbs with which docstrings begin that say what is done, not what comes back."""

ANY_ERROR: Final = frozenset({"Exception", "BaseException"})

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
EXEMPT: Final[dict[str, str]] = {}

_SECTION = re.compile(r"^(Args|Attributes|Returns|Yields|Raises):\n((?:[ \t]+.*\n?|\n)*)", re.MULTILINE)
_REFERS = re.compile(r"\b(?:[Ss]ee|[Aa]s|as in) `([\w.]+)`")
_ENTRY = re.compile(r"^ {4}(\*{0,2}\w+(?:, \*{0,2}\w+)*):((?:.*)(?:\n {5,}.*|\n(?=\n {5,}))*)", re.MULTILINE)


class Documented(NamedTuple):
    """A docstring's sections, taken apart."""

    text: str
    arguments: dict[str, str]
    results: str
    errors: dict[str, str]


class Place(NamedTuple):
    """A function or class, and where it stands."""

    path: Path
    name: str
    node: ast.ClassDef | Function


def entries(section: str) -> dict[str, str]:
    """Names in a section, each with what is said of it.

    Args:
        section: the section's text, without its heading.

    Returns:
        Text by name; names that share an entry share the text.
    """
    return {
        name.strip().lstrip("*"): text
        for names, text in _ENTRY.findall(re.sub(r"^(?: {4})?(?=    \S)", "", section))
        for name in names.split(",")
    }


def take_apart(text: str) -> Documented:
    """A docstring's sections.

    Args:
        text: the docstring, without its indentation.

    Returns:
        Its parts; empty where there is no such section.
    """
    sections: dict[str, str] = dict(_SECTION.findall(f"{text}\n"))
    arguments = entries(sections.get("Attributes", "")) | entries(sections.get("Args", ""))
    results = sections.get("Returns", sections.get("Yields", ""))
    return Documented(text, arguments, results, entries(sections.get("Raises", "")))


def parameters(function: Function) -> dict[str, str]:
    """A function's parameters.

    Args:
        function: its definition.

    Returns:
        Annotations by name, without `self`, `cls`, those that begin with an underscore, and `**kept`, which every
        error has and `Elm11Error` explains.
    """
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    found = {one.arg: ast.unparse(one.annotation) if one.annotation else "" for one in named if one is not None}
    return {
        name: annotation
        for name, annotation in found.items()
        if name not in {"self", "cls"} and not name.startswith("_") and annotation != "Unpack[Kept]"
    }


def returned(function: Function) -> str:
    """What a function's annotation promises.

    Args:
        function: its definition.

    Returns:
        The annotation; empty where there is nothing to be said of it.
    """
    result = ast.unparse(function.returns).strip("'\"") if function.returns is not None else ""
    return "" if result in {"None", "NoReturn", "Self"} else result


def wrong_entry(name: str, annotation: str, text: str) -> Iterator[str]:
    """What an argument's or field's text lacks.

    Args:
        name: of the argument.
        annotation: its type.
        text: what is said of it.

    Yields:
        One complaint each.
    """
    if ARRAY.search(annotation) and not SHAPE.search(text):
        yield f"{name} has no shape"
    if "bool" in annotation or "str" in annotation:
        return
    if name in QUANTITIES and not UNIT.search(text):
        yield f"{name} has no unit"
    if name in RATIOS and not (RANGE.search(text) or UNIT.search(text)):
        yield f"{name} has neither range nor unit"


def paragraph(text: str) -> str:
    """The first paragraph of a docstring.

    Args:
        text: the docstring.
    """
    return text.split("\n\n", 1)[0]


def fields(node: ast.ClassDef) -> dict[str, tuple[str, str]]:
    """Public fields of a dataclass, a named tuple or a protocol.

    Args:
        node: the class.

    Returns:
        For each name its annotation and the text below it.
    """
    found = {}
    for this, following in zip(node.body, [*node.body[1:], ast.Pass()], strict=True):
        if isinstance(this, ast.AnnAssign) and isinstance(this.target, ast.Name) and not this.target.id.startswith("_"):
            value = following.value if isinstance(following, ast.Expr) else None
            text = value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else ""
            annotation = ast.unparse(this.annotation)
            if "ClassVar" not in annotation and "KW_ONLY" not in annotation:
                found[this.target.id] = annotation, text
    return found


class Checker:
    """Complaints about the docstrings of files.

    Args:
        paths: the files to be checked.
        others: files that are read besides, for what is told there; None for the four packages.
    """

    def __init__(self, paths: list[Path], others: list[Path] | None = None) -> None:
        self.paths = paths
        ours = {path: _module(path) for path in [*(package_files() if others is None else others), *paths]}
        self._modules = ours
        self._source = Source(ours.items())
        self._places: dict[str, list[Place]] = {}
        self._trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in ours}
        for path, tree in self._trees.items():
            for name, node in public(tree.body):
                self._places.setdefault(name, []).append(Place(path, name, node))

    def complaints(self) -> Iterator[str]:
        """What is wrong.

        Yields:
            `file:line: name: what`, in the order of the files.
        """
        for path in self.paths:
            relative = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name
            tree = self._trees[path]
            if not ast.get_docstring(tree):
                yield f"{relative}:1: no docstring"
            for name, node in public(tree.body):
                if f"{path.name}:{name}" not in EXEMPT:
                    place = Place(path, name, node)
                    found = self._class(place) if isinstance(node, ast.ClassDef) else self._function(place, relative)
                    yield from (f"{relative}:{node.lineno}: {name}: {what}" for what in found)

    def _class(self, place: Place) -> Iterator[str]:
        node = place.node
        assert isinstance(node, ast.ClassDef)
        text = ast.get_docstring(node)
        if not text:
            yield "no docstring"
            return
        told = take_apart(text).arguments
        init = next((one for one in node.body if isinstance(one, Function) and one.name == "__init__"), None)
        if init is not None:
            known = parameters(init)
            told |= take_apart(ast.get_docstring(init) or "").arguments
            yield from (f"Args lacks {name}" for name in known if name not in told)
            for name, annotation in known.items():
                yield from wrong_entry(name, annotation, told.get(name, "shape, unit; 0 to 1"))
            return
        for name, (annotation, below) in fields(node).items():
            said = below or told.get(name)
            if said is None:
                yield f"{name} is not explained"
            else:
                yield from wrong_entry(name, annotation, said)

    def _function(self, place: Place, relative: str) -> Iterator[str]:
        node = place.node
        assert isinstance(node, Function)
        decorators = {ast.unparse(decorator).split("(")[0] for decorator in node.decorator_list}
        text = ast.get_docstring(node) or ""
        if not text:
            if self._contract(place, "") is None:
                yield "no docstring"
            return
        if any(name.startswith("click.") or name.rsplit(".")[-1] in {"command", "group"} for name in decorators):
            return
        told = take_apart(text)
        above = self._contract(place, told.text)
        yield from self._arguments(node, told, above)
        if above is not None:
            results, errors = told.results or above.results, above.errors | told.errors
            told = told._replace(results=results, errors=errors)
        is_property = any(name.rsplit(".")[-1] in {"property", "cached_property"} for name in decorators)
        if is_property or (paragraph(text).split()[0] not in ORDERS and not returned(node).startswith("tuple[")):
            told = told._replace(results=told.results or text)
        yield from self._result(node, told, relative)
        has_source = any("Source:" in one for one in [text, *self._class_texts(place)])
        if relative in SCIENCE and not is_property and not has_source:
            yield "no Source"
        yield from self._errors(place, told)

    def _arguments(self, node: Function, told: Documented, above: Documented | None) -> Iterator[str]:
        """Parameters that are missing, shapes and units that they lack, and what is no parameter."""
        names = parameters(node)
        arguments = told.arguments if above is None else above.arguments | told.arguments
        where = "" if above is None else ", here and there"
        yield from (f"Args lacks {name}{where}" for name in names if name not in arguments)
        yield from (f"Args has {name}, which is no parameter" for name in told.arguments if name not in names)
        for name in names:
            if name in arguments:
                yield from wrong_entry(name, names[name], arguments[name])

    def _result(self, node: Function, told: Documented, relative: str) -> Iterator[str]:
        """What is not told of the result."""
        result = returned(node)
        if result and not told.results:
            yield "no Returns"
        elif ARRAY.search(result) and not SHAPE.search(told.results):
            yield "the result has no shape"
        is_number = re.search(r"\bfloat\b|FloatArray|ComplexArray", result) is not None
        if relative in SCIENCE and is_number and told.results and not UNIT.search(told.results):
            yield "the result has no unit"

    def _errors(self, place: Place, told: Documented) -> Iterator[str]:
        """Errors that are missing, and errors that cannot be raised."""
        module = self._modules[place.path]
        of_class = self._class_texts(place)
        above = {error for text in of_class for error in take_apart(text).errors}
        for error in sorted(self._source.certain(module, place.name)):
            if not self._source.errors_above(error) & (told.errors.keys() | above):
                yield f"Raises lacks {error}"
        node = place.node
        if told.errors and not isinstance(node.body[-1], ast.Expr):  # a protocol's method only promises
            leaving = self._source.reachable(module, place.name)
            # A base that is passed on (`except Elm11Error: ...; raise`) may be any of its leaves.
            possible = {base for error in leaving for base in self._source.errors_above(error)}
            for error in told.errors:
                if error not in possible and not (self._source.errors_above(error) - ANY_ERROR) & leaving:
                    yield f"Raises has {error}, which is not raised"

    def _class_texts(self, place: Place) -> list[str]:
        """The docstring of a method's class, if there is one."""
        owner = place.name.rpartition(".")[0]
        return [ast.get_docstring(one.node) or "" for one in self._places.get(owner, []) if one.path == place.path]

    def _contract(self, place: Place, text: str) -> Documented | None:
        """The docstring that this one refers to, or that of the base's or protocol's method."""
        owner, _, method = place.name.rpartition(".")
        wanted = [f"{owner}.{name}" if owner and "." not in name else name for name in _REFERS.findall(text)]
        wanted += _REFERS.findall(text)
        bases = [INTERFACES[owner]] if owner in INTERFACES else []
        bases += self._source.bases.get(owner, []) if owner else []
        wanted += [f"{base}.{method}" for base in bases]
        for name in wanted:
            places = self._places.get(name, [])
            for one in [one for one in places if one.path == place.path] or places:
                if one.node is not place.node and isinstance(one.node, Function):
                    contract = take_apart(ast.get_docstring(one.node) or "")
                    higher = self._contract(one, contract.text)
                    return contract if higher is None else higher._replace(text=contract.text)
        return None


def _module(path: Path) -> str:
    """Full name of the module in a file."""
    package = next((ROOT / package for package in PACKAGES if path.is_relative_to(ROOT / package)), path.parent)
    base = package.parent if package != path.parent or path.is_relative_to(ROOT) else package
    return ".".join(path.relative_to(base).with_suffix("").parts).removesuffix(".__init__")


def public(body: list[ast.stmt], prefix: str = "") -> Iterator[tuple[str, ast.ClassDef | Function]]:
    """Public classes and functions, methods included.

    Args:
        body: statements of a module or class.
        prefix: what the names begin with.

    Yields:
        Name, as `Class.method`, and definition.
    """
    for node in body:
        if isinstance(node, ast.ClassDef | Function) and not node.name.startswith("_"):
            if not any(ast.unparse(decorator).endswith((".setter", "overload")) for decorator in node.decorator_list):
                yield f"{prefix}{node.name}", node
            if isinstance(node, ast.ClassDef):
                yield from public(node.body, f"{prefix}{node.name}.")


def package_files() -> list[Path]:
    """The Python files of the four packages."""
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def main(arguments: list[str]) -> int:
    """Check the files named, or all of the four packages.

    Args:
        arguments: of the command line.

    Returns:
        The exit code: 1 where something is wrong.
    """
    files = files_named(arguments, package_files())
    return exit_code(list(Checker(files).complaints()), f"docstrings: {len(files)} files are well")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
