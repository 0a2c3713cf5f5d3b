"""The Dask engine: the workers of a cluster, and the boards that are plugged into them."""

from __future__ import annotations

import contextlib
import threading
import time
import warnings
from typing import TYPE_CHECKING, Any, Final

from ..errors import EngineError
from ..jobs.histogram import Histogram, Part
from ..jobs.job import Job
from .board import BoardEngine
from .dispatcher import Dispatcher, Member
from .lua import LuaEngine
from .numpy import NumpyEngine
from .pool import n_cores

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .base import Engine, Progress

BOARD_RESOURCE: Final = "ELM11"
"""The resource with the number of boards that are plugged into a worker's computer: ``--resources "ELM11=1"``."""

CONNECT_S: Final = 10.0
"""Longest wait for the scheduler, and for the first worker."""

FIRST_SILENCE_S: Final = 300.0
"""Longest time for a first, small chunk: a worker may have to import, and be busy with other tasks."""

NO_WORKER_S: Final = 30.0
"""A running job is given up when the cluster has had no worker for so long."""

_LOOK_INTERVAL_S: Final = 2.0
_MAX_SLOTS: Final = 256
_engines: dict[str, Engine] = {}
_lock = threading.Lock()


def compute(text: str, start: int, stop: int, engine_name: str) -> list[tuple[int, int, Any]]:
    """The parts of some simulations as `(start, stop, counts)`; runs on a worker, as `_Slot.simulate` asks it to.

    The worker keeps a board's port open until it ends.
    """
    job, simulations = Job.from_json(text), range(start, stop)
    if engine_name != "board":
        engine: Engine = LuaEngine() if engine_name == "lua" else NumpyEngine()
        return _plain(engine.simulate(job, simulations, _ignore))
    with _lock:  # one run at a time, also where a worker has several threads
        engine = _engines.setdefault(engine_name, BoardEngine())
        return _plain(engine.simulate(job, simulations, _ignore))


def _plain(histogram: Histogram) -> list[tuple[int, int, Any]]:
    return [(part.start, part.stop, part.counts) for part in histogram.parts]


def _ignore(_: int) -> None:
    """Progress of a worker is not reported: the chunks are small."""


class _Slot:
    """One thread of the cluster, wherever it is."""

    name = "dask"

    def __init__(self, client: Any, engine_name: str) -> None:  # noqa: ANN401  distributed has no types
        self._client = client
        self._engine_name = engine_name
        self._future: Any = None
        self.joins_groups = engine_name == "board"

    def simulate(self, job: Job, simulations: range, progress: Progress) -> Histogram:
        """See `Engine.simulate`. A task whose worker is lost is computed on another by Dask itself."""
        resources = {BOARD_RESOURCE: 1} if self._engine_name == "board" else None
        future = self._future = self._client.submit(
            compute,
            job.to_json(),
            simulations.start,
            simulations.stop,
            self._engine_name,
            pure=False,  # a second try is a second task
            resources=resources,
        )
        try:
            parts = future.result()
        except Exception as error:
            # Dask's own errors: KilledWorker, CancelledError, lost connections.
            raise EngineError(f"{type(error).__name__}: {error}") from error
        finally:
            future.release()
        progress(len(simulations))
        return Histogram(job, [Part(*part) for part in parts])

    def cancel(self) -> None:
        """Cancel the running task."""
        future = self._future
        if future is not None:
            with contextlib.suppress(Exception):  # the cluster may be gone
                future.cancel(force=True)

    def close(self) -> None:
        """Nothing is held between calls."""


class DaskEngine(Dispatcher):
    """A Dask cluster: `distributed.LocalCluster`, one on other computers, or boards that are plugged into them.

    Work is submitted in chunks, as many at a time as the cluster has threads. The work of a lost worker is repeated, at
    most four times. When no worker is left, a warning says so, and after `NO_WORKER_S` seconds it is an error.

    Args:
        client: a `distributed.Client`, which stays open, or a scheduler's address such as ``tcp://10.0.0.1:8786``. None
            starts a cluster on this computer, for as long as the engine is open: a process per core, reachable from
            here only. A script that does so needs ``if __name__ == "__main__":``.
        engine: the engine on the workers: "numpy", "lua", or "board" for the boards of those workers that have the
            resource ``ELM11`` (their environment variable ``ELM11_PORT`` names the port).
        silence_s: longest time for a first chunk; later ones get at least ten times what earlier ones took.

    Attributes:
        dashboard: address of the dashboard of a cluster that was started here; None without one.

    Raises:
        ValueError: an argument is outside its range.
        EngineError: the package distributed is missing, or the scheduler does not answer.
    """

    name = "dask"

    def __init__(self, client: Any = None, *, engine: str = "numpy", silence_s: float = FIRST_SILENCE_S) -> None:  # noqa: ANN401
        if engine not in {"numpy", "lua", "board"}:
            raise ValueError(f"engine must be numpy, lua or board, not {engine!r}")
        if client is not None and not client:
            raise ValueError("client must be a distributed.Client or the address of a scheduler")
        self._made: list[Any] = []  # to be closed, in this order
        self.dashboard: str | None = None
        if client is None:
            cluster = _local_cluster()
            self._made = [cluster]
            if "dashboard" in cluster.scheduler_info.get("services", {}):
                self.dashboard = str(cluster.dashboard_link)
        if client is None or isinstance(client, str):
            try:
                client = _connected(cluster.scheduler_address if client is None else client)
            except BaseException:
                self.close()
                raise
            self._made.insert(0, client)
        self._client = client
        self._engine_name = engine
        self._silence_s = silence_s
        self._looked_s = self._last_worker_s = 0.0
        super().__init__([_Slot(client, engine)], retry_s=0.5)

    def stream(
        self, job: Job, simulations: Sequence[range], progress: Progress, *, by_group: bool = False
    ) -> Iterator[Histogram]:
        """See `StreamingEngine.stream`.

        Raises:
            EngineError: there are no suitable workers, or they failed repeatedly.
        """
        self._looked_s = self._last_worker_s = time.monotonic()
        n_slots = min(_MAX_SLOTS, self._n_slots())
        self.members = [
            Member(_Slot(self._client, self._engine_name), f"dask {i + 1}", self._silence_s) for i in range(n_slots)
        ]
        yield from super().stream(job, simulations, progress, by_group=by_group)

    def _n_slots(self) -> int:
        """Number of chunks that the cluster can compute at the same time; waits for a first worker."""
        try:
            self._client.wait_for_workers(1, timeout=CONNECT_S)
            threads = self._client.nthreads()
            if self._engine_name != "board":
                return sum(threads.values())
            boards = self._client.run_on_scheduler(_boards)
        except (TimeoutError, OSError, RuntimeError) as error:
            raise EngineError(
                f"the Dask cluster has no workers: {type(error).__name__}: {error}",
                next_step="Start some with: dask worker ADDRESS",
            ) from error
        if not boards:
            raise EngineError(
                f"no Dask worker has the resource {BOARD_RESOURCE}",
                next_step=f'Start one beside a board: dask worker ADDRESS --resources "{BOARD_RESOURCE}=1"',
            )
        return int(boards)

    def problem(self) -> EngineError | None:
        """See `Dispatcher.problem`: no worker is left, and none came for a while."""
        now_s = time.monotonic()
        if now_s - self._looked_s < _LOOK_INTERVAL_S:
            return None
        try:
            threads = self._client.sync(self._client.scheduler.ncores, callback_timeout=_LOOK_INTERVAL_S)
        except Exception:  # noqa: BLE001  the scheduler has gone, too: distributed has many words for that
            threads = {}
        before_s, self._looked_s = self._looked_s, time.monotonic()
        if threads:
            self._last_worker_s = self._looked_s
            return None
        if before_s <= self._last_worker_s:
            warnings.warn(
                f"the Dask cluster has no worker left; the run is given up in {NO_WORKER_S:g} s if none comes",
                stacklevel=2,
            )
        if self._looked_s - self._last_worker_s <= NO_WORKER_S:
            return None
        return EngineError(
            f"the Dask cluster has had no worker for {NO_WORKER_S:g} s",
            next_step="Start some with: dask worker ADDRESS. A checkpoint keeps finished simulations.",
        )

    def abandon(self, member: Member) -> None:
        """See `Dispatcher.abandon`: cancels the task."""
        assert isinstance(member.engine, _Slot)
        member.engine.cancel()

    def close(self) -> None:
        """Leave the cluster, and end one that was started here; a client that was given stays open."""
        while self._made:
            self._made.pop(0).close()


def _boards(dask_scheduler: Any) -> int:  # noqa: ANN401
    """Number of boards of all workers; runs on the scheduler."""
    return int(sum(worker.resources.get(BOARD_RESOURCE, 0) for worker in dask_scheduler.workers.values()))


def _distributed() -> Any:  # noqa: ANN401
    """The package, which is an extra."""
    try:
        import distributed  # noqa: PLC0415  an extra
    except ImportError as error:
        raise EngineError(
            "the engine dask needs the package distributed", next_step="pip install 'elm11-lua-driver[dask]'"
        ) from error
    return distributed


def _local_cluster() -> Any:  # noqa: ANN401
    """A cluster of processes on this computer, one for each core, which only this computer can reach."""
    distributed = _distributed()
    try:
        return distributed.LocalCluster(
            n_workers=n_cores(), threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0"
        )
    except (OSError, RuntimeError, TimeoutError) as error:
        raise EngineError(f"no Dask cluster could be started on this computer: {error}") from error


def _connected(address: str) -> Any:  # noqa: ANN401
    """A client of the scheduler."""
    distributed = _distributed()
    try:
        # A client of an address that makes no sense fails only half, and complains once more when it is taken away.
        with contextlib.suppress(OSError):  # an unknown host may become known while the client tries
            distributed.comm.resolve_address(address)
        return distributed.Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise EngineError(
            f"no Dask scheduler answers at {address}: {error}", next_step="Start one with: dask scheduler"
        ) from error
