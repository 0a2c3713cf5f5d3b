"""A progress bar on standard error."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

from tqdm import tqdm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextlib.contextmanager
def progress_bar(label: str, *, show: bool | None) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on standard error, with the time left.

    Args:
        label: stands before the bar.
        show: False for none; True or None for one where standard error is a terminal.

    Yields:
        The function to call with (simulations finished, simulations wanted).

    Source: this project: no mathematics.
    """
    hidden = show is False or not sys.stderr.isatty()
    with tqdm(desc=label, unit="sim", disable=hidden, leave=False, dynamic_ncols=True) as bar:

        def advance(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield advance
