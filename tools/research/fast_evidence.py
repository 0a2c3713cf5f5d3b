#!/usr/bin/env python3
"""Compare the levels of the fast pipeline with those of the exact one.

    python tools/research/fast_evidence.py [--n 102400] [--rounds 3] [--jobs TEXT ...] [--again]   computes the rest
    python tools/research/fast_evidence.py --report      prints the tables of docs/fast-pipeline.md
    python tools/research/fast_evidence.py --offset 1000000 [--jobs TEXT ...]    other seeds, and only prints
    python tools/research/fast_evidence.py --long        computes the rest of the longer runs of cheap jobs; with
                                                         --report, prints their table
    python tools/research/fast_evidence.py --figures JOB draws its pictures
    python tools/research/fast_evidence.py --summary     writes the summary again from the results

All levels and standard errors go to build/fast-evidence.json and build/fast-evidence-long.json, which git ignores; what
the page claims and the tests check goes to tools/research/fast_evidence.json. The results of the page are in git's
history: `git show 26f96e3:docs/fast-evidence.json`, written to build/, saves the hours that the exact pipeline takes.

A job is named by its numbers, `0.5 0.3 1/4 J20`; `--jobs` takes those whose name contains one of the texts. Both
pipelines run rounds of the same number of simulations, with different seeds; levels are means over the rounds. What is
done is kept after every job, cheap jobs first, so that a run may be stopped and continued, and the exact pipeline's
rounds, which take hours, are kept for good: only those that are missing are added.

Statistics. The simulations of a round are in 200 groups. A level's standard error, and the covariance of the levels of
different scales and percents, are those of the delete-a-group jackknife. Neighbouring scales share their noise (the
scale box alone covers five of them), so the squared differences of a job are not independent: their sum S over p levels
has the expectation p and the variance 2 tr(R^2), R being the correlation matrix of the differences; it is taken to be
that of the fast levels, since of the exact ones covariances are not kept. (Those are a little more correlated: R^2 is
rather too small, and large sums look rather too improbable.) S is compared with c chi^2(nu), c = tr(R^2) / p,
nu = p^2 / tr(R^2), which has both (Satterthwaite). nu is the effective number of independent differences. The sign test
sums the signs at one percent; the variance of that sum follows from R too.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

# One core: these are read when NumPy is loaded.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from elm11_host_ref.exact import vectorised
from elm11_host_ref.experiment import Experiment
from elm11_host_ref.fast import run
from elm11_lua_driver._files.atomic import atomic_file
from elm11_lua_driver.levels.quantiles import quantiles
from scipy import stats

if TYPE_CHECKING:
    from elm11_host_ref.types import FloatArray, IntArray

REPOSITORY: Final = Path(__file__).resolve().parents[2]
RESULT: Final = REPOSITORY / "build" / "fast-evidence.json"
LONG_RESULT: Final = REPOSITORY / "build" / "fast-evidence-long.json"
SUMMARY: Final = REPOSITORY / "tools" / "research" / "fast_evidence.json"
FIGURES: Final = REPOSITORY / "docs" / "figures"
TRUTH: Final = REPOSITORY / "tests" / "data"
DT, S0 = 0.25, 0.5
PAIRS: Final = ((0.0, 0.0), (0.5, 0.3), (0.72, 0.72), (0.95, 0.2), (-0.3, 0.6))
PERCENTS: Final = (90, 95, 99)
GROUPS: Final = 200
SIMULATIONS: Final = 102_400  # of a round: 200 groups of 512, two cycles of the fast plan each
ROUNDS: Final = 3
PORTION_GROUPS: Final = 10
LONG: Final = {"1/4 J10": 3_072_000, "1/12 J10": 3_072_000, "1/4 J20": 1_024_000}
"""Jobs, by the ends of their names, of which one longer round shows differences that the others cannot: simulations."""
LONG_OFFSET: Final = 2_000_000
AGAIN: Final = ("0.72 0.72 1/4 J10", "-0.3 0.6 1/12 J10")
"""Jobs whose first round a test computes again: the summary holds its levels."""


@dataclass(frozen=True)
class Case:
    """One job of the evidence."""

    lag1_x: float
    lag1_y: float
    dj: Fraction
    J: int
    offset: int = 0

    @property
    def name(self) -> str:
        """How the job is called in the result and by `--jobs`."""
        return f"{self.lag1_x:g} {self.lag1_y:g} {self.dj} J{self.J}"

    def seed(self, pipeline: str) -> int:
        """Another for every job and pipeline, so that all are independent."""
        number = (self.dj.denominator * 100 + self.J) * 10 + PAIRS.index((self.lag1_x, self.lag1_y))
        return 2 * number + (pipeline == "fast") + self.offset

    def experiment(self, seed: int = 1) -> Experiment:
        """Its experiment."""
        return Experiment(self.lag1_x, self.lag1_y, DT, float(self.dj), S0, self.J, seed=seed)


def cases() -> list[Case]:
    """All jobs, in the order of their cost."""
    found = [Case(x, y, Fraction(1, inverse), J) for inverse in (4, 12) for J in (10, 20, 28) for x, y in PAIRS]
    # For the two that come last the reference tables hold the exact levels at J = 28 too.
    return sorted(
        found, key=lambda case: (case.experiment().n_padded, (case.lag1_x, case.lag1_y) in (PAIRS[0], PAIRS[2]))
    )


def group_counts(case: Case, pipeline: str, n_simulations: int, number: int) -> tuple[IntArray, float]:
    """Counts of one round by group, shape (GROUPS, J + 1, n_bins), and the CPU seconds they took."""
    module = run if pipeline == "fast" else vectorised
    experiment, size = case.experiment(case.seed(pipeline)), n_simulations // GROUPS
    started, portions = time.process_time(), []
    for start in range(number * GROUPS, (number + 1) * GROUPS, PORTION_GROUPS):
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
    correlation: FloatArray = covariance / np.outer(deviation, deviation)
    return correlation


def _squares(correlation: FloatArray, freedom: float) -> float:
    """tr(R^2) from an estimate of R, less what the estimate's own errors add."""
    p = correlation.shape[0]
    return float(((correlation**2).sum() - p * p / freedom) / (1 + 1 / freedom))


def compare(
    levels: FloatArray, errors: FloatArray, others: FloatArray, other_errors: FloatArray, correlation: FloatArray
) -> dict[str, Any]:
    """Statistics of the normalised differences of levels, shape (percents, scales), with their correlation matrix."""
    variances = errors**2, other_errors**2
    z = (levels - others) / np.sqrt(variances[0] + variances[1])
    freedom = (GROUPS - 1) * float(
        ((variances[0] + variances[1]) ** 2 / (variances[0] ** 2 + variances[1] ** 2)).mean()
    )
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


@dataclass
class Measured:
    """What some rounds of one pipeline give for one job.

    Attributes:
        levels: of every round, shape (rounds, percents, scales).
        errors: standard errors of these, of the same shape.
        deviations: standard deviations of the levels of single groups, of the same shape: the standard errors of so
            short a run, without the jackknife's density in one bin.
        milliseconds: CPU time per simulation.
        correlation: of the levels, in one row after another; none if it is not known.
    """

    levels: FloatArray
    errors: FloatArray
    deviations: FloatArray
    milliseconds: float
    correlation: FloatArray | None = None

    @classmethod
    def of_json(cls, known: dict[str, Any]) -> Measured:
        """What `to_json` has written."""
        values, errors, deviations = (
            np.array(known[name]) for name in ("levels", "standard errors", "deviations of groups")
        )
        return cls(values, errors, deviations, known["CPU ms per simulation"])

    @property
    def rounds(self) -> int:
        """How many there are."""
        return len(self.levels)

    def mean(self) -> tuple[FloatArray, FloatArray]:
        """Levels, means over the rounds, and their standard errors, each shape (percents, scales)."""
        return self.levels.mean(axis=0), np.sqrt((self.errors**2).sum(axis=0)) / self.rounds

    def to_json(self, seed: int) -> dict[str, Any]:
        """As it is kept."""
        return {
            "seed": seed,
            "rounds": self.rounds,
            "CPU ms per simulation": round(self.milliseconds, 4),
            "levels": np.round(self.levels, 6).tolist(),
            "standard errors": np.round(self.errors, 7).tolist(),
            "deviations of groups": np.round(self.deviations, 6).tolist(),
        }


def measure(case: Case, pipeline: str, n_simulations: int, number: int) -> Measured:
    """One round."""
    counts, seconds = group_counts(case, pipeline, n_simulations, number)
    return one_round(counts, 1e3 * seconds / n_simulations)


def one_round(counts: IntArray, milliseconds: float) -> Measured:
    """What the counts of one round give, shape (GROUPS, J + 1, n_bins)."""
    values, covariance = jackknife(counts)
    errors = np.sqrt(np.diag(covariance)).reshape(values.shape)
    deviations = np.std([levels(each) for each in counts], axis=0, ddof=1)
    return Measured(values[None], errors[None], deviations[None], milliseconds, _correlation(covariance))


def together(parts: list[Measured]) -> Measured:
    """Several rounds as one result; correlations are averaged where they are known."""
    known = [part.correlation for part in parts if part.correlation is not None]
    return Measured(
        np.concatenate([part.levels for part in parts]),
        np.concatenate([part.errors for part in parts]),
        np.concatenate([part.deviations for part in parts]),
        float(np.average([part.milliseconds for part in parts], weights=[part.rounds for part in parts])),
        np.mean(known, axis=0) if known else None,
    )


def evaluate(case: Case, arguments: argparse.Namespace, known: dict[str, Any]) -> dict[str, Any]:
    """One job: levels and standard errors of both pipelines, and how they compare.

    Args:
        case: the job.
        arguments: of the command: `n` simulations and `rounds` of the fast pipeline, and of the exact one unless
            `fast_only`.
        known: what has been computed so far, of which the exact pipeline's rounds are kept.
    """
    found = {"fast": together([measure(case, "fast", arguments.n, number) for number in range(arguments.rounds)])}
    parts = [Measured.of_json(known["exact"])] if "exact" in known else []
    if not arguments.fast_only:
        done = parts[0].rounds if parts else 0
        parts += [measure(case, "exact", arguments.n, number) for number in range(done, arguments.rounds)]
    if parts:
        found["exact"] = together(parts)
    result: dict[str, Any] = {"simulations of a round": arguments.n, "groups of a round": GROUPS}
    result |= {pipeline: measured.to_json(case.seed(pipeline)) for pipeline, measured in found.items()}
    ours, correlation = found["fast"], found["fast"].correlation
    assert correlation is not None  # it has been measured just now
    values, errors = ours.mean()
    if "exact" in found:
        others = found["exact"]
        result["fast less exact"] = compare(values, errors, *others.mean(), correlation)
        result["of single rounds"] = [
            compare(*of_round, correlation)
            for of_round in zip(ours.levels, ours.errors, others.levels, others.errors, strict=False)
        ]
    table = truth(case)
    if table is not None:
        percents, reference, of_reference = table
        rows = [PERCENTS.index(percent) for percent in percents]
        scales = values.shape[1]
        places = np.concatenate([np.arange(row * scales, (row + 1) * scales) for row in rows])
        result["fast less table"] = {
            "percents": percents,
            **compare(values[rows], errors[rows], reference, of_reference, correlation[np.ix_(places, places)]),
        }
    return result


def read(path: Path = RESULT) -> dict[str, Any]:
    """What has been computed so far."""
    return dict(json.loads(path.read_text())) if path.exists() else {}


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
    done = read()
    for case in chosen(arguments):
        known = done.get(case.name, {})
        if known.get("simulations of a round", arguments.n) != arguments.n:
            raise SystemExit(
                f"{case.name}: its rounds are of {known['simulations of a round']} simulations; give it as --n"
            )
        pipelines = ("fast",) if arguments.fast_only else ("fast", "exact")
        if not arguments.again and all(known.get(each, {}).get("rounds", 0) >= arguments.rounds for each in pipelines):
            continue
        result = evaluate(case, arguments, known)
        done = read()  # another run may have added to it
        done[case.name] = result
        write(done, RESULT)
        worst = {key: value["worst"] for key, value in result.items() if key.startswith("fast less")}
        print(time.strftime("%H:%M:%S"), case.name, worst, flush=True)


def compute_long(arguments: argparse.Namespace) -> None:
    """Compute what is missing of the longer runs, with seeds of their own."""
    for case in chosen(arguments):
        n = next((n for name, n in LONG.items() if case.name.endswith(name)), 0)
        if not n or (case.name in read(LONG_RESULT) and not arguments.again):
            continue
        values = argparse.Namespace(n=n, rounds=1, fast_only=arguments.fast_only)
        known = read(LONG_RESULT).get(case.name, {})
        result = evaluate(replace(case, offset=LONG_OFFSET), values, known)
        write(read(LONG_RESULT) | {case.name: result}, LONG_RESULT)
        print(time.strftime("%H:%M:%S"), case.name, result["fast less exact"]["worst"], flush=True)


def report_long() -> None:
    """Table of the longer runs in Markdown, unit 10^-4."""
    print("| job | simulations | root mean square, less errors | largest at 90, 95, 99 % | errors | beyond 4 |")
    print("|---|---:|---:|---:|---:|---:|")
    for name, result in read(LONG_RESULT).items():
        (ours, our_errors), (others, their_errors) = (Measured.of_json(result[key]).mean() for key in ("fast", "exact"))
        difference, errors = 1e4 * (ours - others), 1e4 * np.hypot(our_errors, their_errors)
        without = max(0.0, float((difference**2 - errors**2).mean()))
        largest = np.take_along_axis(difference, np.abs(difference).argmax(axis=1)[:, None], axis=1).ravel()
        typical = np.sqrt((errors**2).mean(axis=1))
        print(
            f"| {name} | {result['simulations of a round']} | {math.sqrt(without):.1f} |"
            f" {', '.join(f'{value:.1f}' for value in largest)} | {', '.join(f'{value:.1f}' for value in typical)} |"
            f" {int((np.abs(difference) > 4 * errors).sum())} |"
        )


def write(done: dict[str, Any], path: Path) -> None:
    """Keep what has been computed, in the order of the jobs; and what is quoted of it, where all of it is there."""
    ordered = {each.name: done[each.name] for each in cases() if each.name in done}
    path.parent.mkdir(exist_ok=True)
    with atomic_file(path) as file:
        file.write((text_of(ordered) + "\n").encode())
    if RESULT.exists() and LONG_RESULT.exists():
        summarise()


def summary_of(name: str, result: dict[str, Any]) -> dict[str, Any]:
    """What tests and the page need of one job."""
    pipelines = {of: np.array(result[of]["deviations of groups"]) for of in ("fast", "exact")}
    relative = np.sqrt((pipelines["fast"] ** 2).mean(axis=0))  # shape (percents, scales)
    found: dict[str, Any] = {
        "simulations of a round": result["simulations of a round"],
        "rounds": [result[of]["rounds"] for of in pipelines],
        "worst": [result[against]["worst"] for against in ("fast less exact", "fast less table") if against in result],
        "deviation of the worst scale, fast": np.round(worst_scale(pipelines["fast"]), 6).tolist(),
        "deviation of the worst scale, exact": np.round(worst_scale(pipelines["exact"]), 6).tolist(),
        "deviations at 90 and 95 %": np.round(relative[:2], 6).tolist(),
    }
    return found | ({"levels of round 1": result["fast"]["levels"][0]} if name in AGAIN else {})


def summarise() -> None:
    """Write the summary of both results."""
    longer = {}
    for name, result in read(LONG_RESULT).items():
        ours, exact = (Measured.of_json(result[of]).mean() for of in ("fast", "exact"))
        difference, errors = ours[0] - exact[0], np.hypot(ours[1], exact[1])
        longer[name] = {
            "simulations of a round": result["simulations of a round"],
            "largest difference": round(float(np.abs(difference).max()), 6),
            "mean square beyond the errors": float(f"{(difference**2 - errors**2).mean():.3g}"),
        }
    jobs = {name: summary_of(name, result) for name, result in read().items()}
    with atomic_file(SUMMARY) as file:
        rows = [
            f'"{key}": {{\n' + ",\n".join(f'"{name}": {json.dumps(one)}' for name, one in those.items()) + "\n}"
            for key, those in (("jobs", jobs), ("longer", longer))
        ]
        file.write(("{" + ",\n".join(rows) + "}\n").encode())


def chosen(arguments: argparse.Namespace) -> list[Case]:
    """The jobs that are asked for."""
    return [case for case in cases() if not arguments.jobs or any(text in case.name for text in arguments.jobs)]


def repeat(arguments: argparse.Namespace) -> None:
    """Both pipelines once more with other seeds: was a large difference chance?"""
    found = []
    for case in chosen(arguments):
        result = evaluate(replace(case, offset=arguments.offset), arguments, {})
        found.append(result["fast less exact"])
        mean = found[-1]["sum of squares"] / found[-1]["levels"]
        print(f"{case.name}: worst {found[-1]['worst']:.2f}, mean square {mean:.2f}", flush=True)
    _report_pooled("all of these", found)


def _p_value(total: float, count: int, squares: float) -> float:
    """Chance that a sum of squares of `count` correlated normal deviates, tr(R^2) = squares, is `total` or more."""
    return float(stats.chi2.sf(total * count / squares, count**2 / squares))


def report() -> None:
    """Tables in Markdown."""
    done = read()
    for against in ("fast less exact", "fast less table"):
        rows = {name: result[against] for name, result in done.items() if against in result}
        print(f"\n{against}\n\n| job | worst | mean square | effective number | p |")
        print("|---|---:|---:|---:|---:|")
        for name, found in rows.items():
            total, count, squares = found["sum of squares"], found["levels"], found["tr R^2"]
            print(
                f"| {name} | {found['worst']:.1f} | {total / count:.2f} | {count**2 / squares:.1f} |"
                f" {_p_value(total, count, squares):.2g} |"
            )
        for what, chosen in (
            ("dj = 1/4", [found for name, found in rows.items() if " 1/4 " in name]),
            (
                "dj = 1/12, J = 10 and 20",
                [found for name, found in rows.items() if " 1/12 " in name and "J28" not in name],
            ),
            ("dj = 1/12, J = 28", [found for name, found in rows.items() if " 1/12 J28" in name]),
            ("all", list(rows.values())),
        ):
            if chosen:
                _report_pooled(f"{against}, {what}", chosen)
    for number in range(min((len(result.get("of single rounds", ())) for result in done.values()), default=0)):
        _report_pooled(f"round {number + 1}", [result["of single rounds"][number] for result in done.values()])
    print("\nstandard errors\n\n| job | simulations | least / last | largest / last | worst, fast / exact |")
    print("|---|---:|---:|---:|---:|")
    ratios = []
    for name, result in done.items():
        ours = np.array(result["fast"]["deviations of groups"])
        of_95 = np.sqrt((ours[:, 1] ** 2).mean(axis=0))
        relative, ratio = of_95 / of_95[-1], ""
        if "exact" in result:
            of_percents = worst_scale(ours) / worst_scale(np.array(result["exact"]["deviations of groups"]))
            ratios.append((name, of_percents))
            ratio = ", ".join(f"{value:.2f}" for value in of_percents)
        simulations = result["simulations of a round"] * result["fast"]["rounds"]
        print(f"| {name} | {simulations} | {relative.min():.2f} | {relative.max():.2f} | {ratio} |")
    for dj in ("1/4", "1/12"):
        values = [of_percents for name, of_percents in ratios if f" {dj} " in name]
        if values:
            mean = np.round(np.mean(values, axis=0), 2).tolist()
            print(f"\ndj = {dj}: worst scale, fast / exact, mean over jobs: {mean}")


def worst_scale(deviations: FloatArray) -> FloatArray:
    """Standard deviation of the level of the worst scale, shape (percents,).

    The largest of many estimates is mostly an overestimate. So each round's largest one is looked for in the other
    rounds, and measured in this one.

    Args:
        deviations: shape (rounds, percents, scales).
    """
    rounds = range(len(deviations))
    variances = deviations**2
    found = []
    for own in rounds:
        others = variances[[each for each in rounds if each != own] or [own]].mean(axis=0)
        found.append(variances[own][np.arange(len(PERCENTS)), others.argmax(axis=1)])
    worst: FloatArray = np.sqrt(np.mean(found, axis=0))
    return worst


def _report_pooled(what: str, chosen: list[dict[str, Any]]) -> None:
    total = sum(found["sum of squares"] for found in chosen)
    count = sum(found["levels"] for found in chosen)
    squares = sum(found["tr R^2"] for found in chosen)
    z = np.concatenate([np.ravel(found["z"]) for found in chosen])
    middle = [found["signs and variance, by percent"][len(found["z"]) // 2] for found in chosen]
    signs, variances = np.array(middle).sum(axis=0)
    print(
        f"\n{what}: {z.size} levels, {int((np.abs(z) > 4).sum())} beyond 4, worst {np.abs(z).max():.2f}; mean square"
        f" {total / count:.3f}, effective number {count**2 / squares:.0f}, p = {_p_value(total, count, squares):.3g};"
        f" signs at 95 %: sum {signs:.0f}, standard deviation {math.sqrt(variances):.0f},"
        f" p = {2 * stats.norm.sf(abs(signs) / math.sqrt(variances)):.3g}"
    )


def figures(job: str) -> None:
    """Levels of one job with error bars, and the histogram of all normalised differences."""
    from matplotlib.figure import Figure  # noqa: PLC0415  only here

    done = read()
    FIGURES.mkdir(exist_ok=True)
    result = done[job]
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    top, below = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    (exact, exact_errors), (ours, our_errors) = (Measured.of_json(result[key]).mean() for key in ("exact", "fast"))
    errors = [exact_errors, our_errors]
    scales = np.arange(exact.shape[1])
    for row, percent in enumerate(PERCENTS):
        colour = f"C{row}"
        top.plot(scales, exact[row], color=colour, lw=1, label=f"{percent} %")
        top.errorbar(scales, ours[row], errors[1][row], fmt=".", color=colour)
        combined = np.hypot(errors[0][row], errors[1][row])
        below.errorbar(
            scales + 0.15 * (row - 1), 1e3 * (ours[row] - exact[row]), 1e3 * combined, fmt=".", color=colour, capsize=2
        )
    below.axhline(0, color="0.5", lw=0.8)
    top.set_ylabel("squared coherence")
    top.legend(ncols=3, fontsize=8, title="lines: exact, points: fast", title_fontsize=8)
    below.set_ylabel("fast - exact, $10^{-3}$")
    below.set_xlabel("scale j")
    below.set_xticks(scales[::2])
    figure.savefig(FIGURES / "fast-levels.png", dpi=110)

    figure = Figure(figsize=(6, 3.2), layout="constrained")
    axes = figure.subplots()
    edges, middle = np.arange(-6, 6.01, 0.25), np.linspace(-6, 6, 300)
    groups: dict[str, FloatArray] = {
        label: np.concatenate(
            [np.ravel(r["fast less exact"]["z"]) for name, r in done.items() if dj in name and "fast less exact" in r]
        )
        for label, dj in (("dj = 1/4", "1/4"), ("dj = 1/12", "1/12"))
    }
    # Stacked: both together are to be normal.
    axes.hist(
        [list(values) for values in groups.values()],
        list(edges),
        stacked=True,
        label=[f"{k} ({len(v)} levels)" for k, v in groups.items()],
    )
    total = sum(len(values) for values in groups.values())
    axes.plot(middle, total * 0.25 * stats.norm.pdf(middle), color="k", lw=1, label="normal")
    axes.set_xlabel("(fast - exact) / combined standard error")
    axes.set_ylabel("levels")
    axes.legend(fontsize=8)
    figure.savefig(FIGURES / "fast-differences.png", dpi=110)


def main() -> None:
    """Compute, or report what is known."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--n", type=int, default=SIMULATIONS, help="simulations of a round, a multiple of 200 (default %(default)d)"
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="rounds of so many (default %(default)d)")
    parser.add_argument("--jobs", nargs="*", help="parts of the names of the jobs")
    parser.add_argument("--again", action="store_true", help="also what is known already")
    parser.add_argument("--fast-only", action="store_true", help="leave out the exact pipeline")
    parser.add_argument("--offset", type=int, help="to be added to all seeds; nothing is kept")
    parser.add_argument("--long", action="store_true", help="the longer runs instead")
    parser.add_argument("--report", action="store_true", help="print tables of what is known")
    parser.add_argument("--summary", action="store_true", help="write the summary of what is known")
    parser.add_argument("--figures", metavar="JOB", help="draw the levels of a job, and all differences")
    arguments = parser.parse_args()
    if (arguments.report or arguments.figures or arguments.summary) and not RESULT.exists():
        parser.error(f"{RESULT} does not exist: compute it first")
    if arguments.summary:
        summarise()
    elif arguments.report:
        (report_long if arguments.long else report)()
    elif arguments.long:
        compute_long(arguments)
    elif arguments.figures:
        figures(arguments.figures)
    elif arguments.offset:
        repeat(arguments)
    else:
        compute(arguments)


if __name__ == "__main__":
    main()
