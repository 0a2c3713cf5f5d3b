"""The checks of `elm11 doctor` that look for a board: driver, rule, ports, the board itself, and a virtual one."""

from __future__ import annotations

import contextlib
import re
import shlex
import threading
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..board import calibration, detect, firmware_sync
from ..board.board import Board
from ..board.detect import BoardState, Detected
from ..engines import BoardEngine
from ..errors import Elm11Error, PortBusyError
from ..jobs.job import Job
from ..levels.runner import run
from ..transport.port_errors import opening_error, port_holders
from .check import Check, State, System

if TYPE_CHECKING:
    from collections.abc import Callable

UDEV_RULE: Final = "70-elm11.rules"
RULE_FOLDERS: Final = ("etc/udev/rules.d", "run/udev/rules.d", "usr/local/lib/udev/rules.d", "usr/lib/udev/rules.d")
SELF_TEST_DEADLINE_S: Final = 60.0

_SELF_TEST_JOB: Final = Job(lag1_x=0.5, lag1_y=-0.3, dt=0.25, dj=0.5, s0=0.5, J=3, n_simulations=4, n_bins=300)


# ---- driver, rule and ports -----------------------------------------------------------------------------------


def _candidates(system: System) -> list[str]:
    return [one.port for one in detect.candidates(system.serial_ports())[0]]


def check_driver(system: System) -> Check:
    """FTDI's driver."""
    return _linux_driver(system) if system.is_linux else _other_driver(system)


def _other_driver(system: System) -> Check:
    name = "FTDI driver"
    ports = _candidates(system)
    if ports:
        return Check(name, State.OK, f"works: {', '.join(ports)}")
    if system.system == "win32":
        advice = "If a board is plugged in and no COM port appears, install FTDI's VCP driver (ftdichip.com)."
    else:
        advice = (
            "It is part of macOS. If a board is plugged in and /dev/cu.usbserial-... does not appear, try another "
            "cable: many carry no data."
        )
    return Check(name, State.SKIPPED, "can be checked only when an FTDI port is present", advice)


def _linux_driver(system: System) -> Check:
    name = "FTDI driver"
    if (system.root / "sys/bus/usb-serial/drivers/ftdi_sio").exists() or re.search(
        r"^ftdi_sio ", system.read("proc/modules"), re.MULTILINE
    ):
        return Check(name, State.OK, "ftdi_sio is loaded")
    if "microsoft" in system.read("proc/version").lower():
        return Check(
            name,
            State.SKIPPED,
            "this is WSL, which sees no USB devices by itself",
            "For a board, hand it over from Windows:",
            ("usbipd list", "usbipd bind --busid BUSID", "usbipd attach --wsl --busid BUSID"),
        )
    modules = f"lib/modules/{system.release}"
    if any("ftdi_sio" in system.read(f"{modules}/{file}") for file in ("modules.builtin", "modules.dep")):
        return Check(name, State.OK, "ftdi_sio is installed, and loaded when a board is plugged in")
    if not (system.root / modules).is_dir():
        return Check(name, State.SKIPPED, f"unknown: there is no folder /{modules} (a container?)")
    return Check(
        name,
        State.WARNING,
        f"the kernel {system.release} has no module ftdi_sio",
        "A board needs it. On Debian and Ubuntu:",
        (f"sudo apt install linux-modules-extra-{system.release}", "sudo modprobe ftdi_sio"),
    )


def rule_file() -> Path:
    """The udev rule that comes with this package."""
    return Path(str(resources.files(__package__) / "udev" / UDEV_RULE))


def check_udev_rule(system: System) -> Check:
    """The udev rule that lowers the adapter's latency and opens the port to the user who is logged in."""
    name = "udev rule"
    if not system.is_linux:
        return Check(name, State.SKIPPED, "for Linux only")
    folders = [system.root / folder for folder in RULE_FOLDERS]
    if not any(folder.is_dir() for folder in folders):
        return Check(name, State.SKIPPED, "this system has no udev (a container?)")
    ours = rule_file()
    commands = (
        f"sudo install -m 644 '{ours}' /etc/udev/rules.d/{UDEV_RULE}",
        "sudo udevadm control --reload-rules",
        "sudo udevadm trigger --action=add --subsystem-match=usb-serial --subsystem-match=tty",
    )
    timers = [
        f"{file.parent.name}: {file.read_text(encoding='ascii', errors='replace').strip()} ms"
        for file in sorted((system.root / "sys/bus/usb-serial/devices").glob("*/latency_timer"))
    ]
    latency = f"; latency timers: {', '.join(timers)}" if timers else ""
    for folder in folders:
        installed = folder / UDEV_RULE
        if installed.is_file():
            with contextlib.suppress(OSError):
                if installed.read_bytes() == ours.read_bytes():
                    return Check(name, State.OK, f"installed: /{installed.relative_to(system.root)}{latency}")
            where = installed.relative_to(system.root)
            return Check(name, State.WARNING, f"/{where} differs from this version's{latency}", "Replace it:", commands)
    needed = bool(_candidates(system))
    return Check(
        name,
        State.WARNING if needed else State.SKIPPED,
        f"not installed{latency}" if needed else "not installed; no FTDI port needs it now",
        "It saves up to 16 ms per answer and needs no group. Install it, then plug the board in again:",
        commands,
    )


def check_ports(system: System, port: str | None = None) -> Check:
    """Serial ports, and the user's permission to open those that may have a board."""
    name = "ports"
    found, others = detect.candidates(system.serial_ports())
    listed = [f"{one.port}: {one.reason}" for one in found] + others
    wanted = list(dict.fromkeys([one.port for one in found] + ([port] if port and "://" not in port else [])))
    closed = [one for one in wanted if Path(one).exists() and not system.may_open(one)]
    if closed:
        error = opening_error(closed[0], PermissionError(13, "Permission denied"))
        group = getattr(error, "group", "")
        active, given = system.groups()
        advice = error.next_step
        if group in given - active:
            advice = f"You were added to the group {group}: log out and in again."
        return Check(name, State.FAILED, f"you may not open {', '.join(closed)}; {'; '.join(listed)}", advice)
    if not wanted and not (port and "://" in port):
        text = "; ".join(listed) or "none"
        return Check(
            name,
            State.SKIPPED,
            f"no FTDI port found ({text})",
            "For a board, plug it in with a cable that carries data. Everything else works without one.",
        )
    return Check(name, State.OK, "; ".join(listed) or f"{port}, named")


# ---- the board ----------------------------------------------------------------------------------------------


def check_board(system: System, port: str | None = None) -> tuple[Check, Detected | None]:
    """The connected board and its state. A running job is not disturbed."""
    name = "board"
    found, others = detect.detect_boards(port, ports=system.serial_ports(), open_port=system.open_port)
    boards = [one for one in found if one.is_board]
    if len(boards) > 1:
        text = "; ".join(map(str, boards))
        return Check(name, State.WARNING, text, "Name one with --port, --hw-id or ELM11_PORT."), None
    if boards:
        return _one_board(boards[0])
    if not found:
        return Check(name, State.SKIPPED, "no port to look at"), None
    busy = next((one.error for one in found if isinstance(one.error, PortBusyError)), None)
    if busy is not None:
        return Check(name, State.WARNING, f"{busy.what} {_holders(busy.port)}".strip(), busy.next_step), None
    error = detect.nothing_found(found, others, port=port)
    return Check(name, State.FAILED if port else State.WARNING, error.what, error.next_step), None


def _one_board(board: Detected) -> tuple[Check, Detected | None]:
    if board.state is BoardState.STOPPED:
        advice = "It has run out of memory: switch it off and on."
        return Check("board", State.FAILED, str(board), advice), None
    advice = "elm11 attach follows it, elm11 cancel stops it." if board.state is BoardState.BUSY else ""
    return Check("board", State.OK, str(board), advice), board


def _holders(port: str) -> str:
    if port_holders(port):
        return ""  # the error names them
    return "The program cannot be identified: it is another user's, or this system does not show it."


def check_scripts(system: System, board: Detected | None) -> Check:
    """This project's programs on the board. They are only read."""
    name = "programs"
    if board is None:
        return Check(name, State.SKIPPED, "no board connected")
    if board.state is BoardState.BUSY:
        return Check(name, State.SKIPPED, "the board is busy and was not asked")
    try:
        with Board(system.open_port(board.port)) as open_board:
            known = calibration.load(board.hw_id) if board.hw_id else None
            if known is not None and known.tx_delay_s is not None and open_board.tx_delay_s is not None:
                open_board.set_tx_delay(known.tx_delay_s)
            report = firmware_sync.check(open_board)
    except Elm11Error as error:
        return Check(name, State.FAILED, error.what, error.next_step)
    wrong = [
        f"{program} {state}" for program, state in report.states.items() if state is not firmware_sync.ScriptState.SAME
    ]
    if wrong:
        where = f" --port {shlex.quote(board.port)}"
        return Check(name, State.WARNING, "; ".join(wrong), "Upload them:", (f"elm11-upload-scripts{where}",))
    return Check(name, State.OK, f"all {len(report.states)} are up to date")


def check_calibration(board: Detected | None) -> Check:
    """The calibration of the board."""
    name = "calibration"
    known = calibration.load_all()
    if calibration.files() and not known:
        return Check(
            name,
            State.WARNING,
            f"{calibration.files()[0]} cannot be read",
            "Measure again:",
            ("elm11 calibrate",),
        )
    if board is None or not board.hw_id:
        count = f"{len(known)} board{'s' * (len(known) != 1)} calibrated"
        return Check(name, State.SKIPPED, f"no board to look up; {count}")
    one = known.get(board.hw_id)
    calibrate = f"elm11 calibrate --port {shlex.quote(board.port)}"
    if one is None:
        advice = "Until then bytes are sent with a delay that suits every board, and run times are unknown:"
        commands = (calibrate,)
        return Check(name, State.WARNING, f"none of board {board.hw_id}", advice, commands)
    pace = "no pacing" if one.tx_delay_s is None else f"{1000 * one.tx_delay_s:g} ms from byte to byte"
    found = f"{pace}, {one.instructions_per_s / 1e6:.1f} million instructions per second, {one.measured[:10]}"
    if board.software and one.software != board.software:
        changed = f"{found}; with software {one.software}, and the board has {board.software} now"
        return Check(name, State.WARNING, changed, "Measure again:", (calibrate,))
    return Check(name, State.OK, found)


# ---- the whole chain ----------------------------------------------------------------------------------------


def _self_test() -> str:
    """Run a small job on a virtual board like on a real one, and compare its counts with NumPy's."""
    with contextlib.closing(BoardEngine("virtual://")) as engine:
        by_board = run(_SELF_TEST_JOB, engine)
    by_numpy = run(_SELF_TEST_JOB, "numpy")
    if by_board.sha256 != by_numpy.sha256:
        raise Elm11Error("the virtual board's counts are not those of NumPy.")
    return f"{_SELF_TEST_JOB.n_simulations} simulations on a virtual board, the same counts as NumPy's"


def check_self_test(test: Callable[[], str] = _self_test, deadline_s: float = SELF_TEST_DEADLINE_S) -> Check:
    """Run a small job through the whole chain."""
    name = "self-test"
    advice = "Please report it, with the file that elm11 support-bundle makes."
    ended: list[Check] = []

    def examine() -> None:
        try:
            ended.append(Check(name, State.OK, test()))
        except Exception as error:  # noqa: BLE001  any error is a finding
            text = str(error) if isinstance(error, Elm11Error) else f"{type(error).__name__}: {error}"
            ended.append(Check(name, State.FAILED, text, advice))

    # In a thread, so that a chain that hangs can be abandoned at the deadline.
    thread = threading.Thread(target=examine, daemon=True)
    thread.start()
    thread.join(deadline_s)
    return ended[0] if ended else Check(name, State.FAILED, f"it has not ended within {deadline_s:g} s", advice)
