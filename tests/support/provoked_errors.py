"""What users get wrong: a folder full of bad files, and a way to try a command in it."""

from __future__ import annotations

import json
import os
import shlex
from typing import TYPE_CHECKING

import numpy as np
from click.testing import CliRunner
from elm11_lua_driver import Job
from elm11_lua_driver.cli import main
from elm11_lua_driver.cli.commands import scripts

if TYPE_CHECKING:
    from pathlib import Path

    import click

PROGRAMS: dict[str, click.Command] = {
    "elm11": main.main,
    "elm11-upload-scripts": scripts.upload_scripts,
    "elm11-check-scripts": scripts.check_scripts,
}
JOB = "--lag1 0.5 0.5 --dt 1 --s0 2 --scales 3 --simulations 4"


def bad_folder(folder: Path) -> None:
    """Fill a folder."""
    noise = np.random.default_rng(1).standard_normal((2, 40))
    rows = [f"{1950 + i},{x:.4f},{y:.4f}" for i, (x, y) in enumerate(noise.T)]
    head = "year,x,y"
    texts = {
        "good.csv": [head, *rows],
        "gap.csv": [head, *rows[:9], *rows[10:]],
        "nan.csv": [head, *rows[:9], "1959,nan,0.5", *rows[10:]],
        "words.csv": [head, *rows[:9], "1959,ten,0.5", *rows[10:]],
        "ragged.csv": [head, *rows[:9], "1959,0.5", *rows[10:]],
        "huge.csv": [head, *rows[:9], "1959,1e999,0.5", *rows[10:]],
        "constant.csv": [head, *(f"{1950 + i},1,1" for i in range(40))],
        "commas.csv": ["x;y", *(f"{x:.4f};{y:.4f}" for x, y in noise.T[:20]), "0,5;1,5"],
        "thousands.csv": ["x;y", *(f"1,{100 + i};2,{200 + i * i % 700}" for i in range(40))],
        "stroke.csv": [
            "day,x,y",
            *(f"{1 + i % 12}/1/{1990 + i // 12},{x:.4f},{y:.4f}" for i, (x, y) in enumerate(noise.T)),
        ],
        "weekend.csv": [
            "day,x,y",
            *(f"2024-01-{day:02},{day % 5},{day % 7}" for day in range(1, 32) if day % 7 not in (6, 0)),
        ],
        "title.csv": ["Rain at the station", *rows],
        "formula.csv": [head, *rows[:9], "1959,#DIV/0!,0.5", *rows[10:]],
        "step.csv": [head, *(f"{1950 + i},{int(i > 20)},{y:.4f}" for i, y in enumerate(noise[1]))],
        "tiny.csv": [head, *(f"{1950 + i},{x:.4f},{y:.4f}e-300" for i, (x, y) in enumerate(noise.T))],
        "giant.csv": [head, *(f"{1950 + i},{x:.4f}e307,{y:.4f}" for i, (x, y) in enumerate(noise.T))],
        "short.csv": [head, *rows[:2]],
        "header.csv": [head],
        "one.csv": ["x", *(f"{x:.4f}" for x in noise[0])],
        "bad.json": ["{"],
        "list.json": ["[1, 2]"],
        "no-job.json": [json.dumps({"job": {"lag1_x": 0.5}})],
        "wrong-job.json": [json.dumps({"job": {**json.loads(Job(0.5, 0.5, 1, 1, 2, 3).to_json()), "lag1_x": 2}})],
        "text.npz": ["no histogram"],
        "bad.lua": ["for i = 1 do end"],
        "long-line.lua": ["--" + "x" * 300],
        "needs.lua": ['local x = require("socket")'],
    }
    for name, lines in texts.items():
        (folder / name).write_text("\n".join(lines) + "\n", encoding="ascii")
    (folder / "empty.csv").touch()
    (folder / "empty.lua").touch()
    (folder / "empty.npz").touch()
    (folder / "latin.csv").write_bytes("größe,x\n1,2\n2,3\n3,5\n".encode("latin-1"))
    (folder / "binary.dat").write_bytes(bytes(range(256)) * 4)
    (folder / "latin.lua").write_bytes('print("größe")\n'.encode("latin-1"))
    (folder / "folder").mkdir()
    settings = {
        "unknown-key": 'prot = "/dev/ttyUSB0"',
        "wrong-type": "port = 7",
        "no-toml": "port = ",
        "wrong-engine": 'engine = "gpu"',
        "wrong-table": "tool = 3",
        "wrong-number": "tx_delay_ms = 1e9",
    }
    for name, text in settings.items():
        (folder / name).mkdir()
        table = text if name == "wrong-table" else f"[tool.elm11]\n{text}\n"
        (folder / name / "pyproject.toml").write_text(table, encoding="ascii")
    (folder / "no-text").mkdir()
    (folder / "no-text" / "pyproject.toml").write_bytes(b"[tool.elm11]\nport = '\xff'\n")


def attempt(line: str, folder: Path) -> tuple[int, str, str]:
    """Run a command line as a shell would, in a folder; ``cd NAME && ...`` and ``NAME=value ...`` are understood.

    Returns:
        Exit code, standard output, standard error.
    """
    place = folder
    if line.startswith("cd "):
        name, line = line.removeprefix("cd ").split(" && ", 1)
        place = folder / name
    words = shlex.split(line)
    environment = {}
    while "=" in words[0]:
        name, _, value = words.pop(0).partition("=")
        environment[name] = value
    before = os.getcwd()  # noqa: PTH109  as chdir takes it
    os.chdir(place)
    try:
        result = CliRunner().invoke(PROGRAMS[words[0]], words[1:], env=environment)
    finally:
        os.chdir(before)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr
