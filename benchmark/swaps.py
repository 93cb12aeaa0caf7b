"""Other weights in the place of those that a name stands for."""

from __future__ import annotations

from collections.abc import Mapping

from nserbench.benchmark.plugins import Plugins
from nserbench.cards import Card
from nserbench.errors import BadSpec, UnknownName
from nserbench.spec import Spec, parse_spec

KEY = "checkpoint"
"""The option that names weights."""


def with_checkpoints(
    text: str, checkpoints: Mapping[str, str], plugins: Plugins
) -> str:
    """Give what is typed for an upstream, with other weights where it loads some.

    Names that load the same weights by default, such as ``whisper`` and
    ``whisper-enc``, are all given those set for one of them. Names in options count,
    and so do those that an option holds by default. A checkpoint that was typed stands.

    Args:
        text: An upstream with its options.
        checkpoints: A hub id, folder or file by the name of an upstream or enhancer.
        plugins: Where the names are.

    Raises:
        UnknownName: if a name is neither an upstream nor an enhancer.
        BadSpec: if one of ``checkpoints`` loads no weights.
    """
    if not checkpoints:
        return text
    weights = {_default(name, plugins): path for name, path in checkpoints.items()}
    return typed(_swapped(parse_spec(text), "upstream", weights, plugins))


def typed(spec: Spec) -> str:
    """Write a name and its options as they are typed.

    Examples:
        >>> typed(Spec("bert", {"text": "whisper:language=de"}))
        'bert:text={whisper:language=de}'
    """
    said = [] if spec.bare is None else [_braced(spec.bare)]
    said += [f"{key}={_braced(value)}" for key, value in spec.options.items()]
    return f"{spec.name}:{','.join(said)}" if said else spec.name


def _braced(value: str) -> str:
    return f"{{{value}}}" if ":" in value or "," in value else value


def _swapped(
    spec: Spec, kind: str, weights: Mapping[object, str], plugins: Plugins
) -> Spec:
    registry = plugins.enhancers if kind == "enhancer" else plugins.upstreams
    card = registry[spec.name]
    options = dict(spec.options)
    for key, option in card.all_options().items():
        if option.kind in ("upstream", "enhancer"):
            inner = _nested(options.get(key, option.default), plugins, option.kind)
            if inner is not None:
                new = _swapped(inner, option.kind, weights, plugins)
                if new != inner:
                    options[key] = typed(new)
    if KEY not in options and _weights(card) in weights:
        options[KEY] = weights[_weights(card)]
    return Spec(spec.name, options, spec.bare)


def _nested(value: object, plugins: Plugins, kind: str) -> Spec | None:
    """Give the name that an option's value is; None for a word of its own."""
    registry = plugins.enhancers if kind == "enhancer" else plugins.upstreams
    spec = parse_spec(value) if isinstance(value, str) else value
    return spec if isinstance(spec, Spec) and spec.name in registry else None


def _default(name: str, plugins: Plugins) -> object:
    """Give what tells the weights of a name from others."""
    for registry in (plugins.upstreams, plugins.enhancers):
        if name in registry:
            card = registry[name]
            if KEY not in card.all_options():
                raise BadSpec(f"{card.kind} {name!r} loads no weights to replace")
            return _weights(card)
    known = [*plugins.upstreams.names, *plugins.enhancers.names]
    raise UnknownName("upstream or enhancer", name, known)


def _weights(card: Card) -> object:
    option = card.all_options().get(KEY)
    return None if option is None else option.default or card.name
