"""Progress on standard error: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, Protocol

from ._text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator


class Update(Protocol):
    """Shows that `done` of `total` is finished, with a note such as the age of the last heartbeat."""

    def __call__(self, done: int, total: int, note: str = "", /) -> None:
        """Show it."""


@contextlib.contextmanager
def progress_bar(label: str, unit: str = "sim", *, show: bool | None, lines: bool = False) -> Iterator[Update]:
    """A progress bar on standard error, with the time left.

    Args:
        label: stands before the bar.
        unit: of what is counted.
        show: False for nothing; True or None for a bar where standard error is a terminal of known width.
        lines: also print a line per tenth where it is none; for work that takes long.

    Yields:
        The function to call with what is done, the total and a note.

    Source: this project: no mathematics.
    """
    if show is False or not _has_width():
        yield _lines(label, unit) if lines and show is not False else lambda *_: None
        return
    from tqdm import tqdm  # noqa: PLC0415  100 ms that only a bar needs

    with tqdm(desc=label, unit=unit, leave=False, dynamic_ncols=True) as bar:

        def update(done: int, total: int, note: str = "", /) -> None:
            bar.total = total
            bar.set_postfix_str(printable(note), refresh=False)
            bar.update(done - bar.n)
            if note:
                bar.refresh()

        yield update


def _has_width() -> bool:
    """True where a bar fits; a terminal behind a serial line, say, does not know how wide it is."""
    if not sys.stderr.isatty():
        return False
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns > 0
    except (OSError, ValueError):
        return False


def _lines(label: str, unit: str) -> Update:
    """Progress as one line per tenth."""
    last = 0

    def update(done: int, total: int, note: str = "", /) -> None:
        nonlocal last
        tenth = done * 10 // total if total else 10
        if tenth > last:
            last = tenth
            text = f"{label}: {tenth * 10} % ({done} of {total} {unit}){f', {note}' if note else ''}"
            sys.stderr.write(f"{printable(text)}\n")
            sys.stderr.flush()

    return update
