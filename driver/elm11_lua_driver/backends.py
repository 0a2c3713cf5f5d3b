"""The names by which pycwt_mod's users ask for an engine; results of such an engine, from the cache where possible."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Final

from . import cache as result_cache
from . import engines
from .run import run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .engines import Engine
    from .histogram import Histogram
    from .job import Job

BACKENDS: Final = {
    "numpy": "numpy",
    "sequential": "numpy",
    "joblib": "pool",
    "dask": "dask",
    "elm11_lua": "board",
    "lua": "lua",
}
"""pycwt_mod's name of a backend, and the engine that it means here."""

FASTEST: Final = "numpy"
"""The engine that is taken where none is asked for."""


def engine_name(backend: str | Engine | None) -> str:
    """Name of the engine that a backend means.

    Args:
        backend: a name of `BACKENDS`, an engine, or None for what is fastest here.

    Raises:
        ValueError: no backend has that name.
    """
    if backend is None:
        return FASTEST
    if not isinstance(backend, str):
        return backend.name
    if backend not in BACKENDS:
        msg = f"backend must be one of {', '.join(BACKENDS)}, an engine or None, not {backend!r}"
        raise ValueError(msg)
    return BACKENDS[backend]


def n_workers(n_jobs: int | None) -> int | None:
    """Worker processes as joblib counts them: -1 means one for each core, -2 one less, and so on.

    Args:
        n_jobs: not 0; None leaves it to the engine.

    Raises:
        ValueError: it is 0, or no whole number.
    """
    if n_jobs is None:
        return None
    if isinstance(n_jobs, bool) or not isinstance(n_jobs, int) or n_jobs == 0:
        msg = f"n_jobs must be a whole number other than 0 (-1: all cores), or None, not {n_jobs!r}"
        raise ValueError(msg)
    n_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return n_jobs if n_jobs > 0 else max(1, n_cores + 1 + n_jobs)


@contextlib.contextmanager
def engine_of(
    backend: str | Engine | None, n_jobs: int | None = None, *, port: str | None = None, client: object | None = None
) -> Iterator[Engine]:
    """The engine that is meant; one that is made here is closed afterwards.

    Args:
        backend: as for `engine_name`.
        n_jobs: worker processes, for "joblib" and None, as `n_workers` counts them; others have no use for it.
        port: the board's port, for "elm11_lua"; None takes ``ELM11_PORT``, or the only board found.
        client: a `distributed.Client` or the address of a scheduler, for "dask"; None starts a local cluster.

    Raises:
        ValueError: no backend has that name, or an argument is for another one.
        EngineError: it cannot be started.
    """
    check_arguments(backend, n_jobs, port=port, client=client)
    if backend is not None and not isinstance(backend, str):
        yield backend
        return
    name = engine_name(backend)
    options: dict[str, object] = {}
    if name in {"pool", "auto"}:
        options["n_workers"] = n_workers(n_jobs)
    elif name == "board":
        options["port"] = port
    elif name == "dask":
        options["client_or_address"] = client
    with contextlib.closing(engines.create(name, **options)) as engine:
        yield engine


def check_arguments(
    backend: str | Engine | None, n_jobs: int | None, *, port: str | None = None, client: object | None = None
) -> None:
    """Do nothing if these arguments of `engine_of` go together; so that a wrong one is told also where nothing is run.

    Raises:
        ValueError: they do not.
    """
    engine_name(backend)
    n_workers(n_jobs)
    for argument, value, theirs in (("port", port, "elm11_lua"), ("client", client, "dask")):
        if value is not None and backend != theirs:
            msg = f"{argument} is for backend={theirs!r}, not for {backend!r}"
            raise ValueError(msg)


def histograms(
    jobs: Sequence[Job],
    progress: Callable[[int, int], None],
    *,
    cache: bool = True,
    backend: str | Engine | None = None,
    n_jobs: int | None = None,
    port: str | None = None,
    client: object | None = None,
) -> list[Histogram]:
    """The complete results of jobs, from the cache where they are there.

    Args:
        jobs: what to compute, one after the other.
        progress: called with (simulations finished, simulations wanted) of all jobs that are not cached.
        cache: whether the cache is read and written.
        backend: as for `engine_of`, like the rest.
        n_jobs: worker processes.
        port: the board's port.
        client: Dask's client.

    Returns:
        One histogram per job.

    Raises:
        ValueError: an argument is outside its range.
        EngineError: the engine failed. What was finished before is in the cache.
    """
    check_arguments(backend, n_jobs, port=port, client=client)
    by_board = engine_name(backend) == "board"
    results = [result_cache.load(job, by_board=by_board) if cache else None for job in jobs]
    missing = [number for number, result in enumerate(results) if result is None]
    if missing:
        total = sum(jobs[number].n_simulations for number in missing)
        finished = 0

        def advance(done: int, _of_this_job: int) -> None:
            progress(finished + done, total)

        with engine_of(backend, n_jobs, port=port, client=client) as engine:
            for number in missing:
                result = run(jobs[number], engine, advance)
                finished += jobs[number].n_simulations
                if cache:
                    result_cache.save(result, by_board=by_board)
                results[number] = result
    return [result for result in results if result is not None]
