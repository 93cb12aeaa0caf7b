"""Time the extraction of a few clips, to estimate that of all."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from nserbench.benchmark.extraction.batches import (
    concurrency,
    received,
    run_upstream,
    transcribe_batch,
)
from nserbench.benchmark.extraction.clips import Clip
from nserbench.benchmark.extraction.extract import ModelCache, extract
from nserbench.benchmark.extraction.identity import Extraction
from nserbench.benchmark.extraction.need import Pass
from nserbench.benchmark.running.stopwatch import Stopwatch, largest
from nserbench.benchmark.store.array_sizes import array_bytes
from nserbench.benchmark.store.feature_store import TRANSCRIPT, Entry, Store
from nserbench.corpora.audio import SAMPLE_RATE, audio_digest, read_utterance
from nserbench.progress import Silent
from nserbench.upstreams.base import LayeredFeatures

LONGEST_TIMED = 60 * SAMPLE_RATE
"""Samples. Of a longer clip, only the beginning is timed."""

_SIZES = (1, 4, 16)
"""Clips of a sample, as far as the time allows; 16 fill a batch on a GPU."""
_PART = 4
"""A sample has at most one in so many clips."""
_ENOUGH = 4  # clips, from which an estimate is not called rough
_LONG = 2  # times the average: a clip from which the growth of time can be told
_MOST_GROWTH = 3.0


@dataclass(frozen=True, slots=True)
class TimedExtraction:
    """The timed extraction of some clips, and of the longest.

    Attributes:
        features: Features of the clip of average length, a batch of one.
        of_average: Time of its extraction in seconds on a free machine.
        average: Its samples.
        longest: Samples after which the upstream cuts a clip; None if it does not.
        growth: Time grows with this power of a clip's length: 1 if twice the length
            takes twice the time, 2 if it takes four times as long.
        clips: Number of clips in the sample.
        whole: Whether the sample was as large as it should be.
    """

    features: LayeredFeatures
    of_average: float
    average: int
    longest: int | None = None
    growth: float = 1.0
    clips: int = 1
    whole: bool = True

    def seconds(self, clips: Sequence[Clip], at_once: int = 1) -> float:
        """Return the estimated time to extract the features of clips.

        Args:
            clips: The clips.
            at_once: Number of clips that a run extracts side by side. A sample shows
                what this saves only up to its own number of clips.
        """
        seen = min(at_once, self.clips)
        return self.of_average * self.averages(clips) * seen / at_once

    def averages(self, clips: Sequence[Clip]) -> float:
        """Return how many clips of average length take as long as these clips."""
        ratios = (received(clip, self.longest) / self.average for clip in clips)
        return math.fsum(math.pow(ratio, self.growth) for ratio in ratios)

    def size(self, entries: Iterable[Entry]) -> int:
        """Return the bytes that entries of the clip take; 0 for a transcript."""
        return sum(self._bytes(entry) for entry in entries if entry != TRANSCRIPT)

    def _bytes(self, entry: Entry) -> int:
        layers, _, frames, dim = self.features[entry.group].states.shape
        return array_bytes(entry, layers, frames, dim)


@dataclass(slots=True)
class Samples:
    """Timed extractions, each taken once.

    Attributes:
        watch: Times them.
        note: Receives what is being timed, for the user.
        small: Labels of the upstreams whose samples are smaller than they should be.
    """

    models: ModelCache
    watch: Stopwatch
    note: Callable[[str], None]
    small: dict[str, None] = field(default_factory=dict)
    _taken: dict[tuple[str, frozenset[Entry]], TimedExtraction] = field(
        default_factory=dict
    )

    def of(
        self,
        extraction: Extraction,
        clips: Sequence[Clip],
        entries: Iterable[Entry],
    ) -> TimedExtraction:
        """Time a pass that makes some entries.

        Fine-tuned weights take the time of the original ones, which are used.

        Raises:
            NserbenchError: if the model cannot be loaded.
        """
        timed = with_original_weights(extraction)
        wanted = sample_key(timed, entries)
        if wanted not in self._taken:
            label = extraction.upstream.bound.label
            if not any(models == timed.models for models, _ in self._taken):
                self.note(f"timing {label}")
            sample = take_sample(timed, clips, self.models, wanted[1], self.watch)
            if not sample.whole:
                self.small[label] = None
            self._taken[wanted] = sample
        return self._taken[wanted]

    def features(
        self, extraction: Extraction, clips: Sequence[Clip], groups: Iterable[str]
    ) -> LayeredFeatures:
        """Return some groups of a sample: of one that was taken, if it has them."""
        needed, models = set(groups), with_original_weights(extraction).models
        for (name, _), sample in self._taken.items():
            if name == models and needed <= sample.features.keys():
                return sample.features
        entries = [Entry("pooled", group) for group in needed]
        return self.of(extraction, clips, entries).features


def sample_key(
    extraction: Extraction, entries: Iterable[Entry]
) -> tuple[str, frozenset[Entry]]:
    """Return what is equal for passes that take the same time for each clip."""
    return with_original_weights(extraction).models, frozenset(entries)


def with_original_weights(extraction: Extraction) -> Extraction:
    """Return an extraction with the original weights, which takes the same time."""
    upstream = extraction.upstream
    return replace(extraction, upstream=upstream.original or upstream)


def take_sample(
    extraction: Extraction,
    clips: Sequence[Clip],
    models: ModelCache,
    entries: frozenset[Entry],
    watch: Stopwatch,
) -> TimedExtraction:
    """Extract some clips, from short to long, and the longest; time both.

    Args:
        extraction: The extraction.
        clips: The clips to choose from.
        models: Opens the models.
        entries: What is made of each clip.
        watch: Times them.

    Raises:
        NserbenchError: if the model cannot be loaded.
    """
    share, clock = watch.share(), watch.clocks.wall
    ends = clock() + share
    pass_ = _TimedPass(extraction, models, entries, watch)
    clips = list(dict(zip(extraction.keys(clips), clips, strict=True)).values())
    longest, clip = extraction.card.max_samples, middle(clips)
    features = pass_.features(clip)  # a warm-up
    seconds: dict[int, float] = {}

    def take(count: int) -> None:
        seconds[count] = _timed(pass_, spread(clips, count))

    sizes = [1, *(size for size in _SIZES[1:] if size * _PART <= len(clips))]
    found = largest(sizes, take, ends - clock(), clock)
    average, timed = received(clip, longest), spread(clips, found.size)
    sample = TimedExtraction(
        *(features, 1.0, average, longest),
        clips=len(timed),
        whole=found.whole or found.size >= max(_ENOUGH, extraction.card.batch),
    )
    long_clip = max(clips, key=lambda one: one.samples)
    ratio = min(received(long_clip, longest), LONGEST_TIMED) / average
    if ratio >= _LONG and clock() + seconds[1] * ratio > ends:
        sample = replace(sample, whole=False)
    elif ratio >= _LONG:
        growth = math.log(_timed(pass_, [_beginning(long_clip)]) / seconds[1], ratio)
        sample = replace(sample, growth=min(max(growth, 0.0), _MOST_GROWTH))
    of_average = seconds[found.size] / sample.averages(timed)
    return replace(sample, of_average=of_average)


def middle(clips: Sequence[Clip]) -> Clip:
    """Return the clip whose length is nearest to the mean."""
    mean = sum(clip.samples for clip in clips) / len(clips)
    return min(clips, key=lambda clip: abs(clip.samples - mean))


def spread(clips: Sequence[Clip], count: int) -> list[Clip]:
    """Return clips that are spread evenly from the shortest to the longest.

    A single one is the clip of average length.
    """
    if count == 1:
        return [middle(clips)]
    in_order = sorted(clips, key=lambda clip: clip.samples)
    return [in_order[(2 * n + 1) * len(clips) // (2 * count)] for n in range(count)]


@dataclass(frozen=True, slots=True)
class _TimedPass:
    """What is timed; the attributes are the arguments of `take_sample`."""

    extraction: Extraction
    models: ModelCache
    entries: frozenset[Entry]
    watch: Stopwatch

    def features(self, clip: Clip) -> LayeredFeatures:
        """Return the features of a clip, without a store."""
        loaded = self.models.open(self.extraction)
        texts = [clip.utterance.text]
        if (source := self.extraction.transcripts) is not None:
            transcriber = self.models.open(source)
            batch = source.batch([clip], [None], transcriber.enhancer)
            texts = [*transcribe_batch(transcriber.upstream, batch)]
        groups = frozenset(e.group for e in self.entries if e != TRANSCRIPT)
        batch = self.extraction.batch([clip], texts, loaded.enhancer, groups)
        return run_upstream(loaded.upstream, batch, TRANSCRIPT in self.entries).features


def _timed(timed: _TimedPass, clips: Sequence[Clip]) -> float:
    """Return the seconds that a run takes for clips: as it does it, in a new store."""
    used = concurrency(timed.extraction, timed.models.open(timed.extraction), clips)
    threads = used.threads_for(len(clips))
    with TemporaryDirectory(prefix="nserbench-") as folder:
        store = Store(Path(folder))
        if (source := timed.extraction.transcripts) is not None:
            _extract(timed, source, frozenset([TRANSCRIPT]), clips, store)
        return timed.watch.time(
            lambda: _extract(timed, timed.extraction, timed.entries, clips, store),
            threads=threads,
        ).seconds


def _extract(
    timed: _TimedPass,
    extraction: Extraction,
    entries: frozenset[Entry],
    clips: Sequence[Clip],
    store: Store,
) -> None:
    by_key = dict(zip(extraction.keys(clips), clips, strict=True))
    one = Pass(extraction, by_key, entries)
    extract(one, timed.models.open(extraction), store, Silent())


def _beginning(clip: Clip) -> Clip:
    """Return the beginning of a clip that is too long to be timed, or the clip."""
    if clip.samples <= LONGEST_TIMED:
        return clip
    end = (clip.utterance.start or 0.0) + LONGEST_TIMED / SAMPLE_RATE
    utterance = replace(clip.utterance, end=end)
    sound = read_utterance(utterance)
    digest = audio_digest(sound.wave)
    return Clip(utterance, digest, len(sound.wave), sound.levels)
