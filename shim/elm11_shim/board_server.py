"""The virtual board as a serial port of this computer (a pty) or on TCP, at full speed or at the wire's.

    with serve_tcp(board, port=0) as server:
        print(server.address)          # socket://127.0.0.1:40123, as pyserial opens it

Any terminal program, the vendor's tools and this project's can talk to it. One client at a time.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

from .virtual_board import BoardUnpluggedError, VirtualBoard

if TYPE_CHECKING:
    from types import TracebackType

BAUD = 115200
_BITS_PER_BYTE = 10  # 8N1: a start bit and a stop bit
# What may be made up for when this process was not woken in time: less than a host would notice.
_LONGEST_BURST_S = 0.005
_CHUNK = 4096
# What the port of a paced board keeps: little, so that Lua waits for the wire and hears a "q" at once, and enough to
# keep the wire busy for 22 ms. How much a real board keeps is not known.
_PACED_BUFFER = 256
_BUSY_POLL_S = 0.002
_PACED_POLL_S = 0.001
_IDLE_POLL_S = 0.1
_STOP_TIMEOUT_S = 10.0


class Pacer:
    """How many bytes the wire carries. Knows no clock."""

    def __init__(self, baud: int | None) -> None:
        """Start with a free line.

        Args:
            baud: bits per second, or None for a line without limit.
        """
        self._byte_s = _BITS_PER_BYTE / baud if baud else 0.0
        self._free_at_s = float("-inf")

    def allowance(self, now_s: float) -> int:
        """Bytes that may pass at ``now_s``.

        Args:
            now_s: the time, in seconds from any fixed moment.
        """
        if not self._byte_s:
            return _CHUNK
        self._free_at_s = max(self._free_at_s, now_s - _LONGEST_BURST_S)
        return max(int((now_s - self._free_at_s) / self._byte_s), 0)

    def spend(self, count: int) -> None:
        """Bytes that did pass.

        Args:
            count: how many.
        """
        self._free_at_s += count * self._byte_s


class _Client(Protocol):
    """The two ends of the line differ in this only."""

    def fileno(self) -> int: ...

    def receive(self, at_most: int) -> bytes:
        """Bytes from the host; empty when it has gone."""

    def send(self, data: bytes) -> int:
        """Send what fits now; the number of bytes taken."""

    def close(self) -> None: ...


class _SocketClient:
    def __init__(self, connection: socket.socket) -> None:
        connection.settimeout(0.0)
        # A prompt is a small packet; without this it would wait for an acknowledgement.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection = connection

    def fileno(self) -> int:
        return self._connection.fileno()

    def receive(self, at_most: int) -> bytes:
        return self._connection.recv(at_most)

    def send(self, data: bytes) -> int:
        return self._connection.send(data)

    def close(self) -> None:
        self._connection.close()


class _PtyClient:
    def __init__(self, master: int) -> None:
        os.set_blocking(master, False)
        self._master = master

    def fileno(self) -> int:
        return self._master

    def receive(self, at_most: int) -> bytes:
        return os.read(self._master, at_most)

    def send(self, data: bytes) -> int:
        return os.write(self._master, data)

    def close(self) -> None:
        os.close(self._master)


class BoardServer:
    """Carries bytes between a virtual board and its host, in a thread (``with``) or in the caller's.

    The board belongs to the caller, who closes it after the server.

    Args:
        board: the board.
        paced: carry bytes at 115 200 baud instead of at once.

    Attributes:
        address: what a host opens: a device path, or a ``socket://`` URL.
    """

    address: str

    def __init__(self, board: VirtualBoard, *, paced: bool) -> None:
        self._board = board
        self._baud = BAUD if paced else None
        self._buffer = _PACED_BUFFER if paced else _CHUNK
        if paced:
            board.limit_output(_PACED_BUFFER)
        self._wake_receiver, self._wake_sender = socket.socketpair()
        self._stopping = False
        self._thread: threading.Thread | None = None
        # Set by the thread itself: an interrupted Thread.join may believe that a living thread has ended.
        self._ended = threading.Event()

    def serve_forever(self) -> None:
        """Serve until ``stop``, or until the board's port is gone for good."""
        raise NotImplementedError

    @property
    def serving(self) -> bool:
        """Whether the thread of the ``with`` statement serves."""
        return self._thread is not None and not self._ended.is_set()

    def wait(self, timeout_s: float) -> None:
        """Wait for that thread to end, at most this long.

        Args:
            timeout_s: longest wait, seconds.
        """
        if self._thread is not None:
            self._ended.wait(timeout_s)

    def stop(self) -> None:
        """End ``serve_forever``, from any thread or from a signal handler."""
        self._stopping = True
        with contextlib.suppress(OSError):
            self._wake_sender.send(b"\0")

    def close(self) -> None:
        """Stop, wait for the thread, and free the address."""
        self.stop()
        self.wait(_STOP_TIMEOUT_S)
        self._wake_receiver.close()
        self._wake_sender.close()

    def __enter__(self) -> Self:
        """Serve in a thread."""
        self._thread = threading.Thread(target=self._serve_in_thread, name="virtual board server", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def _serve_in_thread(self) -> None:
        try:
            self.serve_forever()
        finally:
            self._ended.set()

    def _wait(self, readable: list[int], writable: list[int], timeout_s: float) -> tuple[bool, bool]:
        """Whether something can be read and written, at the latest after ``timeout_s``."""
        wake = self._wake_receiver.fileno()
        can_read, can_write, _ = select.select([*readable, wake], writable, [], timeout_s)
        return bool(set(can_read) - {wake}), bool(can_write)

    def _carry(self, client: _Client) -> None:
        """Carry bytes both ways until the client goes or ``stop`` is called.

        Raises:
            BoardUnpluggedError: the board's port is gone.
        """
        to_board, to_host = Pacer(self._baud), Pacer(self._baud)
        waiting = bytearray()
        while not self._stopping:
            if len(waiting) < self._buffer:  # else the host is slow, and the board waits for it
                waiting += self._board.read()
            now_s = time.monotonic()
            room_in, room_out = to_board.allowance(now_s), to_host.allowance(now_s)
            can_read, can_write = self._wait(
                [client.fileno()] if room_in else [],
                [client.fileno()] if waiting and room_out else [],
                self._patience_s(bool(waiting), bool(room_in)),
            )
            with contextlib.suppress(BlockingIOError):
                if can_write:
                    sent = client.send(bytes(waiting[:room_out]))
                    del waiting[:sent]
                    to_host.spend(sent)
                if can_read:
                    data = client.receive(room_in)
                    if not data:
                        return
                    to_board.spend(len(data))
                    self._board.write(data)

    def _patience_s(self, waiting: bool, room_in: bool) -> float:  # noqa: FBT001 - two plain facts
        if self._baud and (waiting or not room_in):
            return _PACED_POLL_S
        return _IDLE_POLL_S if self._board.idle else _BUSY_POLL_S


class TcpServer(BoardServer):
    """A board on TCP. A host that goes away leaves the board running; the next one finds it as it is.

    Args:
        board: the board.
        port: TCP port; 0 for any that is free.
        host: address to listen on.
        paced: carry bytes at 115 200 baud instead of at once.
    """

    def __init__(self, board: VirtualBoard, port: int, host: str, *, paced: bool) -> None:
        self._listener = socket.create_server((host, port), backlog=1)  # first: nothing to free if it fails
        super().__init__(board, paced=paced)
        self.port: int = self._listener.getsockname()[1]
        self.address = f"socket://{host}:{self.port}"

    def serve_forever(self) -> None:
        """Serve one client after the other."""
        served = False
        while not self._stopping:
            can_accept, _ = self._wait([self._listener.fileno()], [], _IDLE_POLL_S)
            if not can_accept:
                if served:
                    # Nobody listens: what the board says meanwhile is lost, as on an open wire.
                    with contextlib.suppress(BoardUnpluggedError):
                        self._board.read()
                continue
            connection, _ = self._listener.accept()
            client = _SocketClient(connection)
            served = True
            self._board.plug_in()
            # A reset connection or an unplugged board ends this client's time only.
            with contextlib.suppress(OSError), contextlib.closing(client):
                self._carry(client)

    def close(self) -> None:
        """Stop, and free the port."""
        super().close()
        self._listener.close()


class PtyServer(BoardServer):
    """A board on a pty, with a link of a name that stays the same. Unplugging removes both.

    Args:
        board: the board.
        link: where to put the link; None for none.
        paced: carry bytes at 115 200 baud instead of at once.
    """

    def __init__(self, board: VirtualBoard, link: Path | None, *, paced: bool) -> None:
        import pty  # noqa: PLC0415 - there is none on Windows, where TCP still works
        import tty  # noqa: PLC0415

        super().__init__(board, paced=paced)
        master, self._slave = pty.openpty()
        tty.setraw(self._slave)  # bytes pass as they are; the board does the echo
        self._client = _PtyClient(master)
        self.device = os.ttyname(self._slave)
        self.address = self.device
        self._link = link
        if link is not None:
            try:
                self._make_link(link)
            except OSError:
                self._link = None
                self.close()
                raise
            self.address = str(link)

    def serve_forever(self) -> None:
        """Serve whoever opens the device."""
        # The slave's own handle stays open, so that the port outlives its clients.
        with contextlib.suppress(BoardUnpluggedError):
            self._carry(self._client)
        self._remove_link()

    def close(self) -> None:
        """Stop, and remove the device and its link."""
        super().close()
        self._remove_link()
        self._client.close()
        os.close(self._slave)

    def _make_link(self, link: Path) -> None:
        if link.is_symlink() and not link.exists():
            link.unlink()  # left by a server that was killed
        link.symlink_to(self.device)

    def _remove_link(self) -> None:
        link = self._link
        # The thread removes it when the board is unplugged, and `close` may come at the same moment.
        with contextlib.suppress(FileNotFoundError):
            if link is not None and link.is_symlink() and link.readlink() == Path(self.device):
                link.unlink()


def serve_tcp(board: VirtualBoard, port: int = 0, *, host: str = "127.0.0.1", paced: bool = False) -> TcpServer:
    """Offer a board on TCP.

    Args:
        board: the board.
        port: the port; 0 takes any that is free (``address`` says which).
        host: the interface; anybody who reaches it can run Lua on the virtual board, and any code on this
            computer if its Lua is emblua that takes bytecode.
        paced: carry bytes at 115200 baud instead of at once.

    Returns:
        A server that listens already; it serves in a ``with`` statement or in ``serve_forever``.

    Raises:
        OSError: the port is taken.
    """
    return TcpServer(board, port, host, paced=paced)


def serve_pty(board: VirtualBoard, link: Path | None = None, *, paced: bool = False) -> PtyServer:
    """Offer a board as a serial device.

    Args:
        board: the board.
        link: where to put a link to the device, whose own name changes every time.
        paced: carry bytes at 115200 baud instead of at once.

    Returns:
        A server whose device exists already; it serves in a ``with`` statement or in ``serve_forever``.

    Raises:
        FileExistsError: there is something else at ``link``.
        ImportError: this system has no ptys.
    """
    return PtyServer(board, link, paced=paced)
