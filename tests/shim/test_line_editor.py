"""The prompt's line editor: bytes in, echo and lines out."""

from __future__ import annotations

from elm11_shim.line_editor import MAX_LINE_LENGTH, LineEditor
from hypothesis import given
from hypothesis import strategies as st


def type_all(editor: LineEditor, data: bytes) -> tuple[bytes, list[bytes]]:
    echo, lines = bytearray(), []
    for byte in data:
        typed = editor.type(byte)
        echo += typed.echo
        if typed.line is not None:
            lines.append(typed.line)
    return bytes(echo), lines


def expected_lines(data: bytes) -> list[bytes]:
    """The rules once more, written another way: first the bytes that count, then the lines."""
    lines, line = [], ""
    for character in data.decode("latin-1"):
        if character == "\n":
            lines.append(line)
            line = ""
        elif character == "\b":
            line = line[:-1]
        elif " " <= character <= "~":
            line += character
            if len(line) == 255:
                lines.append(line)
                line = ""
    return [line.encode("ascii") for line in lines]


@given(st.binary(max_size=2000))
def test_any_bytes_give_the_lines_of_the_rules(data: bytes) -> None:
    _, lines = type_all(LineEditor(), data)
    assert lines == expected_lines(data)


@given(st.lists(st.sampled_from([b"a" * 100, b"\b", b"\b" * 30, b"\n", b"~x", b"\x7f", b"\r", b"\xe9"])))
def test_long_lines_and_backspaces(pieces: list[bytes]) -> None:
    data = b"".join(pieces)
    _, lines = type_all(LineEditor(), data)
    assert lines == expected_lines(data)
    assert all(len(line) <= MAX_LINE_LENGTH + 1 for line in lines)


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=MAX_LINE_LENGTH))
def test_what_is_printable_is_echoed_and_submitted(text: str) -> None:
    echo, lines = type_all(LineEditor(), text.encode() + b"\n")
    assert echo == text.encode() + b"\n\r"
    assert lines == [text.encode()]


@given(st.binary(max_size=600))
def test_the_echo_shows_what_the_line_holds(data: bytes) -> None:
    """A terminal that follows the echo shows the line: a host may compare them."""
    editor = LineEditor()
    screen = bytearray()
    for byte in data:
        typed = editor.type(byte)
        if typed.echo == b"\b \b":
            del screen[-1]
        elif typed.echo != b"\n\r":
            screen += typed.echo
        if typed.line is not None:
            assert typed.line == bytes(screen)
            screen.clear()


def test_backspace_on_an_empty_line_is_silent() -> None:
    assert type_all(LineEditor(), b"\b\b\n") == (b"\n\r", [b""])


def test_command_mode_colours_the_separator() -> None:
    echo, lines = type_all(LineEditor(separator_echo=b"<|>"), b"a|b\n")
    assert (echo, lines) == (b"a<|>b\n\r", [b"a|b"])


def test_a_cleared_line_is_forgotten() -> None:
    editor = LineEditor()
    type_all(editor, b"abc")
    editor.clear()
    assert type_all(editor, b"d\n")[1] == [b"d"]
