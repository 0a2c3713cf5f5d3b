"""Which modules of the driver import which, read from the source."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDERS = {
    "elm11_firmware": "firmware_lua",
    "elm11_host_ref": "host_ref",
    "elm11_shim": "shim",
    "elm11_lua_driver": "driver",
}


def _is_for_type_checkers(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _statements(node: ast.AST) -> list[ast.Import | ast.ImportFrom]:
    """Import statements that run, those inside functions included."""
    found = []
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            found.append(child)
        elif not _is_for_type_checkers(child):
            found += _statements(child)
    return found


def imports(path: Path) -> set[str]:
    """Full names of the modules and names that a file imports, whenever it does."""
    folder = next(ROOT / folder for folder in FOLDERS.values() if path.is_relative_to(ROOT / folder))
    package = list(path.relative_to(folder).parent.parts)
    found = set()
    for statement in _statements(ast.parse(path.read_text(encoding="utf-8"))):
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


def driver_modules() -> dict[str, set[str]]:
    """Which modules of the driver each of them imports; the engines count as one module."""
    base = ROOT / "driver" / "elm11_lua_driver"

    def module(path: Path) -> str:
        return path.relative_to(base).with_suffix("").parts[0]

    paths = [path for path in base.rglob("*.py") if not path.stem.startswith("__") or path.parent != base]
    names = {module(path) for path in paths}
    found: dict[str, set[str]] = {name: set() for name in names}
    for path in paths:
        parts = [name.split(".") for name in imports(path)]
        found[module(path)] |= {part[1] for part in parts if part[0] == base.name and part[1:] and part[1] in names}
    return {name: imported - {name} for name, imported in found.items()}
