"""Driver, board and faults in any order: results are exact or absent, errors are typed, and the board can be mended."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
from elm11_lua_driver.errors import Elm11Error
from elm11_shim import LuaSimulator
from elm11_shim.faults import FaultPlan
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule
from virtual_bench import SMALL, Bench

if TYPE_CHECKING:
    from collections.abc import Callable

    from elm11_lua_driver import Job
    from elm11_lua_driver.board.board import Board, Run
    from numpy.typing import NDArray

JOBS = (dataclasses.replace(SMALL, n_simulations=6), dataclasses.replace(SMALL, n_simulations=6, seed=2))
_COUNTED: dict[tuple[str, int], NDArray[np.int64]] = {}


def counts_of(job: Job, simulations: range) -> NDArray[np.int64]:
    """What the histogram of these simulations must be."""
    total = np.zeros((job.J + 1, job.n_bins), np.int64)
    for simulation in simulations:
        key = (job.sha256, simulation)
        if key not in _COUNTED:
            _COUNTED[key] = LuaSimulator(job).run([simulation])
        total += _COUNTED[key]
    return total


class DriverMachine(RuleBasedStateMachine):
    """What a user and the world may do; the rules are in no order.

    None has a precondition: whether a start succeeded depends on how fast the board's thread runs, and which rules
    there are must not.
    """

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench()
        self.board: Board = self.bench.open()
        self.following: Run | None = None

    def attempt(self, action: Callable[[], None]) -> None:
        """Do something that may fail, if it fails with an error of ours with a message."""
        try:
            action()
        except Elm11Error as error:
            outcome = str(error)
        else:
            outcome = "done"
        assert outcome

    @rule(job=st.sampled_from(JOBS), first=st.integers(0, 4), count=st.integers(1, 2))
    def start(self, job: Job, first: int, count: int) -> None:
        def action() -> None:
            self.following = self.board.start(job, range(first, first + count))

        self.attempt(action)

    @rule()
    def follow(self) -> None:
        following = self.following
        if following is None:
            return
        self.attempt(lambda: self.check_progress(following, wait_s=0.001))

    @staticmethod
    def check_progress(following: Run, wait_s: float) -> None:
        progress = following.progress(wait_s)
        assert 0 <= progress.done <= progress.count

    @rule(fewer=st.booleans(), wait=st.booleans())
    def fetch(self, fewer: bool, wait: bool) -> None:  # noqa: FBT001
        following = self.following
        if following is None or following.job is None:
            return

        def action() -> None:
            if wait:
                following.wait(stall_s=60.0)
            histogram = following.fetch(fewer=fewer)
            assert len(histogram.ranges) == 1
            assert fewer or histogram.ranges[0] == following.simulations
            np.testing.assert_array_equal(histogram.counts, counts_of(histogram.job, histogram.ranges[0]))

        self.attempt(action)

    @rule()
    def cancel(self) -> None:
        following = self.following
        if following is None:
            return

        def action() -> None:
            assert not following.cancel().running

        self.attempt(action)

    @rule()
    def execute(self) -> None:
        self.attempt(lambda: self.check_sum(self.board))

    def check_sum(self, board: Board) -> None:
        # A damaged line of plain output cannot be known.
        assert board.execute("1+1") == "2" or self.bench.board._plan.damage

    @rule(job=st.sampled_from((*JOBS, None)))
    def come_again_and_attach(self, job: Job | None) -> None:
        self.board.close()
        self.board = self.bench.open()
        self.following = None

        def action() -> None:
            self.following = self.board.attach(job, timeout_s=20.0)

        self.attempt(action)

    @rule()
    def interrupt(self) -> None:
        def action() -> None:
            self.board.interrupt()

        self.attempt(action)

    @rule(fault=st.sampled_from(["reboot@", "unplug@", "stall@:5"]), after=st.integers(1, 1500))
    def strike(self, fault: str, after: int) -> None:
        self.bench.board._stalled = self.bench.board._rebooted = self.bench.board._was_unplugged = False
        self.bench.strike(fault, after)

    @rule(damage=st.sampled_from([0.0, 0.05, 0.2]), log=st.sampled_from([0.0, 0.2]))
    def spoil(self, damage: float, log: float) -> None:
        self.bench.board._plan = dataclasses.replace(self.bench.board._plan, damage=damage, log=log)
        self.bench.board._line_faults._plan = self.bench.board._plan

    @rule()
    def power_cycle(self) -> None:
        self.bench.board.power_cycle()

    @rule()
    def plug_in(self) -> None:
        self.bench.board.plug_in()

    def teardown(self) -> None:
        """Without faults everything works again at once, whatever came before.

        What the faults have left, boot text on its way or a stall that has yet to end, does not concern a new
        connection.
        """
        virtual = self.bench.board
        virtual._plan = FaultPlan()
        virtual._line_faults._plan = virtual._plan
        virtual.plug_in()
        board = self.bench.open()
        board.interrupt()
        following = board.start(JOBS[0])
        following.wait()
        counts = following.fetch().counts
        np.testing.assert_array_equal(counts, counts_of(JOBS[0], range(6)))
        virtual.close()


TestDriverMachine = DriverMachine.TestCase
# Not made smaller when it fails: with a thread behind the board that takes minutes, and 15 steps can be read.
TestDriverMachine.settings = settings(
    max_examples=40,
    stateful_step_count=15,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
)
