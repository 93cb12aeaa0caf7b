"""Keep a store below a limit, by deleting what the running command reads no more."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal, NamedTuple

from nserbench.benchmark.store.disk_sizes import (
    bytes_on_disk,
    folder_bytes,
    in_clusters,
)
from nserbench.benchmark.store.feature_store import FRAME_FORMS, PARTIAL, Form, Store
from nserbench.benchmark.store.leases import living_leases
from nserbench.benchmark.store.whole_files import guarded
from nserbench.byte_sizes import size
from nserbench.errors import StoreFull

MARGIN = 1 << 20
"""Bytes that stay free for the ledger and for new folders."""
_STEP = 100
"""The store is measured anew whenever this part of the limit has been written."""


Kind = Form | Literal["weights"]
_ORDER: tuple[Kind, ...] = (*FRAME_FORMS, "weights", "pooled")
"""What is deleted first is made again fastest."""


class Disposable(NamedTuple):
    """What can be deleted once no job that is left uses it.

    Attributes:
        path: A folder of features, or a file of fine-tuned weights.
        kind: What is deleted: a form of the features, or the weights.
    """

    path: Path
    kind: Kind


class Room:
    """The room that a store has below a limit.

    A disposable is deleted only when its room is needed, and only if no other command
    uses it: frames first, then fine-tuned weights, then means over time.

    Args:
        store: The store. All that is in it counts.
        limit: The most bytes that it may have.
        lease: File of the lease of this command.
    """

    def __init__(self, store: Store, limit: int, lease: Path | None = None) -> None:
        self.limit = limit
        self._store, self._lease = store, lease
        self._unused: dict[Disposable, None] = {}
        self._granted = 0

    def guard(self) -> AbstractContextManager[None]:
        """Ask for room before each file that this process writes to the store."""
        return guarded(self._store.root, self._reserve)

    @property
    def used(self) -> int:
        """What the store takes on disk now, in bytes."""
        return folder_bytes(self._store.root)

    @property
    def known(self) -> Collection[Disposable]:
        """The disposables that may be deleted."""
        return self._unused.keys()

    def dispose(self, disposables: Iterable[Disposable]) -> None:
        """Allow that disposables are deleted when room is needed."""
        every = {**self._unused, **dict.fromkeys(disposables)}
        in_order = sorted(every, key=lambda one: _ORDER.index(one.kind))
        self._unused = dict.fromkeys(in_order)

    def disposable_bytes(self, one: Disposable) -> int:
        """Return what the deletion of a disposable would free, in bytes."""
        if one.kind == "weights":
            return sum(map(bytes_on_disk, _weights(one.path)))
        return self._store.features_in(one.path).size_of(one.kind)

    def in_use(self, disposables: Iterable[Disposable]) -> set[Disposable]:
        """Return the disposables that other commands use."""
        root = self._store.root
        leases = living_leases(root, besides=self._lease)
        return {
            one
            for one in disposables
            if any(lease.covers(one.path, root) for lease in leases)
        }

    def make(self, count: int) -> int:
        """Delete disposables until some bytes fit; return how many fit then.

        Raises:
            StoreFull: if they do not fit although all disposables are deleted.
        """
        free = self._free
        if free < count:
            for one in [*self._unused]:
                if self.in_use([one]):  # asked anew: others come and go
                    continue
                self._delete(one)
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

    def _delete(self, one: Disposable) -> None:
        del self._unused[one]
        if one.kind == "weights":
            for file in _weights(one.path):
                file.unlink(missing_ok=True)
        else:
            self._store.features_in(one.path).delete(one.kind)

    def _full(self, count: int) -> StoreFull:
        kept = len(self.in_use(self._unused))
        why = (
            f"{kept} of its parts could be deleted, but another command uses them"
            if kept
            else "it holds nothing that could be deleted before this command ends"
        )
        return StoreFull(
            f"the store would grow over its limit of {size(self.limit)}: it has "
            f"{size(self.used)}, and {size(count)} more are needed\n  {why}\n  {HINT}\n"
            "  finished cells are kept: the same command goes on from there"
        )


HINT = (
    "set a larger limit (--store-limit, NSERBENCH_STORE_LIMIT, or limit under [store] "
    "in the settings file), use fewer utterances (--limit), or delete what other "
    "commands have left (`nserbench store ls`, `nserbench store prune`)"
)
"""What to do about a store that is too large for its limit."""


def _weights(path: Path) -> tuple[Path, Path]:
    """Return a file of fine-tuned weights, and that of the unfinished fine-tuning."""
    return path, path.with_suffix(PARTIAL)
