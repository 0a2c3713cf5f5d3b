"""Settings of the command line, and where each comes from.

The command line wins over the environment, that over ``[tool.elm11]`` in the nearest ``pyproject.toml`` (of this folder
or the first one above it that has the file), that over ``config.toml`` in the user's folder, that over the default.

Only the commands read this. The library's functions take arguments, and read nothing but ``ELM11_PORT`` and
``ELM11_CACHE``.
"""

from __future__ import annotations

import logging
import os
import tomllib
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from ._files.user_dirs import config_folder
from .errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

_log = logging.getLogger(__name__)

ENVIRONMENT_PREFIX: Final = "ELM11_"
PROJECT_FILE: Final = "pyproject.toml"
LONGEST_TX_DELAY_MS: Final = 100
"""More makes a line of the prompt take half a minute, which no board needs."""
MOST_WORKERS: Final = 1024

_Kind = TypeVar("_Kind", str | None, float | None, int | None, str, Path | None)


class Source(StrEnum):
    """Where a value comes from, strongest first (the command line, which wins over all, is not read here)."""

    ENVIRONMENT = "environment"
    PROJECT = "project file"
    USER = "user file"
    DEFAULT = "default"


@dataclass(frozen=True)
class Setting(Generic[_Kind]):
    """A value and its source.

    Attributes:
        value: the value; None where nothing is set and there is no default.
        source: where it comes from.
        origin: the variable's name or the file's path; empty for a default.
    """

    value: _Kind
    source: Source = Source.DEFAULT
    origin: str = ""


@dataclass(frozen=True)
class Config:
    """All settings.

    Attributes:
        port: the board's port.
        hw_id: the board's hardware id.
        tx_delay_ms: milliseconds from byte to byte.
        trace: a file for a byte trace of every command.
        engine: who computes.
        pipeline: how it is computed.
        workers: processes of engines that have several.
        cache: folder for results that are kept.
    """

    port: Setting[str | None]
    hw_id: Setting[str | None]
    tx_delay_ms: Setting[float | None]
    trace: Setting[Path | None]
    engine: Setting[str]
    pipeline: Setting[str]
    workers: Setting[int | None]
    cache: Setting[Path | None]

    def setting(self, key: str) -> Setting[Any]:
        """One setting by its key, which is one of `KEYS`.

        Args:
            key: one of `KEYS`.

        Raises:
            ConfigError: the value is not among those that there are.
        """
        setting: Setting[Any] = getattr(self, key)
        if setting.source is not Source.DEFAULT and key in _CHOICES:
            choices = _CHOICES[key]
            if setting.value not in choices:
                raise _wrong(setting.origin, key, f"must be one of {', '.join(choices)}", setting.value)
        return setting


KEYS: Final = tuple(field.name for field in fields(Config))
"""The keys in files; in the environment they are written ELM11_PORT, ELM11_TX_DELAY_MS and so on."""

DEFAULTS: Final[dict[str, Any]] = {**dict.fromkeys(KEYS), "engine": "numpy", "pipeline": "exact"}


_CHOICES: Final = {
    "engine": ("numpy", "lua", "board", "pool", "dask", "fleet", "auto"),
    "pipeline": ("exact", "fast"),
}


def variable(key: str) -> str:
    """Name of the environment variable of a key.

    Args:
        key: one of `KEYS`.
    """
    return ENVIRONMENT_PREFIX + key.upper()


def user_file() -> Path:
    """The user's configuration file; it need not exist."""
    return config_folder() / "config.toml"


def project_file(folder: Path | None = None) -> Path | None:
    """The nearest ``pyproject.toml``, of a folder (the current one by default) or of the folders above it.

    Args:
        folder: where to begin; the current folder by default.
    """
    try:
        start = Path.cwd() if folder is None else folder.resolve()
    except OSError:
        return None  # the current folder has been deleted
    return next((path for above in (start, *start.parents) if (path := above / PROJECT_FILE).is_file()), None)


def load(environ: Mapping[str, str] | None = None, folder: Path | None = None, user: Path | None = None) -> Config:
    """Read all settings.

    Args:
        environ: the environment.
        folder: where the project's file is looked for; the current folder by default.
        user: the user's file.

    Returns:
        The settings. That `engine` and `pipeline` exist is checked by `Config.setting`.

    Raises:
        ConfigError: a file cannot be read or has an unknown key, or a value has the wrong type or range.
    """
    found: dict[str, Setting[Any]] = {}
    for source, origin, base, values in _sources(os.environ if environ is None else environ, folder, user):
        for key, raw in values.items():
            name = variable(key) if source is Source.ENVIRONMENT else key
            value = _value(key, raw, origin or name, name, base)
            if key not in found:
                found[key] = Setting(value, source, origin or name)
    _log.info("settings: %s", ", ".join(f"{key} from {one.origin}" for key, one in found.items()) or "all defaults")
    return Config(**{key: found.get(key, Setting(DEFAULTS[key])) for key in KEYS})


def _sources(
    environ: Mapping[str, str], folder: Path | None, user: Path | None
) -> list[tuple[Source, str, Path | None, dict[str, Any]]]:
    """Source, file, folder that relative paths start from, and values; strongest first."""
    sources: list[tuple[Source, str, Path | None, dict[str, Any]]] = [
        (Source.ENVIRONMENT, "", None, {key: environ[variable(key)] for key in KEYS if environ.get(variable(key))})
    ]
    project = project_file(folder)
    if project is not None:
        table = _table(_read(project).get("tool", {}), project, "tool")
        if "elm11" in table:
            values = _table(table["elm11"], project, "tool.elm11")
            sources.append((Source.PROJECT, str(project), project.parent, _known(values, project)))
    user = user_file() if user is None else user
    if user.is_file():
        sources.append((Source.USER, str(user), user.parent, _known(_read(user), user)))
    return sources


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", file=str(path)) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not text in UTF-8", file=str(path)) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not TOML: {error}", file=str(path)) from error


def _table(value: object, path: Path, key: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(str(path), key, "must be a table", value)
    return value


def _known(values: dict[str, Any], path: Path) -> dict[str, Any]:
    unknown = sorted(values.keys() - set(KEYS))
    if unknown:
        raise ConfigError(
            f"{path}: {unknown[0]!r} is no setting; those that there are: {', '.join(KEYS)}",
            file=str(path),
            key=unknown[0],
        )
    return values


def _value(key: str, raw: object, origin: str, name: str, base: Path | None) -> Any:  # noqa: ANN401  by the key
    """A value as its setting wants it. Text from the environment may stand for a number."""
    is_text = base is None
    if key == "tx_delay_ms":
        number = _number(raw, is_text=is_text)
        if number is None or not 0 <= number <= LONGEST_TX_DELAY_MS:
            raise _wrong(origin, name, f"must be milliseconds from 0 to {LONGEST_TX_DELAY_MS}", raw)
        return number
    if key == "workers":
        number = _number(raw, is_text=is_text)
        if number is None or number != int(number) or not 1 <= number <= MOST_WORKERS:
            raise _wrong(origin, name, f"must be a whole number from 1 to {MOST_WORKERS}", raw)
        return int(number)
    if not isinstance(raw, str) or not raw or "\0" in raw:
        raise _wrong(origin, name, "must be text", raw)
    if key in {"cache", "trace"}:
        try:
            path = Path(raw).expanduser()
        except RuntimeError as error:
            raise _wrong(origin, name, "must be a path", raw) from error
        return path if base is None else base / path
    return raw


def _number(raw: object, *, is_text: bool) -> float | None:
    """A finite number, or None."""
    try:
        if (is_text and isinstance(raw, str)) or (isinstance(raw, (int, float)) and not isinstance(raw, bool)):
            number = float(raw)
        else:
            return None
    except (ValueError, OverflowError):
        return None
    return number if abs(number) < float("inf") else None


def _wrong(origin: str, key: str, must: str, raw: object) -> ConfigError:
    where = origin if origin == key or origin == variable(key) else f"{origin}: {key}"
    return ConfigError(f"{where} {must}, not {raw!r}", file=origin, key=key)
