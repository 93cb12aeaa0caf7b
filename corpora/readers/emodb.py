"""EmoDB, the Berlin Database of Emotional Speech: ten actors, ten sentences."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from nserbench.cards import Options
from nserbench.corpora.base import Corpus, Utterance, folder_of
from nserbench.corpora.cards import EMODB
from nserbench.corpora.readers.published_counts import PublishedCounts
from nserbench.errors import BadCorpus, CorpusMissing
from nserbench.settings import Settings

CLASSES = {
    "paper": ("anger", "happiness", "neutral", "sadness"),
    "all": (
        "anger",
        "boredom",
        "disgust",
        "fear",
        "happiness",
        "neutral",
        "sadness",
    ),
}
EMOTIONS = {
    "W": "anger",
    "L": "boredom",
    "E": "disgust",
    "A": "fear",
    "F": "happiness",
    "T": "sadness",
    "N": "neutral",
}
FOLDS = {  # one man and one woman each
    "03": "1",
    "08": "1",
    "10": "2",
    "09": "2",
    "11": "3",
    "13": "3",
    "12": "4",
    "14": "4",
    "15": "5",
    "16": "5",
}
COUNTS = {
    "03": (14, 5, 1, 4, 7, 11, 7),
    "08": (12, 10, 0, 6, 11, 10, 9),
    "09": (13, 4, 8, 1, 4, 9, 4),
    "10": (10, 8, 1, 8, 4, 4, 3),
    "11": (11, 8, 2, 10, 8, 9, 7),
    "12": (12, 5, 2, 6, 2, 4, 4),
    "13": (12, 10, 8, 7, 10, 9, 5),
    "14": (16, 8, 8, 12, 8, 7, 10),
    "15": (13, 9, 5, 8, 6, 11, 4),
    "16": (14, 14, 11, 7, 11, 5, 9),
}
"""Utterances of each of the seven classes by each speaker (EmoBox's list)."""

TEXTS = {
    "a01": "Der Lappen liegt auf dem Eisschrank.",
    "a02": "Das will sie am Mittwoch abgeben.",
    "a04": "Heute abend könnte ich es ihm sagen.",
    "a05": "Das schwarze Stück Papier befindet sich da oben neben dem Holzstück.",
    "a07": "In sieben Stunden wird es soweit sein.",
    "b01": "Was sind denn das für Tüten, die da unter dem Tisch stehen?",
    "b02": "Sie haben es gerade hochgetragen und jetzt gehen sie wieder runter.",
    "b03": "An den Wochenenden bin ich jetzt immer nach Hause gefahren und habe Agnes "
    "besucht.",
    "b09": "Ich will das eben wegbringen und dann mit Karl was trinken gehen.",
    "b10": "Die wird auf dem Platz sein, wo wir sie immer hinlegen.",
}

_NAME = re.compile(
    rf"(?P<speaker>{'|'.join(FOLDS)})(?P<text>{'|'.join(TEXTS)})"
    rf"(?P<emotion>[{''.join(EMOTIONS)}])[a-z]"
)


def load(options: Options, settings: Settings) -> Corpus:
    """Read a folder of WAV or FLAC files with their original names.

    Args:
        options: ``classes`` is ``paper`` for four emotions or ``all`` for seven.
        settings: Where ``emodb`` is set to the folder or to the one that holds it as
            ``wav``.

    Raises:
        CorpusMissing: if the folder is not set, or has no audio.
        BadCorpus: if a file's name is not one of the corpus's.
    """
    classes = CLASSES[options["classes"]]
    found = [_utterance(path) for path in _files(settings)]
    return Corpus(
        classes=classes,
        utterances=[utterance for utterance in found if utterance.label in classes],
    )


def expected(options: Options) -> tuple[PublishedCounts, ...]:
    """Give the counts of the published 535 files; `load` says the options."""
    classes = CLASSES[options["classes"]]
    counts = {
        who: dict(zip(CLASSES["all"], each, strict=True))
        for who, each in COUNTS.items()
    }
    speakers = {
        who: sum(each[name] for name in classes) for who, each in counts.items()
    }
    folds: Counter[str] = Counter()
    for who, count in speakers.items():
        folds[FOLDS[who]] += count
    found = PublishedCounts(
        classes={name: sum(each[name] for each in counts.values()) for name in classes},
        folds=folds,
        speakers=speakers,
    )
    return (found,)


def _files(settings: Settings) -> Sequence[Path]:
    top = folder_of("emodb", EMODB.obtain, settings)
    for folder in (top, top / "wav"):
        if files := [path for path in folder.glob("*") if _is_audio(path)]:
            return sorted(files)
    raise CorpusMissing(
        f"emodb is not on this machine: {top} has no WAV or FLAC files, "
        f"neither itself nor in wav\n  {EMODB.obtain}"
    )


def _is_audio(path: Path) -> bool:
    # macOS puts a ._ file beside each file on foreign disks.
    return path.suffix.lower() in {".wav", ".flac"} and path.name[:2] != "._"


def _utterance(path: Path) -> Utterance:
    name = _NAME.fullmatch(path.stem)
    if name is None:
        raise BadCorpus(
            f"{path} is not named as EmoDB's files are, such as 03a01Fa.wav\n"
            f"  speakers: {', '.join(sorted(FOLDS))}; sentences: {', '.join(TEXTS)}; "
            f"emotions: {', '.join(EMOTIONS)}\n"
            "  give it its original name, or move it elsewhere"
        )
    return Utterance(
        id=path.stem,
        path=path,
        label=EMOTIONS[name["emotion"]],
        speaker=name["speaker"],
        fold=FOLDS[name["speaker"]],
        text=TEXTS[name["text"]],
        language="de",
    )
