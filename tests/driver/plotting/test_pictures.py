"""Pictures look as they did when somebody looked at them; what is drawn is what is meant."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from elm11_lua_driver import Job, analyse, significance
from elm11_lua_driver.jobs.histogram import Histogram
from elm11_lua_driver.levels.convergence import track_convergence
from elm11_lua_driver.levels.quantiles import quantiles, standard_errors
from elm11_lua_driver.plotting import coherence
from matplotlib.figure import Figure
from matplotlib.testing.compare import compare_images
from pictures import BASELINES, PICTURES, analysis, assert_legible, draw, result

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from matplotlib.axes import Axes

# Root mean square over 0 ... 255, room for letters that another FreeType draws. Measured for what must not pass: a
# curve taken away 4.6 to 28, the significance contour 12, the phase arrows 10, bars of errors 7, another colour map 36.
TOLERANCE = 4.0


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_look_as_before(name: str, tmp_path: Path) -> None:
    draw(name, tmp_path / f"{name}.png")
    difference = compare_images(str(BASELINES / f"{name}.png"), str(tmp_path / f"{name}.png"), TOLERANCE)
    assert difference is None, f"{difference}\nLook at it; if it is as it should be: python tests/support/pictures.py"


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("levels", lambda ax: [bars.remove() for bars in ax.containers[0].lines[2]]),
        ("convergence", lambda ax: ax.get_lines()[3].remove()),
        ("histogram", lambda ax: ax.get_lines()[0].remove()),
        ("engines", lambda ax: ax.get_lines()[1].remove()),
        ("coherence", lambda ax: ax.findobj(lambda artist: artist.get_gid() == "significance")[0].remove()),
    ],
    ids=["errors", "a curve", "the level", "an engine", "the contour"],
)
def test_the_comparison_finds_what_is_missing(name: str, change: Callable[[Axes], object], tmp_path: Path) -> None:
    draw(name, tmp_path / "changed.png", change)
    assert compare_images(str(BASELINES / f"{name}.png"), str(tmp_path / "changed.png"), TOLERANCE) is not None


def test_every_baseline_is_of_a_picture_and_small() -> None:
    files = sorted(BASELINES.glob("*.png"))
    assert [file.stem for file in files] == sorted(PICTURES)
    assert sum(file.stat().st_size for file in files) < 250_000


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_are_legible(name: str) -> None:
    assert_legible(PICTURES[name]())


LONG_UNIT = "months since the beginning of the observations"


class TestUnusual:
    def test_many_scales(self) -> None:
        many_scales = significance(Job(0.7, 0.7, 0.25, 1 / 12, 0.5, 150, n_simulations=8, pipeline="fast"))
        for ax in (
            coherence.plot_significance(many_scales, time_unit=LONG_UNIT),
            coherence.plot_histogram(many_scales.histogram, time_unit=LONG_UNIT),
            coherence.plot_convergence(many_scales.histogram, time_unit=LONG_UNIT),
        ):
            assert_legible(ax)
        labels = [text.get_text() for text in ax.get_legend().get_texts()]  # type: ignore[union-attr]
        assert labels[-1] == "2990"

    def test_one_simulation_and_no_level_at_all(self) -> None:
        one = significance(Job(0.7, 0.7, 0.25, 0.25, 0.5, 1, n_simulations=1))
        ax = coherence.plot_significance(one)
        assert ax.get_legend_handles_labels()[1] == ["95 % level, 1 simulation, numpy"]
        nothing = np.full(2, np.nan)
        ax = coherence.plot_significance(replace(one, significance=nothing, standard_error=nothing))
        assert ax.get_ylim() == (0, 1)

    def test_a_long_label_stays_inside(self) -> None:
        ax = coherence.plot_significance(
            result(), label="a name of a curve that goes on and on and on until nobody reads"
        )
        ax.legend()
        assert_legible(ax)

    def test_long_names_and_units(self) -> None:
        named = replace(analysis(), names=("The first of the two series, at length", "And the second, at length too"))
        assert_legible(coherence.coherence_figure(named, time_unit=LONG_UNIT).axes[0])
        assert_legible(coherence.coherence_figure(named, title="A title of ninety letters " * 3).axes[0])

    @pytest.mark.parametrize(("start", "dt"), [(0.0, 1e-9), (1.6e9, 1e6), (2440587.5, 1.0)])
    def test_times_of_any_size(self, start: float, dt: float) -> None:
        x, y = np.random.default_rng(1).standard_normal((2, 300))
        analysed = analyse(x, y, dt, dj=0.5, n_simulations=4, times=start + dt * np.arange(300))
        assert_legible(coherence.coherence_figure(analysed, time_unit="s").axes[0])


@pytest.mark.parametrize("name", ["histogram", "coherence"])
def test_maps_survive_grey_print(name: str) -> None:
    """Dark stays dark: along the colour bar, grey grows evenly enough to be read."""
    ax = PICTURES[name]()
    colours = ax.collections[0].get_cmap()(np.linspace(0, 1, 20))[:, :3]
    grey = 255 * colours @ (0.299, 0.587, 0.114)  # luma, ITU-R BT.601
    assert (np.diff(grey) > 0).all()
    assert np.ptp(grey) > 150


class TestSignificance:
    def test_levels_and_bars_are_the_results(self) -> None:
        ax = coherence.plot_significance(result())
        (container,) = ax.containers
        line, _, (bars,) = container.lines  # type: ignore[attr-defined]
        np.testing.assert_array_equal(line.get_xdata(), result().histogram.job.periods)
        np.testing.assert_array_equal(line.get_ydata(), result().significance)
        ends = np.array([segment[:, 1] for segment in bars.get_segments()])
        np.testing.assert_allclose(np.diff(ends)[:, 0] / 2, result().standard_error)

    def test_on_axes_that_are_given_each_curve_looks_different(self) -> None:
        given = Figure().add_subplot()
        for _ in range(3):
            assert coherence.plot_significance(result(), given, label="a") is given
        looks = {
            (c.lines[0].get_color(), c.lines[0].get_marker(), c.lines[0].get_linestyle())  # type: ignore[attr-defined]
            for c in given.containers
        }
        assert all(len(set(column)) == 3 for column in zip(*looks, strict=True))

    def test_labels(self) -> None:
        ax = coherence.plot_significance(result(), time_unit="$ \udcff years")
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("Period ($ ? years)", "Squared coherence")
        ax = coherence.plot_significance(result())
        assert ax.get_xlabel() == "Period (unit of dt)"
        assert ax.get_legend_handles_labels()[1] == ["95 % level, 128 simulations, numpy"]


class TestHistogram:
    def test_densities_have_area_one(self) -> None:
        ax = coherence.plot_histogram(result().histogram)
        density = np.asarray(ax.collections[0].get_array())
        np.testing.assert_allclose(density.sum(axis=0) * (1 / len(density)), 1)

    @pytest.mark.parametrize("level", [0.5, None])
    def test_the_line_is_the_level(self, level: float | None) -> None:
        ax = coherence.plot_histogram(result().histogram, level=level)
        lines = [line.get_ydata() for line in ax.get_lines()]
        assert len(lines) == (level is not None)
        if level is not None:
            np.testing.assert_array_equal(lines[0], quantiles(result().histogram.counts, level))

    def test_scales_without_samples_are_left_blank(self) -> None:
        empty = Histogram(result().histogram.job, [])
        ax = coherence.plot_histogram(empty, level=None)
        assert np.ma.getmaskarray(np.ma.asarray(ax.collections[0].get_array())).all()


class TestConvergence:
    def test_steps_are_those_of_the_first_parts(self) -> None:
        histogram = result().histogram
        found = track_convergence(histogram, 0.9)
        assert found.simulations[-1] == 128
        assert (np.diff(found.simulations) > 0).all()
        for step, n in enumerate(found.simulations):
            first = Histogram(histogram.job, [part for part in histogram.parts if part.stop <= n])
            np.testing.assert_array_equal(found.levels[step], quantiles(first.counts, 0.9))
            np.testing.assert_array_equal(found.standard_errors[step], standard_errors(first, 0.9))
        assert np.isnan(found.standard_errors[0]).all()
        assert np.isfinite(found.standard_errors[1:]).all()

    def test_the_curves_are_of_the_scales_that_are_asked_for(self) -> None:
        ax = coherence.plot_convergence(result().histogram, scales=[3, 7])
        found = track_convergence(result().histogram, 0.95)
        for line, scale in zip(ax.get_lines(), [3, 7], strict=True):
            np.testing.assert_array_equal(line.get_ydata(), found.levels[:, scale])

    @pytest.mark.parametrize("scales", [[], [13], [-1], [0] * 7])
    def test_scales_that_are_not(self, scales: list[int]) -> None:
        with pytest.raises(ValueError, match="scales must be 1 to 6 numbers from 0 to 12"):
            coherence.plot_convergence(result().histogram, scales=scales)

    def test_nothing_to_converge(self) -> None:
        with pytest.raises(ValueError, match="without simulations has no levels"):
            coherence.plot_convergence(Histogram(result().histogram.job, []))


def test_coherence_on_axes_that_are_given() -> None:
    given = Figure().subplots(1, 2)[1]
    assert coherence.plot_coherence(analysis(), given) is given
    assert len(given.figure.axes) == 3, "two axes and a colour bar"
