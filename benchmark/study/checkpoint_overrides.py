"""Other weights in the place of those that a name stands for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import chain

from nserbench.benchmark.plugins.registry import Plugins
from nserbench.cards import Card, Option
from nserbench.errors import BadSpec, UnknownName
from nserbench.spec import Spec, joined_names, parse_spec

KEY = "checkpoint"
"""The option that names weights."""


def with_checkpoints(
    text: str, checkpoints: Mapping[str, str], plugins: Plugins
) -> str:
    """Give what is typed for an upstream, with other weights where it loads some.

    Names that load the same weights by default, such as ``whisper`` and
    ``whisper-enc``, are all given those set for one of them. Names in options and names
    joined by ``+`` count, and so do those that an option holds by default. A checkpoint
    that was typed stands.

    Args:
        text: An upstream with its options, or several side by side.
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
    said = [] if spec.positional is None else [_braced(spec.positional)]
    said += [f"{key}={_braced(value)}" for key, value in spec.options.items()]
    return f"{spec.name}:{','.join(said)}" if said else spec.name


def _braced(value: str) -> str:
    return f"{{{value}}}" if ":" in value or "," in value else value


def _swapped(
    spec: Spec, kind: str, weights: Mapping[object, str], plugins: Plugins
) -> Spec:
    registry = plugins.enhancers if kind == "enhancer" else plugins.upstreams
    if spec.name not in registry and len(names := joined_names(spec.name)) > 1:
        parts = [_swapped(parse_spec(one), kind, weights, plugins) for one in names]
        whole = replace(spec, name="+".join(_braced(typed(one)) for one in parts))
        known = chain.from_iterable(
            registry[one.name].all_options().items() for one in parts
        )
        of_all = {key: option for key, option in known if key in spec.options}
        return _inwards(whole, of_all, weights, plugins)
    card = registry[spec.name]
    found = _inwards(spec, card.all_options(), weights, plugins)
    if KEY in found.options or _weights(card) not in weights:
        return found
    return replace(found, options={**found.options, KEY: weights[_weights(card)]})


def _inwards(
    spec: Spec,
    known: Mapping[str, Option],
    weights: Mapping[object, str],
    plugins: Plugins,
) -> Spec:
    """Swap the weights of the names that stand in options."""
    options = dict(spec.options)
    for key, option in known.items():
        if option.names_a in ("upstream", "enhancer"):
            inner = _nested(options.get(key, option.default), plugins, option.names_a)
            if inner is not None:
                new = _swapped(inner, option.names_a, weights, plugins)
                if new != inner:
                    options[key] = typed(new)
    return replace(spec, options=options)


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
