import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nserbench.benchmark.extraction.batches import LoadedModels
from nserbench.benchmark.extraction.clips import Clip
from nserbench.benchmark.extraction.extract import ModelCache, extract
from nserbench.benchmark.extraction.need import Pass, entries_of
from nserbench.benchmark.jobs.job import Job
from nserbench.benchmark.jobs.prepare import prepare
from nserbench.benchmark.plugins.registry import Plugins
from nserbench.benchmark.running.runner import Runner
from nserbench.benchmark.store.feature_store import Features, Form, Store
from nserbench.benchmark.store.file_facts import DIGEST, state_of
from nserbench.benchmark.study.study import Study
from nserbench.corpora.audio import audio_digest, read_audio
from nserbench.corpora.base import Utterance
from nserbench.corpora.levels import Levels
from nserbench.errors import BadAudio, CheckpointMissing, NserbenchError
from nserbench.progress import Silent
from nserbench.upstreams.base import Batch, LayeredFeatures, LayerGroup, Upstream

pytestmark = pytest.mark.usefixtures("narrow_heads")

Ask = Callable[..., Study]
BOTH: Sequence[Form] = ("pooled", "frames")


@pytest.mark.parametrize("size", [1, 16])
@pytest.mark.parametrize("condition", [{}, {"noises": ["hiss"], "snrs": [-5.0]}])
def test_pooled_is_the_mean_of_the_valid_frames_and_frames_are_rounded_to_half(
    prepared: Callable[..., list[Job]],
    fill: Callable[[Job, Store], Features],
    store: Store,
    levels: Any,
    plugins: Plugins,
    condition: dict[str, Any],
    size: int,
) -> None:
    plugins.upstreams.add(
        dataclasses.replace(levels.card, name="batched", batch=size), "the test"
    )
    (job,) = prepared(upstreams=["batched"], **condition)
    features = fill(job, store)

    loaded = job.cell.upstream.card.open(job.cell.upstream.options, "cpu")
    together = loaded.extract(Batch.of(*map(job.extraction.alone.wave, job.clips)))
    for name, group in together.items():
        layers = range(len(group.states))
        for place, key in enumerate(job.keys):
            valid = group.states[:, place, : group.lengths[place]].numpy()
            mean = features.read("pooled", key, name, layers)
            frames = features.read("frames", key, name, layers)
            np.testing.assert_allclose(
                mean, valid.mean(1, dtype=np.float64), rtol=1e-5, atol=1e-7
            )
            np.testing.assert_array_equal(frames, valid.astype(np.float16))
            assert features.frames("frames", key, name, layers) == valid.shape[1]


class Told(Silent):
    """Keeps the notes that a user would read."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def test_short_clips_are_padded_and_long_ones_cut_and_both_are_listed(
    ask: Ask, plugins: Plugins, levels: Any, runner: Runner, result_of: Any
) -> None:
    card = dataclasses.replace(
        levels.card, name="window", min_samples=4000, max_samples=5000
    )
    plugins.upstreams.add(card, "the test")
    study = ask(upstreams=["window"])
    told = Told()
    (job,) = prepare(study, runner.store, told)

    runner.run(study)

    sizes = {clip.utterance.id: clip.samples for clip in job.clips}
    notes = result_of(runner).notes
    assert notes["padded"] == [one for one, size in sizes.items() if size < 4000]
    assert notes["cut"] == [one for one, size in sizes.items() if size > 5000]
    assert notes["padded"]
    assert notes["cut"]
    assert notes["cut_to"] == 5000 / 16_000
    label = job.cell.corpus.label
    count = len(notes["cut"])
    assert f"window: {count} clips are cut to 0.3125 s in {label}" in told.notes
    assert notes["utterances"] == 24
    for clip in job.clips:
        wave, heard = read_audio(clip.utterance.path), job.extraction.alone.wave(clip)
        assert len(heard) == min(max(clip.samples, 4000), 5000)
        kept = min(len(wave), 5000)
        np.testing.assert_array_equal(heard[:kept], wave[:kept])
        assert not heard[kept:].any()


def test_an_utterance_is_extracted_once_a_condition_for_all_heads_and_seeds(
    ask: Ask, levels: Any, runner: Runner
) -> None:
    said = {
        "downstreams": ["mean,last,single:layer=1,bigru", "weighted-sum:groups=wide"],
        "noises": ["clean", "hiss"],
        "epochs": 1,
        "limit": 8,
    }

    runner.run(ask(upstreams=["levels,levels:groups=wide"], seeds=[0, 1], **said))

    everyone = {name: levels.heard.count(name) for name in levels.heard}
    assert len(everyone) == 8
    assert set(everyone.values()) == {2}


def test_asking_for_frames_later_costs_one_more_pass_and_only_that_tier(
    ask: Ask, levels: Any, runner: Runner
) -> None:
    runner.run(ask(upstreams=["levels"]))
    (features,) = runner.store.all_features()
    before = features.shards("pooled")
    assert (len(levels.heard), len(features.shards("frames"))) == (24, 0)

    runner.run(ask(upstreams=["levels"], downstreams=["mean,bigru"], epochs=1))

    (features,) = Store(runner.store.root).all_features()
    assert len(levels.heard) == 48
    assert features.shards("pooled") == before
    assert features.keys("frames") == features.keys("pooled")


def test_only_new_utterances_are_extracted_when_a_corpus_grows(
    ask: Ask, levels: Any, runner: Runner
) -> None:
    runner.run(ask(upstreams=["levels"], limit=16))
    few = set(levels.heard)
    levels.heard.clear()

    runner.run(ask(upstreams=["levels"]))

    assert len(levels.heard) == 8
    assert not few & set(levels.heard)


class Sick(Upstream):
    """An upstream whose states something is wrong with."""

    def __init__(self, spoil: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__({}, "cpu")
        self.spoil = spoil

    def forward(self, batch: Batch) -> LayeredFeatures:
        (wave,) = batch.waves
        states = torch.zeros(1, 1, len(wave), 80)
        lengths = torch.tensor([len(wave)])
        if batch.ids == ["s2_high_1"]:
            states = self.spoil(states)
        return {"mel": LayerGroup(states, lengths)}


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda states: states + torch.nan, "not finite for s2_high_1 in 'mel'"),
        (lambda states: states - torch.inf, "not finite for s2_high_1 in 'mel'"),
        (lambda states: states + 70_000, "not finite for s2_high_1 in 'mel'"),
        (
            lambda states: torch.cat([states, states]),
            r"its card says\n  it returns .*layers 2, .* its card says .*layers 1, ",
        ),
        (lambda states: states[..., :9], r"dim 9\)'}, but its card says .*dim 80\)"),
    ],
    ids=["nan", "infinite", "too large for float16", "layers", "dim"],
)
def test_features_that_cannot_be_stored_are_refused_and_nothing_is_written(
    prepared: Callable[..., list[Job]],
    store: Store,
    spoil: Callable[[torch.Tensor], torch.Tensor],
    reason: str,
) -> None:
    (job,) = prepared()

    extraction, sick = job.extraction.alone, LoadedModels(Sick(spoil), None)
    clips = dict(zip(job.keys, job.clips, strict=True))
    everything = Pass(extraction, clips, entries_of(extraction, BOTH))

    with pytest.raises(NserbenchError, match=reason):
        extract(everything, sick, store, Silent())

    assert store.features(job.extraction.identity).keys("pooled") == set()


def test_parts_of_a_file_are_extracted_separately(
    prepared: Callable[..., list[Job]], notes: Path
) -> None:
    extraction = prepared()[0].extraction.alone
    path = notes.parent / "s0_low_0.wav"
    part = Utterance(
        id="part", path=path, label="low", speaker="s0", fold="0", start=0.05, end=0.1
    )

    expected = read_audio(path)[800:1600]
    clip = Clip(part, audio_digest(expected), 800, Levels(1.0, 1.0, 1.0))
    wave = extraction.wave(clip)

    np.testing.assert_array_equal(wave, expected)


def test_audio_that_changed_after_it_was_digested_is_refused(
    prepared: Callable[..., list[Job]],
) -> None:
    (job, *_) = prepared()
    first, second = job.clips[:2]
    second.utterance.path.replace(first.utterance.path)

    with pytest.raises(BadAudio, match="has changed since this command began"):
        job.extraction.alone.wave(first)


def test_a_checkpoint_that_changed_while_it_was_loaded_is_refused(
    prepared: Callable[..., list[Job]], tmp_path: Path
) -> None:
    weights = tmp_path / "weights.bin"
    weights.write_bytes(b"one")
    (job, *_) = prepared()
    model = dataclasses.replace(
        job.extraction.alone.upstream, files=[(weights, state_of(DIGEST, weights))]
    )
    extraction = dataclasses.replace(job.extraction.alone, upstream=model)
    assert ModelCache("cpu").open(extraction)

    weights.write_bytes(b"two")

    with pytest.raises(CheckpointMissing, match="has changed since this command began"):
        ModelCache("cpu").open(extraction)


def test_a_noise_file_that_changed_after_its_segment_was_digested_is_refused(
    prepared: Callable[..., list[Job]], make_hiss: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "set").mkdir()
    file = make_hiss(tmp_path / "set/one.wav")
    (job, *_) = prepared(noises=["set"], named={"set": tmp_path / "set"})
    job.extraction.alone.wave(job.clips[0])
    make_hiss(file, seed=7)

    with pytest.raises(BadAudio, match="of noise 'set', has changed"):
        job.extraction.alone.wave(job.clips[0])
