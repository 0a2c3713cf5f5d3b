"""`elm11 exec` and `elm11 repl`: run Lua code on a board."""

from __future__ import annotations

import contextlib
import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from ..._text import coloured, printable
from ...config import FileName, Number
from ...errors import Elm11Error, LuaError
from .._board_options import BoardOptions, board_options
from .._messages import echo_json, info, remarks_option, warn
from .._options import json_option

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...board.board import Board

_FOR_EVER_S: Final = 1e7


@click.command("exec", short_help="Run Lua code on a board.")
@click.argument("code", metavar="[CODE]", required=False)
@click.option("--file", "path", type=FileName(), metavar="FILE", help="Run this file instead; - is standard input.")
@click.option(
    "--timeout",
    "timeout_s",
    type=Number(0, min_open=True),
    default="10",
    show_default=True,
    metavar="SECONDS",
    help="Longest time for the code. Reaching the prompt and typing may take 10 s more, and 2 s for each 200 bytes of "
    "code; then the command ends, whatever the board sends.",
)
@click.option("--raw", is_flag=True, help="Print control characters as the board sends them.")
@board_options
@json_option
@remarks_option
def exec_command(
    code: str | None, path: str | None, timeout_s: float, where: BoardOptions, *, raw: bool, as_json: bool
) -> None:
    """Run CODE, a file or standard input, and print its output.

    As at the board's prompt, the values of an expression are printed. Control characters in the output are escaped
    (\\x1b) unless --raw is given. Ctrl-C stops the code on the board.

    \b
    Examples:
      elm11 exec '1+1'
      elm11 exec --file blink.lua --timeout 60
      echo 'print(_VERSION)' | elm11 exec
    """  # noqa: D301
    lua = _code(code, path)
    if not lua.strip():
        raise ValueError("CODE is empty: give it as an argument, with --file, or on standard input")
    with where.open_paced() as board:
        printer = _Printer(str if raw else printable)
        try:
            if as_json:
                echo_json({"output": board.execute(lua, timeout_s)})
                return
            output = board.execute(lua, timeout_s, on_line=printer.line)
        except LuaError as error:
            printer.rest(error.output)
            raise
        except KeyboardInterrupt:
            _stop(board)
            raise
        printer.rest(output)


def _code(code: str | None, path: str | None) -> str:
    if code is not None and path is not None:
        raise ValueError("CODE and --file: give one of them")
    if code == "-" or path == "-" or (code is None and path is None and not sys.stdin.isatty()):
        return sys.stdin.read()
    if code is not None:
        return code
    if path is None:
        raise ValueError("CODE is missing: give it as an argument, with --file, or on standard input")
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        msg = f"--file: {path} cannot be read: {error.strerror}"
        raise ValueError(msg) from error
    except UnicodeDecodeError as error:
        msg = f"--file: {path} is not text in UTF-8"
        raise ValueError(msg) from error


class _Printer:
    """Prints the board's lines as they come, but not those of the error that may end them."""

    def __init__(self, shown: Callable[[str], str]) -> None:
        self._shown = shown
        self._n_printed = 0
        self._n_blank = 0
        self._holds = False

    def line(self, text: str) -> None:
        # An error begins with this line, but so may output; which it is shows at the end.
        self._holds = self._holds or text.startswith("Error: ")
        if self._holds:
            return
        if not text:
            # An unfinished statement also gives an empty line, which is not output; the next line decides.
            self._n_blank += 1
            return
        click.echo("\n" * self._n_blank + self._shown(text))
        sys.stdout.flush()
        self._n_printed += self._n_blank + 1
        self._n_blank = 0

    def rest(self, output: str) -> None:
        """Print what has been held back."""
        lines = output.split("\n") if output else []
        for text in lines[self._n_printed :]:
            click.echo(self._shown(text))


def _stop(board: Board) -> None:
    """Stop what runs on the board, and say how that went."""
    info("stopping the board ... (Ctrl-C again leaves at once)")
    try:
        stopped = board.interrupt()
    except KeyboardInterrupt:
        warn("left at once; the board may still be running: elm11 cancel stops it")
        raise
    except Elm11Error as error:
        warn(str(error))
    else:
        info("stopped; the board is at its prompt" if stopped else "nothing was running")


@click.command(short_help="A terminal for the board's prompt.")
@board_options
@remarks_option
def repl(where: BoardOptions) -> None:
    """Type Lua line by line; Ctrl-D leaves, Ctrl-C stops what runs on the board.

    Each line is checked and sent; you are prompted for the rest of an unfinished statement. Syntax errors, which the
    board does not report, are shown. Of the control characters that a board sends only colours reach a terminal.

    \b
    Example:
      elm11 repl --port virtual://
    """  # noqa: D301
    is_terminal = sys.stdin.isatty()
    if is_terminal:
        _load_history()
    with where.open_paced() as board:
        if is_terminal:
            identity = board.identity()
            info(f"{identity[0]} on {board.transport.name}, hardware id {identity[3]}; Ctrl-D leaves")
        statement = ""
        while True:
            try:
                line = _ask(">> " if statement else "> ", is_terminal=is_terminal)
            except KeyboardInterrupt:
                statement = ""
                info("")
                continue
            if line is None:
                break
            statement = _run_statement(board, f"{statement}\n{line}" if statement else line)
        if statement:
            warn("the last statement was unfinished and has not run")


def _load_history() -> None:
    with contextlib.suppress(ImportError):  # Windows: the terminal has its own
        importlib.import_module("readline")  # which gives input() its editing and history


def _ask(prompt: str, *, is_terminal: bool) -> str | None:
    """A line from the user; None at the end of the input."""
    if not is_terminal:
        line = sys.stdin.readline()
        return line.rstrip("\n") if line else None
    try:
        return input(prompt)
    except EOFError:
        info("")
        return None


def _run_statement(board: Board, statement: str) -> str:
    """Run a statement and print what comes of it."""
    if not statement.strip():
        return ""
    printer = _Printer(coloured if sys.stdout.isatty() else printable)
    try:
        printer.rest(board.execute(statement, _FOR_EVER_S, on_line=printer.line))
    except LuaError as error:
        if _is_unfinished(error):
            return statement
        printer.rest(error.output)
        warn("\n".join(part for part in (error.lua_message, error.lua_traceback) if part))
    except KeyboardInterrupt:
        _stop(board)
    except ValueError as error:
        warn(str(error))
    return ""


def _is_unfinished(error: LuaError) -> bool:
    """True if more lines could complete the statement; the prompt says so for one line, the compiler for several."""
    return "unfinished statement" in error.lua_message or error.lua_message.endswith("<eof>")
