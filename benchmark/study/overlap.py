"""What training and test have in common: speakers and texts."""

from __future__ import annotations

import dataclasses
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from nserbench.benchmark.study.splits import Split
from nserbench.corpora.base import Corpus, Utterance


@dataclass(frozen=True, slots=True)
class Overlap:
    """How many test utterances share something with the training part of their fold.

    Attributes:
        utterances: How many are tested, each counted once.
        speakers: By speakers who are trained on as well; None where the corpus does
            not tell speakers apart.
        texts: That say a text which is trained on as well; None where no text is known.
        without_text: Of which no text is known.
    """

    utterances: int
    speakers: int | None
    texts: int | None
    without_text: int

    @classmethod
    def read(cls, told: object) -> Overlap:
        """Read what a result says of it.

        Raises:
            ValueError: if that is not one.
        """
        fields = {one.name for one in dataclasses.fields(cls)}
        if not isinstance(told, Mapping) or set(told) != fields:
            raise ValueError(f"not an object of {', '.join(sorted(fields))}")
        for name, count in told.items():
            known = count is None and name in ("speakers", "texts")
            if not known and (type(count) is not int or count < 0):
                raise ValueError(f"{name} is {count!r}, not a number of utterances")
        return cls(**told)

    def __str__(self) -> str:
        """Say it in one line."""
        has, count = "that training also has", self.utterances
        spoken_by = f"{self.speakers} are by speakers"
        said = f"{self.texts} say texts"
        silent = f" (no text is known of {self.without_text})"
        if self.speakers is None and self.texts is None:
            return f"speakers and texts of {count} test utterances are not known"
        begin = f"of {count} test utterances "
        if self.texts is None:
            return f"{begin}{spoken_by} {has}; texts are not known"
        rest = silent if self.without_text else ""
        if self.speakers is None:
            return f"{begin}{said} {has}{rest}; speakers are not known"
        return f"{begin}{spoken_by} and {said} {has}{rest}"


def overlap(corpus: Corpus, splits: Sequence[Split]) -> Overlap:
    """Count the test utterances whose speaker or text is trained on as well.

    Texts are compared in small letters and without punctuation.
    """
    ones = corpus.utterances
    texts = {one.id: spoken(one.text) for one in ones}
    tested = {row for split in splits for row in split.test}
    silent = sum(not texts[ones[row].id] for row in tested)
    return Overlap(
        utterances=len(tested),
        speakers=_shared(ones, splits, _speaker) if tells_speakers(corpus) else None,
        texts=_shared(ones, splits, lambda one: texts[one.id])
        if any(texts.values())
        else None,
        without_text=silent,
    )


def _speaker(one: Utterance) -> str:
    return one.speaker


def _shared(
    ones: Sequence[Utterance],
    splits: Sequence[Split],
    what: Callable[[Utterance], str],
) -> int:
    """Count the rows that share something, unless it is empty, with training."""
    found: set[int] = set()
    for split in splits:
        trained = {what(ones[row]) for row in split.train} - {""}
        found |= {row for row in split.test if what(ones[row]) in trained}
    return len(found)


def spoken(text: str | None) -> str:
    """Return a text in small letters, without punctuation; empty if there is none.

    Examples:
        >>> spoken("Oh, it's  YOU!"), spoken(None)
        ('oh its you', '')
    """
    kept = (
        letter
        for letter in (text or "").casefold()
        if not unicodedata.category(letter).startswith("P")
    )
    return " ".join("".join(kept).split())


def tells_speakers(corpus: Corpus) -> bool:
    """Tell whether a corpus says who speaks: no name stands for one utterance each."""
    speakers = {one.speaker for one in corpus.utterances}
    return len(speakers) < len(corpus.utterances)


def unit_said(corpus: Corpus, splits: Sequence[Split]) -> str:
    """Name the unit of independence, and say where its speakers are on both sides."""
    if corpus.unit == "speaker":
        return corpus.unit
    if not tells_speakers(corpus):
        return f"{corpus.unit} (its speakers are not known)"
    if _shared(corpus.utterances, splits, _speaker):
        return f"{corpus.unit} (its speakers are in training and test)"
    return corpus.unit
