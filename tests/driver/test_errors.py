from __future__ import annotations

import pickle
import re

import pytest
from elm11_lua_driver import errors
from elm11_lua_driver.errors import (
    BoardBusyError,
    BoardNotFoundError,
    BoardStoppedError,
    BoardTimeoutError,
    CommandRefusedError,
    ConfigError,
    Elm11Error,
    EngineError,
    ForeignWorkerError,
    LuaError,
    PortBusyError,
    PortPermissionError,
    ScriptsError,
    SeveralBoardsError,
    UnpluggedError,
    VerificationError,
    VersionMismatchError,
)


def every_class(root: type[Elm11Error] = Elm11Error) -> list[type[Elm11Error]]:
    return [root, *(found for child in root.__subclasses__() for found in every_class(child))]


EXAMPLES: list[Elm11Error] = [
    Elm11Error("it failed.", state="waiting", next_step="Try again.", last_bytes=b"\x1b$"),
    EngineError("worker 3 died."),
    BoardNotFoundError("no board.", port="/dev/ttyUSB7", looked_at=("/dev/ttyS0: not FTDI",)),
    UnpluggedError("gone.", port="COM3"),
    SeveralBoardsError("two boards.", boards=("a", "b")),
    PortBusyError("busy.", port="COM3", holders=("picocom (process 4711)",), next_step="Close it."),
    PortPermissionError("not allowed.", port="/dev/ttyUSB0", group="dialout"),
    BoardTimeoutError("no prompt.", state="waiting for the prompt", last_bytes=b"x" * 500),
    VerificationError("differs.", program="fft.lua"),
    LuaError("stdin:1: boom", "", "stack traceback:\n\t[C]: in function 'error'"),
    BoardStoppedError("out of memory.", next_step="Switch the board off and on."),
    VersionMismatchError("old programs.", on_board="0.1", wanted="0.2"),
    BoardBusyError("busy.", progress="20 of 300"),
    ScriptsError("2 problems.", problems=("a.lua:1: too long", "b.lua:2: not ASCII")),
    CommandRefusedError("refused.", command="list|x", reply="Error"),
    ConfigError("config.toml: 'prot' is no setting", file="config.toml", key="prot"),
    ForeignWorkerError("not ours.", worker="shuffle", next_step="Take another backend."),
]


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_an_error_survives_the_way_back_from_a_worker(error: Elm11Error) -> None:
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301  # our own bytes
    assert type(copy) is type(error)
    assert copy.__dict__ == error.__dict__
    assert str(copy) == str(error)


def test_exit_codes_are_those_of_the_command_line() -> None:
    assert {kind.__name__: kind.exit_code for kind in every_class()} == {
        "Elm11Error": 1,
        "EngineError": 1,
        "BoardNotFoundError": 3,
        "UnpluggedError": 3,
        "SeveralBoardsError": 4,
        "PortError": 5,
        "PortBusyError": 5,
        "PortPermissionError": 5,
        "BoardTimeoutError": 6,
        "VerificationError": 7,
        "LuaError": 8,
        "BoardStoppedError": 8,
        "VersionMismatchError": 9,
        "BoardBusyError": 10,
        "ProtocolError": 1,
        "BoardRebootedError": 1,
        "CommandRefusedError": 1,
        "ScriptsError": 2,
        "ConfigError": 2,
        "ForeignWorkerError": 1,
    }


def test_the_docstring_draws_the_tree_that_exists() -> None:
    drawn = re.findall(r"^(?:[|+ -]*)(\w+Error)\s+(\d+|exit)", errors.__doc__ or "", re.MULTILINE)
    exits = {name: code for name, code in drawn if name != "Elm11Error"}
    assert exits == {kind.__name__: str(kind.exit_code) for kind in every_class()[1:]}


def test_a_message_says_what_happened_in_which_state_and_what_to_do() -> None:
    assert str(EXAMPLES[0]) == "it failed. State: waiting. Last bytes: b'\\x1b$'. Try again."


def test_a_message_shows_the_end_of_the_last_bytes_and_the_error_keeps_all() -> None:
    error = BoardTimeoutError("no prompt.", last_bytes=b"a" * 500 + b"end")
    assert "end'" in str(error)
    assert len(str(error)) < 150
    assert len(error.last_bytes) == 503


def test_lists_stand_on_lines_of_their_own() -> None:
    assert str(SeveralBoardsError("two boards.", boards=("a", "b"))).splitlines() == [
        "two boards.",
        "  a",
        "  b",
    ]
    assert str(EXAMPLES[2]).splitlines() == ["no board.", "  /dev/ttyS0: not FTDI"]
    assert str(EXAMPLES[9]).splitlines()[1] == "stack traceback:"
