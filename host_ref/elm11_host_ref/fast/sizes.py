"""Idea 3, parts: series sampled just finely enough for a part's smallest scale, and no longer than need be.

*Main parts* cover the active scales from the largest down. Where one would be too long, *short parts* take over, one
for each octave of the smallest scales, just long enough for their edges and a piece of the interior.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from .pairs import has_bins
from .weights import TINY, least_power, nearest, up

if TYPE_CHECKING:
    from .parts import Scales

LARGEST_TRANSFORM: Final = 1024

LARGEST_MAIN: Final = 512
"""Longest transform of a main part. Scales that would need a longer one go to short parts."""

LEAST_MAIN: Final = 128
"""Shortest transform of a main part, unless the finest is shorter: what a shorter one saves in a job of some hundred
simulations is less than planning it takes."""

SHORT_LENGTH: Final = 45.0
"""Length of a short part in scales, about: eight times its edges. With more than 2.2 times `FEW_BINS` it is as short as
can be, so that it fits a board's memory, and runs more often."""

DECIMATION: Final = 3.0
"""Samples per smallest scale of a part: the highest frequency is then 3 pi = 6 + 3.4 for that scale."""

EDGE: Final = 6.0
"""A short part's interior begins 6 of its largest scales from its ends; further in, the ends cannot be felt."""

INTERIOR: Final = 8.0
"""Interior of a short part, in scales, at least."""


class Size(NamedTuple):
    """Size of a part.

    Attributes:
        lowest: smallest scale that it counts.
        n: transform length.
        n_samples: samples of its series.
        step: sampling interval, in samples of the experiment.
        edge: distance from the ends at which the interior of a short part begins, in samples of the experiment; None
            if the part has the whole series.
    """

    lowest: int
    n: int
    n_samples: int
    step: float
    edge: float | None = None


def main_size(scales: Scales, i: int) -> Size:
    """Size of a main part whose smallest counted scale is i.

    Args:
        scales: of the experiment, in samples.
        i: number of a scale, 0 to J.
    """
    n_samples = scales.experiment.n_samples
    step = scales.sigma[scales.reach(i)[0]] / DECIMATION
    if step > 1 + TINY:
        n = least_power((n_samples + scales.padding) / step)
        step = (n_samples + scales.padding) / n
        if step > 1 + TINY:
            coarse = nearest(n_samples / step)
            return Size(i, n, coarse, n_samples / coarse)
    return Size(i, scales.experiment.n_padded, n_samples, 1.0)


def main_sizes(scales: Scales) -> list[Size]:
    """Sizes of the main parts, the coarsest first, each from its largest possible range of scales.

    The scales below the last one's `lowest` go to short parts; with no main part, all do.

    Args:
        scales: of the experiment, in samples.
    """
    found: list[Size] = []
    i = scales.experiment.J
    while i >= 0:
        size = main_size(scales, i)
        if size.n > LARGEST_MAIN:
            break
        while i > 0 and main_size(scales, i - 1).n == size.n:
            i -= 1
        found.append(size._replace(lowest=i))
        i -= 1
    while len(found) > 1 and found[0].n < LEAST_MAIN:
        del found[0]
    return found


def short_sizes(scales: Scales, highest: int) -> list[tuple[Size, int]]:
    """Sizes of the short parts for all scales up to a highest, and the highest scale of each; the largest first.

    Args:
        scales: of the experiment, in samples.
        highest: the largest scale, by number.
    """
    found = []
    sigma = scales.sigma
    while highest >= 0:
        lowest = highest
        # An octave; and what is sampled at the full rate anyway.
        while lowest > 0 and (
            sigma[lowest - 1] > sigma[highest] / 2 * (1 + TINY) or sigma[scales.reach(lowest)[0]] <= DECIMATION
        ):
            lowest -= 1
        found.append((_short_size(scales, lowest, highest), highest))
        highest = lowest - 1
    return found


def _short_size(scales: Scales, lowest: int, highest: int) -> Size:
    """Size of a part for scales lowest to highest, as short as their standard errors and its edges allow."""
    experiment, sigma = scales.experiment, scales.sigma
    step = max(1.0, sigma[scales.reach(lowest)[0]] / DECIMATION)
    if step <= 1 + TINY:
        step = 1.0
    widest = sigma[scales.reach(highest)[1]]
    needed = 2 * EDGE * widest + INTERIOR * sigma[highest]
    if has_bins(scales, 22):
        needed = max(SHORT_LENGTH * sigma[highest], needed)
    zeros = min(experiment.n_padded - experiment.n_samples, 8 * widest)
    n = least_power((needed + zeros) / step)
    if n * step < experiment.n_samples + scales.padding - TINY and n < experiment.n_padded:
        return Size(lowest, n, n - up(zeros / step), step, EDGE * widest)
    return main_size(scales, lowest)


def surplus(scales: Scales, size: Size, highest: int) -> float:
    """Factor by which a part needs more pairs than whole series would for the same standard error of its largest scale.

    Samples of weights w are worth (sum w)^2 / sum w^2 equal ones.

    Args:
        scales: of the experiment, in samples.
        size: of the part.
        highest: the part's largest scale, by number.
    """
    if size.edge is None:
        return 1.0
    n_samples, both = scales.experiment.n_samples, 2 * size.edge
    interior = size.n_samples * size.step - both
    ratio = (n_samples - both) / interior
    outside = 2 * scales.first_usable[highest]
    return (interior * ratio * ratio + both - outside) / (n_samples - outside)


def check_size(size: Size, highest: int) -> None:
    """Check that a part's transform is not too long.

    Args:
        size: of the part.
        highest: the part's largest scale, by number.

    Raises:
        ValueError: it is.
    """
    if size.n > LARGEST_TRANSFORM:
        msg = (
            f"the fast pipeline would need a transform of {size.n} points for scales {size.lowest} to {highest}, more "
            f"than {LARGEST_TRANSFORM}; use pipeline exact"
        )
        raise ValueError(msg)
