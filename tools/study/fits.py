"""Power laws and straight lines through measurements, with confidence intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.stats

if TYPE_CHECKING:
    from elm11_host_ref.types import AnyArray, FloatArray
    from numpy.typing import ArrayLike

CONFIDENCE = 0.95


@dataclass(frozen=True, eq=False)
class _LeastSquares:
    """Ordinary least squares `target = design @ coefficients`.

    Attributes:
        coefficients: shape (n_coefficients,).
        covariance: of the coefficients, shape (n_coefficients, n_coefficients).
        residual_sd: standard deviation of a single measurement.
        t: the quantile of Student's distribution for the confidence.
    """

    coefficients: FloatArray
    covariance: FloatArray
    residual_sd: float
    t: float

    @property
    def half_widths(self) -> FloatArray:
        """Of the confidence intervals of the coefficients, shape (n_coefficients,)."""
        result: FloatArray = self.t * np.sqrt(np.diag(self.covariance))
        return result


def _least_squares(design: AnyArray, target: AnyArray) -> _LeastSquares:
    n, k = design.shape
    if n <= k:
        msg = f"{k} coefficients need more than {k} measurements, not {n}"
        raise ValueError(msg)
    coefficients, *_ = np.linalg.lstsq(design, target, rcond=None)
    variance = float(((target - design @ coefficients) ** 2).sum()) / (n - k)
    covariance = variance * np.linalg.inv(design.T @ design)
    t = float(scipy.stats.t.ppf((1 + CONFIDENCE) / 2, n - k))
    return _LeastSquares(coefficients, covariance, float(np.sqrt(variance)), t)


@dataclass(frozen=True, eq=False)
class PowerLaw:
    """`y = factor * product x_i**exponent_i`.

    Attributes:
        factor: y where all x are 1.
        exponents: shape (n_variables,).
        half_widths: of the 95 % confidence intervals of the exponents, shape (n_variables,).
        fit: the line in the logarithms.
        n: number of measurements.
    """

    factor: float
    exponents: FloatArray
    half_widths: FloatArray
    fit: _LeastSquares
    n: int

    def predict(self, *x: float) -> tuple[float, float, float]:
        """`(y, low, high)` at a point, with the 95 % interval in which a new measurement there would lie.

        Beyond the measured range the interval says only how well the law is known if it goes on to hold.
        """
        row = np.log(np.array([np.e, *x]))
        centre = float(row @ self.fit.coefficients)
        spread = self.fit.t * float(np.sqrt(self.fit.residual_sd**2 + row @ self.fit.covariance @ row))
        return float(np.exp(centre)), float(np.exp(centre - spread)), float(np.exp(centre + spread))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "factor": self.factor,
            "exponents": self.exponents.tolist(),
            "half_widths": self.half_widths.tolist(),
            "residual_percent": 100 * float(np.expm1(self.fit.residual_sd)),
            "n": self.n,
        }


def power_law(variables: ArrayLike, y: ArrayLike) -> PowerLaw:
    """Fit a power law by least squares of the logarithms, so that errors count in proportion.

    Args:
        variables: shape (n_measurements, n_variables), > 0.
        y: shape (n_measurements,), > 0.

    Raises:
        ValueError: there are too few measurements, or values that are not positive.
    """
    x, values = np.atleast_2d(np.asarray(variables, float)), np.asarray(y, float)
    if not ((x > 0).all() and (values > 0).all()):
        msg = "a power law needs positive values"
        raise ValueError(msg)
    fit = _least_squares(np.column_stack([np.ones(len(x)), np.log(x)]), np.log(values))
    return PowerLaw(float(np.exp(fit.coefficients[0])), fit.coefficients[1:], fit.half_widths[1:], fit, len(values))


@dataclass(frozen=True)
class Line:
    """`y = start + slope * x`, with half-widths of the 95 % confidence intervals."""

    start: float
    start_half_width: float
    slope: float
    slope_half_width: float


def line(x: ArrayLike, y: ArrayLike) -> Line:
    """Fit a straight line by least squares of the relative errors: times vary in proportion to their length.

    Args:
        x: shape (n_measurements,).
        y: shape (n_measurements,), > 0.

    Raises:
        ValueError: there are too few measurements, or values of y that are not positive.
    """
    abscissa, values = np.asarray(x, float), np.asarray(y, float)
    if not (values > 0).all():
        msg = "a line with relative errors needs positive values"
        raise ValueError(msg)
    fit = _least_squares(np.column_stack([np.ones_like(abscissa), abscissa]) / values[:, None], np.ones_like(values))
    (start, slope), (start_half, slope_half) = fit.coefficients.tolist(), fit.half_widths.tolist()
    return Line(start, start_half, slope, slope_half)
