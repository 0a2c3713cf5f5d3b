#!/usr/bin/env python3
"""Run dieharder on the project's random words and record what it finds.

    python tools/research/random_battery.py [--output tools/research/dieharder.txt] [-- dieharder options, default -a]

The words go to dieharder in the order in which a job uses them: 384 words (three blocks) of simulation 0's first
series, 384 of its second, then simulation 1, and so on. So the battery tests the hash that starts every block as much
as the generator that runs inside it. Needs Debian's package `dieharder` (R. G. Brown, D. Eddelbuettel, D. Bauer).

The whole battery reads some 250 GB and takes about an hour. Of its p-values one in a hundred is called WEAK by chance
(below 0.005 or above 0.995), so one or two WEAK lines in 114 are expected, and no FAILED.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
from elm11_host_ref.exact import rednoise

WORDS_PER_SERIES = 384
SIMULATIONS_PER_CHUNK = 2048
MAX_SIMULATIONS = 1 << 31


def feed(battery: subprocess.Popen[bytes], seed: int) -> None:
    """Write words until the battery has read enough and closes the pipe."""
    assert battery.stdin is not None
    try:
        for start in range(0, MAX_SIMULATIONS, SIMULATIONS_PER_CHUNK):
            simulations = range(start, start + SIMULATIONS_PER_CHUNK)
            words = rednoise.random_words(seed, simulations, WORDS_PER_SERIES)
            battery.stdin.write(np.ascontiguousarray(words, "<u4").tobytes())
        battery.stdin.close()
    except (BrokenPipeError, ConnectionResetError):
        pass  # the battery has what it wants


def main() -> int:
    """Run the battery; 0 when nothing failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, help="file for the record")
    parser.add_argument("--seed", type=int, default=1, help="seed of the words (default 1)")
    parser.add_argument("options", nargs="*", default=["-a"], help="for dieharder, after --")
    args = parser.parse_args()
    if shutil.which("dieharder") is None:
        sys.exit("dieharder is not installed; on Debian: apt-get install dieharder")
    battery = subprocess.Popen(["dieharder", "-g", "200", *args.options], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    threading.Thread(target=feed, args=(battery, args.seed), daemon=True).start()
    assert battery.stdout is not None
    lines = []
    for raw in battery.stdout:
        lines.append(raw.decode().rstrip())
        print(lines[-1], flush=True)
    code = battery.wait()
    verdicts = [match.group() for line in lines if (match := re.search(r"PASSED|WEAK|FAILED", line))]
    summary = ", ".join(f"{verdicts.count(word)} {word}" for word in ("PASSED", "WEAK", "FAILED"))
    print(summary)
    if args.output:
        head = f"tools/research/random_battery.py --seed {args.seed} -- {' '.join(args.options)}\n{summary}\n\n"
        args.output.parent.mkdir(parents=True, exist_ok=True)
        args.output.write_text(head + "\n".join(lines) + "\n")
    return code or int("FAILED" in verdicts or not verdicts)


if __name__ == "__main__":
    sys.exit(main())
