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
    "liuchanhg": "liuchanhg",  # spelt so in every copy that we know
    "liuchang": "liuchanhg",
    "liuchanghg": "liuchanhg",
    "wangzhe": "wangzhe",
    "zhaoquanyin": "zhaoquanyin",
    "zhaozuoxiang": "zhaozuoxiang",
}
"""Speaker by folder name. Here, everybody reads the same sentences in every emotion."""
NON_PARALLEL = {
    "changliu": "liuchanhg",
    "zhewang": "wangzhe",
    "quanyinzhao": "zhaoquanyin",
    "zuoxiangzhao": "zhaozuoxiang",
}
"""Speaker by folder name. Here, each sentence belongs to one emotion."""
SPEAKERS = ("liuchanhg", "wangzhe", "zhaoquanyin", "zhaozuoxiang")
EDITIONS = {50: "1200", 300: "7200", 400: "9600"}
"""Name of an edition, by its number of utterances per speaker and emotion."""


def load(options: Options, settings: Settings) -> Corpus:
    """Read ``SPEAKER/EMOTION/NUMBER.wav``; each speaker is a fold.

    An utterance's id ends with the number of its sentence. The corpus does not contain
    the texts of the sentences.

    Args:
        options: ``classes`` is ``6``, or ``4`` for the emotions of the other corpora.
        settings: Where ``casia`` is set to the folder that holds the speakers'
            folders, or the two folders of the largest edition that do.

    Raises:
        CorpusMissing: if the folder is not set, or holds no speaker's folder.
        BadCorpus: if a folder or file does not have a name of the corpus, or the
            files are not those of an edition.
    """
    top = folder_of("casia", CASIA.obtain, settings)
    utterances = [
        _utterance(file) for folder in _folders(top) for file in _files(folder)
    ]
    classes = CLASSES[options["classes"]]
    return Corpus(
        classes=classes,
        utterances=[one for one in utterances if one.label in classes],
        edition=_edition(top, utterances),
    )


def expected(options: Options) -> tuple[PublishedCounts, ...]:
    """Return the counts of each edition; `load` says what the options are."""
    classes = CLASSES[options["classes"]]
    return tuple(
        PublishedCounts(
            edition=edition,
            classes=dict.fromkeys(classes, count * len(SPEAKERS)),
            folds=dict.fromkeys(SPEAKERS, count * len(classes)),
            speakers=dict.fromkeys(SPEAKERS, count * len(classes)),
        )
        for count, edition in EDITIONS.items()
    )


def _folders(top: Path) -> Sequence[Path]:
    """Find the speakers' folders, in the top folder or one level below."""
    if folders := [
        folder
        for folder in sorted([*top.glob("*"), *top.glob("*/*")])
        if _plain(folder.name) in PARALLEL | NON_PARALLEL and folder.is_dir()
    ]:
        return folders
    is_speaker = any((top / emotion).is_dir() for emotion in EMOTIONS)
    above = top.absolute().parent
    raise CorpusMissing(
        f"casia is not on this machine: {top} holds no folder of a speaker\n  "
        + (
            f"it is a speaker's folder itself: set NSERBENCH_CASIA to {above}"
            if is_speaker
            else f"speakers: {', '.join(SPEAKERS)}\n  {CASIA.obtain}"
        )
    )


def _plain(name: str) -> str:
    """Return the letters of a name, in lower case: copies differ in case and dots."""
    return "".join(letter for letter in name.lower() if letter.isalpha())


def _files(folder: Path) -> Iterator[Path]:
    for file in sorted(folder.glob("*/*")):
        # macOS adds a ._ file for each file on disks of other systems.
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


def _edition(top: Path, utterances: Sequence[Utterance]) -> str:
    """Return the name of the edition.

    A copy that is no edition is refused: the corpus has no list of its files, so a lost
    file could not be noticed later.
    """
    counts = Counter((one.speaker, one.label) for one in utterances)
    count, *others = {
        counts[speaker, label] for speaker in SPEAKERS for label in CLASSES["6"]
    }
    if not others and count in EDITIONS:
        return EDITIONS[count]
    raise BadCorpus(
        f"{top} holds {len(utterances)} utterances, and is no edition of CASIA\n"
        f"  {_table(counts)}\n"
        "  in an edition, all these counts are "
        + ", or all ".join(f"{count} ({name})" for count, name in EDITIONS.items())
        + "\n  get the missing files, or list the files for the corpus manifest"
    )


def _table(counts: Mapping[tuple[str, str], int]) -> str:
    """Write the utterances of each speaker in each emotion, for the message."""
    return "\n  ".join(
        f"{speaker}: "
        + ", ".join(f"{label} {counts[speaker, label]}" for label in CLASSES["6"])
        for speaker in SPEAKERS
    )
