"""`elm11 completion`: scripts that let a shell complete commands, options and ports."""

from __future__ import annotations

from typing import Final

import click
from click.shell_completion import get_completion_class

from .._errors import Elm11Command
from .._messages import remarks_option, say

PROGRAMS: Final = ("elm11", "elm11-upload-scripts", "elm11-check-scripts")

_INSTALL: Final = {
    "bash": "elm11 completion bash > ~/.local/share/bash-completion/completions/elm11 (make the folder if need be), or "
    "for this shell only: source <(elm11 completion bash)",
    "zsh": "elm11 completion zsh > ~/.elm11-completion.zsh, and in ~/.zshrc after compinit: source "
    "~/.elm11-completion.zsh",
    "fish": "elm11 completion fish > ~/.config/fish/completions/elm11.fish",
}
"""How each shell learns it. The file of bash is loaded for `elm11` at its first use."""


@click.command(short_help="Script for completion in bash, zsh or fish.")
@click.argument("shell", metavar="SHELL", type=click.Choice(list(_INSTALL)))
@remarks_option
def completion(shell: str) -> None:
    """Print a script with which SHELL completes commands, options, ports and names, and say how to install it.

    \b
    Example, for this shell only:
      source <(elm11 completion bash)
    """  # noqa: D301
    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(f"# Install: {_INSTALL[shell]}")
    for program in PROGRAMS:
        variable = f"_{program.replace('-', '_').upper()}_COMPLETE"
        click.echo(kind(Elm11Command(program), {}, program, variable).source())
    say(f"To install it: {_INSTALL[shell]}")
