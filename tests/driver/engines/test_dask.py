"""A Dask cluster: equal counts, lost workers, and boards that are plugged into workers."""

from __future__ import annotations

import dataclasses
import os
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from elm11_lua_driver import DaskEngine, EngineError, run
from elm11_lua_driver.cli.main import main
from elm11_lua_driver.engines import dask as dask_engine
from elm11_lua_driver.jobs import storage
from virtual_bench import J10, SMALL

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

distributed = pytest.importorskip("distributed")
# Not ours: distributed leaves sockets and event loops to the collector, and warns of its own slowness.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

LONG = dataclasses.replace(J10, n_simulations=2000)


def cluster(**options: Any) -> Any:  # noqa: ANN401  distributed has no types
    return distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=":0", **{"processes": False, **options}
    )


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with cluster() as made, distributed.Client(made, set_as_default=False) as connected:
        yield connected


def test_counts_are_those_of_one_process(client: Any) -> None:  # noqa: ANN401
    engine = DaskEngine(client)
    told: list[tuple[int, int]] = []
    assert run(LONG, engine, lambda *progress: told.append(progress)).sha256 == run(LONG).sha256
    assert len(engine.members) == 2
    assert told[-1] == (2000, 2000)
    engine.close()
    assert client.status == "running"  # it was given, so it stays


def test_by_the_address_of_a_scheduler(tmp_path: Path) -> None:
    with cluster(protocol="tcp", host="127.0.0.1") as made:
        engine = DaskEngine(made.scheduler_address)
        assert run(LONG, engine, checkpoint=tmp_path / "a.npz").sha256 == run(LONG).sha256
        engine.close()


def test_lua_on_the_workers(client: Any) -> None:  # noqa: ANN401
    assert run(SMALL, DaskEngine(client, engine="lua")).sha256 == run(SMALL).sha256


def test_boards_are_found_by_their_resource(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN401
    with pytest.raises(EngineError, match=r"no Dask worker has the resource ELM11"):
        run(SMALL, DaskEngine(client, engine="board"))
    monkeypatch.setenv("ELM11_PORT", "virtual://")
    monkeypatch.setattr(dask_engine, "_engines", {})
    with cluster(resources={"ELM11": 1}) as made, distributed.Client(made, set_as_default=False) as connected:
        engine = DaskEngine(connected, engine="board")
        assert run(SMALL, engine).sha256 == run(SMALL).sha256
        assert engine.joins_groups
    for board in dask_engine._engines.values():
        board.close()


@pytest.mark.skipif(os.name != "posix", reason="signals are those of POSIX")
def test_a_worker_that_is_killed_costs_nothing() -> None:
    job = dataclasses.replace(J10, n_simulations=6000)
    with cluster(processes=True) as made, distributed.Client(made, set_as_default=False) as connected:
        pids = list(connected.run(os.getpid).values())
        killed: list[int] = []

        def kill_one(_done: int, _wanted: int) -> None:
            if not killed:
                killed.append(pids[0])
                os.kill(pids[0], signal.SIGKILL)

        assert run(job, DaskEngine(connected), kill_one).sha256 == run(job).sha256
        assert killed


def test_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_engine, "CONNECT_S", 0.2)
    with pytest.raises(EngineError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:1"):
        DaskEngine("tcp://127.0.0.1:1")


@pytest.mark.parametrize("address", ["nowhere", "ftp://host:1", "localhost:1/"])
def test_of_an_address_that_makes_no_sense_no_client_is_made(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # It would fail half, and complain once more when it is taken away.
    monkeypatch.setattr(distributed, "Client", None)
    with pytest.raises(EngineError, match=f"no Dask scheduler answers at {address}"):
        DaskEngine(address)


def test_a_cluster_without_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_engine, "CONNECT_S", 0.2)
    with (
        distributed.LocalCluster(n_workers=0, processes=False, dashboard_address=":0") as made,
        distributed.Client(made, set_as_default=False) as connected,
        pytest.raises(EngineError, match="no workers"),
    ):
        run(SMALL, DaskEngine(connected))


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(EngineError, match=r"pip install 'elm11-lua-driver\[dask\]'"):
        DaskEngine("tcp://127.0.0.1:1")


def test_when_all_workers_are_gone_it_says_so_and_gives_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(dask_engine, "NO_WORKER_S", 1.0)
    monkeypatch.setattr(dask_engine, "_LOOK_INTERVAL_S", 0.5)
    with cluster() as made, distributed.Client(made, set_as_default=False) as connected:

        def leave(_done: int, _wanted: int) -> None:
            made.scale(0)

        started_s = time.monotonic()
        with (
            pytest.warns(UserWarning, match="has no worker left; the run is given up in 1 s if none comes"),
            pytest.raises(EngineError, match=r"has had no worker for 1 s\. Start some"),
        ):
            run(
                dataclasses.replace(J10, n_simulations=1_000_000),
                DaskEngine(connected),
                leave,
                checkpoint=tmp_path / "a.npz",
            )
        assert time.monotonic() - started_s < 30
    assert storage.load(tmp_path / "a.npz").n_simulations > 0


def test_without_a_client_it_starts_a_cluster_here_and_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_engine, "n_cores", lambda: 2)
    engine = DaskEngine()
    try:
        assert engine._client.scheduler.address.startswith("tcp://127.0.0.1:")
        assert all(address.startswith("tcp://127.0.0.1:") for address in engine._client.nthreads())
        pids = engine._client.run(os.getpid).values()
        assert os.getpid() not in pids
        assert engine.dashboard is None or engine.dashboard.startswith("http://127.0.0.1:")
        assert run(LONG, engine).sha256 == run(LONG).sha256
        assert len(engine.members) == 2
    finally:
        engine.close()
    if os.name == "posix":
        for pid in pids:
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)


def test_by_the_command_line_without_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_engine, "n_cores", lambda: 1)
    options = (
        "significance --lag1 0.5 0.3 --dt 0.25 --dj 0.25 --s0 0.5 --scales 3 --simulations 20 --engine dask --json"
    )
    done = CliRunner().invoke(main, options.split())
    assert done.exit_code == 0, done.stderr
    assert '"engine": "dask"' in done.stdout
