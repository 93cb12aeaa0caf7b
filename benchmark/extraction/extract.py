"""Run an upstream once over the utterances of a condition, and store the result."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nserbench.benchmark.extraction.clips import Clip
from nserbench.benchmark.extraction.identity import Extraction
from nserbench.benchmark.extraction.need import Need, Pass, forms_of
from nserbench.benchmark.plugins.own_state import own_state
from nserbench.benchmark.results.environment import Peak
from nserbench.benchmark.results.software import MADE_BY, made_by
from nserbench.benchmark.store.feature_store import Entry, Features, Form, Store
from nserbench.benchmark.training.batching import chunks
from nserbench.corpora.audio import SAMPLE_RATE
from nserbench.errors import NserbenchError
from nserbench.progress import Progress
from nserbench.upstreams.base import (
    Batch,
    Groups,
    LayeredFeatures,
    LayerGroup,
    Recognised,
    Transcriber,
    Upstream,
)
from nserbench.upstreams.enhancement.base import Enhancer

if TYPE_CHECKING:
    import torch

SHARD = 32  # utterances in a file; after a kill at most these are lost
_GPU_BATCH = 16  # utterances; on a CPU the card says how many
_BATCH_SAMPLES = _GPU_BATCH * 30 * SAMPLE_RATE  # padded samples of all its utterances

_States: TypeAlias = dict[Form, dict[str, dict[str, NDArray[Any]]]]
"""Arrays by form, key and group."""


@dataclass(frozen=True, slots=True)
class LoadedModels:
    """The loaded models of an extraction."""

    upstream: Upstream
    enhancer: Enhancer | None


@dataclass(slots=True)
class ModelCache:
    """Loads the models of extractions, each once, and keeps them."""

    device: str
    _kept: dict[str, LoadedModels] = field(default_factory=dict)

    def open(self, extraction: Extraction) -> LoadedModels:
        """Return the models of an extraction, which are the same in every condition."""
        name = extraction.models
        if name not in self._kept:
            with own_state():
                self._kept[name] = self._load(extraction)
        return self._kept[name]

    def _load(self, extraction: Extraction) -> LoadedModels:
        upstream, enhancer = extraction.upstream.bound, None
        if extraction.enhancer is not None:
            bound = extraction.enhancer.bound
            enhancer = bound.card.open(bound.options, self.device)
            extraction.enhancer.refuse_changed()
        opened = upstream.card.open(upstream.options, self.device)
        extraction.upstream.refuse_changed()
        if (file := extraction.upstream.tuned) is not None:
            _load_tuned(file, opened)
        return LoadedModels(opened, enhancer)


def extract_missing(
    need: Need, store: Store, models: ModelCache, progress: Progress
) -> None:
    """Extract what the store lacks; transcripts that the upstream reads must be there.

    Raises:
        NserbenchError: if a model cannot be loaded, a feature is not finite, or a
            group is not as the card says.
    """
    features, extraction = need.stored(store), need.extraction
    for form in forms_of(need.entries):
        features.check(form)
    for one in need.passes(store):
        title = f"{extraction.upstream.bound.label} in {extraction.condition}"
        progress.stage(title, len(one.clips), "clips")
        extract(one, models.open(extraction), store, progress)


def extract(one: Pass, loaded: LoadedModels, store: Store, progress: Progress) -> None:
    """Run an upstream over utterances, and store their features and transcripts.

    Means over time are stored of every group that the upstream returns, since they cost
    nothing more; frames only of the groups that are read.

    Raises:
        NserbenchError: if a feature is not finite, or a group is not as the card says.
    """
    upstream, extraction = loaded.upstream, one.extraction
    features = store.announce(extraction.identity)
    described_by = _facts(extraction, upstream)
    bound = extraction.upstream.bound
    described = bound.card.describe(bound.options).groups
    on_cpu, peak = upstream.device == "cpu", Peak(upstream.device)
    size = extraction.card.batch if on_cpu else _GPU_BATCH
    kept = kept_entries(one, described, features)
    for shard in chunks(list(one.clips.items()), SHARD):
        began = time.perf_counter()
        states: _States = {form: {} for form in one.forms}
        for batch in _batches(shard, size, extraction.card.max_samples):
            clips = [clip for _, clip in batch]
            recognised = _run_batch(one, loaded, clips, store)
            _refuse_other_texts(one, recognised.texts, len(batch))
            if one.groups:
                _refuse_undescribed(one, recognised.features, described, len(batch))
            _collect(one, batch, recognised, kept, states)
            progress.advance(len(batch))
        seconds = time.perf_counter() - began
        facts = {**described_by, "seconds": f"{seconds:.3f}"}
        if (peak_bytes := peak.bytes) is not None:
            facts["peak"] = str(peak_bytes)
        for form, arrays in states.items():
            features.write(form, arrays, facts)


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
    return features.lacking(dict.fromkeys(one.clips, wanted))


def _batches(
    shard: Sequence[tuple[str, Clip]], size: int, longest: int | None
) -> Iterator[Sequence[tuple[str, Clip]]]:
    """Cut a shard into batches of a size, or smaller where padding takes much memory.

    Args:
        shard: Utterances with their keys.
        size: Most utterances of a batch.
        longest: Samples after which a clip is cut; None if it is not.
    """
    batch: list[tuple[str, Clip]] = []
    padded = 0
    for key, clip in shard:
        samples = clip.samples if longest is None else min(clip.samples, longest)
        padded = max(padded, samples)
        if batch and (len(batch) == size or padded * (len(batch) + 1) > _BATCH_SAMPLES):
            yield batch
            batch, padded = [], samples
        batch.append((key, clip))
    if batch:
        yield batch


def _facts(extraction: Extraction, upstream: Upstream) -> dict[str, str]:
    """Return the metadata of all shards that a loaded upstream writes."""
    return {
        "upstream": extraction.upstream.bound.label,
        "condition": extraction.condition,
        "parameters": str(upstream.parameter_count()),
        MADE_BY: made_by(extraction.card, upstream.device),
        **_tuning_cost(extraction),
    }


def _load_tuned(file: Path, upstream: Upstream) -> None:
    from nserbench.benchmark.extraction.tuned_weights import load_tuned

    assert upstream.model is not None  # noqa: S101 - only a model can be fine-tuned
    load_tuned(file, upstream.model)


def _tuning_cost(extraction: Extraction) -> dict[str, str]:
    """Return the parameters and seconds of fine-tuning; empty without fine-tuning."""
    if (file := extraction.upstream.tuned) is None:
        return {}
    from nserbench.benchmark.extraction.tuned_weights import tuned_facts

    count, seconds = tuned_facts(file)
    return {"tuned_parameters": str(count), "tuning_seconds": str(seconds)}


def read_transcripts(
    extraction: Extraction, clips: Sequence[Clip], store: Store
) -> list[str]:
    """Read the transcripts that `extract_missing` has stored."""
    features = store.features(extraction.identity)
    return [features.read_transcript(extraction.key(clip)) for clip in clips]


def read_texts(
    extraction: Extraction, clips: Sequence[Clip], store: Store
) -> list[str | None]:
    """Return the texts that an upstream reads: transcripts, or those of the corpus."""
    if extraction.transcripts is None:
        return [clip.utterance.text for clip in clips]
    return list(read_transcripts(extraction.transcripts, clips, store))


def _run_batch(
    one: Pass, loaded: LoadedModels, clips: Sequence[Clip], store: Store
) -> Recognised:
    """Run an upstream over one batch of utterances."""
    texts = read_texts(one.extraction, clips, store)
    with own_state():
        batch = one.extraction.batch(clips, texts, loaded.enhancer, one.groups)
        return run_upstream(loaded.upstream, batch, one.returns_transcripts)


def _collect(
    one: Pass,
    batch: Sequence[tuple[str, Clip]],
    recognised: Recognised,
    kept: Mapping[str, frozenset[Entry]],
    states: _States,
) -> None:
    """Add the arrays of a batch that are kept to ``states``, by form and key."""
    for index, (key, clip) in enumerate(batch):
        for form, arrays in states.items():
            if form == "transcripts":
                arrays[key] = {"text": _utf8(recognised.texts[index])}
            else:
                groups = {
                    name: group
                    for name, group in recognised.features.items()
                    if Entry(form, name) in kept[key]
                }
                arrays[key] = _arrays(groups, index, form)
                _refuse_infinite(one.extraction, clip, arrays[key])


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
    import torch

    with torch.no_grad():
        return _transcriber(upstream).forward_and_transcribe(batch)


def _transcriber(upstream: Upstream) -> Transcriber:
    if not isinstance(upstream, Transcriber):
        raise NserbenchError(
            f"{type(upstream).__name__} is no Transcriber, although its card says so"
        )
    return upstream


def _refuse_undescribed(
    one: Pass, layered: object, described: Groups, utterances: int
) -> None:
    # Layers are read from the store by the numbers that the card says.
    returned = layered if isinstance(layered, Mapping) else {}
    expected = {
        name: f"(layers {len(spec.layers)}, utterances {utterances}, dim {spec.dim})"
        for name, spec in described.items()
        if name in one.groups or name in returned
    }
    actual: object = type(layered).__name__
    if isinstance(layered, Mapping):
        actual = {name: _shape(group) for name, group in layered.items()}
    if actual != expected:
        label = one.extraction.upstream.bound.label
        raise NserbenchError(
            f"{label} does not return the groups that its card says\n"
            f"  it returns {actual}, and not {expected}"
        )


def _shape(group: object) -> str:
    """Return the sizes of a group that are known before; else what it is instead."""
    if not isinstance(group, LayerGroup):
        return type(group).__name__
    if not group.states.is_floating_point():
        return f"numbers of the type {group.states.dtype}"
    layers, utterances, _, dim = group.states.shape
    return f"(layers {layers}, utterances {utterances}, dim {dim})"


def _refuse_other_texts(one: Pass, texts: Any, utterances: int) -> None:
    if not one.returns_transcripts:
        return
    is_text = isinstance(texts, Sequence) and all(isinstance(t, str) for t in texts)
    if not is_text or len(texts) != utterances:
        raise NserbenchError(
            f"{one.extraction.upstream.bound.label} does not return one transcript for "
            f"each of {utterances} utterances, but {texts!r:.200}"
        )


def _refuse_infinite(
    extraction: Extraction, clip: Clip, groups: Mapping[str, NDArray[Any]]
) -> None:
    for group, array in groups.items():
        if not np.isfinite(array).all():
            raise NserbenchError(
                f"{extraction.upstream.bound.label} returns values that are not "
                f"finite for {clip.utterance.id} in {group!r}"
            )


def _arrays(
    layered: LayeredFeatures, index: int, form: Form
) -> dict[str, NDArray[Any]]:
    """Return the valid frames of one utterance, or their means over time, by group."""
    arrays = {}
    for name, group in layered.items():
        states = group.states[:, index, : int(group.lengths[index])]
        arrays[name] = _pool(states) if form == "pooled" else _half(states)
    return arrays


def _pool(states: torch.Tensor) -> NDArray[np.float32]:
    pooled: NDArray[np.float32] = states.mean(dim=1).float().cpu().numpy()
    return pooled


def _half(states: torch.Tensor) -> NDArray[np.float16]:
    half: NDArray[np.float16] = states.half().cpu().numpy()
    return half


def _utf8(text: str) -> NDArray[np.uint8]:
    return np.frombuffer(text.encode(), np.uint8)
