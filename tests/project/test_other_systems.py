"""The packages can be imported where there is no POSIX, and do without what they then lack.

Simulated: a process of its own loses what Windows does not have. What Windows does differently it cannot show.
"""

from __future__ import annotations

import subprocess
import sys

from architecture import FOLDERS
from paths import ROOT

DEADLINE_S = 120.0

# Whatever other packages import comes first, with everything still there; ours are then imported once more, without.
WITHOUT_POSIX = """
import importlib, importlib.abc, os, signal, sys

OURS = {ours!r}
MODULES = {modules!r}

for name in MODULES:
    importlib.import_module(name)
for name in [name for name in sys.modules if name.partition(".")[0] in OURS]:
    del sys.modules[name]

MISSING = {{"fcntl", "grp", "pty", "pwd", "resource", "syslog", "termios", "tty"}}
for name in MISSING:
    sys.modules.pop(name, None)

class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name in MISSING:
            raise ModuleNotFoundError("No module named " + repr(name), name=name)

sys.meta_path.insert(0, Missing())
for name in ("chown", "fork", "getegid", "geteuid", "getgid", "getgroups", "getloadavg", "getuid", "killpg", "mkfifo",
             "openpty", "sched_getaffinity", "setsid", "sysconf", "ttyname", "uname", "O_NOCTTY",
             "O_NONBLOCK", "O_CLOEXEC"):
    delattr(os, name)
taken = {{}}
for name in ("SIGALRM", "SIGCHLD", "SIGHUP", "SIGKILL", "SIGPIPE", "SIGQUIT", "SIGSTOP", "SIGTSTP", "SIGUSR1",
             "SIG_BLOCK", "SIG_SETMASK", "pthread_sigmask", "setitimer"):
    taken[name] = getattr(signal, name)
    delattr(signal, name)

for name in MODULES:
    importlib.import_module(name)
"""

# What uses such a thing when it runs, and has something else to do where it is missing.
AND_USE = """
signal.SIGKILL = taken["SIGKILL"]  # with which this system's subprocess ends a process

from elm11_lua_driver import Job, PoolEngine, run
from elm11_lua_driver.engines.pool import n_cores

assert n_cores() == (os.cpu_count() or 1)
job = Job(0.5, 0.5, 0.25, 0.5, 0.5, 3, n_simulations=20)
engine = PoolEngine(1)
try:
    assert run(job, engine).sha256 == run(job).sha256
finally:
    engine.close()

from elm11_lua_driver.cli.commands.virtual import _server
from elm11_shim import VirtualBoard

with VirtualBoard() as board:
    try:
        _server(board, "a-link", None, pace=False)
    except ValueError as error:
        print(error)
    with _server(board, None, 0, pace=False) as server:
        print(server.address.partition(":")[0])
"""


def modules() -> list[str]:
    """Every module of the four packages."""
    found = []
    for package, folder in FOLDERS.items():
        for path in sorted((ROOT / folder / package).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            if parts[-1] != "__main__":  # which runs the program
                found.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return found


def test_every_module_can_be_imported_and_the_rest_goes_on() -> None:
    names = modules()
    assert len(names) > 100
    code = WITHOUT_POSIX.format(ours=set(FOLDERS), modules=names) + AND_USE
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=DEADLINE_S)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["--pty: this system has no pseudo terminals; use --tcp", "socket"]
