"""What a corpus is made of: classes, folds, speakers, lengths, and its own noise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from nserbench.corpora.audio import read_audio
from nserbench.corpora.base import Corpus, Utterance
from nserbench.corpora.tools.audio_checks import read_headers, seconds
from nserbench.corpora.tools.audio_headers import AudioHeader
from nserbench.corpora.tools.wada_snr import wada_snr
from nserbench.errors import BadAudio
from nserbench.progress import Progress

EDGES = (0.5, 0.75, 1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24, 30)
"""Seconds between the bins of the histogram: half octaves, up to Whisper's window."""
QUARTILES = (0.25, 0.5, 0.75)


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusStatistics:
    """The figures of one corpus.

    Attributes:
        name: As it was asked for.
        edition: Which edition was found; empty if there is one.
        classes: Utterances of each class, in the corpus's order.
        folds: Utterances of each class, by fold.
        speakers: Utterances of each class, by speaker.
        seconds: Of all utterances together.
        shortest: Seconds.
        longest: Seconds.
        lengths: Utterances by length, empty bins at the ends left out.
        snr: dB that a quarter, half and three quarters of the utterances stay under,
            by `wada_snr`; None if it was not estimated.
    """

    name: str
    edition: str
    classes: Mapping[str, int]
    folds: Mapping[str, Mapping[str, int]]
    speakers: Mapping[str, Mapping[str, int]]
    seconds: float
    shortest: float
    longest: float
    lengths: Mapping[str, int]
    snr: tuple[float, ...] | None


def describe(
    name: str, corpus: Corpus, progress: Progress, *, estimate_snr: bool = True
) -> CorpusStatistics:
    """Count a corpus, and measure it by the headers of its files.

    Args:
        name: As it was asked for.
        corpus: The corpus.
        progress: Hears of every file.
        estimate_snr: Whether to decode all audio for an estimate of its noise.

    Raises:
        BadAudio: if a file cannot be used.
    """
    ones = corpus.utterances
    lengths = _lengths(ones, progress)
    return CorpusStatistics(
        name=name,
        edition=corpus.edition,
        classes=_counts(ones, corpus.classes),
        folds={
            fold: _counts([one for one in ones if one.fold == fold], corpus.classes)
            for fold in corpus.folds
        },
        speakers={
            speaker: _counts(
                [one for one in ones if one.speaker == speaker], corpus.classes
            )
            for speaker in sorted({one.speaker for one in ones})
        },
        seconds=sum(lengths),
        shortest=min(lengths),
        longest=max(lengths),
        lengths=histogram(lengths),
        snr=_quartiles(ones, progress) if estimate_snr else None,
    )


def histogram(lengths: Sequence[float]) -> dict[str, int]:
    """Count lengths in seconds between `EDGES`, without empty bins at the ends.

    Examples:
        >>> histogram([0.1, 1.0, 1.4])
        {'under 0.5 s': 1, '0.5 to 0.75 s': 0, '0.75 to 1 s': 0, '1 to 1.5 s': 2}
    """
    names = [
        f"under {EDGES[0]} s",
        *(f"{low} to {high} s" for low, high in pairwise(EDGES)),
        f"{EDGES[-1]} s and over",
    ]
    bins = np.searchsorted(EDGES, lengths, side="right")
    counts = np.bincount(bins, minlength=len(names))
    used = slice(int(bins.min()), int(bins.max()) + 1)
    return dict(zip(names[used], counts[used].tolist(), strict=True))


def _counts(ones: Sequence[Utterance], classes: Sequence[str]) -> dict[str, int]:
    found = Counter(one.label for one in ones)
    return {name: found[name] for name in classes}


def _lengths(ones: Sequence[Utterance], progress: Progress) -> list[float]:
    headers = read_headers(ones, progress)
    return [seconds(one, _usable(one, headers[one.path])) for one in ones]


def _usable(one: Utterance, header: AudioHeader | BadAudio) -> AudioHeader:
    if isinstance(header, BadAudio):
        raise BadAudio(
            f"{one.path} {header}\n  `nserbench doctor` lists all such files"
        ) from header
    return header


def _quartiles(ones: Sequence[Utterance], progress: Progress) -> tuple[float, ...]:
    progress.stage("estimating the SNR", len(ones), "clips")
    levels = []
    with ThreadPoolExecutor() as pool:
        for level in pool.map(_snr, ones):
            levels.append(level)
            progress.advance()
    return tuple(float(one) for one in np.quantile(levels, QUARTILES))


def _snr(one: Utterance) -> float:
    return wada_snr(read_audio(one.path, one.start, one.end, one.channel))
