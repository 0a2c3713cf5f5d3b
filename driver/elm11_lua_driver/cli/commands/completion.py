"""`elm11 completion`: click's completion scripts for all programs of this package."""

from __future__ import annotations

from typing import Final

import click
from click.shell_completion import get_completion_class

from .._messages import info, remarks_option

PROGRAMS: Final = ("elm11", "elm11-upload-scripts", "elm11-check-scripts")

_INSTALL: Final = {
    "bash": "elm11 completion bash > ~/.local/share/bash-completion/completions/elm11",
    "zsh": "elm11 completion zsh > ~/.elm11-completion.zsh; then in ~/.zshrc: source ~/.elm11-completion.zsh",
    "fish": "elm11 completion fish > ~/.config/fish/completions/elm11.fish",
}
"""How to install the script in each shell; docs/configuration.md says more."""


@click.command(short_help="Print the completion script for bash, zsh or fish.")
@click.argument("shell", metavar="SHELL", type=click.Choice(list(_INSTALL)))
@remarks_option
def completion(shell: str) -> None:
    """Print a script that makes SHELL complete commands, options, ports and names, and how to install it.

    \b
    Example, for this shell only:
      source <(elm11 completion bash)
    """  # noqa: D301
    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(f"# Install: {_INSTALL[shell]}")
    for program in PROGRAMS:
        variable = f"_{program.replace('-', '_').upper()}_COMPLETE"
        click.echo(kind(click.Command(program), {}, program, variable).source())
    info(f"To install it: {_INSTALL[shell]}")
