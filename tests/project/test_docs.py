"""The lines shown in the documentation and in docstrings do what they say."""

from __future__ import annotations

import doctest
import importlib
import os
import re
import shlex
import subprocess
import sys
import warnings
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner
from elm11_lua_driver.cli import main
from elm11_lua_driver.cli.commands import scripts
from paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize(
    "page", [page for page in PAGES if ">>>" in page.read_text(encoding="utf-8")], ids=lambda page: page.name
)
def test_examples_on_the_page(page: Path) -> None:
    with warnings.catch_warnings():
        result = doctest.testfile(str(page), module_relative=False, encoding="utf-8", optionflags=doctest.ELLIPSIS)
    assert result.attempted > 0
    assert result.failed == 0


MODULES_WITH_EXAMPLES = (
    "analysis.from_cwt",
    "jobs.job",
    "levels.levels",
    "planning.plan",
    "plotting.coherence",
    "plotting.levels",
    "report.html",
)


@pytest.mark.parametrize(
    "module",
    [f"elm11_lua_driver.{name}" for name in MODULES_WITH_EXAMPLES],
)
def test_examples_in_docstrings(module: str) -> None:
    result = doctest.testmod(importlib.import_module(module))
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_pictures_exist(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_every_page_is_found_from_the_readme() -> None:
    found, new = set(), {ROOT / "README.md"}
    while new:
        page = new.pop()
        found.add(page)
        targets = re.findall(r"\]\(([^)#\s]+\.md)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        new |= {(page.parent / target).resolve() for target in targets if "://" not in target} - found
    assert found >= set((ROOT / "docs").glob("*.md"))


def test_the_tutorial_does_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```(python|console)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert [kind for kind, _ in blocks] == ["python", "console", "console", "console", "console", "python"]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "make_series.py").write_text(blocks[0][1], encoding="utf-8")
    (tmp_path / "last.py").write_text(blocks[-1][1], encoding="utf-8")
    for line in [text for kind, text in blocks if kind == "console"] + ["$ python last.py"]:
        program, *arguments = shlex.split(line.removeprefix("$ "))
        if program == "elm11":
            done = CliRunner().invoke(main.main, arguments)
            assert done.exit_code == 0, done.output
        else:
            assert program == "python"
            environment = {**os.environ, "OMP_NUM_THREADS": "1"}
            subprocess.run([sys.executable, *arguments], check=True, timeout=120, env=environment)
    levels = (tmp_path / "levels.csv").read_text(encoding="utf-8").splitlines()[2:]
    rows = [[float(cell) for cell in line.split(",")] for line in levels]
    significant = {row[0]: row[-1] for row in rows}
    assert max(share for period, share in significant.items() if 2 < period < 3.5) > 0.7
    assert (tmp_path / "report.html").stat().st_size > 10_000
    assert (tmp_path / "coherence.png").stat().st_size > 10_000


def test_the_readme_leads_to_a_figure_in_five_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last command; `make dist` runs all of them, on a clone."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.search(r"^```\n(git clone .*?)^```", text, re.MULTILINE | re.DOTALL)
    assert block
    commands = block[1].splitlines()
    assert len(commands) <= 5
    monkeypatch.chdir(tmp_path)
    for name, step in (("x", 7), ("y", 11)):
        rows = "".join(f"{2000 + i},{i * i * i % step}\n" for i in range(60))
        (tmp_path / f"{name}.csv").write_text(f"year,{name}\n{rows}", encoding="ascii")
    done = CliRunner().invoke(main.main, shlex.split(commands[-1])[1:])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "coherence.png").stat().st_size > 10_000


def test_the_five_commands_of_the_start_page_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are parsed, with all their options, and not run: the tutorial and the demo are elsewhere."""
    text = (ROOT / "docs" / "index.md").read_text(encoding="utf-8").split("## Five commands")[1]
    commands = re.findall(r"^\| `elm11 ([^`]+)` \|", text, re.MULTILINE)
    assert len(commands) == 5
    monkeypatch.chdir(tmp_path)
    for name in ("rain.csv", "river.csv", "levels.npz"):
        (tmp_path / name).touch()
    with main.main.make_context("elm11", ["doctor"]) as context:
        for line in commands:
            name, *arguments = shlex.split(line)
            command = main.load(name)
            assert not command.make_context(name, arguments, parent=context).args


def shown_commands() -> list[str]:
    """Lines of `elm11...` on the pages: typed at a prompt, in a block of commands, or in the text."""
    found: set[str] = set()
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        if page.name in {"changelog.md", "provoked-errors.md"}:  # the second is tested command by command
            continue
        text = page.read_text(encoding="utf-8").replace("\\\n", " ")
        found |= set(re.findall(r"`(elm11(?:-upload-scripts|-check-scripts)? [^`\n]+)`", text))
        found |= set(
            re.findall(
                r"^(?:\$ )?(?:[A-Z0-9_]+=\S+ |\.venv/bin/)?(elm11(?:-upload-scripts|-check-scripts)? [^\n#]+)",
                text,
                re.MULTILINE,
            )
        )
    return sorted(found)


@pytest.mark.parametrize("line", shown_commands())
def test_every_command_on_the_pages_exists_with_its_options(line: str) -> None:
    program, *words = shlex.split(line.strip())
    programs: dict[str, click.Command] = {
        "elm11": main.main,
        "elm11-upload-scripts": scripts.upload_scripts,
        "elm11-check-scripts": scripts.check_scripts,
    }
    command = programs[program]
    with command.make_context(
        program, ["--help-not-asked"], resilient_parsing=True, ignore_unknown_options=True
    ) as ctx:
        while isinstance(command, click.Group) and words and not words[0].startswith("-"):
            word = words.pop(0)
            found = main.load(word) if command is main.main else command.get_command(ctx, word)
            assert found is not None, line
            command = found
    known = {name for option in command.params for name in [*option.opts, *option.secondary_opts]} | {"--help"}
    assert {word.split("=")[0] for word in words if re.match(r"--?[a-z]", word)} <= known


def test_commands_are_found_on_the_pages() -> None:
    assert len(shown_commands()) > 50
