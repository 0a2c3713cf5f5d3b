"""Run every command against boards that mean harm, on TCP.

    PYTHONPATH=tools python -m attack.hostile_boards [--deadline S] [BOARD ...]

A command must end before the deadline, with an error code where it needs an answer, without a traceback, with at most
`MOST_LINES` lines, and without a control character of the board's in what it prints. All others are findings.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final

from elm11_lua_driver.board.firmware_sync import project_scripts
from elm11_lua_driver.protocol.frame import Frame, FrameKind, Summary, encode, encode_block
from elm11_shim import VirtualBoard
from elm11_shim.board_lua import BoardIdentity
from elm11_shim.board_server import serve_tcp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DEADLINE_S: Final = 120.0
MOST_LINES: Final = 40  # doctor and upload print a line for each check or file
AT_ONCE: Final = 16  # they wait more than they compute
LUA_PROMPT: Final = b"\x1b[38;5;222m\x1b[38;5;222m$ "
ESCAPES: Final = "\x1b]0;owned\x07\x1b]52;c;b3duZWQ=\x07\x1bc\x1bPq\x1b\\\x9b31m"
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_JOB: Final = "--lag1 0.5 -0.3 --dt 0.25 --dj 0.5 --s0 0.5 --scales 3 --simulations 20"
COMMANDS: Final = {
    "info": "info",
    "list": "list",
    "exec": "exec print(_hW)",
    "run": f"run {_JOB} --output run.npz --yes",
    "significance": f"significance {_JOB} --engine board --checkpoint s.npz",
    "attach": "attach",
    "upload": "upload one.lua",
    "calibrate": "calibrate",
    "cancel": "cancel",
    "reboot": "reboot --yes",
    "delete": "delete one.lua --yes",
    "doctor": "doctor",
}


def _flood(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"x" * 4096)


def _drip(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"$")
        time.sleep(1.0)


def _silent(connection: socket.socket) -> None:
    while connection.recv(4096):
        pass


def _wrong_echo(connection: socket.socket) -> None:
    connection.sendall(LUA_PROMPT)
    while data := connection.recv(4096):
        connection.sendall(bytes(byte + 1 & 0xFF for byte in data) + b"\n\r" + LUA_PROMPT)


def _forged_frames(connection: socket.socket) -> None:
    blocks = [one for row in range(3) if (one := encode_block(row, 250, [500] * 40, 4 * row + 1))]
    frames = [Frame(FrameKind.HELLO, 0, "version=0.1.0 job=1234abcd"), *blocks, Summary(0, 11, 3, 1, 76_000).frame()]
    text = b"".join(encode(one) + b"\n\r" for one in frames)
    connection.sendall(LUA_PROMPT)
    while data := connection.recv(4096):
        connection.sendall(data + b"\n\r" + text + LUA_PROMPT)


def _raw_escapes(connection: socket.socket) -> None:
    connection.sendall(LUA_PROMPT)
    while data := connection.recv(4096):
        connection.sendall(data + b"\n\r" + ESCAPES.encode("latin-1") + b"\n\r" + LUA_PROMPT)


PEERS: Final[dict[str, Callable[[socket.socket], None]]] = {
    "flood": _flood,
    "drip": _drip,
    "silent": _silent,
    "wrong-echo": _wrong_echo,
    "forged-frames": _forged_frames,
    "raw-escapes": _raw_escapes,
}
WORKING: Final = "escapes"
"""A board that works, with escape sequences in its hardware id and in the name of a program."""


def _serve(listener: socket.socket, peer: Callable[[socket.socket], None]) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            try:
                peer(connection)
            except OSError:
                continue


def _fault(name: str, done: subprocess.CompletedProcess[str], board: str) -> Iterator[str]:
    """What is wrong with an answer."""
    text = done.stdout + done.stderr
    if "Traceback" in text:
        yield f"a traceback: {text.strip().splitlines()[-1][:100]}"
    if found := _CONTROL.search(text):
        yield f"the control character {found[0]!r} in {text[max(0, found.start() - 30) : found.end() + 20]!r}"
    if len(text.splitlines()) > MOST_LINES:
        yield f"{len(text.splitlines())} lines"
    if done.returncode < 0 or (done.returncode == 0 and board != WORKING and name not in {"reboot", "cancel"}):
        yield f"exit code {done.returncode}, {text.strip()[-100:]!r}"


def attack(board: str, port: str, name: str, deadline_s: float) -> tuple[float, list[str]]:
    """Run one command against one board; how long it took in seconds, and findings."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "one.lua").write_text("return 1\n", encoding="ascii")
        words = [*COMMANDS[name].split(), "--port", port]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ELM11_")}
        environment |= {"XDG_CONFIG_HOME": folder, "XDG_CACHE_HOME": folder, "HOME": folder, "COLUMNS": "100"}
        started_s = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", "elm11_lua_driver", *words],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="backslashreplace",
        )
        try:
            out, err = process.communicate(timeout=deadline_s)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
            faults = [f"no end after {deadline_s:.0f} s"]
            try:
                out, err = process.communicate(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                out, err = process.communicate()
                faults.append("and none 20 s after Ctrl-C")
        else:
            faults = [*_fault(name, subprocess.CompletedProcess(words, process.returncode, out, err), board)]
        took_s = time.monotonic() - started_s
    return took_s, [f"{board}: elm11 {COMMANDS[name]}: {fault}" for fault in faults]


def attack_all(boards: list[str] | None = None, deadline_s: float = DEADLINE_S) -> tuple[dict[str, float], list[str]]:
    """Run every command against boards.

    Args:
        boards: of `PEERS`, or `WORKING`; all if None.
        deadline_s: seconds that each command may take.

    Returns:
        The longest time per board, seconds, and findings.
    """
    longest: dict[str, float] = {}
    findings: list[str] = []
    pairs = [(board, name) for board in boards or (*PEERS, WORKING) for name in COMMANDS]
    with ThreadPoolExecutor(AT_ONCE) as threads:
        results = threads.map(lambda pair: _at_board(pair[0], pair[1], deadline_s), pairs)
        for (board, _), (took_s, found) in zip(pairs, results, strict=True):
            longest[board] = max(longest.get(board, 0.0), took_s)
            findings += found
    return longest, findings


def _at_board(board: str, name: str, deadline_s: float) -> tuple[float, list[str]]:
    """`attack` with a board of its own on TCP."""
    if board != WORKING:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            threading.Thread(target=_serve, args=(listener, PEERS[board]), daemon=True).start()
            return attack(board, f"socket://127.0.0.1:{listener.getsockname()[1]}", name, deadline_s)
    with VirtualBoard(identity=BoardIdentity(hardware=f"id{ESCAPES}")) as virtual:
        virtual.store.create("x\x1bc.lua")
        for script in project_scripts():  # an upload takes minutes at the pace of a wire
            virtual.store.create(script.name)
            virtual.store.append(script.name, script.text.encode("ascii"))
        with serve_tcp(virtual, port=0) as server:
            return attack(board, server.address, name, deadline_s)


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--deadline", type=float, default=DEADLINE_S, help="seconds for each command (120)")
    parser.add_argument("boards", nargs="*", metavar="BOARD", help=", ".join((*PEERS, WORKING)))
    options = parser.parse_args()
    longest, findings = attack_all(options.boards, options.deadline)
    for board, took_s in longest.items():
        print(f"{board}: {len(COMMANDS)} commands, the longest took {took_s:.0f} s")
    print(*findings, sep="\n")
    return bool(findings)


if __name__ == "__main__":
    sys.exit(main())
