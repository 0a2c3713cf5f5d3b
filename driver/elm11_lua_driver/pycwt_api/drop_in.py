"""`wct_significance` and `wct` with pycwt's arguments and returns, and without its faults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from elm11_host_ref.exact import coherence, rednoise
from elm11_host_ref.exact import wavelet as wavelets

from .._progress import progress_bar
from ..jobs.job import DEFAULT_SEED, Job
from ..levels.levels import Significance
from ..levels.quantiles import check_level
from ..series.checks import check_series, default_scales, wavelet_name
from .backends import histograms

if TYPE_CHECKING:
    from pathlib import Path

    from elm11_host_ref.types import FloatArray
    from numpy.typing import ArrayLike

    from ..engines import Engine


def wct_significance(
    al1: float,
    al2: float,
    dt: float,
    dj: float,
    s0: float,
    J: int,
    significance_level: float = 0.95,
    wavelet: object = "morlet",
    mc_count: int = 300,
    progress: bool = True,  # noqa: FBT001, FBT002  pycwt's interface
    cache: bool = True,  # noqa: FBT001, FBT002
    backend: str | Engine | None = None,
    n_jobs: int | None = None,
    *,
    port: str | None = None,
    client: object | None = None,
    checkpoint: Path | str | None = None,
    target_standard_error: float | None = None,
    seed: int | None = None,
    pipeline: str = "exact",
    scale_box: str = "pycwt",
    pycwt_compatible: bool = False,
) -> FloatArray:
    """Significance levels of squared wavelet coherence, as `pycwt.wct_significance` means them.

    Args:
        al1: lag-1 autocorrelation of the first series, -1 < al1 < 1.
        al2: lag-1 autocorrelation of the second series.
        dt: sampling interval, in any unit of time, > 0.
        dj: spacing of the scales in octaves, > 0.
        s0: smallest scale, in the unit of dt.
        J: number of scales less one.
        significance_level: the confidence, between 0 and 1.
        wavelet: a name or one of pycwt's instances, see `wavelet_name`.
        mc_count: number of simulations, at least 1.
        progress: show a progress bar where standard error is a terminal.
        cache: read and keep the counts in the user's cache folder, under the job's hash (see `cache`).
        backend: the engine; it does not change the result. None takes the fastest one here, and never a board.
            "numpy" or "sequential" is this process, "joblib" worker processes, "dask" a Dask cluster, "elm11_lua" a
            board, "lua" the board's programs in this process. An engine will do as well.
        n_jobs: worker processes for "joblib" and None; -1 for one on each core. Others have no use for it.
        port: the board's port, for "elm11_lua"; ``virtual://`` for a virtual board. None takes ``ELM11_PORT``, or the
            only board found.
        client: a `distributed.Client` or a scheduler's address, for "dask"; None takes the client made last.
        checkpoint: a file, ``.npz`` or ``.json``, that keeps what is finished; the same call goes on from it.
        target_standard_error: stop as soon as no scale's level has a larger standard error, 0 to 1, and after mc_count
            simulations at the latest.
        seed: 0 to 2**64 - 1; None is 1, so that a call without it can be repeated too.
        pipeline: "exact", or "fast", a small part of the work; see `Job`.
        scale_box: "pycwt" or "grinsted"; use the same for the coherence.
        pycwt_compatible: white noise whatever al1 and al2, and NaN for the largest scale, as pycwt has it.

    Returns:
        Shape (J + 1,), squared coherence, no unit.

    Raises:
        ValueError: an argument is outside its range.
        EngineError: the backend failed.

    Source: Grinsted, Moore & Jevrejeva (2004), section 3.4.
    """
    job = Job(
        lag1_x=0.0 if pycwt_compatible else al1,
        lag1_y=0.0 if pycwt_compatible else al2,
        dt=dt,
        dj=dj,
        s0=s0,
        J=J,
        wavelet=wavelet_name(wavelet),
        seed=DEFAULT_SEED if seed is None else seed,
        n_simulations=mc_count,
        pipeline=pipeline,
        surrogates="white" if pycwt_compatible else "ar1",
        scale_box=scale_box,
    )
    level = check_level(significance_level)
    with progress_bar("coherence significance", show=progress) as advance:
        (histogram,) = histograms(
            [job],
            advance,
            cache=cache,
            backend=backend,
            n_jobs=n_jobs,
            port=port,
            client=client,
            checkpoint=checkpoint,
            target_standard_error=target_standard_error,
            level=level,
        )
    result = Significance.from_histogram(histogram, level, with_errors=False).significance
    if pycwt_compatible:
        result[-1] = np.nan
    return result


def wct(
    y1: ArrayLike,
    y2: ArrayLike,
    dt: float,
    dj: float = 1 / 12,
    s0: float = -1,
    J: int = -1,
    sig: bool = True,  # noqa: FBT001, FBT002  pycwt's interface
    significance_level: float = 0.95,
    wavelet: object = "morlet",
    normalize: bool = True,  # noqa: FBT001, FBT002
    *,
    scale_box: Literal["pycwt", "grinsted"] = "pycwt",
    **kwargs: Any,  # noqa: ANN401  handed on to wct_significance, which checks them
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]:
    """Wavelet coherence of two series, as `pycwt.wct`; dt, dj, significance_level and wavelet as `wct_significance`.

    Args:
        y1: shape (n_samples,), evenly spaced.
        y2: shape (n_samples,).
        s0: smallest scale, in the unit of dt; -1 takes the one whose Fourier period is 2 dt.
        J: number of scales less one; -1 goes up to the length of the series.
        sig: also compute significance levels.
        normalize: take off the mean and divide by the standard deviation first.
        scale_box: "pycwt" or "grinsted", for the coherence and its levels.
        **kwargs: for `wct_significance`: mc_count, progress, cache, backend, n_jobs, port, client, checkpoint,
            target_standard_error, seed, pipeline, pycwt_compatible.

    Returns:
        `(WCT, aWCT, coi, freq, sig)`: squared coherence and phase in radians (positive where y1 leads), each of
        shape (J + 1, n_samples); cone of influence as the longest safe Fourier period, shape (n_samples,), unit of
        dt; Fourier frequencies, shape (J + 1,), 1 / unit of dt; levels, shape (J + 1,), or `[0]` without them.

    Raises:
        ValueError: an argument is outside its range.
        EngineError: the backend failed.

    Source: Torrence & Webster (1999); Grinsted, Moore & Jevrejeva (2004), section 3.3.
    """
    x, y = check_series("y1", y1), check_series("y2", y2)
    if x.size != y.size:
        raise ValueError(f"y1 and y2 must have the same length, not {x.size} and {y.size}")
    check_level(significance_level)
    mother = wavelets.WAVELETS[wavelet_name(wavelet)]
    s0, J = default_scales(x.size, dt, dj, mother, None if s0 == -1 else s0, None if J == -1 else J)
    lag1 = (rednoise.lag1_autocorrelation(x), rednoise.lag1_autocorrelation(y)) if sig else (0.0, 0.0)
    # The job's checks are those of the transform as well, so a bad argument gets the same words with sig=False.
    job = Job(*lag1, dt=dt, dj=dj, s0=s0, J=J, wavelet=mother.name, scale_box=scale_box)
    if normalize:
        x, y = (x - x.mean()) / x.std(), (y - y.mean()) / y.std()
    squared, phase = coherence.coherence(x, y, job.sigma, mother, job.box)
    cone = wavelets.cone_of_influence(x.size, dt, mother)
    levels = (
        wct_significance(*lag1, dt, dj, s0, J, significance_level, mother.name, scale_box=scale_box, **kwargs)
        if sig
        else np.zeros(1)
    )
    return squared, phase, cone, 1 / job.periods, levels
