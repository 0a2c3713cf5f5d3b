#!/usr/bin/env python3
"""The same test on a Dask cluster, here two worker processes on this computer.

    python tools/examples/dask_cluster.py
    python tools/examples/dask_cluster.py tcp://10.0.0.1:8786

Needs ``pip install 'elm11-lua-driver[dask]'``. With an address, a cluster that is there already is used; its workers
need this package too. Boards that are plugged into workers can compute as well: see docs/pycwt-users.md.

Ends with exit code 1 if the cluster's counts are not exactly those of this process alone.
"""

from __future__ import annotations

import contextlib
import sys
import time

from distributed import Client, LocalCluster
from elm11_lua_driver import Job, run, wct_significance
from elm11_lua_driver.engines import DaskEngine

JOB = Job(lag1_x=0.72, lag1_y=0.72, dt=0.25, dj=0.25, s0=0.5, J=20, n_simulations=1000)


def main() -> int:
    """Compute here and there, compare."""
    started = time.perf_counter()
    alone = run(JOB, "numpy")
    print(f"this process alone:  {time.perf_counter() - started:5.1f} s  counts_sha256 {alone.sha256[:16]}...")

    with contextlib.ExitStack() as stack:
        if len(sys.argv) > 1:
            client = stack.enter_context(Client(sys.argv[1]))
        else:
            # No page with diagrams, which would need a port of its own.
            cluster = stack.enter_context(LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None))
            client = stack.enter_context(Client(cluster))
        print(f"cluster:             {len(client.nthreads())} workers at {client.scheduler.address}")

        started = time.perf_counter()
        engine = DaskEngine(client)
        together = run(JOB, engine)
        engine.close()
        print(f"the cluster:         {time.perf_counter() - started:5.1f} s  counts_sha256 {together.sha256[:16]}...")

        # As pycwt's function; without client= it would take the client that was made last, which is the same one.
        levels = wct_significance(
            *(JOB.lag1_x, JOB.lag1_y, JOB.dt, JOB.dj, JOB.s0, JOB.J),
            mc_count=JOB.n_simulations,
            cache=False,
            backend="dask",
            client=client,
        )
    print(f"levels:              {levels[0]:.3f} at the smallest scale, {levels[-1]:.3f} at the largest")
    same = together.sha256 == alone.sha256
    print(f"equal counts:        {same}")
    return 0 if same else 1


if __name__ == "__main__":  # the workers' processes import this file
    sys.exit(main())
