"""The project's programs on a board: what differs, what an upload would do, and doing it."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import elm11_firmware

from ..errors import ScriptsError, VerificationError
from ..protocol.lua_check import Problem, check_source
from ..protocol.upload import UploadProgress, estimate_s
from ..protocol.wire import WIRE_BYTE_S

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..protocol.upload import UploadEvent
    from .board import Board


_log = logging.getLogger(__name__)


class ScriptState(StrEnum):
    """What a program on the board is, compared with what it should be."""

    SAME = "unchanged"
    DIFFERENT = "different"
    MISSING = "missing"


class Action(StrEnum):
    """What was done, or would be done, with a program."""

    UPLOADED = "uploaded"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class ScriptReport:
    """One program.

    Attributes:
        name: its name on the board.
        n_bytes: bytes that are stored.
        before: what was on the board.
        action: what was done, or would be in a dry run.
        seconds: what the upload takes at least.
        restarts: why it was sent again.
    """

    name: str
    n_bytes: int
    before: ScriptState
    action: Action
    seconds: float
    restarts: tuple[str, ...] = ()


@dataclass(frozen=True)
class UploadReport:
    """What an upload did.

    Attributes:
        scripts: one entry per program, in the order of upload.
        dry_run: whether nothing was changed.
        verified: whether each program was read back.
        unknown: programs on the board that are not this project's; they are left alone.
    """

    scripts: tuple[ScriptReport, ...]
    dry_run: bool
    verified: bool
    unknown: tuple[str, ...] = ()

    @property
    def uploaded(self) -> tuple[str, ...]:
        """Names of the programs that were uploaded, or would be."""
        return tuple(script.name for script in self.scripts if script.action is Action.UPLOADED)

    @property
    def skipped(self) -> tuple[str, ...]:
        """Names of the programs that were the same already."""
        return tuple(script.name for script in self.scripts if script.action is Action.SKIPPED)

    @property
    def seconds(self) -> float:
        """What the uploads take at least."""
        return sum(script.seconds for script in self.scripts)

    def to_dict(self) -> dict[str, Any]:
        """As plain values for JSON."""
        return {
            "dry_run": self.dry_run,
            "verified": self.verified,
            "seconds": round(self.seconds, 1),
            "uploaded": list(self.uploaded),
            "skipped": list(self.skipped),
            "unknown": list(self.unknown),
            "scripts": [
                {
                    "name": script.name,
                    "bytes": script.n_bytes,
                    "before": str(script.before),
                    "action": str(script.action),
                    "seconds": round(script.seconds, 1),
                    "restarts": list(script.restarts),
                }
                for script in self.scripts
            ],
        }


@dataclass(frozen=True)
class CheckReport:
    """What is on a board, compared with this driver's programs.

    Attributes:
        states: by name, in the order of upload.
        unknown: other programs on the board.
    """

    states: Mapping[str, ScriptState] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every program is there and the same."""
        return all(state is ScriptState.SAME for state in self.states.values())

    def to_dict(self) -> dict[str, Any]:
        """As plain values for JSON."""
        return {
            "ok": self.ok,
            "scripts": {name: str(state) for name, state in self.states.items()},
            "unknown": list(self.unknown),
        }


@dataclass(frozen=True)
class Script:
    """A program to be stored.

    Attributes:
        name: its name on the board.
        text: what is stored.
        crc32: what the board finds when it loads it; empty if it has no check of its own.
        checked_size: bytes that it checks.
    """

    name: str
    text: str
    crc32: str = ""
    checked_size: int = 0


def project_scripts() -> list[Script]:
    """This project's programs as they are stored, in the order of upload."""
    return [
        Script(
            program.name,
            elm11_firmware.stored_text(program.name),
            "" if program.name == elm11_firmware.LOADER else program.crc32,  # the loader checks the others
            program.checked_size,
        )
        for program in elm11_firmware.programs()
    ]


def preflight(scripts: list[Script] | None = None) -> list[Problem]:
    """Everything that is wrong with programs, without a board."""
    problems: list[Problem] = []
    if scripts is None:
        for program in elm11_firmware.programs():
            problems += check_source(program.name, elm11_firmware.text(program.name).encode("ascii"))
    for script in project_scripts() if scripts is None else scripts:
        problems += check_source(script.name, script.text.encode("latin-1", "replace"))
    return problems


def require_clean(scripts: list[Script] | None = None) -> None:
    """Do nothing if there is nothing wrong with the programs.

    Raises:
        ScriptsError: there is; all of it at once.
    """
    problems = preflight(scripts)
    if problems:
        raise ScriptsError(
            f"{len(problems)} problems in the programs; nothing was sent.",
            problems=tuple(problems),
            state="checking the programs",
            next_step="Mend them first:",
        )


def check(
    board: Board, scripts: list[Script] | None = None, *, on_progress: Callable[[int, int], None] | None = None
) -> CheckReport:
    """Compare what is on a board with what should be there, by reading it back. Changes nothing.

    Args:
        board: the board.
        scripts: what should be there; the project's programs by default.
        on_progress: called with (programs compared, programs in all).
    """
    scripts = project_scripts() if scripts is None else scripts
    on_board = board.programs()
    states = {}
    for number, script in enumerate(scripts, start=1):
        if script.name not in on_board:
            states[script.name] = ScriptState.MISSING
        else:
            same = board.matches(script.name, script.text)
            states[script.name] = ScriptState.SAME if same else ScriptState.DIFFERENT
        if on_progress is not None:
            on_progress(number, len(scripts))
    return CheckReport(states, tuple(name for name in on_board if name not in states))


def upload(
    board: Board,
    scripts: list[Script] | None = None,
    *,
    force: bool = False,
    dry_run: bool = False,
    verify: bool = True,
    before: CheckReport | None = None,
    on_progress: Callable[[str, int, int], None] | None = None,
) -> UploadReport:
    """Store programs that are missing or differ from what is on the board.

    Each upload deletes the old program first. The order is such that a broken upload leaves programs that do not run,
    never some that run wrongly: whatever uses a program checks its text.

    Args:
        board: the board.
        scripts: the programs; the project's own by default.
        force: upload those that are the same as well.
        dry_run: only say what would be done.
        verify: read each program back, and have those that can check themselves.
        before: what `check` found, if that is known already.
        on_progress: called with (name, bytes sent, bytes of all).

    Raises:
        ScriptsError: programs that the board would not take; nothing was sent.
        VerificationError: what is on the board after an upload is not what was sent.
    """
    require_clean(scripts)
    scripts = project_scripts() if scripts is None else scripts
    before = check(board, scripts) if before is None else before
    settings_s = board.transport.byte_time_s or WIRE_BYTE_S
    reports = []
    for script in scripts:
        n_bytes = len(script.text.encode("latin-1"))
        state = before.states[script.name]
        restarts: tuple[str, ...] = ()
        wanted = force or state is not ScriptState.SAME
        if wanted and not dry_run:

            def note(event: UploadEvent, name: str = script.name) -> None:
                if on_progress is not None and isinstance(event, UploadProgress):
                    on_progress(name, event.n_sent, event.n_bytes)

            _log.info("uploading %s, %d bytes, was %s", script.name, n_bytes, state)
            restarts = board.upload(script.name, script.text, verify=verify, on_progress=note).restarts
            for reason in restarts:
                _log.info("%s was sent again: %s", script.name, reason)
        seconds = estimate_s(n_bytes, byte_time_s=settings_s) if wanted else 0.0
        action = Action.UPLOADED if wanted else Action.SKIPPED
        reports.append(ScriptReport(script.name, n_bytes, state, action, seconds, restarts))
    report = UploadReport(tuple(reports), dry_run, verify and not dry_run, before.unknown)
    if report.verified:
        uploaded = set(report.uploaded)
        self_check(board, [script for script in scripts if script.name in uploaded])
    return report


def self_check(board: Board, scripts: list[Script]) -> None:
    """Have the board check programs that carry a check of their own text.

    Raises:
        VerificationError: one of them does not agree.
    """
    for script in scripts:
        if script.crc32:
            wanted = (script.checked_size, script.crc32)
            found = board.check_program(script.name)
            if found != wanted:
                # On a bad wire one answer in some thousands is damaged in the same way twice.
                found = board.check_program(script.name)
            if found != wanted:
                raise VerificationError(
                    f"the board finds {found} as length and CRC-32 of program {script.name!r}, not {wanted}.",
                    program=script.name,
                    state="having the board check its programs",
                    next_step="Upload it again (--force).",
                )
