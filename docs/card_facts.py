"""What cards and heads say of themselves, as tables of the pages.

`docs/generate.py` writes them into the pages of upstreams, corpora and heads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from nserbench.benchmark.plugins.registry import Plugins
from nserbench.cards import Card, ConfiguredCard
from nserbench.corpora.base import CorpusCard
from nserbench.downstreams.base import DownstreamCard
from nserbench.spec import parse_spec
from nserbench.upstreams.groups import Groups, GroupSpec
from nserbench.upstreams.loading.hub import PINNED
from nserbench.upstreams.model_card import ModelCard

UNPINNED = "no commit is pinned: the head of its main branch"
PUBLISHABLE = {
    True: "may be published with ids, speakers and labels",
    False: "may not be published with ids, speakers and labels",
    None: "the user must know whether they may be published",
}
CLASSES = 4
"""Classes of the heads whose parameters are counted, as in IEMOCAP and CASIA."""
BASE = GroupSpec(layers=range(13), dim=768, rate=50.0)
"""A base model: 12 blocks of 768, and the input of the first one."""
SIZES: Mapping[str, Groups] = MappingProxyType(
    {
        "mel": {"mel": GroupSpec(layers=range(1, 2), dim=80, rate=100.0)},
        "a base model, such as HuBERT": {"encoder": BASE},
        "Whisper small": {"encoder": BASE, "decoder": BASE},
    }
)
"""Groups of the upstreams whose heads are counted."""
EVERY_LAYER = MappingProxyType({"single": "single:layer=all"})
"""What to type where a head cannot be built without an option."""


def card_facts(cards: Iterable[Card]) -> str:
    """Return a heading, the facts and the options of each card."""
    return "\n\n".join("\n".join(_card(card)) for card in cards)


def _card(card: Card) -> Iterator[str]:
    yield f"**`{card.name}`**: {card.summary}\n"
    options = card.all_options()
    facts = {"source": card.source, "licence": card.licence}
    if "checkpoint" in options and (default := options["checkpoint"].default):
        commit = f"commit `{PINNED[default]}`" if default in PINNED else UNPINNED
        facts["checkpoint"] = f"`{default}`, {commit}"
    if isinstance(card, ModelCard):
        facts["trained on"] = card.default_training_data()
    if card.extra:
        facts["needs"] = f"`pip install 'nserbench[{card.extra}]'`"
    if isinstance(card, CorpusCard):
        facts["predictions"] = PUBLISHABLE[card.publishable]
        facts |= {"to get it": card.obtain, "protocol": f"`{card.protocol}`"}
    yield from _table(facts)
    yield ""
    yield from _options(card)


def head_facts(plugins: Plugins) -> dict[str, str]:
    """Return the facts, options and numbers of parameters of each head, by its name."""
    return {card.name: "\n".join(_head(card, plugins)) for card in plugins.downstreams}


def _head(card: DownstreamCard, plugins: Plugins) -> Iterator[str]:
    typed = parse_spec(EVERY_LAYER.get(card.name, card.name))
    head = plugins.downstreams.bind(typed, plugins.bind)
    frames = "frames" if card.tier == "frames" else "1"
    facts = {
        "source": card.source,
        "input of each group": f"`(layers, batch, {frames}, dim)`, "
        + ("all frames" if card.tier == "frames" else "the mean over time"),
        "output": "`(batch, classes)`, logits",
    }
    yield from _table(facts)
    yield ""
    yield from _options(card)
    yield f"\n| upstream | what it reads | parameters, {CLASSES} classes |"
    yield "|---|---|---:|"
    for upstream, groups in SIZES.items():
        yield f"| {upstream} | {' | '.join(_size(head, groups))} |"


def _size(head: ConfiguredCard[DownstreamCard], groups: Groups) -> tuple[str, str]:
    """Return the layers that a head reads, and the number of its parameters."""
    card = head.card
    every = card.expands(groups, head.options)
    options = every[-1]
    if why := card.refuses(groups, options):
        return f"not applicable: {why}", ""
    built = card.build(groups, CLASSES, options)
    count = sum(one.numel() for one in built.parameters() if one.requires_grad)
    layers = (
        f"one of {len(every)} layers, {spec.dim} wide"
        if len(every) > 1
        else f"{_numbers(card.layers(spec, options))}, {spec.dim} wide"
        for spec in groups.values()
    )
    read = (f"`{name}`: {text}" for name, text in zip(groups, layers, strict=True))
    return "; ".join(read), f"{count:,}"


def _numbers(layers: range) -> str:
    first, last = layers[0], layers[-1]
    return f"layers {first} to {last}" if first < last else f"layer {first}"


def _table(facts: Mapping[str, str]) -> Iterator[str]:
    yield "| | |\n|---|---|"
    yield from (f"| {name} | {fact} |" for name, fact in facts.items())


def _options(card: Card) -> Iterator[str]:
    yield "| option | meaning | default |\n|---|---|---|"
    for key, option in card.all_options().items():
        default = "" if option.default is None else f"`{option.shown(option.default)}`"
        yield f"| `{key}=` | {option.help} | {default} |"
