from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nserbench.benchmark.study.shared_audio import refuse_shared_audio
from nserbench.benchmark.study.splits import make_splits
from nserbench.corpora.base import Corpus, Utterance
from nserbench.errors import BadCorpus

Part = tuple[str, float | None, float | None]


def corpus(*parts: Part, file: str = "a.wav") -> Corpus:
    """Make a corpus of (fold, start, end), each of one speaker for each fold."""
    utterances = [
        Utterance(
            id=str(place),
            path=Path(file),
            label="ab"[place % 2],
            speaker=fold,
            fold=fold,
            start=start,
            end=end,
        )
        for place, (fold, start, end) in enumerate(parts)
    ]
    return Corpus(classes=("a", "b"), utterances=utterances)


def test_overlapping_times_in_two_folds_are_refused() -> None:
    with pytest.raises(BadCorpus) as caught:
        refuse_shared_audio(corpus(("1", 0.0, 0.3), ("2", 0.25, None)))

    assert str(caught.value) == (
        "utterances in different folds are the same part of a file\n"
        "  0 (fold 1, speaker 1, 0.0 s to 0.3 s) and "
        "1 (fold 2, speaker 2, 0.25 s to the end)\n"
        "  put both in one fold, or correct start and end"
    )


def test_no_split_is_made_of_overlapping_folds() -> None:
    parts: list[Part] = [(fold, 0.0, None) for fold in "1122"]

    with pytest.raises(BadCorpus, match="the same part of a file"):
        make_splits(corpus(*parts))


@pytest.mark.parametrize(
    "parts",
    [
        [("1", 0.0, 0.3), ("2", 0.3, None)],
        [("1", 0.0, 0.3), ("1", 0.2, None)],
        [("1", None, 0.3), ("2", 0.3, 0.4), ("1", 0.4, 0.5)],
    ],
)
def test_parts_that_meet_or_are_in_one_fold_are_fine(parts: list[Part]) -> None:
    refuse_shared_audio(corpus(*parts))


def test_another_spelling_of_a_path_is_the_same_file(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    found = corpus(("1", None, None), ("2", None, None))
    for other in ("./a.wav", "x/../a.wav", str(Path.cwd() / "a.wav")):
        spelled = replace(found.utterances[1], path=Path(other))
        with pytest.raises(BadCorpus):
            refuse_shared_audio(
                replace(found, utterances=[found.utterances[0], spelled])
            )
    linked = [
        replace(one, path=tmp_path / folder / "a.wav")
        for one, folder in zip(found.utterances, ("folder", "link"), strict=True)
    ]
    with pytest.raises(BadCorpus):
        refuse_shared_audio(replace(found, utterances=linked))


@settings(derandomize=True)
@given(
    st.lists(
        st.tuples(
            st.sampled_from("123"),
            st.integers(0, 8).map(float),
            st.integers(1, 9).map(float),
        ),
        min_size=1,
        max_size=7,
    )
)
def test_folds_overlap_as_comparing_all_pairs_says(
    spans: list[tuple[str, float, float]],
) -> None:
    parts = [(fold, start, start + length) for fold, start, length in spans]
    overlapping = any(
        one[0] != other[0] and one[1] < other[2] and other[1] < one[2]
        for one, other in combinations(parts, 2)
    )

    try:
        refuse_shared_audio(corpus(*parts))
        refused = False
    except BadCorpus:
        refused = True

    assert refused == overlapping
