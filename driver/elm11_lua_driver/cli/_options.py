"""Options that several commands have, and options whose defaults are configured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from .. import config
from ..config import Setting, Source

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_SETTINGS = f"{__package__}.settings"  # where click's context keeps them: a file is read once per command


def options(*options: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Several options as one decorator, shown in this order."""

    def decorate(command: Any) -> Any:  # noqa: ANN401
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


class ConfiguredOption(click.Option):
    """An option with a setting of the same name: click's ``default_map`` holds what environment and files say.

    The settings are read when the first option needs one. So `--help` and completion work with a broken file.
    """

    def consume_value(self, ctx: click.Context, opts: Mapping[str, Any]) -> tuple[Any, ParameterSource]:
        """The value, and where click is to say it comes from."""
        if _SETTINGS not in ctx.meta and not ctx.resilient_parsing:
            ctx.meta[_SETTINGS] = config.load()
            ctx.default_map = {
                key: one.value for key, one in ctx.meta[_SETTINGS].items() if one.source is not Source.DEFAULT
            }
        return super().consume_value(ctx, opts)


def configured(name: str, key: str = "", **more: Any) -> Callable[[Any], Any]:  # noqa: ANN401  click's
    """An option with a setting; the setting gives its type."""
    key = key or name.strip("-").replace("-", "_")
    return click.option(name, key, cls=ConfiguredOption, type=config.TYPES[key], **more)


def setting(ctx: click.Context, key: str) -> Setting:
    """The value of a configured option of a command, and where it comes from."""
    source, value = ctx.get_parameter_source(key), ctx.params.get(key)
    if source is ParameterSource.DEFAULT_MAP:
        found: Setting = ctx.meta[_SETTINGS][key]
        return found
    return Setting(value, Source.COMMAND_LINE if source is ParameterSource.COMMANDLINE else Source.DEFAULT)


json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
yes_option = click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
