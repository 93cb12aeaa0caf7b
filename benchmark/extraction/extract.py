"""One upstream pass over the utterances of one condition, into the store."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nserbench.benchmark.extraction.clips import Clip
from nserbench.benchmark.extraction.extraction import Extraction
from nserbench.benchmark.results.environment import Peak
from nserbench.benchmark.store.feature_store import Features, Form, Store
from nserbench.benchmark.training.batching import chunks
from nserbench.errors import NserbenchError
from nserbench.progress import Progress
from nserbench.upstreams.base import (
    Batch,
    Groups,
    LayeredFeatures,
    Recognised,
    Transcriber,
    Upstream,
)
from nserbench.upstreams.enhancement.base import Enhancer

if TYPE_CHECKING:
    import torch

SHARD = 32  # utterances; what a kill can lose
_BATCH_ELSEWHERE = 16  # on a GPU; on a CPU the card says


@dataclass(frozen=True, slots=True)
class LoadedModels:
    """The models of an extraction, on a device."""

    upstream: Upstream
    enhancer: Enhancer | None


@dataclass(slots=True)
class ModelCache:
    """Opens the models of extractions, each once, and keeps them.

    Attributes:
        device: Where to.
    """

    device: str
    _kept: dict[str, LoadedModels] = field(default_factory=dict)

    def open(self, extraction: Extraction) -> LoadedModels:
        """Give the models of an extraction, whatever its condition."""
        name = extraction.models
        if name not in self._kept:
            upstream, cleaner = extraction.upstream.bound, extraction.enhancer
            enhancer = None
            if cleaner is not None:
                bound = cleaner.bound
                enhancer = bound.card.open(bound.options, self.device)
            opened = upstream.card.open(upstream.options, self.device)
            if (file := extraction.upstream.tuned) is not None:
                _load_tuned(file, opened)
            self._kept[name] = LoadedModels(opened, enhancer)
        return self._kept[name]


def extract_missing(
    extraction: Extraction,
    clips: Sequence[Clip],
    forms: Sequence[Form],
    store: Store,
    models: ModelCache,
    progress: Progress,
) -> None:
    """Make what the store lacks of some features, and the transcripts they read.

    Args:
        extraction: What they are.
        clips: The utterances.
        forms: Which forms of them are needed.
        store: Where they go.
        models: Who opens what is needed for it.
        progress: Hears of every utterance.

    Raises:
        NserbenchError: if a model cannot be loaded, a feature is not finite, or a
            group is not as the card says.
    """
    if extraction.transcripts is not None:
        source = extraction.transcripts
        extract_missing(source, clips, ["transcripts"], store, models, progress)
    missing, short = lacking(extraction, clips, forms, store)
    if missing:
        label = extraction.upstream.bound.label
        what = f"{label} in {extraction.condition}"
        progress.stage(what, len(missing), "clips")
        extract(extraction, models.open(extraction), missing, short, store, progress)


def lacking(
    extraction: Extraction, clips: Sequence[Clip], forms: Sequence[Form], store: Store
) -> tuple[dict[str, Clip], list[Form]]:
    """Give the utterances that the store lacks in some form, by key, and the forms."""
    affects_features = dict(zip(extraction.keys(clips), clips, strict=True))
    features = store.features(extraction.identity)
    held = {form: features.keys(form) for form in forms}
    short = [form for form in forms if not held[form].issuperset(affects_features)]
    return {
        key: clip
        for key, clip in affects_features.items()
        if any(key not in held[form] for form in short)
    }, short


def extract(
    extraction: Extraction,
    loaded: LoadedModels,
    clips: Mapping[str, Clip],
    forms: Sequence[Form],
    store: Store,
    progress: Progress,
) -> None:
    """Run an upstream over utterances and store what it gives.

    Args:
        extraction: What to run.
        loaded: Its models.
        clips: Utterances by key.
        forms: What to store of each.
        store: Where to.
        progress: Hears of every utterance.

    Raises:
        NserbenchError: if a feature is not finite, or a group not as the card says.
    """
    upstream, bound = loaded.upstream, extraction.upstream.bound
    features = _announced(extraction, upstream, store)
    described = bound.card.describe(bound.options)
    on_cpu, peak = upstream.device == "cpu", Peak(upstream.device)
    size = extraction.card.batch if on_cpu else _BATCH_ELSEWHERE
    for shard in chunks(list(clips.items()), SHARD):
        began = time.perf_counter()
        states: dict[Form, dict[str, dict[str, NDArray[Any]]]] = {
            form: {} for form in forms
        }
        for batch in chunks(shard, size):
            ones = [clip for _, clip in batch]
            heard = _hear(extraction, loaded, ones, forms, store)
            if heard.features:
                _refuse_undescribed(extraction, heard.features, described)
            _keep(extraction, batch, heard, states)
            progress.advance(len(batch))
        facts = {"seconds": f"{time.perf_counter() - began:.3f}"}
        if (held := peak.bytes) is not None:
            facts["peak"] = str(held)
        for form in forms:
            features.write(form, states[form], facts)


def _announced(extraction: Extraction, upstream: Upstream, store: Store) -> Features:
    about = {
        "upstream": extraction.upstream.bound.label,
        "condition": extraction.condition,
        "parameters": upstream.parameter_count(),
        **_tuned(extraction),
    }
    return store.announce(extraction.identity, about)


def _load_tuned(file: Path, upstream: Upstream) -> None:
    from nserbench.benchmark.extraction.tuned_weights import load_tuned

    assert upstream.model is not None  # noqa: S101 - or it could not have been tuned
    load_tuned(file, upstream.model)


def _tuned(extraction: Extraction) -> dict[str, float]:
    """Give what the tuning of an upstream cost, if it was tuned."""
    if (file := extraction.upstream.tuned) is None:
        return {}
    from nserbench.benchmark.extraction.tuned_weights import tuned_facts

    count, seconds = tuned_facts(file)
    return {"tuned_parameters": count, "tuning_seconds": seconds}


def said(extraction: Extraction, clips: Sequence[Clip], store: Store) -> list[str]:
    """Read the transcripts of utterances that `extract_missing` has made."""
    features = store.features(extraction.identity)
    return [features.read_transcript(extraction.key(clip)) for clip in clips]


def read_texts(
    extraction: Extraction, clips: Sequence[Clip], store: Store
) -> list[str | None]:
    """Give the texts that an upstream is to read: transcripts, or the corpus's own."""
    if extraction.transcripts is None:
        return [clip.utterance.text for clip in clips]
    return list(said(extraction.transcripts, clips, store))


def _hear(
    extraction: Extraction,
    loaded: LoadedModels,
    clips: Sequence[Clip],
    forms: Sequence[Form],
    store: Store,
) -> Recognised:
    """Run one batch."""
    texts = read_texts(extraction, clips, store)
    batch = extraction.batch(clips, texts, loaded.enhancer)
    return _run(loaded.upstream, batch, set(forms))


def _keep(
    extraction: Extraction,
    affects_features: Sequence[tuple[str, Clip]],
    heard: Recognised,
    states: Mapping[Form, dict[str, dict[str, NDArray[Any]]]],
) -> None:
    """Put what is to be stored of a batch into ``states``, by form and key."""
    for place, (key, clip) in enumerate(affects_features):
        for form, found in states.items():
            if form == "transcripts":
                found[key] = {"text": _letters(heard.texts[place])}
            else:
                found[key] = _form(heard.features, place, form)
                _refuse_infinite(extraction, clip, found[key])


def written(upstream: Upstream, batch: Batch) -> list[str]:
    """Let an upstream write down what it hears.

    Raises:
        NserbenchError: if it cannot, against what its card says.
    """
    return _transcriber(upstream).transcribe(batch)


def _run(upstream: Upstream, batch: Batch, forms: set[Form]) -> Recognised:
    """Let an upstream hear a batch, and write it down only if asked to."""
    if "transcripts" not in forms:
        return Recognised(upstream.extract(batch), ())
    if forms == {"transcripts"}:
        return Recognised({}, written(upstream, batch))
    import torch

    with torch.no_grad():
        return _transcriber(upstream).forward_and_transcribe(batch)


def _transcriber(upstream: Upstream) -> Transcriber:
    if not isinstance(upstream, Transcriber):
        raise NserbenchError(
            f"{type(upstream).__name__} is no Transcriber, as its card says it is"
        )
    return upstream


def _refuse_undescribed(
    extraction: Extraction, layered: LayeredFeatures, described: Groups
) -> None:
    # Layers are read back by the card's numbers: with others they would be mixed up.
    said = {name: (len(one.layers), one.dim) for name, one in described.items()}
    given = {
        name: (group.states.shape[0], group.states.shape[3])
        for name, group in layered.items()
    }
    if given != said:
        raise NserbenchError(
            f"{extraction.upstream.bound.label} does not give what its card says\n"
            f"  layers and dim of each group: {given} instead of {said}"
        )


def _refuse_infinite(
    extraction: Extraction, clip: Clip, groups: Mapping[str, NDArray[Any]]
) -> None:
    for group, array in groups.items():
        if not np.isfinite(array).all():
            raise NserbenchError(
                f"{extraction.upstream.bound.label} gives values that are not "
                f"finite for {clip.utterance.id} in {group!r}"
            )


def _form(layered: LayeredFeatures, place: int, form: Form) -> dict[str, NDArray[Any]]:
    """Trim one utterance to its valid frames, and pool them if asked to."""
    found = {}
    for name, group in layered.items():
        states = group.states[:, place, : int(group.lengths[place])]
        found[name] = _pool(states) if form == "pooled" else _half(states)
    return found


def _pool(states: torch.Tensor) -> NDArray[np.float32]:
    pooled: NDArray[np.float32] = states.mean(dim=1).float().cpu().numpy()
    return pooled


def _half(states: torch.Tensor) -> NDArray[np.float16]:
    half: NDArray[np.float16] = states.half().cpu().numpy()
    return half


def _letters(text: str) -> NDArray[np.uint8]:
    return np.frombuffer(text.encode(), np.uint8)
