"""`elm11 config`: the settings, and where each value comes from."""

from __future__ import annotations

import click

from ... import config
from ..._text import table
from .._messages import echo, echo_json, info, remarks_option
from .._options import json_option


@click.group("config", short_help="Settings, and where each comes from.")
def config_group() -> None:
    """Settings that replace the defaults of options.

    The command line wins over the environment (ELM11_PORT, ELM11_ENGINE, ...), that over [tool.elm11] in the nearest
    pyproject.toml, that over config.toml in your configuration folder, that over the default.
    """


@config_group.command(short_help="Each setting, its value and its source.")
@json_option
@remarks_option
def show(*, as_json: bool) -> None:
    """Print each setting with its value and where it comes from.

    \b
    Example:
      elm11 config show
    """  # noqa: D301
    settings = config.load()
    if as_json:
        values = {
            key: {
                "value": one.value if one.value is None or isinstance(one.value, (int, float)) else str(one.value),
                "source": one.source.value,
                "origin": one.origin or None,
                "variable": config.variable(key),
            }
            for key, one in settings.items()
        }
        echo_json({"settings": values, **_files()})
        return
    rows = [
        (key, "-" if one.value is None else str(one.value), one.origin or one.source.value)
        for key, one in settings.items()
    ]
    echo(table([("setting", "value", "from"), *rows]))


@config_group.command(short_help="Path of your configuration file.")
@json_option
@remarks_option
def path(*, as_json: bool) -> None:
    """Print the path of your configuration file, whether it exists or not.

    \b
    Example:
      elm11 config path
    """  # noqa: D301
    if as_json:
        echo_json(_files())
        return
    file = config.user_file()
    echo(str(file))
    if not file.is_file():
        info("it does not exist")
    project = config.project_file()
    if project is not None:
        info(f"project file: {project}")


def _files() -> dict[str, str | bool | None]:
    file, project = config.user_file(), config.project_file()
    return {
        "user_file": str(file),
        "user_file_exists": file.is_file(),
        "project_file": str(project) if project is not None else None,
    }
