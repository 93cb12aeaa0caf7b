from collections import Counter
from pathlib import Path

from open_corpora import only

from nserbench.corpora.readers import cremad


def test_cremad_says_actor_sentence_and_emotion(tmp_path: Path) -> None:
    utterance = only("crema-d", tmp_path, "1040_ITH_SAD_X.wav")

    assert utterance.id == "1040_ITH_SAD_XX"  # so since 2022
    assert (utterance.label, utterance.speaker) == ("sadness", "1040")
    assert utterance.text == "I think I have a doctor's appointment."
    assert utterance.language == "en"


def test_cremad_folds_have_equal_shares_of_women_and_men() -> None:
    shares = Counter((fold, cremad.ACTORS[one]) for one, fold in cremad.FOLDS.items())

    assert {shares[fold, "F"] for fold in "12345"} == {8, 9}
    assert {shares[fold, "M"] for fold in "12345"} == {9, 10}
    assert (len(cremad.WOMEN), len(cremad.MEN)) == (43, 48)  # as published
    assert set(Counter(cremad.FOLDS.values()).values()) == {18, 19}
