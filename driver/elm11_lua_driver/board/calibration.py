"""The speed of a board, in bytes and in instructions: measured, and saved for each board in the user's folder."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from .._files.atomic import atomic_file
from .._files.reading import parse_json
from .._files.user_dirs import config_folder
from ..errors import BoardTimeoutError, ProtocolError
from ..planning.cost import estimate
from ..protocol.wire import DEFAULT_TX_DELAY_S

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ..jobs.job import Job
    from .board import Board

_FILE_FORMAT: Final = 1
_SINGLE_FILE: Final = "calibration.json"  # of 0.1.0; read, never written
_FOLDER: Final = "calibrations"  # one file per board, so that calibrating two at once needs no lock

DELAYS_S: Final = (0.005, 0.003, 0.002, 0.0015, 0.001, 0.0007, 0.0005, 0.0003, 0.0002, 0.0001, 0.0)
"""Delays to try, slow to fast. The vendor advises 5 ms for terminals; at 0 a byte still takes 0.087 ms on the wire."""

_LINES_PER_DELAY: Final = 8
# Nearly a full line: the board's work for a character grows with the length of the line, so the end is the hardest.
# A comment has no effect; a line that arrives damaged is typed again.
_LINE: Final = "--" + "".join(chr(0x21 + n % 0x5D) for n in range(248))

_INSTRUCTIONS_PER_PASS: Final = 118
"""Of an empty numeric `for`, counted on the board's firmware."""

_SHORTEST_LOOP_S: Final = 1.0
_FIRST_PASSES: Final = 1000
_MOST_PASSES: Final = 2**30  # a 32-bit integer holds it; a board takes hours for it
_LOOP_TIMEOUT_S: Final = 120.0
_LARGEST: Final = 1e15  # of a speed in a file; a board reaches some 1e8


@dataclass(frozen=True)
class Calibration:
    """The measured values of one board.

    Attributes:
        hw_id: the board's hardware id.
        tx_delay_s: the smallest safe time from byte to byte, seconds; None where there is no wire.
        instructions_per_s: instructions per second.
        software: the version of its firmware then.
        measured: the time, in ISO 8601.
    """

    hw_id: str
    tx_delay_s: float | None
    instructions_per_s: float
    software: str
    measured: str

    def __post_init__(self) -> None:
        """Refuse values that no board has, such as those of a damaged file.

        Raises:
            ValueError: a time or a speed is outside its range, or a text is none.
        """
        if not all(isinstance(text, str) for text in (self.hw_id, self.software, self.measured)):
            raise ValueError("hw_id, software and measured must be text")
        if not (_is_finite(self.instructions_per_s) and self.instructions_per_s > 0):
            raise ValueError(f"instructions_per_s must be above 0, not {self.instructions_per_s!r}")
        if self.tx_delay_s is not None and not (_is_finite(self.tx_delay_s) and 0 <= self.tx_delay_s <= 1):
            raise ValueError(f"tx_delay_s must be 0 to 1 seconds, not {self.tx_delay_s!r}")

    def seconds_for(self, job: Job, n_simulations: int) -> float:
        """Seconds that simulations and their set-up take on this board."""
        cost = estimate(job)
        return (cost.set_up + cost.simulation * n_simulations) / self.instructions_per_s


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _LARGEST


def files() -> list[Path]:
    """Every file of calibrations: that of version 0.1.0, which held all boards, then one per board."""
    folder = config_folder()
    single = folder / _SINGLE_FILE
    return [*([single] if single.is_file() else []), *sorted((folder / _FOLDER).glob("*.json"))]


def _file_of(hw_id: str) -> Path:
    # The digest keeps apart ids that differ in case only or in characters that file names cannot have.
    digest = hashlib.sha256(hw_id.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return config_folder() / _FOLDER / f"{re.sub(r'[^0-9A-Za-z]', '_', hw_id)[:40]}-{digest}.json"


def _boards_in(path: Path) -> dict[str, Any] | None:
    """The values of each board as they stand in a file, by hardware id; None if the file is damaged."""
    try:
        document = parse_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError:
        return None
    if not (isinstance(document, dict) and document.get("format") == _FILE_FORMAT):
        return None
    boards = document.get("boards")
    return boards if isinstance(boards, dict) else None


def load_all() -> dict[str, Calibration]:
    """Every board that has been calibrated, by its hardware id; files that cannot be read are ignored."""
    found = {}
    for path in files():
        with contextlib.suppress(OSError):
            for hw_id, values in (_boards_in(path) or {}).items():
                # Not a table, with other names than this version's, or with values that no board has.
                with contextlib.suppress(TypeError, ValueError):
                    found[hw_id] = Calibration(hw_id=hw_id, **values)
    return found


def load(hw_id: str) -> Calibration | None:
    """The calibration of a board, or None."""
    return load_all().get(hw_id)


def save(calibration: Calibration) -> Path:
    """Save the calibration of a board. It replaces that board's older one; other boards' files are not touched.

    A damaged file of this board is kept with the suffix ``.damaged``.
    """
    path = _file_of(calibration.hw_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    if _boards_in(path) is None:
        path.replace(path.with_suffix(".damaged"))
    values = asdict(calibration)
    # The same form as the single file of 0.1.0, so that one function reads both.
    document = {"format": _FILE_FORMAT, "boards": {values.pop("hw_id"): values}}
    with atomic_file(path) as file:
        file.write((json.dumps(document, indent=1) + "\n").encode())
    return path


def smallest_delay_s(board: Board, on_step: Callable[[float, bool], None] | None = None) -> float:
    """Find the smallest time from byte to byte at which no typed line is damaged.

    Only typing needs pauses. At the prompt the board processes every character, and the time grows with the length of
    the line; in the upload dialogue it only stores them. The result is one step slower than the fastest clean delay,
    since a few lines cannot show a rare loss; 0, where the wire sets the pace, needs no margin.

    Raises:
        ProtocolError: even the slowest delay is not clean, so the pace is not the cause.
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
    """Measure the board's speed by timing a loop whose instructions are known."""

    def seconds(passes: int) -> float:
        start_s = clock()
        board.type_line(f"for i=1,{passes} do end", _LOOP_TIMEOUT_S)
        return clock() - start_s

    # Typing, echo and prompt take time too; only the time that the loop adds counts.
    around_s = min(seconds(1) for _ in range(3))
    passes = _FIRST_PASSES
    while True:
        loop_s = seconds(passes) - around_s
        if loop_s >= _SHORTEST_LOOP_S or passes >= _MOST_PASSES:
            return passes * _INSTRUCTIONS_PER_PASS / max(loop_s, 1e-9)
        # At most tenfold, since the first measurements are mostly noise; 1.2 aims a little above the shortest loop.
        factor = 1.2 * _SHORTEST_LOOP_S / loop_s if loop_s > 0 else 10.0
        passes = min(int(passes * min(max(factor, 1.5), 10.0)), _MOST_PASSES)
