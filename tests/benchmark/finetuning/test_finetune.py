"""Fine-tuned upstreams: which weights change, results, and interrupted runs."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers as lib
from elsewhere import elsewhere
from killed_runs import Killed, Mortal
from plans import planned
from safetensors.torch import load_file
from tiny_models import save_tiny
from torch import nn
from values import not_none, note

from nserbench.benchmark.extraction.extract import ModelCache
from nserbench.benchmark.extraction.tuned_weights import load_tuned
from nserbench.benchmark.finetuning import audio_batches as waves
from nserbench.benchmark.finetuning.finetune import fine_tune
from nserbench.benchmark.jobs.fit import open_sources
from nserbench.benchmark.jobs.head import class_numbers, fresh_head, load_head
from nserbench.benchmark.jobs.job import Fit, Job
from nserbench.benchmark.jobs.prepare import prepare
from nserbench.benchmark.plugins.registry import Plugins
from nserbench.benchmark.results.metrics import summarise
from nserbench.benchmark.results.read_results import read_results
from nserbench.benchmark.results.result import PREDICTIONS, Result
from nserbench.benchmark.running import ensure_features as provision
from nserbench.benchmark.running.runner import Runner
from nserbench.benchmark.running.trainings import fine_tuned_size
from nserbench.benchmark.store.disk_sizes import folder_bytes
from nserbench.benchmark.store.feature_store import Store
from nserbench.benchmark.store.room import MARGIN
from nserbench.benchmark.study.request import Request
from nserbench.benchmark.study.study import Study, make_study
from nserbench.benchmark.training.feature_statistics import Statistics
from nserbench.corpora.noise.mixing import add_noise
from nserbench.downstreams.kernels.mask_dropout import Dropout
from nserbench.errors import BadSpec, NothingToRun, StoreDamaged
from nserbench.progress import Silent
from nserbench.settings import Settings
from nserbench.upstreams.base import Batch
from nserbench.upstreams.whisper import Whisper

Ask = Callable[..., Study]
FAST = "probe+batch_size=8"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a wav2vec 2.0 of three blocks that reads a batch at once."""
    folder = tmp_path_factory.mktemp("tiny") / "w2v"
    torch.manual_seed(0)
    config = lib.Wav2Vec2Config(
        hidden_size=64,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=128,
        conv_dim=(32,) * 7,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=2,
        initializer_range=0.2,
        feat_extract_norm="layer",
        do_stable_layer_norm=True,
        conv_bias=True,
        hidden_dropout=0.0,
        attention_dropout=0.0,
        activation_dropout=0.0,
        feat_proj_dropout=0.0,
        layerdrop=0.9,
        mask_time_prob=0.9,
    )
    lib.Wav2Vec2Model(config).save_pretrained(folder)
    lib.Wav2Vec2FeatureExtractor().save_pretrained(folder)
    return folder


@pytest.fixture
def study(checkpoint: Path, plugins: Plugins) -> Ask:
    """Return a function that makes a study of the tiny checkpoint on ``demo``."""

    def make(*options: str, **said: Any) -> Study:
        upstream = ",".join([f"wav2vec2:checkpoint={checkpoint}", *options])
        plain: dict[str, Any] = {
            "upstreams": [upstream],
            "downstreams": ["last"],
            "corpora": ["demo"],
            "protocol": FAST,
            "epochs": 2,
            "limit": 16,
        }
        return make_study(Request(**plain | said), plugins, Settings())

    return make


@pytest.fixture
def result(study: Ask, runner: Runner) -> Callable[..., Result]:
    """Return a function that runs a study of one cell: its result."""

    def run(*options: str, **said: Any) -> Result:
        report = runner.run(study(*options, **said))
        (folder,) = report.folders
        return next(
            one for one in read_results(runner.results) if one.folder == folder.name
        )

    return run


def probabilities(result: Result) -> Any:
    assert result.predictions is not None
    return result.predictions.probabilities


def accuracies(result: Result) -> list[float]:
    """Return the training accuracy of each fold after the last epoch."""
    seen: Any = result.notes["training"]
    return [one["accuracies"][-1] for one in seen.values()]


@pytest.mark.slow
def test_a_fine_tuned_upstream_fits_what_its_head_alone_does_not(
    result: Callable[..., Result],
) -> None:
    # The learning rate of the fine-tuned head, for the head alone as well.
    said = {"protocol": f"{FAST}+learning_rate=0.001", "limit": None, "epochs": 30}
    alone = result(**said)
    tuned = result("finetune=joint", "lr=1e-3", **said)

    assert max(accuracies(alone)) < 0.8
    assert min(accuracies(tuned)) > 0.95


def weights_of(job: Job, models: ModelCache) -> dict[str, torch.Tensor]:
    model = models.open(job.extraction.alone).upstream.model
    assert model is not None
    return {name: one.detach().clone() for name, one in model.named_parameters()}


def test_fine_tuned_weights_change_and_frozen_ones_do_not(
    study: Ask, runner: Runner
) -> None:
    asked = study("finetune=last")
    runner.run(asked)

    (job,) = prepare(asked, runner.store, Silent())
    before = weights_of(job, ModelCache("cpu"))
    for fold in job.folds(runner.store):
        after = weights_of(fold, ModelCache("cpu"))
        moved = {name for name, one in after.items() if not one.equal(before[name])}
        assert moved
        assert not any("feature_extractor" in name for name in moved)
        for block in range(3):
            assert any(name.startswith(f"encoder.layers.{block}.") for name in moved)
    first, second = runner.store.tuned()
    assert "encoder.layers.0.attention.k_proj.weight" in load_file(first)
    assert not any("feature_extractor" in name for name in load_file(first))
    assert first.read_bytes() != second.read_bytes()


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Turn dropout in heads off."""
    monkeypatch.setattr(Dropout, "forward", lambda self, values: values)


@pytest.mark.usefixtures("still")
def test_the_steps_are_those_of_a_plain_loop(
    study: Ask, runner: Runner, checkpoint: Path
) -> None:
    asked = study("finetune=last", "lr=1e-3", protocol="paper+batch_size=64", epochs=3)
    (job,) = prepare(asked, runner.store, Silent())
    split, labels = job.splits[0], class_numbers(job)
    assert job.tuning is not None
    head = fresh_head(Fit(job.tuning.joint, split), None)
    (linear,) = [one for one in head.modules() if isinstance(one, nn.Linear)]
    model: Any = lib.Wav2Vec2Model.from_pretrained(
        checkpoint, mask_time_prob=0.0, layerdrop=0.0
    )
    model.freeze_feature_encoder()
    model.train()
    own = [one for one in model.parameters() if one.requires_grad]
    optimiser = torch.optim.Adam(
        [{"params": own, "lr": 1e-3}, {"params": linear.parameters(), "lr": 1e-4}]
    )
    extractor = lib.Wav2Vec2FeatureExtractor()
    losses = []
    for _ in range(3):
        logits = []
        for row in split.train:
            wave = job.extraction.alone.wave(job.clips[row])
            values = extractor(wave, sampling_rate=16_000, return_tensors="pt")
            logits.append(linear(model(**values).last_hidden_state.mean(1)))
        wanted = labels[list(split.train)]
        loss = nn.functional.cross_entropy(torch.cat(logits), wanted)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())

    runner.run(asked)

    (result,) = read_results(runner.results)
    seen: Any = result.notes["training"]
    assert seen[split.fold]["losses"] == pytest.approx(losses, rel=1e-4)
    assert losses[2] < losses[0]


@pytest.mark.usefixtures("still")
def test_the_parts_of_a_batch_add_up_to_it(
    study: Ask, runner_in: Callable[[Path], Runner], tmp_path: Path, monkeypatch: Any
) -> None:
    asked = study("finetune=last", protocol=f"{FAST}+class_weights=yes")

    def seen(name: str) -> Any:
        runner = runner_in(tmp_path / name)
        runner.run(asked)
        (result,) = read_results(runner.results)
        return result.notes["training"]

    whole = seen("whole")
    monkeypatch.setattr(waves, "MAX_SAMPLES", 1)
    one_by_one = seen("one by one")

    for fold, told in whole.items():
        for what in ("losses", "gradients"):
            assert one_by_one[fold][what] == pytest.approx(told[what], rel=1e-3)


SMALL = "probe+batch_size=4"  # four steps an epoch, whose order is drawn


@pytest.mark.parametrize(
    ("protocol", "options"),
    [(SMALL, []), (f"{SMALL}+superb", ["lora=2"])],
)
def test_an_interrupted_and_resumed_run_gives_the_same_predictions(
    study: Ask,
    runner_in: Callable[[Path], Runner],
    tmp_path: Path,
    protocol: str,
    options: list[str],
) -> None:
    asked = study("finetune=last", *options, protocol=protocol, epochs=3, limit=32)
    calm, killed = runner_in(tmp_path / "calm"), runner_in(tmp_path / "killed")
    calm.run(asked)
    killed.progress = Mortal(9)  # in the last epoch
    with pytest.raises(Killed):
        killed.run(asked)
    (partial,) = killed.store.tuned()
    killed.progress = Mortal(10**9)

    killed.run(asked)

    assert partial.suffix == ".partial"
    assert not partial.exists()
    (one,), (other,) = read_results(calm.results), read_results(killed.results)
    np.testing.assert_array_equal(probabilities(one), probabilities(other))
    seen, again = one.notes["training"], other.notes["training"]
    assert seen == again


def test_fine_tuned_weights_that_no_cell_left_uses_are_deleted_for_room(
    study: Ask, runner_in: Callable[[Path], Runner], tmp_path: Path
) -> None:
    places = ["demo", "demo-park", "demo-human"]
    asked = study("finetune=last", epochs=1, corpora=places)
    free, bound = runner_in(tmp_path / "free"), runner_in(tmp_path / "bound")
    free.run(asked)
    files = free.store.tuned()
    room = folder_bytes(free.store.root) + MARGIN
    bound.limit = room - files[0].stat().st_size // 2

    report = bound.run(asked)

    assert report.outcomes == {"done": 3, "already there": 0}
    assert 0 < len(bound.store.tuned()) < len(files)
    assert folder_bytes(bound.store.root) <= bound.limit
    results = zip(read_results(free.results), read_results(bound.results), strict=True)
    for one, other in results:
        np.testing.assert_array_equal(probabilities(one), probabilities(other))


@pytest.mark.filterwarnings("ignore:for .* copying from a non-meta")
def test_an_upstream_is_fine_tuned_on_another_device_as_here(
    study: Ask,
    runner_in: Callable[[Path], Runner],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = runner_in(tmp_path / "here")
    here.run(study("finetune=last"))

    with elsewhere(monkeypatch) as device:
        there = runner_in(tmp_path / "there")
        there.device = device
        there.run(study("finetune=last"))

    (one,), (other,) = read_results(here.results), read_results(there.results)
    assert other.reason is None
    np.testing.assert_allclose(probabilities(other), probabilities(one), atol=1e-3)


def test_the_best_epoch_on_the_dev_set_makes_the_predictions(
    result: Callable[..., Result],
) -> None:
    said: dict[str, Any] = {"protocol": f"{FAST}+oracle", "epochs": 10, "limit": 32}
    found = result("finetune=last", "lr=5e-3", **said)

    seen: Any = found.notes["training"]
    assert found.predictions is not None
    folds = summarise(found.predictions)["uar"].folds
    # The dev set is the test set, so that the best UAR is the reported one.
    for fold, told in seen.items():
        assert folds[fold] == pytest.approx(max(told["dev"]))
    assert any(told["dev"][-1] < max(told["dev"]) for told in seen.values())


def test_a_head_fine_tuned_with_its_upstream_predicts_as_both_together(
    study: Ask, runner: Runner
) -> None:
    asked = study("finetune=last")
    runner.run(asked)
    (job,), (result,) = (
        prepare(asked, runner.store, Silent()),
        read_results(runner.results),
    )

    split = job.splits[0]
    fold = job.fold(split, runner.store)
    model = ModelCache("cpu").open(fold.extraction.alone).upstream
    source = open_sources(fold, runner.store).training
    rows = torch.tensor(split.train)
    fit = Fit(fold, split)
    head = fresh_head(fit, source.statistics(rows))
    load_head(fit.file(runner.store), head)
    head.eval()
    batch = Batch.of(
        *(fold.extraction.alone.wave(fold.clips[row]) for row in split.test)
    )
    features = model.extract(batch)
    last = features["encoder"].states[-1:]
    group = type(features["encoder"])(last, features["encoder"].lengths)
    with torch.no_grad():
        expected = head({"encoder": group}).double().softmax(1).numpy()
    np.testing.assert_allclose(
        probabilities(result)[: len(expected)], expected, atol=1e-5
    )


@pytest.mark.parametrize("head", ["bigru", "last"])
def test_a_head_fine_tuned_with_its_upstream_receives_z_scored_features(
    study: Ask, runner: Runner, received: list[Statistics], head: str
) -> None:
    # The learning rate is so small that the upstream does not change.
    runner.run(study(f"finetune={head}", "lr=1e-12", downstreams=[head], epochs=1))

    for groups in received[:2]:  # the fine-tunings of both folds
        mean, deviation = groups["encoder"]
        torch.testing.assert_close(mean, torch.zeros_like(mean), atol=1e-3, rtol=0)
        torch.testing.assert_close(deviation, torch.ones_like(mean), atol=1e-3, rtol=0)


@pytest.fixture
def tunings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list to which the fold of every fine-tuning is added."""
    folds: list[str] = []

    def tune(tuning: Any, split: Any, *rest: Any) -> None:
        folds.append(split.fold)
        fine_tune(tuning, split, *rest)

    monkeypatch.setattr(provision, "fine_tune", tune)
    return folds


def test_all_layers_of_a_fine_tuned_upstream_need_one_fine_tuning_per_fold(
    study: Ask, runner: Runner, tunings: list[str]
) -> None:
    heads = ["single:layer=all", "last"]

    runner.run(study("finetune=last", downstreams=heads))

    assert tunings == ["1", "2"]
    found = {one.downstream: one for one in read_results(runner.results)}
    assert set(found) == {*(f"single:layer={layer}" for layer in range(4)), "last"}
    assert all(one.status == "done" for one in found.values())
    # A separate head on the last layer is another fit than the joint head.
    assert not np.array_equal(
        probabilities(found["single:layer=3"]), probabilities(found["last"])
    )


def test_joint_is_the_head_of_each_cell(
    study: Ask, runner: Runner, tunings: list[str]
) -> None:
    runner.run(study(finetune="joint", downstreams=["last", "mean"]))
    runner.run(study("finetune=last"))

    assert tunings == ["1", "2"] * 2
    labels = {one.upstream for one in read_results(runner.results)}
    assert labels == {f"wav2vec2:checkpoint=w2v,finetune={h}" for h in ("last", "mean")}


def test_clean_train_fine_tunes_once_for_every_condition(
    study: Ask, runner: Runner, tunings: list[str]
) -> None:
    runner.run(
        study(
            "finetune=last",
            corpora=["demo,demo-park"],
            snrs=[0.0, 5.0],
            protocol=f"{FAST}+clean-train",
        )
    )

    assert tunings == ["1", "2"]
    assert len(read_results(runner.results)) == 3


def test_an_upstream_is_fine_tuned_only_in_the_noise_of_each_fold(
    study: Ask, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = study(
        "finetune=last",
        corpora=["demo-park"],
        protocol=f"{FAST}+noise_split=disjoint",
    )
    (opened,) = asked.corpora.values()
    folds = {one.id: one.fold for one in opened.corpus.utterances}
    length = opened.noises["park"].samples
    assert length is not None
    heard: set[tuple[str, int]] = set()

    def forward_and_transcribe(
        speech: Any, noise: Any, name: str, snr: float, seed: int
    ) -> Any:
        mixed = add_noise(speech, noise, name, snr, seed)
        heard.add((folds[name], mixed.offset * len(opened.corpus.folds) // length))
        return mixed

    monkeypatch.setattr(
        "nserbench.benchmark.extraction.identity.add_noise", forward_and_transcribe
    )

    report = runner.run(asked)

    assert report.outcomes["done"] == 1
    assert heard == {(fold, at) for at, fold in enumerate(opened.corpus.folds)}


def test_the_head_best_chooses_among_fine_tuned_layers(
    study: Ask, runner: Runner, tunings: list[str]
) -> None:
    runner.run(study("finetune=last", downstreams=["best"], protocol=f"{FAST}+superb"))

    (result,) = read_results(runner.results)
    assert result.status == "done", result.reason
    assert tunings == ["1", "2"]
    assert set(note(result, "choices")) == {"1", "2"}


def test_a_result_says_what_was_fine_tuned(
    result: Callable[..., Result], checkpoint: Path
) -> None:
    found = result("finetune=last", "lr=5e-4")

    whole: Any = lib.Wav2Vec2Model.from_pretrained(checkpoint, mask_time_prob=0.0)
    front = sum(one.numel() for one in whole.feature_extractor.parameters())
    costs = found.costs
    assert costs["frozen_parameters"] == front
    total = sum(one.numel() for one in whole.parameters())
    assert costs["trainable_parameters"] == total - front + 64 * 4 + 4
    assert not_none(costs["tuning_seconds"]) > 0
    said: Any = found.notes["tuning"]
    assert said["learning_rate"] == 5e-4
    assert said["frozen"] == ["feature_extractor"]
    seen: Any = found.notes["training"]
    assert len(seen["1"]["gradients"]) == 2
    assert all(norm > 0 for norm in seen["1"]["gradients"])


def test_low_rank_updates_are_all_that_is_trained_planned_and_stored(
    study: Ask, runner: Runner, checkpoint: Path
) -> None:
    protocol = f"{FAST}+oracle"
    asked = study("finetune=last", "lr=1e-2", "lora=2", protocol=protocol, epochs=1)
    (job,) = prepare(asked, runner.store, Silent())
    model = not_none(ModelCache("cpu").open(job.extraction.alone).upstream.model)
    size = fine_tuned_size(not_none(job.tuning), model, runner.store)

    runner.run(asked)

    (result,) = read_results(runner.results)
    tuned = [load_file(file) for file in runner.store.tuned()]
    for state in tuned:
        assert {name.rpartition(".")[2] for name in state} == {"up", "down"}
        assert not any("feature_extractor" in name for name in state)
    whole: Any = lib.Wav2Vec2Model.from_pretrained(checkpoint, mask_time_prob=0.0)
    trained = sum(one.numel() for one in tuned[0].values())
    assert result.upstream == "wav2vec2:checkpoint=w2v,finetune=last,lora=2,lr=0.01"
    assert note(result, "tuning")["lora"] == 2
    assert result.costs["trainable_parameters"] == trained + 64 * 4 + 4
    assert result.costs["frozen_parameters"] == whole.num_parameters()
    heads = [load_file(file) for file in runner.store.fits()]
    stored = [one for state in (*tuned, *heads) for one in state.values()]
    assert len(job.splits) * size == sum(one.nbytes for one in stored)
    # The dev set is the test set: what was measured in training is what is reported.
    folds = summarise(not_none(result.predictions))["uar"].folds
    for fold, told in note(result, "training").items():
        assert folds[fold] == pytest.approx(max(told["dev"]))


def test_the_rank_is_part_of_what_identifies_fine_tuned_weights(
    study: Ask, runner: Runner
) -> None:
    def identity(*options: str) -> dict[str, object]:
        (job,) = prepare(study("finetune=last", *options), runner.store, Silent())
        return not_none(job.tuning).identity(job.splits[0])

    assert "lora" not in identity()
    assert identity("lora=2") == {**identity(), "lora": 2}


def test_a_fine_tuning_that_diverges_stops_at_once_and_says_what_to_do(
    result: Callable[..., Result],
) -> None:
    found = result("finetune=last", protocol="paper+learning_rate=3e37", epochs=9)

    assert found.status == "failed"
    assert re.search("diverged: .*, fold 1: the .* of epoch [12] is", str(found.reason))
    assert "upstream 0.0001, head 3e+37" in str(found.reason)
    assert "lr=1e-05" in str(found.reason)


def test_a_plan_estimates_the_time_of_fine_tuning(study: Ask, runner: Runner) -> None:
    asked = study("finetune=last")

    def price() -> Any:
        return planned(runner, asked)

    before = price()
    runner.run(asked)

    assert before.tuning > sum(one.seconds for one in before.passes) > 0
    # One upstream and one head for each fold, as the store holds them.
    files = [*runner.store.tuned(), *runner.store.fits()]
    tensors = [value for file in files for value in load_file(file).values()]
    assert before.weights == sum(value.nbytes for value in tensors)
    # The means of the original upstream, which standardise; one upstream for each fold.
    assert len(before.passes) == 3
    assert price().tuning == 0


def test_fine_tuned_upstreams_are_used_again(
    study: Ask, runner: Runner, tunings: list[str]
) -> None:
    runner.run(study("finetune=last"))

    runner.run(study("finetune=last", downstreams=["mean"]))

    assert tunings == ["1", "2"]


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ({"upstreams": ["mel"], "finetune": "joint"}, "mel cannot be fine-tuned"),
        ({"upstreams": ["wav2vec2:lr=1e-5"]}, "finetune=joint,lr=1e-05"),
        ({"upstreams": ["wav2vec2:lora=8"]}, "finetune=joint,lora=8"),
        ({"upstreams": ["wav2vec2:lr=1e-5,lora=8"]}, "lr= and lora= have no effect"),
        ({"upstreams": ["wav2vec2:finetune=last,lora=0"]}, "at least 1"),
        ({"upstreams": ["bert:text={whisper:finetune=last}"]}, "cannot transcribe"),
        ({"upstreams": ["wav2vec2:finetune=last,lr=2"]}, "between 0 and 1"),
    ],
)
def test_an_upstream_that_cannot_be_fine_tuned_is_refused(
    study: Ask, said: dict[str, Any], what: str
) -> None:
    with pytest.raises(BadSpec, match=what):
        study(**said)


@pytest.mark.parametrize("head", ["best", "single:layer=all"])
def test_a_head_that_stands_for_several_cannot_fine_tune(study: Ask, head: str) -> None:
    with pytest.raises(NothingToRun, match="fine-tuning needs one head"):
        study(f"finetune={{{head}}}")


FAMILIES = {
    "whisper": "whisper:checkpoint={}",
    "asr": "conformer:checkpoint={}",
    "speechlm": "speechlm:checkpoint={}",
    "emotion2vec": "emotion2vec:checkpoint={},lora=2",
    "bert": "bert:checkpoint={},text={{whisper:checkpoint=WHISPER}}",
    "hubert": "hubert:checkpoint={}",
    "speech_to_text": "hf:{}",
    "wav2vec2-bert": "hf:{}",
    "hubert_local": "s3prl:hubert_local,checkpoint={}",
}
SLOW = {"hubert", "speech_to_text", "speechlm"}
"""Families whose code the others share in part: slow tests."""


@pytest.mark.usefixtures("short_searches")
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else [])
        for name in FAMILIES
    ],
)
def test_every_family_with_weights_can_be_fine_tuned(
    name: str, study: Ask, runner: Runner, tmp_path: Path
) -> None:
    typed = FAMILIES[name].format(save_tiny(tmp_path, name))
    if "WHISPER" in typed:
        typed = typed.replace("WHISPER", str(save_tiny(tmp_path, "whisper")))
    asked = study(
        upstreams=[typed],
        finetune="joint",
        epochs=1,
        limit=8,
    )

    runner.run(asked)

    (result,) = read_results(runner.results)
    assert result.status == "done", result.reason
    (job,) = prepare(asked, runner.store, Silent())
    assert job.tuning is not None
    before = weights_of(job, ModelCache("cpu"))
    after = weights_of(job.folds(runner.store)[0], ModelCache("cpu"))
    moved = {key for key, one in after.items() if not one.equal(before[key])}
    assert moved
    for module in job.tuning.frozen:
        assert any(f".{module}." in f".{key}" for key in before)
        assert not any(f".{module}." in f".{key}" for key in moved)


def test_a_head_on_the_encoder_fine_tunes_whisper_without_a_search(
    study: Ask,
    runner: Runner,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(Whisper, "_search")
    folder = save_tiny(tmp_path, "whisper")
    config = json.loads((folder / "config.json").read_text())
    config |= {"dropout": 0.0, "decoder_layerdrop": 0.0}  # as published
    (folder / "config.json").write_text(json.dumps(config))

    runner.run(
        study(
            upstreams=[f"whisper-enc:checkpoint={folder}"],
            finetune="joint",
            epochs=1,
            limit=8,
        )
    )

    (result,) = read_results(runner.results)
    assert result.status == "done", result.reason
    assert result.recognition == {}


def test_fine_tuned_weights_of_another_model_are_refused(
    study: Ask, runner: Runner, tmp_path: Path
) -> None:
    runner.run(study("finetune=last"))
    other = nn.Linear(2, 2)

    with pytest.raises(StoreDamaged, match="holds weights of another model: "):
        load_tuned(runner.store.tuned()[0], other)


def test_damaged_fine_tuned_weights_are_made_again_with_the_same_answers(
    study: Ask, runner: Runner
) -> None:
    (folder,) = runner.run(study("finetune=last")).folders
    answers = (folder / PREDICTIONS).read_bytes()
    for file in runner.store.tuned():
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
    shutil.rmtree(folder)
    shutil.rmtree(runner.store.root / "features")
    runner.store = Store(runner.store.root, (notes := list[str]()).append)

    runner.run(study("finetune=last"))

    assert (folder / PREDICTIONS).read_bytes() == answers
    assert ["has changed since it was written" in note for note in notes] == [True] * 2
