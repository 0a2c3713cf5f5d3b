"""The doctor's checks on facts of every kind, and its two commands."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import threading
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result
from elm11_lua_driver import Job, config
from elm11_lua_driver.board import calibration, detect, run_registry
from elm11_lua_driver.board.detect import BoardState, Detected
from elm11_lua_driver.board.firmware_sync import project_scripts
from elm11_lua_driver.cli import main
from elm11_lua_driver.diagnostics import board_checks, doctor
from elm11_lua_driver.diagnostics import bundle as support_bundle
from elm11_lua_driver.diagnostics import check as check_module
from elm11_lua_driver.diagnostics.check import Check, State, System
from elm11_lua_driver.diagnostics.last_trace import remember_trace
from elm11_lua_driver.errors import ConfigError, Elm11Error, PortBusyError, PortPermissionError
from elm11_lua_driver.transport import port_errors
from elm11_lua_driver.transport.open import open_transport
from elm11_shim import VirtualBoard
from elm11_shim.board_server import serve_tcp
from virtual_bench import J10, Bench

if TYPE_CHECKING:
    from collections.abc import Iterator

    from elm11_lua_driver.transport.base import Transport

RELEASE = "6.1.0-test"
FTDI = SimpleNamespace(
    device="/dev/ttyUSB7",
    vid=0x0403,
    pid=0x6015,
    serial_number="",
    product="ELM11",
    manufacturer="",
    description="",
    location="1-1",
)
OTHER = SimpleNamespace(**{**FTDI.__dict__, "device": "/dev/ttyS0", "vid": None, "pid": None})


def no_port(port: str) -> Transport:
    message = f"{port} is not to be opened"
    raise AssertionError(message)


@pytest.fixture
def system(tmp_path: Path) -> System:
    """A Linux computer on which nothing is plugged in."""
    root = tmp_path / "root"
    (root / "etc/udev/rules.d").mkdir(parents=True)
    (root / "lib/modules" / RELEASE).mkdir(parents=True)
    (root / "proc").mkdir()
    return System(
        system="linux",
        root=root,
        release=RELEASE,
        environ={},
        serial_ports=lambda: [OTHER],
        open_port=no_port,
        may_open=lambda _: True,
        groups=lambda: (set(), set()),
    )


def plugged(facts: System, **changes: Any) -> System:  # noqa: ANN401  whatever the facts are
    return dataclasses.replace(facts, serial_ports=lambda: [OTHER, FTDI], **changes)


def put(system: System, path: str, text: str = "") -> Path:
    file = system.root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


class TestThisComputer:
    def test_python(self, system: System) -> None:
        assert doctor.check_python(system).state is State.OK
        old = doctor.check_python(dataclasses.replace(system, python=(3, 9, 1)))
        assert (old.state, "3.11" in old.advice) == (State.FAILED, True)

    def test_packages_of_this_environment_are_there(self, system: System) -> None:
        check = doctor.check_packages(system)
        assert check.state is State.OK
        assert "numpy" in check.found

    @pytest.mark.parametrize(
        ("installed", "state", "part"),
        [
            ({"a": "2.0", "b": "1.10.1"}, State.OK, "a 2.0, b 1.10.1"),
            ({"a": "1.9", "b": "1.10"}, State.FAILED, "a 1.9 is older than 2.0"),
            ({"a": "2.0"}, State.FAILED, "b is not installed"),
            ({"a": "0.5.0b0", "b": "2"}, State.FAILED, "a 0.5.0b0 is older than 2.0"),
        ],
    )
    def test_packages(self, system: System, installed: dict[str, str], state: State, part: str) -> None:
        wanted = ["a>=2.0", "b>=1.9", 'c>=1; extra == "plot"', 'd>=1; extra == "dev"']
        facts = dataclasses.replace(system, requirements=lambda: wanted, installed=installed.get)
        check = doctor.check_packages(facts)
        assert check.state is state
        assert part in check.found
        assert bool(check.commands) == (state is State.FAILED)

    def test_settings(self, system: System, tmp_path: Path) -> None:
        def load(environ: dict[str, str]) -> dict[str, config.Setting]:
            return config.load(environ, tmp_path)

        defaults = doctor.check_settings(dataclasses.replace(system, load_config=lambda: load({})))
        assert defaults.found == "all defaults"
        found = doctor.check_settings(dataclasses.replace(system, load_config=lambda: load({"ELM11_WORKERS": "2"})))
        assert found.found == "workers = 2 (ELM11_WORKERS)"
        wrong = doctor.check_settings(dataclasses.replace(system, load_config=lambda: load({"ELM11_WORKERS": "x"})))
        assert (wrong.state, "ELM11_WORKERS: 'x' is not" in wrong.found) == (State.FAILED, True)

    def test_a_misspelt_variable(self, system: System) -> None:
        check = doctor.check_settings(dataclasses.replace(system, environ={"ELM11_PROT": "x", "ELM11_EMBLUA": "y"}))
        assert (check.state, check.found) == (State.WARNING, "ELM11_PROT has no meaning")
        assert "ELM11_PORT" in check.advice

    def test_without_packages_nothing_else_is_tried(self, system: System) -> None:
        facts = dataclasses.replace(system, installed=lambda _: None)
        assert [check.name for check in doctor.examine(facts)] == ["Python", "packages", "settings"]


class TestDriver:
    def test_loaded(self, system: System) -> None:
        put(system, "proc/modules", "usbserial 1 1 ftdi_sio, Live\nftdi_sio 65536 0 - Live\n")
        assert board_checks.check_driver(system).found == "ftdi_sio is loaded"

    def test_loaded_as_the_kernel_lists_it(self, system: System) -> None:
        (system.root / "sys/bus/usb-serial/drivers/ftdi_sio").mkdir(parents=True)
        assert board_checks.check_driver(system).state is State.OK

    def test_installed(self, system: System) -> None:
        put(system, f"lib/modules/{RELEASE}/modules.dep", "kernel/drivers/usb/serial/ftdi_sio.ko.xz: usbserial.ko\n")
        check = board_checks.check_driver(system)
        assert (check.state, "when a board is plugged in" in check.found) == (State.OK, True)

    def test_not_there(self, system: System) -> None:
        check = board_checks.check_driver(system)
        assert check.state is State.WARNING
        assert check.commands[0] == f"sudo apt install linux-modules-extra-{RELEASE}"

    def test_a_container(self, system: System) -> None:
        check = board_checks.check_driver(dataclasses.replace(system, release="other"))
        assert (check.state, "container" in check.found) == (State.SKIPPED, True)

    def test_wsl(self, system: System) -> None:
        put(system, "proc/version", "Linux version 5.15 Microsoft")
        assert "usbipd" in board_checks.check_driver(system).commands[0]

    @pytest.mark.parametrize(("name", "word"), [("darwin", "macOS"), ("win32", "VCP")])
    def test_other_systems(self, system: System, name: str, word: str) -> None:
        check = board_checks.check_driver(dataclasses.replace(system, system=name))
        assert (check.state, word in check.advice) == (State.SKIPPED, True)
        assert board_checks.check_driver(plugged(system, system=name)).state is State.OK


class TestUdevRule:
    def test_it_is_shipped_with_the_latency_timer(self) -> None:
        text = board_checks.rule_file().read_text(encoding="ascii")
        assert 'ATTR{latency_timer}="1"' in text
        assert 'ATTRS{idVendor}=="0403"' in text

    def test_not_installed_and_needed(self, system: System) -> None:
        put(system, "sys/bus/usb-serial/devices/ttyUSB7/latency_timer", "16\n")
        check = board_checks.check_udev_rule(plugged(system))
        assert check.state is State.WARNING
        assert check.found == "not installed; latency timers: ttyUSB7: 16 ms"
        assert check.commands[0] == (
            f"sudo install -m 644 '{board_checks.rule_file()}' /etc/udev/rules.d/70-elm11.rules"
        )
        assert all(command.startswith("sudo ") for command in check.commands)

    def test_not_installed_and_nothing_plugged_in(self, system: System) -> None:
        check = board_checks.check_udev_rule(system)
        assert (check.state, bool(check.commands)) == (State.SKIPPED, True)

    def test_installed(self, system: System) -> None:
        put(system, "etc/udev/rules.d/70-elm11.rules", board_checks.rule_file().read_text(encoding="ascii"))
        check = board_checks.check_udev_rule(plugged(system))
        assert (check.state, check.found) == (State.OK, "installed: /etc/udev/rules.d/70-elm11.rules")

    def test_installed_and_old(self, system: System) -> None:
        put(system, "usr/lib/udev/rules.d/70-elm11.rules", "# another\n")
        check = board_checks.check_udev_rule(plugged(system))
        assert (check.state, "differs from this version's" in check.found) == (State.WARNING, True)

    def test_elsewhere(self, system: System, tmp_path: Path) -> None:
        assert board_checks.check_udev_rule(dataclasses.replace(system, system="darwin")).state is State.SKIPPED
        check = board_checks.check_udev_rule(dataclasses.replace(system, root=tmp_path / "none"))
        assert "no udev" in check.found


class TestPorts:
    def test_none(self, system: System) -> None:
        check = board_checks.check_ports(system)
        assert (check.state, "/dev/ttyS0: not a USB port" in check.found) == (State.SKIPPED, True)

    def test_one_that_may_be_opened(self, system: System) -> None:
        check = board_checks.check_ports(plugged(system))
        assert (check.state, "FTDI 0403:6015" in check.found) == (State.OK, True)

    def test_a_named_url_needs_no_permission(self, system: System) -> None:
        assert board_checks.check_ports(system, "virtual://").state is State.OK

    def test_no_permission_names_the_group(
        self, system: System, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        port = tmp_path / "ttyUSB0"
        port.touch()
        monkeypatch.setattr(port_errors, "_group_of", lambda _: "dialout")
        facts = dataclasses.replace(system, may_open=lambda _: False)
        check = board_checks.check_ports(facts, str(port))
        assert check.state is State.FAILED
        assert "sudo usermod -aG dialout $USER" in check.advice
        joined = dataclasses.replace(facts, groups=lambda: ({"users"}, {"dialout"}))
        assert "log out and in again" in board_checks.check_ports(joined, str(port)).advice
        assert "sudo" not in board_checks.check_ports(joined, str(port)).advice

    @pytest.mark.skipif(sys.platform == "win32", reason="groups are POSIX")
    def test_groups_of_this_process(self) -> None:
        active, _ = check_module._groups()
        assert len(active) <= len({*os.getgroups(), os.getgid()})


@pytest.fixture
def server() -> Iterator[str]:
    """The port of a virtual board that has this project's programs."""
    with VirtualBoard(store=Bench().board.store) as board, serve_tcp(board) as running:
        yield running.address


class TestBoard:
    def test_nothing_is_opened_without_a_candidate(self, system: System) -> None:
        check, board = board_checks.check_board(system)
        assert (check.state, board) == (State.SKIPPED, None)

    def test_ready(self, system: System, server: str) -> None:
        facts = dataclasses.replace(system, open_port=open_transport)
        check, board = board_checks.check_board(facts, server)
        assert check.state is State.OK
        assert board is not None
        assert board.hw_id == "virtual-elm11"
        programs = board_checks.check_scripts(facts, board)
        assert (programs.state, f"all {len(project_scripts())} are up to date" in programs.found) == (State.OK, True)

    def test_without_programs(self, system: System) -> None:
        facts = dataclasses.replace(system, open_port=open_transport)
        _, board = board_checks.check_board(facts, "virtual://")
        check = board_checks.check_scripts(facts, board)
        assert (check.state, check.commands) == (State.WARNING, ("elm11-upload-scripts --port virtual://",))

    def test_a_run_is_left_alone(self, system: System) -> None:
        bench = Bench()
        with bench.open() as board:
            board.start(dataclasses.replace(J10, n_simulations=100_000))  # runs on, however slow the test
        facts = dataclasses.replace(system, open_port=lambda _: bench.open().transport)
        check, found = board_checks.check_board(facts, "the bench")
        assert check.state is State.OK
        assert "elm11 attach" in check.advice
        assert found is not None
        assert found.state is BoardState.BUSY
        assert board_checks.check_scripts(facts, found).state is State.SKIPPED
        assert bench.board.running
        bench.board.close()

    def test_a_busy_port_and_who_holds_it(self, system: System) -> None:
        def busy(port: str) -> Transport:
            raise PortBusyError(f"port {port} is in use by picocom (process 7).", port=port, next_step="Close it.")

        check, _ = board_checks.check_board(plugged(system, open_port=busy))
        assert (check.state, check.advice) == (State.WARNING, "Close it.")
        assert "picocom (process 7)" in check.found

    def test_a_port_that_may_not_be_opened(self, system: System) -> None:
        def closed(port: str) -> Transport:
            raise PortPermissionError(f"you may not open port {port}.", port=port, next_step="Join the group.")

        check, _ = board_checks.check_board(plugged(system, open_port=closed))
        assert check.advice == "Join the group."

    def test_a_named_port_that_does_not_exist(self, system: System) -> None:
        facts = dataclasses.replace(system, open_port=open_transport)
        check, _ = board_checks.check_board(facts, "/dev/none")
        assert (check.state, "there is no port /dev/none" in check.found) == (State.FAILED, True)

    @pytest.mark.parametrize(
        ("states", "state", "is_one"),
        [
            ([BoardState.READY, BoardState.READY], State.WARNING, False),
            ([BoardState.STOPPED], State.FAILED, False),
            ([BoardState.COMMAND_MODE], State.OK, True),
            ([BoardState.READY, BoardState.OTHER], State.OK, True),
            ([BoardState.SILENT], State.WARNING, False),
        ],
    )
    def test_what_is_found(
        self,
        system: System,
        monkeypatch: pytest.MonkeyPatch,
        states: list[BoardState],
        state: State,
        is_one: bool,  # noqa: FBT001  a plain fact
    ) -> None:
        found = [Detected(f"/dev/ttyUSB{n}", one) for n, one in enumerate(states)]
        monkeypatch.setattr(detect, "detect_boards", lambda *_, **__: (found, []))
        check, board = board_checks.check_board(system)
        assert (check.state, board is not None) == (state, is_one)

    def test_a_board_that_fails_while_its_programs_are_read(self, system: System) -> None:
        def fail(port: str) -> Transport:
            raise Elm11Error("it went away.", next_step=f"Plug {port} in.")

        check = board_checks.check_scripts(dataclasses.replace(system, open_port=fail), Detected("P", BoardState.READY))
        assert (check.state, check.found, check.advice) == (State.FAILED, "it went away.", "Plug P in.")


class TestCalibration:
    BOARD = Detected("COM3", BoardState.READY, hw_id="b1", software="2")

    def test_none(self) -> None:
        check = board_checks.check_calibration(self.BOARD)
        assert (check.state, check.commands) == (State.WARNING, ("elm11 calibrate --port COM3",))
        assert board_checks.check_calibration(None).found == "no board to look up; 0 boards calibrated"

    def test_one_and_an_old_one(self) -> None:
        calibration.save(calibration.Calibration("b1", 0.001, 15e6, "2", "2026-01-02T03:04:05"))
        check = board_checks.check_calibration(self.BOARD)
        assert (check.state, "1 ms from byte to byte, 15.0 million" in check.found) == (State.OK, True)
        newer = dataclasses.replace(self.BOARD, software="3")
        assert "with software 2, and the board has 3 now" in board_checks.check_calibration(newer).found

    def test_a_broken_file(self) -> None:
        path = calibration.save(calibration.Calibration("b1", 0.001, 15e6, "2", "2026-01-02T03:04:05"))
        path.write_text("{")
        assert "cannot be read" in board_checks.check_calibration(None).found


class TestSelfTest:
    def test_the_whole_chain(self) -> None:
        check = board_checks.check_self_test()
        assert (check.state, "the same counts" in check.found) == (State.OK, True)

    def test_it_fails(self) -> None:
        def fail() -> str:
            raise ZeroDivisionError("boom")

        check = board_checks.check_self_test(fail)
        assert (check.state, check.found) == (State.FAILED, "ZeroDivisionError: boom")
        assert "support-bundle" in check.advice

    def test_it_has_a_deadline(self) -> None:
        end = threading.Event()
        check = board_checks.check_self_test(lambda: str(end.wait()), deadline_s=0.01)
        end.set()
        assert (check.state, "within 0.01 s" in check.found) == (State.FAILED, True)


def test_what_to_do_is_the_worst_first() -> None:
    checks = [
        Check("a", State.OK, "fine", "not to be told"),
        Check("b", State.WARNING, "meh", "Improve it:", ("do b", "do more")),
        Check("c", State.FAILED, "broken"),
    ]
    assert doctor.what_to_do(checks) == ["c: broken", "b: Improve it:\n    do b\n    do more"]
    assert doctor.to_dict(checks)["ok"] is False
    assert doctor.to_dict(checks[:1])["ok"] is True


# ---- the commands -------------------------------------------------------------------------------------------


def elm11(*arguments: str, answer: str = "") -> Result:
    return CliRunner().invoke(main.main, arguments, input=answer)


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Check]:
    """What the doctor finds, to be changed by the test; the working folder is a new one."""
    monkeypatch.chdir(tmp_path)
    checks = [Check("Python", State.OK, "3.11"), Check("programs", State.OK, "all there")]
    monkeypatch.setattr(doctor, "examine", lambda **_: iter(checks))
    return checks


@pytest.mark.usefixtures("found")
class TestDoctor:
    def test_all_is_well(self) -> None:
        result = elm11("doctor")
        assert result.exit_code == 0
        assert result.stdout.splitlines()[-1] == "All is well. To begin: elm11 run --help"

    def test_exit_codes(self, found: list[Check]) -> None:
        found.append(Check("udev rule", State.WARNING, "not installed", "Install it:", ("sudo x",)))
        assert elm11("doctor").exit_code == 0
        assert elm11("doctor", "--strict").exit_code == 1
        found.append(Check("board", State.FAILED, "stopped", "Switch it off."))
        result = elm11("doctor")
        assert result.exit_code == 1
        assert result.stdout.splitlines()[-4:] == [
            "What to do:",
            "1. board: Switch it off.",
            "2. udev rule: Install it:",
            "    sudo x",
        ]

    def test_json(self, found: list[Check]) -> None:
        found.append(Check("board", State.FAILED, "stopped", "Switch it off."))
        result = elm11("doctor", "--json")
        assert result.exit_code == 1
        document = json.loads(result.stdout)
        assert (document["format"], document["ok"], document["failed"], document["warnings"]) == (1, False, 1, 0)
        assert set(document["checks"][0]) == {"name", "state", "found", "advice", "commands"}
        assert document["next"] == ["board: Switch it off."]

    def test_quiet(self, found: list[Check]) -> None:
        found.append(Check("udev rule", State.WARNING, "not installed", "Install it."))
        assert [line.split()[0] for line in elm11("doctor", "--quiet").stdout.splitlines() if line] == [
            "warning",
            "What",
            "1.",
        ]


def test_the_doctor_sees_a_broken_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ELM11_WORKERS", "many")
    monkeypatch.setattr(check_module, "_serial_ports", list)
    result = elm11("doctor", "--json")
    assert result.exit_code == 1
    states = {check["name"]: check["state"] for check in json.loads(result.stdout)["checks"]}
    assert states["settings"] == "failed"
    assert states["self-test"] == "ok"


@pytest.mark.usefixtures("found")
class TestSupportBundle:
    def test_it_shows_what_goes_in_and_asks(self) -> None:
        refused = elm11("support-bundle", "-o", "b.zip", answer="n\n")
        assert refused.exit_code == 1
        assert "doctor.json" in refused.stderr
        assert not Path("b.zip").exists()
        assert elm11("support-bundle", "-o", "b.zip", answer="").exit_code == 2
        agreed = elm11("support-bundle", "-o", "b.zip", answer="y\n")
        assert (agreed.exit_code, agreed.stdout) == (0, "b.zip\n")
        assert "it exists" in elm11("support-bundle", "-o", "b.zip", answer="n\n").stderr

    def test_what_is_in_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        home = Path.home()
        monkeypatch.setenv("ELM11_PORT", "virtual://")
        monkeypatch.setenv("ELM11_CACHE", f"{home}/cache")
        monkeypatch.setenv("SECRET_TOKEN", "do not tell")
        assert elm11("list", "--trace", "wire.jsonl").exit_code == 0
        run_registry.save(run_registry.RunRecord(Job(0, 0, 1, 1, 2, 1), home / "x.npz", 0.95, 1.0))
        calibration.save(calibration.Calibration("b1", 0.001, 15e6, "2", "2026-01-02T03:04:05"))
        result = elm11("support-bundle", "--yes", "--json", "--output", "b.zip")
        names = json.loads(result.stdout)["contents"]
        with zipfile.ZipFile("b.zip") as bundle:
            assert bundle.namelist() == names
            texts = {name: bundle.read(name).decode() for name in names}
        assert {
            "doctor.json",
            "settings.json",
            "environment.json",
            "versions.txt",
            "trace.jsonl",
        } < (set(names))
        assert any(name.startswith("calibrations/") and "15000000" in text for name, text in texts.items())
        assert texts["trace.jsonl"] == Path("wire.jsonl").read_text()
        assert json.loads(texts["environment.json"]) == {"ELM11_CACHE": "~/cache", "ELM11_PORT": "virtual://"}
        assert json.loads(texts["settings.json"])["cache"]["value"] == "~/cache"
        assert any(json.loads(text)["output"] == "x.npz" for name, text in texts.items() if name.startswith("runs/"))
        everything = "".join(texts.values())
        assert "do not tell" not in everything
        assert "SECRET_TOKEN" not in everything
        assert f"{home}/" not in everything

    def test_bad_outputs_come_first(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(doctor, "examine", None)  # would fail if it were called
        result = elm11("support-bundle", "-o", "no/b.zip")
        assert (result.exit_code, "--output" in result.stderr) == (2, True)


def test_a_bundle_of_a_broken_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELM11_WORKERS", "many")
    with pytest.raises(ConfigError):
        config.load()
    items = {item.name: item.content for item in support_bundle.collect([], "", {})}
    assert "ELM11_WORKERS: 'many' is not" in items["settings.json"]


def test_a_long_trace_is_cut_at_a_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    trace = tmp_path / "wire.jsonl"
    trace.write_text("".join(f"line {n}\n" for n in range(100)))
    remember_trace(trace)
    monkeypatch.setattr(support_bundle, "MOST_TRACE_BYTES", 20)
    items = {item.name: item.content for item in support_bundle.collect([], "", {})}
    assert items["trace.jsonl"] == "line 98\nline 99\n"
    trace.unlink()
    assert "trace.jsonl" not in {item.name for item in support_bundle.collect([], "", {})}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("/home/ann/x and /home/ann", "~/x and ~"),
        ("/home/anna /home/ann.old", "/home/anna /home/ann.old"),
        ('{"path": "/home/ann"}', '{"path": "~"}'),
        (
            "/data/ann/x and C:\\work\\ann\\y, /data/anna/x, ann/",
            "/data/USER/x and C:\\work\\USER\\y, /data/anna/x, ann/",
        ),
    ],
)
def test_the_home_directory_is_not_named(text: str, wanted: str) -> None:
    assert support_bundle.without_home(text, Path("/home/ann")) == wanted
    assert support_bundle.without_home(text, Path("/")) == text
