"""``nserbench list``: what can be asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from nserbench.cli.common.options import json_option
from nserbench.cli.common.session import Session, with_session

if TYPE_CHECKING:
    from rich.table import Table

    from nserbench.cards import Card, Option

BUILT_IN = "built in"
"""Where most names come from; a column that says only this is left out."""

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
"""What is told of a name, as JSON has it."""


@click.command("list")
@click.argument("kind", type=click.Choice(KINDS), required=False, metavar="[KIND]")
@json_option
@with_session
def list_(session: Session, kind: str | None, as_json: bool) -> None:
    """List what can be asked for, and the plugin it comes from.

    KIND is upstreams, enhancers, downstreams, corpora, noises, protocols or
    experiments, and also shows their options and sources. An option follows a name, as
    in single:layer=3.
    """
    rows = {name: _rows(session, name) for name in ([kind] if kind else KINDS)}
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    from nserbench.cli.common.tables import print_tables

    shown = DETAILED if kind else BRIEF
    named = [(name, _names(entries, shown)) for name, entries in rows.items()]
    print_tables([*named, *_details(rows[kind])] if kind else named)
    if kind is None:
        click.echo("\noptions and sources: nserbench list KIND")


def _rows(session: Session, kind: str) -> list[Row]:
    if kind == "protocols":
        from nserbench.benchmark.study.protocols import PROTOCOLS, VARIANTS

        whole = [
            {"name": one.name, "summary": one.summary, "version": one.version}
            for one in PROTOCOLS
        ]
        changes = [{"name": f"+{one.name}", "summary": one.summary} for one in VARIANTS]
        return [*whole, *changes]
    if kind == "experiments":
        from nserbench.benchmark.experiments.summaries import summaries

        return list(summaries())
    registry = getattr(session.plugins, kind)
    rows = {card.name: _row(card, registry.origin(card.name)) for card in registry}
    if kind == "noises":
        rows |= _own_noises(session)
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


def _own_noises(session: Session) -> dict[str, Row]:
    """Give the user's noises, which win over those of plugins."""
    return {
        name: {
            "name": name,
            "summary": "your own",
            "options": {},
            "licence": "",
            "extra": None,
            "origin": "settings",
            "source": str(file),
        }
        for name, file in session.settings.noises.items()
    }


def _default(option: Option) -> str | None:
    return None if option.default is None else option.label(option.default)


def _names(rows: Sequence[Row], shown: Sequence[str]) -> Table:
    """Lay names out; a column that says nothing is left out."""
    from rich.text import Text

    from nserbench.cli.common.tables import table

    columns = [key for key in shown if any(row.get(key) not in _PLAIN for row in rows)]
    found = table(*columns)
    found.columns[0].no_wrap = True
    for row in rows:
        found.add_row(*(Text(str(row.get(key) or "")) for key in columns))
    return found


def _details(rows: Sequence[Row]) -> Iterator[tuple[str, Table]]:
    """Lay out options, then sources; what holds for several names stands once."""
    options: dict[tuple[str, ...], list[str]] = {}
    sources: dict[tuple[str, ...], list[str]] = {}
    for row in rows:
        for key, option in row.get("options", {}).items():
            default = f" [{option['default']}]" if option["default"] else ""
            meaning = f"{key}=", option["help"] + default
            options.setdefault(meaning, []).append(row["name"])
        if "source" in row:
            sources.setdefault((row["source"],), []).append(row["name"])
    if options:
        headers = "option", "meaning [default]", "of"
        yield "options", _shared(options, headers, len(rows))
    if sources:
        yield "sources", _shared(sources, ("source", "of"), len(rows))


def _shared(
    owners: Mapping[tuple[str, ...], Sequence[str]],
    headers: tuple[str, ...],
    everyone: int,
) -> Table:
    from rich.text import Text

    from nserbench.cli.common.tables import table

    found = table(*headers)
    for told, names in owners.items():
        of = "all" if len(names) == everyone else ", ".join(names)
        found.add_row(*map(Text, told), Text(of))
    return found
