"""The settings and plugins of a command or a call, and how it opens a runner."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from nserbench.errors import NserbenchError, nearest
from nserbench.paths import user_path

if TYPE_CHECKING:
    from nserbench.benchmark.plugins.registry import Plugin, Plugins
    from nserbench.benchmark.running.runner import Runner
    from nserbench.progress import Progress
    from nserbench.settings import Settings

AnyPath: TypeAlias = str | PathLike[str]
"""The path of a file or folder."""


@dataclass(frozen=True, slots=True)
class Session:
    """The settings and plugins of a command or a call."""

    settings: Settings
    plugins: Plugins

    def using(self, **folders: Path | None) -> Session:
        """Return a copy with other folders; see `Settings.using`."""
        return replace(self, settings=self.settings.using(**folders))


def open_session(
    plugins: Plugin | Sequence[Plugin],
    config: AnyPath | None,
    **folders: AnyPath | None,
) -> Session:
    """Read the settings and plugins for a call; warn of what may be a mistake.

    Args:
        plugins: One or more plugins that are not installed; see `Plugins`.
        config: Settings file; None for the one in the working folder.
        folders: Folders that replace those of the settings; see `Settings.using`.

    Raises:
        NserbenchError: if the settings or a named plugin cannot be read.
    """
    from nserbench.benchmark.plugins.registry import Plugins
    from nserbench.settings import load_settings

    settings = load_settings(None if config is None else path_of(config))
    given = plugins if isinstance(plugins, list | tuple) else [plugins]
    used = Plugins(given, settings)
    for text in doubts(settings, used):
        warnings.warn(text, stacklevel=3)
    paths = {
        name: None if path is None else path_of(path) for name, path in folders.items()
    }
    return Session(settings.using(**paths), used)


def doubts(settings: Settings, plugins: Plugins) -> Iterator[str]:
    """Yield what may be a mistake: plugins that are skipped, names of folders.

    Folders have names in the settings and in variables. A plugin may read a folder of
    any name, so only a name that is nearly a known one is told.
    """
    from nserbench.corpora.readers.emobox import AUDIO
    from nserbench.corpora.tools.download_sources import SOURCES
    from nserbench.settings import misspelt_variables

    for plugin, error in plugins.broken.items():
        yield f"plugin {plugin} is skipped: {error}"
    known = {*plugins.corpora.names, *SOURCES, AUDIO, "results", "store"}
    names = known | {*plugins.noises.names}
    yield from misspelt_variables(settings.environment, names)
    for name in sorted(settings.paths.keys() - known):
        if near := nearest(name, known):
            yield (
                f"[paths] in {settings.file} has {name!r}, which no corpus is called: "
                f"did you mean {near!r}?"
            )


def path_of(path: AnyPath) -> Path:
    """Return a path with ``~`` and variables replaced; see `user_path`."""
    return user_path(Path(path))


@contextmanager
def open_runner(
    session: Session,
    device: str,
    progress: Progress,
    on: str | None,
    *,
    verify: bool = False,
    limit: int | None = None,
    traceback: bool = False,
) -> Iterator[Runner]:
    """Open a runner that uses the store and results folder of the settings.

    Args:
        on: The worker processes to use, as `open_executor` takes them; None to compute
            in this process.
        verify: Whether to read all audio and checkpoints again.
        limit: Most bytes of the store; None for the limit of the settings.
        traceback: Whether to show the whole traceback of an unexpected error.

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
            f"NSERBENCH_STORE_LIMIT, or limit under [store] in {settings.file}"
        )
    if on is not None and plugins.in_memory:
        raise NserbenchError(
            f"{', '.join(plugins.in_memory)}: workers cannot load a plugin that is "
            "given as an object\n  write it to a file, and give the path of the file"
        )
    settings.results.mkdir(parents=True, exist_ok=True)  # fails now if it is a file
    runner = Runner(
        Store(settings.store, progress.note, verify=verify),
        settings.results,
        plugins,
        choose_device(device if on is None else "cpu"),
        progress,
        limit=limit,
        traceback=traceback,
    )
    if on is None:
        yield runner
        return
    from nserbench.benchmark.running.executors import open_executor
    from nserbench.benchmark.running.workers import WorkerPool

    with open_executor(on, settings.cluster, device) as executor:
        runner.share = WorkerPool(executor, plugins.named, settings, device).run
        yield runner
