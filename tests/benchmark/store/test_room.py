from pathlib import Path

import numpy as np
import pytest

from nserbench.benchmark.store.feature_store import Features, Store
from nserbench.benchmark.store.leases import lease
from nserbench.benchmark.store.room import MARGIN, Disposable, Room
from nserbench.benchmark.store.whole_files import write_whole
from nserbench.errors import StoreFull

MEGABYTE = 1 << 20


def written(store: Store, name: str) -> Features:
    """Write 1 MB of frames, and a mean over time."""
    features = store.features({"name": name})
    features.write("frames", {"k": {"g": np.zeros((1, 1, MEGABYTE // 2), "f2")}}, {})
    features.write("pooled", {"k": {"g": np.zeros((1, 4), "f4")}}, {})
    return features


def frames(*every: Features) -> list[Disposable]:
    return [Disposable(features.folder, "frames") for features in every]


def tuned(store: Store) -> Path:
    file = store.tuned_file({"name": "tuned"})
    write_whole(file, bytes(MEGABYTE))
    return file


def full(store: Store, megabytes: int = 0) -> Room:
    """Return the room of a store that has room for some megabytes, and 64 kB more."""
    room = Room(store, 0)
    room.limit = room.used + MARGIN + megabytes * MEGABYTE + (1 << 16)
    return room


def test_frames_are_deleted_one_condition_at_a_time_and_means_stay(
    store: Store,
) -> None:
    first, second = written(store, "first"), written(store, "second")
    room = full(store)
    room.dispose(frames(first, second))

    room.make(MEGABYTE)

    assert not first.shards("frames")
    assert first.shards("pooled")
    assert second.shards("frames")
    assert first.keys("frames") == set()


def test_frames_are_deleted_before_weights_and_weights_before_means(
    store: Store,
) -> None:
    file, features = tuned(store), written(store, "first")
    room = full(store)
    room.dispose([Disposable(features.folder, "pooled"), Disposable(file, "weights")])
    room.dispose(frames(features))

    room.make(MEGABYTE)
    assert file.exists()
    room.make(2 * MEGABYTE)

    assert not file.exists()
    assert features.shards("pooled")
    with pytest.raises(StoreFull):
        room.make(3 * MEGABYTE)
    assert not features.shards("pooled")


def test_every_file_that_is_written_asks_for_room(store: Store) -> None:
    features = written(store, "first")
    room = full(store)
    room.dispose(frames(features))

    with room.guard():
        write_whole(store.root / "fits/head", bytes(MEGABYTE))
        assert not features.shards("frames")
        with pytest.raises(StoreFull, match="holds nothing that could be deleted"):
            write_whole(store.root / "fits/another", bytes(MEGABYTE))
    assert not (store.root / "fits/another").exists()
    write_whole(store.root / "fits/another", bytes(MEGABYTE))  # it asks no more


def test_many_small_files_do_not_go_over_the_limit_together(store: Store) -> None:
    room = full(store, megabytes=1)

    def write_many() -> None:
        for number in range(1000):
            write_whole(store.root / f"fits/{number}", bytes(100))

    with room.guard(), pytest.raises(StoreFull):
        write_many()

    assert room.limit - MARGIN - 8192 < room.used <= room.limit


def test_what_other_commands_use_is_kept_and_what_only_this_one_uses_is_not(
    store: Store,
) -> None:
    own, others = written(store, "own"), written(store, "others")
    with (
        lease(store.root, [own.folder, others.folder]) as file,
        lease(store.root, [others.folder]),
    ):
        room = Room(store, full(store).limit, file)
        room.dispose(frames(others, own))

        room.make(MEGABYTE)
        with pytest.raises(StoreFull, match="but another command uses them"):
            room.make(2 * MEGABYTE)

    assert not own.shards("frames")
    assert others.shards("frames")


def test_what_another_process_writes_counts(store: Store) -> None:
    room = full(store, megabytes=1)
    write_whole(store.root / "fits/of-another", bytes(MEGABYTE))

    with pytest.raises(StoreFull):
        room.make(MEGABYTE)
