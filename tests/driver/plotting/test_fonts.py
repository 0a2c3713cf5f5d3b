"""Letters that Matplotlib's own font lacks."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING

import pytest
from elm11_lua_driver.plotting import axes
from matplotlib.font_manager import FontProperties, findfont, get_font

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# STIX, which comes with Matplotlib, has it; DejaVu Sans does not.
ELSEWHERE = "\N{LATIN SMALL LETTER D WITH PALATAL HOOK}"
NOWHERE = "\U0010fffd"  # for private use: only fonts of boxes have it


def figure_of(title: str) -> Figure:
    ax = axes.axes_or_new(None, (2, 1))
    ax.set_title(title)
    figure = ax.get_figure(root=True)
    assert figure is not None
    return figure


def saved(figure: Figure, *, warn: bool = True) -> list[str]:
    """What is warned of while a figure is saved."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with axes.fallback_fonts(figure, warn=warn):
            figure.savefig(io.BytesIO(), format="png", dpi=40)
    return [str(warning.message) for warning in caught]


def test_letters_of_the_usual_font_look_the_same() -> None:
    plain, offered = io.BytesIO(), io.BytesIO()
    figure = figure_of("Zürich, μ, ж")
    figure.savefig(plain, format="png", dpi=40)
    with axes.fallback_fonts(figure):
        figure.savefig(offered, format="png", dpi=40)
    assert plain.getvalue() == offered.getvalue()


def test_letters_of_another_font_are_drawn_with_it() -> None:
    figure = figure_of(f"a{ELSEWHERE}")
    assert saved(figure) == []
    usual, *others = figure.axes[0].title.get_fontfamily()
    assert usual == "sans-serif"
    assert any(ord(ELSEWHERE) in get_font(findfont(FontProperties(family=name))).get_charmap() for name in others)


def test_other_warnings_get_through() -> None:
    with pytest.warns(UserWarning, match="something else"), axes.fallback_fonts(figure_of("a")):
        warnings.warn("something else", stacklevel=1)


def test_letters_that_no_font_has_are_one_line_that_says_what_to_do() -> None:
    told = saved(figure_of(f"a{NOWHERE}{ELSEWHERE}"))
    assert len(told) == 1
    assert f"no installed font has the letters {NOWHERE} of names or units" in told[0]
    assert "fonts-noto-cjk" in told[0]


def test_where_a_browser_draws_the_letters_there_is_no_warning() -> None:
    assert saved(figure_of(NOWHERE), warn=False) == []


def test_very_many_missing_letters_are_not_all_named() -> None:
    told = saved(figure_of("".join(map(chr, range(0x10FF00, 0x10FF40)))))
    assert len(told) == 1
    assert len(told[0]) < 300
