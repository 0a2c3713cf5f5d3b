"""`elm11 report`: a result as one HTML page."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ... import jobs
from ... import report as report_package
from ..._files.atomic import atomic_file, check_writable
from ...config import FileName
from .._job_options import level_type
from .._messages import echo, echo_json, info, remarks_option
from .._options import json_option

if TYPE_CHECKING:
    from ...jobs.storage import StoredRun


@click.command(short_help="Build a one-page HTML report to share.")
@click.argument("result", metavar="RESULT", type=FileName())
@click.option(
    "-o",
    "--output",
    type=FileName(),
    metavar="FILE",
    help="Write the page here.  [default: RESULT with the extension .html]",
)
@click.option("--level", type=level_type, help="Confidence of the levels.  [default: the one it was computed for]")
@click.option("--time-unit", default="", metavar="TEXT", help="Unit of dt, for axes and tables.")
@click.option("--title", default="", metavar="TEXT", help="Heading of the page.")
@json_option
@remarks_option
def report(result: str, output: str | None, level: float | None, time_unit: str, title: str, *, as_json: bool) -> None:
    """Build a one-page HTML report: levels with standard errors, histogram, convergence, how to reproduce it.

    RESULT is a histogram's file (.npz or .json), complete or partial, from --checkpoint, elm11 run or elm11 attach. The
    page is one file that needs no network and can be printed.

    An existing page is overwritten.

    \b
    Examples:
      elm11 significance ... --checkpoint levels.npz
      elm11 report levels.npz -o report.html --time-unit years
    """  # noqa: D301  click's mark for "do not wrap" is the character
    if not result or output == "":
        raise ValueError(f"{'--output' if result else 'RESULT'}: the name is empty; give a file")
    stored = _stored(result)
    histogram = stored.histogram
    page = Path(output) if output is not None else Path(result).with_suffix(".html")
    try:
        check_writable(page)
        if page.suffix.lower() in jobs.storage.SUFFIXES:
            msg = f"{page} looks like a histogram's file; give a name that ends with .html"
            raise ValueError(msg)  # noqa: TRY301  said in one place what is wrong with the name
    except ValueError as error:
        msg = f"--output: {error}"
        raise ValueError(msg) from error
    text = report_package.report_html(
        histogram,
        level=stored.rule.level if level is None else level,
        sessions=stored.provenance,
        time_unit=time_unit,
        title=title,
        source=Path(result).name,
        target_standard_error=stored.rule.target_standard_error,
    )
    with atomic_file(page) as file:
        file.write(text.encode(errors="replace"))
    if as_json:
        done = {"simulations_done": histogram.n_simulations, "complete": histogram.is_complete}
        echo_json({"output": str(page), "file": result, **done})
    else:
        echo(str(page))
    if not histogram.is_complete:
        info(f"{result} holds {histogram.n_simulations} of {histogram.job.n_simulations} simulations")


def _stored(path: str) -> StoredRun:
    """What a histogram's file holds, if there are simulations in it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # the page shows the caveats
            stored = jobs.storage.load_run(path)
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}"
        raise ValueError(msg) from error
    except ValueError as error:
        msg = f"{error}; give a file that elm11 run or --checkpoint has written"
        raise ValueError(msg) from error
    if not stored.histogram.n_simulations:
        msg = f"{path} holds no simulations yet; continue its run first"
        raise ValueError(msg)
    return stored
