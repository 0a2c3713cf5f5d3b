"""Series whose values are far from normal, made even."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .types import AnyArray, FloatArray


def percentile_transform(series: AnyArray) -> FloatArray:
    """Each value replaced by its rank among all values of the series.

    The significance test takes both series for normal red noise. A series with two humps, as the Baltic ice extent,
    reacts "more linearly" as percentiles, and has no outliers.

    Args:
        series: shape (n_samples,), finite, any unit.

    Returns:
        Shape (n_samples,), no unit, between 0 and 1: the fraction of values below, plus half of those equal (itself
        among them).

    Source: Grinsted, Moore & Jevrejeva (2004), section 2; equal to `boxpdf` of their toolbox and of pycwt.
    """
    values = np.asarray(series, float)
    ordered = np.sort(values)
    below = np.searchsorted(ordered, values, side="left")
    not_above = np.searchsorted(ordered, values, side="right")
    fractions: FloatArray = (below + not_above) / (2 * values.size)
    return fractions
