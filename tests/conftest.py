"""Fixtures that several test files share."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import rv32

REPOSITORY = Path(__file__).resolve().parent.parent
# A first build fetches the Lua sources and compiles them: some ten seconds on a slow computer.
BUILD_TIMEOUT_S = 300.0


def build_emblua(*options: str) -> Path:
    """Run the build script; the test that asked skips where that is impossible, saying why."""
    build = REPOSITORY / "tools" / "emblua" / "build.py"
    done = subprocess.run(
        [sys.executable, str(build), *options],
        check=False,
        capture_output=True,
        text=True,
        timeout=BUILD_TIMEOUT_S,
    )
    if done.returncode:
        pytest.skip(f"emblua cannot be built here: {done.stderr.strip()[-500:]}")
    return Path(done.stdout.strip())


@pytest.fixture(scope="session")
def emblua_path() -> Path:
    """The emblua binary, built if need be."""
    return build_emblua()


@pytest.fixture(scope="session")
def emblua_m32_path() -> Path:
    """emblua with 4-byte pointers; it needs the compiler's 32-bit libraries (Debian: gcc-multilib)."""
    return build_emblua("--m32")


@pytest.fixture(scope="session")
def rv32_machine() -> rv32.Machine:
    """The rv32i machine that counts instructions, built if need be; the test skips where that is impossible."""
    try:
        return rv32.machine()
    except rv32.MachineMissing as error:
        pytest.skip(str(error))
