"""Settings of the command line, and where each comes from.

The command line wins over the environment, that over ``[tool.elm11]`` in the nearest ``pyproject.toml`` (of this folder
or the first one above it that has the file), that over ``config.toml`` in the user's folder, that over the default.

Only the commands read this: `load` gives click its ``default_map``. The library's functions take arguments, and read
nothing but ``ELM11_PORT`` and ``ELM11_CACHE``.
"""

from __future__ import annotations

import logging
import math
import os
import tomllib
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from elm11_host_ref.names import PIPELINES

from ._files.reading import open_regular
from ._files.user_dirs import config_folder
from .errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_log = logging.getLogger(__name__)

ENVIRONMENT_PREFIX: Final = "ELM11_"
PROJECT_FILE: Final = "pyproject.toml"
MAX_FILE_BYTES: Final = 1 << 20
ENGINE_NAMES: Final = ("numpy", "lua", "board", "pool", "dask", "fleet", "auto")
LONGEST_TX_DELAY_MS: Final = 100
"""More makes a line of the prompt take half a minute, which no board needs."""
MAX_WORKERS: Final = 1024


class Number(click.FloatRange):
    """A finite number in a range, also written as a fraction such as 1/12."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401
        """The number as a float, or a usage error."""
        try:
            # Fraction takes decimals and no "nan"; it takes underscores, which are for programs.
            number = float(Fraction(value.replace(" ", "").replace("_", "?")) if isinstance(value, str) else value)
        except (ValueError, ZeroDivisionError, OverflowError):
            number = math.nan
        if not math.isfinite(number):
            self.fail(
                f"{value!r} is not a number such as 0.25 or 1/4 in the range {self._describe_range()}", param, ctx
            )
        return super().convert(number, param, ctx)


class Whole(click.IntRange):
    """A whole number in a range."""

    name = "integer"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401
        """The number, or a usage error that names the range."""
        try:
            int(value)
        except ValueError:
            self.fail(f"{value!r} is not a whole number in the range {self._describe_range()}", param, ctx)
        return super().convert(value, param, ctx)


class FileName(click.Path):
    """The name of a file. One that begins with a dash is an option in its place, such as ``--trace --json``."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401
        """The name, or a usage error."""
        if isinstance(value, str) and value.startswith("-") and value != "-":
            self.fail(f"{value!r} looks like an option; write ./{value} for a file of that name", param, ctx)
        return super().convert(value, param, ctx)


TYPES: Final[dict[str, click.ParamType[Any]]] = {
    "port": click.STRING,
    "hw_id": click.STRING,
    "tx_delay_ms": Number(0, LONGEST_TX_DELAY_MS),
    "trace": FileName(),
    "engine": click.Choice(ENGINE_NAMES),
    "pipeline": click.Choice(PIPELINES),
    "workers": Whole(1, MAX_WORKERS),
    "cache": FileName(),
}
"""The settings and the types of their values, which are those of the options of the same names."""

KEYS: Final = tuple(TYPES)
"""The keys in files; in the environment they are written ELM11_PORT, ELM11_TX_DELAY_MS and so on."""

_DEFAULTS: Final = {"engine": "numpy", "pipeline": "exact"}
_FILES_TO_WRITE: Final = frozenset({"trace", "cache"})
_HARMLESS_SCHEMES: Final = frozenset({"socket", "rfc2217"})
_HARMLESS_FLAGS: Final = frozenset({"lua", "faults", "seed"})
_IN_FILES: Final[dict[str, tuple[str, tuple[type, ...]]]] = {
    "tx_delay_ms": ("a number", (int, float)),
    "workers": ("a whole number", (int,)),
}
"""What the value is in TOML, where it is not text."""


class Source(StrEnum):
    """Where a value comes from, strongest first."""

    COMMAND_LINE = "command line"
    ENVIRONMENT = "environment"
    PROJECT = "project file"
    USER = "user file"
    DEFAULT = "default"


@dataclass(frozen=True)
class Setting:
    """A value and its source.

    Attributes:
        value: the value; None where nothing is set and there is no default.
        source: where it comes from.
        origin: the variable's name or the file's path; empty for the command line and for a default.
    """

    value: Any
    source: Source = Source.DEFAULT
    origin: str = ""


def variable(key: str) -> str:
    """Name of the environment variable of a key."""
    return ENVIRONMENT_PREFIX + key.upper()


def user_file() -> Path:
    """The user's configuration file; it need not exist."""
    return config_folder() / "config.toml"


def project_file(folder: Path | None = None) -> Path | None:
    """The nearest ``pyproject.toml``, of a folder or of the folders above it."""
    try:
        start = Path.cwd() if folder is None else folder.resolve()
    except OSError:
        return None  # the current folder has been deleted
    return next((path for above in (start, *start.parents) if (path := above / PROJECT_FILE).is_file()), None)


def load(environ: Mapping[str, str] | None = None, folder: Path | None = None) -> dict[str, Setting]:
    """Read and check all settings.

    Returns:
        Every setting by its key, defaults included.

    Raises:
        ConfigError: a file cannot be read or has an unknown key, or a value has the wrong type or range.
    """
    environ = os.environ if environ is None else environ
    found = {key: Setting(_DEFAULTS.get(key)) for key in KEYS}
    for source, path, values in _files(folder):  # weakest first
        for key, raw in values.items():
            found[key] = Setting(_from_file(key, raw, path), source, str(path))
            if source is Source.PROJECT:
                _refuse_writing(key, raw, path)
    for key in KEYS:
        if text := environ.get(variable(key)):  # an empty variable counts as not set
            found[key] = Setting(_checked(key, text, variable(key), variable(key)), Source.ENVIRONMENT, variable(key))
    origins = [f"{key} from {one.origin}" for key, one in found.items() if one.origin]
    _log.info("settings: %s", ", ".join(origins) or "all defaults")
    return found


def _files(folder: Path | None) -> Iterator[tuple[Source, Path, dict[str, Any]]]:
    """The settings in files: source, path and values; weakest first."""
    user, project = user_file(), project_file(folder)
    if user.is_file():
        yield Source.USER, user, _read(user)
    if project is not None:
        table = _read(project)
        for key in ("tool", "elm11"):
            table = table.get(key, {})
            if not isinstance(table, dict):
                raise ConfigError(f"{project}: {key} must be a table, not {table!r}", file=str(project), key=key)
        yield Source.PROJECT, project, table


def _read(path: Path) -> dict[str, Any]:
    try:
        with open_regular(path, MAX_FILE_BYTES) as file:
            return tomllib.loads(file.read().decode("utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", file=str(path)) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not text in UTF-8", file=str(path)) from error
    except RecursionError as error:
        raise ConfigError(f"{path} is nested too deeply", file=str(path)) from error
    except ValueError as error:  # what tomllib refuses, and what is no file
        raise ConfigError(f"{path} is not TOML: {error}", file=str(path)) from error


def _from_file(key: str, raw: object, path: Path) -> Any:  # noqa: ANN401  by the key
    """A value of a file, checked; a relative path starts from the file's folder."""
    if key not in KEYS:
        msg = f"{path}: {key!r} is not a setting; the settings are {', '.join(KEYS)}"
        raise ConfigError(msg, file=str(path), key=key)
    what, types = _IN_FILES.get(key, ("text", (str,)))
    if type(raw) not in types or raw == "":
        raise ConfigError(f"{path}: {key} must be {what}, not {raw!r}", file=str(path), key=key)
    value = _checked(key, raw, str(path), f"{path}: {key}")
    return path.parent / value if isinstance(value, Path) else value


def _refuse_writing(key: str, value: Any, path: Path) -> None:  # noqa: ANN401  by the key
    """Refuse a project's setting that would write a file: the folder may come from somebody else.

    Of URLs, only those pass that are known to write nothing; pyserial's ``spy://`` for one writes where it is asked to.
    """
    if key in _FILES_TO_WRITE:
        what = f"{key} names files to write, which the file of a project may not"
    elif key == "port" and not _writes_nothing(value):
        what = "port must be a device, socket://HOST:PORT, rfc2217://HOST:PORT or virtual:// without store in a project"
    else:
        return
    msg = f"{path}: {what}; use the option, {variable(key)} or {user_file()}"
    raise ConfigError(msg, file=str(path), key=key)


def _writes_nothing(port: str) -> bool:
    scheme, separator, rest = port.partition("://")
    if not separator or scheme.lower() in _HARMLESS_SCHEMES:
        return True
    flags = {part.partition("=")[0] for part in rest.removeprefix("?").split("&")} - {""}
    return scheme == "virtual" and flags <= _HARMLESS_FLAGS


def _checked(key: str, raw: Any, origin: str, name: str) -> Any:  # noqa: ANN401  by the key
    """A value as its type converts it; paths without ``~``."""
    kind = TYPES[key]
    try:
        value = kind.convert(raw, None, None)
    except click.BadParameter as error:
        raise ConfigError(f"{name}: {error.message}", file=origin, key=key) from error
    if isinstance(value, str) and "\0" in value:
        raise ConfigError(f"{name}: there is a NUL character in {raw!r}", file=origin, key=key)
    return Path(os.path.expanduser(value)) if isinstance(kind, FileName) else value  # noqa: PTH111  never raises
