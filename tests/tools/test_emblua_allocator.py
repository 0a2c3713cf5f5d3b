"""The board's allocator in C against what the board gave, address by address (tests/data/board_memory)."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from paths import DATA, ROOT

if TYPE_CHECKING:
    from pathlib import Path

REPLAY = ROOT / "tools" / "emblua" / "replay_allocator.py"
SYNTHETIC = DATA / "board_memory" / "vectors.json.xz"
SESSIONS = DATA / "board_memory" / "vectors_real.json"
NO_COMPILER = 3
TIMEOUT_S = 120.0
LARGEST_ON_A_FRESH_HEAP = 16_507


def replay(*arguments: str | Path) -> tuple[int, str]:
    """Exit code and output; the test that asked skips where there is no compiler, saying why."""
    done = subprocess.run(
        [sys.executable, str(REPLAY), *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    if done.returncode == NO_COMPILER:
        pytest.skip(done.stderr.strip()[-500:])
    return done.returncode, done.stdout + done.stderr


def replay_one(tmp_path: Path, **vector: object) -> tuple[int, str]:
    path = tmp_path / "vectors.json"
    path.write_text(json.dumps({"vectors": [{"name": "here", **vector}]}))
    return replay(path)


def test_every_address_is_the_boards() -> None:
    code, output = replay(SYNTHETIC, SESSIONS)
    assert (code, output) == (0, "46 vectors, 73578 requests: none differ\n")


def test_the_checks_of_the_compiler_find_nothing() -> None:
    code, output = replay(SYNTHETIC, SESSIONS, "--sanitize")
    if "sanitize" in output and code not in {0, 1}:
        pytest.skip(output.strip()[-500:])  # the compiler has no run-time libraries for them
    assert (code, output) == (0, "46 vectors, 73578 requests: none differ\n")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"results": ["f14176", 0]}, "request 0 ['malloc', 0, 80]: 'f14256' here, 'f14176' on the board"),
        ({"results": ["f14256"]}, "2 results here, 1 on the board"),
        ({"end": {"free_bytes": 1048576, "cursor": 13}}, "at the end, free_bytes: 1046912 here, 1048576 on the board"),
        ({"end": {"free_bytes": 1046912, "cursor": 0}}, "at the end, cursor: 13 here, 0 on the board"),
    ],
)
def test_a_difference_is_told(tmp_path: Path, changed: dict[str, object], words: str) -> None:
    vector = {
        "operations": [["malloc", 0, 80], ["malloc", 1, 1537]],
        "results": ["f14256", 0],
        "end": {"free_bytes": 1046912, "cursor": 13},
    }
    assert replay_one(tmp_path, **vector)[0] == 0
    code, output = replay_one(tmp_path, **{**vector, **changed})
    assert code == 1
    assert f"here: {words}" in output


def test_calloc_is_malloc_of_the_product(tmp_path: Path) -> None:
    code, output = replay_one(
        tmp_path,
        operations=[["calloc", "a", 4, 512], ["realloc", "b", 80], ["free", "a"]],
        results=[0, "f14256", None],
        end={"free_bytes": 1048576, "cursor": 0},
    )
    assert code == 0, output


def test_the_largest_request_on_a_fresh_heap(tmp_path: Path) -> None:
    assert replay_one(tmp_path, operations=[["malloc", 0, LARGEST_ON_A_FRESH_HEAP]], results=[0])[0] == 0
    code, output = replay_one(tmp_path, operations=[["malloc", 0, LARGEST_ON_A_FRESH_HEAP + 1]], results=["hang"])
    assert code == 0, output


def test_an_unknown_request_is_refused(tmp_path: Path) -> None:
    code, output = replay_one(tmp_path, operations=[["split", 0, 80]], results=[None])
    assert code == 2
    assert "request 0 is of no known kind" in output
