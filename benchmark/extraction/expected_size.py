"""What a pass of an upstream will store, in bytes, before it has run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from nserbench.benchmark.extraction.batches import kept_entries, received
from nserbench.benchmark.extraction.clips import Clip
from nserbench.benchmark.extraction.need import Need
from nserbench.benchmark.store.array_sizes import array_bytes
from nserbench.benchmark.store.feature_store import TRANSCRIPT, Form, Store
from nserbench.corpora.audio import SAMPLE_RATE
from nserbench.upstreams.groups import GroupSpec


def least_bytes(need: Need, store: Store) -> Mapping[Form, int]:
    """Return what the missing passes of a need will store at least, by form.

    Where a group has a frame rate, the number is right within two frames of each
    utterance. The tokens of a transcript are not known before, so that a decoder counts
    as one frame.

    Args:
        need: What is read.
        store: Where it is, or will be.
    """
    extraction, sizes = need.extraction, Counter[Form]()
    described = extraction.card.describe(extraction.upstream.bound.options).groups
    longest = extraction.card.max_samples
    for one in need.passes(store):
        for key, entries in kept_entries(one, described, need.stored(store)).items():
            for entry in entries - {TRANSCRIPT}:
                spec = described[entry.group]
                frames = _least_frames(one.clips[key], spec, longest)
                layers = len(spec.layers)
                sizes[entry.form] += array_bytes(entry, layers, frames, spec.dim)
    return sizes


def _least_frames(clip: Clip, spec: GroupSpec, longest: int | None) -> int:
    if spec.rate is None:
        return 1
    return max(1, int(received(clip, longest) / SAMPLE_RATE * spec.rate) - 2)
