from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from open_corpora import (
    CARDS,
    CLASSES,
    FOLDS,
    FOUR,
    SPEAKERS,
    TOTALS,
    TREES,
    everything,
    missing,
    plant,
    problem,
    read,
    refusal,
    savee_files,
)

from nserbench.benchmark.study.splits import make_splits
from nserbench.cards import bind
from nserbench.corpora.audio import read_audio
from nserbench.corpora.readers import savee
from nserbench.settings import variable
from nserbench.spec import parse_spec


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    top = tmp_path_factory.mktemp("open")
    return {name: plant(top / name, files()) for name, files in TREES.items()}


@pytest.mark.parametrize("name", TREES)
def test_a_complete_corpus_has_its_published_counts(
    trees: Mapping[str, Path], name: str
) -> None:
    corpus = read(name, trees[name], everything(name))

    assert Counter(one.label for one in corpus.utterances) == CLASSES[name]
    assert len(corpus.utterances) == TOTALS[name]
    assert len({one.speaker for one in corpus.utterances}) == SPEAKERS[name]
    assert len(corpus.folds) == FOLDS[name]


@pytest.mark.parametrize("name", TREES)
@pytest.mark.parametrize("classes", ["paper", "all"])
def test_expected_counts_are_those_of_a_complete_corpus(
    trees: Mapping[str, Path], name: str, classes: str
) -> None:
    options = f"classes={classes}" if everything(name) else ""
    bound = bind(CARDS[name], parse_spec(f"{name}:{options}" if options else name))
    corpus = read(name, trees[name], options)

    (counts,) = CARDS[name].resolve(str(CARDS[name].expects))(bound.options)

    assert counts.differences(corpus) == []
    assert counts.total == len(corpus.utterances)


@pytest.mark.parametrize("name", TREES)
def test_four_classes_are_read_unless_all_are_asked_for(
    trees: Mapping[str, Path], name: str
) -> None:
    corpus = read(name, trees[name])

    assert corpus.classes == FOUR
    assert {one.label for one in corpus.utterances} == set(FOUR)
    assert set(read(name, trees[name], everything(name)).classes) == set(CLASSES[name])


@pytest.mark.parametrize("name", TREES)
def test_no_speaker_is_trained_on_and_tested(
    trees: Mapping[str, Path], name: str
) -> None:
    corpus = read(name, trees[name])

    for split in make_splits(corpus):
        sides = [
            {corpus.utterances[at].speaker for at in part}
            for part in (split.train, split.test)
        ]
        assert not sides[0] & sides[1]
        assert {corpus.utterances[at].label for at in split.test} == set(FOUR)


@pytest.mark.parametrize("name", TREES)
def test_utterances_are_sorted_by_id_and_can_be_read(
    trees: Mapping[str, Path], name: str
) -> None:
    found = read(name, trees[name]).utterances

    ids = [one.id for one in found]
    assert ids == sorted(ids)
    assert read_audio(found[0].path).shape == (1600,)


def test_a_lost_file_is_a_difference_from_what_is_expected(tmp_path: Path) -> None:
    folder = plant(tmp_path, list(savee_files()))
    (folder / "AudioData/JE/a07.wav").unlink()

    (counts,) = savee.expected({"classes": "paper"})

    assert counts.differences(read("savee", folder)) == [
        "class anger: 59 utterances, 60 expected",
        "fold JE: 74 utterances, 75 expected",
        "speaker JE: 74 utterances, 75 expected",
    ]


@pytest.mark.parametrize("name", TREES)
def test_a_file_with_another_name_is_refused_by_name(tmp_path: Path, name: str) -> None:
    file = next(TREES[name]())
    folder = plant(tmp_path, [file])
    copy = (folder / file).with_stem(f"{Path(file).stem} copy")
    copy.touch()

    assert refusal(name, folder).startswith(
        f"{copy} is not named as the files of {name}"
    )


@pytest.mark.parametrize("name", TREES)
def test_other_kinds_of_files_are_skipped(tmp_path: Path, name: str) -> None:
    file = next(TREES[name]())
    folder = plant(tmp_path, [file])
    for other in (f"._{Path(file).name}", "Thumbs.db", "readme.txt"):
        (folder / file).with_name(other).touch()

    assert len(read(name, folder, everything(name)).utterances) == 1


@pytest.mark.parametrize("name", TREES)
def test_the_folder_above_is_answered_with_the_right_one(
    tmp_path: Path, name: str
) -> None:
    folder = plant(tmp_path / "above/corpus", [next(TREES[name]())])

    assert missing(name, tmp_path / "above").endswith(
        f"they are in {folder}: set {variable(name)} to that folder"
    )


@pytest.mark.parametrize("name", ["ravdess", "esd", "urdu"])
def test_the_folder_below_is_answered_with_the_right_one(
    tmp_path: Path, name: str
) -> None:
    file = next(TREES[name]())
    folder = plant(tmp_path, [file])

    assert missing(name, (folder / file).parent).endswith(
        f"they are in {folder}: set {variable(name)} to that folder"
    )


@pytest.mark.parametrize("name", TREES)
def test_any_other_folder_is_answered_with_the_way_to_get_the_corpus(
    tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "a/b/c"
    folder.mkdir(parents=True)

    assert missing(name, folder).endswith(CARDS[name].obtain)
    assert CARDS[name].obtain in missing(name, None)


@pytest.mark.parametrize("name", TREES)
@settings(max_examples=30)
@given(name_of_file=st.data())
def test_any_name_is_read_or_refused_by_name(
    tmp_path_factory: pytest.TempPathFactory, name: str, name_of_file: st.DataObject
) -> None:
    known = next(TREES[name]())
    letters = st.sampled_from(
        [*set(Path(known).stem), "_", "-", "9", "Z", "é", "²", "٣"]
    )
    stem = name_of_file.draw(st.text(letters, min_size=1, max_size=24))
    top = tmp_path_factory.mktemp("any")
    folder = plant(top, [known])
    (folder / known).with_stem(stem).touch()

    assert stem in problem(name, folder, stem)


def test_a_relative_folder_is_read_too(
    trees: Mapping[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(trees["savee"] / "AudioData/DC")

    said = missing("savee", Path())

    assert f"they are in {trees['savee'] / 'AudioData'}" in said
    monkeypatch.chdir(trees["savee"])
    assert len(read("savee", Path()).utterances) == 300
