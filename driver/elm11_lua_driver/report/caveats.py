"""Caveats of a result, in words, each with advice."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from ..jobs.job import Job
from ..jobs.provenance import versions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..jobs.provenance import Provenance
    from ..levels.levels import Significance

LARGE_ERROR: Final = 0.02
"""Squared coherence. The levels of white and of red noise differ by as much (0.023 at most): an error of that size
hides what the test is for."""

GOOD_ERROR: Final = 0.01
"""Standard error that the advised number of simulations reaches."""

FEW_GROUPS: Final = 10
"""An estimate from g groups knows the standard error to one part in sqrt(2 (g - 1)): 24 % at ten."""

FEW_ABOVE: Final = 10
"""Independent values that should lie above the level; with fewer it hangs on single series."""

_VALUES_PER_SIMULATION: Final = 2
"""Independent values of a simulation at the largest scale: the series are six times as long."""


@dataclass(frozen=True)
class Caveat:
    """Something that a reader should know before relying on a result.

    Attributes:
        severity: "severe" where the levels should not be used as they are, else "remark".
        what: the problem.
        advice: what to do.
    """

    severity: Literal["severe", "remark"]
    what: str
    advice: str


def caveats(result: Significance, sessions: Sequence[Provenance] = ()) -> list[Caveat]:
    """All caveats of a result, the severe ones first.

    Args:
        result: the levels, of some or all simulations of their job.
        sessions: engines and versions of the computation, as far as known.
    """
    found = [
        *_of_simulations(result),
        *_of_errors(result),
        *_of_levels(result),
        *_of_job(result.histogram.job),
        *_of_sessions(sessions),
    ]
    return sorted(found, key=lambda caveat: caveat.severity != "severe")


def _of_simulations(result: Significance) -> Iterator[Caveat]:
    histogram, job = result.histogram, result.histogram.job
    n = histogram.n_simulations
    if not histogram.is_complete and result.target_standard_error is not None and result.precision()["reached"]:
        yield Caveat(
            severity="remark",
            what=f"It stopped after {n} of {job.n_simulations} simulations.",
            advice=f"No standard error is larger than the target, {result.target_standard_error:g}, as asked for.",
        )
    elif not histogram.is_complete:
        yield Caveat(
            severity="remark",
            what=f"Only {n} of {job.n_simulations} simulations are in the file.",
            advice="The levels are right for these, with the standard errors shown. The command that wrote the file "
            "goes on with the rest.",
        )
    above = _VALUES_PER_SIMULATION * n * (1 - result.level)
    if above < FEW_ABOVE:
        needed = math.ceil(FEW_ABOVE / (_VALUES_PER_SIMULATION * (1 - result.level)) - 1e-9)
        yield Caveat(
            severity="severe",
            what=f"{n} simulation{'s are' if n != 1 else ' is'} too few for a {100 * result.level:g} % level: at the "
            f"largest scale, where each holds about {_VALUES_PER_SIMULATION} independent values, about {above:.2g} of "
            "them lie above it.",
            advice=f"Compute at least {needed} simulations.",
        )


def _of_errors(result: Significance) -> Iterator[Caveat]:
    histogram, job = result.histogram, result.histogram.job
    errors, n_groups = result.standard_error, _n_groups(result)
    if not np.isfinite(errors).any():
        yield Caveat(
            severity="severe",
            what="There are no standard errors: all simulations are in one block, which does not show how much "
            "simulations scatter.",
            advice="Compute the same job in several blocks (elm11 run without --detach), or on this computer.",
        )
        return
    worst = int(np.nanargmax(errors))
    if errors[worst] > LARGE_ERROR:
        needed = histogram.n_simulations * (float(errors[worst]) / GOOD_ERROR) ** 2
        yield Caveat(
            severity="severe",
            what=f"The level at period {job.periods[worst]:.3g} has a standard error of {errors[worst]:.3f}, more than "
            f"{LARGE_ERROR:g}.",
            advice=f"About {float(f'{needed:.2g}'):.0f} simulations bring it to {GOOD_ERROR:g}.",
        )
    if n_groups < FEW_GROUPS:
        yield Caveat(
            severity="remark",
            what=f"The standard errors come from {n_groups} groups of simulations, and are themselves uncertain by "
            f"{100 / math.sqrt(2 * (n_groups - 1)):.0f} %.",
            advice="More simulations make more groups.",
        )


def _n_groups(result: Significance) -> int:
    job = result.histogram.job
    return len({part.start // job.group_size for part in result.histogram.parts})


def _of_levels(result: Significance) -> Iterator[Caveat]:
    job = result.histogram.job
    without = job.periods[~np.isfinite(result.significance)]
    if without.size:
        yield Caveat(
            severity="severe",
            what=f"There is no level at {without.size} of {job.J + 1} scales (periods {without[0]:.3g} to "
            f"{without[-1]:.3g}): no sample was counted there.",
            advice="Compute more simulations.",
        )
    near_one = job.periods[np.nan_to_num(result.significance) > 1 - 1 / job.n_bins]
    if near_one.size:
        yield Caveat(
            severity="severe",
            what=f"The level lies in the last bin, next to 1, at period {near_one[0]:.3g}: noise is often fully "
            "coherent there, since too little is smoothed.",
            advice="Leave out these scales (s0), or space the scales more closely (dj).",
        )


def _of_job(job: Job) -> Iterator[Caveat]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Job.from_json(job.to_json())  # a job warns of its own caveats when it is made
    for warning in caught:
        yield Caveat(severity="severe", what=f"{warning.message}.", advice="Begin with a larger s0; 2 dt is usual.")
    if job.surrogates == "white" and (job.lag1_x, job.lag1_y) != (0, 0):
        yield Caveat(
            severity="remark",
            what="The noise is white, although the series have lag-1 autocorrelations.",
            advice="That is what pycwt computes. For levels against red noise, leave out --surrogates white.",
        )
    if job.wavelet != "morlet":
        yield Caveat(
            severity="remark",
            what=f"The smoothing of the {job.wavelet} wavelet's coherence is not settled in the literature.",
            advice="Compare these levels only with coherence from the same program.",
        )


def _of_sessions(sessions: Sequence[Provenance]) -> Iterator[Caveat]:
    ours = versions()["elm11-lua-driver"]
    others = sorted({session.versions.get("elm11-lua-driver", "unknown") for session in sessions} - {ours})
    if others:
        yield Caveat(
            severity="remark",
            what=f"Version {', '.join(others)} of this program has counted, and version {ours} writes this page.",
            advice="The change log says whether counts have changed between them.",
        )
