"""Settings: precedence, where each comes from, and what is wrong with a file in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from elm11_lua_driver import config
from elm11_lua_driver.cli import main
from elm11_lua_driver.config import Source
from elm11_lua_driver.engines import ENGINES, pool
from elm11_lua_driver.errors import ConfigError

DEFAULTS = {"engine": "numpy", "pipeline": "exact"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder below one with a project file, to work in."""
    below = tmp_path / "project" / "below"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    return below


def project(folder: Path, text: str) -> Path:
    path = folder.parent / "pyproject.toml"
    path.write_text(text, encoding="utf-8")
    return path


def user(text: str) -> Path:
    path = config.user_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def elm11(*arguments: str) -> Result:
    return CliRunner().invoke(main.main, arguments)


def test_nothing_is_set_by_default(folder: Path) -> None:
    found = config.load({}, folder)
    assert {key: one.value for key, one in found.items()} == {**dict.fromkeys(config.KEYS), **DEFAULTS}
    assert {one.source for one in found.values()} == {Source.DEFAULT}


def test_names_and_limits_are_those_of_the_engines() -> None:
    assert tuple(ENGINES) == config.ENGINE_NAMES
    assert config.MAX_WORKERS == pool.MAX_WORKERS


def test_help_does_not_read_a_broken_file(folder: Path) -> None:
    project(folder, "[tool.elm11]\nworkers = 0\n")
    assert elm11("significance", "--help").exit_code == 0
    assert elm11("list").exit_code == 2


def test_each_source_wins_over_those_below_it(folder: Path) -> None:
    users = user('port = "from the user"\nengine = "lua"\nworkers = 2\n')
    projects = project(folder, '[tool.elm11]\nport = "from the project"\nengine = "board"\n')
    found = config.load({"ELM11_PORT": "from the environment"}, folder)
    assert found["port"] == config.Setting("from the environment", Source.ENVIRONMENT, "ELM11_PORT")
    assert found["engine"] == config.Setting("board", Source.PROJECT, str(projects))
    assert found["workers"] == config.Setting(2, Source.USER, str(users))
    assert found["pipeline"] == config.Setting("exact")


def test_the_command_line_wins_over_all(folder: Path) -> None:
    project(folder, '[tool.elm11]\nport = "/dev/none"\nengine = "lua"\n')
    job = ["--lag1", "0", "0", "--dt", "1", "--s0", "2", "--scales", "1", "--simulations", "2", "--json"]
    assert json.loads(elm11("significance", *job).stdout)["engine"] == "lua"
    assert json.loads(elm11("significance", *job, "--engine", "numpy").stdout)["engine"] == "numpy"
    assert elm11("list", "--port", "virtual://").exit_code == 0
    assert "there is no port /dev/none" in elm11("list").stderr


def test_the_nearest_project_file_counts_and_no_other(folder: Path) -> None:
    project(folder, '[tool.elm11]\nport = "a"\n')
    (folder / "pyproject.toml").write_text("[project]\n")
    assert config.load({}, folder)["port"].value is None


def test_environment_numbers_are_text_and_empty_is_not_set(folder: Path) -> None:
    found = config.load({"ELM11_TX_DELAY_MS": "1.5", "ELM11_WORKERS": "4", "ELM11_PORT": ""}, folder)
    assert (found["tx_delay_ms"].value, found["workers"].value, found["port"].value) == (1.5, 4, None)


def test_paths_in_a_file_start_from_its_folder(folder: Path) -> None:
    path = user('cache = "kept"\ntrace = "/abs/trace"\n')
    found = config.load({}, folder)
    assert found["cache"].value == path.parent / "kept"
    assert found["trace"].value == Path("/abs/trace")
    home = config.load({"ELM11_CACHE": "~/x"}, folder)["cache"].value
    assert home == Path.home() / "x"


class TestAFolderOfSomebodyElse:
    """What a ``pyproject.toml`` can make the next command do."""

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("trace", "victim"),
            ("cache", "victim"),
            ("port", "spy:///dev/null?file=victim"),
            ("port", "SPY:///dev/null?file=victim"),
            ("port", "spy://virtual?color&file=victim"),
            ("port", "virtual://?store=victim"),
            ("port", "virtual://?seed=1&store=victim"),
            ("port", "virtual://?%73tore=victim"),
            ("port", "VIRTUAL://?seed=1"),
            ("port", "alt:///dev/null?class=PosixPollSerial"),
            ("port", "hwgrep://FTDI"),
        ],
    )
    def test_it_names_no_file_to_write(self, folder: Path, key: str, value: str) -> None:
        victim = folder.parent / "victim"
        victim.write_text("precious\n")
        path = project(folder, '[tool.elm11]\nport = "virtual://"\n'.replace("port", key).replace("virtual://", value))
        result = elm11("info") if key == "port" else elm11("info", "--port", "virtual://")
        assert result.exit_code == 2
        assert result.stderr.count("\n") == 1
        assert f"{path}: {key} " in result.stderr
        assert victim.read_text() == "precious\n"
        assert list(folder.iterdir()) == []

    @pytest.mark.parametrize("port", ["/dev/ttyUSB1", "socket://h:7", "rfc2217://h:7", "virtual://?seed=2&lua=lupa"])
    def test_other_ports_pass(self, folder: Path, port: str) -> None:
        project(folder, f'[tool.elm11]\nport = "{port}"\n')
        assert config.load({}, folder)["port"].value == port

    def test_its_port_is_shown_once(self, folder: Path) -> None:
        path = project(folder, '[tool.elm11]\nport = "virtual://?seed=3"\n')
        for arguments in (("list",), ("list", "--quiet"), ("detect",)):
            text = elm11(*arguments).stderr
            assert text.count(f"port virtual://?seed=3, as {path} sets it\n") == 1
        assert "sets it" not in elm11("list", "--port", "virtual://").stderr
        user('port = "virtual://"\n')
        path.unlink()
        assert "sets it" not in elm11("list").stderr

    def test_its_modules_are_not_imported_by_worker_processes(self, folder: Path) -> None:
        for name in ("json", "numpy", "pickle", "elm11_lua_driver"):
            (folder / f"{name}.py").write_text("open('imported', 'w').close()\n")
        worker = pool.WorkerProcess("numpy")
        try:
            worker.prepare()
        finally:
            worker.close()
        assert not (folder / "imported").exists()


@pytest.mark.parametrize(
    ("text", "key", "part"),
    [
        ("prot = 'x'", "prot", "'prot' is not a setting"),
        ("port = 7", "port", "port must be text, not 7"),
        ("port = ''", "port", "port must be text, not ''"),
        ("tx_delay_ms = -1", "tx_delay_ms", "tx_delay_ms: -1.0 is not in the range 0<=x<=100"),
        ("tx_delay_ms = nan", "tx_delay_ms", "in the range 0<=x<=100"),
        ("tx_delay_ms = '1'", "tx_delay_ms", "tx_delay_ms must be a number, not '1'"),
        ("tx_delay_ms = true", "tx_delay_ms", "tx_delay_ms must be a number, not True"),
        ("workers = 1.5", "workers", "workers must be a whole number, not 1.5"),
        ("workers = 0", "workers", "workers: 0 is not in the range 1<=x<=1024"),
        ("workers = 1" + "0" * 400, "workers", "is not in the range 1<=x<=1024"),
        ("engine = 'gpu'", "engine", "engine: 'gpu' is not one of 'numpy', 'lua'"),
        ("pipeline = 'slow'", "pipeline", "pipeline: 'slow' is not one of 'exact'"),
        ("port =", "", "is not TOML"),
    ],
)
@pytest.mark.parametrize("kind", ["project", "user"])
def test_what_is_wrong_is_one_line_with_file_and_key(folder: Path, kind: str, text: str, key: str, part: str) -> None:
    path = user(text) if kind == "user" else project(folder, f"[tool.elm11]\n{text}\n")
    result = elm11("config", "show")
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert str(path) in result.stderr
    assert part in result.stderr

    with pytest.raises(ConfigError) as caught:
        config.load({}, folder)
    assert (caught.value.file, caught.value.key, caught.value.exit_code) == (str(path), key, 2)


def test_files_that_are_no_text_or_no_file(folder: Path) -> None:
    path = project(folder, "")
    path.write_bytes(b"[tool.elm11]\nport = '\xff'\n")
    with pytest.raises(ConfigError, match="not text in UTF-8"):
        config.load({}, folder)
    path.unlink()
    path.mkdir()
    assert config.load({}, folder)["port"].value is None


def test_a_wrong_variable_is_named() -> None:
    with pytest.raises(ConfigError, match=r"^ELM11_WORKERS: 'many' is not a whole number in the range 1<=x<=1024$"):
        config.load({"ELM11_WORKERS": "many"})


def test_show_says_where_each_comes_from(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    projects = project(folder, "[tool.elm11]\nworkers = 3\n")
    monkeypatch.setenv("ELM11_PORT", "COM7")
    rows = {line.split()[0]: line.split()[1:] for line in elm11("config", "show").stdout.splitlines()[1:]}
    assert list(rows) == list(config.KEYS)
    assert rows["port"] == ["COM7", "ELM11_PORT"]
    assert rows["workers"] == ["3", str(projects)]
    assert rows["engine"] == ["numpy", "default"]
    document = json.loads(elm11("config", "show", "--json").stdout)
    assert document["settings"]["workers"] == {
        "value": 3,
        "source": "project file",
        "origin": str(projects),
        "variable": "ELM11_WORKERS",
    }
    assert document["project_file"] == str(projects)


def test_path(folder: Path) -> None:
    project(folder, "")
    result = elm11("config", "path")
    assert result.stdout == f"{config.user_file()}\n"
    assert "does not exist" in result.stderr
    assert elm11("config", "path", "--quiet").stderr == ""
    user("")
    assert json.loads(elm11("config", "path", "--json").stdout)["user_file_exists"] is True


@pytest.mark.usefixtures("folder")
class TestWhichBoard:
    """Port and hardware id together name a board only where they come from the same place."""

    def test_a_hardware_id_on_the_command_line_wins_over_a_configured_port(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ELM11_PORT", "/dev/none")
        result = elm11("list", "--hw-id", "nobody")
        assert result.exit_code == 3
        assert "no board with hardware id 'nobody'" in result.stderr

    def test_a_port_on_the_command_line_wins_over_a_configured_hardware_id(self) -> None:
        user('hw_id = "another"\n')
        assert elm11("list", "--port", "virtual://").exit_code == 0

    def test_both_in_one_place_must_agree(self) -> None:
        user('hw_id = "another"\nport = "virtual://"\n')
        result = elm11("list")
        assert result.exit_code == 3
        assert "has hardware id 'virtual-elm11', not 'another'" in result.stderr

    def test_a_configured_board_does_not_keep_other_engines_from_working(self) -> None:
        user('port = "/dev/none"\ntx_delay_ms = 2\n')
        job = ["--lag1", "0", "0", "--dt", "1", "--s0", "2", "--scales", "1", "--simulations", "2"]
        assert elm11("significance", *job).exit_code == 0

    def test_calibrate_takes_no_notice_of_a_configured_delay(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ELM11_TX_DELAY_MS", "3")
        assert elm11("calibrate", "--port", "virtual://").exit_code == 0
        assert elm11("calibrate", "--port", "virtual://", "--tx-delay", "3").exit_code == 2

    def test_a_configured_port_is_looked_at_by_detect(self) -> None:
        path = user('port = "virtual://"\n')
        assert f"named by {path}" in elm11("detect").stdout


def test_a_configured_trace_is_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELM11_TRACE", "wire.jsonl")
    assert elm11("list", "--port", "virtual://").exit_code == 0
    assert (folder / "wire.jsonl").stat().st_size > 0


def test_the_library_reads_no_configuration(folder: Path) -> None:
    user("engine = 'gpu'\nport =")
    from elm11_lua_driver import Job, run  # noqa: PLC0415  after the file is there

    assert run(Job(0, 0, 1, 1, 2, 1, n_simulations=2)).is_complete
    assert folder.is_dir()
