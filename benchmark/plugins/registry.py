"""The plugins in use: built in, installed, or given by the user."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import EntryPoint, entry_points
from os import PathLike, fspath
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

import pluggy

from nserbench.benchmark.plugins import hookspecs
from nserbench.benchmark.plugins.hook_names import refuse_wrong_hooks
from nserbench.benchmark.plugins.own_state import own_state
from nserbench.cards import Bind, Card, ConfiguredCard, bind, no_names
from nserbench.corpora.base import CorpusCard, NoiseCard
from nserbench.corpora.own import own_corpora, refuse_alike_noises
from nserbench.downstreams.base import DownstreamCard
from nserbench.error_origin import describe_error
from nserbench.errors import (
    BadPlugin,
    BadSpec,
    DuplicateKey,
    DuplicateName,
    UnknownName,
)
from nserbench.interrupts import by_user
from nserbench.settings import OF_SETTINGS, Settings
from nserbench.source_digest import begin_anew, source_digest
from nserbench.spec import Spec, joined_names, parse_spec
from nserbench.upstreams.base import UpstreamCard
from nserbench.upstreams.enhancement.base import EnhancerCard
from nserbench.upstreams.side_by_side import combine

if TYPE_CHECKING:
    from nserbench.benchmark.results.result import Result

WHERE_FROM = (
    "`nserbench list` shows the plugin each one comes from; one in a file of yours "
    "needs --plugin FILE.py"
)
"""What the message about an unknown name says of others."""

BUILT_IN = (
    "nserbench.upstreams.cards",
    "nserbench.upstreams.enhancement.cards",
    "nserbench.downstreams.cards",
    "nserbench.corpora.cards",
    "nserbench.corpora.noise.cards",
)

C = TypeVar("C", bound=Card)

Plugin: TypeAlias = str | PathLike[str] | Card | object
"""A Python file, the name of a module, a card, or a module or object with hooks."""


class Registry(Generic[C]):
    """Cards of one kind by name, in the order the plugins offered them."""

    def __init__(self, card: type[C]) -> None:
        self.card = card
        self.kind = card.kind
        self._cards: dict[str, tuple[C, str]] = {}

    def __iter__(self) -> Iterator[C]:
        return (card for card, _ in self._cards.values())

    def __contains__(self, name: str) -> bool:
        return name in self._cards

    def add(self, card: C, origin: str) -> None:
        """Add a card, with the name of the plugin that it comes from.

        Raises:
            DuplicateName: if another plugin has that name.
            DuplicateKey: if a card that loads other code has the same key.
        """
        if card.name in self._cards:
            raise DuplicateName(self.kind, card.name, (self.origin(card.name), origin))
        for other, _ in self._cards.values():
            shared = other.key_or_name == card.key_or_name
            if shared and not other.loads_the_same(card):
                both = [(other.name, other.target), (card.name, card.target)]
                raise DuplicateKey(self.kind, card.key_or_name, both)
        self._cards[card.name] = card, origin

    def add_all(self, cards: Iterable[C], origin: str) -> None:
        """Add cards; see `add`."""
        for card in cards:
            self.add(card, origin)

    def __getitem__(self, name: str) -> C:
        """Look up a card.

        Raises:
            UnknownName: if no plugin offers it.
        """
        if name not in self._cards:
            raise UnknownName(
                self.kind,
                name,
                self.names,
                WHERE_FROM,
            )
        return self._cards[name][0]

    def bind(self, spec: Spec, nested: Bind = no_names) -> ConfiguredCard[C]:
        """Look up a card, and check the options typed after its name.

        Args:
            nested: Looks up the cards that options name.
        """
        return bind(self[spec.name], spec, nested)

    @property
    def names(self) -> list[str]:
        """Names of all cards."""
        return list(self._cards)

    def origin(self, name: str) -> str:
        """Return the plugin that a card comes from."""
        return self._cards[name][1]


class Plugins:
    """The cards of every plugin.

    Args:
        given: Plugins to use besides the installed ones. A file or module takes the
            place of an installed plugin whose module has the same name.
        settings: Settings whose own corpora are added; None for none.

    Attributes:
        named: Files and names of modules among the given plugins, which other processes
            can load.
        in_memory: Names of the given plugins that no other process can load.
        broken: Installed plugins that cannot be used, with the reason. They are
            skipped and reported, so that the command line works without them.

    Raises:
        BadSpec: if a named plugin cannot be loaded.
        DuplicateName: if two plugins offer one name.
        DuplicateKey: if two cards that load different code have one key.
        BadSettings: if the settings name an own corpus as something else is named.
    """

    def __init__(
        self,
        given: Sequence[Plugin] = (),
        settings: Settings | None = None,
        *,
        installed: bool = True,
    ) -> None:
        begin_anew()
        self.upstreams = Registry(UpstreamCard)
        self.downstreams = Registry(DownstreamCard)
        self.corpora = Registry(CorpusCard)
        self.noises = Registry(NoiseCard)
        self.enhancers = Registry(EnhancerCard)
        self.broken: dict[str, BaseException] = {}
        self.named: list[str] = []
        self.in_memory: list[str] = []

        self._manager = pluggy.PluginManager("nserbench")
        self._manager.add_hookspecs(hookspecs)
        for module in BUILT_IN:
            self._register(importlib.import_module(module), module, "built in")
        texts = [fspath(one) for one in given if isinstance(one, str | PathLike)]
        replaced = {text if text[-3:] != ".py" else Path(text).stem for text in texts}
        if installed:
            for entry in entry_points(group="nserbench"):
                if entry.module not in replaced:
                    self._register_installed(entry)
        for plugin in given:
            self._register_given(plugin)
        taken = [*self.corpora.names, *self.noises.names]
        settings = settings or Settings()
        refuse_alike_noises(settings, self.noises.names)
        self.corpora.add_all(own_corpora(settings, taken), OF_SETTINGS)

    def upstream(self, spec: Spec) -> ConfiguredCard[UpstreamCard]:
        """Look up an upstream, or several joined by ``+``.

        Raises:
            UnknownName: if a name or option is not known.
            BadSpec: if a value is not one that its option takes.
        """
        names = joined_names(spec.name)
        if spec.name in self.upstreams or len(names) == 1:
            return self.upstreams.bind(spec, self.bind)
        parts = [self.upstream(parse_spec(name)) for name in names]
        return combine(parts, spec, self.bind)

    def bind(self, kind: str, spec: Spec) -> ConfiguredCard[Any]:
        """Look up a card of any kind, and the cards that its options name.

        Args:
            kind: Kind of the card, such as ``upstream``.

        Raises:
            UnknownName: if a name or option is not known.
            BadSpec: if a value is not one that its option takes.
        """
        if kind == self.upstreams.kind:
            return self.upstream(spec)
        registries: tuple[Registry[Any], ...] = (self.downstreams, self.enhancers)
        by_kind = {registry.kind: registry for registry in registries}
        return by_kind[kind].bind(spec, self.bind)

    def cell_finished(self, result: Result) -> list[BaseException]:
        """Pass a cell's result to every plugin with that hook; return their errors.

        If one plugin fails, the others still get the result.
        """
        errors: list[BaseException] = []
        for hook in self._manager.hook.nserbench_cell_finished.get_hookimpls():
            try:
                with own_state():
                    hook.function(*[result][: len(hook.argnames)])
            except BaseException as error:
                if by_user(error):
                    raise
                errors.append(error)
        return errors

    @property
    def _registries(self) -> tuple[Registry[Any], ...]:
        return (
            *(self.upstreams, self.downstreams, self.corpora),
            *(self.noises, self.enhancers),
        )

    def _register(self, module: object, name: str, origin: str) -> None:
        """Add all cards of a plugin, or none if one of them cannot be used."""
        refuse_wrong_hooks(module)
        self._manager.register(module, name=name)
        hooks = self._manager.hook
        try:
            upstreams = _offer(hooks.nserbench_upstreams, name, self.upstreams)
            downstreams = _offer(hooks.nserbench_downstreams, name, self.downstreams)
            corpora = _offer(hooks.nserbench_corpora, name, self.corpora)
            noises = _offer(hooks.nserbench_noises, name, self.noises)
            enhancers = _offer(hooks.nserbench_enhancers, name, self.enhancers)
        except BaseException:
            self._manager.unregister(name=name)
            raise
        self.upstreams.add_all(upstreams, origin)
        self.downstreams.add_all(downstreams, origin)
        self.corpora.add_all(corpora, origin)
        self.noises.add_all(noises, origin)
        self.enhancers.add_all(enhancers, origin)

    def _register_installed(self, entry: EntryPoint) -> None:
        origin = f"{entry.dist.name} {entry.dist.version}" if entry.dist else ""
        try:
            with own_state():
                self._register(entry.load(), entry.value, origin or entry.value)
        except (DuplicateKey, DuplicateName):
            raise
        except BaseException as error:
            if by_user(error):
                raise
            self.broken[origin or entry.value] = error

    def _register_given(self, plugin: Plugin) -> None:
        name, in_file = _name_of(plugin), isinstance(plugin, str | PathLike)
        (self.named if in_file else self.in_memory).append(name)
        try:
            with own_state():
                if isinstance(plugin, Card):
                    self._add_card(plugin, name)
                else:
                    hooks = _load(name) if in_file else plugin
                    self._register(hooks, name, name)
                self._digest_sources(name)
        except (DuplicateKey, DuplicateName):
            raise
        except BaseException as error:
            if by_user(error):
                raise
            ours = isinstance(error, BadPlugin)
            reason = str(error) if ours else describe_error(error)
            raise BadSpec(f"plugin {name} cannot be used: {reason}") from error

    def _add_card(self, card: Card, origin: str) -> None:
        """Add a card that is given without a hook."""
        for registry in self._registries:
            if isinstance(card, registry.card):
                registry.add(card, origin)
                return
        raise TypeError(f"{type(card).__name__} is no kind of card that is known")

    def _digest_sources(self, origin: str) -> None:
        """Digest the code of a plugin's cards now, since its files may be edited."""
        for registry in (self.upstreams, self.downstreams, self.enhancers):
            for card in registry:
                if registry.origin(card.name) == origin:
                    source_digest(card.target)


def _name_of(plugin: object) -> str:
    """Return the path of a plugin, or the name that messages use for it."""
    if isinstance(plugin, str | PathLike):
        return fspath(plugin)
    if isinstance(plugin, Card):
        return f"{plugin.kind} {plugin.name}"
    return str(getattr(plugin, "__name__", type(plugin).__name__))


def _offer(hook: pluggy.HookCaller, plugin: str, registry: Registry[C]) -> list[C]:
    """Return the cards of one kind that one plugin offers."""
    # Not hook(): its result does not say which plugin a card comes from.
    cards: list[C] = []
    for implementation in hook.get_hookimpls():
        if implementation.plugin_name == plugin:
            cards += _cards_of(implementation.function(), hook.name, registry.card)
    return cards


def _cards_of(returned: object, hook: str, kind: type[C]) -> list[C]:
    """Return the cards that a hook returned.

    Raises:
        BadPlugin: if it returned something else than several cards of one kind.
    """
    if isinstance(returned, Card):
        raise BadPlugin(
            f"{hook} returns one {type(returned).__name__}, not a list of them\n"
            "  return [card]"
        )
    if not isinstance(returned, Iterable):
        raise BadPlugin(
            f"{hook} returns {returned!r}, not a list\n  return [] for no {kind.kind}"
        )
    cards = list(returned)
    for card in cards:
        if not isinstance(card, kind):
            raise BadPlugin(f"{hook} returns {card!r}, which is no {kind.__name__}")
    return cards


def _load(text: str) -> ModuleType:
    """Import a plugin from a Python file, or by the name of a module."""
    if not text.endswith(".py"):
        return importlib.import_module(text)
    path = Path(text)
    if not path.is_file():
        raise BadPlugin(f"{path} is not a file")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    # A card's load string names this module, or one in the same folder. The folder goes
    # last on the path, so that it hides no installed module.
    sys.modules[path.stem] = module
    if (folder := str(path.parent.resolve())) not in sys.path:
        sys.path.append(folder)
    spec.loader.exec_module(module)
    return module
