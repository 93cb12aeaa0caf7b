"""How many utterances a complete copy of a corpus has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from nserbench.corpora.base import Corpus


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedCounts:
    """The published counts of one edition of a corpus.

    A copy that has lost half a session reads as well as a whole one, and gives other
    numbers. Only counts from elsewhere can tell: they stand beside each reader, as
    ``expected(options) -> tuple[Expected, ...]`` with one entry for each edition.

    Attributes:
        edition: What `Corpus.edition` then is.
        classes: Utterances of each class.
        folds: Utterances of each fold.
        speakers: Utterances of each speaker; None where nobody published them.
    """

    edition: str = ""
    classes: Mapping[str, int]
    folds: Mapping[str, int]
    speakers: Mapping[str, int] | None

    @property
    def total(self) -> int:
        """How many utterances there are."""
        return sum(self.classes.values())

    def differences(self, corpus: Corpus) -> list[str]:
        """Say which counts of a corpus are others; nothing if it is complete.

        Returns:
            A line for each, such as ``fold 3: 1150 utterances, 1151 expected``.
        """
        ones = corpus.utterances
        found = {
            "class": (Counter(one.label for one in ones), self.classes),
            "fold": (Counter(one.fold for one in ones), self.folds),
        }
        if self.speakers is not None:
            found["speaker"] = Counter(one.speaker for one in ones), self.speakers
        return [
            f"{kind} {name}: {counts[name]} utterances, {wanted.get(name, 0)} expected"
            for kind, (counts, wanted) in found.items()
            for name in sorted(counts.keys() | wanted.keys())
            if counts[name] != wanted.get(name, 0)
        ]
