"""The command line to type again after a command that ended early."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping, Sequence

import click

from nserbench.settings import PREFIX

_SECRET = re.compile("TOKEN|KEY|SECRET|PASS|CREDENTIAL")
"""Parts of the names of variables whose values are not printed."""
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
        environment: Variables; those that nserbench reads are written out, but none
            whose name says that it is secret.

    Examples:
        >>> command_line(["run", "-c", "a b"], {"NSERBENCH_STORE": "/s", "HOME": "/h"})
        "NSERBENCH_STORE=/s nserbench run -c 'a b'"
    """
    variables = [
        f"{name}={shlex.quote(value)}"
        for name, value in sorted(environment.items())
        if name.startswith(PREFIX) and not _SECRET.search(name)
    ]
    return " ".join([*variables, shlex.join(["nserbench", *arguments])])


def stopped(command: str) -> str:
    """Return what is printed after an interruption."""
    return f"\nstopped; finished results are kept. To continue:\n  {command}"
