"""The rv32i machine that counts instructions, and the table of what jobs cost on the board."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import cost_table
import elm11_shim
import measure
import numpy as np
import operations
import pytest
import run_job
import run_lua
import rv32
from elm11_lua_driver import Job
from elm11_lua_driver.protocol.commands import job_lines

if TYPE_CHECKING:
    from pathlib import Path

TINY = Job(lag1_x=0.5, lag1_y=0.3, dt=0.25, dj=0.5, s0=0.5, J=2, n_bins=50, seed=7, n_simulations=4)


# ---- the machine ---------------------------------------------------------------------------------------------


def test_counts_are_the_same_on_every_run(rv32_machine: rv32.Machine) -> None:
    programs = {
        **rv32.firmware(),
        rv32.MAIN: """
            import("math", "sin")
            local fft, t = run_program("fft.lua"), {}
            local plan = fft.plan(64)
            for i = 1, 300 do t[i] = {i .. "", math.sin(i / 7)} end
            t = nil
            collectgarbage()
            print(decimal(instructions()), heap())
        """,
    }
    first = rv32_machine.run(programs)
    assert int(first.split("\t")[0]) > 1_000_000
    assert rv32_machine.run(programs) == first


def test_a_count_does_not_depend_on_what_was_freed_before(rv32_machine: rv32.Machine) -> None:
    body = (
        'run_program("before.lua") collectgarbage("stop") local b = instructions() '
        "for i = 1, 100 do local t = {i, i} end print(decimal(instructions() - b))"
    )
    litter = "local t = {} for i = 1, 300 do t[i] = {} for j = 1, i % 9 do t[i][j] = j end end"
    clean = int(rv32_machine.run({rv32.MAIN: body, "before.lua": "return 1"}))
    after_litter = int(rv32_machine.run({rv32.MAIN: body, "before.lua": litter}))
    # A block taken from a list costs a few instructions less than one never used; there are two in each pass.
    assert clean - 100 * 2 * 20 < after_litter <= clean


def test_it_behaves_as_the_board(rv32_machine: rv32.Machine) -> None:
    output = rv32_machine.run(
        {
            rv32.MAIN: 'print(2147483647 + 1, 0.1 == 1 / 10, 2^31, decimal(2^31)) print(run_program("other.lua"))',
            "other.lua": "return 1 / 3",
        }
    )
    assert output == "-2147483648\tfalse\t.0\t2147483648\n0.333333\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("local t = {} for i = 1, 1025 do t[i] = i end", "the board would have stopped for good.*Malloc Error"),
        ('print("before") nothing.at_all = 1', r"(?s)an error in Lua.*before.*main.lua.*:1:.*traceback"),
        ("reboot()", "restarted the board"),
        ("= 1", "an error in Lua"),
        ('run_program("../main.lua")', "no such program"),
    ],
    ids=["memory", "error", "reboot", "syntax", "path"],
)
def test_what_fails_says_why(rv32_machine: rv32.Machine, text: str, message: str) -> None:
    with pytest.raises(rv32.MachineError, match=f"(?s){message}"):
        rv32_machine.run({rv32.MAIN: text})


def test_a_run_without_end_is_stopped(rv32_machine: rv32.Machine) -> None:
    with pytest.raises(rv32.MachineError, match=r"did not end within 0\.3 s"):
        rv32_machine.run({rv32.MAIN: "while true do end"}, timeout_s=0.3)


def test_the_limits_of_the_heap_can_be_lifted(rv32_machine: rv32.Machine) -> None:
    text = "local t = {} for i = 1, 5000 do t[i] = i end print((heap() >= 5000 * 16))"
    assert rv32_machine.run({rv32.MAIN: text}, strict_heap=False) == "true\n"


def test_accounts(rv32_machine: rv32.Machine) -> None:
    output = rv32_machine.run(
        {
            rv32.MAIN: """
                local function work(n) for i = 1, n do end return n, n end
                local function booked_work(n) return back_to(account(3), work(n)) end
                local a, b = booked_work(1000)
                local once, calls = booked(3)
                booked_work(1000) booked_work(0)
                local all, all_calls = booked(3)
                print(a, b, calls, all_calls, decimal(once), decimal(all))
            """
        }
    )
    a, b, calls, all_calls, once, everything = map(int, output.split("\t"))
    assert (a, b, calls, all_calls) == (1000, 1000, 1, 3)
    assert once > 100_000
    assert 2 * once < everything < 2 * once + 5000


def test_a_missing_emulator_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(rv32.MachineMissing, match="apt-get install qemu-system-misc"):
        rv32.machine()


@pytest.mark.usefixtures("rv32_machine")
def test_any_file_can_be_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file, module = tmp_path / "snippet.lua", tmp_path / "fft.lua"
    file.write_text('print(run_program("fft.lua"), run_program("wavelet.lua").mothers.paul.highest)')
    module.write_text("return 42")
    monkeypatch.setattr("sys.argv", ["run_lua.py", str(file), str(module), "--timeout", "20"])
    assert run_lua.main() == 0
    assert capsys.readouterr().out == "42\t61\n"
    file.write_text("nothing()")
    assert run_lua.main() == 1
    assert "global 'nothing'" in capsys.readouterr().err


# ---- one job, everywhere the same ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("job", "simulations"),
    [
        (TINY, range(4)),
        (Job(lag1_x=0.72, lag1_y=0.72, dt=0.25, dj=0.25, s0=0.5, J=4, seed=1, n_simulations=3), range(1, 3)),
        (
            Job(lag1_x=0.0, lag1_y=-0.3, dt=0.25, dj=0.5, s0=0.5, J=3, wavelet="dog", seed=2**40 + 5, n_bins=1100),
            range(2),
        ),
    ],
    ids=["tiny", "not from 0", "dog"],
)
@pytest.mark.usefixtures("rv32_machine")
def test_counts_are_those_of_the_lua_engine(job: Job, simulations: range) -> None:
    expected = elm11_shim.LuaSimulator(job).run(simulations)
    counts = run_job.run_job(job, simulations, timeout_s=60.0)
    assert counts.sum() > 0
    np.testing.assert_array_equal(counts, expected)


def test_a_histogram_that_is_not_whole_is_refused(rv32_machine: rv32.Machine) -> None:
    with pytest.raises(rv32.MachineError, match="did not compute"):
        run_job.counts_in("nothing here\n", TINY, range(4))
    assert rv32_machine
    lines = ["elm11=run_program('run.lua')", *job_lines(TINY), "elm11.start(0,4,9,0)", "elm11.send(0,-1)"]
    output = rv32_machine.run({**rv32.firmware(stored=True), rv32.MAIN: "\n".join(lines)})
    np.testing.assert_array_equal(
        run_job.counts_in(output, TINY, range(4)), elm11_shim.LuaSimulator(TINY).run(range(4))
    )
    without_a_line = "\n".join(line for line in output.splitlines() if not line.startswith("~D1 "))
    with pytest.raises(rv32.MachineError, match="did not arrive whole"):
        run_job.counts_in(without_a_line, TINY, range(4))
    with pytest.raises(rv32.MachineError, match="damaged"):
        run_job.counts_in(output.replace("~D1 1", "~D1 2"), TINY, range(4))
    with pytest.raises(rv32.MachineError, match="did not compute"):
        run_job.counts_in(output, TINY, range(3))


# ---- measuring a job -----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("rv32_machine")
def test_cost_of_a_job() -> None:
    plain = rv32.firmware()  # without checks, to save their time
    cost = measure.measure(TINY, [(range(2), 1.0)], modules=plain)
    assert list(cost.stages) == [*measure.PIPELINES["exact"].stages, "other"]
    assert min(cost.stages.values()) > 0
    assert sum(cost.stages.values()) == cost.simulation
    assert cost.stages["other"] < 0.1 * cost.simulation
    assert cost.stages["transform"] > 0.3 * cost.simulation
    assert cost.with_set_up == pytest.approx(cost.simulation + cost.set_up / 4, abs=1)
    assert 30_000 < cost.held_bytes <= cost.peak_bytes <= 128 * cost.peak_units < 2**20
    assert (
        list(cost.peaks_bytes)
        == list(cost.peaks_units)
        == ["load", "set-up", "other", *measure.PIPELINES["exact"].stages]
    )
    # The arrays stay; each stage adds a little. For the calls that note the peaks, Lua's stack grows by a kilobyte or
    # two.
    for name in ("set-up", *cost.stages):
        assert cost.held_bytes <= cost.peaks_bytes[name] < cost.peak_bytes + 2048
        assert cost.peaks_bytes[name] <= 128 * cost.peaks_units[name]
    assert max(cost.peaks_bytes.values()) >= cost.peak_bytes - 1024
    # The hook that is called at every turn of a loop costs more than the test that is the same everywhere.
    each = measure.measure(TINY, [(range(2), 1.0)], modules=plain, q_test="each")
    assert 0.6 < each.simulation / cost.simulation < 0.9


class FakeMachine:
    """Answers as the machine does, once without stages, twice with them."""

    def run(self, programs: dict[str, str], *, strict_heap: bool, timeout_s: float) -> str:
        assert strict_heap
        assert timeout_s == rv32.TIMEOUT_S
        if programs[rv32.MAIN] == measure.HEAP_LUA.read_text():
            stages = "\n".join(f"stage\t{20 + i}\t{4 + i}" for i in range(6))
            return f"load\t15\t4\nset_up\t19\t5\nheld\t13\t30\t3\t9\n{stages}\n"
        lines = ["wrapper\t100", "load\t5000", "set_up\t4000", "held\t10\t20\t1\t2", "simulations\t1000"]
        lines.append("simulations\t5000")  # of two
        if 'stages={{"' in programs["asked.lua"]:
            # In three simulations, with the wrappers' 100 at each call.
            lines += ["stage\t1\t1300\t10", "stage\t2\t3900\t6", *(f"stage\t{i}\t0\t0" for i in (3, 4, 5))]
        return "\n".join([*lines, "peak\t10\t20\t1\t2"])


def test_weights_and_what_wrappers_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rv32, "machine", lambda _: FakeMachine())
    cost = measure.measure(TINY, [(range(1), 4.0), (range(1, 3), 1.0)])
    assert cost.simulation == (4 * 1000 + 5000) // 6
    assert cost.with_set_up == 1500 + 1000
    # Of 2000 instructions in a simulation of those computed; the mean, with the weights, has 1500.
    assert cost.stages["rednoise"] == 300 / 3 * 1500 / 2000
    assert cost.stages["transform"] == round(3300 / 3 * 1500 / 2000)
    assert cost.stages["other"] == 1500 - 75 - 825
    # Less what the program that notes them holds more than the other after the set-up, 3 bytes and 2 units.
    assert cost.peaks_bytes == {"load": 12, "set-up": 16, "other": 17} | dict(
        zip(measure.PIPELINES["exact"].stages, range(18, 23), strict=True)
    )
    assert list(cost.peaks_units.values()) == [2, 3, 2, 3, 4, 5, 6, 7]


@pytest.mark.usefixtures("rv32_machine")
def test_the_command_measures(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["measure.py", "--job", TINY.to_json(), "--simulations", "2", "--json"])
    assert measure.main() == 0
    by_json = json.loads(capsys.readouterr().out)
    more = ["--n-simulations=4", "--simulations=2"]
    monkeypatch.setattr(
        "sys.argv",
        ["measure.py", "--lag1-x=0.5", "--lag1-y=0.3", "--dj=0.5", "--J=2", "--n-bins=50", "--seed=7", *more],
    )
    assert measure.main() == 0
    assert f"{by_json['simulation']:,}" in capsys.readouterr().out


OUTPUT = """wrapper\t700
load\t1000
set_up\t2000
held\t10\t20\t1\t2
simulations\t3000
simulations\t8000
stage\t1\t900\t1
stage\t2\t800\t0
peak\t11\t21\t3\t4
"""


def test_figures_are_read() -> None:
    figures = measure.parse(OUTPUT)
    assert figures == measure.Figures(
        wrapper=700,
        load=1000,
        set_up=2000,
        simulations=(3000, 8000),
        stages=((900, 1), (800, 0)),
        held_bytes=10,
        held_units=1,
        peak_bytes=21,
        peak_units=4,
    )


@pytest.mark.parametrize("spoil", [("load\t1000\n", ""), ("2000", ".0"), ("peak\t11\t21", "peak\t11"), ("\t", " ")])
def test_other_output_is_refused(spoil: tuple[str, str]) -> None:
    with pytest.raises(rv32.MachineError, match="something else"):
        measure.parse(OUTPUT.replace(*spoil))
    with pytest.raises(rv32.MachineError, match="something else"):
        operations.parse("1\n2\nx\n")


PEAKS = "load\t15\t4\nset_up\t19\t5\nheld\t13\t30\t3\t9\nstage\t20\t4\nstage\t21\t5\n"


@pytest.mark.parametrize(
    "spoil", [("held", "hold"), ("\t30\t3", ""), ("stage\t20\t4\n", ""), ("19", "x"), ("\t5\n", "\n")]
)
def test_other_peaks_are_refused(spoil: tuple[str, str]) -> None:
    stages = {"rednoise": ("rednoise.fill",)}
    plain = measure.parse(OUTPUT)
    assert measure.parse_peaks(PEAKS, stages, plain)["rednoise"] == (21 - 3, 5 - 2)
    with pytest.raises(rv32.MachineError, match="something else"):
        measure.parse_peaks(PEAKS.replace(*spoil), stages, plain)


def test_operations_are_read() -> None:
    lines = [600, 121_600, *range(200_000, 200_000 + 1000 * (len(operations.OPERATIONS) - 1), 1000)]
    figures = operations.parse("".join(f"{line}\n" for line in lines))
    assert figures["one pass of an empty for"] == 121.0
    assert figures["integer +"] == 78.4
    assert figures["integer -"] == 79.4


# ---- the table -----------------------------------------------------------------------------------------------


@pytest.fixture
def committed() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(cost_table.JSON_PATH.read_text())
    return table


def test_the_committed_files_belong_together(committed: dict[str, Any]) -> None:
    assert cost_table.PAGE_PATH.read_text() == cost_table.page(committed), "run `make cost`"
    assert cost_table.JSON_PATH.read_text() == cost_table.json_text(committed)
    assert list(committed["jobs"]) == list(cost_table.JOBS)
    for name, entry in cost_table.JOBS.items():
        assert Job.from_json(json.dumps(committed["jobs"][name]["job"])) == entry.job
    assert [operation.name for operation in operations.OPERATIONS] == list(committed["operations"]["line"])


def test_cheap_operations_cost_what_they_do_on_the_board(committed: dict[str, Any]) -> None:
    for operation in operations.OPERATIONS:
        if operation.name.startswith(("t", "u", "global", "integer &", "float /", "{}", "one pass")):
            low, high = operation.device
            assert 0.97 * low < committed["operations"]["each"][operation.name] < 1.03 * high, operation.name


@pytest.fixture
def table() -> dict[str, Any]:
    cost = {"set_up": 1000, "stages": {"rednoise": 100, "other": 10}, "simulation": 110, "peak_bytes": 5000}
    return {
        "format": 1,
        "toolchain": "Lua 5.4.4",
        "jobs": {"small": {"job": {"J": 1}, "simulations": [[0, 1, 1.0]], "line": cost, "each": copy.deepcopy(cost)}},
        "operations": {"line": {"call": 600.0}, "each": {"call": 500.0}},
    }


def changed(table: dict[str, Any], *path: str, to: object) -> dict[str, Any]:
    other = copy.deepcopy(table)
    place = other
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = to
    return other


def test_nothing_has_grown(table: dict[str, Any]) -> None:
    assert cost_table.grown(table, table) == []
    assert cost_table.grown(table, changed(table, "jobs", "small", "line", "set_up", to=1050)) == []
    assert cost_table.grown(table, changed(table, "jobs", "small", "line", "set_up", to=500)) == []
    assert cost_table.grown(table, changed(table, "jobs", "small", "line", "stages", "other", to=99)) == []
    assert cost_table.grown(table, changed(table, "toolchain", to="Lua 5.4.6")) == []


@pytest.mark.parametrize(
    ("path", "to", "complaint"),
    [
        (("jobs", "small", "line", "set_up"), 1051, "small: line: set_up: 1,000 has grown to 1,051, by 5.1 %."),
        (
            ("jobs", "small", "each", "peak_bytes"),
            6000,
            "small: each: peak_bytes: 5,000 has grown to 6,000, by 20.0 %.",
        ),
        (
            ("jobs", "small", "line", "stages", "rednoise"),
            200,
            "small: line: stages: rednoise: 100 has grown to 200, by 100.0 %.",
        ),
        (("operations", "each", "call"), 600.0, "operations: each: call: 500.0 has grown to 600.0, by 20.0 %."),
        (("operations", "line", "{}"), 1.0, "operations: line: {}: only measured now."),
        (("jobs", "small", "job"), {"J": 2}, "small: another job or other simulations than in docs/cost.json."),
        (("jobs",), {}, "small: only in docs/cost.json."),
        (("format",), 2, "docs/cost.json is of format 1, not 2."),
    ],
)
def test_what_has_grown_is_named(table: dict[str, Any], path: tuple[str, ...], to: object, complaint: str) -> None:
    assert cost_table.grown(table, changed(table, *path, to=to)) == [complaint]


def test_another_compiler_is_told_of(table: dict[str, Any]) -> None:
    measured = changed(changed(table, "toolchain", to="Lua 5.4.6"), "operations", "line", "call", to=700.0)
    assert cost_table.grown(table, measured)[1] == (
        "docs/cost.json was measured with Lua 5.4.4; here is Lua 5.4.6, which may be why."
    )


def test_the_check_says_how_to_go_on(table: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "cost.json"
    assert cost_table.check(path, table) == 1
    assert "Run `make cost`" in capsys.readouterr().err
    path.write_text(json.dumps(table))
    assert cost_table.check(path, table) == 0
    assert cost_table.check(path, changed(table, "jobs", "small", "line", "simulation", to=200)) == 1
    error = capsys.readouterr().err
    assert "small: line: simulation: 110 has grown to 200" in error
    assert "run `make cost` and commit docs/cost.json and docs/cost.md" in error
