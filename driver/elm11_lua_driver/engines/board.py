"""The board engine: an ELM11 on a port, or a virtual one."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from ..board import firmware_sync
from ..board.board import Board
from ..errors import Elm11Error, VersionMismatchError
from ..jobs.histogram import Histogram, block_ranges
from ..planning.memory import plan
from .base import AbandonedError
from .scheduler import single_groups

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ..board.board import RunProgress
    from ..jobs.job import Job
    from .base import Progress


class BoardEngine:
    """An ELM11. The port is opened at the first use, missing programs are uploaded then.

    A job is cut into about 16 blocks of whole groups. Each is run, followed by the progress that the board pushes, and
    fetched: a cable that is pulled costs one block, and the blocks show how much the levels scatter.

    Args:
        port: the port's name; ``virtual://`` for a virtual board. By default ``ELM11_PORT``, or the only board found.
        hw_id: the board's hardware id.
        tx_delay_s: from the start of one byte to the start of the next; 1 ms if None.
        trace: a file for a byte trace.
        stall_s: longest time without a sign of life; by default three times what the slowest board would take.
        upload: whether programs that are missing or differ are uploaded.
        n_blocks: how many blocks a whole job is cut into, at most.
        memory_bytes: what may be used of the board's memory. More than the default may stop a real board for good.
    """

    name = "board"
    joins_groups = True

    def __init__(
        self,
        port: str | None = None,
        hw_id: str | None = None,
        tx_delay_s: float | None = None,
        *,
        trace: Path | None = None,
        stall_s: float | None = None,
        upload: bool = True,
        n_blocks: int = 16,
        memory_bytes: int | None = None,
    ) -> None:
        self._port = port
        self._hw_id = hw_id
        self._tx_delay_s = tx_delay_s
        self._trace = trace
        self._stall_s = stall_s
        self._upload = upload
        self._n_blocks = n_blocks
        self._memory_bytes = memory_bytes
        self._board: Board | None = None

    @property
    def board(self) -> Board:
        """The board, its port open and this driver's programs in it.

        Raises:
            Elm11Error: as `Board.open` and `Board.handshake`.
        """
        if self._board is None:
            board = Board.open(self._port, self._hw_id, self._tx_delay_s, self._trace)
            try:
                self._prepare(board)
            except BaseException:
                board.close()
                raise
            self._board = board
        return self._board

    def _prepare(self, board: Board) -> None:
        try:
            board.handshake()
        except VersionMismatchError:
            if not self._upload:
                raise
            firmware_sync.upload(board)
            board.handshake()

    def simulate(self, job: Job, simulations: range, progress: Progress) -> Histogram:
        """See `Engine.simulate`. After Ctrl-C the board goes on with its block; `Board.attach` finds it.

        Raises:
            ValueError: the job does not fit into the board's memory.
            Elm11Error: the board failed; the kinds are those of `Board`.
        """
        return Histogram(job, [part for block in self.stream(job, [simulations], progress) for part in block.parts])

    def stream(
        self, job: Job, simulations: Sequence[range], progress: Progress, *, by_group: bool = False
    ) -> Iterator[Histogram]:
        """See `StreamingEngine.stream`.

        Raises:
            ValueError: the job does not fit into the board's memory.
            Elm11Error: the board failed. Its port is closed, and opened again at the next use.
            AbandonedError: `progress` has raised it; the board is stopped first.
        """
        plan(job, self._memory_bytes).check()  # before a port is opened
        ranges = single_groups(job, simulations) if by_group else simulations
        for simulations_of_one in ranges:
            for block in block_ranges(job, simulations_of_one, self._n_blocks):
                try:
                    histogram = self._block(job, block, progress)
                except Elm11Error:
                    with contextlib.suppress(Elm11Error):
                        self.close()
                    raise
                yield histogram

    def _block(self, job: Job, block: range, progress: Progress) -> Histogram:
        run = self.board.start(job, block, memory_bytes=self._memory_bytes)
        told = 0

        def tell(state: RunProgress) -> None:
            nonlocal told
            if state.done > told:
                progress(state.done - told)
                told = state.done

        try:
            run.wait(stall_s=self._stall_s, on_progress=tell)
        except AbandonedError:  # nobody will fetch it, and the next run needs a board that is free
            run.cancel()
            raise
        return run.fetch()

    def close(self) -> None:
        """Give the port back."""
        board, self._board = self._board, None
        if board is not None:
            board.close()
