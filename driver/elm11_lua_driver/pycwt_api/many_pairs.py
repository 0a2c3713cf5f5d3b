"""`wct_significance_many`: significance levels for many pairs of series, equal jobs computed once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from elm11_host_ref.exact import rednoise
from elm11_host_ref.exact import wavelet as wavelets
from elm11_host_ref.names import real

from .._progress import progress_bar
from ..jobs.job import DEFAULT_SEED, Job
from ..levels.levels import Significance
from ..levels.quantiles import check_level
from ..series.checks import check_series, default_scales, wavelet_name
from .backends import histograms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from elm11_host_ref.types import FloatArray

    from ..engines import Engine

DEFAULT_DIGITS: Final = 2
"""Decimals of a lag-1 autocorrelation. Rounding by half a hundredth moves no level by more than 0.0006 at 0.9 and
below, and by 0.0026 at 0.95 (20 000 simulations); two runs of 300 simulations differ by 0.003."""

_SCALE_DIGITS: Final = 10  # significant ones, of dj and s0 / dt: what arithmetic leaves, not what is meant


def wct_significance_many(
    pairs: Sequence[Any],
    dt: float,
    dj: float = 1 / 12,
    s0: float = -1,
    J: int = -1,
    significance_level: float = 0.95,
    wavelet: object = "morlet",
    mc_count: int = 300,
    progress: bool = True,  # noqa: FBT001, FBT002  as in wct_significance
    cache: bool = True,  # noqa: FBT001, FBT002
    backend: str | Engine | None = None,
    n_jobs: int | None = None,
    *,
    digits: int | None = DEFAULT_DIGITS,
    port: str | None = None,
    client: object | None = None,
    target_standard_error: float | None = None,
    seed: int | None = None,
    pipeline: str = "exact",
    scale_box: str = "pycwt",
) -> list[FloatArray]:
    """Significance levels of squared wavelet coherence for many pairs of series.

    Levels depend on the two lag-1 autocorrelations, on dj, s0 / dt, J and the wavelet alone. Pairs in which these are
    equal after rounding share one simulation, in whichever order the two series stand: the coherence of (a, b) has the
    distribution of that of (b, a). The levels are those of the rounded numbers, with the smaller lag-1 first.

    The other arguments are the same as `wct_significance` has; s0 = -1 and J = -1 as in `wct`. All jobs take the same
    seed, and the engine is started once.

    Args:
        pairs: each a pair of series, a pair of lag-1 autocorrelations, or one of each; or a mapping with the keys "x"
            and "y" for these and any of "dt", "dj", "s0", "J" where a pair differs from the others.
        digits: decimals to which lag-1 autocorrelations are rounded, 0 to 15; None for not at all. One that would be
            rounded to 1 or -1 is left as it is.

    Returns:
        For each pair its levels, shape (J + 1,), squared coherence, no unit.

    Raises:
        ValueError: an argument is outside its range; the message begins with the number of the pair, counted from 0.
        EngineError: the backend failed. With `cache`, jobs that were finished are not computed again.

    Source: Grinsted, Moore & Jevrejeva (2004), section 3.4; that pairs share a test is this project's
    (docs/pycwt-users.md, "Many pairs").
    """
    level = check_level(significance_level)
    if digits is not None and not (isinstance(digits, int) and 0 <= digits <= 15):
        raise ValueError(f"digits must be a whole number from 0 to 15, or None, not {digits!r}")
    axes = {"dt": dt, "dj": dj, "s0": s0, "J": J}
    settings: dict[str, Any] = {
        "wavelet": wavelet_name(wavelet),
        "n_simulations": mc_count,
        "seed": DEFAULT_SEED if seed is None else seed,
        "pipeline": pipeline,
        "scale_box": scale_box,
    }
    of_pair = []
    for number, pair in enumerate(pairs):
        try:
            of_pair.append(_job(pair, axes, digits, settings))
        except ValueError as error:
            raise ValueError(f"pair {number}: {error}") from error
    jobs = list(dict.fromkeys(of_pair))
    with progress_bar(f"coherence significance, {len(jobs)} jobs", show=progress) as advance:
        results = histograms(
            jobs,
            advance,
            cache=cache,
            backend=backend,
            n_jobs=n_jobs,
            port=port,
            client=client,
            target_standard_error=target_standard_error,
            level=level,
        )
    levels = {
        job: Significance.from_histogram(result, level, with_errors=False).significance
        for job, result in zip(jobs, results, strict=True)
    }
    return [levels[job].copy() for job in of_pair]


def _job(pair: Any, axes: Mapping[str, Any], digits: int | None, settings: Mapping[str, Any]) -> Job:  # noqa: ANN401
    """The job of a pair, rounded, in the unit of its dt."""
    if isinstance(pair, Mapping):
        unknown = sorted(map(str, set(pair) - {"x", "y", *axes}))
        if unknown or not {"x", "y"} <= set(pair):
            raise ValueError(
                f"must have the keys x and y, and may have {', '.join(axes)}; it has {', '.join(map(str, pair))}"
            )
        axes = {name: pair.get(name, value) for name, value in axes.items()}
        both = (pair["x"], pair["y"])
    else:
        try:
            x, y = pair
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"must be two series, two lag-1 autocorrelations, or a mapping with x and y, not {pair!r:.80}"
            ) from error
        both = (x, y)
    lag1, length = [], None
    for name, one in zip(("x", "y"), both, strict=True):
        if np.ndim(one) == 0:
            lag1.append(_rounded_lag1(real(f"lag-1 of {name}", one), digits))
            continue
        series = check_series(name, one)
        if length not in {None, series.size}:
            raise ValueError(f"x and y must have the same length, not {length} and {series.size}")
        length = series.size
        lag1.append(_rounded_lag1(rednoise.lag1_autocorrelation(series), digits))
    J = axes["J"]
    if J == -1 and length is None:
        raise ValueError(
            "J must be given where there are only lag-1 autocorrelations: it follows from a series' length"
        )
    dt, dj, s0 = (axes[name] for name in ("dt", "dj", "s0"))
    mother = wavelets.WAVELETS[settings["wavelet"]]
    s0, J = default_scales(length or 1, dt, dj, mother, None if s0 == -1 else s0, None if J == -1 else J)
    lower, higher = sorted(lag1)
    return Job(lower, higher, 1.0, _rounded_scale(dj), _rounded_scale(s0 / dt), J, **settings)


def _rounded_lag1(lag1: float, digits: int | None) -> float:
    rounded = lag1 if digits is None else round(lag1, digits) + 0.0  # which makes -0.0 the same as 0.0
    return rounded if abs(rounded) < 1 else lag1


def _rounded_scale(value: float) -> float:
    return float(f"{value:.{_SCALE_DIGITS}g}")
