"""`elm11 doctor` and `elm11 support-bundle`: check the installation, and collect what a bug report needs."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Final

import click

from ..._files.atomic import check_writable
from ..._text import printable
from ...config import FileName
from ...diagnostics import bundle
from ...diagnostics import doctor as checks
from ...diagnostics.check import Check, State
from .._board_options import complete_port
from .._messages import confirm, echo, echo_json, info, quiet_option, warn
from .._options import json_option, yes_option
from ..main import versions

_port_option = click.option(
    "--port",
    metavar="PORT",
    shell_complete=complete_port,
    help="The board's port.  [default: as configured, else every port that may have a board]",
)
_COLOURS: Final = {State.OK: "green", State.WARNING: "yellow", State.FAILED: "red", State.SKIPPED: "cyan"}
_INDENT: Final = 23


@click.command(short_help="Check the installation and the board.")
@_port_option
@click.option("--strict", is_flag=True, help="Exit code 1 also after warnings.")
@json_option
@quiet_option
def doctor(port: str | None, *, strict: bool, as_json: bool, quiet: bool) -> None:
    """Check this computer, the port, the board, and a run on a virtual board; say what to do.

    Changes nothing and needs no administrator rights. Opens only ports with the board's USB chip (FTDI) and the one
    given with --port; running programs are left alone.

    \b
    Exit codes: 0 all is well (warnings are advice), 1 a check has failed (or, with --strict, warned),
    2 a wrong argument, 130 interrupted.

    \b
    Examples:
      elm11 doctor
      elm11 doctor --json --strict
    """  # noqa: D301
    done = []
    for check in checks.examine(port=port):
        done.append(check)
        if not as_json and not (quiet and check.state in {State.OK, State.SKIPPED}):
            _print(check)
    if as_json:
        echo_json(checks.to_dict(done))
    else:
        _print_steps(done)
    states = {check.state for check in done}
    if State.FAILED in states or (strict and State.WARNING in states):
        sys.stdout.flush()
        sys.exit(1)  # without a message: all is said


def _print(check: Check) -> None:
    click.echo(click.style(f"{check.state:8}", fg=_COLOURS[check.state]) + printable(f" {check.name:13} {check.found}"))
    # Advice after failures and warnings is printed at the end; other advice is optional.
    if check.state in {State.OK, State.SKIPPED} and check.advice:
        for line in (check.advice, *(f"  {command}" for command in check.commands)):
            echo(f"{'':{_INDENT}}{line}")
    sys.stdout.flush()


def _print_steps(done: list[Check]) -> None:
    steps = checks.what_to_do(done)
    echo()
    if not steps:
        has_board = any(check.name == "programs" and check.state is State.OK for check in done)
        example = "elm11 run --help" if has_board else "elm11 demo"
        echo(f"All is well. To begin: {example}")
        return
    echo("What to do:")
    for number, step in enumerate(steps, start=1):
        echo(f"{number}. {step}")


@click.command("support-bundle", short_help="Collect what a bug report needs, in a zip file.")
@click.option(
    "-o", "--output", type=FileName(), metavar="FILE", help="The zip file.  [default: elm11-support-TIME.zip]"
)
@_port_option
@yes_option
@json_option
@quiet_option
def support_bundle(output: str | None, port: str | None, *, yes: bool, as_json: bool, quiet: bool) -> None:
    """Collect what elm11 doctor finds, settings, versions, the last byte trace (--trace) and recent runs in a zip file.

    Shows the contents and asks for confirmation unless --yes is given. Includes only this program's environment
    variables (such as ELM11_PORT), and writes your home directory as ~. Nothing is sent anywhere.

    \b
    Example:
      elm11 support-bundle -o bundle.zip
    """  # noqa: D301
    path = Path(output if output is not None else time.strftime("elm11-support-%Y%m%d-%H%M%S.zip"))
    try:
        check_writable(path)
    except ValueError as error:
        msg = f"--output: {error}"
        raise ValueError(msg) from error
    found = []
    for check in checks.examine(port=port):
        found.append(check)
        if not quiet:
            info(f"checked: {check.name}: {check.state}")
    items = bundle.collect(found, versions(), os.environ)
    warn("Contents:")
    for item in items:
        warn(f"  {item.name:28} {len(item.content.encode()):8} bytes  {item.what}")
    overwrites = " (it exists, and is overwritten)" if path.exists() else ""
    confirm(f"Write {path}{overwrites}", yes=yes)
    bundle.write(items, path)
    if as_json:
        echo_json({"file": str(path), "contents": [item.name for item in items]})
    else:
        echo(str(path))
    info("Check the contents, then attach the file to your report.")
