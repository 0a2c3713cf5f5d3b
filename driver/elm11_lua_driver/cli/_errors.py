"""How a command ends: with a message on standard error and an exit code, never with a traceback."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click

from ..errors import Elm11Error
from .entry import INTERRUPTED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

OPTION_OF: Final = {
    "J": "--scales",
    "lag1_x": "--lag1",
    "lag1_y": "--lag1",
    "|lag1_x|": "--lag1",
    "|lag1_y|": "--lag1",
    "n_simulations": "--simulations",
    "significance_level": "--level",
    "scale_box": "--scale-box",
}
"""Options whose argument has another name in the library."""


class FailureError(Exception):
    """A command ends with this message and exit code.

    Args:
        message: what happened.
        exit_code: as `errors` lists them.
    """

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class _EndsPlainly(click.Command):
    """Ends every failure with a message on standard error and an exit code, never with a traceback."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: FBT001, FBT002  click's interface
        **extra: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        """Parse and run; exits, unless `standalone_mode` is off."""
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        mend_streams()
        escape_foreign_letters()
        with plain_warnings(), _plain_end(self.name or "elm11"):
            super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
            sys.stdout.flush()
        return sys.exit(0)

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,  # noqa: ANN401
    ) -> click.Context:
        """Parse the arguments. Ctrl-C becomes an abort here, as in `invoke`."""
        try:
            return super().make_context(info_name, args, parent, **extra)
        except KeyboardInterrupt:
            raise click.Abort from None

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401
        """Run a command. Ctrl-C becomes an abort here, before click prints an empty line for it."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise click.Abort from None


class Elm11Group(_EndsPlainly, click.Group):
    """A group of commands that ends plainly."""


class Elm11Command(_EndsPlainly):
    """A command that is a program of its own, and ends plainly."""


@contextlib.contextmanager
def _plain_end(program: str) -> Iterator[None]:
    """Turn every failure into a message on standard error and an exit code."""
    try:
        yield
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else error.format_message(), err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        ctx: click.Context | None = getattr(error, "ctx", None)
        _fail(ctx.command_path if ctx else program, error.format_message(), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _fail(program, "interrupted", INTERRUPTED)
    except FailureError as error:
        _fail(program, str(error), error.exit_code)
    except Elm11Error as error:
        _fail(program, str(error), error.exit_code, keep_lines=True)
    except ValueError as error:
        _fail(program, _with_option(str(error)), 2)
    except MemoryError:
        _fail(program, "not enough memory; use fewer scales (--scales, --dj) or a shorter series", 1)
    except OSError as error:
        _fail_by_system(program, error)


def _fail_by_system(program: str, error: OSError) -> NoReturn:
    """End for a reason that the system gave."""
    if error.errno == errno.EPIPE:
        _drop_unwritten()  # whoever read the output has left
        sys.exit(1)
    if error.errno == errno.ENOENT and not error.filename and not _folder_exists():
        _fail(program, "the current folder has been deleted; change to another one", 1)
    where = f"{error.filename}: " if error.filename else ""
    _fail(program, f"{where}{error.strerror or error}", 1)


def _folder_exists() -> bool:
    try:
        Path.cwd()
    except FileNotFoundError:
        return False
    return True


def _fail(program: str, message: str, exit_code: int, *, keep_lines: bool = False) -> NoReturn:
    lines: list[str] = []
    for line in message.rstrip().splitlines():
        # Lists of ports and tracebacks of the board are lines on purpose; all else is one.
        if keep_lines and lines and line.startswith(("  ", "\t", "stack traceback:")):
            lines.append(line)
        else:
            lines[-1:] = [" ".join([*lines[-1:], *line.split()])]
    # A number of three hundred digits says no more than its first ones.
    text = re.sub(r"[0-9]{40,}", lambda digits: f"{digits[0][:6]}... ({len(digits[0])} digits)", "\n".join(lines))
    try:
        click.echo(f"{program}: {text}", err=True)
    except OSError:  # there is nowhere left to say it
        exit_code = 1
    _drop_unwritten()
    sys.exit(exit_code)


def _drop_unwritten() -> None:
    """Turn streams that cannot be written into nothing: the interpreter flushes them once more at its end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _with_option(message: str) -> str:
    """The message, with the option in front whose argument it names by another name."""
    option = OPTION_OF.get(message.split(" ", 1)[0])
    return f"{option}: {message}" if option else message


def mend_streams() -> None:
    """Give a process whose standard streams were closed (``>&-``) empty ones: Python has None in their place."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123  open to the end


def escape_foreign_letters() -> None:
    """Have letters of labels and file names printed as escapes where the terminal's encoding does not have them."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


@contextlib.contextmanager
def plain_warnings() -> Iterator[None]:
    """Warnings meant for users as one line each on standard error, every text once; others not at all."""
    shown = set()

    def show(message: Warning | str, *_: object, **__: object) -> None:
        text = " ".join(str(message).split())
        if text not in shown:
            shown.add(text)
            click.echo(f"elm11: warning: {text}", err=True)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.filterwarnings("always", category=UserWarning)
        warnings.showwarning = show
        yield
