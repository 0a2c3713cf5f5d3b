"""The exact pipeline against the installed pycwt, given the same noise."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from elm11_host_ref.exact import coherence, monte_carlo, rednoise, vectorised, wavelet
from elm11_host_ref.experiment import Experiment

if TYPE_CHECKING:
    from elm11_host_ref.types import AnyArray, FloatArray, IntArray

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # it imports names that SciPy has moved
    import pycwt

DT = 0.25
MOTHERS = {
    "morlet": pycwt.Morlet(6),
    "paul": pycwt.Paul(4),
    "dog": pycwt.DOG(2),
    "mexicanhat": pycwt.MexicanHat(),
}
# (dj, J): from a single scale to six octaves.
SHAPES = [
    *((1 / 12, J) for J in (0, 1, 5, 13, 30, 60)),
    *((1 / 8, J) for J in (0, 3, 12, 25, 48)),
    *((1 / 4, J) for J in (0, 2, 7, 10, 20, 24)),
    *((1 / 2, J) for J in (0, 1, 5, 12)),
    *((1, J) for J in (0, 1, 2, 6)),
]


def experiment(dj: float, J: int, s0: float) -> Experiment:
    return Experiment(0.72, 0.3, DT, dj, s0, J, seed=J + 1)


def pycwt_coherence(of: Experiment, pair: AnyArray) -> tuple[FloatArray, AnyArray]:
    """The body of pycwt's Monte Carlo loop: squared coherence, and which samples it would count."""
    mother = MOTHERS["morlet"]
    axes: dict[str, Any] = {"dt": of.dt, "dj": of.dj, "s0": of.s0, "J": of.J, "wavelet": mother}
    W1, scales, frequencies, cone, _, _ = pycwt.cwt(pair[0], **axes)
    W2 = pycwt.cwt(pair[1], **axes)[0]
    column = scales[:, None]
    S1 = mother.smooth(np.abs(W1) ** 2 / column, of.dt, of.dj, scales)
    S2 = mother.smooth(np.abs(W2) ** 2 / column, of.dt, of.dj, scales)
    S12 = mother.smooth(W1 * W2.conj() / column, of.dt, of.dj, scales)
    return np.abs(S12) ** 2 / (S1 * S2), 1 / frequencies[:, None] <= cone


def pycwt_counts(of: Experiment, squared: FloatArray, is_counted: AnyArray) -> IntArray:
    """pycwt's histogram, its last row included, which pycwt leaves out."""
    counts = np.zeros((of.J + 1, of.n_bins), np.int64)
    for row, values, counted in zip(counts, squared, is_counted, strict=True):
        for value in np.floor(values[counted] * of.n_bins):
            row[int(value)] += 1
    return counts


@pytest.mark.parametrize("s0", [0.5, 0.53])
@pytest.mark.parametrize(("dj", "J"), SHAPES)
def test_the_same_noise_gives_the_same_coherence_and_counts(dj: float, J: int, s0: float) -> None:
    of = experiment(dj, J, s0)
    simulations = range(3)
    expected = np.zeros((J + 1, of.n_bins), np.int64)
    for simulation in simulations:
        pair = rednoise.surrogate_pairs(of.seed, [simulation], *of.noise_lag1, of.n_samples)[0]
        squared, is_counted = pycwt_coherence(of, pair)
        np.testing.assert_allclose(monte_carlo.surrogate_coherence(of, simulation), squared, rtol=1e-9)
        assert (is_counted.sum(axis=1) == of.n_usable).all()
        expected += pycwt_counts(of, squared, is_counted)
    assert (vectorised.simulate(of, simulations) == expected).all()


def test_these_shapes_have_odd_and_even_lengths() -> None:
    lengths = [experiment(dj, J, s0).n_samples % 2 for dj, J in SHAPES for s0 in (0.5, 0.53)]
    assert {lengths.count(0) > 10, lengths.count(1) > 10} == {True}


@pytest.mark.parametrize("name", list(MOTHERS))
@pytest.mark.parametrize("n", [3, 68, 121, 500])
@pytest.mark.parametrize(("dj", "s0", "J"), [(1 / 12, 0.5, 40), (1 / 4, 0.4, 14), (1, 3.0, 4)])
def test_the_wavelet_transform_is_that_of_pycwt(dj: float, s0: float, J: int, n: int, name: str) -> None:
    series = np.random.default_rng(n).normal(size=n)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # its Paul wavelet overflows at some frequencies
        W, scales, frequencies, cone, _, _ = pycwt.cwt(series, DT, dj, s0, J, MOTHERS[name])
    mother = wavelet.WAVELETS[name]
    ours = wavelet.transform(series, wavelet.scales(s0, dj, J) / DT, mother)
    np.testing.assert_allclose(scales, wavelet.scales(s0, dj, J), rtol=1e-14)
    np.testing.assert_allclose(ours, W, rtol=1e-9, atol=1e-12 * np.abs(W).max())
    np.testing.assert_allclose(1 / frequencies, mother.fourier_factor * scales, rtol=1e-14)
    np.testing.assert_allclose(wavelet.cone_of_influence(n, DT, mother), cone, rtol=1e-14)


def test_the_coherence_of_real_series_is_that_of_pycwt() -> None:
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(2, 200)).cumsum(axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        squared, phase, *_ = pycwt.wct(x, y, DT, dj=1 / 8, s0=2 * DT, J=20, sig=False, normalize=False)
    sigma = wavelet.scales(2 * DT, 1 / 8, 20) / DT
    box = Experiment(0, 0, DT, 1 / 8, 2 * DT, 20).box
    ours, our_phase = coherence.coherence(x, y, sigma, wavelet.WAVELETS["morlet"], box)
    np.testing.assert_allclose(ours, squared, rtol=1e-9)
    np.testing.assert_allclose(np.cos(our_phase - phase), 1, atol=1e-12)


def test_lag1_autocorrelation_is_that_of_pycwt() -> None:
    for lag1 in (0.0, 0.4, 0.9):
        series = rednoise.surrogate_pairs(3, [0], lag1, lag1, 300)[0, 0]
        assert rednoise.lag1_autocorrelation(series) == pytest.approx(pycwt.ar1(series)[0], rel=1e-9)


def test_pycwts_own_red_noise_is_white() -> None:
    """Why ours differs: its filter runs along an axis of length one. Fails by luck once in 150 000."""
    np.random.seed(1)  # noqa: NPY002  pycwt draws from the global generator
    series = pycwt.rednoise(10_000, 0.9, 1).ravel()
    assert abs(rednoise.lag1_autocorrelation(series)) < 4.5 / math.sqrt(10_000)
