"""Fine-tuned weights in the store: shared, deleted, damaged and planned."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from plans import planned
from safetensors.torch import load_file
from torch import nn
from tuned import FAST, probabilities
from values import note

from nserbench.benchmark.extraction.tuned_weights import load_tuned
from nserbench.benchmark.results.read_results import read_results
from nserbench.benchmark.results.result import PREDICTIONS
from nserbench.benchmark.running.runner import Runner
from nserbench.benchmark.store.disk_sizes import folder_bytes
from nserbench.benchmark.store.feature_store import Store
from nserbench.benchmark.store.room import MARGIN
from nserbench.benchmark.study.study import Study
from nserbench.errors import StoreDamaged

Ask = Callable[..., Study]


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


def test_the_head_best_chooses_among_fine_tuned_layers(
    study: Ask, runner: Runner, tunings: list[str]
) -> None:
    said: Any = {"downstreams": ["best"], "protocol": f"{FAST}+superb", "limit": 16}
    runner.run(study("finetune=last", **said))

    (result,) = read_results(runner.results)
    assert result.status == "done", result.reason
    assert tunings == ["1", "2"]
    assert set(note(result, "choices")) == {"1", "2"}


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
