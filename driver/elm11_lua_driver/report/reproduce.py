"""The command and the Python code that recompute a histogram."""

from __future__ import annotations

import dataclasses
import shlex
from typing import TYPE_CHECKING, Final

from ..jobs.job import Job

if TYPE_CHECKING:
    from ..jobs.histogram import Histogram

_DEFAULTS: Final = {field.name: field.default for field in dataclasses.fields(Job)}
_OPTIONS: Final = {
    "wavelet": "--wavelet",
    "pipeline": "--pipeline",
    "surrogates": "--surrogates",
    "scale_box": "--scale-box",
}


def command(
    job: Job, level: float, subcommand: str = "significance", target_standard_error: float | None = None
) -> str | None:
    """The shell command that computes a job.

    Returns:
        One line; None if there is none, since `n_bins` is no option of the commands.
    """
    if job.n_bins != _DEFAULTS["n_bins"]:
        return None
    words = ["elm11", subcommand, "--lag1", repr(job.lag1_x), repr(job.lag1_y)]
    words += ["--dt", repr(job.dt), "--dj", repr(job.dj), "--s0", repr(job.s0), "--scales", str(job.J)]
    for name, option in _OPTIONS.items():
        if getattr(job, name) != _DEFAULTS[name]:
            words += [option, str(getattr(job, name))]
    words += ["--level", repr(level), "--simulations", str(job.n_simulations), "--seed", str(job.seed)]
    if target_standard_error is not None:
        words += ["--target-standard-error", repr(target_standard_error)]
    return shlex.join(words)


def python_lines(histogram: Histogram, level: float) -> str:
    """Python code that recomputes the counts and checks them.

    Returns:
        Lines that end with a check of the counts.
    """
    job = histogram.job
    arguments = ", ".join(f"{field.name}={getattr(job, field.name)!r}" for field in dataclasses.fields(job))
    lines = [f"job = Job({arguments})"]
    if histogram.is_complete:
        names = "Job, significance"
        lines += [f"result = significance(job, level={level!r})", "histogram = result.histogram"]
    else:
        names = "Job, NumpyEngine"
        engine = "NumpyEngine().simulate(job, {!r}, progress=print)"
        for position, simulations in enumerate(histogram.ranges):
            lines.append(f"histogram {'+' if position else ''}= {engine.format(simulations)}")
    lines.append(f'assert histogram.sha256 == "{histogram.sha256}"')
    return "\n".join([f"from elm11_lua_driver import {names}", "", *lines])
