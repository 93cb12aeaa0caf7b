"""MELD, scenes of the series Friends: tables of labels, and a clip for each row."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nserbench.cards import Options
from nserbench.corpora.base import Corpus, Utterance, folder_of
from nserbench.corpora.cards import MELD
from nserbench.corpora.readers.missing_audio import refuse_missing_audio
from nserbench.corpora.readers.naming import PAPER
from nserbench.corpora.readers.published_counts import PublishedCounts
from nserbench.corpora.readers.text_files import read_table
from nserbench.errors import BadCorpus, CorpusMissing
from nserbench.settings import Settings

EMOTIONS = {
    "anger": "anger",
    "disgust": "disgust",
    "fear": "fear",
    "joy": "happiness",
    "neutral": "neutral",
    "sadness": "sadness",
    "surprise": "surprise",
}
CLASSES = {"paper": PAPER, "all": tuple(EMOTIONS.values())}
FOLDERS = {  # of the clips: archives may be unpacked in place, or one level up or down
    "train": ("train/train_splits", "train_splits", "train"),
    "dev": ("dev_splits_complete", "dev/dev_splits_complete", "dev"),
    "test": (
        "output_repeated_splits_test",
        "test/output_repeated_splits_test",
        "test",
    ),
}
COUNTS = {
    "train": (1109, 271, 268, 1743, 4710, 683, 1205),
    "dev": (153, 22, 40, 163, 470, 111, 150),
    "test": (345, 68, 50, 402, 1256, 208, 281),
}
"""Rows of each of the seven classes in the three tables (declare-lab/MELD)."""

KINDS = ("mp4", "wav")
"""Endings of clips. Of each part, the first kind that is there is read."""
LEFT_OUT = {
    "train_dia125_utt3": "the published clip is broken (declare-lab/MELD issue 39)",
    "dev_dia110_utt7": "no clip is published (declare-lab/MELD issue 27)",
}

_COLUMNS = ("Utterance", "Speaker", "Emotion", "Dialogue_ID", "Utterance_ID")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,5}")


def expected(options: Options) -> tuple[PublishedCounts, ...]:
    """Return the published counts without the two excluded clips; see `load`."""
    rows = {
        part: dict(zip(CLASSES["all"], COUNTS[part], strict=True)) for part in COUNTS
    }
    for name in LEFT_OUT:  # both clips are neutral
        rows[name.partition("_")[0]]["neutral"] -= 1
    classes = CLASSES[options["classes"]]
    return tuple(
        PublishedCounts(
            edition=kind,
            classes={
                label: sum(counts[label] for counts in rows.values())
                for label in classes
            },
            folds={
                part: sum(counts[label] for label in classes)
                for part, counts in rows.items()
            },
            speakers=None,
        )
        for kind in KINDS
    )


@dataclass(frozen=True, slots=True)
class _TableRow:
    """One row of a part's table."""

    part: str
    dialogue: str
    number: str
    emotion: str
    speaker: str
    text: str

    @property
    def clip(self) -> str:
        return f"dia{self.dialogue}_utt{self.number}"

    @property
    def id(self) -> str:
        return f"{self.part}_{self.clip}"  # each part numbers its dialogues from 0


def load(options: Options, settings: Settings) -> Corpus:
    """Read the three tables, and find the clips of the wanted classes.

    Two utterances without a usable published clip are excluded, and the corpus lists
    them. Any other clip must be there. The official parts share their actors, so the
    unit of independence is the dialogue.

    Args:
        options: ``classes`` is ``paper`` for four emotions or ``all`` for seven;
            ``channel`` is what `nserbench.corpora.audio.read_audio` takes.
        settings: Where ``meld`` is set to the folder of the three tables.

    Raises:
        CorpusMissing: if the folder is not set, or lacks a table or a part's clips.
        BadCorpus: if a row cannot be understood, or clips are missing.
    """
    top = folder_of("meld", MELD.obtain, settings)
    classes = CLASSES[options["classes"]]
    rows = [
        _row(where, part, cells)
        for part in FOLDERS
        for where, cells in read_table(_table(top, part), _COLUMNS)
    ]
    wanted = [row for row in rows if EMOTIONS[row.emotion] in classes]
    clips = {part: _clips(top, part) for part in FOLDERS}
    return Corpus(
        classes=classes,
        utterances=_utterances(wanted, clips, options["channel"]),
        tested=("test",),
        dev="dev",
        unit="dialogue",
        left_out={row.id: LEFT_OUT[row.id] for row in wanted if row.id in LEFT_OUT},
        edition=_kind(clips),
    )


def _table(top: Path, part: str) -> Path:
    """Find the table of a part."""
    name = f"{part}_sent_emo.csv"
    for file in (top / name, top / part / name):
        if file.is_file():
            return file
    raise CorpusMissing(
        f"meld is not on this machine: {top} has no {name}, neither itself nor in "
        f"{part}\n  {MELD.obtain}"
    )


def _clips(top: Path, part: str) -> Mapping[str, Path]:
    """Find the clips of a part, by their names without ending."""
    for kind in KINDS:
        for folder in FOLDERS[part]:
            # Not ._dia..., which macOS adds, nor the duplicates final_videos_testdia...
            clips = {clip.stem: clip for clip in (top / folder).glob(f"dia*.{kind}")}
            if clips:
                return clips
    raise CorpusMissing(
        f"meld is not on this machine: {top} has no clips such as dia0_utt0.mp4 or "
        f"dia0_utt0.wav in any of {', '.join(FOLDERS[part])}\n  {MELD.obtain}"
    )


def _kind(clips: Mapping[str, Mapping[str, Path]]) -> str:
    """Return the ending of all clips.

    Raises:
        BadCorpus: if the parts differ in it.
    """
    kinds = {part: next(iter(clips[part].values())).suffix[1:] for part in clips}
    if len(set(kinds.values())) > 1:
        listed = ", ".join(f"{part} is {kind}" for part, kind in kinds.items())
        raise BadCorpus(
            f"the clips of meld are of two kinds: {listed}\n"
            "  use mp4 for all three parts, or extract the audio of all three"
        )
    return kinds["test"]


def _row(where: str, part: str, cells: Mapping[str, str]) -> _TableRow:
    for column in _COLUMNS:
        if not cells[column].strip():
            raise BadCorpus(f"{where}: {column!r} is empty")
    for column in ("Dialogue_ID", "Utterance_ID"):
        if not _NUMBER.fullmatch(cells[column]):
            raise BadCorpus(f"{where}: {column!r} is {cells[column]!r}, not a number")
    if cells["Emotion"] not in EMOTIONS:
        raise BadCorpus(
            f"{where}: the emotion {cells['Emotion']!r} is unknown\n"
            f"  known: {', '.join(EMOTIONS)}"
        )
    return _TableRow(
        part,
        cells["Dialogue_ID"],
        cells["Utterance_ID"],
        cells["Emotion"],
        cells["Speaker"],
        cells["Utterance"],
    )


def _utterances(
    rows: Sequence[_TableRow], clips: Mapping[str, Mapping[str, Path]], channel: str
) -> Sequence[Utterance]:
    kept = [row for row in rows if row.id not in LEFT_OUT]
    refuse_missing_audio(
        [row.id for row in kept if row.clip not in clips[row.part]],
        f"of {len(kept)} clips of meld are missing",
        "unpack the archives again",
    )
    return [
        Utterance(
            id=row.id,
            path=clips[row.part][row.clip],
            label=EMOTIONS[row.emotion],
            speaker=row.speaker,
            fold=row.part,
            text=row.text,
            language="en",
            unit=f"{row.part}_dia{row.dialogue}",
            channel=channel,
        )
        for row in kept
    ]
