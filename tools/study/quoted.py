"""The part of the study's data that the pages and the checks read: that part is kept in git."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from study import checks, report

if TYPE_CHECKING:
    from collections.abc import ItemsView, ValuesView


class _Watched(dict[str, Any]):
    """A dict, with dicts and lists in it, that remembers which of its values were read."""

    def __init__(self, values: dict[str, Any]) -> None:
        super().__init__({key: _watched(value) for key, value in values.items()})
        self.seen: set[str] = set()

    def __getitem__(self, key: str) -> Any:  # noqa: ANN401  anything JSON holds
        self.seen.add(key)
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:  # noqa: ANN401
        self.seen.add(key)
        return super().get(key, default)

    def items(self) -> ItemsView[str, Any]:  # type: ignore[override]
        self.seen |= set(self)
        return dict(self).items()

    def values(self) -> ValuesView[Any]:  # type: ignore[override]
        self.seen |= set(self)
        return dict(self).values()


def _watched(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, dict):
        return _Watched(value)
    return [_watched(one) for one in value] if isinstance(value, list) else value


def _read(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, _Watched):
        return {key: _read(dict.__getitem__(value, key)) for key in value if key in value.seen}
    return [_read(one) for one in value] if isinstance(value, list) else value


def quoted(data: dict[str, Any]) -> dict[str, Any]:
    """The data without what neither `report.pages` nor `checks.of_parts` reads."""
    watched = _Watched(data)
    report.pages(watched)
    list(checks.of_parts(watched))
    found: dict[str, Any] = _read(watched)
    return found


def text(data: dict[str, Any]) -> str:
    """JSON with a line for each table, so that git shows what has changed."""
    parts = (
        f"{json.dumps(key)}: {{\n"
        + ",\n".join(f" {json.dumps(name)}: {json.dumps(one)}" for name, one in part.items())
        + "\n}"
        if isinstance(part, dict)
        else f"{json.dumps(key)}: {json.dumps(part)}"
        for key, part in data.items()
    )
    return "{\n" + ",\n".join(parts) + "\n}\n"
