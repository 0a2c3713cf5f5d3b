"""How tests start commands about a board, and what they start them with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from click.testing import CliRunner, Result
from elm11_lua_driver import Job
from elm11_lua_driver.cli import main

if TYPE_CHECKING:
    from pathlib import Path

    import click

VIRTUAL = "virtual://"
JOB = Job(lag1_x=0.5, lag1_y=-0.3, dt=0.25, dj=0.5, s0=0.5, J=3, n_simulations=20)
WHAT = ["--lag1", "0.5", "-0.3", "--dt", "0.25", "--dj", "0.5", "--s0", "0.5", "--scales", "3"]
JOB_OPTIONS = [*WHAT, "--simulations", "20"]
DEADLINE_S = 60.0


def start(program: click.Command, *arguments: str | Path, answer: str = "") -> Result:
    return CliRunner().invoke(program, [str(argument) for argument in arguments], input=answer)


def elm11(*arguments: str | Path, answer: str = "") -> Result:
    return start(main.main, *arguments, answer=answer)


def done(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return result.stdout


def failed(result: Result, exit_code: int) -> str:
    assert result.exit_code == exit_code, result.output
    assert "Traceback" not in result.output
    assert result.stderr
    return " ".join(result.stderr.split())
