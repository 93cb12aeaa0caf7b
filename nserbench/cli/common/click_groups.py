"""What holds for every command: their order, and how errors are told."""

from __future__ import annotations

import errno
from typing import Any

import click

from nserbench.errors import NserbenchError

_LIBRARIES = {"soundfile", "sqlite3"}  # whose errors of the disk are no OSError
_AGAIN = "everything finished is intact: run the same command again"


class Commands(click.Group):
    """Lists commands in the order of their use; a user's mistake is one message."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Give the names in the order in which they were added."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command, without a traceback for what its user can put right."""
        try:
            return super().invoke(ctx)
        except NserbenchError as error:
            raise click.ClickException(str(error)) from error
        except KeyboardInterrupt:
            click.echo(f"\nstopped; {_AGAIN} to go on", err=True)
            ctx.exit(128 + 2)  # as shells say it of SIGINT
        except Exception as error:
            if (trouble := _trouble(error)) is None:
                raise
            raise click.ClickException(
                f"{trouble}\n  put it right, or make room; {_AGAIN}"
            ) from error


class WithCommands(click.Group):
    """A command that has others below it; their names win over its own argument."""

    allow_extra_args = False
    allow_interspersed_args = True

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Give the context of the command that is named first, or its own."""
        if args and (below := self.commands.get(args[0])) is not None:
            name = f"{info_name} {args[0]}"
            return below.make_context(name, args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read options and arguments as any command does."""
        return click.Command.parse_args(self, ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that the context is of."""
        if ctx.command is self:
            return click.Command.invoke(self, ctx)
        return ctx.command.invoke(ctx)


class HiddenArgument(click.Argument):
    """An argument that does not stand in the names of the commands below."""

    def get_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Give nothing."""
        return []


def _trouble(error: Exception) -> str | None:
    """Say what the file system refused, or None if the error is not about files."""
    if isinstance(error, OSError):
        if error.errno is None or error.errno == errno.EPIPE:  # click ends on a pipe's
            return None
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}"
    if type(error).__module__ in _LIBRARIES:
        return f"a file cannot be read or written: {error}"
    return None
