"""`accelerate_pycwt`: this package's `wct` and `wct_significance` inside an installed pycwt, for unchanged scripts."""

from __future__ import annotations

import functools
import importlib
import inspect
import sys
import threading
import warnings
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Final

from . import drop_in
from .backends import check_arguments

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

SWAPPED: Final = ("wct", "wct_significance")
"""The functions of pycwt that are replaced."""

_lock = threading.RLock()
_active: list[Acceleration] = []
_pairs: list[tuple[Callable[..., Any], Callable[..., Any]]] = []  # pycwt's function and ours, once pycwt is loaded


class Acceleration(AbstractContextManager["Acceleration"]):
    """pycwt with this package's functions in it, from its creation until `undo` or the end of its ``with`` block.

    Attributes:
        options: what the functions get besides what their callers give.
    """

    def __init__(self, options: dict[str, Any]) -> None:
        self.options = options
        with _lock:
            _swap(there=False)
            _active.append(self)

    def undo(self) -> None:
        """End it; a second time does nothing. pycwt has its own functions again when no other acceleration is left."""
        with _lock:
            if self in _active:
                _active.remove(self)
            if not _active:
                _swap(there=True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End it."""
        self.undo()


def accelerate_pycwt(**options: Any) -> Acceleration:  # noqa: ANN401  checked by name
    """Have pycwt compute coherence and its significance by this package, so that old scripts run unchanged and faster.

    In a ``with`` statement, for its block::

        with accelerate_pycwt():
            runpy.run_path("script_for_pycwt.py")

    or as a call, until the ``undo`` of what it returns, or `restore_pycwt`.

    Swapped are `wct` and `wct_significance` of pycwt and of `pycwt.wavelet`, and under whatever name a loaded module
    has them (``from pycwt import wct``). Not reached is who keeps them elsewhere, such as in a list or a local
    variable. ``pycwt.wct.__wrapped__`` is pycwt's own function. It is for all threads of the process. Accelerations may
    be nested, and ended in any order: the options of the latest one count. Worker processes that a script starts are
    not included.

    Args:
        **options: for `wct_significance`, over what scripts give: cache, backend, n_jobs, port, client,
            target_standard_error, seed, pipeline, scale_box, pycwt_compatible. With pycwt_compatible=True the levels
            are pycwt's in distribution, its faults included; without, they are those that it means to compute.

    Returns:
        The acceleration, which is in force already.

    Raises:
        ValueError: an option is unknown, or does not fit another.
        ImportError: pycwt is not installed.
    """
    parameters = inspect.signature(drop_in.wct_significance).parameters.values()
    known = {"cache", "backend", "n_jobs"}
    # A checkpoint is of one job, and a script has several.
    known |= {one.name for one in parameters if one.kind is one.KEYWORD_ONLY} - {"checkpoint"}
    unknown = sorted(set(options) - known)
    if unknown:
        raise ValueError(f"{', '.join(unknown)}: no option of accelerate_pycwt; there are {', '.join(sorted(known))}")
    chosen = {name: options.get(name) for name in ("backend", "n_jobs", "port", "client")}
    check_arguments(chosen["backend"], chosen["n_jobs"], port=chosen["port"], client=chosen["client"])
    return Acceleration(options)


def restore_pycwt() -> None:
    """End every acceleration: pycwt has its own functions again."""
    with _lock:
        _active.clear()
        _swap(there=True)


def _replacement(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    """A function that does what the latest acceleration says; pycwt's own when there is none any more."""

    @functools.wraps(original)
    def accelerated(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        with _lock:
            options = _active[-1].options if _active else None
        if options is None:
            return original(*args, **kwargs)
        ours = getattr(drop_in, name)
        # Scripts may give by position what an option overrides.
        bound = inspect.signature(ours).bind(*args, **kwargs)
        given = dict(bound.arguments)
        more = given.pop("kwargs", {})
        return ours(**{**given, **more, **options})

    return accelerated


def _swap(*, there: bool) -> None:
    """Put our functions in place of pycwt's in every loaded module, or pycwt's in place of ours (`there`)."""
    if not _pairs:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # pycwt 0.5.0b0 uses a deprecated SciPy namespace
            wavelet = importlib.import_module("pycwt.wavelet")
        for name in SWAPPED:
            original = getattr(wavelet, name)
            _pairs.append((original, _replacement(name, original)))
    for module in list(sys.modules.values()):
        # Not getattr of each name: a module may compute its attributes when asked.
        namespace = getattr(module, "__dict__", None)
        if not isinstance(namespace, dict):
            continue
        for key, value in list(namespace.items()):
            for theirs, ours in _pairs:
                if value is (ours if there else theirs):
                    namespace[key] = theirs if there else ours
