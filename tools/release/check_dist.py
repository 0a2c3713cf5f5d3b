"""Build the wheel and the source archive, check them, and use them as a user would: `make dist`.

    python tools/release/check_dist.py [--folder dist]

1. builds both, the wheel out of the source archive, and has `twine check --strict` read what an index would show;
2. validates CITATION.cff, whose version is the one built;
3. installs the wheel into a bare virtual environment, far from this checkout, and runs the demo there;
4. unpacks the source archive, which must hold every file of this checkout's last commit, builds the wheel from it
   once more, which must be the same byte for byte, and runs the tests of the packages' parts there, where nothing but
   the archive and what is installed from it can be found;
5. follows the README from `git clone` to the figure, with a clone of this checkout's last commit and two files.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import venv
from pathlib import Path
from typing import Final

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S: Final = 600
FEW_TESTS: Final = (
    "tests/project/test_packaging.py",
    "tests/firmware_lua/test_manifest.py",
    "tests/contracts/test_same_counts.py",
    "tests/project/test_docs.py",
)
FEW_SIMULATIONS: Final = ("--simulations", "30", "--lua-simulations", "1")
BIN: Final = "Scripts" if os.name == "nt" else "bin"


def run(*command: str | Path, folder: Path) -> str:
    """Run a program; its output.

    Raises:
        SystemExit: it failed; the message has what it said.
    """
    line = shlex.join(map(str, command))
    print(f"$ {line}", flush=True)
    # No PYTHONPATH: what is found has to be what was installed.
    environment = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    if done.returncode:
        raise SystemExit(f"{line} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def build(folder: Path) -> tuple[Path, Path]:
    """Build the source archive and the wheel into a folder that is emptied first."""
    shutil.rmtree(folder, ignore_errors=True)
    run(sys.executable, "-m", "build", "--outdir", folder, ROOT, folder=ROOT)
    archives = sorted(folder.iterdir())
    run(sys.executable, "-m", "twine", "check", "--strict", *archives, folder=ROOT)
    (wheel,) = folder.glob("*.whl")
    (source,) = folder.glob("*.tar.gz")
    return source, wheel


def check_citation() -> None:
    """CITATION.cff is valid, and of this version."""
    run(Path(sys.executable).parent / "cffconvert", "--validate", "--infile", ROOT / "CITATION.cff", folder=ROOT)
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    if f"\nversion: {version}\n" not in (ROOT / "CITATION.cff").read_text(encoding="utf-8"):
        raise SystemExit(f"CITATION.cff: the version must be {version}, as in pyproject.toml")


def use_wheel(wheel: Path, folder: Path) -> None:
    """Install the wheel into a bare environment and run the demo there."""
    venv.create(folder / "bare", with_pip=True)
    programs = folder / "bare" / BIN
    run(programs / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel, folder=folder)
    print(run(programs / "elm11", "--version", folder=folder).splitlines()[0])
    print(run(programs / "elm11", "demo", "--quiet", *FEW_SIMULATIONS, folder=folder), end="")
    if not (folder / "demo" / "ao-baltic-coherence.png").stat().st_size:
        raise SystemExit("elm11 demo drew an empty picture")


def use_source(source: Path, wheel: Path, folder: Path) -> None:
    """Build and test from what the source archive holds.

    Raises:
        SystemExit: files are missing, the wheel is another one, or a test failed.
    """
    with tarfile.open(source) as archive:
        if hasattr(tarfile, "data_filter"):  # not in Python 3.11.0 to 3.11.3
            archive.extraction_filter = tarfile.data_filter
        archive.extractall(folder)  # noqa: S202  the archive is our own
    root = folder / source.name.removesuffix(".tar.gz")
    if (ROOT / ".git").exists():
        names = run("git", "ls-files", "-z", folder=ROOT).split("\0")
        missing = [name for name in names if name and (ROOT / name).exists() and not (root / name).exists()]
        if missing:
            raise SystemExit(f"{source.name} lacks {', '.join(missing)}")
    run(sys.executable, "-m", "build", "--wheel", "--outdir", folder / "again", root, folder=folder)
    if (folder / "again" / wheel.name).read_bytes() != wheel.read_bytes():
        raise SystemExit(f"{wheel.name} built from {source.name} is another file than {wheel}")
    venv.create(folder / "tests", with_pip=True)
    python = folder / "tests" / BIN / "python"
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", f"{root}[dev]", folder=root)
    print(run(python, "-m", "pytest", "-q", "--no-header", *FEW_TESTS, folder=root).splitlines()[-1])


def readme_commands() -> list[str]:
    """The README's commands from `git clone` to the figure.

    Raises:
        SystemExit: there are none, or more than five.
    """
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.search(r"^```\n(git clone .*?)^```", text, re.MULTILINE | re.DOTALL)
    commands = block[1].splitlines() if block else []
    if not 1 < len(commands) <= 5:
        raise SystemExit(f"README.md must lead from git clone to a figure in at most five commands, not {commands}")
    return commands


def follow_readme(folder: Path) -> None:
    """Run the README's commands on a clone of this checkout, with two CSV files of one's own."""
    here = folder
    for command in readme_commands():
        words = [str(ROOT) if word == "ADDRESS" else word for word in shlex.split(command)]
        words[0] = words[0].replace(".venv/bin/", f".venv/{BIN}/")
        if words[0] == "cd":
            here /= words[1]
            rows = [(2000 + i, (i * i) % 7 - 3, (i * i * i) % 11 - 5) for i in range(100)]
            for column, name in enumerate(("x", "y"), 1):
                table = "".join(f"{row[0]},{row[column]}\n" for row in rows)
                (here / f"{name}.csv").write_text(f"year,{name}\n{table}", encoding="ascii")
        else:
            program = here / words[0] if "/" in words[0] else words[0]
            print(run(program, *words[1:], folder=here), end="")
    if not (here / "coherence.png").stat().st_size:
        raise SystemExit("the README's commands left an empty coherence.png")


def main() -> None:
    """All of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=ROOT / "dist", help="where the archives go")
    arguments = parser.parse_args()
    source, wheel = build(arguments.folder.resolve())
    check_citation()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        use_wheel(wheel, folder)
        use_source(source, wheel, folder)
        follow_readme(folder)
    print(f"well: {source.name}, {wheel.name}")


if __name__ == "__main__":
    main()
