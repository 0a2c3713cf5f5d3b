"""Run Lua as the board has it on an emulated rv32i machine, where instructions are counted.

The machine is `tools/emblua` (host.c and machine.c) under QEMU: the board's instruction set, heap and Lua. Counts are
exact: they repeat from run to run and from computer to computer. They are not seconds.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import elm11_firmware

if TYPE_CHECKING:
    from collections.abc import Mapping

MAIN: Final = "main.lua"
"""The program that the machine runs."""

QTest: TypeAlias = Literal["line", "each"]

Memory: TypeAlias = Literal["model", "real"]

QEMU: Final = "qemu-system-riscv32"
TIMEOUT_S: Final = 600.0

_BUILD = Path(__file__).resolve().parent.parent / "emblua" / "build.py"
_BUILD_TIMEOUT_S = 600.0
_RAN, _LUA_ERROR, _STOPPED, _RESTARTED = 0, 1, 3, 4


class MachineMissing(Exception):  # noqa: N818  the name says it
    """The machine cannot be built or emulated on this computer; the message says what to install."""


class MachineError(Exception):
    """A program failed on the machine, or took too long; the message has its output."""


@dataclass(frozen=True)
class Machine:
    """A machine that can be started.

    Attributes:
        image: the ELF file that `tools/emblua/build.py --machine` has made.
        qemu: the emulator.
    """

    image: Path
    qemu: str

    def run(self, programs: Mapping[str, str], *, strict_heap: bool = True, timeout_s: float = TIMEOUT_S) -> str:
        """Start the machine and run `MAIN`.

        Args:
            programs: texts of the stored programs by name, `MAIN` among them.
            strict_heap: False lifts the limits of the board's heap; the figures are kept all the same.
            timeout_s: seconds of this computer after which the machine is stopped.

        Returns:
            What was printed, lines ended by LF.

        Raises:
            MachineError: an error in Lua; the board would have stopped (out of memory) or restarted; no end in time.
        """
        arguments = ["machine", *([] if strict_heap else ["--loose-heap"])]
        with tempfile.TemporaryDirectory(prefix="rv32-") as folder:
            for name, text in programs.items():
                (Path(folder) / name).write_bytes(text.encode("latin-1"))
            try:
                done = subprocess.run(
                    [
                        self.qemu,
                        *("-machine", "virt", "-m", "128", "-bios", "none", "-kernel", str(self.image)),
                        *("-display", "none", "-monitor", "none", "-serial", "null", "-chardev", "stdio,id=out"),
                        "-semihosting-config",
                        ",".join(["enable=on", "target=native", "chardev=out", *(f"arg={word}" for word in arguments)]),
                        # One instruction, one tick, also while QEMU serves a file: the counter is exact.
                        *("-icount", "shift=0,sleep=off"),
                    ],
                    cwd=folder,
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    check=False,
                    timeout=timeout_s,
                )
            except subprocess.TimeoutExpired as error:
                output = _text(error.stdout or b"")
                raise MachineError(f"the program did not end within {timeout_s:g} s.{_quoted(output)}") from error
        output = _text(done.stdout)
        if done.returncode != _RAN:
            what = {
                _LUA_ERROR: "an error in Lua",
                _STOPPED: "the board would have stopped for good here: out of memory, or nested too deeply",
                _RESTARTED: "the program restarted the board",
            }.get(done.returncode, f"{self.qemu} ended with {done.returncode}: {_text(done.stderr).strip()}")
            raise MachineError(f"{what}.{_quoted(output)}")
        return output


def _text(output: bytes) -> str:
    return output.decode("latin-1").replace("\n\r", "\n")


def _quoted(output: str) -> str:
    return f" It had printed:\n{output[-4000:]}" if output else " It had printed nothing."


def machine(q_test: QTest = "line", *, memory: Memory = "model") -> Machine:
    """The machine, built if need be: four seconds once, and as many to fetch Lua's sources.

    Args:
        q_test: how the test for the 'q' key is counted that the board makes at every VM instruction: "line" by a stock
            line hook, "each" always the same. docs/cost.md compares both with the board.
        memory: "real" is the board's own allocator and object sizes, "model" counts units (docs/virtual-board.md).

    Raises:
        MachineMissing: the cross compiler, its C library, the emulator or Lua's sources are missing.
    """
    qemu = shutil.which(QEMU)
    if qemu is None:
        raise MachineMissing(
            f"{QEMU} not found; Debian and Ubuntu have it: apt-get install qemu-system-misc, "
            "or qemu-system-riscv in later releases"
        )
    done = subprocess.run(
        [sys.executable, str(_BUILD), "--machine", q_test, "--memory", memory],
        check=False,
        capture_output=True,
        text=True,
        timeout=_BUILD_TIMEOUT_S,
    )
    if done.returncode:
        raise MachineMissing(f"the machine cannot be built here: {done.stderr.strip()}")
    return Machine(Path(done.stdout.strip()), qemu)


def toolchain() -> str:
    """What the counts depend on beside the programs: the releases of Lua, the compiler and the C library.

    Raises:
        MachineMissing: see `machine`.
    """
    return machine().run({MAIN: 'print(_sW .. ", " .. _fW)\n'}, timeout_s=60.0).strip()


def firmware(*, stored: bool = False) -> dict[str, str]:
    """The project's programs by name.

    Args:
        stored: with the check of their CRC-32, as the board has them; else without comments only.
    """
    text_of = elm11_firmware.stored_text if stored else elm11_firmware.bare_text
    return {program.name: text_of(program.name) for program in elm11_firmware.programs()}
