"""Entry points of the installed programs. Ctrl-C ends them with one line, also during the imports.

For that reason this module imports only what Python has loaded anyway.
"""

import importlib
import os
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import NoReturn

INTERRUPTED = 130
"""Exit code after Ctrl-C: 128 + SIGINT, as a shell reports it."""


class InterruptGuard:
    """While this is entered, Ctrl-C ends the process at once, in one line.

    Nothing is open yet while modules are imported; and an exception could be swallowed by whichever import it falls
    into. Does nothing in a process that was not started here, and where a shell has had interrupts ignored (nohup).
    """

    program = ""  # the program's name, once one has been started

    def __enter__(self) -> None:
        """Take over Ctrl-C."""
        self._is_active = bool(self.program) and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if self._is_active:
            signal.signal(signal.SIGINT, self._exit)

    def __exit__(self, *_: object) -> None:
        """Let Ctrl-C raise KeyboardInterrupt again."""
        if self._is_active:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _exit(self, _number: int, _frame: "FrameType | None") -> "NoReturn":
        os.write(2, f"{self.program}: interrupted\n".encode())
        os._exit(INTERRUPTED)


def _start(name: str, module: str, attribute: str) -> "NoReturn":
    """Import a program and run it."""
    InterruptGuard.program = name
    # Figures go to files only, so a backend for windows that is missing or misspelt does not matter.
    os.environ["MPLBACKEND"] = "agg"
    with InterruptGuard():
        program = getattr(importlib.import_module(f"elm11_lua_driver.{module}"), attribute)
    try:
        program()
    except KeyboardInterrupt:
        sys.stderr.write(f"{name}: interrupted\n")
        sys.exit(INTERRUPTED)
    finally:
        InterruptGuard().__enter__()
    sys.exit(0)


def elm11() -> "NoReturn":
    """The program `elm11`."""
    _start("elm11", "cli.main", "main")


def upload_scripts() -> "NoReturn":
    """The program `elm11-upload-scripts`."""
    _start("elm11-upload-scripts", "cli.commands.scripts", "upload_scripts")


def check_scripts() -> "NoReturn":
    """The program `elm11-check-scripts`."""
    _start("elm11-check-scripts", "cli.commands.scripts", "check_scripts")
