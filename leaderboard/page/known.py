"""What cards say about the names of a page: paper, licence, checkpoint."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from nserbench.benchmark.plugins.registry import Plugins, Registry
from nserbench.cards import NOT_STATED, Card
from nserbench.errors import BadSpec
from nserbench.leaderboard.render.csv_json import Record
from nserbench.leaderboard.render.layout import plain
from nserbench.spec import Spec, joined_names, parse_spec
from nserbench.upstreams.loading.hub import PINNED, checkpoint_label

LINKS = {
    r"https?://[^\s;,)]+": "{}",
    r"arXiv:\d{4}\.\d{4,5}": "https://arxiv.org/abs/{}",
    r"doi:10\.\d+/[^\s;,]+": "https://doi.org/{}",
    r"(?:www\.)?github\.com/[\w-]+/[\w-]+(?:\.[\w-]+)*": "https://{}",
}
"""Where a part of a text leads, by what it looks like."""

HUB = "https://huggingface.co"
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_LINK = re.compile("|".join(f"({pattern})" for pattern in LINKS))

Piece: TypeAlias = tuple[str, str | None]
"""A part of a text, and where it leads: an address of http or https, or None."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a name: of its card, and the checkpoint that its options name.

    Attributes:
        checkpoint: Its hub id, or the last part of its folder; empty if there is none.
        revision: Commit of the hub id; empty for the head of its main branch.
    """

    kind: str
    name: str
    source: str
    licence: str
    checkpoint: str
    revision: str

    @classmethod
    def of(cls, card: Card, spec: Spec) -> Known:
        """Take it from a card, and the options typed after its name."""
        checkpoint, revision, is_own = _checkpoint(card, spec)
        kind = "head" if card.kind == "downstream" else card.kind
        licence = NOT_STATED if is_own else card.licence
        texts = (plain(card.name), plain(card.source), plain(licence))
        return cls(kind, *texts, checkpoint, revision)

    def record(self) -> Record:
        """Return what the page shows; the texts are lists of `Piece`."""
        return {
            "kind": self.kind,
            "name": self.name,
            "source": linked(self.source),
            "licence": [(self.licence, licence_address(self.licence))],
            "checkpoint": self._hub_link() if self.checkpoint else [],
        }

    def _hub_link(self) -> list[Piece]:
        if not _HUB_ID.fullmatch(self.checkpoint):
            return [(self.checkpoint, None)]
        commit = f"/tree/{self.revision}" if self.revision else ""
        return [(self.checkpoint, f"{HUB}/{self.checkpoint}{commit}")]


def known(plugins: Plugins, names: Mapping[str, Iterable[str]]) -> Record:
    """Return what is known of names as in a table, by their kind.

    Returns:
        ``cards``, the records of all cards, each once; and ``of``, the indices of the
        cards behind each name, by kind and name. A name has several where it names
        another plugin, as ``whisper+wavlm`` and ``mel:enhance=dccrn`` do, and none if
        no plugin offers it.
    """
    found: dict[Known, int] = {}
    of: dict[str, dict[str, list[int]]] = {}
    for kind, of_kind in names.items():
        of[kind] = {
            name: [found.setdefault(one, len(found)) for one in behind]
            for name in of_kind
            if (behind := dict.fromkeys(_behind(plugins, kind, name)))
        }
    return {"of": of, "cards": [one.record() for one in found]}


def _behind(plugins: Plugins, kind: str, name: str) -> Iterator[Known]:
    """Yield what is known of a name, then of the names in its options."""
    registries: Sequence[Registry[Any]] = (
        *(plugins.upstreams, plugins.downstreams),
        *(plugins.corpora, plugins.enhancers),
    )
    (registry,) = (one for one in registries if one.kind == kind)
    for spec in _specs(name):
        if spec.name in registry:
            card: Card = registry[spec.name]
            yield Known.of(card, spec)
            for key, option in card.all_options().items():
                if option.names_a and (value := spec.options.get(key, option.default)):
                    yield from _behind(plugins, option.names_a, str(value))


def _specs(name: str) -> list[Spec]:
    """Read a name of a result; one that cannot be read is of no plugin."""
    try:
        spec = parse_spec(name)
        parts = joined_names(spec.name)
        return [spec] if len(parts) == 1 else [*map(parse_spec, parts)]
    except BadSpec:
        return []


def _checkpoint(card: Card, spec: Spec) -> tuple[str, str, bool]:
    """Return the checkpoint, its commit, and whether it is another than the card's.

    The first two are empty if it has none. The licence of the card is that of its own
    checkpoint.
    """
    typed = dict(spec.options)
    if card.positional and spec.positional:
        typed[card.positional] = spec.positional
    for key, option in card.all_options().items():
        if option.label is checkpoint_label:
            default = option.default or ""
            checkpoint = typed.get(key) or default
            revision = typed.get("revision") or PINNED.get(checkpoint, "")
            return plain(checkpoint), revision, default not in ("", checkpoint)
    return "", "", False


def linked(text: str) -> list[Piece]:
    """Split a text into parts that lead somewhere and parts that do not.

    Examples:
        >>> linked("Chen et al., arXiv:2110.13900")[1]
        ('arXiv:2110.13900', 'https://arxiv.org/abs/2110.13900')
    """
    pieces: list[Piece] = []
    end = 0
    for match in _LINK.finditer(text):
        address = [*LINKS.values()][(match.lastindex or 1) - 1]
        target = re.sub("^(arXiv|doi):", "", match[0])
        pieces += [
            (text[end : match.start()], None),
            (match[0], address.format(target)),
        ]
        end = match.end()
    return [piece for piece in [*pieces, (text[end:], None)] if piece[0]]


def licence_address(licence: str) -> str | None:
    """Return the address of a licence's text, if it is an SPDX identifier.

    Examples:
        >>> licence_address("MIT"), licence_address("research only")
        ('https://spdx.org/licenses/MIT.html', None)
    """
    if not re.fullmatch(r"[\w.-]+", licence) or licence == NOT_STATED:
        return None
    try:
        name = canonicalize_license_expression(licence)
    except InvalidLicenseExpression:
        return None
    return f"https://spdx.org/licenses/{name}.html"
