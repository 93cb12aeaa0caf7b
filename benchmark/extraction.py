"""One upstream pass over the utterances of one condition, into the store."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nserbench.benchmark.batches import chunks
from nserbench.benchmark.digests import digest
from nserbench.benchmark.progress import Progress
from nserbench.benchmark.store import Features, Store
from nserbench.benchmark.survey import Clip
from nserbench.cards import Bound
from nserbench.corpora.audio import read_audio
from nserbench.corpora.noise import MIX_VERSION, Noise, lay_under
from nserbench.downstreams.base import Tier
from nserbench.errors import NserbenchError
from nserbench.upstreams.base import (
    Batch,
    Groups,
    LayeredFeatures,
    Upstream,
    UpstreamCard,
)

if TYPE_CHECKING:
    import torch

SHARD = 32  # utterances; what a kill can lose
_BATCH = {"cpu": 1}  # a batch of one cannot depend on who else is missing
_BATCH_ELSEWHERE = 16


@dataclass(frozen=True, slots=True)
class Extraction:
    """An upstream over speech in one condition.

    Attributes:
        upstream: The upstream with its options.
        weights: Digest of its checkpoint's files; empty where it has none.
        noise: What is laid under the speech; None for clean speech.
        snr: dB; None for clean speech.
        mix_seed: Of the noise offsets.
    """

    upstream: Bound[UpstreamCard]
    weights: str
    noise: Noise | None
    snr: float | None
    mix_seed: int

    @property
    def identity(self) -> dict[str, object]:
        """All that decides the features of an utterance besides the utterance."""
        card = self.upstream.card
        mixed = None
        if self.noise is not None:
            mixed = {
                "noise": self.noise.digest,
                "snr": self.snr,
                "version": MIX_VERSION,
            }
        return {
            "extractor": card.load,
            "version": card.version,
            "options": self.upstream.key_options(),
            "weights": self.weights,
            "mix": mixed,
            "precision": "float32",
        }

    def key(self, clip: Clip) -> str:
        """Give the digest of all that decides an utterance's features besides these."""
        one, reads = clip.utterance, self.upstream.card.reads
        return digest(
            {
                "audio": clip.digest,
                "offset": self._offset(clip),
                "text": one.text if "texts" in reads else None,
                "language": one.language if "languages" in reads else None,
            }
        )

    def keys(self, clips: Sequence[Clip]) -> list[str]:
        """Give the key of each utterance."""
        return [self.key(clip) for clip in clips]

    def wave(self, clip: Clip) -> NDArray[np.float32]:
        """Give the audio that the upstream hears: read, mixed, padded or cut."""
        one, card = clip.utterance, self.upstream.card
        wave = read_audio(one.path, one.start, one.end)
        if self.noise is not None and self.snr is not None:
            wave = lay_under(wave, self.noise, one.id, self.snr, self.mix_seed).wave
        wave = wave[: card.max_samples]
        return np.pad(wave, (0, max(0, card.min_samples - len(wave))))

    def _offset(self, clip: Clip) -> int | None:
        if self.noise is None:
            return None
        return self.noise.offset(clip.utterance.id, clip.samples, self.mix_seed)


def lacking(
    features: Features, keyed: Mapping[str, Clip], tiers: Sequence[Tier]
) -> tuple[dict[str, Clip], list[Tier]]:
    """Give the utterances that some tier does not hold, by key, and those tiers."""
    held = {tier: features.keys(tier) for tier in tiers}
    short = [tier for tier in tiers if not held[tier].issuperset(keyed)]
    return {
        key: clip
        for key, clip in keyed.items()
        if any(key not in held[tier] for tier in short)
    }, short


def extract(
    extraction: Extraction,
    upstream: Upstream,
    clips: Mapping[str, Clip],
    tiers: Sequence[Tier],
    store: Store,
    device: str,
    progress: Progress,
) -> None:
    """Run an upstream over utterances and store what it gives.

    Args:
        extraction: What to run.
        upstream: The loaded upstream.
        clips: Utterances by key.
        tiers: The forms to store.
        store: Where to.
        device: The device that the upstream is on.
        progress: Hears of every utterance.

    Raises:
        NserbenchError: if a feature is not finite, or a group not as the card says.
    """
    described = extraction.upstream.card.describe(extraction.upstream.options)
    features = store.announce(
        extraction.identity,
        {
            "upstream": extraction.upstream.label,
            "condition": _condition(extraction),
            "parameters": upstream.parameter_count(),
        },
    )
    size = _BATCH.get(device, _BATCH_ELSEWHERE)
    for shard in chunks(list(clips.items()), SHARD):
        began = time.perf_counter()
        states: dict[Tier, dict[str, dict[str, NDArray[Any]]]] = {
            tier: {} for tier in tiers
        }
        for batch in chunks(shard, size):
            layered = upstream.extract(_batch(extraction, batch))
            _refuse_undescribed(extraction, layered, described)
            for place, (key, clip) in enumerate(batch):
                for tier in tiers:
                    states[tier][key] = _tier(layered, place, tier)
                    _refuse_infinite(extraction, clip, states[tier][key])
            progress.advance(len(batch))
        seconds = time.perf_counter() - began
        for tier in tiers:
            features.write(tier, states[tier], {"seconds": f"{seconds:.3f}"})


def _batch(extraction: Extraction, batch: Sequence[tuple[str, Clip]]) -> Batch:
    ones = [clip.utterance for _, clip in batch]
    return Batch(
        [one.id for one in ones],
        [extraction.wave(clip) for _, clip in batch],
        [one.text for one in ones],
        [one.language for one in ones],
    )


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
            f"{extraction.upstream.label} does not give what its card says\n"
            f"  layers and dim of each group: {given} instead of {said}"
        )


def _refuse_infinite(
    extraction: Extraction, clip: Clip, groups: Mapping[str, NDArray[Any]]
) -> None:
    for group, array in groups.items():
        if not np.isfinite(array).all():
            raise NserbenchError(
                f"{extraction.upstream.label} gives values that are not "
                f"finite for {clip.utterance.id} in {group!r}"
            )


def _tier(layered: LayeredFeatures, place: int, tier: Tier) -> dict[str, NDArray[Any]]:
    """Trim one utterance to its valid frames, and pool them if asked to."""
    found = {}
    for name, group in layered.items():
        states = group.states[:, place, : int(group.lengths[place])]
        found[name] = _pool(states) if tier == "pooled" else _half(states)
    return found


def _pool(states: torch.Tensor) -> NDArray[np.float32]:
    pooled: NDArray[np.float32] = states.mean(dim=1).float().cpu().numpy()
    return pooled


def _half(states: torch.Tensor) -> NDArray[np.float16]:
    half: NDArray[np.float16] = states.half().cpu().numpy()
    return half


def _condition(extraction: Extraction) -> str:
    if extraction.noise is None:
        return "clean"
    return f"{extraction.noise.name}@{extraction.snr:g}"
