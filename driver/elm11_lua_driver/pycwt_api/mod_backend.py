"""pycwt_mod's backend ``elm11_lua``: its significance test on an ELM11 board.

Importing this module registers the backend where pycwt_mod is installed::

    import elm11_lua_driver.pycwt_mod
    pycwt_mod.wct_significance(..., backend="elm11_lua")

It can also be used by itself: `ELM11LuaBackend(port="virtual://").run_monte_carlo(...)`.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import stat
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, fields, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import serial
from elm11_host_ref.names import PIPELINES, SCALE_BOXES, SURROGATES, one_of, real
from serial.tools import list_ports

from .._progress import progress_bar
from ..board.detect import PORT_VARIABLE, candidates
from ..engines import BoardEngine
from ..errors import ForeignWorkerError
from ..jobs.job import DEFAULT_SEED, Job
from ..levels.runner import run
from ..series.checks import wavelet_name
from ..transport.base import VIRTUAL
from ..transport.open import open_transport
from .backends import n_workers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from elm11_host_ref.types import FloatArray

NAME: Final = "elm11_lua"
"""The backend's name in pycwt_mod's registry."""

WORKER: Final = "wct_significance"
"""Part of the name of the one worker that this backend replaces: pycwt_mod's `_wct_significance_worker`."""

WORKER_ARGUMENTS: Final = (
    *("al1", "al2", "N", "dt", "dj", "s0", "J", "wavelet"),
    *("sj", "scales", "outsidecoi", "maxscale", "nbins"),
)
"""The arguments that pycwt_mod gives its worker, after the seed."""


def register() -> None:
    """Put the backend into pycwt_mod's registry, once; a name that is taken is left as it is.

    pycwt_mod itself can call this, see ``docs/pycwt-users.md``.

    Raises:
        ImportError: pycwt_mod is not installed.
    """
    if "ELM11LuaBackend" not in globals():
        return  # pycwt_mod calls while this module is importing it, whose last line registers
    from pycwt_mod import backends  # noqa: PLC0415  a user without it is no error

    if NAME in backends.list_backends():
        return
    if not issubclass(ELM11LuaBackend, backends.MonteCarloBackend):
        # pycwt_mod could not be imported when this module was.
        backends.MonteCarloBackend.register(ELM11LuaBackend)
    backends.register_backend(NAME, ELM11LuaBackend)


class _AbstractBackend(ABC):
    """The methods of pycwt_mod's `MonteCarloBackend`, which need not be installed."""

    def __init__(self) -> None:
        self.name = type(self).__name__
        self.description = ""

    @abstractmethod
    def run_monte_carlo(
        self,
        worker_func: Callable[..., Any],
        n_simulations: int,
        worker_args: tuple[Any, ...] = (),
        worker_kwargs: dict[str, Any] | None = None,
        seed: int | None = None,
        verbose: bool = True,  # noqa: FBT001, FBT002  pycwt_mod's interface
        **backend_kwargs: Any,  # noqa: ANN401
    ) -> list[Any]:
        """Call a worker once for each simulation. See `ELM11LuaBackend.run_monte_carlo`."""

    @abstractmethod
    def is_available(self) -> bool:
        """True if it can be used here."""

    def get_info(self) -> dict[str, Any]:
        """Name, description, availability and capabilities."""
        return {
            "name": self.name,
            "description": self.description,
            "available": self.is_available(),
            "capabilities": self.get_capabilities(),
        }

    def get_capabilities(self) -> list[str]:
        """Capabilities, as single words."""
        return []

    def validate_config(self, **config: Any) -> bool:  # noqa: ANN401, ARG002
        """True, or a `ValueError`. See `ELM11LuaBackend.validate_config`."""
        return True


if TYPE_CHECKING:
    MonteCarloBackend = _AbstractBackend
else:
    try:
        from pycwt_mod.backends import MonteCarloBackend
    except ImportError:
        MonteCarloBackend = _AbstractBackend


@dataclass(frozen=True)
class _Options:
    """The options of `ELM11LuaBackend`."""

    port: str | None = None
    hw_id: str | None = None
    tx_delay_s: float | None = None
    trace: Path | None = None
    stall_s: float | None = None
    upload: bool = True
    seed: int = DEFAULT_SEED
    pipeline: str = "exact"
    surrogates: str = "ar1"
    scale_box: str = "pycwt"
    checkpoint: Path | None = None

    def __post_init__(self) -> None:
        one_of("pipeline", self.pipeline, PIPELINES)
        one_of("surrogates", self.surrogates, SURROGATES)
        one_of("scale_box", self.scale_box, SCALE_BOXES)
        for name in ("port", "hw_id"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, str) and value):
                raise ValueError(f"{name} must be a text that is not empty, or None, not {value!r}")
        for name in ("tx_delay_s", "stall_s"):
            if getattr(self, name) is not None and real(name, getattr(self, name)) < 0:
                raise ValueError(f"{name} must not be negative, not {getattr(self, name)!r}")

    def changed(self, options: Mapping[str, Any]) -> _Options:
        """A copy with some options changed."""
        known = {field.name for field in fields(self)}
        given = dict(options)
        n_workers(given.pop("n_jobs", None))
        if "tx_delay" in given:
            milliseconds = given.pop("tx_delay")
            given["tx_delay_s"] = None if milliseconds is None else real("tx_delay", milliseconds) / 1000
        unknown = sorted(set(given) - known)
        if unknown:
            raise ValueError(
                f"{', '.join(unknown)}: no option of {NAME}; there are {', '.join(sorted(known))}, tx_delay, n_jobs"
            )
        for name in ("trace", "checkpoint"):
            if given.get(name) is not None:
                given[name] = Path(given[name])
        return replace(self, **given)

    def engine(self) -> BoardEngine:
        """The engine that is meant; its port is opened at the first use."""
        return BoardEngine(
            self.port, self.hw_id, self.tx_delay_s, trace=self.trace, stall_s=self.stall_s, upload=self.upload
        )


class ELM11LuaBackend(MonteCarloBackend):
    """pycwt_mod's simulations on an ELM11 board, in Lua.

    The board computes the same counts as this package's other engines. It is slower than the computer it is plugged
    into (see `get_recommended_backend`) and chosen for other reasons.

    Args:
        name: what it calls itself.
        config: options as a mapping, or a `Job` whose seed, pipeline, surrogates and scale box are taken.
        **options: win over `config`:

            - port: the board's port; ``virtual://`` for a virtual board. None takes ``ELM11_PORT``, or the only board.
            - hw_id: the board's hardware id.
            - tx_delay: milliseconds from byte to byte (or tx_delay_s, in seconds); None is 1 ms.
            - trace: a file for a byte trace.
            - stall_s: longest seconds without a heartbeat; None is three times what the slowest board would take.
            - upload: upload programs that are missing on the board or differ.
            - seed: taken where `run_monte_carlo` gets none, which is how pycwt_mod calls it; 0 to 2**64 - 1.
            - pipeline: one of `elm11_host_ref.names.PIPELINES`.
            - surrogates: "ar1" (red noise), or "white", which is what pycwt_mod's own backends simulate.
            - scale_box: "pycwt"; "grinsted" does not fit pycwt_mod's coherence.
            - checkpoint: a file, ``.npz`` or ``.json``, that keeps what is finished; the same call goes on from it.

    Raises:
        ValueError: an option is unknown, or outside its range.
    """

    def __init__(
        self,
        name: str = NAME,
        config: Mapping[str, Any] | Job | None = None,
        **options: Any,  # noqa: ANN401  checked by name
    ) -> None:
        super().__init__()
        self.name = name
        self.description = (
            "simulations in Lua on an ELM11 board: equal counts on every engine, slower than this computer"
        )
        if isinstance(config, Job):
            config = {key: getattr(config, key) for key in ("seed", "pipeline", "surrogates", "scale_box")}
        self._options = _Options().changed({**(config or {}), **options})

    def is_available(self) -> bool:
        """True if there is a port that may have a board, or the port is that of a virtual board.

        Never raises, and opens no port. A named port must exist and be permitted, an unnamed one must be FTDI's; the
        first use shows if a board is behind it. A URL counts as available if its kind is known: connecting could
        disconnect another user.
        """
        try:
            return self._port_is_there()
        except Exception:  # noqa: BLE001  that it never raises is pycwt_mod's rule
            return False

    def _port_is_there(self) -> bool:
        port = self._options.port or (os.environ.get(PORT_VARIABLE) if self._options.hw_id is None else None)
        if not port:
            return bool(candidates()[0])
        if port.startswith(VIRTUAL):
            open_transport(port).close()  # in memory: it disturbs nobody
            return True
        if "://" in port:
            serial.serial_for_url(port, do_not_open=True)
            return True
        if os.name == "posix":
            return stat.S_ISCHR(Path(port).stat().st_mode) and os.access(port, os.R_OK | os.W_OK)
        return any(info.device.upper() == port.upper() for info in list_ports.comports())

    def __repr__(self) -> str:
        """One line."""
        return f"{self.name} ({'available' if self.is_available() else 'unavailable'}): {self.description}"

    def get_capabilities(self) -> list[str]:
        """Capabilities, as the user's guide explains them."""
        return ["deterministic", "reproducible", "hardware", "wct_significance_only"]

    def get_info(self) -> dict[str, Any]:
        """As `MonteCarloBackend.get_info`, with the version and the options."""
        options = {
            key: str(value) if isinstance(value, Path) else value for key, value in asdict(self._options).items()
        }
        return {**super().get_info(), "version": version("elm11-lua-driver"), "options": options}

    def validate_config(self, **config: Any) -> bool:  # noqa: ANN401
        """True if `run_monte_carlo` would accept these options.

        Args:
            **config: options as for the constructor, and `n_jobs`, which a board has no use for.

        Returns:
            True.

        Raises:
            ValueError: one is unknown, or outside its range.
        """
        self._options.changed(config)
        return True

    def run_monte_carlo(
        self,
        worker_func: Callable[..., Any],
        n_simulations: int,
        worker_args: tuple[Any, ...] = (),
        worker_kwargs: dict[str, Any] | None = None,
        seed: int | None = None,
        verbose: bool = True,  # noqa: FBT001, FBT002  pycwt_mod's interface
        **backend_kwargs: Any,  # noqa: ANN401
    ) -> list[FloatArray]:
        """The counts that calls of pycwt_mod's significance worker would add up to, computed by the board.

        Args:
            worker_func: pycwt_mod's significance worker. It is not called: the board has programs of its own.
            n_simulations: at least 1.
            worker_args: what the worker would get after its seed (`WORKER_ARGUMENTS`).
            worker_kwargs: the same by name.
            seed: 0 to 2**64 - 1; None takes the option `seed`.
            verbose: show a progress bar where standard error is a terminal.
            **backend_kwargs: options for this call only, as for the constructor; `n_jobs` is ignored.

        Returns:
            Tables of counts, each of shape (J + 1, nbins), whose sum is the histogram; pycwt_mod adds them. The largest
            scale is counted too, which pycwt_mod's worker leaves at zero and its caller does not read.

        Raises:
            ForeignWorkerError: it is another worker, or its arguments are not those of one significance test.
            ValueError: an option or a parameter is outside its range, or the job does not fit into the board's memory.
            Elm11Error: the board failed. Nothing partial is returned.
        """
        options = self._options.changed(backend_kwargs)
        job = job_of_worker(
            worker_func,
            worker_args,
            worker_kwargs or {},
            n_simulations=n_simulations,
            seed=options.seed if seed is None else seed,
            pipeline=options.pipeline,
            surrogates=options.surrogates,
            scale_box=options.scale_box,
        )
        with contextlib.closing(options.engine()) as engine, progress_bar("ELM11", show=verbose) as advance:
            histogram = run(job, engine, advance, checkpoint=options.checkpoint)
        return [part.counts.astype(np.float64) for part in histogram.parts]


def job_of_worker(
    worker: Callable[..., Any],
    worker_args: Sequence[Any],
    worker_kwargs: Mapping[str, Any],
    **settings: Any,  # noqa: ANN401  the other parameters of a job, which it checks
) -> Job:
    """The job that pycwt_mod's significance worker is asked for.

    Args:
        worker: the worker, known by its name.
        worker_args: its arguments after the seed.
        worker_kwargs: the same by name.
        **settings: of the job: n_simulations, seed, pipeline, surrogates, scale_box.

    Returns:
        The job.

    Raises:
        ForeignWorkerError: it is another worker, or the arguments do not belong together.
        ValueError: a parameter is outside its range.
    """
    name = getattr(worker, "__name__", None) or repr(worker)
    if WORKER not in name:
        raise ForeignWorkerError(
            f"the board cannot run the Python function {name}: backend {NAME} computes the significance test of "
            "wavelet coherence only (pycwt_mod's _wct_significance_worker).",
            worker=name,
            state="reading the job from pycwt_mod's call",
            next_step='Use another backend for this function, such as backend="sequential".',
        )
    arguments = dict(zip(WORKER_ARGUMENTS, worker_args, strict=False))
    missing = [key for key in WORKER_ARGUMENTS if key not in arguments and key not in worker_kwargs]
    wrong = sorted(set(worker_kwargs) - (set(WORKER_ARGUMENTS) - set(arguments)))
    if missing or wrong or len(worker_args) > len(WORKER_ARGUMENTS):
        what = f"missing: {', '.join(missing)}" if missing else f"too many: {', '.join(wrong) or len(worker_args)}"
        raise _other_arguments(name, what)
    arguments.update(worker_kwargs)
    job = Job(
        lag1_x=arguments["al1"],
        lag1_y=arguments["al2"],
        wavelet=wavelet_name(arguments["wavelet"]),
        n_bins=arguments["nbins"],
        **{key: arguments[key] for key in ("dt", "dj", "s0", "J")},
        **settings,
    )
    _check_sizes(name, job, arguments)
    return job


def _check_sizes(name: str, job: Job, arguments: Mapping[str, Any]) -> None:
    """Do nothing if what pycwt_mod has derived from the parameters is what the job derives from them."""
    if arguments["N"] != job.n_samples:
        raise _other_arguments(name, f"N is {arguments['N']}, and the other parameters give {job.n_samples}")
    shape = (job.J + 1, job.n_samples)
    scales, grid, counted = (np.asarray(arguments[key]) for key in ("sj", "scales", "outsidecoi"))
    if scales.shape != shape[:1] or not np.allclose(scales, job.scales, rtol=1e-9):
        raise _other_arguments(name, "sj are not the scales s0 * 2**(j * dj)")
    if grid.shape != shape or not np.allclose(grid, job.scales[:, None], rtol=1e-9):
        raise _other_arguments(name, "scales does not repeat sj for every sample")
    # Where a sample lies just on the cone's edge, rounding decides: one at each end of a row.
    if counted.shape != shape or (np.abs(counted.astype(bool).sum(axis=1) - job.n_usable) > 2).any():
        raise _other_arguments(name, f"outsidecoi is not the cone of influence of the {job.wavelet} wavelet")
    largest = np.flatnonzero(job.n_usable)
    if largest.size and arguments["maxscale"] not in {largest[-1], largest[-1] + 1}:
        raise _other_arguments(name, f"maxscale is {arguments['maxscale']}, and the last scale is {largest[-1]}")


def _other_arguments(name: str, what: str) -> ForeignWorkerError:
    return ForeignWorkerError(
        f"the arguments of {name} are not those of pycwt_mod's significance test: {what}.",
        worker=name,
        state="reading the job from pycwt_mod's call",
        next_step=f"The backend {NAME} knows ({', '.join(WORKER_ARGUMENTS)}); for others take another backend.",
    )


WORKERS_START_S: Final = 3.0
"""Seconds to start worker processes, measured on two cores: 1 to 3."""

PYCWT_SIMULATION_S: Final = 0.022
"""One simulation of pycwt, measured at J = 20, dj = 1/4 on one core of a 2.7 GHz Xeon; 0.27 s at J = 75, dj = 1/12."""


def get_recommended_backend(
    n_simulations: int | None = None, *, seconds_per_simulation: float = PYCWT_SIMULATION_S
) -> str:
    """Name of pycwt_mod's backend that is done first.

    That is never ``elm11_lua``: a board is slower than the computer that it is plugged into. And the fastest is none of
    pycwt_mod's backends: this package's own `wct_significance` is some thirty times as fast as their worker.

    Args:
        n_simulations: how many; None means 300, pycwt's default.
        seconds_per_simulation: what one costs in pycwt_mod, in s.

    Returns:
        "joblib" where it is installed and saves more time than its processes take to start, else "sequential".
    """
    n_cores = n_workers(-1) or 1
    seconds = (300 if n_simulations is None else n_simulations) * seconds_per_simulation
    saved_s = seconds * (1 - 1 / n_cores) - WORKERS_START_S
    return "joblib" if saved_s > 0 and importlib.util.find_spec("joblib") else "sequential"


if MonteCarloBackend is not _AbstractBackend:
    register()
