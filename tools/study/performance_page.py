"""The values of docs/performance.md: tables and sentences made of the data."""

from __future__ import annotations

import statistics
from typing import Any, Final

from study import libraries
from study.wording import between, bullets, gigabytes, grouped, library, number, seconds, spread, table

_WORTH_IT: Final = 1.2
"""Times as fast as another library's coefficients must make a coherence before they are called worth the trouble."""


# docs/performance.md


def values(data: dict[str, Any]) -> dict[str, str]:
    """Texts by their names in the template."""
    return (
        _scaling(data["scaling"])
        | _transforms(data["transforms"])
        | _hybrid(data["hybrid"])
        | _engines(data["engines"])
        | _decision(data["decision"])
        | {"in_short": bullets(_in_short(data)), "board": _board(data.get("board", {}))}
    )


def _in_short(data: dict[str, Any]) -> list[str]:
    laws = data["scaling"]["laws"]
    row = next(row for row in data["decision"]["table"] if row["n_samples"] == 1000)
    own = min((label for label in row["test_s"] if label != "pycwt"), key=lambda label: row["test_s"][label])
    ratio = row["test_s"]["pycwt"] / row["test_s"][own]
    stop = next(
        stop
        for stop in data["scaling"]["stops"]
        if stop["function"] == "wct" and stop["memory_gb"] == 16 and stop["n_scales"] == 100
    )
    return [
        (
            f"pycwt's `cwt` takes time proportional to samples^{laws['cwt']['time']['exponents'][0]:.2f}, its "
            f"`wct` to "
            f"samples^{laws['wct']['time']['exponents'][0]:.2f}; `wct` with 100 scales is expected to fill 16 GB "
            f"beyond "
            f"{grouped(stop['largest_n'])} samples."
        ),
        (
            f"The significance test takes most of the time: 1000 samples with pycwt's default scales and "
            f"{data['decision']['simulations']} simulations take {seconds(row['test_s']['pycwt'])} with pycwt and "
            f"{seconds(row['test_s'][own])} with this project ({own}), {number(ratio, 2)} times less, on one core."
        ),
        _verdict(data["hybrid"])[0],
        _pays_off(data["engines"]),
    ]


def _scaling(part: dict[str, Any]) -> dict[str, str]:
    rows = []
    for function, laws in part["laws"].items():
        for what, one in laws.items():
            a, b = (
                f"{exponent:.2f} ± {half:.2f}"
                for exponent, half in zip(one["exponents"], one["half_widths"], strict=True)
            )
            unit = "s" if what == "time" else "bytes"
            rows.append(
                [
                    f"`{function}`",
                    f"{what} ({unit})",
                    f"{one['factor']:.2e}",
                    a,
                    b,
                    str(one["n"]),
                    f"{one['residual_percent']:.0f} %",
                ]
            )
    stops = []
    for n_scales in sorted({stop["n_scales"] for stop in part["stops"]}):
        row = [str(n_scales)]
        for function in part["laws"]:
            for memory in sorted({stop["memory_gb"] for stop in part["stops"]}):
                stop = next(
                    stop
                    for stop in part["stops"]
                    if (stop["function"], stop["memory_gb"], stop["n_scales"]) == (function, memory, n_scales)
                )
                unsure = stop["bytes"][2] > memory * 2**30
                row.append(f"{grouped(stop['largest_n'])}{'?' * unsure} ({between(stop['seconds'])})")
        stops.append(row)
    wct = part["laws"]["wct"]
    box = wct["time"]["exponents"][1]
    return {
        "scale_counts": ", ".join(str(n) for n in sorted({row["n_scales"] for row in part["cells"]})),
        "laws_table": table(["function", "what", "factor", "a (samples)", "b (scales)", "cells", "scatter"], rows),
        "laws_text": (
            "Time grows a little faster or slower than samples times scales because of the FFT's logarithm, the "
            "processor's cache, and, in `wct`, the box over scales: at a fixed range of scales it has as many more "
            f"points as there are scales, and pycwt sums it directly (exponent of the scales: {box:.2f})."
        ),
        "stops_table": table(
            ["scales", *(f"`{function}`, {memory} GB" for function in part["laws"] for memory in (16, 64))], stops
        )
        + "\n\nIn brackets the expected time of the call, with the 95 % interval of a new measurement. A question "
        "mark: the upper end of that interval of the *memory* is above what there is, so it may not fit after all.",
    }


def _transforms(part: dict[str, Any]) -> dict[str, str]:
    sizes = sorted({row["n_samples"] for row in part["timing"]})
    times = {(row["key"], row["n_samples"]): row["wall"] for row in part["timing"]}
    keys = list(dict.fromkeys(row["key"] for row in part["timing"]))
    agreement = part["agreement"]
    rows = []
    for key, row in agreement.items():
        if key == "ssq_kept":
            continue
        rows.append(
            [
                library(key),
                f"{row['correlation']:.6f}",
                f"{statistics.median(row['relative_error']):.1e}",
                f"{max(row['relative_error']):.1e}",
                f"{row['gain'][0]:.3f}",
                f"{max(map(abs, row['shift_samples'])):.2f}",
            ]
        )
    return {
        "n_scales": str(part["timing"][0]["n_scales"]),
        "conventions_table": table(
            ["library", "how its transform becomes this one"],
            [[library(key), libraries.TRANSFORMS[key].convention] for key in keys],
        ),
        "transform_times_table": table(
            ["library", *(f"{grouped(n)} samples" for n in sizes)],
            [[library(key), *(spread(times[key, n]) for n in sizes)] for key in keys],
        ),
        "compared_samples": grouped(part["compared_samples"]),
        "agreement_table": table(
            [
                "library",
                "correlation",
                "relative difference: median",
                "largest",
                "gain at the smallest scale",
                "largest shift (samples)",
            ],
            rows,
        ),
        "agreement_text": bullets(_agreement_text(agreement)),
    }


def _agreement_text(agreement: dict[str, Any]) -> list[str]:
    sentences = [
        f"Our transform agrees with pycwt's to {max(agreement['ours']['relative_error']):.0e} on every scale.",
    ]
    if "pywt" in agreement:
        gain = agreement["pywt"]["gain"][0]
        coarse, fine = max(agreement["pywt12"]["relative_error"]), max(agreement["pywt"]["relative_error"][1:])
        sentences += [
            (
                "PyWavelets convolves with differences of the integrated wavelet, which averages it over a sample: "
                "at the "
                f"smallest scale the gain is {gain:.2f}. It cuts each wavelet to whole samples, so that a scale is "
                f"shifted "
                "by up to half a sample or so, differently from scale to scale. A shift that both series suffer "
                "cancels in "
                "a coherence; a row with less gain has less weight in the box over scales. The effect is measured "
                "below."
            ),
            (
                "With its default `precision=12` it has 4096 points of the wavelet in store for all scales: above a "
                "scale "
                f"of 256 samples they are repeated, and the difference grows (largest here {coarse:.2f}, with the "
                f"precision raised {fine:.2f} above the smallest scale)."
            ),
        ]
    if "ssq" in agreement:
        middle = statistics.median(agreement["ssq"]["relative_error"])
        sentences.append(
            f"ssqueezepy differs by {middle:.0e} (median over the scales). At the smallest scales it is the one bin at "
            "the Nyquist frequency, which it halves and pycwt takes for a negative frequency. At the others it is the "
            "ends of the series: pycwt pads to the next power of two, however near, so that what leaves at one end "
            "comes in at the other; ssqueezepy pads farther, or by reflection."
        )

    def median_and_largest(key: str) -> str:
        errors = agreement[key]["relative_error"]
        return f"{statistics.median(errors):.0e} (median over the scales; largest {max(errors):.0e})"

    if "fcwt" in agreement:
        sentences.append(
            f"fCWT differs by {median_and_largest('fcwt')}: it computes in single precision and looks its wavelet up "
            "in a table. This is accurate enough for a figure; for differences of levels see below."
        )
    if "mne" in agreement:
        sentences.append(
            f"MNE-Python differs by {median_and_largest('mne')}: it samples the wavelet in time and cuts it at five "
            "standard deviations, so at the smallest scales frequencies above the Nyquist frequency are folded back."
        )
    if "obspy" in agreement:
        shift = agreement["obspy"]["shift_samples"]
        sentences.append(
            f"ObsPy's wavelet is off centre: by {abs(shift[0]):.2f} samples at the smallest scale, "
            f"{abs(shift[-1]):.2f} at the largest, which is why it differs by {median_and_largest('obspy')}. Both "
            "series of a coherence are shifted alike."
        )
    if "elephant" in agreement:
        sentences.append(
            "Elephant's transform equals pycwt's except for the negative frequencies, which it omits: it differs by "
            f"{median_and_largest('elephant')}."
        )
    return sentences


def _hybrid(part: dict[str, Any]) -> dict[str, str]:
    coherence = part["coherence"]
    sizes = sorted({row["n_samples"] for row in part["timing"]})
    times = {(row["what"], row["n_samples"]): row["wall"] for row in part["timing"]}
    what = [name for name in dict.fromkeys(row["what"] for row in part["timing"]) if not name.endswith(" transforms")]
    rows = []
    for name in what:
        share = times.get((f"{name} transforms", sizes[-1]))
        rows.append(
            [
                "`pycwt.wct`"
                if name == "pycwt"
                else "this project, own transform"
                if name == "ours"
                else library(name),
                *(spread(times[name, n]) for n in sizes),
                f"{100 * share['median'] / times[name, sizes[-1]]['median']:.0f} %" if share else "",
            ]
        )
    levels = part["levels"]
    cost = {row["what"]: (row["wall"], row["n_simulations"]) for row in part["levels_timing"]}
    level_rows = []
    for key, row in levels["libraries"].items():
        largest, error, z = _worst(row)
        wall, n = cost[key]
        level_rows.append(
            [
                library(key),
                "reference" if key == "pycwt" else f"{largest:+.4f} ± {error:.4f}",
                "" if key == "pycwt" else f"{z:.1f}",
                spread(wall, 1 / n),
            ]
        )
    wall, n = cost["numpy engine"]
    level_rows.append([library("numpy engine"), "the same counts, see below", "", spread(wall, 1 / n)])
    moved, total = levels["moved_counts"], levels["all_counts"]
    return {
        "hybrid_samples": grouped(part["compared_samples"]),
        "hybrid_agreement_table": table(
            [
                "coefficients of",
                "median difference inside the cone",
                "largest",
                "samples that differ by more than 0.01",
            ],
            [
                [
                    library(key),
                    f"{row['median_inside']:.1e}",
                    f"{row['largest_inside']:.1e}",
                    f"{100 * row['share_inside_above_0.01']:.1f} %",
                ]
                for key, row in coherence.items()
                if key != "ssq_kept"
            ],
        ),
        "hybrid_exact": f"{coherence['pycwt']['largest_anywhere']:.0e}",
        "hybrid_times_table": table(
            ["coherence", *(f"{grouped(n)} samples" for n in sizes), "part of the transforms"], rows
        ),
        "level_simulations": str(levels["n_simulations"]),
        "levels_table": table(
            ["transform", "largest change of a level", "in standard errors", "time of a simulation"], level_rows
        )
        + f"\n\nCounts by `coherence_from_cwt` with pycwt's transform and by the NumPy engine: {moved} of "
        f"{grouped(total)} lie in another bin.",
        "verdict": " ".join(_verdict(part)),
    }


def _worst(row: dict[str, Any]) -> tuple[float, float, float]:
    """Largest change of a level, its standard error, and the largest ratio of both over the scales."""
    largest, error = max(zip(row["difference"], row["standard_error"], strict=True), key=lambda pair: abs(pair[0]))
    z = max((abs(d) / e for d, e in zip(row["difference"], row["standard_error"], strict=True) if e > 0), default=0.0)
    return largest, error, z


def _verdict(part: dict[str, Any]) -> list[str]:
    """What the data say about coefficients of other libraries; the first sentence can stand alone."""
    sizes = sorted({row["n_samples"] for row in part["timing"]})
    times = {(row["what"], row["n_samples"]): row["wall"]["median"] for row in part["timing"]}
    others = [key for key in libraries.TRANSFORMS if (key, sizes[0]) in times and key not in {"pycwt", "ours"}]
    if not others:
        return ["Neither PyWavelets nor ssqueezepy was installed, so there is no comparison."]
    best = {n: min(others, key=lambda key: times[key, n]) for n in sizes}
    gains = {n: times["ours", n] / times[best[n], n] for n in sizes}
    walls = {(row["what"], row["n_samples"]): row["wall"] for row in part["timing"]}
    worth = [n for n in sizes if gains[n] >= _WORTH_IT and walls["ours", n]["low"] > walls[best[n], n]["high"]]
    largest = sizes[-1]
    listed = "; ".join(
        f"{grouped(n)} samples: {number(gains[n], 2)} times as fast with {library(best[n])}" for n in sizes
    )
    alone = times["pycwt transforms", largest] / times["pycwt", largest]
    sentences = [
        (
            "Coefficients of another library give no useful gain in speed"
            if not worth
            else f"Coefficients of another library save time at {', '.join(map(grouped, worth))} samples"
        )
        + f": against this project's own transform a whole coherence is, at {listed}.",
        (
            f"The transforms are {100 * alone:.0f} % of `pycwt.wct` at {grouped(largest)} samples, so even a transform "
            f"that took no time could make it at most {number(1 / (1 - alone), 2)} times as fast; the rest is "
            f"smoothing."
        ),
    ]
    simulation = {row["what"]: row["wall"]["median"] / row["n_simulations"] for row in part["levels_timing"]}
    quickest = min((key for key in simulation if key not in {"pycwt", "numpy engine"}), key=lambda key: simulation[key])
    sentences.append(
        f"For the test the difference is larger: a simulation takes {seconds(simulation[quickest])} with the fastest "
        f"of these ({library(quickest)}) and {seconds(simulation['numpy engine'])} by the NumPy engine, which "
        "transforms many pairs at once."
    )
    changed = [(key, *_worst(row)) for key, row in part["levels"]["libraries"].items() if key not in {"pycwt", "ours"}]
    sentences.append(
        "Levels change with the transform by up to "
        + ", ".join(f"{abs(largest):.4f} ({library(key)}, {z:.1f} standard errors)" for key, largest, _, z in changed)
        + ": so levels of `wct_significance` may be used with these coefficients where a difference of that size does "
        "not matter, and should be computed with the same transform where it does."
    )
    sentences.append(
        "Other reasons remain: coefficients that are already computed, or a wavelet that this project does not have."
    )
    return sentences


def _engines(part: dict[str, Any]) -> dict[str, str]:
    scales = sorted({row["J"] for row in part["cost"]})
    cost = {(row["label"], row["J"]): (row["wall"], row["n_simulations"]) for row in part["cost"]}
    labels = list(dict.fromkeys(row["label"] for row in part["cost"]))
    rows = []
    for label in labels:
        row = [label if label == "pycwt" else f"`{label}`"]
        for J in scales:
            wall, n = cost[label, J]
            pycwt, n_pycwt = cost["pycwt", J]
            ratio = (pycwt["median"] / n_pycwt) / (wall["median"] / n)
            row.append(spread(wall, 1 / n) + ("" if label == "pycwt" else f", pycwt / it = {number(ratio, 2)}"))
        rows.append(row)
    hashes: dict[str, set[str]] = {}
    for label, sha256 in part["sameness"].items():
        hashes.setdefault(label.partition(", ")[2], set()).add(sha256)
    one_each = all(len(different) == 1 for different in hashes.values())
    missing = part["missing"]
    return {
        "cost_table": table(["engine, pipeline", *(f"J = {J}" for J in scales)], rows),
        "overhead_J": str(part["overhead"][0]["J"]),
        "overhead_table": table(
            ["engine, pipeline", "processes", "start", "one simulation more", "one simulation in all", "cluster start"],
            [
                [
                    f"`{row['label']}`",
                    str(row["n_workers"]),
                    f"{seconds(max(row['start_s'], 0))} ± {seconds(row['start_half_width_s'])}",
                    f"{seconds(row['per_simulation_s'])} ± {seconds(row['per_simulation_half_width_s'])}",
                    spread(row["points"][0]["wall"]),
                    seconds(row["cluster_start_s"]) if row["cluster_start_s"] else "",
                ]
                for row in part["overhead"]
            ],
        ),
        "pays_off": _pays_off(part),
        "scaling_table": table(
            ["engine, pipeline", "kind", "processes", "simulations", "time", "speed-up"],
            [
                [
                    f"`{row['label']}`",
                    row["kind"],
                    str(row["n_workers"]),
                    grouped(row["n_simulations"]),
                    spread(row["wall"]),
                    f"{row['speed_up']:.2f} ({row['speed_up_low']:.2f} to {row['speed_up_high']:.2f})"
                    if "speed_up" in row
                    else "1",
                ]
                for row in part["scaling"]
            ],
        )
        if part["scaling"]
        else "No engine with several processes is installed here.",
        "sameness": (
            f"All engines gave the same counts, bit for bit, for each pipeline ({', '.join(sorted(hashes))})."
            if one_each
            else "**Engines differed in their counts.**"
        ),
        "skipped": (
            "Not measured: " + "; ".join(f"`{label}` ({reason})" for label, reason in missing.items()) + "."
            if missing
            else ""
        ),
    }


def _board(part: dict[str, Any]) -> str:
    if not part.get("rows"):
        return f"No instruction counts: {part.get('missing', 'they were not read')}."
    slow, fast = part["slowest_per_s"], part["fastest_per_s"]
    said = (
        "Instructions per simulation, its share of the set-up of 300 included, counted on an emulated processor in two "
        "ways with the board in between (`docs/cost.json`). Seconds are *not measured*: they range from "
        f"{fast / 1e6:.1f} million instructions per second, the processor without memory delays, to "
        f"{slow / 1e6:.1f} million, a tenth of it. `elm11 calibrate` measures the rate of a board."
    )
    rows = [
        [
            row["job"],
            f"{row['fewest']:.2e} to {row['most']:.2e}",
            f"{seconds(row['fewest'] / fast)} to {seconds(row['most'] / slow)}",
            f"{seconds(300 * row['fewest'] / fast)} to {seconds(300 * row['most'] / slow)}",
        ]
        for row in part["rows"]
    ]
    return f"{said}\n\n" + table(["pipeline, job", "instructions", "one simulation", "300 simulations"], rows)


def _pays_off(part: dict[str, Any]) -> str:
    sentences = [
        f"{pipeline} pipeline: above {seconds(limit)} of one core's work"
        for pipeline, limit in part["pays_off_s"].items()
        if limit is not None
    ]
    if not sentences:
        return "The pool of processes is not faster here at any size, or not installed."
    return "The pool of processes is faster than one process: " + "; ".join(sentences) + "."


def _decision(part: dict[str, Any]) -> dict[str, str]:
    labels = list(dict.fromkeys(label for row in part["table"] for label in row["test_s"]))
    rows = []
    for row in part["table"]:
        board = row["board"]
        rows.append(
            [
                grouped(row["n_samples"]),
                str(row["n_scales"]),
                *(
                    ("" if label in row["measured"] else "~ ") + seconds(row["test_s"][label])
                    if label in row["test_s"]
                    else "refused"
                    for label in labels
                ),
                f"~ {gigabytes(row['pycwt_test_bytes'])}" if "pycwt_test_bytes" in row else "",
                f"~ {gigabytes(max(row['own_bytes'].values()))}" if row["own_bytes"] else "",
                f"{seconds(board['fewest_s'])} to {seconds(board['most_s'])} (`{board['pipeline']}`)"
                if board
                else "too large",
                row["advice"],
            ]
        )
    measured = max(row["n_samples"] for row in part["costs"])
    return {
        "decision_measured": grouped(measured),
        "test_stops": "The longest series whose test is expected to fit: "
        + ", ".join(f"{grouped(stop['largest_n'])} samples in {stop['memory_gb']} GB" for stop in part["test_stops"])
        + " (also extrapolated)."
        if part["test_stops"]
        else "",
        "decision_table": table(
            [
                "samples",
                "scales",
                *(label if label == "pycwt" else f"`{label}`" for label in labels),
                "memory, pycwt",
                "memory, this project",
                "board",
                "use",
            ],
            rows,
        ),
        "thresholds": bullets(_thresholds(part)),
        "decision_text": (
            "Scales up to the length of the series are pycwt's default and seldom of use: at the largest none of the "
            "data are inside the cone of influence, and the surrogates are six times as long as that scale. A J that "
            "ends at a quarter of the series makes the test some four times cheaper. The board is chosen for other "
            "reasons than speed; of the standard job (dt = dj = 0.25, s0 = 0.5) it holds up to "
            + " and ".join(f"J = {J} ({pipeline} pipeline)" for pipeline, J in part["board_largest_J"].items())
            + "."
        ),
    }


def _thresholds(part: dict[str, Any]) -> list[str]:
    """Where the advice changes, in samples."""
    found = part["thresholds"]
    sentences = []
    for pipeline, n in found["pool_from"].items():
        sentences.append(
            f"`{pipeline}` pipeline: the pool of processes is faster than one process above {_samples(n)}."
            if n is not None
            else f"`{pipeline}` pipeline: the pool of processes was not faster at any size measured."
        )
    nights = ", ".join(
        f"{_samples(n)} ({label if label == 'pycwt' else f'`{label}`'})" for label, n in found["night"].items()
    )
    sentences += [
        (
            f"A night of eight hours on one core is enough for up to {nights}. Longer than that: more processes, or a "
            "Dask cluster, and a checkpoint in any case."
        ),
        (
            f"Above {_samples(found['longest_job'])} pycwt's default scales make surrogates longer than a job may "
            "have: give a smaller J."
        ),
    ]
    return sentences


def _samples(n: int) -> str:
    """A threshold with two significant digits: it is known no better."""
    digits = max(0, len(str(n)) - 2)
    return f"{grouped(round(n, -digits))} samples"
