"""The command line program `elm11`: parse, call, print, exit code.

Results go to standard output, everything else to standard error. Exit codes: 0 done; 1 something failed; 2 a wrong
argument or file; 130 interrupted; other codes are those of the error tree in `errors.py`.
"""

from __future__ import annotations

import platform
from typing import Final

import click

from ._lazy import LazyCommand, LazyGroup

COMMANDS: Final = {
    "attach": LazyCommand("attach", "attach", "Find a run on a board, follow it, fetch its results."),
    "cache": LazyCommand("cache", "cache_group", "Results kept on this computer."),
    "calibrate": LazyCommand("board", "calibrate", "Measure how fast a board takes bytes and computes."),
    "cancel": LazyCommand("attach", "cancel", "Stop what runs on a board."),
    "coherence": LazyCommand("coherence", "coherence", "Coherence of two series: picture, table, levels."),
    "completion": LazyCommand("completion", "completion", "Script for completion in bash, zsh or fish."),
    "config": LazyCommand("config", "config_group", "Settings, and where each comes from."),
    "delete": LazyCommand("board", "delete", "Delete programs from a board."),
    "demo": LazyCommand("coherence", "demo", "The example of Grinsted et al. (2004), by two engines."),
    "detect": LazyCommand("board", "detect_command", "Which ports have a board."),
    "doctor": LazyCommand("doctor", "doctor", "Check everything, and say what to do."),
    "exec": LazyCommand("exec", "exec_command", "Run Lua code on a board."),
    "info": LazyCommand("board", "info", "What a board says of itself."),
    "list": LazyCommand("board", "list_command", "Which programs are on a board."),
    "plan": LazyCommand("plan", "plan_command", "What a job will take: memory, instructions, time."),
    "reboot": LazyCommand("board", "reboot", "Start the board anew."),
    "repl": LazyCommand("exec", "repl", "A small terminal for the board's prompt."),
    "report": LazyCommand("report", "report", "A result as one HTML page, to read and to hand on."),
    "resume": LazyCommand("coherence", "resume", "Finish a computation that was broken off."),
    "run": LazyCommand("run", "run_command", "Have a board compute significance levels."),
    "significance": LazyCommand("coherence", "significance_command", "Only the significance levels."),
    "support-bundle": LazyCommand("doctor", "support_bundle", "Collect what a bug report needs, in a zip."),
    "upload": LazyCommand("scripts", "upload", "Store Lua files on a board."),
    "virtual": LazyCommand("virtual", "virtual", "A virtual board, on a device or on TCP."),
}
"""All commands. They are imported when they are used: NumPy alone takes a tenth of a second."""


def versions() -> str:
    """One line per program and library that a result depends on."""
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415  30 ms that few commands need

    lines = [f"elm11-lua-driver {version('elm11-lua-driver')}", f"Python {platform.python_version()}"]
    for name in ("numpy", "pycwt", "lupa"):
        try:
            lines.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            lines.append(f"{name} is not installed")
    return "\n".join(lines)


def _print_versions(ctx: click.Context, _: click.Parameter, value: bool) -> None:  # noqa: FBT001  click's interface
    if value and not ctx.resilient_parsing:
        click.echo(versions())
        ctx.exit()


@click.group(
    name="elm11",
    cls=LazyGroup,
    lazy=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_print_versions,
    help="Show the version of this program and of the libraries it computes with, and exit.",
)
def main() -> None:
    """Wavelet coherence of two time series and its significance levels; and the ELM11 board, which can compute them."""
