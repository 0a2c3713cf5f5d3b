"""The words of pyserial and of the systems become errors that say what to do."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import serial
from elm11_lua_driver.errors import BoardNotFoundError, BoardTimeoutError, PortBusyError, PortError, PortPermissionError
from elm11_lua_driver.transport.port_errors import opening_error, port_holders, using_error


def test_a_missing_permission_names_the_group_and_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "group", lambda _: "dialout")
    error = opening_error(str(tmp_path), PermissionError(errno.EACCES, "Permission denied"))
    assert isinstance(error, PortPermissionError)
    assert error.group == "dialout"
    assert "sudo usermod -aG dialout $USER" in str(error)
    assert error.exit_code == 5


@pytest.mark.parametrize("failure", [KeyError, OSError, NotImplementedError])
def test_a_missing_permission_without_a_known_group_still_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, failure: type[Exception]
) -> None:
    def group(_: Path) -> str:
        raise failure

    monkeypatch.setattr(Path, "group", group)
    error = opening_error("/dev/x", PermissionError(errno.EACCES, "Permission denied"))
    assert isinstance(error, PortPermissionError)
    assert "udev rule" in str(error)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("could not open port 'COM3': PermissionError(13, 'Access is denied.', None, 5)", PortBusyError),
        ("could not open port 'COM9': FileNotFoundError(2, 'The system cannot find the file.')", BoardNotFoundError),
        ("something new", PortError),
    ],
)
def test_the_words_of_windows_are_understood(text: str, kind: type[Exception]) -> None:
    assert type(opening_error("COM3", serial.SerialException(text))) is kind


def test_a_port_that_takes_no_bytes_is_a_time_out() -> None:
    assert isinstance(using_error("COM3", serial.SerialTimeoutException("Write timeout")), BoardTimeoutError)


@pytest.mark.skipif(os.name != "posix", reason="the list is one of links, as Linux has it")
def test_who_holds_a_port_is_read_from_the_systems_list(tmp_path: Path) -> None:
    port = tmp_path / "ttyUSB0"
    port.touch()
    for number, target in [("12", port), ("9", port), ("7", tmp_path)]:
        (tmp_path / "proc" / number / "fd").mkdir(parents=True)
        (tmp_path / "proc" / number / "fd" / "3").symlink_to(target)
        (tmp_path / "proc" / number / "comm").write_text("picocom\n")
    (tmp_path / "proc" / "8").mkdir()
    (tmp_path / "proc" / "self").mkdir()
    (tmp_path / "proc" / "12" / "comm").unlink()
    assert port_holders(str(port), tmp_path / "proc") == ("picocom (process 9)", "a program (process 12)")
    assert port_holders(str(port), tmp_path / "no-proc") == ()
