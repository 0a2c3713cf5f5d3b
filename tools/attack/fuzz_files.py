"""Feed damaged files to everything that reads files.

    PYTHONPATH=tools python -m attack.fuzz_files [--count N] [--seed S] [READER ...]

A reader gives what was in the undamaged file, or refuses with one line (`ValueError`, `OSError`, `Elm11Error`). The
user's own files (cache, calibration, run record) never stop a program: their readers give None. Anything else is a
finding: another exception, a wait of `DEADLINE_S`, other counts. The same seed gives the same files.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import re
import signal
import sys
import tempfile
import time
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Final

from elm11_lua_driver import Job, config, run
from elm11_lua_driver.board import calibration, run_registry
from elm11_lua_driver.errors import Elm11Error
from elm11_lua_driver.jobs import cache, storage
from elm11_lua_driver.protocol.commands import job_name
from elm11_lua_driver.series import pair
from elm11_lua_driver.transport.trace import TraceEntry, read_trace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DEADLINE_S: Final = 5.0
JOB: Final = Job(lag1_x=0.5, lag1_y=-0.3, dt=0.25, dj=0.5, s0=0.5, J=3, n_simulations=20, n_bins=60, seed=3)
_NUMBER: Final = re.compile(rb"-?\d+(\.\d+)?")
_VALUES: Final = (
    *(b"1e999", b"-1", b"0", b"1" + b"0" * 30, b"9" * 5000, b"Infinity", b"NaN", b"-1e308", b"5e-324"),
    *(b"null", b'"x"', b"[]", b"{}", b"true", b"2147483648", b"18446744073709551616", b"[" * 5000),
)
_FOLDERS: Final = ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "ELM11_CACHE")


class TooSlowError(BaseException):
    """A reader did not end within `DEADLINE_S`. No handler of the product may catch it."""


@dataclass(frozen=True)
class Reader:
    """One kind of file.

    Attributes:
        path: where the file is read.
        good: its undamaged content.
        read: what is under test; None if it refuses the file quietly.
        expected: what `read` gives for `good`, where the file protects it by a check sum.
    """

    path: Path
    good: bytes
    read: Callable[[], Any]
    expected: Any = None


def damaged(data: bytes, random: Random) -> bytes:
    """The data with one to three damages: flipped bits, lost or repeated pieces, other numbers, an early end."""
    for _ in range(random.randint(1, 3)):
        at = random.randrange(len(data) + 1)
        end = min(len(data), at + random.choice((1, 2, 8, 64)))
        match random.randrange(8):
            case 0 | 1 if at < len(data):
                data = data[:at] + bytes([data[at] ^ 1 << random.randrange(8)]) + data[at + 1 :]
            case 2:
                data = data[:at]
            case 3:
                data = data[:at] + data[end:]
            case 4:
                data = data[:end] + data[at:]
            case 5:
                data = data[:at] + random.randbytes(end - at) + data[end:]
            case _:
                if found := list(_NUMBER.finditer(data[:100_000])):
                    number = random.choice(found)
                    data = data[: number.start()] + random.choice(_VALUES) + data[number.end() :]
    return data


def damaged_archive(data: bytes, random: Random) -> bytes:
    """A damaged archive: half of the time with one damaged member in an archive that is whole."""
    if random.random() < 0.5:
        return damaged(data, random)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = random.choice(sorted(members))
    members[name] = damaged(members[name], random)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def readers(folder: Path) -> dict[str, Reader]:
    """Every kind of file that the product reads, in a folder of its own."""
    histogram = run(JOB)
    rule = storage.StoppingRule(0.9, 0.01)

    def stored(path: Path) -> Reader:
        storage.save(histogram, path, rule)

        def read() -> object:
            found = storage.load_run(path)
            return found.histogram.job, found.histogram.sha256, found.rule

        return Reader(path, path.read_bytes(), read, (JOB, histogram.sha256, rule))

    def cached() -> object:
        found = cache.load(JOB)
        cache.entries()
        return found and found.sha256

    def calibrated() -> None:
        for one in calibration.load_all().values():
            float(one.seconds_for(JOB, 10))

    def remembered() -> None:
        run_registry.load(job_name(JOB))

    def series(name: str, text: str) -> Reader:
        path = folder / name
        return Reader(path, text.encode(), lambda: pair.make_pair(*pair.read_both(path)))

    cache.save(histogram)
    saved = calibration.save(calibration.Calibration("id", 0.001, 1e6, "1", "2026-01-01T00:00:00+00:00"))
    run_registry.save(run_registry.RunRecord(JOB, folder / "out.npz", 0.95, 1.0))
    record = Path(os.environ["XDG_CONFIG_HOME"]) / "elm11" / "runs" / f"{job_name(JOB)}.json"
    trace_path = folder / "trace.jsonl"
    entries = TraceEntry(0.0, "to_board", b"print(1)\n"), TraceEntry(0.01, "from_board", b"1\n\r\x1b[0m$ ")
    trace = "".join(one.to_json() + "\n" for one in entries).encode()
    settings = folder / "pyproject.toml"
    toml = b'[tool.elm11]\nport = "virtual://"\ntx_delay_ms = 1.5\nengine = "numpy"\ntrace = "a.jsonl"\n'
    rows = [(f"{2000 + n // 12}-{n % 12 + 1:02d}-01", 0.25 * n, (-1) ** n * 1.5, n * 7 % 11) for n in range(40)]
    return {
        "npz": stored(folder / "checkpoint.npz"),
        "json": stored(folder / "checkpoint.json"),
        "cache": Reader(cache.path_of(JOB), cache.path_of(JOB).read_bytes(), cached, histogram.sha256),
        "calibration": Reader(saved, saved.read_bytes(), calibrated),
        "record": Reader(record, record.read_bytes(), remembered),
        "config": Reader(settings, toml, lambda: config.load({}, folder)),
        "csv": series("pair.csv", "time,x,y\n" + "".join(f"{t},{x},{y}\n" for _, t, x, y in rows)),
        "dates": series("dates.csv", "date;x;y\n" + "".join(f"{day};{x};{y}\n" for day, _, x, y in rows)),
        "trace": Reader(trace_path, trace, lambda: read_trace(trace_path)),
    }


@contextlib.contextmanager
def own_folders() -> Iterator[Path]:
    """A folder for everything, the user's folders included."""
    before = {name: os.environ.get(name) for name in _FOLDERS}
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update({name: f"{folder}/{name}" for name in _FOLDERS})
        try:
            yield Path(folder)
        finally:
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})


def _too_slow(*_: object) -> None:
    raise TooSlowError


def fault_of(reader: Reader, data: bytes) -> str | None:
    """What a reader does wrong with a content; None if nothing."""
    reader.path.write_bytes(data)
    signal.setitimer(signal.ITIMER_REAL, DEADLINE_S)
    try:
        with warnings.catch_warnings(action="ignore"):
            found = reader.read()
    except (ValueError, OSError, Elm11Error) as error:
        return f"a message of several lines: {str(error)[:80]!r}" if "\n" in str(error).strip() else None
    except (Exception, TooSlowError) as error:  # noqa: BLE001  what else comes out is what this looks for
        return f"{type(error).__name__}: {str(error)[:80]}"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    if found is not None and reader.expected is not None and found != reader.expected:
        return "read as something else than was written"
    return None


def fuzz(count: int, seed: int, chosen: list[str] | None = None) -> tuple[int, list[str]]:
    """Try that many files of each kind.

    Args:
        count: files of each kind.
        seed: of the damages.
        chosen: names of kinds; all if None.

    Returns:
        Number of files, and one finding for each kind of fault of a reader.
    """
    found: dict[tuple[str, str], str] = {}
    tried = 0
    before = signal.signal(signal.SIGALRM, _too_slow)
    try:
        with own_folders() as folder:
            for name, reader in readers(folder).items():
                if chosen and name not in chosen:
                    continue
                random = Random(f"{seed} {name}")  # noqa: S311  # not for secrets
                damage = damaged_archive if reader.good.startswith(b"PK") else damaged
                if fault := fault_of(reader, reader.good):
                    found[name, "good"] = f"{name}: the undamaged file: {fault}"
                for number in range(count):
                    data = damage(reader.good, random)
                    tried += 1
                    if fault := fault_of(reader, data):
                        key = name, re.sub(r"[\d'\"].*", "", fault)
                        found.setdefault(key, f"{name}: file {number} of seed {seed}: {fault}; {shown(data)}")
                reader.path.write_bytes(reader.good)
    finally:
        signal.signal(signal.SIGALRM, before)
    return tried, list(found.values())


def shown(data: bytes) -> str:
    """A file in a finding: text as it is; of an archive its size, since the seed makes it again."""
    return f"{len(data)} bytes" if data.startswith(b"PK") else json.dumps(data[:160].decode("latin-1"))


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2000, help="files of each kind (2000)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("readers", nargs="*", metavar="READER")
    options = parser.parse_args()
    start_s = time.perf_counter()
    tried, findings = fuzz(options.count, options.seed, options.readers)
    print(f"{tried} damaged files in {time.perf_counter() - start_s:.0f} s, {len(findings)} findings")
    print(*findings, sep="\n")
    return bool(findings)


if __name__ == "__main__":
    sys.exit(main())
