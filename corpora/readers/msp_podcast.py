"""MSP-Podcast: turns of podcasts, in fixed training, development and test sets."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nserbench.cards import Options
from nserbench.corpora.base import Corpus, Utterance, folder_of
from nserbench.corpora.cards import MSP_PODCAST
from nserbench.corpora.readers.missing_audio import refuse_missing_audio
from nserbench.corpora.readers.naming import PAPER
from nserbench.corpora.readers.text_files import read_table, read_text
from nserbench.errors import BadCorpus, CorpusMissing
from nserbench.settings import Settings

EMOTIONS = {
    "A": "anger",
    "C": "contempt",
    "D": "disgust",
    "F": "fear",
    "H": "happiness",
    "N": "neutral",
    "S": "sadness",
    "U": "surprise",
}
UNUSED = ("O", "X")
"""The other labels: another emotion, and no agreement of the raters."""
CLASSES = {"paper": PAPER, "all": tuple(EMOTIONS.values())}
TRAIN, DEV, HIDDEN = "train", "development", "test3"
FOLDS = {
    "Train": TRAIN,
    "Development": DEV,
    "Test1": "test1",
    "Test2": "test2",
    "Test3": HIDDEN,
}
LABELS = "Labels/labels_consensus.csv"
AUDIO = ("Audios", "Audio")
TEXTS = "Transcripts"
UNKNOWN = "Unknown"
"""Stands in place of the speaker of some turns."""

_COLUMNS = ("FileName", "EmoClass", "SpkrID", "Gender", "Split_Set")
_NAME = re.compile(r"(?P<id>MSP-PODCAST_(?P<podcast>\d+)_\w+)\.wav", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Turn:
    """One row of the table of labels."""

    id: str
    label: str
    speaker: str
    gender: str
    fold: str


def load(options: Options, settings: Settings) -> Corpus:
    """Read the turns of the wanted classes and sets from the consensus labels.

    The speaker of some turns is not known. All such turns of a podcast count as turns
    of one speaker. A turn without a transcript has no text.

    Args:
        options: ``classes`` is ``paper`` for four emotions or ``all`` for eight.
            ``tested`` are the test sets: ``test1``, ``test2`` or ``test3``.
        settings: Where ``msp-podcast`` is set to the folder that holds ``Labels``.

    Raises:
        CorpusMissing: if the folder is not set, or lacks the labels or the audio.
        BadCorpus: if a row cannot be understood, a set has no turn with a label, or a
            turn has no audio.
    """
    top = folder_of("msp-podcast", MSP_PODCAST.obtain, settings)
    table, classes = _file(top, LABELS), CLASSES[options["classes"]]
    tested = tuple(sorted(options["tested"]))
    rows = [_turn(where, cells) for where, cells in read_table(table, _COLUMNS)]
    wanted = [
        turn
        for turn in rows
        if turn is not None
        and turn.label in classes
        and turn.fold in (TRAIN, DEV, *tested)
    ]
    _refuse_empty(table, wanted, tested)
    audio = _files(top)
    refuse_missing_audio(
        [turn.id for turn in wanted if turn.id not in audio],
        "labelled turns of msp-podcast have no audio:",
        "unpack the release again",
    )
    texts = top / TEXTS
    return Corpus(
        classes=classes,
        utterances=[
            Utterance(
                id=turn.id,
                path=audio[turn.id],
                label=turn.label,
                speaker=turn.speaker,
                fold=turn.fold,
                text=_text(texts / f"{turn.id}.txt"),
                language="en",
                gender=turn.gender,
            )
            for turn in wanted
        ],
        tested=tested,
        trained=(DEV, TRAIN),
        dev=DEV,
    )


def _file(top: Path, name: str) -> Path:
    """Return a file of the release, if it is there."""
    if (top / name).is_file():
        return top / name
    inner = sorted(top.glob(f"*/{name}"))
    where = f"set NSERBENCH_MSP_PODCAST to {inner[0].parents[1]}" if inner else ""
    raise CorpusMissing(
        f"msp-podcast is not on this machine: {top} holds no {name}\n"
        f"  {where or MSP_PODCAST.obtain}"
    )


def _turn(where: str, cells: Mapping[str, str]) -> _Turn | None:
    """Return the turn of a row; None if it has no emotion, as in the hidden test set.

    Raises:
        BadCorpus: if the name, the emotion or the set is not known.
    """
    cells = {column: cells[column].strip() for column in _COLUMNS}
    name, fold = _NAME.fullmatch(cells["FileName"]), FOLDS.get(cells["Split_Set"])
    if name is None:
        raise BadCorpus(
            f"{where}: {cells['FileName']!r} is not the name of a turn, such as "
            "MSP-PODCAST_0001_0008.wav"
        )
    if fold is None:
        raise BadCorpus(
            f"{where}: the set {cells['Split_Set']!r} is unknown\n"
            f"  known: {', '.join(FOLDS)}"
        )
    emotion = cells["EmoClass"]
    if emotion in UNUSED or (fold == HIDDEN and not emotion):
        return None
    if emotion not in EMOTIONS:
        raise BadCorpus(
            f"{where}: the emotion {emotion!r} is unknown\n"
            f"  known: {', '.join([*EMOTIONS, *UNUSED])}"
        )
    speaker = cells["SpkrID"]
    if not speaker:
        raise BadCorpus(f"{where}: 'SpkrID' is empty")
    if speaker == UNKNOWN:
        speaker = f"unknown in {name['podcast']}"
    return _Turn(name["id"], EMOTIONS[emotion], speaker, cells["Gender"], fold)


def _refuse_empty(table: Path, turns: Sequence[_Turn], tested: Sequence[str]) -> None:
    there = {turn.fold for turn in turns}
    for fold in (TRAIN, DEV, *tested):
        if fold not in there:
            hint = "\n  its labels are not published" if fold == HIDDEN else ""
            raise BadCorpus(
                f"{table}: the set {fold!r} has no turn of the wanted emotions{hint}"
            )


def _files(top: Path) -> Mapping[str, Path]:
    """Find the audio files, by their names without ending."""
    for folder in AUDIO:
        if files := {file.stem: file for file in (top / folder).glob("MSP-*.wav")}:
            return files
    raise CorpusMissing(
        f"msp-podcast is not on this machine: {top} has no files such as "
        f"MSP-PODCAST_0001_0008.wav in {' or '.join(AUDIO)}\n  {MSP_PODCAST.obtain}"
    )


def _text(file: Path) -> str | None:
    return " ".join(read_text(file).split()) if file.is_file() else None
