"""What commands start with: the settings and the plugins."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nserbench.errors import NserbenchError

if TYPE_CHECKING:
    from nserbench.benchmark.plugins.registry import Plugins
    from nserbench.benchmark.running.runner import Runner
    from nserbench.benchmark.store.feature_store import Store
    from nserbench.progress import Progress
    from nserbench.settings import Settings

Command = Callable[..., object]


@dataclass(frozen=True, slots=True)
class Session:
    """The settings and plugins of this process."""

    settings: Settings
    plugins: Plugins


def with_settings(command: Command) -> Command:
    """Add ``--config``, and hand the command ``settings``."""

    @click.option(
        "--config",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Settings; nserbench.toml in this folder unless given.",
    )
    @functools.wraps(command)
    def wrapped(*, config: Path | None, **rest: Any) -> object:
        from nserbench.settings import load_settings

        return command(settings=load_settings(config), **rest)

    return wrapped


def with_session(command: Command) -> Command:
    """Add ``--plugin`` and ``--config``, and hand the command a ``session``."""

    @click.option(
        "--plugin",
        "named",
        multiple=True,
        metavar="FILE.py|MODULE",
        help="A plugin that is not installed. Give it again for more.",
    )
    @with_settings
    @functools.wraps(command)
    def wrapped(*, settings: Settings, named: tuple[str, ...], **rest: Any) -> object:
        from nserbench.benchmark.plugins.registry import Plugins

        plugins = Plugins(named)
        for plugin, error in plugins.broken.items():
            click.echo(f"warning: plugin {plugin} left out: {error}", err=True)
        return command(session=Session(settings, plugins), **rest)

    return wrapped


def open_store(settings: Settings, folder: Path | None) -> Store:
    """Open the store of the settings, or another, which must be there.

    Raises:
        NserbenchError: if it is not.
    """
    from nserbench.benchmark.store.feature_store import Store

    root = folder or settings.store
    if not root.is_dir():  # and Store would make it
        raise NserbenchError(
            f"there is no store in {root}\n"
            "  `nserbench run` makes it; --store names another"
        )
    return Store(root)


@contextmanager
def open_runner(
    session: Session, device: str, progress: Progress, on: str | None
) -> Iterator[Runner]:
    """Make what runs studies, into the store and the results of the settings.

    Args:
        session: The settings and plugins.
        device: Where to compute, such as ``auto``.
        progress: Hears of everything.
        on: Who else is to compute; None for this process alone. See `open_executor`.

    Raises:
        NserbenchError: if there is no such device, or nobody else.
        OSError: if the results cannot be written.
    """
    from nserbench.benchmark.results.environment import choose_device
    from nserbench.benchmark.running.runner import Runner
    from nserbench.benchmark.store.feature_store import Store

    settings, plugins = session.settings, session.plugins
    _try_writing(settings.results)
    runner = Runner(
        Store(settings.store),
        settings.results,
        plugins,
        choose_device(device if on is None else "cpu"),
        progress,
    )
    if on is None:
        yield runner
        return
    from nserbench.benchmark.running.executors import open_executor
    from nserbench.benchmark.running.workers import WorkerPool

    with open_executor(on, settings.cluster) as executor:
        runner.share = WorkerPool(executor, plugins.named, settings, device).run
        yield runner


def _try_writing(results: Path) -> None:
    """Meet an unwritable folder now, and not when the first cell is done."""
    results.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=results):
        pass
