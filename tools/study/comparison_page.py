"""The values of docs/comparison.md: tables and sentences made of the data."""

from __future__ import annotations

from typing import Any, Final

from study.wording import bullets, number, spread, table

_NAMED: Final = ("pycwt", "piwavelet", "PyWavelets", "ssqueezepy", "fCWT", "mne", "obspy", "elephant")


def values(data: dict[str, Any]) -> dict[str, str]:
    """Texts by their names in the template."""
    part = data["comparison"]
    versions = data["machine"]["versions"]
    scales = sorted({row["J"] for row in part["levels"]})
    levels = {(row["tool"], row["J"]): row for row in part["levels"]}
    tools = list(dict.fromkeys(row["tool"] for row in part["levels"]))
    alarms = part["false_alarms"]
    waipy = part["waipy_coherence"]
    return {
        **{name: versions.get(name) or "(not measured)" for name in _NAMED},
        "waipy": versions.get("waipy") or "(not measured)",
        "waipy_text": (
            "waipy does not smooth, and without smoothing the squared coherence of any two series is 1 everywhere"
            + (f" (measured: {waipy['smallest']:.12f} to {waipy['largest']:.12f})" if waipy else "")
            + "; what it returns is the cosine of twice the phase, squared."
        ),
        "wanted": f"{part['red_noise_wanted']:g}",
        "red_noise": ", ".join(f"{tool} {lag1:.2f}" for tool, lag1 in part["red_noise_lag1"].items()),
        "levels_table": table(
            ["tool", *(f"J = {J} (ms)" for J in scales), *(f"pycwt / it, J = {J}" for J in scales)],
            [
                [
                    _tool(tool),
                    *(
                        f"{number(levels[tool, J]['ms'])} ({number(levels[tool, J]['ms_low'])} to "
                        f"{number(levels[tool, J]['ms_high'])})"
                        for J in scales
                    ),
                    *(number(levels["pycwt", J]["ms"] / levels[tool, J]["ms"], 2) for J in scales),
                ]
                for tool in tools
            ],
        ),
        "november_table": table(
            [
                "tool, November 2026, one core of a 2.5 GHz Xeon",
                "J = 20 (ms)",
                "J = 28 (ms)",
                "pycwt / it, J = 20",
                "pycwt / it, J = 28",
            ],
            [
                [
                    tool,
                    *(f"{value:g}" for value in values),
                    *(
                        number(reference / value, 2)
                        for reference, value in zip(part["november_2026"]["pycwt 0.5.0b0"], values, strict=True)
                    ),
                ]
                for tool, values in part["november_2026"].items()
            ],
        ),
        "november_text": _november_text(part, levels),
        "transform_samples": str(part["transforms"][0]["n_samples"]),
        "transform_scales": str(part["transforms"][0]["n_scales"]),
        "transforms_table": table(["tool", "time"], [[row["tool"], spread(row["wall"])] for row in part["transforms"]]),
        "n_pairs": str(alarms["n_pairs"]),
        "alarms_table": table(
            ["tool", "all scales (%)", "the four smallest scales (%)"],
            [
                [
                    tool,
                    f"{row['percent']:.1f} ± {row['half_width']:.1f}",
                    f"{row['percent_small']:.1f} ± {row['half_width_small']:.1f}",
                ]
                for tool, row in alarms["tools"].items()
            ],
        ),
        "alarms_text": _alarms_text(alarms["tools"]),
    }


def _tool(tool: str) -> str:
    return f"this project, `{tool}`" if ", " in tool else tool


def _november_text(part: dict[str, Any], levels: dict[tuple[str, int], dict[str, Any]]) -> str:
    then = part["november_2026"]["pycwt 0.5.0b0"]
    both = [(J, ms) for J, ms in zip((20, 28), then, strict=True) if ("pycwt", J) in levels]
    if not both:
        return ""
    said = " and ".join(f"{number(ms / levels['pycwt', J]['ms'], 2)} (J = {J})" for J, ms in both)
    return (
        f"pycwt took {said} times as long there as in this run: so the computers differ (and their load). Ratios to "
        "pycwt may be compared between the tables, times may not."
    )


def _alarms_text(tools: dict[str, Any]) -> str:
    sentences = []
    for tool, row in tools.items():
        off = abs(row["percent"] - 5)
        said = (
            "as promised, within the error"
            if off <= row["half_width"]
            else "too few: its levels are too high, and true coherence is overlooked"
            if row["percent"] < 5
            else "too many: its levels are too low"
        )
        sentences.append(f"{tool}: {row['percent']:.1f} %, {said}.")
    if "pycwt" in tools:
        small = tools["pycwt"]
        sentences.append(
            f"Where pycwt's noise being white matters most, at the four smallest scales, "
            f"{small['percent_small']:.1f} % of the noise exceed its levels, against "
            f"{tools['this project']['percent_small']:.1f} % with this project's."
        )
    return bullets(sentences)
