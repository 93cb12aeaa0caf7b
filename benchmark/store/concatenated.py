"""Read the features of several conditions as one set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from nserbench.benchmark.store.feature_store import FeatureReader, Form


class ConcatenatedFeatures:
    """Features of several extractions, whose keys begin with the extraction's number.

    Args:
        parts: The features of each extraction.
    """

    def __init__(self, parts: Sequence[FeatureReader]) -> None:
        self._parts = parts

    @staticmethod
    def keys(parts: Sequence[Sequence[str]]) -> list[str]:
        """Return the keys of all parts, one part after another."""
        return [f"{index}/{key}" for index, keys in enumerate(parts) for key in keys]

    def read(self, form: Form, key: str, group: str, layers: range) -> NDArray[Any]:
        """Read some layers of a group of an utterance; see `Features.read`."""
        part, part_key = self._find(key)
        return part.read(form, part_key, group, layers)

    def frames(self, form: Form, key: str, group: str, layers: range) -> int:
        """Return the number of valid frames that `read` returns."""
        part, part_key = self._find(key)
        return part.frames(form, part_key, group, layers)

    def _find(self, key: str) -> tuple[FeatureReader, str]:
        index, _, part_key = key.partition("/")
        return self._parts[int(index)], part_key
