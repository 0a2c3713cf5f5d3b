"""The board's Lua in this process: its globals, import gate, errors, number text, and how it is stopped."""

from __future__ import annotations

import os
import pickle
import signal
import threading
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import pytest
from elm11_shim import BoardStopped, FirmwareLua, LuaError, ShimInterface

if TYPE_CHECKING:
    from collections.abc import Callable


def printed(text: str) -> list[str]:
    lua = FirmwareLua()
    lua.execute(text)
    return lua.printed


def failure(text: str, lua: FirmwareLua | None = None) -> LuaError:
    with pytest.raises(LuaError) as caught:
        (lua or FirmwareLua()).execute(text)
    return caught.value


# Globals and import ---------------------------------------------------------------------------------------------------


def test_no_library_of_stock_lua_is_left() -> None:
    lua = FirmwareLua()
    for name in ["require", "io", "os", "coroutine", "debug", "utf8", "package", "python", "dofile"]:
        assert lua.execute(f"return {name} == nil"), name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import('nope')", "stdin:1: no such function in base library"),
        ("import('math', 'nope')", "stdin:1: no such function in library"),
        ("import('nope', 'sin')", "stdin:1: no such library"),
        ("import('io', 'open')", "stdin:1: no such library"),
        ("\nmath.sin(1)", "stdin:2: attempt to call a nil value (field 'sin')"),
        ("undefined.field = 1", "stdin:1: attempt to index a nil value (global 'undefined')"),
        ("error('boom')", "stdin:1: attempt to call a nil value (global 'error')"),
        ("return ('x'):rep(2)", "stdin:1: attempt to call a nil value (method 'rep')"),
    ],
)
def test_what_is_not_imported_fails_as_on_the_board(text: str, message: str) -> None:
    assert failure(text).message == message


# Programs -------------------------------------------------------------------------------------------------------------


def test_run_program_returns_what_the_chunk_returns() -> None:
    lua = FirmwareLua({"one.lua": "return 1", "three.lua": "return 1, nil, 'x'", "none.lua": "x = 7"})
    assert lua.run_program("one.lua") == 1
    assert lua.run_program("three.lua") == (1, None, "x")
    assert lua.run_program("none.lua") is None
    assert lua.execute("local a, b, c = run_program('three.lua') return c, b, a, x") == ("x", None, 1, 7)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("run_program('two.lua')", "stdin:1: bad argument #1 to 'run_program' (no such program)"),
        ("run_program('one.lua', 2)", "stdin:1: unexpected argument"),
        ("run_program(1)", "stdin:1: bad argument #1 to 'run_program' (no such program)"),
        ("run_program({})", "stdin:1: bad argument #1 to 'run_program' (string expected, got table)"),
        ("run_program('broken.lua')", "broken.lua:2: unexpected symbol near '='"),
        ("run_program('failing.lua')", "failing.lua:1: attempt to perform arithmetic on a nil value (global 'y')"),
    ],
)
def test_run_program_refuses(text: str, message: str) -> None:
    lua = FirmwareLua({"one.lua": "return 1", "broken.lua": "\nx = = 1", "failing.lua": "return y + 1"})
    assert failure(text, lua).message == message


def test_programs_are_looked_up_at_each_call() -> None:
    stored = {"a": "return 1"}
    lua = FirmwareLua(stored)
    stored["a"] = "return 2"
    assert lua.run_program("a") == 2


# Errors ---------------------------------------------------------------------------------------------------------------


def test_an_error_carries_luas_message_and_traceback() -> None:
    program = "local function inner() return nil + 1 end\nlocal function outer() inner() end\nouter()\nreturn 1\n"
    with pytest.raises(LuaError) as caught:
        FirmwareLua({"deep.lua": program}).run_program("deep.lua")
    error = caught.value
    assert error.message == "deep.lua:1: attempt to perform arithmetic on a nil value"
    lines = [line.strip() for line in error.traceback.splitlines()]
    assert lines[0] == "stack traceback:"
    assert lines[1].startswith("deep.lua:1: in ")
    assert lines[2].startswith("deep.lua:2: in ")
    assert lines[3] == "deep.lua:3: in main chunk"
    assert error.traceback in str(error)
    assert pickle.loads(pickle.dumps(error)).traceback == error.traceback  # noqa: S301  our own bytes


def test_a_syntax_error_has_no_traceback() -> None:
    error = failure("x = = 1")
    assert (error.message, error.traceback) == ("stdin:1: unexpected symbol near '='", "")


def test_an_error_need_not_be_text() -> None:
    assert failure("import('error') error({})").message == "(error object is a table value)"
    assert failure("import('error') error()").message == "(error object is a nil value)"
    assert (
        failure("import('all') error(setmetatable({}, {__tostring = function() return 'told' end}))").message == "told"
    )


def test_recursion_without_end_is_an_error_here() -> None:
    assert "stack overflow" in failure("local function f() return 1 + f() end f()").message


def test_a_state_survives_its_errors() -> None:
    lua = FirmwareLua()
    lua.execute("x = 1")
    failure("x = x + 1 nothing()", lua)
    assert lua.execute("return x") == 2


# Text of numbers ------------------------------------------------------------------------------------------------------


def test_floats_print_with_six_decimals() -> None:
    shown = printed("print(1/3, 100.0, 1e9, 2^31, -0.5, 1e-9, 0/0, 1/0, -1/0, -2^40, 7, nil, true)")
    assert shown == [
        "0.333333\t100.000000\t1000000000.000000\t.0\t-0.500000\t0.000000\tnan\tinf\t-inf\t.0\t7\tnil\ttrue"
    ]


def test_floats_as_text_elsewhere() -> None:
    lua = FirmwareLua()
    lua.execute("import('tostring') import('string', 'format') import('table', 'concat')")
    assert lua.execute("return tostring(0.1)") == "0.100000"
    assert lua.execute("return string.format('%s|%5d|%s|%%|%a', 0.5, 3, 'x', 0.1)") == (
        "0.500000|    3|x|%|0x1.999999999999ap-4"
    )
    assert lua.execute("return table.concat({1, 0.5, 'x'}, ',')") == "1,0.500000,x"
    assert lua.execute("return table.concat({1, 2, 3}, '-', 2, 3)") == "2-3"
    assert lua.execute("return string.format('%g', 1)") == "g"


def test_print_is_binary_safe_and_streams() -> None:
    assert printed("print('\\0\\255\\n', 'x') print()") == ["\0\xff\n\tx", ""]
    seen: list[str] = []
    FirmwareLua(on_print=seen.append).execute("print(1) print(2)")
    assert seen == ["1", "2"]


# No way out of Lua ----------------------------------------------------------------------------------------------------


def test_no_python_object_can_be_reached() -> None:
    lua = FirmwareLua(check=lambda: False)
    lua.execute("import('all') for _, f in pairs({'byte', 'dump', 'format'}) do import('string', f) end")
    kinds = lua.execute(
        """
        import("table", "concat")
        local seen, kinds = {}, {}
        local function walk(value)
            kinds[type(value)] = true
            if type(value) == "userdata" then kinds.found = true end
            if type(value) ~= "table" or seen[value] then return end
            seen[value] = true
            for key, item in next, value do walk(key) walk(item) end
            walk(getmetatable(value))
        end
        walk(_ENV)
        walk(getmetatable(""))
        return kinds.userdata, kinds["function"]
        """
    )
    assert kinds == (None, True)


def test_python_objects_cannot_be_passed() -> None:
    lua = FirmwareLua()
    identity = lua.execute("return function(...) return ... end")
    plain = (None, True, 1, 0.5, "x")
    assert lua.call(identity, *plain) == plain
    for value in (object(), print, [1], np.float64(1), {"a": 1}):
        with pytest.raises(TypeError, match="can be passed to Lua"):
            lua.call(identity, value)
        with pytest.raises(TypeError, match="can be passed to Lua"):
            lua.table([value])
        with pytest.raises(TypeError, match="can be passed to Lua"):
            lua.table({"field": value})


def test_load_takes_no_bytecode() -> None:
    lua = FirmwareLua()
    lua.execute("import('load') import('string', 'dump')")
    assert lua.execute("return load('return 5')()") == 5
    assert lua.execute("return load('return x', 'name', 't', {x = 6})()") == 6
    chunk, message = lua.execute("return load(string.dump(function() end), 'b', 'b')")
    assert chunk is None
    assert "attempt to load a binary chunk" in message


def test_tables_come_and_go() -> None:
    lua = FirmwareLua()
    for values in ([], [1], [1, 2.5, "x"], list(range(1024))):
        assert lua.elements(lua.table(values)) == values
    assert lua.table({"a": 1, "b": "x"})["b"] == "x"


# Stopping -------------------------------------------------------------------------------------------------------------

STUBBORN = """
import("pcall")
while true do
    pcall(function()
        while true do
            pcall(function() while true do end end)
        end
    end)
end
"""


def raising(exception: BaseException) -> Callable[..., NoReturn]:
    def raise_it(*_: object) -> NoReturn:
        raise exception

    return raise_it


@pytest.mark.parametrize("text", ["while true do end", STUBBORN, "local function f() return f() end f()"])
def test_check_stops_any_program(text: str) -> None:
    calls = iter([False, None, True])
    lua = FirmwareLua(check=lambda: next(calls), check_interval=1000)
    with pytest.raises(BoardStopped, match="check"):
        lua.execute(text)
    assert next(calls, "used up") == "used up"


@pytest.mark.parametrize("exception", [KeyboardInterrupt(), SystemExit(3), ValueError("mine")])
def test_what_check_raises_gets_through(exception: BaseException) -> None:
    with pytest.raises(type(exception)) as caught:
        FirmwareLua(check=raising(exception)).execute(STUBBORN)
    assert caught.value is exception


def test_what_on_print_raises_gets_through() -> None:
    with pytest.raises(BrokenPipeError):
        FirmwareLua(on_print=raising(BrokenPipeError())).execute("import('pcall') while true do pcall(print, 1) end")


def test_a_stopped_state_can_go_on() -> None:
    stop = True
    lua = FirmwareLua(check=lambda: stop, check_interval=100)
    with pytest.raises(BoardStopped):
        lua.execute(STUBBORN)
    stop = False
    assert lua.execute("local n = 0 for i = 1, 10000 do n = n + i end return n") == 50_005_000


def test_every_interval_works() -> None:
    for interval in (1, 2, 3, 7):
        calls: list[None] = []
        lua = FirmwareLua(check=lambda: calls.append(None), check_interval=interval)  # noqa: B023  used at once
        assert lua.execute("local n = 0 for i = 1, 100 do n = n + i end return n") == 5050
        assert calls
    with pytest.raises(ValueError, match="check_interval must be at least 1"):
        FirmwareLua(check=lambda: False, check_interval=0)


@pytest.mark.skipif(os.name == "nt", reason="there os.kill cannot send SIGINT to this process")
def test_ctrl_c_stops_a_long_run() -> None:
    started = threading.Event()

    def check() -> None:
        started.set()

    def press() -> None:
        started.wait()
        os.kill(os.getpid(), signal.SIGINT)

    presser = threading.Thread(target=press)
    # A shell that starts the tests in the background has them ignore Ctrl-C: then nothing would end the run.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        presser.start()
        with pytest.raises(KeyboardInterrupt):
            FirmwareLua(check=check, check_interval=10_000).execute(STUBBORN)
        presser.join()
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("how", ["exit", "reboot"])
def test_exit_and_reboot_end_the_program(how: str) -> None:
    lua = FirmwareLua()
    with pytest.raises(BoardStopped) as caught:
        lua.execute(f"import('pcall') pcall({how}) print('not reached')")
    assert caught.value.reason == how
    assert lua.printed == []
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # noqa: S301  our own bytes


# Arguments of the interface -------------------------------------------------------------------------------------------

AXES = {"dt": 0.25, "dj": 0.25, "s0": 0.5, "J": 4}
SERIES = [0.0, 1.0, -1.0, 0.5]


@pytest.mark.parametrize("mode", ["python", "lua"])
@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        ("generate_rednoise", {"n_samples": 0, "lag1": 0.5}, "n_samples must be a whole number from 1 to"),
        ("generate_rednoise", {"n_samples": 2.5, "lag1": 0.5}, "n_samples must be a whole number"),
        ("generate_rednoise", {"n_samples": 5, "lag1": 1}, "lag1 must lie between -1 and 1"),
        ("generate_rednoise", {"n_samples": 5, "lag1": 0.9999999999}, "lag1 must .* settle within"),
        ("generate_rednoise", {"n_samples": 5, "lag1": float("nan")}, "lag1 must be a finite number"),
        ("generate_rednoise", {"n_samples": 5, "lag1": 0, "seed": -1}, "seed must be a whole number from 0 to"),
        ("generate_rednoise", {"n_samples": 5, "lag1": 0, "simulation": 2**31}, "simulation must be"),
        ("generate_rednoise", {"n_samples": 5, "lag1": 0, "series": 2}, "series must be a whole number from 0 to 1"),
        ("compute_fft", {"series": []}, "series must be a series of 1 to"),
        ("compute_fft", {"series": [[1.0]]}, r"series must be .*, not an array of shape \(1, 1\)"),
        ("compute_fft", {"series": ["x"]}, "series must be a series of numbers"),
        ("compute_fft", {"series": [1.0, np.nan]}, "series must be finite; element 1 is not"),
        ("compute_ifft", {"spectrum": [1, 2, 3]}, "spectrum must have a power of two of elements, not 3"),
        ("compute_cwt", {"series": [1.0], **AXES}, "series must be a series of 2 to"),
        ("compute_cwt", {"series": [1j, 2], **AXES}, "series must be real"),
        ("compute_cwt", {"series": SERIES, **AXES, "dt": 0}, "dt must be greater than 0"),
        ("compute_cwt", {"series": SERIES, **AXES, "dj": -1}, "dj must be greater than 0"),
        ("compute_cwt", {"series": SERIES, **AXES, "s0": 0.001}, "s0 must be at least 0.01 dt"),
        ("compute_cwt", {"series": SERIES, **AXES, "J": -1}, "J must be a whole number from 0 to"),
        ("compute_cwt", {"series": SERIES, **AXES, "J": 1000}, r"J \* dj must leave the largest scale"),
        ("compute_cwt", {"series": SERIES, **AXES, "wavelet": "haar"}, "wavelet must be one of morlet, paul"),
        ("smooth", {"rows": SERIES, "dt": 1, "dj": 1, "scales": [1]}, "rows must be a table"),
        ("smooth", {"rows": [SERIES], "dt": 1, "dj": 1, "scales": [1, 2]}, "scales must be 1 rising numbers"),
        ("smooth", {"rows": [SERIES] * 2, "dt": 1, "dj": 1, "scales": [2, 1]}, "scales must be 2 rising numbers"),
        ("smooth", {"rows": [SERIES], "dt": 1, "dj": 0, "scales": [1]}, "dj must be greater than 0"),
        ("smooth", {"rows": [SERIES], "dt": 1, "dj": 1, "scales": [1], "scale_box": "x"}, "scale_box must be one of"),
        ("compute_coherence", {"x": SERIES, "y": SERIES[1:], **AXES}, "x and y must have the same number of samples"),
        ("run_monte_carlo", {"lag1_x": 1, "lag1_y": 0, **AXES}, "lag1_x must lie between -1 and 1"),
        ("run_monte_carlo", {"lag1_x": 0, "lag1_y": 0, **AXES, "n_simulations": 0}, "n_simulations must be"),
        ("run_monte_carlo", {"lag1_x": 0, "lag1_y": 0, **AXES, "n_bins": 1}, "n_bins must be"),
        ("run_monte_carlo", {"lag1_x": 0, "lag1_y": 0, **AXES, "first_simulation": -1}, "first_simulation must be"),
        ("sine", {"n_samples": 5, "period": 0}, "period must be greater than 0"),
        ("triangle", {"n_samples": 0, "period": 1}, "n_samples must be a whole number"),
        ("square", {"n_samples": 5, "period": 1, "amplitude": "big"}, "amplitude must be a finite number"),
        ("sawtooth", {"n_samples": 5, "period": 1, "phase": float("inf")}, "phase must be a finite number"),
    ],
)
def test_bad_arguments_are_named(function: str, arguments: dict[str, Any], message: str, mode: str) -> None:
    with pytest.raises(ValueError, match=message):
        getattr(ShimInterface(mode), function)(**arguments)


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(ValueError, match="mode must be one of python, lua, not 'rust'"):
        ShimInterface("rust")


@pytest.mark.parametrize("mode", ["python", "lua"])
def test_numpy_numbers_and_lists_are_taken(mode: str) -> None:
    interface: Any = ShimInterface(mode)
    axes: tuple[Any, ...] = (np.float32(0.25), np.float64(0.25), np.float64(0.5), np.int64(4))
    assert interface.compute_coherence(SERIES, list(reversed(SERIES)), *axes).shape == (5, 4)
    assert interface.compute_cwt(np.array([1, 2, 3]), *axes).shape == (5, 3)
    assert interface.generate_rednoise(np.int32(7), np.float64(0.5), np.uint64(2**64 - 1)).shape == (7,)
    assert interface.sine(np.int64(3), np.float64(4)).shape == (3,)
