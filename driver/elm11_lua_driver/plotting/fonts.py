"""Fonts for letters that Matplotlib's own font lacks: names of series may be in any writing."""

from __future__ import annotations

import contextlib
import warnings
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from matplotlib import font_manager
from matplotlib.font_manager import FontProperties
from matplotlib.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.figure import Figure

# These have a box for every letter.
_NO_LETTERS: Final = ("Last Resort", "LastResort", ".LastResort", "Adobe Blank")
_TOLD: Final = 12  # letters that a warning names


@contextlib.contextmanager
def fonts_for(figure: Figure, *, tell: bool = True) -> Iterator[None]:
    """Have the texts of a figure drawn in fonts that have their letters, as far as such fonts are installed.

    The font that is set stays first: others are asked only for what it lacks.

    Args:
        figure: the figure; its texts keep the families they are given here.
        tell: whether to warn of letters that no font has. False where something else draws the text in the end.

    Yields:
        Nothing; the figure is saved inside, where Matplotlib's own warnings, one for each letter, are not heard.

    Warns:
        UserWarning: no installed font has some of the letters, so that boxes stand in their place.
    """
    texts = [text for text in figure.findobj(Text) if isinstance(text, Text) and text.get_text()]
    lacking = {letter for text in texts for letter in _lacking(text)}
    families, lost = _families_with(frozenset(lacking)) if lacking else ((), "")
    for text in texts if families else ():
        text.set_fontfamily([*text.get_fontfamily(), *families])
    if lost and tell:
        shown = lost[:_TOLD] + "\N{HORIZONTAL ELLIPSIS}" * (len(lost) > _TOLD)
        warnings.warn(
            f"no installed font has the letters {shown} of names or units, so that boxes stand for them: install a "
            "font that has them (Debian and Ubuntu: fonts-noto-cjk, or another of fonts-noto), or use other letters",
            stacklevel=4,
        )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from font")
        yield


def _lacking(text: Text) -> set[str]:
    font = font_manager.findfont(text.get_fontproperties())
    return {letter for letter in text.get_text() if ord(letter) not in _letters(font) and letter != "\n"}


@cache
def _letters(path: str) -> frozenset[int]:
    """Code points that a font file has; none where it cannot be used."""
    try:
        font = font_manager.get_font(path)
        return frozenset(font.get_charmap()) if font.scalable else frozenset()
    except (OSError, RuntimeError, ValueError):
        return frozenset()  # coloured pictures of letters, say, or a damaged file


@lru_cache(maxsize=16)
def _families_with(letters: frozenset[str]) -> tuple[tuple[str, ...], str]:
    """Families of fonts that have these letters together, as few as it takes, and the letters that none has."""
    families: list[str] = []
    wanted = {ord(letter) for letter in letters}
    _note_new_fonts()
    # Of equals the first by name, so that the same figure looks the same each time.
    names = sorted({entry.name for entry in font_manager.fontManager.ttflist if _is_plain(entry)})
    # A family has several files: the one counts that Matplotlib takes for its name.
    having = {name: _letters(font_manager.findfont(FontProperties(family=name))) for name in names}
    while wanted and having:
        name = max(names, key=lambda name: len(wanted & having[name]))
        if not wanted & having[name]:
            break
        families.append(name)
        wanted -= having[name]
    return tuple(families), "".join(sorted(map(chr, wanted)))


def _is_plain(entry: font_manager.FontEntry) -> bool:
    # Matplotlib remarks on fonts of other weights.
    is_regular = entry.style == "normal" and entry.weight in {400, "normal", "regular"}
    return is_regular and not entry.name.startswith(_NO_LETTERS)


def _note_new_fonts() -> None:
    """Have Matplotlib know fonts that were installed after it had made its list."""
    known = {entry.fname for entry in font_manager.fontManager.ttflist}
    for path in sorted(set(font_manager.findSystemFonts()) - known):
        if Path(path).is_file():
            with contextlib.suppress(OSError, RuntimeError, ValueError, KeyError):
                font_manager.fontManager.addfont(path)
