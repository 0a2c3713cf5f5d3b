"""Completion: the scripts, and what they get when they ask."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
from click.shell_completion import BashComplete
from click.testing import CliRunner
from elm11_lua_driver import config
from elm11_lua_driver.cli import main
from elm11_lua_driver.cli.commands.completion import PROGRAMS
from serial.tools import list_ports

DEADLINE_S = 60


def completions(words: str, place: int) -> list[str]:
    """What a shell is given for the word at a place; the protocol of click."""
    environment = {"COMP_WORDS": words, "COMP_CWORD": str(place), "_ELM11_COMPLETE": "bash_complete"}
    result = CliRunner().invoke(main.main, [], env=environment, prog_name="elm11", complete_var="_ELM11_COMPLETE")
    assert result.exit_code == 0, result.output
    return [line.partition(",")[2] for line in result.stdout.splitlines()]


def test_commands() -> None:
    assert completions("elm11 co", 1) == ["coherence", "completion", "config"]
    assert set(completions("elm11 ", 1)) == set(main.COMMANDS)
    assert completions("elm11 config ", 2) == ["path", "show"]


def test_options_and_choices() -> None:
    assert "--port" in completions("elm11 info --po", 2)
    assert completions("elm11 significance --engine nu", 3) == ["numpy"]


def test_ports_are_listed_and_not_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    class Port:
        device = "/dev/ttyUSB7"
        description = "a board"

    monkeypatch.setattr(list_ports, "comports", lambda: [Port()])
    assert completions("elm11 info --port ", 3) == ["/dev/ttyUSB7", "virtual://"]
    assert completions("elm11 doctor --port /dev", 3) == ["/dev/ttyUSB7"]


def test_names_of_programs() -> None:
    assert "run.lua" in completions("elm11 delete ru", 2)


def test_a_broken_configuration_does_not_break_completion(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(config.variable("workers"), "many")
    assert "--port" in completions("elm11 info --po", 2)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts(shell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BashComplete, "_check_version", staticmethod(lambda: None))
    result = CliRunner().invoke(main.main, ["completion", shell])
    assert result.exit_code == 0
    assert f"{shell}_complete" in result.stdout
    for program in PROGRAMS:  # the variable is the one that click asks for in that program
        assert f"_{program.replace('-', '_').upper()}_COMPLETE={shell}_complete" in result.stdout
    assert "install" in result.stderr
    if os.name == "posix" and shutil.which(shell):  # the bash of Windows is another system's
        checked = subprocess.run(
            [shell, "-n"], input=result.stdout, text=True, capture_output=True, check=False, timeout=DEADLINE_S
        )
        assert checked.returncode == 0, checked.stderr
