"""The pictures that `test_pictures.py` compares with those in `data/pictures`. As a program it draws these anew:

PYTHONPATH=tests/support:tools python tests/support/pictures.py
"""

from __future__ import annotations

import functools
import itertools
from typing import TYPE_CHECKING, Final

import numpy as np
from elm11_lua_driver import CoherenceAnalysis, Job, Significance, analyse, significance
from elm11_lua_driver.plotting.coherence import (
    plot_coherence,
    plot_convergence,
    plot_histogram,
    plot_significance,
)
from matplotlib import style
from matplotlib.text import Text
from paths import DATA
from study.performance import plot_engine_scaling, plot_instruction_budget

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from matplotlib.axes import Axes

BASELINES: Final = DATA / "pictures"
DPI: Final = 60  # coarse: some 10 KB each, and every label can still be read


@functools.cache
def result(scale_box: str = "pycwt") -> Significance:
    """Levels of a small job."""
    return significance(Job(0.72, 0.5, 0.25, 0.25, 0.5, 12, n_simulations=128, scale_box=scale_box))


@functools.cache
def analysis() -> CoherenceAnalysis:
    """Two sines of period 8, the first a quarter ahead, in noise."""
    times = 1900 + np.arange(160.0)
    noise = np.random.default_rng(4).standard_normal((2, 160))
    x = np.sin(2 * np.pi * times / 8) + 0.8 * noise[0]
    y = np.sin(2 * np.pi * (times / 8 - 0.25)) + 0.8 * noise[1]
    return analyse(x, y, 1.0, dj=0.25, n_simulations=40, times=times, names=("first", "second"))


def coherence() -> Axes:
    """The picture of the literature."""
    return plot_coherence(analysis(), time_unit="years")


def levels() -> Axes:
    """Two results on the same axes."""
    ax = plot_significance(result(), time_unit="years")
    plot_significance(result("grinsted"), ax, time_unit="years", label="Grinsted's scale box")
    ax.legend()
    return ax


def histogram() -> Axes:
    """The map with the level."""
    return plot_histogram(result().histogram, time_unit="years")


def convergence() -> Axes:
    """Four scales."""
    return plot_convergence(result().histogram, time_unit="years")


def engines() -> Axes:
    """Three engines, of which two end together. The times are made up."""
    rows = [
        {"J": 10, "first_ms": 2.0, "second_ms": 0.1, "third_ms": 3.0, "ratio": 20.0},
        {"J": 20, "first_ms": 20.0, "second_ms": 0.6, "third_ms": 13.0, "ratio": 33.0},
        {"J": 28, "first_ms": 66.0, "second_ms": 3.0, "third_ms": 60.0, "ratio": 22.0},
    ]
    return plot_engine_scaling(rows)


def instructions() -> Axes:
    """Stages of which one is next to nothing. The numbers are made up."""
    return plot_instruction_budget({"noise": 41e6, "transforms": 230e6, "smoothing": 310e6, "histogram": 0.9e6})


PICTURES: Final[dict[str, Callable[[], Axes]]] = {
    "coherence": coherence,
    "levels": levels,
    "histogram": histogram,
    "convergence": convergence,
    "engines": engines,
    "instructions": instructions,
}


def draw(name: str, path: Path, change: Callable[[Axes], object] | None = None) -> None:
    """Draw one of them, whatever this machine's matplotlibrc says.

    Args:
        name: which.
        path: where to.
        change: what to do to it first.
    """
    with style.context("default"):
        ax = PICTURES[name]()
        if change is not None:
            change(ax)
        figure = ax.get_figure(root=True)
        assert figure is not None
        figure.savefig(path, dpi=DPI, metadata={"Software": None})


def assert_legible(ax: Axes) -> None:
    """Check that all letters are inside of the picture, and that the numbers of an axis do not touch.

    Args:
        ax: axes of the picture.
    """
    figure = ax.get_figure(root=True)
    assert figure is not None
    figure.canvas.draw()
    inside = figure.bbox.padded(1)
    for text in filter(Text.get_text, (ax.title, ax.xaxis.label, ax.yaxis.label, *ax.texts)):
        box = text.get_window_extent()
        assert inside.x0 <= box.x0, text.get_text()
        assert box.x1 <= inside.x1, text.get_text()
        assert inside.y0 <= box.y0, text.get_text()
        assert box.y1 <= inside.y1, text.get_text()
    legend = ax.get_legend()
    if legend is not None:
        assert inside.x0 <= legend.get_window_extent().x0
    for axis in (ax.xaxis, ax.yaxis):
        low, high = sorted(axis.get_view_interval())
        ticks = [tick for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
        boxes = [tick.label1.get_window_extent() for tick in ticks if tick.label1.get_text()]
        assert boxes
        assert not any(a.overlaps(b) for a, b in itertools.pairwise(boxes)), axis.get_label().get_text()


def main() -> None:
    """Draw all."""
    BASELINES.mkdir(exist_ok=True)
    for name in PICTURES:
        draw(name, BASELINES / f"{name}.png")


if __name__ == "__main__":
    main()
