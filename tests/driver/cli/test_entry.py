"""The entry point: nothing heavy is imported for help, and Ctrl-C during the imports is one line."""

from __future__ import annotations

import ast
import importlib
import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import elm11_lua_driver
import pytest
from click.testing import CliRunner
from elm11_lua_driver.cli import entry, main
from elm11_lua_driver.cli.commands import scripts as scripts_cli
from paths import ROOT

DEADLINE_S = 60
HEAVY = {"numpy", "scipy", "pycwt", "matplotlib", "lupa", "serial", "tqdm"}


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=DEADLINE_S)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["nonsense"],
        ["config", "show"],
        ["completion", "bash"],
        *([name, "--help"] for name in ("coherence", "significance", "resume", "demo", "plan", "report", "cache")),
        *([name, "--help"] for name in ("detect", "list", "upload", "exec", "virtual", "doctor")),
        ["significance", "--dt", "0"],
        ["coherence", "--engine", "abacus", "x.csv"],
    ],
)
def test_what_needs_no_numbers_loads_none(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom elm11_lua_driver.cli import entry\nsys.argv = ['elm11', *%r]\ntry:\n    entry.elm11()\n"
        "except SystemExit:\n    pass\nprint('LOADED', *sys.modules)"
    )
    loaded = python(code % arguments).rpartition("LOADED")[2].split()
    assert "elm11_lua_driver.cli.main" in loaded
    assert not HEAVY & set(loaded)


def test_a_backend_for_windows_has_no_say(tmp_path: Path) -> None:
    command = "-m elm11_lua_driver significance --lag1 0.5 0.5 --dt 1 --s0 2 --scales 3 --simulations 4 --plot a.png"
    environment = {**os.environ, "MPLBACKEND": "nonsense"}
    done = subprocess.run(
        [sys.executable, *command.split()],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_S,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "a.png").exists()


def test_importing_the_package_loads_nothing_heavy() -> None:
    loaded = python("import sys, elm11_lua_driver; print(*sys.modules)").split()
    assert not HEAVY & set(loaded)


def packages() -> list[str]:
    base = Path(elm11_lua_driver.__file__).parent
    folders = [path.parent.relative_to(base.parent) for path in base.rglob("__init__.pyi")]
    return sorted(".".join(folder.parts) for folder in folders)


@pytest.mark.parametrize("package", packages())
def test_every_public_name_can_be_imported(package: str) -> None:
    module = importlib.import_module(package)
    stub = ast.parse(Path(module.__file__ or "").with_suffix(".pyi").read_text(encoding="utf-8"))
    listed = next(node for node in stub.body if isinstance(node, ast.Assign))
    assert sorted(module.__all__) == sorted(ast.literal_eval(listed.value))
    for name in module.__all__:
        assert getattr(module, name) is not None


def test_names_that_do_not_exist() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        getattr(elm11_lua_driver, "nonsense")  # noqa: B009  which type checkers refuse


def commands(group: click.Command, names: tuple[str, ...] = ()) -> dict[str, click.Command]:
    """Every command that is no group, by its words."""
    if not isinstance(group, click.Group):
        return {" ".join(names): group}
    ctx = click.Context(group)
    found: dict[str, click.Command] = {}
    for name in group.list_commands(ctx):
        command = main.load(name) if group is main.main else group.get_command(ctx, name)
        assert command is not None
        found |= commands(command, (*names, name))
    return found


COMMANDS = {
    **commands(main.main),
    "elm11-upload-scripts": scripts_cli.upload_scripts,
    "elm11-check-scripts": scripts_cli.check_scripts,
}


@pytest.mark.parametrize("name", sorted(main.COMMANDS))
def test_the_list_of_commands_says_what_each_says_itself(name: str) -> None:
    command = main.load(name)
    assert command.name == name
    assert main.COMMANDS[name][1] == command.short_help


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_can_be_quiet_and_verbose(name: str) -> None:
    options = {option for parameter in COMMANDS[name].params for option in parameter.opts}
    assert {"--quiet", "--verbose"} <= options
    without_json = {"repl", "completion"}  # a dialogue, and a script: there is no result to print
    assert ("--json" in options) == (name not in without_json)


def test_remarks_go_with_quiet_and_logs_come_with_verbose() -> None:
    runner = CliRunner()
    plain = runner.invoke(main.main, ["list", "--port", "virtual://"])
    quiet = runner.invoke(main.main, ["list", "--port", "virtual://", "--quiet"])
    verbose = runner.invoke(main.main, ["list", "--port", "virtual://", "--verbose"])
    again = runner.invoke(main.main, ["list", "--port", "virtual://"])
    assert plain.stderr == again.stderr == "no programs are stored on the board\n"
    assert quiet.stderr == ""
    assert "switched a virtual board on: virtual://" in verbose.stderr
    assert verbose.stderr.count("settings: ") == 1, "they are read once"
    assert verbose.stderr.startswith("elm11: ")
    assert plain.stdout == quiet.stdout == verbose.stdout == ""


def test_the_programs_of_the_package_start_here() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    assert {target.partition(":")[0] for target in scripts.values()} == {"elm11_lua_driver.cli.entry"}
    for target in scripts.values():
        assert callable(getattr(entry, target.partition(":")[2]))
    assert "Usage: elm11 " in python(
        "import sys; sys.argv = ['elm11', '-h']; from elm11_lua_driver.cli.entry import elm11; elm11()"
    )


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")
@pytest.mark.parametrize("where", ["elm11_lua_driver.cli._errors", "numpy", "elm11_host_ref.exact.vectorised"])
def test_an_interrupt_during_the_imports_is_one_line(where: str) -> None:
    # The module that is being imported sends the signal: no race, no waiting.
    code = f"""
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == {where!r}:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder)
sys.argv = ["elm11", "significance", "--lag1", "0", "0", "--dt", "1", "--s0", "2", "--scales", "1"]
from elm11_lua_driver.cli.entry import elm11
elm11()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=DEADLINE_S)
    assert (done.returncode, done.stdout, done.stderr) == (entry.INTERRUPTED, "", "elm11: interrupted\n")


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")
def test_ignored_interrupts_stay_ignored() -> None:
    code = (
        "import os, signal, sys\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nsys.argv = ['elm11', 'config', 'path']\n"
        "from elm11_lua_driver.cli import entry\nwith entry.InterruptGuard():\n"
        "    os.kill(os.getpid(), signal.SIGINT)\nentry.elm11()"
    )
    assert python(code).endswith("config.toml\n")
    assert signal.getsignal(signal.SIGINT) is not None


def test_a_missing_package_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str, package: str | None = None) -> None:
        raise ModuleNotFoundError(f"No module named 'scipy' ({name}, {package})", name="scipy")

    monkeypatch.setattr(importlib, "import_module", missing)
    result = CliRunner().invoke(main.main, ["plan"])
    assert result.exit_code == 1
    assert "package scipy is missing" in result.stderr
    assert result.stderr.count("\n") == 1
