"""Commands that are imported when they are used, so that help, completion and mistakes are answered at once."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, NamedTuple

import click
from click.shell_completion import CompletionItem

from ._errors import Elm11Group, FailureError
from .entry import Importing

if TYPE_CHECKING:
    from collections.abc import Mapping


class LazyCommand(NamedTuple):
    """A command that is imported when it is used.

    Attributes:
        module: the module of this package that has it.
        attribute: its name there.
        short_help: its line in the list of commands.
    """

    module: str
    attribute: str
    short_help: str


class LazyGroup(Elm11Group):
    """A group that lists its commands without importing them.

    Args:
        lazy: the commands by their names.
        args: for click's group.
        more: for click's group, by name.
    """

    def __init__(self, *args: Any, lazy: Mapping[str, LazyCommand], **more: Any) -> None:  # noqa: ANN401  click's
        super().__init__(*args, **more)
        self.lazy = dict(lazy)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order of the alphabet.

        Args:
            ctx: click's context.
        """
        return sorted({*super().list_commands(ctx), *self.lazy})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command by its name; imports it.

        Args:
            ctx: click's context.
            cmd_name: what the user has typed.

        Raises:
            FailureError: a package that the command needs is missing.
            ModuleNotFoundError: a module of this program is missing; that would be a bug.
        """
        there = super().get_command(ctx, cmd_name)
        if there is not None or cmd_name not in self.lazy:
            return there
        place = self.lazy[cmd_name]
        try:
            with Importing():
                module = importlib.import_module(f".commands.{place.module}", __package__)
        except ModuleNotFoundError as error:
            if (error.name or "").startswith("elm11_"):
                raise
            msg = f"package {error.name} is missing: python -m pip install elm11-lua-driver (elm11 doctor tells more)"
            raise FailureError(msg, 1) from error
        command: click.Command = getattr(module, place.attribute)
        self.add_command(command, cmd_name)
        return command

    def line_of(self, ctx: click.Context, name: str) -> str:
        """A command's line in the list of commands.

        Args:
            ctx: click's context.
            name: of the command.
        """
        if name in self.lazy:
            return self.lazy[name].short_help
        command = self.get_command(ctx, name)
        return command.get_short_help_str() if command is not None else ""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands.

        Args:
            ctx: click's context.
            formatter: takes the text.
        """
        with formatter.section("Commands"):
            formatter.write_dl([(name, self.line_of(ctx, name)) for name in self.list_commands(ctx)])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Names of commands, and the group's own options.

        Args:
            ctx: click's context.
            incomplete: what the user has typed so far.
        """
        items = [
            CompletionItem(name, help=self.line_of(ctx, name))
            for name in self.list_commands(ctx)
            if name.startswith(incomplete)
        ]
        return [*items, *click.Command.shell_complete(self, ctx, incomplete)]
