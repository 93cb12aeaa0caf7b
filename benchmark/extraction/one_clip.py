"""Run an upstream on one clip as an extraction does, and keep nothing in the store."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nserbench.benchmark.extraction.batches import (
    BatchRun,
    LoadedModels,
    concurrency,
)
from nserbench.benchmark.extraction.clips import Clip
from nserbench.benchmark.extraction.identity import DigestedModel, Extraction
from nserbench.benchmark.extraction.need import Pass
from nserbench.benchmark.extraction.returned_features import refuse_infinite
from nserbench.benchmark.plugins.own_state import own_state
from nserbench.benchmark.store.feature_store import TRANSCRIPT, Entry
from nserbench.benchmark.study.name_lookup import transcriber_of
from nserbench.cards import ConfiguredCard
from nserbench.errors import BadSpec
from nserbench.upstreams.base import Recognised, Upstream, UpstreamCard

_KEY = "clip"


@dataclass(frozen=True, slots=True)
class ClipInMemory(Clip):
    """A clip whose audio is in memory.

    Attributes:
        wave: ``(samples,)``, 16 kHz mono.
    """

    wave: NDArray[np.float32]

    def read(self) -> NDArray[np.float32]:
        """Return the audio, ``(samples,)``."""
        return self.wave


def open_upstream(bound: ConfiguredCard[UpstreamCard], device: str) -> Upstream:
    """Load an upstream on a device.

    Raises:
        NserbenchError: if it cannot be loaded.
    """
    with own_state():
        return bound.card.open(bound.options, device)


def clip_features(
    bound: ConfiguredCard[UpstreamCard], upstream: Upstream, clip: ClipInMemory
) -> dict[str, NDArray[np.float32]]:
    """Return the features of a clip by group, ``(layers, frames, dim)``.

    Only the groups that the option ``groups`` selects are there, all valid frames of
    all their layers. An upstream that reads transcripts gets that of the clip.

    Raises:
        BadSpec: if the upstream reads a text, and the clip has none.
        NserbenchError: if a feature is not finite, or a group is not as the card says.
    """
    selected = bound.options["groups"] or bound.card.describe(bound.options).groups
    entries = frozenset(Entry("frames", group) for group in selected)
    features = _recognised(bound, upstream, clip, entries).features
    arrays = {
        name: features[name].states[:, 0, : int(features[name].lengths[0])]
        for name in selected
    }
    found = {name: states.float().cpu().numpy() for name, states in arrays.items()}
    for name, states in found.items():
        refuse_infinite(_extraction(bound), clip, name, states)
    return found


def _recognised(
    bound: ConfiguredCard[UpstreamCard],
    upstream: Upstream,
    clip: ClipInMemory,
    entries: frozenset[Entry],
) -> Recognised:
    extraction = _extraction(bound)
    enhancer, text = None, _text(bound, clip, upstream.device)
    if extraction.enhancer is not None:
        chosen = extraction.enhancer.bound
        with own_state():
            enhancer = chosen.card.open(chosen.options, upstream.device)
    loaded = LoadedModels(upstream, enhancer)
    run = BatchRun(
        Pass(extraction, {_KEY: clip}, entries),
        loaded,
        bound.card.describe(bound.options).groups,
        kept={},
        texts={_KEY: text},
        used=concurrency(extraction, loaded, [clip]),
    )
    with run.computed(run.recognise, [[(_KEY, clip)]]) as results:
        return next(results)()


def _extraction(bound: ConfiguredCard[UpstreamCard]) -> Extraction:
    """Return the extraction over clean speech, whose weights nobody identifies."""
    chosen = bound.options.get("enhance")
    enhancer = None if chosen is None else DigestedModel(chosen, "")
    return Extraction(DigestedModel(bound, ""), enhancer, None, None, None, 0)


def _text(
    bound: ConfiguredCard[UpstreamCard], clip: ClipInMemory, device: str
) -> str | None:
    """Return the text that an upstream reads: a transcript, or that of the clip."""
    if (transcriber := transcriber_of(bound)) is not None:
        writer = open_upstream(transcriber, device)
        entries = frozenset([TRANSCRIPT])
        return _recognised(transcriber, writer, clip, entries).texts[0]
    if "texts" in bound.card.reads and clip.utterance.text is None:
        raise BadSpec(f"{bound.label} reads a text: give it as text=")
    return clip.utterance.text
