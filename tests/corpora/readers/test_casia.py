from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from trees import EMOTIONS, SPEAKERS, casia_9600, casia_files, write_casia

from nserbench.benchmark.study.splits import make_splits
from nserbench.cards import bind
from nserbench.corpora.base import Corpus
from nserbench.corpora.cards import CASIA
from nserbench.corpora.readers import casia
from nserbench.errors import BadCorpus, BadSpec, CorpusMissing
from nserbench.settings import Settings
from nserbench.spec import parse_spec

SIX = ("anger", "fear", "happiness", "neutral", "sadness", "surprise")
FOUR = ("neutral", "happiness", "sadness", "anger")
NAMES = ("liuchanhg", "wangzhe", "zhaoquanyin", "zhaozuoxiang")
SMALL = [
    f"{speaker}/{emotion}/{number}.wav"
    for speaker in SPEAKERS
    for emotion in EMOTIONS
    for number in range(201, 251)
]


def read(folder: Path | None, spec: str = "casia") -> Corpus:
    paths = {} if folder is None else {"casia": folder}
    options = bind(CASIA, parse_spec(spec)).options
    return CASIA.read(options, Settings(paths=paths, environment={}))


def refusal(folder: Path) -> str:
    with pytest.raises(BadCorpus) as caught:
        read(folder)
    return str(caught.value)


def missing(folder: Path | None) -> str:
    with pytest.raises(CorpusMissing) as caught:
        read(folder)
    return str(caught.value)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_casia(tmp_path_factory.mktemp("casia"), SMALL)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_casia(tmp_path_factory.mktemp("casia"), casia_9600())


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Return a copy of the smallest edition that a test may change."""
    return write_casia(tmp_path / "own", SMALL)


def test_public_edition_has_its_published_files(
    tmp_path: Path, test_data: Path
) -> None:
    files = casia_files(test_data)
    folder = write_casia(tmp_path / "casia", files)

    corpus = read(folder)

    counts = Counter((one.speaker, one.label) for one in corpus.utterances)
    assert counts == {(name, label): 50 for name in NAMES for label in SIX}
    assert corpus.edition == "1200"
    found = {one.path.relative_to(folder).as_posix() for one in corpus.utterances}
    assert found == set(files)
    for one in corpus.utterances:
        emotion = one.path.parent.name
        assert one.label == {
            "angry": "anger",
            "happy": "happiness",
            "sad": "sadness",
        }.get(emotion, emotion)


@pytest.mark.parametrize("classes", ["4", "6"])
def test_each_edition_is_recognised_and_has_its_expected_counts(
    small: Path, large: Path, classes: str
) -> None:
    folders = {"1200": small, "7200": large / "相同文本300", "9600": large}
    for counts in casia.expected({"classes": classes}):
        corpus = read(folders.pop(counts.edition), f"casia:classes={classes}")

        assert corpus.edition == counts.edition
        assert counts.differences(corpus) == []
        assert counts.total == int(counts.edition) * int(classes) / 6
    assert not folders


def test_a_file_says_speaker_emotion_and_sentence(small: Path) -> None:
    found = {one.id: one for one in read(small).utterances}

    utterance = found["zhaozuoxiang-anger-201"]
    assert utterance.path == small / "ZhaoZuoxiang/angry/201.wav"
    assert (utterance.label, utterance.language) == ("anger", "zh")
    assert (utterance.speaker, utterance.fold) == ("zhaozuoxiang", "zhaozuoxiang")


def test_non_parallel_sentences_have_ids_of_their_own(large: Path) -> None:
    ids = {one.path: one.id for one in read(large).utterances}

    assert ids[large / "相同文本300/wangzhe/neutral/201.wav"] == "wangzhe-neutral-201"
    assert (
        ids[large / "不同文本100/Zhe.Wang/normal/001.wav"]
        == "wangzhe-neutral-nonparallel-001"
    )


def test_classes_are_six_or_those_of_iemocap(small: Path) -> None:
    assert read(small).classes == SIX
    assert read(small, "casia:classes=4").classes == FOUR
    with pytest.raises(BadSpec, match="must be one of 4, 6"):
        read(small, "casia:classes=5")


@pytest.mark.parametrize("spec", ["casia", "casia:classes=4"])
def test_each_speaker_is_tested_against_the_three_others(
    large: Path, spec: str
) -> None:
    corpus = read(large, spec)

    splits = make_splits(corpus)

    assert [split.fold for split in splits] == list(NAMES)
    for split in splits:
        assert len(split.train) == 3 * len(split.test)
        assert split.fold not in {corpus.utterances[at].speaker for at in split.train}
        assert {corpus.utterances[at].speaker for at in split.test} == {split.fold}


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("liuchanhg", "LiuChang"),
        ("liuchanhg", "liuchanghg"),
        ("wangzhe", "Wang_Zhe"),
        ("zhaoquanyin", "ZHAOQUANYIN"),
        ("ZhaoZuoxiang", "zhaozuoxiang"),
    ],
)
def test_a_speakers_folder_may_be_spelt_otherwise(
    own: Path, name: str, other: str
) -> None:
    before = {one.id for one in read(own).utterances}
    (own / name).rename(own / other)

    assert {one.id for one in read(own).utterances} == before


def test_capitals_in_the_ending_and_other_files_do_not_matter(own: Path) -> None:
    wav = own / "wangzhe/sad/222.wav"
    wav.rename(wav.with_suffix(".WAV"))
    for name in ("wangzhe/sad/222.txt", "wangzhe/Thumbs.db", "readme.txt"):
        (own / name).touch()

    assert len(read(own).utterances) == 1200


@pytest.mark.parametrize(
    "name",
    [
        "wangzhe/disgust/201.wav",
        "wangzhe/sad/201-sad-wangzhe.wav",
        "wangzhe/sad/copy of 201.wav",
        "wangzhe/sad/².wav",
        "wangzhe/sad/٢٠١.wav",
    ],
)
def test_a_file_with_another_name_is_refused_by_name(own: Path, name: str) -> None:
    (own / name).parent.mkdir(exist_ok=True)
    (own / name).touch()

    assert refusal(own).startswith(f"{own / name} is not named as CASIA's files are")


def lose_a_file(folder: Path) -> None:
    (folder / "wangzhe/sad/222.wav").unlink()


def add_a_file(folder: Path) -> None:
    (folder / "zhaoquanyin/surprise/251.wav").touch()


def spell_a_speaker_as_nobody_does(folder: Path) -> None:
    (folder / "liuchanhg").rename(folder / "speaker1")


@pytest.mark.parametrize(
    ("change", "speaker", "numbers"),
    [
        (lose_a_file, "wangzhe", (50, 50, 50, 50, 49, 50)),
        (add_a_file, "zhaoquanyin", (50, 50, 50, 50, 50, 51)),
        (spell_a_speaker_as_nobody_does, "liuchanhg", (0, 0, 0, 0, 0, 0)),
    ],
)
def test_what_is_no_edition_is_refused_with_its_counts(
    own: Path,
    change: Callable[[Path], None],
    speaker: str,
    numbers: tuple[int, ...],
) -> None:
    change(own)

    said = refusal(own).splitlines()

    assert said[0].startswith(f"{own} holds ")
    assert said[0].endswith(" utterances, and is no edition of CASIA")
    counts = zip(SIX, numbers, strict=True)
    line = ", ".join(f"{label} {number}" for label, number in counts)
    assert f"  {speaker}: {line}" in said[1:5]
    assert said[5] == (
        "  in an edition, all these counts are 50 (1200), or all 300 (7200), "
        "or all 400 (9600)"
    )


def test_four_classes_do_not_hide_what_the_others_lost(own: Path) -> None:
    (own / "wangzhe/fear/222.wav").unlink()

    with pytest.raises(BadCorpus, match="fear 49"):
        read(own, "casia:classes=4")


def test_a_file_that_is_there_twice_is_refused(own: Path) -> None:
    wavs = own / "wangzhe/sad"
    (wavs / "222.wav").rename(wavs / "223.WAV")

    assert "'wangzhe-sadness-223': ids must be unique" in refusal(own)


def test_the_folder_above_is_the_corpus_too(own: Path) -> None:
    assert len(read(own.parent).utterances) == 1200


def test_the_folder_of_one_speaker_is_recognised(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(own / "wangzhe")

    for said in (missing(own / "wangzhe"), missing(Path())):
        assert said.endswith(
            f"it is a speaker's folder itself: set NSERBENCH_CASIA to {own}"
        )


def test_any_other_folder_is_answered_with_the_way_to_get_the_corpus(
    tmp_path: Path,
) -> None:
    assert missing(tmp_path) == (
        f"casia is not on this machine: {tmp_path} holds no folder of a speaker\n"
        f"  speakers: {', '.join(NAMES)}\n  {CASIA.obtain}"
    )
    assert CASIA.obtain in missing(None)
