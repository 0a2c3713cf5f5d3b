"""Whether what the study measured can be true: run after every study, quick or whole."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PNG = b"\x89PNG\r\n\x1a\n"


def problems(data: dict[str, Any], files: list[Path]) -> list[str]:
    """Sentences about what cannot be true; none where all is well.

    Laws and slopes of the quick mode come from a few milliseconds each: there another program's pause may turn them
    round, which says nothing about the study. They are judged in the whole study only.

    Args:
        data: of the study.
        files: what was written.
    """
    found = [f"{name} is not a finite number" for name in _not_finite(data, "data")]
    found += of_parts(data)
    for path in files:
        content = path.read_bytes()
        if path.suffix == ".png" and (not content.startswith(_PNG) or len(content) < 5000):
            found.append(f"{path.name} is no picture, or an empty one")
        if path.suffix == ".md" and re.search(rb"\b(nan|inf|None)\b", content):
            found.append(f"{path.name} has a number that is none")
    return found


def of_parts(data: dict[str, Any]) -> Iterator[str]:
    """Sentences about what cannot be true of the parts that are there."""
    for part, check in {
        "scaling": _scaling,
        "transforms": _transforms,
        "hybrid": _hybrid,
        "engines": _engines,
        "decision": _decision,
        "comparison": _comparison,
    }.items():
        if part in data:
            yield from (f"{part}: {sentence}" for sentence in check(data[part], quick=data.get("quick", False)))


def _not_finite(value: Any, name: str) -> Iterator[str]:  # noqa: ANN401  anything JSON holds
    if isinstance(value, dict):
        for key, one in value.items():
            yield from _not_finite(one, f"{name}.{key}")
    elif isinstance(value, list):
        for position, one in enumerate(value):
            yield from _not_finite(one, f"{name}[{position}]")
    elif isinstance(value, float) and not math.isfinite(value):
        yield name


def _scaling(part: dict[str, Any], *, quick: bool) -> Iterator[str]:
    for row in part["cells"]:
        if row["wall"]["median"] <= 0 or row["peak_bytes"] < 0:
            yield f"{row['function']} at {row['n_samples']} samples took no time or memory"
    for function, laws in part["laws"].items():
        for what, one in laws.items():
            if quick and what == "time":
                continue
            for variable, exponent in zip(("samples", "scales"), one["exponents"], strict=True):
                if not 0.4 < exponent < 2.5:
                    yield f"{what} of {function} grows as {variable}**{exponent:.2f}"
    for stop in part["stops"]:
        if stop["largest_n"] < 1024:
            yield f"{stop['function']} would stop at {stop['largest_n']} samples"


def _transforms(part: dict[str, Any], *, quick: bool) -> Iterator[str]:  # noqa: ARG001  as the others
    for key, row in part["agreement"].items():
        if key == "ours" and max(row["relative_error"]) > 1e-9:
            yield f"this project's transform differs from pycwt's by {max(row['relative_error']):.1e}"
        if key != "pywt12" and row["correlation"] < 0.9:
            yield f"{key} correlates with pycwt by {row['correlation']:.3f} only"


def _hybrid(part: dict[str, Any], *, quick: bool) -> Iterator[str]:  # noqa: ARG001  as the others
    for key in ("pycwt", "ours"):
        if part["coherence"][key]["largest_anywhere"] > 1e-8:
            yield f"coherence from {key}'s coefficients differs from pycwt's"
    levels = part["levels"]
    if levels["moved_counts"] > 1e-3 * levels["all_counts"]:
        yield f"{levels['moved_counts']} of {levels['all_counts']} counts differ from the NumPy engine's"
    if not all(0 < level < 1 for level in levels["levels"]):
        yield "a level lies outside 0 to 1"


def _engines(part: dict[str, Any], *, quick: bool) -> Iterator[str]:
    hashes: dict[str, set[str]] = {}
    for label, sha256 in part["sameness"].items():
        hashes.setdefault(label.partition(", ")[2], set()).add(sha256)
    for pipeline, different in hashes.items():
        if len(different) > 1:
            yield f"engines differ in their counts of the {pipeline} pipeline"
    for row in part["overhead"]:
        if row["per_simulation_s"] <= 0 and not quick:
            yield f"{row['label']}: more simulations took no longer"
    for row in part["scaling"] if not quick else ():
        if row["kind"] != "reference" and not 0.05 < row["speed_up"] < 2.0 * row["n_workers"] + 0.5:
            yield f"{row['label']} with {row['n_workers']} processes is {row['speed_up']:.2f} times as fast as one"


def _decision(part: dict[str, Any], *, quick: bool) -> Iterator[str]:
    for label, one in part["laws"].items():
        if one["factor"] <= 0:
            yield f"cost of {label} is not positive"
        # Small jobs of the fast pipeline cost little more than their set-up.
        least = 0.3 if label.endswith("fast") else 0.5
        if not quick and not least < one["exponents"][0] < 1.6:
            yield f"cost of {label} grows as coefficients**{one['exponents'][0]:.2f}"


def _comparison(part: dict[str, Any], *, quick: bool) -> Iterator[str]:  # noqa: ARG001  as the others
    ours = part["false_alarms"]["tools"]["this project"]
    if abs(ours["percent"] - 5) > 2 * ours["half_width"] + 0.5:
        yield f"independent noise exceeds this project's levels in {ours['percent']:.2f} % of the samples, not in 5 %"
    wanted = part["red_noise_wanted"]
    if abs(part["red_noise_lag1"]["this project"] - wanted) > 0.01:
        yield f"this project's red noise has a lag-1 autocorrelation of {part['red_noise_lag1']['this project']:.3f}"
