"""Significance levels, printed for people or as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from .. import analysis, jobs, plotting
from .._files.atomic import check_writable
from ..config import FileName
from ._messages import echo, echo_json

if TYPE_CHECKING:
    from ..levels.levels import Significance


def _check_plot(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    """The picture's name, if it can be written; before the computation, not after it."""
    if value is not None:
        try:
            plotting.check_suffix(value)
            check_writable(value)
        except ValueError as error:
            raise click.BadParameter(str(error)) from error
    return value


plot_option = click.option(
    "--plot",
    type=FileName(),
    metavar="FILE",
    callback=_check_plot,
    help="Draw the levels over period, with standard errors, here: .png, .pdf, .svg, .jpg or .tif.",
)


def print_levels(
    result: Significance, *, as_json: bool, more: dict[str, Any] | None = None, plot: str | None = None
) -> None:
    """Print levels on standard output, and draw them."""
    if plot is not None:
        _write_plot(result, plot)
        more = {**(more or {}), "plot": plot}
    if as_json:
        echo_json({**result.to_dict(), **(more or {})})
        return
    echo(simulated(result))
    echo()
    columns = {
        "period": result.histogram.job.periods,
        "scale": result.histogram.job.scales,
        "level": result.significance,
        "standard_error": result.standard_error,
    }
    echo(level_table(columns, ""))
    target = result.target_standard_error
    if target is not None:
        reached = "reached" if result.precision()["reached"] else "not reached; allow more --simulations"
        echo(f"largest standard error {result.max_standard_error:.2g}, target {target:g} {reached}")
    if plot is not None:
        echo(f"picture: {plot}")


def _write_plot(result: Significance, path: str) -> None:
    ax = plotting.plot_significance(result)
    ax.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 1))  # above, where no bar can be
    figure = ax.get_figure(root=True)
    assert figure is not None
    made_by = f"elm11-lua-driver {jobs.provenance.__version__}"
    plotting.save_figure(figure, path, f"{made_by}, job {result.histogram.job.to_json()}")


def simulated(result: Significance) -> str:
    """One line on the simulations."""
    job = result.histogram.job
    noise = f"lag-1 {job.noise_lag1[0]:.4g} and {job.noise_lag1[1]:.4g}" if any(job.noise_lag1) else "white"
    n = result.histogram.n_simulations
    return (
        f"{100 * result.level:g} % levels against noise ({noise}): {n} simulation{'s' * (n != 1)} of "
        f"{job.n_samples} samples, seed {job.seed}, engine {result.engine}, {result.seconds:.2g} s"
    )


def level_table(columns: dict[str, Any], time_unit: str) -> str:
    """Values by scale, for people."""
    unit = time_unit or analysis.DEFAULT_UNIT
    heads = {
        "period": "period",
        "scale": "scale",
        "level": "level",
        "standard_error": "std. error",
        "mean_coherence": "mean coh.",
        "safe_samples": "safe",
        "significant_fraction": "signif.",
    }
    formats = {"period": ".4g", "scale": ".4g", "safe_samples": "d"}
    lines = ["".join(f"{heads[name]:>12}" for name in columns)]
    for row in zip(*columns.values(), strict=True):
        cells = [format(value, formats.get(name, ".4f")) for name, value in zip(columns, row, strict=True)]
        lines.append("".join(f"{cell:>12}" for cell in cells))
    lines.append(f"(period and scale: {unit}; the others have no unit)")
    return "\n".join(lines)
