"""CASIA: four Mandarin speakers, who read the same sentences in six emotions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from nserbench.cards import Options
from nserbench.corpora.base import Corpus, Utterance, folder_of
from nserbench.corpora.cards import CASIA
from nserbench.corpora.readers.published_counts import PublishedCounts
from nserbench.errors import BadCorpus, CorpusMissing
from nserbench.settings import Settings

CLASSES = {
    "6": ("anger", "fear", "happiness", "neutral", "sadness", "surprise"),
    "4": ("neutral", "happiness", "sadness", "anger"),
}
EMOTIONS = {
    "angry": "anger",
    "fear": "fear",
    "happy": "happiness",
    "neutral": "neutral",
    "normal": "neutral",
    "sad": "sadness",
    "surprise": "surprise",
}
PARALLEL = {
    "liuchanhg": "liuchanhg",  # so in every copy known to us
    "liuchang": "liuchanhg",
    "liuchanghg": "liuchanhg",
    "wangzhe": "wangzhe",
    "zhaoquanyin": "zhaoquanyin",
    "zhaozuoxiang": "zhaozuoxiang",
}
"""The speaker of a folder with sentences that everybody reads in every emotion."""
NON_PARALLEL = {
    "changliu": "liuchanhg",
    "zhewang": "wangzhe",
    "quanyinzhao": "zhaoquanyin",
    "zuoxiangzhao": "zhaozuoxiang",
}
"""The speaker of a folder with sentences that belong to one emotion."""
SPEAKERS = ("liuchanhg", "wangzhe", "zhaoquanyin", "zhaozuoxiang")
EDITIONS = {50: "1200", 300: "7200", 400: "9600"}
"""Utterances of an edition, by those of one speaker in one emotion."""


def load(options: Options, settings: Settings) -> Corpus:
    """Read ``SPEAKER/EMOTION/NUMBER.wav``; each speaker is a fold.

    An utterance's id ends with the number of its sentence. The sentences themselves
    are not in the corpus.

    Args:
        options: ``classes`` is ``6``, or ``4`` for the emotions of the other corpora.
        settings: Where ``casia`` is set to the folder that holds the speakers'
            folders, or the two folders of the largest edition that do.

    Raises:
        CorpusMissing: if the folder is not set, or holds no speaker's folder.
        BadCorpus: if a folder or file has a name that is not the corpus's, or the
            files are not those of an edition.
    """
    top = folder_of("casia", CASIA.obtain, settings)
    found = [_utterance(file) for folder in _folders(top) for file in _files(folder)]
    classes = CLASSES[options["classes"]]
    return Corpus(
        classes=classes,
        utterances=[utterance for utterance in found if utterance.label in classes],
        edition=_edition(top, found),
    )


def expected(options: Options) -> tuple[PublishedCounts, ...]:
    """Give the counts of each edition; `load` says what the options are."""
    classes = CLASSES[options["classes"]]
    return tuple(
        PublishedCounts(
            edition=edition,
            classes=dict.fromkeys(classes, each * len(SPEAKERS)),
            folds=dict.fromkeys(SPEAKERS, each * len(classes)),
            speakers=dict.fromkeys(SPEAKERS, each * len(classes)),
        )
        for each, edition in EDITIONS.items()
    )


def _folders(top: Path) -> Sequence[Path]:
    """Find the speakers' folders, in the top folder or one level below."""
    near = sorted([*top.glob("*"), *top.glob("*/*")])
    if found := [
        folder
        for folder in near
        if _plain(folder.name) in PARALLEL | NON_PARALLEL and folder.is_dir()
    ]:
        return found
    is_speaker = any((top / emotion).is_dir() for emotion in EMOTIONS)
    raise CorpusMissing(
        f"casia is not on this machine: {top} holds no folder of a speaker\n  "
        + (
            f"it is one itself: set NSERBENCH_CASIA to {top.parent}"
            if is_speaker
            else f"speakers: {', '.join(SPEAKERS)}\n  {CASIA.obtain}"
        )
    )


def _plain(name: str) -> str:
    """Give the letters of a name: copies differ in capitals and dots."""
    return "".join(letter for letter in name.lower() if letter.isalpha())


def _files(folder: Path) -> Iterator[Path]:
    for file in sorted(folder.glob("*/*")):
        # macOS puts a ._ file beside each file on foreign disks.
        if file.suffix.lower() == ".wav" and file.name[:2] != "._":
            yield file


def _utterance(file: Path) -> Utterance:
    emotion, number = file.parent.name.lower(), file.stem
    if emotion not in EMOTIONS or not (number.isascii() and number.isdecimal()):
        raise BadCorpus(
            f"{file} is not named as CASIA's files are, such as angry/201.wav\n"
            f"  emotions: {', '.join(EMOTIONS)}\n"
            "  give it its original name, or move it elsewhere"
        )
    label, folder = EMOTIONS[emotion], _plain(file.parents[1].name)
    speaker = (PARALLEL | NON_PARALLEL)[folder]
    part = "nonparallel-" if folder in NON_PARALLEL else ""
    return Utterance(
        id=f"{speaker}-{label}-{part}{number}",
        path=file,
        label=label,
        speaker=speaker,
        fold=speaker,
        language="zh",
    )


def _edition(top: Path, found: Sequence[Utterance]) -> str:
    """Name the edition.

    We refuse what is none of them: nothing in the corpus lists its files, so that a
    lost one could not be noticed later.
    """
    counts = Counter((one.speaker, one.label) for one in found)
    each, *others = {
        counts[speaker, label] for speaker in SPEAKERS for label in CLASSES["6"]
    }
    if not others and each in EDITIONS:
        return EDITIONS[each]
    raise BadCorpus(
        f"{top} holds {len(found)} utterances, and is no edition of CASIA\n"
        f"  {_table(counts)}\n"
        "  in an edition all are "
        + ", or all ".join(f"{each} ({name})" for each, name in EDITIONS.items())
    )


def _table(counts: Mapping[tuple[str, str], int]) -> str:
    return "\n  ".join(
        f"{speaker}: "
        + ", ".join(f"{label} {counts[speaker, label]}" for label in CLASSES["6"])
        for speaker in SPEAKERS
    )
