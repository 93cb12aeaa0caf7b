"""Groups of commands: their order, and messages in place of tracebacks."""

from __future__ import annotations

import errno
from typing import Any

import click

from nserbench.cli.common.again import keep_typed, stopped, typed_again
from nserbench.cli.common.streams import print_anything
from nserbench.errors import EndedEarly, NserbenchError
from nserbench.interrupts import by_user, watch_interrupts

# Libraries that report a full or unreadable disk by an error of their own.
_LIBRARIES = {"soundfile", "sqlite3"}
_NO_HOME = ("Could not determine home directory.",)  # of `Path.expanduser`
_OF_CLICK = (click.ClickException, click.exceptions.Exit, click.Abort)


class Commands(click.Group):
    """A group that keeps the order of its commands and prints errors as messages."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Return the context, which keeps what was typed."""
        typed = [*args]
        ctx = super().make_context(info_name, args, parent, **extra)
        keep_typed(ctx, typed)
        return ctx

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse what stands before the command; options of commands follow its name."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            raise click.UsageError(
                f"{ctx.command_path} has no option {error.option_name} of its own\n"
                f"  write options after the command: {ctx.command_path} COMMAND "
                f"{error.option_name} ...",
                ctx,
            ) from error

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order in which they were added."""
        return list(self.commands)

    def main(self, *args: Any, **options: Any) -> Any:
        """Run the command line; print whatever the encoding of the terminal is."""
        print_anything()
        return super().main(*args, **options)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; print no traceback for errors that the user can fix."""
        with watch_interrupts():
            try:
                return super().invoke(ctx)
            except NserbenchError as error:
                from nserbench.error_origin import message_of

                again = f"\n  {typed_again()}" if isinstance(error, EndedEarly) else ""
                raise click.ClickException(message_of(error) + again) from error
            except BaseException as error:
                if _is_stop(error):
                    click.echo(stopped(typed_again()), err=True)
                    ctx.exit(128 + 2)  # the exit code of shells after SIGINT
                if isinstance(error, _OF_CLICK) or shows_traceback(ctx):
                    raise
                for explain in (_home_problem, _plugin_problem, _file_problem):
                    if (problem := explain(error)) is not None:
                        raise click.ClickException(problem) from error
                if isinstance(error, EOFError | KeyboardInterrupt):
                    # click would end with the word "Aborted!" alone.
                    raise RuntimeError(f"{type(error).__name__}: {error}") from error
                raise


def _is_stop(error: BaseException) -> bool:
    """Return whether an error ends the command because the user wants it."""
    if not isinstance(error, KeyboardInterrupt):
        return False
    from nserbench.error_origin import arose_in_plugin

    return by_user(error) or not arose_in_plugin(error)


class GroupWithArgument(click.Group):
    """A command with an argument and subcommands, whose names take precedence."""

    allow_extra_args = False
    allow_interspersed_args = True

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Return the context of the subcommand named first, or else its own."""
        if args and (subcommand := self.commands.get(args[0])) is not None:
            name = f"{info_name} {args[0]}"
            return subcommand.make_context(name, args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse options and arguments as a command without subcommands does."""
        return click.Command.parse_args(self, ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command of the context: this one or a subcommand."""
        if ctx.command is self:
            return click.Command.invoke(self, ctx)
        return ctx.command.invoke(ctx)


class HiddenArgument(click.Argument):
    """An argument that the usage lines of subcommands do not show."""

    def get_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Return no text for the usage line."""
        return []


def shows_traceback(ctx: click.Context) -> bool:
    """Return whether ``--traceback`` was typed after the name of the program."""
    return bool(ctx.find_root().params.get("traceback"))


def _home_problem(error: BaseException) -> str | None:
    """Return what to do where no home folder is known; None for other errors."""
    if not isinstance(error, RuntimeError) or error.args != _NO_HOME:
        return None
    return (
        "this user has no home folder, and the variable HOME is not set\n"
        "  set HOME to a folder; or set NSERBENCH_STORE to a folder for features, and "
        "HF_HOME to one for checkpoints"
    )


def _plugin_problem(error: BaseException) -> str | None:
    """Return what went wrong in a plugin's code; None if it arose elsewhere."""
    from nserbench.error_origin import arose_in_plugin, describe_error

    if not arose_in_plugin(error):
        return None
    return (
        f"a plugin failed: {describe_error(error)}\n  for the whole traceback: "
        "nserbench --traceback COMMAND"
    )


def _file_problem(error: BaseException) -> str | None:
    """Return what the file system reported, or None if the error is not about files."""
    if isinstance(error, OSError):
        # click itself handles a closed pipe.
        if error.errno is None or error.errno == errno.EPIPE:
            return None
        where = error.filename or "a file cannot be read or written"
        problem = f"{where}: {error.strerror}"
    elif type(error).__module__ in _LIBRARIES:
        problem = f"a file cannot be read or written: {error}"
    else:
        return None
    if isinstance(error, PermissionError):
        return (
            f"{problem}\n  Use a folder that you may write to: NSERBENCH_STORE=FOLDER "
            "for features, NSERBENCH_RESULTS=FOLDER for results"
        )
    return (
        f"{problem}\n  fix the path or free disk space, then rerun; finished results "
        f"are kept\n  {typed_again()}"
    )
