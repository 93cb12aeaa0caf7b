"""Time the extraction of single clips, to estimate that of all."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from nserbench.benchmark.extraction.clips import Clip
from nserbench.benchmark.extraction.extract import (
    LoadedModels,
    ModelCache,
    transcribe_batch,
)
from nserbench.benchmark.extraction.identity import Extraction
from nserbench.benchmark.store.feature_store import Form
from nserbench.corpora.audio import SAMPLE_RATE, audio_digest, read_utterance
from nserbench.upstreams.base import LayeredFeatures

LONGEST_TIMED = 60 * SAMPLE_RATE
"""Samples. Of a longer clip, only the beginning is timed."""

_BYTES: Mapping[Form, int] = {"pooled": 4, "frames": 2}
_LONG = 2  # times the average: a clip from which the growth of time can be told
_MOST_GROWTH = 3.0


@dataclass(frozen=True, slots=True)
class TimedExtraction:
    """The timed extraction of one clip of average length, and of the longest.

    Attributes:
        features: Features of the average clip, a batch of one.
        of_average: Time of its extraction in seconds.
        average: Its samples.
        longest: Samples after which the upstream cuts a clip; None if it does not.
        growth: Time grows with this power of a clip's length: 1 if twice the length
            takes twice the time, 2 if it takes four times as long.
    """

    features: LayeredFeatures
    of_average: float
    average: int
    longest: int | None = None
    growth: float = 1.0

    def seconds(self, clips: Sequence[Clip]) -> float:
        """Return the estimated time to extract the features of clips."""
        ratios = (received(clip, self.longest) / self.average for clip in clips)
        return self.of_average * math.fsum(
            math.pow(ratio, self.growth) for ratio in ratios
        )

    def size(self, form: Form) -> int:
        """Return the bytes that the clip takes in the store; 0 for a transcript."""
        if form == "transcripts":
            return 0
        values = sum(
            group.states.numel() // (group.states.shape[2] if form == "pooled" else 1)
            for group in self.features.values()
        )
        return values * _BYTES[form]


def take_sample(
    extraction: Extraction, clips: Sequence[Clip], models: ModelCache
) -> TimedExtraction:
    """Extract the features of a clip of average length and of the longest; time both.

    Raises:
        NserbenchError: if the model cannot be loaded.
    """
    loaded, longest = models.open(extraction), extraction.card.max_samples
    clip = middle(clips)
    features, seconds = _timed(extraction, clip, loaded, models)
    average = received(clip, longest)
    long_clip = _beginning(max(clips, key=lambda one: one.samples))
    ratio = received(long_clip, longest) / average
    growth = 1.0
    if ratio >= _LONG:
        _, more = _timed(extraction, long_clip, loaded, models)
        growth = min(max(math.log(more / seconds, ratio), 0.0), _MOST_GROWTH)
    return TimedExtraction(features, seconds, average, longest, growth)


def received(clip: Clip, longest: int | None) -> int:
    """Return the samples of a clip that an upstream receives."""
    return clip.samples if longest is None else min(clip.samples, longest)


def middle(clips: Sequence[Clip]) -> Clip:
    """Return the clip whose length is nearest to the mean."""
    mean = sum(clip.samples for clip in clips) / len(clips)
    return min(clips, key=lambda clip: abs(clip.samples - mean))


def _timed(
    extraction: Extraction, clip: Clip, loaded: LoadedModels, models: ModelCache
) -> tuple[LayeredFeatures, float]:
    """Return the features of a clip, and the seconds that they took."""
    texts: Sequence[str | None] = [clip.utterance.text]
    if (transcripts := extraction.transcripts) is not None:
        transcriber = models.open(transcripts)
        batch = transcripts.batch([clip], [None], transcriber.enhancer)
        texts = transcribe_batch(transcriber.upstream, batch)
    for _ in range(2):  # the first pass is a warm-up
        began = time.perf_counter()
        batch = extraction.batch([clip], texts, loaded.enhancer)
        features = loaded.upstream.extract(batch)
    return features, time.perf_counter() - began


def _beginning(clip: Clip) -> Clip:
    """Return the beginning of a clip that is too long to be timed, or the clip."""
    if clip.samples <= LONGEST_TIMED:
        return clip
    end = (clip.utterance.start or 0.0) + LONGEST_TIMED / SAMPLE_RATE
    utterance = replace(clip.utterance, end=end)
    sound = read_utterance(utterance)
    digest = audio_digest(sound.wave)
    return Clip(utterance, digest, len(sound.wave), sound.levels)
