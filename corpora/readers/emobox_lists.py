"""EmoBox's files: the map of labels, the speakers, and the lists of audio files."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from nserbench.corpora.readers.text_files import (
    is_unicode,
    parse_json,
    read_lines,
    read_text,
)
from nserbench.errors import BadCorpus

EMOTIONS = {"angry": "anger", "happy": "happiness", "sad": "sadness"}
"""Our names of EmoBox's emotions; all others are EmoBox's names in lower case."""

_SPEAKER = re.compile(r".*<id=(?P<key>.+),lang=[^,]*,spk=(?P<speaker>.+),emotion=.*")


@dataclass(frozen=True, slots=True)
class ListedUtterance:
    """An utterance as a line of a list describes it.

    Attributes:
        key: EmoBox's name of the utterance.
        wav: Path of the audio file, from the folder that holds ``downloads``.
        start: Seconds into the file; its beginning if None.
        end: Seconds into the file; its end if None.
    """

    key: str
    wav: str
    label: str
    start: float | None
    end: float | None


def read_list(file: Path, labels: Mapping[str, str]) -> Iterator[ListedUtterance]:
    """Read a list of utterances, a JSON Lines file.

    Raises:
        BadCorpus: if the list is empty, a line cannot be understood, or its emotion is
            not in the map of labels.
    """
    lines = list(read_lines(file))
    if not lines:
        raise BadCorpus(f"{file} is empty\n  clone EmoBox again")
    for where, line in lines:
        yield _utterance(parse_json(line, where), labels, where)


def read_labels(folder: Path) -> Mapping[str, str]:
    """Read the class of each label, by the label in lower case: lists mix both cases.

    Raises:
        BadCorpus: if the file does not map labels to emotions.
    """
    file = min(folder.glob("label_*.json"))
    labels = parse_json(read_text(file), str(file))
    if not isinstance(labels, dict) or not all(map(_is_text, labels.values())):
        raise BadCorpus(f"{file} does not map labels to emotions\n  clone EmoBox again")
    return {label.lower(): _class(emotion) for label, emotion in labels.items()}


def read_speakers(folder: Path) -> Mapping[str, str]:
    """Read the speaker of each utterance; empty if EmoBox does not know the speakers.

    In that case EmoBox names a speaker for each recording. In IEMOCAP, EmoBox names the
    actor who wears the markers; we name the actor who speaks.

    Raises:
        BadCorpus: if a line cannot be understood.
    """
    file = folder / "data.seg.wrd.stm"
    if not file.is_file():
        return {}
    speakers = dict(_speaker(where, line) for where, line in read_lines(file))
    if folder.name == "iemocap":
        speakers = {key: _who_speaks(key, name) for key, name in speakers.items()}
    return speakers if len(set(speakers.values())) < len(speakers) else {}


def find_lists(folder: Path) -> Mapping[str, Path]:
    """Find the list of utterances of each of our folds.

    Returns:
        The list of each fold's test set, by the fold's number. If EmoBox has a single
        fold, its lists ``train``, ``test`` and, if there is one, ``valid``.

    Raises:
        BadCorpus: if there is no fold, or one is missing.
    """
    folds = sorted(path.name[5:] for path in folder.glob("fold_*"))
    if not folds or folds != [str(index + 1) for index in range(len(folds))]:
        raise BadCorpus(
            f"{folder} has the folds {', '.join(folds) or 'none'}, not all from 1 on\n"
            "  clone EmoBox again"
        )
    if len(folds) > 1:
        return {fold: _list(folder, "test", fold) for fold in folds}
    parts = {part: _list(folder, part, folds[0]) for part in ("train", "valid", "test")}
    if not parts["valid"].is_file():
        del parts["valid"]
    return parts


def _list(folder: Path, part: str, fold: str) -> Path:
    return folder / f"fold_{fold}" / f"{folder.name}_{part}_fold_{fold}.jsonl"


def _class(emotion: str) -> str:
    name = emotion.split(",")[0].strip().lower()  # "pain, groan" is pain
    return EMOTIONS.get(name, name)


def _speaker(where: str, line: str) -> tuple[str, str]:
    if match := _SPEAKER.fullmatch(line):
        # In one corpus the names of speakers begin with a folder.
        return match["key"], match["speaker"].rsplit("/", 1)[-1]
    raise BadCorpus(f"{where}: no key and speaker, as in <id=KEY,lang=en,spk=SPEAKER,")


def _who_speaks(key: str, session: str) -> str:
    """Return session and gender of the speaker of ``iemocap-Ses01F_impro04_M000``."""
    turn = key.rsplit("_", 1)[-1]
    return session[:5] + turn[:1]


def _utterance(entry: object, labels: Mapping[str, str], where: str) -> ListedUtterance:
    if not isinstance(entry, dict):
        raise BadCorpus(f"{where}: not a JSON object such as {{'key': ...}}")
    for field in ("key", "wav", "emo"):
        if not _is_text(entry.get(field)):
            raise BadCorpus(f"{where}: {field!r} is missing or not text")
    if entry.get("channel") not in (1, 3):
        raise BadCorpus(f"{where}: the channel is {entry.get('channel')!r}, not 1 or 3")
    start, end = (entry.get(field) for field in ("start_time", "end_time"))
    if (start, end) != (None, None) and not _is_span(start, end):
        raise BadCorpus(f"{where}: {start!r} to {end!r} s are not times in a file")
    label = _label(labels, entry["emo"], where)
    return ListedUtterance(entry["key"], entry["wav"], label, start, end)


def _label(labels: Mapping[str, str], emotion: str, where: str) -> str:
    if label := labels.get(emotion.lower()):
        return label
    raise BadCorpus(
        f"{where}: the emotion {emotion!r} is not in the map of labels\n"
        f"  known: {', '.join(labels)}"
    )


def _is_text(value: object) -> bool:
    """Return whether a value is text that can be the name of a file."""
    return isinstance(value, str) and bool(value.strip()) and is_unicode(value)


def _is_span(start: object, end: object) -> bool:
    if type(start) not in (int, float) or type(end) not in (int, float):
        return False
    return 0 <= float(str(start)) < float(str(end)) < math.inf
