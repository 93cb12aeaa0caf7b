"""Run an upstream once over the utterances of a condition, and store the result."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from nserbench.benchmark.extraction.batches import Arrays, BatchRun, LoadedModels
from nserbench.benchmark.extraction.clips import Clip
from nserbench.benchmark.extraction.identity import Extraction
from nserbench.benchmark.extraction.need import Need, Pass, forms_of
from nserbench.benchmark.plugins.own_state import own_state
from nserbench.benchmark.results.environment import Peak
from nserbench.benchmark.results.software import MADE_BY, made_by
from nserbench.benchmark.store.feature_store import Store
from nserbench.benchmark.training.batching import chunks
from nserbench.cards import ConfiguredCard
from nserbench.progress import Progress
from nserbench.upstreams.base import Upstream, UpstreamCard

SHARD = 32  # utterances in a file; after a kill at most these are lost


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
        if (file := extraction.upstream.tuned) is None:
            opened = upstream.card.open(upstream.options, self.device)
        else:
            opened = _open_tuned(file, upstream, self.device)
        extraction.upstream.refuse_changed()
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
    peak = Peak(upstream.device)
    texts = read_texts(extraction, list(one.clips.values()), store)
    run = BatchRun.of(one, loaded, features, texts)
    shards = [list(run.batches(s)) for s in chunks(list(one.clips.items()), SHARD)]
    began = time.perf_counter()
    with run.results(chain.from_iterable(shards)) as results:
        for shard in shards:
            states: Arrays = {form: {} for form in one.forms}
            for batch, result in zip(shard, results, strict=False):
                arrays = result()
                for form in one.forms:
                    states[form].update(arrays[form])
                progress.advance(len(batch))
            seconds = time.perf_counter() - began
            facts = {**described_by, "seconds": f"{seconds:.3f}"}
            if (peak_bytes := peak.bytes) is not None:
                facts["peak"] = str(peak_bytes)
            for form, of_form in states.items():
                features.write(form, of_form, facts)
            began = time.perf_counter()


def _facts(extraction: Extraction, upstream: Upstream) -> dict[str, str]:
    """Return the metadata of all shards that a loaded upstream writes."""
    return {
        "upstream": extraction.upstream.bound.label,
        "condition": extraction.condition,
        "parameters": str(upstream.parameter_count()),
        MADE_BY: made_by(extraction.card, upstream.device),
        **_tuning_cost(extraction),
    }


def _open_tuned(
    file: Path, upstream: ConfiguredCard[UpstreamCard], device: str
) -> Upstream:
    from nserbench.benchmark.extraction.tuned_weights import drawn_as_before, load_tuned

    with drawn_as_before(file):
        opened = upstream.card.open(upstream.options, device)
    assert opened.model is not None  # noqa: S101 - only a model can be fine-tuned
    load_tuned(file, opened.model)
    return opened


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
