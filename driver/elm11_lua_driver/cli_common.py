"""What all commands share: kinds of numbers, how a command ends, questions, options of boards, progress.

Results go to standard output, everything else to standard error.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import io
import os
import re
import sys
import warnings
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, Self

import click
from tqdm import tqdm

from . import calibration
from .atomic_file import check_writable
from .board import Board
from .errors import Elm11Error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType

    NumberType = click.ParamType[float]
    IntegerType = click.ParamType[int]
else:  # older versions of click cannot be subscripted
    NumberType = IntegerType = click.ParamType

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

LONGEST_TX_DELAY_MS: Final = 100
"""More makes a line of the prompt take half a minute, which no board needs."""

INTERRUPTED: Final = 130
"""Exit code after Ctrl-C: 128 + SIGINT, as a shell reports it."""


class Number(NumberType):
    """A finite number, also as a fraction such as 1/12."""

    name = "number"

    def __init__(self, low: float | None = None, high: float | None = None) -> None:
        """Numbers above `low` and below `high`, both excluded."""
        self._low, self._high = low, high

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:  # noqa: ANN401
        """The number, or a usage error that gives the range."""
        if isinstance(value, (int, float)):
            return float(value)
        low, high = self._low, self._high
        try:
            # Fraction also takes decimals, and no "nan", "inf" or hexadecimal; underscores are not for people.
            number = float(Fraction(value.replace(" ", "").replace("_", "?")))
        except (ValueError, ZeroDivisionError, OverflowError):
            number = None
        if number is None or (low is not None and number <= low) or (high is not None and number >= high):
            bounds = [] if low is None else [f"greater than {low:g}"]
            bounds += [] if high is None else [f"less than {high:g}"]
            self.fail(f"must be a number {' and '.join(bounds)} (such as 0.25 or 1/4), not {value!r}", param, ctx)
        return number


class Whole(IntegerType):
    """A whole number in a range."""

    name = "integer"

    def __init__(self, low: int, high: int) -> None:
        """Numbers from `low` to `high`, both included."""
        self._low, self._high = low, high

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:  # noqa: ANN401
        """The number, or a usage error that gives the range."""
        if isinstance(value, int):
            return value
        if not re.fullmatch(r"[+-]?[0-9]{1,30}", value) or not self._low <= int(value) <= self._high:
            self.fail(f"must be a whole number from {self._low} to {self._high}, not {value!r}", param, ctx)
        return int(value)


class Milliseconds(NumberType):
    """A pause from byte to byte."""

    name = "milliseconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:  # noqa: ANN401
        """The number, or a usage error that gives the range."""
        try:
            number = float(value)
        except ValueError:
            number = -1.0
        if not 0 <= number <= LONGEST_TX_DELAY_MS:
            self.fail(f"must be milliseconds from 0 to {LONGEST_TX_DELAY_MS}, not {value!r}", param, ctx)
        return number


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
        escape_foreign_letters()
        with plain_warnings(), _plain_end(self.name or "elm11"):
            super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
            sys.stdout.flush()
        return sys.exit(0)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401
        """Run a command. Ctrl-C becomes an abort here, before click prints an empty line for it."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise click.Abort from None


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
    except click.Abort:
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
        if error.errno == errno.EPIPE:
            # Whoever read the output has left. The interpreter flushes once more at its end: into nothing.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)
        where = f"{error.filename}: " if error.filename else ""
        _fail(program, f"{where}{error.strerror or error}", 1)


class Elm11Group(_EndsPlainly, click.Group):
    """A group of commands that ends plainly."""


class Elm11Command(_EndsPlainly):
    """A command that is a program of its own, and ends plainly."""


class FailureError(Exception):
    """A command ends with this message and exit code.

    Args:
        message: what happened.
        exit_code: as `errors` lists them.
    """

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def _fail(program: str, message: str, exit_code: int, *, keep_lines: bool = False) -> NoReturn:
    lines: list[str] = []
    for line in message.rstrip().splitlines():
        # Lists of ports and tracebacks of the board are lines on purpose; all else is one.
        if keep_lines and lines and line.startswith(("  ", "\t", "stack traceback:")):
            lines.append(line)
        else:
            lines[-1:] = [" ".join([*lines[-1:], *line.split()])]
    text = "\n".join(lines)
    click.echo(f"{program}: {text}", err=True)
    sys.exit(exit_code)


def _with_option(message: str) -> str:
    """The message, with the option in front whose argument it names by another name."""
    option = OPTION_OF.get(message.split(" ", 1)[0])
    return f"{option}: {message}" if option else message


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


def options(*options: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Several options as one decorator, shown in this order."""

    def decorate(command: Any) -> Any:  # noqa: ANN401
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
quiet_option = click.option("--quiet", is_flag=True, help="No progress.")
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")


def say(text: str) -> None:
    """A line on standard error: everything that is not the result."""
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
            raise FailureError("nobody answered the question; with --yes none is asked", 2) from None
        raise
    if not agreed:
        raise FailureError("nothing was changed", 1)


# ---- the board ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Where:
    """Which board, and how to talk to it.

    Attributes:
        port: the port's name, or None.
        hw_id: the board's hardware id, or None.
        tx_delay_s: from byte to byte, or None for what calibration found.
        trace: a file for a byte trace, or None.
    """

    port: str | None = None
    hw_id: str | None = None
    tx_delay_s: float | None = None
    trace: Path | None = None

    def open(self) -> Board:
        """Open the board. Nothing is asked of it yet."""
        return Board.open(self.port, self.hw_id, self.tx_delay_s, self.trace)

    def open_paced(self) -> Board:
        """Open the board, and pace the bytes as calibration found for this very board.

        Raises:
            Elm11Error: it cannot be opened, or is busy and cannot say which one it is.
        """
        board = self.open()
        try:
            self.pace(board)
        except BaseException:
            board.close()
            raise
        return board

    def pace(self, board: Board) -> None:
        """Pace the bytes as calibration found, if there is a calibration and `--tx-delay` is not given."""
        if self.tx_delay_s is not None or board.tx_delay_s is None or not calibration.load_all():
            return
        found = calibration.load(board.identity()[3])
        if found is not None and found.tx_delay_s is not None:
            board.set_tx_delay(found.tx_delay_s)


def board_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options by which a board is chosen; the command gets them as one argument, `where`."""

    @functools.wraps(command)
    def with_where(
        *args: Any,  # noqa: ANN401  click's arguments pass through
        port: str | None,
        hw_id: str | None,
        tx_delay: float | None,
        trace: str | None,
        **rest: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        if trace is not None:
            try:
                check_writable(trace)
            except ValueError as error:
                msg = f"--trace: {error}"
                raise ValueError(msg) from error
        where = Where(port, hw_id, None if tx_delay is None else tx_delay / 1000, Path(trace) if trace else None)
        return command(*args, where=where, **rest)

    decorated: Callable[..., Any] = options(
        click.option(
            "--port",
            metavar="PORT",
            help="The board's port: a device, socket://HOST:PORT, or virtual:// for a virtual board.  "
            "[default: ELM11_PORT, or the only board found]",
        ),
        click.option("--hw-id", metavar="ID", help="The board with this hardware id (elm11 detect shows them)."),
        click.option(
            "--tx-delay",
            type=Milliseconds(),
            metavar="MS",
            help="Milliseconds from byte to byte.  [default: what elm11 calibrate found, else 1]",
        ),
        click.option(
            "--trace", type=click.Path(), metavar="FILE", help="Write every byte that crosses the port here, as JSON."
        ),
    )(with_where)
    return decorated


# ---- progress -----------------------------------------------------------------------------------------------


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


def duration(seconds: float) -> str:
    """A time for people: "40 s", "12 min", "3 h 20 min", "2 days 4 h"."""
    if seconds < 0.05:
        return "0 s"
    if seconds < 99.5:
        return f"{seconds:.2g} s" if seconds < 9.95 else f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    return f"{hours // 24} days {hours % 24} h"
