"""`penstroke completion`: the script that teaches a shell our commands."""

from __future__ import annotations

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

from penstroke.cli.app import PenCommand
from penstroke.cli.output import show

_SHELLS: dict[str, type[ShellComplete]] = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}


@click.command("completion", cls=PenCommand)
@click.argument("shell", type=click.Choice(list(_SHELLS)))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the completion script for SHELL.

    \b
    bash: penstroke completion bash > ~/.local/share/bash-completion/completions/penstroke
    zsh:  penstroke completion zsh > some folder of your $fpath, as _penstroke
    fish: penstroke completion fish > ~/.config/fish/completions/penstroke.fish
    """
    complete = _SHELLS[shell](ctx.find_root().command, {}, "penstroke", "_PENSTROKE_COMPLETE")
    # Not `source()`: that starts the shell to ask its version, and the script may be for another machine.
    show(complete.source_template % complete.source_vars())
