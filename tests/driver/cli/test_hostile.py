"""A hostile board reaches no terminal; what goes wrong is JSON where the result would have been; names with blanks."""

from __future__ import annotations

import errno
import functools
import json
import logging
import os
from pathlib import Path

import elm11_shim
import pytest
from board_commands import JOB_OPTIONS, VIRTUAL, done, elm11, failed, start
from elm11_lua_driver import Board
from elm11_lua_driver._text import as_json_text, coloured, printable, table
from elm11_lua_driver.cli.commands import scripts
from elm11_lua_driver.errors import BoardNotFoundError, Elm11Error, LuaError, ScriptsError, SeveralBoardsError
from elm11_shim.board_lua import BoardIdentity
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.usefixtures("own_folders")

ATTACKS = {
    "title": "\x1b]0;owned\x07",
    "clipboard": "\x1b]52;c;cm0gLXJm\x07",
    "reset": "\x1bc",
    "device control": "\x1bP+q544e\x1b\\",
    "one byte introducer": "\x9b2J",
    "delete": "\x7f",
    "right to left": "\u202egnp.exe",
    "start of line": "\rlooks like yours",
}
CONTROLS = {chr(code) for code in (*range(32), *range(127, 160), 0x202E)} - {"\n", "\t"}


def clean(text: str) -> bool:
    return not CONTROLS & set(text)


class TestText:
    @given(st.text(alphabet=st.characters() | st.sampled_from("\x1b[]m;0123\x9b\x07\r\n")))
    def test_nothing_but_text_and_colours_passes(self, text: str) -> None:
        assert clean(printable(text))
        assert clean(table([[text, "x"]]))
        assert "\x7f" not in as_json_text([text])
        assert json.loads(as_json_text([text])) == [text]
        shown = coloured(text)
        rest = shown.replace("\x1b[0m", "")
        for number in (*range(30, 38), *range(90, 98), 1, 22, 39, 0, ""):
            rest = rest.replace(f"\x1b[{number}m", "")
        assert "\x1b]" not in rest
        assert "\x9b" not in rest

    def test_colours_end_with_the_text(self) -> None:
        assert coloured("\x1b[31mred") == "\x1b[31mred\x1b[0m"
        assert coloured("\x1b[1;31mred\x1b[0m.") == "\x1b[1;31mred\x1b[0m.\x1b[0m"
        assert coloured("\x1b[8mhidden \x1b[5mblinking \x1b[2J") == printable("\x1b[8mhidden \x1b[5mblinking \x1b[2J")

    @pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
    def test_errors(self, attack: str) -> None:
        for error in (
            Elm11Error(attack, state=attack, next_step=attack, last_bytes=attack.encode()),
            BoardNotFoundError("x", looked_at=(attack,)),
            SeveralBoardsError("x", boards=(attack,)),
            ScriptsError("x", problems=(attack,)),
            LuaError("x", attack, attack),
        ):
            assert clean(str(error))
        assert LuaError("x", attack).lua_message == attack


@pytest.fixture(params=list(ATTACKS.values()), ids=list(ATTACKS))
def attack(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Text of a board that says so in its hardware id."""
    text: str = request.param
    evil = functools.partial(elm11_shim.VirtualBoard, identity=BoardIdentity(hardware=f"x{text}y"))
    monkeypatch.setattr(elm11_shim, "VirtualBoard", evil)
    return text


class TestBoards:
    def test_identity_programs_and_errors(self, attack: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Board, "programs", lambda _: [attack])
        for arguments in (["info"], ["detect"], ["list"], ["delete", "no"], ["delete", "--all"], ["repl"]):
            for more in ([], ["--verbose"], ["--json"]):
                if arguments == ["repl"] and more == ["--json"]:
                    continue
                result = elm11(*arguments, *more, "--port", VIRTUAL)
                assert clean(result.output), arguments
                if "--json" in more and result.exit_code == 0:
                    json.loads(result.stdout)

    @pytest.mark.parametrize("code", ["print(_hW)", "_hW", "string.rep(_hW, 2)", "load(_hW)()", "x = _hW; x.y.z = 1"])
    def test_output(self, attack: str, code: str) -> None:
        del attack
        for more in ([], ["--json"], ["--verbose"]):
            assert clean(elm11("exec", code, *more, "--port", VIRTUAL).output)
        assert clean(elm11("repl", "--port", VIRTUAL, answer=f"{code}\n").output)

    def test_raw_output_passes(self) -> None:
        code = r'print("a\27]0;x\7b")'
        assert done(elm11("exec", code, "--port", VIRTUAL)) == "a\\x1b]0;x\\x07b\n"
        assert done(elm11("exec", code, "--raw", "--port", VIRTUAL)) == "a\x1b]0;x\x07b\n"

    def test_logs(self, capsys: pytest.CaptureFixture[str]) -> None:
        done(elm11("list", "--verbose", "--port", VIRTUAL))
        logger = logging.getLogger("elm11_lua_driver")
        logger.info("from the board: %s", "".join(ATTACKS.values()))
        elm11("list", "--port", VIRTUAL)  # takes the log away
        assert clean(capsys.readouterr().err)


class TestErrorsAsJson:
    @pytest.mark.parametrize(
        ("arguments", "exit_code", "kind"),
        [
            (["info", "--port", "/dev/none"], 3, "BoardNotFoundError"),
            (["exec", "string.rep()", "--port", VIRTUAL], 8, "LuaError"),
            (["exec", "", "--port", VIRTUAL], 2, "ValueError"),
            (["info", "--tx-delay", "fast"], 2, "BadParameter"),
            (["info", "--nonsense"], 2, "NoSuchOption"),
            (["reboot", "--port", VIRTUAL], 2, "FailureError"),
        ],
    )
    def test_one_object_on_standard_error(self, arguments: list[str], exit_code: int, kind: str) -> None:
        result = elm11(*arguments, "--json")
        assert result.exit_code == exit_code
        assert result.stdout == ""
        error = json.loads(result.stderr.splitlines()[-1])["error"]
        assert (error["exit_code"], error["type"]) == (exit_code, kind)
        text = failed(elm11(*arguments), exit_code)
        assert not text.endswith("}")
        assert " ".join(error["message"].split()) in text

    def test_the_other_programs_too(self) -> None:
        result = start(scripts.check_scripts, "--json", "--port", "/dev/none")
        assert json.loads(result.stderr)["error"]["exit_code"] == 3

    def test_code_after_two_dashes_is_no_option(self) -> None:
        assert failed(elm11("exec", "--port", "/dev/none", "--", "--json"), 3).startswith("elm11: ")


class TestFiles:
    @pytest.mark.parametrize(
        "arguments",
        [
            ("virtual", "--pty", "--hw-id-x"),
            ("virtual", "--store", "--tcp"),
            ("info", "--port", VIRTUAL, "--trace", "--json"),
            ("significance", *JOB_OPTIONS, "--checkpoint", "--json"),
            ("significance", *JOB_OPTIONS, "--plot", "--x.png"),
            ("run", *JOB_OPTIONS, "--output", "--x.npz"),
            ("support-bundle", "--output", "--yes"),
        ],
    )
    def test_an_option_is_no_name_of_a_file(self, arguments: tuple[str, ...]) -> None:
        assert "looks like an option; write ./--" in failed(elm11(*arguments), 2)
        assert list(Path.cwd().iterdir()) == []

    def test_a_full_disk_names_the_file_and_says_what_it_holds(self, monkeypatch: pytest.MonkeyPatch) -> None:
        command = ["significance", *JOB_OPTIONS, "--checkpoint", "my levels.npz"]
        done(elm11(*command, "--simulations", "10"))

        def full(_: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, "fsync", full)
        text = failed(elm11(*command, "--simulations", "20"), 1)
        assert "my levels.npz holds 10 of 10 simulations: elm11 resume 'my levels.npz' continues" in text
        assert "my levels.npz: No space left on device" in text

    def test_hints_quote_names_with_blanks(self) -> None:
        Path("my store").mkdir()
        port = f"{VIRTUAL}?store=my store/flash.json"
        text = failed(start(scripts.check_scripts, "--port", port), 9)
        assert f"elm11-upload-scripts --port '{port}'" in text
