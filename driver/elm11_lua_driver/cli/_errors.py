"""Errors become exit codes here: one message on standard error, never a traceback."""

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

from .._text import as_json_text, printable
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


class FailureError(click.ClickException):
    """A command ends with this message and exit code.

    Args:
        message: what happened.
        exit_code: as `errors` lists them.
    """

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]  # click's own subclasses set it per class


class ExitHandling(click.Command):
    """A program that ends every failure with one message on standard error and an exit code."""

    def main(  # type: ignore[override]  # positional arguments but the first are not used
        self,
        args: Sequence[str] | None = None,
        *,
        standalone_mode: bool = True,
        **extra: Any,  # noqa: ANN401  click's interface
    ) -> Any:  # noqa: ANN401
        """Parse and run; exits, unless `standalone_mode` is off."""
        if not standalone_mode:
            return super().main(args, standalone_mode=False, **extra)
        _prepare_streams()
        words = list(sys.argv[1:] if args is None else args)
        as_json = "--json" in words[: words.index("--") if "--" in words else None]
        with plain_warnings(), _exit_codes(self.name or "elm11", as_json=as_json):
            super().main(args, standalone_mode=False, **extra)
            sys.stdout.flush()
        return sys.exit(0)

    def make_context(self, *args: Any, **extra: Any) -> click.Context:  # noqa: ANN401
        """Parse the arguments. Ctrl-C becomes an abort here, as in `invoke`."""
        try:
            return super().make_context(*args, **extra)
        except KeyboardInterrupt:
            raise click.Abort from None

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401
        """Run a command. Ctrl-C becomes an abort here, before click prints an empty line for it."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise click.Abort from None


@contextlib.contextmanager
def _exit_codes(program: str, *, as_json: bool) -> Iterator[None]:  # noqa: C901  one branch per kind of failure
    """Turn every failure into a message on standard error, as JSON if the result would have been, and an exit code."""

    def fail(error: BaseException, message: str, exit_code: int, program: str = program) -> NoReturn:
        keep_lines = isinstance(error, Elm11Error)
        _fail(program, _shortened(message, keep_lines=keep_lines), exit_code, type(error).__name__ if as_json else "")

    try:
        yield
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else error.format_message(), err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        ctx: click.Context | None = getattr(error, "ctx", None)
        fail(error, error.format_message(), error.exit_code, ctx.command_path if ctx else program)
    except (click.Abort, KeyboardInterrupt) as error:
        fail(error, "interrupted", INTERRUPTED)
    except Elm11Error as error:
        fail(error, str(error), error.exit_code)
    except ValueError as error:
        option = OPTION_OF.get(str(error).split(" ", 1)[0])
        fail(error, f"{option}: {error}" if option else str(error), 2)
    except MemoryError as error:
        fail(error, "not enough memory; use fewer scales (--scales, --dj) or a shorter series", 1)
    except OSError as error:
        if error.errno == errno.EPIPE:
            _drop_unwritten()  # whoever read the output has left
            sys.exit(1)
        if error.errno == errno.ENOENT and not error.filename and not _folder_exists():
            fail(error, "the current folder has been deleted; change to another one", 1)
        where = f"{error.filename}: " if error.filename else ""
        fail(error, f"{where}{error.strerror or error}", 1)


def _folder_exists() -> bool:
    try:
        return bool(Path.cwd())
    except FileNotFoundError:
        return False


def _shortened(message: str, *, keep_lines: bool) -> str:
    """The message as one line, or as a line and a list."""
    lines: list[str] = []
    for line in message.rstrip().splitlines():
        # Lists of ports and tracebacks of the board are lines on purpose; all else is one.
        if keep_lines and lines and line.startswith(("  ", "\t", "stack traceback:")):
            lines.append(line)
        else:
            lines[-1:] = [" ".join([*lines[-1:], *line.split()])]
    # A number of three hundred digits says no more than its first ones.
    return re.sub(r"[0-9]{40,}", lambda digits: f"{digits[0][:6]}... ({len(digits[0])} digits)", "\n".join(lines))


def _fail(program: str, message: str, exit_code: int, kind: str) -> NoReturn:
    text = f"{program}: {printable(message)}"
    if kind:
        text = as_json_text({"error": {"message": message, "exit_code": exit_code, "type": kind}})
    try:
        click.echo(text, err=True)
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


def _prepare_streams() -> None:
    """Replace streams that were closed (``>&-``), and escape letters that a stream's encoding does not have."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123  open to the end
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


@contextlib.contextmanager
def plain_warnings() -> Iterator[None]:
    """Warnings meant for users as one line each on standard error, every text once; others are hidden."""
    shown = set()

    def show(message: Warning | str, *_: object, **__: object) -> None:
        text = " ".join(str(message).split())
        if text not in shown:
            shown.add(text)
            click.echo(f"elm11: warning: {printable(text)}", err=True)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.filterwarnings("always", category=UserWarning)
        warnings.showwarning = show
        yield
