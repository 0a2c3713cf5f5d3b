#!/usr/bin/env python3
"""Kill a run with a checkpoint at random moments, again and again, and see that nothing is lost or counted twice.

    python tools/attack/kill_test.py [--kills 200] [--seed 1] [--engine numpy|pool]

A child process computes a job and keeps a checkpoint; this process kills it (SIGKILL), at a moment that the seed
draws, reads the file, and has another child go on. Every run that reaches its end is compared with an undisturbed one,
count by count, and the next one begins. It needs a POSIX system. Exit code 1 if anything was wrong.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import struct
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from elm11_lua_driver import Histogram, Job, NumpyEngine, PoolEngine, run
from elm11_lua_driver.engines.scheduler import WorkQueue
from elm11_lua_driver.jobs import storage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from elm11_lua_driver.engines import Engine, Progress

JOB = Job(lag1_x=0.72, lag1_y=0.5, dt=0.25, dj=0.25, s0=0.5, J=10, n_simulations=600, seed=20)
PIECE = 16
SETTLE_S = 10.0
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
        longest_loss: most simulations that had been computed and were not in the file.
    """

    kills: int = 0
    finished: int = 0
    longest_loss: int = 0


def compute(engine_name: str, checkpoint: Path, told: int) -> None:
    """The child: compute what is missing, and tell how many simulations are finished."""
    engine: Engine = PoolEngine(2) if engine_name == "pool" else SmallPieces()

    def tell(done: int, _: int) -> None:
        os.write(told, _COUNT.pack(done))

    try:
        run(JOB, engine, tell, checkpoint=checkpoint)
    finally:
        engine.close()


def start(engine_name: str, checkpoint: Path) -> tuple[int, int]:
    """Start a child. Forked, since a new interpreter would spend its time with imports.

    Returns:
        Its process id, and where it tells its progress.
    """
    told, to_tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(told)
        os.setpgid(0, 0)
        try:
            compute(engine_name, checkpoint, to_tell)
            os._exit(0)
        except BaseException as error:  # noqa: BLE001  it must not return into the parent's program
            os.write(2, f"the child failed: {type(error).__name__}: {error}\n".encode())
            os._exit(1)
    os.close(to_tell)
    return pid, told


def last_count(told: int) -> int:
    """The number of simulations that a child told last."""
    with os.fdopen(told, "rb") as pipe:
        data = pipe.read()
    whole = len(data) - len(data) % _COUNT.size
    return int(_COUNT.unpack(data[whole - _COUNT.size : whole])[0]) if whole else 0


def in_file(checkpoint: Path) -> int:
    """How many simulations a checkpoint holds; it must be whole.

    Raises:
        ValueError: it is not.
    """
    try:
        return storage.load(checkpoint).n_simulations
    except FileNotFoundError:
        return 0


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
    msg = f"processes of group {group} are left over"
    raise ValueError(msg)


def kill_again_and_again(kills: int, seed: int, engine_name: str, folder: Path) -> Tally:
    """Do it.

    Raises:
        ValueError: something was lost, counted twice, or left over; the message says what.
    """
    rng = random.Random(seed)  # noqa: S311  chance that can be repeated
    checkpoint = folder / "checkpoint.npz"
    undisturbed = run(JOB).sha256
    started_s = time.monotonic()
    compute(engine_name, checkpoint, os.open(os.devnull, os.O_WRONLY))
    whole_s = time.monotonic() - started_s
    tally, before = Tally(), 0
    checkpoint.unlink()
    while tally.kills < kills:
        pid, told = start(engine_name, checkpoint)
        end_s = time.monotonic() + rng.uniform(0, whole_s)
        gone, status = 0, 0
        while not gone and time.monotonic() < end_s:
            time.sleep(0.0005)
            gone, status = os.waitpid(pid, os.WNOHANG)
        if not gone:
            os.kill(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
        wait_until_gone(pid)
        done, kept = last_count(told), in_file(checkpoint)
        if kept < before:
            msg = f"the file held {before} simulations, and {kept} after a kill"
            raise ValueError(msg)
        before = kept
        if os.WIFSIGNALED(status):
            tally.kills += 1
            tally.longest_loss = max(tally.longest_loss, done - kept)
            continue
        if status:
            msg = "the child ended with an error"
            raise ValueError(msg)
        if storage.load(checkpoint).sha256 != undisturbed:
            msg = f"the counts differ from those of an undisturbed run; the file is {checkpoint}"
            raise ValueError(msg)
        tally.finished += 1
        checkpoint.unlink()
        before = 0
    if run(JOB, checkpoint=checkpoint).sha256 != undisturbed:  # the last one, which was still at it
        msg = f"the counts differ from those of an undisturbed run; the file is {checkpoint}"
        raise ValueError(msg)
    tally.finished += 1
    return tally


def main() -> int:
    """Kill, and print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200, help="how many (default 200)")
    parser.add_argument("--seed", type=int, default=1, help="of the moments (default 1)")
    parser.add_argument("--engine", choices=("numpy", "pool"), default="numpy", help="who computes (default numpy)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        try:
            tally = kill_again_and_again(args.kills, args.seed, args.engine, Path(folder))
        except ValueError as error:
            print(f"FAILED: {error}", file=sys.stderr)
            return 1
    print(
        f"{tally.kills} kills, {tally.finished} finished runs of {JOB.n_simulations} simulations, all counts equal; "
        f"at most {tally.longest_loss} simulations were computed and not kept"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
