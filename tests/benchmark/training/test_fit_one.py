from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F
from values import not_none

from nserbench.benchmark.jobs import fit as fits
from nserbench.benchmark.jobs.fit import FitResult, fit_fold, open_sources
from nserbench.benchmark.jobs.job import Fit, Job
from nserbench.benchmark.jobs.prepare import prepare
from nserbench.benchmark.plugins.registry import Plugins
from nserbench.benchmark.results.read_results import read_results
from nserbench.benchmark.running.runner import Runner
from nserbench.benchmark.store.feature_store import Store
from nserbench.benchmark.study.study import Study
from nserbench.benchmark.training.fit_one import (
    FitSeeds,
    Standardised,
    predict,
    train_head,
)
from nserbench.benchmark.training.fit_stack import fit_together
from nserbench.benchmark.training.sources import (
    FeatureSource,
    FrameSource,
    PooledSource,
)
from nserbench.corpora.audio import read_audio
from nserbench.downstreams.base import Recipe
from nserbench.downstreams.pooling import mean_over_time
from nserbench.errors import NserbenchError
from nserbench.progress import Silent
from nserbench.spec import parse_spec
from nserbench.upstreams.base import LayeredFeatures
from nserbench.upstreams.groups import GroupSpec

ROWS, DIM, CLASSES = 30, 4, 3
STORED = {
    "wide": GroupSpec(range(3), DIM, 100.0),
    "flat": GroupSpec(range(1, 2), 2, None),
}
KEYS = [f"k{row}" for row in range(ROWS)]
LABELS = torch.arange(ROWS) % CLASSES
TRAIN = torch.arange(20)


def random_features(
    root: Path, change: Callable[[int, Any], Any] = lambda row, states: states
) -> Any:
    """Store random frames of the groups `STORED` in float32, and their means."""
    features = Store(root).announce({"x": 1})
    rng = np.random.default_rng(0)
    frames = {
        key: {
            name: change(
                row,
                rng.standard_normal(
                    (len(spec.layers), int(rng.integers(3, 12)), spec.dim), np.float32
                ),
            )
            for name, spec in STORED.items()
        }
        for row, key in enumerate(KEYS)
    }
    means = {
        key: {name: states.mean(axis=1) for name, states in groups.items()}
        for key, groups in frames.items()
    }
    features.write("pooled", means, {"seconds": "0"})
    features.write("frames", frames, {"seconds": "0"})
    return features


@pytest.fixture
def pooled(tmp_path: Path) -> PooledSource:
    return PooledSource(random_features(tmp_path / "store"), KEYS, STORED, STORED)


@pytest.fixture
def frames(tmp_path: Path) -> FrameSource:
    return FrameSource(random_features(tmp_path / "store"), KEYS, STORED, STORED)


class Line(nn.Module):
    """A linear head on the means over time of the last layer of ``wide``."""

    def __init__(self) -> None:
        super().__init__()
        self.line = nn.Linear(DIM, CLASSES)

    def forward(self, features: LayeredFeatures) -> Tensor:
        group = features["wide"]
        logits: Tensor = self.line(mean_over_time(group.states[-1], group.lengths))
        return logits


def line(seed: int = 0) -> Line:
    torch.manual_seed(seed)
    return Line()


RECIPE = Recipe(epochs=3, batch_size=8, learning_rate=0.01)


def test_training_is_that_of_a_plain_loop(pooled: PooledSource) -> None:
    ours, plain = line(), line().line
    seeds = FitSeeds(seed=5, fold="1")

    seen = train_head(ours, pooled, TRAIN, LABELS, 3, RECIPE, seeds, "cpu")

    inputs = pooled.batch(torch.arange(ROWS))["wide"].states[-1, :, 0]
    order = torch.Generator().manual_seed(seeds.seed_for("order"))
    adam = torch.optim.Adam(plain.parameters(), lr=RECIPE.learning_rate)
    assert len(seen.losses) == RECIPE.epochs
    for loss, accuracy in zip(seen.losses, seen.accuracies, strict=True):
        each, right = [], 0
        for batch in TRAIN[torch.randperm(20, generator=order)].split(8):
            adam.zero_grad()
            scores = F.log_softmax(plain(inputs[batch]), dim=1)
            nats = -scores[range(len(batch)), LABELS[batch]]
            nats.mean().backward()
            adam.step()
            each += nats.tolist()
            right += int((scores.argmax(dim=1) == LABELS[batch]).sum())
        assert loss == pytest.approx(np.mean(each), rel=1e-6)
        assert accuracy == pytest.approx(right / len(TRAIN))
    torch.testing.assert_close(ours.line.weight, plain.weight)
    torch.testing.assert_close(
        predict(ours, pooled, torch.tensor([4, 2]), "cpu"),
        plain(inputs[[4, 2]]).softmax(dim=1).double(),
    )


@pytest.mark.parametrize("kind", [PooledSource, FrameSource])
def test_standardised_features_have_mean_0_and_deviation_1_over_the_training_set(
    tmp_path: Path, kind: type[PooledSource] | type[FrameSource]
) -> None:
    source = kind(random_features(tmp_path / "store"), KEYS, STORED, STORED)
    seen: dict[str, Tensor] = {}

    class Look(nn.Module):
        def forward(self, features: LayeredFeatures) -> Tensor:
            for name, group in features.items():
                valid = torch.arange(group.states.shape[2]) < group.lengths[:, None]
                seen[name] = group.states[:, valid]
            return torch.zeros(1)

    Standardised(Look(), source.statistics(TRAIN))(source.batch(TRAIN))

    for name, spec in STORED.items():
        shape = (len(spec.layers), spec.dim)
        mean, deviation = seen[name].mean(1), seen[name].std(1, correction=0)
        torch.testing.assert_close(mean, torch.zeros(shape), atol=1e-5, rtol=0)
        torch.testing.assert_close(deviation, torch.ones(shape), atol=1e-5, rtol=0)


def test_a_feature_that_never_changes_stays_at_0(tmp_path: Path) -> None:
    def constant(row: int, states: Any) -> Any:
        states[..., 0] = -23.025851 + 2e-6 * (row % 2)  # up to rounding
        return states

    source = PooledSource(
        random_features(tmp_path / "store", constant), KEYS, STORED, STORED
    )
    seen = []

    class Look(nn.Module):
        def forward(self, features: LayeredFeatures) -> Tensor:
            seen.append(features["wide"].states[..., 0])
            return torch.zeros(1)

    Standardised(Look(), source.statistics(TRAIN))(source.batch(torch.arange(ROWS)))

    torch.testing.assert_close(seen[0], torch.zeros(3, ROWS, 1), atol=1e-5, rtol=0)


def standardised(plugins: Plugins, name: str, source: FeatureSource) -> Standardised:
    """Build a head on the groups of `STORED` that its options leave."""
    bound = plugins.downstreams.bind(parse_spec(name))
    groups = {group: STORED[group] for group in bound.options["groups"] or STORED}
    torch.manual_seed(0)
    head = bound.card.build(groups, CLASSES, bound.options)
    return Standardised(head, source.statistics(TRAIN))


POOLED = ("last", "mean", "weighted-sum:groups=wide", "scalar-mix:groups=wide", "fc")


@pytest.mark.parametrize("name", POOLED)
def test_a_pooled_head_gives_the_same_on_means_and_on_frames(
    plugins: Plugins, pooled: PooledSource, frames: FrameSource, name: str
) -> None:
    head, rows = standardised(plugins, name, pooled), torch.arange(ROWS)

    of_means = predict(head, pooled, rows, "cpu")
    of_frames = predict(head, frames, rows, "cpu")

    torch.testing.assert_close(of_frames, of_means, atol=0, rtol=1e-5)


@pytest.mark.parametrize("name", ["bigru", "ladapter:groups=wide", "mean"])
def test_padding_does_not_reach_the_probabilities(
    plugins: Plugins, frames: FrameSource, name: str
) -> None:
    head, rows = standardised(plugins, name, frames), torch.tensor([3, 17, 0, 29, 8])

    together = predict(head, frames, rows, "cpu")

    alone = [predict(head, frames, row[None], "cpu") for row in rows]
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-6, rtol=1e-5)


def test_frames_are_padded_with_zeros_to_the_longest_of_the_batch(
    frames: FrameSource,
) -> None:
    rows = torch.arange(5)

    for group in frames.batch(rows).values():
        assert group.states.shape[2] == group.lengths.max()
        for place, length in enumerate(group.lengths.tolist()):
            assert group.states[:, place, :length].abs().min() > 0
            assert not group.states[:, place, length:].any()


def test_only_the_wanted_layers_are_read(tmp_path: Path) -> None:
    features = random_features(tmp_path / "store")
    wanted = {"wide": GroupSpec(range(1, 2), DIM, 100.0)}
    rows = torch.tensor([7, 1])

    for kind in (PooledSource, FrameSource):
        some = kind(features, KEYS, STORED, wanted).batch(rows)
        whole = kind(features, KEYS, STORED, STORED).batch(rows)

        assert some.keys() == {"wide"}
        assert torch.equal(some["wide"].states, whole["wide"].states[1:2])


def test_a_training_that_diverges_stops_and_names_the_epoch(
    pooled: PooledSource,
) -> None:
    wild = Recipe(epochs=9, batch_size=8, learning_rate=3e37)

    seen = train_head(line(), pooled, TRAIN, LABELS, 3, wild, FitSeeds(0, "1"), "cpu")

    assert seen.diverged in (1, 2)
    assert len(seen.losses) == seen.diverged


FitFirst = Callable[..., FitResult]


@pytest.fixture
def fit_in(
    ask: Callable[..., Study], fill: Callable[[Job, Store], object], tmp_path: Path
) -> FitFirst:
    """Return a function that fits the first fold of a study, with a new store."""

    def go(name: str, **said: Any) -> FitResult:
        store = Store(tmp_path / name)
        (job,) = prepare(ask(**{"protocol": "demo"} | said), store, Silent())
        fill(job, store)
        sources = open_sources(job, store)
        return fit_fold(Fit(job, job.opened.splits[0]), sources, store, "cpu")

    return go


def weights(root: Path) -> dict[str, Tensor]:
    (file,) = Store(root).fits()
    return load_file(file)


@pytest.mark.parametrize("head", ["mean", "fc", "bigru"])
def test_a_seed_fixes_weights_and_predictions_to_the_bit_whatever_ran_before(
    fit_in: FitFirst, tmp_path: Path, head: str
) -> None:
    torch.manual_seed(1)
    first = fit_in("first", downstreams=[head])
    torch.manual_seed(2)
    torch.rand(100)
    second = fit_in("second", downstreams=[head])

    one, other = weights(tmp_path / "first"), weights(tmp_path / "second")
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert torch.equal(first.probabilities, second.probabilities)
    assert first.log.epochs == second.log.epochs


@pytest.mark.parametrize("head", ["fc", "bigru"])
def test_training_does_not_depend_on_the_test_set(
    fit_in: FitFirst, notes: Path, tmp_path: Path, head: str
) -> None:
    before = fit_in("before", downstreams=[head])
    for file in notes.parent.glob("s[02]_*.wav"):  # the speakers of the first fold
        soundfile.write(file, read_audio(file)[:2400] ** 3, 16_000, subtype="FLOAT")

    after = fit_in("after", downstreams=[head])

    one, other = weights(tmp_path / "before"), weights(tmp_path / "after")
    assert any(name.startswith("deviation") for name in one)
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert not torch.equal(before.probabilities, after.probabilities)


def test_training_restores_the_global_random_state(fit_in: FitFirst) -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()

    fit_in("store")

    assert torch.equal(torch.get_rng_state(), before)


def test_another_seed_gives_other_weights_and_predictions(fit_in: FitFirst) -> None:
    first, second = (fit_in(str(seed), seeds=[seed]) for seed in (0, 1))

    assert not torch.equal(first.probabilities, second.probabilities)


def test_folds_and_purposes_draw_from_different_seeds() -> None:
    seeds = {
        FitSeeds(seed, fold).seed_for(purpose)
        for seed in (0, 1)
        for fold in ("1", "2")
        for purpose in ("weights", "order", "dropout")
    }

    assert len(seeds) == 12


def test_a_fitted_head_is_loaded_and_not_trained_again(
    fit_in: FitFirst, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = fit_in("store", downstreams=["bigru"])
    monkeypatch.setattr(fits, "train_head", None)

    again = fit_in("store", downstreams=["bigru"])

    assert torch.equal(again.probabilities, first.probabilities)
    assert again.log == first.log


@pytest.mark.parametrize("head", ["mean", "bigru"])
def test_a_fit_that_diverges_is_an_error_that_names_the_epoch(
    fit_in: FitFirst, tmp_path: Path, head: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "nserbench.benchmark.jobs.job.Job.recipe",
        Recipe(epochs=9, batch_size=8, learning_rate=3e37),
    )

    with pytest.raises(
        NserbenchError, match=r"loss of epoch [12] is .*learning rate 3e\+37"
    ):
        fit_in("wild", downstreams=[head])
    assert Store(tmp_path / "wild").fits() == []


def fitted(runner: Runner) -> list[dict[str, Tensor]]:
    return [load_file(file) for file in runner.store.fits()]


def test_heads_trained_together_end_as_heads_trained_one_by_one(
    ask: Callable[..., Study],
    levels: Any,
    runner_in: Callable[[Path], Runner],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = {
        "upstreams": ["levels:groups=wide"],
        "downstreams": ["single:layer=1,single:layer=2,weighted-sum,mean", "bigru"],
        "seeds": [0, 1],
    }
    together, alone = runner_in(tmp_path / "together"), runner_in(tmp_path / "alone")
    stacks: list[int] = []

    def counted(runs: Any, *rest: Any) -> Any:
        stacks.append(len(runs))
        return fit_together(runs, *rest)

    monkeypatch.setattr("nserbench.benchmark.jobs.fit.fit_together", counted)
    together.run(ask(**said))
    # two layers x two seeds x two folds, then the two other heads, and the one that
    # bigru is compared with, which reads the last layer alone
    assert stacks == [8, 4, 4, 4]
    monkeypatch.setattr(
        "nserbench.benchmark.running.runner.fit_stacks", lambda *all: None
    )
    alone.run(ask(**said))

    assert stacks[4:] == [1] * 20
    ours, theirs = fitted(together), fitted(alone)
    assert len(ours) == len(theirs) == 24
    for one, other in zip(ours, theirs, strict=True):
        for name in one:
            assert (one[name] - other[name]).abs().max() < 1e-6
    stacked, apart = (
        [not_none(result.predictions).probabilities for result in read_results(folder)]
        for folder in (together.results, alone.results)
    )
    for found, wanted in zip(stacked, apart, strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-5)
