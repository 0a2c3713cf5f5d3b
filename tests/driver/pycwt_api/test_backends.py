"""pycwt_mod's names for backends reach the engines that they mean, and every backend gives the same levels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from elm11_lua_driver import BoardEngine, LuaEngine, NumpyEngine, wct, wct_significance
from elm11_lua_driver.engines import ENGINES, AutoEngine, DaskEngine, PoolEngine, pool
from elm11_lua_driver.errors import EngineError
from elm11_lua_driver.pycwt_api import backends

if TYPE_CHECKING:
    from collections.abc import Iterator

ARGUMENTS: dict[str, Any] = {"al1": 0.5, "al2": 0.3, "dt": 0.25, "dj": 0.25, "s0": 0.5, "J": 3, "mc_count": 40}


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """A Dask client of a cluster in this process."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.mark.parametrize(
    ("backend", "kind"),
    [
        (None, AutoEngine),
        ("numpy", NumpyEngine),
        ("sequential", NumpyEngine),
        ("joblib", PoolEngine),
        ("elm11_lua", BoardEngine),
        ("lua", LuaEngine),
    ],
)
def test_names(backend: str | None, kind: type) -> None:
    with backends.engine_of(backend) as engine:
        assert type(engine) is kind
        assert backends.engine_name(backend) == engine.name
    assert set(backends.BACKENDS.values()) <= set(ENGINES)


def test_an_engine_of_the_callers_stays_open() -> None:
    class Closing(NumpyEngine):
        closed = False

        def close(self) -> None:
            self.closed = True

    mine = Closing()
    with backends.engine_of(mine) as engine:
        assert engine is mine
    assert not mine.closed


@pytest.mark.parametrize("backend", ["sequential", "joblib", "elm11_lua", "lua", "dask", None])
def test_every_backend_gives_the_same_levels(backend: str | None, request: pytest.FixtureRequest) -> None:
    options: dict[str, Any] = {"port": "virtual://"} if backend == "elm11_lua" else {}
    if backend == "dask":
        options["client"] = request.getfixturevalue("client")
    expected = wct_significance(**ARGUMENTS, cache=False, backend="numpy")
    levels = wct_significance(**ARGUMENTS, cache=False, backend=backend, n_jobs=2, **options)
    np.testing.assert_array_equal(levels, expected)


def test_dask_takes_the_client_made_last(client: Any) -> None:  # noqa: ANN401
    with backends.engine_of("dask") as engine:
        assert isinstance(engine, DaskEngine)
        assert engine._client is client
    assert client.status == "running"


def test_dask_without_a_client(monkeypatch: pytest.MonkeyPatch) -> None:
    distributed = pytest.importorskip("distributed")

    def none() -> None:
        raise ValueError("No clients found")

    monkeypatch.setattr(distributed, "default_client", none)
    with pytest.raises(ValueError, match=r"client must be given for backend=\"dask\": a distributed\.Client"):
        wct_significance(**ARGUMENTS, cache=False, backend="dask")


def test_dask_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(EngineError, match=r"needs the package distributed.*pip install"):
        wct_significance(**ARGUMENTS, cache=False, backend="dask")


def test_workers_are_counted_as_joblib_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "n_cores", lambda: 4)
    assert [backends.n_workers(n) for n in (None, 1, 7, -1, -2, -4, -9)] == [None, 1, 7, 4, 3, 1, 1]
    assert pool.n_cores() >= 1
    with backends.engine_of("joblib", 3) as engine:
        assert isinstance(engine, PoolEngine)
        assert len(engine.members) == 3


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"backend": "abacus"}, "backend must be one of numpy, sequential, joblib, dask, elm11_lua, lua, an engine"),
        ({"n_jobs": 0}, "n_jobs must be a whole number other than 0"),
        ({"n_jobs": 1.5}, "n_jobs must be a whole number"),
        ({"n_jobs": True}, "n_jobs must be a whole number"),
        ({"port": "COM3"}, "port is for backend='elm11_lua', not for None"),
        ({"client": "tcp://x:1", "backend": "joblib"}, "client is for backend='dask', not for 'joblib'"),
    ],
)
def test_wrong_arguments_are_told_also_where_the_result_is_cached(options: dict[str, Any], what: str) -> None:
    wct_significance(**ARGUMENTS, backend="numpy")
    with pytest.raises(ValueError, match=what):
        wct_significance(**ARGUMENTS, **options)


def test_checkpoint_and_target_reach_the_run(tmp_path: Any) -> None:  # noqa: ANN401
    checkpoint = tmp_path / "run.npz"
    first = wct_significance(**ARGUMENTS, checkpoint=checkpoint, cache=False)
    assert checkpoint.exists()
    np.testing.assert_array_equal(first, wct_significance(**ARGUMENTS, cache=False))
    x, y = np.random.default_rng(2).standard_normal((2, 50))
    options: dict[str, Any] = {"dt": 1.0, "dj": 0.5, "s0": 2.0, "J": 3, "mc_count": 4000, "backend": "numpy"}
    early, late = (wct(x, y, **{**options, **more})[4] for more in ({"target_standard_error": 0.02}, {}))
    assert (early != late).any()


def test_after_an_early_stop_nothing_is_taken_for_the_whole() -> None:
    arguments = {**ARGUMENTS, "mc_count": 4000, "seed": 91}
    early = wct_significance(**arguments, target_standard_error=0.02)
    whole = wct_significance(**arguments)
    np.testing.assert_array_equal(wct_significance(**arguments, target_standard_error=0.02), early)
    np.testing.assert_array_equal(wct_significance(**arguments), whole)
    assert (early != whole).any()
