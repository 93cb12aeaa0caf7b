"""``nserbench completion``: names that the tab key completes."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print a script that completes commands, options and names.

    Upstreams, heads, corpora, noises and protocols are completed, also those of plugins
    and after a comma.

    \b
    bash: add to ~/.bashrc         eval "$(nserbench completion bash)"
    zsh:  add to ~/.zshrc          eval "$(nserbench completion zsh)"
    fish: nserbench completion fish > ~/.config/fish/completions/nserbench.fish
    """
    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"click has no completion for {shell}")
    program = ctx.find_root()
    script = found(program.command, {}, "nserbench", "_NSERBENCH_COMPLETE").source()
    click.echo(script)
