"""Run the upstream of a pass over batches, and keep what is stored of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from nserbench.benchmark.extraction.clips import Clip
from nserbench.benchmark.extraction.identity import Extraction
from nserbench.benchmark.extraction.need import Pass
from nserbench.benchmark.extraction.returned_features import (
    refuse_infinite,
    refuse_other_texts,
    refuse_undescribed,
)
from nserbench.benchmark.plugins.own_state import own_state
from nserbench.benchmark.plugins.side_by_side import side_by_side
from nserbench.benchmark.store.feature_store import Entry, Features, Form
from nserbench.benchmark.store.layer_arrays import stored_name
from nserbench.corpora.audio import SAMPLE_RATE
from nserbench.errors import NserbenchError
from nserbench.upstreams.base import (
    Batch,
    LayerGroup,
    Recognised,
    Transcriber,
    Upstream,
)
from nserbench.upstreams.enhancement.base import Enhancer
from nserbench.upstreams.groups import Groups
from nserbench.upstreams.thread_safety import is_thread_safe

_GPU_BATCH = 16  # utterances; on a CPU the card says how many
_USUAL = 30 * SAMPLE_RATE  # samples; most clips are shorter
_BATCH_SAMPLES = _GPU_BATCH * _USUAL  # padded samples that are run at once

Arrays: TypeAlias = dict[Form, dict[str, dict[str, NDArray[Any]]]]
"""Arrays by form, key and group."""
Value = TypeVar("Value")
KeyedClips: TypeAlias = Sequence[tuple[str, Clip]]
"""Utterances with their keys."""


@dataclass(frozen=True, slots=True)
class LoadedModels:
    """The loaded models of an extraction."""

    upstream: Upstream
    enhancer: Enhancer | None


@dataclass(frozen=True, slots=True)
class BatchRun:
    """Runs the upstream of a pass over batches.

    Attributes:
        described: The groups that the card describes.
        kept: What is stored of each utterance, by key.
        texts: The text of each utterance that the upstream reads, by key.
        used: How its batches use the cores.
    """

    one: Pass
    loaded: LoadedModels
    described: Groups
    kept: Mapping[str, frozenset[Entry]]
    texts: Mapping[str, str | None]
    used: Concurrency

    @classmethod
    def of(
        cls,
        one: Pass,
        loaded: LoadedModels,
        features: Features,
        texts: Sequence[str | None],
    ) -> BatchRun:
        """Return what runs the batches of a pass; it has one text for each clip."""
        bound = one.extraction.upstream.bound
        described = bound.card.describe(bound.options).groups
        by_key = dict(zip(one.clips, texts, strict=True))
        kept = kept_entries(one, described, features)
        used = concurrency(one.extraction, loaded, one.clips.values())
        return cls(one, loaded, described, kept, by_key, used)

    def batches(self, shard: KeyedClips) -> Iterator[KeyedClips]:
        """Cut a shard into batches."""
        size = self.used.size_of(len(shard))
        return _batches(shard, size, self.one.extraction.card.max_samples)

    @contextmanager
    def results(
        self, batches: Iterable[KeyedClips]
    ) -> Iterator[Iterator[Callable[[], Arrays]]]:
        """Run batches as long as the block runs; side by side if the models allow it.

        Returns:
            For each batch, what returns the arrays that are stored, or raises an error.
        """
        with self.computed(self._arrays_of, batches) as results:
            yield results

    @contextmanager
    def computed(
        self, function: Callable[[KeyedClips], Value], batches: Iterable[KeyedClips]
    ) -> Iterator[Iterator[Callable[[], Value]]]:
        """Call a function on batches as `results` does, on as many cores."""
        used = self.used
        if used.side_by_side:
            with side_by_side(function, batches, used.at_once, used.each) as results:
                yield results
        else:
            yield (partial(_alone, function, batch) for batch in batches)

    def _arrays_of(self, batch: KeyedClips) -> Arrays:
        recognised = self.recognise(batch)
        states: Arrays = {form: {} for form in self.one.forms}
        _collect(self.one, batch, recognised, self.kept, states)
        return states

    def recognise(self, batch: KeyedClips) -> Recognised:
        """Run the upstream on a batch, and check what it returns.

        Raises:
            NserbenchError: if a group is not as the card says.
        """
        one, keys = self.one, [key for key, _ in batch]
        recognised = run_upstream(
            self.loaded.upstream,
            one.extraction.batch(
                [clip for _, clip in batch],
                [self.texts[key] for key in keys],
                self.loaded.enhancer,
                one.groups,
            ),
            one.returns_transcripts,
        )
        refuse_other_texts(one, recognised.texts, len(batch))
        if one.groups:
            refuse_undescribed(one, recognised.features, self.described, len(batch))
        return recognised


def _alone(function: Callable[[KeyedClips], Value], batch: KeyedClips) -> Value:
    with own_state():
        return function(batch)


@dataclass(frozen=True, slots=True)
class Concurrency:
    """How batches use the cores.

    Attributes:
        side_by_side: Whether each is run in a thread of its own.
        at_once: Batches that run at the same time.
        each: Threads in which each of them computes.
        most: Most utterances of a batch.
    """

    side_by_side: bool
    at_once: int
    each: int
    most: int

    def size_of(self, clips: int) -> int:
        """Return the size of batches that keeps all threads busy with so many clips."""
        rounds = -(-clips // (self.at_once * self.most))
        return -(-clips // (self.at_once * rounds))

    def threads_for(self, clips: int) -> int:
        """Return the number of threads that compute where there are so few clips."""
        return min(self.at_once, -(-clips // self.size_of(clips))) * self.each


def concurrency(
    extraction: Extraction, loaded: LoadedModels, clips: Iterable[Clip]
) -> Concurrency:
    """Return how the batches of an extraction use the cores.

    On a CPU one runs in each thread that torch may use, if the upstream and the
    enhancer are thread-safe, within a limit for memory: smaller batches where there are
    many threads, and fewer at once where clips are long. In how many threads a batch
    computes does not depend on the clips, so that its features do not depend on which
    others are extracted with it.

    Args:
        extraction: The extraction.
        loaded: Its models.
        clips: What is extracted.
    """
    card, upstream, threads = extraction.card, loaded.upstream, torch.get_num_threads()
    if upstream.device != "cpu":
        return Concurrency(False, 1, threads, _GPU_BATCH)
    models = [upstream, loaded.enhancer]
    safe = all(model is None or is_thread_safe(model) for model in models)
    if not safe or threads == 1:
        return Concurrency(False, 1, threads, card.batch)
    longest = max(received(clip, card.max_samples) for clip in clips)
    usual = min(threads, _most_at_once(_USUAL))
    size = min(card.batch, _most_at_once(_USUAL) // usual)
    at_once = _most_at_once(max(longest, card.window)) // size
    return Concurrency(True, max(1, min(usual, at_once)), threads // usual, size)


def _most_at_once(samples: int) -> int:
    return _BATCH_SAMPLES // samples


def received(clip: Clip, longest: int | None) -> int:
    """Return the samples of a clip that an upstream receives."""
    return clip.samples if longest is None else min(clip.samples, longest)


def _batches(shard: KeyedClips, size: int, longest: int | None) -> Iterator[KeyedClips]:
    """Cut a shard into batches of a size, or smaller where padding takes much memory.

    Args:
        shard: Utterances with their keys.
        size: Most utterances of a batch.
        longest: Samples after which a clip is cut; None if it is not.
    """
    batch: list[tuple[str, Clip]] = []
    padded = 0
    for key, clip in shard:
        samples = received(clip, longest)
        padded = max(padded, samples)
        if batch and (len(batch) == size or padded * (len(batch) + 1) > _BATCH_SAMPLES):
            yield batch
            batch, padded = [], samples
        batch.append((key, clip))
    if batch:
        yield batch


def _collect(
    one: Pass,
    batch: KeyedClips,
    recognised: Recognised,
    kept: Mapping[str, frozenset[Entry]],
    states: Arrays,
) -> None:
    """Add the arrays of a batch that are kept to ``states``, by form and key."""
    for index, (key, clip) in enumerate(batch):
        for form, arrays in states.items():
            if form == "transcripts":
                arrays[key] = {"text": _utf8(recognised.texts[index])}
                continue
            arrays[key] = {}
            returned = recognised.features
            own = (e for e in kept[key] if e.form == form and e.group in returned)
            for entry in sorted(own, key=lambda entry: entry.group):
                group = returned[entry.group]
                array = _array(entry, group, index)
                refuse_infinite(one.extraction, clip, entry.group, array)
                arrays[key][_name(entry, group)] = array


def transcribe_batch(upstream: Upstream, batch: Batch) -> list[str]:
    """Transcribe a batch with an upstream.

    Raises:
        NserbenchError: if the upstream cannot transcribe, although its card says so.
    """
    return _transcriber(upstream).transcribe(batch)


def run_upstream(upstream: Upstream, batch: Batch, transcripts: bool) -> Recognised:
    """Return the features of the groups that a batch names, and transcripts if wanted.

    If no group is read, there are only transcripts.

    Raises:
        NserbenchError: if the upstream cannot transcribe, although its card says so.
    """
    if not transcripts:
        return Recognised(upstream.extract(batch), ())
    if batch.groups is not None and not batch.groups:
        return Recognised({}, transcribe_batch(upstream, batch))
    with torch.no_grad():
        return _transcriber(upstream).forward_and_transcribe(batch)


def _transcriber(upstream: Upstream) -> Transcriber:
    if not isinstance(upstream, Transcriber):
        raise NserbenchError(
            f"{type(upstream).__name__} is no Transcriber, although its card says so"
        )
    return upstream


def _name(entry: Entry, group: LayerGroup) -> str:
    if entry.form == "pooled":
        return entry.group
    return stored_name(entry.group, entry.layers, len(group.states))


def _array(entry: Entry, group: LayerGroup, index: int) -> NDArray[Any]:
    """Return the valid frames of one utterance that are kept, or means over time."""
    states = group.states[:, index, : int(group.lengths[index])]
    if entry.form == "pooled":
        return _pool(states)
    return _half(states[entry.layers.start : entry.layers.stop])


def _pool(states: torch.Tensor) -> NDArray[np.float32]:
    # In the memory of a batch, torch would add up frames in another order than alone.
    means = states.contiguous().mean(dim=1)
    pooled: NDArray[np.float32] = means.float().cpu().numpy()
    return pooled


def _half(states: torch.Tensor) -> NDArray[np.float16]:
    half: NDArray[np.float16] = states.half().cpu().numpy()
    return half


def _utf8(text: str) -> NDArray[np.uint8]:
    return np.frombuffer(text.encode(), np.uint8)


def kept_entries(
    one: Pass, returned: Iterable[str], features: Features
) -> Mapping[str, frozenset[Entry]]:
    """Return what is stored of each utterance of a pass, by key.

    Args:
        one: The pass.
        returned: Groups that the upstream returns.
        features: Where they are stored.
    """
    free = {Entry("pooled", name) for name in returned}
    wanted = one.entries | free if "pooled" in one.forms else one.entries
    lacking = features.lacking(dict.fromkeys(one.clips, wanted))
    return {key: _joined(entries) for key, entries in lacking.items()}


def _joined(entries: Iterable[Entry]) -> frozenset[Entry]:
    """Return entries with the layers of a group as one where they overlap or touch."""
    joined: list[Entry] = []
    for one in sorted(entries, key=lambda e: (e.form, e.group, e.layers.start)):
        last = joined[-1] if joined else one
        if last[:2] == one[:2] and one.layers.start <= last.layers.stop:
            stop = max(last.layers.stop, one.layers.stop)
            joined[-1:] = [one._replace(layers=range(last.layers.start, stop))]
        else:
            joined.append(one)
    return frozenset(joined)
