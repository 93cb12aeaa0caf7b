"""Corpora and noises of the user's own, which the settings give a name."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from nserbench.cards import ConfiguredCard, Options, bind
from nserbench.corpora.base import Corpus, CorpusCard
from nserbench.corpora.cards import MANIFEST
from nserbench.errors import (
    BadCorpus,
    BadSettings,
    BadSpec,
    CorpusMissing,
    UnknownName,
)
from nserbench.settings import Settings
from nserbench.spec import Spec, letters, parse_spec

_NAME = re.compile(r"\w[\w.-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnCorpusCard(CorpusCard):
    """A manifest that the settings give a name."""

    def read(self, options: Options, settings: Settings) -> Corpus:
        """Read the corpus; what is wrong with it is told by its name.

        Raises:
            CorpusMissing: if its files are not on this machine.
            BadCorpus: if its files contradict each other.
        """
        try:
            return CorpusCard.read(self, options, settings)
        except (CorpusMissing, BadCorpus) as error:
            named = f"{settings.file}: {self.name!r} in [corpora]: {error}"
            raise type(error)(named) from error


def own_corpora(settings: Settings, taken: Collection[str]) -> list[CorpusCard]:
    """Return a card for each name of ``[corpora]``: a manifest with its options set.

    Args:
        taken: Names of the corpora and noises of nserbench and of plugins.

    Raises:
        BadSettings: if a name is taken or cannot be typed as a corpus, or what it
            stands for is no manifest.
    """
    names = [*taken, *settings.noises]
    cards = []
    for name, text in settings.corpora.items():
        cards.append(_card(name, text, settings.file, names))
        names.append(name)
    return cards


def refuse_alike_noises(settings: Settings, taken: Collection[str]) -> None:
    """Refuse noises whose names differ only in case: their results share a folder.

    On disks that do not tell case apart, one would replace the other's results.

    Args:
        taken: Names of the noises of nserbench and of plugins, which may be replaced.

    Raises:
        BadSettings: if there are two such names.
    """
    firsts = {name.casefold(): name for name in taken}
    for name in settings.noises:
        other = firsts.setdefault(name.casefold(), name)
        if other != name:
            raise BadSettings(
                f"{settings.file}: the noises {other!r} and {name!r} differ only in "
                "case\n  use another name"
            )


def _card(name: str, text: str, file: Path, taken: Collection[str]) -> CorpusCard:
    _refuse_name(name, file, taken)
    try:
        bound = _manifest(parse_spec(text))
    except (BadSpec, UnknownName) as error:
        raise BadSettings(f"{file}: {name!r} in [corpora]: {error}") from error
    options = {
        key: replace(option, default=_from(file.parent, bound.options[key]))
        for key, option in MANIFEST.all_options().items()
    }
    others: dict[str, Any] = {
        "name": name,
        "key": MANIFEST.key_or_name,
        "summary": f"your own corpus, listed in {bound.options['path'].name}",
        "options": options,
        "positional": None,
    }
    same = {field.name: getattr(MANIFEST, field.name) for field in fields(MANIFEST)}
    return OwnCorpusCard(**{**same, **others})


def _manifest(spec: Spec) -> ConfiguredCard[CorpusCard]:
    """Return the options of a manifest.

    Raises:
        BadSpec: if it is another corpus, which has a name already, or has no file.
    """
    if spec.name != MANIFEST.name:
        raise BadSpec(
            f"{str(spec)!r} is no list of recordings\n  write {MANIFEST.name}:path=FILE"
        )
    bound = bind(MANIFEST, spec)
    if bound.options["path"] is None:
        raise BadSpec(f"the file is missing\n  write {MANIFEST.name}:path=FILE")
    return bound


def _from(folder: Path, value: Any) -> Any:
    """Return a value; of a relative path the one that starts at a folder."""
    return folder / value if isinstance(value, Path) else value


def _refuse_name(name: str, file: Path, taken: Collection[str]) -> None:
    """Refuse a name that means something else, alone or with a noise after it."""
    if not _NAME.fullmatch(name):
        raise BadSettings(
            f"{file}: {name!r} in [corpora] cannot be the name of a corpus\n"
            "  use letters, digits, and - _ . between them"
        )
    for other in taken:
        if name == other:
            raise BadSettings(
                f"{file}: {name!r} in [corpora] is the name of another corpus or of a "
                "noise\n  use another name"
            )
        longer = name.startswith(f"{other}-") or other.startswith(f"{name}-")
        if longer or letters(name) == letters(other):
            raise BadSettings(
                f"{file}: the name {name!r} in [corpora] would be mistaken for "
                f"{other!r}, which another corpus or a noise has\n  use another name"
            )
