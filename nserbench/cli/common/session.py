"""Options for the settings and plugins of a command, and how it opens the store."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nserbench.api.session import Session, doubts
from nserbench.cli.common.path_type import UserPath
from nserbench.errors import NserbenchError

if TYPE_CHECKING:
    from nserbench.benchmark.plugins.registry import Plugins
    from nserbench.benchmark.store.feature_store import Store
    from nserbench.settings import Settings

Command = Callable[..., object]
"""A function that click calls with the values of its options."""
_TOLD = "nserbench.told"
"""The key of the warnings that were printed in the context of the program."""


def with_settings(command: Command) -> Command:
    """Add the option ``--config``, and pass ``settings`` to the command.

    What may be a mistake in the environment is told.
    """

    @click.option(
        "--config",
        type=UserPath(),
        metavar="FILE",
        help="Settings file; default: nserbench.toml in the working folder.",
    )
    @functools.wraps(command)
    def wrapped(*, config: Path | None, **rest: Any) -> object:
        from nserbench.settings import load_settings, misspelt_variables

        settings = load_settings(config)
        _warn(misspelt_variables(settings.environment, ()))
        return command(settings=settings, **rest)

    return wrapped


def with_session(command: Command) -> Command:
    """Add ``--plugin`` and ``--config``, and pass a ``session`` to the command."""

    @click.option(
        "--plugin",
        "named",
        multiple=True,
        metavar="FILE.py|MODULE",
        help="A plugin that is not installed; may be repeated.",
    )
    @with_settings
    @functools.wraps(command)
    def wrapped(*, settings: Settings, named: tuple[str, ...], **rest: Any) -> object:
        return command(session=Session(settings, open_plugins(settings, named)), **rest)

    return wrapped


def open_plugins(settings: Settings, named: Sequence[str] = ()) -> Plugins:
    """Load the installed and the named plugins; warn of what may be a mistake.

    Raises:
        NserbenchError: if a named plugin cannot be loaded, or two plugins contradict
            each other.
    """
    from nserbench.benchmark.plugins.registry import Plugins

    plugins = Plugins(named, settings)
    _warn(doubts(settings, plugins))
    return plugins


def _warn(texts: Iterable[str]) -> None:
    """Print warnings, each only once in a command."""
    told = click.get_current_context().meta.setdefault(_TOLD, set())
    for text in dict.fromkeys(texts):
        if text not in told:
            told.add(text)
            click.echo(f"warning: {text}", err=True)


def open_store(settings: Settings, folder: Path | None) -> Store:
    """Open an existing feature store.

    Raises:
        NserbenchError: if the folder does not exist.
    """
    from nserbench.benchmark.store.feature_store import Store

    root = folder or settings.store
    if not root.is_dir():  # Store would create it
        raise NserbenchError(
            f"there is no feature store in {root}\n"
            "  `nserbench run` creates it; use --store for another folder"
        )
    return Store(root)
