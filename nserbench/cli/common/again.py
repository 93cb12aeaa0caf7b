"""The command line to type again after a command that ended early."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence

import click

from nserbench.paths import exists, user_path
from nserbench.settings import PREFIX, READ, variable

_TYPED = "nserbench.typed"
"""The key of what was typed in the context of the program."""


def keep_typed(ctx: click.Context, arguments: Sequence[str]) -> None:
    """Keep the arguments of the program for `typed_again`."""
    ctx.meta[_TYPED] = list(arguments)


def typed_again() -> str:
    """Return the command line of the current command, to be typed again."""
    return command_line(click.get_current_context().meta[_TYPED])


def command_line(
    arguments: Sequence[str], environment: Mapping[str, str] = os.environ
) -> str:
    """Return a command line that means the same in any other terminal.

    Args:
        arguments: What was typed after ``nserbench``.
        environment: Variables; those that nserbench or a plugin may read are named. A
            value is written out if nserbench knows what it is, or if it is a path. Any
            other may be secret.

    Examples:
        >>> print(command_line(["run", "-c", "a b"], {"NSERBENCH_STORE": "/s"}))
        NSERBENCH_STORE=/s nserbench run -c 'a b'
        >>> print(command_line(["run"], {"NSERBENCH_LAB_LOGIN": "me", "HOME": "/h"}))
        NSERBENCH_LAB_LOGIN="$NSERBENCH_LAB_LOGIN" nserbench run
    """
    known = {variable(name) for name in READ}
    variables = [
        f"{name}={shlex.quote(value)}"
        if name in known or exists(user_path(value))
        else f'{name}="${name}"'
        for name, value in sorted(environment.items())
        if name.startswith(PREFIX)
    ]
    return " ".join([*variables, shlex.join(["nserbench", *arguments])])


def stopped(command: str) -> str:
    """Return what is printed after an interruption."""
    return f"\nstopped; finished results are kept. To continue:\n  {command}"
