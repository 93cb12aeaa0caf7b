"""Count the speakers and texts that training and test set have in common."""

from __future__ import annotations

import dataclasses
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nserbench.benchmark.study.splits import Split
from nserbench.corpora.base import Corpus


@dataclass(frozen=True, slots=True)
class Overlap:
    """Number of test utterances that share a speaker or text with their training set.

    Attributes:
        utterances: Test utterances, each counted once.
        speakers: Test utterances whose speaker is also in the training set; None if the
            corpus does not name its speakers.
        texts: Test utterances whose text is also in the training set; None if no text
            is known.
        without_text: Test utterances whose text is not known.
    """

    utterances: int
    speakers: int | None
    texts: int | None
    without_text: int

    @classmethod
    def read(cls, value: object) -> Overlap:
        """Read an overlap from the JSON of a result.

        Raises:
            ValueError: if the value is not an overlap.
        """
        fields = {field.name for field in dataclasses.fields(cls)}
        if not isinstance(value, Mapping) or set(value) != fields:
            raise ValueError(f"not an object of {', '.join(sorted(fields))}")
        for name, count in value.items():
            unknown = count is None and name in ("speakers", "texts")
            if not unknown and (type(count) is not int or count < 0):
                raise ValueError(f"{name} is {count!r}, not a number of utterances")
        return cls(**value)

    def __str__(self) -> str:
        """Describe the overlap in one line."""
        count = self.utterances
        if self.speakers is None and self.texts is None:
            return f"speakers and texts of {count} test utterances are not known"
        known = {"speaker": self.speakers, "text": self.texts}
        shared = [f"the {what} of {n}" for what, n in known.items() if n is not None]
        unknown = [f"; {what}s are not known" for what, n in known.items() if n is None]
        without = f" (no text is known of {self.without_text})"
        return (
            f"of {count} test utterances, training has {' and '.join(shared)}"
            f"{without if self.texts is not None and self.without_text else ''}"
            f"{''.join(unknown)}"
        )


def overlap(corpus: Corpus, splits: Sequence[Split]) -> Overlap:
    """Count the test utterances whose speaker or text is also in the training set.

    Texts are compared in lower case and without punctuation.
    """
    speakers = [utterance.speaker for utterance in corpus.utterances]
    texts = [normalised_text(utterance.text) for utterance in corpus.utterances]
    tested = {row for split in splits for row in split.test}
    return Overlap(
        utterances=len(tested),
        speakers=_shared(speakers, splits) if tells_speakers(corpus) else None,
        texts=_shared(texts, splits) if any(texts) else None,
        without_text=sum(not texts[row] for row in tested),
    )


def _shared(values: Sequence[str], splits: Sequence[Split]) -> int:
    """Count the test rows whose value is not empty and also in the training set."""
    shared: set[int] = set()
    for split in splits:
        trained = {values[row] for row in split.train} - {""}
        shared |= {row for row in split.test if values[row] in trained}
    return len(shared)


def normalised_text(text: str | None) -> str:
    """Return a text in lower case and without punctuation; empty if there is none.

    Examples:
        >>> normalised_text("Oh, it's  YOU!"), normalised_text(None)
        ('oh its you', '')
    """
    kept = (
        letter
        for letter in (text or "").casefold()
        if not unicodedata.category(letter).startswith("P")
    )
    return " ".join("".join(kept).split())


def tells_speakers(corpus: Corpus) -> bool:
    """Return whether speakers are known: some speaker has two utterances."""
    speakers = {utterance.speaker for utterance in corpus.utterances}
    return len(speakers) < len(corpus.utterances)


def unit_label(corpus: Corpus, splits: Sequence[Split]) -> str:
    """Name the unit of independence, with a note if its speakers can be shared.

    The text enters the digest of a protocol, so that its words cannot change.
    """
    if corpus.unit == "speaker":
        return corpus.unit
    if not tells_speakers(corpus):
        return f"{corpus.unit} (its speakers are not known)"
    if _shared([utterance.speaker for utterance in corpus.utterances], splits):
        return f"{corpus.unit} (its speakers are in training and test)"
    return corpus.unit
