"""Cards: what a plugin declares about an upstream, head or corpus before loading it."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Generic, TypeAlias, TypeVar

from nserbench.errors import BadSpec, MissingExtra, NserbenchError, UnknownName
from nserbench.option_values import at_least as at_least
from nserbench.option_values import (
    content_digest,
    parser_for,
    plain_label,
    refuse_folders,
)
from nserbench.option_values import fraction as fraction
from nserbench.option_values import one_of as one_of
from nserbench.option_values import path_label as path_label
from nserbench.option_values import several as several
from nserbench.option_values import several_label as several_label
from nserbench.option_values import yes_no as yes_no
from nserbench.option_values import yes_no_label as yes_no_label
from nserbench.source_digest import refuse_changed_source, source_digest
from nserbench.spec import Spec

Options: TypeAlias = Mapping[str, Any]
"""Checked values by option key; every option of the card is present."""

NOT_STATED = "not stated"
"""What tables show where the author of a card says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One ``key=value`` that a card takes.

    Attributes:
        help: One line for ``nserbench list``.
        default: The value if the user types none.
        parse: Converts the typed text into the value. Raises ``ValueError`` with a
            message that says which values are valid. Without it, the type of the
            default decides: a whole number, a number, yes or no, a path, several texts
            joined by ``+``, or text.
        label: Converts a value into the text that tables show and that identifies the
            cell. Without it, the value as it is typed; of a path the last part. A text
            with a folder of this machine is refused.
        affects_features: Whether the value is part of what identifies stored features.
            False for an option that only selects among them, and for a checkpoint,
            because the digest of its content identifies it wherever it is.
        required: Whether the user must type a value.
        names_a: The kind of card that the value names, as ``"enhancer"``. ``parse``
            then returns a `Spec`, which is bound to its card, or a reserved word.
        added_later: Whether the card was used without this option before. Its default,
            which must mean what the card did then, is left out of what identifies
            stored features, so that they are found again.
    """

    help: str = NOT_STATED
    default: Any = None
    parse: Callable[[str], Any] | None = None
    label: Callable[[Any], str] = plain_label
    affects_features: bool = True
    required: bool = False
    names_a: str | None = None
    added_later: bool = False

    def __post_init__(self) -> None:
        if self.parse is None:
            parser_for(self.default)  # fails now if it has none

    @property
    def parser(self) -> Callable[[str], Any]:
        """What converts a typed text: ``parse``, or the parser of the default's type.

        Raises:
            TypeError: if there is neither.
        """
        return parser_for(self.default) if self.parse is None else self.parse

    def shown(self, value: Any) -> str:
        """Return the label of a value.

        Raises:
            ValueError: if it shows a folder of this machine.
        """
        text = self.label(value)
        refuse_folders(text, value)
        return text

    def identifies(self, value: Any) -> str:
        """Return the label of a value; of a path with the digest of its content."""
        if not isinstance(value, Path):
            return self.shown(value)
        return f"{self.shown(value)} {content_digest(value)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """The fields that every kind of card has.

    Attributes:
        name: The name to type on the command line.
        load: ``"package.module:function"``, imported only when it is needed; or the
            function or class itself, which identifies the same code.
        summary: One line for ``nserbench list``.
        source: Where it was published.
        licence: Licence of the weights or data that a user loads, as an SPDX
            identifier where there is one.
        key: Identifies the code behind ``load`` in the store, whatever its module is
            called. Default: the name. Cards that run the same code share one key.
        version: Increased whenever the outputs change; part of what identifies them.
        extra: The optional dependency group of nserbench that it needs.
        options: The options that may follow its name, by key.
        positional: The option that a value without a key sets, as in ``hf:ORG/NAME``.
        instead: What to do, by a key that users may type although there is no such
            option; the message about it ends so.

    Raises:
        TypeError: if ``load`` is an object whose code cannot be identified.
        ValueError: if the default of an option would show a folder of this machine.
    """

    kind: ClassVar[str] = "plugin"
    common: ClassVar[Mapping[str, Option]] = MappingProxyType({})

    name: str
    load: str | Callable[..., Any]
    summary: str = NOT_STATED
    source: str = NOT_STATED
    licence: str = NOT_STATED
    key: str = ""
    version: int = 1
    extra: str | None = None
    options: Mapping[str, Option] = field(default_factory=dict)
    positional: str | None = None
    instead: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _refuse_unidentified(self.name, self.load)
        for key, option in self.options.items():
            if option.default is not None:
                try:
                    option.shown(option.default)
                except ValueError as error:
                    raise ValueError(
                        f"option {key!r} of {self.name!r}: {error}"
                    ) from error

    @property
    def target(self) -> str:
        """The code behind ``load``, as ``"package.module:function"``."""
        if isinstance(self.load, str):
            return self.load
        return f"{self.load.__module__}:{self.load.__qualname__}"

    def loads_the_same(self, other: Card) -> bool:
        """Return whether another card loads the same code."""
        if isinstance(self.load, str) or isinstance(other.load, str):
            return self.target == other.target
        return self.load is other.load

    @property
    def key_or_name(self) -> str:
        """The key, or the name if the card has no key."""
        return self.key or self.name

    @property
    def identity(self) -> dict[str, object]:
        """What identifies the code that the card loads.

        For a plugin this includes a digest of its source files. Of nserbench's own
        code, only the version says that its outputs changed.
        """
        identity = {"key": self.key_or_name, "version": self.version}
        if (code := source_digest(self.target)) is not None:
            identity["code"] = code
        if (weights := getattr(self.load, "weights_digest", None)) is not None:
            identity["weights"] = weights()
        return identity

    def all_options(self) -> dict[str, Option]:
        """Return the options of its kind and of this card, which replace the former."""
        return {**self.common, **self.options}

    def loader(self) -> Callable[..., Any]:
        """Return the function or class behind ``load``.

        Raises:
            NserbenchError: as `resolve`.
        """
        found: Callable[..., Any] = self.resolve(self.load)
        if isinstance(self.load, str):
            _refuse_weights(self.name, self.load, found)
        refuse_changed_source(self.target)
        return found

    def resolve(self, target: str | Callable[..., Any]) -> Any:
        """Import the object that ``"package.module:name"`` names; return another as is.

        Raises:
            MissingExtra: if the import fails and the card has an extra.
            NserbenchError: if the import fails and the card has none, or if a plugin's
                code has changed since the program began.
        """
        if not isinstance(target, str):
            return target
        try:
            found = pkgutil.resolve_name(target)
        except (ImportError, AttributeError, ValueError) as error:
            if self.extra is not None and isinstance(error, ImportError):
                raise MissingExtra(f"{self.kind} {self.name!r}", self.extra) from error
            raise NserbenchError(
                f"{self.kind} {self.name!r} cannot be loaded: {error}\n"
                f"  its plugin declares load={target!r}: correct or reinstall it"
            ) from error
        refuse_changed_source(target)
        return found


def _refuse_unidentified(name: str, load: object) -> None:
    """Refuse what is no text and whose source file would not identify it.

    Raises:
        TypeError: if it is an object without a name, such as a ``functools.partial``,
            or is made by a function, so that it may hold values from elsewhere.
    """
    named = getattr(load, "__qualname__", "<locals>")
    if not isinstance(load, str) and "<locals>" in named:
        raise TypeError(
            f"load={load!r} of {name!r} must be a text, or a function or class that is "
            "defined at the top of a module: otherwise changed code is not noticed"
        )


def _refuse_weights(name: str, load: str, found: object) -> None:
    """Refuse code that is named by a text if its weights belong to its identity.

    Raises:
        NserbenchError: if it was made of a module, so that its file says too little.
    """
    if getattr(found, "weights_digest", None) is not None:
        variable = load.partition(":")[2]
        raise NserbenchError(
            f"{load!r} of {name!r} is made of a module with weights\n"
            f"  write load={variable}, without quotes, so that the weights identify it"
        )


C = TypeVar("C", bound=Card)


@dataclass(frozen=True)
class ConfiguredCard(Generic[C]):
    """A card with a checked value for each of its options."""

    card: C
    options: Options

    @property
    def label(self) -> str:
        """The name with the options that differ from the default, without paths."""
        known = self.card.all_options()
        changed = ",".join(
            f"{key}={known[key].shown(value)}"
            for key, value in sorted(self.options.items())
            if not self._is_default(key, value)
        )
        return f"{self.card.name}:{changed}" if changed else self.card.name

    def _is_default(self, key: str, value: Any) -> bool:
        option = self.card.all_options()[key]
        if value is None or option.default is None:
            return value is option.default
        return option.shown(value) == option.shown(option.default)

    def key_options(self) -> dict[str, str | None]:
        """Return the labels of all options that identify stored features."""
        known = self.card.all_options()
        return {
            key: None if value is None else known[key].identifies(value)
            for key, value in self.options.items()
            if known[key].affects_features
            and not (known[key].added_later and self._is_default(key, value))
        }


Bind: TypeAlias = Callable[[str, Spec], "ConfiguredCard[Any]"]
"""Finds the card of the given kind for a nested name, and binds it."""


def no_names(kind: str, spec: Spec) -> ConfiguredCard[Any]:
    """Refuse any nested name.

    Raises:
        BadSpec: always.
    """
    raise BadSpec(f"{spec.name!r} is not allowed: no {kind} can be named here")


def bind(card: C, spec: Spec, nested: Bind = no_names) -> ConfiguredCard[C]:
    """Check the typed options against a card, and fill in the defaults.

    Args:
        spec: The name and options that the user typed.
        nested: Binds names inside options, as in ``enhance=dccrn``.

    Raises:
        UnknownName: if the card has no such option, or a nested name has no card.
        BadSpec: if a value is not valid, or a required one is missing.
    """
    known = card.all_options()
    typed = dict(spec.options)
    if spec.positional is not None:
        if card.positional is None:
            raise BadSpec(
                f"{spec.name}:{spec.positional} has a value without an option: write "
                f"{spec.name}:OPTION=VALUE\n  options: {', '.join(known) or 'none'}"
            )
        if card.positional in typed:
            raise BadSpec(
                f"{spec.name} has {card.positional}= twice: {spec.positional} and "
                f"{typed[card.positional]}\n  leave one of the two out"
            )
        typed[card.positional] = spec.positional
    values = {key: option.default for key, option in known.items()}
    for key, text in typed.items():
        if key not in known:
            of, hint = f"{card.kind} {card.name!r}", card.instead.get(key, "")
            raise UnknownName("option", key, known, hint, of=of)
        try:
            values[key] = known[key].parser(text)
            known[key].shown(values[key])
        except BadSpec:
            raise
        except ValueError as error:
            raise BadSpec(f"{card.name}:{key}={text}: {error}") from error
    for key, option in known.items():
        if option.required and values[key] is None:
            raise BadSpec(f"{card.name} needs the option {key}=: {option.help}")
        if option.names_a is not None and isinstance(values[key], Spec):
            values[key] = nested(option.names_a, values[key])
    return ConfiguredCard(card, values)


def nested_label(value: ConfiguredCard[Any] | Spec | str | None) -> str:
    """Return a nested name as it is typed, in braces if it has options.

    None is ``none``, where another value is the default.
    """
    if value is None:
        return "none"
    if isinstance(value, str):
        return value
    label = value.label if isinstance(value, ConfiguredCard) else value.name
    return f"{{{label}}}" if ":" in label else label
