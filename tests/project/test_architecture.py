"""The folders are what docs/architecture.md says, and nothing imports against the order of the layers."""

from __future__ import annotations

import ast
import re
from graphlib import TopologicalSorter

from architecture import DRIVER, FOLDERS, driver_modules, module_name, packages, room, statements
from paths import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
PICTURE = (ROOT / "docs" / "architecture.svg").read_text(encoding="utf-8")

MAX_FILES_AT_THE_TOP = 8
MAX_MODULES = 18
MAX_LINES = 600

OPTIONAL = {
    "dask",
    "distributed",
    "elm11_shim",
    "fcntl",
    "grp",
    "lupa",
    "matplotlib",
    "msvcrt",
    "pycwt",
    "pycwt_mod",
    "pwd",
    "scipy",
    "serial",
    "tqdm",
}
"""Libraries that are heavy, optional or of one system only: a function may import them."""


def table(heading: str) -> list[list[str]]:
    """Cells of the rows of the first table below a heading."""
    lines = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")][1:]


def names(cell: str) -> list[str]:
    return re.findall(r"`(\w+)`", cell)


LAYERS = [names(rooms) for _, rooms, _ in table("The driver")]
RANK = {name: number for number, layer in enumerate(LAYERS) for name in layer}


def test_packages_import_what_the_page_says() -> None:
    said = {names(package)[0]: set(names(imported)) for _, package, _, imported in table("Packages")}
    assert said == packages()


def test_every_room_of_the_driver_is_on_the_page_once() -> None:
    rooms = {room(name) for name in driver_modules()} - {"", "__main__"}
    assert sorted(name for layer in LAYERS for name in layer) == sorted(rooms)


def test_no_layer_imports_from_one_above_it() -> None:
    wrong = [
        f"{module} imports {imported}"
        for module, those in driver_modules().items()
        if room(module) in RANK
        for imported in those
        if room(imported) in RANK
        and room(imported) != room(module)
        and RANK[room(imported)] >= RANK[room(module)]
        # Those of the ground layer are small and may use each other.
        and not RANK[room(imported)] == RANK[room(module)] == 0
    ]
    assert wrong == []


def test_no_module_imports_in_a_circle() -> None:
    list(TopologicalSorter(driver_modules()).static_order())  # raises CycleError, which names the circle


def test_functions_import_only_what_is_heavy_or_optional() -> None:
    wrong = []
    for path in sorted(DRIVER.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        at_the_top = {id(statement) for statement in tree.body}
        for statement in statements(tree):
            library = statement.names[0].name if isinstance(statement, ast.Import) else statement.module or ""
            is_ours = isinstance(statement, ast.ImportFrom) and statement.level
            if id(statement) not in at_the_top and (is_ours or library.split(".")[0] not in OPTIONAL):
                wrong.append(f"{module_name(path)}, line {statement.lineno}: {library}")
    assert wrong == []


def test_folders_are_small_and_modules_are_short() -> None:
    for folder in [DRIVER, *(path for path in DRIVER.rglob("*") if path.is_dir())]:
        limit = MAX_FILES_AT_THE_TOP if folder == DRIVER else MAX_MODULES
        files = [path.name for path in folder.iterdir() if path.is_file() and path.suffix != ".pyc"]
        assert len([name for name in files if name != "__init__.py"]) <= limit, folder
    long = {module_name(path): len(path.read_text("utf-8").splitlines()) for path in DRIVER.rglob("*.py")}
    assert {name: lines for name, lines in long.items() if lines > MAX_LINES} == {}


def test_every_package_says_what_lives_there() -> None:
    for path in DRIVER.rglob("__init__.py"):
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), path


def test_the_picture_shows_every_package_and_every_layer() -> None:
    for name in [*FOLDERS, *RANK]:
        assert f">{name}<" in PICTURE, name
