"""`wct` and `wct_significance` against the installed pycwt."""

from __future__ import annotations

import contextlib
import inspect
import io
import json
import re
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from elm11_host_ref.exact import rednoise
from elm11_lua_driver import Job, wct, wct_significance
from elm11_lua_driver._progress import progress_bar
from elm11_lua_driver.series.checks import wavelet_name
from paths import DATA

if TYPE_CHECKING:
    from collections.abc import Iterator

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # pycwt 0.5.0b0 uses a deprecated SciPy namespace
    import pycwt

STANDARD: dict[str, Any] = {"dt": 0.25, "dj": 0.25, "s0": 0.5}


def series(n_samples: int) -> np.ndarray:
    noise = np.random.default_rng(n_samples).standard_normal((3, n_samples))
    return rednoise.red_noise(noise[:2] + noise[2], 0.6, n_samples - 40)


def theirs(*arguments: Any, **options: Any) -> np.ndarray:  # noqa: ANN401  whatever pycwt takes
    with contextlib.redirect_stdout(io.StringIO()):  # it prints what it does
        levels: np.ndarray = pycwt.wct_significance(*arguments, progress=False, cache=False, **options)
    return levels


class TestCoherence:
    @pytest.mark.parametrize("n_samples", [100, 101, 256, 333])
    @pytest.mark.parametrize("dj", [1 / 12, 1 / 8, 1 / 4, 1 / 2, 1])
    def test_it_is_pycwts(self, n_samples: int, dj: float) -> None:
        x, y = series(n_samples + 40)
        ours, expected = wct(x, y, 0.5, dj, sig=False), pycwt.wct(x, y, 0.5, dj, sig=False)
        for name, mine, pycwts in zip(
            ("WCT", "coi", "freq", "sig"), (*ours[:1], *ours[2:]), (*expected[:1], *expected[2:]), strict=True
        ):
            np.testing.assert_allclose(mine, pycwts, rtol=1e-9, atol=1e-13, err_msg=name)
        # Angles, not numbers: -pi and pi are the same. Where an amplitude is nil its angle is noise.
        np.testing.assert_allclose(np.exp(1j * ours[1]), np.exp(1j * expected[1]), atol=1e-7)

    @pytest.mark.parametrize("J", [0, 1, 7, 60])
    @pytest.mark.parametrize("normalize", [True, False])
    def test_given_scales(self, J: int, normalize: bool) -> None:  # noqa: FBT001
        x, y = series(240)
        options: dict[str, Any] = {"s0": 2.0, "J": J, "sig": False, "normalize": normalize}
        if J == 0:  # pycwt cannot divide the scales by each other when there is one; ours goes on
            assert wct(x, y, 1.0, 1 / 12, **options)[0].shape == (1, 200)
            return
        expected = pycwt.wct(x, y, 1.0, 1 / 12, **options)
        np.testing.assert_allclose(wct(x, y, 1.0, 1 / 12, **options)[0], expected[0], rtol=1e-9, atol=1e-13)

    def test_defaults_are_pycwts(self) -> None:
        for function in ("wct", "wct_significance"):
            pycwts = inspect.signature(getattr(pycwt, function)).parameters
            ours = inspect.signature(globals()[function]).parameters
            for name, parameter in pycwts.items():
                if parameter.kind is parameter.POSITIONAL_OR_KEYWORD:
                    assert ours[name].default == parameter.default, name
                    assert list(ours).index(name) == list(pycwts).index(name), name

    def test_without_levels_the_last_is_zero_as_there(self) -> None:
        x, y = series(140)
        np.testing.assert_array_equal(wct(x, y, 1.0, sig=False)[4], [0])

    def test_levels_are_those_of_the_series(self) -> None:
        x, y = series(140)
        levels = wct(x, y, 1.0, 0.5, 2.0, 5, mc_count=20, seed=3, progress=False)[4]
        lag1 = (rednoise.lag1_autocorrelation(x), rednoise.lag1_autocorrelation(y))
        np.testing.assert_array_equal(levels, wct_significance(*lag1, 1.0, 0.5, 2.0, 5, mc_count=20, seed=3))

    def test_lists_will_do(self) -> None:
        x, y = series(140)
        np.testing.assert_array_equal(wct(x.tolist(), y.tolist(), 1.0, sig=False)[0], wct(x, y, 1.0, sig=False)[0])

    @pytest.mark.parametrize(
        ("change", "what"),
        [
            ({"y1": [[1.0, 2.0, 3.0]]}, "y1 must have one dimension"),
            ({"y2": [1.0, 2.0]}, "at least 3 samples"),
            ({"y2": np.ones(99)}, "y2 must not be constant"),
            ({"y2": np.arange(99.0)}, "y1 and y2 must have the same length, not 100 and 99"),
            ({"y1": ["a", "b", "c"]}, "y1 must be a series of numbers"),
            ({"y1": np.append(np.arange(99.0), np.inf)}, "y1 must have finite values only; sample 99 is inf"),
            ({"dt": 0}, "dt must be greater than 0"),
            ({"dt": "x"}, "dt must be a finite number"),
            ({"dj": 0}, "dj must be greater than 0"),
            ({"s0": 0}, "s0 must be greater than 0"),
            ({"s0": -2}, "s0 must be greater than 0"),
            ({"J": -2}, "J must be a whole number"),
            ({"significance_level": 2}, "significance_level must lie between 0 and 1"),
            ({"wavelet": "haar"}, "wavelet must be one of"),
            ({"scale_box": "round"}, "scale_box must be one of"),
        ],
    )
    @pytest.mark.parametrize("sig", [True, False])
    def test_bad_arguments_are_named_with_and_without_levels(
        self,
        change: dict[str, Any],
        what: str,
        sig: bool,  # noqa: FBT001
    ) -> None:
        x, y = series(140)
        arguments = {"y1": x, "y2": y, "dt": 1.0, "sig": sig, **change}
        with pytest.raises(ValueError, match=re.escape(what)):
            wct(**arguments)


class TestLevels:
    @pytest.mark.parametrize("J", [6, 9])
    @pytest.mark.parametrize("level", [0.8, 0.95])
    def test_the_same_noise_gives_pycwts_levels(self, monkeypatch: pytest.MonkeyPatch, J: int, level: float) -> None:
        """Equal counts, equal levels: no tolerance but that of their straight lines."""
        job = Job(0.72, 0.3, **STANDARD, J=J, seed=5, n_simulations=12)
        pairs = rednoise.surrogate_pairs(5, range(12), 0.72, 0.3, job.n_samples)
        # pycwt draws one series before the first pair, for its length only.
        noises: Iterator[np.ndarray] = iter([pairs[0, 0], *pairs.reshape(-1, job.n_samples)])
        monkeypatch.setattr(pycwt.wavelet, "rednoise", lambda *_: next(noises))
        expected = theirs(0.72, 0.3, **STANDARD, J=J, significance_level=level, wavelet=pycwt.Morlet(6), mc_count=12)
        ours = wct_significance(0.72, 0.3, **STANDARD, J=J, significance_level=level, mc_count=12, seed=5)
        assert np.isnan(expected[-1]), "pycwt leaves the largest scale out"
        np.testing.assert_allclose(ours[:-1], expected[:-1], atol=1e-12)

    def test_pycwt_compatible_levels_are_statistically_pycwts(self) -> None:
        """z test of the design notes on 10 scales: beyond 4.5 by luck once in 15 000 seeds."""
        data = json.loads((DATA / "run_to_run_300.json").read_text())
        spread = np.array(data["J10 pycwt itself (white surrogates), 40 repeats"])
        np.random.seed(1)  # noqa: NPY002  pycwt has no other way to be seeded
        expected = theirs(0.72, 0.72, **STANDARD, J=10, wavelet=pycwt.Morlet(6), mc_count=100)
        ours = wct_significance(0.72, 0.72, **STANDARD, J=10, mc_count=5000, pycwt_compatible=True)
        assert np.isnan(ours[-1])
        assert np.isnan(expected[-1])
        z = (ours - expected)[:-1] / (spread * np.sqrt(300 / 100 + 300 / 5000))
        assert np.abs(z).max() < 4.5, z.round(1)

    def test_compatible_levels_do_not_depend_on_lag1(self) -> None:
        first, second = (
            wct_significance(lag1, lag1, **STANDARD, J=4, mc_count=20, pycwt_compatible=True) for lag1 in (0.0, 0.9)
        )
        np.testing.assert_array_equal(first, second)

    def test_no_seed_is_seed_one_and_another_seed_is_other_noise(self) -> None:
        levels = [wct_significance(0.5, 0.5, **STANDARD, J=4, mc_count=20, seed=seed) for seed in (None, 1, 2)]
        np.testing.assert_array_equal(levels[0], levels[1])
        assert (levels[0] != levels[2]).any()

    def test_every_argument(self) -> None:
        by_position = wct_significance(0.5, 0.4, 0.25, 0.25, 0.5, 4, 0.9, "Morlet", 20, False, False)  # noqa: FBT003
        by_name = wct_significance(
            al1=0.5,
            al2=0.4,
            dt=0.25,
            dj=0.25,
            s0=0.5,
            J=4,
            significance_level=0.9,
            wavelet=pycwt.Morlet(6),
            mc_count=20,
            progress=True,
            cache=True,
            seed=1,
            backend="numpy",
            pipeline="exact",
            scale_box="pycwt",
        )
        np.testing.assert_array_equal(by_position, by_name)

    @pytest.mark.parametrize(
        ("wavelet", "name"),
        [
            (pycwt.Morlet(6), "morlet"),
            (pycwt.Morlet(), "morlet"),
            (pycwt.Paul(4), "paul"),
            (pycwt.DOG(2), "dog"),
            (pycwt.MexicanHat(), "mexicanhat"),
            ("Mexican Hat", "mexicanhat"),
            ("PAUL", "paul"),
        ],
    )
    def test_wavelets_by_name_and_instance(self, wavelet: object, name: str) -> None:
        assert wavelet_name(wavelet) == name
        s0 = 4.0
        np.testing.assert_array_equal(
            wct_significance(0.5, 0.5, 1.0, 0.5, s0, 3, wavelet=wavelet, mc_count=10),
            wct_significance(0.5, 0.5, 1.0, 0.5, s0, 3, wavelet=name, mc_count=10),
        )

    @pytest.mark.parametrize("wavelet", [pycwt.Morlet(5), pycwt.Paul(2), pycwt.DOG(6), "haar", None, 6])
    def test_other_wavelets_are_refused(self, wavelet: object) -> None:
        with pytest.raises(ValueError, match=r"wavelet must be one of morlet, paul, dog, mexicanhat .*, not "):
            wct_significance(0.5, 0.5, **STANDARD, J=3, wavelet=wavelet)

    @pytest.mark.parametrize(
        ("change", "what"),
        [
            ({"al1": 1}, "lag1_x must lie between -1 and 1"),
            ({"mc_count": 0}, "n_simulations must be a whole number"),
            ({"significance_level": 95}, "significance_level must lie"),
            ({"backend": "abacus"}, "backend must be one of numpy"),
            ({"pipeline": "slow"}, "pipeline must be one of"),
            ({"seed": "x"}, "seed must be a whole number"),
        ],
    )
    def test_bad_arguments_are_named(self, change: dict[str, Any], what: str) -> None:
        with pytest.raises(ValueError, match=what):
            wct_significance(**{"al1": 0.5, "al2": 0.5, **STANDARD, "J": 3, **change})


def test_no_progress_bar_on_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("label", show=True) as advance:
        advance(1, 2)
    assert capsys.readouterr() == ("", "")
