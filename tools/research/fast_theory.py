#!/usr/bin/env python3
"""Levels of both pipelines for noise of equal lag1, computed, not simulated: what the fast one approximates.

    python tools/research/fast_theory.py [--lag1 A] [--refine NAME=VALUE ...]  prints the table of docs/fast-pipeline.md

At one place, the smoothed powers of two series x, y and their smoothed product are one quadratic form: x* Q x, y* Q y
and x* Q y, Q being the sum over rows and times of weight times w* w', where w' x is the wavelet transform. With the
eigenvalues l of Q,

    R^2 = |sum l a b*|^2 / (sum l |a|^2  sum l |b|^2),      a, b independent complex normal deviates,

so that its distribution follows from Q alone: from a pipeline's padding, filter, grid, kernel and end weights. That of
a scale is the mean over the places that are counted, with their weights. The deviates are the same for all places and
both pipelines, so that differences between levels have next to no noise (some 0.0001). Integers play no part. x and y
have the same form only if their noise has the same lag1.
"""

from __future__ import annotations

import argparse
import os
import sys
from functools import lru_cache
from typing import TYPE_CHECKING, Final

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from elm11_host_ref.experiment import Experiment
from elm11_host_ref.fast import FastPlan, outputs, schedule

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from elm11_host_ref.fast.parts import Part, Row
    from elm11_host_ref.types import ComplexArray, FloatArray

PERCENTS: Final = (90, 95, 99)
DRAWS: Final = 100_000
EIGENVALUES: Final = 18
FINE_BINS: Final = 40_000
NOTHING: Final = 1e-12  # of the largest weight
FELT: Final = 12
"""Distance from an end, in scales, at which it is felt no more."""

JOBS: Final = ((4, 10), (4, 20), (12, 10), (12, 20), (12, 28))
"""1 / dj and J of the table."""


@lru_cache(maxsize=1)
def _deviates() -> tuple[FloatArray, FloatArray, ComplexArray]:
    """|a|^2, |b|^2 and a b* of `DRAWS` pairs, each shape (DRAWS, EIGENVALUES)."""
    random = np.random.default_rng(1)
    a, b = (random.standard_normal((DRAWS, 2 * EIGENVALUES)).view(np.complex128) for _ in range(2))
    return np.abs(a) ** 2, np.abs(b) ** 2, a * b.conj()


def levels_of(forms: Iterator[tuple[float, ComplexArray]]) -> FloatArray:
    """Levels of a mixture of places.

    Args:
        forms: weight and quadratic form of each place, the form Q as a factor F, Q = F* F, shape (terms, samples).

    Returns:
        Shape (percents,).
    """
    counts = np.zeros(FINE_BINS)
    for weight, factor in forms:
        bins = np.minimum((coherence_of(factor) * FINE_BINS).astype(int), FINE_BINS - 1)
        counts += weight * np.bincount(bins, minlength=FINE_BINS)
    below = np.concatenate([[0.0], np.cumsum(counts) / counts.sum()])
    levels: FloatArray = np.interp(np.array(PERCENTS) / 100, below, np.arange(FINE_BINS + 1) / FINE_BINS)
    return levels


def coherence_of(factor: ComplexArray) -> FloatArray:
    """Squared coherence at one place, shape (DRAWS,), the same deviates for all places.

    Args:
        factor: of the place's form.
    """
    powers_x, powers_y, products = _deviates()
    terms, samples = factor.shape
    # Both have the same eigenvalues but for zeros.
    form = factor @ factor.conj().T if terms < samples else factor.conj().T @ factor
    values = np.zeros(EIGENVALUES)
    largest = np.linalg.eigvalsh(form)[::-1][:EIGENVALUES]
    values[: largest.size] = largest
    coherence: FloatArray = np.abs(products @ values) ** 2 / ((powers_x @ values) * (powers_y @ values))
    return coherence


def exact_factor(experiment: Experiment, j: int, t: int) -> ComplexArray:
    """The factor of the exact pipeline's form at one sample of scale j, for the series' samples.

    Args:
        experiment: the parameters.
        j: number of the scale.
        t: the sample.
    """
    between = (t - np.arange(experiment.n_samples)) % experiment.n_padded
    return _factor((kernel[between], transform) for kernel, transform in _exact_rows(experiment, j))


@lru_cache(maxsize=1)
def _exact_rows(experiment: Experiment, j: int) -> list[tuple[FloatArray, ComplexArray]]:
    """Of a box's rows: smoothing weights by distance, times the box's, and the matrix from samples to transforms."""
    n, n_padded, box = experiment.n_samples, experiment.n_padded, experiment.box
    frequencies = 2 * np.pi * np.fft.fftfreq(n_padded)
    kept = (np.arange(n_padded) > 0) & (np.arange(n_padded) < n_padded // 2)
    between = (np.arange(n)[:, None] - np.arange(n)) % n_padded
    noise = red_noise(n, experiment.noise_lag1[0])
    rows = []
    for place, of_box in enumerate(box.weights):
        i = j + box.centre - place
        if 0 <= i <= experiment.J:
            sigma = float(experiment.sigma[i])
            response = np.fft.ifft(np.where(kept, np.exp(-((sigma * frequencies - 6) ** 2) / 2), 0))
            kernel = np.fft.ifft(np.exp(-((sigma * frequencies) ** 2) / 2)).real
            rows.append((of_box * np.maximum(kernel, 0), response[between] @ noise * n_padded))
    return rows


def exact_forms(experiment: Experiment, j: int) -> Iterator[tuple[float, ComplexArray]]:
    """The exact pipeline's form at the usable samples of scale j; one half of them, the other is its mirror image.

    Args:
        experiment: the parameters.
        j: number of the scale.

    Yields:
        Weight, and the form's factor, for the series' samples.
    """
    n = experiment.n_samples
    first = int(experiment.first_usable[j])
    stride = 2 * int(experiment.sigma[j] / 28) + 1  # odd, so that one sample is in the middle
    start = first
    while start < n / 2:
        # The samples start ... start + stride - 1 by their middle one, as far as they are in this half; those that feel
        # neither end by one.
        stride = stride if start < FELT * experiment.sigma[j] else n
        weight = min(stride, n / 2 - start)
        t = min(start + stride // 2, n // 2)
        start += stride
        yield weight, exact_factor(experiment, j, t)


def _factor(rows: Iterable[tuple[FloatArray, ComplexArray]]) -> ComplexArray:
    """The factor of a sum of powers, from weights of points and the matrices that transform samples to them."""
    found = []
    for weights, transform in rows:
        kept = weights > NOTHING * weights.max()
        found.append(np.sqrt(weights[kept])[:, None] * transform[kept])
    return np.concatenate(found)


def fast_forms(plan: FastPlan, j: int) -> Iterator[tuple[float, ComplexArray]]:
    """The fast pipeline's form at the outputs of scale j, in every part that counts it.

    Args:
        plan: of an experiment whose series have equal lag1.
        j: number of the scale.

    Yields:
        Weight in the histogram, and the form's factor, for the part's samples.
    """
    for part in plan.parts:
        often = sum(
            running is part and lowest <= j for at in range(schedule.CYCLE) for running, lowest in plan.parts_at(at)
        )
        if not part.lowest <= j <= part.highest or not often or not part.row(j).is_counted:
            continue
        counted = part.row(j)
        rows = [
            (weight, part.row(i), _transform(part, part.row(i)))
            for i, weight in ((j + plan.centre - place, weight) for place, weight in enumerate(plan.box))
            if part.rows[0].j <= i <= part.rows[-1].j and part.row(i).length
        ]
        for output, weight in enumerate(counted.weights, start=counted.first_counted):
            yield (
                float(weight * often * counted.n_paired**2),
                _factor(
                    (of_box * _point_weights(part, row, output * (row.n_outputs // counted.n_counted)), transform)
                    for of_box, row, transform in rows
                ),
            )


def _transform(part: Part, row: Row) -> ComplexArray:
    """The matrix from samples to the row's grid points."""
    frequencies = np.arange(row.first_frequency, row.first_frequency + row.filter.size)
    points = np.arange(row.first_point, row.first_point + row.n_points)
    back = np.exp(2j * np.pi / row.n * np.outer(points, frequencies)) * row.filter
    forth: ComplexArray = np.exp(-2j * np.pi / part.n * np.outer(frequencies, np.arange(part.n_samples)))
    if not part.noise:
        return np.asarray(back @ forth)
    # The part's innovations: the deviates, the first one more, and what the series' end adds after them.
    lag1, gain = part.lag1[0] / 4096, part.start_gain[0] / 4096
    innovations = np.eye(part.n_samples)
    innovations[0, 0] = gain
    last = np.exp(-2j * np.pi / part.n * frequencies * part.n_samples)
    spectrum = forth @ innovations - np.outer(last, lag1 * red_noise(part.n_samples, lag1, gain)[-1])
    re, im = (each[frequencies - part.first_frequency] for each in part.noise[0])
    return np.asarray(back @ ((re + 1j * im)[:, None] * spectrum))


def red_noise(n: int, lag1: float, gain: float | None = None) -> FloatArray:
    """The matrix that makes n samples of noise of n deviates; `gain` of the first one, or what makes it stationary."""
    apart = np.arange(n)[:, None] - np.arange(n)
    noise = np.where(apart >= 0, float(lag1) ** np.maximum(apart, 0), 0.0)
    noise[:, 0] *= 1 / np.sqrt(1 - lag1**2) if gain is None else gain
    return noise


def _point_weights(part: Part, row: Row, output: int) -> FloatArray:
    """Weights of the row's grid points in the average at an output."""
    weights = np.zeros(row.n_points)
    centre, rest = divmod(output * row.n, row.n_outputs)
    if rest:
        taps = [(centre + 1 + m, weight) for m, weight in enumerate(row.kernels[1])]
        taps += [(centre - m, weight) for m, weight in enumerate(row.kernels[1])]
    else:
        whole = row.kernels[0]
        taps = [(centre + m, whole[abs(m)]) for m in range(1 - len(whole), len(whole))]
    for point, weight in taps:
        around = (0, -row.n, row.n) if part.wraps else (0,)
        for place in (point - row.first_point + turn for turn in around):
            if 0 <= place < row.n_points:
                weights[place] += weight
                break
    for place, weight in zip((0, -1), row.end_weights, strict=True):
        weights[place] *= weight / outputs.END_UNIT
    return weights


@lru_cache(maxsize=8)
def exact_levels(experiment: Experiment) -> FloatArray:
    """Levels of the exact pipeline, shape (percents, J + 1).

    Args:
        experiment: its series have equal lag1.
    """
    return np.array([levels_of(exact_forms(experiment, j)) for j in range(experiment.J + 1)]).T


def fast_levels(experiment: Experiment) -> FloatArray:
    """Levels of the fast pipeline with the plan as it is now, shape (percents, J + 1).

    Args:
        experiment: its series have equal lag1.
    """
    plan = FastPlan(experiment)
    return np.array([levels_of(fast_forms(plan, j)) for j in range(experiment.J + 1)]).T


def main() -> None:
    """Print the differences of all levels, and their root mean square."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--refine", nargs="*", default=[], metavar="NAME=VALUE", help="other constants of the plan, as GRID_STEP=0.6"
    )
    parser.add_argument("--lag1", type=float, default=0.0, help="of both series (default: white noise)")
    parser.add_argument("--jobs", nargs="*", metavar="1/DJ,J", help="as 4,20 (default: five of the evidence)")
    arguments = parser.parse_args()
    for text in arguments.refine:
        name, value = text.split("=")
        for module in [of for full, of in sys.modules.items() if full.startswith("elm11_host_ref.fast.")]:
            if hasattr(module, name):
                setattr(module, name, type(getattr(module, name))(float(value)))
    jobs = [tuple(map(int, text.split(","))) for text in arguments.jobs] if arguments.jobs else JOBS
    print(f"{'job':>12}  rms  fast less exact, 10^-4, j = 0, 1, ...")
    for inverse, J in jobs:
        experiment = Experiment(arguments.lag1, arguments.lag1, 0.25, 1 / inverse, 0.5, J)
        difference = 1e4 * (fast_levels(experiment) - exact_levels(experiment))
        print(f"1/{inverse}, J = {J}".rjust(12) + f"{np.sqrt((difference**2).mean()):5.1f}")
        for percent, row in zip(PERCENTS, difference, strict=True):
            print(f"{percent:12} %   " + " ".join(f"{value:3.0f}" for value in row), flush=True)


if __name__ == "__main__":
    main()
