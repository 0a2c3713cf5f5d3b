"""The commands about a board: what they print, their exit codes, and what a user reads when something is wrong."""

from __future__ import annotations

import errno
import json
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import elm11_firmware
import pytest
import serial
from board_commands import JOB_OPTIONS, VIRTUAL, done, elm11, failed, start
from elm11_lua_driver import Board
from elm11_lua_driver.board import calibration, detect, program_store
from elm11_lua_driver.board.firmware_sync import project_scripts
from elm11_lua_driver.cli.commands import scripts
from elm11_shim import VirtualBoard
from elm11_shim.board_server import serve_pty, serve_tcp
from elm11_shim.program_store import ProgramStore
from serial.tools import list_ports

if TYPE_CHECKING:
    import click

pytestmark = pytest.mark.usefixtures("own_folders")

COMMANDS = (
    "detect",
    "info",
    "exec",
    "repl",
    "list",
    "upload",
    "delete",
    "reboot",
    "run",
    "attach",
    "cancel",
    "calibrate",
    "virtual",
)


class TestHelp:
    @pytest.mark.parametrize(
        "command",
        COMMANDS,
    )
    def test_every_command_has_help(self, command: str) -> None:
        assert "Usage:" in done(elm11(command, "--help"))

    @pytest.mark.parametrize("program", [scripts.upload_scripts, scripts.check_scripts])
    def test_the_other_programs_have_help(self, program: click.Command) -> None:
        assert "Usage: elm11-" in done(start(program, "-h"))


class TestExitCodes:
    """Each once."""

    def test_usage(self) -> None:
        assert "'fast' is not a number such as 0.25 or 1/4 in the range 0<=x<=100" in failed(
            elm11("info", "--tx-delay", "fast"), 2
        )
        assert "CODE and --file" in failed(elm11("exec", "1", "--file", "a.lua", "--port", VIRTUAL), 2)
        assert "CODE is empty" in failed(elm11("exec", "--port", VIRTUAL), 2)
        assert "give the names of programs, or --all" in failed(elm11("delete", "--port", VIRTUAL), 2)
        assert "--trace" in failed(elm11("info", "--port", VIRTUAL, "--trace", "no/such/trace"), 2)
        assert "for --engine board" in failed(elm11("significance", *JOB_OPTIONS, "--port", VIRTUAL), 2)
        assert "must end with .npz or .json" in failed(elm11("run", *JOB_OPTIONS, "--output", "a.txt"), 2)
        assert "ends with this command" in failed(elm11("run", *JOB_OPTIONS, "--detach", "--port", VIRTUAL), 2)

    def test_a_job_that_does_not_fit_is_refused_before_a_port_is_opened(self) -> None:
        arguments = [*JOB_OPTIONS, "--scales", "30", "--port", "/dev/none"]
        assert "the largest J that fits is" in failed(elm11("run", *arguments), 2)

    def test_no_board(self, monkeypatch: pytest.MonkeyPatch) -> None:
        text = failed(elm11("info", "--port", "/dev/ttyNone7"), 3)
        assert "there is no port /dev/ttyNone7" in text
        assert "Plug the board in, with a cable that carries data" in text
        monkeypatch.setattr(list_ports, "comports", list)
        for command in ("info", "detect"):
            assert "no FTDI port is there" in failed(elm11(command), 3)

    @pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the driver's name is Linux's")
    def test_a_missing_port_names_the_driver_to_load(self) -> None:
        assert "sudo modprobe ftdi_sio" in failed(elm11("info", "--port", "/dev/ttyUSB77"), 3)

    def test_several_boards(self, monkeypatch: pytest.MonkeyPatch) -> None:
        two = [detect.Detected(f"/dev/ttyUSB{n}", detect.BoardState.READY, hw_id=f"id{n}") for n in (1, 2)]
        monkeypatch.setattr(detect, "detect_boards", lambda *_, **__: (two, ["/dev/ttyS0: not a USB port"]))
        result = elm11("info")
        text = failed(result, 4)
        assert "Choose one with --port or --hw-id, or set ELM11_PORT" in text
        assert "/dev/ttyUSB2: ready, hardware id id2" in text
        assert len(result.stderr.splitlines()) == 3, "one line for each board"
        listed = elm11("detect")
        assert [line.split()[0] for line in done(listed).splitlines()] == ["port", "/dev/ttyUSB1", "/dev/ttyUSB2"]
        assert "ignored: /dev/ttyS0: not a USB port" in listed.stderr
        assert "id2" in done(elm11("detect", "--hw-id", "id2"))
        failed(elm11("detect", "--hw-id", "id3"), 3)

    @pytest.mark.skipif(os.name != "posix", reason="ptys and exclusive opening are POSIX")
    def test_a_busy_port_and_who_has_it(self, tmp_path: Path) -> None:
        link = tmp_path / "port"
        with VirtualBoard() as board, serve_pty(board, link), serial.Serial(str(link), exclusive=True):
            text = failed(elm11("info", "--port", link), 5)
        assert "is in use" in text
        if sys.platform.startswith("linux"):
            assert f"(process {os.getpid()})" in text

    @pytest.mark.skipif(os.name != "posix", reason="groups are POSIX")
    def test_a_missing_permission_names_the_group_to_join(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object, **__: object) -> None:
            raise serial.SerialException(errno.EACCES, "Permission denied")

        monkeypatch.setattr(serial, "serial_for_url", refuse)
        monkeypatch.setattr(Path, "group", lambda _: "dialout")
        text = failed(elm11("info", "--port", "/dev/ttyUSB1"), 5)
        assert "it belongs to group dialout, and you are not in it" in text
        assert "sudo usermod -aG dialout $USER" in text

    def test_time_out(self) -> None:
        text = failed(elm11("exec", "while true do end", "--timeout", "0.3", "--port", VIRTUAL), 6)
        assert "the prompt did not come back within 0.3 s" in text

    def test_verification(self, loaded: str, monkeypatch: pytest.MonkeyPatch) -> None:
        Path("a.lua").write_text("return 1\n")
        monkeypatch.setattr(program_store.ProgramStore, "matches", lambda *_: False)
        result = elm11("upload", "a.lua", "--port", loaded)
        assert "is not what was sent" in failed(result, 7)
        assert "incomplete or unverified: a.lua (its old copy is deleted)" in result.stderr

    def test_an_error_in_lua(self) -> None:
        result = elm11("exec", "print(7) local x = nil + 1", "--port", VIRTUAL)
        text = failed(result, 8)
        assert result.stdout == "7\n", "what it printed before is a result"
        assert "attempt to perform arithmetic on a nil value" in text
        assert "unexpected symbol" in failed(elm11("exec", "x = = 1", "--port", VIRTUAL), 8)

    def test_other_programs_on_the_board(self) -> None:
        result = start(scripts.check_scripts, "--port", VIRTUAL)
        text = failed(result, 9)
        assert f"elm11-upload-scripts --port {VIRTUAL}" in text
        assert result.stdout.count("missing") == len(elm11_firmware.programs())
        assert "elm11-upload-scripts" in failed(elm11("run", *JOB_OPTIONS, "--port", VIRTUAL), 9)

    def test_a_board_that_talks_is_busy(self, tmp_path: Path) -> None:
        store = ProgramStore(tmp_path / "talks.json")
        store.create("talk.lua")
        store.append("talk.lua", b'while true do print("talk") end\n')
        store.start_on_boot = "talk.lua"
        failed(elm11("list", "--port", f"{VIRTUAL}?store=talks.json"), 10)
        assert "busy" in done(elm11("detect", "--port", f"{VIRTUAL}?store=talks.json"))

    def test_a_question_that_nobody_answers(self, loaded: str) -> None:
        assert "--yes skips it" in failed(elm11("delete", "fft.lua", "--port", loaded), 2)
        assert "nothing was changed" in failed(elm11("delete", "fft.lua", "--port", loaded, answer="n\n"), 1)
        assert "fft.lua" in done(elm11("list", "--port", loaded))


class TestOneBoard:
    def test_detect(self) -> None:
        head, row = done(elm11("detect", "--port", VIRTUAL)).splitlines()
        assert head.split() == ["port", "state", "hardware", "id", "software", "why"]
        assert row.split()[:3] == [VIRTUAL, "ready", "virtual-elm11"]
        document = json.loads(done(elm11("detect", "--json", "--port", VIRTUAL)))
        assert document["boards"][0]["hw_id"] == "virtual-elm11"
        assert document["boards"][0]["state"] == "ready"
        assert document["other_ports"] == document["not_looked_at"] == []

    def test_the_environment_names_the_port(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(list_ports, "comports", list)
        monkeypatch.setenv("ELM11_PORT", VIRTUAL)
        assert "named by ELM11_PORT" in done(elm11("detect"))
        assert "virtual-elm11" in done(elm11("info"))

    def test_info(self) -> None:
        values = json.loads(done(elm11("info", "--json", "--port", VIRTUAL)))
        assert (values["hw_id"], values["clock_mhz"], values["programs"]) == ("virtual-elm11", 66.0, 0)
        assert "hardware id  virtual-elm11" in done(elm11("info", "--port", VIRTUAL))

    def test_info_leaves_the_board_at_luas_prompt(self) -> None:
        with VirtualBoard() as board:
            with serve_tcp(board) as running:
                done(elm11("info", "--port", running.address))
            board.write(b"1+1\n")
            assert board.read_until_idle(10.0).startswith(b"1+1\n\r2\n\r")

    def test_code_from_everywhere(self) -> None:
        assert done(elm11("exec", "1+1", "--port", VIRTUAL)) == "2\n"
        assert done(elm11("exec", "--port", VIRTUAL, answer="print(1)\nprint(2)\n")) == "1\n2\n"
        Path("long.lua").write_text("local n = 0\n" + "n = n + 1\n" * 100 + "print(n)\n")
        assert done(elm11("exec", "--file", "long.lua", "--port", VIRTUAL)) == "100\n"
        assert "none.lua cannot be read" in failed(elm11("exec", "--file", "none.lua", "--port", VIRTUAL), 2)

    def test_lines_that_look_like_an_error_are_output(self) -> None:
        code = 'print("Error: no") print("source: none") print(3)'
        assert done(elm11("exec", code, "--port", VIRTUAL)) == "Error: no\nsource: none\n3\n"

    def test_repl(self) -> None:
        typed = "x = 20\nx + 1\nfor i = 1, 2 do\nprint(i)\nend\nx = = 1\nx.y.z\nprint(x)\n"
        result = elm11("repl", "--port", VIRTUAL, answer=typed)
        assert done(result).split() == ["21", "1", "2", "20"]
        assert "unexpected symbol" in result.stderr
        assert "attempt to index" in result.stderr

    def test_repl_says_that_a_statement_is_unfinished(self) -> None:
        result = elm11("repl", "--port", VIRTUAL, answer="for i = 1, 2 do\n")
        assert (done(result), "unfinished" in result.stderr) == ("", True)

    def test_upload_list_delete(self) -> None:
        port = f"{VIRTUAL}?store=flash.json"
        Path("blink.lua").write_text("print(1)\n")
        assert "would be uploaded, 9 bytes" in done(elm11("upload", "blink.lua", "--dry-run", "--port", port))
        assert done(elm11("list", "--port", port)) == ""
        assert "blink.lua" in done(elm11("upload", "blink.lua", "--port", port))
        assert "skipped, unchanged" in done(elm11("upload", "blink.lua", "--port", port))
        assert "uploaded" in done(elm11("upload", "blink.lua", "--force", "--port", port))
        Path("blink.lua").write_text("print(2)\n")
        assert "Replace blink.lua" in failed(elm11("upload", "blink.lua", "--port", port, answer="n\n"), 1)
        done(elm11("upload", "blink.lua", "--yes", "--port", port))
        assert done(elm11("exec", 'run_program("blink.lua")', "--port", port)) == "2\n"
        assert done(elm11("list", "--port", port)) == "blink.lua\n"
        assert json.loads(done(elm11("list", "--json", "--port", port))) == {"programs": ["blink.lua"]}
        assert "not on the board: other.lua" in failed(elm11("delete", "blink.lua", "other.lua", "--port", port), 1)
        assert done(elm11("delete", "blink.lua", "--port", port, answer="y\n")) == "deleted blink.lua\n"
        assert "no programs" in elm11("list", "--port", port).stderr

    def test_every_problem_of_every_file_before_the_port_is_opened(self) -> None:
        Path("a.lua").write_text("x = = 1\n")
        Path("b.lua").write_text('local m = require("m")\n')
        result = elm11("upload", "a.lua", "b.lua", "none.lua", "--port", "/dev/none")
        text = failed(result, 2)
        assert all(name in text for name in ("a.lua:1:", "b.lua:1:", "none.lua: it cannot be read"))
        assert len(result.stderr.splitlines()) >= 4

    def test_reboot_asks(self) -> None:
        failed(elm11("reboot", "--port", VIRTUAL), 2)
        assert "restarted" in elm11("reboot", "--yes", "--port", VIRTUAL).stderr

    def test_a_trace_of_everything(self) -> None:
        done(elm11("exec", "1+1", "--port", VIRTUAL, "--trace", "trace.jsonl"))
        assert all(json.loads(line)["direction"] for line in Path("trace.jsonl").read_text().splitlines())


class TestScripts:
    def test_upload_skip_force(self) -> None:
        port = f"{VIRTUAL}?store=flash.json"
        names = [program.name for program in elm11_firmware.programs()]
        dry = json.loads(done(start(scripts.upload_scripts, "--dry-run", "--json", "--port", port)))
        assert (dry["dry_run"], dry["uploaded"], dry["skipped"]) == (True, names, [])
        assert dry["seconds"] > 1
        first = start(scripts.upload_scripts, "--port", port)
        done(first)
        assert first.stderr.count("uploading:") == 10, "one line per tenth"
        assert "uploading" not in start(scripts.upload_scripts, "--force", "--quiet", "--port", port).stderr
        again = json.loads(done(start(scripts.upload_scripts, "--json", "--port", port)))
        assert (again["uploaded"], again["skipped"]) == ([], names)
        checked = json.loads(done(start(scripts.check_scripts, "--json", "--port", port)))
        assert checked["ok"]

    def test_only_what_differs(self, loaded: str) -> None:
        done(elm11("delete", "fft.lua", "--yes", "--port", loaded))
        text = failed(start(scripts.check_scripts, "--port", loaded), 9)
        assert f"1 of {len(project_scripts())} programs" in text
        report = json.loads(done(start(scripts.upload_scripts, "--json", "--port", loaded)))
        assert report["uploaded"] == ["fft.lua"]
        done(start(scripts.check_scripts, "--port", loaded))


class TestCalibrate:
    def test_it_is_kept_for_the_board_and_used(self, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(calibration, "DELAYS_S", (0.0005, 0.0))
        # Times of a busy computer are not the board's: what is measured is tested below, with a clock of its own.
        monkeypatch.setattr(calibration, "_is_clean", lambda _: True)
        monkeypatch.setattr(calibration, "instructions_per_s", lambda _: 2e7)
        values = json.loads(done(elm11("calibrate", "--json", "--port", server)))
        assert (values["hw_id"], values["tx_delay_s"]) == ("virtual-elm11", 0.0)
        assert values["instructions_per_s"] == 2e7
        info = json.loads(done(elm11("info", "--json", "--port", server)))
        assert (info["tx_delay_ms"], info["instructions_per_s"]) == (0.0, values["instructions_per_s"])
        assert json.loads(done(elm11("info", "--json", "--port", server, "--tx-delay", "0.5")))["tx_delay_ms"] == 0.5
        assert "on this board" in elm11("run", *JOB_OPTIONS, "--port", server).stderr

    def test_the_speed_is_what_the_loop_adds_to_typing_it(self) -> None:
        class Timed:
            now_s = 0.0

            def type_line(self, line: str, _: float) -> None:
                match = re.fullmatch(r"for i=1,(\d+) do end", line)
                assert match is not None
                self.now_s += 0.025 + int(match[1]) * 118 / 15e6

        timed = Timed()
        board: Any = timed
        assert calibration.instructions_per_s(board, lambda: timed.now_s) == pytest.approx(15e6, rel=1e-3)
        assert 1 < timed.now_s < 5

    def test_a_line_that_the_board_gives_back_unchanged_is_clean(self) -> None:
        with Board.open(VIRTUAL) as board:
            assert calibration._is_clean(board)

    def test_a_damaged_step_ends_the_search_one_step_before(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Slow:
            tx_delay_s = 0.001

            def set_tx_delay(self, delay_s: float) -> None:
                self.tx_delay_s = delay_s

        board: Any = Slow()
        monkeypatch.setattr(calibration, "_is_clean", lambda board: board.tx_delay_s >= 0.0003)
        assert calibration.smallest_delay_s(board) == 0.0005
        assert board.tx_delay_s == 0.001
        monkeypatch.setattr(calibration, "_is_clean", lambda _: False)
        with pytest.raises(Exception, match="damaged even at 5 ms"):
            calibration.smallest_delay_s(board)

    def test_a_file_that_makes_no_sense_counts_as_none(self, tmp_path: Path) -> None:
        (tmp_path / "config").mkdir()
        (tmp_path / "config" / "calibration.json").write_text('{"format": 1, "boards": {"a": {"wrong": 1}}}')
        assert calibration.load_all() == {}
        assert "unknown" in done(elm11("info", "--port", VIRTUAL))
