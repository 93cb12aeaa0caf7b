"""Low-rank updates: what is trained, planned, stored and identified."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import transformers as lib
from safetensors.torch import load_file
from tuned import FAST
from values import not_none, note

from nserbench.benchmark.extraction.extract import ModelCache
from nserbench.benchmark.jobs.prepare import prepare
from nserbench.benchmark.results.metrics import summarise
from nserbench.benchmark.results.read_results import read_results
from nserbench.benchmark.running.runner import Runner
from nserbench.benchmark.running.trainings import fine_tuned_size
from nserbench.benchmark.study.study import Study
from nserbench.progress import Silent

Ask = Callable[..., Study]


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
