"""What the tests of Hugging Face checkpoints share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from tiny_hf import PRENORM, extractor_of
from torch import Tensor

from nserbench.cards import bind
from nserbench.spec import Spec
from nserbench.upstreams.base import LayeredFeatures
from nserbench.upstreams.cards import HF
from nserbench.upstreams.groups import Groups

Wave: TypeAlias = NDArray[np.float32]
Checkpoint: TypeAlias = Callable[[str], Path]
"""Returns the folder of a checkpoint of `tiny_hf` by its name."""


def hf(folder: Path) -> Any:
    """Load a checkpoint with the card ``hf``, as the benchmark does."""
    one = bind(HF, Spec("hf", positional=str(folder)))
    return one.card.open(one.options, "cpu")


def described(folder: Path) -> Groups:
    """Return the groups of a checkpoint on the card ``hf``."""
    one = bind(HF, Spec("hf", positional=str(folder)))
    return one.card.describe(one.options).groups


def assert_described(groups: LayeredFeatures, folder: Path) -> None:
    """Compare groups of three utterances with those on the card."""
    specs = described(folder)
    assert list(groups) == list(specs)
    for name, spec in specs.items():
        layers, utterances, _, dim = groups[name].states.shape
        assert (layers, utterances, dim) == (len(spec.layers), 3, spec.dim)
        assert groups[name].states.dtype == torch.float32


def library_inputs(name: str, wave: Wave) -> Any:
    """Prepare a wave as transformers does for a checkpoint."""
    return extractor_of(name)(wave, sampling_rate=16_000, return_tensors="pt")


@torch.no_grad()
def library_encoder(encoder: Any, name: str, wave: Wave) -> Tensor:
    """Return ``(layers, frames, dim)`` as transformers computes them for one wave."""
    inputs = library_inputs(name, wave)
    states = list(encoder(**inputs, output_hidden_states=True).hidden_states)
    if name.startswith(PRENORM):
        states[-1] = encoder.encoder.layer_norm(states[-1])
    frames = states[0].shape[1]
    if name.startswith("wav2vec2-bert"):
        frames = int(inputs["attention_mask"].sum())
    return torch.stack(states)[:, 0, :frames]
