"""Commands about one board: find it, ask it, keep its programs, calibrate it."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import TYPE_CHECKING, Any

import click

from ... import board as boards
from ... import transport
from ..._files.user_dirs import config_folder
from ..._progress import progress_bar
from ..._text import table
from ...errors import CommandRefusedError
from ...protocol.repl.tokenizer import PromptKind
from .._board_options import BoardOptions, board_options
from .._errors import FailureError
from .._messages import confirm, echo, echo_json, info, quiet_option, remarks_option
from .._options import json_option, yes_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...board.calibration import Calibration
    from ...board.detect import Detected
    from ...transport.base import Transport


@click.command("detect", short_help="List the ports that have a board.")
@board_options
@json_option
@remarks_option
def detect_command(where: BoardOptions, *, as_json: bool) -> None:
    """Look for boards without disturbing running programs.

    Only ports with the board's USB chip (FTDI) are opened, and the one that --port or ELM11_PORT names. A board that
    is running a program is listed as busy, with its progress if the program reports it. Takes up to five seconds per
    port.

    \b
    Examples:
      elm11 detect
      elm11 detect --port socket://127.0.0.1:7000 --json
    """  # noqa: D301
    only = where.port if "port" in where.given() else None
    if "trace" in where.given() and only is None:
        raise ValueError("--trace: name the port with --port; a trace is of one port")

    def open_port(port: str) -> Transport:
        delay_s = {} if where.tx_delay_s is None else {"tx_delay_s": where.tx_delay_s}
        return transport.open_transport(port, trace_path=where.trace if only is not None else None, **delay_s)

    where.announce()
    found, others = boards.detect.detect_boards(only, open_port=open_port)
    named = where.port
    if only is None and named and named not in {one.port for one in found}:
        of_named, _ = boards.detect.detect_boards(named, open_port=open_port)
        found += [dataclasses.replace(one, reason=f"named by {where.configured['port']}") for one in of_named]
        others = [line for line in others if not line.startswith(f"{named}:")]
    hw_id = where.hw_id if "hw_id" in where.given() else None
    matching = [one for one in found if one.is_board and hw_id in {None, one.hw_id}]
    rest = [one for one in found if one not in matching]
    if as_json:
        document = {
            "boards": [_detected(one) for one in matching],
            "other_ports": [_detected(one) for one in rest],
            "not_looked_at": others,
        }
        echo_json(document)
    elif matching:
        echo(_board_table(matching))
    if not matching:
        raise boards.detect.nothing_found(rest, others, port=only, hw_id=hw_id)
    if not as_json:
        for line in (*map(str, rest), *others):
            info(f"ignored: {line}")


def _detected(one: Detected) -> dict[str, Any]:
    return {
        "port": one.port,
        "state": one.state.name.lower(),
        "hw_id": one.hw_id,
        "software": one.software,
        "firmware": one.firmware,
        "lua": one.lua_version,
        "progress": one.progress,
        "reason": one.reason,
        "error": str(one.error) if one.error is not None else None,
    }


def _board_table(found: Sequence[Detected]) -> str:
    heads = ("port", "state", "hardware id", "software", "why")
    rows = [
        (
            one.port,
            _state(one),
            one.hw_id or "-",
            one.software or "-",
            one.reason,
        )
        for one in found
    ]
    return table([heads, *rows])


def _state(one: Detected) -> str:
    if one.state is not boards.BoardState.BUSY:
        return str(one.state)
    # Progress of this project's programs reads "job=... first=0 count=300 done=12 ..."; others' is shown as it is.
    fields = dict(word.partition("=")[::2] for word in one.progress.split())
    if {"job", "count", "done"} <= fields.keys():
        return f"busy: {fields['done']} of {fields['count']} simulations of job {fields['job']}"
    return f"busy: {one.progress}" if one.progress else "busy"


@click.command("info", short_help="Show board information.")
@board_options
@json_option
@remarks_option
def info_command(where: BoardOptions, *, as_json: bool) -> None:
    """Show versions, hardware id, clock, free memory, number of programs, and what calibration found.

    \b
    Example:
      elm11 info --port /dev/ttyUSB0
    """  # noqa: D301
    with where.open_paced() as board:
        found = board.info()
        programs = board.programs()
        board.console.enter(PromptKind.LUA)
        tx_delay_s = board.tx_delay_s
    known = boards.calibration.load(found.hw_id)
    values = {
        **dataclasses.asdict(found),
        "programs": len(programs),
        "tx_delay_ms": None if tx_delay_s is None else 1000 * tx_delay_s,
        "instructions_per_s": known.instructions_per_s if known else None,
        "calibrated": known.measured if known else None,
    }
    if as_json:
        echo_json(values)
        return
    pace = "not needed" if tx_delay_s is None else f"{1000 * tx_delay_s:g} ms from byte to byte"
    rows = [
        ("port", found.port),
        ("hardware id", found.hw_id),
        ("software", found.software),
        ("firmware", found.firmware),
        ("Lua", found.lua_version),
        ("core", found.core),
        ("clock", "unknown" if found.clock_mhz is None else f"{found.clock_mhz:g} MHz"),
        ("free memory", "unknown" if found.memory_free is None else f"{found.memory_free} bytes"),
        ("programs", str(len(programs))),
        ("pacing", pace),
        ("speed", _speed(known)),
    ]
    echo(table(rows))


def _speed(known: Calibration | None) -> str:
    if known is None:
        return "unknown (elm11 calibrate measures it)"
    return f"{known.instructions_per_s / 1e6:.1f} million instructions per second, measured {known.measured[:10]}"


@click.command(short_help="Restart a board.")
@board_options
@yes_option
@json_option
@remarks_option
def reboot(where: BoardOptions, *, yes: bool, as_json: bool) -> None:
    """Restart the board. Stored programs stay; results in its memory are lost.

    Asks for confirmation unless --yes is given.

    \b
    Example:
      elm11 reboot --yes
    """  # noqa: D301
    confirm("Restart the board? Results in its memory are lost", yes=yes)
    with where.open_paced() as board:
        board.reboot()
        port = board.transport.name
    if as_json:
        echo_json({"port": port, "rebooted": True})
    info("The board has restarted.")


@click.command("list", short_help="List the programs on a board.")
@board_options
@json_option
@remarks_option
def list_command(where: BoardOptions, *, as_json: bool) -> None:
    """Print the names of the stored programs, one per line; broken entries included.

    \b
    Example:
      elm11 list --port /dev/ttyUSB0
    """  # noqa: D301
    with where.open_paced() as board:
        names = board.programs()
    if as_json:
        echo_json({"programs": names})
        return
    for name in names:
        echo(name)
    if not names:
        info("no programs are stored on the board")


def _complete_program(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    """Names of this project's programs; the board is not asked, since completion must not disturb it."""
    return [script.name for script in boards.firmware_sync.project_scripts() if script.name.startswith(incomplete)]


@click.command(short_help="Delete programs from a board.")
@click.argument("names", metavar="NAME...", nargs=-1, shell_complete=_complete_program)
@click.option("--all", "everything", is_flag=True, help="Delete every program.")
@board_options
@yes_option
@json_option
@remarks_option
def delete(names: tuple[str, ...], where: BoardOptions, *, everything: bool, yes: bool, as_json: bool) -> None:
    """Delete stored programs by name. Asks for confirmation unless --yes is given.

    \b
    Example:
      elm11 delete blink.lua
    """  # noqa: D301
    if everything == bool(names):
        raise ValueError("NAME: give the names of programs, or --all")
    with where.open_paced() as board:
        there = board.programs()
        missing = [name for name in names if name not in there]
        if missing:
            raise CommandRefusedError(
                f"not on the board: {', '.join(missing)}; nothing was deleted.",
                state="deleting programs",
                next_step="See which programs there are: elm11 list.",
            )
        chosen = list(dict.fromkeys(names)) or there
        if not chosen:
            info("no programs are stored on the board")
        else:
            confirm(f"Delete {', '.join(chosen)} from the board on {board.transport.name}", yes=yes)
        for name in chosen:
            board.delete(name)
            if not as_json:
                echo(f"deleted {name}")
    if as_json:
        echo_json({"deleted": chosen})


@click.command(short_help="Measure a board's pace and speed.")
@board_options
@json_option
@quiet_option
def calibrate(where: BoardOptions, *, as_json: bool, quiet: bool) -> None:
    """Find the smallest safe pause between bytes, and time a loop; takes about half a minute.

    Both are saved for this board (by its hardware id) in your configuration folder. Other commands then use the pause
    when --tx-delay is not given, and estimate how long a run takes. Nothing is stored on the board.

    \b
    Example:
      elm11 calibrate --port /dev/ttyUSB0
    """  # noqa: D301
    if "tx_delay_ms" in where.given():
        raise ValueError("--tx-delay: calibrate measures it; leave the option out")
    with where.open() as board, progress_bar("calibrating", "steps", show=not quiet, lines=True) as update:
        identity = board.identity()
        n_steps = len(boards.calibration.DELAYS_S) + 1
        done = 0

        def step(delay_s: float, is_clean: bool) -> None:  # noqa: FBT001  a plain fact
            nonlocal done
            done += 1
            update(done, n_steps, f"{1000 * delay_s:g} ms: {'clean' if is_clean else 'damaged'}")

        delay_s = None if board.tx_delay_s is None else boards.calibration.smallest_delay_s(board, step)
        speed = boards.calibration.instructions_per_s(board)
        update(n_steps, n_steps)
        port = board.transport.name
    now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    found = boards.Calibration(identity[3], delay_s, speed, identity[1], now)
    try:
        path = boards.calibration.save(found)
    except OSError as error:
        msg = f"the result cannot be saved in {config_folder()}: {error.strerror}"
        raise FailureError(msg, 1) from error
    if as_json:
        echo_json({"port": port, **dataclasses.asdict(found), "file": str(path)})
        return
    pace = "there is no wire to pace" if delay_s is None else f"{1000 * delay_s:g} ms from byte to byte"
    echo(table([("hardware id", found.hw_id), ("pacing", pace), ("speed", _speed(found))]))
    info(f"saved in {path}")
