"""Which packages of the project, and of the driver, import which: read from the source."""

from __future__ import annotations

import ast
from functools import cache
from typing import TYPE_CHECKING

from paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FOLDERS = {
    "elm11_firmware": "firmware_lua",
    "elm11_host_ref": "host_ref",
    "elm11_shim": "shim",
    "elm11_lua_driver": "driver",
}
DRIVER = ROOT / "driver" / "elm11_lua_driver"


def _is_for_type_checkers(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def statements(node: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """Import statements that run, those inside functions included."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        elif not _is_for_type_checkers(child):
            yield from statements(child)


def _package_of(path: Path) -> list[str]:
    folder = next(ROOT / folder for folder in FOLDERS.values() if path.is_relative_to(ROOT / folder))
    return list(path.relative_to(folder).parent.parts)


def imports(path: Path) -> set[str]:
    """Full names of the modules and names that a file imports, whenever it does."""
    package = _package_of(path)
    found = set()
    for statement in statements(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(statement, ast.Import):
            found |= {alias.name for alias in statement.names}
        else:
            above = package[: len(package) - statement.level + 1] if statement.level else []
            base = ".".join([*above, *filter(None, [statement.module])])
            found |= {f"{base}.{alias.name}" for alias in statement.names} | {base}
    return found


def packages() -> dict[str, set[str]]:
    """Which of our packages each of them imports."""
    return {
        package: {
            name.split(".")[0]
            for path in (ROOT / folder / package).rglob("*.py")
            for name in imports(path)
            if name.split(".")[0] in FOLDERS
        }
        - {package}
        for package, folder in FOLDERS.items()
    }


def module_name(path: Path) -> str:
    """A file's module, such as `elm11_lua_driver.jobs.job`; a package is named by its folder."""
    parts = [*_package_of(path), path.stem]
    return ".".join(parts[:-1] if path.stem == "__init__" else parts)


@cache
def driver_modules() -> dict[str, set[str]]:
    """Which modules of the driver each of them imports, by their full names; a package stands for its `__init__`."""
    files = {module_name(path): path for path in DRIVER.rglob("*.py")}
    found = {}
    for name, path in files.items():
        imported = imports(path)
        # A name from a package that is no module of its own comes from the package's `__init__`.
        found[name] = {one for one in imported if one in files and one != name}
        found[name] -= {one for one in found[name] if any(f"{one}.{leaf}" in imported for leaf in _leaves(one, files))}
    return found


def _leaves(package: str, files: dict[str, Path]) -> set[str]:
    return {name.removeprefix(f"{package}.") for name in files if name.rpartition(".")[0] == package}


def room(module: str) -> str:
    """The driver's package, or its module at the top, that a module belongs to."""
    return module.split(".")[1] if "." in module else ""
