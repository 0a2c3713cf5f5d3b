#!/usr/bin/env python3
"""Kill runs with a checkpoint at random moments, again and again, and check that nothing is lost or counted twice.

    PYTHONPATH=tools python -m attack.kill_test [--kills 200] [--seed 1] [--engine NAME] [--writers N]

Child processes compute a job and write a checkpoint; this process kills one (SIGKILL) at a moment that the seed draws,
reads the file, and starts others. Every run that reaches its end is compared with an undisturbed one, count by count,
and the next one begins. Several writers compute jobs of different lengths into one file. The file never holds less than
before, at no moment. It needs a POSIX system. Exit code 1 if anything was wrong.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import random
import signal
import struct
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from elm11_lua_driver import FleetEngine, Histogram, Job, NumpyEngine, PoolEngine, engines, run
from elm11_lua_driver.engines.scheduler import WorkQueue
from elm11_lua_driver.jobs import storage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from elm11_lua_driver.engines import Engine, Progress

JOB = Job(lag1_x=0.72, lag1_y=0.5, dt=0.25, dj=0.25, s0=0.5, J=10, n_simulations=600, seed=20)
ON_BOARD = Job(lag1_x=0.5, lag1_y=-0.3, dt=0.25, dj=0.5, s0=0.5, J=3, n_simulations=48, n_bins=300, seed=20)
ENGINES: Final = ("numpy", "pool", "fleet", "board", "dask")
PIECE = 16
SETTLE_S = 20.0
REFUSED: Final = 3
"""Exit code of a writer that refuses the file in one line, which is right where another one writes it."""
_COUNT = struct.Struct("<q")


class SmallPieces(NumpyEngine):
    """NumPy in pieces of a few milliseconds, so that kills meet the writing of the file often."""

    def stream(
        self, job: Job, simulations: Sequence[range], progress: Progress, *, by_group: bool = False
    ) -> Iterator[Histogram]:
        """See `StreamingEngine.stream`."""
        del by_group
        pieces = WorkQueue(job, simulations)
        while pieces:
            yield self.simulate(job, pieces.take(PIECE), progress)


@dataclass
class Tally:
    """What was seen.

    Attributes:
        kills: processes that were killed.
        finished: runs that reached their end.
        refused: writers that refused the file of another one.
        longest_loss: most simulations that had been computed and were not in the file; of a single writer.
    """

    kills: int = 0
    finished: int = 0
    refused: int = 0
    longest_loss: int = 0


@dataclass
class Child:
    """A process that computes.

    Attributes:
        pid: its process id, and that of its group.
        pipe: it writes here how many simulations are finished.
    """

    pid: int
    pipe: int

    def last_count(self) -> int:
        """The last number of finished simulations that it wrote; closes the pipe."""
        with os.fdopen(self.pipe, "rb") as pipe:
            data = pipe.read()
        whole = len(data) - len(data) % _COUNT.size
        return int(_COUNT.unpack(data[whole - _COUNT.size : whole])[0]) if whole else 0


@contextlib.contextmanager
def opened(name: str) -> Iterator[Engine]:
    """An engine by its name; of Dask with a cluster of its own."""
    with contextlib.ExitStack() as stack:
        engine: Engine
        if name == "dask":
            from distributed import LocalCluster  # noqa: PLC0415  heavy, and only for this engine

            cluster = stack.enter_context(LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None))
            engine = engines.create("dask", client=cluster.scheduler_address)
        elif name == "board":
            engine = engines.create("board", port="virtual://")
        elif name == "fleet":
            engine = FleetEngine([SmallPieces(), PoolEngine(1)])
        else:
            engine = PoolEngine(2) if name == "pool" else SmallPieces()
        stack.callback(engine.close)
        yield engine


def compute(job: Job, engine_name: str, checkpoint: Path, pipe: int) -> None:
    """The child: compute what is missing, and report how many simulations are finished."""

    def report(done: int, _: int) -> None:
        os.write(pipe, _COUNT.pack(done))

    with opened(engine_name) as engine:
        run(job, engine, report, checkpoint=checkpoint)


def start(job: Job, engine_name: str, checkpoint: Path) -> Child:
    """Start a child. Forked, since a new interpreter would spend its time with imports."""
    pipe, to_parent = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(pipe)
        os.setpgid(0, 0)
        try:
            compute(job, engine_name, checkpoint, to_parent)
            os._exit(0)
        except ValueError as error:
            if "\n" not in str(error) and "another program" in str(error):
                os._exit(REFUSED)
            os.write(2, f"the child failed: {error}\n".encode())
            os._exit(1)
        except BaseException as error:  # noqa: BLE001  it must not return into the parent's program
            os.write(2, f"the child failed: {type(error).__name__}: {error}\n".encode())
            os._exit(1)
    with contextlib.suppress(OSError):  # the child may be faster, or gone
        os.setpgid(pid, pid)
    os.close(to_parent)
    return Child(pid, pipe)


class Watched:
    """A checkpoint that must never hold less than before.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._before = 0

    def look(self) -> int:
        """How many simulations it holds.

        Raises:
            ValueError: it is damaged, or holds less than before.
        """
        try:
            kept = storage.load(self.path).n_simulations
        except FileNotFoundError:
            kept = 0
        if kept < self._before:
            msg = f"the file held {self._before} simulations, and then {kept}"
            raise ValueError(msg)
        self._before = kept
        return kept

    def compare(self, undisturbed: str) -> int:
        """Compare the finished file with the counts of an undisturbed run, and delete it; the number of such files, 1.

        Raises:
            ValueError: the counts differ.
        """
        if storage.load(self.path).sha256 != undisturbed:
            raise ValueError("the counts differ from those of an undisturbed run")
        self.path.unlink()
        self._before = 0
        return 1


def wait_until_gone(group: int) -> None:
    """Wait until no process of a group is left.

    Raises:
        ValueError: some stay.
    """
    end_s = time.monotonic() + SETTLE_S
    while time.monotonic() < end_s:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.005)
    os.killpg(group, signal.SIGKILL)
    msg = f"processes of group {group} are left over"
    raise ValueError(msg)


def kill_again_and_again(
    kills: int, seed: int, engine_name: str, folder: Path, *, writers: int = 1, end_s: float = float("inf")
) -> Tally:
    """Do it.

    Args:
        kills: how many processes to kill.
        seed: of the moments.
        engine_name: one of `ENGINES`.
        folder: for the checkpoint.
        writers: children at a time; each computes a fifth less than the one before.
        end_s: when to stop, on the clock `time.monotonic`, with fewer kills.

    Raises:
        ValueError: something was lost, counted twice, or left over; the message says what.
    """
    rng = random.Random(seed)  # noqa: S311  chance that can be repeated
    job = ON_BOARD if engine_name == "board" else JOB
    jobs = [dataclasses.replace(job, n_simulations=job.n_simulations * (5 - k) // 5) for k in range(writers)]
    undisturbed = run(job).sha256
    tally, file = Tally(), Watched(folder / "checkpoint.npz")
    started_s = time.monotonic()
    # In a child as well: threads of Dask or of a pool must not live here, where processes are forked.
    if _run_children([start(job, engine_name, file.path)], file, 0, float("inf")) != [0]:
        raise ValueError("an undisturbed child ended with an error")
    whole_s = time.monotonic() - started_s
    tally.finished += file.compare(undisturbed)
    while tally.kills < kills and time.monotonic() < end_s:
        children = [start(one, engine_name, file.path) for one in jobs]
        codes = _run_children(children, file, rng.randrange(writers), rng.uniform(0, whole_s * writers))
        done, kept = max(child.last_count() for child in children), file.look()
        tally.kills += codes.count(-signal.SIGKILL)
        tally.refused += codes.count(REFUSED)
        if 1 in codes:
            raise ValueError("a child ended with an error")
        if writers == 1 and codes[0] < 0:
            tally.longest_loss = max(tally.longest_loss, done - kept)
        if kept == job.n_simulations:
            tally.finished += file.compare(undisturbed)
    run(job, checkpoint=file.path)  # the last one, which was interrupted
    tally.finished += file.compare(undisturbed)
    return tally


def _run_children(children: list[Child], file: Watched, victim: int, after_s: float) -> list[int]:
    """Watch the file until all children have ended, one of them killed after some time; their exit codes."""
    running, codes = {child.pid for child in children}, []
    kill_s = time.monotonic() + after_s
    try:
        while running:
            for pid in sorted(running):
                gone, status = os.waitpid(pid, os.WNOHANG)
                if gone:
                    running.remove(pid)
                    codes.append(os.waitstatus_to_exitcode(status))
            if children[victim].pid in running and time.monotonic() > kill_s:
                os.kill(children[victim].pid, signal.SIGKILL)
                kill_s = float("inf")
            time.sleep(0.0005)
            if len(children) > 1:
                file.look()
    finally:
        for pid in running:
            os.killpg(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    for child in children:
        wait_until_gone(child.pid)
    return codes


def main() -> int:
    """Kill, and print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200, help="how many (default 200)")
    parser.add_argument("--seed", type=int, default=1, help="of the moments (default 1)")
    parser.add_argument("--engine", choices=ENGINES, default="numpy", help="what computes (default numpy)")
    parser.add_argument("--writers", type=int, choices=(1, 2, 3), default=1, help="processes on one file (default 1)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        try:
            tally = kill_again_and_again(args.kills, args.seed, args.engine, Path(folder), writers=args.writers)
        except ValueError as error:
            print(f"FAILED: {error}", file=sys.stderr)
            return 1
    print(
        f"{tally.kills} kills, {tally.finished} finished runs, {tally.refused} refusals, all counts equal; "
        f"at most {tally.longest_loss} simulations were computed and not kept"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
