"""Part (a): time and memory of pycwt's cwt and wct, how they grow, and where 16 and 64 GB end.

Run as a module it measures the memory of cells: `python -m study.scaling cwt 1000x30 10000x30` prints JSON.
"""

from __future__ import annotations

import json
import math
import sys
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from elm11_host_ref.exact import fft

from study import fits, measure
from study.quiet_pycwt import MORLET, pycwt

if TYPE_CHECKING:
    from elm11_host_ref.types import FloatArray

FUNCTIONS: Final = ("cwt", "wct")
SMALLEST_SCALE: Final = 2.0
MEMORIES_GB: Final = (16, 64)
STOPS_AT_SCALES: Final = (10, 50, 100, 500)

# Most coefficients (padded samples times scales) of a cell: 3 GB for either, which a shared computer can spare.
_MOST_COEFFICIENTS: Final = {"cwt": 53_000_000, "wct": 14_000_000}
# Below these a fixed cost (of calls, of the interpreter's own memory) hides the law. A fast computer may leave hardly
# any cell above them, so the largest few are taken in any case.
_SHORTEST_FITTED_S: Final = 0.002
_SMALLEST_FITTED_BYTES: Final = 5_000_000
_FEWEST_FITTED: Final = 5

FULL: Final = ([100, 316, 1000, 3162, 10_000, 31_623, 100_000, 316_228, 1_000_000], [10, 50, 150, 500])
QUICK: Final = ([8000, 16_000, 32_000], [16, 48])
_BUDGET_S: Final = 120


def spacing(n_samples: int, n_scales: int) -> float:
    """Octaves between scales that go from 2 samples to half the series."""
    return math.log2(n_samples / 2 / SMALLEST_SCALE) / (n_scales - 1)


def _series(n_samples: int) -> tuple[FloatArray, FloatArray]:
    x, y = np.random.default_rng(1).standard_normal((2, n_samples))
    return x, y


def call(function: str, n_samples: int, n_scales: int, series: tuple[FloatArray, FloatArray] | None = None) -> None:
    """One call of `pycwt.cwt` or `pycwt.wct` (without levels) at dt = 1."""
    x, y = series or _series(n_samples)
    dj = spacing(n_samples, n_scales)
    if function == "cwt":
        pycwt.cwt(x, 1.0, dj, SMALLEST_SCALE, n_scales - 1, MORLET)
    else:
        pycwt.wct(x, y, 1.0, dj, SMALLEST_SCALE, n_scales - 1, sig=False, wavelet=MORLET)


def cells(sizes: list[int], scales: list[int]) -> list[tuple[str, int, int]]:
    """`(function, samples, scales)` of everything that is measured."""
    return [
        (function, n, s)
        for function in FUNCTIONS
        for n in sizes
        for s in scales
        if fft.padded_length(n) * s <= _MOST_COEFFICIENTS[function]
    ]


def run(*, quick: bool) -> dict[str, Any]:
    """Measure, fit and extrapolate."""
    sizes, scales = QUICK if quick else FULL
    wanted = cells(sizes, scales)
    names = {f"{function} {n} {s}": (function, n, s) for function, n, s in wanted}
    tasks = {name: partial(call, function, n, s, _series(n)) for name, (function, n, s) in names.items()}
    measure.say(f"times of {len(tasks)} cells")
    times = measure.interleaved(tasks, 2 if quick else 6, slow_s=1.0, slow_rounds=2, budget_s=_BUDGET_S)
    measure.say("their memory")
    peaks = memory_peaks(wanted)
    rows = []
    for name, (function, n, s) in names.items():
        rows.append(
            {
                "function": function,
                "n_samples": n,
                "n_padded": fft.padded_length(n),
                "n_scales": s,
                **times[name].to_dict(),
                "peak_bytes": peaks[function, n, s],
            }
        )
    return {"cells": rows, **conclusions(rows)}


def memory_peaks(wanted: list[tuple[str, int, int]]) -> dict[tuple[str, int, int], int]:
    """Growth of the peak memory by one call of each cell, in processes that do nothing else.

    Where the system can forget an earlier peak, one process measures all cells of a function; elsewhere one each.
    """
    peaks: dict[tuple[str, int, int], int] = {}
    for function in FUNCTIONS:
        mine = [cell for cell in wanted if cell[0] == function]
        batches = [mine] if mine and measure.can_reset_peak() else [[cell] for cell in mine]
        for batch in batches:
            found = measure.in_child("scaling", function, *(f"{n}x{s}" for _, n, s in batch))
            peaks |= dict(zip(batch, found["peak_bytes"], strict=True))
    return peaks


def conclusions(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Fitted laws, and where memory ends."""
    laws: dict[str, Any] = {}
    stops = []
    for function in FUNCTIONS:
        mine = [row for row in rows if row["function"] == function]
        time_law = _law(mine, [row["wall"]["median"] for row in mine], _SHORTEST_FITTED_S)
        memory_law = _law(mine, [row["peak_bytes"] for row in mine], _SMALLEST_FITTED_BYTES)
        laws[function] = {"time": time_law.to_dict(), "memory": memory_law.to_dict()}
        for gigabytes in MEMORIES_GB:
            for n_scales in STOPS_AT_SCALES:
                n = largest_length(memory_law, n_scales, gigabytes * 2**30)
                stops.append(
                    {
                        "function": function,
                        "memory_gb": gigabytes,
                        "n_scales": n_scales,
                        "largest_n": n,
                        "bytes": memory_law.predict(n, n_scales),
                        "seconds": time_law.predict(n, n_scales),
                    }
                )
    return {"laws": laws, "stops": stops}


def largest_length(law: fits.PowerLaw, n_scales: int, limit: float) -> int:
    """Largest power of two whose predicted memory stays below the limit: the longest series, as pycwt pads to it."""
    n = 2
    while law.predict(2 * n, n_scales)[0] <= limit:
        n *= 2
    return n


def _law(rows: list[dict[str, Any]], values: list[float], least: float) -> fits.PowerLaw:
    """Law of the values over padded samples and scales, of the values from `least` on and the largest few anyway."""
    limit = min(least, sorted(values)[-_FEWEST_FITTED:][0])
    fitted = [(row, value) for row, value in zip(rows, values, strict=True) if value >= limit]
    return fits.power_law([[row["n_padded"], row["n_scales"]] for row, _ in fitted], [value for _, value in fitted])


def main() -> int:
    """Print, cell by cell, how far one call raises the peak memory of this process."""
    function, *arguments = sys.argv[1:]
    call(function, 64, 4)  # imports and the first FFT's tables are not the cell's
    peaks = []
    for argument in arguments:
        n_samples, n_scales = map(int, argument.split("x"))
        series = _series(n_samples)
        measure.reset_peak()
        before = measure.peak_bytes()
        call(function, n_samples, n_scales, series)
        peaks.append(measure.peak_bytes() - before)
    print(json.dumps({"peak_bytes": peaks}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
