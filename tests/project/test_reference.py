"""The pages docs/api*.md have every public name of the packages, once."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections import Counter

import elm11_firmware
import elm11_host_ref
import elm11_lua_driver
import elm11_shim
import pytest
from paths import ROOT

PAGE = "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").glob("api*.md")))


def own_names(module: str) -> list[str]:
    """Public classes and functions that a module defines."""
    found = vars(importlib.import_module(module)).items()
    return [name for name, value in found if not name.startswith("_") and getattr(value, "__module__", "") == module]


def shown() -> list[str]:
    """Full names on the page, as mkdocstrings takes them from its lines."""
    found = []
    for name, options in re.findall(r"^::: ([\w.]+)(?:\n    options: \{(.*)\})?$", PAGE, re.MULTILINE):
        members = re.search(r"members: \[([^\]]*)\]", options)
        if members:
            found += [f"{name}.{member}" for member in members[1].split(", ")]
        elif name.rsplit(".", 1)[1].islower():  # a module
            found += [f"{name}.{member}" for member in own_names(name)]
        else:
            found.append(name)
    return found


def found_at(full_name: str) -> object:
    module, _, name = full_name.rpartition(".")
    return getattr(importlib.import_module(module), name)


def test_every_name_on_the_page_is_there_and_once() -> None:
    counts = Counter(shown())
    assert len(counts) > 150
    assert [name for name, count in counts.items() if count > 1] == []
    for name in counts:
        found_at(name)


@pytest.mark.parametrize(
    "package", [elm11_lua_driver, elm11_shim, elm11_firmware], ids=lambda package: package.__name__
)
def test_the_page_has_what_a_package_offers(package: object) -> None:
    on_page = [found_at(name) for name in shown()]
    names = [name for name in vars(package)["__all__"] if not name.startswith("__") and name.upper() != name]
    assert len(names) > 5
    assert [name for name in names if not any(getattr(package, name) is one for one in on_page)] == []


def test_the_page_has_all_of_the_reference_mathematics() -> None:
    modules = [module.name for module in pkgutil.walk_packages(elm11_host_ref.__path__, "elm11_host_ref.")]
    names = [f"{module}.{name}" for module in modules for name in own_names(module)]
    assert len(names) > 50
    assert set(names) <= set(shown())


def test_names_that_the_pages_import_are_in_the_reference() -> None:
    on_page = {part for name in shown() for part in name.split(".")[1:]}
    imported: set[str] = set()
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for names in re.findall(r"from elm11_\S+ import ([\w, ]+)", page.read_text(encoding="utf-8")):
            imported |= {name.split(" as ")[0].strip() for name in names.split(",")}
    assert len(imported) > 10
    assert imported - on_page == {"register"}  # pycwt_mod's own hook
