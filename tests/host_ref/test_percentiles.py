from __future__ import annotations

import warnings

import numpy as np
import pytest
from elm11_host_ref.percentiles import percentile_transform
from hypothesis import given
from hypothesis import strategies as st


def test_by_hand() -> None:
    # One value below 5, two equal to it; and so on: (below + below or equal) / 2 n.
    np.testing.assert_array_equal(percentile_transform(np.array([5, 1, 5, 9])), [0.5, 0.125, 0.5, 0.875])


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=50))
def test_it_is_pycwts_boxpdf(values: list[int]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        helpers = pytest.importorskip("pycwt.helpers")
    expected, _, _ = helpers.boxpdf(values)
    np.testing.assert_allclose(percentile_transform(np.array(values)), expected, atol=1e-12)
