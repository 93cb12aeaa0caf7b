"""EmoBox's files: its map of labels, its speakers, and its lists of audio files."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nserbench.errors import BadCorpus

EMOTIONS = {"angry": "anger", "happy": "happiness", "sad": "sadness"}
"""Our names for EmoBox's; all others are EmoBox's in small letters."""

_SPEAKER = re.compile(r".*<id=(?P<key>.+),lang=[^,]*,spk=(?P<speaker>.+),emotion=.*")


@dataclass(frozen=True, slots=True)
class ListedUtterance:
    """One line of a list.

    Attributes:
        key: EmoBox's name of the utterance.
        wav: The audio file, below the folder that holds ``downloads``.
        label: The class.
        start: Seconds into the file; its beginning if None.
        end: Seconds into the file; its end if None.
    """

    key: str
    wav: str
    label: str
    start: float | None
    end: float | None


def read_list(file: Path, labels: Mapping[str, str]) -> Iterator[ListedUtterance]:
    """Give what each line of a JSON Lines file lists.

    Raises:
        BadCorpus: if the list is empty, a line cannot be understood, or its label is
            not in the map.
    """
    lines = _lines(file)
    if not lines:
        raise BadCorpus(f"{file} is empty: get EmoBox anew")
    for where, line in lines:
        yield _entry(_json(line, where), labels, where)


def read_labels(folder: Path) -> Mapping[str, str]:
    """Give the class of each label, in small letters: the lists mix them.

    Raises:
        BadCorpus: if the map is not one.
    """
    file = min(folder.glob("label_*.json"))
    labels = _json(_text(file), str(file))
    if not isinstance(labels, dict) or not all(map(_is_text, labels.values())):
        raise BadCorpus(f"{file} is not an object of labels and emotions")
    return {label.lower(): _class(said) for label, said in labels.items()}


def read_speakers(folder: Path) -> Mapping[str, str]:
    """Give the speaker of each key, or nothing if EmoBox does not know them.

    Where it does not, it takes each recording for a speaker. In IEMOCAP it takes the
    wearer of the markers for the speaker; we take who speaks.

    Raises:
        BadCorpus: if a line cannot be understood.
    """
    file = folder / "data.seg.wrd.stm"
    if not file.is_file():
        return {}
    speakers = dict(_speaker(where, line) for where, line in _lines(file))
    if folder.name == "iemocap":
        speakers = {key: _talker(key, said) for key, said in speakers.items()}
    return speakers if len(set(speakers.values())) < len(speakers) else {}


def find_lists(folder: Path) -> Mapping[str, Path]:
    """Give the list of each of our folds.

    Returns:
        Of several folds the test part of each, by its number; of a single one its
        ``train``, ``test`` and, where there is one, ``valid``.

    Raises:
        BadCorpus: if there is no fold, or one is lost.
    """
    folds = sorted(path.name[5:] for path in folder.glob("fold_*"))
    if not folds or folds != [str(at + 1) for at in range(len(folds))]:
        raise BadCorpus(
            f"{folder} has the folds {', '.join(folds) or 'none'}, not all from 1 on: "
            "get EmoBox anew"
        )
    if len(folds) > 1:
        return {fold: _list(folder, "test", fold) for fold in folds}
    parts = {part: _list(folder, part, folds[0]) for part in ("train", "valid", "test")}
    if not parts["valid"].is_file():
        del parts["valid"]
    return parts


def _list(folder: Path, part: str, fold: str) -> Path:
    return folder / f"fold_{fold}" / f"{folder.name}_{part}_fold_{fold}.jsonl"


def _class(said: str) -> str:
    name = said.split(",")[0].strip().lower()  # "pain, groan" is pain
    return EMOTIONS.get(name, name)


def _speaker(where: str, line: str) -> tuple[str, str]:
    if said := _SPEAKER.fullmatch(line.rstrip("\r")):
        # Those of one corpus are the beginnings of paths.
        return said["key"], said["speaker"].rsplit("/", 1)[-1]
    raise BadCorpus(f"{where}: no key and speaker, as in <id=KEY,lang=en,spk=SPEAKER,")


def _talker(key: str, said: str) -> str:
    """Give session and sex of who speaks ``iemocap-Ses01F_impro04_M000``."""
    turn = key.rsplit("_", 1)[-1]
    return said[:5] + turn[:1]


def _entry(said: object, labels: Mapping[str, str], where: str) -> ListedUtterance:
    if not isinstance(said, dict):
        raise BadCorpus(f"{where}: not a JSON object such as {{'key': ...}}")
    for field in ("key", "wav", "emo"):
        if not _is_text(said.get(field)):
            raise BadCorpus(f"{where}: {field!r} is missing or no text")
    if said.get("channel") not in (1, 3):
        raise BadCorpus(f"{where}: the channel is {said.get('channel')!r}, not 1 or 3")
    start, end = (said.get(field) for field in ("start_time", "end_time"))
    if (start, end) != (None, None) and not _is_span(start, end):
        raise BadCorpus(f"{where}: {start!r} to {end!r} s is no part of a file")
    label = _label(labels, said["emo"], where)
    return ListedUtterance(said["key"], said["wav"], label, start, end)


def _label(labels: Mapping[str, str], emotion: str, where: str) -> str:
    if label := labels.get(emotion.lower()):
        return label
    raise BadCorpus(
        f"{where}: the emotion {emotion!r} is not in the map of labels\n"
        f"  known: {', '.join(labels)}"
    )


def _is_text(value: object) -> bool:
    """Tell whether a value can be written to a file and, but for length, name one."""
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        return False
    return not any("\ud800" <= letter <= "\udfff" for letter in value)


def _is_span(start: object, end: object) -> bool:
    if not all(type(value) in (int, float) for value in (start, end)):
        return False
    return 0 <= float(str(start)) < float(str(end)) < math.inf


def _json(text: str, where: str) -> object:
    try:
        said: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadCorpus(f"{where}: not JSON: {error}") from error
    return said


def _lines(file: Path) -> Sequence[tuple[str, str]]:
    """Give each line that is not empty, after the place that it stands at."""
    lines = enumerate(_text(file).split("\n"), start=1)
    return [(f"{file}, line {at}", line) for at, line in lines if line.strip()]


def _text(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8")
    except OSError as error:
        raise BadCorpus(f"{file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise BadCorpus(f"{file}, line {line}: not UTF-8; get it anew") from error
