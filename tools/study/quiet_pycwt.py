"""pycwt without the warning and the line that it prints."""

from __future__ import annotations

import contextlib
import io
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

__all__ = ["MORLET", "levels", "pycwt"]

if TYPE_CHECKING:
    from elm11_host_ref.types import FloatArray

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # pycwt 0.5.0b0 uses a deprecated SciPy namespace
    import pycwt

MORLET = pycwt.Morlet(6)


def levels(lag1: float, dt: float, dj: float, s0: float, J: int, n_simulations: int, seed: int = 1) -> FloatArray:
    """`pycwt.wct_significance` with nothing cached: shape (J + 1,), the last one NaN."""
    np.random.seed(seed)  # noqa: NPY002  pycwt has no other way to be seeded
    with contextlib.redirect_stdout(io.StringIO()):
        result: Any = pycwt.wct_significance(
            lag1, lag1, dt, dj, s0, J, wavelet=MORLET, mc_count=n_simulations, progress=False, cache=False
        )
    return np.asarray(result, np.float64)
