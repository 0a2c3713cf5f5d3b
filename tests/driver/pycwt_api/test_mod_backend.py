"""The backend ``elm11_lua`` inside pycwt_mod (its stand-in, see stand_ins/README.md), and without it."""

from __future__ import annotations

import importlib
import inspect
import os
import re
import shutil
import subprocess
import sys
import time
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from elm11_lua_driver import Job, run
from elm11_lua_driver import wct_significance as our_wct_significance
from elm11_lua_driver.errors import BoardNotFoundError, ForeignWorkerError, PortError
from elm11_lua_driver.pycwt_api import backends
from paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

STAND_INS = ROOT / "tests" / "support" / "stand_ins"
OURS = "elm11_lua_driver.pycwt_mod"
BACKEND = "elm11_lua_driver.pycwt_api.mod_backend"
JOB = Job(0.5, 0.3, 0.25, 0.25, 0.5, 4, n_simulations=16)
CALL: dict[str, Any] = {"al1": 0.5, "al2": 0.3, "dt": 0.25, "dj": 0.25, "s0": 0.5, "J": 4, "mc_count": 16}
DEADLINE_S = 60
# What upstream would add at the end of pycwt_mod/backends/__init__.py, as the documentation gives it.
GUIDE = (ROOT / "docs" / "pycwt-users.md").read_text(encoding="utf-8")
(TWO_LINES,) = re.findall(r"```python\n(from elm11_lua_driver\.pycwt_mod import register as .*\n+.*\n)```", GUIDE)


def forget() -> None:
    for name in [*sys.modules]:
        if name in {OURS, BACKEND} or name.partition(".")[0] == "pycwt_mod":
            del sys.modules[name]


@pytest.fixture
def pycwt_mod(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The stand-in, with our backend registered in it."""
    forget()
    monkeypatch.syspath_prepend(str(STAND_INS))
    importlib.import_module(OURS)
    yield importlib.import_module("pycwt_mod")
    forget()


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """Our module where there is no pycwt_mod."""
    forget()
    monkeypatch.setitem(sys.modules, "pycwt_mod", None)  # importing it fails
    yield importlib.import_module(BACKEND)
    forget()


def worker_call(**changes: object) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """What pycwt_mod hands to a backend for `CALL`: found out by asking."""
    wavelet = importlib.import_module("pycwt_mod.wavelet")
    got: list[Any] = []

    class Listening:
        def run_monte_carlo(self, worker: object, **arguments: object) -> list[object]:
            got.extend([worker, arguments["worker_args"]])
            return [np.ones((JOB.J + 1, 1000))]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wavelet, "get_backend", lambda _: Listening())
        wavelet.wct_significance(**CALL)
    worker, arguments = got
    names = list(inspect.signature(worker).parameters)[1:]
    return worker, tuple({**dict(zip(names, arguments, strict=True)), **changes}.values())


class TestRegistered:
    def test_as_a_real_subclass_which_the_registry_makes_without_arguments(self, pycwt_mod: ModuleType) -> None:
        registry = importlib.import_module("pycwt_mod.backends")
        assert registry.list_backends() == ["sequential", "elm11_lua"]
        backend = registry.get_backend("elm11_lua")
        assert registry.MonteCarloBackend in type(backend).__mro__
        assert backend.name == "elm11_lua"
        assert pycwt_mod.__name__ == "pycwt_mod"

    def test_once(self, pycwt_mod: ModuleType) -> None:
        assert pycwt_mod
        importlib.import_module(OURS).register()
        assert importlib.import_module("pycwt_mod.backends").list_backends().count("elm11_lua") == 1

    def test_also_when_pycwt_mod_could_not_be_imported_at_first(
        self, alone: ModuleType, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with pytest.raises(ImportError):
            alone.register()
        monkeypatch.delitem(sys.modules, "pycwt_mod")
        monkeypatch.syspath_prepend(str(STAND_INS))
        alone.register()
        registry = importlib.import_module("pycwt_mod.backends")
        assert registry.list_backends() == ["sequential", "elm11_lua"]
        assert isinstance(registry.get_backend("elm11_lua"), registry.MonteCarloBackend)

    @pytest.mark.parametrize("first", ["pycwt_mod", OURS])
    @pytest.mark.parametrize("two_lines", [True, False], ids=["upstream adds the lines", "as it is"])
    def test_whichever_is_imported_first(self, tmp_path: Path, first: str, two_lines: bool) -> None:  # noqa: FBT001
        shutil.copytree(STAND_INS / "pycwt_mod", tmp_path / "pycwt_mod", ignore=shutil.ignore_patterns("__pycache__"))
        if two_lines:
            with (tmp_path / "pycwt_mod" / "backends" / "__init__.py").open("a") as file:
                file.write(TWO_LINES)
        second = "pycwt_mod" if two_lines or first == OURS else OURS
        code = f"import {first}, {second}\nfrom pycwt_mod.backends import *\nprint(list_backends())\n"
        code += "print(isinstance(get_backend('elm11_lua'), MonteCarloBackend))"
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code],
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        assert done.stdout.splitlines() == ["['sequential', 'elm11_lua']", "True"], done.stderr

    def test_our_abstract_class_is_theirs(self, alone: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delitem(sys.modules, "pycwt_mod")
        monkeypatch.syspath_prepend(str(STAND_INS))
        theirs = importlib.import_module("pycwt_mod.backends").MonteCarloBackend
        ours = alone.MonteCarloBackend
        assert ours.__abstractmethods__ == theirs.__abstractmethods__
        methods = [name for name, value in vars(theirs).items() if inspect.isfunction(value)]
        assert "run_monte_carlo" in methods
        for name in methods:
            for mine in (ours, alone.ELM11LuaBackend):
                parameters = [
                    [(one.name, one.kind, one.default) for one in inspect.signature(method).parameters.values()]
                    for method in (getattr(theirs, name), getattr(mine, name))
                ]
                if name not in {"__init__", "validate_config"}:
                    assert parameters[0] == parameters[1], name
        with pytest.raises(TypeError):
            ours()


class TestSimulations:
    def test_levels_through_pycwt_mod_are_ours(
        self, pycwt_mod: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("ELM11_PORT", "virtual://")
        levels = pycwt_mod.wct_significance(**CALL, backend="elm11_lua", n_jobs=2)
        np.testing.assert_allclose(levels[:-1], our_wct_significance(**CALL)[:-1], rtol=1e-12)
        assert np.isnan(levels[-1])
        assert capsys.readouterr() == ("", "")

    @pytest.mark.parametrize(("seed", "expected"), [(None, 1), (7, 7)])
    def test_the_results_add_up_to_the_histogram(self, pycwt_mod: ModuleType, seed: int | None, expected: int) -> None:
        assert pycwt_mod
        worker, arguments = worker_call()
        backend = importlib.import_module(BACKEND).ELM11LuaBackend(port="virtual://")
        results = backend.run_monte_carlo(worker, 16, arguments, seed=seed, verbose=False, n_jobs=-1)
        assert isinstance(results, list)
        assert {(result.shape, result.dtype) for result in results} == {((5, 1000), np.dtype(float))}
        histogram = run(Job(0.5, 0.3, 0.25, 0.25, 0.5, 4, n_simulations=16, seed=expected))
        np.testing.assert_array_equal(sum(results), histogram.counts)

    def test_options_reach_the_job(self, pycwt_mod: ModuleType) -> None:
        assert pycwt_mod
        worker, arguments = worker_call()
        ours = importlib.import_module(BACKEND)
        white = run(Job(0.5, 0.3, 0.25, 0.25, 0.5, 4, n_simulations=8, seed=3, surrogates="white")).counts
        for config, options, more in (
            ({"port": "virtual://", "surrogates": "white"}, {"seed": 3}, {}),
            ({"port": "nowhere", "seed": 4}, {"port": "virtual://", "surrogates": "white"}, {"seed": 3}),
            (Job(0.1, 0.1, 1, 1, 2, 2, seed=3, surrogates="white"), {"port": "virtual://", "tx_delay": 0}, {}),
        ):
            backend = ours.ELM11LuaBackend("board 7", config, **options)
            assert backend.name == "board 7"
            results = backend.run_monte_carlo(worker, 8, arguments, verbose=False, **more)
            np.testing.assert_array_equal(sum(results), white)

    def test_a_checkpoint_keeps_what_is_finished(self, pycwt_mod: ModuleType, tmp_path: Path) -> None:
        assert pycwt_mod
        worker, arguments = worker_call()
        ours = importlib.import_module(BACKEND)
        backend = ours.ELM11LuaBackend(port="virtual://", checkpoint=tmp_path / "run.npz")
        first = sum(backend.run_monte_carlo(worker, 16, arguments, verbose=False))
        assert backend.get_info()["options"]["checkpoint"] == str(tmp_path / "run.npz")
        # All is there: no board is needed for the same again.
        again = sum(backend.run_monte_carlo(worker, 16, arguments, verbose=False, port="/nowhere"))
        np.testing.assert_array_equal(first, again)

    def test_arguments_by_name(self, pycwt_mod: ModuleType) -> None:
        assert pycwt_mod
        worker, arguments = worker_call()
        ours = importlib.import_module(BACKEND)
        names = ours.WORKER_ARGUMENTS
        settings = {"n_simulations": 16, "seed": 1}
        by_name = ours.job_of_worker(
            worker, arguments[:5], dict(zip(names[5:], arguments[5:], strict=True)), **settings
        )
        assert by_name == ours.job_of_worker(worker, arguments, {}, **settings) == JOB
        assert list(inspect.signature(worker).parameters)[1:] == list(names)

    @pytest.mark.parametrize("wavelet", ["Morlet", "Paul", "DOG", "MexicanHat"])
    @pytest.mark.parametrize("J", [1, 9, 20])
    @pytest.mark.parametrize("s0", [0.5, 0.61, 1.0])
    def test_what_pycwt_mod_derives_is_what_the_job_derives(
        self, pycwt_mod: ModuleType, wavelet: str, J: int, s0: float
    ) -> None:
        import pycwt  # noqa: PLC0415  the stand-in has imported it, without the warning

        assert pycwt_mod
        mother = getattr(pycwt, wavelet)()
        N = int(np.ceil(s0 * 2 ** (J * 0.25) / 0.25 * 6))
        noise = np.random.default_rng(1).standard_normal(N)
        with np.errstate(all="ignore"):
            _, sj, freq, coi, _, _ = pycwt.cwt(noise, 0.25, 0.25, s0, J, mother)
        counted = 1 / freq[:, None] <= coi
        rows = np.flatnonzero(counted.any(axis=1))
        arguments = (0.5, 0.3, N, 0.25, 0.25, s0, J, mother, sj, np.ones([1, N]) * sj[:, None], counted, rows[-1], 1000)
        worker = importlib.import_module("pycwt_mod.wavelet")._wct_significance_worker
        job = importlib.import_module(BACKEND).job_of_worker(worker, arguments, {}, n_simulations=3)
        assert (job.n_samples, job.wavelet) == (N, wavelet.lower())


class TestRefused:
    def test_another_worker(self, alone: ModuleType) -> None:
        def shuffle(seed: int) -> float:
            return float(seed)

        backend = alone.ELM11LuaBackend(port="/nowhere")
        for worker in (shuffle, lambda seed: seed, print):
            with pytest.raises(ForeignWorkerError, match="cannot run the Python function") as caught:
                backend.run_monte_carlo(worker, 10)
            assert caught.value.worker == worker.__name__
            assert 'backend="sequential"' in str(caught.value)

    @pytest.mark.parametrize(
        ("changes", "what"),
        [
            ({"N": 500}, "N is 500, and the other parameters give 24"),
            ({"al2": 0.5, "s0": 0.75}, "N is 24, and the other"),
            ({"sj": np.arange(5.0)}, "sj are not the scales"),
            ({"scales": np.ones((5, 24))}, "scales does not repeat sj"),
            ({"outsidecoi": np.ones((5, 24), bool)}, "outsidecoi is not the cone of influence of the morlet wavelet"),
            ({"outsidecoi": np.ones(24, bool)}, "outsidecoi is not the cone"),
            ({"maxscale": 2}, "maxscale is 2, and the last scale is 4"),
        ],
    )
    def test_arguments_that_do_not_belong_together(
        self, pycwt_mod: ModuleType, changes: dict[str, Any], what: str
    ) -> None:
        assert pycwt_mod
        worker, arguments = worker_call(**changes)
        backend = importlib.import_module(BACKEND).ELM11LuaBackend(port="/nowhere")
        with pytest.raises(ForeignWorkerError, match=what):
            backend.run_monte_carlo(worker, 10, arguments)

    def test_too_few_too_many_and_unknown_arguments(self, pycwt_mod: ModuleType) -> None:
        assert pycwt_mod
        worker, arguments = worker_call()
        backend = importlib.import_module(BACKEND).ELM11LuaBackend(port="/nowhere")
        for positional, named, what in (
            (arguments[:-1], {}, "missing: nbins"),
            ((*arguments, 1), {}, "too many: 14"),
            (arguments, {"nbins": 1000, "alpha": 1}, "too many: alpha, nbins"),
        ):
            with pytest.raises(ForeignWorkerError, match=what):
                backend.run_monte_carlo(worker, 10, positional, named)

    @pytest.mark.parametrize(
        ("options", "what"),
        [
            ({"baud": 9600}, "baud: no option of elm11_lua; there are "),
            ({"pipeline": "slow"}, "pipeline must be one of"),
            ({"surrogates": "pink"}, "surrogates must be one of"),
            ({"scale_box": "round"}, "scale_box must be one of"),
            ({"tx_delay": -1}, "tx_delay_s must not be negative"),
            ({"stall_s": "long"}, "stall_s must be a finite number"),
            ({"port": ""}, "port must be a text"),
            ({"n_jobs": 0}, "n_jobs must be a whole number other than 0"),
        ],
    )
    def test_options(self, alone: ModuleType, options: dict[str, Any], what: str) -> None:
        backend = alone.ELM11LuaBackend()
        with pytest.raises(ValueError, match=what):
            backend.validate_config(**options)
        with pytest.raises(ValueError, match=what):
            alone.ELM11LuaBackend(**options)
        assert backend.validate_config(port="COM7", tx_delay=2, n_jobs=None) is True

    def test_no_board(self, pycwt_mod: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("ELM11_PORT", raising=False)
        monkeypatch.setattr("serial.tools.list_ports.comports", list)
        with pytest.raises(BoardNotFoundError):
            pycwt_mod.wct_significance(**CALL, backend="elm11_lua")
        with pytest.raises(PortError):
            our_wct_significance(**CALL, backend="elm11_lua", port="virtual://nonsense")


class TestAvailable:
    @pytest.fixture(autouse=True)
    def _no_port_is_opened(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import serial  # noqa: PLC0415

        def refuse(_self: object) -> None:
            raise AssertionError("a port was opened")

        monkeypatch.setattr(serial.Serial, "open", refuse)
        monkeypatch.delenv("ELM11_PORT", raising=False)

    def available(self, **options: object) -> bool:
        started = time.monotonic()
        backend = importlib.import_module(BACKEND).ELM11LuaBackend(**options)
        answer: bool = backend.is_available()
        assert time.monotonic() - started < 1
        assert backend.get_info()["available"] == answer
        assert f"elm11_lua ({'available' if answer else 'unavailable'}): " in repr(backend)
        return answer

    @pytest.mark.parametrize(
        ("vid", "answer"), [([], False), ([None], False), ([0x1A86], False), ([0x0403], True), ([0x0403] * 2, True)]
    )
    def test_where_no_port_is_named(
        self,
        alone: ModuleType,
        monkeypatch: pytest.MonkeyPatch,
        vid: list[int | None],
        answer: bool,  # noqa: FBT001
    ) -> None:
        assert alone
        unknown = dict.fromkeys(("pid", "serial_number", "product", "manufacturer", "description", "location"))
        ports = [SimpleNamespace(device=f"/dev/tty{n}", vid=one, **unknown) for n, one in enumerate(vid)]
        monkeypatch.setattr("serial.tools.list_ports.comports", lambda: ports)
        assert self.available() is answer

    @pytest.mark.parametrize(
        ("port", "answer"),
        [
            ("virtual://", True),
            ("virtual://?lua=none", False),
            ("socket://localhost:1", True),
            ("nonsense://x", False),
            ("/dev/no-such-port", False),
            (__file__, False),
            ("\0", False),
        ],
    )
    def test_where_one_is_named(
        self,
        alone: ModuleType,
        monkeypatch: pytest.MonkeyPatch,
        port: str,
        answer: bool,  # noqa: FBT001
    ) -> None:
        assert alone
        assert self.available(port=port) is answer
        if "\0" not in port:
            monkeypatch.setenv("ELM11_PORT", port)
            assert self.available() is answer

    @pytest.mark.skipif(os.name != "posix", reason="needs a pseudo terminal")
    def test_nothing_is_written_to_a_named_port(self, alone: ModuleType) -> None:
        assert alone
        board, port = os.openpty()
        try:
            assert self.available(port=os.ttyname(port))
            os.set_blocking(board, False)
            with pytest.raises(BlockingIOError):
                os.read(board, 1)
        finally:
            os.close(board)
            os.close(port)

    def test_it_never_raises(self, alone: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail() -> list[Any]:
            raise RuntimeError("the system does not list its ports")

        assert alone
        monkeypatch.setattr("serial.tools.list_ports.comports", fail)
        assert self.available() is False


class TestRecommended:
    def test_never_a_board_and_processes_only_where_they_pay(
        self, alone: ModuleType, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(alone, "n_workers", lambda _: 2)
        monkeypatch.setattr(alone.importlib.util, "find_spec", lambda _: object())
        recommend = alone.get_recommended_backend
        assert [recommend(n) for n in (1, 10, 100, 1000, 10**6)] == ["sequential"] * 3 + ["joblib"] * 2
        assert recommend(10, seconds_per_simulation=2) == "joblib"
        monkeypatch.setattr(alone, "n_workers", lambda _: 1)
        assert recommend(10**6) == "sequential"

    def test_without_joblib(self, alone: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(alone.importlib.util, "find_spec", lambda _: None)
        assert alone.get_recommended_backend(10**6) == "sequential"
        assert alone.get_recommended_backend() == "sequential"

    def test_the_names_are_backends_of_our_own_functions_too(self, alone: ModuleType) -> None:
        assert {"sequential", "joblib", alone.NAME} <= set(backends.BACKENDS)
