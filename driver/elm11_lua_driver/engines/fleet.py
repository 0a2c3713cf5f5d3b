"""The fleet engine: any engines together, work handed out as they finish.

One thread per engine computes what it is given; the caller's thread alone decides who gets what, so that no state is
shared. The pool and Dask engines are fleets too: of worker processes, and of a cluster's threads.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ..errors import Elm11Error, EngineError
from ..jobs.histogram import Histogram, Part
from .base import AbandonedError
from .scheduler import FIRST_PIECE, Pieces, joins_groups, single_groups

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..jobs.job import Job
    from .base import Engine, Progress

_log = logging.getLogger(__name__)

MAX_FAILURES: Final = 3
"""An engine that fails so often in a row is left out of the job."""

START_S: Final = 120.0
"""Longest time to become ready: the start of a process and its imports, on a busy computer."""

# Time for one hand-out. The lower bound keeps handing out below 1 %, the upper one limits what a kill may lose; for a
# board, starting and fetching take seconds, whatever the number of simulations.
_PIECE_S: Final = (0.25, 2.0)
_DEAR_PIECE_S: Final = (30.0, 600.0)
_LOOK_S: Final = 0.5  # how often deadlines are looked at
_ASLEEP_S: Final = 5.0  # a look that comes so late means that this process was stopped, as by Ctrl-Z
_LEAVE_S: Final = 5.0  # how long an engine may take to notice that its result is not wanted


@dataclass
class Shares:
    """Where the time went, in seconds over all members; for `tools/bench/bench.py`.

    Attributes:
        start: until a member was ready, such as a new process with its imports.
        compute: from hand-out to result.
    """

    start: float = 0.0
    compute: float = 0.0


@dataclass(eq=False)
class Member:
    """An engine of the fleet, and what is known of it.

    Attributes:
        engine: the engine.
        name: for messages: the engine's, with its place where several have the same.
        longest_silence_s: the limit, seconds; None where the engine watches over itself.
        speed: simulations per second, as measured last; None before the first piece.
        failures: how often it has failed in a row.
        said: what its errors said.
        not_before_s: when it may be tried again, seconds on the fleet's clock.
        is_out: whether it is left out of this job.
        thread: what computes for it; None until it is given something.
        piece: simulations that it computes now; None for none.
        ticket: number of the hand-out, so that a late answer to an earlier one is known.
        is_ready: whether `prepare` is done, and it computes.
        given_s: when it got the piece, seconds on the fleet's clock.
        sign_s: its last sign of life, seconds on the fleet's clock.
        gap_s: longest time between two signs of life so far, seconds.
        partial: simulations of the piece that are finished.
    """

    engine: Engine
    name: str
    longest_silence_s: float | None = None  # the limit; None where the engine watches over itself
    speed: float | None = None  # simulations per second
    failures: int = 0  # in a row
    said: list[str] = field(default_factory=list)
    not_before_s: float = 0.0
    is_out: bool = False
    thread: threading.Thread | None = None
    # What it is at:
    piece: range | None = None
    ticket: int = 0
    is_ready: bool = False
    given_s: float = 0.0
    sign_s: float = 0.0
    gap_s: float = 0.0
    partial: int = 0


@dataclass(frozen=True)
class _Event:
    """What a member's thread has to say about the hand-out with that ticket."""

    member: Member
    ticket: int
    ready: bool = False
    finished: int = 0
    result: Histogram | None = None
    error: BaseException | None = None


class FleetEngine:
    """Any engines together.

    Each gets work as it finishes, in amounts that fit its speed. When one fails, others compute what it was given; it
    is tried again a few times, later each time, and then left out. Towards the end, work that a slow engine still
    holds is also given to a fast one that has nothing to do; the first result counts.

    Args:
        engines: engines, or names of engines; `close` closes all of them.
        retry_s: pause after an engine's first failure; it doubles with each failure in a row.

    Raises:
        ValueError: there are no engines, or one has an unknown name.
    """

    name = "fleet"
    worth_doubling_s = _PIECE_S[0]  # what must be gained when a piece is computed a second time

    def __init__(self, engines: Sequence[Engine | str] = ("numpy",), *, retry_s: float = 1.0) -> None:
        if not engines:
            raise ValueError("engines must name at least one engine")
        from . import create  # noqa: PLC0415  which knows this class by its name

        made = [create(engine) if isinstance(engine, str) else engine for engine in engines]
        names = [engine.name for engine in made]
        self._members = [
            Member(engine, f"{engine.name} {i + 1}" if names.count(engine.name) > 1 else engine.name)
            for i, engine in enumerate(made)
        ]
        self._retry_s = retry_s
        self._job: Job | None = None
        self.shares = Shares()

    @property
    def joins_groups(self) -> bool:
        """Whether parts may span several groups."""
        return any(joins_groups(member.engine) for member in self._members)

    def simulate(self, job: Job, simulations: range, progress: Progress) -> Histogram:
        """See `Engine.simulate`.

        Raises:
            EngineError: no engine is left; the message says what each said.
        """
        return Histogram(job, [part for piece in self.stream(job, [simulations], progress) for part in piece.parts])

    def stream(
        self, job: Job, simulations: Sequence[range], progress: Progress, *, by_group: bool = False
    ) -> Iterator[Histogram]:
        """See `StreamingEngine.stream`.

        Raises:
            EngineError: no engine is left; the message says what each said.
        """
        if job != self._job:
            self._job = job
            for member in self._members:
                member.speed, member.gap_s = None, 0.0
                member.is_out, member.failures, member.said = False, 0, []
        handing_out = _HandingOut(self, job, simulations, progress, by_group=by_group)
        try:
            yield from handing_out.results()
        finally:
            handing_out.stop()

    def close(self) -> None:
        """Close all engines, also when one of them fails to close.

        Raises:
            Exception: the first error of those that failed, when all have been closed.
        """
        first: BaseException | None = None
        for member in self._members:
            try:
                member.engine.close()
            except BaseException as error:  # noqa: BLE001  Ctrl-C, too, must leave no port open
                if first is None:
                    first = error
                else:
                    _log.warning("%s did not close either: %s", member.name, _one_line(error))
        if first is not None:
            raise first

    @property
    def members(self) -> Sequence[Member]:
        """The engines, and what is known of them."""
        return self._members

    def _set_members(self, members: list[Member]) -> None:
        """Have others from the next hand-out on."""
        self._members = members

    @property
    def retry_s(self) -> float:
        """Pause after a failure."""
        return self._retry_s

    def prepare(self, member: Member) -> None:
        """Make a member ready; called in its thread before each hand-out, and not counted as computing.

        Args:
            member: the engine, and what is known of it.
        """

    def abandon(self, member: Member) -> None:
        """Make a member stop at once, where that is possible; its thread ends when its engine returns.

        Args:
            member: the engine, and what is known of it.
        """


class _HandingOut:
    """One stream: who has what, and what is left.

    Every hand-out has a ticket. What is said under an older ticket is not listened to.
    """

    def __init__(
        self, fleet: FleetEngine, job: Job, simulations: Sequence[range], progress: Progress, *, by_group: bool
    ) -> None:
        self._fleet = fleet
        self._job = job
        self._one_group = by_group and fleet.joins_groups
        ranges = single_groups(job, simulations) if self._one_group else simulations
        self._pieces = Pieces(job, ranges)
        self._missing = len(self._pieces)
        self._again: list[range] = []
        self._failed_by: dict[range, list[Member]] = {}
        self._progress = progress
        self._finished = 0
        self._told = 0
        self._error: EngineError | None = None
        self._events: queue.SimpleQueue[_Event] = queue.SimpleQueue()
        self._inboxes: dict[Member, queue.SimpleQueue[tuple[int, range] | None]] = {}
        self._begun_s = self._looked_s = time.monotonic()

    # ---- in the caller's thread ------------------------------------------------------------------------------

    def results(self) -> Iterator[Histogram]:
        """Hand out until everything is there.

        Raises:
            EngineError: that cannot be; what has arrived is given back first.
        """
        while self._missing and self._error is None:
            self._hand_out()
            self._check_that_somebody_works()
            parts: list[Part] = []
            try:
                self._take(self._events.get(timeout=_LOOK_S), parts)
                # All that has come meanwhile together: the caller may write a file each time.
                while self._missing:
                    self._take(self._events.get_nowait(), parts)
            except queue.Empty:
                pass
            self._look_at_deadlines()
            if parts:
                self._hand_out()  # first, so that everybody computes while the caller keeps the results
                yield Histogram(self._job, parts)
        if self._error is not None:
            raise self._error

    def _check_that_somebody_works(self) -> None:
        """Give up if everybody was left out before, or does not come back from what was taken away from it."""
        members = self._fleet.members
        if all(member.is_out for member in members):
            self._error = EngineError(f"no engine is left: {self._all_said()}")
        elif (
            not self._inboxes
            and all(member.is_out or not self._is_free(member) for member in members)
            and time.monotonic() - self._begun_s > START_S
        ):
            self._error = EngineError(
                f"the engines do not come back from what they were told to stop {START_S:g} s ago",
                next_step="Close them and make new ones.",
            )

    def _is_free(self, member: Member) -> bool:
        """Whether no thread of an earlier stream is still at work with its engine."""
        return member in self._inboxes or member.thread is None or not member.thread.is_alive()

    def _take(self, event: _Event, parts: list[Part]) -> None:
        """Take note of what a member says; the parts of a result are added to `parts`."""
        member, now_s = event.member, time.monotonic()
        if event.ticket != member.ticket or member.piece is None:
            return
        piece = member.piece
        if event.ready:
            self._fleet.shares.start += now_s - member.given_s
            member.given_s = member.sign_s = now_s
            member.is_ready = True
        elif event.error is not None:
            member.piece = None
            self._failed(member, piece, event.error)
        elif event.result is not None:
            self._arrived(member, piece, event.result, parts)
        else:
            member.gap_s = max(member.gap_s, now_s - member.sign_s)
            member.sign_s = now_s
            member.partial = min(len(piece), member.partial + event.finished)
            self._tell()

    def _arrived(self, member: Member, piece: range, result: Histogram, parts: list[Part]) -> None:
        now_s = time.monotonic()
        member.piece = None
        if result.ranges != (piece,) or result.job != self._job:
            self._failed(member, piece, EngineError(f"it gave back {result.ranges} instead of {piece}"))
            return
        seconds = max(now_s - member.given_s, 1e-6)
        self._fleet.shares.compute += seconds
        member.gap_s = max(member.gap_s, now_s - member.sign_s)
        member.speed = len(piece) / seconds
        member.failures = 0
        for other in self._fleet.members:
            if other.piece == piece:
                self._dismiss(other)
        self._missing -= len(piece)
        self._finished += len(piece)
        self._tell()
        parts += result.parts

    def _tell(self) -> None:
        # What a failed member had finished is not taken back: progress waits until the others have got there.
        held: dict[range, int] = {}
        for member in self._fleet.members:
            if member.piece is not None:
                held[member.piece] = max(held.get(member.piece, 0), member.partial)
        done = self._finished + sum(held.values())
        if done > self._told:
            told, self._told = self._told, done
            self._progress(done - told)

    def _failed(self, member: Member, piece: range, error: BaseException) -> None:
        """Give a piece to others, and the member a pause or its leave; the end if nobody is left to take it."""
        member.failures += 1
        said = _one_line(error)
        if said not in member.said:
            member.said.append(said)
        member.not_before_s = time.monotonic() + self._fleet.retry_s * 2 ** (member.failures - 1)
        # A wrong argument stays wrong: the job does not fit into a board's memory, say.
        if isinstance(error, ValueError) or member.failures >= MAX_FAILURES:
            member.is_out = True
        failed_by = self._failed_by.setdefault(piece, [])
        failed_by.append(member)
        if not any(other.piece == piece for other in self._fleet.members):
            self._again.append(piece)
        left = [other for other in self._fleet.members if not other.is_out]
        if not left:
            self._error = EngineError(
                f"no engine is left to compute simulations {piece.start} to {piece.stop - 1}: {self._all_said()}",
                next_step="Mend one of them, and run the job again; a checkpoint keeps what is finished.",
            )
            self._error.__cause__ = error
        elif len(failed_by) > len(self._fleet.members) + 1:
            self._error = EngineError(
                f"simulations {piece.start} to {piece.stop - 1} failed {len(failed_by)} times: {self._all_said()}",
                next_step="Run the job on another engine; a checkpoint keeps what is finished.",
            )
            self._error.__cause__ = error

    def _all_said(self) -> str:
        members = (member for member in self._fleet.members if member.said)
        return "; ".join(f"{member.name}: {', then '.join(member.said)}" for member in members)

    def _look_at_deadlines(self) -> None:
        now_s = time.monotonic()
        was_asleep = now_s - self._looked_s > _ASLEEP_S
        self._looked_s = now_s
        for member in self._fleet.members:
            if member.piece is None or member.longest_silence_s is None:
                continue
            if was_asleep:
                member.sign_s = now_s
            # Ten times the longest gap so far: another program may take most of the processor for a while.
            limit_s = max(member.longest_silence_s, 10 * member.gap_s) if member.is_ready else START_S
            if now_s - member.sign_s > limit_s:
                piece = member.piece
                self._dismiss(member)
                self._fleet.abandon(member)
                silent = EngineError(f"no sign of life for {limit_s:.3g} s; it was stopped")
                self._failed(member, piece, silent)

    def _dismiss(self, member: Member) -> None:
        """Listen no longer to what a member computes, and have it stop. One that is being started may end that."""
        member.piece = None
        member.ticket += 1
        if member.is_ready:
            self._fleet.abandon(member)

    def _hand_out(self) -> None:
        now_s = time.monotonic()
        for member in self._fleet.members:
            if member.piece is None and not member.is_out and now_s >= member.not_before_s and self._is_free(member):
                piece = self._choose(member)
                if piece is not None:
                    self._give(member, piece)

    def _choose(self, member: Member) -> range | None:
        can_choose = [other for other in self._fleet.members if not other.is_out]
        for piece in self._again:
            # Others first, if there are any that it has not failed on.
            failed_by = self._failed_by[piece]
            if member not in failed_by or all(other in failed_by for other in can_choose):
                self._again.remove(piece)
                return piece
        if self._pieces:
            return self._pieces.take(self._wanted(member), one_group=self._one_group)
        if self._again:
            return None  # for the others
        return self._to_be_doubled(member)

    def _wanted(self, member: Member) -> int:
        """How many simulations to give: half of what everybody would need for the rest, within bounds."""
        if member.speed is None:
            return min(FIRST_PIECE, max(1, len(self._pieces) // len(self._fleet.members)))
        low_s, high_s = _DEAR_PIECE_S if joins_groups(member.engine) else _PIECE_S
        speeds = sum(other.speed or 0.0 for other in self._fleet.members if not other.is_out)
        seconds = min(high_s, max(low_s, len(self._pieces) / speeds / 2))
        return round(member.speed * seconds)

    def _to_be_doubled(self, member: Member) -> range | None:
        """A piece that another still holds, and that this one would finish in less than half the time left."""
        if member.speed is None:
            return None
        now_s = time.monotonic()
        holders: dict[range, list[Member]] = {}
        for other in self._fleet.members:
            if other.piece is not None:
                holders.setdefault(other.piece, []).append(other)
        best, most_left_s = None, 0.0
        for piece, others in holders.items():
            (other, *more) = others
            elapsed = now_s - other.given_s
            if other.partial:
                left_s = elapsed * (len(piece) / other.partial - 1)
            else:
                whole_s = len(piece) / other.speed if other.speed else 0.0
                left_s = whole_s - elapsed if whole_s > elapsed else elapsed  # late: as long again, for all we know
            own_s = len(piece) / member.speed
            if not more and left_s > max(2 * own_s, own_s + self._fleet.worth_doubling_s, most_left_s):
                best, most_left_s = piece, left_s
        return best

    def _give(self, member: Member, piece: range) -> None:
        now_s = time.monotonic()
        member.ticket += 1
        member.piece, member.partial, member.is_ready = piece, 0, False
        member.given_s = member.sign_s = now_s
        if member not in self._inboxes:
            self._inboxes[member] = queue.SimpleQueue()
            # A daemon, so that an engine which hangs does not keep the program from ending.
            member.thread = threading.Thread(
                target=self._work, args=(member, self._inboxes[member]), name=f"elm11 {member.name}", daemon=True
            )
            member.thread.start()
        self._inboxes[member].put((member.ticket, piece))

    def stop(self) -> None:
        """Have everybody stop, and wait a little for those that compute."""
        end_s = time.monotonic() + _LEAVE_S
        to_wait_for = []
        for member, inbox in self._inboxes.items():
            if member.thread is not None and (member.piece is None or member.is_ready):
                to_wait_for.append(member.thread)
            inbox.put(None)
            if member.piece is not None:
                self._dismiss(member)
        for thread in to_wait_for:
            thread.join(max(0.0, end_s - time.monotonic()))

    # ---- in the members' threads -----------------------------------------------------------------------------

    def _work(self, member: Member, inbox: queue.SimpleQueue[tuple[int, range] | None]) -> None:
        while (given := inbox.get()) is not None:
            ticket, piece = given

            def tell(finished: int, ticket: int = ticket) -> None:
                if member.ticket != ticket:
                    raise AbandonedError
                self._events.put(_Event(member, ticket, finished=finished))

            try:
                self._fleet.prepare(member)
                if member.ticket != ticket:
                    continue
                self._events.put(_Event(member, ticket, ready=True))
                event = _Event(member, ticket, result=member.engine.simulate(self._job, piece, tell))
            except BaseException as error:  # noqa: BLE001  whatever it is, the caller's thread hears of it
                event = _Event(member, ticket, error=error)
            self._events.put(event)


def _one_line(error: BaseException) -> str:
    # What it would tell the user to do concerns one engine alone, and would make the sentence endless.
    text = error.what if isinstance(error, Elm11Error) else str(error)
    text = " ".join(text.split()).rstrip(".") or type(error).__name__
    return text if isinstance(error, (Elm11Error, ValueError)) else f"{type(error).__name__}: {text}"
