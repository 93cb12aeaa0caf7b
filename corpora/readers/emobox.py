"""EmoBox: 32 corpora by its lists of files, emotions, speakers and folds."""

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
from nserbench.settings import Settings, variable

AUDIO = "emobox-audio"
"""The setting for the folder that holds ``downloads``, where that is elsewhere."""
NO_EMOTIONS = ("breath", "no-agreement", "other", "unknown")
"""Labels that are left out, as in the numbers of emotions that EmoBox gives."""
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
"""The table in EmoBox's README. Its other two corpora have several languages."""
LANGUAGES = {
    name: language for language, names in SPOKEN.items() for name in names.split()
}

_SHOWN = 8  # speakers or files named in one message


def load(options: Options, settings: Settings) -> Corpus:
    """Read the lists of one corpus.

    Where EmoBox has several folds, each is one of ours: the test part of EmoBox's. Of a
    single fold, the test part is tested and all else is trained on. EmoBox draws many
    such test parts from the speakers of the training part; that is refused unless
    ``unit`` is ``utterance``.

    Every audio file is read by its first channel, or the centre of 5.1 sound, which are
    the channels that EmoBox lists.

    Args:
        options: ``name`` is the corpus. ``classes`` is ``all``, or ``paper`` for four
            emotions. ``folds`` is ``published``, or ``speakers`` to deal the speakers
            out as `readers.manifest.deal` does. ``unit`` is ``speaker``, or
            ``utterance`` to take the published folds as they are.
        settings: Where ``emobox`` is set to EmoBox's repository or its ``data``, and
            where wanted ``emobox-audio`` to the folder that holds ``downloads``.

    Raises:
        CorpusMissing: if the folder is not set, or has no lists.
        UnknownName: if EmoBox has no such corpus.
        BadCorpus: if a line cannot be understood, a class or an audio file is missing,
            or the folds share speakers.
    """
    folder = _folder(folder_of("emobox", EMOBOX.obtain, settings), options["name"])
    audio = settings.path(AUDIO) or folder.parents[1]
    speakers = read_speakers(folder)
    found = list(_listed(folder, audio, speakers, options))
    classes = _classes(options["classes"], found, options["name"])
    kept = [one for one in found if one.label in classes]
    if not speakers:
        _refuse_unknown_speakers(options)
    tested = ("test",) if any(one.fold == "test" for one in kept) else ()
    shared = _shared(kept, tested)
    if shared and (options["unit"], options["folds"]) == ("speaker", "published"):
        _refuse_shared(shared, options["name"])
    _refuse_missing(kept, audio)
    if options["folds"] == "speakers":
        return Corpus(classes=classes, utterances=_dealt(kept), unit=options["unit"])
    said = f"{len(shared)} speakers on both sides" if shared else ""
    return Corpus(
        classes=classes,
        utterances=kept,
        tested=tested,
        unit=options["unit"],
        edition=said if speakers else "speakers unknown",
    )


def _folder(top: Path, name: str) -> Path:
    data = top / "data" if (top / "data").is_dir() else top
    known = {path.parent.name: path.parent for path in data.glob("*/label_*.json")}
    if not known:
        raise CorpusMissing(
            f"emobox is not on this machine: {data} holds no lists such as "
            f"casia/label_map.json\n  {EMOBOX.obtain}"
        )
    if name not in known:
        raise UnknownName("corpus", name, known, of=f"EmoBox in {data}")
    return known[name].absolute()


def _listed(
    folder: Path, audio: Path, speakers: Mapping[str, str], options: Options
) -> Iterator[Utterance]:
    """Give every utterance that shows an emotion, fold by fold."""
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
        raise BadCorpus(f"EmoBox does not say who speaks {entry.key}: get EmoBox anew")
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


def _classes(wanted: str, found: Sequence[Utterance], name: str) -> tuple[str, ...]:
    labels = sorted({one.label for one in found})
    if wanted == "all":
        return tuple(labels)
    if missing := [label for label in PAPER if label not in labels]:
        raise BadCorpus(
            f"{name} has no {', no '.join(missing)}, so that it has not the paper's "
            f"classes: use classes=all\n  its emotions: {', '.join(labels)}"
        )
    return PAPER


def _refuse_missing(utterances: Sequence[Utterance], audio: Path) -> None:
    missing = sorted({one.path for one in utterances if not one.path.is_file()})
    if missing:
        raise BadCorpus(
            f"{len(missing)} audio files of EmoBox's list are missing, such as\n  "
            + "\n  ".join(map(str, missing[:_SHOWN]))
            + "\n  put them there, or set "
            f"{variable(AUDIO)} to the folder that they lie in as below {audio}"
        )


def _refuse_unknown_speakers(options: Options) -> None:
    if options["unit"] == "utterance" and options["folds"] == "published":
        return
    name = options["name"]
    raise BadCorpus(
        f"EmoBox does not say who speaks in {name}, so that speakers cannot be left "
        f"out\n  emobox:{name},unit=utterance takes its folds as they are"
    )


def _dealt(utterances: Sequence[Utterance]) -> Sequence[Utterance]:
    folds = deal(Counter(one.speaker for one in utterances))
    return [replace(one, fold=folds[one.speaker]) for one in utterances]


def _shared(utterances: Sequence[Utterance], tested: tuple[str, ...]) -> Sequence[str]:
    """Name the speakers of a tested fold who are in another one, too."""
    folds: dict[str, set[str]] = defaultdict(set)
    for one in utterances:
        folds[one.speaker].add(one.fold)
    return sorted(
        speaker
        for speaker, its in folds.items()
        if len(its) > 1 and (not tested or its & set(tested))
    )


def _refuse_shared(shared: Sequence[str], name: str) -> None:
    more = f" and {len(shared) - _SHOWN} more" if shared[_SHOWN:] else ""
    raise BadCorpus(
        f"EmoBox's folds of {name} test {len(shared)} speakers whom they also train "
        f"on: {', '.join(shared[:_SHOWN])}{more}\n"
        f"  emobox:{name},folds=speakers leaves speakers out\n"
        f"  emobox:{name},unit=utterance takes the folds as they are: the numbers "
        "flatter, and say so"
    )
