"""Options that several commands have, and options whose defaults are configured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from .. import config
from ..config import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def options(*options: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Several options as one decorator, shown in this order.

    Args:
        options: as click makes them.
    """

    def decorate(command: Any) -> Any:  # noqa: ANN401
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


class Configured(click.Option):
    """An option whose value comes from the environment or a configuration file when the command line has none.

    Args:
        setting: its key in `config`.
        args: for click's option.
        more: for click's option, by name.
    """

    def __init__(self, *args: Any, setting: str, **more: Any) -> None:  # noqa: ANN401  click's
        super().__init__(*args, **more)
        self.setting = setting

    def consume_value(self, ctx: click.Context, opts: Mapping[str, Any]) -> tuple[Any, ParameterSource]:
        """The value, and where it comes from; its setting is kept for `settings_of`.

        Args:
            ctx: click's context.
            opts: what the command line gives, by the options' names.

        Returns:
            The value, and where click is to say it comes from.

        Raises:
            ConfigError: a file or a variable makes no sense.
        """
        value, source = super().consume_value(ctx, opts)
        if source is ParameterSource.DEFAULT and not ctx.resilient_parsing:
            key = f"{__package__}.config"
            if key not in ctx.meta:  # read once for all options
                ctx.meta[key] = config.load()
            found = ctx.meta[key].setting(self.setting)
            if found.source is not Source.DEFAULT:
                settings_of(ctx)[self.name or self.setting] = found
                return str(found.value), ParameterSource.DEFAULT_MAP
        return value, source


def settings_of(ctx: click.Context) -> dict[str, config.Setting[Any]]:
    """The settings that options of a command have taken, by the options' names.

    Args:
        ctx: click's context.
    """
    found: dict[str, config.Setting[Any]] = ctx.meta.setdefault(f"{__package__}.settings", {})
    return found


json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")
