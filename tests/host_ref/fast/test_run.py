"""The fast pipeline: no overflow, the same counts in Lua and NumPy, its transform, weights, noise and levels."""

from __future__ import annotations

import dataclasses
import json
import math
import statistics
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import fast_end_weights
import fast_theory
import make_fft_codelets
import numpy as np
import pytest
from elm11_host_ref.experiment import Experiment
from elm11_host_ref.fast import formats, grids, integer_fft, noise, outputs, run
from elm11_host_ref.fast import weights as fast_weights
from elm11_host_ref.fast.plan import plan_of
from elm11_shim.runtime import FirmwareLua
from elm11_shim.simulation import LuaSimulator, lua_config
from hypothesis import given, settings
from hypothesis import strategies as st
from paths import DATA
from scipy import integrate

if TYPE_CHECKING:
    from elm11_host_ref.fast.parts import Part, Row
    from elm11_host_ref.fast.plan import FastPlan
    from elm11_host_ref.types import FloatArray
    from numpy.typing import NDArray

    Complex = tuple[NDArray[np.signedinteger[Any]], NDArray[np.signedinteger[Any]]]


def experiment(
    lag1_x: float = 0.72,
    lag1_y: float = 0.72,
    J: int = 10,
    dj: float = 0.25,
    s0: float = 0.5,
    **others: Any,  # noqa: ANN401  fields of Experiment
) -> Experiment:
    return Experiment(lag1_x, lag1_y, 0.25, dj, s0, J, **others)


# Of different shape: unequal lags, both scale boxes and white noise, few and odd and many bins, dj 1/12 to 1, one
# scale, s0 = dt, short parts (J = 26 and more at dj = 1/4), large seeds.
SHAPES = {
    "standard": experiment(),
    "unequal": experiment(0.5, 0.3, 20, seed=77),
    "extreme lags": experiment(-0.9, 0.99, 24, seed=1 << 63),
    "short parts": experiment(0.95, 0.2, 28, seed=2**64 - 1),
    "largest lags": experiment(0.998, -0.998, 18),
    "fine": experiment(-0.3, 0.6, 30, dj=1 / 12, n_bins=2500),
    "grinsted": experiment(0.5, 0.3, 12, scale_box="grinsted", n_bins=7),
    "grinsted, fine": experiment(0.2, 0.4, 40, dj=1 / 12, scale_box="grinsted", n_bins=2),
    "white": experiment(0.9, 0.9, 14, surrogates="white", n_bins=999),
    "one scale": experiment(0.5, 0.5, 0),
    "two scales": experiment(0.5, 0.0, 1, n_bins=64),
    "octaves": experiment(0.3, 0.3, 3, dj=1.0),
    "from s0 = dt": experiment(0.72, 0.1, 9, s0=0.25, n_bins=301),
    "third octaves": experiment(0.0, 0.6, 16, dj=1 / 3, s0=0.7),
    "half octaves, long": experiment(0.72, 0.3, 20, dj=0.5),  # weights below 1 before they are rounded
}
EXTREMES = {
    f"{x} {y} J{J} dj{dj:.2f}": experiment(x, y, J, dj)
    for x, y, J, dj in [
        (0.99, -0.9, 10, 0.25), (0.99, -0.9, 28, 0.25), (0.0, 0.0, 20, 0.25), (0.0, 0.0, 28, 0.25),
        (0.998, -0.998, 10, 0.25), (0.998, 0.99, 28, 0.25), (-0.998, 0.998, 40, 1 / 12),
        (-0.9, -0.9, 0, 0.25), (0.9, 0.0, 4, 1.0),
    ]
}  # fmt: skip


# ---- the same counts everywhere ------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
def test_lua_and_numpy_count_alike_bit_for_bit(shape: str) -> None:
    """Lua's integers have 64 bits here, NumPy's 32: no sum of these simulations has left 32 bits either."""
    simulations = range(252, 264)  # into the second cycle
    numpy = run.simulate(SHAPES[shape], simulations)
    lua = LuaSimulator(SHAPES[shape], "fast").run(simulations)
    np.testing.assert_array_equal(lua, numpy)
    assert numpy.sum() > 0


def lua_parts(of: Experiment) -> tuple[FirmwareLua, Any]:
    lua = FirmwareLua()
    program = lua.run_program("fast.lua")
    return lua, lua.call(program.new, lua.table(lua_config(of)), lua.call(program.load)).plan


@pytest.mark.parametrize("shape", SHAPES)
def test_lua_and_numpy_plan_alike(shape: str) -> None:
    """Every number of the plan, so that a difference is found even where these simulations do not meet it."""
    plan = plan_of(SHAPES[shape])
    lua, twin = lua_parts(SHAPES[shape])
    assert lua.elements(twin.due) == plan.active_simulations
    assert lua.elements(twin.pairs) == plan.schedule.pairs
    assert lua.elements(twin.box) == list(plan.box)
    assert (twin.n_main, twin.lowest_main) == (plan.n_main, plan.lowest_main)
    parts = lua.elements(twin.parts)
    assert len(parts) == len(plan.parts)
    for part, other in zip(plan.parts, parts, strict=True):
        for name in ("number", "n", "n_series", "n_samples", "lowest", "highest"):
            assert other[name] == getattr(part, name), name
        assert tuple(lua.elements(other.lag1)) == part.lag1
        assert tuple(lua.elements(other.start_gain)) == part.start_gain
        assert (other.filter_divisor_x, other.filter_divisor_y) == tuple(1 << shift for shift in part.filter_shifts)
        assert other.lowest_frequency == part.first_frequency
        assert [lua.elements(both) for both in lua.elements(other.noise)] == [
            ((re + 2048 << 12) + im + 2048).tolist() for re, im in part.noise
        ]
        for row, theirs in zip(part.rows, lua.elements(other.rows), strict=True):
            assert_rows_are_equal(lua, row, theirs)


def assert_rows_are_equal(lua: FirmwareLua, row: Row, theirs: Any) -> None:  # noqa: ANN401  a Lua table
    assert (theirs.j, theirs.n, theirs.first_frequency) == (row.j, row.n, row.first_frequency)
    assert lua.elements(theirs.filter) == row.filter.tolist()
    assert (theirs.clamp_x, theirs.clamp_y) == tuple(1 << clamp for clamp in row.clamps)
    assert (theirs.power_shift_x, theirs.power_shift_y) == row.power_shifts[:2]
    assert theirs.power_divisor == 1 << row.power_shifts[2]
    divisors = theirs.sum_divisor_x, theirs.sum_divisor_y, theirs.sum_divisor
    assert divisors == tuple(1 << shift for shift in row.sum_shifts)
    assert theirs.length == row.length
    assert theirs.n_paired == row.n_paired
    if row.length:
        assert (theirs.n_series, theirs.n_outputs, theirs.first_output) == (
            row.n_series,
            row.n_outputs,
            row.first_output,
        )
        assert (theirs.first_point, theirs.n_points) == (row.first_point, row.n_points)
        assert tuple(lua.elements(theirs.kernel)) == row.kernels[0]
        if len(row.kernels) == 2:
            assert tuple(lua.elements(theirs.half_kernel)) == row.kernels[1]
        assert (theirs.first_weight, theirs.last_weight) == row.end_weights
    assert bool(theirs.is_counted) == row.is_counted
    if row.is_counted:
        assert (theirs.n_counted, theirs.first_counted) == (row.n_counted, row.first_counted)
        assert tuple(lua.elements(theirs.weights)) == row.weights
        assert (theirs.box_shift_x, theirs.box_shift_y, theirs.box_divisor) == (
            *row.box_shifts[:2],
            1 << row.box_shifts[2],
        )


@given(data=st.data())
@settings(max_examples=25, deadline=None, derandomize=True)
def test_a_range_cut_anywhere_gives_the_same_sum_and_the_expected_counts(data: st.DataObject) -> None:
    of = SHAPES[data.draw(st.sampled_from(["standard", "fine", "grinsted", "one scale", "octaves"]))]
    start, length = data.draw(st.integers(0, 2**31 - 200)), data.draw(st.integers(0, 150))
    cut = data.draw(st.integers(0, length))
    whole = run.simulate(of, range(start, start + length))
    pieces = [run.simulate(of, part) for part in (range(start, start + cut), range(start + cut, start + length))]
    np.testing.assert_array_equal(whole, sum(pieces))
    expected = plan_of(of).expected_counts(range(start, start + length))
    np.testing.assert_array_equal(whole.sum(axis=1), expected)


@pytest.mark.parametrize(("J", "dj"), [(4, 0.25), (10, 0.25), (28, 0.25), (40, 1 / 12), (22, 0.5), (3, 1.0)])
def test_a_job_of_300_simulations_fits_into_the_boards_16_bits(J: int, dj: float) -> None:
    plan = plan_of(experiment(J=J, dj=dj))
    assert plan.longest_run >= 300
    assert max(plan.expected_counts(range(start, start + 300)).max() for start in range(256)) < 1 << 16


def test_groups_are_the_sums_of_their_simulations() -> None:
    of = SHAPES["short parts"]
    groups = run.simulate_groups(of, range(50, 130), 32)
    ranges = [range(50, 64), range(64, 96), range(96, 128), range(128, 130)]
    np.testing.assert_array_equal(groups, [run.simulate(of, each) for each in ranges])


# ---- no overflow ---------------------------------------------------------------------------------------------


class Wide:
    """NumPy, with 64 bits where `fast` asks for 32."""

    int32 = np.int64

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  whatever NumPy has
        return getattr(np, name)


def whole_filter(part: Part, row: Row, kind: int) -> NDArray[Any]:
    """What a row's transform makes of the innovations' spectrum: wavelet times noise."""
    if not part.noise:
        return row.filter.astype(complex)
    first = row.first_frequency - part.first_frequency
    re, im = (each[first : first + row.filter.size] for each in part.noise[kind])
    whole: NDArray[Any] = row.filter * (re + 1j * im) / 2048
    return whole


def worst_inputs(part: Part, series: int) -> NDArray[np.int64]:
    """Innovations at the bounds that the shifts are chosen from: shape (n, inputs).

    All deviates at their largest with one sign, with alternating signs, at random, and in step with every row's band:
    that is what makes a transform largest. Each with the start's gain and the end's term, which can reach
    `|A| / (1 - |A|)` deviates, of either sign; and the first sample and the last term alone.
    """
    largest = noise.LARGEST_DEVIATE
    t = np.arange(part.n_samples)
    signs = [np.ones(t.size), (-1.0) ** t, np.random.default_rng(1).choice([-1.0, 1.0], t.size)]
    for row in part.rows:
        weights = whole_filter(part, row, series)
        centre = row.first_frequency + int(np.abs(weights).argmax())
        signs += [
            np.sign(np.cos(2 * np.pi * centre * (t - phase) / part.n) + 1e-9) for phase in (0, part.n / centre / 4)
        ]
        # In step with the filter's response at one time, half way.
        f = row.first_frequency + np.arange(weights.size)
        response = (weights[:, None] * np.exp(2j * np.pi * f[:, None] * (part.n_samples // 2 - t) / part.n)).sum(axis=0)
        signs.append(np.sign(response.real + 1e-9))
    signs += [np.eye(1, t.size)[0], -np.eye(1, t.size)[0], np.zeros(t.size)]
    deviates = (largest * np.array(signs)).astype(np.int64).T
    lag1, gain = part.lag1[series], part.start_gain[series]
    inputs = []
    for end in (1, -1):
        u = np.zeros((part.n, deviates.shape[1]), np.int64)
        u[: part.n_samples] = deviates
        u[0] = u[0] * gain >> 12
        u[part.n_samples % part.n] += end * int(largest * abs(lag1) / (4096 - abs(lag1)))
        inputs.append(u)
    return np.concatenate(inputs, axis=1)


def stages(plan: FastPlan, part: Part, x: NDArray[Any], y: NDArray[Any]) -> dict[str, list[NDArray[Any]]]:
    """All intermediate results, in the order of the rows."""
    both = run.spectra(part, x, y)
    found: dict[str, list[NDArray[Any]]] = {"spectra": [each for pair in both for each in pair], "bins": []}
    found |= {"transforms": [], "powers": [], "smoothed": [], "sums": []}
    smoothed: dict[int, list[Any]] = {}
    for row in part.rows:
        if row.length:
            w1, w2 = (run.wavelet_transform(part, row, series, *pair) for series, pair in enumerate(both))
            found["transforms"] += [*w1, *w2]
            products = run.powers(row, w1, w2)
            found["powers"] += products
            shifts = (*row.sum_shifts, row.sum_shifts[2])
            # Every column is a pair of its own here: one series of either kind.
            smoothed[row.j] = [
                run.smooth(row, each, shift).reshape(row.length, 1, 1, -1)
                for each, shift in zip(products, shifts, strict=True)
            ]
            found["smoothed"] += smoothed[row.j]
    box_sums = run._BoxSums(plan, part)
    for row in reversed(part.rows):
        if row.is_counted:
            alone = dataclasses.replace(row, n_paired=1)
            sums = box_sums.of(alone, smoothed, x.shape[1])
            found["sums"] += sums
            found["bins"].append(run.bins(row, sums, plan.experiment.n_bins))
    return found


@pytest.mark.parametrize(
    ("dj", "scale_box"), [(1 / 12, "pycwt"), (1 / 4, "pycwt"), (0.5, "pycwt"), (1 / 12, "grinsted")]
)
def test_sums_that_run_on_are_those_of_all_rows(dj: float, scale_box: str) -> None:
    """Row by row, from any numbers; fewer simulations are due at smaller scales."""
    plan = plan_of(Experiment(0.5, 0.3, 0.25, dj, 0.5, 14, scale_box=scale_box))
    generator = np.random.default_rng(3)
    run_on = 0
    for part in plan.parts:
        box_sums = run._BoxSums(plan, part)
        above: Row | None = None
        smoothed = {}
        for row in part.rows:
            m = row.n_series
            shapes = ((m, 1), (1, m), (m, m), (m, m))
            smoothed[row.j] = [generator.integers(-99, 99, (row.length, *shape, 20), np.int32) for shape in shapes]
        for row in (part.row(j) for j in range(part.highest, part.lowest - 1, -1)):
            m, n_due = row.n_paired, 5 + row.j
            for quantity, found in enumerate(box_sums.of(row, smoothed, n_due)):
                wanted = np.zeros_like(found)
                for place, weight in enumerate(plan.box):
                    other = row.j + plan.centre - place
                    if other in smoothed:
                        stride = part.row(other).n_outputs // row.n_counted
                        at = (row.first_counted + np.arange(len(row.weights))) * stride - part.row(other).first_output
                        wanted += weight * smoothed[other][quantity][at, :m, :m, :n_due]
                np.testing.assert_array_equal(found, wanted)
            run_on += above is not None and row.counts_as(above)
            above = row
    assert run_on > 0


@pytest.mark.parametrize("name", EXTREMES)
def test_the_worst_inputs_do_not_leave_32_bits(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_of(EXTREMES[name])
    narrow, wide = [], []
    inputs = []
    for part in plan.parts:
        x, y = worst_inputs(part, 0), worst_inputs(part, 1)
        count = min(x.shape[1], y.shape[1])
        y = y[:, :count]
        # Each with each other's neighbour too: the packed transform and the cross product take both series.
        x, y = np.concatenate([x[:, :count]] * 2, axis=1), np.concatenate([y, np.roll(y, 1, axis=1)], axis=1)
        inputs.append((part, x, y))
        narrow.append(stages(plan, part, x.astype(np.int32), y.astype(np.int32)))
    monkeypatch.setattr(run, "np", Wide())
    monkeypatch.setattr(integer_fft, "np", Wide())
    largest = [0.0]

    def watched(re: NDArray[Any], im: NDArray[Any], span: int, scratch: NDArray[Any]) -> None:
        # What a twiddle of 11 bits is multiplied with: its modulus must stay below 2^20.
        largest[0] = max(largest[0], float(np.hypot(re, im).max()))
        stage(re, im, span, scratch)

    stage = integer_fft._stage
    monkeypatch.setattr(integer_fft, "_stage", watched)
    integer_fft.twiddles.cache_clear()
    try:
        for part, x, y in inputs:
            wide.append(stages(plan, part, x, y))
    finally:
        integer_fft.twiddles.cache_clear()
    assert largest[0] < 1 << 20
    for (part, _, _), ours, theirs in zip(inputs, narrow, wide, strict=True):
        assert theirs["sums"][0].dtype == np.int64
        assert ours["sums"][0].dtype == np.int32
        for what, arrays in ours.items():
            for mine, other in zip(arrays, theirs[what], strict=True):
                np.testing.assert_array_equal(mine, other, err_msg=what)
        peak = max(int(row.filter.max()) for row in part.rows)
        assert peak <= grids.LARGEST_FILTER
        assert peak * max(int(np.abs(each).max()) for each in theirs["spectra"]) < 1 << 31
        # Within the product with the noise's response, both parts of the spectrum count.
        response = max((float(np.hypot(*each).max()) for each in part.noise), default=0.0)
        assert response <= noise.LARGEST_NOISE + 1
        # An edge's weight may be a third more than 1: times the kernel's sum that is still below 2^31.
        largest_power = max(int(np.abs(each).max()) for each in theirs["powers"])
        assert largest_power <= (4 << formats.POWER_BITS) // 3 < (1 << 31) // 4100


@pytest.mark.parametrize("name", EXTREMES)
def test_transforms_stay_below_their_bound_and_it_seldom_costs_bits(name: str) -> None:
    plan = plan_of(EXTREMES[name])
    for part in plan.parts:
        both = noise.set_noise(plan.experiment.noise_lag1, part)
        for kind, innovations in enumerate(both):
            u = worst_inputs(part, kind).astype(np.int32)
            nothing = np.zeros_like(u)
            spectrum = run.spectra(part, *((u, nothing) if kind == 0 else (nothing, u)))[kind]
            for row in part.rows:
                squares = float((np.abs(whole_filter(part, row, kind)) ** 2).sum())
                # The sum over eight frequencies, rounded down where the response is a few units only; and its bound.
                assert formats.squares_of(part, row, kind) == pytest.approx(squares, rel=0.2, abs=200)
                most = formats.most_squares(plan.experiment.sigma.tolist(), part, row, kind)
                assert squares <= most
                bound = innovations.bound * math.sqrt(most) / (1 << part.filter_shifts[kind])
                assert bound <= 1 << 20
                everywhere = dataclasses.replace(row, clamps=(29, 29), first_point=0, n_points=row.n)
                re, im = run.wavelet_transform(part, everywhere, kind, *spectrum)
                assert float(np.hypot(re, im).max()) <= bound
            # Transforms have the bits that clamps of 5.7 deviations allow, unless the noise hardly ever forgets.
            largest = max(formats.squares_of(part, row, kind) for row in part.rows)
            wanted = fast_weights.bits(5.7 * math.sqrt(innovations.variance * largest) / (1 << 14))
            assert part.filter_shifts[kind] == wanted or abs(plan.experiment.noise_lag1[kind]) > 0.98


@pytest.mark.parametrize("name", EXTREMES)
def test_equal_counts_in_64_bits(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = run.simulate(EXTREMES[name], range(48))
    monkeypatch.setattr(run, "np", Wide())
    np.testing.assert_array_equal(run.simulate(EXTREMES[name], range(48)), counts)


# ---- the integer transform -----------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [4, 8, 16, 32, 64, 128, 256, 512, 1024])
def test_the_transform_is_numpys_within_its_rounding(n: int) -> None:
    """Twiddles are wrong by 2^-12 at most at each stage; what is rounded down adds up to n / 5, at frequency 1."""
    random = np.random.default_rng(n)
    size = 300_000 // n
    re, im = random.integers(-size, size + 1, (2, n, 20), dtype=np.int32)
    expected = np.fft.fft(re + 1j * im, axis=0)
    order = integer_fft.reversed_bits(n)
    got_re, got_im = re[order], im[order]
    integer_fft.transform(got_re, got_im)
    error = got_re + 1j * got_im - expected
    turns = max(0, (n.bit_length() - 2) // 2)
    # NumPy's own error is some 1e-16 of the largest value.
    assert np.abs(error).max() <= (n / 5 + turns * 2.0**-12 * np.abs(expected).max() if turns else 1e-9)
    assert np.sqrt((np.abs(error) ** 2).mean()) <= 0.002 * np.sqrt((np.abs(expected) ** 2).mean())


def test_twiddles_are_the_same_from_every_table_and_no_tie_is_near() -> None:
    """Whatever recurrence or library makes them, they round alike: none is within 1e-6 of a half."""
    longest = integer_fft.twiddles(1024)
    for n in (4, 8, 16, 32, 64, 128, 256, 512, 1024):
        cosine, sine = integer_fft.twiddles(n)
        stride = 1024 // n
        np.testing.assert_array_equal(cosine, longest[0][::stride][: cosine.size])
        np.testing.assert_array_equal(sine, longest[1][::stride][: sine.size])
    angle = 2 * np.pi * np.arange(768) / 1024
    for table, exact in zip(longest, (2048 * np.cos(angle), 2048 * np.sin(angle)), strict=True):
        assert np.abs(exact - np.floor(exact) - 0.5).min() > 1e-6
        np.testing.assert_array_equal(table, np.floor(exact + 0.5))


def test_codelets_are_current() -> None:
    assert make_fft_codelets.TARGET.read_text(encoding="ascii") == make_fft_codelets.text()


# ---- noise ---------------------------------------------------------------------------------------------------


def test_the_boards_deviates_are_those_of_numpy() -> None:
    upper = FirmwareLua()
    np.testing.assert_array_equal(upper.elements(upper.run_program("fast_tables.lua")), noise.deviate_table()[128:])


def test_deviates_are_bent_middles_of_equal_pieces() -> None:
    middles = np.array([statistics.NormalDist().inv_cdf((i + 0.5) / 256) for i in range(256)])
    bent = 64 * (0.99030175 * middles + 0.00419326 * middles**3)
    assert abs(bent % 1 - 0.5).min() > 1e-3, "no rounding hangs on the last digits of the inverse"
    np.testing.assert_array_equal(noise.deviate_table(), np.rint(bent))


def test_deviates_have_the_moments_of_normal_ones() -> None:
    """Exact, over all 65536 pairs of bytes."""
    table = noise.deviate_table()
    assert (table == -table[::-1]).all()
    sums = (table[:, None] + table[None, :]).ravel() / (64 * math.sqrt(2))
    variance = (sums**2).mean()
    assert variance == pytest.approx(1, abs=0.001)
    assert (sums**4).mean() / variance**2 == pytest.approx(2.998, abs=0.001)
    assert (sums**6).mean() / variance**3 == pytest.approx(14.8, abs=0.01)
    assert abs(sums).max() == noise.LARGEST_DEVIATE / (64 * math.sqrt(2))
    # Tails beyond 2, 3 and 4 standard deviations: 0.0455, 0.0027, 0.000063 for normal deviates; none beyond 4.2.
    tails = [(abs(sums) > distance * math.sqrt(variance)).mean() for distance in (2, 3, 4)]
    assert tails == pytest.approx([0.0456, 0.00266, 0.0000305], rel=0.01)


@pytest.mark.parametrize("lag1", [-0.9, 0.0, 0.72, 0.99])
def test_innovations_filtered_again_are_stationary_red_noise_that_ends(lag1: float) -> None:
    part = plan_of(experiment(lag1, lag1, 6)).parts[-1]
    assert part.step == 1
    random = np.random.default_rng(3)
    e = random.integers(-90, 91, (part.n_samples, 4), dtype=np.int32)
    u = run.innovations(part, 0, e).astype(float)
    lag = part.lag1[0] / 4096
    y = np.zeros_like(u)
    for t in range(part.n):
        y[t] = u[t] + (lag * y[t - 1] if t else 0)
    direct = np.zeros_like(e, float)
    direct[0] = e[0] / math.sqrt(1 - lag1**2)
    for t in range(1, part.n_samples):
        direct[t] = lag1 * direct[t - 1] + e[t]
    # The lag's own rounding, 2^-13, and one of the sum per sample.
    allowed = (2 + 2**-13 * np.abs(direct).max()) / (1 - abs(lag)) + 1
    assert np.abs(y[: part.n_samples] - direct).max() <= allowed
    assert np.abs(y[part.n_samples :]).max(initial=0) <= 2 / (1 - abs(lag))


# ---- weights -------------------------------------------------------------------------------------------------


@given(before=st.floats(0, 0.999), after=st.floats(0, 0.999), steps=st.integers(10, 40), step=st.floats(0.4, 2.4))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_output_weights_are_right_inside_and_for_what_falls_off_from_the_ends(
    before: float, after: float, steps: int, step: float
) -> None:
    scale = 1e4  # so that samples are as good as an integral
    low, weights = fast_weights.output_weights(
        -before * step * scale, (steps + after) * step * scale, 0.0, step * scale, scale
    )
    points = low + np.arange(len(weights))
    assert sum(weights) == pytest.approx(steps + before + after, abs=1e-9)
    assert min(weights) >= 0
    for distances in (step * (points + before), step * (steps + after - points)):
        ours = (
            step * (np.array(weights) * np.exp(-distances * (fast_weights.FALL + fast_weights.CURVE * distances))).sum()
        )
        # The table's steps, and what is beyond five scales.
        assert ours == pytest.approx(fast_weights.FALL_INTEGRAL, abs=2e-3)


def test_the_integral_of_what_falls_off() -> None:
    found, _ = integrate.quad(lambda t: math.exp(-t * (fast_weights.FALL + fast_weights.CURVE * t)), 0, math.inf)
    assert found == pytest.approx(fast_weights.FALL_INTEGRAL, abs=1e-9)


def test_outputs_at_every_sample_have_weight_1() -> None:
    low, weights = fast_weights.output_weights(9.5, 60.5, 0.0, 1.0, 3.0)
    assert low + 2 == 10
    np.testing.assert_allclose(weights[2:-2], 1.0, atol=5e-3)
    np.testing.assert_allclose([*weights[:2], *weights[-2:]], 0.0, atol=5e-3)


@pytest.mark.parametrize(("falls", "allowed"), [(True, 0.002), (False, 0.0045)])
def test_averages_near_an_end_vary_as_those_over_all_samples(*, falls: bool, allowed: float) -> None:
    """Of products that cease at the end, and of products that go on; steps of a quarter to 1.19 scales, all places."""
    assert fast_end_weights.errors_in_use(fast_end_weights.End(falls)).max() < allowed


@pytest.mark.parametrize("padding", [0.0, 30.0])
def test_where_grid_points_are_samples_their_weights_are_1(padding: float) -> None:
    first, last, ends = fast_weights.point_weights(-0.5, 49.5, 0.0, 1.0, 2.0, padding)
    assert (first, last) == (0, 49)
    assert ends == pytest.approx((1, 1), abs=0.002)


STEPS = (0.25, 0.33, 0.42, 0.5, 0.595, 0.65, 0.707, 0.77, 0.841, 0.92, 1.0, 1.09, 1.189)


def _both_sides(step: float, *, is_half: bool) -> tuple[Any, Any]:  # arrays of floats
    """Places, in scales, and weights of a smoothing kernel."""
    whole, half = fast_weights.kernel(step, outputs.KERNEL_REACH)
    if is_half:
        return step * (np.arange(-len(half), len(half)) + 0.5), np.array(half[::-1] + half, np.float64)
    return step * np.arange(1 - len(whole), len(whole)), np.array(whole[:0:-1] + whole, np.float64)


@pytest.mark.parametrize("is_half", [False, True])
@pytest.mark.parametrize("step", STEPS)
def test_the_kernel_averages_as_much_as_the_whole_gaussian(step: float, *, is_half: bool) -> None:
    """Products of a Morlet transform, correlated like exp(-t^2 / 2): 1 / sqrt(3) of their variance is left."""
    places, weights = _both_sides(step, is_half=is_half)
    left = weights @ np.exp(-0.5 * (places[:, None] - places) ** 2) @ weights / weights.sum() ** 2
    assert left * math.sqrt(3) == pytest.approx(1, abs=1e-4)
    assert weights.sum() == pytest.approx(fast_weights.KERNEL_SUM, rel=0.002)


@pytest.mark.parametrize("is_half", [False, True])
@pytest.mark.parametrize("step", [0.42, 0.5, 0.707, 0.841, 1.0, 1.189])
def test_kernels_give_the_levels_of_the_whole_gaussian(step: float, *, is_half: bool) -> None:
    """Far from all ends, with the same random numbers: within 0.0007, where all five rows of the box have that step."""
    ours = _interior_levels(*_both_sides(step, is_half=is_half), min(grids.BAND, math.pi / step))
    np.testing.assert_allclose(ours, _whole_gaussian_levels(), atol=7e-4)


@lru_cache(maxsize=1)
def _whole_gaussian_levels() -> FloatArray:
    places = np.arange(-30, 31) / 6
    return _interior_levels(places, np.exp(-(places**2) / 2), 9.0)


def _interior_levels(places: FloatArray, weights: FloatArray, band: float) -> FloatArray:
    """Levels of 90, 95 and 99 % at one point, with a box of five rows."""
    frequencies = np.linspace(0.3, 20, 1500)
    rows = []
    for place, of_box in enumerate((1, 2, 2, 2, 1), start=-2):
        sigma = 2 ** (place / 4)
        distance = np.abs(sigma * frequencies - 6)
        wavelet = np.where(distance < band, np.exp(-(distance**2) / 2), 0)
        amplitudes = np.sqrt(of_box * weights / weights.sum())[:, None]
        rows.append(amplitudes * wavelet * np.exp(1j * frequencies * sigma * places[:, None]))
    return fast_theory.levels_of(iter([(1.0, np.concatenate(rows))]))


@cache
def exact_levels(lag1: float) -> FloatArray:
    """They take some seconds, and two tests need them."""
    return fast_theory.exact_levels(experiment(lag1, lag1))


@pytest.mark.parametrize("lag1", [0.72, 0.0])
def test_levels_are_the_exact_ones_but_for_0_0007(lag1: float) -> None:
    """Computed without random series: what grids, kernels, outputs and weights change, at every scale."""
    difference = fast_theory.fast_levels(experiment(lag1, lag1)) - exact_levels(lag1)
    assert np.abs(difference).max() < 7e-4
    assert np.sqrt((difference**2).mean()) < 3.5e-4


def test_wavelets_cut_by_the_highest_frequency_have_the_exact_levels() -> None:
    """With the others' shorter kernel they would be 0.0005 high."""
    of = experiment(0.0, 0.0, 20)
    exact = fast_theory.levels_of(fast_theory.exact_forms(of, 0))
    fast_ones = fast_theory.levels_of(fast_theory.fast_forms(plan_of(of), 0))
    np.testing.assert_allclose(fast_ones, exact, atol=3e-4)


def test_computed_levels_are_those_of_a_simulation() -> None:
    """The exact pipeline's, by the table of 400 000 simulations: within 4 of its standard errors, some 0.0008."""
    configs = json.loads((DATA / "morlet_j10.json").read_text())["configs"]
    table = next(each for each in configs if (each["al1"], each["al2"]) == (0.0, 0.0))
    np.testing.assert_array_less(
        np.abs(exact_levels(0.0)[1] - table["sig95_all"]), 4 * np.array(table["stderr_all"]) + 2e-4
    )


# ---- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("of", "message"),
    [
        (experiment(wavelet="paul"), "knows the Morlet wavelet only, not paul; use pipeline exact"),
        (experiment(s0=0.2), "needs s0 >= dt, not 0.2 with dt = 0.25; use pipeline exact"),
        (experiment(0.999), r"needs \|lag1_x\| <= 0.998, not 0.999; use pipeline exact"),
        (experiment(0.5, -0.9981), r"needs \|lag1_y\| <= 0.998, not -0.9981; use pipeline exact"),
    ],
)
def test_what_it_cannot_do_is_refused(of: Experiment, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run.simulate(of, range(1))
