"""The performance study: measures, fits, figures, and the pages docs/performance.md and docs/comparison.md.

    make study          everything, some 15 minutes; writes the pages, their figures and docs/performance.json
    make study-quick    every part on small sizes, into a temporary folder, under a minute; checks what comes out

One core for each side: the variables below are read when NumPy, SciPy and Numba are loaded, so they stand here, before
any module of the study can load them. Engines that use several cores do so by processes, which this does not forbid.
"""

import os

for _variable in (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
):
    os.environ[_variable] = "1"
os.environ["SSQ_PARALLEL"] = "0"  # ssqueezepy's own switch
os.environ.setdefault("MPLBACKEND", "Agg")  # waipy and piwavelet load pyplot
