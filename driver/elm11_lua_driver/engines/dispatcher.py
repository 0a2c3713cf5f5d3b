"""Several engines at once: each gets chunks of a job, as it finishes them.

One thread per member runs its chunks; the caller's thread alone assigns them, so that no state is shared. The engines
``fleet`` (any engines), ``pool`` (worker processes) and ``dask`` (a cluster's threads) are dispatchers.
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
from .scheduler import FIRST_CHUNK, WorkQueue, exclusive, joins_groups, single_groups

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..jobs.job import Job
    from .base import Engine, Progress

_log = logging.getLogger(__name__)

MAX_FAILURES: Final = 3
"""After so many failures in a row an engine gets no more chunks of the job."""

START_S: Final = 120.0
"""Longest time to become ready: the start of a process and its imports, on a busy computer."""

# Time for one chunk. The lower bound keeps the cost of dispatch below 1 %, the upper one limits what a kill may lose;
# for a board, starting and fetching take seconds, whatever the number of simulations.
_CHUNK_S: Final = (0.25, 2.0)
_BOARD_CHUNK_S: Final = (30.0, 600.0)
_POLL_INTERVAL_S: Final = 0.5  # between two checks of the deadlines
_ASLEEP_S: Final = 5.0  # a check that comes so late means that this process was stopped, as by Ctrl-Z
_STOP_S: Final = 5.0  # how long an engine may take to notice that its result is not wanted


@dataclass
class Shares:
    """Where the time went, in seconds over all members; for `tools/bench/bench.py`."""

    start: float = 0.0  # until a member was ready, such as a new process with its imports
    compute: float = 0.0  # from the start of a chunk to its result


@dataclass(eq=False)
class Member:
    """An engine of a dispatcher, and its state; times are seconds on the dispatcher's clock."""

    engine: Engine
    name: str  # for messages: the engine's, numbered where several have the same
    longest_silence_s: float | None = None  # without a report; None where the engine has deadlines of its own
    speed: float | None = None  # simulations per second, as measured last
    failures: int = 0  # in a row
    errors: list[str] = field(default_factory=list)  # each message once
    not_before_s: float = 0.0  # when it may be tried again
    is_out: bool = False  # it gets no more chunks of this job
    thread: threading.Thread | None = None
    chunk: range | None = None  # the simulations that it computes now
    ticket: int = 0  # number of the assignment; an answer with an earlier ticket is ignored
    is_ready: bool = False  # `prepare` is done and it computes
    assigned_s: float = 0.0
    last_heartbeat_s: float = 0.0
    longest_gap_s: float = 0.0  # between two reports so far
    partial: int = 0  # simulations of the chunk that are finished


@dataclass(frozen=True)
class _Event:
    """A report of a member's thread about the assignment with that ticket."""

    member: Member
    ticket: int
    ready: bool = False
    finished: int = 0
    result: Histogram | None = None
    error: BaseException | None = None


class Dispatcher:
    """Base of the engines that run a job on several members at once, as `FleetEngine` describes."""

    name: str
    worth_doubling_s = _CHUNK_S[0]  # what must be gained when a chunk is computed a second time

    def __init__(self, engines: Sequence[Engine], retry_s: float) -> None:
        names = [engine.name for engine in engines]
        self.members = [
            Member(engine, f"{engine.name} {i + 1}" if names.count(engine.name) > 1 else engine.name)
            for i, engine in enumerate(engines)
        ]
        self.retry_s = retry_s
        self._job: Job | None = None
        self._in_use = threading.Lock()  # the members' states belong to one stream at a time
        self.shares = Shares()

    @property
    def joins_groups(self) -> bool:
        """True if parts may span several groups."""
        return any(joins_groups(member.engine) for member in self.members)

    def simulate(self, job: Job, simulations: range, progress: Progress) -> Histogram:
        """See `Engine.simulate`."""
        return Histogram(job, [part for result in self.stream(job, [simulations], progress) for part in result.parts])

    def stream(
        self, job: Job, simulations: Sequence[range], progress: Progress, *, by_group: bool = False
    ) -> Iterator[Histogram]:
        """See `StreamingEngine.stream`."""
        with exclusive(self._in_use, self.name):
            if job != self._job:
                self._job = job
                for member in self.members:
                    member.speed, member.longest_gap_s = None, 0.0
                    member.is_out, member.failures, member.errors = False, 0, []
            stream = _Stream(self, job, simulations, progress, by_group=by_group)
            try:
                yield from stream.results()
            finally:
                stream.stop()

    def close(self) -> None:
        """Close all engines, also when one of them fails to close."""
        first: BaseException | None = None
        for member in self.members:
            try:
                member.engine.close()
            except BaseException as error:  # noqa: BLE001  Ctrl-C, too, must leave no port open
                if first is None:
                    first = error
                else:
                    _log.warning("%s did not close either: %s", member.name, _one_line(error))
        if first is not None:
            raise first

    def problem(self) -> EngineError | None:
        """The reason why no member can go on; asked for every half second."""
        return None

    def prepare(self, member: Member) -> None:
        """Make a member ready; called in its thread before each chunk, and not counted as computing."""

    def abandon(self, member: Member) -> None:
        """Make a member stop at once, where that is possible; its thread ends when its engine returns."""


class _Stream:
    """One call of `Dispatcher.stream`: the chunk of each member, and what is left.

    Every assignment has a ticket. Reports with an older ticket are ignored.
    """

    def __init__(
        self, dispatcher: Dispatcher, job: Job, simulations: Sequence[range], progress: Progress, *, by_group: bool
    ) -> None:
        self._dispatcher = dispatcher
        self._job = job
        self._one_group = by_group and dispatcher.joins_groups
        ranges = single_groups(job, simulations) if self._one_group else simulations
        self._queue = WorkQueue(job, ranges)
        self._missing = len(self._queue)
        self._retries: list[range] = []
        self._failed_by: dict[range, list[Member]] = {}
        self._progress = progress
        self._finished = 0
        self._reported = 0
        self._error: EngineError | None = None
        self._events: queue.SimpleQueue[_Event] = queue.SimpleQueue()
        self._inboxes: dict[Member, queue.SimpleQueue[tuple[int, range] | None]] = {}
        self._begun_s = self._checked_s = time.monotonic()

    # ---- in the caller's thread ------------------------------------------------------------------------------

    def results(self) -> Iterator[Histogram]:
        """Assign chunks until all results are there."""
        while self._missing and self._error is None:
            self._assign_chunks()
            self._check_members()
            parts: list[Part] = []
            try:
                self._handle(self._events.get(timeout=_POLL_INTERVAL_S), parts)
                # Take all that has come meanwhile: the caller may write a file for each yield.
                while self._missing:
                    self._handle(self._events.get_nowait(), parts)
            except queue.Empty:
                pass
            self._check_deadlines()
            if parts:
                self._assign_chunks()  # first, so that all members compute while the caller keeps the results
                yield Histogram(self._job, parts)
        if self._error is not None:
            raise self._error

    def _check_members(self) -> None:
        """Fail if all members are left out, or still busy with chunks of an earlier stream."""
        members, problem = self._dispatcher.members, self._dispatcher.problem()
        if problem is not None:
            self._error = problem
        elif all(member.is_out for member in members):
            self._error = EngineError(f"no engine is left: {self._all_errors()}")
        elif (
            not self._inboxes
            and all(member.is_out or not self._is_free(member) for member in members)
            and time.monotonic() - self._begun_s > START_S
        ):
            self._error = EngineError(
                f"the engines are still busy with what was stopped {START_S:g} s ago",
                next_step="Close them and make new ones.",
            )

    def _is_free(self, member: Member) -> bool:
        """True if no thread of an earlier stream still uses its engine."""
        return member in self._inboxes or member.thread is None or not member.thread.is_alive()

    def _handle(self, event: _Event, parts: list[Part]) -> None:
        """Handle a member's report; the parts of a result are added to `parts`."""
        member, now_s = event.member, time.monotonic()
        if event.ticket != member.ticket or member.chunk is None:
            return
        chunk = member.chunk
        if event.ready:
            self._dispatcher.shares.start += now_s - member.assigned_s
            member.assigned_s = member.last_heartbeat_s = now_s
            member.is_ready = True
        elif event.error is not None:
            member.chunk = None
            self._failed(member, chunk, event.error)
        elif event.result is not None:
            self._arrived(member, chunk, event.result, parts)
        else:
            member.longest_gap_s = max(member.longest_gap_s, now_s - member.last_heartbeat_s)
            member.last_heartbeat_s = now_s
            member.partial = min(len(chunk), member.partial + event.finished)
            self._report_progress()

    def _arrived(self, member: Member, chunk: range, result: Histogram, parts: list[Part]) -> None:
        now_s = time.monotonic()
        member.chunk = None
        if result.ranges != (chunk,) or result.job != self._job:
            self._failed(member, chunk, EngineError(f"it gave back {result.ranges} instead of {chunk}"))
            return
        seconds = max(now_s - member.assigned_s, 1e-6)
        self._dispatcher.shares.compute += seconds
        member.longest_gap_s = max(member.longest_gap_s, now_s - member.last_heartbeat_s)
        member.speed = len(chunk) / seconds
        member.failures = 0
        for other in self._dispatcher.members:
            if other.chunk == chunk:
                self._release(other)
        self._missing -= len(chunk)
        self._finished += len(chunk)
        self._report_progress()
        parts += result.parts

    def _report_progress(self) -> None:
        # The progress of a failed member is not taken back: it waits until the others have caught up.
        held: dict[range, int] = {}
        for member in self._dispatcher.members:
            if member.chunk is not None:
                held[member.chunk] = max(held.get(member.chunk, 0), member.partial)
        done = self._finished + sum(held.values())
        if done > self._reported:
            before, self._reported = self._reported, done
            self._progress(done - before)

    def _failed(self, member: Member, chunk: range, error: BaseException) -> None:
        """Return a chunk for others, and pause or leave out the member; fail if no member is left."""
        member.failures += 1
        message = _one_line(error)
        if message not in member.errors:
            member.errors.append(message)
        member.not_before_s = time.monotonic() + self._dispatcher.retry_s * 2 ** (member.failures - 1)
        # A wrong argument stays wrong: the job does not fit into a board's memory, say.
        if isinstance(error, ValueError) or member.failures >= MAX_FAILURES:
            member.is_out = True
        failed_by = self._failed_by.setdefault(chunk, [])
        failed_by.append(member)
        if not any(other.chunk == chunk for other in self._dispatcher.members):
            self._retries.append(chunk)
        left = [other for other in self._dispatcher.members if not other.is_out]
        if not left:
            self._error = EngineError(
                f"no engine is left to compute simulations {chunk.start} to {chunk.stop - 1}: {self._all_errors()}",
                next_step="Repair one of them, and run the job again; a checkpoint keeps finished simulations.",
            )
            self._error.__cause__ = error
        elif len(failed_by) > len(self._dispatcher.members) + 1:
            self._error = EngineError(
                f"simulations {chunk.start} to {chunk.stop - 1} failed {len(failed_by)} times: {self._all_errors()}",
                next_step="Run the job on another engine; a checkpoint keeps finished simulations.",
            )
            self._error.__cause__ = error

    def _all_errors(self) -> str:
        members = (member for member in self._dispatcher.members if member.errors)
        return "; ".join(f"{member.name}: {', then '.join(member.errors)}" for member in members)

    def _check_deadlines(self) -> None:
        now_s = time.monotonic()
        was_asleep = now_s - self._checked_s > _ASLEEP_S
        self._checked_s = now_s
        for member in self._dispatcher.members:
            if member.chunk is None or member.longest_silence_s is None:
                continue
            if was_asleep:
                member.last_heartbeat_s = now_s
            # Ten times the longest gap so far: another program may take most of the processor for a while.
            limit_s = max(member.longest_silence_s, 10 * member.longest_gap_s) if member.is_ready else START_S
            if now_s - member.last_heartbeat_s > limit_s:
                chunk = member.chunk
                self._release(member)
                self._dispatcher.abandon(member)
                silent = EngineError(f"no heartbeat for {limit_s:.3g} s; it was stopped")
                self._failed(member, chunk, silent)

    def _release(self, member: Member) -> None:
        """Ignore what a member computes from now on, and stop it, unless it is still being started."""
        member.chunk = None
        member.ticket += 1
        if member.is_ready:
            self._dispatcher.abandon(member)

    def _assign_chunks(self) -> None:
        now_s = time.monotonic()
        for member in self._dispatcher.members:
            if member.chunk is None and not member.is_out and now_s >= member.not_before_s and self._is_free(member):
                chunk = self._next_chunk(member)
                if chunk is not None:
                    self._assign(member, chunk)

    def _next_chunk(self, member: Member) -> range | None:
        can_choose = [other for other in self._dispatcher.members if not other.is_out]
        for chunk in self._retries:
            # Other members first, if there are any that have not failed with it.
            failed_by = self._failed_by[chunk]
            if member not in failed_by or all(other in failed_by for other in can_choose):
                self._retries.remove(chunk)
                return chunk
        if self._queue:
            return self._queue.take(self._chunk_size(member), one_group=self._one_group)
        if self._retries:
            return None  # it is for the others
        return self._chunk_to_double(member)

    def _chunk_size(self, member: Member) -> int:
        """Simulations of a member's next chunk: half of what all members need for the rest, within bounds."""
        if member.speed is None:
            return min(FIRST_CHUNK, max(1, len(self._queue) // len(self._dispatcher.members)))
        low_s, high_s = _BOARD_CHUNK_S if joins_groups(member.engine) else _CHUNK_S
        speeds = sum(other.speed or 0.0 for other in self._dispatcher.members if not other.is_out)
        seconds = min(high_s, max(low_s, len(self._queue) / speeds / 2))
        return round(member.speed * seconds)

    def _chunk_to_double(self, member: Member) -> range | None:
        """A chunk of another member that this one would finish in less than half the time left."""
        if member.speed is None:
            return None
        now_s = time.monotonic()
        holders: dict[range, list[Member]] = {}
        for other in self._dispatcher.members:
            if other.chunk is not None:
                holders.setdefault(other.chunk, []).append(other)
        best, most_left_s = None, 0.0
        for chunk, others in holders.items():
            (other, *more) = others
            elapsed = now_s - other.assigned_s
            if other.partial:
                left_s = elapsed * (len(chunk) / other.partial - 1)
            else:
                whole_s = len(chunk) / other.speed if other.speed else 0.0
                left_s = whole_s - elapsed if whole_s > elapsed else elapsed  # late: assume as long again
            own_s = len(chunk) / member.speed
            if not more and left_s > max(2 * own_s, own_s + self._dispatcher.worth_doubling_s, most_left_s):
                best, most_left_s = chunk, left_s
        return best

    def _assign(self, member: Member, chunk: range) -> None:
        now_s = time.monotonic()
        member.ticket += 1
        member.chunk, member.partial, member.is_ready = chunk, 0, False
        member.assigned_s = member.last_heartbeat_s = now_s
        if member not in self._inboxes:
            self._inboxes[member] = queue.SimpleQueue()
            # A daemon, so that a hanging engine does not keep the program from ending.
            member.thread = threading.Thread(
                target=self._work, args=(member, self._inboxes[member]), name=f"elm11 {member.name}", daemon=True
            )
            member.thread.start()
        self._inboxes[member].put((member.ticket, chunk))

    def stop(self) -> None:
        """Stop all members, and wait a little for those that compute."""
        end_s = time.monotonic() + _STOP_S
        to_wait_for = []
        for member, inbox in self._inboxes.items():
            if member.thread is not None and (member.chunk is None or member.is_ready):
                to_wait_for.append(member.thread)
            inbox.put(None)
            if member.chunk is not None:
                self._release(member)
        for thread in to_wait_for:
            thread.join(max(0.0, end_s - time.monotonic()))

    # ---- in the members' threads -----------------------------------------------------------------------------

    def _work(self, member: Member, inbox: queue.SimpleQueue[tuple[int, range] | None]) -> None:
        while (assigned := inbox.get()) is not None:
            ticket, chunk = assigned

            def report(finished: int, ticket: int = ticket) -> None:
                if member.ticket != ticket:
                    raise AbandonedError
                self._events.put(_Event(member, ticket, finished=finished))

            try:
                self._dispatcher.prepare(member)
                if member.ticket != ticket:
                    continue
                self._events.put(_Event(member, ticket, ready=True))
                event = _Event(member, ticket, result=member.engine.simulate(self._job, chunk, report))
            except BaseException as error:  # noqa: BLE001  whatever it is, the caller's thread hears of it
                event = _Event(member, ticket, error=error)
            self._events.put(event)


def _one_line(error: BaseException) -> str:
    # Its next step concerns one engine alone, and would make the message endless.
    text = error.what if isinstance(error, Elm11Error) else str(error)
    text = " ".join(text.split()).rstrip(".") or type(error).__name__
    return text if isinstance(error, (Elm11Error, ValueError)) else f"{type(error).__name__}: {text}"
