"""Fixtures that several test files share."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import rv32
from elm11_lua_driver import config
from elm11_lua_driver.board import calibration, run_registry
from elm11_lua_driver.board.firmware_sync import project_scripts
from elm11_shim import VirtualBoard
from elm11_shim.board_server import serve_tcp
from elm11_shim.program_store import ProgramStore
from hypothesis import settings
from paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

# No deadline for single examples: how long one takes says what else the computer does, not whether the code is right.
settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")

# A shell starts what it puts in the background with interrupts ignored; tests that press Ctrl-C, here or in a program
# that they start, would wait for ever.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

REPOSITORY = ROOT
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


@pytest.fixture(autouse=True)
def _no_configuration_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whoever runs the tests may have settings, calibrations and boards of their own."""
    folder = tmp_path_factory.mktemp("settings")
    for variable in ("XDG_CONFIG_HOME", "APPDATA"):
        monkeypatch.setenv(variable, str(folder))
    for key in set(config.KEYS) - {"cache"}:  # which has a folder of the tests, see below
        monkeypatch.delenv(config.variable(key), raising=False)


@pytest.fixture(scope="session", autouse=True)
def _cache_of_the_tests() -> Iterator[None]:
    """Keep results out of the user's cache folder, and what is there out of the tests. Subprocesses inherit it."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("ELM11_CACHE", str(Path(folder) / "results"))
        yield


@pytest.fixture(scope="session")
def emblua_path() -> Path:
    """The emblua binary, built if need be."""
    return build_emblua()


@pytest.fixture(scope="session")
def emblua_m32_path() -> Path:
    """emblua with 4-byte pointers; it needs the compiler's 32-bit libraries (Debian: gcc-multilib)."""
    return build_emblua("--m32")


@pytest.fixture(scope="session")
def emblua_real_path() -> Path:
    """emblua with the board's real memory; it needs the same libraries."""
    return build_emblua("--memory", "real")


@pytest.fixture(scope="session")
def rv32_machine() -> rv32.Machine:
    """The rv32i machine that counts instructions, built if need be; the test skips where that is impossible."""
    try:
        return rv32.machine()
    except rv32.MachineMissing as error:
        pytest.skip(str(error))


@pytest.fixture
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the user's is read or written."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(calibration, "config_folder", lambda: tmp_path / "config")
    monkeypatch.setattr(run_registry, "config_folder", lambda: tmp_path / "config")
    monkeypatch.delenv("ELM11_PORT", raising=False)


@pytest.fixture
def loaded(tmp_path: Path) -> str:
    """The port of a virtual board that has this project's programs, and keeps what is done to them."""
    store = ProgramStore(tmp_path / "flash.json")
    for script in project_scripts():
        store.create(script.name)
        store.append(script.name, script.text.encode())
    return "virtual://?store=flash.json"


@pytest.fixture
def server() -> Iterator[str]:
    """The port of a virtual board that stays from one command to the next, with this project's programs."""
    store = ProgramStore()
    for script in project_scripts():
        store.create(script.name)
        store.append(script.name, script.text.encode())
    with VirtualBoard(store=store) as board, serve_tcp(board) as running:
        yield running.address
