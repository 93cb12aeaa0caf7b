"""Names with options as the user types them: ``NAME[:key=value,...]``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from nserbench.errors import BadSpec

_FORM = "NAME[:key=value,...]"
_OPTION = re.compile(r"^(?P<key>[A-Za-z_][\w-]*)=(?P<value>.*)$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Spec:
    """A name and the options typed after it, not yet checked against a card.

    Attributes:
        options: Values as typed, by key.
        positional: The value after the colon without a key, as in ``hf:ORG/NAME``.
    """

    name: str
    options: Mapping[str, str] = field(default_factory=dict)
    positional: str | None = None

    def __str__(self) -> str:
        """Return the name and its options as they are typed.

        Examples:
            >>> str(Spec("bert", {"text": "whisper:language=de"}))
            'bert:text={whisper:language=de}'
        """
        options = [] if self.positional is None else [braced(self.positional)]
        options += [f"{key}={braced(value)}" for key, value in self.options.items()]
        return f"{self.name}:{','.join(options)}" if options else self.name


def braced(value: str) -> str:
    """Return a nested name or value, in braces if it has options or a comma."""
    return f"{{{value}}}" if ":" in value or "," in value else value


def split_names(text: str) -> list[str]:
    """Split names at the commas between them; options stay with their name.

    Raises:
        BadSpec: if braces do not match.

    Examples:
        >>> split_names("mel,whisper:groups=encoder,pad=no")
        ['mel', 'whisper:groups=encoder,pad=no']
    """
    names: list[str] = []
    for piece in _split(text, ","):
        if names and _OPTION.match(piece):
            names[-1] += f",{piece}"
        else:
            names.append(piece)
    return names


def parse_specs(text: str) -> list[Spec]:
    """Parse one or more names, separated by commas.

    A comma starts a new name unless ``key=`` follows it. A nested spec is enclosed in
    braces.

    Returns:
        The names in the order typed.

    Raises:
        BadSpec: if a name or value is missing, a key is given twice, or braces do not
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
    """Parse exactly one name.

    Raises:
        BadSpec: if there is more than one name, or it cannot be parsed.
    """
    specs = parse_specs(text)
    if len(specs) != 1:
        raise BadSpec(f"{text!r} has {len(specs)} names: give one name here")
    return specs[0]


def joined_names(name: str) -> list[str]:
    """Return the names that are joined by ``+``.

    Examples:
        >>> joined_names("{whisper:groups=encoder+decoder}+wavlm")
        ['whisper:groups=encoder+decoder', 'wavlm']
    """
    return [_unbraced(piece) for piece in _split(name, "+")]


def letters(name: str) -> str:
    """Return letters and digits alone, in lower case.

    Examples:
        >>> letters("crema-d") == letters("CREMAD")
        True
    """
    return "".join(char for char in name.casefold() if char.isalnum())


def _first(piece: str, text: str) -> Spec:
    colon = next(_positions(piece, ":"), len(piece))
    name, rest = piece[:colon], piece[colon + 1 :]
    if not name or [*_positions(name, "=")]:
        raise BadSpec(f"a name is missing in {text!r}: write {_FORM}")
    if name == piece:
        return Spec(name)
    if option := _OPTION.match(rest):
        return _with_option(Spec(name), option, text)
    if not rest:
        raise BadSpec(f"nothing follows the colon in {text!r}: write {_FORM}")
    return Spec(name, positional=_unbraced(rest))


def _with_option(spec: Spec, option: re.Match[str], text: str) -> Spec:
    key, value = option["key"], _unbraced(option["value"])
    if key in spec.options:
        raise BadSpec(f"{text!r} sets {key!r} of {spec.name!r} twice: set it once")
    if not value:
        raise BadSpec(f"{text!r} has no value after {key}=: write {_FORM}")
    return Spec(spec.name, {**spec.options, key: value}, spec.positional)


def _unbraced(value: str) -> str:
    return value[1:-1] if value.startswith("{") and value.endswith("}") else value


def _split(text: str, mark: str) -> Iterator[str]:
    """Split a text at the marks outside of braces."""
    start = 0
    for end in [*_positions(text, mark), len(text)]:
        yield text[start:end].strip()
        start = end + 1


def _positions(text: str, mark: str) -> Iterator[int]:
    depth = 0
    for position, letter in enumerate(text):
        depth += (letter == "{") - (letter == "}")
        if depth < 0:
            break
        if letter == mark and depth == 0:
            yield position
    if depth != 0:
        raise BadSpec(f"the braces in {text!r} do not match: close each one once")
