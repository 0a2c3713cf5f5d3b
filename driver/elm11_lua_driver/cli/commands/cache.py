"""`elm11 cache`: list and delete the results of earlier computations."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
from typing import TYPE_CHECKING

import click

from ... import config, jobs
from .._messages import confirm, echo, echo_json, remarks_option
from .._options import json_option, yes_option

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...jobs.cache import Entry


@click.group("cache", short_help="Show or delete the results kept on this computer.")
@click.pass_context
def cache_group(ctx: click.Context) -> None:
    """Results that wct and wct_significance keep, so that the same job is not computed twice.

    Their folder is set by ELM11_CACHE or the setting cache; the default is elm11-lua-driver/results in the user's cache
    folder. They can be deleted at any time.
    """
    ctx.with_resource(_configured_folder())


@contextlib.contextmanager
def _configured_folder() -> Iterator[None]:
    """Have the cache where the settings info, for this command."""
    folder = config.load()["cache"].value
    before = os.environ.get(jobs.cache.FOLDER_VARIABLE)
    if folder is not None:
        os.environ[jobs.cache.FOLDER_VARIABLE] = str(folder)
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(jobs.cache.FOLDER_VARIABLE, None)
        else:
            os.environ[jobs.cache.FOLDER_VARIABLE] = before


@cache_group.command(short_help="List the results.")
@json_option
@remarks_option
def show(*, as_json: bool) -> None:
    """List the results, most recently used first.

    \b
    Example:
      elm11 cache show --json
    """  # noqa: D301
    entries = jobs.cache.entries()
    n_bytes = sum(entry.n_bytes for entry in entries)
    if as_json:
        document = {
            "folder": str(jobs.cache.folder()),
            "bytes": n_bytes,
            "results": [_plain(entry) for entry in entries],
        }
        echo_json(document)
        return
    for entry in entries:
        used = dt.datetime.fromtimestamp(entry.used, tz=dt.UTC).astimezone()
        echo(f"{used:%Y-%m-%d %H:%M}  {entry.n_bytes / 1024:7.0f} KiB  {_described(entry)}")
    plural = "" if len(entries) == 1 else "s"
    echo(f"{len(entries)} result{plural}, {n_bytes / 1024**2:.1f} MiB, in {jobs.cache.folder()}")


@cache_group.command(short_help="Delete all results.")
@yes_option
@json_option
@remarks_option
def clear(*, yes: bool, as_json: bool) -> None:
    """Delete every result, of this version of the program and of others.

    \b
    Example:
      elm11 cache clear --yes
    """  # noqa: D301
    number = len(jobs.cache.entries())
    plural = "" if number == 1 else "s"
    if number:
        confirm(f"Delete {number} result{plural} in {jobs.cache.folder()}", yes=yes)
    number = jobs.cache.clear()
    if as_json:
        echo(json.dumps({"deleted": number}))
        return
    echo(f"{number} result{'' if number == 1 else 's'} deleted")


def _plain(entry: Entry) -> dict[str, object]:
    return {
        "file": str(entry.path),
        "bytes": entry.n_bytes,
        "used": dt.datetime.fromtimestamp(entry.used, tz=dt.UTC).isoformat(timespec="seconds"),
        "by_board": entry.by_board,
        "job": None if entry.job is None else json.loads(entry.job.to_json()),
    }


def _described(entry: Entry) -> str:
    job = entry.job
    if job is None:
        return f"cannot be read: {entry.path}"
    board = ", by a board" if entry.by_board else ""
    return (
        f"lag-1 {job.noise_lag1[0]:.4g} and {job.noise_lag1[1]:.4g}, {job.wavelet}, s0/dt {job.s0 / job.dt:.4g}, "
        f"dj {job.dj:.4g}, J {job.J}, {job.n_simulations} simulations, seed {job.seed}, {job.pipeline}{board}"
    )
