"""How well transcripts match what was said: error rates and hallucinations."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from whisper_normalizer.basic import BasicTextNormalizer

UNSPACED = frozenset({"ja", "lo", "my", "th", "yue", "zh"})
"""Languages without spaces between words, whose errors are counted in characters."""

LOOPED = 2.4
"""The ratio by which zlib shrinks a text from which on Whisper takes it for a loop
(Radford et al., arXiv:2212.04356, Sec. 4.5)."""


Against = Literal["reference", "clean"]
"""What transcripts are compared with: what was said, or the transcript of clean speech,
which shows what the noise alone does, even in a language that the model cannot read."""


@dataclass(frozen=True, slots=True)
class WordErrors:
    """How well the transcripts of some utterances match their references.

    Attributes:
        measure: ``CER`` where all are in languages without spaces, else ``WER``.
        rate: Errors of all utterances, divided by the words of all references.
        mean: The mean of the rates of the utterances whose reference has words.
        match_error: The mean of the utterances' match error rates: errors divided by
            errors and hits (Morris, Maier and Green, Interspeech 2004). Within 0 and 1,
            so that no single loop outweighs all else, as it does in the other two.
        hallucinations: Share of utterances that are longer than twice their
            reference, loop, or are empty where something was said.
        utterances: How many there are.
    """

    measure: Literal["WER", "CER"]
    rate: float
    mean: float
    match_error: float
    hallucinations: float
    utterances: int


@dataclass(frozen=True, slots=True)
class TranscriptMatch:
    """One transcript against its reference, both normalised.

    Attributes:
        errors: Substitutions, deletions and insertions.
        words: Of the reference; characters where the language has no spaces.
        hits: Words that are in both.
        hallucinated: Whether it is longer than twice its reference, loops, or is
            empty where something was said.
    """

    errors: int
    words: int
    hits: int
    hallucinated: bool

    @property
    def match_error(self) -> float:
        """Errors divided by errors and hits; 0 where nothing was said nor heard."""
        return self.errors / max(1, self.errors + self.hits)


def recognition(
    references: Sequence[str],
    transcripts: Sequence[str],
    languages: Sequence[str | None],
) -> WordErrors | None:
    """Compare transcripts with what was said.

    Both sides go through Whisper's normaliser: the English one for English and where
    the language is not known, as Whisper itself is prompted then, else the basic one.

    Args:
        references: What was said in each utterance.
        transcripts: What was understood.
        languages: ISO 639-1 codes, or None.

    Returns:
        None if no reference has a word, so that there is no rate.
    """
    matches = [
        match(*one) for one in zip(references, transcripts, languages, strict=True)
    ]
    told = [one for one in matches if one.words]
    if not told:
        return None
    return WordErrors(
        measure="CER" if all(one in UNSPACED for one in languages) else "WER",
        rate=sum(one.errors for one in matches) / sum(one.words for one in told),
        mean=sum(one.errors / one.words for one in told) / len(told),
        match_error=sum(one.match_error for one in matches) / len(matches),
        hallucinations=sum(one.hallucinated for one in matches) / len(matches),
        utterances=len(matches),
    )


def match(reference: str, transcript: str, language: str | None) -> TranscriptMatch:
    """Compare one transcript with what was said; see `recognition`."""
    import jiwer

    wanted, found = (normalised(text, language) for text in (reference, transcript))
    compared = jiwer.process_words(" ".join(wanted), " ".join(found))
    return TranscriptMatch(
        errors=compared.substitutions + compared.deletions + compared.insertions,
        words=len(wanted),
        hits=compared.hits,
        hallucinated=len(found) > 2 * len(wanted)
        or (not found and bool(wanted))
        or loops(transcript),
    )


def loops(text: str) -> bool:
    """Tell whether a text says the same again and again.

    Examples:
        >>> loops("it was the best of times, it was the worst of times")
        False
        >>> loops("thank you. " * 20)
        True
    """
    letters = text.encode()
    return len(letters) / len(zlib.compress(letters)) > LOOPED


def normalised(text: str, language: str | None) -> list[str]:
    """Give the words of a text, or its characters where there are no spaces.

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
