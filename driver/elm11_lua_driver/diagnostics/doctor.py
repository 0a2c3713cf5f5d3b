"""The checks of `elm11 doctor`: of the installation here, of boards in `board_checks`.

A check changes nothing and needs no more rights than the user has. It opens only ports with the board's USB chip and
the one that is named, as `detect` does.
"""

from __future__ import annotations

import platform
import re
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from .. import config
from ..errors import ConfigError
from .check import Check, State, System

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

OLDEST_PYTHON: Final = (3, 11)
OTHER_VARIABLES: Final = frozenset({"ELM11_EMBLUA", "ELM11_LUA_SOURCES", "ELM11_TEST_PORT"})
"""Variables of this project that are not settings of the command line."""


# ---- this computer ------------------------------------------------------------------------------------------


def check_python(system: System) -> Check:
    """Python's version."""
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
    """Required and optional packages."""
    present: list[str] = []
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
            present.append(f"{name} {version}")
    if wrong:
        return Check(
            "packages",
            State.FAILED,
            "; ".join(wrong),
            "Install the packages:",
            (f"{sys.executable} -m pip install --upgrade elm11-lua-driver",),
        )
    more = f"; optional: {', '.join(sorted(optional))}" if optional else ""
    return Check("packages", State.OK, ", ".join(present) + more)


def check_settings(system: System) -> Check:
    """Configuration files and variables of the environment."""
    try:
        settings = system.load_config()
    except ConfigError as error:
        return Check("settings", State.FAILED, str(error), "Correct it, then see the settings with elm11 config show.")
    unknown = sorted(
        name
        for name in system.environ
        if name.startswith(config.ENVIRONMENT_PREFIX)
        and name not in OTHER_VARIABLES
        and name not in map(config.variable, config.KEYS)
    )
    if unknown:
        known = ", ".join(map(config.variable, config.KEYS))
        return Check("settings", State.WARNING, f"{unknown[0]} has no meaning", f"Known variables: {known}.")
    lines = [
        f"{key} = {one.value} ({one.origin})"
        for key, one in settings.items()
        if one.source is not config.Source.DEFAULT
    ]
    return Check("settings", State.OK, "; ".join(lines) or "all defaults")


# ---- all checks -----------------------------------------------------------------------------------------------


def examine(system: System | None = None, port: str | None = None) -> Iterator[Check]:
    """All checks, one after the other."""
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
    board_checks = import_module(f"{__package__}.board_checks")  # needs the packages that may be missing

    yield board_checks.check_driver(system)
    yield board_checks.check_udev_rule(system)
    yield board_checks.check_ports(system, port)
    check, board = board_checks.check_board(system, port)
    yield check
    yield board_checks.check_scripts(system, board)
    yield board_checks.check_calibration(board)
    yield board_checks.check_self_test()


def what_to_do(checks: Sequence[Check]) -> list[str]:
    """Next steps, those of failed checks first."""
    steps = []
    for state in (State.FAILED, State.WARNING):
        for check in checks:
            if check.state is state:
                lines = [f"{check.name}: {check.advice or check.found}", *(f"    {line}" for line in check.commands)]
                steps.append("\n".join(lines))
    return steps


def to_dict(checks: Sequence[Check]) -> dict[str, Any]:
    """All results, for JSON."""
    return {
        "format": 1,
        "ok": all(check.state in {State.OK, State.SKIPPED} for check in checks),
        "failed": sum(check.state is State.FAILED for check in checks),
        "warnings": sum(check.state is State.WARNING for check in checks),
        "checks": [check.to_dict() for check in checks],
        "next": what_to_do(checks),
    }
