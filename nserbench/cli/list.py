"""``nserbench list``: the names that commands accept."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from nserbench.api.session import Session
from nserbench.cli.common.completion import names_of
from nserbench.cli.common.options import json_option
from nserbench.cli.common.session import with_session
from nserbench.cli.common.tables import TextTable, print_tables
from nserbench.errors import UnknownName
from nserbench.settings import OF_SETTINGS
from nserbench.spec import Spec

if TYPE_CHECKING:
    from nserbench.benchmark.plugins.registry import Plugins
    from nserbench.cards import Card, Option
    from nserbench.upstreams.base import UpstreamCard
    from nserbench.upstreams.groups import GroupSpec

BUILT_IN = "built in"
"""Origin of most names; a column with only this value is not printed."""

KINDS = {
    "upstreams": "upstream",
    "enhancers": "enhancer",
    "downstreams": "downstream",
    "corpora": "corpus",
    "noises": "noise",
    "protocols": "protocol",
    "experiments": "experiment",
}
"""What is listed, and the word for one of them."""

BRIEF = ("name", "summary", "version", "extra", "origin")
DETAILED = ("name", "summary", "shows", "version", "licence", "extra", "origin")
FACTS = (
    *("summary", "shows", "source", "licence", "checkpoint", "trained on"),
    *("groups", "version", "install", "origin"),
)
_PLAIN = (None, "", BUILT_IN)

Row: TypeAlias = Mapping[str, Any]
"""The facts about a name, as `--json` prints them."""


@click.command("list")
@click.argument(
    "kind", type=click.Choice(list(KINDS)), required=False, metavar="[KIND]"
)
@click.argument("name", required=False, shell_complete=names_of("NAME", ""))
@json_option
@with_session
def list_(session: Session, kind: str | None, name: str | None, as_json: bool) -> None:
    """List upstreams, downstreams (heads), corpora and others.

    KIND is upstreams, enhancers, downstreams, corpora, noises, protocols or
    experiments; with it, options and sources are printed as well. An option follows a
    name, as in single:layer=3. With NAME, all that is known about this one is printed.

    \b
    nserbench list upstreams whisper
    """
    rows = {one: _rows(session, one) for one in ([kind] if kind else KINDS)}
    if kind and name:
        rows = {kind: [_one(session, kind, name, rows[kind])]}
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    if kind and name:
        print_tables(_card(rows[kind][0]))
        return
    shown = DETAILED if kind else BRIEF
    named = [_names(one, entries, shown) for one, entries in rows.items()]
    print_tables([*named, *_details(rows[kind])] if kind else named)
    more = "one in full: nserbench list KIND NAME"
    if kind is None:
        more = f"options and sources: nserbench list KIND\n{more}"
    click.echo(f"\n{more}")


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


def _one(session: Session, kind: str, name: str, rows: Sequence[Row]) -> Row:
    """Return what is known about one name, also what tables of many leave out.

    Raises:
        UnknownName: if there is no such name.
    """
    found = {row["name"]: row for row in rows}
    if name not in found:
        raise UnknownName(KINDS[kind], name, found)
    row = found[name]
    if "origin" not in row or (kind == "noises" and row["origin"] == OF_SETTINGS):
        return row  # it has no card
    card = getattr(session.plugins, kind)[name]
    row = {**row, "version": card.version}
    if kind in ("upstreams", "enhancers"):
        row = {**row, "trained on": card.default_training_data()}
    if kind != "upstreams":
        return row
    return {**row, "groups": _groups(session.plugins, card)}


def _groups(plugins: Plugins, card: UpstreamCard) -> Mapping[str, str] | str:
    """Return the groups of an upstream as text, if no checkpoint decides on them."""
    if {"checkpoint", "revision"} & {*card.all_options()}:
        return "those of the checkpoint"
    groups = card.describe(plugins.upstream(Spec(card.name)).options).groups
    return {name: _layers(spec) for name, spec in groups.items()}


def _layers(spec: GroupSpec) -> str:
    first, last = spec.layers[0], spec.layers[-1]
    layers = f"layer {first}" if first == last else f"layers {first} to {last}"
    frames = "" if spec.rate is None else f", {spec.rate:g} frames per second"
    return f"{layers}, {spec.dim} values{frames}"


def _card(row: Row) -> Iterator[TextTable]:
    """Yield a table of all facts about a name, and one of its options."""
    facts, options = {**row}, row.get("options", {})
    facts["groups"] = _pairs(row.get("groups"))
    facts["checkpoint"] = options.get("checkpoint", {}).get("default")
    if row.get("extra"):
        facts["install"] = f"pip install 'nserbench[{row['extra']}]'"
    shown = [(key, str(facts[key])) for key in FACTS if facts.get(key)]
    yield TextTable(row["name"], ("", ""), shown, whole=[0])
    if options:
        cells = [
            (f"{key}=", option["default"] or "", option["help"])
            for key, option in options.items()
        ]
        yield TextTable("options", ("option", "default", "meaning"), cells)


def _pairs(values: Mapping[str, str] | str | None) -> str | None:
    if not isinstance(values, Mapping):
        return values
    return "\n".join(f"{name}: {value}" for name, value in values.items())


def _noises_of_settings(session: Session) -> dict[str, Row]:
    """Return the noises of the settings, which override those of plugins."""
    return {
        name: {
            "name": name,
            "summary": "a noise of your settings",
            "options": {},
            "licence": "",
            "extra": None,
            "origin": OF_SETTINGS,
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
