"""Every error can be looked up: its class with its exit code, its message by its fixed words; and no other is there."""

from __future__ import annotations

import re

import error_messages
import pytest
from elm11_lua_driver.errors import Elm11Error
from paths import ROOT

PAGE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
FILES = [path for folder in ("driver", "shim") for path in sorted((ROOT / folder).rglob("*.py"))]
SOURCES = "\n".join(path.read_text(encoding="utf-8") for path in FILES)
FOREIGN = {"attempt to ... a nil value", "Invalid value for ...", "No space left on device"}


def every_class(root: type[Elm11Error] = Elm11Error) -> list[type[Elm11Error]]:
    return [root, *(found for child in root.__subclasses__() for found in every_class(child))]


@pytest.mark.parametrize("kind", every_class(), ids=lambda kind: kind.__name__)
def test_every_error_class_is_there_with_its_exit_code(kind: type[Elm11Error]) -> None:
    assert re.search(rf"^\| `{kind.__name__}` \| {kind.exit_code} \|", PAGE, re.MULTILINE)


def patterns() -> list[str]:
    """Messages in the first columns of the tables by symptom; dots stand for values."""
    symptoms = PAGE.partition("## Errors from Python")[0]
    cells = [line.split(" | ")[0] for line in symptoms.splitlines() if line.startswith("| `")]
    found = [message for cell in cells for message in re.findall(r"`([^`]+)`", cell)]
    return [message for message in found if message not in FOREIGN]


def parts(pattern: str) -> list[str]:
    return [part.strip(" :;,") for part in pattern.split("...") if part.strip(" :;,")]


def regex(pattern: str) -> re.Pattern[str]:
    """The pattern's words in their order, with anything in between."""
    return re.compile(".*".join(map(re.escape, parts(pattern))), re.DOTALL)


MESSAGES, WITHOUT_TEXT = error_messages.messages()


def test_the_messages_are_found_in_the_source() -> None:
    """As many as there are, from every kind of place; a gap in the reading would make the next test worthless."""
    assert len(MESSAGES) > 300
    assert set(WITHOUT_TEXT) == set(error_messages.HANDED_ON)
    driver = "\n".join(path.read_text(encoding="utf-8") for path in FILES if path.is_relative_to(ROOT / "driver"))
    raised = set(re.findall(r"raise (\w+Error)\(", driver))
    # Never seen by a user, or in the system's words: what stops an engine, what a reader of files catches, a folder.
    own = {"AbandonedError", "KeyError", "IsADirectoryError"}
    assert len(MESSAGES) + len(WITHOUT_TEXT) > len(re.findall(r"^ *raise [A-Za-z_.]+\(", driver, re.MULTILINE))
    assert raised <= error_messages.CLASSES | own
    found = {message.text for message in MESSAGES}
    assert "the board restarted; what it held in memory is gone." in found  # board_errors.py, by a helper
    assert "…: there is no such file; check its name" in found  # series_cells.py, by a variable
    assert "… is not a whole number in the range …" in found  # config.py, by click


@pytest.mark.parametrize("message", sorted({message.text for message in MESSAGES}))
def test_every_message_can_be_looked_up(message: str) -> None:
    assert any(regex(pattern).search(message) for pattern in patterns()), message


@pytest.mark.parametrize("pattern", patterns())
def test_a_pattern_has_words_to_look_for(pattern: str) -> None:
    assert len("".join(parts(pattern)).replace(" ", "")) >= 4


@pytest.mark.parametrize("message", patterns())
def test_a_message_is_one_that_we_give(message: str) -> None:
    """Its words stand in a message, or at least in the code, in this order, with something in between for the dots."""
    if any(regex(message).search(one.text) for one in MESSAGES):
        return
    # A message may be broken into two literals of Python, and hold values.
    text = re.sub(r'"\s*\n\s*f?"', "", SOURCES)
    assert re.search(r"[^\n]*".join(map(re.escape, parts(message))), text), message


def test_links_within_the_page_lead_somewhere() -> None:
    heads = {
        re.sub(r"[^a-z0-9 -]", "", head.lower()).replace(" ", "-")
        for head in re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) <= heads
