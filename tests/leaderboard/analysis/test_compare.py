"""Two cells of eight utterances, ``anger`` and ``neutral`` in turn, two a speaker."""

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from values import not_none

from nserbench.benchmark.results.intervals import unseen
from nserbench.benchmark.results.predictions import Predictions
from nserbench.benchmark.results.read_results import read_result
from nserbench.errors import BadResult
from nserbench.leaderboard.analysis.compare import Subgroup, compare, mcnemar
from nserbench.leaderboard.reading.counts import Column, Row
from nserbench.leaderboard.reading.pairs import predictions_of, read_pairs
from nserbench.leaderboard.tables.summary import summary_table

Add = Callable[..., Path]


def known(folder: Path) -> Predictions:
    return predictions_of(read_result(folder))


@pytest.mark.parametrize("first", [0, 1, 3, 12, 13, 24, 40])
@pytest.mark.parametrize("second", [0, 2, 11, 25, 60])
def test_mcnemars_test_is_that_of_statsmodels(first: int, second: int) -> None:
    tables = pytest.importorskip("statsmodels.stats.contingency_tables")
    exact = first + second < 25

    p, found_exact = mcnemar(first, second)

    wanted = tables.mcnemar([[5, first], [second, 5]], exact=exact, correction=True)
    assert p == pytest.approx(wanted.pvalue, rel=1e-9)
    assert found_exact == exact


@pytest.mark.parametrize("count", [0, 4, 30])
def test_equally_accurate_cells_do_not_differ_significantly(count: int) -> None:
    assert mcnemar(count, count)[0] == 1.0


def test_correct_answers_of_both_cells_are_counted(add: Add) -> None:
    pairs = read_pairs(add(right="11110000"), add(right="11001000"))

    (found,) = compare(pairs).agreements

    assert (found.both, found.first, found.second, found.neither) == (2, 2, 1, 3)
    assert found.exact
    assert found.p == 1.0


def test_a_change_is_the_second_minus_the_first_mean_of_folds(add: Add) -> None:
    pairs = read_pairs(add(right="11110000"), add(right="11111000"))

    found = compare(pairs).scores["uar"]

    assert (found.first, found.second) == (0.5, 0.625)
    assert found.change == 0.125


def test_both_cells_draw_the_same_speakers(add: Add) -> None:
    pairs = read_pairs(add(right="10001000"), add(right="11101110"))

    found = compare(pairs)

    # Speakers differ, but the change is the same for each, so it is in every draw.
    # What is left is that four speakers may agree by chance.
    change, alone = found.scores["accuracy"], found.scores["uar"]
    assert change.change == alone.change == 0.5
    assert change.low is not None
    assert change.high is not None
    assert change.low <= 0
    assert change.high == 1
    assert change.p == 2 * 0.5**4


def test_a_change_is_that_of_the_leaderboard_to_a_reference(
    root: Path, add: Add
) -> None:
    first, second = add(right="11010010"), add("opensmile", right="11011011")

    found = compare(read_pairs(first, second)).scores["uar"]

    table = summary_table(root, ["uar"], reference=Row("mel", "mean"))
    column = Column("emodb", "clean", "probe v1")
    wanted = table.entries[Row("opensmile", "mean"), column].scores["uar"].difference
    ours = (found.change, found.low, found.high, found.p)
    assert ours == dataclasses.astuple(not_none(wanted))


def test_cells_with_equal_answers_do_not_differ(add: Add) -> None:
    pairs = read_pairs(add(right="11010010"), add(right="11010010"))

    found = compare(pairs)

    for score in found.scores.values():
        assert (score.change, score.p) == (0, 1)
        # Eight answers that agree do not show that all others would.
        assert (score.low, score.high) == pytest.approx((-unseen(8, 3), unseen(8, 3)))
    assert not found.flips


def test_one_speaker_gives_no_interval(add: Add) -> None:
    alone = {"speakers": ("ann",) * 8}
    pairs = read_pairs(add(right="1" * 8, **alone), add(right="0" * 8, **alone))

    found = compare(pairs)

    assert found.units == 1
    assert found.scores["uar"].change == -1.0
    assert (found.scores["uar"].low, found.scores["uar"].p) == (None, None)


def test_each_class_and_speaker_has_its_own_accuracy(add: Add) -> None:
    pairs = read_pairs(add(right="10101111"), add(right="11111110"))

    found = compare(pairs)

    assert found.classes == [
        Subgroup("anger", 4, 1.0, 1.0),
        Subgroup("neutral", 4, 0.5, 0.75),
    ]
    assert found.speakers == [
        Subgroup("ann", 2, 0.5, 1.0),
        Subgroup("bob", 2, 0.5, 1.0),
        Subgroup("cid", 2, 1.0, 1.0),
        Subgroup("dot", 2, 1.0, 0.5),
    ]


def test_a_class_that_does_not_occur_is_not_listed(add: Add) -> None:
    some = known(add(right="1" * 8))
    anger = dataclasses.replace(some, labels=np.zeros(8, np.int64))
    anger = dataclasses.replace(
        anger,
        predicted=anger.labels,
        probabilities=np.tile([0.75, 0.25], (8, 1)),
    )
    other = dataclasses.replace(
        anger,
        predicted=1 - anger.predicted,
        probabilities=anger.probabilities[:, ::-1],
    )

    found = compare(read_pairs(add(predictions=anger), add(predictions=other)))

    assert [part.name for part in found.classes] == ["anger"]


def test_utterances_flip_in_both_directions(add: Add) -> None:
    pairs = read_pairs(add(right="11110000"), add(right="11011000"))

    lost, gained = sorted(compare(pairs).flips, key=lambda flip: flip.gained)

    assert (lost.utterance, lost.label, lost.first, lost.second) == (
        *("u2", "anger"),
        *("anger", "neutral"),
    )
    assert lost.change == -1.0
    assert lost.second_probabilities == {"anger": 0.0, "neutral": 1.0}
    assert (gained.utterance, gained.speaker, gained.fold) == ("u4", "cid", "2")
    assert gained.gained


def test_the_largest_changes_of_probability_come_first(add: Add) -> None:
    first = known(add(right="1" * 8))
    unsure = first.probabilities * 0.2 + 0.4
    second = known(add(right="00011111"))
    changed = second.probabilities.copy()
    changed[1] = unsure[0]
    second = dataclasses.replace(second, probabilities=changed)

    found = compare(read_pairs(add(predictions=first), add(predictions=second)))

    assert [flip.utterance for flip in found.flips] == ["u0", "u2", "u1"]


def test_the_order_of_predictions_does_not_matter(add: Add) -> None:
    first, second = add(right="11110000"), add(right="11011010")
    some = known(second)
    order = np.random.default_rng(0).permutation(8)
    turned = Predictions(
        utterances=tuple(some.utterances[place] for place in order),
        speakers=tuple(some.speakers[place] for place in order),
        folds=tuple(some.folds[place] for place in order),
        classes=some.classes,
        labels=some.labels[order],
        predicted=some.predicted[order],
        probabilities=some.probabilities[order],
    )

    found = compare(read_pairs(first, add(predictions=turned)))

    assert found == compare(read_pairs(first, second))


def test_seeds_are_paired_and_averaged(add: Add) -> None:
    first = add(right="11110000", seed=0)
    add(right="11111111", seed=1)
    second = add("opensmile", right="11110000", seed=0)
    add("opensmile", right="00001111", seed=1)
    add("opensmile", right="00000000", seed=2)

    found = compare(read_pairs(first, second, all_seeds=True))

    assert [one.seeds for one in found.agreements] == [(0, 0), (1, 1)]
    assert [one.first for one in found.agreements] == [0, 4]
    assert found.scores["accuracy"].first == 0.75
    assert found.scores["accuracy"].change == -0.25
    assert found.speakers[0] == Subgroup("ann", 2, 1.0, 0.5)
    assert {flip.seeds for flip in found.flips} == {(1, 1)}


def test_equal_changes_of_all_seeds_do_not_widen_the_interval(add: Add) -> None:
    for seed, right in enumerate(("11111111", "11110000")):
        add(right=right, seed=seed)
        second = add("opensmile", right=right, seed=seed)
    first = next(second.parent.glob("mel*_s0_*"))

    found = compare(read_pairs(first, second, all_seeds=True))

    for score in found.scores.values():
        assert (score.change, score.p) == (0, 1)
        assert (score.low, score.high) == pytest.approx((-unseen(8, 3), unseen(8, 3)))


def test_different_changes_of_the_seeds_widen_the_interval(add: Add) -> None:
    first, second = add(right="11011010"), add("opensmile", right="11011011")
    alone = compare(read_pairs(first, second)).scores["accuracy"]
    add(right="11111111", seed=1)
    add("opensmile", right="11001100", seed=1)

    both = compare(read_pairs(first, second, all_seeds=True)).scores["accuracy"]

    assert alone.low is not None
    assert alone.high is not None
    assert both.low is not None
    assert both.high is not None
    assert both.high - both.low > 1.5 * (alone.high - alone.low)


def test_by_default_only_the_two_named_results_are_compared(
    add: Add,
) -> None:
    first, second = add(seed=0), add(seed=1, right="00001111")

    found = compare(read_pairs(first, second))

    assert [one.seeds for one in found.agreements] == [(0, 1)]


def test_unfinished_seeds_and_other_protocol_versions_are_not_compared(
    add: Add,
) -> None:
    first, second = add(), add("opensmile")
    for upstream in ("mel", "opensmile"):
        add(upstream, seed=1, version=2)
        add(upstream, seed=2, right=None, status="failed", reason="no memory")
        add(upstream, seed=3)

    pairs = read_pairs(first, second, all_seeds=True)

    assert [one.seed for one, _ in pairs] == [0, 3]


def test_of_several_results_with_one_seed_the_newest_is_taken(add: Add) -> None:
    first, second = add(), add("opensmile")
    newest = add(seed=1, provenance={"finished": "2026-12-01T00:00:00+00:00"})
    add(seed=1)
    add("opensmile", seed=1)

    pairs = read_pairs(first, second, all_seeds=True)

    assert pairs[1][0].digest == read_result(newest).digest


def test_the_newest_result_is_found_across_time_zones(add: Add) -> None:
    first, second = add(), add("opensmile")
    newest = add(seed=1, provenance={"finished": "2026-12-01T10:00:00+00:00"})
    add(seed=1, provenance={"finished": "2026-12-01T12:00:00+09:00"})  # 03:00 in UTC
    add("opensmile", seed=1)

    pairs = read_pairs(first, second, all_seeds=True)

    assert pairs[1][0].digest == read_result(newest).digest


def test_the_named_result_is_taken_even_if_another_is_newer(add: Add) -> None:
    first, second = add(), add("opensmile")
    add(right="00001111")

    pairs = read_pairs(first, second, all_seeds=True)

    assert pairs[0][0].digest == read_result(first).digest


def test_cells_without_a_seed_in_common_are_refused(add: Add) -> None:
    first, second = add(seed=0), add("opensmile", seed=4)

    with pytest.raises(BadResult, match="no seed in common: 0 and 4"):
        read_pairs(first, second, all_seeds=True)


def test_a_cell_is_not_compared_with_itself(add: Add) -> None:
    folder = add()

    with pytest.raises(BadResult, match="is compared with itself"):
        read_pairs(folder, folder)


def test_one_cell_run_twice_is_compared(add: Add, tmp_path: Path) -> None:
    folder = add()
    shutil.copytree(folder, tmp_path / "elsewhere" / folder.name)

    found = compare(read_pairs(folder, tmp_path / "elsewhere" / folder.name))

    assert not found.flips


def test_a_cell_that_is_not_done_is_refused_with_the_reason(add: Add) -> None:
    failed = add("wavlm", right=None, status="failed", reason="no memory")

    with pytest.raises(BadResult, match=r"wavlm x mean .* is failed: no memory"):
        read_pairs(add(), failed)


def test_different_utterances_are_counted(add: Add) -> None:
    first, second = add(), add("opensmile", right="11111")

    with pytest.raises(BadResult, match="cannot be compared") as refused:
        read_pairs(first, second)

    assert str(refused.value).splitlines()[2].strip() == (
        "5 utterances were tested in both, 3 only in the first, 0 only in the second"
    )


@pytest.mark.parametrize(
    ("what", "change", "told"),
    [
        ("label", {"labels": np.array([1, 1, 0, 1, 0, 1, 0, 1])}, "anger and neutral"),
        ("fold", {"folds": tuple("21112222")}, "1 and 2"),
        ("speaker", {"speakers": ("eve", *"bcdefgh")}, "ann and eve"),
        ("unit of independence", {"units": tuple("abcdefgh")}, "ann and a"),
    ],
)
def test_different_facts_about_an_utterance_are_named(
    add: Add, what: str, change: dict[str, Any], told: str
) -> None:
    first = add()
    other = dataclasses.replace(known(first), **change)

    with pytest.raises(BadResult, match=f"another {what}, for example u0: {told}"):
        read_pairs(first, add(predictions=other))


def test_other_classes_are_refused(add: Add) -> None:
    first = add()
    classes = ("anger", "fear")
    other = dataclasses.replace(known(first), classes=classes)

    with pytest.raises(BadResult, match="classes are anger, neutral and anger, fear"):
        read_pairs(first, add(classes=classes, predictions=other))
