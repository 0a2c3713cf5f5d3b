"""`elm11 virtual`: a virtual board that any program can open as a port."""

from __future__ import annotations

import errno
import json
import os
import shlex
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..._files.atomic import check_writable
from ...config import FileName, Whole
from ...errors import EngineError, PortBusyError
from .._errors import FailureError
from .._messages import echo, info, remarks_option
from .._options import json_option

if TYPE_CHECKING:
    from types import FrameType

    from elm11_shim import VirtualBoard
    from elm11_shim.board_server import BoardServer


@click.command(short_help="Start a virtual board on a serial device or TCP port.")
@click.option(
    "--lua",
    type=click.Choice(["lupa", "emblua"]),
    default="lupa",
    show_default=True,
    help="Its Lua: lupa is installed everywhere; emblua has the board's numbers and its memory, and must be built.",
)
@click.option(
    "--bytecode",
    is_flag=True,
    help="Let emblua load bytecode, as a real board does: who reaches the port can then run any code on this computer.",
)
@click.option("--pty", "link", type=FileName(), metavar="LINK", help="Make a serial device, with a link at LINK.")
@click.option("--tcp", "tcp_port", type=Whole(0, 65535), metavar="PORT", help="Listen on this TCP port; 0 takes any.")
@click.option("--pace", is_flag=True, help="Transfer bytes at 115200 baud instead of at once.")
@click.option("--store", type=FileName(), metavar="FILE", help="Keep the programs in this file.")
@click.option("--faults", metavar="SPEC", help="Faults of the line, such as lose=0.001,stall@2000:1.5,reboot@9000.")
@click.option("--seed", type=Whole(0, 2**63 - 1), default="0", show_default=True, help="Seed of random faults.")
@json_option
@remarks_option
def virtual(
    lua: str,
    link: str | None,
    tcp_port: int | None,
    store: str | None,
    faults: str | None,
    seed: int,
    *,
    bytecode: bool,
    pace: bool,
    as_json: bool,
) -> None:
    """Start a virtual board that behaves like a real one at its serial port. Ctrl-C ends it.

    Prints the port's name for --port of other commands. Without --pty and --tcp the port is a serial device with a new
    name each time (on Windows, any free TCP port). One program at a time can use it; the board keeps running in
    between. For a board during one command only, use --port virtual:// instead.

    \b
    Examples:
      elm11 virtual --pty elm11-port
      elm11 virtual --tcp 7000 --pace --store flash.json
    """  # noqa: D301
    if link is not None and tcp_port is not None:
        raise ValueError("--pty and --tcp: choose one of them")
    if bytecode and lua != "emblua":
        raise ValueError("--bytecode: only emblua can load bytecode; add --lua emblua")
    if store is not None:
        try:
            check_writable(store)
        except ValueError as error:
            msg = f"--store: {error}"
            raise ValueError(msg) from error
    # From here on, also while the board boots: any signal that ends the command cleans up.
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _interrupt)
        if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # not under nohup
            signal.signal(signal.SIGHUP, _interrupt)  # its window was closed
    try:
        with (
            _board(lua, store, faults, seed, bytecode=bytecode) as board,
            _server(board, link, tcp_port, pace=pace) as server,
        ):
            echo(json.dumps({"port": server.address}) if as_json else server.address)
            sys.stdout.flush()
            info(f"A virtual board is on {server.address}; Ctrl-C ends it. Talk to it from another window:")
            port = shlex.quote(server.address)
            info(f"  elm11 info --port {port}")
            info(f"  elm11-upload-scripts --port {port}")
            if server.address.startswith("socket://"):
                info(f"  any terminal program, such as: nc localhost {server.address.rpartition(':')[2]}")
            else:
                info(f"  any terminal program, such as: picocom -b 115200 --omap crlf {port}")
            _wait_for(server)
    except KeyboardInterrupt:
        # A server has no other end: this is success, as with `python -m http.server`.
        info("The virtual board is off.")
    else:
        info("The virtual board's port has gone (fault 'unplug').")


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _board(lua: str, store: str | None, faults: str | None, seed: int, *, bytecode: bool) -> VirtualBoard:
    """The board, switched on."""
    from elm11_shim import VirtualBoard  # noqa: PLC0415  only this command needs a Lua engine
    from elm11_shim.board_lua_emblua import EmbluaBoardLua  # noqa: PLC0415

    try:
        return VirtualBoard(
            EmbluaBoardLua(bytecode=bytecode) if lua == "emblua" else "lupa",
            store=Path(store) if store else None,
            faults=faults,
            seed=seed,
        )
    except RuntimeError as error:
        raise EngineError(f"--lua {lua}: {error}") from error
    except ValueError as error:
        # The message names "faults:" or the file.
        msg = f"--{error}" if str(error).startswith("faults:") else f"--store: {error}"
        raise ValueError(msg) from error


def _server(board: VirtualBoard, link: str | None, tcp_port: int | None, *, pace: bool) -> BoardServer:
    """The server, which listens already."""
    from elm11_shim.board_server import serve_pty, serve_tcp  # noqa: PLC0415

    if tcp_port is None and (link is not None or os.name == "posix"):
        try:
            return serve_pty(board, Path(link) if link else None, paced=pace)
        except ImportError as error:
            raise ValueError("--pty: this system has no pseudo terminals; use --tcp") from error
        except FileExistsError as error:
            # A killed server's link may lead to a device that somebody else has by now: only people can tell.
            remedy = ", or delete the link if no virtual board uses it" if link and Path(link).is_symlink() else ""
            msg = f"--pty: {link} exists already; give another name{remedy}"
            raise ValueError(msg) from error
        except OSError as error:
            msg = f"--pty: {link} cannot be made: {error.strerror}; give another name"
            raise ValueError(msg) from error
    try:
        return serve_tcp(board, tcp_port or 0, paced=pace)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortBusyError(
                f"TCP port {tcp_port} is in use.", port=str(tcp_port), next_step="Choose another, or 0 for any."
            ) from error
        msg = f"--tcp: cannot listen on port {tcp_port}: {error.strerror}"
        raise FailureError(msg, PortBusyError.exit_code) from error


def _wait_for(server: BoardServer) -> None:
    """Wait for the server to end. In slices, so that Ctrl-C works on Windows too."""
    while server.serving:
        server.wait(0.5)
