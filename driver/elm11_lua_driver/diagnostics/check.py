"""A check's result, and the facts about this computer that checks look at.

Needs nothing but Python, so that `elm11 doctor` can report missing packages.
"""

from __future__ import annotations

import contextlib
import os
import platform
import sys
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import import_module, metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import config

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ..board.detect import PortInfo
    from ..transport.base import Transport


class State(StrEnum):
    """The outcome of a check."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Check:
    """The result of one check.

    Attributes:
        name: the subject of the check.
        state: the outcome.
        found: the finding, a line or more.
        advice: what to do, a sentence; empty if nothing needs to be done.
        commands: shell commands that do it.
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
    opened: Transport = import_module("elm11_lua_driver.transport.open").open_transport(port)
    return opened


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
    """The groups of this process, and those assigned to the user."""
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
    """Facts about this computer. Tests give others.

    Attributes:
        system: its name, as `sys.platform`.
        python: version of Python.
        root: the folder of sys, proc, etc and lib.
        release: release of the kernel.
        environ: the environment.
        serial_ports: lists the serial ports.
        open_port: opens a port by its name.
        may_open: tells if this user may open a port.
        groups: the groups of this process, and those assigned to the user.
        installed: version of a package, or None.
        requirements: requirements in this package's metadata.
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
        """True on Linux."""
        return self.system.startswith("linux")

    def read(self, path: str) -> str:
        """The text of a file below the root; empty where it cannot be read."""
        try:
            return (self.root / path).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
