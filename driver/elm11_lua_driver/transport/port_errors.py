"""What pyserial and the system say of a port, translated once into errors that say what to do next."""

from __future__ import annotations

import errno
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import serial

from ..errors import (
    BoardNotFoundError,
    BoardTimeoutError,
    Elm11Error,
    PortBusyError,
    PortError,
    PortPermissionError,
    UnpluggedError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

_BUSY_TEXT = re.compile(r"exclusively lock|resource busy|access is denied|in use", re.IGNORECASE)
_MISSING_TEXT = re.compile(
    r"no such file|cannot find|FileNotFound|refused|not known|unreachable|timed out", re.IGNORECASE
)


class translated:  # noqa: N801  # reads as a word: with translated(port):
    """Turns the errors of pyserial and of the system into ours, in a ``with`` statement."""

    def __init__(self, port: str, *, opening: bool = False) -> None:
        self._port = port
        self._opening = opening

    def __enter__(self) -> None:
        """Nothing to do."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Translate."""
        if not isinstance(error, (OSError, ValueError)) or isinstance(error, Elm11Error):
            return
        ours = opening_error(self._port, error) if self._opening else using_error(self._port, error)
        raise ours from error


_NO_PORT_TEXT = re.compile(r"inappropriate ioctl|is a directory", re.IGNORECASE)
_NETWORK = ("socket://", "rfc2217://")


def _has_address(url: str) -> bool:
    """Whether a URL has a host and a port number."""
    try:
        parts = urlsplit(url)
        return bool(parts.hostname and parts.port)
    except ValueError:  # the port number is too large, or none
        return False


def opening_error(port: str, error: OSError | ValueError) -> Elm11Error:
    """The error for a port that cannot be opened."""
    number = getattr(error, "errno", None)
    text = str(error)
    state = f"opening {port}"
    if number in {errno.EBUSY, errno.EAGAIN, errno.EWOULDBLOCK} or _BUSY_TEXT.search(text):
        holders = port_holders(port)
        who = f" by {', '.join(holders)}" if holders else ""
        return PortBusyError(
            f"port {port} is in use{who}.",
            port=port,
            holders=holders,
            state=state,
            next_step="Close that program."
            if holders
            else "Close the program that uses it (a terminal? another elm11?).",
        )
    if number in {errno.EACCES, errno.EPERM}:
        return _permission_error(port, state)
    if number in {errno.ENOENT, errno.ENODEV, errno.ENXIO} or _MISSING_TEXT.search(text):
        return BoardNotFoundError(f"there is no port {port}.", port=port, state=state, next_step=_missing_hint(port))
    if _NO_PORT_TEXT.search(text):
        text = "it is not a serial port"
    if port.startswith(_NETWORK) and not _has_address(port):
        return PortError(
            f"port {port} names no host and port number.",
            port=port,
            state=state,
            next_step="Write it as socket://HOST:PORT, such as socket://127.0.0.1:7000.",
        )
    return PortError(
        f"port {port} cannot be opened: {text}.",
        port=port,
        state=state,
        next_step="See which ports there are: elm11 detect.",
    )


def using_error(port: str, error: OSError | ValueError) -> Elm11Error:
    """The error for a port that fails while it is in use."""
    state = f"using {port}"
    if isinstance(error, serial.SerialTimeoutException):
        return BoardTimeoutError(
            f"port {port} takes no more bytes.",
            state=state,
            next_step="Unplug the board and plug it in again.",
        )
    # Whatever else a port says while it is open, it can no longer be used.
    return UnpluggedError(
        f"port {port} has gone ({error}).",
        port=port,
        state=state,
        next_step="Plug the board in again. A program that was running may go on; attach to it: elm11 attach.",
    )


def _permission_error(port: str, state: str) -> PortPermissionError:
    group = _group_of(Path(port))
    if group and group != "root":
        step = f"Join the group {group}: sudo usermod -aG {group} $USER, then log out and in again."
        what = f"you may not open port {port}: it belongs to group {group}, and you are not in it."
    else:
        step = "Ask whoever runs this computer for access to the port, or add a udev rule for it."
        what = f"you may not open port {port}."
    return PortPermissionError(what, port=port, group=group, state=state, next_step=step)


def _group_of(path: Path) -> str:
    try:
        return path.group()
    except (OSError, KeyError, NotImplementedError, AttributeError):
        return ""  # Windows, or a group without a name


def _missing_hint(port: str) -> str:
    if "://" in port and not port.startswith("spy://"):
        return "Check host and port number, and that the server is running (elm11 virtual --tcp PORT makes one)."
    hint = "Plug the board in, with a cable that carries data; see which ports there are: elm11 detect."
    if sys.platform == "win32":
        return hint + " If none appears, install FTDI's driver (VCP)."
    if sys.platform.startswith("linux"):
        return hint + " If none appears, load the driver: sudo modprobe ftdi_sio."
    return hint


def port_holders(port: str, proc: Path = Path("/proc")) -> tuple[str, ...]:
    """The programs that have a port open, as ``"picocom (process 4711)"``; empty where the system does not tell."""
    try:
        wanted = Path(port).resolve()
    except OSError:
        return ()
    holders = []
    for process in _processes(proc):
        try:
            is_open = any(handle.resolve() == wanted for handle in (process / "fd").iterdir())
        except OSError:
            continue  # another user's process, or one that has just ended
        if is_open:
            try:
                name = (process / "comm").read_text(encoding="utf-8", errors="replace").strip()
            except OSError:
                name = "a program"
            holders.append(f"{name} (process {process.name})")
    return tuple(holders)


def _processes(proc: Path) -> Iterator[Path]:
    try:
        yield from sorted((entry for entry in proc.iterdir() if entry.name.isdecimal()), key=lambda e: int(e.name))
    except OSError:
        return
