"""The board's Lua on this computer: what lupa cannot imitate (facts: the vendor's firmware, as observed)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from elm11_shim.board_lua_emblua import EmbluaBoardLua, EmbluaError, find_emblua
from elm11_shim.virtual_board import PROMPT, VirtualBoard

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DEADLINE_S = 20.0
PLAIN = b"\x1b[38;5;222m\x1b[22m"
MALLOC_ERROR = b"\n---- Malloc Error ----\n\rError: out of heap_memory"
RECURSION = b"local function f(n) if n==0 then return 0 end return 1+f(n-1) end "


@pytest.fixture
def board(emblua_path: Path) -> Iterator[VirtualBoard]:
    with VirtualBoard(EmbluaBoardLua(emblua_path)) as board:
        board.read_until_idle(DEADLINE_S)
        yield board


def run(board: VirtualBoard, line: bytes) -> bytes:
    """What a line prints, without echo and prompt."""
    board.write(line + b"\n")
    answer = board.read_until_idle(DEADLINE_S)
    assert answer.startswith(line + b"\n\r")
    return answer.removeprefix(line + b"\n\r").removesuffix(PROMPT)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        (b"2147483647+1", b"-2147483648"),
        (b"-2147483647-2", b"2147483647"),
        (b"65536*65536", b"0"),
        (b"-1>>1", b"2147483647"),
        (b"1<<32", b"0"),
        (b"math.maxinteger, math.mininteger", b"2147483647\t-2147483648"),
        (b"0.1==1/10", b"false"),
        (b"0x1.999999999999ap-4==1/10", b"true"),
        (b"1e39, -1e39", b"inf\t-inf"),
        (b"2^31, 1e9, -2^31, 123456789.5", b".0\t1000000000.000000\t.0\t123456792.000000"),
        (b"1/3 .. '', 2^40 .. ''", b"0.333333\t.0"),
        (b"0/0, -(0/0)", b"nan\tnan"),
    ],
)
def test_numbers(board: VirtualBoard, expression: bytes, value: bytes) -> None:
    assert run(board, expression) == value + b"\n\r"


def test_text_becomes_a_number_in_single_precision(board: VirtualBoard) -> None:
    run(board, b'import("tonumber")')
    assert run(board, b'tonumber("0.1")==1/10') == b"false\n\r"
    assert run(board, b'tonumber("0x1.999999999999ap-4")==1/10') == b"true\n\r"
    assert run(board, b'tonumber("-0.5"), tonumber("-5"), tonumber("x")') == b"0.000000\t-5\tnil\n\r"


def test_formats(board: VirtualBoard) -> None:
    run(board, b'import("string","format")')
    assert run(board, b'string.format("%5.1f|%a|%f", 1/4, 1/10, 2^31)') == b"  0.2|0x1.999999999999ap-4|\n\r"


def test_more_than_nine_decimals_are_zeros(board: VirtualBoard) -> None:
    run(board, b'import("string","format")')
    assert run(board, b'string.format("%.15f|%.9f", 1/3, 1/3)') == b"0.333333333000000|0.333333333\n\r"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"nil+1", b"Error: attempt to perform arithmetic on a nil value"),
        (b"1%0", b"Error: attempt to perform 'n%0'"),
        (b"3|1.5", b"number has no integer representation"),
        (b"t={} t[nil]=1", b"index is nil"),
        (b"for i=1,2,0 do end", b"'for' step is zero"),
    ],
)
def test_a_word_stands_before_attempts_only(board: VirtualBoard, line: bytes, message: bytes) -> None:
    first, source, _ = run(board, line).split(b"\n\r", 2)
    assert first.endswith(message)
    assert first.startswith(b"Error: ") == message.startswith(b"Error: ")
    assert source == b"source: =stdin line: 1"


def test_messages_of_libraries_and_of_the_compiler(board: VirtualBoard) -> None:
    run(board, b'import("load")')
    assert b":1: Error: attempt to add a 'string' with a 'number'" in run(board, b'"abc"+1').replace(PLAIN, b"")
    assert b":1: Error: attempt to assign to const variable 'x'" in run(board, b'load("local x <const> = 1 x=2")')
    assert b"\tError: attempt to load a text chunk (mode is 'b')" in run(board, b'load("return 1","x","b")')
    run(board, b'import("user","is_even")')
    assert run(board, b"user.is_even(4), user.is_even(-3)") == b"true\tfalse\n\r"
    assert b"unexpected argument" in run(board, b"user.is_even()")


def test_broken_string_functions(board: VirtualBoard) -> None:
    for name in (b"find", b"gsub"):
        run(board, b'import("string","' + name + b'")')
    assert run(board, b'string.find("abc","b")') == b"memchr\n\rnil\n\r"
    assert run(board, b'string.find("abc","[b]")') == b"2\t2\n\r"
    assert run(board, b'string.gsub("abc","b","x")').startswith(b"memchr\n\r")
    assert run(board, b'string.gsub("abc","b",function() return "x" end)') == b"axc\t1\n\r"
    assert run(board, b'"a"<"b", "b"<"a"') == b"strcoll\n\rstrcoll\n\rfalse\tfalse\n\r"
    assert run(board, b'"b"<="a"') == b"strcoll\n\rtrue\n\r"
    assert run(board, b'"a"=="b"') == b"false\n\r"


@pytest.mark.parametrize(
    ("fits", "stops"),
    [
        (b"t={} for i=1,1024 do t[i]=i end", b"t={} for i=1,1025 do t[i]=i end"),
        (b't={} for i=1,512 do t["k"..i]=i end', b't={} for i=1,513 do t["k"..i]=i end'),
        (b'#("x"):rep(16380)', b'#("x"):rep(16500)'),
        (RECURSION + b"f(250)", RECURSION + b"f(1000)"),
        (
            b"a={} for i=1,40 do local t={} for j=1,1000 do t[j]=j end a[i]=t end",
            b"a={} for i=1,80 do local t={} for j=1,1000 do t[j]=j end a[i]=t end",
        ),
        (b"a={} for i=1,3000 do a={a} end", b"a={} for i=1,9000 do a={a} end"),
    ],
    ids=["array", "hash", "string", "recursion", "arrays", "objects"],
)
def test_where_programs_die(board: VirtualBoard, fits: bytes, stops: bytes) -> None:
    run(board, b'import("string","rep")')
    assert MALLOC_ERROR not in run(board, fits)
    assert not board.stopped
    board.power_cycle()
    board.read_until_idle(DEADLINE_S)
    run(board, b'import("string","rep")')
    assert MALLOC_ERROR in run(board, stops)
    assert board.stopped


def test_a_stopped_board_needs_its_power_switched(board: VirtualBoard) -> None:
    run(board, b"t={} for i=1,1025 do t[i]=i end")
    board.write(b"q\n1+1\n")
    assert board.read() == b""
    board.power_cycle()
    assert board.read_until_idle(DEADLINE_S).endswith(PROMPT)
    assert run(board, b"1+1") == b"2\n\r"


def test_pcall_does_not_catch_the_end_of_memory(board: VirtualBoard) -> None:
    run(board, b'import("pcall")')
    assert (
        run(board, b"pcall(function() local t={} for i=1,1025 do t[i]=i end end)")
        == MALLOC_ERROR + b" after defrag!\n\r"
    )


def test_ten_nested_pcalls_are_the_most(board: VirtualBoard) -> None:
    run(board, b'import("pcall")')
    run(board, b"function f(n) if n==0 then return 7 end return pcall(f,n-1) end")
    assert run(board, b"f(10)") == b"true\t" * 10 + b"7\n\r"
    assert run(board, b"f(11)") == b""
    assert board.stopped


def test_heap_figures_are_the_boards(emblua_path: Path) -> None:
    lua = EmbluaBoardLua(emblua_path)
    with VirtualBoard(lua) as board:
        board.read_until_idle(DEADLINE_S)
        before = lua.heap(reset_peak=True)
        run(board, b"a={} for i=1,512 do a[i]=i end")
        after = lua.heap()
        # 16 bytes each and the table's 32 bytes, in 65 and one units; the name and the value add a little.
        assert 512 * 16 + 32 <= after.bytes_used - before.bytes_used < 512 * 16 + 300
        assert 66 <= after.units_used - before.units_used <= 69
        # While the array grew, its last half was still there.
        assert after.units_peak - before.units_used >= 65 + 33


@pytest.mark.parametrize(
    "line",
    [
        b"a={} for i=1,40 do local t={} for j=1,1000 do t[j]=j end a[i]=t end",
        b"a={} for i=1,5 do a[i]={} for j=1,600 do a[i][j]={j} end end",
        b'a={} b={} for i=1,1000 do a[i]="string number "..i b[i]=function() return i end end',
        b"t={} for i=1,500 do t['k'..i]={x=i, y={}} end",
    ],
    ids=["arrays", "tables", "strings and closures", "records"],
)
def test_modelled_sizes_are_those_of_four_byte_pointers(line: bytes, emblua_path: Path, emblua_m32_path: Path) -> None:
    figures = []
    for path in (emblua_path, emblua_m32_path):
        lua = EmbluaBoardLua(path)
        with VirtualBoard(lua) as board:
            board.read_until_idle(DEADLINE_S)
            run(board, line)
            assert not board.stopped
            figures.append(lua.heap())
    modelled, real = figures
    # Small blocks of pointers are not modelled (board_size_of in host.c): a few units at most.
    assert modelled.units_used == pytest.approx(real.units_used, abs=3)
    assert modelled.bytes_used == pytest.approx(real.bytes_used, rel=0.002)
    # The collector starts at other moments, so garbage moves the peak (measured: 5 % at most).
    assert modelled.units_peak == pytest.approx(real.units_peak, rel=0.08)


def test_without_limits_the_figures_go_on(emblua_path: Path) -> None:
    lua = EmbluaBoardLua(emblua_path, strict_heap=False)
    with VirtualBoard(lua) as board:
        board.read_until_idle(DEADLINE_S)
        run(board, b"a={} for i=1,100000 do a[i]=i end")
        assert not board.stopped
        assert lua.heap().bytes_used > 1024 * 1024


IMPORTS = b'import("load")for _,n in ipairs{"dump","gsub","format","byte"}do import("string",n)end '
FROM_BYTECODE = IMPORTS + b'print(load(string.dump(load("return 6*7")),"b"%s))'


@pytest.mark.parametrize("mode", [b"", b',"b"', b',"bt"', b',"t"'])
def test_bytecode_is_refused(board: VirtualBoard, mode: bytes) -> None:
    run(board, b'import("ipairs")')
    refusal = b"attempt to load a text chunk" if mode == b',"b"' else b"attempt to load a binary chunk"
    assert refusal in run(board, FROM_BYTECODE % mode)
    assert run(board, b'print(load("return 1")~=nil, load("return 1","t","t")~=nil)') == b"true\ttrue\n\r"
    assert b"attempt to load a text chunk" in run(board, b'print(load("return 1","b","b"))')


def bytecode_of(board: VirtualBoard) -> bytes:
    code = b'string.dump(load("return 6*7")),".",function(c)return string.format("%02x",string.byte(c))end'
    digits = run(board, b"print((string.gsub(" + code + b")))")
    return bytes.fromhex(digits.decode("ascii"))


def test_a_stored_program_of_bytecode_is_refused_unless_asked_for(emblua_path: Path) -> None:
    with VirtualBoard(EmbluaBoardLua(emblua_path, bytecode=True)) as board:
        board.read_until_idle(DEADLINE_S)
        run(board, b'import("ipairs")')
        run(board, IMPORTS)
        assert run(board, b'print(load(string.dump(load("return 6*7")))())') == b"42\n\r"
        code = bytecode_of(board)
        board.store.create("b.lua")
        board.store.append("b.lua", code)
        # The store ends a program at its first zero, so bytecode is cut; but Lua has begun to read it.
        assert b"bad binary format" in run(board, b'print(run_program("b.lua"))')
        store = board.store
    with VirtualBoard(EmbluaBoardLua(emblua_path), store=store) as board:
        board.read_until_idle(DEADLINE_S)
        assert b"attempt to load a binary chunk" in run(board, b'print(run_program("b.lua"))')


def test_a_missing_binary_says_how_to_build_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("ELM11_EMBLUA", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(EmbluaError, match=r"build\.py"):
        find_emblua()
    monkeypatch.setenv("ELM11_EMBLUA", str(tmp_path / "none"))
    with pytest.raises(EmbluaError, match="no such file"):
        find_emblua()
