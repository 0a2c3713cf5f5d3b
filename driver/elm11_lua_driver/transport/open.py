"""Opening a port by its name.

======================================  ========================================================================
name                                    what it is
======================================  ========================================================================
``/dev/ttyUSB1``, ``COM4``              a serial port
``socket://host:7000``                  a port behind a TCP connection
``rfc2217://host:7000``                 a port behind a TCP connection that also carries its settings
``spy:///dev/ttyUSB1?file=trace.txt``   a serial port, with pyserial's own log
``virtual://``                          a virtual board in this process (``virtual://?seed=1&lua=emblua``)
======================================  ========================================================================
"""

from __future__ import annotations

import importlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

from ..errors import PortError
from ..protocol.wire import DEFAULT_TX_DELAY_S
from .base import VIRTUAL
from .memory import SkippingClock, VirtualTransport
from .serial import SerialTransport
from .trace import Trace, check_replaceable

if TYPE_CHECKING:
    from collections.abc import Callable

    from .base import Transport
    from .memory import VirtualBoardInMemory

_log = logging.getLogger(__name__)


def open_transport(port: str, *, tx_delay_s: float = DEFAULT_TX_DELAY_S, trace_path: Path | None = None) -> Transport:
    """Open a port by its name; see the top of this module.

    Args:
        port: the name.
        tx_delay_s: from the start of one byte to the start of the next (not for ``virtual://``).
        trace_path: a file for a byte trace, or None.

    Raises:
        Elm11Error: as `SerialTransport`.
        ValueError: a trace would replace a file that is not one.
    """
    for path in (trace_path, _spy_file(port)):
        if path is not None:
            check_replaceable(path)
    if port.startswith(VIRTUAL):
        clock = SkippingClock()
        board = _virtual_board(port, clock)
        _log.info("switched a virtual board on: %s", port)
        return VirtualTransport(board, clock, name=port, trace=Trace(trace_path) if trace_path else None)
    transport = SerialTransport(port, tx_delay_s=tx_delay_s)
    _log.info(
        "opened %s, %g ms from byte to byte, low latency %s",
        port,
        1000 * tx_delay_s,
        "set" if transport.low_latency else "not available",
    )
    transport.trace = Trace(trace_path) if trace_path else None
    return transport


def _spy_file(port: str) -> Path | None:
    """The file that pyserial's ``spy://`` writes, read from the name as pyserial does it."""
    parts = urlsplit(port)
    return Path(parse_qs(parts.query, keep_blank_values=True).get("file", [""])[0]) if parts.scheme == "spy" else None


def _virtual_board(port: str, clock: Callable[[], float]) -> VirtualBoardInMemory:
    """The board that ``virtual://`` names, with the options ``lua``, ``store``, ``faults``, ``seed``."""
    query = port.removeprefix(VIRTUAL)
    options: dict[str, Any] = dict(parse_qsl(query.removeprefix("?"), keep_blank_values=True))
    try:
        if "seed" in options:
            options["seed"] = int(options["seed"])
        if "store" in options:
            options["store"] = Path(options["store"])
        if not query.startswith("?") and query:
            raise ValueError(f"{query!r} is not a list of options")  # noqa: TRY301  # translated with the others
        # The virtual board brings a Lua engine; nobody else needs it.
        board: VirtualBoardInMemory = importlib.import_module("elm11_shim").VirtualBoard(clock=clock, **options)
    except (ValueError, TypeError, KeyError, RuntimeError, OSError) as error:
        # RuntimeError is emblua that is not built, OSError a store that cannot be read or written.
        raise PortError(
            f"{port} is not a virtual board: {error}.",
            port=port,
            state=f"opening {port}",
            next_step="Options follow a question mark: virtual://?lua=emblua&store=flash.json&faults=...&seed=1",
        ) from error
    return board
