"""Scripts for pycwt, unchanged, with this package's functions in it; and pycwt as it was afterwards."""

from __future__ import annotations

import inspect
import sys
import threading
import warnings
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from elm11_lua_driver import accelerate_pycwt, restore_pycwt, wct, wct_significance
from elm11_lua_driver.pycwt_api.patch import SWAPPED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # pycwt 0.5.0b0 uses a deprecated SciPy namespace
    import pycwt
    import pycwt.wavelet
    from pycwt import wct as imported_by_name

THEIRS: dict[str, list[Callable[..., Any]]] = {name: [getattr(pycwt, name)] for name in SWAPPED}  # in lists: kept
ARGUMENTS: Any = (0.5, 0.3, 0.25, 0.25, 0.5, 3)


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    restore_pycwt()
    assert is_pycwts()


def is_pycwts() -> bool:
    return all(getattr(module, name) is THEIRS[name][0] for module in (pycwt, pycwt.wavelet) for name in SWAPPED)


def levels(**options: Any) -> np.ndarray:  # noqa: ANN401
    result: np.ndarray = pycwt.wct_significance(*ARGUMENTS, mc_count=20, progress=False, **options)
    return result


def ours(**options: Any) -> np.ndarray:  # noqa: ANN401
    names = ("al1", "al2", "dt", "dj", "s0", "J")
    return wct_significance(**dict(zip(names, ARGUMENTS, strict=True)), mc_count=20, **options)


OURS = ours(cache=False, backend="numpy")


def test_inside_the_block_levels_are_ours_outside_pycwt_is_itself() -> None:
    with accelerate_pycwt():
        assert not is_pycwts()
        np.testing.assert_array_equal(levels(), OURS)
        np.testing.assert_array_equal(pycwt.wavelet.wct_significance(*ARGUMENTS, mc_count=20), OURS)
    assert is_pycwts()


def test_as_a_call_until_undone() -> None:
    acceleration = accelerate_pycwt()
    np.testing.assert_array_equal(levels(), OURS)
    acceleration.undo()
    assert is_pycwts()
    acceleration.undo()
    accelerate_pycwt()
    accelerate_pycwt()
    restore_pycwt()
    assert is_pycwts()


def test_names_that_modules_have_imported_are_swapped_too() -> None:
    user = ModuleType("user_of_pycwt")
    exec("from pycwt import wct, wct_significance as test", vars(user))  # noqa: S102  as such a module would
    sys.modules[user.__name__] = user
    try:
        theirs = vars(user).copy()
        with accelerate_pycwt():
            assert imported_by_name is pycwt.wct is vars(user)["wct"] is not theirs["wct"]
            np.testing.assert_array_equal(vars(user)["test"](*ARGUMENTS, mc_count=20), OURS)
            exec("from pycwt import wct as later", vars(user))  # noqa: S102
        assert imported_by_name is THEIRS["wct"][0] is vars(user)["later"]
        assert {name: vars(user)[name] for name in theirs} == theirs
    finally:
        del sys.modules[user.__name__]


def test_who_kept_ours_gets_pycwts_afterwards() -> None:
    with accelerate_pycwt():
        kept = [pycwt.wct_significance]
    with pytest.raises(AttributeError, match="'str' object has no attribute"):
        kept[0](*ARGUMENTS, wavelet="morlet", mc_count=2, progress=False, cache=False)  # pycwt's own fault


def test_ours_look_like_pycwts() -> None:
    with accelerate_pycwt():
        for name in SWAPPED:
            mine, theirs = getattr(pycwt, name), THEIRS[name][0]
            assert mine.__wrapped__ is theirs
            assert (mine.__name__, mine.__doc__) == (theirs.__name__, theirs.__doc__)
            assert inspect.signature(mine) == inspect.signature(theirs)


def test_coherence_too() -> None:
    x, y = np.random.default_rng(1).standard_normal((2, 80))
    expected = wct(x, y, 1.0, 0.25, mc_count=20)
    with accelerate_pycwt():
        for result in (
            pycwt.wct(x, y, 1.0, 0.25, mc_count=20, progress=False),
            pycwt.wct(x, y, 1.0, dj=0.25, wavelet=pycwt.Morlet(6), cache=False, mc_count=20),
        ):
            for mine, direct in zip(result, expected, strict=True):
                np.testing.assert_array_equal(mine, direct)
        assert pycwt.wct(x, y, 1.0, sig=False)[4].tolist() == [0]


def test_pycwts_own_coherence_calls_our_test() -> None:
    x, y = np.random.default_rng(1).standard_normal((2, 80))
    with accelerate_pycwt():
        mine = THEIRS["wct"][0](x, y, 1.0, 0.25, mc_count=20)
        np.testing.assert_allclose(mine[4], pycwt.wct(x, y, 1.0, 0.25, mc_count=20)[4], rtol=1e-9)


def test_options_win_over_what_the_script_gives() -> None:
    with accelerate_pycwt(seed=5, pycwt_compatible=True, cache=False):
        expected = ours(seed=5, pycwt_compatible=True)
        np.testing.assert_array_equal(levels(cache=True), expected)
        by_position = pycwt.wct_significance(*ARGUMENTS, 0.95, "morlet", 20, False, True)  # noqa: FBT003
        np.testing.assert_array_equal(by_position, expected)


def test_nested_the_latest_counts_whichever_ends_first() -> None:
    seeds = {seed: ours(seed=seed) for seed in (1, 2, 3)}
    with accelerate_pycwt(seed=2):
        with accelerate_pycwt(seed=3):
            np.testing.assert_array_equal(levels(), seeds[3])
        np.testing.assert_array_equal(levels(), seeds[2])
        inner = accelerate_pycwt()
        np.testing.assert_array_equal(levels(), seeds[1])
    np.testing.assert_array_equal(levels(), seeds[1])
    inner.undo()
    assert is_pycwts()


def test_it_ends_also_after_an_error() -> None:
    with pytest.raises(ValueError, match="lag1_x must lie"), accelerate_pycwt():
        pycwt.wct_significance(2, *ARGUMENTS[1:])
    assert is_pycwts()


def test_threads_may_begin_and_end_as_they_like() -> None:
    barrier = threading.Barrier(8)
    wrong: list[Exception] = []

    def work() -> None:
        barrier.wait(60)
        try:
            for _ in range(5):
                with accelerate_pycwt():
                    np.testing.assert_array_equal(levels(), OURS)
        except Exception as error:  # noqa: BLE001  told below
            wrong.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert wrong == []
    assert is_pycwts()


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"al1": 0.5}, "al1: no option of accelerate_pycwt; there are backend, cache, client, n_jobs, "),
        ({"checkpoint": "x.npz"}, "checkpoint: no option"),
        ({"backend": "abacus"}, "backend must be one of"),
        ({"port": "COM3"}, "port is for backend='elm11_lua'"),
        ({"n_jobs": 0}, "n_jobs must be"),
    ],
)
def test_wrong_options_are_told_at_once(options: dict[str, Any], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        accelerate_pycwt(**options)
    assert is_pycwts()
