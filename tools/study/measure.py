"""Time and memory of a function, measured so that a shared machine disturbs all sides alike."""

from __future__ import annotations

import json
import math
import os
import random
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

CONFIDENCE: Final = 0.95
_SHORTEST_SAMPLE_S: Final = 0.01
_FEWEST_ROUNDS: Final = 2
_CHILD_TIMEOUT_S: Final = 900
_most_rounds: int | None = None
_CLEAR: Final = Path("/proc/self/clear_refs")


@dataclass(frozen=True)
class Interval:
    """A median with a confidence interval.

    Attributes:
        median: of the values.
        low: lower end of the interval.
        high: upper end.
        confidence: how often such an interval holds the true median; below 0.95 where there are fewer than six values.
        n: number of values.
    """

    median: float
    low: float
    high: float
    confidence: float
    n: int


def median_interval(values: Iterable[float], confidence: float = CONFIDENCE) -> Interval:
    """Median with its confidence interval from order statistics, which supposes nothing about the distribution.

    The k-th smallest and k-th largest of n values enclose the true median unless fewer than k values fall on one side
    of it, so with probability `1 - 2 P(B <= k - 1)`, B being binomial with n trials of 1/2. The narrowest such pair
    with at least the wanted confidence is taken; if even the extremes do not reach it, the extremes, and what they do
    reach.

    Args:
        values: at least one.
        confidence: wanted, between 0 and 1.

    Raises:
        ValueError: there are no values.

    Source: David & Nagaraja (2003), *Order statistics*, section 7.1.
    """
    ordered = sorted(values)
    n = len(ordered)
    if n == 0:
        msg = "values must hold at least one value"
        raise ValueError(msg)

    def reached(k: int) -> float:
        return 1 - 2 * sum(math.comb(n, i) for i in range(k)) / (1 << n)

    k = 1
    while 2 * (k + 1) <= n and reached(k + 1) >= confidence:
        k += 1
    return Interval(float(np.median(ordered)), ordered[k - 1], ordered[n - k], max(reached(k), 0.0), n)


@dataclass(frozen=True)
class Timing:
    """How long a call takes.

    Attributes:
        wall: seconds by the clock on the wall.
        process: seconds of processor time of this process, all threads.
    """

    wall: Interval
    process: Interval

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def limit_rounds(most: int | None) -> None:
    """Let `interleaved` make at most so many turns from now on; None for as many as it is asked for."""
    global _most_rounds  # noqa: PLW0603  one switch of the whole program, set by its command line
    _most_rounds = most


def interleaved(
    tasks: Mapping[str, Callable[[], object]],
    rounds: int,
    *,
    slow_s: float = 2.0,
    slow_rounds: int = 2,
    seed: int = 1,
    warm_up: bool = True,
    budget_s: float = math.inf,
) -> dict[str, Timing]:
    """Time several functions in turns: every round calls each of them once, in another order.

    A disturbance that lasts longer than a call then meets all of them, and no function always runs in the wake of the
    same other. A call that takes less than 10 ms is repeated within its turn, and its mean counts as one value.

    Args:
        tasks: name to function without arguments.
        rounds: turns.
        slow_s: a function whose first turn takes longer than this has `slow_rounds` turns only.
        slow_rounds: see `slow_s`.
        seed: for the order.
        warm_up: call each once before the first turn, so that caches and lazy imports are in place. What shows itself
            as slow then has had its first turn: such things are small beside it.
        budget_s: no further turn is begun when so many seconds are over and everything has had two. Turns that are
            left out are left out for all, so the comparison stays fair; the intervals say how few there were.

    Returns:
        Name to timing, in the order of `tasks`.
    """
    if _most_rounds is not None:
        rounds = min(rounds, _most_rounds)
    order = random.Random(seed)  # noqa: S311  an order need not be secret
    repeats = dict.fromkeys(tasks, 1)
    slow: set[str] = set()
    begun = time.perf_counter()
    wall: dict[str, list[float]] = {name: [] for name in tasks}
    process: dict[str, list[float]] = {name: [] for name in tasks}
    for name, task in tasks.items() if warm_up else ():
        started, started_process = time.perf_counter(), time.process_time()
        task()
        seconds, process_seconds = time.perf_counter() - started, time.process_time() - started_process
        for _ in range(2 if seconds < _SHORTEST_SAMPLE_S * 5 else 0):  # a short call may just have been interrupted
            started = time.perf_counter()
            task()
            seconds = min(seconds, time.perf_counter() - started)
        repeats[name] = max(1, math.ceil(_SHORTEST_SAMPLE_S / max(seconds, 1e-7)))
        if seconds > slow_s:
            slow.add(name)
            wall[name].append(seconds)
            process[name].append(process_seconds)
    for turn in range(rounds):
        if turn >= _FEWEST_ROUNDS and time.perf_counter() - begun > budget_s:
            break
        names = [name for name in tasks if name not in slow or (turn and len(wall[name]) < slow_rounds)]
        order.shuffle(names)
        for name in names:
            count = repeats[name]
            started, started_process = time.perf_counter(), time.process_time()
            for _ in range(count):
                tasks[name]()
            process[name].append((time.process_time() - started_process) / count)
            wall[name].append((time.perf_counter() - started) / count)
            if wall[name][-1] > slow_s:
                slow.add(name)
    return {name: Timing(median_interval(wall[name]), median_interval(process[name])) for name in tasks}


def say(what: str) -> None:
    """A line of progress."""
    print(f"  {what}", flush=True)


def peak_bytes() -> int:
    """Largest resident memory of this process so far.

    Linux tells it for the program that runs now; the portable number may still hold that of the parent process.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    import resource  # noqa: PLC0415  Windows has none, and there this study has no memory to show

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def can_reset_peak() -> bool:
    """Whether `reset_peak` does anything here."""
    return _CLEAR.exists()


def reset_peak() -> None:
    """Let `peak_bytes` start from what this process holds now, on Linux; elsewhere nothing happens."""
    if can_reset_peak():
        _CLEAR.write_text("5", encoding="ascii")  # 5: reset the peak resident size; see proc(5)


def _environment() -> dict[str, str]:
    """That of a child which finds the study, wherever it is started."""
    paths = [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def in_child(module: str, *arguments: str | float) -> dict[str, Any]:
    """Run a module of the study in a process of its own and read the JSON object that it prints.

    Raises:
        RuntimeError: it failed or took longer than a quarter of an hour; the message has its last lines.
    """
    command = [sys.executable, "-m", f"study.{module}", *map(str, arguments)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_CHILD_TIMEOUT_S, env=_environment()
        )
    except subprocess.TimeoutExpired as error:
        msg = f"{' '.join(command)} took longer than {_CHILD_TIMEOUT_S} s and was stopped"
        raise RuntimeError(msg) from error
    if done.returncode:
        tail = "\n".join(done.stderr.splitlines()[-5:])
        msg = f"{' '.join(command)} ended with exit code {done.returncode}:\n{tail}"
        raise RuntimeError(msg)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result
