"""Which board a command is about, and how to talk to it."""

from __future__ import annotations

import functools
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from click.shell_completion import CompletionItem

from .._files.atomic import check_writable
from ..config import Source
from ..diagnostics.last_trace import remember_trace
from ._options import Configured, options, settings_of
from ._params import Milliseconds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .. import config
    from ..board.board import Board

_log = logging.getLogger(__name__)


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
        from ..board.board import Board  # noqa: PLC0415  NumPy comes with it

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
        from ..board import calibration  # noqa: PLC0415

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
        ValueError: a name is empty, or the trace cannot be written.
    """
    for option, name in (("--port", port), ("--hw-id", hw_id)):
        if name is not None and not name.strip():
            # Whoever writes --port "$BOARD" means one board, and not any that is found.
            msg = f"{option}: the name is empty; give one, or leave the option out to look for a board"
            raise ValueError(msg)
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
        remember_trace(Path(trace))
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
