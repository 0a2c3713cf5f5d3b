"""Options that choose a board and how to talk to it."""

from __future__ import annotations

import functools
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from click.shell_completion import CompletionItem

from .. import board as boards
from .. import transport
from .._files.atomic import check_writable
from ..config import Source
from ..diagnostics.last_trace import remember_trace
from ._messages import warn
from ._options import configured, options, setting
from .entry import InterruptGuard

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..board.board import Board

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class BoardOptions:
    """Which board, and how to talk to it.

    Attributes:
        port: the port's name, or None.
        hw_id: the board's hardware id, or None.
        tx_delay_s: from byte to byte, or None for what calibration found.
        trace: a file for a byte trace, or None.
        configured: keys of the settings among these that the command line does not give, and the variable or file
            that sets each.
        project: the project's file, if that sets the port.
    """

    port: str | None = None
    hw_id: str | None = None
    tx_delay_s: float | None = None
    trace: Path | None = None
    configured: Mapping[str, str] = field(default_factory=dict, compare=False)
    project: str = field(default="", compare=False)

    def given(self) -> set[str]:
        """Keys of the settings that the command line gives: port, hw_id, tx_delay_ms, trace."""
        values = {"port": self.port, "hw_id": self.hw_id, "tx_delay_ms": self.tx_delay_s, "trace": self.trace}
        return {key for key, value in values.items() if value is not None and key not in self.configured}

    def announce(self) -> None:
        """Say which port the file of a project has chosen: the user may know neither."""
        if self.project:
            warn(f"port {self.port}, as {self.project} sets it")

    def open(self) -> Board:
        """Open the board, without sending it anything yet."""
        with InterruptGuard():
            boards.Board  # noqa: B018  NumPy comes with it
        self.announce()
        return boards.Board.open(self.port, self.hw_id, self.tx_delay_s, self.trace)

    def open_paced(self) -> Board:
        """Open the board, and pace the bytes as calibration found for this very board."""
        board = self.open()
        try:
            self.pace(board)
        except BaseException:
            board.close()
            raise
        return board

    def pace(self, board: Board) -> None:
        """Pace the bytes as calibration found, if there is a calibration and `--tx-delay` is not given."""
        if self.tx_delay_s is not None or board.tx_delay_s is None or not boards.calibration.load_all():
            return
        found = boards.calibration.load(board.identity()[3])
        if found is not None and found.tx_delay_s is not None:
            board.set_tx_delay(found.tx_delay_s)
            _log.info("paced as calibrated: %g ms from byte to byte", 1000 * found.tx_delay_s)


def _chosen(
    ctx: click.Context, port: str | None, hw_id: str | None, trace: str | None
) -> tuple[str | None, str | None]:
    """Port and hardware id. Together they name the board only where they come from the same source."""
    for option, name in (("--port", port), ("--hw-id", hw_id)):
        if name is not None and not name.strip():
            # Whoever writes --port "$BOARD" means one board, and not any that is found.
            msg = f"{option}: the name is empty; give one, or leave the option out to look for a board"
            raise ValueError(msg)
    if trace is not None:
        try:
            check_writable(trace)
            transport.check_replaceable(Path(trace))
        except ValueError as error:
            msg = f"{setting(ctx, 'trace').origin or '--trace'}: {error}"
            raise ValueError(msg) from error
        remember_trace(Path(trace))
    if port is not None and hw_id is not None:
        ranks = [list(Source).index(setting(ctx, key).source) for key in ("port", "hw_id")]
        return port if ranks[0] <= ranks[1] else None, hw_id if ranks[1] <= ranks[0] else None
    return port, hw_id


def complete_port(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of the ports of this computer, without opening one."""
    from serial.tools import list_ports  # noqa: PLC0415  only completion needs it here

    ports = [CompletionItem(info.device, help=info.description or "") for info in list_ports.comports()]
    ports.append(CompletionItem("virtual://", help="a virtual board"))
    return [item for item in ports if item.value.startswith(incomplete)]


_OPTIONS: Final = options(
    configured(
        "--port",
        metavar="PORT",
        shell_complete=complete_port,
        help="The board's port: a device, socket://HOST:PORT, or virtual:// for a virtual board.  "
        "[default: ELM11_PORT, or as configured, or the only board found]",
    ),
    configured("--hw-id", metavar="ID", help="The board with this hardware id (elm11 detect shows it)."),
    configured(
        "--tx-delay",
        "tx_delay_ms",
        metavar="MS",
        help="Milliseconds between bytes.  [default: as configured, or what elm11 calibrate found, else 1]",
    ),
    configured("--trace", metavar="FILE", help="Write every byte that crosses the port to this file, as JSON."),
)


def board_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that choose a board; the command gets them as one argument, `where`."""

    @functools.wraps(command)
    def with_board(
        *args: Any,  # noqa: ANN401  click's arguments pass through
        port: str | None,
        hw_id: str | None,
        tx_delay_ms: float | None,
        trace: str | None,
        **rest: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        ctx = click.get_current_context()
        port, hw_id = _chosen(ctx, port, hw_id, trace)
        origins = {key: setting(ctx, key).origin for key in ("port", "hw_id", "tx_delay_ms", "trace")}
        where = BoardOptions(
            port,
            hw_id,
            None if tx_delay_ms is None else tx_delay_ms / 1000,
            Path(trace) if trace else None,
            {key: origin for key, origin in origins.items() if origin},
            origins["port"] if port is not None and setting(ctx, "port").source is Source.PROJECT else "",
        )
        return command(*args, where=where, **rest)

    decorated: Callable[..., Any] = _OPTIONS(with_board)
    return decorated
