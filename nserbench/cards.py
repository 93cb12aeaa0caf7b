"""Cards: what is known of a plugin's offer before it is loaded."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Generic, TypeAlias, TypeVar

from nserbench.errors import BadSpec, MissingExtra, NserbenchError, UnknownName
from nserbench.spec import Spec

Options: TypeAlias = Mapping[str, Any]
"""Checked option values by key, every option of the card present."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One ``key=value`` that a card takes.

    Attributes:
        help: One line for ``nserbench list``.
        default: The value where none is typed.
        parse: Turns what was typed into the value, or raises ``ValueError`` with what
            would have been right.
        label: Turns a value into what stands in tables and identifies the cell. It
            must not hold a path of this machine.
        affects_features: Whether the value is part of what identifies stored features.
            Not if it only chooses among them, and not for a checkpoint,
            whose content identifies them wherever it is.
        required: Whether it must be typed.
        names_a: The kind of card that the value names, as ``"enhancer"``; ``parse``
            then gives a `Spec`, which is bound to its card, or a word of its own.
    """

    help: str
    default: Any = None
    parse: Callable[[str], Any] = str
    label: Callable[[Any], str] = str
    affects_features: bool = True
    required: bool = False
    names_a: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What every kind of card says.

    Attributes:
        name: What to ask for it by.
        summary: One line for ``nserbench list``.
        source: The paper or place it comes from.
        licence: Of the weights or data that a user loads, as SPDX where it has a name.
        load: ``"package.module:function"``, imported only when it is needed.
        key: What identifies the code behind ``load`` in the store, wherever its module
            lies; the name unless given. Cards that run the same code share it.
        version: Raised whenever the outputs change; part of what identifies them.
        extra: The optional dependency group of nserbench that it needs.
        options: What may follow its name.
        positional: The option that a value without a key sets, as in ``hf:ORG/NAME``.
    """

    kind: ClassVar[str] = "plugin"
    common: ClassVar[Mapping[str, Option]] = MappingProxyType({})

    name: str
    summary: str
    source: str
    licence: str
    load: str
    key: str = ""
    version: int = 1
    extra: str | None = None
    options: Mapping[str, Option] = field(default_factory=dict)
    positional: str | None = None

    @property
    def key_or_name(self) -> str:
        """The key, or the name of a card that has none of its own."""
        return self.key or self.name

    @property
    def identity(self) -> dict[str, object]:
        """What identifies the code that it loads, wherever the module lies."""
        return {"key": self.key_or_name, "version": self.version}

    def all_options(self) -> dict[str, Option]:
        """Give the options of this card and of its kind; the card's own win."""
        return {**self.common, **self.options}

    def resolve(self, target: str) -> Any:
        """Import what a ``"package.module:name"`` of this card points at.

        Raises:
            MissingExtra: if the import fails and the card names an extra.
            NserbenchError: if it fails and the card names none.
        """
        try:
            return pkgutil.resolve_name(target)
        except (ImportError, AttributeError, ValueError) as error:
            if self.extra is not None and isinstance(error, ImportError):
                raise MissingExtra(f"{self.kind} {self.name!r}", self.extra) from error
            raise NserbenchError(
                f"{self.kind} {self.name!r} cannot be loaded: {error}\n"
                f"  its plugin says that it is {target}"
            ) from error


C = TypeVar("C", bound=Card)


@dataclass(frozen=True)
class ConfiguredCard(Generic[C]):
    """A card with a checked value for each of its options.

    Attributes:
        card: The card.
        options: Every option's value.
    """

    card: C
    options: Options

    @property
    def label(self) -> str:
        """Name and options that differ from the default, as typed, without paths."""
        known = self.card.all_options()
        said = ",".join(
            f"{key}={known[key].label(value)}"
            for key, value in sorted(self.options.items())
            if not self._is_default(key, value)
        )
        return f"{self.card.name}:{said}" if said else self.card.name

    def _is_default(self, key: str, value: Any) -> bool:
        option = self.card.all_options()[key]
        if value is None or option.default is None:
            return value is option.default
        return option.label(value) == option.label(option.default)

    def key_options(self) -> dict[str, str | None]:
        """Give the labels of all options that are part of the features' key."""
        known = self.card.all_options()
        return {
            key: None if value is None else known[key].label(value)
            for key, value in self.options.items()
            if known[key].affects_features
        }


Bind: TypeAlias = Callable[[str, Spec], "ConfiguredCard[Any]"]
"""Looks up the card of a kind that a nested name stands for, and binds it."""


def no_names(kind: str, spec: Spec) -> ConfiguredCard[Any]:
    """Refuse any nested name."""
    raise BadSpec(f"no {kind} can be named here, such as {spec.name!r}")


def bind(card: C, spec: Spec, nested: Bind = no_names) -> ConfiguredCard[C]:
    """Check what was typed against a card.

    Args:
        card: The card.
        spec: What was typed.
        nested: Binds the names that stand in options, as in ``enhance=dccrn``.

    Raises:
        UnknownName: if the card has no such option, or no card a nested name.
        BadSpec: if a value is not one that the option takes, or one is missing.
    """
    known = card.all_options()
    typed = dict(spec.options)
    if spec.positional is not None:
        if card.positional is None:
            raise BadSpec(
                f"{spec.name}:{spec.positional} is not understood: write "
                f"{spec.name}:key=value with key one of {', '.join(known) or 'none'}"
            )
        typed.setdefault(card.positional, spec.positional)
    values = {key: option.default for key, option in known.items()}
    for key, text in typed.items():
        if key not in known:
            raise UnknownName("option", key, known, of=f"{card.kind} {card.name!r}")
        try:
            values[key] = known[key].parse(text)
        except BadSpec:
            raise
        except ValueError as error:
            raise BadSpec(f"{card.name}:{key}={text}: {error}") from error
    for key, option in known.items():
        if option.required and values[key] is None:
            raise BadSpec(f"{card.name} needs {key}=: {option.help}")
        if option.names_a is not None and isinstance(values[key], Spec):
            values[key] = nested(option.names_a, values[key])
    return ConfiguredCard(card, values)


def one_of(*choices: str) -> Callable[[str], str]:
    """Make a parser that takes one of a few words."""

    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(f"one of {', '.join(choices)} is wanted")
        return text

    return parse


def yes_no(text: str) -> bool:
    """Read ``yes`` or ``no``."""
    return one_of("yes", "no")(text) == "yes"


def yes_no_label(value: bool) -> str:
    """Write a truth value as `yes_no` reads it."""
    return "yes" if value else "no"


def at_least(least: int) -> Callable[[str], int]:
    """Make a parser for whole numbers from ``least`` up."""

    def parse(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise ValueError(f"a whole number from {least} up is wanted")
        return int(text)

    return parse


def fraction(text: str) -> float:
    """Read a number in ``[0, 1)``."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value < 1.0:
        raise ValueError("a number from 0 up to, but not including, 1 is wanted")
    return value


def several(text: str) -> tuple[str, ...]:
    """Read values joined by ``+``."""
    parts = tuple(text.split("+"))
    if not all(parts) or len(set(parts)) != len(parts):
        raise ValueError("different values joined by + are wanted")
    return parts


def several_label(values: tuple[str, ...]) -> str:
    """Write values as `several` reads them."""
    return "+".join(values)


def nested_label(value: ConfiguredCard[Any] | Spec | str) -> str:
    """Write a nested name as it is typed, in braces where it has options."""
    if isinstance(value, str):
        return value
    label = value.label if isinstance(value, ConfiguredCard) else value.name
    return f"{{{label}}}" if ":" in label else label


def path_label(value: str | Path) -> str:
    """Write a path as the name of its last part."""
    return Path(value).name
