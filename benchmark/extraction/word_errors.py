"""Word error rates and hallucinations of transcripts."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import starmap
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from whisper_normalizer.basic import BasicTextNormalizer

UNSPACED = frozenset({"ja", "lo", "my", "th", "yue", "zh"})
"""Languages written without spaces, whose errors are counted in characters."""

LOOPED = 2.4
"""A text that zlib compresses by more than this ratio counts as a repetition loop, as
in Whisper (Radford et al., arXiv:2212.04356, Sec. 4.5)."""

Against = Literal["reference", "clean"]
"""Which texts are the references: those of the corpus, or the transcripts of its
clean speech. The latter show the effect of noise alone, even in a language that the
model does not know."""


@dataclass(frozen=True, slots=True)
class WordErrors:
    """Word errors of the transcripts of some utterances.

    Attributes:
        measure: ``CER`` if all are in languages without spaces, else ``WER``.
        rate: Errors of all utterances, divided by the words of all references.
        mean: Mean error rate of the utterances whose reference has words.
        match_error: Mean match error rate of the utterances: errors divided by errors
            and hits (Morris, Maier and Green, Interspeech 2004). It lies in 0 to 1, so
            that one long repetition loop cannot dominate it, unlike the other two.
        hallucinations: Share of transcripts that are longer than twice their
            reference, repeat themselves, or are empty although the reference is not.
        utterances: Number of utterances that have a reference. All else is of them.
    """

    measure: Literal["WER", "CER"]
    rate: float
    mean: float
    match_error: float
    hallucinations: float
    utterances: int


@dataclass(frozen=True, slots=True)
class TranscriptMatch:
    """One transcript compared with its reference, both normalised.

    Attributes:
        errors: Number of substitutions, deletions and insertions.
        words: Words in the reference; characters if the language has no spaces.
        hits: Words that are in both.
        hallucinated: Whether the transcript is longer than twice its reference, repeats
            itself, or is empty although the reference is not.
    """

    errors: int
    words: int
    hits: int
    hallucinated: bool

    @property
    def match_error(self) -> float:
        """Errors divided by errors and hits; 0 if both texts are empty."""
        return self.errors / max(1, self.errors + self.hits)


def recognition(
    references: Sequence[str | None],
    transcripts: Sequence[str],
    languages: Sequence[str | None],
) -> WordErrors | None:
    """Count the word errors of the transcripts that have a reference.

    Both sides are normalised with Whisper's code: with the English normaliser if the
    language is English or not known (Whisper is then prompted for English), else with
    the basic one.

    Args:
        references: Text of each utterance; None where it is not known.
        transcripts: Transcript of each utterance.
        languages: ISO 639-1 code of each utterance; None where it is not known.

    Returns:
        The errors; None if no reference has a word, since there is no rate then.
    """
    known = [
        (reference, transcript, language)
        for reference, transcript, language in zip(
            references, transcripts, languages, strict=True
        )
        if reference is not None
    ]
    matches = list(starmap(match, known))
    spoken = [m for m in matches if m.words]
    if not spoken:
        return None
    return WordErrors(
        measure="CER" if all(of in UNSPACED for *_, of in known) else "WER",
        rate=sum(m.errors for m in matches) / sum(m.words for m in spoken),
        mean=sum(m.errors / m.words for m in spoken) / len(spoken),
        match_error=sum(m.match_error for m in matches) / len(matches),
        hallucinations=sum(m.hallucinated for m in matches) / len(matches),
        utterances=len(matches),
    )


def match(reference: str, transcript: str, language: str | None) -> TranscriptMatch:
    """Compare one transcript with its reference; see `recognition`."""
    import jiwer

    expected, actual = (normalised(text, language) for text in (reference, transcript))
    compared = jiwer.process_words(" ".join(expected), " ".join(actual))
    return TranscriptMatch(
        errors=compared.substitutions + compared.deletions + compared.insertions,
        words=len(expected),
        hits=compared.hits,
        hallucinated=len(actual) > 2 * len(expected)
        or (not actual and bool(expected))
        or loops(transcript),
    )


def loops(text: str) -> bool:
    """Return whether a text repeats itself, as hallucinated transcripts often do.

    Examples:
        >>> loops("it was the best of times, it was the worst of times")
        False
        >>> loops("thank you. " * 20)
        True
    """
    encoded = text.encode()
    return len(encoded) / len(zlib.compress(encoded)) > LOOPED


def normalised(text: str, language: str | None) -> list[str]:
    """Return the words of a text, or its characters if the language has no spaces.

    Examples:
        >>> normalised("It's twenty-one, Mr. Bo!", "en")
        ['it', 'is', '21', 'mister', 'bo']
        >>> normalised("今天天气很好", "zh")
        ['今', '天', '天', '气', '很', '好']
    """
    plain = _normaliser(language or "en")(text)
    return [*"".join(plain.split())] if language in UNSPACED else plain.split()


@cache
def _normaliser(language: str) -> BasicTextNormalizer:
    from whisper_normalizer.basic import BasicTextNormalizer
    from whisper_normalizer.english import EnglishTextNormalizer

    return EnglishTextNormalizer() if language == "en" else BasicTextNormalizer()
