"""Several upstreams side by side, such as ``whisper+wavlm``, under one head."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count

from nserbench.cards import Bind, ConfiguredCard, Options, bind, nested_label
from nserbench.errors import BadSpec, NserbenchError
from nserbench.spec import Spec, joined_names
from nserbench.upstreams.base import Upstream, UpstreamCard
from nserbench.upstreams.groups import Description, Groups
from nserbench.upstreams.model_card import ModelCard
from nserbench.upstreams.training_data import TrainingData, joint


@dataclass(frozen=True, slots=True, kw_only=True)
class SideBySideCard(UpstreamCard):
    """The card of several upstreams under one head.

    Their groups are called ``whisper.encoder``, ``wavlm.encoder``. Features are
    extracted and stored for each upstream separately, so this card loads nothing.

    Attributes:
        parts: The upstreams by the prefix of their groups' names.
    """

    parts: Mapping[str, ConfiguredCard[UpstreamCard]]

    def describe(self, options: Options) -> Description:
        """Return the selected groups of all upstreams.

        Raises:
            BadSpec: if an upstream does not have a selected group.
        """
        groups = {
            f"{name}.{group}": spec
            for name, part in self.parts.items()
            for group, spec in _selected_groups(part).items()
        }
        return Description(groups, transcribes=False, tunable=False, frozen=())

    def open(self, options: Options, device: str) -> Upstream:
        """Raise an error: several upstreams cannot be loaded as one.

        Raises:
            NserbenchError: always.
        """
        raise NserbenchError(
            f"{self.name} is several upstreams, each of which is loaded alone\n"
            f"  ask for one of them: {', '.join(joined_names(self.name))}"
        )


def combine(
    parts: Sequence[ConfiguredCard[UpstreamCard]], spec: Spec, nested: Bind
) -> ConfiguredCard[UpstreamCard]:
    """Return a card for upstreams side by side, with its options checked.

    Raises:
        BadSpec: if an upstream is named twice or is to be fine-tuned, or an option does
            not apply to all of them.
    """
    card = _card(parts)
    if (
        spec.positional is not None
        or not spec.options.keys() <= card.all_options().keys()
    ):
        last = parts[-1].card.name
        raise BadSpec(
            f"an option after {spec.name!r} must apply to all of them: "
            f"{', '.join(card.all_options())}\n"
            f"  put options of one of them in braces: {{{last}:key=value}}"
        )
    return bind(card, spec, nested)


def _card(parts: Sequence[ConfiguredCard[UpstreamCard]]) -> SideBySideCard:
    name = "+".join(nested_label(part) for part in parts)
    _refuse(parts, name)
    cards = [part.card for part in parts]
    limits = [card.max_samples for card in cards if card.max_samples is not None]
    return SideBySideCard(
        name=name,
        summary=f"{name} side by side",
        source="; ".join(dict.fromkeys(card.source for card in cards)),
        licence="; ".join(dict.fromkeys(card.licence for card in cards)),
        load="",
        groups={},
        reads=frozenset().union(*(card.reads for card in cards)),
        min_samples=max(card.min_samples for card in cards),
        max_samples=min(limits, default=None),
        parts=dict(zip(_names(cards), parts, strict=True)),
    )


def parts_of(
    upstream: ConfiguredCard[UpstreamCard],
) -> dict[str, ConfiguredCard[UpstreamCard]]:
    """Return the parts of an upstream by the prefix of their groups' names.

    A single upstream is its own part, with an empty prefix. An enhancer after the
    joined name applies to each part that reads audio and has no enhancer of its own.
    """
    if not isinstance(upstream.card, SideBySideCard):
        return {"": upstream}
    enhancer = {"enhance": upstream.options.get("enhance")}
    return {
        name: replace(part, options={**part.options, **enhancer})
        if part.card.reads_audio and part.options["enhance"] is None
        else part
        for name, part in upstream.card.parts.items()
    }


def training_data_of(upstream: ConfiguredCard[UpstreamCard]) -> TrainingData | None:
    """Return the training data of an upstream and of all models that it names.

    These are the parts of upstreams side by side, enhancers and transcribers. None if
    nothing is said of any of them.
    """
    models = chain.from_iterable(map(_models, parts_of(upstream).values()))
    return joint(model.card.training_data(model.options) for model in models)


def remarks_of(upstream: ConfiguredCard[UpstreamCard]) -> str:
    """Return what has to be known of the numbers of an upstream or of its parts."""
    parts = parts_of(upstream).values()
    return "; ".join(dict.fromkeys(p.card.remark for p in parts if p.card.remark))


def _models(
    model: ConfiguredCard[UpstreamCard] | ConfiguredCard[ModelCard],
) -> Iterator[ConfiguredCard[UpstreamCard] | ConfiguredCard[ModelCard]]:
    yield model
    for option in ("enhance", "text"):
        if isinstance(named := model.options.get(option), ConfiguredCard):
            yield from _models(named)


def _refuse(parts: Sequence[ConfiguredCard[UpstreamCard]], name: str) -> None:
    labels = Counter(part.label for part in parts)
    for label, times in labels.items():
        if times > 1:
            raise BadSpec(
                f"{name} names {label} twice\n"
                "  if they differ in a path, rename the file or folder of one"
            )
    for part in parts:
        if isinstance(part.card, SideBySideCard):
            raise BadSpec(
                f"{name} has upstreams side by side in braces\n"
                f"  remove the braces around {part.card.name}"
            )
        if part.card.always_trained:
            raise BadSpec(
                f"{name}: upstreams side by side cannot be trained, and "
                f"{part.card.name} always is\n  remove {part.card.name}"
            )
        if part.options.get("finetune") is not None:
            raise BadSpec(
                f"{name}: upstreams side by side cannot be fine-tuned\n"
                f"  remove finetune= of {part.card.name}"
            )


def _selected_groups(part: ConfiguredCard[UpstreamCard]) -> Groups:
    """Return the selected groups of an upstream.

    Raises:
        BadSpec: if it does not have one of them.
    """
    groups = part.card.describe(part.options).groups
    wanted = part.options["groups"] or tuple(groups)
    for group in wanted:
        if group not in groups:
            has = ", ".join(groups)
            raise BadSpec(f"{part.label} has no group {group!r}, only {has}")
    return {name: spec for name, spec in groups.items() if name in wanted}


def _names(cards: Sequence[UpstreamCard]) -> list[str]:
    """Name each part by its card: ``whisper``, the second of one card ``whisper-2``."""
    names: list[str] = []
    for card in cards:
        plain = card.name.replace(".", "-")  # a dot separates the group's name
        numbered = chain([plain], (f"{plain}-{number}" for number in count(2)))
        names.append(next(name for name in numbered if name not in names))
    return names
