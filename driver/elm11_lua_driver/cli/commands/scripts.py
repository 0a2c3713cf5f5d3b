"""Programs on their way to a board: `elm11 upload`, `elm11-upload-scripts`, `elm11-check-scripts`."""

from __future__ import annotations

import shlex
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..._progress import progress_bar
from ..._text import duration
from ...board import firmware_sync
from ...board.firmware_sync import Action, Script, ScriptState
from ...config import FileName
from ...errors import Elm11Error, ScriptsError, VersionMismatchError
from ...protocol.lua_check import Problem, check_files
from ...protocol.wire import WIRE_BYTE_S
from .._board_options import BoardOptions, board_options
from .._errors import ExitHandling
from .._messages import confirm, echo, echo_json, info, quiet_option, warn
from .._options import json_option, options, yes_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...board.board import Board
    from ...board.firmware_sync import CheckReport, ScriptReport, UploadReport

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}

_upload_options = options(
    click.option("--force", is_flag=True, help="Upload programs that are unchanged as well."),
    click.option("--dry-run", is_flag=True, help="Only print what would be uploaded, and the time it takes."),
    click.option("--no-verify", is_flag=True, help="Do not read programs back after the upload."),
    json_option,
    quiet_option,
    board_options,
)


@click.command(short_help="Store Lua files on a board.")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=FileName())
@_upload_options
@yes_option
def upload(
    files: tuple[str, ...],
    where: BoardOptions,
    *,
    force: bool,
    dry_run: bool,
    no_verify: bool,
    as_json: bool,
    quiet: bool,
    yes: bool,
) -> None:
    """Store Lua files on a board, each under its own name (run_program("name.lua") runs it).

    All files are checked before the port is opened: size, name, characters, syntax, imports, libraries that the board
    does not have. Files that are identical on the board are skipped. Replacing a program deletes the old copy before
    the new one is sent; asks for confirmation first, unless --yes is given.

    \b
    Example:
      elm11 upload blink.lua --dry-run
    """  # noqa: D301
    wanted = _read_files([Path(name) for name in files])
    with where.open_paced() as board:
        before = _compare(board, wanted, quiet=quiet)
        replaced = [name for name, state in before.states.items() if state is ScriptState.DIFFERENT]
        if replaced and not dry_run:
            confirm(f"Replace {', '.join(replaced)} on the board on {board.transport.name}", yes=yes)
        report = _upload(board, wanted, before, force=force, dry_run=dry_run, verify=not no_verify, quiet=quiet)
    _print_upload(report, as_json=as_json)


@click.command("elm11-upload-scripts", cls=ExitHandling, context_settings=_CONTEXT)
@_upload_options
def upload_scripts(
    where: BoardOptions, *, force: bool, dry_run: bool, no_verify: bool, as_json: bool, quiet: bool
) -> None:
    """Bring this project's programs on a board up to date.

    The programs on the board are read and compared. Those that are missing or differ are uploaded and read back, and
    the board checks them itself. Other programs are left alone. Replacing a program deletes the old copy first.

    \b
    Exit codes: 0 done, 2 wrong argument or program, 3 no board, 4 several boards, 5 port busy or no
    permission, 6 time-out, 7 verification failed, 8 error in Lua, 10 board busy, 130 interrupted.

    \b
    Example:
      elm11-upload-scripts --dry-run
    """  # noqa: D301
    firmware_sync.require_clean()
    wanted = firmware_sync.project_scripts()
    with where.open_paced() as board:
        before = _compare(board, wanted, quiet=quiet)
        report = _upload(board, wanted, before, force=force, dry_run=dry_run, verify=not no_verify, quiet=quiet)
    _print_upload(report, as_json=as_json)


@click.command("elm11-check-scripts", cls=ExitHandling, context_settings=_CONTEXT)
@json_option
@quiet_option
@board_options
def check_scripts(where: BoardOptions, *, as_json: bool, quiet: bool) -> None:
    """Compare this project's programs on a board with those that this driver needs. Changes nothing.

    Exit code 0 if all are present and identical, 9 if not; then run elm11-upload-scripts.

    \b
    Example:
      elm11-check-scripts --port /dev/ttyUSB0
    """  # noqa: D301
    with where.open_paced() as board:
        report = _compare(board, firmware_sync.project_scripts(), quiet=quiet)
    if as_json:
        echo_json(report.to_dict())
    else:
        for name, state in report.states.items():
            echo(f"{name:29} {state}")
        for name in report.unknown:
            echo(f"{name:29} not of this project")
    if not report.ok:
        n = sum(state is not ScriptState.SAME for state in report.states.values())
        port = f" --port {shlex.quote(where.port)}" if where.port else ""
        raise VersionMismatchError(
            f"{n} of {len(report.states)} programs on the board are missing or differ.",
            state="comparing programs",
            next_step=f"Upload them: elm11-upload-scripts{port}.",
        )


def _read_files(paths: Sequence[Path]) -> list[Script]:
    """Files as programs, if there is nothing wrong with any of them."""
    problems = check_files(paths)
    problems += [
        Problem(name, 0, f"{count} files have this name", "the board knows programs by it: rename all but one")
        for name, count in Counter(path.name for path in paths).items()
        if count > 1
    ]
    if problems:
        plural = "s" * (len(problems) != 1)
        raise ScriptsError(
            f"{len(problems)} problem{plural} in the files; no port was opened.", problems=tuple(problems)
        )
    return [Script(path.name, path.read_bytes().decode("latin-1")) for path in paths]


def _compare(board: Board, wanted: list[Script], *, quiet: bool) -> CheckReport:
    with progress_bar("comparing", "programs", show=not quiet) as update:
        return firmware_sync.check(board, wanted, on_progress=update)


def _upload(
    board: Board,
    wanted: list[Script],
    before: CheckReport,
    *,
    force: bool,
    dry_run: bool,
    verify: bool,
    quiet: bool,
) -> UploadReport:
    """Upload, with progress over all programs; tell what is on the board when it fails."""
    outdated = [script for script in wanted if force or before.states[script.name] is not ScriptState.SAME]
    sizes = {script.name: len(script.text.encode("latin-1")) for script in outdated}
    total = sum(sizes.values())
    begun: list[str] = []
    with progress_bar("uploading", "bytes", show=not quiet and not dry_run and total > 0, lines=True) as update:

        def note(name: str, sent: int, _: int) -> None:
            if name not in begun:
                begun.append(name)
            update(sum(sizes[done] for done in begun[:-1]) + sent, total, name)

        try:
            return firmware_sync.upload(
                board,
                wanted,
                force=force,
                dry_run=dry_run,
                verify=verify,
                before=before,
                on_progress=note,
            )
        except (Elm11Error, KeyboardInterrupt):
            if not dry_run:
                warn(_what_is_there(begun, outdated))
            raise


def _what_is_there(begun: list[str], outdated: list[Script]) -> str:
    """Programs on the board after an interrupted upload."""
    done, last = begun[:-1], begun[-1:]
    missing = [script.name for script in outdated if script.name not in begun]
    parts = [
        f"uploaded: {', '.join(done)}" if done else "",
        f"incomplete or unverified: {last[0]} (its old copy is deleted)" if last else "",
        f"not started: {', '.join(missing)}" if missing else "",
    ]
    return f"on the board now: {'; '.join(part for part in parts if part)}. Upload again to complete it."


def _print_upload(report: UploadReport, *, as_json: bool) -> None:
    if as_json:
        echo_json(report.to_dict())
        return
    for script in report.scripts:
        echo(_line(script, dry_run=report.dry_run))
        for reason in script.restarts:
            info(f"{script.name} was sent again: {reason}")
    n, skipped = len(report.uploaded), len(report.skipped)
    if report.dry_run:
        read_back_s = sum(script.n_bytes for script in report.scripts if script.name in report.uploaded) * WIRE_BYTE_S
        info(
            f"{n} to upload, in about {duration(report.seconds)}, and {duration(read_back_s)} for reading back; "
            f"{skipped} unchanged"
        )
    else:
        info(f"{n} uploaded{' and verified' if report.verified and n else ''}, {skipped} unchanged")


def _line(script: ScriptReport, *, dry_run: bool) -> str:
    if script.action is Action.SKIPPED:
        what = "skipped, unchanged"
    else:
        what = f"{'would be uploaded' if dry_run else 'uploaded'}, {script.n_bytes} bytes, was {script.before}"
        if dry_run:
            what += f", about {duration(script.seconds)}"
    return f"{script.name:29} {what}"


__all__ = ["check_scripts", "upload", "upload_scripts"]
