"""Replace the checkpoint that upstreams and enhancers load by default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import chain

from nserbench.benchmark.plugins.registry import Plugins
from nserbench.cards import Card, Option
from nserbench.errors import BadSpec, UnknownName
from nserbench.spec import Spec, braced, joined_names, parse_spec

KEY = "checkpoint"
"""The option that names a checkpoint."""


def with_checkpoints(
    text: str, checkpoints: Mapping[str, str], plugins: Plugins
) -> str:
    """Return the text of an upstream with other checkpoints.

    A checkpoint set for one name also replaces that of every name with the same
    default checkpoint, such as ``whisper`` and ``whisper-enc``. This includes names in
    options, defaults of options, and names joined by ``+``. A checkpoint that the text
    itself names is kept.

    Args:
        text: An upstream with its options, or several joined by ``+``.
        checkpoints: A hub id, folder or file by the name of an upstream or enhancer.

    Raises:
        UnknownName: if a name is neither an upstream nor an enhancer.
        BadSpec: if a name in ``checkpoints`` loads no checkpoint.
    """
    if not checkpoints:
        return text
    paths: dict[object, str] = {}
    for name, path in checkpoints.items():
        if (other := paths.setdefault(_default(name, plugins), path)) != path:
            raise BadSpec(
                f"{name} loads the checkpoint that is to be {other}, and also {path}\n"
                "  leave one of the two out"
            )
    return str(_replaced(parse_spec(text), "upstream", paths, plugins))


def _replaced(
    spec: Spec, kind: str, paths: Mapping[object, str], plugins: Plugins
) -> Spec:
    """Replace the checkpoints of a name, and of the names in its options."""
    registry = plugins.enhancers if kind == "enhancer" else plugins.upstreams
    if spec.name not in registry and len(names := joined_names(spec.name)) > 1:
        parts = [_replaced(parse_spec(name), kind, paths, plugins) for name in names]
        joined = replace(spec, name="+".join(braced(str(part)) for part in parts))
        known = chain.from_iterable(
            registry[part.name].all_options().items() for part in parts
        )
        shared = {key: option for key, option in known if key in spec.options}
        return _replaced_in_options(joined, shared, paths, plugins)
    card = registry[spec.name]
    spec = _replaced_in_options(spec, card.all_options(), paths, plugins)
    if KEY in spec.options or _weights(card) not in paths:
        return spec
    return replace(spec, options={**spec.options, KEY: paths[_weights(card)]})


def _replaced_in_options(
    spec: Spec,
    known: Mapping[str, Option],
    paths: Mapping[object, str],
    plugins: Plugins,
) -> Spec:
    """Replace the checkpoints of the names in options."""
    options = dict(spec.options)
    for key, option in known.items():
        if option.names_a in ("upstream", "enhancer"):
            inner = _nested(options.get(key, option.default), plugins, option.names_a)
            if inner is not None:
                new = _replaced(inner, option.names_a, paths, plugins)
                if new != inner:
                    options[key] = str(new)
    return replace(spec, options=options)


def _nested(value: object, plugins: Plugins, kind: str) -> Spec | None:
    """Return the plugin that an option's value names; None if it names none."""
    registry = plugins.enhancers if kind == "enhancer" else plugins.upstreams
    spec = parse_spec(value) if isinstance(value, str) else value
    return spec if isinstance(spec, Spec) and spec.name in registry else None


def _default(name: str, plugins: Plugins) -> object:
    """Return the default checkpoint of an upstream or enhancer."""
    for registry in (plugins.upstreams, plugins.enhancers):
        if name in registry:
            card = registry[name]
            if KEY not in card.all_options():
                raise BadSpec(f"{card.kind} {name!r} loads no checkpoint to replace")
            return _weights(card)
    known = [*plugins.upstreams.names, *plugins.enhancers.names]
    raise UnknownName("upstream or enhancer", name, known)


def _weights(card: Card) -> object:
    """Return the default checkpoint, or the name of a card that has its own."""
    option = card.all_options().get(KEY)
    return None if option is None else option.default or card.name
