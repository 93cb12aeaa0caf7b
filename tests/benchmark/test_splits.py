from pathlib import Path

import pytest

from nserbench.benchmark.splits import limited, make_splits
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


def test_a_speaker_on_both_sides_is_refused() -> None:
    with pytest.raises(BadCorpus, match=r"fold '1' tests speakers .* trains on: x"):
        make_splits(corpus(*GOOD, ("2", "x", "a")))


def test_a_single_fold_is_refused() -> None:
    with pytest.raises(BadCorpus, match="nothing is left to train on"):
        make_splits(corpus(*GOOD[:2]))


def test_a_class_that_is_never_trained_on_is_refused() -> None:
    with pytest.raises(BadCorpus, match="fold '2' trains on no utterance of b"):
        make_splits(corpus(GOOD[0], *GOOD[2:]))


def test_a_limit_spreads_over_folds_and_classes() -> None:
    found = limited(corpus(*GOOD * 5).utterances, 6)

    strata = sorted((one.fold, one.label) for one in found)
    assert len(found) == 6
    assert set(strata) == {("1", "a"), ("1", "b"), ("2", "a"), ("2", "b")}


def test_two_utterances_with_one_id_are_refused() -> None:
    one = Utterance(id="u", path=Path(), label="a", speaker="x", fold="1")

    with pytest.raises(BadCorpus, match="'u': ids must be unique"):
        Corpus(classes=("a",), utterances=[one, one])


def test_a_label_outside_the_classes_is_refused() -> None:
    with pytest.raises(BadCorpus, match="0 has the label 'c'"):
        corpus(("1", "x", "c"))
