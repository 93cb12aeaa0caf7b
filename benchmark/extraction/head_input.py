"""Features of several upstreams under one head, each extracted and stored alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from numpy.typing import NDArray

from nserbench.benchmark.extraction.clips import Clip
from nserbench.benchmark.extraction.identity import Extraction
from nserbench.benchmark.store.digests import digest
from nserbench.benchmark.store.feature_store import (
    FeatureReader,
    Features,
    Form,
    Store,
)
from nserbench.benchmark.store.shard_parts import ShardPart
from nserbench.corpora.noise.mixing import Noise

T = TypeVar("T")

_AND = "+"  # between the keys of one utterance


@dataclass(frozen=True, slots=True)
class HeadInput:
    """The extractions that a head reads in one condition, most often a single one.

    Attributes:
        parts: Extractions by the prefix of their groups' names; see `parts_of`. The
            prefix of a single extraction is empty.
    """

    parts: Mapping[str, Extraction]

    @property
    def alone(self) -> Extraction:
        """The single extraction.

        Raises:
            ValueError: if there are several.
        """
        (extraction,) = self.parts.values()
        return extraction

    @property
    def identity(self) -> dict[str, object]:
        """Everything that determines the features, apart from the utterance."""
        if "" in self.parts:
            return self.alone.identity
        return {name: part.identity for name, part in self.parts.items()}

    @property
    def cards(self) -> dict[str, list[dict[str, object]]]:
        """What identifies the models of each part, but for their weights."""
        return {name: part.cards for name, part in self.parts.items()}

    @property
    def reads_audio(self) -> bool:
        """Whether a part reads audio, or a transcript of it."""
        return any(
            part.card.reads_audio or part.transcripts is not None
            for part in self.parts.values()
        )

    @property
    def transcript_source(self) -> Extraction | None:
        """Extraction of the transcripts; None if there are none, or of two upstreams.

        An upstream that writes transcripts and one that reads them share them.
        """
        sources = [part.transcript_source for part in self.parts.values()]
        distinct = {digest(source.identity): source for source in sources if source}
        return next(iter(distinct.values())) if len(distinct) == 1 else None

    @property
    def noise(self) -> Noise | None:
        """Noise added to the speech; None for clean speech."""
        return next(iter(self.parts.values())).noise

    def noise_segments(self, clips: Sequence[Clip]) -> str | None:
        """Return the digest of the noise added to the clips; None if there is none."""
        by_part = (part.noise_segments(clips) for part in self.parts.values())
        return next(filter(None, by_part), None)

    def keys(self, clips: Sequence[Clip]) -> list[str]:
        """Return the key of each utterance."""
        by_part = [part.keys(clips) for part in self.parts.values()]
        return [_AND.join(keys) for keys in zip(*by_part, strict=True)]

    def own_groups(self, groups: Mapping[str, T]) -> dict[str, dict[str, T]]:
        """Return the groups of each part under their own names, by the part's prefix.

        Args:
            groups: What is known of each group, by its name as a head reads it.
        """
        if "" in self.parts:
            return {"": dict(groups)}
        own: dict[str, dict[str, T]] = {name: {} for name in self.parts}
        for group, known in groups.items():
            part, _, name = group.partition(".")
            own[part][name] = known
        return own

    def stored_parts(
        self, store: Store, groups: Mapping[str, object], clips: Sequence[Clip]
    ) -> list[list[ShardPart]]:
        """Return what is stored as means over time of some clips, by extraction.

        Features that two extractions share are there once.

        Args:
            store: Where the features are.
            groups: The groups by their names as a head reads them.
            clips: The clips.
        """
        return [
            features.parts("pooled", keys, own)
            for features, (own, keys) in self._read(store, groups, clips).items()
        ]

    def stored_bytes(
        self, store: Store, groups: Mapping[str, object], clips: Sequence[Clip]
    ) -> int:
        """Return the bytes of all that is stored of some clips; see `stored_parts`."""
        read = self._read(store, groups, clips)
        return sum(features.size_for(keys) for features, (_, keys) in read.items())

    def _read(
        self, store: Store, groups: Mapping[str, object], clips: Sequence[Clip]
    ) -> dict[Features, tuple[set[str], set[str]]]:
        """Return the groups and keys that are read of each of the stored features."""
        read: dict[Features, tuple[set[str], set[str]]] = {}
        for name, own in self.own_groups(groups).items():
            part = self.parts[name]
            features = store.features(part.identity)
            read.setdefault(features, (set(), set(part.keys(clips))))[0].update(own)
        return read

    def folders(self, store: Store) -> set[Path]:
        """Return the folders of the store that hold features and transcripts."""
        parts = self.parts.values()
        every = [*parts, *(part.transcripts for part in parts)]
        known = [part.identity for part in every if part is not None]
        return {store.features(identity).folder for identity in known}

    def features(self, store: Store) -> FeatureReader:
        """Open the stored features."""
        parts = {name: store.features(p.identity) for name, p in self.parts.items()}
        return parts[""] if "" in parts else SideBySideFeatures(parts)

    def tuned(self, file: Path) -> HeadInput:
        """Return the same input with fine-tuned weights; see `Extraction.tuned`."""
        return HeadInput({"": self.alone.tuned(file)})


class SideBySideFeatures:
    """Features of several extractions, whose group names begin with the extraction."""

    def __init__(self, parts: Mapping[str, Features]) -> None:
        self._parts = parts
        self._index = {name: index for index, name in enumerate(parts)}

    def read(self, form: Form, key: str, group: str, layers: range) -> NDArray[Any]:
        """Read some layers of a group of an utterance; see `Features.read`."""
        part, part_key, part_group = self._find(key, group)
        return part.read(form, part_key, part_group, layers)

    def frames(self, form: Form, key: str, group: str, layers: range) -> int:
        """Return the number of valid frames that `read` returns."""
        part, part_key, part_group = self._find(key, group)
        return part.frames(form, part_key, part_group, layers)

    def _find(self, key: str, group: str) -> tuple[Features, str, str]:
        """Return the features that have a group, and the key and group name there."""
        name, _, part_group = group.partition(".")
        return self._parts[name], key.split(_AND)[self._index[name]], part_group
