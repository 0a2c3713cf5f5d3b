"""Which port has a board, without disturbing anything.

Only ports whose USB identity is FTDI's (the board's chip) are opened, unless the user names a port. A port is listened
to first: a board that runs a program is busy, and is left alone. Then one line feed, which does nothing at a prompt
and nothing while Lua runs; then ``print(_VERSION,_sW,_fW,_hW)``. Never `q`, which would stop somebody's run.

USB serial numbers are hints (many boards share one); the hardware id `_hW`, which the board itself tells, is its
identity.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from serial.tools import list_ports

from ..errors import BoardBusyError, BoardNotFoundError, BoardStoppedError, Elm11Error, PortError, SeveralBoardsError
from ..protocol.frame import Frame, FrameKind, FrameReader
from ..protocol.repl.machine import Execution
from ..protocol.repl.recovery import find_prompt
from ..protocol.repl.session import Deadline, ReplSession, ReplSettings
from ..protocol.repl.tokenizer import Booted, Prompt, PromptKind
from ..transport.base import Transport, drive
from ..transport.open import open_transport

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_log = logging.getLogger(__name__)

FTDI_VENDOR = 0x0403
_TWO_PORT_CHIPS = {0x6010, 0x6011}  # FT2232, FT4232: the first port is the programming interface
PORT_VARIABLE = "ELM11_PORT"
_IDENTITY_LINE = "print(_VERSION,_sW,_fW,_hW)"
_IDENTITY_WORDS = 4
_IDENTITY_TIMEOUT_S = 3.0
_PROBE_TIMEOUT_S = 15.0  # for all that is asked of one port
_LISTEN_S = 0.5
_LISTEN_ON_S = 1.5  # once something has been heard: long enough for a line of progress


class PortInfo(Protocol):
    """What the system tells of a port (pyserial's `ListPortInfo`).

    Attributes:
        device: its name, such as "/dev/ttyUSB1".
        vid: USB vendor number; None where it is not on USB.
        pid: USB product number; None where it is not on USB.
        serial_number: of the adapter; many share one.
        product: what the adapter calls itself.
        manufacturer: who made the adapter.
        description: a text for people.
        location: the place on the USB, with the interface's number at the end.
    """

    device: str
    vid: int | None
    pid: int | None
    serial_number: str | None
    product: str | None
    manufacturer: str | None
    description: str | None
    location: str | None


@dataclass(frozen=True)
class Candidate:
    """A port that may have a board.

    Args:
        port: its name.
        reason: why it is one.
        likely: whether it is the kind of port that a board has; False for the first port of a two-port chip.
    """

    port: str
    reason: str
    likely: bool = True


class BoardState(StrEnum):
    """What a port was found to be."""

    READY = "ready"
    COMMAND_MODE = "in command mode"
    BUSY = "running a program"
    STOPPED = "out of memory"
    SILENT = "silent"
    OTHER = "not an ELM11"
    CLOSED = "cannot be opened"


@dataclass(frozen=True)
class Detected:
    """What is on a port.

    Args:
        port: its name.
        state: what was found.
        reason: why it was looked at.
        lua_version: such as ``"Lua 5.4"``; empty where the board could not be asked.
        software: `_sW`.
        firmware: `_fW`.
        hw_id: `_hW`, the board's identity.
        progress: the last progress it pushed, while busy.
        error: why it could not be opened or asked, or None.
    """

    port: str
    state: BoardState
    reason: str = ""
    lua_version: str = ""
    software: str = ""
    firmware: str = ""
    hw_id: str = ""
    progress: str = ""
    error: Elm11Error | None = None

    @property
    def is_board(self) -> bool:
        """Whether there is a board (a silent port may have one, but nothing shows it)."""
        return self.state not in {BoardState.SILENT, BoardState.OTHER, BoardState.CLOSED}

    def __str__(self) -> str:
        """One line for a list."""
        identity = f", hardware id {self.hw_id}, software {self.software}" if self.hw_id else ""
        progress = f" ({self.progress})" if self.progress else ""
        why = f": {self.error.what}" if self.error is not None and not self.is_board else ""
        return f"{self.port}: {self.state}{progress}{identity}{why}"


def candidates(ports: Sequence[PortInfo] | None = None) -> tuple[list[Candidate], list[str]]:
    """The ports that may have a board, likely ones first, and why each other port is not one.

    Args:
        ports: what the system lists; asked when None.

    Returns:
        The candidates, and one line for each port that is none.
    """
    found: list[Candidate] = []
    others: list[str] = []
    for info in sorted(list_ports.comports() if ports is None else ports, key=lambda info: info.device):
        identity = " ".join(part for part in (info.manufacturer, info.product) if part) or (info.description or "")
        if info.vid is None:
            others.append(f"{info.device}: not a USB port")
        elif info.vid != FTDI_VENDOR:
            others.append(f"{info.device}: USB {info.vid:04x}:{info.pid or 0:04x} ({identity}) is not FTDI's")
        else:
            first_of_two = info.pid in _TWO_PORT_CHIPS and (info.location or "").endswith((".0", ":0"))
            reason = f"FTDI {info.vid:04x}:{info.pid or 0:04x} ({identity})"
            if first_of_two:
                reason += ", first port of the chip: as a rule its programming interface"
            found.append(Candidate(info.device, reason, likely=not first_of_two))
    return sorted(found, key=lambda candidate: not candidate.likely), others


class _Listening:
    """Hears whether a board talks by itself: a machine that writes nothing."""

    def __init__(self, session: ReplSession) -> None:
        self.heard_text = False
        self.booted = False
        self.progress = ""
        self.at_prompt = False
        self._session = session
        self._frames = FrameReader()
        self._end_s: float | None = None
        self._extended = False
        self.done = False

    def receive(self, data: bytes, now_s: float) -> list[object]:
        for event in self._session.receive(data):
            self.at_prompt = isinstance(event, Prompt)
            self.booted = self.booted or isinstance(event, Booted)
        for line in self._frames.feed(data):
            self.heard_text = True
            if isinstance(line, Frame) and line.kind in {FrameKind.PROGRESS, FrameKind.HELLO}:
                self.progress = line.payload
        if data and not self._extended:
            self._extended = True
            self._end_s = now_s + _LISTEN_ON_S
        if self._end_s is not None and now_s >= self._end_s:
            self.done = True
        return []

    def bytes_to_write(self, now_s: float) -> bytes:
        if self._end_s is None:
            self._end_s = now_s + _LISTEN_S
        return b""

    def next_deadline_s(self) -> float | None:
        return self._end_s


def probe(transport: Transport, reason: str = "") -> Detected:
    """Look at what is on an open port, without harm. Takes 1 to 5 seconds, at most 15.

    Args:
        transport: the port; it stays open.
        reason: why it is looked at.

    Returns:
        What is there: ready, busy, in command mode, or no board.

    Raises:
        Elm11Error: the port failed.
    """
    session = ReplSession(ReplSettings(byte_time_s=transport.byte_time_s, attempts=3))
    listening = _Listening(session)
    deadline = Deadline(_PROBE_TIMEOUT_S, transport.now_s(), session)
    drive(listening, transport, deadline=deadline)
    if listening.progress or (listening.heard_text and not (listening.at_prompt or listening.booted)):
        # Text without a prompt: some program is talking. Whether it is ours shows in its frames only. A board that is
        # just starting will have its prompt soon.
        return Detected(transport.name, BoardState.BUSY, reason, progress=listening.progress)
    try:
        words = _ask(session, transport, deadline)
    except (PortError, BoardNotFoundError):
        raise
    except Elm11Error as error:
        return Detected(transport.name, _state_after(error), reason, error=error)
    if session.mode is PromptKind.COMMAND:
        return Detected(transport.name, BoardState.COMMAND_MODE, reason)
    if len(words) != _IDENTITY_WORDS or not words[0].startswith("Lua"):
        return Detected(transport.name, BoardState.OTHER, reason)
    lua, software, firmware, hw_id = words
    return Detected(transport.name, BoardState.READY, reason, lua, software, firmware, hw_id)


def _ask(session: ReplSession, transport: Transport, deadline: Deadline) -> list[str]:
    """The board's four words about itself; none in command mode."""
    if session.mode is None:
        drive(find_prompt(session, timeout_s=_IDENTITY_TIMEOUT_S), transport, deadline=deadline)
    if session.mode is PromptKind.COMMAND:
        return []
    execution = Execution(session, _IDENTITY_LINE, timeout_s=_IDENTITY_TIMEOUT_S, repeatable=True)
    drive(execution, transport, deadline=deadline)
    return execution.result.text.split("\t") if execution.result is not None else []


def _state_after(error: Elm11Error) -> BoardState:
    if isinstance(error, BoardBusyError):
        return BoardState.BUSY
    if isinstance(error, BoardStoppedError):
        return BoardState.STOPPED
    return BoardState.OTHER if error.last_bytes else BoardState.SILENT


def detect_boards(
    port: str | None = None,
    *,
    ports: Sequence[PortInfo] | None = None,
    open_port: Callable[[str], Transport] = open_transport,
) -> tuple[list[Detected], list[str]]:
    """Look at one port, or at every candidate.

    Args:
        port: the only port to look at; the user's word makes it a candidate.
        ports: what the system lists; asked when None.
        open_port: opens a port by its name.

    Returns:
        What was found on each port that was looked at, and one line for each port that was not.
    """
    if port is not None:
        to_look_at, others = [Candidate(port, "named by the user")], list[str]()
    else:
        to_look_at, others = candidates(ports)
    found: list[Detected] = []
    for line in others:
        _log.info("not looked at: %s", line)
    for candidate in to_look_at:
        _log.info("looking at %s: %s", candidate.port, candidate.reason)
        try:
            transport = open_port(candidate.port)
        except Elm11Error as error:
            found.append(Detected(candidate.port, BoardState.CLOSED, candidate.reason, error=error))
            continue
        try:
            found.append(probe(transport, candidate.reason))
        except Elm11Error as error:
            found.append(Detected(candidate.port, BoardState.CLOSED, candidate.reason, error=error))
        finally:
            transport.close()
        _log.info("found %s", found[-1])
    return found, others


def choose(
    *,
    port: str | None = None,
    hw_id: str | None = None,
    environ: Mapping[str, str] = os.environ,
    ports: Sequence[PortInfo] | None = None,
    open_port: Callable[[str], Transport] = open_transport,
) -> Detected:
    """The one board that is meant: by port, by hardware id, by ``ELM11_PORT``, or because there is only one.

    A board that is busy or in command mode is given back as such; what to do with it is the caller's to decide.

    Args:
        port: the port; wins over everything else.
        hw_id: the board's `_hW`; wins over ``ELM11_PORT``.
        environ: the environment.
        ports: what the system lists; asked when None.
        open_port: opens a port by its name.

    Returns:
        The board.

    Raises:
        BoardNotFoundError: there is no board, or none with that hardware id.
        SeveralBoardsError: there is more than one.
        PortError: the only port that may have a board, or the named one, cannot be opened.
    """
    if port is None and hw_id is None:
        port = environ.get(PORT_VARIABLE) or None
    found, others = detect_boards(port, ports=ports, open_port=open_port)
    boards = [one for one in found if one.is_board]
    if hw_id is not None:
        boards = [one for one in boards if one.hw_id == hw_id]
    if len(boards) == 1:
        return boards[0]
    if len(boards) > 1:
        raise SeveralBoardsError(
            f"{len(boards)} boards are there; which one is meant?",
            boards=tuple(map(str, boards)),
            state="looking for a board",
            next_step=f"Choose one with --port or --hw-id, or set {PORT_VARIABLE}.",
        )
    raise nothing_found(found, others, port=port, hw_id=hw_id)


def nothing_found(
    found: Sequence[Detected], others: Sequence[str], *, port: str | None = None, hw_id: str | None = None
) -> Elm11Error:
    """Why there is no board, and what to do about it.

    Args:
        found: the ports that were looked at.
        others: one line for each port that was not.
        port: the port that was named, if one was.
        hw_id: the hardware id that was asked for.

    Returns:
        The error, to be raised.
    """
    looked_at = (*map(str, found), *others)
    errors = [one.error for one in found if one.state is BoardState.CLOSED and one.error is not None]
    if errors and len(errors) == len(found) and (port is not None or isinstance(errors[0], PortError)):
        return errors[0]
    if hw_id is not None:
        what, step = f"no board with hardware id {hw_id!r} was found.", "See which there are: elm11 detect."
    elif port is not None:
        what = f"no ELM11 answers on {port}."
        step = "Is it the right port, and is the board switched on? See which there are: elm11 detect."
    elif found:
        what = "no ELM11 answers on any FTDI port."
        step = "Is the board switched on? If its program is silent, name its port with --port."
    else:
        what = "no ELM11 was found: no FTDI port is there."
        step = "Plug the board in, with a cable that carries data. If you know its port, name it with --port."
    return BoardNotFoundError(what, port=port or "", looked_at=looked_at, state="looking for a board", next_step=step)
