"""How fast a board takes bytes and how fast it computes: measured, and kept for each board in the user's folder."""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from .._files.atomic import atomic_file
from .._files.file_lock import file_lock
from .._files.user_dirs import CALIBRATION_FILE, config_folder
from ..errors import BoardTimeoutError, ProtocolError
from ..planning.cost import estimate
from ..protocol.wire import DEFAULT_TX_DELAY_S

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ..jobs.job import Job
    from .board import Board

_FILE_FORMAT: Final = 1
_LOCK_S: Final = 10.0  # reading and writing take milliseconds

DELAYS_S: Final = (0.005, 0.003, 0.002, 0.0015, 0.001, 0.0007, 0.0005, 0.0003, 0.0002, 0.0001, 0.0)
"""What is tried, slow to fast. 5 ms is what the vendor advises for terminals; at 0 the wire itself takes 0.087 ms."""

_LINES_PER_DELAY: Final = 8
# Nearly a full line: the board's work for a character grows with the length of the line, so the end is the hardest.
# A comment does nothing, whatever a damaged byte makes of it is typed again.
_LINE: Final = "--" + "".join(chr(0x21 + n % 0x5D) for n in range(248))

_INSTRUCTIONS_PER_PASS: Final = 118
"""Of an empty numeric `for`, counted on the board's firmware."""

_SHORTEST_LOOP_S: Final = 1.0
_FIRST_PASSES: Final = 1000
_MOST_PASSES: Final = 2**30  # a 32-bit integer holds it; a board takes hours for it
_LOOP_TIMEOUT_S: Final = 120.0


@dataclass(frozen=True)
class Calibration:
    """What was measured on one board.

    Attributes:
        hw_id: the board's hardware id.
        tx_delay_s: the smallest safe time from byte to byte; None where there is no wire.
        instructions_per_s: how fast it computes.
        software: the firmware it had.
        measured: when, in ISO 8601.
    """

    hw_id: str
    tx_delay_s: float | None
    instructions_per_s: float
    software: str
    measured: str

    def seconds_for(self, job: Job, n_simulations: int) -> float:
        """How long simulations and what is set up for them take on this board.

        Args:
            job: what is computed.
            n_simulations: how many simulations of it.
        """
        cost = estimate(job)
        return (cost.set_up + cost.simulation * n_simulations) / self.instructions_per_s


def calibration_file() -> Path:
    """Where calibrations are kept; it need not exist."""
    return config_folder() / CALIBRATION_FILE


def _entries() -> dict[str, Any] | None:
    """The values of each board as they stand in the file, by hardware id; None if it is not a file of this version's.

    Raises:
        OSError: it cannot be read.
    """
    try:
        document = json.loads(calibration_file().read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError:
        return None
    if not (isinstance(document, dict) and document.get("format") == _FILE_FORMAT):
        return None
    boards = document.get("boards")
    return boards if isinstance(boards, dict) else None


def load_all() -> dict[str, Calibration]:
    """Every board that has been calibrated, by its hardware id; what cannot be read counts as none."""
    try:
        entries = _entries() or {}
    except OSError:
        return {}
    found = {}
    for hw_id, values in entries.items():
        with contextlib.suppress(TypeError):  # not a table, or with other names than this version's
            found[hw_id] = Calibration(hw_id=hw_id, **values)
    return found


def load(hw_id: str) -> Calibration | None:
    """What was measured on a board, or None.

    Args:
        hw_id: the board's hardware id.
    """
    return load_all().get(hw_id)


def save(calibration: Calibration) -> Path:
    """Keep what was measured; other boards' values stay, also those that another process keeps at this moment.

    A file that makes no sense is kept under another name.

    Args:
        calibration: what was measured on one board.

    Returns:
        The file.

    Raises:
        OSError: it cannot be read or written; `TimeoutError` when another process holds it for too long.
    """
    path = calibration_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    with file_lock(path.with_suffix(".lock"), _LOCK_S):
        entries = _entries()
        if entries is None:
            path.replace(path.with_suffix(".damaged"))
            entries = {}
        values = asdict(calibration)
        entries[values.pop("hw_id")] = values
        document = {"format": _FILE_FORMAT, "boards": dict(sorted(entries.items()))}
        with atomic_file(path) as file:
            file.write((json.dumps(document, indent=1) + "\n").encode())
    return path


def smallest_delay_s(board: Board, on_step: Callable[[float, bool], None] | None = None) -> float:
    """Find the smallest time from byte to byte at which no typed line is damaged.

    Typing is what needs pauses: at the prompt the board works for every character, longer the longer the line is; in
    the upload dialogue it only stores them. One step slower than the fastest that was clean is taken, since a few lines
    cannot show a rare loss; 0, where the wire sets the pace, is taken as it is.

    Args:
        board: at its prompt, on a port that can be paced.
        on_step: called with each delay and whether it was clean.

    Returns:
        Seconds from the start of one byte to the start of the next.

    Raises:
        ProtocolError: even the slowest is not clean: the fault is not the pace.
    """
    before_s = board.tx_delay_s
    clean: list[float] = []
    try:
        for delay_s in DELAYS_S:
            board.set_tx_delay(delay_s)
            try:
                is_clean = all(_is_clean(board) for _ in range(_LINES_PER_DELAY))
            except (ProtocolError, BoardTimeoutError):
                is_clean = False
            if on_step is not None:
                on_step(delay_s, is_clean)
            if not is_clean:
                break
            clean.append(delay_s)
    finally:
        board.set_tx_delay(DEFAULT_TX_DELAY_S if before_s is None else before_s)
    if not clean:
        raise ProtocolError(
            f"lines are damaged even at {DELAYS_S[0] * 1000:g} ms from byte to byte.",
            state="calibrating",
            next_step="Look at the cable and the USB port; a hub in between may be the reason.",
        )
    return clean[-1] if clean[-1] == 0 or len(clean) == 1 else clean[-2]


def _is_clean(board: Board) -> bool:
    result = board.type_line(_LINE)
    return result.attempts == 1 and not result.damaged


def instructions_per_s(board: Board, clock: Callable[[], float] = time.perf_counter) -> float:
    """Measure how fast the board computes, by timing a loop whose instructions are known.

    Args:
        board: at its prompt.
        clock: gives the time.

    Returns:
        Instructions per second.
    """

    def seconds(passes: int) -> float:
        start_s = clock()
        board.type_line(f"for i=1,{passes} do end", _LOOP_TIMEOUT_S)
        return clock() - start_s

    # Typing, echo and prompt take time too; what the loop adds is what counts.
    around_s = min(seconds(1) for _ in range(3))
    passes = _FIRST_PASSES
    while True:
        loop_s = seconds(passes) - around_s
        if loop_s >= _SHORTEST_LOOP_S or passes >= _MOST_PASSES:
            return passes * _INSTRUCTIONS_PER_PASS / max(loop_s, 1e-9)
        # At most tenfold, since the first measurements are mostly noise; the aim is a little more than enough.
        factor = 1.2 * _SHORTEST_LOOP_S / loop_s if loop_s > 0 else 10.0
        passes = min(int(passes * min(max(factor, 1.5), 10.0)), _MOST_PASSES)
