"""What all commands share: kinds of numbers, how a command ends, questions, options of boards, progress.

Results go to standard output, everything else to standard error. What takes long to load is imported where it is used,
so that help, completion and mistakes are answered at once.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import importlib
import io
import logging
import os
import re
import sys
import time
import warnings
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn, Self

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from . import config, user_folder
from .atomic_file import check_writable
from .config import LONGEST_TX_DELAY_MS, Source
from .entry import Importing
from .errors import Elm11Error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import TracebackType

    from .board import Board

    NumberType = click.ParamType[float]
    IntegerType = click.ParamType[int]
else:  # older versions of click cannot be subscripted
    NumberType = IntegerType = click.ParamType

_log = logging.getLogger(__name__)

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

INTERRUPTED: Final = 130
"""Exit code after Ctrl-C: 128 + SIGINT, as a shell reports it."""


class Number(NumberType):
    """A finite number, also as a fraction such as 1/12.

    Args:
        low: excluded lower limit; None for none.
        high: excluded upper limit; None for none.
    """

    name = "number"

    def __init__(self, low: float | None = None, high: float | None = None) -> None:
        """Numbers above `low` and below `high`, both excluded."""
        self._low, self._high = low, high

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:  # noqa: ANN401
        """The number, or a usage error that gives the range.

        Args:
            value: text from the command line, or a default.
            param: the parameter, for the message; None outside a command.
            ctx: click's context.
        """
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
    """A whole number in a range.

    Args:
        low: smallest number.
        high: largest number.
    """

    name = "integer"

    def __init__(self, low: int, high: int) -> None:
        """Numbers from `low` to `high`, both included."""
        self._low, self._high = low, high

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:  # noqa: ANN401
        """The number, or a usage error that gives the range.

        Args:
            value: text from the command line, or a default.
            param: the parameter, for the message; None outside a command.
            ctx: click's context.
        """
        if isinstance(value, int):
            return value
        if not re.fullmatch(r"[+-]?[0-9]{1,30}", value) or not self._low <= int(value) <= self._high:
            self.fail(f"must be a whole number from {self._low} to {self._high}, not {value!r}", param, ctx)
        return int(value)


class Milliseconds(NumberType):
    """A pause from byte to byte."""

    name = "milliseconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:  # noqa: ANN401
        """The number, or a usage error that gives the range.

        Args:
            value: text from the command line, or a default.
            param: the parameter, for the message; None outside a command.
            ctx: click's context.
        """
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


class Elm11Group(_EndsPlainly, click.Group):
    """A group of commands that ends plainly."""


class LazyCommand(NamedTuple):
    """A command that is imported when it is used.

    Attributes:
        module: the module of this package that has it.
        attribute: its name there.
        short_help: its line in the list of commands.
    """

    module: str
    attribute: str
    short_help: str


class LazyGroup(Elm11Group):
    """A group that lists its commands without importing them.

    Args:
        lazy: the commands by their names.
        args: for click's group.
        more: for click's group, by name.
    """

    def __init__(self, *args: Any, lazy: Mapping[str, LazyCommand], **more: Any) -> None:  # noqa: ANN401  click's
        super().__init__(*args, **more)
        self.lazy = dict(lazy)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order of the alphabet.

        Args:
            ctx: click's context.
        """
        return sorted({*super().list_commands(ctx), *self.lazy})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command by its name; imports it.

        Args:
            ctx: click's context.
            cmd_name: what the user has typed.

        Raises:
            FailureError: a package that the command needs is missing.
            ModuleNotFoundError: a module of this program is missing; that would be a bug.
        """
        there = super().get_command(ctx, cmd_name)
        if there is not None or cmd_name not in self.lazy:
            return there
        place = self.lazy[cmd_name]
        try:
            with Importing():
                module = importlib.import_module(f".{place.module}", __package__)
        except ModuleNotFoundError as error:
            if (error.name or "").startswith("elm11_"):
                raise
            msg = f"package {error.name} is missing: python -m pip install elm11-lua-driver (elm11 doctor tells more)"
            raise FailureError(msg, 1) from error
        command: click.Command = getattr(module, place.attribute)
        self.add_command(command, cmd_name)
        return command

    def line_of(self, ctx: click.Context, name: str) -> str:
        """A command's line in the list of commands.

        Args:
            ctx: click's context.
            name: of the command.
        """
        if name in self.lazy:
            return self.lazy[name].short_help
        command = self.get_command(ctx, name)
        return command.get_short_help_str() if command is not None else ""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands.

        Args:
            ctx: click's context.
            formatter: takes the text.
        """
        with formatter.section("Commands"):
            formatter.write_dl([(name, self.line_of(ctx, name)) for name in self.list_commands(ctx)])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Names of commands, and the group's own options.

        Args:
            ctx: click's context.
            incomplete: what the user has typed so far.
        """
        items = [
            CompletionItem(name, help=self.line_of(ctx, name))
            for name in self.list_commands(ctx)
            if name.startswith(incomplete)
        ]
        return [*items, *click.Command.shell_complete(self, ctx, incomplete)]


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


def options(*options: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Several options as one decorator, shown in this order.

    Args:
        options: as click makes them.
    """

    def decorate(command: Any) -> Any:  # noqa: ANN401
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


class Configured(click.Option):
    """An option whose value comes from the environment or a configuration file when the command line has none.

    Args:
        setting: its key in `config`.
        args: for click's option.
        more: for click's option, by name.
    """

    def __init__(self, *args: Any, setting: str, **more: Any) -> None:  # noqa: ANN401  click's
        super().__init__(*args, **more)
        self.setting = setting

    def consume_value(self, ctx: click.Context, opts: Mapping[str, Any]) -> tuple[Any, ParameterSource]:
        """The value, and where it comes from; its setting is kept for `settings_of`.

        Args:
            ctx: click's context.
            opts: what the command line gives, by the options' names.

        Returns:
            The value, and where click is to say it comes from.

        Raises:
            ConfigError: a file or a variable makes no sense.
        """
        value, source = super().consume_value(ctx, opts)
        if source is ParameterSource.DEFAULT and not ctx.resilient_parsing:
            key = f"{__package__}.config"
            if key not in ctx.meta:  # read once for all options
                ctx.meta[key] = config.load()
            found = ctx.meta[key].setting(self.setting)
            if found.source is not Source.DEFAULT:
                settings_of(ctx)[self.name or self.setting] = found
                return str(found.value), ParameterSource.DEFAULT_MAP
        return value, source


def settings_of(ctx: click.Context) -> dict[str, config.Setting[Any]]:
    """The settings that options of a command have taken, by the options' names.

    Args:
        ctx: click's context.
    """
    found: dict[str, config.Setting[Any]] = ctx.meta.setdefault(f"{__package__}.settings", {})
    return found


json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")


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
    logger = logging.getLogger(__package__)
    for handler in [handler for handler in logger.handlers if isinstance(handler, _StandardError)]:
        logger.removeHandler(handler)
    if value and not ctx.resilient_parsing:
        logger.addHandler(_StandardError())
        logger.setLevel(logging.INFO)
    else:
        logger.setLevel(logging.NOTSET)


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


# ---- the board ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Where:
    """Which board, and how to talk to it.

    Attributes:
        port: the port's name, or None.
        hw_id: the board's hardware id, or None.
        tx_delay_s: from byte to byte, or None for what calibration found.
        trace: a file for a byte trace, or None.
        configured: which of these the command line does not have, and the variable or file where they are.
    """

    port: str | None = None
    hw_id: str | None = None
    tx_delay_s: float | None = None
    trace: Path | None = None
    configured: Mapping[str, str] = field(default_factory=dict, compare=False)

    def given(self, name: str) -> bool:
        """Whether the command line has the option for a value, by the value's name.

        Args:
            name: of the value: "port", "hw_id", "tx_delay" or "trace".
        """
        return getattr(self, name) is not None and name not in self.configured

    def open(self) -> Board:
        """Open the board. Nothing is asked of it yet.

        Returns:
            The board, which the caller closes.
        """
        from .board import Board  # noqa: PLC0415  NumPy comes with it

        return Board.open(self.port, self.hw_id, self.tx_delay_s, self.trace)

    def open_paced(self) -> Board:
        """Open the board, and pace the bytes as calibration found for this very board.

        Returns:
            The board, which the caller closes.

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
        """Pace the bytes as calibration found, if there is a calibration and `--tx-delay` is not given.

        Args:
            board: the board.
        """
        from . import calibration  # noqa: PLC0415

        if self.tx_delay_s is not None or board.tx_delay_s is None or not calibration.load_all():
            return
        found = calibration.load(board.identity()[3])
        if found is not None and found.tx_delay_s is not None:
            board.set_tx_delay(found.tx_delay_s)
            _log.info("paced as calibrated: %g ms from byte to byte", 1000 * found.tx_delay_s)


_ORIGIN_FIELDS: Final = {"port": "port", "hw_id": "hw_id", "tx_delay": "tx_delay_s", "trace": "trace"}
_STRENGTH: Final = {source: place for place, source in enumerate(Source)}


def _where(
    settings: Mapping[str, config.Setting[Any]],
    port: str | None,
    hw_id: str | None,
    tx_delay: float | None,
    trace: str | None,
) -> Where:
    """Which board is meant. Port and hardware id name it together only where they come from the same place.

    Raises:
        ValueError: the trace cannot be written.
    """
    if port is not None and hw_id is not None:
        ranks = [_STRENGTH[settings[name].source] if name in settings else -1 for name in ("port", "hw_id")]
        if ranks[0] > ranks[1]:
            port = None
        elif ranks[0] < ranks[1]:
            hw_id = None
    if trace is not None:
        try:
            check_writable(trace)
        except ValueError as error:
            msg = f"{settings['trace'].origin if 'trace' in settings else '--trace'}: {error}"
            raise ValueError(msg) from error
        user_folder.remember_trace(Path(trace))
    configured = {_ORIGIN_FIELDS[name]: found.origin for name, found in settings.items() if name in _ORIGIN_FIELDS}
    delay_s = None if tx_delay is None else tx_delay / 1000
    return Where(port, hw_id, delay_s, Path(trace) if trace else None, configured)


def complete_port(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of the ports that are there, without opening one.

    Args:
        incomplete: what the user has typed so far.
    """
    from serial.tools import list_ports  # noqa: PLC0415  only completion needs it here

    ports = [CompletionItem(info.device, help=info.description or "") for info in list_ports.comports()]
    ports.append(CompletionItem("virtual://", help="a virtual board"))
    return [item for item in ports if item.value.startswith(incomplete)]


def board_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options by which a board is chosen; the command gets them as one argument, `where`.

    Args:
        command: the function that is decorated.
    """

    @functools.wraps(command)
    def with_where(
        *args: Any,  # noqa: ANN401  click's arguments pass through
        port: str | None,
        hw_id: str | None,
        tx_delay: float | None,
        trace: str | None,
        **rest: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        where = _where(settings_of(click.get_current_context()), port, hw_id, tx_delay, trace)
        return command(*args, where=where, **rest)

    decorated: Callable[..., Any] = options(
        click.option(
            "--port",
            cls=Configured,
            setting="port",
            metavar="PORT",
            shell_complete=complete_port,
            help="The board's port: a device, socket://HOST:PORT, or virtual:// for a virtual board.  "
            "[default: ELM11_PORT, or as configured, or the only board found]",
        ),
        click.option(
            "--hw-id",
            cls=Configured,
            setting="hw_id",
            metavar="ID",
            help="The board with this hardware id (elm11 detect shows them).",
        ),
        click.option(
            "--tx-delay",
            cls=Configured,
            setting="tx_delay_ms",
            type=Milliseconds(),
            metavar="MS",
            help="Milliseconds from byte to byte.  [default: as configured, or what elm11 calibrate found, else 1]",
        ),
        click.option(
            "--trace",
            cls=Configured,
            setting="trace",
            type=click.Path(),
            metavar="FILE",
            help="Write every byte that crosses the port here, as JSON.",
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


def table(rows: Sequence[Sequence[str]]) -> str:
    """Columns, each as wide as its widest cell.

    Args:
        rows: cells by row, all rows of one length.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def duration(seconds: float) -> str:
    """A time for people: "40 s", "12 min", "3 h 20 min", "2 days 4 h".

    Args:
        seconds: the time, 0 or more.
    """
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
