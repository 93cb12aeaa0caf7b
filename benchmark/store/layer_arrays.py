"""Arrays in the store, found by their name and by the layers that they hold."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from nserbench.benchmark.store.shards import ArrayLocation

_FROM = re.compile(r"(.+)/from (\d+)(.*)")


def stored_name(group: str, layers: range, count: int) -> str:
    """Return the name under which some layers of a group are stored.

    All of them have the group's name alone. Versions of nserbench that know of nothing
    else do not find the other name, so that they never take one layer for another.

    Args:
        group: Name of the group.
        layers: Consecutive layers, counted from 0.
        count: Number of layers of the group.
    """
    return group if len(layers) == count else f"{group}/from {layers.start}"


def group_of(stored: str) -> str:
    """Return the group of an array, from its name in a shard's header.

    Examples:
        >>> group_of("key/encoder/from 1"), group_of("key/encoder")
        ('encoder', 'encoder')
    """
    return _split(stored)[0].partition("/")[2]


def key_of(stored: str) -> str:
    """Return the key of an array's utterance, from its name in a shard's header."""
    return stored.partition("/")[0]


def _split(stored: str) -> tuple[str, int]:
    """Return the name of an array without its first layer, and this layer."""
    found = _FROM.fullmatch(stored)
    return (found[1] + found[3], int(found[2])) if found else (stored, 0)


class LayerArrays:
    """Positions of arrays in shards, by name and by the layers that each holds.

    Several arrays may hold the same layers. What is read together comes from one of
    them, and so from one pass: on a GPU two passes may differ in rounding, and a
    decoder in its tokens. Layers are counted from 0.
    """

    def __init__(self) -> None:
        self._arrays: dict[str, dict[range, ArrayLocation]] = {}

    def __iter__(self) -> Iterator[str]:
        """Yield the names, ``key/group``."""
        return iter(self._arrays)

    def add(self, arrays: Mapping[str, ArrayLocation]) -> None:
        """Add the arrays of a shard, which are given by the names in its header."""
        for stored, array in arrays.items():
            name, first = _split(stored)
            held = range(first, first + sum(array.shape[:1]))
            self._arrays.setdefault(name, {})[held] = array

    def holds(self, key: str, group: str, layers: range) -> bool:
        """Return whether one array holds all of some layers."""
        return any(_covers(h, layers) for h in self._arrays.get(f"{key}/{group}", ()))

    def find(self, key: str, group: str, layers: range) -> tuple[ArrayLocation, int]:
        """Return an array that holds some layers, and its first layer.

        Of several it is the one with the most layers, so that it is of the same pass
        whenever the same layers are asked for.

        Raises:
            KeyError: if no array holds them.
        """
        arrays = self._arrays[f"{key}/{group}"]
        covering = [held for held in arrays if _covers(held, layers)]
        if not covering:
            raise KeyError(f"{key}/{group}: layers {layers}, of {[*arrays]}")
        held = max(covering, key=lambda one: (len(one), one.start))
        return arrays[held], held.start


def _covers(held: range, layers: range) -> bool:
    return held.start <= layers.start and layers.stop <= held.stop
