"""Fixtures that several test files share."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
# A first build fetches the Lua sources and compiles them: some ten seconds on a slow computer.
BUILD_TIMEOUT_S = 300.0


@pytest.fixture(scope="session")
def emblua_path() -> Path:
    """The emblua binary, built if need be; tests skip where that is impossible, saying why."""
    build = REPOSITORY / "tools" / "emblua" / "build.py"
    done = subprocess.run(
        [sys.executable, str(build)], check=False, capture_output=True, text=True, timeout=BUILD_TIMEOUT_S
    )
    if done.returncode:
        pytest.skip(f"emblua cannot be built here: {done.stderr.strip()}")
    return Path(done.stdout.strip())
