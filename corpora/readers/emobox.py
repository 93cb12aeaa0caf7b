"""EmoBox: 32 corpora, by EmoBox's lists of files, emotions, speakers and folds."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from nserbench.cards import Options
from nserbench.corpora.base import Corpus, Utterance, folder_of
from nserbench.corpora.cards import EMOBOX
from nserbench.corpora.readers.emobox_lists import (
    ListedUtterance,
    find_lists,
    read_labels,
    read_list,
    read_speakers,
)
from nserbench.corpora.readers.manifest import deal
from nserbench.corpora.readers.naming import PAPER
from nserbench.errors import BadCorpus, CorpusMissing, UnknownName
from nserbench.paths import is_file
from nserbench.settings import Settings, variable

AUDIO = "emobox-audio"
"""Name of the setting for the folder that holds ``downloads``, if it is elsewhere."""
NO_EMOTIONS = ("breath", "no-agreement", "other", "unknown")
"""Labels that are skipped: EmoBox does not count them as emotions either."""
SPOKEN = {
    "am": "ased",
    "bn": "subesco",
    "de": "emodb pavoque",
    "el": "aesdd",
    "en": "cremad emns emovdb enterface iemocap jlcorpus mead meld msppodcast ravdess "
    "savee tess",
    "es": "mesd",
    "fa": "shemo",
    "fr": "cafe oreau",
    "it": "emovo emozionalmente",
    "pl": "polish",
    "ru": "resd",
    "tr": "turevdb",
    "ur": "urdu",
    "zh": "casia m3ed mer2023",
}
"""Corpora by language, from EmoBox's README. Two other corpora mix languages."""
LANGUAGES = {
    name: language for language, names in SPOKEN.items() for name in names.split()
}

_SHOWN = 8  # speakers or files named in one message


def load(options: Options, settings: Settings) -> Corpus:
    """Read the lists of one corpus.

    If EmoBox has several folds, the test set of each is one of our folds. If it has a
    single fold, its test set is tested, and its other sets are the training set. In
    many corpora EmoBox has the same speakers in training and test sets; such folds are
    refused unless ``unit`` is ``utterance``.

    Of every audio file the first channel is read, or the centre channel of 5.1 sound:
    the channels that EmoBox lists.

    Args:
        options: ``name`` is the corpus. ``classes`` is ``all``, or ``paper`` for four
            emotions. ``folds`` is ``published``, or ``speakers`` to assign speakers
            to folds as `readers.manifest.deal` does. ``unit`` is ``speaker``, or
            ``utterance`` to use the published folds as they are.
        settings: Where ``emobox`` is set to EmoBox's repository or its ``data``, and
            if needed ``emobox-audio`` to the folder that holds ``downloads``.

    Raises:
        CorpusMissing: if the folder is not set, or has no lists.
        UnknownName: if EmoBox has no such corpus.
        BadCorpus: if a line cannot be understood, a class or an audio file is missing,
            or the folds share speakers.
    """
    folder = _folder(folder_of("emobox", EMOBOX.obtain, settings), options["name"])
    audio = settings.path(AUDIO) or folder.parents[1]
    speakers = read_speakers(folder)
    listed = list(_listed(folder, audio, speakers, options))
    classes = _classes(options["classes"], listed, options["name"])
    kept = [utterance for utterance in listed if utterance.label in classes]
    if not speakers:
        _refuse_unknown_speakers(options)
    tested = ("test",) if any(clip.fold == "test" for clip in kept) else ()
    shared = _shared(kept, tested)
    if shared and (options["unit"], options["folds"]) == ("speaker", "published"):
        _refuse_shared(shared, options["name"])
    _refuse_missing(kept, audio)
    if options["folds"] == "speakers":
        return Corpus(
            classes=classes, utterances=_by_speaker(kept), unit=options["unit"]
        )
    edition = f"{len(shared)} speakers on both sides" if shared else ""
    return Corpus(
        classes=classes,
        utterances=kept,
        tested=tested,
        unit=options["unit"],
        edition=edition if speakers else "speakers unknown",
    )


def _folder(top: Path, name: str) -> Path:
    """Find the folder with the lists of a corpus."""
    data = top / "data" if (top / "data").is_dir() else top
    known = {path.parent.name: path.parent for path in data.glob("*/label_*.json")}
    if not known:
        raise CorpusMissing(
            f"emobox is not on this machine: {data} holds no lists such as "
            f"casia/label_map.json\n  {EMOBOX.obtain}"
        )
    if name not in known:
        corpus, _, noise = name.partition("-")
        hint = f"a noise is written before the colon: emobox-{noise}:{corpus}"
        place = f"EmoBox in {data}"
        raise UnknownName("corpus", name, known, hint * (corpus in known), of=place)
    return known[name].absolute()


def _listed(
    folder: Path, audio: Path, speakers: Mapping[str, str], options: Options
) -> Iterator[Utterance]:
    """Read every utterance whose label is an emotion, fold by fold."""
    labels = read_labels(folder)
    for fold, file in find_lists(folder).items():
        for entry in read_list(file, labels):
            if entry.label not in NO_EMOTIONS:
                yield _utterance(entry, fold, audio, speakers, options)


def _utterance(
    entry: ListedUtterance,
    fold: str,
    audio: Path,
    speakers: Mapping[str, str],
    options: Options,
) -> Utterance:
    if speakers and entry.key not in speakers:
        raise BadCorpus(
            f"EmoBox does not list the speaker of {entry.key}\n  clone EmoBox again"
        )
    return Utterance(
        id=entry.key,
        path=audio / entry.wav,
        label=entry.label,
        speaker=speakers.get(entry.key, entry.key),
        fold=fold,
        start=entry.start,
        end=entry.end,
        language=LANGUAGES.get(options["name"]),
        unit=entry.key if options["unit"] == "utterance" else None,
        channel="centre",
    )


def _classes(
    wanted: str, utterances: Sequence[Utterance], name: str
) -> tuple[str, ...]:
    labels = sorted({utterance.label for utterance in utterances})
    if wanted == "all":
        return tuple(labels)
    if missing := [label for label in PAPER if label not in labels]:
        raise BadCorpus(
            f"{name} has no {', no '.join(missing)}, so it lacks classes of the paper\n"
            f"  its emotions: {', '.join(labels)}\n  use classes=all"
        )
    return PAPER


def _refuse_missing(utterances: Sequence[Utterance], audio: Path) -> None:
    paths = {utterance.path for utterance in utterances}
    missing = sorted(path for path in paths if not is_file(path))
    if missing:
        raise BadCorpus(
            f"{len(missing)} audio files of EmoBox's lists are missing, such as\n  "
            + "\n  ".join(map(str, missing[:_SHOWN]))
            + "\n  put them there, or set "
            f"{variable(AUDIO)} to the folder that has them, instead of {audio}"
        )


def _refuse_unknown_speakers(options: Options) -> None:
    if options["unit"] == "utterance" and options["folds"] == "published":
        return
    name = options["name"]
    raise BadCorpus(
        f"EmoBox does not list the speakers of {name}, so folds cannot be split by "
        f"speaker\n  emobox:{name},unit=utterance uses EmoBox's folds as they are"
    )


def _by_speaker(utterances: Sequence[Utterance]) -> Sequence[Utterance]:
    """Put the utterances into our folds, each speaker into one."""
    folds = deal(Counter(utterance.speaker for utterance in utterances))
    return [
        replace(utterance, fold=folds[utterance.speaker]) for utterance in utterances
    ]


def _shared(utterances: Sequence[Utterance], tested: tuple[str, ...]) -> Sequence[str]:
    """Return the speakers of a tested fold who are also in another fold."""
    folds: dict[str, set[str]] = defaultdict(set)
    for utterance in utterances:
        folds[utterance.speaker].add(utterance.fold)
    return sorted(
        speaker
        for speaker, names in folds.items()
        if len(names) > 1 and (not tested or names & set(tested))
    )


def _refuse_shared(shared: Sequence[str], name: str) -> None:
    more = f" and {len(shared) - _SHOWN} more" if shared[_SHOWN:] else ""
    raise BadCorpus(
        f"EmoBox's folds of {name} have {len(shared)} speakers in both training and "
        f"test sets: {', '.join(shared[:_SHOWN])}{more}\n"
        f"  emobox:{name},folds=speakers splits by speaker\n"
        f"  emobox:{name},unit=utterance uses EmoBox's folds as they are: results are "
        "then too good for new speakers, and are marked so"
    )
