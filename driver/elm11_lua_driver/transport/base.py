"""What the driver knows of a port, and the loop that leads a dialogue over one; `open_port` opens one by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

VIRTUAL = "virtual://"
"""How the name of a virtual board's port begins."""

_SLICE_S = 0.1  # a wait is cut into slices, so that Ctrl-C is heard on Windows too


class Transport(Protocol):
    """A port that is open."""

    @property
    def name(self) -> str:
        """The port's name, as the user knows it."""

    @property
    def byte_time_s(self) -> float:
        """How long one byte takes to leave, pacing included."""

    def now_s(self) -> float:
        """The time, in seconds from any fixed moment."""

    def write(self, data: bytes) -> None:
        """Send bytes, paced.

        Args:
            data: any bytes.
        """

    def read(self, timeout_s: float) -> bytes:
        """Bytes that have come; waits for the first one at most this long. Empty when none came.

        Args:
            timeout_s: longest wait for the first byte, seconds.
        """

    def close(self) -> None:
        """Give the port back. May be called twice."""


class Dialogue(Protocol):
    """A machine that bytes and time drive, such as `repl.Execution` and `upload.Upload`."""

    @property
    def done(self) -> bool:
        """Whether it has come to its end."""

    def receive(self, data: bytes, now_s: float) -> Iterable[object]:
        """Take bytes, or none when a deadline has come; give events.

        Args:
            data: bytes, in pieces of any length; empty when only time has passed.
            now_s: the time on the caller's clock.

        Returns:
            What happened, in order.
        """

    def bytes_to_write(self, now_s: float) -> bytes:
        """What to write now.

        Args:
            now_s: the time, in seconds from any fixed moment.
        """

    def next_deadline_s(self) -> float | None:
        """When `receive` is to be called at the latest."""


def hold(dialogue: Dialogue, transport: Transport, on_event: Callable[[Any], None] | None = None) -> None:
    """Lead a dialogue over a transport to its end.

    Args:
        dialogue: the machine; its errors pass through.
        transport: the port.
        on_event: called with each event as it comes.

    Raises:
        Elm11Error: the dialogue failed, or the port did.
    """
    while not dialogue.done:
        out = dialogue.bytes_to_write(transport.now_s())
        if out:
            transport.write(out)
        deadline_s = dialogue.next_deadline_s()
        now_s = transport.now_s()
        # A machine that waits has a deadline; should one not, it is looked at again after a slice.
        wait_s = _SLICE_S if deadline_s is None else min(max(deadline_s - now_s, 0.0), _SLICE_S)
        data = transport.read(wait_s)
        for event in dialogue.receive(data, transport.now_s()):
            if on_event is not None:
                on_event(event)
