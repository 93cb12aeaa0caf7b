"""Time the extraction of single clips, to estimate that of all."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from nserbench.benchmark.extraction.batches import (
    received,
    run_upstream,
    transcribe_batch,
)
from nserbench.benchmark.extraction.clips import Clip
from nserbench.benchmark.extraction.extract import ModelCache
from nserbench.benchmark.extraction.identity import DigestedModel, Extraction
from nserbench.benchmark.store.feature_store import TRANSCRIPT, Entry, Form
from nserbench.benchmark.store.frame_codes import RANGE_BYTES
from nserbench.corpora.audio import SAMPLE_RATE, audio_digest, read_utterance
from nserbench.upstreams.base import LayeredFeatures

LONGEST_TIMED = 60 * SAMPLE_RATE
"""Samples. Of a longer clip, only the beginning is timed."""

_BYTES: Mapping[Form, int] = {"pooled": 4, "frames": 2, "frames_int8": 1}
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

    def size(self, entries: Iterable[Entry]) -> int:
        """Return the bytes that entries of the clip take; 0 for a transcript."""
        return sum(
            self._values(entry) * _BYTES[entry.form] + self._range_bytes(entry)
            for entry in entries
            if entry != TRANSCRIPT
        )

    def _range_bytes(self, entry: Entry) -> int:
        layers, _, _, dim = self.features[entry.group].states.shape
        return RANGE_BYTES * layers * dim if entry.form == "frames_int8" else 0

    def _values(self, entry: Entry) -> int:
        states = self.features[entry.group].states
        frames = states.shape[2] if entry.form == "pooled" else 1
        return states.numel() // frames


@dataclass(slots=True)
class Samples:
    """Timed extractions, each taken once.

    Attributes:
        note: Receives what is being timed, for the user.
    """

    models: ModelCache
    note: Callable[[str], None]
    _taken: dict[tuple[str, frozenset[str], bool], TimedExtraction] = field(
        default_factory=dict
    )

    def of(
        self,
        extraction: Extraction,
        clips: Sequence[Clip],
        groups: Iterable[str],
        transcripts: bool = False,
    ) -> TimedExtraction:
        """Time what a pass does that reads some groups, and transcripts if wanted.

        Fine-tuned weights take the time of the original ones, which are used.

        Raises:
            NserbenchError: if the model cannot be loaded.
        """
        timed = with_original_weights(extraction)
        wanted = timed.models, frozenset(groups), transcripts
        if wanted not in self._taken:
            if not any(models == timed.models for models, _, _ in self._taken):
                self.note(f"timing {extraction.upstream.bound.label}")
            self._taken[wanted] = take_sample(
                timed, clips, self.models, wanted[1], transcripts
            )
        return self._taken[wanted]

    def features(
        self, extraction: Extraction, clips: Sequence[Clip], groups: Iterable[str]
    ) -> LayeredFeatures:
        """Return some groups of a sample: of one that was taken, if it has them."""
        needed, models = set(groups), with_original_weights(extraction).models
        for (name, _, _), sample in self._taken.items():
            if name == models and needed <= sample.features.keys():
                return sample.features
        return self.of(extraction, clips, needed).features


def with_original_weights(extraction: Extraction) -> Extraction:
    """Return an extraction with the original weights, which takes the same time."""
    upstream = DigestedModel(extraction.upstream.bound, "")
    return replace(extraction, upstream=upstream)


def take_sample(
    extraction: Extraction,
    clips: Sequence[Clip],
    models: ModelCache,
    groups: frozenset[str] | None = None,
    transcripts: bool = False,
) -> TimedExtraction:
    """Extract the features of a clip of average length and of the longest; time both.

    Args:
        extraction: The extraction.
        clips: The clips to choose from.
        models: Opens the models.
        groups: Groups that are read; None for all.
        transcripts: Whether the transcripts are wanted.

    Raises:
        NserbenchError: if the model cannot be loaded.
    """
    pass_ = _TimedPass(extraction, models, groups, transcripts)
    longest, clip = extraction.card.max_samples, middle(clips)
    features, seconds = _timed(pass_, clip)
    average = received(clip, longest)
    long_clip = _beginning(max(clips, key=lambda one: one.samples))
    ratio = received(long_clip, longest) / average
    growth = 1.0
    if ratio >= _LONG:
        _, more = _timed(pass_, long_clip)
        growth = min(max(math.log(more / seconds, ratio), 0.0), _MOST_GROWTH)
    return TimedExtraction(features, seconds, average, longest, growth)


def middle(clips: Sequence[Clip]) -> Clip:
    """Return the clip whose length is nearest to the mean."""
    mean = sum(clip.samples for clip in clips) / len(clips)
    return min(clips, key=lambda clip: abs(clip.samples - mean))


@dataclass(frozen=True, slots=True)
class _TimedPass:
    """What is timed; the attributes are the arguments of `take_sample`."""

    extraction: Extraction
    models: ModelCache
    groups: frozenset[str] | None
    transcripts: bool


def _timed(timed: _TimedPass, clip: Clip) -> tuple[LayeredFeatures, float]:
    """Return the features of a clip, and the seconds that they took."""
    extraction, loaded = timed.extraction, timed.models.open(timed.extraction)
    texts: Sequence[str | None] = [clip.utterance.text]
    if (transcripts := extraction.transcripts) is not None:
        transcriber = timed.models.open(transcripts)
        batch = transcripts.batch([clip], [None], transcriber.enhancer)
        texts = transcribe_batch(transcriber.upstream, batch)
    for _ in range(2):  # the first pass is a warm-up
        began = time.perf_counter()
        batch = extraction.batch([clip], texts, loaded.enhancer, timed.groups)
        returned = run_upstream(loaded.upstream, batch, timed.transcripts)
    return returned.features, time.perf_counter() - began


def _beginning(clip: Clip) -> Clip:
    """Return the beginning of a clip that is too long to be timed, or the clip."""
    if clip.samples <= LONGEST_TIMED:
        return clip
    end = (clip.utterance.start or 0.0) + LONGEST_TIMED / SAMPLE_RATE
    utterance = replace(clip.utterance, end=end)
    sound = read_utterance(utterance)
    digest = audio_digest(sound.wave)
    return Clip(utterance, digest, len(sound.wave), sound.levels)
