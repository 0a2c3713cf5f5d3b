"""Run a small job on virtual boards with faults of the line: exact counts, or a typed error, and before a deadline.

    PYTHONPATH=tools python -m attack.fault_matrix [--rounds N] [--seed S]

Without `--seed` the seeds are fresh; a finding says which one shows it. Time on these boards skips silences.
"""

from __future__ import annotations

import argparse
import secrets
import signal
import sys
import time
import warnings
from typing import Final
from urllib.parse import quote

from elm11_lua_driver import BoardEngine, Job, run
from elm11_lua_driver.errors import Elm11Error

DEADLINE_S: Final = 120.0
JOB: Final = Job(lag1_x=0.5, lag1_y=-0.3, dt=0.25, dj=0.5, s0=0.5, J=3, n_simulations=20, n_bins=60, seed=3)
PLANS: Final = (
    *("lose=0.0005", "flip=0.0005", "duplicate=0.0005", "swap=0.0005", "delay=0.01:2", "damage=0.1", "log=0.3"),
    *("to:lose=0.0005", "to:flip=0.0005", "to:duplicate=0.0005", "to:swap=0.0005", "to:delay=0.01:2"),
    *("lose=0.02", "to:flip=0.02", "damage=1", "split=1", "split=7,log=0.3,damage=0.05"),
    *("stall@3000:1.5", "stall@9000:600", "unplug@3000", "unplug@20000", "reboot@2000", "reboot@20000"),
)


class TooSlowError(BaseException):
    """A run did not end within `DEADLINE_S`."""


def _too_slow(*_: object) -> None:
    raise TooSlowError


def try_all(rounds: int, seed: int | None = None, end_s: float = float("inf")) -> tuple[int, int, list[str]]:
    """Run the job on boards with each plan of faults.

    Args:
        rounds: how often each plan.
        seed: of the first run, further ones count up; fresh ones if None.
        end_s: when to stop, on the clock `time.monotonic`.

    Returns:
        Number of runs with exact counts, number that ended with a typed error, and findings.
    """
    exact, typed, findings = 0, 0, []
    wanted = run(JOB).sha256
    before = signal.signal(signal.SIGALRM, _too_slow)
    try:
        for number in range(rounds * len(PLANS)):
            if time.monotonic() > end_s:
                break
            plan = PLANS[number % len(PLANS)]
            chance = secrets.randbits(32) if seed is None else seed + number
            port = f"virtual://?faults={quote(plan)}&seed={chance}"
            signal.setitimer(signal.ITIMER_REAL, DEADLINE_S)
            engine = BoardEngine(port=port)
            try:
                with warnings.catch_warnings(action="ignore"):
                    found = run(JOB, engine).sha256
                exact += found == wanted
                if found != wanted:
                    findings.append(f"{port}: wrong counts")
            except Elm11Error:
                typed += 1
            except (Exception, TooSlowError) as error:  # noqa: BLE001  what else comes out is what this looks for
                findings.append(f"{port}: {type(error).__name__}: {str(error)[:100]}")
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
                engine.close()
    finally:
        signal.signal(signal.SIGALRM, before)
    return exact, typed, findings


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2, help="how often each plan of faults (2)")
    parser.add_argument("--seed", type=int, help="of the first run; fresh ones by default")
    options = parser.parse_args()
    exact, typed, findings = try_all(options.rounds, options.seed)
    print(f"{exact} runs with exact counts, {typed} with a typed error, {len(findings)} findings")
    print(*findings, sep="\n")
    return bool(findings)


if __name__ == "__main__":
    sys.exit(main())
