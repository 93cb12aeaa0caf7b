"""How utterances are put into batches, and which batches are run at once."""

import dataclasses
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nserbench.benchmark.extraction.batches import (
    Concurrency,
    LoadedModels,
    _batches,
    _pool,
    concurrency,
)
from nserbench.benchmark.extraction.clips import Clip
from nserbench.benchmark.extraction.identity import Extraction
from nserbench.benchmark.jobs.job import Job
from nserbench.benchmark.store.feature_store import Features, Store
from nserbench.corpora.base import Utterance
from nserbench.corpora.levels import Levels
from nserbench.upstreams.base import Batch, LayeredFeatures, LayerGroup
from nserbench.upstreams.enhancement.base import Enhancer
from nserbench.upstreams.mel import Mel

MINUTE = 60 * 16_000


def shard(*sizes: int) -> list[tuple[str, Clip]]:
    part = Utterance(id="u", path=Path("u.wav"), label="a", speaker="s", fold="1")
    levels = Levels(1.0, 1.0, 1.0)
    return [(f"k{n}", Clip(part, "", size, levels)) for n, size in enumerate(sizes)]


def sizes(*clips: int, longest: int | None = None) -> list[int]:
    return [len(batch) for batch in _batches(shard(*clips), 4, longest)]


def test_short_clips_fill_whole_batches() -> None:
    assert sizes(*[16_000] * 10) == [4, 4, 2]


def test_few_clips_are_padded_to_a_long_one() -> None:
    assert sizes(16_000, 16_000, 40 * MINUTE, 16_000, 16_000) == [2, 1, 2]
    assert sizes(16_000, 3 * MINUTE, 16_000, 16_000) == [2, 2]


def test_a_clip_that_is_cut_counts_as_cut() -> None:
    assert sizes(*[40 * MINUTE] * 4, longest=MINUTE // 2) == [4]


def test_every_utterance_is_in_one_batch_in_order() -> None:
    clips = shard(16_000, 40 * MINUTE, 9 * MINUTE, 3 * MINUTE, 16_000, 16_000)

    joined = [key for batch in _batches(clips, 4, None) for key, _ in batch]

    assert joined == [key for key, _ in clips]


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[threading.Thread]]:
    """Let torch use three threads; return the set of threads in which mel runs."""
    seen = set[threading.Thread]()
    forward, before = Mel.forward, torch.get_num_threads()

    def noted(self: Mel, batch: Batch) -> LayeredFeatures:
        seen.add(threading.current_thread())
        return forward(self, batch)

    monkeypatch.setattr(Mel, "forward", noted)
    torch.set_num_threads(3)
    yield seen
    torch.set_num_threads(before)


def everything(features: Features, job: Job) -> list[Any]:
    return [
        features.read(tier, key, "mel", range(1))
        for tier in ("pooled", "frames")
        for key in job.keys
    ]


def test_side_by_side_features_are_equal_to_the_bit(
    prepared: Callable[..., list[Job]],
    fill: Callable[[Job, Store], Features],
    threads: set[threading.Thread],
    tmp_path: Path,
) -> None:
    (job,) = prepared(noises=["hiss"], snrs=[0.0])

    shared = fill(job, Store(tmp_path / "shared"))
    torch.set_num_threads(1)
    alone = fill(job, Store(tmp_path / "alone"))

    assert len(threads) > 1
    for one, other in zip(everything(shared, job), everything(alone, job), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("safe", [True, False])
def test_an_error_that_ends_loops_is_not_taken_for_the_end(
    safe: bool,
    prepared: Callable[..., list[Job]],
    fill: Callable[[Job, Store], Features],
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stop(self: Mel, batch: Batch) -> LayeredFeatures:
        raise StopIteration("that was all")

    monkeypatch.setattr(Mel, "forward", stop)
    monkeypatch.setattr(Mel, "thread_safe", safe)
    (job,) = prepared()

    with pytest.raises(StopIteration, match="that was all") as raised:
        fill(job, store)

    assert raised.traceback[-1].name == "stop"


def test_an_upstream_that_is_not_thread_safe_stays_in_the_main_thread(
    prepared: Callable[..., list[Job]],
    fill: Callable[[Job, Store], Features],
    threads: set[threading.Thread],
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Mel, "thread_safe", False)
    (job,) = prepared()

    fill(job, store)

    assert threads == {threading.main_thread()}


@pytest.mark.usefixtures("twelve_threads")
def test_a_subclass_has_to_say_itself_that_it_is_thread_safe(
    prepared: Callable[..., list[Job]],
) -> None:
    class Silent(Mel):
        pass

    class Said(Mel):
        thread_safe = True

    (job,) = prepared()

    def side_by_side(kind: type[Mel]) -> bool:
        loaded = LoadedModels(kind({}, "cpu"), None)
        return concurrency(job.extraction.alone, loaded, job.clips).side_by_side

    assert [side_by_side(kind) for kind in (Mel, Silent, Said)] == [True, False, True]


class Plain(Enhancer):
    def separate(self, wave: Any) -> Any:
        return wave


@pytest.fixture
def twelve_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(12)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("twelve_threads")
def test_an_enhancer_that_is_not_thread_safe_takes_one_clip_at_a_time(
    prepared: Callable[..., list[Job]], monkeypatch: pytest.MonkeyPatch
) -> None:
    (job,) = prepared()
    loaded = LoadedModels(Mel({}, "cpu"), Plain({}, "cpu"))

    def found() -> Concurrency:
        return concurrency(job.extraction.alone, loaded, job.clips)

    assert found() == Concurrency(False, 1, 12, most=1)
    monkeypatch.setattr(Plain, "thread_safe", True)
    assert found() == Concurrency(True, 12, 1, most=1)


@pytest.mark.usefixtures("twelve_threads")
@pytest.mark.parametrize(("threads", "each"), [(12, 1), (40, 2)])
def test_long_clips_are_fewer_at_once_in_as_many_threads_each(
    threads: int, each: int, prepared: Callable[..., list[Job]]
) -> None:
    torch.set_num_threads(threads)
    (job,) = prepared()
    extraction, loaded = job.extraction.alone, LoadedModels(Mel({}, "cpu"), None)
    bound = extraction.upstream.bound
    card = dataclasses.replace(bound.card, max_samples=MINUTE // 2)
    model = dataclasses.replace(
        extraction.upstream, bound=dataclasses.replace(bound, card=card)
    )
    cut = dataclasses.replace(extraction, upstream=model)

    def found(minutes: float, extraction: Extraction = extraction) -> Concurrency:
        clips = [clip for _, clip in shard(16_000, int(minutes * MINUTE))]
        return concurrency(extraction, loaded, clips)

    most = min(threads, 16)
    every = [found(minutes) for minutes in (0.1, 0.5, 1, 4, 8, 60)]
    assert [one.at_once for one in every] == [most, most, 8, 2, 1, 1]
    assert {(one.side_by_side, one.each) for one in every} == {(True, each)}
    assert found(60, cut) == Concurrency(True, most, each, most=1)


@pytest.mark.parametrize(
    ("threads", "expected"), [(1, 8), (2, 8), (3, 5), (8, 2), (12, 1), (40, 1)]
)
def test_more_threads_have_smaller_batches_and_no_more_memory(
    threads: int,
    expected: int,
    prepared: Callable[..., list[Job]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (job,) = prepared()
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    extraction, loaded = job.extraction.alone, LoadedModels(Mel({}, "cpu"), None)
    bound = extraction.upstream.bound
    card = dataclasses.replace(bound.card, batch=8)
    model = dataclasses.replace(
        extraction.upstream, bound=dataclasses.replace(bound, card=card)
    )

    used = concurrency(
        dataclasses.replace(extraction, upstream=model), loaded, job.clips
    )

    assert used.most == expected
    assert used.at_once * used.most <= 16
    assert used.at_once * used.each <= threads


@pytest.mark.parametrize(
    ("clips", "size", "threads"),
    [(1, 1, 2), (2, 1, 4), (11, 6, 4), (20, 5, 4), (32, 8, 4)],
)
def test_few_clips_are_shared_among_all_threads(
    clips: int, size: int, threads: int
) -> None:
    used = Concurrency(True, 2, 2, most=8)

    assert (used.size_of(clips), used.threads_for(clips)) == (size, threads)


def test_means_over_time_do_not_depend_on_the_memory_of_the_batch() -> None:
    rng = torch.Generator().manual_seed(0)
    clips = [torch.randn(3, frames, 12, generator=rng) for frames in (70, 57)]
    padded = LayerGroup.pad(clips).states[:, 1, :57]

    assert np.array_equal(_pool(padded), _pool(clips[1]))
