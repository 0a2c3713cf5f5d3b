"""What the study ran on: a description of the computer without its name, and versions."""

from __future__ import annotations

import datetime as dt
import os
import platform
import re
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = (
    "elm11-lua-driver",
    "numpy",
    "scipy",
    "pycwt",
    "PyWavelets",
    "ssqueezepy",
    "numba",
    "fCWT",
    "mne",
    "obspy",
    "elephant",
    "piwavelet",
    "waipy",
    "lupa",
    "distributed",
)


def _processor() -> str:
    """Kind and speed, such as "2.7 GHz Xeon"; what the system does not tell is left out."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.machine() or "unknown processor"
    name = re.search(r"model name\s*:\s*(.*)", text)
    speed = re.search(r"cpu MHz\s*:\s*([\d.]+)", text)
    kind = next((kind for kind in ("Xeon", "EPYC", "Ryzen", "Core") if name and kind in name[1]), platform.machine())
    return f"{float(speed[1]) / 1000:.1f} GHz {kind}" if speed else kind


def _memory_gb() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (ValueError, OSError, AttributeError):
        return None


def describe() -> dict[str, Any]:
    """Computer, versions and date, for the data file."""
    versions: dict[str, str | None] = {}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = None
    cores = os.cpu_count() or 1
    return {
        "computer": f"{cores} core{'s' * (cores != 1)} of a {_processor()}",
        "cores": cores,
        "memory_gb": _memory_gb(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": versions,
        "date": dt.datetime.now(tz=dt.UTC).date().isoformat(),
    }
