"""Messages besides the result: remarks, warnings, questions. All of them on standard error."""

from __future__ import annotations

import logging
import sys
import time
from typing import TYPE_CHECKING, Any, Final

import click

from .._text import as_json_text, printable
from ._errors import FailureError
from ._options import options

if TYPE_CHECKING:
    from collections.abc import Callable

_is_quiet = False  # for `info`, which has no context at hand


def _set_quiet(ctx: click.Context, _: click.Parameter, value: bool) -> bool:  # noqa: FBT001  click's interface
    global _is_quiet  # noqa: PLW0603  one command per process; tests run several, each of which sets it
    if not ctx.resilient_parsing:
        _is_quiet = value
    return value


class _StandardError(logging.StreamHandler[Any]):
    """Writes to what standard error is now; tests and progress bars change it."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)
        self._start_s = time.monotonic()

    @property
    def stream(self) -> Any:  # noqa: ANN401  a file, as the base class has it
        """Standard error."""
        return sys.stderr

    def format(self, record: logging.LogRecord) -> str:
        """Time since the start, and the message."""
        text = " ".join(record.getMessage().split())
        text = printable(text)
        return f"elm11: {time.monotonic() - self._start_s:8.3f} s: {text}"


def _set_verbose(ctx: click.Context, _: click.Parameter, value: bool) -> None:  # noqa: FBT001  click's interface
    logger = logging.getLogger("elm11_lua_driver")
    for handler in [handler for handler in logger.handlers if isinstance(handler, _StandardError)]:
        logger.removeHandler(handler)
    if value and not ctx.resilient_parsing:
        logger.addHandler(_StandardError())
        logger.setLevel(logging.INFO)
    else:
        logger.setLevel(logging.NOTSET)
    # It reports its own folders and settings, which changes nothing in the figure.
    logging.getLogger("matplotlib").setLevel(logging.NOTSET if value else logging.ERROR)


_verbose_option = click.option(
    "--verbose",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_set_verbose,
    help="Log to standard error what is being done.",
)
_QUIET: Final[dict[str, Any]] = {"is_flag": True, "callback": _set_quiet}


def quiet_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options --quiet, which the command gets as `quiet`, and --verbose."""
    quiet = click.option("--quiet", **_QUIET, help="No progress and no remarks: results, warnings and errors only.")
    decorated: Callable[..., Any] = options(quiet, _verbose_option)(command)
    return decorated


def remarks_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options --quiet and --verbose, for a command that shows no progress."""
    quiet = click.option("--quiet", **_QUIET, expose_value=False, help="No remarks: results, warnings and errors only.")
    decorated: Callable[..., Any] = options(quiet, _verbose_option)(command)
    return decorated


def echo(text: str = "") -> None:
    """Print a result on standard output, control characters escaped."""
    click.echo(printable(text))


def echo_json(document: Any) -> None:  # noqa: ANN401  whatever JSON takes
    """Print a document on standard output."""
    click.echo(as_json_text(document, indent=2))


def info(text: str) -> None:
    """Print a remark on standard error, unless --quiet is given."""
    if not _is_quiet:
        click.echo(printable(text), err=True)


def warn(text: str) -> None:
    """Print a line on standard error that --quiet does not hide: something is lost, or left in a state to know of."""
    click.echo(printable(text), err=True)


def confirm(question: str, *, yes: bool) -> None:
    """Ask for confirmation; do nothing if the user agrees."""
    if yes:
        return
    try:
        agreed = click.confirm(printable(question), err=True)
    except click.Abort as abort:
        if isinstance(abort.__context__, EOFError):
            click.echo(err=True)  # end the question's line
            raise FailureError("nobody answered the question; --yes skips it", 2) from None
        raise
    if not agreed:
        raise FailureError("nothing was changed", 1)
