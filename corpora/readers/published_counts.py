"""How many utterances a complete copy of a corpus has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from nserbench.corpora.base import Corpus


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedCounts:
    """The published counts of one edition of a corpus.

    A copy that has lost half a session can be read like a complete one, but its results
    differ. Only published counts show the loss. Each reader has them as a function
    ``expected(options) -> tuple[PublishedCounts, ...]`` with one entry per edition.

    Attributes:
        edition: Name of the edition, as in `Corpus.edition`.
        classes: Utterances of each class.
        folds: Utterances of each fold.
        speakers: Utterances of each speaker; None if they are not published.
    """

    edition: str = ""
    classes: Mapping[str, int]
    folds: Mapping[str, int]
    speakers: Mapping[str, int] | None

    @property
    def total(self) -> int:
        """Number of utterances."""
        return sum(self.classes.values())

    def differences(self, corpus: Corpus) -> list[str]:
        """List the counts of a corpus that differ from the published ones.

        Returns:
            A line for each, such as ``fold 3: 1150 utterances, 1151 expected``; empty
            if the corpus is complete.
        """
        utterances = corpus.utterances
        compared = {
            "class": (Counter(one.label for one in utterances), self.classes),
            "fold": (Counter(one.fold for one in utterances), self.folds),
        }
        if self.speakers is not None:
            speakers = Counter(one.speaker for one in utterances)
            compared["speaker"] = speakers, self.speakers
        return [
            f"{kind} {name}: {counts[name]} utterances, {wanted.get(name, 0)} expected"
            for kind, (counts, wanted) in compared.items()
            for name in sorted(counts.keys() | wanted.keys())
            if counts[name] != wanted.get(name, 0)
        ]
