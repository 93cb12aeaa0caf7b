"""What the tests of the Conformer share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nserbench.upstreams.base import Batch

Wave: TypeAlias = NDArray[np.float32]

WAVES = tuple(
    (0.1 * np.random.default_rng(length).standard_normal(length)).astype(np.float32)
    for length in (16_000, 5_001, 400, 30_400)
)
BATCH = Batch.of(*WAVES)
LONG_ENOUGH = tuple(wave for wave in WAVES if len(wave) > 400)
"""Waves on which speechbrain's own searches have a step to go."""


def options(folder: Path | str, search: str = "greedy") -> dict[str, Any]:
    """Return the options of the card."""
    return {"checkpoint": str(folder), "revision": None, "search": search}


def alone(wave: Wave) -> tuple[Tensor, Tensor]:
    """Return a batch of one as speechbrain reads it."""
    return torch.from_numpy(wave)[None], torch.ones(1)


def layers_of(stack: Any, run: Callable[..., Any], *given: Any) -> list[Tensor]:
    """Return the outputs of a stack's blocks while something runs."""
    outputs: list[Tensor] = []
    hooks = [
        layer.register_forward_hook(lambda _, __, out: outputs.append(out[0][0]))
        for layer in stack.layers
    ]
    with torch.no_grad():
        run(*given)
    for hook in hooks:
        hook.remove()
    return outputs


def library_search(library: Any, wave: Wave) -> list[int]:
    """Let speechbrain search greedily, without the language model."""
    from speechbrain.decoders.seq2seq import S2STransformerGreedySearcher

    decoder = library.mods.decoder
    searcher = S2STransformerGreedySearcher(
        modules=[decoder.model, decoder.fc],
        bos_index=1,
        eos_index=2,
        min_decode_ratio=0.0,
        max_decode_ratio=0.5,
    )
    with torch.no_grad():
        hypotheses, *_ = searcher(library.encode_batch(*alone(wave)), torch.ones(1))
    tokens: list[int] = hypotheses[0]
    return tokens
