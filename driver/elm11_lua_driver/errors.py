"""Everything that can go wrong, as one tree. Each leaf keeps what its reader needs to act.

::

    Elm11Error                      exit   a scene
    +-- BoardNotFoundError             3   nothing is plugged in, or /dev/ttyUSB7 does not exist
    |   +-- UnpluggedError             3   the cable was pulled while rows were being fetched
    +-- SeveralBoardsError             4   two boards on two ports and no word about which
    +-- PortError                      5   (base of the two below)
    |   +-- PortBusyError              5   a terminal program holds the port
    |   +-- PortPermissionError        5   the port belongs to group dialout, the user does not
    +-- BoardTimeoutError              6   a line was typed and the prompt never came back
    +-- VerificationError              7   the program read back is not the program that was sent
    +-- VersionMismatchError           9   the board has the programs of version 0.1, the driver wants 0.2
    +-- BoardBusyError                10   somebody's job is running; its last heartbeat was 2 s ago
    +-- ProtocolError                  1   the echo was damaged again and again; a frame makes no sense
    +-- BoardRebootedError             1   the power failed for a moment: the results on the board are gone
    +-- CommandRefusedError            1   "Error, failed to delete program, err=6"
    +-- ScriptsError                   2   a program has a line that the board cannot store
    +-- ConfigError                    2   config.toml has the key "prot"
    +-- EngineError                    1   a worker process of the NumPy pool died
        +-- ForeignWorkerError         1   pycwt_mod hands over a function that the board has no program for
        +-- LuaError                   8   the Lua code failed: attempt to index a nil value
            +-- BoardStoppedError      8   the board ran out of memory, and stops for good when it does

``exit`` is the exit code of the command-line tools, the class attribute ``exit_code``. A wrong argument is
a plain ``ValueError`` that names the argument and its range; it is not part of this tree.

Every error can be pickled, so that it survives the way back from a worker process.
"""

from __future__ import annotations

from typing import Any, ClassVar, TypedDict, Unpack

from ._text import printable

LAST_BYTES_SHOWN = 80
"""How much of the wire's last bytes a message shows; the attribute keeps all that it was given."""


class Kept(TypedDict, total=False):
    """What every error may keep besides its sentence; see `Elm11Error`.

    Attributes:
        state: what the driver was doing.
        next_step: what to do now, a whole sentence.
        last_bytes: the last bytes that came from the board.
    """

    state: str
    next_step: str
    last_bytes: bytes


class Elm11Error(Exception):
    """Root of every error that this package raises on purpose.

    Args:
        what: what happened, a whole sentence.
        state: what the driver was doing, such as ``"waiting for the prompt"``.
        next_step: what to do now, a whole sentence.
        last_bytes: the last bytes that came from the board, for the curious and for bug reports.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, state: str = "", next_step: str = "", last_bytes: bytes = b"") -> None:
        super().__init__(what)
        self.what = what
        self.state = state
        self.next_step = next_step
        self.last_bytes = last_bytes

    @property
    def details(self) -> tuple[object, ...]:
        """What stands below the message, one line each."""
        return ()

    def __str__(self) -> str:
        """What happened, the state, the last bytes, the next step, the details; control characters are escaped."""
        # Lua's messages end without a full stop, and would run into the next sentence.
        more = self.state or self.last_bytes or self.next_step
        parts = [self.what if not more or self.what.endswith((".", "!", "?", ":")) else f"{self.what}."]
        if self.state:
            parts.append(f"State: {self.state}.")
        if self.last_bytes:
            parts.append(f"Last bytes: {self.last_bytes[-LAST_BYTES_SHOWN:]!r}.")
        if self.next_step:
            parts.append(self.next_step)
        return printable("\n".join([" ".join(parts), *map(str, self.details)]))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle without calling the constructor: its keyword arguments would be lost."""
        return _rebuild, (type(self), self.args, dict(self.__dict__))


def _rebuild(kind: type[Elm11Error], args: tuple[object, ...], attributes: dict[str, object]) -> Elm11Error:
    error = kind.__new__(kind, *args)
    error.__dict__.update(attributes)
    return error


class EngineError(Elm11Error):
    """An engine could not compute what it was asked for."""


class ForeignWorkerError(EngineError):
    """pycwt_mod asks for something else than its significance test, the only one that the board has programs for.

    Args:
        what: what happened.
        worker: name of the function that was to be run.
    """

    def __init__(self, what: str, *, worker: str = "", **kept: Unpack[Kept]) -> None:
        super().__init__(what, **kept)
        self.worker = worker


class BoardNotFoundError(Elm11Error):
    """No board was found, or the named port does not exist.

    Args:
        what: what happened.
        port: the port that was named; empty when all were searched.
        looked_at: every port that was looked at, with the reason why it was not taken.
    """

    exit_code = 3

    def __init__(self, what: str, *, port: str = "", looked_at: tuple[str, ...] = (), **kept: Unpack[Kept]) -> None:
        super().__init__(what, **kept)
        self.port = port
        self.looked_at = looked_at

    @property
    def details(self) -> tuple[object, ...]:
        """One line for each port that was looked at."""
        return tuple(f"  {line}" for line in self.looked_at)


class UnpluggedError(BoardNotFoundError):
    """The port vanished while it was in use. What runs on the board may go on running."""


class SeveralBoardsError(Elm11Error):
    """More than one board could be meant.

    Args:
        what: what happened.
        boards: one line for each board: port, hardware id, state.
    """

    exit_code = 4

    def __init__(self, what: str, *, boards: tuple[str, ...] = (), **kept: Unpack[Kept]) -> None:
        super().__init__(what, **kept)
        self.boards = boards

    @property
    def details(self) -> tuple[object, ...]:
        """One line for each board."""
        return tuple(f"  {line}" for line in self.boards)


class PortError(Elm11Error):
    """The port is there but cannot be opened.

    Args:
        what: what happened.
        port: the port that was to be opened.
    """

    exit_code = 5

    def __init__(self, what: str, *, port: str = "", **kept: Unpack[Kept]) -> None:
        super().__init__(what, **kept)
        self.port = port


class PortBusyError(PortError):
    """Another program holds the port.

    Args:
        what: what happened.
        port: the port.
        holders: the programs that hold it, as ``"picocom (process 4711)"``, where the system tells.
    """

    def __init__(self, what: str, *, port: str = "", holders: tuple[str, ...] = (), **kept: Unpack[Kept]) -> None:
        super().__init__(what, port=port, **kept)
        self.holders = holders


class PortPermissionError(PortError):
    """The user may not open the port.

    Args:
        what: what happened.
        port: the port.
        group: the group that may, where the system tells.
    """

    def __init__(self, what: str, *, port: str = "", group: str = "", **kept: Unpack[Kept]) -> None:
        super().__init__(what, port=port, **kept)
        self.group = group


class BoardTimeoutError(Elm11Error):
    """A deadline passed before the board did what it was waited for."""

    exit_code = 6


class VerificationError(Elm11Error):
    """What the board holds is not, or cannot be shown to be, what was sent.

    Args:
        what: what happened.
        program: name of the program.
    """

    exit_code = 7

    def __init__(self, what: str, *, program: str = "", **kept: Unpack[Kept]) -> None:
        super().__init__(what, **kept)
        self.program = program


class LuaError(EngineError):
    """Lua code failed.

    Args:
        message: what happened; Lua's own message where nothing is to be added.
        lua_message: Lua's message, such as ``"stdin:1: attempt to index a nil value (global 'x')"``; the message
            when not given.
        lua_traceback: Lua's traceback, one call per line; empty when there is none.

    Attributes:
        output: what the code printed before it failed, where that is known.
    """

    exit_code = 8

    def __init__(self, message: str, lua_message: str = "", lua_traceback: str = "", **kept: Unpack[Kept]) -> None:
        super().__init__(message, **kept)
        self.lua_message = lua_message or message
        self.lua_traceback = lua_traceback
        self.output = ""

    @property
    def details(self) -> tuple[object, ...]:
        """The traceback."""
        return (self.lua_traceback,) if self.lua_traceback else ()


class BoardStoppedError(LuaError):
    """The board ran out of memory. It stops for good then: only its power switch helps."""


class VersionMismatchError(Elm11Error):
    """The programs on the board are not the ones this driver works with.

    Args:
        what: what happened, naming the command that mends it.
        on_board: what the board has.
        wanted: what the driver wants.
    """

    exit_code = 9

    def __init__(self, what: str, *, on_board: str = "", wanted: str = "", **kept: Unpack[Kept]) -> None:
        super().__init__(what, **kept)
        self.on_board = on_board
        self.wanted = wanted


class BoardBusyError(Elm11Error):
    """The board is running something.

    Args:
        what: what happened.
        progress: what the running program says of itself; empty when it is silent.
    """

    exit_code = 10

    def __init__(self, what: str, *, progress: str = "", **kept: Unpack[Kept]) -> None:
        super().__init__(what, **kept)
        self.progress = progress


class ScriptsError(Elm11Error):
    """Programs that the board would not take, found before a port was opened.

    Args:
        what: what happened.
        problems: all that is wrong; each prints as one line.
    """

    exit_code = 2

    def __init__(self, what: str, *, problems: tuple[object, ...] = (), **kept: Unpack[Kept]) -> None:
        super().__init__(what, **kept)
        self.problems = problems

    @property
    def details(self) -> tuple[object, ...]:
        """One line for each problem."""
        return tuple(f"  {problem}" for problem in self.problems)


class ConfigError(Elm11Error):
    """A configuration file or a variable of the environment makes no sense.

    Args:
        what: what happened.
        file: the file, or the variable.
        key: the key in it.
    """

    exit_code = 2

    def __init__(self, what: str, *, file: str = "", key: str = "", **kept: Unpack[Kept]) -> None:
        super().__init__(what, **kept)
        self.file = file
        self.key = key


class ProtocolError(Elm11Error):
    """Data was damaged more often than the protocol can mend, or makes no sense."""


class BoardRebootedError(Elm11Error):
    """The board restarted while it was in use; what it held in memory is gone."""


class CommandRefusedError(Elm11Error):
    """The board understood a command and said no.

    Args:
        what: what happened.
        command: the command.
        reply: the board's words.
    """

    def __init__(self, what: str, *, command: str = "", reply: str = "", **kept: Unpack[Kept]) -> None:
        super().__init__(what, **kept)
        self.command = command
        self.reply = reply
