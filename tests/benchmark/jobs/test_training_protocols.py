"""What a protocol changes in a whole study."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import Tensor
from values import note

from nserbench.benchmark.jobs.fit import open_sources
from nserbench.benchmark.jobs.job import Job
from nserbench.benchmark.jobs.prepare import prepare
from nserbench.benchmark.results.read_results import read_results
from nserbench.benchmark.results.result import Result
from nserbench.benchmark.running.runner import Runner
from nserbench.benchmark.study.study import Study
from nserbench.benchmark.training.fit_stack import fit_together
from nserbench.benchmark.training.sources import FeatureSource, PooledSource
from nserbench.errors import NothingToRun
from nserbench.progress import Silent

Ask = Callable[..., Study]
pytestmark = pytest.mark.usefixtures("levels", "narrow_heads")

NOISY = {"noises": ["clean", "hiss"], "snrs": [0.0, -10.0]}


@pytest.fixture
def results(ask: Ask, runner: Runner) -> Callable[..., dict[str, Result]]:
    """Return a function that runs a study: its results by head and condition."""

    def run(**said: Any) -> dict[str, Result]:
        runner.run(ask(**said))
        found = [one for one in read_results(runner.results) if one.predictions]
        return {f"{one.downstream} {one.condition}": one for one in found}

    return run


def probabilities(result: Result) -> Any:
    assert result.predictions is not None
    return result.predictions.probabilities


@pytest.mark.parametrize("head", ["mean", "bigru"])
def test_the_best_epoch_on_the_dev_set_is_used(
    results: Callable[..., dict[str, Result]], head: str
) -> None:
    found = results(
        upstreams=["levels"], downstreams=[head], protocol="oracle", epochs=6
    )

    (result,) = found.values()
    assert result.protocol == "probe+oracle+epochs=6"
    assert result.predictions is not None
    for fold, seen in note(result, "training").items():
        mine = [one == fold for one in result.predictions.folds]
        right = (result.predictions.labels == result.predictions.predicted)[mine]
        labels = result.predictions.labels[mine]
        recalls = [right[labels == label].mean() for label in (0, 1)]
        # The dev set is the test set, so that the best UAR is the reported one.
        assert len(seen["dev"]) == 6
        assert np.mean(recalls) == pytest.approx(max(seen["dev"]))


def test_clean_train_fits_one_head_and_tests_it_in_every_condition(
    results: Callable[..., dict[str, Result]], runner: Runner
) -> None:
    found = results(upstreams=["levels"], protocol="clean-train", **NOISY)

    assert len(runner.store.fits()) == 2  # one for each fold
    assert set(found) == {"mean clean", "mean hiss@0", "mean hiss@-10"}
    clean, noisy = (
        probabilities(found["mean clean"]),
        probabilities(found["mean hiss@0"]),
    )
    assert np.abs(clean - noisy).max() > 0.01


def test_clean_train_on_clean_speech_is_matched_training(
    results: Callable[..., dict[str, Result]],
) -> None:
    found = results(upstreams=["levels"], protocol="clean-train")
    (first,) = found.values()

    again = results(upstreams=["levels"], protocol="probe")

    matched = next(one for one in again.values() if one.protocol == "probe+epochs=2")
    np.testing.assert_array_equal(probabilities(first), probabilities(matched))


@pytest.mark.parametrize("head", ["mean", "bigru"])
def test_multi_trains_on_every_condition_of_the_study(
    results: Callable[..., dict[str, Result]], runner: Runner, ask: Ask, head: str
) -> None:
    said = {
        "upstreams": ["levels"],
        "downstreams": [head],
        "protocol": "multi",
        **NOISY,
    }

    found = results(**said)

    heads = 1 if head == "mean" else 2  # a head on frames has a pooled reference
    assert len(runner.store.fits()) == 2 * heads
    details: Any = found[f"{head} clean"].protocol_details
    assert details["noise"].startswith(
        "trained on all of clean, hiss@0, hiss@-10, tested in one, any noise"
    )
    jobs = prepare(ask(**said), runner.store, Silent())
    assert [len(job.training) for job in jobs] == [3, 3, 3]
    fewer = prepare(ask(**{**said, "snrs": [0.0]}), runner.store, Silent())
    assert fewer[0].digest != jobs[0].digest


def test_joined_rows_are_the_utterances_of_one_condition_after_another(
    prepared: Callable[..., list[Job]], runner: Runner, results: Any
) -> None:
    said = {"upstreams": ["levels"], "protocol": "multi", **NOISY}
    results(**said)
    jobs = prepared(**said)
    sources = [open_sources(job, runner.store) for job in jobs]

    def wide(source: FeatureSource) -> Tensor:
        assert isinstance(source, PooledSource)
        return source.states["wide"]

    joined = wide(sources[0].training)
    for place, one in enumerate(sources):
        own = wide(one.test)
        assert (joined[:, 24 * place : 24 * (place + 1)] == own).all()


def test_loso_tests_each_speaker_as_a_fold(
    results: Callable[..., dict[str, Result]],
) -> None:
    (result,) = results(upstreams=["levels"], protocol="loso").values()

    assert result.predictions is not None
    assert result.predictions.folds == result.predictions.speakers
    assert set(result.predictions.folds) == {"s0", "s1", "s2", "s3"}


def test_all_layers_are_a_cell_each(ask: Ask) -> None:
    study = ask(upstreams=["levels:groups=wide"], downstreams=["single:layer=all"])

    assert [cell.downstream.label for cell in study.cells] == [
        "single:layer=0",
        "single:layer=1",
        "single:layer=2",
    ]


def test_best_takes_the_best_layer_on_the_dev_set(
    results: Callable[..., dict[str, Result]],
) -> None:
    found = results(
        upstreams=["levels:groups=wide"],
        downstreams=["best,single:layer=all"],
        protocol="dev",
        epochs=3,
    )

    best = found["best clean"]
    assert best.predictions is not None
    for fold, choice in note(best, "choices").items():
        assert choice["dev"][choice["chosen"]] == max(choice["dev"].values())
        assert choice["test"][choice["best_on_test"]] == max(choice["test"].values())
        mine = [one == fold for one in best.predictions.folds]
        same = found[f"{choice['chosen']} clean"]
        np.testing.assert_array_equal(
            best.predictions.probabilities[mine], probabilities(same)[mine]
        )


def test_a_fit_that_two_cells_share_is_trained_once(
    results: Callable[..., dict[str, Result]], monkeypatch: pytest.MonkeyPatch
) -> None:
    stacks: list[int] = []

    def counted(runs: Any, *rest: Any) -> Any:
        stacks.append(len(runs))
        return fit_together(runs, *rest)

    monkeypatch.setattr("nserbench.benchmark.jobs.fit.fit_together", counted)
    results(
        upstreams=["levels:groups=wide"],
        downstreams=["best,single:layer=all"],
        protocol="dev",
    )

    assert stacks == [3 * 2]  # layers and folds


def test_best_is_not_applicable_without_a_dev_set(ask: Ask, notes: Path) -> None:
    with pytest.raises(NothingToRun, match="chooses on a development set"):
        ask(upstreams=["levels:groups=wide"], downstreams=["best"])
    with pytest.raises(NothingToRun, match="there is no other layer to choose"):
        ask(upstreams=["mel"], downstreams=["best"], protocol="dev")
