from dataclasses import replace
from pathlib import Path

import pytest

from nserbench.benchmark.study.splits import SplitRule, limited, make_splits
from nserbench.corpora.base import Corpus, Utterance
from nserbench.errors import BadCorpus


def corpus(*rows: tuple[str, str, str], tested: tuple[str, ...] = ()) -> Corpus:
    """Make a corpus of (fold, speaker, label)."""
    return Corpus(
        classes=("a", "b"),
        utterances=[
            Utterance(
                id=str(place), path=Path(), label=label, speaker=speaker, fold=fold
            )
            for place, (fold, speaker, label) in enumerate(rows)
        ],
        tested=tested,
    )


GOOD = [("1", "x", "a"), ("1", "x", "b"), ("2", "y", "a"), ("2", "y", "b")]


def test_each_fold_is_tested_against_all_others() -> None:
    splits = make_splits(corpus(*GOOD, ("3", "z", "a")))

    assert [(split.fold, split.test) for split in splits] == [
        ("1", (0, 1)),
        ("2", (2, 3)),
        ("3", (4,)),
    ]
    assert splits[0].train == (2, 3, 4)


def test_only_the_tested_folds_are_tested() -> None:
    splits = make_splits(corpus(*GOOD, tested=("2",)))

    assert [(split.train, split.test) for split in splits] == [((0, 1), (2, 3))]


def test_a_speaker_in_training_and_test_set_is_refused() -> None:
    with pytest.raises(BadCorpus, match=r"fold '1' tests speakers .* trains on: x"):
        make_splits(corpus(*GOOD, ("2", "x", "a")))


def test_a_single_fold_is_refused() -> None:
    with pytest.raises(BadCorpus, match="nothing is left to train on"):
        make_splits(corpus(*GOOD[:2], ("1", "other", "a")))


@pytest.mark.parametrize("folds", ["11", "12"])
def test_a_single_speaker_is_refused_by_name_in_one_fold_or_two(folds: str) -> None:
    rows = [(fold, "anna", label) for fold in folds for label in "ab"]

    with pytest.raises(BadCorpus, match="all utterances are of one speaker, 'anna'"):
        make_splits(corpus(*rows))


def test_a_class_missing_in_a_training_set_is_refused() -> None:
    with pytest.raises(BadCorpus, match="fold '2' trains on no utterance of b"):
        make_splits(corpus(GOOD[0], *GOOD[2:]))


def three(tested: tuple[str, ...] = (), each: int = 5) -> Corpus:
    """Make three folds of two speakers with some utterances of both classes."""
    rows = [
        (str(fold), f"s{fold}{who}", label)
        for fold in (1, 2, 3)
        for who in (1, 2)
        for label in "ab"
        for _ in range(each)
    ]
    return corpus(*rows, tested=tested)


def who(found: Corpus, places: tuple[int, ...]) -> set[str]:
    return {found.utterances[place].speaker for place in places}


def test_the_next_fold_is_the_development_set() -> None:
    found = three()

    splits = make_splits(found, SplitRule(dev="units"))

    parts = [
        tuple(
            sorted({found.utterances[place].fold for place in part})
            for part in (split.train, split.dev, split.test)
        )
        for split in splits
    ]
    assert parts == [
        (["3"], ["2"], ["1"]),
        (["1"], ["3"], ["2"]),
        (["2"], ["1"], ["3"]),
    ]


def test_the_fold_that_a_corpus_names_is_the_development_set() -> None:
    found = replace(three(tested=("2",)), dev="1")

    (split,) = make_splits(found, SplitRule(dev="units"))

    assert who(found, split.dev) == {"s11", "s12"}
    assert who(found, split.train) == {"s31", "s32"}


def test_with_one_training_fold_some_speakers_are_the_development_set() -> None:
    rows = [
        (fold, f"{fold}{speaker}", label)
        for fold in "xy"
        for speaker in range(10)
        for label in "ab"
    ]
    found = corpus(*rows)

    for split in make_splits(found, SplitRule(dev="units")):
        dev, train = who(found, split.dev), who(found, split.train)
        assert (len(dev), len(train)) == (2, 8)
        assert not dev & train


def test_a_single_training_speaker_cannot_be_held_out() -> None:
    with pytest.raises(BadCorpus, match="trains on one speaker only"):
        make_splits(corpus(*GOOD), SplitRule(dev="units"))


def test_superb_always_holds_out_the_same_fifth_of_the_utterances() -> None:
    found = three(each=10)

    one, other = (make_splits(found, SplitRule(dev="utterances")) for _ in range(2))

    assert one == other
    for split in one:
        assert (len(split.dev), len(split.train)) == (16, 64)
        assert who(found, split.dev) <= who(found, split.train)
        assert not set(split.dev) & {*split.train, *split.test}


def test_oracle_selects_on_the_test_set_and_trains_on_all_else() -> None:
    for split in make_splits(three(), SplitRule(dev="test")):
        assert split.dev == split.test
        assert len(split.train) == 40


def test_each_speaker_is_left_out_in_turn_whatever_the_folds() -> None:
    found = three()

    splits = make_splits(found, SplitRule(units=True))

    assert [split.fold for split in splits] == [
        "s11",
        "s12",
        "s21",
        "s22",
        "s31",
        "s32",
    ]
    assert [who(found, split.test) for split in splits] == [
        {split.fold} for split in splits
    ]


def test_loso_is_refused_if_the_corpus_has_its_own_test_set() -> None:
    with pytest.raises(BadCorpus, match="its own test set, 2"):
        make_splits(three(tested=("2",)), SplitRule(units=True))


def test_a_limit_spreads_over_folds_and_classes() -> None:
    found = limited(corpus(*GOOD * 5).utterances, 6)

    strata = sorted((one.fold, one.label) for one in found)
    assert len(found) == 6
    assert set(strata) == {("1", "a"), ("1", "b"), ("2", "a"), ("2", "b")}


def test_a_limit_takes_the_speakers_of_a_fold_and_class_in_turn() -> None:
    rows = [("1", speaker, label) for speaker in "xyz" for label in "aabb"]
    rows += [("2", speaker, label) for speaker in "uv" for label in "ab"]

    found = limited(corpus(*rows).utterances, 8)

    assert [one.speaker for one in found] == ["x", "x", "y", "y", "u", "u", "v", "v"]


def test_two_utterances_with_one_id_are_refused() -> None:
    one = Utterance(id="u", path=Path(), label="a", speaker="x", fold="1")

    with pytest.raises(BadCorpus, match="'u': ids must be unique"):
        Corpus(classes=("a",), utterances=[one, one])


def test_a_label_outside_the_classes_is_refused() -> None:
    with pytest.raises(BadCorpus, match="0 has the label 'c'"):
        corpus(("1", "x", "c"))
