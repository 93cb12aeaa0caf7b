"""Refuse what an upstream returns if it is not what its card says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nserbench.benchmark.extraction.clips import Clip
from nserbench.benchmark.extraction.identity import Extraction
from nserbench.benchmark.extraction.need import Pass
from nserbench.errors import NserbenchError
from nserbench.upstreams.base import LayerGroup
from nserbench.upstreams.groups import Groups


def refuse_undescribed(
    one: Pass, layered: object, described: Groups, utterances: int
) -> None:
    """Refuse groups that are not as the card says.

    Raises:
        NserbenchError: if a group is missing, or has other sizes.
    """
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
            f"  it returns {actual}, but its card says {expected}\n"
            "  correct the card or the upstream"
        )


def _shape(group: object) -> str:
    """Return the sizes of a group that are known before; else what it is instead."""
    if not isinstance(group, LayerGroup):
        return type(group).__name__
    if not group.states.is_floating_point():
        return f"numbers of the type {group.states.dtype}"
    layers, utterances, _, dim = group.states.shape
    return f"(layers {layers}, utterances {utterances}, dim {dim})"


def refuse_other_texts(one: Pass, texts: Any, utterances: int) -> None:
    """Refuse transcripts that are no texts, or are not one for each utterance.

    Raises:
        NserbenchError: if they are wrong and the pass returns transcripts.
    """
    if not one.returns_transcripts:
        return
    is_text = isinstance(texts, Sequence) and all(isinstance(t, str) for t in texts)
    if not is_text or len(texts) != utterances:
        raise NserbenchError(
            f"{one.extraction.upstream.bound.label} does not return one transcript for "
            f"each of {utterances} utterances, but {texts!r:.200}"
        )


def refuse_infinite(
    extraction: Extraction, clip: Clip, group: str, array: NDArray[Any]
) -> None:
    """Refuse features of a clip in a group that are not finite.

    Raises:
        NserbenchError: if one is not.
    """
    if not np.isfinite(array).all():
        raise NserbenchError(
            f"{extraction.upstream.bound.label} returns values that are not "
            f"finite for {clip.utterance.id} in {group!r}"
        )
