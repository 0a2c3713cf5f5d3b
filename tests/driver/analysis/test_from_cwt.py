"""Coherence from transforms of other libraries: pycwt's own coherence from pycwt's own coefficients, and the checks."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from elm11_lua_driver import coherence_from_cwt, wct

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # pycwt 0.5.0b0 uses a deprecated SciPy namespace
    import pycwt

DT, DJ, S0, J = 0.5, 0.125, 1.0, 40
RNG = np.random.default_rng(11)
COMMON = np.sin(np.arange(300) / 5)
X, Y = COMMON + RNG.standard_normal(300), np.roll(COMMON, 7) + RNG.standard_normal(300)


def transforms() -> tuple[Any, Any, Any]:
    W1, scales, *_ = pycwt.cwt(X, DT, DJ, S0, J, "morlet")
    return W1, pycwt.cwt(Y, DT, DJ, S0, J, "morlet")[0], scales


W1, W2, SCALES = transforms()


def test_pycwts_coefficients_give_pycwts_coherence() -> None:
    theirs, phase, *_ = pycwt.wct(X, Y, DT, DJ, S0, J, sig=False, wavelet=pycwt.Morlet(6), normalize=False)
    squared, angle = coherence_from_cwt(W1, W2, SCALES, DT, DJ)
    np.testing.assert_allclose(squared, theirs, rtol=0, atol=1e-9)  # double precision through transforms of 512
    np.testing.assert_allclose(angle, phase, rtol=0, atol=1e-12)


@pytest.mark.parametrize("box", ["pycwt", "grinsted"])
def test_the_box_is_that_of_wct(box: Any) -> None:  # noqa: ANN401  a literal type
    ours, *_ = wct(X, Y, DT, DJ, S0, J, sig=False, normalize=False, scale_box=box)
    np.testing.assert_allclose(coherence_from_cwt(W1, W2, SCALES, DT, DJ, scale_box=box)[0], ours, rtol=0, atol=1e-9)


def test_the_width_of_the_box_is_that_of_the_wavelet() -> None:
    ours, *_ = wct(X, Y, DT, DJ, S0, J, sig=False, normalize=False, wavelet="paul")
    P1, P2 = (pycwt.cwt(series, DT, DJ, S0, J, pycwt.Paul(4))[0] for series in (X, Y))
    # pycwt's Paul wavelet differs from ours by a constant, which cancels.
    squared, _ = coherence_from_cwt(P1, P2, SCALES, DT, DJ, wavelet=pycwt.Paul(4))
    np.testing.assert_allclose(squared, ours, rtol=0, atol=1e-9)


def test_constants_and_common_phases_cancel() -> None:
    turn = np.exp(1j * np.arange(J + 1))[:, None]
    expected, _ = coherence_from_cwt(W1, W2, SCALES, DT, DJ)
    squared, _ = coherence_from_cwt(3e5 * W1 * turn, -1e-7j * W2 * turn, SCALES, DT, DJ)
    np.testing.assert_allclose(squared, expected, rtol=0, atol=1e-9)


def test_the_norm_is_made_good_and_matters() -> None:
    root = np.sqrt(SCALES)[:, None]
    expected, phase = coherence_from_cwt(W1, W2, SCALES, DT, DJ)
    squared, angle = coherence_from_cwt(W1 / root, W2 / root, SCALES, DT, DJ, norm="l1")
    np.testing.assert_allclose(squared, expected, rtol=0, atol=1e-9)
    np.testing.assert_allclose(angle, phase, rtol=0, atol=1e-12)
    taken_for_l2, _ = coherence_from_cwt(W1 / root, W2 / root, SCALES, DT, DJ)
    assert np.abs(taken_for_l2 - expected).max() > 0.01


def test_a_series_with_itself_coheres() -> None:
    squared, phase = coherence_from_cwt(W1, W1, SCALES, DT, DJ)
    np.testing.assert_allclose(squared, 1, rtol=0, atol=1e-9)
    np.testing.assert_allclose(phase, 0, rtol=0, atol=1e-15)


def test_no_power_is_nan_without_a_warning() -> None:
    squared, _ = coherence_from_cwt(np.zeros_like(W1), W2, SCALES, DT, DJ)
    assert np.isnan(squared).all()


def test_single_precision_is_taken() -> None:
    expected, _ = coherence_from_cwt(W1, W2, SCALES, DT, DJ)
    first, second = W1.astype(np.complex64), W2.astype(np.complex64)
    squared, _ = coherence_from_cwt(first, second, SCALES.astype(np.float32), DT, DJ)
    assert squared.dtype == float
    np.testing.assert_allclose(squared, expected, rtol=0, atol=2e-5)  # 24 bits, through sums of some hundred terms


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"W1": W1[:-1]}, r"W1 and W2 must have the same shape, not \(40, 300\) and \(41, 300\)"),
        ({"W1": W1[0]}, r"W1 must have the shape \(n_scales, n_samples\), not \(300,\)"),
        ({"W2": W2[:, :0]}, r"W2 must have the shape"),
        ({"W2": "text"}, "W2 must be an array of numbers"),
        ({"W1": np.where(np.abs(W1) == np.abs(W1).max(), np.nan, W1)}, "W1 must have finite values only; at scale"),
        ({"scales": SCALES[1:]}, r"scales must be as many as rows of W1, 41, not of shape \(40,\)"),
        ({"scales": SCALES * 0}, "scales must be finite and greater than 0"),
        ({"scales": SCALES[::-1]}, "scales must grow by dj = 0.125 octaves from row to row; from scale 0"),
        ({"scales": ["a"] * 41}, "scales must be an array of numbers"),
        ({"dj": 0.25}, r"scales must grow by dj = 0.25 octaves from row to row; .* it is 0.125 octaves"),
        ({"dj": 0.001}, "dj must be at least 0.01, not 0.001"),
        ({"dj": -1}, "dj must be at least 0.01, not -1"),
        ({"dt": 0}, "dt must be greater than 0, not 0"),
        ({"dt": "x"}, "dt must be a finite number"),
        ({"norm": "l3"}, "norm must be one of l2, l1, not 'l3'"),
        ({"scale_box": "wide"}, "scale_box must be one of"),
        ({"wavelet": "haar"}, "wavelet must be one of"),
    ],
)
def test_wrong_arguments(change: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {"W1": W1, "W2": W2, "scales": SCALES, "dt": DT, "dj": DJ, **change}
    with pytest.raises(ValueError, match=message):
        coherence_from_cwt(**arguments)
