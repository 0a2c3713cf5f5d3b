"""Where the installed programs start: Ctrl-C ends them in one line also while Python still imports.

Kept free of imports, for the same reason.
"""

import os
import signal
import sys
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from types import FrameType

INTERRUPTED = 130
"""Exit code after Ctrl-C, as in `cli_common`."""


def _start(name: str, module: str, attribute: str) -> NoReturn:
    """Import a program and run it."""

    def leave(_number: int, _frame: "FrameType | None") -> NoReturn:
        # Nothing is open yet; and an exception could be swallowed by whichever import it falls into.
        os.write(2, f"{name}: interrupted\n".encode())
        os._exit(INTERRUPTED)

    # A shell may have started this with interrupts ignored (nohup); that is left as it is.
    is_heard = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if is_heard:
        signal.signal(signal.SIGINT, leave)
    program = getattr(import_module(f"elm11_lua_driver.{module}"), attribute)
    try:
        if is_heard:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        program()
    except KeyboardInterrupt:
        sys.stderr.write(f"{name}: interrupted\n")
        sys.exit(INTERRUPTED)
    finally:
        if is_heard:
            signal.signal(signal.SIGINT, leave)  # all is done; only Python itself has still to be taken down
    sys.exit(0)


def elm11() -> NoReturn:
    """The program `elm11`."""
    _start("elm11", "cli", "main")


def upload_scripts() -> NoReturn:
    """The program `elm11-upload-scripts`."""
    _start("elm11-upload-scripts", "scripts_cli", "upload_scripts")


def check_scripts() -> NoReturn:
    """The program `elm11-check-scripts`."""
    _start("elm11-check-scripts", "scripts_cli", "check_scripts")
