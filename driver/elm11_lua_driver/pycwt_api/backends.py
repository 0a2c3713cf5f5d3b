"""The names by which pycwt_mod's users ask for an engine; results of such an engine, from the cache where possible."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from .. import engines
from ..engines.pool import n_cores
from ..errors import EngineError
from ..jobs import cache as result_cache
from ..levels.runner import run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from ..engines import Engine
    from ..jobs.histogram import Histogram
    from ..jobs.job import Job

BACKENDS: Final = {
    "numpy": "numpy",
    "sequential": "numpy",
    "joblib": "pool",
    "dask": "dask",
    "elm11_lua": "board",
    "lua": "lua",
}
"""pycwt_mod's name of a backend, and the engine that it means here."""


def engine_name(backend: str | Engine | None) -> str:
    """Name of the engine that a backend means.

    Args:
        backend: a name of `BACKENDS`, an engine, or None for what is fastest here.

    Raises:
        ValueError: no backend has that name.
    """
    if backend is None:
        return "auto"
    if not isinstance(backend, str):
        return backend.name
    if backend not in BACKENDS:
        raise ValueError(f"backend must be one of {', '.join(BACKENDS)}, an engine or None, not {backend!r}")
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
        raise ValueError(f"n_jobs must be a whole number other than 0 (-1: all cores), or None, not {n_jobs!r}")
    return n_jobs if n_jobs > 0 else max(1, n_cores() + 1 + n_jobs)


@contextlib.contextmanager
def engine_of(
    backend: str | Engine | None, n_jobs: int | None = None, *, port: str | None = None, client: object | None = None
) -> Iterator[Engine]:
    """The engine that is meant; one that is made here is closed afterwards.

    Args:
        n_jobs: worker processes, for "joblib" and None, as `n_workers` counts them; others have no use for it.
        port: the board's port, for "elm11_lua"; None takes ``ELM11_PORT``, or the only board found.
        client: a `distributed.Client` or the address of a scheduler, for "dask"; None takes the client made last.

    Raises:
        ValueError: no backend has that name, an argument is for another one, or there is no client.
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
        options["client"] = _default_client() if client is None else client
    with contextlib.closing(engines.create(name, **options)) as engine:
        yield engine


def _default_client() -> object:
    """The `distributed.Client` that was made last."""
    try:
        import distributed  # noqa: PLC0415  an extra
    except ImportError as error:
        raise EngineError(
            'backend="dask" needs the package distributed.', next_step="pip install 'elm11-lua-driver[dask]'"
        ) from error
    try:
        found: object = distributed.default_client()
    except ValueError as error:
        raise ValueError(
            'client must be given for backend="dask": a distributed.Client, or the address of a scheduler; '
            "none has been made yet, and distributed.Client() starts a cluster on this computer"
        ) from error
    return found


def check_arguments(
    backend: str | Engine | None, n_jobs: int | None, *, port: str | None = None, client: object | None = None
) -> None:
    """Do nothing if these arguments of `engine_of` go together; a wrong one is an error also where nothing is run."""
    engine_name(backend)
    n_workers(n_jobs)
    for argument, value, theirs in (("port", port, "elm11_lua"), ("client", client, "dask")):
        if value is not None and backend != theirs:
            raise ValueError(f"{argument} is for backend={theirs!r}, not for {backend!r}")


def histograms(
    jobs: Sequence[Job],
    progress: Callable[[int, int], None],
    *,
    cache: bool = True,
    backend: str | Engine | None = None,
    n_jobs: int | None = None,
    port: str | None = None,
    client: object | None = None,
    checkpoint: Path | str | None = None,
    target_standard_error: float | None = None,
    level: float = 0.95,
) -> list[Histogram]:
    """The complete results of jobs, from the cache where they are there."""
    check_arguments(backend, n_jobs, port=port, client=client)
    cache = cache and target_standard_error is None
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
                result = run(
                    jobs[number],
                    engine,
                    advance,
                    checkpoint=checkpoint,
                    target_standard_error=target_standard_error,
                    level=level,
                )
                finished += jobs[number].n_simulations
                if cache:
                    result_cache.save(result, by_board=by_board)
                results[number] = result
    return [result for result in results if result is not None]
