"""The command line as a process of its own: interrupts, readers that leave, what the shell sees."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


DEADLINE_S = 60
SIGNIFICANCE = [
    "significance",
    "--lag1",
    "0.72",
    "0.5",
    "--dt",
    "0.25",
    "--dj",
    "0.25",
    "--s0",
    "0.5",
    "--scales",
    "4",
    "--simulations",
    "20",
]
# A shell may have started the tests with interrupts ignored, which children would inherit.
PROGRAM = [
    sys.executable,
    "-c",
    (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from elm11_lua_driver.cli.main import main; main()"
    ),
]


class TestProcesses:
    @pytest.mark.skipif(os.name != "posix", reason="Windows cannot send an interrupt to one process")
    def test_an_interrupt(self, tmp_path: Path) -> None:
        arguments = ["demo", "--output-dir", str(tmp_path), "--simulations", "1000000000"]
        with subprocess.Popen(
            [*PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert "Arctic Oscillation" in process.stdout.readline()
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=DEADLINE_S)
        assert (process.returncode, errors) == (130, "elm11: interrupted\n")
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.skipif(os.name != "posix", reason="Windows has other errors for a pipe that nobody reads")
    def test_a_reader_that_leaves(self) -> None:
        with subprocess.Popen(
            [*PROGRAM, *SIGNIFICANCE, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            process.stdout.close()
            assert process.stderr is not None
            errors = process.stderr.read()
            assert process.wait(DEADLINE_S) == 1
        assert errors == ""

    def test_bad_arguments_and_the_entry_point(self) -> None:
        process = subprocess.run(
            [*PROGRAM, "significance", "--lag1", "2", "0"],
            capture_output=True,
            text=True,
            check=False,
            timeout=DEADLINE_S,
        )
        assert (process.returncode, process.stdout) == (2, "")
        assert process.stderr.count("\n") == 1
        assert "--lag1" in process.stderr

    @pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo terminal")
    def test_a_progress_bar_with_time_left_on_a_terminal_only(self) -> None:
        import pty  # noqa: PLC0415  not on Windows
        import termios  # noqa: PLC0415

        terminal, child = pty.openpty()
        termios.tcsetwinsize(child, (24, 100))
        arguments = [*SIGNIFICANCE, "--scales", "24", "--simulations", "1000000"]
        with subprocess.Popen([*PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=child, text=True) as process:
            os.close(child)
            shown = ""
            while "%" not in shown or "<" not in shown:  # "1%|...| 9000/1000000 [00:02<04:00, 4000sim/s]"
                shown += os.read(terminal, 4096).decode()
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=DEADLINE_S)
            assert process.returncode == 130
        last = os.read(terminal, 1 << 16).decode()
        os.close(terminal)
        assert "coherence significance" in shown
        assert last.splitlines()[-1].endswith("elm11: interrupted")
