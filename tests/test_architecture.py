"""docs/architecture.md says which modules there are and who imports whom; the source agrees."""

from __future__ import annotations

import re

from architecture import FOLDERS, ROOT, driver_modules, packages

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
PICTURE = (ROOT / "docs" / "architecture.svg").read_text(encoding="utf-8")

EXCEPTION = ("job", "job_plan")
"""The one import against the order, which the page tells."""


def table(heading: str) -> list[list[str]]:
    """Cells of the rows of the first table below a heading."""
    lines = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")][1:]


def names(cell: str) -> list[str]:
    return re.findall(r"`(\w+)`", cell)


def test_packages_import_what_the_page_says() -> None:
    said = {names(package)[0]: set(names(imported)) for _, package, _, imported in table("Packages")}
    assert said == packages()


def test_every_module_of_the_driver_is_on_the_page_once() -> None:
    listed = [name for _, modules, _ in table("The driver") for name in names(modules)]
    assert sorted(listed) == sorted(driver_modules())


def test_no_group_imports_from_one_below_it() -> None:
    group = {name: number for number, (_, modules, _) in enumerate(table("The driver")) for name in names(modules)}
    upwards = [(a, b) for a, imported in driver_modules().items() for b in imported if group[b] > group[a]]
    assert upwards == [EXCEPTION]
    assert all(f"`{name}`" in PAGE.split("There is one exception:")[1].split("\n\n")[0] for name in EXCEPTION[1:])


def test_the_picture_shows_every_package_and_every_group() -> None:
    for name in [*FOLDERS, *(group for group, *_ in table("The driver"))]:
        assert f">{name}<" in PICTURE, name
