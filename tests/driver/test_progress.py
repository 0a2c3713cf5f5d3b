"""Progress: a bar on a terminal, a line per tenth elsewhere for long work, nothing with --quiet."""

from __future__ import annotations

import os
import sys

import pytest
from elm11_lua_driver._progress import progress_bar


def shown(capsys: pytest.CaptureFixture[str], *, show: bool | None, lines: bool) -> str:
    with progress_bar("run", "simulations", show=show, lines=lines) as update:
        for done in range(41):
            update(done, 40, "last heartbeat 2 s ago")
    out, err = capsys.readouterr()
    assert out == ""
    return err


def test_a_line_per_tenth_on_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(capsys, show=True, lines=True).splitlines()
    assert len(lines) == 10
    assert lines[0] == "run: 10 % (4 of 40 simulations), last heartbeat 2 s ago"
    assert lines[-1].startswith("run: 100 % (40 of 40 simulations)")


@pytest.mark.parametrize(("show", "lines"), [(False, True), (True, False), (None, False)])
def test_nothing_when_hidden_or_short(capsys: pytest.CaptureFixture[str], show: bool | None, lines: bool) -> None:  # noqa: FBT001
    assert shown(capsys, show=show, lines=lines) == ""


def terminal(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr(sys.stderr, "fileno", lambda: 2, raising=False)
    monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size((columns, 24 * bool(columns))))


def test_a_terminal_of_unknown_size_shows_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal(monkeypatch, 0)
    lines = shown(capsys, show=True, lines=True).splitlines()
    assert len(lines) == 10
    assert lines[-1].startswith("run: 100 % (40 of 40 simulations)")


def test_a_note_of_a_hostile_board_is_escaped(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for columns in (0, 80):
        terminal(monkeypatch, columns)
        with progress_bar("run", show=True, lines=True) as update:
            update(1, 1, "\x1b]0;title\x07")
        assert "\x1b]" not in capsys.readouterr().err


def test_a_bar_with_the_note_on_a_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    terminal(monkeypatch, 80)
    text = shown(capsys, show=True, lines=True)
    assert "40/40" in text
    assert "last heartbeat 2 s ago" in text
    assert "run: 10 % (" not in text


def test_no_work_at_all(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("run", show=True, lines=True) as update:
        update(0, 0)
    assert "100 %" in capsys.readouterr().err
