"""ESD: ten English and ten Mandarin speakers, 350 sentences in five emotions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from nserbench.cards import Options
from nserbench.corpora.base import Corpus, Utterance
from nserbench.corpora.cards import ESD
from nserbench.corpora.readers.naming import PAPER, FileNaming, choose, published
from nserbench.corpora.readers.published_counts import PublishedCounts
from nserbench.errors import BadCorpus
from nserbench.settings import Settings

EMOTIONS = {
    "Angry": "anger",
    "Happy": "happiness",
    "Neutral": "neutral",
    "Sad": "sadness",
    "Surprise": "surprise",
}
CLASSES = {"paper": PAPER, "all": tuple(EMOTIONS.values())}
PAIRS = {  # a man and a woman for each fold
    "en": {
        "1": ("0011", "0015"),
        "2": ("0012", "0016"),
        "3": ("0013", "0017"),
        "4": ("0014", "0018"),
        "5": ("0020", "0019"),
    },
    "zh": {
        "1": ("0004", "0001"),
        "2": ("0005", "0002"),
        "3": ("0006", "0003"),
        "4": ("0008", "0007"),
        "5": ("0010", "0009"),
    },
}
FOLDS = {
    language: {speaker: fold for fold, pair in pairs.items() for speaker in pair}
    for language, pairs in PAIRS.items()
}
SENTENCES = 350
EMOTION_WORDS = (*EMOTIONS, "中立", "快乐", "伤心", "生气", "惊喜")
"""Names of emotions that may stand at the end of a transcript's line."""

_NAMING = FileNaming(
    card=ESD,
    layouts=("00[0-9][0-9]/**/*",),
    pattern=rf"(?P<speaker>{'|'.join([*FOLDS['zh'], *FOLDS['en']])})"
    rf"/(?P<emotion>{'|'.join(EMOTIONS)})(?:/evaluation|/test|/train)?"
    r"/(?P=speaker)_[0-9]{6}",
    example="0011/Angry/0011_000351.wav",
)
_LINE = re.compile(
    rf"(?P<id>[0-9]{{4}}_[0-9]{{6}})\s+(?P<text>.*?)(?:\s+(?:{'|'.join(EMOTION_WORDS)}))?"
)


def load(options: Options, settings: Settings) -> Corpus:
    """Read ``SPEAKER/EMOTION/SPEAKER_NNNNNN.wav`` and ``SPEAKER/SPEAKER.txt``.

    The corpus's own split (``evaluation``, ``test``, ``train``) has every speaker in
    all three sets, and is not used. An utterance that no transcript lists has no text.

    Args:
        options: ``language`` is ``en`` or ``zh``; ``classes`` is ``paper`` for four
            emotions or ``all`` for five.
        settings: Where ``esd`` is set to the folder that holds ``0001`` to ``0020``.

    Raises:
        CorpusMissing: if the folder is not set, or holds no file of ESD.
        BadCorpus: if a file's name or folder is not one of the corpus's, or a
            transcript cannot be read.
    """
    language = options["language"]
    files = [
        (path, name)
        for path, name in _NAMING.files(settings)
        if name["speaker"] in FOLDS[language]
    ]
    texts: dict[str, str] = {}
    for speaker, folder in {_folder(path, name) for path, name in files}:
        texts |= _texts(folder / f"{speaker}.txt")
    utterances = [
        Utterance(
            id=path.stem,
            path=path,
            label=EMOTIONS[name["emotion"]],
            speaker=name["speaker"],
            fold=FOLDS[language][name["speaker"]],
            text=texts.get(path.stem),
            language=language,
        )
        for path, name in files
    ]
    return choose(CLASSES[options["classes"]], utterances)


def expected(options: Options) -> tuple[PublishedCounts, ...]:
    """Return the published counts; `load` says what the options are."""
    folds = FOLDS[options["language"]]
    counts = {
        (speaker, label): SENTENCES for speaker in folds for label in EMOTIONS.values()
    }
    return published(counts, folds, CLASSES[options["classes"]])


def _folder(path: Path, name: re.Match[str]) -> tuple[str, Path]:
    """Return the speaker of a file, and the folder of that speaker."""
    depth = 1 if path.parent.name == name["emotion"] else 2
    return name["speaker"], path.parents[depth]


def _texts(file: Path) -> Mapping[str, str]:
    """Read the text of each utterance of a speaker, by its id.

    Lines without an utterance are skipped, and so is the emotion at a line's end.
    """
    if not file.is_file():
        return {}
    matches = [_LINE.fullmatch(line.strip()) for line in _decoded(file).splitlines()]
    return {match["id"]: match["text"] for match in matches if match and match["text"]}


def _decoded(file: Path) -> str:
    """Read a transcript; their encodings differ (issue 1 of the repository)."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise BadCorpus(f"{file} cannot be read: {error.strerror}") from error
    for encoding in ("utf-16",) if b"\0" in content else ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise BadCorpus(
        f"{file} is neither UTF-8, UTF-16 nor GB 18030\n"
        "  save it as UTF-8; or move it elsewhere, and the speaker has no texts"
    )
