#!/usr/bin/env python3
"""Draw the pictures of the README and the documentation again.

They are docs/coherence-ao-baltic.png, docs/noise-spectra.png and docs/significance-pictures.png.

python tools/generate/docs_pictures.py
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
from elm11_host_ref.exact import rednoise
from elm11_lua_driver import Job, significance
from elm11_lua_driver.plotting import coherence
from matplotlib.figure import Figure

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # pycwt 0.5.0b0 uses a deprecated SciPy namespace
    import pycwt

DOCS = Path(__file__).resolve().parents[2] / "docs"
LAG1, N_SAMPLES, N_SERIES = 0.72, 512, 400


def main() -> int:
    """Draw all."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", "from elm11_lua_driver.cli.main import main; main()"]
        subprocess.run([*command, "demo", "--output-dir", folder, "--lua-simulations", "1"], check=True)
        (DOCS / "coherence-ao-baltic.png").write_bytes((Path(folder) / "ao-baltic-coherence.png").read_bytes())
    np.random.seed(1)  # noqa: NPY002  pycwt has no other way to be seeded
    theirs = np.array([pycwt.rednoise(N_SAMPLES, LAG1) for _ in range(N_SERIES)])
    ours = rednoise.surrogate_pairs(1, range(N_SERIES // 2), LAG1, LAG1, N_SAMPLES).reshape(N_SERIES, N_SAMPLES)
    noises = {f"pycwt.rednoise(N, {LAG1})": theirs, "this project's red noise": ours}
    coherence.save_figure(coherence.noise_spectra_figure(noises, LAG1), DOCS / "noise-spectra.png")
    levels = significance(Job(LAG1, LAG1, 0.25, 0.25, 0.5, 20))
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    coherence.plot_significance(levels, left, time_unit="years")
    coherence.plot_histogram(levels.histogram, middle, time_unit="years")
    coherence.plot_convergence(levels.histogram, right, time_unit="years")
    coherence.save_figure(figure, DOCS / "significance-pictures.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
