"""nEMO: nine Polish actors, 90 sentences in six emotions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from nserbench.cards import Options
from nserbench.corpora.base import Corpus, Utterance
from nserbench.corpora.cards import NEMO
from nserbench.corpora.readers.naming import PAPER, FileNaming, choose, published
from nserbench.corpora.readers.published_counts import PublishedCounts
from nserbench.corpora.readers.text_files import read_table
from nserbench.settings import Settings

EMOTIONS = {
    "anger": "anger",
    "fear": "fear",
    "happiness": "happiness",
    "neutral": "neutral",
    "sadness": "sadness",
    "surprised": "surprise",
}
CLASSES = {"paper": PAPER, "all": tuple(EMOTIONS.values())}
SPEAKERS = ("EB0", "IC0", "KD0", "KS0", "MK0", "MP0", "SM0", "TP0", "WR0")
"""Each speaker is a fold."""
SENTENCES = 90
COUNTS = {  # of the speakers who lack some of the 90 sentences
    ("EB0", "surprise"): 89,
    ("MK0", "surprise"): 0,
    ("MP0", "anger"): 29,
    ("MP0", "fear"): 17,
    ("MP0", "happiness"): 30,
    ("MP0", "sadness"): 49,
    ("MP0", "surprise"): 41,
    ("SM0", "fear"): 89,
    ("SM0", "happiness"): 89,
    ("TP0", "surprise"): 89,
    ("WR0", "neutral"): 89,
}

_NAMING = FileNaming(
    card=NEMO,
    layouts=("samples/*", "*"),
    pattern=rf"(?P<speaker>{'|'.join(SPEAKERS)})_(?P<emotion>{'|'.join(EMOTIONS)})"
    r"_(?:[1-8][0-9]?|9|90)",
    example="samples/EB0_anger_1.wav",
)
_COLUMNS = ("file_id", "raw_text")


def load(options: Options, settings: Settings) -> Corpus:
    """Read the clips in ``samples``, and their texts from ``data.tsv`` if it is there.

    Args:
        options: ``classes`` is ``paper`` for four emotions or ``all`` for six.
        settings: Where ``nemo`` is set to the repository or its ``samples``.

    Raises:
        CorpusMissing: if the folder is not set, or holds no file of nEMO.
        BadCorpus: if a file's name is not one of the corpus's, or ``data.tsv`` cannot
            be read.
    """
    files = _NAMING.files(settings)
    folder = files[0][0].parent
    top = folder.parent if folder.name == "samples" else folder
    texts = _texts(top / "data.tsv")
    utterances = [
        Utterance(
            id=path.stem,
            path=path,
            label=EMOTIONS[name["emotion"]],
            speaker=name["speaker"],
            fold=name["speaker"],
            text=texts.get(path.stem),
            language="pl",
        )
        for path, name in files
    ]
    return choose(CLASSES[options["classes"]], utterances)


def expected(options: Options) -> tuple[PublishedCounts, ...]:
    """Return the published counts; `load` says what the options are."""
    counts = {
        (speaker, label): COUNTS.get((speaker, label), SENTENCES)
        for speaker in SPEAKERS
        for label in EMOTIONS.values()
    }
    folds = {speaker: speaker for speaker in SPEAKERS}
    return published(counts, folds, CLASSES[options["classes"]])


def _texts(file: Path) -> Mapping[str, str]:
    """Read the text of each utterance, by its file name without ending."""
    if not file.is_file():
        return {}
    rows = read_table(file, _COLUMNS, delimiter="\t", quoted=False)
    return {
        row["file_id"].strip().removesuffix(".wav"): row["raw_text"].strip()
        for _, row in rows
    }
