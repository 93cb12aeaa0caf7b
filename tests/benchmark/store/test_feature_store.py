import os
import time
from pathlib import Path

import numpy as np
import pytest

from nserbench.benchmark.store.feature_store import Store

FACTS = {"seconds": "1.5", "upstream": "mel"}


def filled(root: Path, *keys: str, value: float = 1.0) -> Store:
    """Return a store with a shard of one extraction."""
    store = Store(root)
    states = {key: {"mel": np.full((1, 2), value, np.float32)} for key in keys}
    store.announce({"x": 1}).write("pooled", states, FACTS)
    return store


def test_two_processes_may_fill_one_store(tmp_path: Path) -> None:
    one, other = Store(tmp_path), Store(tmp_path)
    for store, key in ((one, "a"), (other, "b")):
        states = {key: {"mel": np.full((1, 2), ord(key), np.float32)}}
        store.announce({"x": 1}).write("pooled", states, FACTS)

    features = Store(tmp_path).features({"x": 1})

    assert features.keys("pooled") == {"a", "b"}
    assert features.read("pooled", "b", "mel", range(1))[0, 0] == ord("b")
    assert [facts["seconds"] for facts in features.facts()] == ["1.5", "1.5"]


def test_utterances_that_two_processes_extracted_at_once_cost_once(
    tmp_path: Path,
) -> None:
    for seconds in ("1.5", "2.5"):
        states = {"a": {"mel": np.ones((1, 2), np.float32)}}
        features = Store(tmp_path).announce({"x": 1})
        features.write("pooled", states, {"seconds": seconds})

    features = Store(tmp_path).features({"x": 1})

    assert len(features.shards("pooled")) == 2
    assert len(features.parts("pooled", ["a"])) == 1


def test_a_shard_counts_for_some_of_its_utterances_as_their_share(
    tmp_path: Path,
) -> None:
    features = Store(tmp_path).announce({"x": 1})
    for names in ("abcd", "ef"):
        states = {
            name: {group: np.ones((1, 2), np.float32) for group in ("mel", "other")}
            for name in names
        }
        features.write("pooled", states, {"seconds": names})

    parts = Store(tmp_path).features({"x": 1}).parts("pooled", {"a", "e"}, {"mel"})

    found = {part.facts["seconds"]: (part.share, part.size) for part in parts}
    assert found == {"abcd": (0.25, 8), "ef": (0.5, 8)}
    assert Store(tmp_path).features({"x": 1}).size_for({"a", "e"}) == 32
    assert Store(tmp_path).features({"x": 1}).parts("pooled", {"z"}) == []


def test_a_damaged_shard_is_set_aside_and_its_utterances_are_missing(
    tmp_path: Path,
) -> None:
    whole = filled(tmp_path, "a").features({"x": 1}).shards("pooled")
    filled(tmp_path, "b")
    features = Store(tmp_path, (notes := list[str]()).append).features({"x": 1})
    (damaged,) = set(features.shards("pooled")) - set(whole)
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"!")

    features.check("pooled")

    assert features.keys("pooled") == {"a"}
    assert features.shards("pooled") == whole
    (note,) = notes
    assert note.startswith(f"{damaged} has changed since it was written: moved to ")
    assert len(list(features.folder.glob("*.damaged-*"))) == 1


def test_a_shard_is_checked_before_its_first_use_and_not_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(tmp_path, "a")
    checked: list[Path] = []
    monkeypatch.setattr(
        "nserbench.benchmark.store.feature_store.check_shard", checked.append
    )
    store = Store(tmp_path)

    assert store.features({"x": 1}).keys("pooled") == {"a"}
    assert not checked
    for _ in range(2):
        store.features({"x": 1}).read("pooled", "a", "mel", range(1))

    assert len(checked) == 1


def test_a_store_lists_features_whose_description_is_lost(tmp_path: Path) -> None:
    filled(tmp_path, "a").features({"x": 1}).folder.joinpath("about.json").unlink()

    (features,) = Store(tmp_path).all_features()

    assert features.label("upstream") == "mel"
    assert features.label("condition") == "?"


@pytest.mark.parametrize("folder", ["fits", "features/0123", "leaderboard"])
def test_temporary_files_are_deleted_when_the_disk_says_that_they_are_a_day_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 10 * 86_400)
    (tmp_path / folder).mkdir(parents=True)
    old, new = tmp_path / folder / ".old", tmp_path / folder / ".new"
    new.touch()
    old.touch()
    os.utime(old, (now - 90_000, now - 90_000))

    Store(tmp_path).sweep()

    assert [*(tmp_path / folder).iterdir()] == [new]
