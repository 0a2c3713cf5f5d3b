"""The original interface, on a virtual board."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import elm11_lua_driver as driver
import pytest
from elm11_lua_driver.board import firmware_sync
from elm11_lua_driver.board.firmware_sync import Script, ScriptState
from elm11_lua_driver.errors import LuaError, ScriptsError, VerificationError, VersionMismatchError
from elm11_lua_driver.levels.runner import run
from virtual_bench import SMALL, Bench

if TYPE_CHECKING:
    from pathlib import Path


def test_the_whole_interface_in_the_order_of_its_use() -> None:
    assert [one.hw_id for one in driver.detect_elm11("virtual://")] == ["virtual-elm11"]
    board = driver.connect("virtual://")
    checked = driver.check_lua_scripts(board)
    assert set(checked.states.values()) == {ScriptState.MISSING}
    with pytest.raises(VersionMismatchError):
        driver.verify_fft_library(board)

    planned = driver.upload_lua_scripts(board, dry_run=True)
    assert planned.dry_run
    assert planned.seconds > 5
    assert not driver.check_lua_scripts(board).ok
    sent: list[tuple[str, int, int]] = []
    report = driver.upload_lua_scripts(board, on_progress=lambda *progress: sent.append(progress))
    assert report.uploaded == planned.uploaded == tuple(checked.states)
    assert {name for name, n_sent, n_bytes in sent if n_sent == n_bytes} == set(report.uploaded)
    assert driver.upload_lua_scripts(board).skipped == report.uploaded
    assert driver.upload_lua_scripts(board, force=True).uploaded == report.uploaded
    assert driver.check_lua_scripts(board).ok
    assert driver.verify_fft_library(board)

    assert driver.execute_lua(board, "1+1") == "2"
    with pytest.raises(LuaError):
        driver.execute_lua(board, "x x")
    with pytest.raises(ValueError, match="upload_config"):
        driver.start_lua_execution(board)
    driver.upload_config(board, SMALL)
    following = driver.start_lua_execution(board)
    assert driver.get_progress(following).count == 20
    assert driver.wait_for_completion(following).complete
    assert driver.is_complete(following)
    assert driver.read_results(following).sha256 == run(SMALL, "lua").sha256
    driver.disconnect(board)


def test_only_what_differs_is_uploaded_and_foreign_programs_stay() -> None:
    bench = Bench()
    with bench.open() as board:
        board.upload("mine.lua", "return 1\n")
        bench.board.store.append("fft.lua", b"-- more\n")
        bench.board.store.delete("signals.lua")
        checked = firmware_sync.check(board)
        assert checked.unknown == ("mine.lua",)
        assert checked.to_dict()["scripts"]["fft.lua"] == "different"
        assert checked.to_dict()["scripts"]["signals.lua"] == "missing"
        report = firmware_sync.upload(board)
        assert set(report.uploaded) == {"fft.lua", "signals.lua"}
        assert json.loads(json.dumps(report.to_dict()))["unknown"] == ["mine.lua"]
        assert firmware_sync.check(board).ok


def test_programs_that_the_board_would_not_take_are_found_before_a_port_is_opened() -> None:
    bad = [Script("bad.lua", "x = = 1\n"), Script("n" * 30, "return 1\n"), Script("wide.lua", "-- " + "a" * 300 + "\n")]
    problems = firmware_sync.preflight(bad)
    assert {problem.file for problem in problems} == {script.name for script in bad}
    with pytest.raises(ScriptsError, match=r"bad\.lua:1") as caught:
        firmware_sync.require_clean(bad)
    assert caught.value.problems == tuple(problems)
    assert firmware_sync.preflight() == []


def test_the_ports_board_is_used_when_no_board_is_given(tmp_path: Path) -> None:
    port = f"virtual://?store={tmp_path / 'flash.json'}"
    assert driver.upload_lua_scripts(port=port).uploaded
    assert not driver.upload_lua_scripts(port=port).uploaded


def test_a_wrong_fourier_transform_is_found() -> None:
    bench = Bench()
    with bench.open() as board:
        board.handshake()
        board.execute(
            "whole=run_program run_program=function(n)local f=whole(n)"
            'if n=="fft.lua"then f.inverse=f.forward end return f end'
        )
        with pytest.raises(VerificationError, match="Fourier transform"):
            driver.verify_fft_library(board)


def test_a_program_whose_own_check_fails_is_found() -> None:
    bench = Bench()
    with bench.open() as board:
        wrong = [Script("fft.lua", "", "00000000", 1), Script("nowhere.lua", "", "00000000", 1)]
        for script in wrong:
            with pytest.raises(VerificationError, match="length and CRC-32"):
                firmware_sync.self_check(board, [script])
