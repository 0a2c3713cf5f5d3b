"""What to compute: a job, its canonical JSON form and its name."""

from __future__ import annotations

import hashlib
import json
import warnings
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Self

from elm11_host_ref import fast
from elm11_host_ref.experiment import Experiment
from elm11_host_ref.names import MAX_SIMULATIONS, PIPELINES, one_of, whole

if TYPE_CHECKING:
    from elm11_host_ref.types import IntArray


MAX_GROUPS: Final = 64
DEFAULT_SEED: Final = 1
_FORMAT: Final = 1
# Tables print scales with four digits: whoever copies the smallest one from there has it within this part of itself.
_ROUNDED: Final = 5e-4


@dataclass(frozen=True)
class Job(Experiment):
    """An experiment and how many simulations of it are wanted.

    Attributes:
        n_simulations: simulations 0 to n_simulations - 1 are computed; at least 1.
        pipeline: "exact", pycwt's arithmetic in doubles; or "fast", integers, a small part of the work and the same
            distribution of coherence. Their counts differ, so they are two experiments.

    The other attributes are those of `Experiment`.

    Raises:
        ValueError: a parameter is outside its range; the message names it and the range. Or the fast pipeline cannot
            do the experiment; the message says why.

    Warns:
        UserWarning: the smallest scale lies below the shortest period that the sampling can show.

    Examples:
        >>> Job(lag1_x=0.72, lag1_y=0.72, dt=0.25, dj=0.25, s0=0.5, J=20).n_samples
        384
    """

    n_simulations: int = 300
    pipeline: str = "exact"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "n_simulations", whole("n_simulations", self.n_simulations, 1, MAX_SIMULATIONS))
        one_of("pipeline", self.pipeline, PIPELINES)
        # Torrence & Compo (1998), section 3f: s0 such that its Fourier period is about 2 dt.
        shortest = 2 * self.dt / self.mother.fourier_factor
        if self.s0 < shortest * (1 - _ROUNDED):
            warnings.warn(
                f"s0 = {self.s0:g} is below {shortest:g}, the scale of the shortest period that sampling at "
                f"dt = {self.dt:g} can show: coherence and levels of the smallest scales mean little",
                stacklevel=3,
            )
        if self.pipeline == "fast":
            fast.plan_of(self.experiment)  # an error now, not when an engine begins

    @cached_property
    def experiment(self) -> Experiment:
        """The experiment without number of simulations and pipeline: jobs that differ only in these share plans."""
        return Experiment(**{field.name: getattr(self, field.name) for field in fields(Experiment)})

    @property
    def fast_plan(self) -> fast.FastPlan:
        """The fast pipeline's plan of the experiment; made once.

        Raises:
            ValueError: it cannot do the experiment.
        """
        return fast.plan_of(self.experiment)

    def expected_counts(self, simulations: range) -> IntArray:
        """Number of counts that each scale has after some simulations.

        The exact pipeline counts every usable sample of every simulation. The fast one counts a scale only in the
        simulations in which it is active, and with weights.

        Args:
            simulations: consecutive simulation numbers.

        Returns:
            Shape (J + 1,).
        """
        if self.pipeline == "fast":
            return self.fast_plan.expected_counts(simulations)
        return len(simulations) * self.n_usable

    @property
    def longest_run(self) -> int:
        """Simulations that a board may count in one run: the fast pipeline's counts have 16 bits there."""
        return self.fast_plan.longest_run if self.pipeline == "fast" else MAX_SIMULATIONS

    @property
    def group_size(self) -> int:
        """Simulations per group: the smallest power of two that makes at most `MAX_GROUPS` groups.

        Group g holds simulations `g * group_size` to `(g + 1) * group_size - 1`. Counts are kept by group, so that
        standard errors can be estimated from how much the groups differ, in memory that does not grow with the
        number of simulations. Powers of two, so that the groups of a longer run are unions of those of a shorter one.
        """
        return 1 << max(0, (-(-self.n_simulations // MAX_GROUPS) - 1).bit_length())

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, no blanks, floats in their shortest exact form."""
        return json.dumps({"format": _FORMAT, **asdict(self)}, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The job that `to_json` wrote.

        Args:
            text: from `to_json`, or written by hand in the same form.

        Raises:
            ValueError: the text is no job, is of another format, or a parameter is outside its range.
        """
        try:
            values: dict[str, Any] = dict(json.loads(text))
        except (TypeError, ValueError, RecursionError) as error:
            raise ValueError(f"not a job in JSON: {error}") from error
        if values.pop("format", None) != _FORMAT:
            raise ValueError(f"not a job of format {_FORMAT}: {text[:80]}")
        known = {field.name for field in fields(cls)}
        if set(values) != known:
            raise ValueError(
                f"a job has the fields {', '.join(sorted(known))}; these differ: {sorted(set(values) ^ known)}"
            )
        try:
            return cls(**values)
        except (TypeError, ArithmeticError) as error:  # a list for a number; 10**400
            raise ValueError(f"not a job: {error}") from error

    @property
    def sha256(self) -> str:
        """Name of the experiment: SHA-256 of its canonical JSON without `n_simulations`, in hexadecimal."""
        values = {"format": _FORMAT, **asdict(self)}
        del values["n_simulations"]
        text = json.dumps(values, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


LuaMonteCarloConfig = Job
"""The job's name in the original driver's interface."""
