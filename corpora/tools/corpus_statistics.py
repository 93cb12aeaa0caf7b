"""Statistics of a corpus: classes, folds, speakers, lengths and SNR."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from nserbench.corpora.audio import read_utterance
from nserbench.corpora.audio_headers import AudioHeader
from nserbench.corpora.base import Corpus, Utterance
from nserbench.corpora.threads import map_in_threads
from nserbench.corpora.tools.audio_checks import read_headers, seconds
from nserbench.corpora.tools.wada_snr import wada_snr
from nserbench.errors import BadAudio
from nserbench.natural_order import natural_order
from nserbench.progress import Progress

EDGES = (0.5, 0.75, 1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24, 30)
"""Seconds; edges of the histogram's bins: half octaves, up to Whisper's window."""
QUARTILES = (0.25, 0.5, 0.75)


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusStatistics:
    """Statistics of one corpus.

    Attributes:
        edition: Name of the edition, if several are published; else empty.
        classes: Utterances of each class, in the corpus's order.
        folds: Utterances of each class, by fold.
        speakers: Utterances of each class, by speaker.
        seconds: Length of all utterances together.
        shortest: Length of the shortest utterance in seconds.
        longest: Length of the longest utterance in seconds.
        lengths: Number of utterances by length, without empty bins at the ends.
        snr: Quartiles of the utterances' SNR in dB, by `wada_snr`; None if it was not
            estimated.
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
    """Count the utterances of a corpus, and read their lengths from the files' headers.

    Args:
        estimate_snr: Whether to decode all audio and estimate its SNR.

    Raises:
        BadAudio: if a file cannot be used.
    """
    utterances = corpus.utterances
    lengths = _lengths(utterances, progress)
    speakers = sorted({one.speaker for one in utterances}, key=natural_order)
    return CorpusStatistics(
        name=name,
        edition=corpus.edition,
        classes=_counts(utterances, corpus.classes),
        folds={
            fold: _counts([u for u in utterances if u.fold == fold], corpus.classes)
            for fold in sorted(corpus.folds, key=natural_order)
        },
        speakers={
            name: _counts([u for u in utterances if u.speaker == name], corpus.classes)
            for name in speakers
        },
        seconds=sum(lengths),
        shortest=min(lengths),
        longest=max(lengths),
        lengths=histogram(lengths),
        snr=_quartiles(utterances, progress) if estimate_snr else None,
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


def _counts(utterances: Sequence[Utterance], classes: Sequence[str]) -> dict[str, int]:
    counts = Counter(utterance.label for utterance in utterances)
    return {label: counts[label] for label in classes}


def _lengths(utterances: Sequence[Utterance], progress: Progress) -> list[float]:
    headers = read_headers(utterances, progress)
    return [seconds(one, _usable(one.path, headers[one.path])) for one in utterances]


def _usable(path: Path, header: AudioHeader | BadAudio) -> AudioHeader:
    if isinstance(header, BadAudio):
        raise BadAudio(
            f"{path} {header}\n  `nserbench doctor` lists all such files"
        ) from header
    return header


def _quartiles(
    utterances: Sequence[Utterance], progress: Progress
) -> tuple[float, ...]:
    snrs = map_in_threads(
        _snr, utterances, progress, stage="estimating the SNR", unit="clips"
    )
    return tuple(float(snr) for snr in np.quantile(snrs, QUARTILES))


def _snr(clip: Utterance) -> float:
    return wada_snr(read_utterance(clip).wave)
