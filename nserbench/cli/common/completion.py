"""Names that the shell completes when the user presses the tab key."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

import click

Complete: TypeAlias = Callable[[click.Context, click.Parameter, str], list[str]]
"""Returns the texts that an argument may be completed to."""


def names_of(kind: str, between: str = ",") -> Complete:
    """Return the completion of an option or argument that takes names of a kind.

    Args:
        kind: ``upstreams``, ``downstreams``, ``corpora`` (with noises), ``corpora or
            noises`` (each alone), ``noises``, ``protocols``,
            ``downloads`` or any other kind of `nserbench list`; ``NAME`` for that in
            the parameter ``kind`` of the command.
        between: Characters after which the next name begins.
    """

    def complete(ctx: click.Context, param: click.Parameter, typed: str) -> list[str]:
        start = 1 + max((typed.rfind(mark) for mark in between), default=-1)
        wanted = ctx.params.get("kind") if kind == "NAME" else kind
        try:
            found = list(_names(wanted, typed[start:], ctx.params))
        except Exception:  # noqa: BLE001 - a message would stand in the line to complete
            return []
        return [
            typed[:start] + name for name in found if name.startswith(typed[start:])
        ]

    return complete


def _names(kind: str | None, typed: str, params: dict[str, Any]) -> Iterable[str]:
    if kind == "downloads":
        from nserbench.corpora.tools.download_sources import SOURCES

        return SOURCES
    if kind == "protocols":
        return _protocols(typed)
    if kind == "experiments":
        from nserbench.benchmark.experiments.summaries import NUMBERS

        return map(str, NUMBERS)
    if kind is None:
        return []
    from nserbench.benchmark.plugins.registry import Plugins
    from nserbench.settings import load_settings

    settings = load_settings(params.get("config"))
    plugins = Plugins(params.get("named") or (), settings)
    noises = ["clean", *dict.fromkeys([*plugins.noises.names, *settings.noises])]
    if kind == "noises":
        return noises
    if kind == "corpora":
        return _corpora(plugins.corpora.names, noises, typed)
    if kind == "corpora or noises":
        return [*plugins.corpora.names, "demand", *noises[1:]]
    names: list[str] = getattr(plugins, kind).names
    return names


def _corpora(
    corpora: Iterable[str], noises: Iterable[str], typed: str
) -> Iterator[str]:
    """Yield corpora, and those with a noise once a corpus and a dash are typed."""
    yield from corpora
    for corpus in corpora:
        if typed.startswith(f"{corpus}-"):
            yield from (f"{corpus}-{noise}" for noise in noises)


def _protocols(typed: str) -> Iterator[str]:
    """Yield protocols, and variants after a plus."""
    from nserbench.benchmark.study.protocols import PROTOCOLS, VARIANTS

    before, plus, _ = typed.rpartition("+")
    if plus:
        yield from (f"{before}+{variant.name}" for variant in VARIANTS)
    else:
        yield from (protocol.name for protocol in PROTOCOLS)
