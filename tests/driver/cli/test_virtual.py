"""`elm11 virtual`, and ports that are virtual boards."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from board_commands import DEADLINE_S, VIRTUAL, done, elm11, failed
from elm11_shim import VirtualBoard
from elm11_shim.board_server import serve_tcp

if TYPE_CHECKING:
    from pathlib import Path


pytestmark = pytest.mark.usefixtures("own_folders")


@pytest.mark.skipif(os.name != "posix", reason="ptys and signals are POSIX")
class TestVirtual:
    @pytest.mark.parametrize("where", [["--pty", "port"], ["--tcp", "0", "--pace"]])
    @pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    def test_it_serves_until_it_is_told_to_end(self, where: list[str], end: signal.Signals, tmp_path: Path) -> None:
        if signal.getsignal(end) == signal.SIG_IGN:
            pytest.skip("this signal is ignored here, as hangups are under nohup, and by what is started here too")
        program = "from elm11_lua_driver.cli.main import main; main()"
        arguments = [sys.executable, "-c", program, "virtual", *where, "--store", "flash.json"]
        with subprocess.Popen(
            arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path
        ) as server:
            try:
                assert server.stdout is not None
                with selectors.DefaultSelector() as selector:
                    selector.register(server.stdout, selectors.EVENT_READ)
                    assert selector.select(DEADLINE_S), "no address was printed"
                address = server.stdout.readline().strip()
                assert done(elm11("exec", "6*7", "--port", address)) == "42\n"
                server.send_signal(end)
                _, told = server.communicate(timeout=DEADLINE_S)
            finally:
                server.kill()
        assert server.returncode == 0, told
        assert "Exception" not in told, "a thread was still at work when its port was closed"
        assert "board is off" in told
        assert f"elm11 info --port {address}" in told
        assert not (tmp_path / "port").is_symlink()

    def test_wrong_arguments_are_one_line(self, tmp_path: Path) -> None:
        (tmp_path / "there").write_text("no store")
        (tmp_path / "link").symlink_to("there")
        for arguments, text in (
            (["--faults", "lose=2"], "--faults: 'lose=2' needs a probability"),
            (["--faults", "nonsense"], "--faults: "),
            (["--pty", "a", "--tcp", "1"], "--pty and --tcp: choose one"),
            (["--pty", "there"], "--pty: there exists already; give another name"),
            (["--pty", "link"], "give another name, or delete the link if no virtual board uses it"),
            (["--store", "there"], "--store: there is not a program store"),
            (["--store", "no/flash.json"], "--store: no/flash.json: there is no folder no"),
            (["--tcp", "70000"], "is not in the range 0<=x<=65535"),
            (["--bytecode"], "--bytecode: only emblua can load bytecode; add --lua emblua"),
            (["--lua", "other"], "'other' is not one of"),
        ):
            result = elm11("virtual", *arguments)
            assert text in failed(result, 2)
            assert len(result.stderr.splitlines()) == 1

    def test_a_tcp_port_that_is_taken(self) -> None:
        with VirtualBoard() as board, serve_tcp(board) as server:
            assert f"TCP port {server.port} is in use" in failed(elm11("virtual", "--tcp", str(server.port)), 5)


def test_a_virtual_port_with_options_that_make_no_sense_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELM11_EMBLUA", "/none/emblua")
    for options in ("lua=emblua", "lua=other", "store=no/flash.json&faults=x"):
        result = elm11("info", "--port", f"{VIRTUAL}?{options}")
        assert "is not a virtual board" in failed(result, 5)
