"""Check what ruff does not: shapes, units and sources in Python docstrings, and the contracts of public Lua functions.

    python tools/lint/docstrings.py [FILE ...]        (in `make lint`; without files, all of the four packages)

ruff's D and DOC rules check that docstrings and their sections are there and fit the code (pyproject.toml says which).
In addition, for Python functions, methods, and fields of classes whose names have no underscore:

- In modules on the reference pages (docs/api*.md), which are the public ones, `Args` names every parameter, unless the
  docstring says "See `Other.name`" or "as `Other.name`"; `Returns` is there for a tuple, and where the first word is an
  order (`ORDERS`), not the thing returned; every field is explained. Elsewhere a docstring says what the signature does
  not. click's commands are left out: their docstring is the help, and each option has help of its own.
- An array has its shape; `QUANTITIES` have a unit or "no unit"; `RATIOS` have a range or "no unit".
- A function in `SCIENCE`, or its class, names its `Source`: paper and equation, or the page that defines it.

For public Lua functions (`function fft.forward(plan, re, im)`), in the comment on the lines above:

- Every parameter is named. `w1_re, w1_im` may be called `w1`; "as fft.inverse" refers to another function, which
  must exist. `plan` and `state` need no word where the module makes them.
- Indexed parameters have their indices, results are named, and a loop has its cost ("Cost: ...", "Creates ...").
"""

from __future__ import annotations

import ast
import re
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator


def words(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


ROOT: Final = Path(__file__).resolve().parents[2]
PACKAGES: Final = ("driver", "firmware_lua", "host_ref", "shim")
SCIENCE: Final = re.compile("elm11_host_ref/exact/|elm11_lua_driver/(levels/(?!runner)|analysis/)")
QUANTITIES: Final = words(
    "dt dj s0 scale scales sigma sigma0 period periods frequency frequencies longest_period times phase amplitude "
    "power powers noise cone_of_influence coi"
)
RATIOS: Final = words("lag1 lag1_x lag1_y al1 al2 level significance_level significance coherence usable")
ORDERS: Final = words(
    "Add Ask Begin Bring Check Choose Collect Compare Compute Cut Delete Drive Encode Enter Fetch Fill Find Fit Get "
    "Give Load Look Make Measure Move Open Put Read Rebuild Remove Replace Return Run Save Send Show Simulate Start "
    "Stop Store Take Turn Type Upload Use Wait Write"
)
UNIT: Final = re.compile(
    r"\b(bytes?|(milli)?seconds?|samples?|octaves?|units?|radians?|periods?|numbers?|index|indices)\b"
)
RANGE: Final = re.compile(r"no unit|squared coherence|-?[01]\.?\d* ?(<=?|to|and|\.\.\.?)|\bbetween\b")
ARRAY: Final = re.compile(r"\w*Array\b|ArrayLike|ndarray|NDArray|\bIntegers\b")
SHAPE: Final = re.compile(r"\bshapes?\b|\(n_", re.IGNORECASE)
REFERS: Final = re.compile(r"\b(?:[Ss]ee|[Aa]s|as in) `[\w.]+`")
ENTRY: Final = re.compile(r"^ {4}(\*{0,2}\w+(?:, \*{0,2}\w+)*):((?:.*)(?:\n {5,}.*|\n(?=\n {5,}))*)", re.MULTILINE)
Definition = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def reference() -> frozenset[str]:
    """The modules on the reference pages."""
    pages = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs").glob("api*.md"))
    named = re.findall(r"^::: ([\w.]+)", pages, re.MULTILINE)
    return frozenset(name if name.rsplit(".")[-1].islower() else name.rpartition(".")[0] for name in named)


def section(text: str, *names: str) -> str:
    """Text of the docstring's sections with these headings."""
    found = re.findall(rf"^(?:{'|'.join(names)}):\n((?:[ \t]+.*\n?|\n)*)", f"{text}\n", re.MULTILINE)
    return "\n".join(found)


def arguments(text: str) -> dict[str, str]:
    """What `Args` and `Attributes` of a docstring say, by name."""
    found = ENTRY.findall(section(text, "Args", "Attributes"))
    return {name.strip(" *"): said for names, said in found for name in names.split(",")}


def lacks(name: str, annotation: str, said: str) -> Iterator[str]:
    """What the description of a parameter, field or result lacks."""
    if ARRAY.search(annotation) and not SHAPE.search(said):
        yield f"{name} has no shape"
    if "bool" in annotation or "str" in annotation:
        return
    if name in QUANTITIES and not UNIT.search(said):
        yield f"{name} has no unit"
    if name in RATIOS and not (RANGE.search(said) or UNIT.search(said)):
        yield f"{name} has neither range nor unit"


def check_function(node: Definition, text: str, *, needs_source: bool, is_public: bool) -> Iterator[str]:
    """What the docstring of a function lacks."""
    decorators = {ast.unparse(one).split("(")[0].rsplit(".")[-1] for one in node.decorator_list}
    if not text or decorators & {"command", "group", "setter", "overload"}:
        return
    everything = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg]
    parameters = {one.arg: ast.unparse(one.annotation) for one in everything if one is not None and one.annotation}
    said = arguments(text)
    for name, annotation in parameters.items():
        if name in said:
            yield from lacks(name, annotation, said[name])
        elif is_public and not name.startswith("_") and annotation != "Unpack[Kept]" and not REFERS.search(text):
            yield f"Args lacks {name}"
    result = ast.unparse(node.returns).strip("'\"") if node.returns is not None else "None"
    returns, is_property = section(text, "Returns", "Yields"), bool(decorators & {"property", "cached_property"})
    is_order = text.split(None, 1)[0] in ORDERS or result.startswith("tuple[")
    if result in {"None", "NoReturn", "Self"} or REFERS.search(text):
        pass
    elif is_public and not returns and is_order and not is_property:
        yield "no Returns"
    elif ARRAY.search(result) and not SHAPE.search(returns or text):
        yield "the result has no shape"
    elif needs_source and re.search(r"\bfloat\b|(Float|Complex)Array", result) and not UNIT.search(returns or text):
        yield "the result has no unit"
    if needs_source and not is_property and "Source:" not in text:
        yield "no Source"


def check_fields(node: ast.ClassDef, text: str, *, is_public: bool) -> Iterator[str]:
    """What the descriptions of a class's fields lack: in its docstring, or below the field."""
    said = arguments(text)
    for this, below in zip(node.body, [*node.body[1:], ast.Pass()], strict=True):
        if isinstance(this, ast.AnnAssign) and isinstance(this.target, ast.Name) and not this.target.id.startswith("_"):
            name, annotation = this.target.id, ast.unparse(this.annotation)
            value = below.value.value if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) else None
            description = value if isinstance(value, str) else said.get(name)
            if description is not None:
                yield from lacks(name, annotation, description)
            elif is_public and not re.search("ClassVar|KW_ONLY", annotation):
                yield f"{name} is not explained"


def check_python(path: Path) -> Iterator[str]:
    """Problems of a Python file."""
    module = ".".join(path.resolve().with_suffix("").parts)
    is_public = not path.resolve().is_relative_to(ROOT) or any(module.endswith(name) for name in reference())

    def walk(body: list[ast.stmt], owner: str, above: str) -> Iterator[str]:
        for node in body:
            if isinstance(node, ast.ClassDef | Definition) and not node.name.startswith("_"):
                text = ast.get_docstring(node) or ""
                if isinstance(node, ast.ClassDef):
                    found = check_fields(node, text, is_public=is_public)
                else:
                    science = SCIENCE.search(path.as_posix()) is not None and "Source:" not in above
                    found = check_function(node, text, needs_source=science, is_public=is_public)
                yield from (f"{node.lineno}: {owner}{node.name}: {what}" for what in found)
                if isinstance(node, ast.ClassDef):
                    yield from walk(node.body, f"{owner}{node.name}.", text)

    return walk(ast.parse(path.read_text(encoding="utf-8")).body, "", "")


PUBLIC_LUA: Final = re.compile(
    r"^(?P<comment>(?:--.*\n)*)(?:function (?P<name>(?P<module>\w+)\.\w+)\((?P<parameters>[^)]*)\)(?P<rest>.*)\n"
    r"|(?P<assigned>\w+\.(?P<word>\w+)) = (?!\d|\"|\{|\w+$|\w+\.\w+$))",
    re.MULTILINE,
)
INDICES: Final = re.compile(r"\b(chunks?|index|indices|pieces|fields?|blocks?)\b|\d ?\.\. ?\w|\[1\.\.")
COST: Final = re.compile(r"\bCost: |\bCreates \w+|\bholds \d")
MADE: Final = {"plan": "plan", "state": "new"}  # parameters that a function of the module makes, and that function


def named(name: str, comment: str) -> bool:
    """True where the comment has the parameter, or the complex array that it is a part of."""
    short = re.sub(r"_(re|im|low|high)$", "", name)
    return re.search(rf"(?<!\w)({re.escape(name)}|{short})(?!\w)", comment) is not None


def check_lua(path: Path) -> Iterator[str]:
    """Problems of a Lua file."""
    text = path.read_text(encoding="ascii")
    header = text[: re.match(r"(?:--.*\n)*", text).end()]  # type: ignore[union-attr]  # it matches the empty text
    others = "".join(other.read_text(encoding="ascii") for other in sorted({path, *path.parent.glob("*.lua")}))
    comments = {one["name"]: one["comment"] for one in PUBLIC_LUA.finditer(others) if one["name"]}
    for one in PUBLIC_LUA.finditer(text):
        where = f"{text.count(chr(10), 0, one.end('comment')) + 1}: {one['name'] or one['assigned']}"
        comment = one["comment"]
        if not comment and not (one["assigned"] and re.search(rf"\b{one['word']}\b", header)):
            yield f"{where}: no comment above it"
        if not comment or one["assigned"]:
            continue
        references = re.findall(r"\bas (\w+\.\w+)", comment)
        known = {name.split(".")[0] for name in comments}
        yield from (
            f"{where}: refers to {name}, which does not exist"
            for name in references
            if name not in comments and name.split(".")[0] in known
        )
        whole = comment + "".join(comments.get(name, "") for name in references)
        body = (
            one["rest"] + text[one.end() : text.find("\nend\n", one.end())] if "end" not in one["rest"] else one["rest"]
        )
        parameters = [
            name
            for name in re.findall(r"\w+|\.\.\.", one["parameters"])
            if f"{one['module']}.{MADE.get(name)}" not in comments
        ]
        yield from (f"{where}: {name} is not explained" for name in parameters if not named(name, whole))
        indexed = [name for name in parameters if re.search(rf"(?<![\w.]){re.escape(name)}\[", body)]
        if indexed and not INDICES.search(whole):
            yield f"{where}: no indices of {', '.join(indexed)}"
        own = re.sub(r"function\(.*?\bend\b", "", body, flags=re.DOTALL)
        is_order = comment.removeprefix("--").split()[0].rstrip("s") in ORDERS
        if (
            is_order
            and re.search(r"\breturn +(?!end\b|refuse\()\S", own)
            and not re.search(r"\b[Rr]eturns?\b", comment)
        ):
            yield f"{where}: nothing about what it returns"
        if re.search(r"\b(for|while)\b", body) and not COST.search(comment):
            yield f"{where}: no cost"


def main(names: list[str]) -> int:
    """Check the files named, or all of the packages, and print what is wrong.

    Args:
        names: of the files, from the command line.

    Returns:
        The exit code: 1 where something is wrong.
    """
    files = [Path(name) for name in names] or sorted(
        path for package in PACKAGES for kind in ("*.py", "*.lua") for path in (ROOT / package).rglob(kind)
    )
    found = [
        f"{path}:{problem}"
        for path in files
        for problem in (check_lua if path.suffix == ".lua" else check_python)(path)
    ]
    print("\n".join(found) or f"docstrings: {len(files)} files, no problems")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
