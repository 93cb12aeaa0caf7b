"""Keep a store below a limit, by deleting what the running command reads no more."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from nserbench.benchmark.store.disk_sizes import (
    bytes_on_disk,
    folder_bytes,
    in_clusters,
)
from nserbench.benchmark.store.feature_store import PARTIAL, Store
from nserbench.benchmark.store.leases import living_leases
from nserbench.benchmark.store.whole_files import guarded
from nserbench.byte_sizes import size
from nserbench.errors import StoreFull

MARGIN = 1 << 20
"""Bytes that stay free for the ledger and for new folders."""
_STEP = 100
"""The store is measured anew whenever this part of the limit has been written."""


class Room:
    """The room that a store has below a limit.

    A *disposable* is a folder of features, of which the frames can be deleted, or a
    file of fine-tuned weights. Each is deleted only when its room is needed, and only
    if no other command uses it.

    Args:
        store: The store. All that is in it counts.
        limit: The most bytes that it may have.
        lease: File of the lease of this command.
    """

    def __init__(self, store: Store, limit: int, lease: Path | None = None) -> None:
        self.limit = limit
        self._store, self._lease = store, lease
        self._unused: dict[Path, None] = {}
        self._granted = 0

    def guard(self) -> AbstractContextManager[None]:
        """Ask for room before each file that this process writes to the store."""
        return guarded(self._store.root, self._reserve)

    @property
    def used(self) -> int:
        """What the store takes on disk now, in bytes."""
        return folder_bytes(self._store.root)

    @property
    def known(self) -> Collection[Path]:
        """The disposables that may be deleted."""
        return self._unused.keys()

    def dispose(self, disposables: Iterable[Path]) -> None:
        """Allow that disposables are deleted when room is needed.

        Frames are deleted first, since they are made again faster than weights.
        """
        every = {**self._unused, **dict.fromkeys(disposables)}
        self._unused = dict.fromkeys(sorted(every, key=is_weights))

    def disposable_bytes(self, path: Path) -> int:
        """Return what the deletion of a disposable would free, in bytes."""
        if is_weights(path):
            return sum(map(bytes_on_disk, _weights(path)))
        return self._store.features_in(path).size_of("frames")

    def in_use(self, paths: Iterable[Path]) -> set[Path]:
        """Return the paths that other commands use."""
        root = self._store.root
        leases = living_leases(root, besides=self._lease)
        return {path for path in paths if any(one.covers(path, root) for one in leases)}

    def make(self, count: int) -> int:
        """Delete disposables until some bytes fit; return how many fit then.

        Raises:
            StoreFull: if they do not fit although all disposables are deleted.
        """
        free = self._free
        if free < count:
            for path in self._deletable():
                self._delete(path)
                if (free := self._free) >= count:
                    break
            else:
                raise self._full(count)
        return free

    @property
    def _free(self) -> int:
        return self.limit - MARGIN - self.used

    def _reserve(self, count: int) -> None:
        needed = in_clusters(count)
        if needed > self._granted:
            step = max(needed, self.limit // _STEP)
            self._granted = min(self.make(needed), step)
        self._granted -= needed

    def _deletable(self) -> Iterator[Path]:
        used = self.in_use(self._unused)
        yield from [path for path in self._unused if path not in used]

    def _delete(self, path: Path) -> None:
        del self._unused[path]
        if is_weights(path):
            for file in _weights(path):
                file.unlink(missing_ok=True)
        else:
            self._store.features_in(path).delete("frames")

    def _full(self, count: int) -> StoreFull:
        kept = len(self.in_use(self._unused))
        why = (
            f"{kept} of its parts could be deleted, but another command uses them"
            if kept
            else "it holds nothing that could be deleted before this command ends"
        )
        return StoreFull(
            f"the store would grow over its limit of {size(self.limit)}: it has "
            f"{size(self.used)}, and {size(count)} more are needed\n  {why}\n  {HINT}"
        )


HINT = (
    "set a larger --store-limit, use fewer utterances (--limit), or delete what "
    "other commands have left (`nserbench store ls`, `nserbench store prune`)"
)
"""What to do about a store that is too large for its limit."""


def is_weights(path: Path) -> bool:
    """Return whether a disposable is a file of weights, and not features."""
    return path.parent.name == "tuned"


def _weights(path: Path) -> tuple[Path, Path]:
    """Return a file of fine-tuned weights, and that of the unfinished fine-tuning."""
    return path, path.with_suffix(PARTIAL)
