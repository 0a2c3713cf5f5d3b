"""The wheel holds the four packages with their Lua, and says that they are typed."""

from __future__ import annotations

import zipfile
from pathlib import Path

from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parent.parent
FOLDERS = {
    "elm11_lua_driver": "driver",
    "elm11_firmware": "firmware_lua",
    "elm11_host_ref": "host_ref",
    "elm11_shim": "shim",
}


def test_the_wheel_holds_every_source_file(tmp_path: Path) -> None:
    wheel = next(WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"]))
    names = set(zipfile.ZipFile(wheel).namelist())
    for package, folder in FOLDERS.items():
        base = ROOT / folder
        sources = {
            path.relative_to(base).as_posix()
            for path in (base / package).rglob("*")
            if path.suffix in {".py", ".lua", ".rules", ".html"} or path.name == "py.typed"
        }
        assert f"{package}/py.typed" in sources
        assert sources <= names
    assert {
        "elm11_firmware/monte_carlo.lua",
        "elm11_lua_driver/udev/70-elm11.rules",
        "elm11_lua_driver/report_page.html",
    } <= names
    assert not [name for name in names if name.startswith(("tests/", "tools/", "docs/"))]
