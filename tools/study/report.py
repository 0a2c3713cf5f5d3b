"""The pages docs/performance.md and docs/comparison.md: templates, filled with numbers from the data."""

from __future__ import annotations

from pathlib import Path
from string import Template
from typing import Any, Final

from study import comparison_page, load, performance_page
from study.wording import number, wrapped

TEMPLATES: Final = Path(__file__).parent / "templates"
NEEDS: Final = {
    "performance.md": ("scaling", "transforms", "hybrid", "engines", "decision"),
    "comparison.md": ("comparison",),
}


def pages(data: dict[str, Any]) -> dict[str, str]:
    """Texts by file name; a page whose parts have not all been measured is left out."""
    values = {"performance.md": performance_page.values, "comparison.md": comparison_page.values}
    return {
        name: wrapped(
            Template((TEMPLATES / name).read_text(encoding="utf-8")).substitute(_common(data) | values[name](data))
        )
        for name, parts in NEEDS.items()
        if all(part in data for part in parts)
    }


def _common(data: dict[str, Any]) -> dict[str, str]:
    machine = data["machine"]
    versions = {name: version for name, version in machine["versions"].items() if version}
    first_look = (
        "**A first look**, with small sizes and few repeats: the laws are rough, and extrapolations from them are "
        "unreliable. `make study` runs the whole study.\n\n"
        if data["quick"]
        else ""
    )
    return {
        "first_look": first_look,
        "computer": machine["computer"],
        "memory": number(machine["memory_gb"]) if machine["memory_gb"] else "an unknown number of",
        "system": machine["system"],
        "python": machine["python"],
        "date": " to ".join(sorted({run["date"] for run in _extremes(data["runs"])})),
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
        "load": _load(data["runs"], machine["cores"]),
        "study_minutes": number(sum(run["seconds"] for run in data["runs"].values()) / 60, 2),
    }


def _extremes(runs: dict[str, Any]) -> list[dict[str, Any]]:
    """The runs of the first and the last day."""
    ordered = sorted(runs.values(), key=lambda run: run["date"])
    return [ordered[0], ordered[-1]]


def _load(runs: dict[str, Any], cores: int) -> str:
    """What other programs took meanwhile, and which parts must therefore not be trusted."""
    spoilt = {part: run for part, run in runs.items() if load.disturbed(run, cores)}
    if spoilt:
        said = ", ".join(
            f"{part} ({100 * run['others_share']:.0f} %)" if run["others_share"] is not None else part
            for part, run in spoilt.items()
        )
        return (
            f"**Other programs were running**, and took so much of the processor while these parts were measured: "
            f"{said}. Their times are too long and their intervals wide; do not quote them. Ratios within a table "
            "suffer less, since all sides took turns."
        )
    known = [run["others_share"] for run in runs.values() if run["others_share"] is not None]
    if len(known) < len(runs):
        return "The load from other programs cannot be measured on this system."
    return f"Other programs took at most {100 * max(known):.1f} % of the processor in any part."
