"""What the shards of a form hold of some utterances."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from nserbench.benchmark.store.layer_arrays import group_of, key_of
from nserbench.benchmark.store.shards import ArrayLocation


@dataclass(frozen=True, slots=True)
class ShardPart:
    """What a shard holds of some utterances.

    Attributes:
        facts: Metadata of the shard.
        share: The utterances as a fraction of those of the shard.
        size: Bytes of their arrays.
    """

    facts: Mapping[str, str]
    share: float
    size: int


def shard_parts(
    headers: Iterable[tuple[Mapping[str, ArrayLocation], Mapping[str, str]]],
    keys: Collection[str],
    groups: Collection[str] | None,
) -> list[ShardPart]:
    """Return what each shard holds of some utterances; see `Features.parts`.

    Args:
        headers: The arrays of each shard by name, and its metadata.
        keys: Keys of the utterances.
        groups: Names of the groups that are read; None for all.
    """
    seen: set[str] = set()
    parts = []
    for arrays, metadata in headers:
        named = {name for name in arrays if groups is None or group_of(name) in groups}
        mine = {name for name in named if key_of(name) in keys} - seen
        if mine:
            seen.update(mine)
            share = len(set(map(key_of, mine))) / len(set(map(key_of, named)))
            size = sum(arrays[name].end - arrays[name].start for name in mine)
            parts.append(ShardPart(metadata, share, size))
    return parts
