"""The performance study: measures, fits, figures, and the pages docs/performance.md and docs/comparison.md.

    make study          everything, 15 to 20 minutes; writes the pages, their figures, build/performance.json and
                        docs/performance.json, which has what the pages quote of it
    make study-quick    every part on small sizes, into a temporary folder, about a minute; checks what comes out

Every measurement has a time after which it begins no further turn, so that the whole cannot grow without bound. Each
part is kept in docs/.study as soon as it is done: after an interruption, or when a part has failed, `make study` goes
on with what is missing; `python -m study --fresh` does not. fCWT wants FFTW in single precision from the system
(`libfftw3-single3` in Debian); a library that cannot be loaded is left out, and the reason is printed.

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
