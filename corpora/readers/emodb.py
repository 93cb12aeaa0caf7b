"""EmoDB, the Berlin Database of Emotional Speech: ten actors, ten sentences.

The files have their original names, in the folder or in ``wav`` below it. ``classes``
is ``paper`` for four emotions or ``all`` for seven. Edition 2.0 has 281 more files.
"""

from __future__ import annotations

import re
from pathlib import Path

from nserbench.corpora.base import Utterance
from nserbench.corpora.cards import EMODB
from nserbench.corpora.readers.naming import PAPER, FileNaming, NamedCorpus

EMOTIONS = {
    "W": "anger",
    "L": "boredom",
    "E": "disgust",
    "A": "fear",
    "F": "happiness",
    "T": "sadness",
    "N": "neutral",
}
CLASSES = {"paper": PAPER, "all": tuple(sorted(EMOTIONS.values()))}
FOLDS = {  # of each speaker; a fold has one man and one woman
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
"""Utterances of each speaker in each of the seven classes (EmoBox's list)."""

SECOND = (
    "281 of the 816 files were recognised by fewer than 80 % of the listeners; most "
    "published numbers are of the other 535"
)
EDITIONS = {816: ("2.0", SECOND)}
"""EmoDB 2.0 (Burkhardt et al., Interspeech 2025), by its number of files."""

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


def _utterance(path: Path, name: re.Match[str]) -> Utterance:
    return Utterance(
        id=path.stem,
        path=path,
        label=EMOTIONS[name["emotion"]],
        speaker=name["speaker"],
        fold=FOLDS[name["speaker"]],
        text=TEXTS[name["text"]],
        language="de",
    )


_CORPUS = NamedCorpus(
    naming=FileNaming(
        card=EMODB,
        layouts=("*", "wav/*"),
        pattern=rf"(?P<speaker>{'|'.join(FOLDS)})(?P<text>{'|'.join(TEXTS)})"
        rf"(?P<emotion>[{''.join(EMOTIONS)}])[a-z]",
        example="wav/03a01Fa.wav",
    ),
    utterance=_utterance,
    classes=CLASSES,
    counts={
        (speaker, label): count
        for speaker, row in COUNTS.items()
        for label, count in zip(CLASSES["all"], row, strict=True)
    },
    folds=FOLDS,
    editions=EDITIONS,
)
load, expected = _CORPUS.load, _CORPUS.expected
