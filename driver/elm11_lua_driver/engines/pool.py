"""The pool engine: all cores of this computer.

Worker processes, since threads do not scale: between its transforms NumPy holds the interpreter's lock. Measured on two
cores that other programs used a little, Python 3.11, 2 to 6 s of work in pieces of 0.15 to 0.3 s; speed-up over one
process in two rounds:

============================  ==============  ==============  ==============  =============
scales less one (J)                       10              20              28  start
============================  ==============  ==============  ==============  =============
two threads                       1.4 to 1.5      0.4 to 1.6      0.9 to 1.6  none
`concurrent.futures`, spawn       1.9 to 2.0      1.5 to 1.8      2.0 to 2.1  1.2 to 4.8 s
loky (joblib's)                   1.3 to 2.1      1.7 to 2.1      1.2 to 2.3  0.3 to 0.8 s
============================  ==============  ==============  ==============  =============

(loky's start lacks the imports, which its processes do at their first task.) The ways of starting processes do not
differ in speed. They differ in what happens when a process dies or hangs: both libraries then give up all of them, and
neither tells which process has a task that hangs. So the processes are our own: each has one pipe in each direction,
and can be killed and replaced alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import signal
import subprocess
import sys
import threading
from typing import IO, TYPE_CHECKING, Any, Final

from ..errors import EngineError
from ..jobs.histogram import Histogram, Part
from .dispatcher import Dispatcher, Member

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..jobs.job import Job
    from .base import Progress

FIRST_SILENCE_S: Final = 120.0
"""Longest time without a heartbeat of a process: a batch of the largest job, on a busy computer."""

MAX_WORKERS: Final = 1024
"""More processes than any one computer has cores."""

_BOOT: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from elm11_lua_driver.engines.worker import main; main(sys.argv[2])"
)
_END_S: Final = 5.0


def n_cores() -> int:
    """Number of cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on this system
        return os.cpu_count() or 1


class WorkerProcess:
    """An engine in a process of its own. The process is started at the first use, and again after it was killed."""

    def __init__(self, engine_name: str) -> None:
        self.name = "process"
        self._engine_name = engine_name
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()  # for starting and killing
        self._starting = threading.Lock()
        self._reading = threading.Lock()
        self._is_closed = False

    @property
    def pid(self) -> int | None:
        """The process's id, while there is one."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def prepare(self) -> None:
        """Start the process, unless it runs."""
        with self._starting:  # the thread of an abandoned chunk may still start it
            process = self._started()
            if process is None:
                return
            kind, *values = self._receive(process)
        if kind != "ready":
            raise EngineError(f"a worker process began with {kind} {values}; please report it")

    def _started(self) -> subprocess.Popen[bytes] | None:
        """A new process; None if one runs."""
        with self._lock:
            if self.pid is not None:
                return None
            if self._is_closed:
                raise EngineError("the engine has been closed; make a new one")
            self._forget()
            command = [sys.executable, "-P", "-c", _BOOT, json.dumps(sys.path), self._engine_name]
            try:
                with _without_interrupts():
                    self._process = subprocess.Popen(  # noqa: S603  this very interpreter
                        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
                    )
            except OSError as error:
                raise EngineError(f"a worker process could not be started: {error}") from error
            return self._process

    def simulate(self, job: Job, simulations: range, progress: Progress) -> Histogram:
        """See `Engine.simulate`."""
        self.prepare()
        process = self._process
        if process is None or process.stdin is None:
            raise EngineError("the worker process was stopped")
        try:
            return Histogram(job, self._exchange(process, process.stdin, job, simulations, progress))
        except BaseException:
            self.kill()  # it may be still computing
            raise

    def _exchange(
        self, process: subprocess.Popen[bytes], tasks: IO[bytes], job: Job, simulations: range, progress: Progress
    ) -> list[Part]:
        try:
            pickle.dump((job.to_json(), simulations.start, simulations.stop), tasks)
            tasks.flush()
        except (OSError, ValueError) as error:  # ValueError: closed meanwhile, by `kill`
            raise self._ended(process) from error
        while True:
            kind, *values = self._receive(process)
            if kind == "result":
                return [Part(*part) for part in values[0]]
            if kind == "error":
                raise values[0]
            progress(values[0])

    def _receive(self, process: subprocess.Popen[bytes]) -> tuple[Any, ...]:
        assert process.stdout is not None
        try:
            with self._reading:
                message: tuple[Any, ...] = pickle.load(process.stdout)  # noqa: S301  from a process of our own
        except (EOFError, OSError, ValueError, pickle.UnpicklingError) as error:
            raise self._ended(process) from error
        return message

    def _ended(self, process: subprocess.Popen[bytes]) -> EngineError:
        try:
            code = process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            return EngineError(f"worker process {process.pid} closed its output; it was stopped")
        how = f"was killed by signal {_signal_name(-code)}" if code < 0 else f"ended with exit code {code}"
        return EngineError(f"worker process {process.pid} {how}")

    def kill(self) -> None:
        """End the process at once. The next use starts another."""
        with self._lock:
            self._forget()

    def _forget(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_END_S)
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(OSError):  # unsent data is useless now
            process.stdin.close()
        with self._reading:  # a reading thread ends, now that the process is gone
            process.stdout.close()

    def close(self) -> None:
        """End the process for good."""
        self._is_closed = True
        self.kill()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


@contextlib.contextmanager
def _without_interrupts() -> Iterator[None]:
    """Block Ctrl-C in a child process from its first moment, before it can do so itself."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class PoolEngine(Dispatcher):
    """All cores of this computer, one process each.

    A process that dies or hangs is replaced, and its work is repeated. Starting takes about a second, so this is for
    longer work; the engine ``auto`` decides. The processes stay until `close`, and end in any case
    when this process does.

    Args:
        n_workers: how many processes; None for one per core.
        engine: the engine in each: "numpy" or "lua".
        silence_s: longest time without a heartbeat, before a process counts as hung; in any case ten times the longest
            gap so far is allowed.

    Raises:
        ValueError: an argument is outside its range.
    """

    name = "pool"
    worth_doubling_s = 5.0  # a process whose chunk another has finished is killed, and its successor takes a second

    def __init__(
        self, n_workers: int | None = None, *, engine: str = "numpy", silence_s: float = FIRST_SILENCE_S
    ) -> None:
        n_workers = n_cores() if n_workers is None else n_workers
        if not isinstance(n_workers, int) or not 1 <= n_workers <= MAX_WORKERS:
            raise ValueError(f"n_workers must be a whole number from 1 to {MAX_WORKERS}, not {n_workers!r}")
        if engine not in {"numpy", "lua"}:
            raise ValueError(f"engine must be numpy or lua, not {engine!r}")
        if not silence_s > 0:
            raise ValueError(f"silence_s must be greater than 0, not {silence_s!r}")
        self._workers = [WorkerProcess(engine) for _ in range(n_workers)]
        super().__init__(self._workers, retry_s=0.0)  # a new process is a fresh start, nothing to wait for
        for member in self.members:
            member.longest_silence_s = silence_s

    @property
    def pids(self) -> list[int]:
        """Ids of the processes that run."""
        return [worker.pid for worker in self._workers if worker.pid is not None]

    def prepare(self, member: Member) -> None:
        """See `Dispatcher.prepare`: starts the process."""
        assert isinstance(member.engine, WorkerProcess)
        member.engine.prepare()

    def abandon(self, member: Member) -> None:
        """See `Dispatcher.abandon`: kills the process; the next chunk starts another."""
        assert isinstance(member.engine, WorkerProcess)
        member.engine.kill()
