from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from elm11_lua_driver.board.detect import BoardState, Detected, candidates, choose, detect_boards, probe
from elm11_lua_driver.errors import BoardNotFoundError, PortBusyError, PortPermissionError, SeveralBoardsError
from elm11_lua_driver.protocol.frame import Frame, FrameKind, encode
from fake_board import FakeBoard, transcript
from hypothesis import given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from elm11_lua_driver.transport.base import Transport

IDENTITY = "print(_VERSION,_sW,_fW,_hW)"


@dataclass
class Info:
    device: str
    vid: int | None = 0x0403
    pid: int | None = 0x6010
    serial_number: str | None = "same on all boards"
    product: str | None = "Dual RS232"
    manufacturer: str | None = "FTDI"
    description: str | None = ""
    location: str | None = "1-2:1.1"


class FakePort:
    """A fake board behind a transport whose time passes while it waits."""

    byte_time_s = 0.001

    def __init__(self, board: FakeBoard, name: str = "/dev/ttyUSB1") -> None:
        self.board = board
        self.name = name
        self.time_s = 0.0
        self.closed = False
        self.pushes: list[tuple[float, bytes]] = []

    def now_s(self) -> float:
        return self.time_s

    def write(self, data: bytes) -> None:
        self.board.write(data)
        self.time_s += len(data) * self.byte_time_s

    def read(self, timeout_s: float) -> bytes:
        data = self.board.read()
        if data:
            return data
        if self.pushes and self.pushes[0][0] <= self.time_s + timeout_s:
            at_s, data = self.pushes.pop(0)
            self.time_s = max(self.time_s, at_s)
            return data
        self.time_s += timeout_s
        return b""

    def close(self) -> None:
        self.closed = True


def board(hw_id: str = "AB12") -> FakeBoard:
    made = FakeBoard()
    made.answers[IDENTITY] = f"Lua 5.4\t1.2.0\tFW7\t{hw_id}\n\r".encode("ascii")
    return made


def ports_of(*boards: FakeBoard) -> dict[str, FakePort]:
    return {name: FakePort(made, name) for name, made in zip(("/dev/a", "/dev/b", "/dev/c"), boards, strict=False)}


def pick(opened: dict[str, FakePort], **options: str) -> Detected:
    environ = {"ELM11_PORT": options.pop("environ")} if "environ" in options else {}

    def open_port(name: str) -> Transport:
        if name not in opened:
            raise BoardNotFoundError(f"there is no port {name}.", port=name)
        return opened[name]

    return choose(
        port=options.get("port"),
        hw_id=options.get("hw_id"),
        environ=environ,
        ports=[Info(name) for name in opened],
        open_port=open_port,
    )


# ---- candidates ---------------------------------------------------------------------------------------------


def test_only_ftdis_ports_are_candidates_and_the_others_are_explained() -> None:
    found, others = candidates(
        [
            Info("/dev/ttyUSB3"),
            Info("/dev/ttyACM0", vid=0x2341, pid=0x43, product="Uno", manufacturer="Arduino"),
            Info("/dev/ttyS0", vid=None, pid=None),
            Info("/dev/ttyUSB0", location="1-2:1.0"),
            Info("/dev/ttyUSB1", pid=0x6001, location="1-3:1.0"),
        ]
    )
    assert [one.port for one in found] == ["/dev/ttyUSB1", "/dev/ttyUSB3", "/dev/ttyUSB0"]
    assert [one.likely for one in found] == [True, True, False]
    assert "programming interface" in found[2].reason
    assert others == ["/dev/ttyACM0: USB 2341:0043 (Arduino Uno) is not FTDI's", "/dev/ttyS0: not a USB port"]


def test_a_port_without_names_is_no_obstacle() -> None:
    bare = Info(
        "/dev/x", pid=None, serial_number=None, product=None, manufacturer=None, description=None, location=None
    )
    found, _ = candidates([bare])
    assert found[0].reason == "FTDI 0403:0000 ()"


# ---- probe --------------------------------------------------------------------------------------------------


def test_a_board_at_its_prompt_is_ready_and_says_who_it_is() -> None:
    port = FakePort(board())
    found = probe(port, "why")
    assert found == Detected("/dev/ttyUSB1", BoardState.READY, "why", "Lua 5.4", "1.2.0", "FW7", "AB12")
    assert str(found) == "/dev/ttyUSB1: ready, hardware id AB12, software 1.2.0"
    assert port.board.host_bytes == b"\n" + IDENTITY.encode("ascii") + b"\n"
    assert port.time_s < 2


def test_a_board_that_has_just_started_is_ready() -> None:
    port = FakePort(board())
    port.pushes = [(0.2, transcript("boot")[0][1])]
    assert probe(port).state is BoardState.READY


def test_a_board_that_pushes_progress_is_busy_and_is_sent_nothing() -> None:
    port = FakePort(board())
    port.board.mode = "running"
    line = encode(Frame(FrameKind.PROGRESS, 7, "done=20 of=300")) + b"\n\r"
    port.pushes = [(0.3, b"tail of a line\n\r"), (1.2, line)]
    found = probe(port)
    assert found.state is BoardState.BUSY
    assert found.progress == "done=20 of=300"
    assert found.is_board
    assert port.board.host_bytes == b""


def test_a_silent_program_is_not_stopped() -> None:
    port = FakePort(board())
    port.board.mode = "running"
    found = probe(port)
    assert found.state is BoardState.SILENT
    assert not found.is_board
    assert port.board.mode == "running"
    assert b"q" not in port.board.host_bytes
    assert port.time_s < 6


def test_a_board_in_command_mode_is_left_there() -> None:
    port = FakePort(board())
    port.board.mode = "command"
    port.board.answers[""] = b""
    assert probe(port).state is BoardState.COMMAND_MODE
    assert port.board.mode == "command"


def test_another_device_is_not_taken_for_a_board() -> None:
    port = FakePort(board())
    port.board.answers[IDENTITY] = b"bash: syntax error\n\r"
    assert probe(port).state is BoardState.OTHER


def test_a_device_that_only_echoes_is_not_a_board() -> None:
    class Echo(FakeBoard):
        def write(self, data: bytes) -> None:
            self.out += data

    found = probe(FakePort(Echo()))
    assert not found.is_board
    assert found.error is not None


@given(st.lists(st.tuples(st.floats(0, 3), st.binary(max_size=60)), max_size=20))
@settings(max_examples=100)
def test_whatever_a_port_says_it_is_put_into_a_class(pushes: list[tuple[float, bytes]]) -> None:
    port = FakePort(FakeBoard())
    port.board.mode = "dead"
    port.pushes = sorted(pushes)
    assert probe(port).state in BoardState
    assert port.time_s < 30
    assert b"q" not in port.board.host_bytes


# ---- choosing -----------------------------------------------------------------------------------------------


def test_a_single_board_is_taken_and_its_port_closed() -> None:
    opened = ports_of(board())
    assert pick(opened).hw_id == "AB12"
    assert opened["/dev/a"].closed


def test_of_several_boards_none_is_taken_without_asking() -> None:
    with pytest.raises(SeveralBoardsError, match="2 boards") as caught:
        pick(ports_of(board("A"), board("B")))
    assert str(caught.value).splitlines()[1:] == [
        "  /dev/a: ready, hardware id A, software 1.2.0",
        "  /dev/b: ready, hardware id B, software 1.2.0",
    ]
    assert "--port" in str(caught.value)
    assert caught.value.exit_code == 4


def test_a_board_is_chosen_by_port_hardware_id_or_environment() -> None:
    assert pick(ports_of(board("A"), board("B")), port="/dev/b").hw_id == "B"
    assert pick(ports_of(board("A"), board("B")), hw_id="B").port == "/dev/b"
    assert pick(ports_of(board("A"), board("B")), environ="/dev/b").hw_id == "B"
    assert pick(ports_of(board("A"), board("B")), environ="/dev/a", port="/dev/b").hw_id == "B"
    assert pick(ports_of(board("A"), board("B")), environ="/dev/a", hw_id="B").hw_id == "B"


def test_a_named_port_is_the_only_one_that_is_opened() -> None:
    opened = ports_of(board("A"), board("B"))
    pick(opened, port="/dev/b")
    assert opened["/dev/a"].board.host_bytes == b""


def test_an_unknown_hardware_id_lists_what_is_there() -> None:
    with pytest.raises(BoardNotFoundError, match="no board with hardware id 'Z'") as caught:
        pick(ports_of(board("A")), hw_id="Z")
    assert "hardware id A" in str(caught.value)


def test_a_named_port_that_is_missing_says_so() -> None:
    with pytest.raises(BoardNotFoundError, match="there is no port /dev/z"):
        pick(ports_of(board()), port="/dev/z")


def test_a_named_port_without_a_board_says_so() -> None:
    silent = board()
    silent.mode = "dead"
    with pytest.raises(BoardNotFoundError, match="no ELM11 answers on /dev/a"):
        pick(ports_of(silent), port="/dev/a")


def test_no_port_at_all_says_what_to_plug_in() -> None:
    with pytest.raises(BoardNotFoundError, match="no FTDI port") as caught:
        choose(environ={}, ports=[Info("/dev/ttyS0", vid=None)])
    assert "Plug the board in" in str(caught.value)
    assert "/dev/ttyS0: not a USB port" in str(caught.value)


def test_silent_ports_are_listed_with_their_state() -> None:
    silent = board()
    silent.mode = "dead"
    with pytest.raises(BoardNotFoundError, match="on any FTDI port") as caught:
        pick(ports_of(silent))
    assert "/dev/a: silent" in str(caught.value)


@pytest.mark.parametrize("kind", [PortBusyError, PortPermissionError])
def test_the_only_candidate_that_cannot_be_opened_is_the_error(kind: type[PortBusyError]) -> None:
    def open_port(name: str) -> Transport:
        raise kind(f"port {name} cannot be opened.", port=name)

    with pytest.raises(kind):
        choose(environ={}, ports=[Info("/dev/a")], open_port=open_port)


def test_a_port_that_cannot_be_opened_does_not_hide_a_board() -> None:
    opened = ports_of(board())

    def open_port(name: str) -> Transport:
        if name == "/dev/b":
            raise PortBusyError("busy.", port=name)
        return opened[name]

    found, _ = detect_boards(ports=[Info("/dev/a"), Info("/dev/b")], open_port=open_port)
    assert [one.state for one in found] == [BoardState.READY, BoardState.CLOSED]
    assert choose(environ={}, ports=[Info("/dev/a"), Info("/dev/b")], open_port=open_port).port == "/dev/a"


def test_the_systems_ports_are_asked_when_none_are_given() -> None:
    found, others = candidates()
    assert len(found) + len(others) >= 0
