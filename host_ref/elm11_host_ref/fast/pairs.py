"""Idea 1, pairs: a part draws m series of either kind and counts the coherence of all m^2 pairs.

Pairs that share a series are nearly independent (`INFORMATION`), and most of the work is the series', not the pairs'.
How many series fit is a question of a board's memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .parts import Scales

INFORMATION: Final = {1: 10, 2: 38, 4: 150}
"""Worth of all pairs of m series with m others, in tenths of an independent pair: `docs/fast-pipeline.md` has
what was measured, and on which jobs these were settled."""

PAIR_ROOM: Final = 31_000
"""Smoothed rows of all pairs of a part may have so many points in all, if all its points were outputs."""

LARGEST_SHARED: Final = 256
"""Transform length up to which a part has more than one series of either kind."""

FEW_BINS: Final = 11_700
"""A histogram with more bins in all leaves a board less memory: half of the room, a quarter from twice as many bins on,
hardly any beyond two and a half times as many."""

FEW_BINS_OF_SMALL: Final = 17_500
"""The same for series of few samples, whose parts take little beside it."""

SMALL: Final = 128
"""That is, whose transform in the exact pipeline has so many points at most."""


def has_bins(scales: Scales, tenths: int) -> bool:
    """True if the histogram has at most so many tenths of `FEW_BINS`.

    Args:
        scales: of the experiment, in samples.
        tenths: limit, in tenths of `FEW_BINS`.
    """
    few = FEW_BINS_OF_SMALL if scales.experiment.n_padded <= SMALL else FEW_BINS
    return 10 * len(scales.sigma) * scales.experiment.n_bins <= tenths * few


def n_series(scales: Scales, n: int) -> int:
    """Number of series of either kind in a part of n points.

    Args:
        scales: of the experiment, in samples.
        n: transform length, in points.
    """
    if n > LARGEST_SHARED:
        return 1
    share = next((of for tenths, of in ((10, 1), (20, 2), (25, 4)) if has_bins(scales, tenths)), 16)
    room = PAIR_ROOM // share // (n * len(scales.box))
    return next((m for m in (4, 2) if 2 * m * (m + 1) <= room), 1)
