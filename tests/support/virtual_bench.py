"""A virtual board that outlives its connections, on a clock that skips silences; faults strike on call."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Literal

from elm11_lua_driver import Job
from elm11_lua_driver.board.board import Board
from elm11_lua_driver.board.firmware_sync import project_scripts
from elm11_lua_driver.transport.memory import SkippingClock, VirtualTransport
from elm11_shim import VirtualBoard
from elm11_shim.faults import FaultPlan

if TYPE_CHECKING:
    from collections.abc import Callable

    from elm11_shim.board_lua import BoardLua

J10 = Job(lag1_x=0.72, lag1_y=0.72, dt=0.25, dj=0.25, s0=0.5, J=10, n_simulations=20)
SMALL = Job(lag1_x=0.5, lag1_y=-0.3, dt=0.25, dj=0.5, s0=0.5, J=3, n_simulations=20, n_bins=300)


class LastingTransport(VirtualTransport):
    """Closing the port does not switch the board off."""

    def close(self) -> None:
        self._closed = True


class LumpTransport(LastingTransport):
    """Everything that the board has to say comes in one lump."""

    def read(self, timeout_s: float) -> bytes:
        lump = super().read(timeout_s)
        while lump and not self._virtual_board.idle:
            lump += super().read(1.0)
        return lump


class PacedTransport(LastingTransport):
    """Counts the time of the bytes: to the board one each `tx_delay_s`, to the host 115 200 baud."""

    tx_delay_s = 0.001

    @property
    def byte_time_s(self) -> float:  # type: ignore[override]
        return self.tx_delay_s

    def write(self, data: bytes) -> None:
        self._skipping_clock.skip(len(data) * self.tx_delay_s)
        super().write(data)

    def read(self, timeout_s: float) -> bytes:
        data = super().read(timeout_s)
        self._skipping_clock.skip(len(data) * 10 / 115_200)
        return data


class Bench:
    """One virtual board.

    Args:
        faults: what goes wrong from the beginning.
        seed: of the faults.
        lua: the Lua engine.
        with_programs: whether the project's programs are in its flash.
        clock: gives real time; a constant makes time pass by waiting alone.
    """

    def __init__(
        self,
        faults: str = "",
        seed: int = 0,
        *,
        lua: BoardLua | Literal["lupa", "emblua"] = "lupa",
        with_programs: bool = True,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.clock = SkippingClock() if clock is None else SkippingClock(clock)
        self.board = VirtualBoard(lua=lua, faults=faults, seed=seed, clock=self.clock)
        if with_programs:
            self.install()

    def install(self) -> None:
        """Put the project's programs into the flash, past the wire."""
        for script in project_scripts():
            self.board.store.delete(script.name)
            self.board.store.create(script.name)
            self.board.store.append(script.name, script.text.encode("ascii"))

    def open(self, kind: type[LastingTransport] = LastingTransport) -> Board:
        """A new connection."""
        return Board(kind(self.board, self.clock))

    def strike(self, fault: str, after: int = 300) -> None:
        """Have ``reboot@``, ``unplug@`` or ``stall@`` strike when the board has sent that many more bytes."""
        name, _, seconds = fault.partition("@")
        at = self.board._bytes_sent + after
        plan = FaultPlan.parse(f"{name}@{at}{seconds}")
        self.board._plan = dataclasses.replace(
            plan,
            to_board=self.board._plan.to_board,
            from_board=self.board._plan.from_board,
            damage=self.board._plan.damage,
            log=self.board._plan.log,
            split=self.board._plan.split,
        )
