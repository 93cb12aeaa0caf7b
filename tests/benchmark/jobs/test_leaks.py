"""Audio, speakers and texts that are in a training set and its test set."""

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nserbench.benchmark.jobs.job import Job
from nserbench.benchmark.results.result import Result
from nserbench.benchmark.running.runner import Runner
from nserbench.benchmark.study.overlap import (
    Overlap,
    normalised_text,
    overlap,
    unit_label,
)
from nserbench.benchmark.study.splits import PLAIN, SplitRule, make_splits
from nserbench.benchmark.study.study import Study
from nserbench.corpora.base import Corpus, CorpusCard, Utterance
from nserbench.errors import BadCorpus
from nserbench.settings import Settings

HAS = "test utterances, training has"
Prepared = Callable[..., list[Job]]
WORDS = {"a": "Well, I know!", "b": "well i KNOW", "c": "\u201cNo.\u201d", "d": None}


def corpus(*rows: str, **said: Any) -> Corpus:
    """Return a corpus of ``FOLD SPEAKER TEXT`` rows, where ``TEXT`` is in `WORDS`."""
    ones = []
    for number, row in enumerate(rows):
        fold, speaker, word = row.split()
        ones.append(
            Utterance(
                id=f"u{number}",
                path=Path(f"none{number}.wav"),
                label="xy"[number % 2],
                speaker=speaker,
                fold=fold,
                text=WORDS[word],
                unit=said.get("units", {}).get(number),
            )
        )
    said.pop("units", None)
    return Corpus(classes=("x", "y"), utterances=ones, **said)


def counted(found: Corpus, rule: SplitRule = PLAIN) -> Overlap:
    return overlap(found, make_splits(found, rule))


APART = ("1 s a", "1 s a", "2 t b", "2 t c", "2 t d")
UNITS = {number: f"d{number}" for number in range(5)}
MIXED = ("1 s a", "1 t a", "2 t b", "2 t c", "2 v d")


@pytest.mark.parametrize("side", ["in training", "in the part that selects"])
def test_run_refuses_audio_that_is_in_a_test_set_and_a_training_or_dev_set(
    prepared: Prepared, notes: Path, side: str
) -> None:
    shutil.copy(notes.parent / "s1_low_0.wav", notes.parent / "s0_low_0.wav")
    protocol = None
    if side != "in training":
        # Fold 1 is the dev set of fold 0, and fold 2 its training set.
        text = notes.read_text().replace("s2,0", "s2,2").replace("s3,1", "s3,2")
        notes.write_text(text)
        protocol = "dev"

    with pytest.raises(BadCorpus) as caught:
        prepared(protocol=protocol)

    message = str(caught.value)
    assert "is in a test set and in its training or dev set" in message
    assert "s0_low_0 (fold 0, speaker s0) = s1_low_0 (fold 1, speaker s1)" in message
    assert ",exclude=FILE" in message


def test_the_dev_set_is_compared_with_the_test_set(
    prepared: Prepared, notes: Path
) -> None:
    # Two utterances of one fold are always on the same side.
    shutil.copy(notes.parent / "s2_low_0.wav", notes.parent / "s0_low_0.wav")

    assert len(prepared(protocol="oracle")) == 1
    assert len(prepared()) == 1
    with pytest.raises(BadCorpus, match=r"s0_low_0 .*= s2_low_0"):
        prepared(protocol="loso")


def test_excluded_audio_is_no_leak(prepared: Prepared, notes: Path) -> None:
    shutil.copy(notes.parent / "s1_low_0.wav", notes.parent / "s0_low_0.wav")
    (notes.parent / "out.txt").write_text("s0_low_0\n")

    found = prepared(
        corpora=[f"manifest:path={notes},exclude={notes.parent / 'out.txt'}"]
    )

    assert len(found) == 1


def test_test_utterances_by_known_speakers_or_of_known_texts_are_counted_once() -> None:
    apart = counted(corpus(*APART))
    mixed = counted(corpus(*MIXED, units=UNITS, unit="dialogue"))

    assert apart == Overlap(utterances=5, speakers=0, texts=3, without_text=1)
    assert mixed == Overlap(utterances=5, speakers=3, texts=3, without_text=1)


def test_only_the_test_set_of_a_corpus_is_counted() -> None:
    found = corpus(*MIXED, units=UNITS, unit="dialogue", tested=("2",))

    assert counted(found) == Overlap(3, speakers=2, texts=1, without_text=1)


def test_the_dev_set_is_not_the_training_set() -> None:
    rows = ("1 s a", "1 s c", "2 t d", "2 t d", "3 u c", "3 u d")

    plain, dev = (
        counted(corpus(*rows), rule) for rule in (PLAIN, SplitRule(dev="units"))
    )

    assert (plain.texts, dev.texts) == (2, 1)


def test_texts_are_compared_without_case_punctuation_and_spaces() -> None:
    assert normalised_text(WORDS["a"]) == normalised_text(WORDS["b"]) == "well i know"
    assert normalised_text(" \u00bfQu\u00e9?  No\u2026 ") == "qu\u00e9 no"
    assert normalised_text("\u4f60\u597d\u3002") == "\u4f60\u597d"
    assert normalised_text("...") == ""


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            Overlap(339, 0, 339, 0),
            f"of 339 {HAS} the speaker of 0 and the text of 339",
        ),
        (
            Overlap(9, 2, None, 9),
            f"of 9 {HAS} the speaker of 2; texts are not known",
        ),
        (
            Overlap(9, None, 3, 2),
            (
                f"of 9 {HAS} the text of 3 (no text is known of 2); "
                "speakers are not known"
            ),
        ),
        (
            Overlap(9, None, None, 9),
            "speakers and texts of 9 test utterances are not known",
        ),
    ],
    ids=["both", "no texts", "no speakers", "neither"],
)
def test_the_overlap_is_described_in_one_line(found: Overlap, said: str) -> None:
    assert str(found) == said
    assert Overlap.read(dataclasses.asdict(found)) == found


@pytest.mark.parametrize(
    "told",
    [
        None,
        [],
        {},
        {"utterances": 1, "speakers": 0, "texts": 0},
        {"utterances": None, "speakers": 0, "texts": 0, "without_text": 0},
        {"utterances": 1, "speakers": True, "texts": 0, "without_text": 0},
        {"utterances": 1, "speakers": -1, "texts": 0, "without_text": 0},
        {"utterances": 1, "speakers": "<b>", "texts": 0, "without_text": 0},
    ],
)
def test_a_value_that_is_not_a_count_is_refused(told: object) -> None:
    with pytest.raises(ValueError, match=r"not an object of|not a number of"):
        Overlap.read(told)


def test_a_finer_unit_with_speakers_on_both_sides_is_reported() -> None:
    mixed = corpus(*MIXED, units=UNITS, unit="dialogue")
    apart = corpus(*APART, units=UNITS, unit="dialogue")
    unknown = corpus("1 p a", "1 q a", "2 r b", "2 s c", units=UNITS, unit="utterance")

    assert unit_label(mixed, make_splits(mixed)) == (
        "dialogue (its speakers are in training and test)"
    )
    assert unit_label(apart, make_splits(apart)) == "dialogue"
    assert unit_label(unknown, make_splits(unknown)) == (
        "utterance (its speakers are not known)"
    )


@pytest.mark.parametrize(
    ("units", "name"),
    [
        ({number: f"{number}" for number in range(5)}, "utterance"),
        ({0: "x", 1: "x", 2: "y", 3: "z", 4: "z"}, "group"),
        (dict(zip(range(5), "SSTTT", strict=True)), "speaker"),  # by another name
        ({}, "speaker"),
    ],
)
def test_a_unit_that_a_reader_does_not_name_is_no_speaker(
    offer: Callable[[str, object], str], units: dict[int, str], name: str
) -> None:
    card = CorpusCard(
        name="own",
        summary="",
        source="",
        licence="",
        load=offer("own", lambda options, settings: corpus(*APART, units=units)),
    )

    assert card.read({}, Settings()).unit == name


def test_a_result_says_what_training_and_test_share(
    ask: Callable[..., Study], runner: Runner, result_of: Callable[[Runner], Result]
) -> None:
    runner.run(ask())

    result = result_of(runner)
    assert result.notes["overlap"] == {
        "utterances": 24,
        "speakers": 0,
        "texts": None,
        "without_text": 24,
    }
    assert result.protocol_details["unit"] == "speaker"
