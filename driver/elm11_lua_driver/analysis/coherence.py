"""Wavelet coherence of two series with its significance: everything a picture and a table need."""

from __future__ import annotations

import csv
import dataclasses
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from elm11_host_ref.exact import coherence as host_coherence
from elm11_host_ref.exact import rednoise
from elm11_host_ref.exact import wavelet as wavelets

from ..jobs.job import Job
from ..levels.levels import Significance, significance
from ..levels.quantiles import check_level
from ..series.checks import check_series, default_scales, wavelet_name

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from elm11_host_ref.types import FloatArray, IntArray
    from numpy.typing import ArrayLike, NDArray

    from ..engines import Engine

DEFAULT_UNIT: Final = "unit of dt"


def plain(values: FloatArray | IntArray) -> list[float | int | None]:
    """Values for JSON, NaN as None.

    Args:
        values: shape (n,), any unit.

    Returns:
        The n values, in the unit they had.

    Source: this project: JSON has no NaN.
    """
    return [None if value != value else value for value in values.tolist()]  # noqa: PLR0124  NaN differs from itself


@dataclass(frozen=True, eq=False)
class CoherenceAnalysis:
    """Squared wavelet coherence of two series, and what noise alone would reach.

    A sample is safe at a scale when the ends of the series do not disturb it there, that is, inside
    `cone_of_influence`.

    Attributes:
        names: of the two series, for labels.
        times: shape (n_samples,), any unit.
        coherence: shape (J + 1, n_samples), squared coherence, no unit, 0 to 1.
        phase: shape (J + 1, n_samples), radians, positive where the first series leads.
        cone_of_influence: shape (n_samples,), longest safe Fourier period, unit of dt.
        levels: the significance levels; they hold the job.
    """

    names: tuple[str, str]
    times: FloatArray
    coherence: FloatArray
    phase: FloatArray
    cone_of_influence: FloatArray
    levels: Significance

    @property
    def job(self) -> Job:
        """The simulated job."""
        return self.levels.histogram.job

    @property
    def safe(self) -> NDArray[np.bool_]:
        """Shape (J + 1, n_samples): samples that the ends of the series do not disturb."""
        first = wavelets.first_usable(self.job.sigma, self.job.mother)[:, None]
        sample = np.arange(self.times.size)
        return np.asarray((sample >= first) & (sample < self.times.size - first), np.bool_)

    @property
    def significant(self) -> NDArray[np.bool_]:
        """Shape (J + 1, n_samples): samples above the level of their scale."""
        return np.asarray(self.coherence > self.levels.significance[:, None], np.bool_)

    @property
    def significant_fraction(self) -> float:
        """Part of all safe samples that is significant; 1 - level is expected by chance. NaN without safe samples."""
        safe = self.safe & np.isfinite(self.levels.significance)[:, None]
        return float(self.significant[safe].mean()) if safe.any() else float("nan")

    def by_scale(self) -> dict[str, FloatArray | IntArray]:
        """One value per scale.

        Returns:
            Arrays of shape (J + 1,): `period` and `scale` (unit of dt), `level` and `standard_error` (squared
            coherence), `safe_samples`, and over these the `mean_coherence` and the `significant_fraction` (NaN
            without safe samples).

        Source: Torrence & Compo (1998), section 3g, for `safe_samples`; the shares are this project's own.
        """
        safe = self.safe
        n_safe = safe.sum(axis=1)
        with np.errstate(invalid="ignore"):
            mean = np.where(safe, self.coherence, 0).sum(axis=1) / n_safe
            fraction = (safe & self.significant).sum(axis=1) / n_safe
        fraction[np.isnan(self.levels.significance)] = np.nan
        return {
            "period": self.job.periods,
            "scale": self.job.scales,
            "level": self.levels.significance,
            "standard_error": self.levels.standard_error,
            "mean_coherence": mean,
            "safe_samples": n_safe.astype(np.int64),
            "significant_fraction": fraction,
        }

    def to_dict(self) -> dict[str, Any]:
        """The result as plain values for JSON, NaN as None: that of the significance, and more by scale.

        Source: this project: docs/user-guide.md.
        """
        columns = self.by_scale()
        extra = {name: plain(columns[name]) for name in columns if name not in {"level", "standard_error"}}
        return {
            **self.levels.to_dict(),
            "names": list(self.names),
            "n_samples": int(self.times.size),
            "first_time": float(self.times[0]),
            "last_time": float(self.times[-1]),
            **extra,
            "significant_fraction_of_all": plain(np.array([self.significant_fraction]))[0],
        }

    def to_csv(self, time_unit: str = DEFAULT_UNIT, version: str = "") -> str:
        """The values by scale as a table, after a comment line with the job.

        Args:
            time_unit: unit of dt, for the header.
            version: of the program, for the comment.

        Source: this project: docs/user-guide.md.
        """
        headers = {
            "period": f"period ({time_unit})",
            "scale": f"scale ({time_unit})",
            "level": f"{100 * self.levels.level:g} % level of squared coherence (no unit)",
            "standard_error": "standard error of the level (no unit)",
            "mean_coherence": "mean squared coherence of the safe samples (no unit)",
            "safe_samples": "safe samples (number)",
            "significant_fraction": "significant part of the safe samples (no unit)",
        }
        text = io.StringIO()
        names = " and ".join(" ".join(name.split()) for name in self.names)
        text.write(f"# elm11-lua-driver {version}: coherence of {names}; job {self.job.to_json()}\n")
        writer = csv.writer(text, lineterminator="\n")
        columns = self.by_scale()
        writer.writerow(headers[name] for name in columns)
        for row in zip(*columns.values(), strict=True):
            writer.writerow(f"{value:.10g}" for value in row)
        return text.getvalue()


def analyse(
    x: ArrayLike,
    y: ArrayLike,
    dt: float,
    *,
    dj: float = 1 / 12,
    s0: float | None = None,
    J: int | None = None,
    wavelet: object = "morlet",
    level: float = 0.95,
    engine: Engine | str = "numpy",
    n_simulations: int = 300,
    seed: int = 1,
    pipeline: str = "exact",
    surrogates: str = "ar1",
    scale_box: str = "pycwt",
    pycwt_compatible: bool = False,
    times: ArrayLike | None = None,
    names: tuple[str, str] = ("x", "y"),
    progress: Callable[[int, int], None] | None = None,
    checkpoint: Path | str | None = None,
    target_standard_error: float | None = None,
) -> CoherenceAnalysis:
    """Squared wavelet coherence of two series, with its significance levels against noise.

    Both series are normalised. The noise is red, with the lag-1 autocorrelation of each series. n_simulations, seed,
    pipeline and surrogates are the same as `Job` has, progress, checkpoint and target_standard_error as `run`.

    Args:
        x: shape (n_samples,), evenly spaced, finite, not constant.
        y: shape (n_samples,).
        dt: sampling interval, in any unit of time, > 0.
        dj: spacing of the scales in octaves, > 0.
        s0: smallest scale, in the unit of dt; None takes the one whose Fourier period is 2 dt.
        J: number of scales less one; None goes up to the length of the series.
        wavelet: a name or one of pycwt's instances.
        level: the confidence, 0 < level < 1.
        engine: an engine or its name; see `engines.create`.
        scale_box: "pycwt" or "grinsted", for the coherence and its levels.
        pycwt_compatible: white noise, and NaN for the largest scale's level, as pycwt has it.
        times: shape (n_samples,), in the unit of dt; None counts from 0 in steps of dt.
        names: of the series, for labels.

    Returns:
        The coherence, and its levels with their standard errors.

    Raises:
        ValueError: an argument is outside its range.
        EngineError: the engine failed.

    Source: Grinsted, Moore & Jevrejeva (2004), section 3.
    """
    series_x, series_y = check_series(names[0], x), check_series(names[1], y)
    n_samples = series_x.size
    if series_y.size != n_samples:
        raise ValueError(f"{names[0]} and {names[1]} must have the same length, not {n_samples} and {series_y.size}")
    axis: FloatArray = np.asarray(np.arange(n_samples) * dt if times is None else times, np.float64)
    if axis.shape != series_x.shape:
        raise ValueError(f"times must be as many as samples, {n_samples}, not of shape {axis.shape}")
    level = check_level(level)
    mother = wavelets.WAVELETS[wavelet_name(wavelet)]
    s0, J = default_scales(n_samples, dt, dj, mother, s0, J)
    lag1 = (0.0, 0.0) if pycwt_compatible else (_lag1(names[0], series_x), _lag1(names[1], series_y))
    job = Job(
        *lag1,
        dt=dt,
        dj=dj,
        s0=s0,
        J=J,
        wavelet=mother.name,
        seed=seed,
        surrogates="white" if pycwt_compatible else surrogates,
        scale_box=scale_box,
        n_simulations=n_simulations,
        pipeline=pipeline,
    )
    # The coherence takes a moment, the levels may take an hour: what fails, fails first.
    squared, phase = host_coherence.coherence(
        (series_x - series_x.mean()) / series_x.std(),
        (series_y - series_y.mean()) / series_y.std(),
        job.sigma,
        mother,
        job.box,
    )
    levels = significance(
        job, level, engine, progress, checkpoint=checkpoint, target_standard_error=target_standard_error
    )
    if pycwt_compatible:
        largest = np.arange(job.J + 1) == job.J
        levels = dataclasses.replace(
            levels,
            significance=np.where(largest, np.nan, levels.significance),
            standard_error=np.where(largest, np.nan, levels.standard_error),
        )
    cone = wavelets.cone_of_influence(n_samples, job.dt, mother)
    return CoherenceAnalysis(names, axis, squared, phase, cone, levels)


def _lag1(name: str, series: FloatArray) -> float:
    """Lag-1 autocorrelation; an error names the series."""
    try:
        return rednoise.lag1_autocorrelation(series)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
