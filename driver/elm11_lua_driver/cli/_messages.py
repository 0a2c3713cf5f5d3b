"""What a command says besides its result: remarks, warnings, questions, progress. All of it on standard error."""

from __future__ import annotations

import logging
import sys
import time
from typing import TYPE_CHECKING, Any, Final, Self

import click

from ._errors import FailureError
from ._options import options

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

_is_quiet = False  # for `say`, which is called where no context is at hand


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
    # It remarks on its own folders and settings, and draws all the same.
    logging.getLogger("matplotlib").setLevel(logging.NOTSET if value else logging.ERROR)


_verbose_option = click.option(
    "--verbose",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_set_verbose,
    help="Say on standard error what is being done.",
)
_QUIET: Final[dict[str, Any]] = {"is_flag": True, "callback": _set_quiet}


def quiet_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options --quiet, which the command gets as `quiet`, and --verbose.

    Args:
        command: the function that is decorated.
    """
    quiet = click.option("--quiet", **_QUIET, help="No progress and no remarks: results, warnings and errors only.")
    decorated: Callable[..., Any] = options(quiet, _verbose_option)(command)
    return decorated


def remarks_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options --quiet and --verbose, for a command that shows no progress.

    Args:
        command: the function that is decorated.
    """
    quiet = click.option("--quiet", **_QUIET, expose_value=False, help="No remarks: results, warnings and errors only.")
    decorated: Callable[..., Any] = options(quiet, _verbose_option)(command)
    return decorated


def say(text: str) -> None:
    """A remark on standard error: what is neither a result nor an error; not with --quiet.

    Args:
        text: one line.
    """
    if not _is_quiet:
        click.echo(text, err=True)


def warn(text: str) -> None:
    """A line on standard error that --quiet does not hide: what is lost or left in a state the user must know of.

    Args:
        text: one line.
    """
    click.echo(text, err=True)


def confirm(question: str, *, yes: bool) -> None:
    """Do nothing if the user agrees.

    Args:
        question: without question mark.
        yes: the user has agreed beforehand.

    Raises:
        FailureError: the user does not, or nobody is there to answer.
    """
    if yes:
        return
    try:
        agreed = click.confirm(question, err=True)
    except click.Abort as abort:
        if isinstance(abort.__context__, EOFError):
            click.echo(err=True)  # the question's line is unfinished
            raise FailureError("nobody answered the question; with --yes none is asked", 2) from None
        raise
    if not agreed:
        raise FailureError("nothing was changed", 1)


class Meter:
    """Progress on standard error: a bar on a terminal, one line per tenth elsewhere.

    Args:
        label: what is being done.
        unit: of what is counted.
        show: whether anything is shown.
        lines: False for none of the lines: it takes seconds only.
    """

    def __init__(self, label: str, unit: str, *, show: bool, lines: bool = True) -> None:
        self._label = label
        self._unit = unit
        self._tenth = 0
        from tqdm import tqdm  # noqa: PLC0415  only progress needs it

        is_terminal = sys.stderr.isatty()
        self._lines = show and lines and not is_terminal
        self._bar = tqdm(
            desc=label, unit=unit, disable=not (show and is_terminal), leave=False, dynamic_ncols=True, unit_scale=False
        )

    def update(self, done: int, total: int, note: str = "") -> None:
        """So much is done.

        Args:
            done: how much.
            total: of how much.
            note: what else there is to say.
        """
        self._bar.total = total
        self._bar.set_postfix_str(note, refresh=False)
        self._bar.update(done - self._bar.n)
        self._bar.refresh()
        tenth = done * 10 // total if total else 10
        if self._lines and tenth > self._tenth:
            self._tenth = tenth
            say(f"{self._label}: {tenth * 10} % ({done} of {total} {self._unit}){f', {note}' if note else ''}")

    def __enter__(self) -> Self:
        """Show it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Take the bar away."""
        self._bar.close()
