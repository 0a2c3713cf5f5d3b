"""The command line program `elm11`: parse, call, print, exit code.

Results go to standard output, everything else to standard error. Exit codes: 0 done; 1 something failed; 2 a wrong
argument or file; 130 interrupted; other codes are those of the error tree in `errors.py`.
"""

from __future__ import annotations

import importlib
import sys
from typing import Final

import click

from ._errors import ExitHandling, FailureError
from .entry import InterruptGuard

COMMANDS: Final = {
    "attach": ("attach:attach", "Find a run on a board, follow it, fetch its results."),
    "cache": ("cache:cache_group", "Show or delete the results kept on this computer."),
    "calibrate": ("board:calibrate", "Measure a board's pace and speed."),
    "cancel": ("attach:cancel", "Stop what runs on a board."),
    "coherence": ("coherence:coherence", "Coherence of two series: figure, table, levels."),
    "completion": ("completion:completion", "Print the completion script for bash, zsh or fish."),
    "config": ("config:config_group", "Settings, and where each comes from."),
    "delete": ("board:delete", "Delete programs from a board."),
    "demo": ("coherence:demo", "The example of Grinsted et al. (2004), on two engines."),
    "detect": ("board:detect_command", "List the ports that have a board."),
    "doctor": ("doctor:doctor", "Check the installation and the board."),
    "exec": ("exec:exec_command", "Run Lua code on a board."),
    "info": ("board:info_command", "Show board information."),
    "list": ("board:list_command", "List the programs on a board."),
    "plan": ("plan:plan_command", "Memory, instructions and time that a job needs."),
    "reboot": ("board:reboot", "Restart a board."),
    "repl": ("exec:repl", "A terminal for the board's prompt."),
    "report": ("report:report", "Build a one-page HTML report to share."),
    "resume": ("coherence:resume", "Finish an interrupted computation."),
    "run": ("run:run_command", "Compute significance levels on a board."),
    "significance": ("coherence:significance_command", "Significance levels only."),
    "support-bundle": ("doctor:support_bundle", "Collect what a bug report needs, in a zip file."),
    "upload": ("scripts:upload", "Store Lua files on a board."),
    "virtual": ("virtual:virtual", "Start a virtual board on a serial device or TCP port."),
}
"""All commands: module and attribute in `commands`, and the line in the list. A command is imported when it is used."""


class LazyGroup(ExitHandling, click.Group):
    """A group that lists its commands by their short help, and imports the one that is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's interface
        """Names of all commands."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """A stand-in with name and short help: all that help and completion need."""
        return click.Command(cmd_name, short_help=COMMANDS[cmd_name][1]) if cmd_name in COMMANDS else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the arguments begin with, imported."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command and load(name or ""), rest


def load(name: str) -> click.Command:
    """Import a command."""
    module, _, attribute = COMMANDS[name][0].partition(":")
    try:
        with InterruptGuard():
            command: click.Command = getattr(importlib.import_module(f".commands.{module}", __package__), attribute)
            return command
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("elm11_"):
            raise
        msg = f"package {error.name} is missing: python -m pip install elm11-lua-driver (then run elm11 doctor)"
        raise FailureError(msg, 1) from error


def versions() -> str:
    """One line per program and library that a result depends on."""
    metadata = importlib.import_module("importlib.metadata")  # 30 ms that few commands need
    lines = [f"elm11-lua-driver {metadata.version('elm11-lua-driver')}", f"Python {sys.version.split()[0]}"]
    for name in ("numpy", "pycwt", "lupa"):
        try:
            lines.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            lines.append(f"{name} is not installed")
    return "\n".join(lines)


def _print_versions(ctx: click.Context, _: click.Parameter, value: bool) -> None:  # noqa: FBT001  click's interface
    if value and not ctx.resilient_parsing:
        click.echo(versions())
        ctx.exit()


@click.group(
    name="elm11",
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_print_versions,
    help="Show the versions of this program and its libraries, and exit.",
)
def main() -> None:
    """Wavelet coherence of two time series with significance levels, computed here or on an ELM11 board."""
