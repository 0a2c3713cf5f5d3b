"""Troubleshooting can be looked up: every error class is named there with its exit code, and messages are our own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from elm11_lua_driver.errors import Elm11Error

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
SOURCES = "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "driver").rglob("*.py")))
FOREIGN = {"attempt to ... a nil value", "Invalid value for ...", "No space left on device"}


def every_class(root: type[Elm11Error] = Elm11Error) -> list[type[Elm11Error]]:
    return [root, *(found for child in root.__subclasses__() for found in every_class(child))]


@pytest.mark.parametrize("kind", every_class(), ids=lambda kind: kind.__name__)
def test_every_error_class_is_there_with_its_exit_code(kind: type[Elm11Error]) -> None:
    assert re.search(rf"^\| `{kind.__name__}` \| {kind.exit_code} \|", PAGE, re.MULTILINE)


def messages() -> list[str]:
    """Messages in the first columns of the tables by symptom."""
    symptoms = PAGE.partition("## Errors from Python")[0]
    cells = [line.split(" | ")[0] for line in symptoms.splitlines() if line.startswith("| `")]
    found = [message for cell in cells for message in re.findall(r"`([^`]+)`", cell)]
    return [message for message in found if message not in FOREIGN]


@pytest.mark.parametrize("message", messages())
def test_a_message_is_one_that_we_give(message: str) -> None:
    """Its words stand in the code in this order, with something in between for the dots."""
    if message == "FILE:LINE: ...":
        return
    parts = [part.strip(" :") for part in message.split("...") if part.strip(" :")]
    # A message may be broken into two literals of Python, and hold values.
    text = re.sub(r'"\s*\n\s*f?"', "", SOURCES)
    assert re.search(r"[^\n]*".join(map(re.escape, parts)), text), message


def test_links_within_the_page_lead_somewhere() -> None:
    heads = {
        re.sub(r"[^a-z0-9 -]", "", head.lower()).replace(" ", "-")
        for head in re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) <= heads
