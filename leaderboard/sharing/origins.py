"""The plugins that results need, and where their code is."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from nserbench.benchmark.plugins.registry import Plugins, Registry
from nserbench.benchmark.results.result import Result
from nserbench.cards import ConfiguredCard
from nserbench.errors import NserbenchError, UnknownName
from nserbench.settings import OF_SETTINGS
from nserbench.spec import parse_spec
from nserbench.upstreams.side_by_side import parts_of

BUILT_IN_ORIGINS = {"built in", OF_SETTINGS}


def plugins_behind(
    results: Iterable[Result], plugins: Plugins, problems: list[str]
) -> set[str]:
    """Return the plugins that some results need, without those that are built in.

    A plugin that is installed is called by its package and version, another one by the
    name of its file or module. Names that no plugin in use offers are added to the
    problems.
    """
    origins: set[str] = set()
    named = {(kind, getattr(one, kind)) for one in results for kind in _KINDS}
    for kind, name in sorted(named):
        try:
            origins.update(_KINDS[kind](name, plugins))
        except UnknownName as error:
            problem = str(error).partition("\n")[0]
            problems.append(f"{problem}: name its plugin by --plugin")
        except NserbenchError as error:
            problems.append(" ".join(map(str.strip, str(error).splitlines())))
    return {Path(origin).name for origin in origins - BUILT_IN_ORIGINS}


def _of_upstream(name: str, plugins: Plugins) -> Iterator[str]:
    for part in parts_of(plugins.upstream(parse_spec(name))).values():
        yield from _origins_of(part, plugins)


def _of_downstream(name: str, plugins: Plugins) -> Iterator[str]:
    yield from _origins_of(plugins.bind("downstream", parse_spec(name)), plugins)


def _of_corpus(label: str, plugins: Plugins) -> Iterator[str]:
    name = label.partition(":")[0]
    plugins.corpora[name]  # raises an error that names the known ones
    yield plugins.corpora.origin(name)


_KINDS: Mapping[str, Callable[[str, Plugins], Iterator[str]]] = {
    "upstream": _of_upstream,
    "downstream": _of_downstream,
    "corpus": _of_corpus,
}
"""What finds the plugins behind a name of a result, by the kind of name."""


def _origins_of(configured: ConfiguredCard[Any], plugins: Plugins) -> Iterator[str]:
    """Yield the plugin of a card, and those of the cards that its options name."""
    registries: tuple[Registry[Any], ...] = (
        plugins.upstreams,
        plugins.downstreams,
        plugins.enhancers,
    )
    for registry in registries:
        if registry.kind == configured.card.kind:
            yield registry.origin(configured.card.name)
    for value in configured.options.values():
        if isinstance(value, ConfiguredCard):
            yield from _origins_of(value, plugins)


def address_of(plugin: str) -> str:
    """Return the address of the code that a plugin's package names; empty if none."""
    name = plugin.partition(" ")[0]
    try:
        facts = importlib.metadata.metadata(name)
    except importlib.metadata.PackageNotFoundError:
        return ""
    named = [line.partition(",")[2] for line in facts.get_all("Project-URL", [])]
    addresses = [*named, *facts.get_all("Home-page", [])]
    return next((address.strip() for address in addresses), "")
