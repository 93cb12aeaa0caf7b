"""MELD, scenes of the series Friends: tables of labels, and a clip for each line."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nserbench.cards import Options
from nserbench.corpora.base import Corpus, Utterance, folder_of
from nserbench.corpora.cards import MELD
from nserbench.corpora.readers.published_counts import PublishedCounts
from nserbench.errors import BadCorpus, CorpusMissing
from nserbench.settings import Settings

CLASSES = {
    "paper": ("anger", "happiness", "neutral", "sadness"),
    "all": (
        "anger",
        "disgust",
        "fear",
        "happiness",
        "neutral",
        "sadness",
        "surprise",
    ),
}
EMOTIONS = {
    "anger": "anger",
    "disgust": "disgust",
    "fear": "fear",
    "joy": "happiness",
    "neutral": "neutral",
    "sadness": "sadness",
    "surprise": "surprise",
}
FOLDERS = {  # the archives are unpacked in place, or one level up or down
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
"""Endings of clips; the first that a part has is read."""
LEFT_OUT = {
    "train_dia125_utt3": "the published clip is broken (declare-lab/MELD issue 39)",
    "dev_dia110_utt7": "no clip is published (declare-lab/MELD issue 27)",
}

_COLUMNS = ("Utterance", "Speaker", "Emotion", "Dialogue_ID", "Utterance_ID")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,5}")
_SHOWN = 20  # missing clips named in one message


def expected(options: Options) -> tuple[PublishedCounts, ...]:
    """Give the counts without the two clips left out; `load` says the options."""
    rows = {
        part: dict(zip(CLASSES["all"], COUNTS[part], strict=True)) for part in COUNTS
    }
    for name in LEFT_OUT:  # both are neutral
        rows[name.partition("_")[0]]["neutral"] -= 1
    classes = CLASSES[options["classes"]]
    return tuple(
        PublishedCounts(
            edition=kind,
            classes={
                name: sum(each[name] for each in rows.values()) for name in classes
            },
            folds={
                part: sum(each[name] for name in classes) for part, each in rows.items()
            },
            speakers=None,
        )
        for kind in KINDS
    )


@dataclass(frozen=True, slots=True)
class _TableRow:
    """One line of a part's table."""

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
        return f"{self.part}_{self.clip}"  # dialogues are counted anew in each part


def load(options: Options, settings: Settings) -> Corpus:
    """Read the three tables, and find the clips of the wanted classes.

    Two utterances whose clips nobody has are left out, and the corpus says so. Any
    other clip must be there. The official parts share their actors, so what is on one
    side only is the dialogue.

    Args:
        options: ``classes`` is ``paper`` for four emotions or ``all`` for seven;
            ``channel`` is what `nserbench.corpora.audio.read_audio` takes.
        settings: Where ``meld`` is set to the folder of the three tables.

    Raises:
        CorpusMissing: if the folder is not set, or lacks a table or a part's clips.
        BadCorpus: if a line cannot be understood, or clips are missing.
    """
    top = folder_of("meld", MELD.obtain, settings)
    classes = CLASSES[options["classes"]]
    rows = [row for part in FOLDERS for row in _rows(_table(top, part), part)]
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
    name = f"{part}_sent_emo.csv"
    for file in (top / name, top / part / name):
        if file.is_file():
            return file
    raise CorpusMissing(
        f"meld is not on this machine: {top} has no {name}, neither itself nor in "
        f"{part}\n  {MELD.obtain}"
    )


def _clips(top: Path, part: str) -> Mapping[str, Path]:
    """Give a part's clips by their names without ending."""
    for kind in KINDS:
        for folder in FOLDERS[part]:
            # Not ._dia..., which macOS adds, nor final_videos_testdia...: duplicates.
            found = {clip.stem: clip for clip in (top / folder).glob(f"dia*.{kind}")}
            if found:
                return found
    raise CorpusMissing(
        f"meld is not on this machine: {top} has no clips such as dia0_utt0.mp4 or "
        f"dia0_utt0.wav in any of {', '.join(FOLDERS[part])}\n  {MELD.obtain}"
    )


def _kind(clips: Mapping[str, Mapping[str, Path]]) -> str:
    kinds = {part: next(iter(clips[part].values())).suffix[1:] for part in clips}
    if len(set(kinds.values())) > 1:
        said = ", ".join(f"{part} is {kind}" for part, kind in kinds.items())
        raise BadCorpus(
            f"the parts of meld are of two kinds: {said}\n"
            "  have all three as mp4, or all three extracted in the same way"
        )
    return kinds["test"]


def _rows(file: Path, part: str) -> Iterator[_TableRow]:
    lines = _lines(file)
    _, columns = next(lines, ("", []))
    if missing := [column for column in _COLUMNS if column not in columns]:
        raise BadCorpus(
            f"{file}, line 1: there is no column {missing[0]!r}\n"
            f"  columns: {', '.join(columns) or 'none'}"
        )
    for where, cells in lines:
        if len(cells) != len(columns):
            raise BadCorpus(f"{where}: {len(cells)} cells under {len(columns)} columns")
        yield _row(where, part, dict(zip(columns, cells, strict=True)))


def _lines(file: Path) -> Iterator[tuple[str, list[str]]]:
    """Give each line that is not empty, after the place that it begins at."""
    line = 1
    try:
        text = file.read_bytes().decode("utf-8-sig")
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        for cells in reader:
            if cells:
                yield f"{file}, line {line}", cells
            line = reader.line_num + 1
    except OSError as error:
        raise CorpusMissing(f"{file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise BadCorpus(f"{file}, line {line}: not UTF-8; get it anew") from error
    except csv.Error as error:
        raise BadCorpus(f"{file}, line {line}: {error}") from error


def _row(where: str, part: str, cells: Mapping[str, str]) -> _TableRow:
    for column in _COLUMNS:
        if not cells[column].strip():
            raise BadCorpus(f"{where}: {column!r} is empty")
    for column in ("Dialogue_ID", "Utterance_ID"):
        if not _NUMBER.fullmatch(cells[column]):
            raise BadCorpus(f"{where}: {column!r} is {cells[column]!r}, not a number")
    if cells["Emotion"] not in EMOTIONS:
        raise BadCorpus(
            f"{where}: the emotion is {cells['Emotion']!r}\n"
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
    if missing := [row.id for row in kept if row.clip not in clips[row.part]]:
        more = f"\n  and {len(missing) - _SHOWN} more" if missing[_SHOWN:] else ""
        raise BadCorpus(
            f"{len(missing)} of {len(kept)} clips of meld are missing\n  "
            + "\n  ".join(missing[:_SHOWN])
            + more
            + "\n  unpack the archives again"
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
