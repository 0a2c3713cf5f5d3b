"""A port as the driver sees it, and the loop that drives a protocol machine over one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..protocol.repl.session import Deadline

VIRTUAL = "virtual://"
"""How the name of a virtual board's port begins."""

POLL_INTERVAL_S = 0.1
"""A wait is cut into slices, so that Ctrl-C is heard on Windows too."""


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
        """Send bytes, paced."""

    def read(self, timeout_s: float) -> bytes:
        """Bytes that have come; waits for the first one at most this long. Empty when none came."""

    def close(self) -> None:
        """Give the port back. May be called twice."""


class ProtocolMachine(Protocol):
    """A machine that bytes and time drive, such as `repl.machine.Execution` and `upload.Upload`."""

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
        """What to write now."""

    def next_deadline_s(self) -> float | None:
        """When `receive` is to be called at the latest."""


def step(
    machine: ProtocolMachine,
    transport: Transport,
    on_event: Callable[[Any], None] | None = None,
    until_s: float = math.inf,
) -> bytes:
    """Write what a machine has to write, and read once.

    Args:
        machine: the machine; its errors pass through.
        transport: the port.
        on_event: called with each event as it comes.
        until_s: when to come back at the latest, on the transport's clock; after `POLL_INTERVAL_S` in any case.

    Returns:
        What came.
    """
    out = machine.bytes_to_write(transport.now_s())
    if out:
        transport.write(out)
    deadline_s = machine.next_deadline_s()
    now_s = transport.now_s()
    # A machine that waits has a deadline; should one not, it is looked at again after a slice.
    wait_s = min(POLL_INTERVAL_S, until_s - now_s, POLL_INTERVAL_S if deadline_s is None else deadline_s - now_s)
    data = transport.read(max(wait_s, 0.0))
    for event in machine.receive(data, transport.now_s()):
        if on_event is not None:
            on_event(event)
    return data


def drive(
    machine: ProtocolMachine,
    transport: Transport,
    on_event: Callable[[Any], None] | None = None,
    deadline: Deadline | None = None,
) -> None:
    """Drive a machine over a transport to its end, at the latest to that deadline; arguments and errors as `step`."""
    while not machine.done:
        came = step(machine, transport, on_event, math.inf if deadline is None else deadline.at_s)
        if deadline is not None and not machine.done:
            deadline.check(came, transport.now_s(), "waiting for the board")
