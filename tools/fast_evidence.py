#!/usr/bin/env python3
"""Compare the levels of the fast pipeline with those of the exact one, and keep the result in docs/fast-evidence.json.

    python tools/fast_evidence.py [--n 102400] [--processes 1] [--jobs TEXT ...] [--again]   computes what is missing
    python tools/fast_evidence.py --report      prints the tables of docs/fast-pipeline.md
    python tools/fast_evidence.py --figures     draws its pictures

A job is named by its numbers, `0.5 0.3 1/4 J20`; `--jobs` takes those whose name contains one of the texts. Both
pipelines run the same number of simulations, with different seeds. What is done is kept after every job, cheap jobs
first, so that a run may be stopped and continued.

Statistics. The simulations are in 200 groups. A level's standard error, and the covariance of the levels of different
scales and percents, are those of the delete-a-group jackknife. Neighbouring scales share their noise (the scale box
alone covers five of them), so the squared differences of a job are not independent: their sum S over p levels has the
expectation p and the variance 2 tr(R^2), R being the correlation matrix of the differences. S is compared with
c chi^2(nu), c = tr(R^2) / p, nu = p^2 / tr(R^2), which has both (Satterthwaite). nu is the effective number of
independent differences. The sign test sums the signs at one percent; the variance of that sum follows from R too.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np
from elm11_host_ref import fast, vectorised
from elm11_host_ref.experiment import Experiment
from elm11_lua_driver.atomic_file import atomic_file
from elm11_lua_driver.levels import quantiles
from scipy import stats

if TYPE_CHECKING:
    from elm11_host_ref.types import FloatArray, IntArray

REPOSITORY: Final = Path(__file__).parents[1]
RESULT: Final = REPOSITORY / "docs" / "fast-evidence.json"
FIGURES: Final = REPOSITORY / "docs" / "figures"
TRUTH: Final = REPOSITORY / "tests" / "data"
DT, S0 = 0.25, 0.5
PAIRS: Final = ((0.0, 0.0), (0.5, 0.3), (0.72, 0.72), (0.95, 0.2), (-0.3, 0.6))
PERCENTS: Final = (90, 95, 99)
GROUPS: Final = 200
SIMULATIONS: Final = 102_400  # 200 groups of 512, eight cycles of the fast plan each
EXACT_SEED, FAST_SEED = 20_001, 70_001
PORTION_GROUPS: Final = 10


@dataclass(frozen=True)
class Case:
    """One job of the evidence."""

    lag1_x: float
    lag1_y: float
    dj: Fraction
    J: int

    @property
    def name(self) -> str:
        """How the job is called in the result and by `--jobs`."""
        return f"{self.lag1_x:g} {self.lag1_y:g} {self.dj} J{self.J}"

    def experiment(self, seed: int) -> Experiment:
        """Its experiment."""
        return Experiment(self.lag1_x, self.lag1_y, DT, float(self.dj), S0, self.J, seed=seed)


def cases() -> list[Case]:
    """All jobs, in the order of their cost."""
    found = [Case(x, y, Fraction(1, inverse), J) for inverse in (4, 12) for J in (10, 20, 28) for x, y in PAIRS]
    # For the two that come last the reference tables hold the exact levels at J = 28 too.
    return sorted(found, key=lambda case: (case.experiment(1).n_padded, (case.lag1_x, case.lag1_y) in (PAIRS[0], PAIRS[2])))


def group_counts(case: Case, pipeline: str, n_simulations: int) -> tuple[IntArray, float]:
    """Counts by group, shape (GROUPS, J + 1, n_bins), and the CPU seconds they took."""
    module, seed = (fast, FAST_SEED) if pipeline == "fast" else (vectorised, EXACT_SEED)
    experiment, size = case.experiment(seed), n_simulations // GROUPS
    started, portions = time.process_time(), []
    for start in range(0, GROUPS, PORTION_GROUPS):
        numbers = range(start * size, (start + PORTION_GROUPS) * size)
        portions.append(module.simulate_groups(experiment, numbers, size).astype(np.int32))
    return np.concatenate(portions), time.process_time() - started


def levels(counts: IntArray) -> FloatArray:
    """Shape (percents, scales)."""
    return np.array([quantiles(counts, percent / 100) for percent in PERCENTS])


def jackknife(counts: IntArray) -> tuple[FloatArray, FloatArray]:
    """Levels, shape (percents, scales), and the covariance of the same in one row after another."""
    total = counts.sum(axis=0, dtype=np.int64)
    without = np.array([levels(total - of_group).ravel() for of_group in counts])
    apart = without - without.mean(axis=0)
    return levels(total), (GROUPS - 1) / GROUPS * apart.T @ apart


def _correlation(covariance: FloatArray) -> FloatArray:
    deviation = np.sqrt(np.diag(covariance))
    return covariance / np.outer(deviation, deviation)


def _squares(correlation: FloatArray, freedom: float) -> float:
    """tr(R^2) from an estimate of R, less what the estimate's own errors add."""
    p = correlation.shape[0]
    return float(((correlation**2).sum() - p * p / freedom) / (1 + 1 / freedom))


def compare(difference: FloatArray, errors: tuple[FloatArray, FloatArray], correlation: FloatArray) -> dict[str, Any]:
    """Statistics of the normalised differences, shape (percents, scales), with the correlation matrix of the same."""
    variances = errors[0] ** 2, errors[1] ** 2
    z = difference / np.sqrt(variances[0] + variances[1])
    freedom = (GROUPS - 1) * float(((variances[0] + variances[1]) ** 2 / (variances[0] ** 2 + variances[1] ** 2)).mean())
    scales = z.shape[1]
    signs, means = [], []
    for row, of_percent in enumerate(z):
        block = correlation[row * scales : (row + 1) * scales, row * scales : (row + 1) * scales]
        signs.append([int(np.sign(of_percent).sum()), float((2 / math.pi * np.arcsin(np.clip(block, -1, 1))).sum())])
        means.append([float(of_percent.sum()), float(block.sum())])
    return {
        "z": np.round(z, 3).tolist(),
        "worst": round(float(np.abs(z).max()), 3),
        "sum of squares": round(float((z**2).sum()), 3),
        "levels": int(z.size),
        "tr R^2": round(_squares(correlation, freedom), 2),
        "signs and variance, by percent": [[n, round(variance, 2)] for n, variance in signs],
        "sum and variance, by percent": [[round(n, 3), round(variance, 2)] for n, variance in means],
    }


def truth(case: Case) -> tuple[list[int], FloatArray, FloatArray] | None:
    """Percents, levels and standard errors of the reference table, if there is one."""
    path = TRUTH / f"morlet_j{case.J}.json"
    if case.dj != Fraction(1, 4) or not path.exists():
        return None
    for config in json.loads(path.read_text())["configs"]:
        if (config["al1"], config["al2"]) == (case.lag1_x, case.lag1_y):
            names = {90: "stderr90_all", 95: "stderr_all", 99: "stderr99_all"}
            percents = [percent for percent in PERCENTS if f"sig{percent}_all" in config]
            return (
                percents,
                np.array([config[f"sig{percent}_all"] for percent in percents]),
                np.array([config[names[percent]] for percent in percents]),
            )
    return None


def evaluate(case: Case, n_simulations: int, pipelines: tuple[str, ...]) -> dict[str, Any]:
    """One job: levels and standard errors of both pipelines, and how they compare."""
    result: dict[str, Any] = {"simulations": n_simulations, "groups": GROUPS}
    found = {}
    for pipeline in pipelines:
        counts, seconds = group_counts(case, pipeline, n_simulations)
        values, covariance = jackknife(counts)
        errors = np.sqrt(np.diag(covariance)).reshape(values.shape)
        found[pipeline] = values, errors, covariance
        result[pipeline] = {
            "seed": FAST_SEED if pipeline == "fast" else EXACT_SEED,
            "CPU ms per simulation": round(1e3 * seconds / n_simulations, 4),
            "levels": np.round(values, 6).tolist(),
            "standard errors": np.round(errors, 7).tolist(),
        }
    values, errors, covariance = found["fast"]
    if "exact" in found:
        others, other_errors, other_covariance = found["exact"]
        correlation = _correlation(covariance + other_covariance)
        result["fast less exact"] = compare(values - others, (errors, other_errors), correlation)
    table = truth(case)
    if table is not None:
        percents, others, other_errors = table
        rows = [PERCENTS.index(percent) for percent in percents]
        scales = values.shape[1]
        places = np.concatenate([np.arange(row * scales, (row + 1) * scales) for row in rows])
        # Correlated as the fast levels are: the tables give standard errors only.
        correlation = _correlation(covariance)[np.ix_(places, places)]
        result["fast less table"] = {
            "percents": percents,
            **compare(values[rows] - others, (errors[rows], other_errors), correlation),
        }
    return result


def read() -> dict[str, Any]:
    """What has been computed so far."""
    return dict(json.loads(RESULT.read_text())) if RESULT.exists() else {}


def text_of(done: dict[str, Any]) -> str:
    """JSON with one list per line."""
    jobs = []
    for name, result in done.items():
        lines = []
        for key, value in result.items():
            if isinstance(value, dict):
                inner = ",\n".join(f"   {json.dumps(k)}: {json.dumps(v)}" for k, v in value.items())
                lines.append(f"  {json.dumps(key)}: {{\n{inner}\n  }}")
            else:
                lines.append(f"  {json.dumps(key)}: {json.dumps(value)}")
        jobs.append(f" {json.dumps(name)}: {{\n" + ",\n".join(lines) + "\n }")
    return "{\n" + ",\n".join(jobs) + "\n}"


def compute(arguments: argparse.Namespace) -> None:
    """Compute what is missing, job by job."""
    wanted = [case for case in cases() if not arguments.jobs or any(text in case.name for text in arguments.jobs)]
    pipelines = ("fast",) if arguments.fast_only else ("fast", "exact")
    done = read()
    missing = [
        case for case in wanted if arguments.again or not all(p in done.get(case.name, {}) for p in pipelines)
    ]
    with ProcessPoolExecutor(arguments.processes) as pool:
        running = {pool.submit(evaluate, case, arguments.n, pipelines): case for case in missing}
        for future in as_completed(running):
            case = running[future]
            result = future.result()
            done = read()  # another run may have added to it
            done[case.name] = result
            ordered = {each.name: done[each.name] for each in cases() if each.name in done}
            with atomic_file(RESULT) as file:
                file.write((text_of(ordered) + "\n").encode())
            print(time.strftime("%H:%M:%S"), case.name, {key: value["worst"] for key, value in result.items() if key.startswith("fast less")}, flush=True)


def main() -> None:
    """Compute, or report what is known."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=SIMULATIONS, help="simulations, a multiple of 200 (default %(default)d)")
    parser.add_argument("--jobs", nargs="*", help="parts of the names of the jobs")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--again", action="store_true", help="also what is known already")
    parser.add_argument("--fast-only", action="store_true", help="leave out the exact pipeline")
    compute(parser.parse_args())


if __name__ == "__main__":
    main()
