"""Features of several conditions as if they were one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from nserbench.benchmark.store.feature_store import FeatureReader
from nserbench.downstreams.base import Tier


class ConcatenatedFeatures:
    """Features of several extractions, read by keys that say of which.

    Args:
        parts: The extractions.
    """

    def __init__(self, parts: Sequence[FeatureReader]) -> None:
        self._parts = parts

    @staticmethod
    def keys(parts: Sequence[Sequence[str]]) -> list[str]:
        """Give the keys of all parts, one after another."""
        return [f"{place}/{key}" for place, keys in enumerate(parts) for key in keys]

    def read(self, tier: Tier, key: str, group: str, layers: range) -> NDArray[Any]:
        """Read some layers of a group of an utterance; see `Features.read`."""
        part, own = self._find(key)
        return part.read(tier, own, group, layers)

    def frames(self, key: str, group: str) -> int:
        """Give the valid frames of an utterance's group."""
        part, own = self._find(key)
        return part.frames(own, group)

    def _find(self, key: str) -> tuple[FeatureReader, str]:
        place, _, own = key.partition("/")
        return self._parts[int(place)], own
