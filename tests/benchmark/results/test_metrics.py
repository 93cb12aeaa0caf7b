import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from scipy.special import logit
from sklearn import metrics as reference

from nserbench.benchmark.results.counted import HiddenNames, answers_by
from nserbench.benchmark.results.intervals import standard_error
from nserbench.benchmark.results.metrics import (
    METRICS,
    bootstrap,
    chance,
    confusion,
    effective_size,
    headline,
    lacks_a_class,
    summarise,
)
from nserbench.benchmark.results.predictions import Predictions

CLASSES = 4


def by_scikit_learn(
    labels: NDArray[np.int64], predicted: NDArray[np.int64]
) -> dict[str, float]:
    chosen = {"labels": np.unique(labels), "zero_division": 0}
    return {
        "uar": reference.recall_score(labels, predicted, average="macro", **chosen),
        "f1_macro": reference.f1_score(labels, predicted, average="macro", **chosen),
        "f1_weighted": reference.f1_score(
            labels, predicted, average="weighted", **chosen
        ),
        "accuracy": reference.accuracy_score(labels, predicted),
    }


def random_predictions(
    seed: int, utterances: int = 120, speakers: int = 6
) -> Predictions:
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, CLASSES, utterances)
    right = generator.random(utterances) < 0.5
    who = generator.integers(0, speakers, utterances)
    who[:speakers] = np.arange(speakers)
    return Predictions(
        utterances=tuple(f"u{number}" for number in range(utterances)),
        speakers=tuple(f"s{one}" for one in who),
        folds=tuple(f"f{one % 3}" for one in who),
        classes=("a", "b", "c", "d"),
        labels=labels,
        predicted=np.where(right, labels, generator.integers(0, CLASSES, utterances)),
        probabilities=np.full((utterances, CLASSES), 1 / CLASSES),
    )


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize(
    ("true", "answered"),
    [
        ([0, 1, 2, 3], [0, 1, 2, 3]),
        ([0, 1, 2, 3], [0, 1]),  # classes that are never answered
        ([0, 1], [0, 1, 2, 3]),  # classes that are only answered
        ([0, 1], [2, 3]),
        ([3], [3]),
        ([2], [0, 1]),
    ],
)
def test_metrics_are_those_of_scikit_learn(
    name: str, true: list[int], answered: list[int]
) -> None:
    generator = np.random.default_rng(0)
    for size in (1, 2, 7, 100):
        labels = generator.choice(true, size)
        predicted = generator.choice(answered, size)

        found = METRICS[name](confusion(labels, predicted, CLASSES))

        assert found == pytest.approx(by_scikit_learn(labels, predicted)[name])


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
def test_uar_is_balanced_accuracy() -> None:
    labels, predicted = np.array([0, 0, 1, 1, 1]), np.array([0, 1, 1, 1, 3])

    found = METRICS["uar"](confusion(labels, predicted, CLASSES))

    assert found == pytest.approx(reference.balanced_accuracy_score(labels, predicted))


def test_a_confusion_matrix_has_a_row_for_each_true_class() -> None:
    labels, predicted = np.array([0, 0, 2]), np.array([1, 1, 2])

    found = confusion(labels, predicted, 3)

    np.testing.assert_array_equal(
        found, reference.confusion_matrix(labels, predicted, labels=[0, 1, 2])
    )


def test_metrics_work_on_any_number_of_matrices_at_once() -> None:
    matrices = answers_by(random_predictions(0))[1].sum(axis=1)

    for metric in METRICS.values():
        together = metric(matrices.reshape(2, 3, CLASSES, CLASSES))

        assert together.shape == (2, 3)
        each = [metric(m) for m in matrices]
        np.testing.assert_allclose(together.ravel(), each, rtol=1e-14)


def test_the_score_is_the_mean_of_folds_and_pooled_is_over_all_predictions() -> None:
    predictions = random_predictions(1)
    folds = np.array(predictions.folds)

    found = summarise(predictions, draws=10)

    for name, summary in found.items():
        each = {
            fold: by_scikit_learn(
                predictions.labels[folds == fold], predictions.predicted[folds == fold]
            )[name]
            for fold in ("f0", "f1", "f2")
        }
        pooled = by_scikit_learn(predictions.labels, predictions.predicted)[name]
        assert summary.folds == pytest.approx(each)
        assert summary.mean == pytest.approx(np.mean(list(each.values())))
        assert summary.pooled == pytest.approx(pooled)
        assert summary.value == summary.mean


def test_a_class_without_support_in_all_folds_is_not_counted() -> None:
    predictions = random_predictions(2)
    labels = predictions.labels % 3
    predictions = dataclasses.replace(predictions, labels=labels, predicted=labels)

    found = summarise(predictions, draws=10)

    assert not lacks_a_class(answers_by(predictions)[1])
    assert found["uar"].value == found["uar"].mean == 1.0


def test_a_class_without_support_in_a_fold_is_not_counted_there() -> None:
    predictions = random_predictions(2)
    in_first = np.array(predictions.folds) == "f0"
    labels = np.where(in_first & (predictions.labels == 3), 0, predictions.labels)
    predictions = dataclasses.replace(predictions, labels=labels, predicted=labels)

    found = summarise(predictions, draws=10)

    assert found["uar"].folds["f0"] == 1.0
    assert found["f1_macro"].mean == 1.0


def test_draws_are_those_of_a_plain_bootstrap_over_speakers_and_their_folds() -> None:
    predictions = random_predictions(3)
    # One class belongs to one speaker of each fold, so that some draws lack it.
    own = np.isin(predictions.speakers, ["s0", "s1", "s2"])
    labels = np.where(own, 3, predictions.labels % 3)
    predicted = predictions.predicted
    predictions = dataclasses.replace(predictions, labels=labels)
    times = np.random.default_rng(5).multinomial(6, [1 / 6] * 6, size=40)
    hidden = HiddenNames.of(predictions).units
    order = sorted(hidden, key=hidden.__getitem__)

    found = bootstrap(answers_by(predictions)[1], draws=40, seed=5)

    folds, speakers = np.array(predictions.folds), np.array(predictions.speakers)
    for draw, counts in enumerate(times):
        drawn = {name: counts[place] for place, name in enumerate(order)}
        again = np.array([drawn[name] for name in speakers])
        # Fold f0 has the speakers 0 and 3, and so on; it counts as often as they do.
        weights = [drawn[f"s{fold}"] + drawn[f"s{fold + 3}"] for fold in range(3)]
        each = [
            by_scikit_learn(
                *(np.repeat(one[rows], again[rows]) for one in (labels, predicted))
            )
            for fold in range(3)
            if again[rows := folds == f"f{fold}"].any()
        ]
        for name, values in found.items():
            mean = np.average(
                [one[name] for one in each], weights=[one for one in weights if one]
            )
            assert values[draw] == pytest.approx(mean, rel=1e-5)


def test_an_interval_is_students_t_on_the_log_odds_of_the_value() -> None:
    predictions = random_predictions(3)
    answers = answers_by(predictions)[1]

    found = summarise(predictions)

    for name, values in bootstrap(answers).items():
        value, one = found[name].value, found[name]
        size = effective_size(name, answers.sum(axis=0))
        least = np.sqrt(value * (1 - value) / size)
        error = max(np.sqrt(np.mean((values - value) ** 2) * 6 / 5), least)
        reach = stats.t.ppf(0.975, 5) * error / (value * (1 - value))
        assert one.low is not None
        assert one.high is not None
        assert logit(one.low) == pytest.approx(logit(value) - reach, rel=1e-4)
        assert logit(one.high) == pytest.approx(logit(value) + reach, rel=1e-4)


def test_folds_of_one_unit_give_the_error_of_a_mean_over_units() -> None:
    right = np.random.default_rng(0).binomial(40, 0.6, 20)
    answers = np.zeros((20, 20, 2, 2), np.int64)
    answers[range(20), range(20), 0, 0] = right
    answers[range(20), range(20), 0, 1] = 40 - right

    values = bootstrap(answers, ["accuracy"])["accuracy"]

    error = standard_error(values, float(np.mean(right / 40)), 20)
    assert error == pytest.approx(stats.sem(right / 40), rel=0.05)


def test_draws_depend_on_the_seed_and_the_number_of_units_alone() -> None:
    answers = answers_by(random_predictions(4))[1]

    found = bootstrap(answers, draws=50, seed=1)["uar"]

    np.testing.assert_array_equal(
        bootstrap(3 * answers, draws=50, seed=1)["uar"], found
    )
    assert (bootstrap(answers, draws=50, seed=2)["uar"] != found).any()


def test_the_order_of_utterances_does_not_matter() -> None:
    predictions = random_predictions(6)
    order = np.random.default_rng(0).permutation(len(predictions.utterances))
    shuffled = Predictions(
        utterances=tuple(predictions.utterances[row] for row in order),
        speakers=tuple(predictions.speakers[row] for row in order),
        folds=tuple(predictions.folds[row] for row in order),
        classes=predictions.classes,
        labels=predictions.labels[order],
        predicted=predictions.predicted[order],
        probabilities=predictions.probabilities[order],
    )

    assert summarise(shuffled, draws=100) == summarise(predictions, draws=100)


def test_one_speaker_gives_no_interval() -> None:
    found = summarise(random_predictions(7, speakers=1))

    assert [(one.low, one.high) for one in found.values()] == [(None, None)] * 4


def test_one_speaker_cannot_be_resampled() -> None:
    with pytest.raises(ValueError, match="at least 2 units, got 1"):
        bootstrap(np.ones((1, 2, CLASSES, CLASSES), dtype=np.int64))


def test_an_interval_is_narrower_if_speakers_are_more_alike() -> None:
    predictions = random_predictions(8, utterances=400)
    own = np.array([int(name[1]) for name in predictions.speakers])
    alike = dataclasses.replace(
        predictions,
        predicted=np.where(np.arange(400) % 2 == 0, predictions.labels, 0),
    )
    unlike = dataclasses.replace(
        predictions, predicted=np.where(own < 3, predictions.labels, 0)
    )

    narrow, wide = summarise(alike)["accuracy"], summarise(unlike)["accuracy"]

    assert narrow.low is not None
    assert narrow.high is not None
    assert wide.low is not None
    assert wide.high is not None
    assert wide.high - wide.low > 3 * (narrow.high - narrow.low)


def one_class_each() -> Predictions:
    """Make eight speakers of two classes, each a fold of its own and of one class."""
    predictions = random_predictions(9, utterances=160, speakers=8)
    own = np.array([int(name[1]) for name in predictions.speakers])
    return dataclasses.replace(
        predictions,
        folds=predictions.speakers,
        labels=own % 2,
        predicted=np.where(np.arange(160) % 3 == 0, 1 - own % 2, own % 2),
    )


def test_folds_are_pooled_where_one_lacks_a_class() -> None:
    predictions = one_class_each()
    wanted = by_scikit_learn(predictions.labels, predictions.predicted)

    found = summarise(predictions)

    for name, summary in found.items():
        assert summary.value == summary.pooled == pytest.approx(wanted[name])
        assert summary.low is not None
        assert summary.high is not None
        assert summary.low < summary.value < summary.high
    # A fold of one class makes no false alarm, so that its F1 is too good.
    assert found["f1_macro"].mean > found["f1_macro"].value + 0.1


def test_draws_are_pooled_also_where_they_lack_a_class() -> None:
    predictions = one_class_each()
    answers = answers_by(predictions)[1]
    units = len(answers)
    times = np.random.default_rng(3).multinomial(units, [1 / units] * units, size=50)
    drawn = np.tensordot(times, answers.sum(axis=1), axes=1)

    found = bootstrap(answers, draws=50, seed=3)

    for name, values in found.items():
        np.testing.assert_allclose(values, METRICS[name](drawn), rtol=1e-6)


@pytest.mark.parametrize("predictions", [random_predictions(10), one_class_each()])
def test_the_chance_level_is_the_score_of_many_guesses(
    predictions: Predictions,
) -> None:
    folds = answers_by(predictions)[1].sum(axis=0)
    many = np.repeat(folds.sum(axis=-1), 5000 * np.ones(len(folds), int), axis=0)
    many = many.reshape(len(folds), 5000, CLASSES).sum(axis=1)
    random = np.random.default_rng(0)
    guessed = random.multinomial(many, np.full(CLASSES, 1 / CLASSES))

    for name, summary in summarise(predictions, draws=10).items():
        assert summary.chance == chance(name, folds)
        assert summary.chance == pytest.approx(headline(name, guessed), abs=0.002)


@pytest.mark.parametrize("predictions", [random_predictions(11), one_class_each()])
@pytest.mark.parametrize("name", ["uar", "accuracy"])
def test_a_score_has_the_variance_of_a_fraction_of_its_effective_size(
    name: str, predictions: Predictions
) -> None:
    folds = answers_by(predictions)[1].sum(axis=0)
    random, right = np.random.default_rng(0), 0.7
    hits = random.binomial(folds.sum(axis=-1), right, (4000, *folds.shape[:2]))
    wrong = folds.sum(axis=-1) - hits
    matrices = np.zeros((4000, *folds.shape))
    for one in range(CLASSES):
        matrices[..., one, one] = hits[..., one]
        matrices[..., one, (one + 1) % CLASSES] = wrong[..., one]

    values = np.array([headline(name, one) for one in matrices])

    wanted = right * (1 - right) / effective_size(name, folds)
    assert np.var(values) == pytest.approx(wanted, rel=0.1)
