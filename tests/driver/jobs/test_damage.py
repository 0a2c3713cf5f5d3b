"""Damaged and hostile files: one line, at once, with little memory, whatever stands in them."""

from __future__ import annotations

import io
import json
import os
import random
import re
import subprocess
import sys
import time
import warnings
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from click.testing import CliRunner
from elm11_lua_driver import run
from elm11_lua_driver.cli.main import main
from elm11_lua_driver.jobs import cache, storage
from elm11_lua_driver.jobs.checkpoint import Checkpoint
from elm11_lua_driver.jobs.storage import StoppingRule
from elm11_lua_driver.series.pair import read_both, read_series
from virtual_bench import SMALL

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SEED = 14
N_FLIPS = 400  # by reader; `tools/attack` has more


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "levels.npz"
    storage.save(run(SMALL), path, StoppingRule(0.9, 0.5))
    return path


def document(path: Path) -> dict[str, Any]:
    storage.save(run(SMALL), path, StoppingRule(0.9, 0.5))
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def refused(path: Path, match: str = "holds no histogram") -> None:
    with pytest.raises(ValueError, match=match) as caught:
        storage.load_run(path)
    assert "\n" not in str(caught.value)
    assert str(caught.value).isprintable()


def rewritten(path: Path, change: Callable[[str, bytes], bytes]) -> None:
    """The same archive with other members, and right sums: what a flipped bit before writing would leave."""
    with zipfile.ZipFile(path) as old:
        members = {name: old.read(name) for name in old.namelist()}
    with zipfile.ZipFile(path, "w") as new:
        for name, content in members.items():
            new.writestr(name, change(name, content))


@pytest.mark.parametrize("name", ["counts.npy", "job.npy", "start.npy", "level.npy", "sha256.npy"])
def test_every_flipped_bit_in_the_header_of_an_array(path: Path, name: str) -> None:
    whole = path.read_bytes()
    for position in range(128):
        for bit in (1, 32):
            path.write_bytes(whole)

            def flip(member: str, content: bytes, at: int = position, bit: int = bit) -> bytes:
                if member != name:
                    return content
                return content[:at] + bytes([content[at] ^ bit]) + content[at + 1 :]

            rewritten(path, flip)
            try:
                found = storage.load_run(path)
            except ValueError as error:
                assert "\n" not in str(error)  # noqa: PT017  one of two outcomes
            else:  # a blank, or the order of the one axis
                assert found.histogram.sha256 == run(SMALL).sha256
                assert found.rule == StoppingRule(0.9, 0.5)


@pytest.mark.parametrize(
    "number", ["Infinity", "NaN", "1" + "0" * 30, "1" + "0" * 400, "-1", '"x"', "[]", "{}", "null"]
)
@pytest.mark.parametrize("where", ["start", "counts", "level", "target", "n_simulations", "s0", "format", "parts"])
def test_numbers_that_no_histogram_has(tmp_path: Path, where: str, number: str) -> None:
    path = tmp_path / "a.json"
    content = document(path)
    if where == "start":
        content["parts"][0]["start"] = "@"
    elif where == "counts":
        content["parts"][0]["counts"][0][0] = "@"
    elif where in {"n_simulations", "s0"}:
        content["job"][where] = "@"
    elif where == "target":
        content["target_standard_error"] = "@"
    elif where == "format":
        content["job"]["format"] = "@"
    else:
        content[where] = "@"
    path.write_text(json.dumps(content).replace('"@"', number))
    refused(path, "holds no histogram|is damaged")
    assert CliRunner().invoke(main, ["resume", str(path)]).exit_code == 2


def test_the_level_and_the_target_have_a_sum_and_old_files_have_none(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    for name, value in (("level", 0.95), ("target_standard_error", 0.4), ("target_standard_error", None)):
        path.write_text(json.dumps({**document(path), name: value}))
        refused(path, "is damaged")
    content = document(path)
    del content["rule_sha256"]  # as version 0.1.0 wrote it
    path.write_text(json.dumps(content))
    assert storage.load_run(path).rule == StoppingRule(0.9, 0.5)


def test_nested_beyond_all_bounds(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("[" * 100_000)
    refused(path)


def flipped(content: bytes, chance: random.Random) -> bytes:
    """With one to three bytes changed, or cut off."""
    changed = bytearray(content)
    for _ in range(chance.randint(1, 3)):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed[: chance.randrange(len(changed))] if chance.random() < 0.1 else changed)


@pytest.mark.parametrize("suffix", [".npz", ".json", ".csv", ".csv of dates"])
def test_bytes_flipped_by_chance_end_in_one_line(tmp_path: Path, suffix: str) -> None:
    chance, path = random.Random(f"{SEED}{suffix}"), tmp_path / f"a{suffix.split(maxsplit=1)[0]}"
    if suffix in storage.SUFFIXES:
        storage.save(run(SMALL), path, StoppingRule(0.9, 0.5))
        read: Callable[[Path], object] = storage.load_run
    elif suffix == ".csv":
        path.write_text("time,x,y\n" + "".join(f"{i / 4},{i * 7 % 5}.5,{i * i % 11}e-1\n" for i in range(30)))
        read = read_both
    else:
        path.write_text("time;x\n" + "".join(f"{1990 + i // 12}-{i % 12 + 1:02};{i * 7 % 5},25\n" for i in range(30)))
        read = read_series
    whole = path.read_bytes()
    for _ in range(N_FLIPS):
        path.write_bytes(flipped(whole, chance))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                found = read(path)
            except ValueError as error:
                assert "\n" not in str(error)  # noqa: PT017  one of two outcomes
            else:
                if isinstance(found, storage.StoredRun):
                    assert (found.histogram.job, found.histogram.sha256) == (SMALL, run(SMALL).sha256)
                    assert found.rule == StoppingRule(0.9, 0.5)


def bomb(path: Path, n_bytes: int) -> None:
    """An archive whose counts unpack to very many zeros."""
    with zipfile.ZipFile(path) as old:
        members = {name: old.read(name) for name in old.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name, content in members.items():
            if name != "counts.npy":
                new.writestr(name, content)
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (n_bytes,)})
        with new.open("counts.npy", "w", force_zip64=True) as member:
            member.write(header.getvalue())
            for _ in range(n_bytes >> 20):
                member.write(bytes(1 << 20))


READ = """
import resource, sys, time
from pathlib import Path
from elm11_lua_driver.jobs import storage
from elm11_lua_driver.series.pair import read_both
path = Path(sys.argv[1])
started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    (storage.load if path.suffix in storage.SUFFIXES else read_both)(path)
except ValueError as error:
    print(error)
print(time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="devices, sparse files and kilobytes are those of Linux"
)
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("sparse.csv", "bytes; files of at most"),
        ("sparse.json", "bytes; files of at most"),
        ("sparse.npz", "holds no histogram"),
        ("bomb.npz", "would unpack to"),
        ("zero.csv", "pipe or a device"),
        ("zero.json", "pipe or a device"),
        ("zero.npz", "pipe or a device"),
        ("pipe.csv", "pipe or a device"),
        ("pipe.npz", "pipe or a device"),
        ("wide.csv", "1000000 columns, more than the 10000 that are read"),
        ("header.npz", "has .* bytes"),
    ],
)
def test_sizes_are_bounded_before_reading(tmp_path: Path, path: Path, name: str, message: str) -> None:
    file = tmp_path / name
    kind = file.stem
    if kind == "sparse":
        file.touch()
        os.truncate(file, 10 << 30)
    elif kind == "bomb":
        path.rename(file)
        bomb(file, 300 << 20)
    elif kind == "zero":
        file.symlink_to("/dev/zero")
    elif kind == "pipe":
        os.mkfifo(file)
    elif kind == "wide":
        file.write_text((",".join(["1"] * 10**6) + "\n") * 3)
    else:
        path.rename(file)
        rewritten(
            file, lambda name, content: content.replace(b"(8,)", b"(99999999,)") if name == "start.npy" else content
        )
        rewritten(
            file,
            lambda name, content: (
                np.lib.format.magic(1, 0) + content[8:].replace(b"'shape': (", b"'shape': (9999")
                if name == "start.npy"
                else content
            ),
        )
    done = subprocess.run(
        [sys.executable, "-c", READ, str(file)], capture_output=True, text=True, check=True, timeout=60
    )
    said, figures = done.stdout.splitlines()
    seconds, kilobytes = map(float, figures.split())
    assert re.search(message, said), said
    assert len(said) < 500
    assert seconds < 5
    assert kilobytes < 150_000


class TestCache:
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(cache.FOLDER_VARIABLE, str(tmp_path / "cache"))

    def test_a_damaged_header_is_computed_again(self) -> None:
        cache.save(run(SMALL))
        entry = cache.path_of(SMALL)
        rewritten(entry, lambda name, content: content.replace(b"}", b"(") if name == "counts.npy" else content)
        with pytest.warns(UserWarning, match="is computed again"):
            assert cache.load(SMALL) is None
        rewritten(entry, lambda name, content: content.replace(b"}", b"(") if name == "job.npy" else content)
        assert [one.job for one in cache.entries()] == [None]
        cache.save(run(SMALL))
        assert cache.load(SMALL) is not None

    def test_a_planted_link_is_neither_read_nor_written_through(self, tmp_path: Path) -> None:
        victim, entry = tmp_path / "victim.npz", cache.path_of(SMALL)
        storage.save(run(SMALL), victim)
        before = victim.read_bytes()
        entry.parent.mkdir(parents=True)
        entry.symlink_to(victim)
        with pytest.warns(UserWarning, match="symbolic link"):
            assert cache.load(SMALL) is None
        assert cache.entries() == []
        victim.write_bytes(before[:-1])
        cache.save(run(SMALL))
        assert victim.read_bytes() == before[:-1]
        assert not entry.is_symlink()
        assert cache.load(SMALL) is not None

    def test_a_folder_in_an_entry_s_place(self, recwarn: pytest.WarningsRecorder) -> None:
        entry = cache.path_of(SMALL)
        entry.mkdir(parents=True)
        assert cache.entries() == []
        assert cache.clear() == 0
        entry.mkdir(parents=True, exist_ok=True)
        assert cache.load(SMALL) is None
        recwarn.clear()
        cache.save(run(SMALL))
        assert not recwarn.list
        assert cache.load(SMALL) is not None
        cache.clear()
        (entry / "not ours").mkdir(parents=True)
        with pytest.warns(UserWarning, match="cannot be cached"):
            cache.save(run(SMALL))


def test_a_checkpoint_that_is_a_device_or_a_pipe_is_refused(tmp_path: Path) -> None:
    if os.name == "posix":
        os.mkfifo(tmp_path / "a.npz")
        started = time.monotonic()
        with pytest.raises(ValueError, match="not a regular file"):
            Checkpoint.open(tmp_path / "a.npz", SMALL)
        assert time.monotonic() - started < 5
