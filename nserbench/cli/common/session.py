"""The settings and plugins that commands start with, and how they open the store."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nserbench.cli.common.click_groups import shows_traceback
from nserbench.cli.common.path_type import UserPath
from nserbench.errors import NserbenchError

if TYPE_CHECKING:
    from nserbench.benchmark.plugins.registry import Plugins
    from nserbench.benchmark.running.runner import Runner
    from nserbench.benchmark.store.feature_store import Store
    from nserbench.progress import Progress
    from nserbench.settings import Settings

Command = Callable[..., object]
"""A function that click calls with the values of its options."""


@dataclass(frozen=True, slots=True)
class Session:
    """The settings and plugins of this process."""

    settings: Settings
    plugins: Plugins


def with_settings(command: Command) -> Command:
    """Add the option ``--config``, and pass ``settings`` to the command."""

    @click.option(
        "--config",
        type=UserPath(),
        metavar="FILE",
        help="Settings file; default: nserbench.toml in the working folder.",
    )
    @functools.wraps(command)
    def wrapped(*, config: Path | None, **rest: Any) -> object:
        from nserbench.settings import load_settings

        return command(settings=load_settings(config), **rest)

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
        from nserbench.benchmark.plugins.registry import Plugins

        plugins = Plugins(named)
        for plugin, error in plugins.broken.items():
            click.echo(f"warning: plugin {plugin} is skipped: {error}", err=True)
        return command(session=Session(settings, plugins), **rest)

    return wrapped


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


@contextmanager
def open_runner(
    session: Session,
    device: str,
    progress: Progress,
    on: str | None,
    *,
    verify: bool = False,
    limit: int | None = None,
) -> Iterator[Runner]:
    """Open a runner that uses the store and results folder of the settings.

    Args:
        on: The worker processes to use, as `open_executor` takes them; None to compute
            in this process.
        verify: Whether to read all audio and checkpoints again.
        limit: Most bytes of the store; None for the limit of the settings.

    Raises:
        NserbenchError: if the device or the workers are not available, or if there are
            workers and a limit.
        OSError: if the results folder cannot be made.
    """
    from nserbench.benchmark.results.environment import choose_device
    from nserbench.benchmark.running.runner import Runner
    from nserbench.benchmark.store.feature_store import Store

    settings, plugins = session.settings, session.plugins
    limit = settings.store_limit if limit is None else limit
    if on is not None and limit is not None:
        raise NserbenchError(
            f"--on {on} and a limit of the store cannot be combined: only one process "
            "can keep the limit\n  leave out --on, or the limit: --store-limit, "
            "NSERBENCH_STORE_LIMIT, or limit under [store] in nserbench.toml"
        )
    settings.results.mkdir(parents=True, exist_ok=True)  # fails now if it is a file
    runner = Runner(
        Store(settings.store, progress.note, verify=verify),
        settings.results,
        plugins,
        choose_device(device if on is None else "cpu"),
        progress,
        limit=limit,
        traceback=shows_traceback(click.get_current_context()),
    )
    if on is None:
        yield runner
        return
    from nserbench.benchmark.running.executors import open_executor
    from nserbench.benchmark.running.workers import WorkerPool

    with open_executor(on, settings.cluster, device) as executor:
        runner.share = WorkerPool(executor, plugins.named, settings, device).run
        yield runner
