"""Commands about one board: find it, ask it, keep its programs, calibrate it."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import click

from ..._files.user_dirs import config_folder
from ..._text import table
from ...board import calibration, detect
from ...board.firmware_sync import project_scripts
from ...errors import CommandRefusedError
from ...transport.open import open_transport
from .._board_options import Where, board_options
from .._errors import FailureError
from .._messages import Meter, confirm, quiet_option, remarks_option, say
from .._options import json_option, yes_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...transport.base import Transport


@click.command("detect", short_help="Which ports have a board.")
@board_options
@json_option
@remarks_option
def detect_command(where: Where, *, as_json: bool) -> None:
    """Look for boards, without disturbing what runs on them.

    Only ports with the board's USB chip (FTDI) are opened, and the one that --port or ELM11_PORT names. A board that
    runs something is listed as busy, with its progress where it tells. Takes up to five seconds per port.

    \b
    Examples:
      elm11 detect
      elm11 detect --port socket://127.0.0.1:7000 --json
    """  # noqa: D301
    only = where.port if where.given("port") else None
    if where.given("trace") and only is None:
        raise ValueError("--trace: name the port with --port; a trace is of one port")

    def open_port(port: str) -> Transport:
        delay_s = {} if where.tx_delay_s is None else {"tx_delay_s": where.tx_delay_s}
        return open_transport(port, trace_path=where.trace if only is not None else None, **delay_s)

    found, others = detect.detect_boards(only, open_port=open_port)
    named = where.port
    if only is None and named and named not in {one.port for one in found}:
        of_named, _ = detect.detect_boards(named, open_port=open_port)
        found += [dataclasses.replace(one, reason=f"named by {where.configured['port']}") for one in of_named]
        others = [line for line in others if not line.startswith(f"{named}:")]
    hw_id = where.hw_id if where.given("hw_id") else None
    boards = [one for one in found if one.is_board and hw_id in {None, one.hw_id}]
    rest = [one for one in found if one not in boards]
    if as_json:
        document = {
            "boards": [_detected(one) for one in boards],
            "other_ports": [_detected(one) for one in rest],
            "not_looked_at": others,
        }
        click.echo(json.dumps(document, indent=2))
    elif boards:
        click.echo(_board_table(boards))
    if not boards:
        raise detect.nothing_found(rest, others, port=only, hw_id=hw_id)
    if not as_json:
        for line in (*map(str, rest), *others):
            say(f"not taken: {line}")


def _detected(one: detect.Detected) -> dict[str, Any]:
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


def _board_table(boards: Sequence[detect.Detected]) -> str:
    heads = ("port", "state", "hardware id", "software", "why")
    rows = [
        (
            one.port,
            _state(one),
            one.hw_id or "-",
            one.software or "-",
            one.reason,
        )
        for one in boards
    ]
    return table([heads, *rows])


def _state(one: detect.Detected) -> str:
    if one.state is not detect.BoardState.BUSY:
        return str(one.state)
    # Progress of this project's programs reads "job=... first=0 count=300 done=12 ..."; others' is shown as it is.
    fields = dict(word.partition("=")[::2] for word in one.progress.split())
    if {"job", "count", "done"} <= fields.keys():
        return f"busy: {fields['done']} of {fields['count']} simulations of job {fields['job']}"
    return f"busy: {one.progress}" if one.progress else "busy"


@click.command(short_help="What a board says of itself.")
@board_options
@json_option
@remarks_option
def info(where: Where, *, as_json: bool) -> None:
    """Versions, hardware id, clock, free memory, number of programs, and what calibration found.

    \b
    Example:
      elm11 info --port /dev/ttyUSB0
    """  # noqa: D301
    with where.open_paced() as board:
        found = board.info()
        programs = board.programs()
        tx_delay_s = board.tx_delay_s
    known = calibration.load(found.hw_id)
    values = {
        **dataclasses.asdict(found),
        "programs": len(programs),
        "tx_delay_ms": None if tx_delay_s is None else 1000 * tx_delay_s,
        "instructions_per_s": known.instructions_per_s if known else None,
        "calibrated": known.measured if known else None,
    }
    if as_json:
        click.echo(json.dumps(values, indent=2))
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
    click.echo(table(rows))


def _speed(known: calibration.Calibration | None) -> str:
    if known is None:
        return "unknown (elm11 calibrate measures it)"
    return f"{known.instructions_per_s / 1e6:.1f} million instructions per second, measured {known.measured[:10]}"


@click.command(short_help="Start the board anew.")
@board_options
@yes_option
@json_option
@remarks_option
def reboot(where: Where, *, yes: bool, as_json: bool) -> None:
    """Start the board anew. Stored programs stay; results in its memory are lost, so it asks.

    \b
    Example:
      elm11 reboot --yes
    """  # noqa: D301
    confirm("Start the board anew? Results that it holds are lost", yes=yes)
    with where.open_paced() as board:
        board.reboot()
        port = board.transport.name
    if as_json:
        click.echo(json.dumps({"port": port, "rebooted": True}, indent=2))
    say("The board has started anew.")


@click.command("list", short_help="Which programs are on a board.")
@board_options
@json_option
@remarks_option
def list_command(where: Where, *, as_json: bool) -> None:
    """Names of the programs that are stored on the board, one per line; broken entries included.

    \b
    Example:
      elm11 list --port /dev/ttyUSB0
    """  # noqa: D301
    with where.open_paced() as board:
        names = board.programs()
    if as_json:
        click.echo(json.dumps({"programs": names}, indent=2))
        return
    for name in names:
        click.echo(name)
    if not names:
        say("no programs are stored on the board")


def _complete_program(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    """Names of this project's programs; the board is not asked, since completion must not disturb it."""
    return [script.name for script in project_scripts() if script.name.startswith(incomplete)]


@click.command(short_help="Delete programs from a board.")
@click.argument("names", metavar="NAME...", nargs=-1, shell_complete=_complete_program)
@click.option("--all", "everything", is_flag=True, help="Delete every program.")
@board_options
@yes_option
@json_option
@remarks_option
def delete(names: tuple[str, ...], where: Where, *, everything: bool, yes: bool, as_json: bool) -> None:
    """Delete stored programs by their names. It asks first; --yes does not.

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
            say("no programs are stored on the board")
        else:
            confirm(f"Delete {', '.join(chosen)} from the board on {board.transport.name}", yes=yes)
        for name in chosen:
            board.delete(name)
            if not as_json:
                click.echo(f"deleted {name}")
    if as_json:
        click.echo(json.dumps({"deleted": chosen}, indent=2))


@click.command(short_help="Measure how fast a board takes bytes and computes.")
@board_options
@json_option
@quiet_option
def calibrate(where: Where, *, as_json: bool, quiet: bool) -> None:
    """Find the smallest safe pause between bytes, and time a loop; takes about half a minute.

    Both are kept for this board (by its hardware id) in your configuration folder. Other commands then use the pause
    when --tx-delay is not given, and say how long a run will take. Nothing is stored on the board.

    \b
    Example:
      elm11 calibrate --port /dev/ttyUSB0
    """  # noqa: D301
    if where.given("tx_delay_s"):
        raise ValueError("--tx-delay is what calibrate finds; leave it out")
    with where.open() as board, Meter("calibrating", "steps", show=not quiet) as meter:
        identity = board.identity()
        n_steps = len(calibration.DELAYS_S) + 1
        done = 0

        def step(delay_s: float, is_clean: bool) -> None:  # noqa: FBT001  a plain fact
            nonlocal done
            done += 1
            meter.update(done, n_steps, f"{1000 * delay_s:g} ms: {'clean' if is_clean else 'damaged'}")

        delay_s = None if board.tx_delay_s is None else calibration.smallest_delay_s(board, step)
        speed = calibration.instructions_per_s(board)
        meter.update(n_steps, n_steps)
        port = board.transport.name
    now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    found = calibration.Calibration(identity[3], delay_s, speed, identity[1], now)
    try:
        path = calibration.save(found)
    except OSError as error:
        msg = f"the result cannot be kept in {config_folder()}: {error.strerror}"
        raise FailureError(msg, 1) from error
    if as_json:
        click.echo(json.dumps({"port": port, **dataclasses.asdict(found), "file": str(path)}, indent=2))
        return
    pace = "there is no wire to pace" if delay_s is None else f"{1000 * delay_s:g} ms from byte to byte"
    click.echo(table([("hardware id", found.hw_id), ("pacing", pace), ("speed", _speed(found))]))
    say(f"kept in {path}")
