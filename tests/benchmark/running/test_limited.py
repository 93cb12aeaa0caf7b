import os
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence

from nserbench.benchmark.extraction import extract as extraction
from nserbench.benchmark.plugins.registry import Plugins
from nserbench.benchmark.results.result import PREDICTIONS
from nserbench.benchmark.running.runner import Runner
from nserbench.benchmark.store.leases import lease
from nserbench.benchmark.store.room import MARGIN
from nserbench.benchmark.study.study import Study
from nserbench.downstreams.base import DownstreamCard
from nserbench.errors import NserbenchError, StoreFull
from nserbench.upstreams.base import (
    Batch,
    LayeredFeatures,
    LayerGroup,
    Upstream,
    UpstreamCard,
)
from nserbench.upstreams.groups import Groups, GroupSpec

Ask = Callable[..., Study]
HOP, LAYERS, DIM = 160, 5, 200
SNRS = [5.0, 0.0, -5.0]
FRAMES = 24 * 28 * LAYERS * DIM * 2
"""Least bytes of the frames of a condition: 24 clips of 28 frames or more."""


class Tall(Upstream):
    """Waves of 10 ms as frames that are wide, so that they take room on disk."""

    passed: ClassVar[list[str]] = []

    def forward(self, batch: Batch) -> LayeredFeatures:
        """Return the group ``tall``, and note ids of utterances."""
        Tall.passed += batch.ids
        waves = [torch.as_tensor(wave).unfold(0, HOP, HOP) for wave in batch.waves]
        frames = pad_sequence([one.repeat(1, 2)[:, :DIM] for one in waves], True)
        lengths = torch.tensor([len(one) for one in waves])
        states = torch.stack([frames.cos() * layer for layer in range(LAYERS)])
        return {"tall": LayerGroup(states, lengths)}


class Loudest(nn.Module):
    """A small head on frames: the largest value of each dimension over time."""

    def __init__(self, groups: Groups, classes: int, options: object) -> None:
        super().__init__()
        self.classify = nn.Linear(groups["tall"].dim, classes)

    def forward(self, features: LayeredFeatures) -> torch.Tensor:
        """Return the logits, ``(batch, classes)``."""
        logits: torch.Tensor = self.classify(features["tall"].states.mean(0).amax(1))
        return logits


@pytest.fixture(autouse=True)
def tall(
    plugins: Plugins,
    offer: Callable[[str, object], str],
    monkeypatch: pytest.MonkeyPatch,
) -> list[str]:
    """Add ``tall`` and ``loudest``; return the utterances of all passes."""
    passed: list[str] = []
    monkeypatch.setattr(Tall, "passed", passed)
    card = UpstreamCard(
        name="tall",
        summary="",
        source="",
        licence="",
        load=offer("Tall", Tall),
        groups={"tall": GroupSpec(range(LAYERS), dim=DIM, rate=100.0)},
        min_samples=HOP,
    )
    plugins.upstreams.add(card, "the test")
    head = DownstreamCard(
        name="loudest",
        summary="",
        source="",
        licence="",
        load=offer("Loudest", Loudest),
        tier="frames",
    )
    plugins.downstreams.add(head, "the test")
    return passed


@pytest.fixture
def blocks(
    ask: Ask, make_notes: Callable[..., Path], tmp_path: Path
) -> Callable[..., list[Study]]:
    """Return a function that makes two blocks on the same noisy speech.

    As in the paper's fourth experiment, one has a head on frames, the other a head on
    means over time.
    """
    corpus = make_notes(tmp_path / "long", seconds=(0.3, 0.34))

    def make(*heads: str, **said: Any) -> list[Study]:
        given = {
            "upstreams": ["tall"],
            "corpora": [f"manifest:path={corpus}"],
            "noises": ["hiss"],
            "snrs": SNRS,
            "epochs": 1,
        }
        heads = heads or ("loudest", "mean")
        return [ask(downstreams=[head], **given | said) for head in heads]

    return make


@pytest.fixture
def largest(monkeypatch: pytest.MonkeyPatch) -> Counter[Path]:
    """Return the largest size of each store while any of its files was written."""
    found: Counter[Path] = Counter()
    sync = os.fsync

    def measured(descriptor: int) -> None:
        sync(descriptor)
        written = Path(f"/proc/self/fd/{descriptor}").readlink()
        for store in (one for one in written.parents if one.name == "store"):
            every = [path.stat() for path in store.rglob("*")]
            sizes = sum(one.st_size for one in every)
            blocks = sum(512 * one.st_blocks for one in every)
            found[store] = max(found[store], sizes, blocks)

    monkeypatch.setattr(os, "fsync", measured)
    return found


def predictions(runner: Runner) -> dict[str, bytes]:
    files = runner.results.glob(f"*/{PREDICTIONS}")
    return {file.parent.name: file.read_bytes() for file in files}


def frames_of(runner: Runner) -> list[Path]:
    return list(runner.store.root.glob("features/*/frames*-*"))


def limited(runner: Runner, conditions: float) -> Runner:
    """Limit a runner's store to the frames of some conditions, and a little more."""
    runner.limit = int(conditions * FRAMES) + 2 * MARGIN
    return runner


@pytest.mark.parametrize(("protocol", "part"), [("paper", 1), ("paper+frames=int8", 2)])
def test_results_under_a_limit_are_equal_and_the_store_stays_below_it(
    protocol: str,
    part: int,
    blocks: Callable[..., list[Study]],
    runner_in: Callable[[Path], Runner],
    tmp_path: Path,
    largest: Counter[Path],
    tall: list[str],
) -> None:
    free, bound = runner_in(tmp_path / "free"), runner_in(tmp_path / "bound")
    said = {"protocol": protocol}
    free.run(*blocks(**said), *blocks("loudest", seeds=[1], **said))
    passes = len(tall)
    tall.clear()

    grid = [*blocks(**said), *blocks("loudest", seeds=[1], **said)]
    report = limited(bound, 1.3 / part).run(*grid)

    assert report.outcomes == {"done": 9, "already there": 0}
    assert predictions(bound) == predictions(free)
    assert len(predictions(bound)) == 9
    assert len(tall) == passes  # one pass for each condition
    assert bound.limit is not None
    assert largest[bound.store.root] <= bound.limit < largest[free.store.root]
    assert len({file.parent for file in frames_of(bound)}) == 1
    pooled = bound.store.root.glob("features/*/pooled-*")
    assert len({file.parent for file in pooled}) == 3


def test_without_need_of_room_nothing_is_deleted(
    blocks: Callable[..., list[Study]], runner: Runner
) -> None:
    limited(runner, 10).run(*blocks())

    assert len({file.parent for file in frames_of(runner)}) == 3


def test_the_refusal_tells_what_the_store_has_from_what_the_command_adds(
    blocks: Callable[..., list[Study]], runner: Runner
) -> None:
    (runner.store.root / "demo").mkdir(parents=True)
    (runner.store.root / "demo" / "a.wav").write_bytes(bytes(30_000_000))
    runner.limit = 20_000_000

    with pytest.raises(StoreFull, match=r"and 30\.\d MB that the store has already\n"):
        runner.run(*blocks())


def test_a_limit_below_one_condition_is_refused_before_anything_is_extracted(
    blocks: Callable[..., list[Study]], runner: Runner, tall: list[str]
) -> None:
    runner.limit = FRAMES // 2 + MARGIN

    with pytest.raises(
        StoreFull, match=r"(?s)needs at least .* in hiss@-5: "
    ) as raised:
        runner.run(*blocks())

    assert "set a larger limit (--store-limit, " in str(raised.value)
    assert not tall
    assert not list(runner.results.iterdir())


def test_a_condition_that_every_head_is_trained_on_stays_while_it_is_read(
    blocks: Callable[..., list[Study]],
    runner_in: Callable[[Path], Runner],
    tmp_path: Path,
    largest: Counter[Path],
    tall: list[str],
) -> None:
    said = {"protocol": "clean-train"}
    free, bound = runner_in(tmp_path / "free"), runner_in(tmp_path / "bound")
    free.run(*blocks(**said))
    passes = len(tall)
    tall.clear()

    limited(bound, 2.3).run(*blocks(**said))

    assert predictions(bound) == predictions(free)
    assert len(tall) == passes
    assert bound.limit is not None
    assert largest[bound.store.root] <= bound.limit < largest[free.store.root]
    with pytest.raises(StoreFull):
        limited(runner_in(tmp_path / "less"), 1.3).run(*blocks(**said))


def test_a_run_that_was_stopped_goes_on_and_extracts_only_what_is_still_read(
    blocks: Callable[..., list[Study]],
    runner: Runner,
    runner_in: Callable[[Path], Runner],
    tmp_path: Path,
    tall: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stop_in_the_third(*args: Any) -> None:
        passes.append(args)
        if len(passes) == 3:
            signal.raise_signal(signal.SIGINT)
        extract(*args)

    extract, passes = extraction.extract, list[Any]()
    monkeypatch.setattr(extraction, "extract", stop_in_the_third)
    with pytest.raises(KeyboardInterrupt):
        limited(runner, 1.3).run(*blocks())
    monkeypatch.setattr(extraction, "extract", extract)
    tall.clear()

    again = runner_in(tmp_path)  # a new process has no memory of the first
    report = limited(again, 1.3).run(*blocks())

    assert report.outcomes == {"done": 2, "already there": 4}
    assert len(tall) == 24  # one condition
    free = runner_in(tmp_path / "free")
    free.run(*blocks())
    assert predictions(again) == predictions(free)


def test_frames_that_another_command_uses_are_kept(
    blocks: Callable[..., list[Study]], runner: Runner, tall: list[str]
) -> None:
    runner.run(*blocks(snrs=SNRS[:1]))
    (used,) = {file.parent for file in frames_of(runner)}

    with lease(runner.store.root, [used]), pytest.raises(StoreFull, match="needs at"):
        limited(runner, 1.3).run(*blocks())
    assert frames_of(runner)
    limited(runner, 1.3).run(*blocks())

    assert not list(used.glob("frames-*"))


def test_frames_of_other_commands_are_kept(
    blocks: Callable[..., list[Study]], runner: Runner
) -> None:
    runner.run(*blocks(noises=["clean"], snrs=[0.0]))
    (other,) = {file.parent for file in frames_of(runner)}

    limited(runner, 2.3).run(*blocks())

    assert list(other.glob("frames-*"))
    assert len({file.parent for file in frames_of(runner)}) == 2


def test_a_write_that_would_go_over_the_limit_ends_the_command(
    blocks: Callable[..., list[Study]],
    runner: Runner,
    largest: Counter[Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unknown = "nserbench.benchmark.extraction.expected_size._least_frames"
    monkeypatch.setattr(unknown, lambda *_: 1)  # as the tokens of a decoder
    runner.limit = FRAMES // 2 + MARGIN

    with pytest.raises(StoreFull, match="would grow over its limit"):
        runner.run(*blocks())

    assert largest[runner.store.root] <= runner.limit
    assert not list(runner.results.iterdir())


def test_a_head_that_fails_leaves_its_frames_to_be_deleted(
    blocks: Callable[..., list[Study]],
    runner: Runner,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise NserbenchError("no")

    monkeypatch.setattr("nserbench.benchmark.jobs.fit.train_head", fail)

    report = limited(runner, 1.3).run(*blocks())

    assert report.outcomes == {"failed": 3, "done": 3, "already there": 0}
