"""SpeechLM: every layer of its speech and of its unit transformer."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

from nserbench.cards import Options
from nserbench.errors import BadSpec, CheckpointMissing
from nserbench.upstreams.base import Batch, LayeredFeatures, LayerGroup, Upstream
from nserbench.upstreams.speechlm.config import (
    IgnoredObject,
    checkpoint_file,
    read_speechlm_config,
)
from nserbench.upstreams.speechlm.network import SpeechLMModel

SHORTEST = 400
"""Samples under the first frame: 25 ms."""

_DICTIONARY = "fairseq.data.dictionary.Dictionary"
_PRE_TRAINING = (
    "final_proj_list.",
    "label_embs_list.",
    "mask_emb",
    "target_glu.",
    "unit_embed_tokens.",
    "unit_encoder.embed_tokens.",
    "unit_encoder.version",
    "unit_encoder_ctc_head.",
)
"""What the names of weights begin with that speech does not pass through."""


class SpeechLM(Upstream):
    """The layers of a SpeechLM (Zhang et al., arXiv:2209.15329) over audio.

    Utterances are run one by one, in float32: the first convolution of Base is
    normalised over the whole clip, so padding would change every frame.

    Args:
        options: ``checkpoint``, a ``.pt`` file of the authors: as training wrote it,
            or cleaned by them. Nothing that it names is run.
        device: Where to compute, such as ``"cuda:0"``.

    Raises:
        CheckpointMissing: if it is not there, or is not whole.
        BadSpec: if it is no pre-trained SpeechLM, or holds more than plain data and
            the dictionaries of its training.
    """

    def __init__(self, options: Options, device: str) -> None:
        super().__init__(options, device)
        file = checkpoint_file(options)
        self.model: SpeechLMModel = SpeechLMModel(read_speechlm_config(file))
        _fill(self.model, _weights(file), file)
        self.model.eval().to(device)

    def forward(self, batch: Batch) -> LayeredFeatures:
        """Give the groups ``speech`` and ``unit``; padding is 0.

        Raises:
            ValueError: if a wave has fewer than `SHORTEST` samples.
        """
        for wave in batch.waves:
            if len(wave) < SHORTEST:
                raise ValueError(
                    f"a wave must have at least {SHORTEST} samples, got {len(wave)}"
                )
        pairs = [
            self.model(torch.as_tensor(wave, device=self.device)[None])
            for wave in batch.waves
        ]
        return {
            "speech": _group([speech for speech, _ in pairs]),
            "unit": _group([unit for _, unit in pairs]),
        }


def _group(alone: Sequence[Tensor]) -> LayerGroup:
    """Pad and stack utterances, each ``(layers, 1, frames, dim)``."""
    states = [it.squeeze(1).transpose(0, 1) for it in alone]
    lengths = torch.tensor([len(it) for it in states], device=states[0].device)
    return LayerGroup(pad_sequence(states).permute(2, 1, 0, 3), lengths)


def _weights(file: Path) -> Mapping[str, Tensor]:
    # What training writes holds its dictionaries, which nobody needs here.
    with safe_globals([(IgnoredObject, _DICTIONARY)]):
        try:
            content = torch.load(file, "cpu", weights_only=True, mmap=True)
        except (pickle.UnpicklingError, RuntimeError) as error:
            raise _unreadable(file) from error
    weights: Mapping[str, Tensor] = content.get("model", {})
    return weights


def _unreadable(file: Path) -> BadSpec | CheckpointMissing:
    if unsafe := sorted(get_unsafe_globals_in_checkpoint(file)):
        return BadSpec(
            f"{file} holds objects that could run code: {', '.join(unsafe)}\n"
            "  if you trust it, keep the rest, where its packages are installed:\n"
            f"  old = torch.load({file.name!r}, weights_only=False)\n"
            "  torch.save({'cfg': old['cfg'], 'model': old['model']}, 'clean.pt')"
        )
    return CheckpointMissing(f"the weights in {file} cannot be read: it is not whole")


def _fill(model: SpeechLMModel, weights: Mapping[str, Tensor], file: Path) -> None:
    own = model.state_dict()
    missing = sorted(own.keys() - weights.keys())
    foreign = sorted(filter(_is_foreign, weights.keys() - own.keys()))
    if missing:
        raise CheckpointMissing(
            f"the weights in {file} are not whole\n"
            f"  {len(missing)} tensors are missing, such as {missing[0]}"
        )
    if foreign:
        raise BadSpec(
            f"{file} is no pre-trained SpeechLM\n"
            f"  {len(foreign)} tensors have no place in one, such as {foreign[0]}"
        )
    for name, empty in own.items():
        if weights[name].shape != empty.shape:
            raise BadSpec(
                f"{file} contradicts itself: {name} has shape "
                f"{tuple(weights[name].shape)}, its configuration says "
                f"{tuple(empty.shape)}"
            )
    model.load_state_dict({name: weights[name] for name in own})


def _is_foreign(name: str) -> bool:
    # Post-norm blocks hold a norm_k that they never use.
    return not name.startswith(_PRE_TRAINING) and ".norm_k." not in name
