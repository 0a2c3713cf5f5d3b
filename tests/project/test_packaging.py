"""The wheel holds the four packages with their Lua, and says that they are typed; what is said of a version agrees."""

from __future__ import annotations

import re
import tomllib
import zipfile
from email import message_from_string

import pytest
from hatchling.builders.wheel import WheelBuilder
from paths import ROOT

FOLDERS = {
    "elm11_lua_driver": "driver",
    "elm11_firmware": "firmware_lua",
    "elm11_host_ref": "host_ref",
    "elm11_shim": "shim",
}


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


PROJECT = tomllib.loads(read("pyproject.toml"))["project"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    return zipfile.ZipFile(next(WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])))


def test_the_wheel_holds_every_source_file(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    for package, folder in FOLDERS.items():
        base = ROOT / folder
        sources = {
            path.relative_to(base).as_posix()
            for path in (base / package).rglob("*")
            if path.suffix in {".py", ".lua", ".rules", ".j2"} or path.name == "py.typed"
        }
        assert f"{package}/py.typed" in sources
        assert sources <= names
    assert {
        "elm11_firmware/monte_carlo.lua",
        "elm11_lua_driver/diagnostics/udev/70-elm11.rules",
        "elm11_lua_driver/report/page.html.j2",
    } <= names
    assert not [name for name in names if name.startswith(("tests/", "tools/", "docs/"))]


def test_the_wheel_says_its_licence_and_carries_it(wheel: zipfile.ZipFile) -> None:
    info = f"elm11_lua_driver-{PROJECT['version']}.dist-info"
    said = message_from_string(wheel.read(f"{info}/METADATA").decode())
    assert said["License-Expression"] == PROJECT["license"] == "MIT"
    assert said.get_all("License-File") == ["LICENSE"]
    assert wheel.read(f"{info}/licenses/LICENSE").decode() == read("LICENSE")


def test_every_page_names_the_same_version_and_licence() -> None:
    citation = read("CITATION.cff")
    assert f"\nversion: {PROJECT['version']}\n" in citation
    assert f"\nlicense: {PROJECT['license']}\n" in citation
    releases = re.findall(r"^## (.*)$", read("CHANGELOG.md"), re.MULTILINE)
    assert releases[0] == "Unreleased"
    assert all(re.fullmatch(r"\d+\.\d+\.\d+ - \d{4}-\d\d-\d\d", release) for release in releases[1:]), releases
    assert releases[1].split()[0] == PROJECT["version"]


def test_the_workflow_runs_what_the_script_runs_and_the_audit() -> None:
    script = re.search(r"^for target in (.*); do$", read(".ci/run"), re.MULTILINE)
    assert script is not None
    steps = re.findall(r"^ *- run: make (\S+)$", read(".github/workflows/ci.yml"), re.MULTILINE)
    assert steps == [*script[1].split(), "audit"]


def test_the_workflow_tries_every_python_that_is_promised() -> None:
    versions = re.search(r"^ *python: (\[.*\])$", read(".github/workflows/ci.yml"), re.MULTILINE)
    assert versions is not None
    promised = [name.rpartition(" ")[2] for name in PROJECT["classifiers"] if "Python :: 3." in name]
    assert tomllib.loads(f"versions = {versions[1]}")["versions"] == promised


def test_actions_are_pinned_by_hash_with_their_version_and_jobs_may_only_read() -> None:
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        text = path.read_text(encoding="utf-8")
        used = re.findall(r"uses: (.*)$", text, re.MULTILINE)
        assert used
        assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", use) for use in used), (path, used)
        assert re.search(r"^permissions:(?: \{\}|\n  contents: read)$", text, re.MULTILINE), path


def test_the_oldest_versions_are_the_lower_bounds() -> None:
    pinned = re.findall(r"^([\w.-]+)==(\S+)$", read("tests/oldest.txt"), re.MULTILINE)
    assert [f"{name}>={version}" for name, version in pinned] == PROJECT["dependencies"]
