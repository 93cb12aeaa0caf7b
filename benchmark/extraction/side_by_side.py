"""The extractions that a head reads, each made and kept alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from nserbench.benchmark.extraction.clips import Clip
from nserbench.benchmark.extraction.extraction import Extraction
from nserbench.benchmark.store.digests import digest
from nserbench.benchmark.store.feature_store import FeatureReader, Features, Store
from nserbench.corpora.noise.mixing import Noise
from nserbench.downstreams.base import Tier

_AND = "+"  # between the keys of one utterance


@dataclass(frozen=True, slots=True)
class HeadInput:
    """What a head reads in one condition: mostly one extraction, or several.

    Attributes:
        parts: By what the names of their groups begin with; see `parts_of`. One that
            is alone stands under the empty name.
    """

    parts: Mapping[str, Extraction]

    @property
    def alone(self) -> Extraction:
        """The only one; it is an error to ask for it where there are more."""
        (one,) = self.parts.values()
        return one

    @property
    def identity(self) -> dict[str, object]:
        """All that decides the features of an utterance besides the utterance."""
        if "" in self.parts:
            return self.alone.identity
        return {name: one.identity for name, one in self.parts.items()}

    @property
    def words(self) -> Extraction | None:
        """Where the transcripts are; None where there are none, or two sorts of them.

        An upstream that reads what another beside it writes has the same.
        """
        found = [one.words for one in self.parts.values()]
        written = {digest(one.identity): one for one in found if one is not None}
        return None if len(written) != 1 else next(iter(written.values()))

    @property
    def noise(self) -> Noise | None:
        """What is laid under the speech; None for clean speech."""
        return next(iter(self.parts.values())).noise

    def keys(self, clips: Sequence[Clip]) -> list[str]:
        """Give the key of each utterance."""
        each = [one.keys(clips) for one in self.parts.values()]
        return [_AND.join(keys) for keys in zip(*each, strict=True)]

    def kept(self, store: Store) -> list[Features]:
        """Give where the features are, each place once, though two may share one."""
        ones = self.parts.values()
        return list(dict.fromkeys(store.features(one.identity) for one in ones))

    def features(self, store: Store) -> FeatureReader:
        """Open the features."""
        found = {name: store.features(one.identity) for name, one in self.parts.items()}
        return found[""] if "" in found else SideBySideFeatures(found)

    def tuned(self, file: Path) -> HeadInput:
        """Give the same of an upstream with other weights; see `Extraction.tuned`."""
        return HeadInput({"": self.alone.tuned(file)})


class SideBySideFeatures:
    """Features of several extractions: what is read of each is named after it.

    Args:
        parts: By what the names of their groups begin with.
    """

    def __init__(self, parts: Mapping[str, Features]) -> None:
        self._parts = parts
        self._places = {name: place for place, name in enumerate(parts)}

    def read(self, tier: Tier, key: str, group: str, layers: range) -> NDArray[Any]:
        """Read some layers of a group of an utterance; see `Features.read`."""
        part, own, name = self._find(key, group)
        return part.read(tier, own, name, layers)

    def frames(self, key: str, group: str) -> int:
        """Give the valid frames of an utterance's group."""
        part, own, name = self._find(key, group)
        return part.frames(own, name)

    def _find(self, key: str, group: str) -> tuple[Features, str, str]:
        """Give whose a group is, the utterance's key there, and the group's name."""
        name, _, own = group.partition(".")
        return self._parts[name], key.split(_AND)[self._places[name]], own
