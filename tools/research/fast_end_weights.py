#!/usr/bin/env python3
"""Fit the constants of the fast pipeline's end weights, and show how well those in use do.

    python tools/research/fast_end_weights.py        prints fitted constants, and errors of those in fast_weights.py

**Grid points.** Near an end of the series, averages are over less, and what they are over ceases. Transforms of white
noise that begins at 0 are correlated at x and y (in scales) like

    c(x, y) = exp(-(x - y)^2 / 4) erfc(-(x + y) / 2) / 2

up to a phase, and products W1 W2* like c^2. The average's variance, relative to the square of its mean power, is
`V = sum w w' g g' c^2(x, x') / (sum w g c(x, x))^2` with g the Gaussian around the output; it is compared with that of
the average over all samples, for outputs from the cone of influence inwards. Without padding there is no end: c then is
`exp(-(x - y)^2 / 4)`, and the series' end is only where the average ends.

**Outputs.** From the cone of influence inwards, the share of coherence above a level falls to that of the interior. Its
course is that of the exact pipeline for white noise, at one scale far from the smallest and the largest
(`fast_theory.py`). FALL and CURVE are fitted so that outputs with their weights have the right sum of what it has more
than the interior.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import fast_theory
import numpy as np
from elm11_host_ref.experiment import Experiment
from elm11_host_ref.fast import weights as fast_weights
from scipy import optimize, special

if TYPE_CHECKING:
    from elm11_host_ref.types import FloatArray

CONE: Final = math.sqrt(2)  # distance of the cone of influence from the end, in scales
OUTPUTS: Final = np.arange(CONE, 5.2, 0.1)
STEPS: Final = (0.25, 0.35, 0.5, 0.6, 0.71, 0.84, 0.95, 1.0, 1.1, 1.19)
PLACES: Final = np.arange(fast_weights.NEAREST - 0.95, fast_weights.NEAREST, 0.1)
OUTPUT_STEPS: Final = (0.5, 0.6, 0.71, 0.84, 1.0, 1.19, 1.41, 1.68, 2.0, 2.38)
FINE: Final = 0.02
DEPTH: Final = 12.0
SCALE: Final = 1000.0  # so many samples that their distance does not matter


@dataclass(frozen=True)
class End:
    """An end of the series.

    Attributes:
        falls: whether products cease there; else they go on.
    """

    falls: bool

    def variance(self, points: FloatArray, weights: FloatArray) -> FloatArray:
        """V at `OUTPUTS`.

        Args:
            points: shape (n,), scales inwards from the end.
            weights: of the same shape.
        """
        apart, middle = points[:, None] - points, (points[:, None] + points) / 2
        c = np.exp(-(apart**2) / 4) * (special.erfc(-middle) / 2 if self.falls else 1.0)
        kernel = np.exp(-((points - OUTPUTS[:, None]) ** 2) / 2) * weights
        found: FloatArray = np.einsum("ok,kl,ol->o", kernel, c**2, kernel) / (kernel @ np.diag(c)) ** 2
        return found

    def of_all_samples(self) -> FloatArray:
        """V of the average that is meant."""
        points = (FINE * (np.arange(int(DEPTH / FINE)) + 0.5)).astype(np.float64)
        return self.variance(points, np.ones_like(points))

    def errors(self, step: float, place: float, weight: float, exact: FloatArray) -> FloatArray:
        """Relative errors of V with a grid whose last point, `place` steps inside the end, has this weight."""
        points = (step * (place + np.arange(int(DEPTH / step)))).astype(np.float64)
        weights = np.ones_like(points)
        weights[0] = weight
        return self.variance(points, weights) / exact - 1


def fitted_cubic(end: End) -> FloatArray:
    """Coefficients of 1, x, x^2 and x^3, times the step in scales, which with 1/2 + x make the last point's weight."""
    exact = end.of_all_samples()
    # Coherence near the cone of influence decides most about how often it is large.
    importance = np.sqrt(np.exp(-(OUTPUTS - CONE)) + 0.15)

    def errors(coefficients: FloatArray) -> FloatArray:
        return np.concatenate(
            [
                importance * end.errors(step, x, 0.5 + x + step * float(np.polyval(coefficients[::-1], x)), exact)
                for step in STEPS
                for x in PLACES
            ]
        )

    found: FloatArray = optimize.least_squares(errors, np.zeros(4)).x
    return found


def errors_in_use(end: End) -> FloatArray:
    """Root mean square of the relative errors of V over the outputs, shape (steps, places), as the pipeline has it."""
    exact = end.of_all_samples()
    found = []
    for step in STEPS:
        for x in PLACES:
            padding = 10 * SCALE if end.falls else 0.0
            ends = fast_weights.point_weights(-x * step * SCALE, 50 * SCALE, 0.0, step * SCALE, SCALE, padding)
            weight = ends[2][0]
            found.append(math.sqrt((end.errors(step, x, weight, exact) ** 2).mean()))
    return np.array(found).reshape(len(STEPS), -1)


@dataclass(frozen=True)
class Course:
    """What the interior has less of coherence above some levels.

    Attributes:
        places: shape (n,), scales inwards from the cone of influence.
        falling: shape (percents, n).
    """

    places: FloatArray
    falling: FloatArray

    @classmethod
    def of_white_noise(cls) -> Course:
        """That of one scale of the exact pipeline."""
        experiment, j = Experiment(0.0, 0.0, 0.25, 0.25, 0.5, 20), 12
        sigma = float(experiment.sigma[j])
        until = int((CONE + 6) * sigma)
        coherence = [fast_theory.coherence_of(fast_theory.exact_factor(experiment, j, t)) for t in range(until)]
        levels = np.quantile(coherence[-1], np.array(fast_theory.PERCENTS) / 100)
        above = np.array([[float((values > level).mean()) for values in coherence] for level in levels])
        places = ((np.arange(until) + 0.5) / sigma - CONE).astype(np.float64)
        return cls(places, above - above[:, -16:].mean(axis=1, keepdims=True))

    def errors(self, step: float) -> FloatArray:
        """Relative errors of sums over outputs `step` scales apart, with its weights, shape (percents, places)."""
        fine = np.arange(FINE / 2, self.places[-1], FINE)
        found = []
        for of_percent in self.falling:
            whole = np.interp(fine, self.places, of_percent).sum() * FINE
            for place in np.arange(0.025, 1, 0.05):
                low, weights = fast_weights.output_weights(-place * step * SCALE, 50 * SCALE, 0.0, step * SCALE, SCALE)
                outputs = step * (place + low + np.arange(len(weights)))
                found.append(step * (weights @ np.interp(outputs, self.places, of_percent, right=0.0)) / whole - 1)
        return np.array(found).reshape(len(self.falling), -1)

    def fitted(self) -> FloatArray:
        """FALL and CURVE."""
        in_use = fast_weights.FALL, fast_weights.CURVE

        def errors(constants: FloatArray) -> FloatArray:
            _use(*constants)
            return np.concatenate([self.errors(step).ravel() for step in OUTPUT_STEPS])

        found: FloatArray = optimize.least_squares(errors, np.array(in_use), diff_step=1e-3).x
        _use(*in_use)
        return found


def _use(fall: float, curve: float) -> None:
    """Give the plan other constants."""
    root = math.sqrt(curve)
    integral = math.sqrt(math.pi) / (2 * root) * float(special.erfcx(fall / (2 * root)))
    for name, value in (("FALL", fall), ("CURVE", curve), ("FALL_INTEGRAL", integral)):
        setattr(fast_weights, name, value)
    fast_weights.fall_table.cache_clear()


def main() -> None:
    """Print constants and errors."""
    for end in (End(falls=True), End(falls=False)):
        print("Products " + ("cease at the end:" if end.falls else "go on:"))
        print("  cubic, fitted:", np.round(fitted_cubic(end), 3))
        errors = 1e4 * errors_in_use(end)
        print("  V in use, relative errors, 10^-4; steps of", STEPS, "scales")
        print("    root mean square over places:", np.round(np.sqrt((errors**2).mean(axis=1)), 1))
        print("    largest:                     ", np.round(errors.max(axis=1), 1))
    course = Course.of_white_noise()
    print("FALL and CURVE, fitted:", np.round(course.fitted(), 3))
    print("  sums in use, relative errors, 10^-2, root mean square over places; steps of", OUTPUT_STEPS, "scales")
    sums = [1e2 * np.sqrt((course.errors(step) ** 2).mean(axis=1)) for step in OUTPUT_STEPS]
    for percent, of_percent in zip(fast_theory.PERCENTS, np.transpose(sums), strict=True):
        print(f"    {percent} %:", np.round(of_percent, 1))


if __name__ == "__main__":
    main()
