"""Is everything there that is needed, and what is to be done: the checks of `elm11 doctor`.

Needs nothing but Python, so that missing packages can be told; the checks that need more are in `doctor_board.py`. Each
check is a function of a `System`, the facts that it looks at, so that a test can give others. None changes
anything, none needs more rights than the user has, and ports are only opened as `detect` does it: those with the
board's USB chip, and the one that is named.
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
import sys
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import import_module, metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from .. import config
from ..errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ..board.detect import PortInfo
    from ..transport.base import Transport

OLDEST_PYTHON: Final = (3, 11)
OTHER_VARIABLES: Final = frozenset({"ELM11_EMBLUA", "ELM11_LUA_SOURCES", "ELM11_TEST_PORT"})
"""Variables of ours that are no settings of the command line."""


class State(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Check:
    """What one check found.

    Attributes:
        name: what was looked at.
        state: how it ended.
        found: what was found, a line or more.
        advice: what to do, a sentence; empty if nothing is.
        commands: the commands that do it, to be copied.
    """

    name: str
    state: State
    found: str
    advice: str = ""
    commands: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "name": self.name,
            "state": self.state.value,
            "found": self.found,
            "advice": self.advice,
            "commands": list(self.commands),
        }


def _serial_ports() -> Sequence[PortInfo]:
    found: Sequence[PortInfo] = import_module("serial.tools.list_ports").comports()
    return found


def _open_port(port: str) -> Transport:
    from ..transport.open import open_transport  # noqa: PLC0415  pyserial may be missing

    return open_transport(port)


def _installed(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _requirements() -> list[str]:
    return metadata.requires("elm11-lua-driver") or []


def _may_open(port: str) -> bool:
    return os.access(port, os.R_OK | os.W_OK)


def _groups() -> tuple[set[str], set[str]]:
    """The groups that this process has, and those that the user has been given."""
    if sys.platform == "win32":
        return set(), set()
    import grp  # noqa: PLC0415  not on Windows
    import pwd  # noqa: PLC0415

    active, given = set(), set()
    with contextlib.suppress(KeyError, OSError):
        user = pwd.getpwuid(os.getuid()).pw_name
        given = {group.gr_name for group in grp.getgrall() if user in group.gr_mem}
    for number in {*os.getgroups(), os.getgid()}:
        with contextlib.suppress(KeyError):  # a group without a name
            active.add(grp.getgrgid(number).gr_name)
    return active, given


@dataclass(frozen=True)
class System:
    """The facts that checks look at.

    Attributes:
        system: its name, as `sys.platform`.
        python: version of Python.
        root: where /sys, /proc, /etc and /lib are looked for.
        release: release of the kernel.
        environ: the environment.
        serial_ports: lists the serial ports.
        open_port: opens a port by its name.
        may_open: whether this user may open a port.
        groups: the groups that this process has, and those that the user has been given.
        installed: version of a package, or None.
        requirements: what this package requires, as its metadata say it.
        load_config: reads the settings.
    """

    system: str = sys.platform
    python: tuple[int, ...] = sys.version_info[:3]
    root: Path = Path("/")
    release: str = field(default_factory=platform.release)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    serial_ports: Callable[[], Sequence[PortInfo]] = _serial_ports
    open_port: Callable[[str], Transport] = _open_port
    may_open: Callable[[str], bool] = _may_open
    groups: Callable[[], tuple[set[str], set[str]]] = _groups
    installed: Callable[[str], str | None] = _installed
    requirements: Callable[[], list[str]] = _requirements
    load_config: Callable[[], Mapping[str, config.Setting]] = config.load

    @property
    def is_linux(self) -> bool:
        """Whether this is Linux."""
        return self.system.startswith("linux")

    def read(self, path: str) -> str:
        """A file below the root; empty where it cannot be read.

        Args:
            path: below the root, without a leading slash.
        """
        try:
            return (self.root / path).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""


# ---- this computer ------------------------------------------------------------------------------------------


def check_python(system: System) -> Check:
    """Python's version.

    Args:
        system: what is asked about this computer.
    """
    text = ".".join(map(str, system.python))
    found = f"{text} on {platform.platform(terse=True)}, {sys.executable}"
    if system.python[:2] >= OLDEST_PYTHON:
        return Check("Python", State.OK, found)
    oldest = ".".join(map(str, OLDEST_PYTHON))
    return Check("Python", State.FAILED, found, f"Install Python {oldest} or later, and this program with it.")


_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)\s*(?:>=\s*([0-9][0-9A-Za-z.]*))?")


def _numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version: (0, 5, 0) of "0.5.0b0"."""
    match = re.match(r"[0-9]+(?:\.[0-9]+)*", version)
    return tuple(map(int, match[0].split("."))) if match else ()


def check_packages(system: System) -> Check:
    """The packages that this one requires, and those that it can use.

    Args:
        system: what is asked about this computer.
    """
    there: list[str] = []
    wrong: list[str] = []
    optional: set[str] = set()
    for requirement in system.requirements():
        match = _REQUIREMENT.match(requirement)
        if match is None:
            continue
        name, oldest = match[1], match[2]
        version = system.installed(name)
        if "extra ==" in requirement:
            if version is not None and "dev" not in requirement:
                optional.add(f"{name} {version}")
        elif version is None:
            wrong.append(f"{name} is not installed")
        elif oldest and _numbers(version) < _numbers(oldest):
            wrong.append(f"{name} {version} is older than {oldest}")
        else:
            there.append(f"{name} {version}")
    if wrong:
        return Check(
            "packages",
            State.FAILED,
            "; ".join(wrong),
            "Install what is missing:",
            (f"{sys.executable} -m pip install --upgrade elm11-lua-driver",),
        )
    more = f"; optional: {', '.join(sorted(optional))}" if optional else ""
    return Check("packages", State.OK, ", ".join(there) + more)


def check_settings(system: System) -> Check:
    """Configuration files and variables of the environment.

    Args:
        system: what is asked about this computer.
    """
    try:
        settings = system.load_config()
    except ConfigError as error:
        return Check("settings", State.FAILED, str(error), "Correct it; elm11 config show tells what holds then.")
    unknown = sorted(
        name
        for name in system.environ
        if name.startswith(config.ENVIRONMENT_PREFIX)
        and name not in OTHER_VARIABLES
        and name not in map(config.variable, config.KEYS)
    )
    if unknown:
        known = ", ".join(map(config.variable, config.KEYS))
        return Check("settings", State.WARNING, f"{unknown[0]} has no meaning", f"Those that have: {known}.")
    lines = [
        f"{key} = {one.value} ({one.origin})"
        for key, one in settings.items()
        if one.source is not config.Source.DEFAULT
    ]
    return Check("settings", State.OK, "; ".join(lines) or "all defaults")


# ---- all of it -----------------------------------------------------------------------------------------------


def examine(system: System | None = None, port: str | None = None) -> Iterator[Check]:
    """All checks, one after the other.

    Args:
        system: the facts; those of this computer by default.
        port: the board's port; by default the one that is configured, else every port that may have a board.

    Yields:
        Each check as it ends.
    """
    system = System() if system is None else system
    yield check_python(system)
    packages = check_packages(system)
    yield packages
    settings = check_settings(system)
    yield settings
    if port is None and settings.state is not State.FAILED:
        port = system.load_config()["port"].value
    if packages.state is State.FAILED:
        return  # the rest needs them
    from . import board_checks  # noqa: PLC0415

    yield board_checks.check_driver(system)
    yield board_checks.check_udev_rule(system)
    yield board_checks.check_ports(system, port)
    check, board = board_checks.check_board(system, port)
    yield check
    yield board_checks.check_scripts(system, board)
    yield board_checks.check_calibration(board)
    yield board_checks.check_self_test()


def what_to_do(checks: Sequence[Check]) -> list[str]:
    """What to do next, the worst first; what is fine without it is left out.

    Args:
        checks: what was found, in order.
    """
    steps = []
    for state in (State.FAILED, State.WARNING):
        for check in checks:
            if check.state is state:
                lines = [f"{check.name}: {check.advice or check.found}", *(f"    {line}" for line in check.commands)]
                steps.append("\n".join(lines))
    return steps


def to_dict(checks: Sequence[Check]) -> dict[str, Any]:
    """All of it, for JSON.

    Args:
        checks: what was found, in order.
    """
    return {
        "format": 1,
        "ok": all(check.state in {State.OK, State.SKIPPED} for check in checks),
        "failed": sum(check.state is State.FAILED for check in checks),
        "warnings": sum(check.state is State.WARNING for check in checks),
        "checks": [check.to_dict() for check in checks],
        "next": what_to_do(checks),
    }
