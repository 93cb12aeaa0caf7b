"""Names with options as they are typed: ``NAME[:key=value,...]``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from nserbench.errors import BadSpec

_OPTION = re.compile(r"^(?P<key>[A-Za-z_][\w-]*)=(?P<value>.*)$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Spec:
    """A name and the options typed after it, not yet checked against a card.

    Attributes:
        name: What stands before the colon.
        options: Values as typed, by key.
        positional: What stands after the colon without a key, as in ``hf:ORG/NAME``.
    """

    name: str
    options: Mapping[str, str] = field(default_factory=dict)
    positional: str | None = None


def parse_specs(text: str) -> list[Spec]:
    """Read one or more names, separated by commas.

    A comma starts a new name unless ``key=`` follows it. Braces keep a nested spec
    together.

    Args:
        text: What was typed.

    Returns:
        The names in the order typed.

    Raises:
        BadSpec: if a name or key is empty, a key is given twice, or braces do not
            match.

    Examples:
        >>> [spec.name for spec in parse_specs("mel,whisper:groups=encoder,layer=3")]
        ['mel', 'whisper']
        >>> parse_specs("bert:text={whisper:checkpoint=a/b}")[0].options
        {'text': 'whisper:checkpoint=a/b'}
    """
    specs: list[Spec] = []
    for piece in _split(text, ","):
        continued = _OPTION.match(piece)
        if continued and specs:
            specs[-1] = _with_option(specs[-1], continued, text)
        else:
            specs.append(_first(piece, text))
    return specs


def parse_spec(text: str) -> Spec:
    """Read exactly one name.

    Raises:
        BadSpec: if there is more than one, or it cannot be read.
    """
    specs = parse_specs(text)
    if len(specs) != 1:
        raise BadSpec(f"one name is wanted here, {text!r} holds {len(specs)}")
    return specs[0]


def beside(name: str) -> list[str]:
    """Take names apart that are joined by ``+``.

    Examples:
        >>> beside("{whisper:groups=encoder+decoder}+wavlm")
        ['whisper:groups=encoder+decoder', 'wavlm']
    """
    return [_unbraced(piece) for piece in _split(name, "+")]


def _first(piece: str, text: str) -> Spec:
    colon = next(_places(piece, ":"), len(piece))
    name, rest = piece[:colon], piece[colon + 1 :]
    if not name or [*_places(name, "=")]:
        raise BadSpec(f"a name is missing in {text!r}: NAME[:key=value,...]")
    if name == piece:
        return Spec(name)
    if option := _OPTION.match(rest):
        return _with_option(Spec(name), option, text)
    if not rest:
        raise BadSpec(f"nothing follows the colon in {text!r}: NAME[:key=value,...]")
    return Spec(name, positional=_unbraced(rest))


def _with_option(spec: Spec, option: re.Match[str], text: str) -> Spec:
    key, value = option["key"], _unbraced(option["value"])
    if key in spec.options:
        raise BadSpec(f"{spec.name!r} is given {key!r} twice in {text!r}")
    if not value:
        raise BadSpec(f"{spec.name!r} is given no value for {key!r} in {text!r}")
    return Spec(spec.name, {**spec.options, key: value}, spec.positional)


def _unbraced(value: str) -> str:
    return value[1:-1] if value.startswith("{") and value.endswith("}") else value


def _split(text: str, mark: str) -> Iterator[str]:
    """Split at the marks that stand in no braces."""
    start = 0
    for place in [*_places(text, mark), len(text)]:
        yield text[start:place].strip()
        start = place + 1


def _places(text: str, mark: str) -> Iterator[int]:
    """Give where a mark stands in no braces."""
    depth = 0
    for place, letter in enumerate(text):
        depth += (letter == "{") - (letter == "}")
        if depth < 0:
            break
        if letter == mark and depth == 0:
            yield place
    if depth != 0:
        raise BadSpec(f"the braces of {text!r} do not match")
