"""Several upstreams side by side, such as ``whisper+wavlm``, under one head."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count

from nserbench.cards import Bind, ConfiguredCard, Options, bind, nested_label
from nserbench.errors import BadSpec, NserbenchError
from nserbench.spec import Spec, joined_names
from nserbench.upstreams.base import Groups, Upstream, UpstreamCard


@dataclass(frozen=True, slots=True, kw_only=True)
class SideBySideCard(UpstreamCard):
    """What is known of upstreams side by side.

    Their groups are called ``whisper.encoder``, ``wavlm.encoder``. Features are made
    and kept for each upstream alone, so that there is nothing to load for all of them.

    Attributes:
        parts: The upstreams by what the names of their groups begin with.
    """

    parts: Mapping[str, ConfiguredCard[UpstreamCard]]

    def describe(self, options: Options) -> Groups:
        """Give the groups that each upstream hands on.

        Raises:
            BadSpec: if one is to hand on a group that it lacks.
        """
        return {
            f"{name}.{group}": spec
            for name, part in self.parts.items()
            for group, spec in _handed_on(part).items()
        }

    def open(self, options: Options, device: str) -> Upstream:
        """Refuse to load several upstreams as one.

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
    """Put upstreams side by side, and check the options typed after all of them.

    Args:
        parts: Two or more.
        spec: What was typed.
        nested: Binds the names that stand in options.

    Raises:
        BadSpec: if one stands there twice or is to be tuned, or an option is not one of
            all of them.
    """
    card = _card(parts)
    if (
        spec.positional is not None
        or not spec.options.keys() <= card.all_options().keys()
    ):
        last = parts[-1].card.name
        raise BadSpec(
            f"what follows {spec.name!r} is not of all of them: only "
            f"{', '.join(card.all_options())} can be\n"
            f"  put what is of one of them in braces: {{{last}:key=value}}"
        )
    return bind(card, spec, nested)


def _card(parts: Sequence[ConfiguredCard[UpstreamCard]]) -> SideBySideCard:
    name = "+".join(nested_label(one) for one in parts)
    _refuse(parts, name)
    cards = [one.card for one in parts]
    ends = [one.max_samples for one in cards if one.max_samples is not None]
    return SideBySideCard(
        name=name,
        summary=f"{name} side by side",
        source="; ".join(dict.fromkeys(one.source for one in cards)),
        licence="; ".join(dict.fromkeys(one.licence for one in cards)),
        load="",
        groups={},
        reads=frozenset().union(*(one.reads for one in cards)),
        min_samples=max(one.min_samples for one in cards),
        max_samples=min(ends, default=None),
        parts=dict(zip(_names(cards), parts, strict=True)),
    )


def parts_of(
    upstream: ConfiguredCard[UpstreamCard],
) -> dict[str, ConfiguredCard[UpstreamCard]]:
    """Give the upstreams that one stands for, by what their groups' names begin with.

    One that is alone stands for itself, and its groups' names begin with nothing. An
    enhancer of all is that of each part that hears, unless it has one of its own.
    """
    if not isinstance(upstream.card, SideBySideCard):
        return {"": upstream}
    cleaned = {"enhance": upstream.options.get("enhance")}
    return {
        name: replace(one, options={**one.options, **cleaned})
        if one.card.reads_audio and one.options["enhance"] is None
        else one
        for name, one in upstream.card.parts.items()
    }


def _refuse(parts: Sequence[ConfiguredCard[UpstreamCard]], name: str) -> None:
    labels = Counter(one.label for one in parts)
    for label, times in labels.items():
        if times > 1:
            raise BadSpec(
                f"{name} names {label} twice\n"
                "  if they differ in a path, rename the file or folder of one"
            )
    for one in parts:
        if isinstance(one.card, SideBySideCard):
            raise BadSpec(
                f"{name} has upstreams side by side in braces\n"
                f"  leave those around {one.card.name} out"
            )
        if one.options.get("finetune") is not None:
            raise BadSpec(
                f"{name}: upstreams side by side stay as they came\n"
                f"  leave finetune= of {one.card.name} out"
            )


def _handed_on(part: ConfiguredCard[UpstreamCard]) -> Groups:
    """Give the groups that an upstream hands on.

    Raises:
        BadSpec: if it is to hand on one that it lacks.
    """
    groups = part.card.describe(part.options)
    wanted = part.options["groups"] or tuple(groups)
    for group in wanted:
        if group not in groups:
            has = ", ".join(groups)
            raise BadSpec(f"{part.label} has no group {group!r}, only {has}")
    return {name: spec for name, spec in groups.items() if name in wanted}


def _names(cards: Sequence[UpstreamCard]) -> list[str]:
    """Name each by its card: ``whisper``, and the second of one card ``whisper-2``."""
    found: list[str] = []
    for card in cards:
        plain = card.name.replace(".", "-")  # what follows a dot is the group
        numbered = chain([plain], (f"{plain}-{number}" for number in count(2)))
        found.append(next(name for name in numbered if name not in found))
    return found
