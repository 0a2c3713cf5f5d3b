"""A worker process of the pool: computes what it reads from its standard input.

It is started by `pool.WorkerProcess`, not by `multiprocessing`: a script then needs no ``if __name__ == "__main__"``,
since the worker never imports it. Its input ends when the parent ends, for whatever reason, and then it ends too.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import sys
import threading
from typing import IO, TYPE_CHECKING, Any

from ..jobs.job import Job
from .lua import LuaEngine
from .numpy import NumpyEngine

if TYPE_CHECKING:
    from .base import Engine


def main(engine_name: str) -> None:
    """Answer tasks until the input ends.

    A task is ``(job as JSON, start, stop)``. Answers are ``("ready",)`` once, ``("progress", n)`` any number of times,
    then ``("result", parts)`` with the parts as ``(start, stop, counts)``, or ``("error", exception)``.
    """
    # Ctrl-C reaches every process of the terminal; the parent decides what to do.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # keeps the prints of libraries out of the answers
    tasks: queue.SimpleQueue[tuple[str, int, int]] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(sys.stdin.buffer, tasks), daemon=True).start()

    engine: Engine = LuaEngine() if engine_name == "lua" else NumpyEngine()
    _answer(answers, "ready")
    while True:
        text, start, stop = tasks.get()
        try:
            message = _simulated(engine, answers, text, range(start, stop))
        except Exception as error:  # noqa: BLE001  the parent raises it
            message = ("error", _that_pickles(error))
        _answer(answers, *message)


def _simulated(engine: Engine, answers: IO[bytes], text: str, simulations: range) -> tuple[Any, ...]:
    histogram = engine.simulate(Job.from_json(text), simulations, lambda n: _answer(answers, "progress", n))
    return "result", [(part.start, part.stop, part.counts) for part in histogram.parts]


def _read(source: IO[bytes], tasks: queue.SimpleQueue[tuple[str, int, int]]) -> None:
    try:
        while True:
            tasks.put(pickle.load(source))  # noqa: S301  from the process that started this one
    except (EOFError, OSError, pickle.UnpicklingError):
        os._exit(0)  # at once, even while computing


def _answer(answers: IO[bytes], *message: object) -> None:
    try:
        pickle.dump(message, answers, protocol=pickle.HIGHEST_PROTOCOL)
        answers.flush()
    except OSError:
        os._exit(0)  # the parent has gone


def _that_pickles(error: Exception) -> Exception:
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301  just made
    except Exception:  # noqa: BLE001  anything may go wrong with an unknown class
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
