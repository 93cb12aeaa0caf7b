"""``nserbench list``: the names that commands accept."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from nserbench.api.session import Session
from nserbench.cli.common.options import json_option
from nserbench.cli.common.session import with_session
from nserbench.cli.common.tables import TextTable, print_tables

if TYPE_CHECKING:
    from nserbench.cards import Card, Option

BUILT_IN = "built in"
"""Origin of most names; a column with only this value is not printed."""

KINDS = (
    "upstreams",
    "enhancers",
    "downstreams",
    "corpora",
    "noises",
    "protocols",
    "experiments",
)

BRIEF = ("name", "summary", "version", "extra", "origin")
DETAILED = ("name", "summary", "shows", "version", "licence", "extra", "origin")
_PLAIN = (None, "", BUILT_IN)

Row: TypeAlias = Mapping[str, Any]
"""The facts about a name, as `--json` prints them."""


@click.command("list")
@click.argument("kind", type=click.Choice(KINDS), required=False, metavar="[KIND]")
@json_option
@with_session
def list_(session: Session, kind: str | None, as_json: bool) -> None:
    """List upstreams, heads, corpora and all other names to use.

    KIND is upstreams, enhancers, downstreams, corpora, noises, protocols or
    experiments; with it, options and sources are printed as well. An option follows a
    name, as in single:layer=3.
    """
    rows = {name: _rows(session, name) for name in ([kind] if kind else KINDS)}
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    shown = DETAILED if kind else BRIEF
    named = [_names(name, entries, shown) for name, entries in rows.items()]
    print_tables([*named, *_details(rows[kind])] if kind else named)
    if kind is None:
        click.echo("\nfor options and sources: nserbench list KIND")


def _rows(session: Session, kind: str) -> list[Row]:
    if kind == "protocols":
        from nserbench.benchmark.study.protocols import PROTOCOLS, VARIANTS

        protocols = [
            {"name": item.name, "summary": item.summary, "version": item.version}
            for item in PROTOCOLS
        ]
        variants = [
            {"name": f"+{item.name}", "summary": item.summary} for item in VARIANTS
        ]
        return [*protocols, *variants]
    if kind == "experiments":
        from nserbench.benchmark.experiments.summaries import summaries

        return list(summaries())
    registry = getattr(session.plugins, kind)
    rows = {card.name: _row(card, registry.origin(card.name)) for card in registry}
    if kind == "noises":
        rows |= _noises_of_settings(session)
    return list(rows.values())


def _row(card: Card, origin: str) -> Row:
    return {
        "name": card.name,
        "summary": card.summary,
        "options": {
            key: {"help": option.help, "default": _default(option)}
            for key, option in card.all_options().items()
        },
        "licence": card.licence,
        "extra": card.extra,
        "origin": origin,
        "source": card.source,
    }


def _noises_of_settings(session: Session) -> dict[str, Row]:
    """Return the noises of the settings, which override those of plugins."""
    return {
        name: {
            "name": name,
            "summary": "a noise of your settings",
            "options": {},
            "licence": "",
            "extra": None,
            "origin": "settings",
            "source": str(file),
        }
        for name, file in session.settings.noises.items()
    }


def _default(option: Option) -> str | None:
    return None if option.default is None else option.shown(option.default)


def _names(title: str, rows: Sequence[Row], shown: Sequence[str]) -> TextTable:
    """Return a table of names, without columns that are empty."""
    columns = [key for key in shown if any(row.get(key) not in _PLAIN for row in rows)]
    cells = [[str(row.get(key) or "") for key in columns] for row in rows]
    return TextTable(title, columns, cells, whole=[0])


def _details(rows: Sequence[Row]) -> Iterator[TextTable]:
    """Yield a table of options and one of sources, each entry with its names."""
    options: dict[Sequence[str], list[str]] = {}
    sources: dict[Sequence[str], list[str]] = {}
    for row in rows:
        for key, option in row.get("options", {}).items():
            default = f" [{option['default']}]" if option["default"] else ""
            meaning = f"{key}=", option["help"] + default
            options.setdefault(meaning, []).append(row["name"])
        if "source" in row:
            sources.setdefault((row["source"],), []).append(row["name"])
    for title, headers, entries in (
        ("options", ("option", "meaning [default]", "for"), options),
        ("sources", ("source", "for"), sources),
    ):
        cells = [
            (*entry, "all" if len(names) == len(rows) else ", ".join(names))
            for entry, names in entries.items()
        ]
        if cells:
            yield TextTable(title, headers, cells)
