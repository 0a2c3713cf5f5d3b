"""What the pictures are made of. How they look was looked at."""

from __future__ import annotations

import math
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from elm11_host_ref.exact import rednoise
from elm11_lua_driver.analysis.coherence import CoherenceAnalysis, analyse
from elm11_lua_driver.plotting import coherence
from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

N, DT, PERIOD = 128, 0.5, 8.0
TIMES = 1900 + DT * np.arange(N)
NOISE = np.random.default_rng(2).standard_normal((2, N))


def analysed(lead: float = 0.0, **options: Any) -> CoherenceAnalysis:  # noqa: ANN401
    """Two sines in a little noise, the first one ahead by `lead` periods."""
    turns = (TIMES - TIMES[0]) / PERIOD
    x = np.sin(2 * np.pi * turns) + 0.1 * NOISE[0]
    y = np.sin(2 * np.pi * (turns - lead)) + 0.1 * NOISE[1]
    return analyse(
        x, y, DT, **{"dj": 0.25, "n_simulations": 30, "times": TIMES, "names": ("first", "second"), **options}
    )


def drawn(figure: Figure, gid: str) -> Any:  # noqa: ANN401  the types of artists are many
    (found,) = figure.findobj(lambda artist: artist.get_gid() == gid)
    return found


def axes_of(figure: Figure) -> tuple[Axes, Axes]:
    picture, bar = figure.axes
    return picture, bar


class TestCoherenceFigure:
    def test_axes(self) -> None:
        axes, bar = axes_of(coherence.coherence_figure(analysed(), time_unit="years"))
        assert (axes.get_xlabel(), axes.get_ylabel()) == ("Time (years)", "Period (years)")
        assert axes.get_title() == "Wavelet coherence: first and second"
        assert bar.get_ylabel() == "Squared coherence"
        assert bar.get_ylim() == (0, 1)
        assert axes.get_yscale() == "log"
        bottom, top = axes.get_ylim()
        assert bottom > top, "small periods are on top"
        assert top == pytest.approx(2 * DT)
        assert bottom == 32, "the power of two that is next to the longest safe period, 23.4"
        np.testing.assert_array_equal(axes.get_yticks(), [1, 2, 4, 8, 16, 32])
        assert [label.get_text() for label in axes.get_yticklabels()] == ["1", "2", "4", "8", "16", "32"]
        assert axes.get_xlim() == (TIMES[0], TIMES[-1])

    def test_labels_without_a_unit_say_so_and_titles_are_taken(self) -> None:
        axes, _ = axes_of(coherence.coherence_figure(analysed(), title="$ own _ title"))
        assert axes.get_xlabel() == "Time (unit of dt)"
        assert axes.get_title() == "$ own _ title"
        axes, _ = axes_of(coherence.coherence_figure(analysed(), time_unit="days", first_day="1990-01-01"))
        assert (axes.get_xlabel(), axes.get_ylabel()) == ("Time (days since 1990-01-01)", "Period (days)")

    @pytest.mark.parametrize("longest", [4.0, 10.0, 1e-9, 1e9])
    def test_the_longest_period(self, longest: float) -> None:
        result = analysed()
        axes, _ = axes_of(coherence.coherence_figure(result, longest_period=longest))
        expected = min(max(longest, 1.5 * result.job.periods[0]), result.job.periods[-1])
        assert axes.get_ylim()[0] == pytest.approx(expected)

    @pytest.mark.parametrize(
        ("lead", "right", "up"), [(0, 1, 0), (0.5, -1, 0), (0.25, 0, -1), (-0.25, 0, 1), (0.125, 0.7, -0.7)]
    )
    def test_arrows_point_as_the_caption_says(self, lead: float, right: float, up: float) -> None:
        """The first series leads by a quarter: down. Arrows are in screen directions, whichever way the axis runs."""
        arrows = drawn(coherence.coherence_figure(analysed(lead)), "phase arrows")
        assert arrows.angles == "uv"
        at_period = np.abs(np.log2(arrows.get_offsets()[:, 1] / PERIOD)) < 0.3
        assert at_period.sum() > 10
        assert arrows.U[at_period].mean() == pytest.approx(right, abs=0.1)
        assert arrows.V[at_period].mean() == pytest.approx(up, abs=0.1)

    def test_arrows_only_where_coherent_and_safe(self) -> None:
        result = analysed()
        for time, period in drawn(coherence.coherence_figure(result), "phase arrows").get_offsets():
            column = int(np.argmin(np.abs(TIMES - time)))
            row = int(np.argmin(np.abs(result.job.periods - period)))
            assert result.coherence[row, column] >= coherence.ARROW_COHERENCE
            assert period <= result.cone_of_influence[column]

    def test_the_line_is_where_coherence_is_the_level(self) -> None:
        result = analysed()
        line = drawn(coherence.coherence_figure(result), "significance")
        np.testing.assert_array_equal(line.levels, [1])
        vertices = np.concatenate([path.vertices for path in line.get_paths()])
        assert len(vertices) > 20
        ratio = result.coherence / result.levels.significance[:, None]
        for time, period in vertices[::5]:
            columns = [int(f((time - TIMES[0]) / DT + e)) for f, e in ((math.floor, 1e-6), (math.ceil, -1e-6))]
            position = math.log2(period / result.job.periods[0]) * 4
            rows = [int(f(position + e)) for f, e in ((math.floor, 1e-6), (math.ceil, -1e-6))]
            corners = ratio[np.ix_(rows, columns)]
            assert corners.min() <= 1 <= corners.max()

    def test_edge_effects_are_in_data_coordinates(self) -> None:
        result = analysed()
        figure = coherence.coherence_figure(result)
        axes, _ = axes_of(figure)
        region = drawn(figure, "edge effects")
        assert region.get_transform().contains_branch(axes.transData)
        (path,) = region.get_paths()
        corners = {(float(time), float(period)) for time, period in path.vertices}
        assert {(float(t), float(c)) for t, c in zip(TIMES, result.cone_of_influence, strict=True)} <= corners

    def test_the_caption_says_what_lines_and_arrows_mean(self) -> None:
        text = coherence.caption(analysed(names=("A", "B" * 50)))
        for part in (
            "95 % level against red noise",
            "(30 simulations, seed 1)",
            "Hatched: affected by edge effects (cone of influence)",
            "right: in phase, left: in antiphase",
            "down: A leads by a quarter of the period",
            "up: " + "B" * 31 + "… leads",
        ):
            assert part in text
        white = coherence.caption(analysed(surrogates="white", n_simulations=1))
        assert "against white noise (1 simulation, seed 1)" in white

    @pytest.mark.parametrize(
        "options",
        [
            {"J": 0, "s0": 4.0},
            {"J": 1, "dj": 0.1},
            {"pycwt_compatible": True},
            {"wavelet": "paul"},
            {"wavelet": "dog", "level": 0.999, "n_simulations": 1},
            {"s0": 40.0, "J": 2},
        ],
    )
    def test_unusual_analyses_are_drawn(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
    ) -> None:
        monkeypatch.setattr(coherence, "DPI", 40)
        coherence.save_figure(coherence.coherence_figure(analysed(**options)), tmp_path / "a.png")

    def test_names_that_are_no_text_are_drawn(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(coherence, "DPI", 40)
        figure = coherence.coherence_figure(
            analysed(names=("r\udce9sum\udce9", "a\n\x07b"), J=2), time_unit="\udcff", title=""
        )
        coherence.save_figure(figure, tmp_path / "a.png")
        assert figure.axes[0].get_title() == "Wavelet coherence: r?sum? and a ?b"

    def test_a_long_series_is_drawn_with_its_ends(self) -> None:
        noise = np.random.default_rng(0).standard_normal((2, 3000))
        result = analyse(noise[0], noise[1], 1.0, dj=0.5, J=4, n_simulations=2)
        axes, _ = axes_of(coherence.coherence_figure(result))
        assert axes.get_xlim() == (0, 2999)


class TestNoiseSpectra:
    def test_red_noise_follows_the_curve_and_white_noise_does_not(self) -> None:
        normal = np.random.default_rng(1).standard_normal((200, 600))
        red = rednoise.red_noise(normal, 0.72, 512)
        axes = coherence.noise_spectra_figure({"red": red, "white": normal[:, :512]}, 0.72).axes[0]
        (red_line, white_line, curve) = axes.get_lines()
        legend = axes.get_legend()
        assert legend is not None
        assert [text.get_text() for text in legend.get_texts()] == ["red", "white", "AR(1) process, lag-1 = 0.72"]
        frequency, power = np.asarray(red_line.get_data(), float)
        np.testing.assert_allclose(power, rednoise.red_noise_spectrum(frequency, 0.72), rtol=0.15)
        np.testing.assert_allclose(np.asarray(white_line.get_ydata(), float), 1, rtol=0.15)
        assert np.asarray(curve.get_ydata(), float).max() > 5
        assert axes.get_yscale() == "log"
        assert "(cycles per sample)" in axes.get_xlabel()

    def test_lag1_out_of_range(self) -> None:
        with pytest.raises(ValueError, match="lag1 must lie between -1 and 1"):
            coherence.noise_spectra_figure({}, 1.0)


class TestSaving:
    @pytest.mark.parametrize("suffix", [*coherence.SUFFIXES, ".PNG"])
    def test_every_type_the_same_bytes_each_time(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
    ) -> None:
        monkeypatch.setattr(coherence, "DPI", 40)  # coarse, but quick
        files = [tmp_path / f"{name}{suffix}" for name in "ab"]
        result = analysed(J=8)
        for file in files:
            coherence.save_figure(coherence.coherence_figure(result), file, "what it is")
        assert files[0].read_bytes() == files[1].read_bytes()
        assert len(list(tmp_path.iterdir())) == 2

    def test_the_description_is_kept(self, tmp_path: Path) -> None:
        figure = coherence.noise_spectra_figure({}, 0.5)
        coherence.save_figure(figure, tmp_path / "a.png", "the job")
        with Image.open(tmp_path / "a.png") as image:
            assert image.info["Description"] == "the job"
            assert image.size == (1200, 760)

    @pytest.mark.parametrize("name", ["a.eps", "a.xyz", "a", ".png", ""])
    def test_other_types_are_refused(self, name: str) -> None:
        with pytest.raises(ValueError, match=r"must end in one of \.png, \.pdf, \.svg"):
            coherence.save_figure(coherence.noise_spectra_figure({}, 0.5), name)

    def test_a_failure_leaves_the_old_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        figure = coherence.noise_spectra_figure({}, 0.5)
        path = tmp_path / "a.png"
        path.write_text("old")

        def fail(*_: object, **__: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(figure, "savefig", fail)
        with pytest.raises(OSError, match="No space left"):
            coherence.save_figure(figure, path)
        assert path.read_text() == "old"
        assert list(tmp_path.iterdir()) == [path]


def test_nothing_global_is_touched() -> None:
    code = "import sys, elm11_lua_driver.plotting.coherence; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
